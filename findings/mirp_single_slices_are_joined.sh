#!/usr/bin/env bash
# MIRP 2.7.0 (2026) joins what a RTSTRUCT keeps apart: where no two contours of a region lie on neighbouring slices, the mask also covers the
# slices between them. Two metastases of one slice each, slices 1 and 5 of a CT and 20 mm apart across, become a mask through all five slices:
# 288 voxels become 803, of which 484 in slices where nobody drew, and the mean of 100 HU becomes -29. The two drawn slices are filled by
# another rule as well, with 152 and 167 voxels for 144 each. With one contour more, on slice 2, the gap stays a gap. MIRP has this way for
# structures that were drawn on another grid and takes it only where the references to the images do not fit, by its source; but it asks for
# them when the image has lost its own identifiers, so that they never fit. Nothing is said.
#
# Found with Python 3.11.7, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mirp==2.7.0 pydicom==3.0.2 numpy==2.4.6
cd "$folder"
venv/bin/python - 2>&1 <<'PYTHON'
import logging
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import numpy as np
from mirp import extract_features, extract_images
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

SLICES, ROWS, COLUMNS, THICKNESS = 7, 40, 60, 5.0
LESIONS = {  # slice: rows and columns
    1: (slice(10, 22), slice(10, 22)),
    2: (slice(10, 22), slice(10, 22)),
    5: (slice(16, 28), slice(30, 42)),
}


def file(kind, modality, study, frame, series):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.FrameOfReferenceUID, made.SeriesInstanceUID = study, frame, series
    made.Modality, made.PatientID, made.PatientName = modality, "1", "Phantom"
    return made


def item(**attributes):
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def write(folder, slices):
    """A CT with lesions of 100 HU in these slices, and a region with their outlines, half a pixel outside of the outermost centres."""
    folder.mkdir()
    study, frame, series = generate_uid(), generate_uid(), generate_uid()
    references, contours = [], []
    for number in range(SLICES):
        pixels = np.full((ROWS, COLUMNS), 900, np.uint16)
        if number in slices:
            pixels[LESIONS[number]] = 1100
        image = file(CTImageStorage, "CT", study, frame, series)
        image.InstanceNumber, image.Rows, image.Columns = number + 1, ROWS, COLUMNS
        image.PixelSpacing, image.SliceThickness = [1, 1], THICKNESS
        image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, THICKNESS * number], [1, 0, 0, 0, 1, 0]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept, image.PixelData = 1, -1000, pixels.tobytes()
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        references.append(item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=image.SOPInstanceUID))
        if number in slices:
            (top, bottom), (left, right) = ((axis.start - 0.5, axis.stop - 0.5) for axis in LESIONS[number])
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            data = [value for across, down in corners for value in (across, down, THICKNESS * number)]
            contours.append(item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=4, ContourData=data, ContourImageSequence=references[-1:]))
    structures = file(RTStructureSetStorage, "RTSTRUCT", study, frame, generate_uid())
    structures.StructureSetLabel = "lesion"
    of_series = item(SeriesInstanceUID=series, ContourImageSequence=references)
    of_study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=study, RTReferencedSeriesSequence=[of_series])
    structures.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[of_study])]
    structures.StructureSetROISequence = [item(ROINumber=1, ReferencedFrameOfReferenceUID=frame, ROIName="lesion", ROIGenerationAlgorithm="MANUAL")]
    structures.ROIContourSequence = [item(ReferencedROINumber=1, ContourSequence=contours)]
    structures.save_as(folder.with_suffix(".dcm"), enforce_file_format=True)


print(f"MIRP {version('mirp')}; voxels of the mask in each slice, 144 in each lesion")
found = {}
for slices in ((1, 5), (1, 2, 5)):
    folder = Path("slices_" + "_".join(map(str, slices))).absolute()
    write(folder, slices)
    asked = {"image": str(folder), "image_modality": "ct", "mask": str(folder.with_suffix(".dcm")), "roi_name": "lesion"}
    ((_, masks),) = extract_images(**asked, image_export_format="native", write_images=False)
    counts = (masks[0].roi.get_voxel_grid() > 0).sum(axis=(1, 2)).tolist()
    table = extract_features(**asked, base_feature_families="statistics", base_discretisation_method="none", write_features=False)[0]
    (mean,) = (float(table[name].iloc[0]) for name in table.columns if name.startswith("stat_mean"))
    found[slices] = (counts, mean)
    print(f"drawn on {slices}: {counts}, mean {mean:.1f} HU")
joined, mean = found[1, 5]
sys.exit(0 if min(joined[1:6]) > 100 and mean < 50 and found[1, 2, 5] == ([0, 144, 144, 0, 0, 144, 0], 100.0) else 1)
PYTHON
