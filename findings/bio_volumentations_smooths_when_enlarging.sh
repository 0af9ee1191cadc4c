#!/usr/bin/env bash
# Bio-Volumentations 1.4.0 (2026): `anti_aliasing_downsample`, on by default and "recommended", filters an image when it is made larger and
# not when it is made smaller: the comparison of the sizes is turned round. scikit-image, to which the question is handed on, filters
# nothing along an axis that grows, so that the option does nothing, and Resize and Rescale pick single voxels out of fine structure. White
# noise with a deviation of 1 still has 1.02 after a reduction to a fifth, where the filter leaves 0.06, and stripes too narrow for the new
# voxels come back as broad bands of full contrast (0.99 instead of 0.13). Only where one axis grows and others shrink is the filter on.
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
from bio_volumentations import Compose, Resize
from skimage.transform import resize

SIDE, SMALL = 50, 10
generator = np.random.default_rng(0)
noise = generator.normal(size=(SIDE, SIDE, SIDE)).astype(np.float32)


def resized(volume, shape, **options):
    return Compose([Resize(shape, always_apply=True, **options)])(image=volume[None])["image"][0]


print(f"Bio-Volumentations {version('bio-volumentations')}; noise with a deviation of {noise.std():.2f}")
small = (SMALL,) * 3
found, without = resized(noise, small), resized(noise, small, anti_aliasing_downsample=False)
plain = {flag: resize(noise, small, order=1, mode="reflect", anti_aliasing=flag) for flag in (True, False)}
print(f"to a fifth: deviation {found.std():.3f} by default, {without.std():.3f} with the option off; scikit-image {plain[True].std():.3f} with its filter, {plain[False].std():.3f} without")
off = np.array_equal(found, without) and np.allclose(found, plain[False], atol=1e-5) and found.std() > 3 * plain[True].std()

# Stripes with a period of 4.4 voxels, which 10 voxels cannot show: what is left are bands.
stripes = np.broadcast_to(np.sin(2 * np.pi * np.arange(SIDE) / 4.4), (SIDE, SIDE, SIDE)).astype(np.float32)
bands = resized(stripes, small)[SMALL // 2, SMALL // 2]
filtered = resize(stripes, small, order=1, mode="reflect", anti_aliasing=True)[SMALL // 2, SMALL // 2]
print(f"stripes: largest value {np.abs(bands).max():.2f}, with the filter {np.abs(filtered).max():.2f}")

mixed = (SMALL, SMALL, 2 * SIDE)
one_grows = resized(noise, mixed)
on = np.allclose(one_grows, resize(noise, mixed, order=1, mode="reflect", anti_aliasing=True), atol=1e-5)
print(f"two axes to a fifth and one doubled: deviation {one_grows.std():.3f}, as scikit-image with its filter: {on}")
sys.exit(0 if off and on and np.abs(bands).max() > 3 * np.abs(filtered).max() else 1)
PYTHON
