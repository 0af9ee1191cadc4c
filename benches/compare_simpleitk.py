#!/usr/bin/env python3
"""Times the `alnm` command against SimpleITK on the same files, and prints ratios and peak memory.

    python3 -m venv venv && venv/bin/pip install SimpleITK==2.5.7 numpy
    cargo build --release -p alnm-cli
    venv/bin/python benches/compare_simpleitk.py --alnm target/release/alnm

The images are generated from a fixed seed: a head of three tissues under a smooth bias field, with noise. Both sides read the same
file, do the same work with the same settings and write the same files, uncompressed (`.nii`) or with --compressed as `.nii.gz`. They take
turns, every run is a process of its own, and the figures are medians:

    command   wall time of the whole process: reading, writing and, for SimpleITK, the start of Python are in it
    work      wall time of the mask and the filter alone, as each process reports it
    cpu       user and system time of the whole process
    peak      largest resident memory of the process, in MiB
    difference   of the results, relative to the largest value

Full-resolution N4 takes SimpleITK minutes a run; `--runs-slow` says how often that is done.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N4_SIZE, N4_SPACING = (256, 256, 96), (0.9, 0.9, 1.6)
# No voxel of the new grid lies half way between two old ones, where the last bit of its place would decide.
RESAMPLE_SIZE, RESAMPLE_SPACING = (448, 448, 120), (0.76, 0.76, 1.52)


def suffix_of(path):
    return ".nii.gz" if str(path).endswith(".gz") else ".nii"


def generate(path, size, spacing):
    """Ellipsoids of three tissues under a quadratic field, with Gaussian noise."""
    import numpy as np
    import SimpleITK as sitk

    generator = np.random.default_rng(20260101)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n, dtype=np.float32) for n in size[::-1]], indexing="ij", sparse=True)
    image = np.zeros(size[::-1], dtype=np.float32)
    for radius, intensity in ((0.85, 300.0), (0.75, 120.0), (0.68, 500.0), (0.35, 380.0)):
        image[(x / 0.9) ** 2 + y**2 + (z / 1.1) ** 2 < radius**2] = intensity
    field = np.exp(0.25 * x + 0.2 * y * y - 0.15 * z + 0.1 * x * y)
    image = image * field + generator.normal(0.0, 12.0, image.shape).astype(np.float32)
    volume = sitk.GetImageFromArray(np.maximum(image, 0.5).astype(np.float32))
    volume.SetSpacing(spacing)
    sitk.WriteImage(volume, str(path), suffix_of(path) == ".nii.gz")


def simpleitk_n4(source, folder, shrink, masked, iterations):
    import SimpleITK as sitk

    image = sitk.ReadImage(source)
    start = time.perf_counter()
    mask = sitk.OtsuThreshold(image, 0, 1, 200) if masked else None
    small = [sitk.Shrink(i, [shrink] * 3) if shrink > 1 else i for i in (image, mask) if i is not None]
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    correction.SetMaximumNumberOfIterations(iterations)
    correction.Execute(*small)
    log_field = correction.GetLogBiasFieldAsImage(image)
    corrected = image / sitk.Cast(sitk.Exp(log_field), image.GetPixelID())
    work = time.perf_counter() - start
    suffix = suffix_of(source)
    for name, image in (("corrected", corrected), ("field", log_field)):
        sitk.WriteImage(image, f"{folder}/{name}{suffix}", suffix == ".nii.gz")
    return work


def simpleitk_resample(source, folder, interpolator):
    import SimpleITK as sitk

    image = sitk.ReadImage(source)
    size = [math.ceil(n * s - 1e-9) for n, s in zip(image.GetSize(), image.GetSpacing())]
    # Both grids have the same centre.
    origin = [o + 0.5 * ((n - 1) * s - (m - 1)) for o, n, s, m in zip(image.GetOrigin(), image.GetSize(), image.GetSpacing(), size)]
    method = {"bspline": sitk.sitkBSpline, "linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}[interpolator]
    start = time.perf_counter()
    result = sitk.Resample(image, size, sitk.Transform(), method, origin, (1.0, 1.0, 1.0), image.GetDirection(), 0.0, image.GetPixelID())
    work = time.perf_counter() - start
    suffix = suffix_of(source)
    sitk.WriteImage(result, f"{folder}/resampled{suffix}", suffix == ".nii.gz")
    return work


def worker(task, *arguments):
    """What runs in a process of its own, so that no image counts as memory of the process that measures."""
    if task == "generate":
        path, *numbers = arguments
        generate(path, [int(n) for n in numbers[:3]], [float(n) for n in numbers[3:]])
        return
    if task == "difference":
        print(*difference(*arguments))
        return
    import SimpleITK as sitk

    source, folder, threads, *options = arguments
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(int(threads))
    if task == "n4":
        print(simpleitk_n4(source, folder, int(options[0]), options[1] == "masked", [int(n) for n in options[2].split(",")]))
    else:
        print(simpleitk_resample(source, folder, options[0]))


def timed(command):
    """Wall and CPU seconds, peak MiB, standard output of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed: {output.decode()}")
    return {
        "wall": time.perf_counter() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
        "output": output.decode(),
    }


