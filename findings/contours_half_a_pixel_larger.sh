#!/usr/bin/env bash
# med-imagetools 2.16.0 and DicomRTTool 6.2.0 (both 2026) make masks of contours that are half a pixel larger all around. Both round the
# corners of an outline to whole pixels, halves up, and count every pixel that it then runs through. A rectangle drawn around 10 x 10 pixel
# centres, half way to the next, becomes 11 x 11, all of it to the right and below; circles with radii of 4, 8 and 16 mm on pixels of 1 mm
# have 68, 235 and 868 pixels, where 51, 202 and 806 centres lie inside and the areas are 50, 201 and 804 mm2. A small node is a third too
# large, and a rim of air or fat is in all of its features. Both tools agree to the last pixel, so that one does not show it of the other.
#
# Found with Python 3.11.7, SimpleITK 2.5.7, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet med-imagetools==2.16.0 DicomRTTool==6.2.0 pydicom==3.0.2 SimpleITK==2.5.7 numpy==2.4.6
cd "$folder"
venv/bin/python - 2>errors <<'PYTHON'
import contextlib
import io
import logging
import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import numpy as np
import SimpleITK as sitk
from DicomRTTool.ReaderWriter import DicomReaderWriter
from imgtools.coretypes import MedImage
from imgtools.coretypes.masktypes import ROIMatcher, RTStructureSet
from imgtools.io.readers import read_dicom_series
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

SLICES, ROWS, COLUMNS, THICKNESS = 3, 64, 80, 3.0
MIDDLE = (40.3, 30.2)  # column and row
EXPECTED = {"circle4": [68, 68, 51], "circle8": [235, 235, 202], "circle16": [868, 868, 806], "rectangle": [121, 121, 100]}
ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False)
REGIONS = {f"circle{radius}": MIDDLE + radius * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]) for radius in (4, 8, 16)}
REGIONS["rectangle"] = np.array([(19.5, 9.5), (29.5, 9.5), (29.5, 19.5), (19.5, 19.5)])


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


def write():
    """A CT with pixels of 1 mm, and the regions on its middle slice."""
    study, frame, series = generate_uid(), generate_uid(), generate_uid()
    references = []
    Path("ct").mkdir()
    for number in range(SLICES):
        image = file(CTImageStorage, "CT", study, frame, series)
        image.InstanceNumber, image.Rows, image.Columns = number + 1, ROWS, COLUMNS
        image.PixelSpacing, image.SliceThickness = [1, 1], THICKNESS
        image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, THICKNESS * number], [1, 0, 0, 0, 1, 0]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept, image.PixelData = 1, -1000, bytes(2 * ROWS * COLUMNS)
        image.save_as(f"ct/{number}.dcm", enforce_file_format=True)
        references.append(item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=image.SOPInstanceUID))
    structures = file(RTStructureSetStorage, "RTSTRUCT", study, frame, generate_uid())
    structures.StructureSetLabel = "regions"
    of_series = item(SeriesInstanceUID=series, ContourImageSequence=references)
    of_study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=study, RTReferencedSeriesSequence=[of_series])
    structures.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[of_study])]
    structures.StructureSetROISequence, structures.ROIContourSequence, structures.RTROIObservationsSequence = [], [], []
    for number, (name, points) in enumerate(REGIONS.items(), 1):
        structures.StructureSetROISequence.append(
            item(ROINumber=number, ReferencedFrameOfReferenceUID=frame, ROIName=name, ROIGenerationAlgorithm="MANUAL")
        )
        data = [round(float(value), 4) for x, y in points for value in (x, y, THICKNESS)]
        contour = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(points), ContourData=data, ContourImageSequence=references[1:2])
        structures.ROIContourSequence.append(item(ReferencedROINumber=number, ContourSequence=[contour]))
        structures.RTROIObservationsSequence.append(item(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType="", ROIInterpreter=""))
    Path("all").mkdir()
    structures.save_as("structures.dcm", enforce_file_format=True)
    for path in (*Path("ct").iterdir(), Path("structures.dcm")):
        shutil.copy(path, "all")


def by_med_imagetools(name):
    image, _ = read_dicom_series("ct")
    structures = RTStructureSet.from_dicom("structures.dcm")
    mask = structures.get_vector_mask(MedImage(image), ROIMatcher(match_map={"region": [name]}))
    return sitk.GetArrayFromImage(mask).reshape(SLICES, ROWS, COLUMNS)[1] > 0


def by_dicomrttool(name):
    reader = DicomReaderWriter()
    reader.set_contour_names_and_associations([name])
    reader.walk_through_folders("all")
    reader.get_images_and_mask()
    return reader.mask[1] > 0


def by_centres(points):
    """Pixels whose centre lies inside the polygon: an odd number of edges to the right of it."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    inside = np.zeros((ROWS, COLUMNS), bool)
    for (x, y), (to_x, to_y) in zip(points, np.roll(points, -1, axis=0)):
        if y != to_y:
            crossed = (rows >= min(y, to_y)) & (rows < max(y, to_y))
            inside ^= crossed & (columns < x + (rows - y) * (to_x - x) / (to_y - y))
    return inside


def area(points):
    x, y = points.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


write()
print(f"med-imagetools {version('med-imagetools')}, DicomRTTool {version('DicomRTTool')}")
found = {}
for name, points in REGIONS.items():
    with contextlib.redirect_stdout(io.StringIO()):
        masks = [by_med_imagetools(name), by_dicomrttool(name)]
    masks.append(by_centres(points))
    found[name] = [int(mask.sum()) for mask in masks]
    print(f"{name}: {found[name][0]} and {found[name][1]} pixels, {found[name][2]} centres inside, area {area(points):.1f} mm2")
    if not np.array_equal(masks[0], masks[1]):
        sys.exit(1)
    if name == "rectangle":
        places = [tuple((int(axis.min()), int(axis.max())) for axis in np.nonzero(mask)) for mask in masks]
print(f"rectangle: rows and columns {places[0]}, by centres {places[2]}")
sys.exit(0 if found == EXPECTED and places[0] == ((10, 20), (20, 30)) and places[2] == ((10, 19), (20, 29)) else 1)
PYTHON
