#!/usr/bin/env bash
# torchsurv 0.2.0 (2026): times in double precision, which is what numpy and pandas give, make the AUC over time wrong. Times are turned
# into single precision by a check of the input, after the times of evaluation have been taken from them in double precision, so that
# rounding decides whether a patient who has the event at a time of evaluation has had it: for 23 of 36 events it has not, and the patient
# counts as a control of its own event. Where the first event is such a one there is no case and the AUC is nan. Of 36 areas 22 are off, by
# up to 0.14. The same times rounded to single precision beforehand are right, and so are whole days. Nothing is said; the areas are in
# double precision.
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
from torchsurv.metrics.auc import Auc

PATIENTS = 60
generator = np.random.default_rng(0)
marker = generator.normal(size=PATIENTS)
survival = generator.exponential(size=PATIENTS) * np.exp(-marker)
followed = generator.exponential(size=PATIENTS) * 2
exact, event = np.minimum(survival, followed), survival <= followed


def counted(time, at):
    """The share of pairs of a case and a control whose risks are in the right order."""
    cases, controls = marker[(time <= at) & event], marker[time > at]
    return float(np.mean((cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)))


def compare(name, time):
    at = np.unique(time[event & (time < time.max())])
    plain = np.array([counted(time, value) for value in at])
    auc = Auc()(torch.tensor(marker), torch.tensor(event), torch.tensor(time)).numpy()
    off = np.abs(auc - plain)
    print(f"{name} ({auc.dtype}): {len(at)} areas, {np.isnan(auc).sum()} nan, {np.sum(off > 1e-4)} off by up to {np.nanmax(off):.3f}")
    return int(np.isnan(auc).sum()), int(np.sum(off > 1e-4)), float(np.nanmax(off))


double = compare("double precision", exact)
single = compare("rounded to single precision, stored in double", exact.astype(np.float32).astype(np.float64))
days = compare("whole days", np.ceil(exact * 1000))
lost = np.sum(exact[event].astype(np.float32) > exact[event])
print(f"{lost} of {event.sum()} times of events are greater in single precision")
wrong = double[0] == 1 and double[1] > 10 and double[2] > 0.05
sys.exit(0 if wrong and single[:2] == (0, 0) and days[:2] == (0, 0) else 1)
PYTHON
