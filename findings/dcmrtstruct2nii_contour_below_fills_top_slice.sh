#!/usr/bin/env bash
# dcmrtstruct2nii 5: a contour one slice below the image is filled in the image's last slice. Of a structure whose first plane lies 2.5 mm
# under a series of six slices (an image cut shorter than the planning scan), that plane's area appears at the other end, seven
# and a half millimetres and more from any contour, and nothing is said. A contour one slice above the image drops the whole structure instead,
# with a warning in the log.
#
# Found with Python 3.11.7, numpy 2.4.6, pydicom 2.4.4, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dcmrtstruct2nii==5 pydicom==2.4.4 SimpleITK==2.5.7 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from dcmrtstruct2nii import dcmrtstruct2nii
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

SLICES, SPACING, GAP = 6, 1.0, 2.5
folder = Path(sys.argv[1])
study, series, frame = generate_uid(), generate_uid(), generate_uid()


def file(kind):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.is_little_endian, data.is_implicit_VR = True, False
    data.SOPClassUID, data.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.FrameOfReferenceUID, data.PatientID = study, frame, "phantom"
    return data


images = folder / "images"
images.mkdir()
for index in range(SLICES):
    data = file(CTImageStorage)
    data.SeriesInstanceUID, data.Modality, data.InstanceNumber = series, "CT", index + 1
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, GAP * index], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness, data.Rows, data.Columns = [SPACING] * 2, GAP, 32, 32
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    data.PixelData = np.zeros((32, 32), np.int16).tobytes()
    data.save_as(images / f"{index}.dcm", write_like_original=False)


def structure(planes, name):
    data = file(RTStructureSetStorage)
    data.SeriesInstanceUID, data.Modality, data.StructureSetLabel = generate_uid(), "RTSTRUCT", "phantom"
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID, roi.ROIGenerationAlgorithm = 1, name, frame, "MANUAL"
    data.StructureSetROISequence = [roi]
    contours = []
    for plane in planes:
        contour = Dataset()
        corners = [(8.5, 8.5), (20.5, 8.5), (20.5, 20.5), (8.5, 20.5)]
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(corners)
        contour.ContourData = [value for x, y in corners for value in (x, y, GAP * plane)]
        contours.append(contour)
    of_roi = Dataset()
    of_roi.ReferencedROINumber, of_roi.ROIDisplayColor, of_roi.ContourSequence = 1, [255, 0, 0], contours
    data.ROIContourSequence = [of_roi]
    path = folder / f"{name}.dcm"
    data.save_as(path, write_like_original=False)
    return path


def voxels_by_slice(planes, name):
    out = folder / f"out_{name}"
    dcmrtstruct2nii(str(structure(planes, name)), str(images), str(out), convert_original_dicom=False)
    mask = out / f"mask_{name}.nii.gz"
    if not mask.exists():
        return None
    return (sitk.GetArrayFromImage(sitk.ReadImage(str(mask))) > 0).sum(axis=(1, 2)).tolist()


inside = voxels_by_slice([0, 1, 2], "inside")
below = voxels_by_slice([-1, 0, 1], "below")
above = voxels_by_slice([4, 5, 6], "above")
print(f"planes 0 to 2: {inside}\nplanes -1 to 1: {below}\nplanes 4 to 6: {above}")
area = inside[0]
sys.exit(0 if area > 0 and inside == [area] * 3 + [0] * 3 and below == [area, area, 0, 0, 0, area] and above is None else 1)
PYTHON
