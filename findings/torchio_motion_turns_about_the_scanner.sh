#!/usr/bin/env bash
# torchio 1.2.1 (2026): RandomMotion turns the head about the origin of the world, not about the middle of the image. The centre of the
# image is set in the rotation, and lost when that is turned into a matrix and back. So the artefact that is simulated depends on where the
# file says that the image lies: with a rotation of 10 degrees an image whose middle is the origin is turned in place, one in a tensor
# without a matrix is turned about its corner (64 mm a side: the middle moves by 8 mm), and one 200 mm beside the isocentre, as a knee or a
# shoulder is, moves by 35 mm, so that a part of its k-space comes from a body that has left the field of view. The same values, rotations
# and times give three different images. RandomAffine, of the same package, turns about the middle.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6, scipy 1.17.1, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it
# changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchio==1.2.1 torch==2.8.0 numpy==2.4.6 scipy==1.17.1 SimpleITK==2.5.7
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import torchio
from scipy import ndimage

SIDE, DEGREES, TIME = 64, 10.0, 0.4
MIDDLE = np.full(3, (SIDE - 1) / 2)
place = np.indices((SIDE, SIDE, SIDE)).transpose(1, 2, 3, 0) - MIDDLE
knee = np.where((place**2).sum(axis=3) < 18**2, 100.0, 0.0) + np.where(((place - [6, 0, 0]) ** 2).sum(axis=3) < 5**2, 50.0, 0.0)
knee = knee.astype(np.float32)
angle = np.radians(DEGREES)
turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def spectrum(image):
    return np.fft.fftshift(np.fft.fftn(image))


def by_hand(origin, about):
    """Lines of k-space up to the time of the motion are those of the moved image, the others those of the image."""
    point = np.asarray(about, float) - origin
    moved = ndimage.affine_transform(knee.astype(float), turn, offset=point - turn @ point, order=1)
    lines = int(SIDE * TIME)
    mixed = spectrum(knee)
    mixed[..., :lines] = spectrum(moved)[..., :lines]
    return np.real(np.fft.ifftn(np.fft.ifftshift(mixed)))


def simulated(origin):
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    motion = torchio.transforms.Motion(np.array([[0, 0, DEGREES]]), np.zeros((1, 3)), np.array([TIME]), "linear")
    return motion(torchio.ScalarImage(tensor=torch.tensor(knee)[None], affine=matrix)).data[0].numpy()


def apart(one, other):
    return float(np.sqrt(np.mean((one - other) ** 2)))


print(f"torchio {torchio.__version__}")
images, right = [], True
for name, origin in (("middle at the origin", -MIDDLE), ("no matrix", np.zeros(3)), ("200 mm beside the isocentre", np.array([200.0, 0, 0]) - MIDDLE)):
    image = simulated(origin)
    middle = by_hand(origin, origin + MIDDLE)
    world = by_hand(origin, np.zeros(3))
    shift = float(np.linalg.norm((turn - np.eye(3)) @ (origin + MIDDLE)))
    change = apart(image, knee)
    print(f"{name}: the middle moves by {shift:.1f} mm; difference to the image {change:.2f}, to a turn about the origin {apart(image, world):.3f}, about the middle {apart(image, middle):.2f}")
    right &= apart(image, world) < 0.1
    images.append((image, apart(image, middle), change))
turned = images[0][1] < 0.1 and all(far > 1 for _, far, _ in images[1:])
sys.exit(0 if right and turned else 1)
PYTHON
