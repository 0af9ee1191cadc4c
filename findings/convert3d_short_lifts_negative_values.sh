#!/usr/bin/env bash
# Convert3D 1.4.6 (PyPI `picsl-c3d`, 2026): "-type short", with the rounding that is its default, makes every negative value greater by one.
# It adds a half and cuts the rest off towards zero, so that -1000 becomes -999, -2 becomes -1 and -1 becomes 0, while 0 and above stay; -1.2
# becomes 0. A CT of whole numbers that is read and written again as short is another one: air is -999, fat -99, and there are no voxels
# of -1,000 (or -1,024) left for a program that looks for the padding by its value. After resampling, too, all below zero lies one
# unit too high, and what lies between -1.5 and 0.5 is 0. Masks of labels are not touched. With -noround whole numbers stay, and files
# of type float, the default for a CT, are right; int is as short. Nothing is said.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet picsl-c3d==1.4.6.0 SimpleITK==2.5.7 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import SimpleITK as sitk
from picsl_c3d import Convert3D

WHOLE = np.array([-1000, -100, -2, -1, 0, 1, 2, 40, 1000])
BETWEEN = np.array([-100.6, -100.4, -1.6, -1.2, -0.6, -0.4, 0.4, 0.6, 1.2])


def written(values, options, kind):
    """A small volume with these values along x, read and written by Convert3D."""
    image = sitk.GetImageFromArray(np.broadcast_to(values, (3, 3, len(values))).astype(kind))
    sitk.WriteImage(image, "in.nii.gz")
    Convert3D().execute(f"in.nii.gz {options} -o out.nii.gz")
    return sitk.GetArrayFromImage(sitk.ReadImage("out.nii.gz"))[1, 1]


print(f"Convert3D {version('picsl-c3d')}")
cases = {
    "short": written(WHOLE, "-type short", np.int16),
    "int": written(WHOLE, "-type int", np.int16),
    "not rounded": written(WHOLE, "-noround -type short", np.int16),
    "float": written(WHOLE, "-type float", np.int16),
}
print(f"whole numbers: {WHOLE.tolist()}")
for name, values in cases.items():
    print(f"as {name}: {values.astype(int).tolist()}")
rounded = written(BETWEEN, "-type short", np.float32)
print(f"{BETWEEN.tolist()} as short: {rounded.tolist()}")

# A body of fat in air on a grid of nine tenths: resampled as float and rounded by hand, and as short.
body = np.full((20, 20, 20), -1000, np.int16)
body[5:15, 5:15, 5:15] = -100
sitk.WriteImage(sitk.GetImageFromArray(body), "body.nii.gz")
for name, options in (("float", "-type float"), ("short", "-type short")):
    Convert3D().execute(f"body.nii.gz -resample 90x90x90% {options} -o {name}.nii.gz")
exact, short = (sitk.GetArrayFromImage(sitk.ReadImage(f"{name}.nii.gz")) for name in ("float", "short"))
shift = float(np.mean(short - np.rint(exact)))
print(f"resampled: smallest value {exact.min():g} as float, {short.min()} as short; mean shift {shift:.3f}")

lifted = WHOLE + (WHOLE < 0)
same = all(np.array_equal(cases[name], lifted) for name in ("short", "int"))
kept = all(np.array_equal(cases[name], WHOLE) for name in ("not rounded", "float"))
by_hand = np.trunc(BETWEEN + 0.5).astype(int)
sys.exit(0 if same and kept and np.array_equal(rounded, by_hand) and short.min() == -999 and shift > 0.99 else 1)
PYTHON
