#!/usr/bin/env bash
# combatlearn 2.3.0 (2026), method "chen": its CovBat brings the principal components of all scanners to a variance near 1 and not to
# their pooled variance, so that what comes back has lost its unit and, with all components kept, its correlations. Three scanners, eight
# features in HU with spreads of 155 to 438 after ComBat: with the default share of 0.9 they have 27 to 52, with all components 1.0 each.
# The first two have a correlation of -0.93 after ComBat, of 0.57 in the one and of -0.02 in the other; the same table in a unit a
# hundred times larger gives -0.30. CovBat by its paper, ComBat once more on the scores (here by neuroCombat), keeps every spread to 5 %
# and says -0.94. Nothing is said, and a scaler behind it, as in the package's own example, hides the spreads and not the correlations.
#
# Found with Python 3.11.7, numpy 2.4.6, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet combatlearn==2.3.0 neuroCombat==0.2.12 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from combatlearn import ComBat
from neuroCombat import neuroCombat

MIXING = np.array([[3, -3, 1, 2, 0, 1, -1, 2], [1, -2, 2, 0, 1, 1, 0, -1], [0, 1, 1, -1, 2, 0, 1, 1]])
generator = np.random.default_rng(5)
features = generator.normal(size=(120, 3)) @ MIXING + 0.5 * generator.normal(size=(120, 8))
features[:40] += 1.0
features[40:80] *= 1.3
hounsfield = pd.DataFrame(100 * features + 40)
scanner = pd.Series(np.repeat(["a", "b", "c"], 40))


def harmonised(table, method, **options):
    return ComBat(batch=scanner, method=method, **options).fit_transform(table).to_numpy()


def combat(table):
    with contextlib.redirect_stdout(io.StringIO()):
        return neuroCombat(dat=table.T, covars=pd.DataFrame({"scanner": scanner}), batch_col="scanner")["data"].T


def covbat(table):
    first = combat(table.to_numpy())
    centre, spread = first.mean(axis=0), first.std(axis=0)
    scaled = (first - centre) / spread
    _, _, axes = np.linalg.svd(scaled, full_matrices=False)
    return combat(scaled @ axes.T) @ axes * spread + centre


def told(name, table):
    spreads, correlations = table.std(axis=0), np.corrcoef(table.T)[0, 1:]
    print(f"{name}: spreads {np.round(spreads, 1).tolist()}, correlations with the first {np.round(correlations, 2).tolist()}")
    return spreads, correlations


plain = told("ComBat", harmonised(hounsfield, "fortin"))
paper = told("CovBat by neuroCombat twice", covbat(hounsfield))
usual = told("chen", harmonised(hounsfield, "chen"))
whole = told("chen, all components", harmonised(hounsfield, "chen", covbat_cov_thresh=8))
other = told("chen, unit a hundred times larger", 100 * harmonised(hounsfield / 100, "chen"))
kept = np.allclose(paper[0], plain[0], rtol=0.05) and np.allclose(paper[1], plain[1], atol=0.1)
lost = np.all(usual[0] < 0.5 * plain[0]) and np.allclose(whole[0], 1, atol=0.05) and np.all(np.abs(whole[1]) < 0.05)
moved = np.max(np.abs(other[1] - usual[1])) > 0.5
sys.exit(0 if kept and lost and moved else 1)
PYTHON
