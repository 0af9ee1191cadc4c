#!/usr/bin/env bash
# combatlearn 2.3.0 (2026): what ComBat does to a feature depends on its unit. The "small jitter" eps, 1e-8 by default, is added to each
# feature's variance as it stands before all are brought to a common scale, and comes back out as spread: values whose own spread is not
# far above 1e-4 are widened. A mean diffusion coefficient in mm2/s (spread 1.5e-4) comes out 1.22 times as wide within each
# scanner as the same in um2/s, a coarseness (3e-5) 3.7 times; entropy and volume in the same table are unchanged. neuroCombat
# 0.2.12 gives the same in either unit, and so does combatlearn with eps=1e-30. Nothing is said: reference values and cut-offs of such a
# feature no longer hold, while its neighbours in the table look as they should.
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

NAMES = ["diffusion, mm2/s", "coarseness", "entropy", "volume, ml"]
MEANS, SPREADS = np.array([1.1e-3, 4e-4, 4.5, 20.0]), np.array([1.5e-4, 3e-5, 0.4, 6.0])
scanner = pd.Series(np.repeat(["a", "b", "c"], 40), name="scanner")
scores = np.random.default_rng(11).normal(size=(120, 4))
scores[:40] = 0.8 * scores[:40] + 0.6
scores[40:80] *= 1.3
features = pd.DataFrame(MEANS + SPREADS * scores, columns=NAMES)


def combatlearn(table, **options):
    return ComBat(batch=scanner, **options).fit_transform(table)


def peer(table):
    with contextlib.redirect_stdout(io.StringIO()):
        found = neuroCombat(dat=table.to_numpy().T, covars=scanner.to_frame(), batch_col="scanner")["data"].T
    return pd.DataFrame(found, columns=NAMES)


def widened(harmonise, **options):
    """Spread within each scanner, of the table as it is over that of the table in a unit a million times smaller."""
    one, other = harmonise(features, **options), harmonise(features * 1e6, **options) / 1e6
    return pd.concat([one[scanner == s].std() / other[scanner == s].std() for s in "abc"], axis=1).to_numpy().T


usual, small, other = widened(combatlearn), widened(combatlearn, eps=1e-30), widened(peer)
for name, found in {"combatlearn": usual, "with eps=1e-30": small, "neuroCombat": other}.items():
    print(f"{name}: {dict(zip(NAMES, found.T.round(3).tolist()))}")
expected = np.sqrt(1 + 1e-8 / np.mean([features[scanner == s].var(ddof=0) for s in "abc"], axis=0))
print(f"the square root of 1 + 1e-8 / variance: {expected.round(3).tolist()}")
same = np.allclose(small, 1, atol=1e-6) and np.allclose(other, 1, atol=1e-6)
sys.exit(0 if same and np.allclose(usual, expected, rtol=0.02) and usual[:, 0].min() > 1.15 and usual[:, 1].min() > 3 else 1)
PYTHON
