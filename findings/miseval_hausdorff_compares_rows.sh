#!/usr/bin/env bash
# miseval 1.3.0: the Hausdorff distance of two masks takes each row of the image for a point. The masks themselves are given to a function
# that wants lists of points, so that a point has as many coordinates as the image has columns, all 0 or 1. A lesion that was found 30 rows
# too low has a distance of 0, since the same rows are there in another order; one that was found 30 columns beside its place has 3.2, the
# root of 10 for its height of 10; both are 30 off. Of more than one class all classes get the same number, as the class is not looked at.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, hausdorff 0.2.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
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
from scipy.spatial.distance import cdist


def lesion(row, column, label=1):
    mask = np.zeros((64, 64), int)
    mask[row : row + 10, column : column + 10] = label
    return mask


def by_hand(one, other, label=1):
    gaps = cdist(np.argwhere(one == label), np.argwhere(other == label))
    return float(max(gaps.min(axis=0).max(), gaps.min(axis=1).max()))


print(f"miseval {version('miseval')}")
found = {}
for name, reference, prediction in (
    ("30 rows too low", lesion(10, 10), lesion(40, 10)),
    ("30 columns to the right", lesion(10, 10), lesion(10, 40)),
    ("2 rows too low", lesion(10, 10), lesion(12, 10)),
):
    found[name] = float(evaluate(reference, prediction, metric="HD")), by_hand(reference, prediction)
    print(f"{name}: distance {found[name][0]:.2f}, by hand {found[name][1]:.2f}")
reference, prediction = lesion(10, 10) + lesion(10, 40, 2), lesion(12, 10) + lesion(35, 40, 2)
each = evaluate(reference, prediction, metric="HD", multi_class=True, n_classes=3)[1:].tolist()
right = [by_hand(reference, prediction, label) for label in (1, 2)]
print(f"two classes, 2 and 25 rows too low: {np.round(each, 2).tolist()}, by hand {right}")
low, beside, little = found.values()
sys.exit(0 if low == (0.0, 30.0) and abs(beside[0] - 10**0.5) < 1e-6 and beside[1] == 30 and little == (0.0, 2.0) and each[0] == each[1] and right == [2.0, 25.0] else 1)
PYTHON
