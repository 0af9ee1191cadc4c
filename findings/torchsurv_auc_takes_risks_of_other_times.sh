#!/usr/bin/env bash
# torchsurv 0.2.0 (2026): the AUC over time of a risk that changes with time. A risk is given as a square table, row i and column j for
# patient i at the time of patient j, and without `new_time` the AUC is evaluated at the times of the events, in their order. The columns
# for those times are looked up among the patients with an event and then taken from the table of all patients, so that once anyone is
# censored they are the columns of other patients. Of 60 patients with a risk that changes its sign at the median time 22 of 36 values are
# wrong, by up to 0.82; with `new_time` named they are what counting the pairs gives. Where nobody is censored the call without it is right
# if the patient with the longest time, which is left out, stands in the last row. A risk that does not change hides it all.
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


def counted(risk, time, event, at):
    """The share of pairs of a case and a control whose risks are in the right order."""
    cases, controls = risk[(time <= at) & event], risk[time > at]
    return float(np.mean((cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)))


def compare(name, time, event):
    time = time.astype(np.float32)
    table = np.where(time[None] < np.median(time), marker[:, None], -marker[:, None]).astype(np.float32)
    patients = np.flatnonzero(event & (time < time.max()))
    patients = patients[np.argsort(time[patients])]
    plain = np.array([counted(table[:, patient], time, event, time[patient]) for patient in patients])
    metric = Auc()
    found = metric(torch.tensor(table), torch.tensor(event), torch.tensor(time)).numpy()
    assert np.array_equal(metric.new_time.numpy(), time[patients])
    named = Auc()(torch.tensor(table[:, patients]), torch.tensor(event), torch.tensor(time), new_time=torch.tensor(time[patients])).numpy()
    # The place of each event among the patients with an event, used among all.
    places = np.argsort(time[event & (time < time.max())])
    taken = np.array([counted(table[:, place], time, event, time[patient]) for place, patient in zip(places, patients)])
    off = np.abs(found - plain)
    print(f"{name}: {len(patients)} times, {int(np.sum(off > 0.01))} wrong, by up to {off.max():.2f}; with new_time off by {np.abs(named - plain).max():.1e}")
    return off, bool(np.allclose(named, plain, atol=1e-5)), bool(np.allclose(found, taken, atol=1e-5))


off, named, taken = compare("censored", np.minimum(survival, followed), survival <= followed)
last = np.append(np.delete(np.arange(PATIENTS), survival.argmax()), survival.argmax())
marker, survival = marker[last], survival[last]
everyone, _, _ = compare("nobody censored, the longest in the last row", survival, np.ones(PATIENTS, bool))
print("the columns are those of the place among the events:", taken)
sys.exit(0 if np.mean(off > 0.01) > 0.5 and off.max() > 0.5 and named and taken and everyone.max() < 1e-5 else 1)
PYTHON
