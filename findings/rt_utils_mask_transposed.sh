#!/usr/bin/env bash
# rt-utils 1.2.7: the mask of a region in images that are not square. An image of 6 rows and 10 columns gives a mask of 10 rows and
# 6 columns (by the convention of numpy and pydicom, in which it takes masks), so that what it reads cannot be laid over the
# images, and what lies beyond the shorter side is cut off without a word. Square images, which CT and most MR have, hide it.
#
# Found with Python 3.11.7, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rt-utils==1.2.7 pydicom==3.0.2 numpy==2.4.6 opencv-python==5.0.0.93
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from rt_utils import RTStructBuilder

ROWS, COLUMNS, SLICES = 6, 10, 3
os.makedirs("series")
for z in range(SLICES):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = f"2.25.{100 + z}"
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"2.25.{100 + z}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = "2.25.1", "2.25.2", "2.25.3"
    image.PatientName = image.PatientID = image.PatientBirthDate = image.PatientSex = ""
    image.StudyDate = image.StudyTime = image.StudyID = image.AccessionNumber = image.ReferringPhysicianName = ""
    image.Modality, image.SeriesNumber, image.InstanceNumber = "CT", 1, z + 1
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, z], [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness, image.SliceLocation = [1, 1], 1, z
    image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    image.PixelData = np.zeros((ROWS, COLUMNS), np.uint16).tobytes()
    image.save_as(f"series/{z}.dcm", enforce_file_format=True)

mask = np.zeros((ROWS, COLUMNS, SLICES), bool)
mask[1:5, 1:9, 1] = True
structures = RTStructBuilder.create_new("series")
structures.add_roi(mask=mask, name="region")
structures.save("rt.dcm")
contour = pydicom.dcmread("rt.dcm").ROIContourSequence[0].ContourSequence[0].ContourData
x, y = [float(v) for v in contour[0::3]], [float(v) for v in contour[1::3]]
found = RTStructBuilder.create_from("series", "rt.dcm").get_roi_mask_by_name("region")
print("rt-utils 1.2.7")
print(f"mask given: {mask.shape[:2]}, {mask.sum()} voxels; contour: x {min(x):g} to {max(x):g}, y {min(y):g} to {max(y):g}")
print(f"mask read: {found.shape[:2]}, {found.sum()} voxels")
sys.exit(0 if found.shape[:2] == (COLUMNS, ROWS) else 1)
PYTHON
