#!/usr/bin/env bash
# PlatiPy 0.7.2: "hausdorffDistance95" is no percentile of distances. It is the 95th percentile of two numbers, the largest distance in
# either direction, which lies 95 % of the way from the smaller to the larger one. So the voxel that the percentile is meant to leave out
# decides: a ball with a radius of 16 mm against itself moved by 1 mm has 1.0 mm; with a spur of one voxel's width that sticks out by 12 mm,
# 0.2 % of the surface, 11.45 mm, where the percentile of all distances, of either direction or of both, stays at 1.0 mm. If both directions
# have the same largest distance it is the Hausdorff distance itself, which stands beside it. A comparison of contours with others' HD95, by
# MONAI, MedPy or surface-distance, is one of maxima with percentiles.
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
from scipy import ndimage


def image(mask):
    return sitk.GetImageFromArray(mask.astype(np.uint8))


def surface(mask):
    return mask & ~ndimage.binary_erosion(mask)


def by_hand(one, other):
    """The distances of the surface voxels of each mask to the surface of the other."""
    distances = [ndimage.distance_transform_edt(~surface(mask)) for mask in (one, other)]
    return distances[1][surface(one)], distances[0][surface(other)]


def largest_by_maps(one, other):
    """What PlatiPy takes the largest of: the contour of each mask in the map of distances to the other, which is 0 on its border."""
    for first, second in ((one, other), (other, one)):
        away = sitk.GetArrayFromImage(sitk.Abs(sitk.SignedMaurerDistanceMap(image(first), squaredDistance=False, useImageSpacing=True)))
        yield float(away[sitk.GetArrayFromImage(sitk.LabelContour(image(second))) > 0].max())


planes, rows, columns = np.indices((50, 60, 70))
print(f"PlatiPy {version('platipy')}")
right = True
for radius in (8, 16):
    ball = (planes - 25) ** 2 + (rows - 30) ** 2 + (columns - 30) ** 2 < radius**2
    moved = np.roll(ball, 1, axis=2)
    spur = (planes == 25) & (rows == 30) & (columns >= 30) & (columns < 30 + radius + 12)
    for name, mask, largest in (("moved by 1 mm", moved, 1.0), ("and with a spur of 12 mm", moved | spur, 12.0)):
        found = compute_surface_metrics(image(ball), image(mask))
        one, other = by_hand(ball, mask)
        percentiles = [float(np.percentile(values, 95)) for values in (one, other, np.concatenate([one, other]))]
        between = float(np.percentile(list(largest_by_maps(ball, mask)), 95))
        print(f"radius {radius} mm, {name}: hausdorffDistance {found['hausdorffDistance']:.2f}, hausdorffDistance95 {found['hausdorffDistance95']:.2f}; by hand percentiles {percentiles}, of the two largest {between:.2f}")
        right &= abs(found["hausdorffDistance95"] - between) < 1e-3 and percentiles == [1.0] * 3 and abs(found["hausdorffDistance"] - largest) < 1e-3
sys.exit(0 if right and between > 11 else 1)
PYTHON
