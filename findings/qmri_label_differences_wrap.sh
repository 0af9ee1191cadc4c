#!/usr/bin/env bash
# qmri 0.1.0 (2026): perfusion by arterial spin labelling and the magnetisation transfer ratio take differences of images in the type of the
# images. DICOM images of MR are unsigned, and so are the arrays that are made of them; where the labelled image is the brighter one, as
# noise makes it in a third of the voxels here, -3 becomes 65533. With a true perfusion of 25 ml/100 g/min and noise of twice the difference
# the mean of a region is 204105 for 23; in a map that is clipped for display these voxels look like vessels. A transfer ratio of -0.3 becomes
# 6553. The same images as int32 or float64 are right. Nothing is said.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet qmri==0.1.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from qmri.perfusion import asl
from qmri.transfer import mtr

PERFUSION, DURATION, DELAY, EFFICIENCY, BLOOD, PARTITION = 25.0, 1.8, 1.8, 0.85, 1.65, 0.9
generator = np.random.default_rng(0)
equilibrium = np.full(4096, 1000.0)
factor = 6000 * PARTITION * np.exp(DELAY / BLOOD) / (2 * EFFICIENCY * BLOOD * (1 - np.exp(-DURATION / BLOOD)))
difference = PERFUSION * equilibrium / factor
control = np.round(900 + generator.normal(0, 6, 4096))
label = np.round(900 - difference + generator.normal(0, 6, 4096))


def by_hand():
    """The equation of the consensus paper for pseudo-continuous labelling."""
    return float(np.mean(factor * (control - label) / equilibrium))


print(f"qmri {version('qmri')}; difference of {difference[0]:.1f} in images of 900, noise of 6, label brighter in {np.mean(label > control):.0%} of the voxels")
print(f"perfusion by hand {by_hand():.1f} ml/100 g/min")
found = {}
for kind in ("uint16", "int32", "float64"):
    images = [image.astype(kind) for image in (control, label, equilibrium)]
    perfusion = float(np.mean(asl.quantify_pcasl(*images, label_duration=DURATION, post_label_delay=DELAY).perfusion))
    ratio = float(mtr.calculate_mtr(np.array([1000], kind), np.array([1003], kind)).mtr[0])
    found[kind] = perfusion, ratio
    print(f"{kind}: perfusion {perfusion:.1f}, magnetisation transfer ratio {ratio:.2f} (by hand {100 * (1000 - 1003) / 1000:.2f})")
right = all(abs(found[kind][0] - by_hand()) < 1e-6 and abs(found[kind][1] + 0.3) < 1e-9 for kind in ("int32", "float64"))
sys.exit(0 if right and found["uint16"][0] > 1000 and found["uint16"][1] > 1000 else 1)
PYTHON
