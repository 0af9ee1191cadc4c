#!/usr/bin/env bash
# Nyxus 0.11.0 (2026): the area of the convex hull of a region depends on how far the region lies from the top of the image. A square of 20
# x 20 pixels in the first row has a hull of 361 pixels, 19 x 19 between the middles of its corners; each row farther down adds 19, as if
# the hull went up to row 0, and in row 60 it is 1501. Solidity, the area of the region over that of its hull, is 1.11 in row 0, 0.54 in row 20 and
# 0.27 in row 60 for the same square, a convex one; moved sideways it stays the same. Regions of other shapes are wrong in the same way by
# other amounts (a triangle of 1200 pixels has 1446 in row 5 and 3160 in row 40). Radiomic features of the same lesion in another slice
# position, or in an image that was cropped, are others.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nyxus==0.11.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import nyxus
from scipy.spatial import ConvexHull

ROWS, COLUMNS, SIDE = 120, 140, 20
rows, columns = np.indices((ROWS, COLUMNS))


def measured(mask):
    row = nyxus.Nyxus(["CONVEX_HULL_AREA", "SOLIDITY"]).featurize(np.full(mask.shape, 100, np.uint32), mask.astype(np.uint32)).iloc[0]
    return float(row["CONVEX_HULL_AREA"]), float(row["SOLIDITY"])


def by_hand(mask):
    """The hull of the middles of the pixels, and of their corners."""
    middles = np.argwhere(mask)
    corners = np.concatenate([middles + np.array(step) for step in ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5))])
    return ConvexHull(middles).volume, ConvexHull(corners).volume


def square(row, column):
    return (rows >= row) & (rows < row + SIDE) & (columns >= column) & (columns < column + SIDE)


print(f"Nyxus {version('nyxus')}")
right = True
for row, column in ((0, 0), (0, 60), (10, 10), (20, 20), (20, 100), (60, 30)):
    mask = square(row, column)
    area, solidity = measured(mask)
    inner, outer = by_hand(mask)
    print(f"square in row {row}, column {column}: hull {area:.0f}, solidity {solidity:.2f}; by hand {inner:.0f} between middles, {outer:.0f} between corners")
    right &= abs(area - (SIDE - 1) * (SIDE - 1 + row)) < 1e-6 and abs(solidity - SIDE**2 / area) < 1e-3 and abs(inner - 361) < 1e-6
found = []
for row in (5, 40):
    mask = (rows >= row) & (columns >= 20) & (rows - row + columns - 20 < 50)
    found.append((measured(mask)[0], by_hand(mask)[0]))
    print(f"triangle in row {row}: hull {found[-1][0]:.0f}, by hand {found[-1][1]:.0f}")
moved = found[1][0] - found[0][0] > 1000 and abs(found[1][1] - found[0][1]) < 1e-6
sys.exit(0 if right and moved else 1)
PYTHON
