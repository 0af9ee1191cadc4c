#!/usr/bin/env bash
# Nyxus 0.11.0 (2026): DIAMETER_EQUAL_AREA, the diameter of the circle with the area of the region, is the square of it: 4 A / pi, without
# the root. A disk with a radius of 20 pixels has 1585 instead of 40, one of 40 pixels 6383 instead of 80: a lesion that has doubled its
# diameter has four times that "diameter", and the feature orders lesions as the area does, with which it is perfectly correlated.
# DIAMETER_EQUAL_PERIMETER beside it is a length, and within some per cent of 40 and 80 for the two disks. Thresholds in pixels or mm, and
# log or ratio features with other lengths, are off by the size of the lesion.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nyxus==0.11.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import nyxus

NAMES = ["AREA_PIXELS_COUNT", "DIAMETER_EQUAL_AREA", "DIAMETER_EQUAL_PERIMETER"]
rows, columns = np.indices((101, 121))
print(f"Nyxus {version('nyxus')}")
right = True
for radius in (10, 20, 40):
    mask = np.hypot(rows - 50, columns - 60) < radius
    row = nyxus.Nyxus(NAMES).featurize(np.full(mask.shape, 100, np.uint32), mask.astype(np.uint32)).iloc[0]
    area, diameter, other = (float(row[name]) for name in NAMES)
    plain = 2 * np.sqrt(mask.sum() / np.pi)
    print(f"disk with a radius of {radius}: area {area:.0f}, DIAMETER_EQUAL_AREA {diameter:.1f}, DIAMETER_EQUAL_PERIMETER {other:.1f}; by hand {plain:.1f}, its square {plain**2:.1f}")
    right &= area == mask.sum() and abs(diameter - plain**2) < 1e-3 and abs(other / plain - 1) < 0.15
sys.exit(0 if right else 1)
PYTHON
