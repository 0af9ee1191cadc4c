#!/usr/bin/env python3
"""PyRadiomics 3.0.1 and alnm on the same files, in turn: wall time, CPU time, peak memory, and whether the values agree.

    python3.11 -m venv venv
    venv/bin/pip install "numpy<2" SimpleITK PyWavelets pykwalify six docopt versioneer "setuptools<81" wheel cython
    venv/bin/pip install --no-build-isolation pyradiomics==3.0.1
    cargo build --release -p alnm-cli
    cargo build --release -p alnm-benches --bin repeat_extraction
    venv/bin/python benches/compare_pyradiomics.py --images DIR

DIR holds brain1 and breast1 of PyRadiomics' own test cases (brain1_image.nrrd, brain1_label.nrrd, ...); without it only the
generated volumes are measured. "call" is one extraction in a process that has the images in memory and has already done one;
"command" is `pyradiomics` and `alnm extract` from start to end. Each figure is the median over the rounds, in which the two
programs take turns; the spread is the largest over the smallest of PyRadiomics' and of alnm's wall times.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTURE = ["firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]


def worker(image, mask, parameters, mode, seconds, calls):
    """Repeats PyRadiomics' extraction as repeat_extraction does alnm's."""
    import logging

    import numpy
    import SimpleITK
    from radiomics import featureextractor

    logging.disable(logging.CRITICAL)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(int(os.environ["THREADS"]))
    image, mask = SimpleITK.ReadImage(image), SimpleITK.ReadImage(mask)
    extractor = featureextractor.RadiomicsFeatureExtractor(parameters)

    def call():
        with numpy.errstate(all="ignore"):
            return extractor.execute(image, mask, voxelBased=mode == "voxel")

    def number(value):
        if isinstance(value, SimpleITK.Image):
            array = SimpleITK.GetArrayFromImage(value)
            return float(array[numpy.isfinite(array)].mean())
        return float(value)

    values = {name: number(value) for name, value in call().items() if not name.startswith("diagnostics")}
    taken, started = [], time.perf_counter()
    while len(taken) < int(calls) or time.perf_counter() - started < float(seconds):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        taken.append([time.perf_counter() - wall, time.process_time() - processor])
    print(json.dumps({"calls": taken, "values": values}))


def generate(folder):
    """Writes a volume of 128^3 voxels with smooth structure and noise, regions of 50 and 500 thousand voxels, and a region of 16^3."""
    import numpy
    import SimpleITK

    generator = numpy.random.default_rng(1)
    noise = SimpleITK.GetImageFromArray(generator.standard_normal((128, 128, 128)))
    smooth = SimpleITK.GetArrayFromImage(SimpleITK.SmoothingRecursiveGaussian(noise, 4.0))
    volume = 500 + 150 * smooth / smooth.std() + 30 * generator.standard_normal(smooth.shape)
    axis = numpy.arange(128) - 63.5
    distance = numpy.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    arrays = {"volume": numpy.round(volume).astype(numpy.int16)}
    for name, voxels in (("50k", 50_000), ("500k", 500_000)):
        arrays[name] = (distance <= (3 * voxels / (4 * math.pi)) ** (1 / 3)).astype(numpy.uint8)
    arrays["small"] = arrays["volume"][50:74, 50:74, 50:74]
    arrays["cube"] = numpy.pad(numpy.ones((16, 16, 16), numpy.uint8), 4)
    for name, array in arrays.items():
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(folder / f"{name}.nrrd"), True)


def tasks(folder, images):
    """(name, image, mask, parameter file, mode, whether whole commands are compared too)."""
    # In a process of its own, since the peak memory of a process counts what its parent had when it was started.
    subprocess.run([sys.executable, __file__, "--generate", str(folder)], check=True)
    path = lambda name: str(folder / f"{name}.nrrd")
    regions = {"128^3, 50k voxels": (path("volume"), path("50k")), "128^3, 500k voxels": (path("volume"), path("500k"))}
    small = (path("small"), path("cube"))
    own = {name: (str(images / f"{name}_image.nrrd"), str(images / f"{name}_label.nrrd")) for name in ("breast1", "brain1")} if images else {}

    def parameters(name, text):
        (folder / name).write_text(text)
        return str(folder / name)

    default = parameters("default.yaml", "featureClass: {shape: , firstorder: , glcm: , glrlm: , glszm: , gldm: , ngtdm: }\n")
    full = str(ROOT / "crates/alnm-study/params_926.yaml")
    for region, files in (own | regions).items():
        yield f"default 107, {region}", *files, default, "segment", True
        yield f"926, {region}", *files, full, "segment", True
    shape = parameters("shape.yaml", "featureClass: {shape: }\n")
    for region, files in (({"brain1": own["brain1"]} if own else {}) | regions).items():
        yield f"shape, {region}", *files, shape, "segment", False
        for family in TEXTURE:
            for levels in (32, 256):
                file = parameters(f"{family}{levels}.yaml", f"setting: {{binCount: {levels}}}\nfeatureClass: {{{family}: }}\n")
                yield f"{family} {levels} levels, {region}", *files, file, "segment", False
    voxel = parameters("voxel.yaml", "setting: {binCount: 32}\nfeatureClass: {glcm: }\n")
    yield "voxel-based glcm, 16^3", *small, voxel, "voxel", False


def measured(command, threads):
    """The standard output, wall and CPU seconds and peak memory in MiB of a command."""
    limits = dict.fromkeys(
        ["THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"], str(threads)
    )
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | limits, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed with status {status}")
    return output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def call(program, task, threads, seconds):
    """Medians of wall and CPU time of calls in a warm process, its peak memory, and the values."""
    _, image, mask, parameters, mode, _ = task
    fewest = 1 if mode == "voxel" else 3
    output, _, _, memory = measured([*program, image, mask, parameters, mode, str(seconds), str(fewest)], threads)
    result = json.loads(output)
    wall, processor = (statistics.median(taken[kind] for taken in result["calls"]) for kind in (0, 1))
    return wall, processor, memory, result["values"]


def command(program, task, threads, folder):
    """Wall and CPU time and peak memory of a whole command."""
    _, image, mask, parameters, _, _ = task
    out = folder / "out.csv"
    out.unlink(missing_ok=True)
    _, wall, processor, memory = measured([*program, image, mask, "-p", parameters, "-f", "csv", "-o", str(out)], threads)
    return wall, processor, memory, None


def largest_difference(reference, values):
    """The largest relative difference of two sets of values, with the name it belongs to; NaN agrees with NaN."""
    worst = (0.0, "")
    for name, expected in reference.items():
        value = values.get(name)
        if value is None:
            return math.inf, name
        if expected == value or (math.isnan(expected) and math.isnan(value)):
            continue
        difference = abs(value - expected) / max(abs(expected), 1e-9)
        worst = max(worst, (math.inf if math.isnan(difference) else difference, name))
    return worst


def report(name, threads, rounds):
    """Prints one line: the medians of both programs and their ratios."""
    reference, ours = zip(*rounds)
    median = lambda runs, kind: statistics.median(run[kind] for run in runs)
    spread = lambda runs: max(run[0] for run in runs) / min(run[0] for run in runs)
    ratio = lambda kind: median(reference, kind) / max(median(ours, kind), 1e-9)
    line = f"{name:48s} {threads} | {median(reference, 0):9.4f} {median(ours, 0):9.5f} {ratio(0):7.1f}x | {ratio(1):7.1f}x"
    line += f" | {median(reference, 2):6.0f} {median(ours, 2):6.0f} {ratio(2):5.1f}x | {spread(reference):4.2f} {spread(ours):4.2f}"
    if reference[0][3] is not None:
        difference, where = largest_difference(reference[0][3], ours[0][3])
        line += f" | {difference:.1e} {where}"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of PyRadiomics' test cases")
    parser.add_argument("--alnm", type=Path, default=ROOT / "target" / "release" / "alnm")
    parser.add_argument("--repeat", type=Path, default=ROOT / "target" / "release" / "repeat_extraction")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a warm process repeats, at least")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="regular expression for the names of the lines wanted")
    arguments = parser.parse_args()
    ours_call, ours_command = [arguments.repeat], [arguments.alnm, "extract"]
    reference_call, reference_command = [sys.executable, __file__, "--worker"], [Path(sys.executable).parent / "pyradiomics"]
    print(f"{'':48s} threads | PyRadiomics s, alnm s, wall ratio | CPU ratio | peak MiB, ratio | spreads | largest difference")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for task in tasks(folder, arguments.images):
            name, commands = task[0], task[5]
            for threads in arguments.threads:
                if re.search(arguments.only, f"call: {name}"):
                    pair = lambda: (call(reference_call, task, threads, arguments.seconds), call(ours_call, task, threads, arguments.seconds))
                    report(f"call: {name}", threads, [pair() for _ in range(arguments.rounds)])
                if commands and re.search(arguments.only, f"command: {name}"):
                    pair = lambda: (command(reference_command, task, threads, folder), command(ours_command, task, threads, folder))
                    report(f"command: {name}", threads, [pair() for _ in range(arguments.rounds)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    elif sys.argv[1:2] == ["--generate"]:
        generate(Path(sys.argv[2]))
    else:
        main()
