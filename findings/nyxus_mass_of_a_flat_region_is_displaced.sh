#!/usr/bin/env bash
# Nyxus 0.11.0 (2026): the centroid weighted by intensity lies one column and one row beyond the centroid, since one counts pixels from 1
# and the other from 0. A region with the same intensity everywhere has its centroid at (60, 50) and its weighted one at (61, 51), and
# MASS_DISPLACEMENT, the distance between both and a measure of how unevenly a lesion takes up its tracer, is 1.41 instead of 0. For a
# region whose intensity lies to the lower right the displacement is too large by that, for one whose intensity lies to the upper left too
# small: the same lesion turned by 180 degrees has 3.3 and 0.5 where both are 1.9. No region has 0.
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

NAMES = ["CENTROID_X", "CENTROID_Y", "WEIGHTED_CENTROID_X", "WEIGHTED_CENTROID_Y", "MASS_DISPLACEMENT"]
rows, columns = np.indices((101, 121))
mask = np.hypot(rows - 50, columns - 60) < 20
slope = (rows - 50) + (columns - 60)
print(f"Nyxus {version('nyxus')}")
right, displaced = True, []
for name, image in (
    ("flat", np.full(mask.shape, 100)),
    ("brighter to the lower right", 300 + 4 * slope),
    ("brighter to the upper left", 300 - 4 * slope),
):
    row = nyxus.Nyxus(NAMES).featurize(image.astype(np.uint32), mask.astype(np.uint32)).iloc[0]
    x, y, heavy_x, heavy_y, displacement = (float(row[feature]) for feature in NAMES)
    weights = image * mask
    plain = np.array([np.sum(weights * columns), np.sum(weights * rows)]) / weights.sum()
    middle = np.array([columns[mask].mean(), rows[mask].mean()])
    away = float(np.linalg.norm(plain - middle))
    print(f"{name}: centroid ({x:.2f}, {y:.2f}), weighted ({heavy_x:.2f}, {heavy_y:.2f}), displacement {displacement:.2f}; by hand ({plain[0]:.2f}, {plain[1]:.2f}), {away:.2f}")
    right &= bool(np.allclose([x, y], middle, atol=1e-6) and np.allclose([heavy_x, heavy_y], plain + 1, atol=1e-3))
    displaced.append((displacement, away))
flat, lower, upper = displaced
beyond = abs(flat[0] - np.sqrt(2)) < 1e-3 and flat[1] < 1e-9 and lower[0] - lower[1] > 1.4 and upper[1] - upper[0] > 1.3
sys.exit(0 if right and beyond and abs(lower[1] - upper[1]) < 1e-6 else 1)
PYTHON
