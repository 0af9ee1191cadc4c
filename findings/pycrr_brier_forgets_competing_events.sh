#!/usr/bin/env bash
# pycrr 0.1.0 (2026): the Brier score of a cumulative incidence leaves out everybody with a competing event. Who died of something else by
# the time of the prediction is known not to have had the event, and the predicted risk counts against the model; here such a patient has
# the weight 0, but stays in the number that is divided by. A model that says 50 % to all has a Brier score of 0.25 at any time if nobody is
# censored; it gets 0.15, 0.11 and 0.09 as competing deaths add up, and whether a model gives those patients 90 % or 0 changes 0.10 to 0.08
# where it should change 0.63 to 0.08. The score falls the more of the other deaths there are, and a model is not punished for alarming
# them: for one by Fine and Gray itself 0.17 becomes 0.11. Without competing events it is right, and the paper that the package cites for
# the score keeps these patients in.
#
# Found with Python 3.11.7, numpy 2.4.6, lifelines 0.30.3 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pycrr==0.1.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 lifelines==0.30.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from pycrr import FineGrayModel, brier_score

PATIENTS, AT = 1500, [0.5, 1.0, 2.0]
generator = np.random.default_rng(0)
marker = generator.normal(size=(PATIENTS, 1))
own = generator.exponential(2.0 * np.exp(-marker[:, 0]))
other = generator.exponential(0.8, PATIENTS)
time, event = np.minimum(own, other), np.where(own < other, 1, 2)
alone_time, alone_event = np.minimum(own, 2.5), np.where(own < 2.5, 1, 0)


class Given:
    """A model that says what it is told to."""

    def __init__(self, risk):
        self.risk = risk

    def predict_cif(self, rows, times):
        return np.repeat(self.risk[:, None], len(times), axis=1)


def by_hand(risk, time, event, at):
    """Nobody is censored by then, so that it is the mean square of the difference."""
    return float(np.mean((((time <= at) & (event == 1)) - risk) ** 2))


print(f"pycrr {version('pycrr')}; {PATIENTS} patients, {int((event == 2).sum())} competing events, nobody censored")
half = np.full(PATIENTS, 0.5)
alarm = np.where(event == 2, 0.9, 0.5)
calm = np.where(event == 2, 0.0, 0.5)
found = {}
for name, risk, when, what in (
    ("50 % to all", half, time, event),
    ("90 % to those with competing events", alarm, time, event),
    ("0 % to those with competing events", calm, time, event),
    ("50 % to all, no competing events", half, alone_time, alone_event),
):
    scores = brier_score(Given(risk), marker, when, what, AT)[1]
    right = [by_hand(risk, when, what, at) for at in AT]
    found[name] = scores, right
    print(f"{name}, at {AT}: {scores.round(3).tolist()}; by hand {np.round(right, 3).tolist()}")
fitted = FineGrayModel().fit(marker, time, event)
scores = brier_score(fitted, marker, time, event, AT)[1]
right = [by_hand(fitted.predict_cif(marker, times=AT)[:, place], time, event, at) for place, at in enumerate(AT)]
print(f"Fine and Gray's model: {scores.round(3).tolist()}; by hand {np.round(right, 3).tolist()}")
plain = found["50 % to all"]
wrong = np.allclose(plain[1], 0.25) and plain[0][2] < 0.15
alike = found["90 % to those with competing events"][0][2] - found["0 % to those with competing events"][0][2] < 0.08 < found["90 % to those with competing events"][1][2] - found["0 % to those with competing events"][1][2]
alone = np.allclose(*found["50 % to all, no competing events"])
sys.exit(0 if wrong and alike and alone and all(scores < right) else 1)
PYTHON
