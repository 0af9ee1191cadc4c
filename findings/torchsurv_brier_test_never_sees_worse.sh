#!/usr/bin/env bash
# torchsurv 0.2.0 (2026): the two-sided test of a Brier score, the default, gives p = 1 to a model that is significantly worse than chance.
# Which tail counts is decided by whether the score is at least 0.5, a limit that suits areas under curves and the concordance index; the
# score that is expected by chance is given by the caller (0.25 for a constant 1/2) or comes from permutations, and lies below. So every
# score between chance and 0.5 is looked for in the wrong tail and twice a share near 1 is cut to 1. A model whose predictions are turned
# round scores 0.42 at the median time, with an error of 0.02: against 0.25 p is 1, where twice the smaller tail is 1e-18, and by
# permutation p is 1 while the one-sided p ("greater") is 0. "two_sided" is documented as a test of "not equal". Better than chance comes
# out right.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchsurv==0.2.0 torch==2.8.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
from scipy import stats
from torchsurv.metrics.brier_score import BrierScore

PATIENTS, CHANCE = 200, 0.25
generator = np.random.default_rng(1)
torch.manual_seed(0)
marker = generator.normal(size=PATIENTS)
time = (generator.exponential(size=PATIENTS) * np.exp(-marker)).astype(np.float32)
event = torch.ones(PATIENTS, dtype=torch.bool)
at = np.float32(np.median(time))
alive = time > at

found = []
for name, sign in (("the true model", 1), ("the model turned round", -1)):
    survival = np.exp(-at * np.exp(sign * marker)).astype(np.float32)
    metric = BrierScore()
    score = float(metric(torch.tensor(survival[:, None]), event, torch.tensor(time), torch.tensor([at])))
    losses = (alive - survival) ** 2
    assert abs(score - losses.mean()) < 1e-5
    error = losses.std(ddof=1) / np.sqrt(PATIENTS)
    smaller = 2 * stats.norm.sf(abs(score - CHANCE) / error)
    against = float(metric.p_value(method="parametric", null_value=CHANCE)[0])
    permuted = float(metric.p_value()[0])
    greater = float(metric.p_value(alternative="greater")[0])
    print(f"{name}: Brier score {score:.3f}, error {error:.3f}")
    print(f"  against {CHANCE}: p {against:.2g}, twice the smaller tail {smaller:.2g}; by permutation p {permuted:.2g}, one-sided for worse {greater:.2g}")
    found.append((against, smaller, permuted, greater))
true, turned = found
better = abs(true[0] - true[1]) < 1e-3 and true[2] < 0.01
sys.exit(0 if better and turned[0] == 1 and turned[1] < 1e-10 and turned[2] == 1 and turned[3] < 0.01 else 1)
PYTHON
