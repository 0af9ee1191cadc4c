#!/usr/bin/env bash
# flash-radiomics 1.0.0: the maximal correlation coefficient of a co-occurrence matrix (glcm MCC) is too small where a region has few grey
# levels. For noise of 4 levels in a cube of 6 voxels it says 0.051, where the second eigenvalues of the matrix of each direction give a
# mean of 0.169, as PyRadiomics 3.0.1 says; for 8 levels 0.136 and 0.276; with 16 levels both agree to 5e-6. The contrast agrees in all three,
# so the matrices are the same. The names of the features are those of PyRadiomics. Its wheel names no requirement, so that NumPy,
# SciPy, PyWavelets, h5py, pykwalify, scikit-learn and SimpleITK have to be installed by hand before it can be imported and used.
#
# Found with Python 3.11.7, numpy 2.4.6, SimpleITK 2.5.7 on x86-64, on the CPU with one thread. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flash-radiomics==1.0.0
if "$folder/venv/bin/python" -c "import flash_radiomics" 2>/dev/null; then
    echo "the package brings what it imports"
    exit 1
fi
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1 pywavelets==1.9.0 h5py==3.16.0 pyyaml==6.0.4 pykwalify scikit-learn==1.9.1 SimpleITK==2.5.7
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

logging.disable(logging.CRITICAL)
from flash_radiomics import RadiomicsFeatureExtractor

Path("settings.yaml").write_text("setting: {binWidth: 10}\nimageType: {Original: {}}\nfeatureClass: {glcm: [MCC, Contrast]}\n")
DIRECTIONS = [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]


def by_flash(image, mask):
    extractor = RadiomicsFeatureExtractor("settings.yaml", backend="cpu", num_threads=1)
    images = sitk.GetImageFromArray(image), sitk.GetImageFromArray(mask)
    found = extractor.execute(*images, spatialMode=False, output_hdf5_path="features.h5")
    return float(found["original_glcm_MCC"]), float(found["original_glcm_Contrast"])


def by_eigenvalues(image, mask):
    """The means over directions of the root of the second eigenvalue of Q (Haralick 1973), and of the contrast."""
    levels = np.pad(np.where(mask > 0, image // 10 + 1, 0), 1)
    count, correlations, contrasts = levels.max(), [], []
    for direction in DIRECTIONS:
        pairs = np.zeros((count, count))
        for place in np.argwhere(levels > 0):
            other = levels[tuple(place + direction)]
            if other > 0:
                pairs[levels[tuple(place)] - 1, other - 1] += 1
        pairs = (pairs + pairs.T) / (2 * pairs.sum())
        of_level = pairs.sum(axis=1)
        q = np.einsum("ik,jk->ij", pairs / of_level[:, None], pairs / of_level[None, :])
        correlations.append(np.sqrt(np.sort(np.linalg.eigvals(q).real)[-2]))
        i, j = np.indices(pairs.shape)
        contrasts.append(((i - j) ** 2 * pairs).sum())
    return np.mean(correlations), np.mean(contrasts)


as_found = []
for levels in (4, 8, 16):
    seed = {4: 0, 8: 1, 16: 2}[levels]
    image = np.random.default_rng(seed).integers(0, 10 * levels, (8, 8, 8)).astype(np.int16)
    mask = np.zeros(image.shape, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    (flash, flash_contrast), (expected, contrast) = by_flash(image, mask), by_eigenvalues(image, mask)
    print(f"{levels} levels: MCC {flash:.6f}, by eigenvalues {expected:.6f}; contrast {flash_contrast:.6f} and {contrast:.6f}")
    differs = abs(flash - expected) > 0.1 if levels < 16 else abs(flash - expected) < 1e-5
    as_found.append(differs and np.isclose(flash_contrast, contrast, rtol=1e-5))
sys.exit(0 if all(as_found) else 1)
PYTHON
