#!/usr/bin/env bash
# torchmetrics 1.9.0 (2026): the generalized Dice score of one patient depends on the place that the patient has in the batch. A class that
# the reference of a patient lacks would have an infinite weight; it gets "the largest weight of the class in the batch", but the table of
# those is laid out by class and patient where the weights are laid out by patient and class, so that it is the weight of another class, or
# the right one, by place. A patient without the small lesion, of which the prediction has 20 pixels, scores 0.82 as the first and 0.56 as
# the second of two, beside the same other patient; alone the weight is 0, the 20 pixels do not count and the score is 0.90. So the mean
# over a test set changes with its order and with the size of the batches. Patients who have all classes are not concerned.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import torch
from torchmetrics.functional.segmentation import generalized_dice_score
from torchmetrics.segmentation import GeneralizedDiceScore

CLASSES = 3


def patient(organ, lesion, invented=0):
    """Prediction and reference: everything is predicted one row too low, and rows are invented of a lesion."""
    reference, prediction = np.zeros((2, 64, 64), int)
    for image, shift in ((reference, 0), (prediction, 1)):
        image[5 + shift : 5 + shift + organ, 5:15] = 1
        image[5 + shift : 5 + shift + lesion, 30:40] = 2
    prediction[50 : 50 + invented, 30:40] = 2
    return prediction, reference


def scores(*patients):
    prediction, reference = (torch.tensor(np.stack(images)) for images in zip(*patients))
    return generalized_dice_score(prediction, reference, num_classes=CLASSES, input_format="index").tolist()


def by_hand(others, prediction, reference):
    """Weights are 1 / area^2 of the reference, and where a class is absent the largest one of that class among the others."""
    total = np.zeros(2)
    for label in range(CLASSES):
        areas = [np.sum(image == label) for image in (reference, *(other for _, other in others))]
        weights = [1 / area**2 for area in areas if area]
        weight = weights[0] if areas[0] else max(weights, default=0)
        one, other = prediction == label, reference == label
        total += weight * np.array([2 * np.sum(one & other), np.sum(one) + np.sum(other)])
    return total[0] / total[1]


without, other = patient(10, 0, invented=2), patient(20, 4)
first, second, alone = scores(without, other)[0], scores(other, without)[1], scores(without)[0]
right = by_hand([other], *without)
print(f"torchmetrics {version('torchmetrics')}")
print(f"the patient without the lesion: first of two {first:.3f}, second of two {second:.3f}, alone {alone:.3f}; by hand beside the other {right:.3f}")
complete = scores(other, without)[0], scores(without, other)[1], scores(other)[0], by_hand([], *other)
print("the other patient:", [round(value, 3) for value in complete])

# The mean of four patients by the metric, in batches of two.
table = [without, patient(12, 0, invented=1), other, patient(6, 30)]
means = []
for order in ([0, 1, 2, 3], [0, 2, 1, 3], [2, 0, 3, 1]):
    metric = GeneralizedDiceScore(num_classes=CLASSES, input_format="index")
    for start in (0, 2):
        batch = [table[place] for place in order[start : start + 2]]
        metric.update(*(torch.tensor(np.stack(images)) for images in zip(*batch)))
    means.append(float(metric.compute()))
    print(f"mean over the patients {order} in batches of two: {means[-1]:.3f}")
same = max(complete) - min(complete) < 1e-5
turns = abs(second - right) < 1e-5 and first - second > 0.2 and alone - first > 0.05
sys.exit(0 if same and turns and max(means) - min(means) > 0.05 else 1)
PYTHON
