#!/usr/bin/env bash
# skl2onnx 1.20.0 (2026): nearest neighbours that are weighted by distance (`weights="distance"`) count alike in ONNX. Distances are negated
# to find the smallest ones and then brought up to 1e-6 at least, against a division by zero, which makes all of them 1e-6 and the weights
# equal. Classifier and regressor have the result of `weights="uniform"`: of five neighbours a predicted age is off by up to 1.8 years and a
# probability by up to 0.12. A patient of the training set, at a distance of 0 from itself, gets the mean of its neighbours, 55.8 years,
# where scikit-learn gives its own value, 52.4. With uniform weights both agree. Nothing is said.
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
from importlib.metadata import version

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

NEIGHBOURS = 5
generator = np.random.default_rng(0)
known, new = (generator.normal(size=(count, 4)).astype(np.float32) for count in (300, 200))
age = (60 + 8 * known @ [1, 0.5, 0, -0.5] + 2 * generator.normal(size=300)).astype(np.float32)
disease = (age > 60).astype(int)


def deployed(model, rows):
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    network = to_onnx(model, known[:1], target_opset={"": 20, "ai.onnx.ml": 3}, options=options)
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    result = session.run(None, {session.get_inputs()[0].name: rows})
    return result[1][:, 1] if options else result[0][:, 0]


def by_hand(values, rows, power):
    """The mean of the nearest neighbours, weighted by 1 / distance^power."""
    apart = np.linalg.norm(rows[:, None].astype(float) - known, axis=2)
    nearest = np.argsort(apart, axis=1)[:, :NEIGHBOURS]
    weights = np.maximum(np.take_along_axis(apart, nearest, axis=1), 1e-12) ** -power
    return (weights * values[nearest]).sum(axis=1) / weights.sum(axis=1)


def listed(values):
    return [round(float(value), 1) for value in values]


print(f"skl2onnx {version('skl2onnx')}, scikit-learn {version('scikit-learn')}")
right = True
for kind, values in ((KNeighborsRegressor, age), (KNeighborsClassifier, disease)):
    for weights, power in (("uniform", 0), ("distance", 1)):
        model = kind(NEIGHBOURS, weights=weights).fit(known, values)
        learned = model.predict(new) if kind is KNeighborsRegressor else model.predict_proba(new)[:, 1]
        network = deployed(model, new)
        off, alike = (float(np.abs(network - by_hand(values, new, one)).max()) for one in (power, 0))
        print(f"{kind.__name__}, {weights}: scikit-learn off by {np.abs(learned - by_hand(values, new, power)).max():.1e}, network by {off:.2g}; from equal weights by {alike:.1e}")
        right &= float(np.abs(learned - by_hand(values, new, power)).max()) < 1e-3 and alike < 1e-3 and (off > 0.1) == (weights == "distance")
model = KNeighborsRegressor(NEIGHBOURS, weights="distance").fit(known, age)
own = deployed(model, known[:3])
print(f"three patients of the training set: ages {listed(age[:3])}, scikit-learn {listed(model.predict(known[:3]))}, network {listed(own)}")
sys.exit(0 if right and np.allclose(model.predict(known[:3]), age[:3], atol=1e-3) and np.abs(own - age[:3]).max() > 1 else 1)
PYTHON
