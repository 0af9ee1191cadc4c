#!/usr/bin/env bash
# MLstatkit 0.1.91: DeLong's test gives two models that rank all patients alike a p of 0. A model against itself, against its own
# recalibration, and two models that both separate a test set without error: z is 0, both areas are the same, and p is 0.0 instead of 1
# (R's pROC 1.18.0: Z = 0, p = 1). Where the variance of the difference is zero the package turns to a bootstrap, and its
# two-sided p is twice the smaller share of resamples "at most 0" and "above 0", of which the latter is empty where no resample differs.
# The documentation promises the p of pROC's roc.test. Two patients whose places the second model swaps bring p to 0.48, by DeLong.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet MLstatkit==0.1.91 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from MLstatkit import Delong_test

generator = np.random.default_rng(0)
outcome = np.tile([0, 1], 30)
logit = generator.normal(size=60) + outcome
risk = 1 / (1 + np.exp(-logit))
recalibrated = 1 / (1 + np.exp(1.0 - 0.4 * logit))
one, another = outcome + 0.1 * generator.normal(size=(2, 60))

# The last patient without the disease and the next above it with the disease change places.
order = np.argsort(risk)
low = max(i for i in range(59) if outcome[order[i]] == 0 and outcome[order[i + 1]] == 1)
swapped = risk.copy()
swapped[order[low]], swapped[order[low + 1]] = risk[order[low + 1]], risk[order[low]]


def told(name, first, second):
    z, p, _, _, area, other, info = Delong_test(outcome, first, second, n_boot=1000, random_state=1)
    print(f"{name}: areas {area:.4f} and {other:.4f}, z {z:.3f}, p {p:.4f} by {info['method']}")
    return z, p, info["method"]


alike = [
    told("a model and itself", risk, risk),
    told("a model and its recalibration", risk, recalibrated),
    told("two models without error", one, another),
]
near = told("two patients swapped", risk, swapped)
other_method = near[2] == "delong" and 0.2 < near[1] < 1
sys.exit(0 if alike == [(0.0, 0.0, "bootstrap")] * 3 and other_method else 1)
PYTHON
