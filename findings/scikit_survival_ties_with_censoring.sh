#!/usr/bin/env bash
# scikit-survival 0.28.0: Uno's C where an event and a censoring share a time. A patient with an event at t was observed because
# censoring came at t or later, so that the weight of the event is 1 / G(t-)^2, with G the Kaplan-Meier curve of censoring just before
# t; R's survival and riskRegression weigh so. concordance_index_ipcw takes G after the step at t, and so counts events that are tied
# with a censoring more than they should be. Times in whole months or days, as registries have them, are full of such ties; without
# ties both are the same.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-survival==0.28.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import sksurv
from sksurv.metrics import concordance_index_ipcw
from sksurv.util import Surv

MARKER = np.array([6.0, 2.0, 5.0, 1.0, 4.0, 3.0, 0.5, 2.5])
EVENT = np.array([True, True, False, True, False, True, True, False])


def censoring_curve(time, at, before):
    """The Kaplan-Meier curve of censoring, in which an event at a time leaves before those who are censored then."""
    curve = 1.0
    for step in np.unique(time[~EVENT]):
        if step < at or (step == at and not before):
            at_risk = np.sum(time > step) + np.sum((time == step) & ~EVENT)
            curve *= 1 - np.sum((time == step) & ~EVENT) / at_risk
    return curve


def uno(time, before):
    agreeing = weight = 0.0
    for i in np.flatnonzero(EVENT):
        later = (time > time[i]) | ((time == time[i]) & ~EVENT)
        pairs = 1 / censoring_curve(time, time[i], before) ** 2
        weight += pairs * later.sum()
        agreeing += pairs * (np.sum(later & (MARKER < MARKER[i])) + 0.5 * np.sum(later & (MARKER == MARKER[i])))
    return agreeing / weight


def peer(time):
    outcome = Surv.from_arrays(EVENT, time)
    return concordance_index_ipcw(outcome, outcome, MARKER)[0]


tied = np.array([1.0, 2, 2, 3, 3, 4, 5, 6])
apart = np.array([1.0, 2, 2.5, 3, 3.5, 4, 5, 6])
print(f"scikit-survival {sksurv.__version__}")
for name, time in [("an event and a censoring at 2 and at 3", tied), ("no ties", apart)]:
    print(f"{name}: {peer(time):.6f}; by G just before the event {uno(time, True):.6f}, after its step {uno(time, False):.6f}")
same = np.isclose(peer(apart), uno(apart, True)) and np.isclose(peer(apart), uno(apart, False))
after = np.isclose(peer(tied), uno(tied, False)) and not np.isclose(peer(tied), uno(tied, True))
sys.exit(0 if same and after else 1)
PYTHON
