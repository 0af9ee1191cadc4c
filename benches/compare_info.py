#!/usr/bin/env python3
"""Times `alnm info` on 3,000 DICOM files and the reading of a series of 300 slices, an old build and a new one in turn.

    python3 -m venv venv && venv/bin/pip install pydicom==3.0.2 numpy
    cargo build --release
    venv/bin/python benches/compare_info.py OTHER/release/alnm target/release/alnm [--folder FOLDER ...]

The files are written first: ten series of 300 slices of 128 x 128 pixels of 16 bits, each header with a private element of 20 kB, as
scanners write; and one series of 300 slices of 512 x 512, which is read whole to be resampled to a few voxels. With --folder, `info` is
timed on these folders too. Figures are the least of all runs, in seconds, with the files in the cache of the system: by the clock, and of
the processor, which other programs on the machine change less.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian


def write_series(folder, number, slices, side):
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(number).integers(0, 1000, (side, side), dtype=np.uint16)
    for index in range(slices):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        meta.MediaStorageSOPInstanceUID = f"2.25.{number + 1}{index:04}"
        data = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "2.25.7", f"2.25.8{number}", "2.25.9"
        data.Modality, data.PatientID, data.SeriesNumber, data.InstanceNumber = "MR", "P", number, index + 1
        data.StudyDate = data.SeriesDate = data.AcquisitionDate = "20250301"
        data.AcquisitionTime, data.SeriesDescription, data.ImageType = "101010.5", "T1", ["ORIGINAL", "PRIMARY", "M", "ND"]
        data.EchoTime, data.RepetitionTime, data.FlipAngle = "2.3", "5.1", "12"
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 2 * index], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [0.8, 0.8], "2"
        data.Rows = data.Columns = side
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        block = data.private_block(0x0051, "SOME VENDOR", create=True)
        block.add_new(0x10, "OB", bytes(20000))
        data.PixelData = (pixels + index).tobytes()
        data.save_as(folder / f"{index:04}.dcm", enforce_file_format=True)


def least(commands, runs):
    """The least seconds by the clock and of the processor of each command, which take turns."""
    best = [[float("inf")] * 2 for _ in commands]
    environment = os.environ | {"RUST_BACKTRACE": "0"}
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    for _ in range(runs):
        for index, command in enumerate(commands):
            start, used_before = time.perf_counter(), used()
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
            seconds = [time.perf_counter() - start, used() - used_before]
            best[index] = [min(pair) for pair in zip(best[index], seconds)]
            if done.returncode:
                raise SystemExit(f"{command}: {done.stderr}")
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--folder", type=Path, nargs="*", default=[])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        for number in range(10):
            write_series(work / "many" / str(number), number, 300, 128)
        write_series(work / "one", 99, 300, 512)
        out = work / "out.nii"
        cases = {
            "info, 3,000 files": ["info", work / "many"],
            "info, one series of 300": ["info", work / "one"],
            "reading, 300 slices of 512 x 512": ["resample", work / "one", out, "--spacing", "40,40,40", "--interpolator", "nearest", "--force"],
        }
        for folder in options.folder:
            cases[f"info, {sum(path.is_file() for path in folder.rglob('*'))} files of {folder.name}"] = ["info", folder]
        print("| case | old | new | ratio | processor: old | new | ratio |\n|---|---|---|---|---|---|---|")
        for name, arguments in cases.items():
            old, new = least([[options.old.resolve(), *arguments], [options.new.resolve(), *arguments]], options.runs)
            cells = [f"{a:.3f} | {b:.3f} | {a / b:.2f}" for a, b in zip(old, new)]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
