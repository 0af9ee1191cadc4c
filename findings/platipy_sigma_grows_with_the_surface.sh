#!/usr/bin/env bash
# PlatiPy 0.7.2: "sigmaSurfaceDistance", the standard deviation of the distances between two surfaces, is not divided by the number of
# voxels. The squares of both directions are added up, weighted by the numbers of voxels, and the root is taken of the sum. Balls with radii
# of 4, 8, 16 and 24 mm against themselves moved by 1 mm have 8, 17, 34 and 51 mm, although no distance is larger than 1 mm, where it is 0.5
# mm for all; divided by the root of the number of surface voxels, PlatiPy's own numbers are 0.5 as well. The value is proportional to the
# size of an organ and, for the same organ, to the inverse of the voxel size; it looks like a length and is printed among lengths.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet platipy==0.7.2 SimpleITK==2.5.7 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
import SimpleITK as sitk
from platipy.imaging.label.comparison import compute_surface_metrics


def image(mask):
    return sitk.GetImageFromArray(mask.astype(np.uint8))


def distances(one, other):
    """What PlatiPy measures: the contour of the second mask in the map of distances to the first."""
    away = sitk.GetArrayFromImage(sitk.Abs(sitk.SignedMaurerDistanceMap(image(one), squaredDistance=False, useImageSpacing=True)))
    return away[sitk.GetArrayFromImage(sitk.LabelContour(image(other))) > 0]


planes, rows, columns = np.indices((60, 60, 60))
print(f"PlatiPy {version('platipy')}")
right, values = True, []
for radius in (4, 8, 16, 24):
    ball = (planes - 30) ** 2 + (rows - 30) ** 2 + (columns - 29) ** 2 < radius**2
    moved = np.roll(ball, 1, axis=2)
    found = compute_surface_metrics(image(ball), image(moved))
    every = np.concatenate([distances(ball, moved), distances(moved, ball)])
    sigma = found["sigmaSurfaceDistance"]
    values.append(sigma)
    print(f"radius {radius} mm: sigma {sigma:.2f} mm, largest distance {found['maximumSurfaceDistance']:.2f}; by hand {every.std():.2f}, times the root of {every.size} voxels {every.std() * np.sqrt(every.size):.2f}")
    right &= abs(sigma / (every.std() * np.sqrt(every.size)) - 1) < 0.02 and every.std() < 0.6 and found["maximumSurfaceDistance"] <= 1 + 1e-6
sys.exit(0 if right and values[-1] > 5 * values[0] else 1)
PYTHON
