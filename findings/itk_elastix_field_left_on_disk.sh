#!/usr/bin/env bash
# itk-elastix 0.25.4 (PyPI): `itk.transformix_deformation_field` gives the field of a registration as an image in memory, and leaves it
# on the disk too: where no output_directory is named, a file deformationField.nii of 12 bytes per voxel appears in the current
# directory, in place of one that was there, with nothing said. `itk.elastix_registration_method` with the same defaults leaves
# nothing. So a loop over patients writes a file as large as three images for each of them, and two processes in one directory write
# the same file. The vectors of the file are those of the image (x and y to the left and to the back), while the grid of the file is
# that of NIfTI (to the right and to the front).
#
# Found with Python 3.11.7, itk 5.4.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet itk-elastix==0.25.4 itk-core==5.4.7 numpy==2.4.6
mkdir "$folder/patient" "$folder/named"
cd "$folder/patient"
"$folder/venv/bin/python" - <<'PYTHON'
import struct
import sys
from importlib.metadata import version
from pathlib import Path

import itk
import numpy as np

block = np.zeros((20, 32, 32), np.float32)
block[6:14, 8:24, 8:24] = 100
fixed, moving = itk.image_from_array(block), itk.image_from_array(np.roll(block, 2, axis=2))
parameters = itk.ParameterObject.New()
parameters.AddParameterMap(itk.ParameterObject.GetDefaultParameterMap("rigid"))
_, transform = itk.elastix_registration_method(fixed, moving, parameter_object=parameters, log_to_console=False)
here = Path(".")
after_registration = sorted(path.name for path in here.iterdir())

itk.transformix_deformation_field(moving, transform, output_directory="../named")
with_directory = sorted(path.name for path in here.iterdir())
left = here / "deformationField.nii"
left.write_text("a file of the user")
field = np.asarray(itk.transformix_deformation_field(moving, transform))

content = left.read_bytes()
start = int(struct.unpack("<f", content[108:112])[0])
stored = np.moveaxis(np.frombuffer(content[start:], "<f4").reshape(3, *block.shape), 0, -1)
[row] = [struct.unpack("<4f", content[280:296])]
print(f"itk-elastix {version('itk-elastix')}")
print(f"in the current directory after the registration: {after_registration}; after a field with a directory: {with_directory}")
print(f"after a field without one: {sorted(path.name for path in here.iterdir())}, {len(content)} bytes")
print(f"x of a vector: {field[10, 16, 16, 0]:.3f} in memory, {stored[10, 16, 16, 0]:.3f} in the file, whose x axis goes {row[0]:+g}")
is_left = after_registration == with_directory == [] and len(content) == start + 12 * block.size
sys.exit(0 if is_left and np.array_equal(stored, field) and row[0] == -1 else 1)
PYTHON
