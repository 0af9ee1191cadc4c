#!/usr/bin/env bash
# autods-pet 0.1.0 (2026): the SUV of nearly every PET is too low, as the injected dose is not brought to the time of the scan. Where the
# DICOM files say DecayCorrection START, as those of the large makers do, the activity of each voxel is that at the start of the scan, and
# the dose has to have decayed from the injection until then. Here it is taken as it was injected, as would be right for ADMIN; for NONE it
# is decayed. With FDG 60 minutes after the injection a uniform body has a SUV of 0.68 instead of 1, with gallium-68 0.54; a lesion of 3.5
# has 2.4. Deauville scores compare regions of one image and stay; the table of SUVs that is written, and everything that is read from it,
# does not. The documentation promises an automatic correction of decay.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6, pydicom 3.0.2 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 numpy==2.4.6 pydicom==3.0.2 pandas==2.3.3
"$folder/venv/bin/pip" install --quiet --no-deps autods-pet==0.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime
from importlib.metadata import version

import numpy as np
import SimpleITK as sitk
from autods_pet.imaging.normalization import compute_suvbw, effective_dose, seconds_between

WEIGHT, DOSE = 75.0, 350e6  # kg, Bq at the injection
INJECTION, SCAN = datetime(2026, 3, 2, 9, 0), datetime(2026, 3, 2, 10, 0)
elapsed = seconds_between(INJECTION, SCAN)
print(f"autods-pet {version('autods-pet')}; a body of {WEIGHT:.0f} kg, {DOSE / 1e6:.0f} MBq spread evenly, scanned after {elapsed / 60:.0f} minutes")
found = {}
for nuclide, half_life in (("F-18", 6586.2), ("Ga-68", 4062.6)):
    left = 0.5 ** (elapsed / half_life)
    # What a scanner stores in each voxel, in Bq/ml, by the reference time of its correction.
    stored = {"START": DOSE * left / (WEIGHT * 1000), "ADMIN": DOSE / (WEIGHT * 1000)}
    for correction, activity in stored.items():
        voxels = sitk.GetImageFromArray(np.full((4, 8, 8), activity))
        dose = effective_dose(DOSE, half_life, elapsed, correction)
        suv = float(sitk.GetArrayFromImage(compute_suvbw(voxels, WEIGHT, dose)).mean())
        reference = DOSE * left if correction == "START" else DOSE
        right = activity * WEIGHT * 1000 / reference
        found[nuclide, correction] = suv, right
        print(f"{nuclide}, DecayCorrection {correction}: SUV {suv:.3f}, by hand {right:.3f}")
low = abs(found["F-18", "START"][0] - 0.685) < 0.002 and abs(found["Ga-68", "START"][0] - 0.541) < 0.002
right = all(abs(case[1] - 1) < 1e-9 for case in found.values())
admin = all(abs(case[0] - 1) < 1e-9 for name, case in found.items() if name[1] == "ADMIN")
sys.exit(0 if low and right and admin else 1)
PYTHON
