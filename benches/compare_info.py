#!/usr/bin/env python3
"""Times `alnm info` on 3,000 DICOM files and the reading of a series of 300 slices, an old build and a new one in turn.

    python3 -m venv venv && venv/bin/pip install pydicom==3.0.2 numpy
    cargo build --release
    venv/bin/python benches/compare_info.py OTHER/release/alnm target/release/alnm [--folder FOLDER]

The files are written first: ten series of 300 slices of 128 x 128 pixels of 16 bits, each header with a private element of 20 kB, as
scanners write; and one series of 300 slices of 512 x 512. With --folder, `info` is timed on that folder too. Figures are the least of all
runs, in seconds, with the files in the cache of the system.
"""

import argparse
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
    """The least seconds of each command, which take turns."""
    best = [float("inf")] * len(commands)
    for _ in range(runs):
        for index, command in enumerate(commands):
            start = time.perf_counter()
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            best[index] = min(best[index], time.perf_counter() - start)
            if done.returncode:
                raise SystemExit(f"{command}: {done.stderr}")
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--folder", type=Path)
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
            "convert, 300 slices of 512 x 512 to .nii": ["convert", work / "one", out, "--force"],
        }
        if options.folder:
            cases[f"info, {options.folder}"] = ["info", options.folder]
        for name, arguments in cases.items():
            old, new = least([[options.old.resolve(), *arguments], [options.new.resolve(), *arguments]], options.runs)
            print(f"{name}: old {old:.3f} s, new {new:.3f} s, {old / new:.2f} times as fast")


if __name__ == "__main__":
    main()
