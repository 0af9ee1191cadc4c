#!/usr/bin/env bash
# imagedata 3.10.0 (2026) writes MetaImage files (format "itk") whose slices lie a square of their distance apart: the third column of the
# direction is not of length one but carries the slice spacing once more. A CT with slices each 2.5 mm has them each 6.25 mm for ITK,
# SimpleITK and whatever reads by them, each 1 mm at 1 mm, and each 0.25 mm at 0.5; the spacing in the file is right, so that volumes are
# too, and only places are not: a lesion in the sixth of eight slices lies 18.75 mm from where it was, and a mask or a dose for the
# patient is laid over other slices. In oblique series the shift has three components. Its NIfTI of the same series is right, and imagedata
# reads its own file back rightly, since it takes that column as it wrote it. SimpleITK takes the matrix without a word.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imagedata==3.10.0 SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
cd "$folder"
venv/bin/python - 2>errors <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from imagedata import Series
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SLICES, ROWS, COLUMNS, PIXEL = 8, 12, 10, 0.8
ORIGIN = np.array([-30.0, 20.0, -50.0])
LESION = (5, 3, 7)  # slice, row, column
COSINE, SINE = np.cos(np.radians(15)), np.sin(np.radians(15))
UPRIGHT, TILTED = np.eye(3), np.array([[1, 0, 0], [0, COSINE, -SINE], [0, SINE, COSINE]])


def write(folder, step, direction):
    """A CT with one bright voxel. The columns of the direction point along columns, rows and slices."""
    folder.mkdir()
    study, frame, series = generate_uid(), generate_uid(), generate_uid()
    stored = np.full((SLICES, ROWS, COLUMNS), 1000, np.uint16)
    stored[LESION] = 2000
    for number, pixels in enumerate(stored):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.FrameOfReferenceUID, image.SeriesInstanceUID = study, frame, series
        image.Modality, image.PatientID, image.PatientName = "CT", "1", "Phantom"
        image.InstanceNumber, image.Rows, image.Columns = number + 1, ROWS, COLUMNS
        image.SeriesNumber, image.AcquisitionNumber, image.StudyDate, image.StudyTime = 1, 1, "20260101", "120000"
        image.PixelSpacing, image.SliceThickness = [PIXEL, PIXEL], step
        image.ImagePositionPatient = [round(float(value), 6) for value in ORIGIN + direction[:, 2] * step * number]
        image.ImageOrientationPatient = [round(float(value), 8) for value in direction[:, :2].T.ravel()]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept, image.PixelData = 1, -1000, pixels.tobytes()
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def lesion(path):
    """Where SimpleITK finds the bright voxel, and the distance of the first two slices."""
    image = sitk.ReadImage(path)
    (place,) = np.argwhere(sitk.GetArrayFromImage(image) == 1000)
    first, second = (np.array(image.TransformIndexToPhysicalPoint((0, 0, number))) for number in (0, 1))
    there = image.TransformIndexToPhysicalPoint([int(index) for index in place[::-1]])
    return np.array(there), float(np.linalg.norm(second - first)), image.GetSpacing()[2]


print(f"imagedata {version('imagedata')}, SimpleITK {version('SimpleITK')}")
wrong, right = [], []
cases = (("upright", 2.5, UPRIGHT), ("tilted", 2.5, TILTED), ("upright", 0.5, UPRIGHT), ("upright", 1.0, UPRIGHT))
for number, (name, step, direction) in enumerate(cases):
    folder = Path(f"series{number}")
    write(folder, step, direction)
    slice_number, row, column = LESION
    truth = ORIGIN + direction @ (PIXEL * column, PIXEL * row, step * slice_number)
    series = Series(str(folder))
    series.write(f"meta{number}", formats=["itk"])
    series.write(f"nifti{number}", formats=["nifti"])
    place, apart, spacing = lesion(f"meta{number}.mha")
    nifti, _, _ = lesion(f"nifti{number}.nii.gz")
    own = Series(f"meta{number}.mha").getPositionForVoxel(np.array(LESION)).ravel()[::-1]
    moved = (place - truth).round(2).tolist()
    print(f"{name}, slices each {step} mm: each {apart:.2f} mm by MetaImage (spacing {spacing:g}), lesion moved by {moved} mm")
    squared = np.isclose(apart, step**2, rtol=1e-3) and np.isclose(spacing, step)
    wrong.append(squared and np.allclose(place - truth, direction[:, 2] * slice_number * (step**2 - step), atol=1e-3))
    right.append(np.allclose(nifti, truth, atol=1e-3) and np.allclose(own, truth, atol=1e-3))
    print(f"  by NIfTI and by imagedata itself: moved by {(nifti - truth).round(2).tolist()} and {(own - truth).round(2).tolist()} mm")
sys.exit(0 if all(wrong) and all(right) else 1)
PYTHON
