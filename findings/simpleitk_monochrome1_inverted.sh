#!/usr/bin/env bash
# SimpleITK 2.5.7 turns the values of a DICOM image over whose PhotometricInterpretation is MONOCHROME1: it reads
# 2^BitsStored - 1 - value where the file stores value, without a word, and the metadata of the image still say MONOCHROME1.
# pydicom gives the stored values. Digital mammograms and X-ray images are often stored so; with PyRadiomics, which reads by
# SimpleITK, means, percentiles and textures of such a file are those of the negative. A CT with slope and intercept is
# turned over too, before they are applied: -24 HU become 2071 HU.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

STORED = np.arange(1000, 1024, dtype=np.uint16).reshape(4, 6)


def read(interpretation, sop_class, intercept):
    """The first value that pydicom and SimpleITK find, and what SimpleITK says of the image."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.Modality, data.PatientID = "CT" if sop_class == CTImageStorage else "DX", "P"
    data.Rows, data.Columns = STORED.shape
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelSpacing = 1, interpretation, [1, 1]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleSlope, data.RescaleIntercept = "1", str(intercept)
    data.PixelData = STORED.tobytes()
    data.save_as("image.dcm", enforce_file_format=True)
    by_pydicom = pydicom.dcmread("image.dcm").pixel_array[0, 0].item() + intercept
    image = sitk.ReadImage("image.dcm")
    reader = sitk.ImageFileReader()
    reader.SetFileName("image.dcm")
    reader.ReadImageInformation()
    return by_pydicom, sitk.GetArrayFromImage(image).flat[0].item(), reader.GetMetaData("0028|0004").strip()


found = {
    "X-ray, MONOCHROME2": read("MONOCHROME2", DigitalXRayImageStorageForPresentation, 0),
    "X-ray, MONOCHROME1": read("MONOCHROME1", DigitalXRayImageStorageForPresentation, 0),
    "CT, MONOCHROME1": read("MONOCHROME1", CTImageStorage, -1024),
}
print("SimpleITK", sitk.Version_VersionString(), "pydicom", pydicom.__version__)
for name, (by_pydicom, by_simpleitk, stated) in found.items():
    print(f"{name}: pydicom {by_pydicom}, SimpleITK {by_simpleitk}, stated as {stated}")
expected = {
    "X-ray, MONOCHROME2": (1000, 1000, "MONOCHROME2"),
    "X-ray, MONOCHROME1": (1000, 4095 - 1000, "MONOCHROME1"),
    "CT, MONOCHROME1": (1000 - 1024, 4095 - 1000 - 1024, "MONOCHROME1"),
}
sys.exit(0 if found == expected else 1)
PYTHON
