#!/usr/bin/env bash
# comprisk 0.8.0 (2026): its concordance for competing risks, named after Wolbers (2009), is the one that takes competing events for
# censorings. By Wolbers a patient who died of something else before the event of another stays in the comparison, as one who will never
# have the event. comprisk compares only with patients who are still under observation: its C is the same to the last bit when all
# competing events are called censored. Frailty, which raises both hazards and so says little about who will have the event, has a C of 0.70
# instead of 0.56; a marker that lowers the competing hazard alone, and so says more, has 0.53 instead of 0.66. The ranking of both is
# turned over, against the package's own time-dependent AUC (0.58 and 0.71), which keeps those patients. The condition stands in the
# description of the function, beside the name and the paper of the other definition.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet comprisk==0.8.0 numpy==2.4.6 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from comprisk import concordance_index_cr, score_cr

CENSORED, EVENT, COMPETING = 0, 1, 2
PATIENTS = 400
generator = np.random.default_rng(2)
frailty, protection = generator.normal(size=(2, PATIENTS))
times = np.array([
    generator.uniform(2, 6, PATIENTS),
    generator.exponential(1 / (0.5 * np.exp(0.8 * frailty))),
    generator.exponential(1 / (0.7 * np.exp(1.2 * (frailty - protection)))),
])
time, status = times.min(axis=0), times.argmin(axis=0)


def wolbers(marker, keep_competing):
    """C over the pairs of a patient with the event and one without it at that time."""
    right = pairs = 0.0
    for case in np.flatnonzero(status == EVENT):
        controls = time > time[case]
        if keep_competing:
            controls |= (status == COMPETING) & (time <= time[case])
        right += (marker[controls] < marker[case]).sum() + 0.5 * (marker[controls] == marker[case]).sum()
        pairs += controls.sum()
    return right / pairs


print(f"comprisk {version('comprisk')}; censored, event, competing event: {np.bincount(status).tolist()}")
found = {}
for name, marker in (("frailty", frailty), ("protection", protection)):
    told = concordance_index_cr(status, time, marker)
    as_censored = concordance_index_cr(np.where(status == COMPETING, CENSORED, status), time, marker)
    risk = (marker - marker.min()) / np.ptp(marker)
    auc = float(score_cr({"": np.column_stack([risk, risk])}, time, status, np.array([1.5, 2.0])).auc.AUC.iloc[-1])
    found[name] = (told, wolbers(marker, True), auc)
    print(f"{name}: C {told:.4f}, with competing events called censored {as_censored:.4f}; by Wolbers {found[name][1]:.4f}; its own AUC {auc:.4f}")
    if told != as_censored or not np.isclose(told, wolbers(marker, False), atol=1e-12):
        sys.exit(1)
(told, right, auc), (other_told, other_right, other_auc) = found["frailty"], found["protection"]
sys.exit(0 if told > other_told + 0.1 and right < other_right - 0.05 and auc < other_auc - 0.05 else 1)
PYTHON
