#!/usr/bin/env bash
# skl2onnx 1.20.0 (2026): a classifier calibrated by isotonic regression is a curve in scikit-learn and a staircase in ONNX. scikit-learn
# joins the points of the isotonic fit by straight lines; the network takes the value of the nearest point. A patient between a point of
# 0.44 and the next one of 0.67 gets 0.44 or 0.67 and nothing between. Of 4000 patients, whose probabilities are the mean of five such fits,
# 32 % are off by more than 0.001, by up to 0.055, and 1,408 different values become 59, so that patients share a risk whom the model puts
# in an order. At the points themselves both agree. Sigmoid calibration is right. Nothing is said.
#
# Found with Python 3.11.7, scikit-learn 1.8.0 (and 1.6.1), onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 on x86-64. Exits 0 while that is
# so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet skl2onnx==1.20.0 scikit-learn==1.8.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression

generator = np.random.default_rng(0)


def patients(count):
    image = generator.normal(size=(count, 3)).astype(np.float32)
    disease = generator.random(count) < 1 / (1 + np.exp(2 - image[:, 0] - image[:, 1]))
    return image, disease.astype(int)


known, outcome = patients(300)
new, later = patients(4000)


def deployed(model, rows):
    network = to_onnx(model, known[:1], target_opset={"": 20, "ai.onnx.ml": 3}, options={id(model): {"zipmap": False}})
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[1][:, 1].astype(float)


print(f"skl2onnx {version('skl2onnx')}, scikit-learn {version('scikit-learn')}")
sigmoid = CalibratedClassifierCV(LogisticRegression(), method="sigmoid", ensemble=False).fit(known, outcome)
smooth = float(np.abs(deployed(sigmoid, new) - sigmoid.predict_proba(new)[:, 1]).max())
print(f"sigmoid: off by up to {smooth:.1e}")

model = CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=5).fit(known, outcome)
folds = model.calibrated_classifiers_
line, nearest = np.zeros((2, len(new)))
for fold in folds:
    points, values = fold.calibrators[0].X_thresholds_, fold.calibrators[0].y_thresholds_
    score = fold.estimator.decision_function(new)
    line += np.interp(score, points, values) / len(folds)
    nearest += values[np.abs(score[:, None] - points).argmin(axis=1)] / len(folds)
learned, network = model.predict_proba(new)[:, 1], deployed(model, new)
off = np.abs(network - learned)
print(f"isotonic: scikit-learn is off from straight lines by {np.abs(learned - line).max():.1e}, the network from the nearest points by {np.abs(network - nearest).max():.1e}")
print(f"  the network is off by more than 0.001 for {np.mean(off > 0.001):.1%} of the patients, by up to {off.max():.3f}; {len(np.unique(learned.round(6)))} values become {len(np.unique(network.round(6)))}")
gap = int(np.diff(values).argmax())
print(f"  the widest step of the last fold, from {values[gap]:.2f} to {values[gap + 1]:.2f}, lies between scores of {points[gap]:.2f} and {points[gap + 1]:.2f}")
stairs = np.abs(network - nearest).max() < 1e-5 and np.abs(learned - line).max() < 1e-5
sys.exit(0 if stairs and smooth < 1e-5 and np.mean(off > 0.001) > 0.02 and off.max() > 0.03 else 1)
PYTHON
