#!/usr/bin/env bash
# miseval 1.3.0: the boundary distance of a mask from itself is not 0. It is the mean over all pairs of a point of one boundary and a point of
# the other, near or far, and so measures the size of the object: for a disk with a radius of 20 that was drawn exactly it is 25.5, for one
# with a radius of 4 that was missed by 12 it is 12.7, and the second looks twice as good. The distances of boundaries in use take for each
# point the nearest of the other boundary, which gives 0 and 8.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet miseval==1.3.0 hausdorff==0.2.6 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from miseval import evaluate
from scipy.spatial.distance import cdist
from skimage.measure import find_contours

rows, columns = np.indices((64, 64)) - 31


def disk(radius, right=0):
    return (np.hypot(rows, columns - right) <= radius).astype(int)


def by_hand(one, other):
    """The mean distance of a point of one boundary to the nearest of the other, in both directions."""
    gaps = cdist(*(np.concatenate(find_contours(mask, 0.5)) for mask in (one, other)))
    return (gaps.min(axis=0).mean() + gaps.min(axis=1).mean()) / 2, gaps.mean()


print(f"miseval {version('miseval')}")
found = {}
for name, reference, prediction in (
    ("radius 20, drawn exactly", disk(20), disk(20)),
    ("radius 10, drawn exactly", disk(10), disk(10)),
    ("radius 4, missed by 12", disk(4), disk(4, 12)),
):
    value = float(evaluate(reference, prediction, metric="BD"))
    nearest, pairs = by_hand(reference, prediction)
    found[name] = value, nearest, pairs
    print(f"{name}: boundary distance {value:.2f}; by hand to the nearest point {nearest:.2f}, over all pairs {pairs:.2f}")
large, middle, missed = found.values()
same = all(abs(case[0] - case[2]) < 0.1 for case in found.values())
sys.exit(0 if same and large[1] == middle[1] == 0 and large[0] > 1.8 * missed[0] and missed[1] > 6 and abs(large[0] / middle[0] - 2) < 0.1 else 1)
PYTHON
