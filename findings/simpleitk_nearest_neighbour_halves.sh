#!/usr/bin/env bash
# SimpleITK 2.5.7: nearest-neighbour resampling takes the upper voxel where a position lies exactly half way between two,
# as long as the image is upright. Turned by 0.2 rad, image and grid alike, the same plane takes the lower slice, or the
# lower one in some voxels and the upper one in others: the index comes from a matrix that is inverted by singular
# values, and the last bit of that decides. One voxel of a mask moves every radiomic feature of a small lesion.
#
# Found with Python 3.11.7, numpy 1.26.4 on x86-64. Exits 0 while that is so, and 1 when the counts are others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 numpy==1.26.4
"$folder/venv/bin/python" - <<'PYTHON'
import math
import sys

import numpy as np
import SimpleITK as sitk

OLD, NEW = (1.1, 1.6, 3.5), (2.0, 2.0, 2.0)


def fourth_plane(direction):
    """Slices of an image whose voxels hold the number of their slice; the new fourth plane lies at slice 1.5."""
    voxels = np.broadcast_to(np.arange(8)[:, None, None], (8, 12, 14)).astype(np.uint8)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(OLD)
    image.SetDirection(direction)
    image.SetOrigin((-31.7, 12.4, 55.1))
    resampler = sitk.ResampleImageFilter()
    resampler.SetInterpolator(sitk.sitkNearestNeighbor)
    resampler.SetOutputSpacing(NEW)
    resampler.SetOutputDirection(direction)
    resampler.SetSize([math.ceil(n * old / new) for n, old, new in zip(image.GetSize(), OLD, NEW)])
    first = [0.5 * (new - old) / old for old, new in zip(OLD, NEW)]
    resampler.SetOutputOrigin(image.TransformContinuousIndexToPhysicalPoint(first))
    plane = sitk.GetArrayFromImage(resampler.Execute(image))[3]
    return {slice_: int((plane == slice_).sum()) for slice_ in (1, 2)}


c, s = math.cos(0.2), math.sin(0.2)
found = {
    "upright": fourth_plane([1, 0, 0, 0, 1, 0, 0, 0, 1]),
    "turned about x": fourth_plane([1, 0, 0, 0, c, -s, 0, s, c]),
    "turned about y": fourth_plane([c, 0, s, 0, 1, 0, -s, 0, c]),
}
print("SimpleITK", sitk.Version_VersionString())
for name, counts in found.items():
    print(f"{name}: {counts[1]} voxels from slice 1, {counts[2]} from slice 2")
expected = {"upright": {1: 0, 2: 80}, "turned about x": {1: 32, 2: 48}, "turned about y": {1: 80, 2: 0}}
sys.exit(0 if found == expected else 1)
PYTHON
