#!/usr/bin/env bash
# numpyradiomics 0.0.5 (2026), "following PyRadiomics conventions": its Maximum2DDiameterSlice is not the largest diameter within a slice but
# that of the region's shadow, all slices laid on top of each other; Row and Column likewise. An oblique vessel that measures 8 mm and
# a voxel's edge in every axial slice has 57.3 mm, where PyRadiomics 3.0.1 says 9.1; across rows and columns 56.2 instead of 13.0. A ball and
# an upright vessel, whose shadow is one of their slices, have the same value in both, and so have the other eleven shape features, in all three.
#
# Found with Python 3.11.7, numpy 1.26.4, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet "$@"; }
pip numpyradiomics==0.0.5 numpy==1.26.4 SimpleITK==2.5.7 PyWavelets==1.8.0 scipy==1.11.4 scikit-image==0.22.0 pykwalify==1.8.0 \
    six==1.17.0 docopt==0.6.2 versioneer==0.29 setuptools==69.5.1 wheel==0.45.1
pip --no-build-isolation --no-deps pyradiomics==3.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import numpyradiomics
import SimpleITK as sitk
from radiomics import shape
from scipy.spatial.distance import pdist

logging.getLogger("radiomics").setLevel(logging.CRITICAL)
NAMES = ["Maximum2DDiameterSlice", "Maximum2DDiameterRow", "Maximum2DDiameterColumn"]
z, y, x = np.indices((40, 60, 60))
inside = (z >= 2) & (z < 38)
vessel = ((y - 10 - z) ** 2 + (x - 10 - z) ** 2 <= 16) & inside
upright = ((y - 30) ** 2 + (x - 30) ** 2 <= 16) & inside
ball = (z - 20) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 <= 64


def within_slices(region):
    """The largest distance between centres of voxels of one axial slice."""
    return max(pdist(np.argwhere(plane)).max() for plane in region if plane.sum() > 1)


def compared(name, region):
    voxels, mask = region.astype(float), region.astype(np.uint8)
    peer = shape.RadiomicsShape(sitk.GetImageFromArray(voxels), sitk.GetImageFromArray(mask))
    peer.enableAllFeatures()
    peer = {key: float(value) for key, value in peer.execute().items()}
    found = {key: float(value) for key, value in numpyradiomics.shape(mask, (1.0, 1.0, 1.0)).items()}
    others = max(abs(found[key] / peer[key] - 1) for key in peer if key in found and key not in NAMES)
    print(f"{name}: slice, row, column {[round(found[key], 1) for key in NAMES]}, PyRadiomics {[round(peer[key], 1) for key in NAMES]}", end="")
    print(f", centres of voxels in one slice {within_slices(region):.1f}; the others differ by {others:.1%} at most")
    return np.array([found[key] for key in NAMES]), np.array([peer[key] for key in NAMES]), within_slices(region), others


oblique = compared("oblique vessel", vessel)
right = [compared("ball", ball), compared("upright vessel", upright)]
peer_holds = 0 < oblique[1][0] - oblique[2] < 1.5
shadow = oblique[0][0] > 6 * oblique[1][0] and np.all(oblique[0][1:] > 4 * oblique[1][1:])
same = all(np.allclose(found[0], peer[0]) for found, peer, _, _ in right) and all(case[3] < 0.01 for case in [oblique, *right])
sys.exit(0 if peer_holds and shadow and same else 1)
PYTHON
