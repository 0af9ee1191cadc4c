#!/usr/bin/env bash
# panoptica 2.1.7 (2026) lets two SimpleITK images pass only where origins and directions agree, by its check; but the check adds the signed
# differences of their numbers. A prediction whose origin lies 30 mm further along x is refused; one that lies 30 mm less is accepted, as
# are one 50 mm below, one 30 mm along x and -30 mm along y, and one turned by 20 degrees. The voxels are then laid on each other by
# index: all of these have a Dice of 1, where the two masks share nothing in space, or not all. Which of the two files is named first
# decides whether such a pair is refused. The spacing is compared exactly, later, and so are sizes.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, numpy 2.2.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet panoptica==2.1.7 SimpleITK==2.5.7 numpy==2.2.6
"$folder/venv/bin/python" - 2>&1 <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import SimpleITK as sitk
from panoptica import InputType, Metric, Panoptica_Evaluator

evaluator = Panoptica_Evaluator(expected_input=InputType.MATCHED_INSTANCE, instance_metrics=[Metric.DSC])


def image(voxels, origin):
    made = sitk.GetImageFromArray(voxels)
    made.SetOrigin(origin)
    return made


def dice(prediction, reference):
    try:
        (result,) = evaluator.evaluate(prediction, reference).values()
        return round(float(np.nan_to_num(result.sq_dsc)), 6)
    except ValueError as error:
        return "refused: " + str(error).split(":")[0]


voxels = np.zeros((20, 40, 40), np.uint8)
voxels[5:10, 3:15, 3:15] = 1
lesion = image(voxels, (0.0, 0.0, 0.0))
turned = image(voxels, (0.0, 0.0, 0.0))
cosine, sine = np.cos(np.radians(20)), np.sin(np.radians(20))
turned.SetDirection((cosine, -sine, 0, sine, cosine, 0, 0, 0, 1))


def true_dice(prediction):
    """Dice of the two masks as they lie in space."""
    moved = sitk.GetArrayFromImage(sitk.Resample(prediction, lesion, sitk.Transform(), sitk.sitkNearestNeighbor))
    return 2 * int((moved & voxels).sum()) / int((moved.sum() + voxels.sum()) or 1)


cases = {
    "30 mm along x": image(voxels, (30.0, 0.0, 0.0)),
    "-30 mm along x": image(voxels, (-30.0, 0.0, 0.0)),
    "-50 mm along z": image(voxels, (0.0, 0.0, -50.0)),
    "30 mm along x and -30 along y": image(voxels, (30.0, -30.0, 0.0)),
    "turned by 20 degrees": turned,
}
seen = {}
for name, prediction in cases.items():
    seen[name] = (dice(prediction, lesion), dice(lesion, prediction))
    print(f"{name}: Dice {seen[name][0]}, roles exchanged {seen[name][1]}; where they lie {true_dice(prediction):.2f}")
accepted = [name for name in cases if seen[name][0] == 1.0]
apart = [name for name in accepted if true_dice(cases[name]) == 0]
expected = ["-30 mm along x", "-50 mm along z", "30 mm along x and -30 along y", "turned by 20 degrees"]
one_way = seen["30 mm along x"] == ("refused: Sanity check failed for SITK", 1.0)
sys.exit(0 if accepted == expected and apart == expected[:3] and one_way else 1)
PYTHON
