#!/usr/bin/env bash
# PyRadiomics 3.0.1: `geometryTolerance` is set in ITK for the whole process and never back. A mask that a new extractor with default
# settings refuses is accepted by the same extractor once another one with a wide tolerance has been made, so that which
# cases of a batch fail depends on what ran before them.
#
# Found with Python 3.11.7, numpy 1.26.4, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet "$@"; }
pip numpy==1.26.4 SimpleITK==2.5.7 PyWavelets==1.8.0 pykwalify==1.8.0 six==1.17.0 docopt==0.6.2 versioneer==0.29 \
    setuptools==69.5.1 wheel==0.45.1
pip --no-build-isolation --no-deps pyradiomics==3.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys

import numpy as np
import radiomics
import SimpleITK as sitk
from radiomics import featureextractor

radiomics.logger.setLevel(logging.CRITICAL)
z, y, x = np.mgrid[0:6, 0:6, 0:6]
image = sitk.GetImageFromArray((31 * z + 17 * y + 7 * x).astype(np.int16))
mask = sitk.GetImageFromArray(((z > 0) & (y > 1) & (x > 1)).astype(np.uint8))
mask.SetOrigin((1e-4, 0, 0))


def outcome(settings):
    try:
        return len(featureextractor.RadiomicsFeatureExtractor(**settings).execute(image, mask))
    except ValueError as error:
        return str(error).splitlines()[0]


before, wide, after = outcome({}), outcome({"geometryTolerance": 0.01}), outcome({})
print("PyRadiomics", radiomics.__version__)
print("default settings:", before)
print("geometryTolerance 0.01:", wide, "values")
print("default settings again:", after, "values")
sys.exit(0 if isinstance(before, str) and isinstance(after, int) and wide == after else 1)
PYTHON
