#!/usr/bin/env bash
# rosamllib 0.6.3 (2026): `extract_largest_structure` returns the smallest. The components are numbered by size, so that 1 is the largest, and
# the last number is taken. Of an organ of 30000 voxels with another part of 1000 and a speck of 4 beside it the speck is left, and the volume
# of a segmentation that was cleaned so falls from 31004 to 4. With one component there is no difference, so that a first look finds nothing.
# With `min_volume` the right components are kept.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 numpy==2.4.6 scikit-image==0.26.0 nibabel==5.4.2 xmltodict==1.0.2 scipy==1.17.1
"$folder/venv/bin/pip" install --quiet --no-deps rosamllib==0.6.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from rosamllib.mask_processing import extract_largest_structure
from scipy import ndimage

mask = np.zeros((40, 60, 60), np.uint8)
mask[5:35, 10:50, 10:35] = 1
alone = mask.copy()
mask[20:30, 20:40, 45:50] = 1
mask[3, 3:5, 3:5] = 1


def by_hand(mask):
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())[1:]
    return labels == 1 + np.argmax(sizes), sorted(sizes.tolist())


print(f"rosamllib {version('rosamllib')}")
found = {}
for name, voxels in (("three components", mask), ("one component", alone)):
    kept = extract_largest_structure(voxels.copy(), spacing=(1.0, 1.0, 1.0)) > 0
    right, sizes = by_hand(voxels)
    found[name] = int(kept.sum()), int(right.sum()), bool(np.array_equal(kept, right)), sizes
    print(f"{name} of {sizes} voxels: {kept.sum()} are kept; by hand {right.sum()}")
large = int((extract_largest_structure(mask.copy(), spacing=(1.0, 1.0, 1.0), min_volume=100.0) > 0).sum())
print(f"at least 100 mm3: {large} are kept; by hand {sum(size for size in found['three components'][3] if size >= 100)}")
three, one = found.values()
sys.exit(0 if three[0] == three[3][0] == 4 and three[1] == 30000 and one[2] and large == 31000 else 1)
PYTHON
