#!/usr/bin/env python3
"""The study's steps by SimpleITK, PyRadiomics, PyTorch and R on the cohort of a finished run, timed beside ours.

    python3.11 -m venv venv
    venv/bin/pip install numpy setuptools wheel SimpleITK torch torchvision
    venv/bin/pip install pyradiomics==3.0.1 --no-build-isolation --no-binary pyradiomics
    apt-get install r-base r-cran-glmnet r-cran-proc
    cargo run --release --example reproduce_study -- --out out/study
    venv/bin/python benches/compare_study.py out/study --measure images --patients 24
    venv/bin/python benches/compare_study.py out/study --measure check,train,vectors,selection,tables,cross-fitting,bootstrap,stability
    venv/bin/python benches/compare_study.py out/study                       # the table of everything measured so far

Measurements are kept in OUT/compare_study.json, so that they may be made in pieces. Steps that treat each patient, training step or
resample alike and by itself may be measured on some of them (--patients, --steps, --resamples) and are then scaled by their number; the table says
"extrapolated from" with the share. Two processes or threads everywhere. Theirs: N4 as ours (Otsu mask, shrink factor 2, SimpleITK's
stopping), the 926 features by the same parameter file, ResNet50 channels-last with AdamW, batches of 16 and the same augmentations, with
glibc's allocator tuned; univariate tests, correlation filter, mRMR, glmnet, glm, pROC. Ours: costs.json of the run. Each side's own
features, folds and random numbers, so that times are compared here and no results; docs/validation.md compares results.
"""

import argparse
import csv
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Our name of each step in costs.json.
OURS = {
    "check": "files of the cohort", "images": "N4, 1 mm, 926 features, crops", "train": "fine-tuning of all parameters", "vectors": "1000-vectors",
    "selection": "selection and scores", "tables": "tables, importance, ten models", "cross-fitting": "cross-fitting",
    "bootstrap": "bootstrap of the models", "stability": "subgroups, other models, stability",
}
THEIRS = {
    "check": "SimpleITK", "images": "SimpleITK, PyRadiomics", "train": "PyTorch", "vectors": "PyTorch", "selection": "R, glmnet", "tables": "R, pROC",
    "cross-fitting": "R, glmnet", "bootstrap": "R", "stability": "R, glmnet",
}
TUNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_TOP_PAD_": str(1 << 28)}
SIDE, BATCH, EPOCHS, PHASE = 224, 16, 6, 4


def read_image(path):
    """The fourth phase of a series, or its only one."""
    import SimpleITK as sitk
    reader = sitk.ImageSeriesReader()
    files = reader.GetGDCMSeriesFileNames(str(path))
    by_phase = {}
    for file in files:
        header = sitk.ImageFileReader()
        header.SetFileName(file)
        header.ReadImageInformation()
        time_of = header.GetMetaData("0008|0032")
        by_phase.setdefault(time_of.strip(), []).append(file)
    phases = sorted(by_phase)
    reader.SetFileNames(by_phase[phases[PHASE - 1] if len(phases) > 1 else phases[0]])
    return reader.Execute()


def check(arguments):
    import SimpleITK as sitk
    folder, row = arguments
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = read_image(folder / row["image"])
    for column in ("mask", "mask_reader2"):
        if row[column]:
            mask = sitk.ReadImage(str(folder / row[column]))
            assert mask.GetSize() == image.GetSize()


def analyse(arguments):
    """N4, features of each outline, and the crop of one patient."""
    import logging
    import numpy as np
    import SimpleITK as sitk
    from radiomics import featureextractor
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    folder, row = arguments
    image = sitk.Cast(read_image(folder / row["image"]), sitk.sitkFloat32)
    otsu = sitk.OtsuThreshold(image, 0, 1, 200)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.Execute(sitk.Shrink(image, [2] * 3), sitk.Shrink(otsu, [2] * 3))
    corrected = image / sitk.Exp(n4.GetLogBiasFieldAsImage(image))
    corrected.CopyInformation(image)
    extractor = featureextractor.RadiomicsFeatureExtractor(str(ROOT / "crates/alnm-study/params_926.yaml"))
    count = 0
    for column in ("mask", "mask_reader2"):
        if row[column]:
            mask = sitk.ReadImage(str(folder / row[column]))
            mask.CopyInformation(image)
            features = extractor.execute(corrected, mask, label=1)
            count += sum(1 for name in features if not name.startswith("diagnostics"))
    mask = sitk.ReadImage(str(folder / row["mask"]))
    mask.CopyInformation(image)
    spacing = [1.0] * 3
    size = [int(round(n * s)) for n, s in zip(image.GetSize(), image.GetSpacing())]
    grid = (size, sitk.Transform(), sitk.sitkBSpline, image.GetOrigin(), spacing, image.GetDirection())
    voxels = sitk.GetArrayFromImage(sitk.Resample(corrected, *grid))
    labels = sitk.GetArrayFromImage(sitk.Resample(mask, *grid[:2], sitk.sitkNearestNeighbor, *grid[3:]))
    section = int(np.argmax((labels == 1).sum(axis=(1, 2))))
    ys, xs = np.nonzero(labels[section] == 1)
    rectangle = voxels[section, max(0, ys.min() - 3):ys.max() + 4, max(0, xs.min() - 3):xs.max() + 4]
    low, high = np.percentile(rectangle, [1, 99])
    crop = sitk.GetImageFromArray(np.clip((rectangle - low) / (high - low), 0, 1).astype(np.float32))
    scale = [(n - 1) / (SIDE - 1) for n in crop.GetSize()]
    return count, sitk.GetArrayFromImage(sitk.Resample(crop, [SIDE] * 2, sitk.Transform(), sitk.sitkLinear, [0.0] * 2, scale))


