#!/usr/bin/env bash
# fast-cindex 0.1.0 (2026): by its documentation higher scores are higher risks ("a predicted hazard or negative predicted survival time"); what it
# counts as concordant is a higher score with a longer survival. A Cox model whose risk has a C of 0.79 gets 0.21, its opposite 0.79, and
# the bootstrap of two models finds noise better than it in every resample. The values are those of lifelines, whose function asks
# for predicted times and not for risks; the package's own example hides it, since it takes the negative hazard and calls that the risk.
# scikit-survival, which asks for risks, gives 0.79 for the same numbers.
#
# Found with Python 3.11.7, numpy 2.4.6, lifelines 0.30.3, scikit-survival 0.28.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fast-cindex==0.1.0 lifelines==0.30.3 scikit-survival==0.28.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from fast_cindex import cindex, compare_cindex
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored

generator = np.random.default_rng(7)
marker, noise = generator.normal(size=(2, 300))
event_at = generator.exponential(1 / (0.2 * np.exp(1.5 * marker)))
censored_at = generator.uniform(1, 6, size=300)
time, event = np.minimum(event_at, censored_at), event_at <= censored_at
hazard = CoxPHFitter().fit(pd.DataFrame({"marker": marker, "time": time, "event": event}), "time", "event")
hazard = hazard.predict_partial_hazard(pd.DataFrame({"marker": marker})).to_numpy()

asks_for_risk = "higher = higher predicted risk" in cindex.__doc__ or "higher value = higher predicted risk" in cindex.__doc__
three = cindex([1, 2, 3], [9, 5, 1], [1, 1, 1])
pairs = [(i, j) for i in range(300) for j in range(300) if event[i] and time[i] < time[j]]
by_hand = np.mean([(hazard[i] > hazard[j]) + 0.5 * (hazard[i] == hazard[j]) for i, j in pairs])
risk = cindex(time, hazard, event)
opposite = cindex(time, -hazard, event)
sksurv = concordance_index_censored(event, time, hazard)[0]
lifelines = concordance_index(time, hazard, event)
good, poor = compare_cindex(time, event, hazard, noise, n_bootstraps=200)
prefers_poor = np.mean(good < poor)
print(f"asks for risks: {asks_for_risk}; three patients, the earlier the higher the score: {three}")
print(f"hazard of a Cox model: {risk:.4f}, its opposite {opposite:.4f}; by hand {by_hand:.4f}, scikit-survival {sksurv:.4f}")
print(f"lifelines with the hazard in place of a time {lifelines:.4f}; noise better than the model in {prefers_poor:.1%} of resamples")
reversed_ = three == 0 and np.isclose(risk, 1 - by_hand) and np.isclose(opposite, by_hand) and np.isclose(sksurv, by_hand)
sys.exit(0 if asks_for_risk and reversed_ and np.isclose(lifelines, risk) and prefers_poor > 0.95 else 1)
PYTHON
