#!/usr/bin/env bash
# confidenceinterval 1.0.5: the interval of an area under the ROC curve by DeLong is not cut at 1. For 35 patients with an area of 0.833 it
# ends at 1.005, which no area can reach; R's pROC ends at 1. The variance behind it is DeLong's. The area itself is a number of
# single precision (seven digits) beside an interval of double precision, so it differs from scikit-learn's in the eighth digit.
#
# Found with Python 3.11.7, numpy 2.4.6, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet confidenceinterval==1.0.5 numpy==2.4.6 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
from confidenceinterval import roc_auc_score
from sklearn.metrics import roc_auc_score as area_by_scikit_learn

generator = np.random.default_rng(1)
outcome = np.repeat([0, 1], [20, 15])
score = generator.normal(size=35) + 1.2 * outcome
area, (lower, upper) = roc_auc_score(outcome, score, method="delong")

# DeLong's variance from the placements of each patient among those of the other class.
positive, negative = score[outcome == 1], score[outcome == 0]
wins = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
half = 1.959963984540054 * np.sqrt(variance)
exact = area_by_scikit_learn(outcome, score)
print(f"area {float(area):.10f} ({type(area).__name__}), scikit-learn {exact:.10f}, interval {lower:.6f} to {upper:.6f}")
print(f"by hand {exact - half:.6f} to {exact + half:.6f}, cut at 1")
uncut = upper > 1 and np.isclose(upper, exact + half, atol=1e-6) and np.isclose(lower, exact - half, atol=1e-6)
single = area.dtype == np.float32 and 0 < abs(float(area) - exact) < 1e-6
sys.exit(0 if uncut and single else 1)
PYTHON
