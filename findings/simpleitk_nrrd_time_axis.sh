#!/usr/bin/env bash
# SimpleITK 2.5.7 refuses a valid NRRD file of volumes over time: an axis that is no axis of space has the direction
# "none" and a kind such as "time", as the definition of the format asks, and the reader ends with "number of domain axes
# ... doesn't match dimension of space". The same bytes are read once the kind says "list": as an image of three
# dimensions whose voxels have one component for each time. With the space "left-posterior-superior-time" and four
# directions of four numbers they are an image of four dimensions. pynrrd reads all three alike.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 pynrrd==1.1.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import nrrd
import SimpleITK as sitk

IN_SPACE = """space: left-posterior-superior
space directions: (1,0,0) (0,1,0) (0,0,2) none
space origin: (0,0,0)
kinds: space space space """
FIELDS = {
    "no direction, time": IN_SPACE + "time",
    "no direction, list": IN_SPACE + "list",
    "four directions": """space: left-posterior-superior-time
space directions: (1,0,0,0) (0,1,0,0) (0,0,2,0) (0,0,0,5)
space origin: (0,0,0,0)
kinds: space space space time""",
}


def read(fields):
    header = "NRRD0005\ntype: uchar\ndimension: 4\nsizes: 4 5 3 2\nencoding: raw\n" + fields + "\n\n"
    with open("image.nrrd", "wb") as file:
        file.write(header.encode() + bytes(range(120)))
    voxels, _ = nrrd.read("image.nrrd")
    if voxels.shape != (4, 5, 3, 2):
        return f"pynrrd finds {voxels.shape}"
    try:
        image = sitk.ReadImage("image.nrrd")
    except RuntimeError as error:
        return "refused" if "doesn't match dimension of space" in str(error) else str(error)
    return f"size {image.GetSize()}, {image.GetNumberOfComponentsPerPixel()} components"


sitk.ProcessObject.SetGlobalWarningDisplay(False)
found = {name: read(fields) for name, fields in FIELDS.items()}
print("SimpleITK", sitk.Version_VersionString())
for name, result in found.items():
    print(f"{name}: {result}")
expected = {
    "no direction, time": "refused",
    "no direction, list": "size (4, 5, 3), 2 components",
    "four directions": "size (4, 5, 3, 2), 1 components",
}
sys.exit(0 if found == expected else 1)
PYTHON
