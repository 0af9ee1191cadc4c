#!/usr/bin/env bash
# dosemetrics 0.4.1 (2026): gamma index and distances of structures lay the spacing along the wrong axes. Doses and masks are read with axes
# (z, y, x), their spacing as (x, y, z), and both are multiplied in that order. With pixels of 1 mm and slices each 4 mm, a dose that was
# delivered 8 mm too far along the patient passes 3 % and 3 mm at every point, since two slices count as 2 mm; 2 mm to the side, which
# should pass, fails at a quarter of them. The Hausdorff distance of a mask moved by the 8 mm is 2 mm, and of one moved by 2 mm it is 8 mm.
# Cubic voxels hide it; a check of a plan says the opposite of what is so where slices are thicker than pixels, as they mostly are.
# Only what is read is turned: arrays with axes (x, y, z) and the same spacing, handed to the class, are right.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 1.26.4, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==1.26.4 scipy==1.17.1 SimpleITK==2.5.7 numba==0.65.1 pydicom==3.0.2 pandas==2.3.3 \
    nibabel==5.2.1 matplotlib==3.8.4 scikit-image==0.26.0
"$folder/venv/bin/pip" install --quiet --no-deps dosemetrics==0.4.1  # its notebooks and its page need more, its metrics do not
cd "$folder"
venv/bin/python - 2>errors <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import SimpleITK as sitk
from dosemetrics.dose import Dose
from dosemetrics.io.nifti_io import read_nifti_structure
from dosemetrics.metrics.gamma import compare_gamma_index
from dosemetrics.metrics.geometric import compute_hausdorff_distance

SHAPE, PIXEL, STEP = (14, 40, 40), 1.0, 4.0  # slices, rows, columns
LIMIT, REACH = 3.0, 9.0  # mm
place = np.indices(SHAPE) * np.array([STEP, PIXEL, PIXEL])[:, None, None, None]
from_middle = np.sqrt(((place - place.max(axis=(1, 2, 3), keepdims=True) / 2) ** 2).sum(axis=0))


def saved(values, name):
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((PIXEL, PIXEL, STEP))
    sitk.WriteImage(image, f"{name}.nii.gz")
    return f"{name}.nii.gz"


def passes(reference, other):
    """The share of points with a gamma of 1 at most, for 3 % of the maximum and 3 mm, searched over whole voxels as dosemetrics does."""
    best = np.full(SHAPE, np.inf)
    steps = [int(REACH // size) for size in (STEP, PIXEL, PIXEL)]
    for offset in np.ndindex(*(2 * count + 1 for count in steps)):
        moved = np.array(offset) - steps
        distance = np.linalg.norm(moved * (STEP, PIXEL, PIXEL))
        if distance <= REACH:
            shifted = np.full(SHAPE, np.inf)
            into = tuple(slice(max(0, -m), n - max(0, m)) for m, n in zip(moved, SHAPE))
            out_of = tuple(slice(max(0, m), n - max(0, -m)) for m, n in zip(moved, SHAPE))
            shifted[into] = other[out_of]
            best = np.minimum(best, (distance / LIMIT) ** 2 + ((shifted - reference) / (0.03 * reference.max())) ** 2)
    asked = reference >= 0.1 * reference.max()
    return float((best[asked] <= 1).mean())


def share(gamma):
    return float((gamma[~np.isnan(gamma)] <= 1).mean())


planned = 60 / (1 + np.exp((from_middle - 12) / 2.0))
target = (from_middle <= 12).astype(np.uint8)
print(f"dosemetrics {version('dosemetrics')}; passing 3 % and 3 mm, and Hausdorff distance of the target")
found = {}
for name, axis, by in (("along the patient", 0, 8.0), ("to the side", 2, 2.0)):
    count = int(by / (STEP, PIXEL, PIXEL)[axis])
    delivered, moved = np.roll(planned, count, axis), np.roll(target, count, axis)
    doses = [Dose.from_nifti(saved(values, key)) for key, values in (("planned", planned), ("delivered", delivered))]
    turned = [Dose(values.transpose(2, 1, 0), (PIXEL, PIXEL, STEP), (0, 0, 0)) for values in (planned, delivered)]
    masks = [read_nifti_structure(saved(values, key)) for key, values in (("target", target), ("moved", moved))]
    distance = compute_hausdorff_distance(*masks)
    true = sitk.HausdorffDistanceImageFilter()
    true.Execute(sitk.ReadImage("target.nii.gz"), sitk.ReadImage("moved.nii.gz"))
    values = (share(compare_gamma_index(*doses)), passes(planned, delivered), share(compare_gamma_index(*turned)), distance, true.GetHausdorffDistance())
    found[name] = values
    print(f"{by:g} mm {name}: {values[0]:.1%}, by hand {values[1]:.1%}, axes turned first {values[2]:.1%}; {values[3]:g} mm, by SimpleITK {values[4]:g} mm")
along, aside = found["along the patient"], found["to the side"]
right = all(np.isclose(values[1], values[2], atol=1e-3) for values in found.values()) and along[1] < 0.6 and aside[1] == 1
wrong = along[0] == 1 and aside[0] < 0.9 and (along[3], along[4]) == (2, 8) and (aside[3], aside[4]) == (8, 2)
sys.exit(0 if right and wrong else 1)
PYTHON
