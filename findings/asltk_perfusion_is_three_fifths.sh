#!/usr/bin/env bash
# asltk 1.1.3 (2026): its map of cerebral blood flow "with the correct units of mL/100 g/min" holds three fifths of it. Times are in
# milliseconds, so the fit gives mL/g/ms, of which there are 100 * 60 * 1000 = 6,000,000 to one mL/100 g/min; the package multiplies by
# 60 * 60 * 1000. Signals made by Buxton's model for 60 mL/100 g/min come back as 36.0, with the arrival time right to 1 ms; the
# consensus formula gives 53 for one delay of the same signals (it neglects the outflow). Grey matter then looks like ischaemia. The maps
# with several echo times and with diffusion weights use the same factor. And `set_constant`, which is there to give another T1 of
# blood or labelling efficiency, changes nothing: with 1,350 ms and 0.6 the map is the same to the last bit.
#
# Found with Python 3.11.7, numpy 1.26.4, scipy 1.17.1, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet asltk==1.1.3 numpy==1.26.4 scipy==1.17.1 SimpleITK==2.5.7 nibabel==5.4.2
cd "$folder"
venv/bin/python - 2>errors <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import nibabel
import numpy as np
from asltk.asldata import ASLData
from asltk.reconstruction import CBFMapping
from asltk.utils.io import ImageIO

FLOW, ARRIVAL, M0 = 60.0, 800.0, 1000.0  # mL/100 g/min, ms
T1_BLOOD, EFFICIENCY, PARTITION = 1650.0, 0.85, 0.98  # asltk's constants
LABEL = 1800.0
DELAYS = [200.0, 600.0, 1000.0, 1400.0, 1800.0, 2200.0, 2600.0]


def buxton(delay):
    """The difference signal of continuous labelling, with seconds and mL/g/s throughout."""
    flow = FLOW / 100 / 60
    t1, label, arrival, time = T1_BLOOD / 1000, LABEL / 1000, ARRIVAL / 1000, (LABEL + delay) / 1000
    apparent = 1 / (1 / t1 + flow / PARTITION)
    inflow = min(time - arrival, label)
    since = max(time - arrival - label, 0)
    scale = 2 * M0 * flow * apparent * EFFICIENCY * np.exp(-arrival / t1)
    return scale * np.exp(-since / apparent) * (1 - np.exp(-inflow / apparent))


def consensus(signal, delay):
    top = 6000 * 0.9 * signal * np.exp(delay / T1_BLOOD)
    return top / (2 * EFFICIENCY * T1_BLOOD / 1000 * M0 * (1 - np.exp(-LABEL / T1_BLOOD)))


signals = np.array([buxton(delay) for delay in DELAYS])
shape = (3, 4, 5)
series = np.broadcast_to(signals[:, None], shape + (len(DELAYS), 2)).astype(np.float32)  # two echoes, which it asks for
nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), "series.nii.gz")
nibabel.save(nibabel.Nifti1Image(np.full(shape, M0, np.float32), np.eye(4)), "m0.nii.gz")


def maps(**constants):
    mapping = CBFMapping(ASLData(pcasl="series.nii.gz", m0="m0.nii.gz", ld_values=[LABEL] * len(DELAYS), pld_values=DELAYS))
    mapping.set_brain_mask(ImageIO(image_array=np.ones(shape[::-1])))
    for name, value in constants.items():
        mapping.set_constant(value, name)
    with contextlib.redirect_stdout(io.StringIO()):
        made = mapping.create_map(cores=1)
    return made["cbf_norm"].get_as_numpy(), made["att"].get_as_numpy()


flow, arrival = maps()
other, _ = maps(T1bl=1350.0, Alpha=0.6)
print(f"asltk {version('asltk')}: flow {flow.mean():.2f} instead of {FLOW:g} mL/100 g/min, arrival at {arrival.mean():.1f} ms instead of {ARRIVAL:g}")
print(f"by the consensus formula at {DELAYS[4]:g} ms: {consensus(signals[4], DELAYS[4]):.1f}; with other constants: {other.mean():.2f}")
three_fifths = np.allclose(flow, 0.6 * FLOW, rtol=1e-3) and np.allclose(arrival, ARRIVAL, atol=1)
sys.exit(0 if three_fifths and np.array_equal(flow, other) and 50 < consensus(signals[4], DELAYS[4]) < 60 else 1)
PYTHON
