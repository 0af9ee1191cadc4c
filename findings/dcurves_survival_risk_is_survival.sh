#!/usr/bin/env bash
# dcurves 1.1.7 (Python): for a time to event, `models_to_prob` gives a marker the probability to survive as its risk. The curve of a good
# marker is then that of its opposite: at a threshold of 30 % it lies below treating nobody, where the same marker with its real risk,
# one less that survival, lies above both treating everybody and nobody. The package of the same name for R takes the risk.
#
# Found with Python 3.11.7, numpy 2.4.6, lifelines 0.30.3 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dcurves==1.1.7 lifelines==0.30.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from dcurves import dca
from lifelines import CoxPHFitter

YEARS = 2.0
THRESHOLD = 0.3
generator = np.random.default_rng(7)
marker = generator.normal(size=400)
event = generator.exponential(1 / (0.2 * np.exp(1.5 * marker)))
censored = generator.uniform(1, 6, size=400)
patients = pd.DataFrame({"marker": marker, "time": np.minimum(event, censored), "event": (event <= censored).astype(int)})

survival = CoxPHFitter().fit(patients, "time", "event").predict_survival_function(patients[["marker"]], times=[YEARS])
patients["risk"] = 1 - survival.to_numpy()[0]


def net_benefit(column, **options):
    curve = dca(
        data=patients, outcome="event", modelnames=[column], thresholds=[THRESHOLD], time=YEARS, time_to_outcome_col="time", **options
    )
    return dict(zip(curve["model"], curve["net_benefit"]))


made = net_benefit("marker", models_to_prob=["marker"])
given = net_benefit("risk")
patients["opposite"] = 1 - patients["risk"]
opposite = net_benefit("opposite")
print(f"net benefit at {THRESHOLD}: everybody {given['all']:.4f}, nobody 0, marker by models_to_prob {made['marker']:.4f}")
print(f"the risk by Cox regression {given['risk']:.4f}, one less that risk {opposite['opposite']:.4f}")
inverted = made["marker"] < 0 < given["all"] < given["risk"] and np.isclose(made["marker"], opposite["opposite"], atol=1e-9)
sys.exit(0 if inverted else 1)
PYTHON
