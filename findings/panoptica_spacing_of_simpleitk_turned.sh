#!/usr/bin/env bash
# panoptica 2.1.7 (2026) takes the spacing of a SimpleITK image, which is (x, y, z), for the axes of its array, which are (z, y, x). With
# voxels of 0.5 x 0.5 x 5 mm a lesion that is one slice off has a Hausdorff distance of 0.5 instead of 5 mm and a normalized surface Dice
# of 1.00 instead of 0.44; one that is four columns off has 20 instead of 2 mm. NIfTI files given by their path are read by SimpleITK
# where it is installed and by nibabel where not, and so have wrong distances with SimpleITK and the right ones without it. Dice and
# everything else without a distance is right; so are images whose voxels are cubes.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, nibabel 5.4.2, numpy 2.2.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet panoptica==2.1.7 nibabel==5.4.2 numpy==2.2.6
cd "$folder"
cat >files.py <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import nibabel
import numpy as np
from panoptica import InputType, Metric, Panoptica_Evaluator

METRICS = [Metric.DSC, Metric.HD, Metric.ASSD, Metric.NSD]
evaluator = Panoptica_Evaluator(expected_input=InputType.MATCHED_INSTANCE, instance_metrics=METRICS)


def measured(prediction, reference, **options):
    (result,) = evaluator.evaluate(prediction, reference, **options).values()
    return [round(float(getattr(result, name)), 3) for name in ("sq_dsc", "sq_hd", "sq_assd", "sq_nsd")]


lesion = np.zeros((12, 40, 40), np.uint8)
lesion[3:8, 10:25, 10:25] = 1
moved = {"one slice off": np.roll(lesion, 1, axis=0), "four columns off": np.roll(lesion, 4, axis=2)}


def by_files(voxels):
    for name, mask in (("reference", lesion), ("prediction", voxels)):
        nibabel.save(nibabel.Nifti1Image(mask.transpose(2, 1, 0), np.diag([0.5, 0.5, 5.0, 1.0])), f"{name}.nii.gz")
    return measured("prediction.nii.gz", "reference.nii.gz")


if __name__ == "__main__":
    print({name: by_files(voxels) for name, voxels in moved.items()}, file=open(sys.argv[1], "w"))
PYTHON
venv/bin/python files.py without >log 2>&1 || { cat log; exit 1; }
venv/bin/pip install --quiet SimpleITK==2.5.7
venv/bin/python - 2>&1 <<'PYTHON'
import ast
import sys

import SimpleITK as sitk
from files import by_files, lesion, measured, moved


def image(voxels):
    made = sitk.GetImageFromArray(voxels)
    made.SetSpacing((0.5, 0.5, 5.0))
    return made


without = ast.literal_eval(open("without").read())
right, wrong = [], []
for name, voxels in moved.items():
    arrays = measured(voxels, lesion, voxelspacing=(5.0, 0.5, 0.5))
    turned = measured(voxels, lesion, voxelspacing=(0.5, 0.5, 5.0))
    images, files = measured(image(voxels), image(lesion)), by_files(voxels)
    print(f"{name}: Dice, Hausdorff distance, mean surface distance, surface Dice")
    print(f"  arrays with their spacing {arrays}, files without SimpleITK {without[name]}")
    print(f"  SimpleITK images {images}, files with SimpleITK {files}")
    right.append(arrays == without[name] and arrays[1] == {"one slice off": 5.0, "four columns off": 2.0}[name])
    wrong.append(images == files == turned and images[0] == arrays[0])
    wrong.append(images[1] == {"one slice off": 0.5, "four columns off": 20.0}[name])
sys.exit(0 if all(right) and all(wrong) else 1)
PYTHON
