#!/usr/bin/env bash
# combatlearn 2.3.0 (2026): a fitted ComBat with a discrete covariate makes its design columns from the rows that are to be transformed, and
# drops the first level among those. A man alone, or several men without a woman, are taken for the level that came first in training,
# here women, and nothing is said: the harmonised value of the same patient is 3.40 alone and 2.62 in a table with one woman. With three
# stages, rows of stages 2 and 3 have their stage 2 taken for stage 1. The package is meant for rows that were not seen ("fit on train,
# apply to held-out data, cross-validation-safe"), so the next patient of a clinic is what goes wrong, and a fold of a
# leave-one-out. A covariate of pandas' own type category, which carries its levels along, is treated rightly.
#
# Found with Python 3.11.7, numpy 2.4.6, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet combatlearn==2.3.0 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from combatlearn import ComBat

scanner = pd.Series(np.repeat(["a", "b", "c"], 40))
sex = pd.Series(np.tile(["f", "m"], 60), name="sex")
stage = pd.Series(np.tile(["1", "2", "3"], 40), name="stage")


def table(effect):
    generator = np.random.default_rng(3)
    values = generator.normal(size=(120, 6)) + effect[:, None]
    values[:40] += 1.0
    values[40:80] *= 0.4
    return pd.DataFrame(values)


def shift(covariate, values, rows):
    """How far the rows, transformed by themselves, lie from the same rows in the whole table."""
    model = ComBat(batch=scanner, discrete_covariates=covariate.to_frame(), method="fortin").fit(values)
    whole, alone = model.transform(values).loc[rows], model.transform(values.loc[rows])
    print(f"rows {rows}, {covariate.name} {covariate[rows].tolist()} ({covariate.dtype}): in the whole table", end=" ")
    print(f"{whole.iloc[0, :3].round(3).tolist()}, by themselves {alone.iloc[0, :3].round(3).tolist()}")
    return float(np.abs(whole - alone).iloc[0].max())


by_sex = table(2.0 * (sex == "m").to_numpy())
by_stage = table(2.0 * stage.astype(int).to_numpy())
seen = {
    "a woman": shift(sex, by_sex, [40]),
    "a man": shift(sex, by_sex, [41]),
    "three men": shift(sex, by_sex, [41, 43, 45]),
    "a man and a woman": shift(sex, by_sex, [41, 40]),
    "a man, type category": shift(sex.astype("category"), by_sex, [41]),
    "stages 2 and 3": shift(stage, by_stage, [40, 41]),
    "all stages": shift(stage, by_stage, [40, 41, 42]),
}
print({name: round(value, 3) for name, value in seen.items()})
wrong = min(seen["a man"], seen["three men"], seen["stages 2 and 3"]) > 0.5
right = max(seen[name] for name in ("a woman", "a man and a woman", "a man, type category", "all stages")) < 1e-9
sys.exit(0 if wrong and right else 1)
PYTHON
