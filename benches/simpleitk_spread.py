#!/usr/bin/env python3
"""How far SimpleITK's N4 is from itself: with 1 to 4 threads and, where it is asked for, on the image times a constant.

    venv/bin/python benches/simpleitk_spread.py PACK [CASE ...] [--factors]

PACK is the folder of the imaging reference pack, CASE a folder in it; without one, every case of N4 is measured, with its own
parameters. A line for each run is a difference from the pack's field, which SimpleITK found with one thread: the largest at any
voxel, and the root mean square inside the mask over the range of the field there. The last line of a case is the worst of its runs
with several threads: a program that is no farther from SimpleITK than this is as near as SimpleITK itself. A constant factor only
shifts the logarithm, so that the field stays the same but for rounding.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

THREADS = [1, 2, 3, 4]
FACTORS = [0.5, 1.5, 2.0, 3.0]


def log_bias_field(image, mask, parameters, threads):
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    shrink = parameters["shrink"]
    inputs = [sitk.Shrink(i, [shrink] * 3) if shrink > 1 else i for i in (image, mask) if i is not None]
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    correction.SetMaximumNumberOfIterations(parameters["iters"])
    correction.SetConvergenceThreshold(parameters["thr"])
    correction.SetNumberOfControlPoints(parameters["cp"])
    correction.SetBiasFieldFullWidthAtHalfMaximum(parameters["fwhm"])
    correction.SetWienerFilterNoise(parameters["wiener"])
    correction.SetNumberOfHistogramBins(parameters["bins"])
    correction.SetSplineOrder(parameters["order"])
    correction.SetUseMaskLabel(parameters["use_label"])
    correction.SetMaskLabel(parameters["label"])
    correction.Execute(*inputs)
    return sitk.GetArrayFromImage(correction.GetLogBiasFieldAsImage(image))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--factors", action="store_true", help="also on the image times a constant")
    options = parser.parse_args()
    for case in json.loads((options.pack / "manifest.json").read_text())["cases"]:
        if case["kind"] != "n4" or (options.cases and case["name"] not in options.cases):
            continue
        parameters, name = case["params"], f"{case['name']} {case['key']}"
        image = sitk.Cast(sitk.ReadImage(str(options.pack / case["input"])), sitk.sitkFloat32)
        mask = sitk.ReadImage(str(options.pack / case["mask"])) if case.get("mask") else None
        labels = sitk.GetArrayFromImage(mask) if mask else np.ones(image.GetSize()[::-1])
        inside = labels == parameters["label"] if parameters["use_label"] or mask is None else labels != 0
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(options.pack / case["outputs"]["log_bias"]["path"])))
        worst = [0.0, 0.0]
        for threads, factor in [(n, 1.0) for n in THREADS] + [(1, f) for f in FACTORS if options.factors]:
            distance = np.abs(log_bias_field(image * factor, mask, parameters, threads) - expected)
            found = [distance.max(), np.sqrt((distance[inside] ** 2).mean()) / np.ptp(expected[inside])]
            worst = np.maximum(worst, found) if factor == 1.0 else worst
            print(f"{name}: {threads} threads, image x {factor}: largest {found[0]:.1e}, normalised RMS {found[1]:.1e}", flush=True)
        print(f"{name}: SimpleITK from itself with 1 to {THREADS[-1]} threads: largest {worst[0]:.1e}, normalised RMS {worst[1]:.1e}", flush=True)


if __name__ == "__main__":
    main()
