#!/usr/bin/env python3
"""The Python package beside the Rust call and beside other packages, on the same files, in turn: arrays in, dictionary out.

    cargo build --release -p alnm-benches --bin repeat_extraction
    python3 benches/compare_python.py IMAGE MASK PARAMETERS --alnm VENV/bin/python --pyradiomics VENV/bin/python \\
        [--flash VENV/bin/python] [--fastrad VENV/bin/python] [--pictologics VENV/bin/python]

Each option is a Python that has the package (compare_pyradiomics.py says how PyRadiomics is installed, compare_peers.py how
flash-radiomics is; the other two come from PyPI, and fastrad needs PyTorch). Each program reads the files, makes one
extraction that is not counted, and repeats it; alnm gets NumPy arrays, the others what they take, in memory.

alnm, PyRadiomics and flash-radiomics compute what PARAMETERS say, with diagnostics, and flash-radiomics writes its HDF5
file, which it does always; so that it computes each extraction, it gets a new extractor for each. The other two know no
such files: fastrad computes all its classes of the image as it is with the bin width of PARAMETERS, on its CPU backend, and
Pictologics its intensity, histogram, morphology and texture families likewise. So with a file that has filters or resamples
they do less than the others.

The programs take turns; the least times are compared, since whatever else the machine does only adds to them, with medians
beside them. The values of alnm have to be those of the Rust call, bit by bit.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def repeated(call, seconds, calls):
    """The values of one call, and what each of the others took."""
    values = {name: float(value) for name, value in call().items() if not name.startswith("diagnostics_")}
    taken, started = [], time.perf_counter()
    while len(taken) < calls or time.perf_counter() - started < seconds:
        wall, processor = time.perf_counter(), time.process_time()
        call()
        taken.append([time.perf_counter() - wall, time.process_time() - processor])
    return {"calls": taken, "values": values}


def bin_width(parameters):
    """The bin width of a parameter file, 25 where it has none."""
    found = re.search(r"binWidth:\s*([0-9.]+)", Path(parameters).read_text())
    return float(found.group(1)) if found else 25.0


def simpleitk_images(image, mask):
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(int(os.environ["RAYON_NUM_THREADS"]))
    return SimpleITK.ReadImage(image), SimpleITK.ReadImage(mask)


def alnm(image, mask, parameters, _):
    from alnm import imaging
    from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor

    images = imaging.read(image), imaging.read_mask(mask)
    extractor = RadiomicsFeatureExtractor(parameters)
    return lambda: extractor.execute(*images)


def pyradiomics(image, mask, parameters, _):
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    images = simpleitk_images(image, mask)
    extractor = RadiomicsFeatureExtractor(parameters)
    return lambda: extractor.execute(*images)


def flash_radiomics(image, mask, parameters, folder):
    from flash_radiomics import RadiomicsFeatureExtractor

    images, threads = simpleitk_images(image, mask), int(os.environ["RAYON_NUM_THREADS"])

    def call():
        extractor = RadiomicsFeatureExtractor(parameters, backend="cpu", num_threads=threads)
        return extractor.execute(*images, spatialMode=False, output_hdf5_path=os.path.join(folder, "features.h5"))

    return call


def fastrad(image, mask, parameters, _):
    import SimpleITK
    import torch
    from fastrad import FeatureExtractor, FeatureSettings, Mask, MedicalImage

    torch.set_num_threads(int(os.environ["RAYON_NUM_THREADS"]))
    images = simpleitk_images(image, mask)
    spacing = images[0].GetSpacing()[::-1]
    voxels, labels = (torch.from_numpy(SimpleITK.GetArrayFromImage(image).astype("float32")) for image in images)
    extractor = FeatureExtractor(FeatureSettings(bin_width=bin_width(parameters), device="cpu"))
    return lambda: extractor.extract(MedicalImage(voxels, spacing), Mask(labels == 1, spacing))


def pictologics(image, mask, parameters, _):
    import numpy
    from pictologics import RadiomicsPipeline, load_image

    images = load_image(image), load_image(mask)
    pipeline = RadiomicsPipeline(load_standard=False)
    discretise = {"method": "FBS", "bin_width": bin_width(parameters)}
    families = {"families": ["intensity", "histogram", "morphology", "texture"]}
    pipeline.add_config(
        "plain",
        [{"step": "discretise", "params": discretise}, {"step": "extract_features", "params": families}],
    )

    def call():
        row = pipeline.run(*images, config_names=["plain"])["plain"]
        return {name: value for name, value in row.items() if isinstance(value, (int, float, numpy.number))}

    return call


WORKERS = {
    "alnm": alnm,
    "pyradiomics": pyradiomics,
    "flash": flash_radiomics,
    "fastrad": fastrad,
    "pictologics": pictologics,
}


def work(kind, image, mask, parameters, seconds):
    """One process of a package."""
    import logging
    import warnings

    import numpy

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with numpy.errstate(all="ignore"), tempfile.TemporaryDirectory() as folder:
        return repeated(WORKERS[kind](image, mask, parameters, folder), seconds, 3)


def main():
    if len(sys.argv) > 1 and sys.argv[1] in WORKERS:
        kind, image, mask, parameters, seconds = sys.argv[1:]
        print("\n" + json.dumps(work(kind, image, mask, parameters, float(seconds))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("image", "mask", "parameters"):
        parser.add_argument(name)
    for kind in WORKERS:
        parser.add_argument(f"--{kind}", required=kind == "alnm", help=f"a Python that has {kind}")
    parser.add_argument("--rust", default="target/release/repeat_extraction")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a process repeats in each round, at least")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    files = [os.path.abspath(path) for path in (arguments.image, arguments.mask, arguments.parameters)]
    seconds = str(arguments.seconds)
    commands = {"Rust call": [arguments.rust, *files, "segment", seconds, "3"]}
    for kind in WORKERS:
        if getattr(arguments, kind):
            commands[kind] = [getattr(arguments, kind), os.path.abspath(__file__), kind, *files, seconds]
    threads = ("RAYON_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
    environment = os.environ | dict.fromkeys(threads, str(arguments.threads))
    taken, values = {name: [] for name in commands}, {}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            result = json.loads(done.stdout.splitlines()[-1])
            taken[name] += result["calls"]
            values[name] = result["values"]
    least = {name: [min(call[kind] for call in calls) for kind in (0, 1)] for name, calls in taken.items()}
    median = {name: statistics.median(call[0] for call in calls) for name, calls in taken.items()}
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{arguments.threads} threads, least of {arguments.rounds} rounds; load of the machine at the end {load}")
    for name, (wall, processor) in least.items():
        print(
            f"{name:12} wall {1000 * wall:9.2f} ms, median {1000 * median[name]:9.2f} ms; CPU {1000 * processor:9.2f} ms; "
            f"{len(values[name])} values, {len(taken[name])} calls"
        )
    for slower, faster in [("alnm", "Rust call"), *((kind, "alnm") for kind in WORKERS if kind != "alnm")]:
        if slower in least:
            wall, processor = (least[slower][kind] / least[faster][kind] for kind in (0, 1))
            middle = median[slower] / median[faster]
            print(f"{slower} over {faster}: wall {wall:.3f}, median wall {middle:.3f}, CPU {processor:.3f}")
    same = values["alnm"] == values["Rust call"]
    print("values of alnm and of the Rust call: " + ("the same bits" if same else "DIFFERENT"))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
