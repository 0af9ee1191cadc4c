#!/usr/bin/env bash
# torchmetrics 1.9.0 (2026): the Hausdorff distance of images that are wider than high is another number, without a word, and images that
# are higher than wide end with an IndexError. The distances are written into a flat map at row * height + column instead of row * width +
# column. A rectangle of 15 x 20 pixels against the same moved by four and eight columns at its sides has a distance of 8. An image of 64 x
# 64 pixels gives 8; one of 64 x 96 gives 66, more than either mask is long, and one of 48 x 200 gives 0, as for masks that agree; 96 x 64
# raises. The same with a spacing. The examples and the usual patches of training are squares. Slices that are cropped, sagittal or coronal
# are not; three dimensions, for which one would have to go slice by slice, are refused.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.8.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import torch
from scipy import ndimage
from torchmetrics.segmentation import HausdorffDistance


def edge(mask):
    return np.argwhere(mask & ~ndimage.binary_erosion(mask))


def by_hand(one, other, spacing):
    """The largest distance of a pixel of one edge to the nearest of the other, in both directions."""
    apart = np.linalg.norm((edge(one)[:, None] - edge(other)) * np.array(spacing), axis=2)
    return max(apart.min(axis=1).max(), apart.min(axis=0).max())


def measured(one, other, spacing):
    metric = HausdorffDistance(num_classes=2, spacing=list(spacing), input_format="index")
    try:
        return float(metric(torch.tensor(one[None].astype(int)), torch.tensor(other[None].astype(int))))
    except IndexError as error:
        return type(error).__name__


print(f"torchmetrics {version('torchmetrics')}")
found = []
for rows, columns in ((64, 64), (64, 65), (64, 96), (48, 200), (96, 64)):
    reference, prediction = np.zeros((2, rows, columns), bool)
    reference[20:35, 10:30] = True
    prediction[20:35, 14:38] = True
    for spacing in ((1.0, 1.0), (2.0, 0.5)):
        right, result = by_hand(reference, prediction, spacing), measured(prediction, reference, spacing)
        print(f"{rows} x {columns} pixels, spacing {spacing}: by hand {right:.2f}, torchmetrics {result if isinstance(result, str) else round(result, 2)}")
        found.append((right, result))
square = all(abs(result - right) < 1e-4 for right, result in found[:2])
wide = all(isinstance(result, float) and abs(result - right) > 1 for right, result in found[2:8])
none = found[6][1] == 0
sys.exit(0 if square and wide and none and found[8][1] == found[9][1] == "IndexError" else 1)
PYTHON
