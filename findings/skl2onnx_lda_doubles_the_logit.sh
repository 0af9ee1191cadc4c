#!/usr/bin/env bash
# skl2onnx 1.20.0 (2026): linear discriminant analysis of two classes has other probabilities in ONNX than in scikit-learn. The logit comes
# out twice as large: where scikit-learn says 0.70, 0.90 and 0.03 the network says 0.85, 0.99 and 0.001. The two scores of the classes are
# -d and d, with d the logit, and go through a softmax, which is the logistic function of their difference. The classes stay the same, so
# does the area under the curve, and a comparison of labels finds nothing; Brier score and calibration do: a model that is well calibrated
# has a calibration slope of 0.5 once it is deployed, and a threshold of 10 % becomes one of 25 %. With shrinkage it is the same. Three
# classes are right, and so is logistic regression.
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
from scipy.special import expit, logit
from skl2onnx import to_onnx
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

PATIENTS, FEATURES = 4000, 4
generator = np.random.default_rng(0)
disease = generator.integers(0, 2, PATIENTS)
image = (generator.normal(size=(PATIENTS, FEATURES)) + 0.6 * disease[:, None]).astype(np.float32)
stage = np.digitize(image[:, 0] + generator.normal(size=PATIENTS), [-0.5, 0.5])
train, test = slice(0, 2000), slice(2000, None)


def deployed(model):
    network = to_onnx(model, image[:1], target_opset={"": 20, "ai.onnx.ml": 3}, options={id(model): {"zipmap": False}})
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    label, probability = session.run(None, {session.get_inputs()[0].name: image[test]})
    return label, probability.astype(float)


def by_hand(features, outcome, new):
    """Fisher's discriminant: equal covariances, priors from the frequencies."""
    groups = [features[outcome == group].astype(float) for group in (0, 1)]
    within = sum((group - group.mean(axis=0)).T @ (group - group.mean(axis=0)) for group in groups) / len(features)
    direction = np.linalg.solve(within, groups[1].mean(axis=0) - groups[0].mean(axis=0))
    middle = (groups[1].mean(axis=0) + groups[0].mean(axis=0)) / 2
    return expit((new - middle) @ direction + np.log(len(groups[1]) / len(groups[0])))


def slope(probability, outcome):
    """The slope of a logistic regression of the outcome on the logit."""
    values = logit(np.clip(probability, 1e-9, 1 - 1e-9))[:, None]
    return float(LogisticRegression(C=1e9).fit(values, outcome).coef_[0, 0])


print(f"skl2onnx {version('skl2onnx')}, scikit-learn {version('scikit-learn')}")
plain = by_hand(image[train], disease[train], image[test])
found = {}
for name, model, outcome in (
    ("two classes", LinearDiscriminantAnalysis(), disease),
    ("two classes, shrinkage", LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), disease),
    ("three classes", LinearDiscriminantAnalysis(), stage),
    ("logistic regression", LogisticRegression(), disease),
):
    model.fit(image[train], outcome[train])
    right = model.predict_proba(image[test])
    label, probability = deployed(model)
    off = float(np.abs(probability - right).max())
    twice = float(np.abs(probability[:, 1] - expit(2 * logit(right[:, 1]))).max())
    found[name] = off, twice, bool(np.array_equal(label, model.predict(image[test])))
    print(f"{name}: off by up to {off:.3f}, from twice the logit by {twice:.1e}; labels agree: {found[name][2]}")
    if name == "two classes":
        fisher = float(np.abs(right[:, 1] - plain).max())
        slopes = slope(right[:, 1], disease[test]), slope(probability[:, 1], disease[test])
        brier = [float(np.mean((value[:, 1] - disease[test]) ** 2)) for value in (right, probability)]
        for place in np.searchsorted(np.sort(right[:, 1]), [0.03, 0.1, 0.7, 0.9]):
            patient = np.argsort(right[:, 1])[place]
            print(f"  a patient: by hand {plain[patient]:.3f}, scikit-learn {right[patient, 1]:.3f}, network {probability[patient, 1]:.3f}")
        print(f"  calibration slope {slopes[0]:.2f} and {slopes[1]:.2f}, Brier score {brier[0]:.4f} and {brier[1]:.4f}")
doubled = all(found[name][0] > 0.1 and found[name][1] < 1e-5 and found[name][2] for name in ("two classes", "two classes, shrinkage"))
others = max(found["three classes"][0], found["logistic regression"][0]) < 1e-5
sys.exit(0 if doubled and others and fisher < 1e-3 and abs(slopes[1] / slopes[0] - 0.5) < 0.01 and brier[1] > brier[0] else 1)
PYTHON
