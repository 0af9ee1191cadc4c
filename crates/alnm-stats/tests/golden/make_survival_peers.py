"""Golden values of Uno's C, Brier scores under censoring and cumulative areas by scikit-survival.

    python3 -m venv venv && venv/bin/pip install scikit-survival==0.28.0
    venv/bin/python make_survival_peers.py        (in this folder; writes survival_peers.csv)
"""

import csv

import numpy as np
import sksurv
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
from sksurv.util import Surv

with open("survival_cohort.csv") as file:
    rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
column = lambda name: np.array([float(row[name]) for row in rows])
event, risk, risk10 = column("event") == 1, column("risk"), column("risk10")
with open("survival_peers.csv", "w") as file:
    print(f"# scikit-survival {sksurv.__version__}, numpy {np.__version__}", file=file)
    print("case,name,value", file=file)
    for times in ("exact", "tied"):
        y = Surv.from_arrays(event, column(times))
        put = lambda name, value: print(f"{times},{name},{value:.17g}", file=file)
        put("harrell", concordance_index_censored(event, column(times), risk)[0])
        # Where an event and a censoring share a time, scikit-survival weighs the event by the censoring distribution at that
        # time, R and alnm by that just before it; so the rest is compared without ties.
        if times == "tied":
            break
        put("uno:9.75", concordance_index_ipcw(y, y, risk, tau=9.75)[0])
        put("brier:10", brier_score(y, y, 1 - risk10[:, None], [10.0])[1][0])
        points = [5.0, 8.0, 10.0]
        survival = 1 - risk10[:, None] * np.array([0.6, 0.85, 1.0])
        put("integrated", integrated_brier_score(y, y, survival, points))
        for time, area in zip(points, cumulative_dynamic_auc(y, y, risk, points)[0]):
            put(f"auc:{time:g}", area)
