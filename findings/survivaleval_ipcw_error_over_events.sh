#!/usr/bin/env bash
# SurvivalEVAL 0.9.0 (2026): the mean error weighted by the probability of censoring ("IPCW-D") grows with the share of patients who are
# censored. Each event stands, with its weight 1 / G, for patients who were censored, so that the weights add up to the number of all
# patients; the sum is divided by the number of events. Times are uniform from 0 to 10 years and 5 years is predicted for everyone: the
# error is 2.5 years. With 13 %, 24 % and 42 % of the patients censored the package gives 2.9, 3.3 and 4.3 years, and the same sum divided
# by the number of patients 2.5 in each. A model is thus the worse the sooner its study ended, and cohorts with unlike follow-up cannot be
# compared. "IPCW-T", "Margin" and "Pseudo_obs" of the same function lie within a tenth of 2.5 here, with its weights.
#
# Found with Python 3.11.7, torch 2.15.0, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SurvivalEVAL==0.9.0 torch==2.15.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from SurvivalEVAL.evaluations.prediction_error.mean_error import mean_error

PATIENTS = 4000
generator = np.random.default_rng(0)
survival = generator.uniform(0, 10, PATIENTS)
predicted = np.full(PATIENTS, 5.0)


def free_before(time, event, at):
    """The Kaplan-Meier estimate of not being censored before each time, events first; no two times are the same."""
    order = np.argsort(time)
    at_risk = np.arange(len(time), 0, -1)
    curve = np.cumprod(1 - (event[order] == 0) / at_risk)
    return np.concatenate([[1.0], curve])[np.searchsorted(time[order], at)]


print(f"SurvivalEVAL {version('SurvivalEVAL')}; error of the uncensored times {np.abs(survival - predicted).mean():.3f}")
right = True
for longest in (40, 20, 12):
    followed = generator.uniform(0, longest, PATIENTS)
    time, event = np.minimum(survival, followed), (survival <= followed).astype(int)
    found = float(mean_error(predicted, time, event, time, event, method="IPCW-D"))
    others = {method: float(mean_error(predicted, time, event, time, event, method=method)) for method in ("IPCW-T", "Margin", "Pseudo_obs")}
    weights = 1 / free_before(time, event, time[event == 1])
    errors = weights * np.abs(time - predicted)[event == 1]
    by_patients, by_events = errors.sum() / PATIENTS, errors.sum() / event.sum()
    print(f"{1 - event.mean():.0%} censored: IPCW-D {found:.3f}; divided by all patients {by_patients:.3f}, by the events {by_events:.3f}; weights add up to {weights.sum():.0f}")
    print("  others:", {method: round(value, 2) for method, value in others.items()})
    right &= abs(found - by_events) < 0.01 and abs(by_patients - 2.5) < 0.05 and abs(weights.sum() / PATIENTS - 1) < 0.02
    right &= all(abs(value - 2.5) < 0.25 for value in others.values())
sys.exit(0 if right and found > 4 else 1)
PYTHON
