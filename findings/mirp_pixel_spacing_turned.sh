#!/usr/bin/env bash
# MIRP 2.7.0 (2026) takes the two numbers of a DICOM image's PixelSpacing for each other where pixels are not square. The first is the step from
# row to row; MIRP lays it along the columns. A CT with rows 2 mm apart and columns 1 mm apart gets a spacing of 1 mm between rows, so
# that a contour of 10 x 20 mm in a RTSTRUCT, 10 columns and 10 rows, becomes a mask of 5 columns and 20 rows at another place: a lesion of 100
# HU in a body of -100 HU has a mean of -100. The volume stays, and so nobody sees it there; lengths, textures and whatever is resampled
# to cubes of 1 mm would be wrong with a mask on the lesion as well, since the image is stretched the wrong way. The same image with
# square pixels is read rightly, which CT and most MR have; MR with an oblong matrix and reformatted images have not. Nothing is said.
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

SLICES, ROWS, COLUMNS, THICKNESS = 6, 40, 48, 3.0
LESION = (slice(2, 5), slice(6, 16), slice(12, 22))  # slices, rows, columns


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


def write(folder, row_step, column_step):
    """A CT with a lesion, and its outline half a pixel outside of the lesion's outermost pixel centres."""
    folder.mkdir()
    study, frame, series = generate_uid(), generate_uid(), generate_uid()
    stored = np.full((SLICES, ROWS, COLUMNS), 900, np.uint16)
    stored[LESION] = 1100
    references, contours = [], []
    _, rows, columns = LESION
    x = [column_step * (edge - 0.5) for edge in (columns.start, columns.stop)]
    y = [row_step * (edge - 0.5) for edge in (rows.start, rows.stop)]
    for number, pixels in enumerate(stored):
        image = file(CTImageStorage, "CT", study, frame, series)
        image.InstanceNumber, image.Rows, image.Columns = number + 1, ROWS, COLUMNS
        image.PixelSpacing, image.SliceThickness = [row_step, column_step], THICKNESS
        image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, THICKNESS * number], [1, 0, 0, 0, 1, 0]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept, image.PixelData = 1, -1000, pixels.tobytes()
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        references.append(item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=image.SOPInstanceUID))
        if LESION[0].start <= number < LESION[0].stop:
            corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
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


print(f"MIRP {version('mirp')}; mean in the lesion 100 HU")
expected = [(axis.start, axis.stop) for axis in LESION]
found = {}
for row_step, column_step in ((1.0, 1.0), (2.0, 1.0)):
    folder = Path(f"rows_{row_step:g}_columns_{column_step:g}").absolute()
    write(folder, row_step, column_step)
    asked = {"image": str(folder), "image_modality": "ct", "mask": str(folder.with_suffix(".dcm")), "roi_name": "lesion"}
    (images, masks), = extract_images(**asked, image_export_format="native", write_images=False)
    mask = masks[0].roi.get_voxel_grid() > 0
    place = [(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(mask)]
    table = extract_features(**asked, base_feature_families="statistics", base_discretisation_method="none", write_features=False)[0]
    (mean,) = (float(table[name].iloc[0]) for name in table.columns if name.startswith("stat_mean"))
    spacing = [float(step) for step in images[0].image_spacing]
    found[row_step] = (spacing, place, mean)
    print(f"rows {row_step:g} mm, columns {column_step:g} mm apart: spacing {spacing}, mask of {mask.sum()} voxels at {place}, mean {mean:.1f}")
square, oblong = found[1.0], found[2.0]
right = square[0] == [THICKNESS, 1.0, 1.0] and square[1] == expected and square[2] == 100
turned = oblong[0] == [THICKNESS, 1.0, 2.0] and oblong[1] == [(2, 5), (12, 32), (6, 11)] and oblong[2] == -100
sys.exit(0 if right and turned else 1)
PYTHON
