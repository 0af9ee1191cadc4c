#!/usr/bin/env bash
# grand-challenge-metrics 0.6.0 (of late what `evalutils` installs): the bootstrapped intervals of ROC curves never draw the last patient.
# Places are drawn from 0 up to, but without, the number of patients less one. Of 40 patients whose last one is a case with a low score, the
# area is 0.90 and its interval of 95 % 1.00 to 1.00, which does not hold it; with the same patients in another order it is 0.60 to 1.00.
# Whatever the last patient scores, lowest or highest, no number of the result changes. With thousands of patients it matters little, but
# reader studies have dozens, and tables are sorted by label or score. The intervals of single points of the curve
# (`get_bootstrapped_ci_point_error`) are drawn in the same way.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grand-challenge-metrics==0.6.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from grand_challenge_metrics.roc import get_bootstrapped_roc_ci_curves
from sklearn.metrics import roc_auc_score

# 30 healthy ones and 10 cases; all cases but the last have scores above those of all healthy ones.
label = np.repeat([0, 1], [30, 10])
score = np.concatenate([np.linspace(0.1, 0.5, 30), np.linspace(0.6, 0.9, 9), [0.05]])


def intervals(order):
    result = get_bootstrapped_roc_ci_curves(score[order], label[order], num_bootstraps=1000)
    return float(result.low_az_val), float(result.high_az_val), float(result.low_tpr_vals[50])


def by_hand(order, draws=1000):
    generator, areas = np.random.default_rng(0), []
    while len(areas) < draws:
        drawn = order[generator.integers(0, len(order), len(order))]
        if 0 < label[drawn].sum() < len(drawn):
            areas.append(roc_auc_score(label[drawn], score[drawn]))
    return np.percentile(areas, [2.5, 97.5]).round(3).tolist()


print(f"grand-challenge-metrics {version('grand-challenge-metrics')}; area {roc_auc_score(label, score):.3f}")
found = {}
for name, order in (("the low case last", np.arange(40)), ("the low case first", np.roll(np.arange(40), 1)), ("turned round", np.arange(40)[::-1])):
    found[name] = intervals(order)
    print(f"{name}: interval {found[name][0]:.3f} to {found[name][1]:.3f}, lower sensitivity at half the healthy {found[name][2]:.2f}; by hand {by_hand(order)}")

# The result for two data sets that differ in the last patient only.
changed = score.copy()
changed[-1] = 0.95
results = [get_bootstrapped_roc_ci_curves(values, label, num_bootstraps=200) for values in (score, changed)]
blind = all(np.array_equal(one, other) for one, other in zip(*results))
print(f"the last score as 0.05 and as 0.95 (areas {roc_auc_score(label, score):.3f} and {roc_auc_score(label, changed):.3f}): results are the same: {blind}")
last = found["the low case last"]
others = [found["the low case first"], found["turned round"]]
sys.exit(0 if min(last[:2]) > 1 - 1e-9 and all(low < 0.75 and high > 0.99 for low, high, _ in others) and blind else 1)
PYTHON
