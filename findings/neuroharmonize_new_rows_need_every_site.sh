#!/usr/bin/env bash
# neuroHarmonize 2.4.5: a model that was learned on three scanners can be applied to new rows only where all three scanners are among
# them. Rows of two of the scanners end in a ValueError about shapes of matrices, rows of one scanner, so also a single new patient, in an
# IndexError; neither names the scanners. With all three present each row is as in training, whatever the others are. What one expects of
# a saved model, the next patient of a known scanner, is what it cannot do: design columns are made from the scanners of the new table,
# not from those of the model.
#
# The package names no dependency: after installing it alone, importing it fails for want of statsmodels, then of nibabel and neuroCombat.
#
# Found with Python 3.11.7, numpy 2.4.6, pandas 2.3.3 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet neuroHarmonize==2.4.5 numpy==2.4.6 pandas==2.3.3
if "$folder/venv/bin/python" -c 'import neuroHarmonize' 2>"$folder/errors"; then
    echo "neuroHarmonize imports by itself"
    exit 1
fi
tail -n 1 "$folder/errors"
"$folder/venv/bin/pip" install --quiet neuroHarmonize==2.4.5 neuroCombat==0.2.12 nibabel==5.4.2 statsmodels==0.15.0 \
    numpy==2.4.6 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from neuroHarmonize import harmonizationApply, harmonizationLearn

generator = np.random.default_rng(3)
features = generator.normal(size=(60, 5))
features[:20, 0] += 2
features[40:] *= 1.5
rows = pd.DataFrame({"SITE": np.repeat(["a", "b", "c"], 20), "AGE": generator.normal(50, 5, 60)})
model, harmonised = harmonizationLearn(features, rows)


def applied(places):
    try:
        found = harmonizationApply(features[places], rows.iloc[places].reset_index(drop=True), model)
        return "as in training" if np.allclose(found, harmonised[places]) else "other values"
    except (ValueError, IndexError) as error:
        return type(error).__name__


seen = {
    "one row each of a, b, c": applied([0, 20, 40]),
    "a and b": applied([0, 1, 20, 21]),
    "b and c": applied([20, 21, 40, 41]),
    "one row of a": applied([0]),
    "ten rows of b": applied(list(range(20, 30))),
}
for name, answer in seen.items():
    print(f"{name}: {answer}")
expected = ["as in training", "ValueError", "ValueError", "IndexError", "IndexError"]
sys.exit(0 if list(seen.values()) == expected else 1)
PYTHON
