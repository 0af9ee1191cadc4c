#!/usr/bin/env bash
# scikit-rt 0.8.2: the dose in a structure leaves out all voxels that get none. `get_dose_in_roi` is said to give all the doses of the voxels in
# a structure; it multiplies the dose by the mask and keeps what is above 0. An organ of which one half gets 10 Gy and the other nothing, as
# beside a field of protons or a Monte Carlo calculation, has a mean dose of 10 Gy instead of 5, a median of 10 instead of 5, and of its
# dose-volume histogram all of the volume gets 10 Gy. The less of an organ is hit, the more it is overstated: a tenth of it at 20 Gy gives a
# mean of 20 for 2. Where every voxel gets a little, the mean is right; the volume of the structure is always right, so that dose and volume
# do not belong together.
#
# Found with Python 3.11.7, numpy 1.26.4, scipy 1.13.1, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==1.26.4 scipy==1.13.1 pandas==2.2.3 matplotlib==3.8.4 shapely==2.2.0 scikit-image==0.22.0 \
    pydicom==2.4.4 python-gdcm==3.2.6 nibabel==5.4.2 SimpleITK==2.5.7 trimesh==5.2.0 lxml==6.1.3 psutil==7.2.2 ipywidgets==8.1.9 tomli==2.5.0 tomli-w==1.2.0
"$folder/venv/bin/pip" install --quiet --no-deps scikit-rt==0.8.2
cd "$folder"
MPLBACKEND=Agg venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from skrt import Dose, Image
from skrt.structures import ROI

SHAPE, VOXEL = (20, 40, 10), (2, 2, 3)  # rows, columns, slices; mm
organ = np.zeros(SHAPE, bool)
organ[5:15, 10:30, 2:8] = True


def case(columns, inside, outside):
    """The dose in some of the columns and in the others."""
    gray = np.full(SHAPE, outside, float)
    gray[:, columns] = inside
    image = Image(np.zeros(SHAPE), voxel_size=VOXEL, origin=(0, 0, 0))
    dose = Dose(gray, voxel_size=VOXEL, origin=(0, 0, 0), image=image)
    roi = ROI(organ, image=image, name="organ")
    values = gray[organ]
    seen = float(dose.get_mean_dose(roi)), float(dose.get_dose_quantile(roi, 0.5)), len(dose.get_dose_in_roi(roi)), float(roi.get_volume(method="mask"))
    right = float(values.mean()), float(np.median(values)), len(values), len(values) * float(np.prod(VOXEL))
    return seen, right


print(f"scikit-rt {version('scikit-rt')}")
found = {}
for name, arguments in (
    ("one half 10 Gy, the other 0", (slice(20, None), 10.0, 0.0)),
    ("a tenth 20 Gy, the others 0", (slice(28, None), 20.0, 0.0)),
    ("one half 10 Gy, the other 0.001", (slice(20, None), 10.0, 0.001)),
):
    seen, right = found[name] = case(*arguments)
    print(f"{name}: mean {seen[0]:.2f} Gy, median {seen[1]:.2f}, {seen[2]} voxels, volume {seen[3]:.0f} mm3")
    print(f"  by hand: mean {right[0]:.2f} Gy, median {right[1]:.2f}, {right[2]} voxels, volume {right[3]:.0f} mm3")
half, tenth, little = found.values()
volumes = all(abs(seen[3] - right[3]) < 1 for seen, right in found.values())
wrong = half[0][0] == 10 and half[1][0] == 5 and tenth[0][0] == 20 and tenth[1][0] == 2 and tenth[0][2] * 10 == tenth[1][2]
sys.exit(0 if volumes and wrong and abs(little[0][0] - little[1][0]) < 1e-9 else 1)
PYTHON
