#!/usr/bin/env python3
"""The Python package beside the Rust call and beside PyRadiomics, on the same files, in turn: arrays in, dictionary out.

    cargo build --release -p alnm-benches --bin repeat_extraction
    python3 benches/compare_python.py IMAGE MASK PARAMETERS --alnm VENV/bin/python --pyradiomics VENV/bin/python

`--alnm` is a Python that has the package alnm, `--pyradiomics` one that has PyRadiomics (compare_pyradiomics.py says how it
is installed). Each program reads the files, makes one extraction that is not counted, and repeats it. The package gets NumPy
arrays, PyRadiomics images of SimpleITK that are in memory, repeat_extraction what it has read. Diagnostics are on, as they
are by default. The programs take turns; the least times are compared, since whatever else the machine does only adds to
them, with medians beside them. The values of the package have to be those of the Rust call, bit by bit.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

WORKERS = ("alnm", "pyradiomics")


def repeated(call, seconds, calls):
    """The values of one call, and what each of the others took."""
    values = {name: float(value) for name, value in call().items() if not name.startswith("diagnostics_")}
    taken, started = [], time.perf_counter()
    while len(taken) < calls or time.perf_counter() - started < seconds:
        wall, processor = time.perf_counter(), time.process_time()
        call()
        taken.append([time.perf_counter() - wall, time.process_time() - processor])
    return {"calls": taken, "values": values}


def work(kind, image, mask, parameters, seconds):
    """One process of the package or of PyRadiomics."""
    import logging

    logging.disable(logging.CRITICAL)
    if kind == "alnm":
        from alnm import imaging
        from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor

        image, mask = imaging.read(image), imaging.read_mask(mask)
        extractor = RadiomicsFeatureExtractor(parameters)
        return repeated(lambda: extractor.execute(image, mask), seconds, 3)
    import numpy
    import SimpleITK
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(int(os.environ["RAYON_NUM_THREADS"]))
    image, mask = SimpleITK.ReadImage(image), SimpleITK.ReadImage(mask)
    extractor = RadiomicsFeatureExtractor(parameters)
    with numpy.errstate(all="ignore"):
        return repeated(lambda: extractor.execute(image, mask), seconds, 3)


def main():
    if len(sys.argv) > 1 and sys.argv[1] in WORKERS:
        kind, image, mask, parameters, seconds = sys.argv[1:]
        print(json.dumps(work(kind, image, mask, parameters, float(seconds))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("image", "mask", "parameters"):
        parser.add_argument(name)
    parser.add_argument("--alnm", required=True, help="a Python that has the package alnm")
    parser.add_argument("--pyradiomics", help="a Python that has PyRadiomics")
    parser.add_argument("--rust", default="target/release/repeat_extraction")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a process repeats in each round, at least")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    files = [arguments.image, arguments.mask, arguments.parameters]
    seconds = str(arguments.seconds)
    commands = {
        "Rust call": [arguments.rust, *files, "segment", seconds, "3"],
        "alnm": [arguments.alnm, os.path.abspath(__file__), "alnm", *files, seconds],
    }
    if arguments.pyradiomics:
        commands["PyRadiomics"] = [arguments.pyradiomics, os.path.abspath(__file__), "pyradiomics", *files, seconds]
    environment = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads)}
    taken, values = {name: [] for name in commands}, {}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            result = json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
            taken[name] += result["calls"]
            values[name] = result["values"]
    least = {name: [min(call[kind] for call in calls) for kind in (0, 1)] for name, calls in taken.items()}
    print(f"{len(values['alnm'])} features, {arguments.threads} threads, least of {arguments.rounds} rounds")
    median = {name: statistics.median(call[0] for call in calls) for name, calls in taken.items()}
    for name, (wall, processor) in least.items():
        print(
            f"{name:12} wall {1000 * wall:9.2f} ms, median {1000 * median[name]:9.2f} ms; CPU {1000 * processor:9.2f} ms; "
            f"{len(taken[name])} calls"
        )
    for slower, faster in (("alnm", "Rust call"), ("PyRadiomics", "alnm")):
        if slower in least:
            wall, processor = (least[slower][kind] / least[faster][kind] for kind in (0, 1))
            middle = median[slower] / median[faster]
            print(f"{slower} over {faster}: wall {wall:.3f}, median wall {middle:.3f}, CPU {processor:.3f}")
    same = values["alnm"] == values["Rust call"]
    print("values of alnm and of the Rust call: " + ("the same bits" if same else "DIFFERENT"))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
