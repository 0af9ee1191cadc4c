#!/usr/bin/env bash
# Bio-Volumentations 1.4.0 (2026): an affine transformation with a voxel spacing moves the image and the key points to different places.
# With `spacing` the image is turned, scaled and shifted in millimetres; the key points are voxel indices and go through the same
# transformation as they are, so that they turn about another centre and move by other distances. A spot in a volume with voxels of 5 x 0.5
# x 0.5 mm, turned by 30 degrees in its plane, is 11 voxels away from its key point; one that is shifted by 4 mm along a row moves by 8
# voxels and its key point by 4; a turn by 10 degrees out of the plane leaves both 10 apart. With a spacing of 1, the default, they agree.
# Landmarks and bounding boxes of such augmented volumes are wrong labels, and nothing is said. Key points that leave the volume are
# dropped, as documented.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0 on x86-64. Exits 0 while that is so, and 1 when
# it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet bio-volumentations==1.4.0 SimpleITK==2.5.7 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from bio_volumentations import AffineTransform, Compose
from scipy import ndimage

SHAPE, POINT = (24, 64, 64), (12, 40, 26)
volume = np.zeros((1, *SHAPE), np.float32)
volume[(0, *POINT)] = 1
volume[0] = ndimage.gaussian_filter(volume[0], (1, 2.5, 2.5))


def moved(spacing, **options):
    """Where the spot is after the transformation, and where its key point is."""
    transform = Compose([AffineTransform(spacing=spacing, keep_all=True, always_apply=True, **options)])
    result = transform(image=volume.copy(), keypoints=[POINT])
    spot = np.array(ndimage.center_of_mass(np.clip(result["image"][0], 0, None)))
    return spot, np.array(result["keypoints"][0][:3], float)


print(f"Bio-Volumentations {version('bio-volumentations')}; a spot at {POINT} of {SHAPE} voxels (z, y, x)")
apart = {}
for name, options in (
    ("turned by 30 degrees in the plane", {"angles": (30, 0, 0)}),
    ("shifted by 4 along a row", {"translation": (0, 0, 4)}),
    ("turned by 10 degrees out of the plane", {"angles": (0, 0, 10)}),
):
    for spacing in ((1, 1, 1), (5, 0.5, 0.5)):
        spot, point = moved(spacing, **options)
        apart[name, spacing] = float(np.linalg.norm(spot - point))
        print(f"{name}, spacing {spacing}: spot at {spot.round(1).tolist()}, key point at {point.round(1).tolist()}, {apart[name, spacing]:.1f} voxels apart")
same = all(value < 0.3 for (_, spacing), value in apart.items() if spacing == (1, 1, 1))
far = all(value > 3 for (_, spacing), value in apart.items() if spacing != (1, 1, 1))

# By hand: the turn in the plane about the middle, which no spacing in the plane changes.
angle = np.radians(30)
middle = (np.array(SHAPE[1:]) - 1) / 2
offset = np.array(POINT[1:]) - middle
turns = [middle + np.array([[np.cos(one), np.sin(one)], [-np.sin(one), np.cos(one)]]) @ offset for one in (angle, -angle)]
spot, point = moved((5, 0.5, 0.5), angles=(30, 0, 0))
image_right = min(np.linalg.norm(spot[1:] - turn) for turn in turns) < 0.3
print(f"by hand the spot of the first is at {[turn.round(1).tolist() for turn in turns]} (y, x), by the sense of the turn")
sys.exit(0 if same and far and image_right else 1)
PYTHON