def evenly(items, count):
    """So many items, spread evenly over the list."""
    if not count or count >= len(items):
        return items
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


def per_patient(work, folder, rows, count):
    chosen = evenly(rows, count)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(check, [(folder, rows[0])] * 2)  # both processes have loaded their libraries
        if work is analyse:
            pool.map(analyse, [(folder, rows[0])] * 2, chunksize=1)
        start = time.perf_counter()
        pool.map(work, [(folder, row) for row in chosen], chunksize=1)
        return time.perf_counter() - start, len(chosen), len(rows)


def train(rows, steps):
    """Steps of fine-tuning ResNet50 on random images, which take as long as others."""
    import torch
    import torchvision
    import torchvision.transforms.v2 as transforms
    torch.manual_seed(7)
    torch.set_num_threads(2)
    count = sum(row["centre"] == rows[0]["centre"] for row in rows)
    total = EPOCHS * -(-count // BATCH)
    model = torch.nn.Sequential(torchvision.models.resnet50(weights=None), torch.nn.Linear(1000, 1)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-4, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-4, total_steps=total + 2)
    augment = transforms.Compose([transforms.RandomRotation(15, transforms.InterpolationMode.BILINEAR), transforms.RandomHorizontalFlip(),
                                  transforms.RandomVerticalFlip(), transforms.GaussianNoise(0.0, 0.01, clip=False)])
    images, labels = torch.rand(count, 1, SIDE, SIDE), torch.randint(0, 2, (count, 1)).float()

    def step(index):
        chosen = [(index * BATCH + k) % count for k in range(BATCH)]
        batch = torch.stack([augment(images[k]) for k in chosen]).expand(-1, 3, -1, -1)
        batch = transforms.functional.normalize(batch, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).contiguous(memory_format=torch.channels_last)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(batch), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()

    for index in range(2):
        step(index)
    measured = min(steps or total, total)
    start = time.perf_counter()
    for index in range(measured):
        step(index)
    return time.perf_counter() - start, measured, total


def vectors(rows, count):
    import torch
    import torchvision
    torch.set_num_threads(2)
    model = torchvision.models.resnet50(weights=None).to(memory_format=torch.channels_last).eval()
    measured = min(count or len(rows), len(rows))
    with torch.inference_mode():
        batch = torch.rand(8, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
        model(batch)
        start = time.perf_counter()
        for first in range(0, measured, 8):
            model(batch[:min(8, measured - first)])
        return time.perf_counter() - start, measured, len(rows)


def in_r(out, step, *arguments):
    command = ["Rscript", str(ROOT / "benches/compare_study.R"), str(out), step, *map(str, arguments)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def measure(step, out, options):
    """Seconds, the number of pieces measured and the number of all."""
    with open(out / "cohort/patients.csv") as file:
        rows = list(csv.DictReader(file))
    if step in ("check", "images"):
        return per_patient(check if step == "check" else analyse, out / "cohort", rows, options.patients)
    if step == "train":
        return train(rows, options.steps)
    if step == "vectors":
        return vectors(rows, options.patients)
    if step == "stability":
        with open(out / "robustness.json") as file:
            total = json.load(file)["selection_resamples"]
        measured = min(options.resamples or total, total)
        return in_r(out, step, measured), measured, total
    return in_r(out, step), 1, 1


def print_table(found, out):
    with open(out / "costs.json") as file:
        ours = {cost["step"]: cost["seconds"] for cost in json.load(file)}
    print("| step | alnm s | theirs s | by | ratio | |\n|---|---|---|---|---|---|")
    sums = [0.0, 0.0]
    for step, name in OURS.items():
        if step not in found or name not in ours:
            continue
        seconds, measured, total = found[step]
        theirs = seconds * total / measured
        sums = [sums[0] + ours[name], sums[1] + theirs]
        note = "" if measured == total else f"extrapolated from {measured} of {total}"
        print(f"| {name} | {ours[name]:.2f} | {theirs:.1f} | {THEIRS[step]} | {theirs / ours[name]:.1f} | {note} |")
    print(f"| all of these | {sums[0]:.1f} | {sums[1]:.1f} | | {sums[1] / sums[0]:.1f} | |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder of a finished run of reproduce_study on the simulated cohort")
    parser.add_argument("--measure", default="", help="steps to measure: " + ",".join(OURS))
    parser.add_argument("--patients", type=int, default=0, help="of check, images and vectors [default: all]")
    parser.add_argument("--steps", type=int, default=0, help="of train [default: all]")
    parser.add_argument("--resamples", type=int, default=0, help="of stability [default: all]")
    options = parser.parse_args()
    if options.measure.split(",")[0] == "train" and "MALLOC_TOP_PAD_" not in os.environ:
        # The allocator reads its settings when the process starts.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})
    kept = options.out / "compare_study.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for step in filter(None, options.measure.split(",")):
        found[step] = measure(step, options.out, options)
        print(f"{step}: {found[step][0]:.2f} s for {found[step][1]} of {found[step][2]}", flush=True)
        kept.write_text(json.dumps(found))
    print_table(found, options.out)


if __name__ == "__main__":
    main()
