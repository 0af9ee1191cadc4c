#!/usr/bin/env python3
"""How far SimpleITK's N4 is from itself: with other numbers of threads, and on the image times a constant.

    venv/bin/python benches/simpleitk_spread.py PACK [CASE ...]

PACK is the folder of the imaging reference pack, CASE a folder in it. A constant factor only shifts the logarithm, so that the field
stays the same but for rounding. Each line is a difference from the pack's field, which SimpleITK found with one thread: the largest
at any voxel, and the root mean square inside the mask over the range of the field there.
"""

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

RUNS = [(threads, 1.0) for threads in (1, 2, 3, 4, 8)] + [(1, factor) for factor in (0.5, 1.5, 2.0, 3.0)]


def log_bias_field(image, mask, shrink, threads):
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    inputs = [sitk.Shrink(i, [shrink] * 3) if shrink > 1 else i for i in (image, mask)]
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    correction.Execute(*inputs)
    return sitk.GetArrayFromImage(correction.GetLogBiasFieldAsImage(image))


def main():
    pack, wanted = Path(sys.argv[1]), sys.argv[2:]
    for case in json.loads((pack / "manifest.json").read_text())["cases"]:
        if case["kind"] != "n4" or case["params"]["thr"] == 0.0 or (wanted and case["name"] not in wanted):
            continue
        image = sitk.Cast(sitk.ReadImage(str(pack / case["input"])), sitk.sitkFloat32)
        mask = sitk.ReadImage(str(pack / case["mask"]))
        inside = sitk.GetArrayFromImage(mask) == 1
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(pack / case["outputs"]["log_bias"]["path"])))
        for threads, factor in RUNS:
            found = log_bias_field(image * factor, mask, case["params"]["shrink"], threads)
            distance = np.abs(found - expected)
            rms = np.sqrt((distance[inside] ** 2).mean()) / np.ptp(expected[inside])
            print(f"{case['name']} {case['key']}: {threads} threads, image x {factor}: largest {distance.max():.1e}, normalised RMS {rms:.1e}", flush=True)


if __name__ == "__main__":
    main()
