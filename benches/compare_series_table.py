"""Times one row of all features of a patient (10 regions, 9 phases, 5 maps) beside the same by PyRadiomics.

    cargo build --release -p alnm-cli
    python benches/compare_series_table.py target/release/alnm [--size 160 160 60]

needs pyradiomics 3.0.1 and SimpleITK. Both run one after the other in this run; PyRadiomics on its default of threads, the
command with as many as --threads says. The values are compared, and times, peak memory and the size of the images printed. The
command is started by a small process of its own: a process counts the memory of the one that starts it as its own peak.
"""

import argparse
import csv
import logging
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import SimpleITK as sitk

parser = argparse.ArgumentParser()
parser.add_argument("alnm")
parser.add_argument("--size", type=int, nargs=3, default=[160, 160, 60])
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--phases", type=int, default=9)
parser.add_argument("--maps", type=int, default=5)
arguments = parser.parse_args()

# Prints the seconds that a command takes and its largest memory in bytes.
STARTER = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""

generator = np.random.default_rng(1)
x, y, z = np.meshgrid(*(np.arange(size) for size in arguments.size), indexing="ij")


def image(values):
    found = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    found.SetSpacing((0.8, 0.8, 1.6))
    return found


mask = np.zeros(x.shape, dtype=np.uint8)
centre = [size / 2 for size in arguments.size]
distance = np.sqrt(((x - centre[0]) * 0.8) ** 2 + ((y - centre[1]) * 0.8) ** 2 + ((z - centre[2]) * 1.6) ** 2)
for label, (low, high) in enumerate(zip(np.arange(0, 30, 3), np.arange(3, 33, 3)), 1):
    mask[(distance >= low) & (distance < high)] = label
names, images = [], []
base = generator.normal(300, 40, x.shape)
for phase in range(arguments.phases):
    names.append(f"phase{phase + 1}")
    gain = 1 + phase * np.exp(-phase / 4) * np.exp(-distance / 12)
    images.append(image((base * gain + generator.normal(0, 10, x.shape)).clip(0).astype(np.int16)))
for number in range(arguments.maps):
    names.append(f"map{number + 1}")
    images.append(image((base * (number + 1) / 20 + generator.normal(0, 2, x.shape)).astype(np.float32)))
region = image(mask)
bytes_of_images = sum(int(np.prod(arguments.size)) * (2 if name.startswith("phase") else 4) for name in names)

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "maps").mkdir()
    for name, voxels in zip(names, images):
        sitk.WriteImage(voxels, str((folder if name == "phase1" else folder / "maps") / f"{name}.nrrd"), False)
    sitk.WriteImage(region, str(folder / "mask.nrrd"), False)
    (folder / "params.yaml").write_text("imageType: {Original: {}}\nsetting: {binWidth: 25, additionalInfo: false}\n"
                                        "featureClass: {firstorder: , glcm: , glrlm: , glszm: , gldm: , ngtdm: }\n")
    command = [str(pathlib.Path(arguments.alnm).resolve()), "extract", "phase1.nrrd", "mask.nrrd", "--labels", "all", "--one-row", "--maps", "maps",
               "-p", "params.yaml", "-f", "csv", "-o", "row.csv", "-j", str(arguments.threads)]
    measured = subprocess.run([sys.executable, "-c", STARTER, *command], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    ours, memory = (float(word) for word in measured.stdout.split())
    row = next(csv.DictReader(open(folder / "row.csv")))

    from radiomics import featureextractor

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    extractor = featureextractor.RadiomicsFeatureExtractor(str(folder / "params.yaml"))
    start = time.perf_counter()
    worst, values = 0.0, 0
    for label in range(1, 11):
        for name in names:
            path = (folder if name == "phase1" else folder / "maps") / f"{name}.nrrd"
            found = extractor.execute(str(path), str(folder / "mask.nrrd"), label=label)
            for feature, value in found.items():
                if not feature.startswith("original_"):
                    continue
                column = f"label{label}_{'image' if name == 'phase1' else name}_{feature}"
                difference = abs(float(row[column]) - float(value)) / max(abs(float(value)), 1e-7)
                worst, values = max(worst, difference), values + 1
    theirs = time.perf_counter() - start

print(f"{len(names)} images, 10 regions: {values} values, worst relative difference {worst:.1e}")
print(f"alnm {ours:.2f} s with {arguments.threads} threads, PyRadiomics {theirs:.2f} s: {theirs / ours:.1f} times")
print(f"memory {memory / 2**20:.0f} MiB, images {bytes_of_images / 2**20:.0f} MiB: {memory / bytes_of_images:.2f} times")