def run_worker(*arguments):
    return timed([sys.executable, __file__, "--worker", *arguments])


def difference(theirs, ours):
    """Largest and root mean square difference of two images, relative to the largest value of the first."""
    import numpy as np
    import SimpleITK as sitk

    a, b = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float64) for path in (theirs, ours))
    distance = np.abs(a - b) / np.abs(a).max()
    return distance.max(), np.sqrt((distance**2).mean())


def compare(name, options, folder, task, runs, our_command, result):
    ours, theirs = [], []
    for side in ("simpleitk", "alnm"):
        (folder / side).mkdir(exist_ok=True)
    for _ in range(runs):
        run = run_worker(*task(folder / "simpleitk"))
        theirs.append(run | {"work": float(run["output"])})
        run = timed(our_command(folder / "alnm"))
        ours.append(run | {"work": float(run["output"].split()[-2])})

    def median(side, key):
        return statistics.median(run[key] for run in side)

    files = (str(folder / side / result) for side in ("simpleitk", "alnm"))
    largest, rms = (float(number) for number in run_worker("difference", *files)["output"].split())
    row = {
        "case": name,
        "threads": options.threads,
        "runs": runs,
        "simpleitk": {key: median(theirs, key) for key in ("wall", "work", "cpu", "peak")},
        "alnm": {key: median(ours, key) for key in ("wall", "work", "cpu", "peak")},
        "difference": {"largest": largest, "rms": rms},
    }
    their, our = row["simpleitk"], row["alnm"]
    ratios = " | ".join(f"{their[key] / our[key]:.1f}" for key in ("wall", "work", "cpu"))
    print(
        f"| {name} | {their['wall']:.2f} | {our['wall']:.3f} | {their['work']:.2f} | {our['work']:.3f} | {ratios} "
        f"| {their['peak']:.0f} | {our['peak']:.0f} | {largest:.1e} | {runs} |",
        flush=True,
    )
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", default="target/release/alnm", help="the command to time")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--runs-slow", type=int, default=3, help="runs of N4 at full resolution; 0 leaves it out")
    parser.add_argument("--iterations-slow", default="50,50,50,50", help="most iterations of N4 at full resolution; fewer for a shorter wait")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--compressed", action="store_true", help="read and write .nii.gz")
    parser.add_argument("--json", help="file for all figures")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        suffix = ".nii.gz" if options.compressed else ".nii"
        n4_image, resample_image = str(folder / f"head{suffix}"), str(folder / f"breast{suffix}")
        for path, *grid in ((n4_image, *N4_SIZE, *N4_SPACING), (resample_image, *RESAMPLE_SIZE, *RESAMPLE_SPACING)):
            run_worker("generate", path, *map(str, grid))
        threads = str(options.threads)
        print(f"{options.threads} threads; S SimpleITK, A alnm; seconds, MiB")
        print("| case | command S | A | work S | A | ratio: command | work | cpu | peak S | A | difference | runs |")
        print("|---|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
        default, slow = "50,50,50,50", options.iterations_slow
        for name, shrink, masked, iterations, runs in (
            ("N4, Otsu mask, shrink 4", 4, True, default, options.runs),
            ("N4, no mask, shrink 4", 4, False, default, options.runs),
            (f"N4, Otsu mask, full resolution, {slow} iterations", 1, True, slow, options.runs_slow),
        ):
            if runs == 0 or options.only not in name:
                continue
            masking = ["--otsu"] if masked else []
            rows.append(
                compare(
                    name,
                    options,
                    folder,
                    lambda out: ["n4", n4_image, str(out), threads, str(shrink), "masked" if masked else "all", iterations],
                    runs,
                    lambda out: [options.alnm, "n4", n4_image, f"{out}/corrected{suffix}", "--log-bias-field", f"{out}/field{suffix}", "--force",
                                 "--shrink", str(shrink), "--iterations", iterations, "--threads", threads, *masking],
                    f"corrected{suffix}",
                )
            )
        for interpolator in ("bspline", "linear", "nearest"):
            if options.only not in f"resample, {interpolator}":
                continue
            rows.append(
                compare(
                    f"resample, {interpolator}",
                    options,
                    folder,
                    lambda out: ["resample", resample_image, str(out), threads, interpolator],
                    options.runs,
                    lambda out: [options.alnm, "resample", resample_image, f"{out}/resampled{suffix}", "--spacing", "1,1,1", "--force",
                                 "--interpolator", interpolator, "--threads", threads],
                    f"resampled{suffix}",
                )
            )
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        worker(*sys.argv[2:])
    else:
        main()
