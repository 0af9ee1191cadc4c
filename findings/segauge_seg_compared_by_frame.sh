#!/usr/bin/env bash
# segauge 0.1.0 (2026) lays two DICOM segmentations on each other by their frames and not by their places. A SEG has frames only for the
# slices where something was drawn, which the standard allows and which highdicom and other writers do from the start; its volume begins at
# the first of them. A lesion on slices 3 to 7 and one on slices 12 to 16 of the same CT, the same outline, are two volumes of five slices:
# Dice 1, Hausdorff distance 0 mm, found 1 of 1 lesions, with a gap of 8 mm between them. Where they lie, Dice is 0 and the distance 18 mm.
# The package promises to evaluate what a clinical pipeline wrote as it is, in its true geometry; it asks for neither the positions nor the
# frame of reference. The same masks as whole arrays are compared rightly.
#
# Found with Python 3.11.7, highdicom 0.28.2, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet segauge==0.1.0 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

warnings.filterwarnings("ignore")
import highdicom
import numpy as np
import segauge
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SLICES, SIDE, THICKNESS = 20, 32, 2.0
folder = Path(sys.argv[1])
study, series, frame = (generate_uid() for _ in range(3))
images = []
for number in range(SLICES):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.Modality, image.PatientID, image.PatientName, image.SeriesNumber = "CT", "1", "Phantom", 1
    for name in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"):
        setattr(image, name, "")
    image.PositionReferenceIndicator, image.InstanceNumber = "", number + 1
    image.Rows = image.Columns = SIDE
    image.PixelSpacing, image.SliceThickness = [1, 1], THICKNESS
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, THICKNESS * number], [1, 0, 0, 0, 1, 0]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelData = np.zeros((SIDE, SIDE), np.uint16).tobytes()
    images.append(image)


def lesion(first, last):
    mask = np.zeros((SLICES, SIDE, SIDE), np.uint8)
    mask[first : last + 1, 10:20, 10:20] = 1
    return mask


def segmentation(mask, name):
    described = highdicom.seg.SegmentDescription(1, "lesion", codes.SCT.Tissue, codes.SCT.Tissue, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL)
    made = highdicom.seg.Segmentation(images, mask, "BINARY", [described], generate_uid(), 1, generate_uid(), 1, "maker", "model", "1", "1")
    path = folder / f"{name}.dcm"
    made.save_as(path)
    return path


def by_hand(one, other):
    """Dice, and the largest distance from a voxel of one to the other, in mm."""
    places = [np.argwhere(mask) * (THICKNESS, 1, 1) for mask in (one, other)]
    gaps = np.linalg.norm(places[0][:, None] - places[1][None], axis=2)
    dice = 2 * int((one & other).sum()) / int(one.sum() + other.sum())
    return dice, max(gaps.min(axis=0).max(), gaps.min(axis=1).max())


drawn, elsewhere = lesion(3, 7), lesion(12, 16)
paths = segmentation(drawn, "reference"), segmentation(elsewhere, "prediction")
result = segauge.evaluate([segauge.Case("lesion", pred=paths[1], gt=paths[0])]).summary()
seen = {name: result[name].value for name in ("dice", "hd", "nsd", "det_f1")}
volume, spacing = segauge.load_mask(paths[0])
right = by_hand(drawn, elsewhere)
print(f"segauge {version('segauge')}; a volume of {volume.shape} voxels of {spacing} mm for an image of {drawn.shape}")
print(f"the SEG files: {seen}; where they lie: Dice {right[0]:.1f}, distance {right[1]:.0f} mm")

spread = segauge.evaluate([segauge.Case("lesion", pred=elsewhere.astype(bool), gt=drawn.astype(bool), spacing=(THICKNESS, 1, 1))]).summary()
print(f"the same masks as whole arrays: Dice {spread['dice'].value:.1f}, distance {spread['hd'].value:.0f} mm")
same = seen == {"dice": 1.0, "hd": 0.0, "nsd": 1.0, "det_f1": 1.0}
sys.exit(0 if same and volume.shape == (5, SIDE, SIDE) and right == (0.0, 18.0) and spread["dice"].value == 0 and abs(spread["hd"].value - 18) < 0.5 else 1)
PYTHON
