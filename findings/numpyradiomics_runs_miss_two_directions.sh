#!/usr/bin/env bash
# numpyradiomics 0.0.5 (2026), by its summary "a light-weight python-native implementation of pyradiomics": its run-length features (glrlm)
# count 13 directions of which two are counted twice and two never. The diagonals within a slice (rows against columns) are the ones left
# out, those of slices against rows stand in for them. Stripes along such a diagonal have a long run emphasis of 1.83, where PyRadiomics
# 3.0.1 and counting by hand say 5.55; the same volume with slices and columns exchanged, whose 13 directions are the same ones, has 9.27
# (PyRadiomics 5.55). In noise both agree to 0.1 %, which is why a test on noise does not show it.
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
import itertools
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import numpyradiomics
import SimpleITK as sitk
from radiomics import glrlm

logging.getLogger("radiomics").setLevel(logging.CRITICAL)
SIZE = 12
generator = np.random.default_rng(1)
rows_of_stripes = generator.integers(0, 4, size=(SIZE, 2 * SIZE))
z, y, x = np.indices((SIZE, SIZE, SIZE))
stripes = rows_of_stripes[z, y + x]
noise = generator.integers(0, 4, size=(SIZE, SIZE, SIZE))
everything = np.ones((SIZE, SIZE, SIZE), np.uint8)
directions = [d for d in itertools.product((-1, 0, 1), repeat=3) if d > (0, 0, 0)]


def by_hand(image):
    """The mean square of the run lengths, averaged over the directions."""
    padded = np.pad(image, 1, constant_values=-1)
    means = []
    for step in directions:
        lengths = []
        for place in np.argwhere(padded >= 0):
            level = padded[tuple(place)]
            if padded[tuple(place - step)] != level:
                lengths.append(next(n for n in itertools.count(1) if padded[tuple(place + n * np.array(step))] != level))
        means.append(np.mean(np.square(lengths)))
    return np.mean(means)


def by_pyradiomics(image):
    voxels, mask = sitk.GetImageFromArray(image.astype(float)), sitk.GetImageFromArray(everything)
    features = glrlm.RadiomicsGLRLM(voxels, mask, binWidth=1)
    features.enableFeatureByName("LongRunEmphasis")
    return float(features.execute()["LongRunEmphasis"])


seen = {}
for name, image in {"stripes": stripes, "stripes, slices for columns": stripes.transpose(2, 1, 0), "noise": noise}.items():
    found = float(numpyradiomics.glrlm(image.astype(float), everything, binWidth=1)["LongRunEmphasis"])
    seen[name] = (found, by_pyradiomics(image), by_hand(image))
    print(f"{name}: long run emphasis {found:.4f}, PyRadiomics {seen[name][1]:.4f}, by hand {seen[name][2]:.4f}")
peers = all(np.isclose(pyradiomics, hand) for _, pyradiomics, hand in seen.values())
low = seen["stripes"][0] < 0.5 * seen["stripes"][2]
high = seen["stripes, slices for columns"][0] > 1.5 * seen["stripes"][2]
hidden = 0 < abs(seen["noise"][0] / seen["noise"][2] - 1) < 0.001
sys.exit(0 if len(directions) == 13 and peers and low and high and hidden else 1)
PYTHON
