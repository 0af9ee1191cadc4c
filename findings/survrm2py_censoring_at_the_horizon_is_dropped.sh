#!/usr/bin/env bash
# survrm2py 0.1.5 (2026): a difference of restricted mean survival times with `method="ipcw"` turns its sign where follow-up ends at the
# horizon. A patient who is censored at tau is known to have lived until tau, and counts with min(T, tau) = tau; here such patients get the
# weight 0, as if they had been lost before, and the curve of censoring drops to 0 at tau besides. Administrative censoring at the end of a
# trial, with tau there, is the commonest case: of 400 patients of a trial of 36 months the treated live 1.0 month longer (p = 0.4), and
# the result is 3.4 months shorter with p = 0.014; the mean of the controls is 18 months for 25. Two other methods of the same function,
# "pseudo" and the default, are right, and so is "ipcw" once tau lies a day before the end. Nothing is said.
#
# Found with Python 3.11.7, numpy 2.4.6, pandas 2.3.3, statsmodels 0.15.0, lifelines 0.30.3 on x86-64. Exits 0 while that is so, and 1 when
# it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet survrm2py==0.1.5 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 statsmodels==0.15.0 patsy==1.0.3 lifelines==0.30.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from survrm2py import rmst

PATIENTS, END, DAY = 400, 36.0, 1 / 30.4375
generator = np.random.default_rng(0)
treated = generator.integers(0, 2, PATIENTS)
death = generator.exponential(np.where(treated == 1, 60.0, 40.0))
age = generator.normal(size=PATIENTS)
trial = pd.DataFrame({"time": np.minimum(death, END), "event": (death < END).astype(int), "treated": treated, "age": age})


def by_hand(tau):
    """Nobody is lost before tau, so that the restricted mean is a plain mean: least squares of min(T, tau), and the t of the treatment."""
    design = np.column_stack([np.ones(PATIENTS), treated, age])
    value = np.minimum(trial["time"], tau)
    coefficient = np.linalg.solve(design.T @ design, design.T @ value)
    return coefficient[:2]


print(f"survrm2py {version('survrm2py')}; {PATIENTS} patients, followed for {END} months, nobody lost before")
found = {}
for tau in (END, END - DAY):
    right = by_hand(tau)
    print(f"tau {tau:.2f}, by hand: controls {right[0]:.2f} months, difference {right[1]:+.2f}")
    for method in ("ipcw", "pseudo", "ipcw_rmst2"):
        result = rmst(trial, "time", "event", "treated", tau, formula="treated + age", method=method)
        controls = float(result["adjusted_summary"]["coef"].iloc[0])
        found[tau, method] = controls, float(result["rmst_diff_adjusted"]), float(result["p_adjusted"])
        print(f"  {method}: controls {controls:.2f} months, difference {found[tau, method][1]:+.2f}, p {found[tau, method][2]:.3f}")
        found[tau, method] += (bool(np.allclose(found[tau, method][:2], right, atol=0.02)),)
wrong = found[END, "ipcw"]
others = [case[3] for name, case in found.items() if name != (END, "ipcw")]
sys.exit(0 if all(others) and not wrong[3] and wrong[1] < -3 and wrong[2] < 0.05 and wrong[0] < 20 else 1)
PYTHON
