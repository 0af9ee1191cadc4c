#!/usr/bin/env bash
# pydicomRT 0.9.1 (PyPI `pydicomrt`, 2026): a mask with a hole loses the inner pixel of its wall when it becomes an RT structure set. The
# contour of a hole runs through the pixels that surround it, not through those of the hole, so that it takes them away: a bladder wall of
# two pixels, 108 in a slice, comes back with 60, and one of a single pixel with 8 of 60. The contours themselves enclose 56 and 6 pixels
# between them, so that no other reader of the file finds more. Full structures come back to the pixel. The settings that the documentation
# names "for a mask that must round-trip exactly" (no noise size, low-pass ratio raised) change nothing. Skin, vessel walls, cortical bone
# and rings around a target for planning are such masks. Nothing is said.
#
# Found with Python 3.11.7, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicomrt==0.9.1 pydicom==3.0.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicomrt.rs import RTStructBuilder, calc_image_series_affine_mapping, rtstruct_to_masks

SLICES, SIDE = 4, 64
EXACT = {"ex_noise_size": 0, "in_noise_size": 0, "lowpass_ratio": 100, "ctr_precision": 8}


def scan():
    study, series, frame = (generate_uid() for _ in range(3))
    slices = []
    for number in range(SLICES):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.Modality, image.PatientName, image.PatientID = "CT", "Phantom", "1"
        image.StudyDate, image.StudyTime, image.StudyID = "20260101", "120000", "1"
        image.Rows = image.Columns = SIDE
        image.PixelSpacing, image.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient, image.SliceThickness, image.InstanceNumber = [-32, -32, 3 * number], 3, number + 1
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = bytes(2 * SIDE * SIDE)
        slices.append(image)
    return slices


def area(points):
    """The area within a contour."""
    x, y = np.reshape(points, (-1, 3)).astype(float).T[:2]
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


slices = scan()
mapping, shape = calc_image_series_affine_mapping(slices)
rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
radius = np.hypot(rows, columns)
print(f"pydicomRT {version('pydicomrt')}")
found = {}
for name, inner in (("full", 0), ("wall of 4", 6), ("wall of 2", 8), ("wall of 1", 9)):
    outline = (radius < 10) & (radius >= inner)
    mask = np.zeros(shape, np.uint8)
    mask[1:3] = outline
    for settings, config in (("default", None), ("exact", EXACT)):
        structures = RTStructBuilder(slices).add_roi(mask, "wall", contour_config=config).build()
        back = rtstruct_to_masks(structures, mapping, shape)["wall"]["mask_volume"]
        contours = [area(contour.ContourData) for contour in structures.ROIContourSequence[0].ContourSequence]
        found[name, settings] = int(outline.sum()), int(back[1].sum())
        enclosed = (max(contours) - min(contours)) if inner else contours[0]
        print(f"{name}, settings {settings}: {outline.sum()} pixels in a slice, {back[1].sum()} come back; {enclosed:.1f} lie within the contours")
        thin = enclosed if name == "wall of 1" else 0

# By hand: a hole that takes the pixels beside it, by their edges.
hole = radius < 8
beside = hole.copy()
for axis in (0, 1):
    for step in (1, -1):
        beside |= np.roll(hole, step, axis=axis)
left = int(np.sum((radius < 10) & ~beside))
print(f"by hand, the wall of 2 without the pixels beside its hole: {left}")
alike = all(found[name, "default"] == found[name, "exact"] for name, _ in found)
lost = found["wall of 2", "exact"] == (108, left) and found["wall of 1", "exact"][1] < 10 and found["wall of 4", "exact"][1] < 204
sys.exit(0 if alike and lost and thin < 10 and found["full", "exact"][0] == found["full", "exact"][1] else 1)
PYTHON
