#!/usr/bin/env bash
# pymia 0.3.4: the errors between two images are computed in the type of the images. For a CT in int16, as SimpleITK reads it, squares of
# differences above 181 HU wrap round: with differences of up to 300 HU the root mean square error is 60 HU instead of 168 and the
# coefficient of determination 1.00 instead of 0.86. In uint16 the differences wrap first, and the mean absolute error of the same pair is
# 33,742 instead of 145. So a worse prediction can have a smaller error. As float or int32 all are right. Nothing is said.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0 on x86-64. Exits 0 while that is so, and 1 when
# it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pymia==0.3.4 SimpleITK==2.5.7 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
import pymia.evaluation.metric as metrics
import SimpleITK as sitk

generator = np.random.default_rng(0)
reference = generator.integers(0, 1500, (20, 20))
prediction = np.clip(reference + generator.integers(-300, 300, (20, 20)), 0, 2000)
difference = (reference - prediction).astype(float)
plain = {
    "MAE": np.abs(difference).mean(),
    "MSE": (difference**2).mean(),
    "RMSE": np.sqrt((difference**2).mean()),
    "R2": 1 - (difference**2).sum() / ((reference - reference.mean()) ** 2).sum(),
}
print(f"pymia {version('pymia')}; by hand {({name: round(float(value), 3) for name, value in plain.items()})}")
METRICS = {
    "MAE": metrics.MeanAbsoluteError,
    "MSE": metrics.MeanSquaredError,
    "RMSE": metrics.RootMeanSquaredError,
    "R2": metrics.CoefficientOfDetermination,
}
found = {}
for kind in ("float32", "int32", "int16", "uint16"):
    images = [sitk.GetArrayFromImage(sitk.GetImageFromArray(values.astype(kind))) for values in (reference, prediction)]
    found[kind] = {}
    for name, make in METRICS.items():
        metric = make()
        metric.reference, metric.prediction = images
        found[kind][name] = float(metric.calculate())
    print(f"{kind}: {({name: round(value, 3) for name, value in found[kind].items()})}")
right = all(abs(found[kind][name] / plain[name] - 1) < 1e-3 for kind in ("float32", "int32") for name in plain)
signed = abs(found["int16"]["MAE"] / plain["MAE"] - 1) < 1e-6 and found["int16"]["RMSE"] < plain["RMSE"] / 2 and found["int16"]["R2"] > 0.98 > plain["R2"]
sys.exit(0 if right and signed and found["uint16"]["MAE"] > 10000 else 1)
PYTHON
