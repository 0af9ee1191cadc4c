#!/usr/bin/env bash
# grand-challenge-metrics 0.6.0 (of late what `evalutils` installs): `accuracies_from_confusion_matrix` answers 0 for every class that is
# not perfect. The number of voxels that are right is divided by their number with rounding down (`//`), so that 99.9 % is 0 and only 100 %
# is 1. The result is of floating-point type and named "accuracy scores", and Jaccard and Dice from the same matrix are right. A class that
# no voxel gets wrong beside others that are wrong has 1.0, so that the mean over three classes is 0.33 where one voxel of a thousand is
# wrong.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grand-challenge-metrics==0.6.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from grand_challenge_metrics.stats import accuracies_from_confusion_matrix, calculate_confusion_matrix, dice_from_confusion_matrix

reference = np.zeros((20, 50), int)
reference[2:10, 5:20], reference[12:18, 25:40] = 1, 2
slightly, one = reference.copy(), reference.copy()
slightly[2, 5] = 2
one[2, 5] = 0
print(f"grand-challenge-metrics {version('grand-challenge-metrics')}")
right = True
for name, prediction in (("one voxel of class 1 as 2", slightly), ("one voxel of class 1 as 0", one), ("perfect", reference)):
    matrix = calculate_confusion_matrix(reference, prediction, [0, 1, 2])
    found = accuracies_from_confusion_matrix(matrix)
    plain = [float(np.mean((reference == label) == (prediction == label))) for label in range(3)]
    dice = [2 * np.sum((reference == label) & (prediction == label)) / (np.sum(reference == label) + np.sum(prediction == label)) for label in range(3)]
    print(f"{name}: accuracies {found.tolist()}, by hand {plain}; Dice {dice_from_confusion_matrix(matrix).round(4).tolist()}")
    right &= found.tolist() == [float(value == 1) for value in plain] and found.dtype == np.float32
    right &= bool(np.allclose(dice_from_confusion_matrix(matrix), dice, atol=1e-6))
sys.exit(0 if right and min(plain) == 1 else 1)
PYTHON
