#!/usr/bin/env bash
# pyCERR 2.5.1 (PyPI `pycerr`): its "relative signal enhancement" is S / S0, not (S - S0) / S0, and the wash-in slope is that ratio at
# the peak divided by the time of the peak, counted from the first time after the baseline. So a voxel whose signal rises by 2 % in a
# minute has a wash-in slope of 1.02 per minute, half of that of a voxel whose signal doubles (2.0); what rises is 0.02 and 1.0. Where
# the peak is the first time after the baseline, the time is 0 and the slope is of the order of 1e16. Its signal enhancement ratio is
# late over peak, (S2 - S0) / (S1 - S0), as in the paper that its source names; the ratio of that name in breast imaging is early over
# late. Maps of wash-in by pyCERR therefore show where the baseline is, and thresholds of other tools do not carry over.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pycerr==2.5.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from cerr.mri_metrics.dce_mri import normalizeToBaseline, semiQuantFeatures

# A minute between images, two of them before the contrast agent.
SIGNALS = {
    "doubles": [100.0, 100, 150, 200, 180, 160],
    "rises by 2 %": [100.0, 100, 101, 102, 101.8, 101.6],
    "peaks at once": [100.0, 100, 200, 180, 170, 160],
}
voxels = np.array(list(SIGNALS.values())).reshape(len(SIGNALS), 1, 1, 6)
mask = np.ones(voxels.shape[:3], dtype=bool)
enhancement, times, baseline, _ = normalizeToBaseline(voxels, mask, np.arange(6.0), basePts=2, method="RSE")
features, _ = semiQuantFeatures(enhancement[:, 0, 0], times, baseline.ravel(), "RSE")
print(f"pyCERR {version('pycerr')}")
rows = zip(SIGNALS, voxels[:, 0, 0], *(features[name] for name in ("TimeToPeak", "WashInSlope", "SignalEnhancementRatio")))
results = []
for name, signal, time, slope, ratio in rows:
    rise = signal.max() / 100 - 1
    late = (signal[-1] - 100) / (signal.max() - 100)
    print(f"{name}: time to peak {time:g}, wash-in slope {slope:.4g}, rise {rise:.4g}; ratio {ratio:.4g}, late over peak {late:.4g}")
    results.append((time, slope, rise, np.isclose(ratio, late)))
(_, doubles, _, _), (_, rises, _, _), (at_once, steep, _, _) = results
ratio_of_signals = np.isclose(doubles, 2.0) and np.isclose(rises, 1.02)
without_time = at_once == 0 and steep > 1e15
sys.exit(0 if ratio_of_signals and without_time and all(late for *_, late in results) else 1)
PYTHON
