#!/usr/bin/env bash
# ivimfit 0.1.7.2 (2026): an apparent diffusion coefficient that is fitted without the image at b = 0 is too low. With `omit_b0` the signal is
# divided by that of the lowest b that is left, but the curve is still forced through 1 at b = 0. A signal that falls with exactly 1.0e-3
# mm2/s, without noise, becomes 0.88e-3 where the lowest b is 50, and 0.71e-3 where it is 150; leaving b = 0 out is the usual way to keep
# perfusion out of the coefficient, and by it malignant tissue is told from benign. With b = 0 the fit is exact. The signal is divided by
# the first value that was given and not by that of the smallest b, so that the same measurements in falling order of b have an ADC of 0.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2
"$folder/venv/bin/pip" install --quiet --no-deps ivimfit==0.1.7.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from ivimfit.adc import fit_adc

TRUE = 1.0e-3


def by_hand(weightings, signal):
    """The slope of the logarithm, which needs no image at b = 0."""
    return -np.polyfit(weightings, np.log(signal), 1)[0]


print(f"ivimfit {version('ivimfit')}; ADC {TRUE * 1e3:.2f}e-3 mm2/s, no noise")
found = {}
for name, weightings in (
    ("0, 50, 100, 200, 400, 800", [0.0, 50, 100, 200, 400, 800]),
    ("0, 150, 400, 800", [0.0, 150, 400, 800]),
    ("800, 400, 200, 100, 50, 0", [800.0, 400, 200, 100, 50, 0]),
):
    weightings = np.array(weightings)
    signal = 1000 * np.exp(-TRUE * weightings)
    kept = weightings > 0
    found[name] = fit_adc(weightings, signal), fit_adc(weightings, signal, omit_b0=True)
    hand = by_hand(weightings[kept], signal[kept])
    print(f"b {name}: {found[name][0] * 1e3:.3f}, without b = 0 {found[name][1] * 1e3:.3f}; by hand without it {hand * 1e3:.3f}")
    assert abs(hand - TRUE) < 1e-9
low, lower, falling = found.values()
exact = max(abs(low[0] - TRUE), abs(lower[0] - TRUE)) < 1e-6
sys.exit(0 if exact and abs(low[1] - 0.878e-3) < 2e-6 and lower[1] < 0.75e-3 and falling[0] < 1e-5 else 1)
PYTHON
