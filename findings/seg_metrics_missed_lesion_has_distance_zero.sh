#!/usr/bin/env bash
# seg-metrics 1.2.8: a segmentation that misses the whole lesion has the distances of a perfect one. Where the prediction holds no voxel
# of a label and the reference does, Hausdorff distance, its 95th percentile, mean and median surface distance are all 0, beside a Dice
# of 0; where the reference is empty and the prediction is not, the same. Means over patients are then better by missed lesions. MedPy
# refuses such a pair, surface-distance answers infinity, SimpleITK's Hausdorff filter raises.
#
# Found with Python 3.11.7, numpy 1.26.4 (surface-distance 0.1 knows no numpy 2), SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet seg-metrics==1.2.8 MedPy==0.5.2 surface-distance==0.1 SimpleITK==2.5.7 numpy==1.26.4
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import SimpleITK as sitk
import surface_distance
from medpy.metric import binary
from seg_metrics import seg_metrics

SPACING = (1.0, 1.0, 3.0)
DISTANCES = ["hd", "hd95", "msd", "mdsd"]
lesion = np.zeros((20, 20, 20), np.uint8)
lesion[5:12, 5:12, 5:12] = 1
shifted = np.roll(lesion, 2, axis=2)
nothing = np.zeros_like(lesion)


def image(voxels):
    found = sitk.GetImageFromArray(voxels)
    found.SetSpacing(SPACING)
    return found


def distances(reference, prediction):
    found = seg_metrics.write_metrics(labels=[1], gdth_img=image(reference), pred_img=image(prediction), metrics=None)
    return [float(found[0][name][0]) for name in DISTANCES]


def refuses(call):
    try:
        return f"answers {call()}"
    except RuntimeError:
        return "refuses"


between = surface_distance.compute_surface_distances(lesion > 0, nothing > 0, SPACING[::-1])
peers = {
    "MedPy": refuses(lambda: binary.hd(lesion, nothing, SPACING[::-1])),
    "SimpleITK": refuses(lambda: sitk.HausdorffDistanceImageFilter().Execute(image(lesion), image(nothing))),
    "surface-distance": f"answers {surface_distance.compute_robust_hausdorff(between, 100)}",
}
seen = {
    "the lesion itself": distances(lesion, lesion),
    "two voxels aside": distances(lesion, shifted),
    "the lesion missed": distances(lesion, nothing),
    "a lesion where there is none": distances(nothing, lesion),
}
for name, values in seen.items():
    print(f"{name}: {dict(zip(DISTANCES, np.round(values, 3).tolist()))}")
print(peers)
missed = seen["the lesion missed"] == seen["a lesion where there is none"] == seen["the lesion itself"] == [0.0] * 4
others = peers == {"MedPy": "refuses", "SimpleITK": "refuses", "surface-distance": "answers inf"}
sys.exit(0 if missed and others and seen["two voxels aside"][0] > 0 else 1)
PYTHON
