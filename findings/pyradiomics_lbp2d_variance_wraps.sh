#!/usr/bin/env bash
# PyRadiomics 3.0.1 with scikit-image 0.22.0: `lbp2DMethod: var` on a volume of 16-bit integers. The local variance is written back into
# an array of the image's own type, so that a variance above 32767 comes out as its lowest 16 bits, negative or small,
# without a word; on a CT image such variances lie at every edge. The same volume in double precision keeps them.
#
# Found with Python 3.11.7, numpy 1.26.4, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet "$@"; }
pip numpy==1.26.4 SimpleITK==2.5.7 PyWavelets==1.8.0 scipy==1.11.4 scikit-image==0.22.0 pykwalify==1.8.0 six==1.17.0 \
    docopt==0.6.2 versioneer==0.29 setuptools==69.5.1 wheel==0.45.1
pip --no-build-isolation --no-deps pyradiomics==3.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
import warnings

import numpy as np
import radiomics
import SimpleITK as sitk
from radiomics import imageoperations

warnings.simplefilter("ignore")
radiomics.logger.setLevel(logging.CRITICAL)
x = np.arange(8)
steps = np.broadcast_to(np.where(x < 4, -1000, 1000), (1, 8, 8))  # air beside bone
middle = {}
for kind in (np.int16, np.float64):
    image = sitk.GetImageFromArray(steps.astype(kind))
    filtered, _, _ = next(imageoperations.getLBP2DImage(image, None, lbp2DMethod="var", force2D=True))
    middle[kind.__name__] = float(sitk.GetArrayFromImage(filtered)[0, 4, 4])
print("PyRadiomics", radiomics.__version__)
for kind, value in middle.items():
    print(f"variance at the edge, image of {kind}: {value:g}")
whole = int(middle["float64"])
wrapped = (whole + 2**15) % 2**16 - 2**15
print(f"lowest 16 bits of {whole}: {wrapped}")
sys.exit(0 if whole > 32767 and middle["int16"] == wrapped else 1)
PYTHON
