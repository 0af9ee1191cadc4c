#!/usr/bin/env bash
# miseval 1.3.0: the average Hausdorff distance, "AHD", is not an average but the largest distance. Of a lesion with a radius of 15 that was
# drawn exactly, with one stray voxel far away, it is 41.7, where the average of the distances of the borders is 0.25; a drawing that is 2
# too large all around has 2.2. So the metric that the package recommends beside Dice for the place of a contour ranks the first, with a Dice
# of 0.999, far behind the second, with 0.88. What the same package calls "HD" is something else again.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet miseval==1.3.0 hausdorff==0.2.6 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from miseval import evaluate
from scipy import ndimage
from scipy.spatial.distance import cdist

rows, columns = np.indices((96, 96)) - 40
distance = np.hypot(rows, columns)
lesion = (distance <= 15).astype(int)
stray = lesion.copy()
stray[80, 80] = 1
larger = (distance <= 17).astype(int)


def border(mask):
    return np.argwhere(mask & ~ndimage.binary_erosion(mask))


def by_hand(one, other):
    """The mean of the distances from each border to the other (both directions), and the largest."""
    gaps = cdist(border(one), border(other))
    there, back = gaps.min(axis=1), gaps.min(axis=0)
    return (there.mean() + back.mean()) / 2, max(there.max(), back.max())


print(f"miseval {version('miseval')}")
found = {}
for name, prediction in (("exact but for one stray voxel", stray), ("2 too large all around", larger), ("exact", lesion)):
    value = float(evaluate(lesion, prediction, metric="AHD"))
    mean, largest = by_hand(lesion, prediction)
    dice = float(evaluate(lesion, prediction, metric="DSC"))
    found[name] = value, mean, largest
    print(f"{name}: AHD {value:.2f}; by hand average {mean:.2f}, largest {largest:.2f}; Dice {dice:.3f}")
one, two, three = found.values()
largest = all(abs(case[0] - case[2]) < 0.8 for case in found.values())
sys.exit(0 if largest and one[0] > 39 and one[1] < 0.5 and two[0] > 1.5 and one[1] < two[1] and three[0] == 0 else 1)
PYTHON
