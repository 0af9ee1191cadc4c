#!/usr/bin/env bash
# pydicomRT 0.9.1 (PyPI `pydicomrt`, 2026): a series of PET is scaled by the rescale slope of its first slice. Scanners give each slice the
# slope that suits its largest value, so that the same stored number is another activity in each slice. Of five slices of a phantom with 1,
# 2, 4, 8 and 16 kBq/ml, each stored with its full range, `image_series_to_sitk_image` makes all 1 kBq/ml: a hot lesion in a slice in the
# middle looks like the background at the top of the head, and every SUV but those of the first slice is wrong by the ratio of two slopes.
# The documentation promises the real units of the modality. SimpleITK reads the same files rightly. CT, with one slope for all, hides it;
# MR by Philips does not always.
#
# Found with Python 3.11.7, pydicom 3.0.2, SimpleITK 2.5.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicomrt==0.9.1 pydicom==3.0.2 SimpleITK==2.5.7 numpy==2.4.6
mkdir "$folder/pet"
"$folder/venv/bin/python" - "$folder/pet" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid
from pydicomrt.utils import image_series_to_sitk_image, load_sorted_image_series

SIDE, FULL = 16, 30000
ACTIVITY = [1.0, 2.0, 4.0, 8.0, 16.0]  # kBq/ml in the disk of each slice
folder = Path(sys.argv[1])
rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
disk = np.hypot(rows, columns) < 5
study, series, frame = (generate_uid() for _ in range(3))
for number, activity in enumerate(ACTIVITY):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = PositronEmissionTomographyImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.Modality, image.PatientName, image.PatientID, image.Units = "PT", "Phantom", "1", "BQML"
    image.Rows = image.Columns = SIDE
    image.PixelSpacing, image.ImageOrientationPatient = [4, 4], [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient, image.SliceThickness, image.InstanceNumber = [-32, -32, 5 * number], 5, number + 1
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleSlope, image.RescaleIntercept = f"{1000 * activity / FULL:.10g}", 0
    image.PixelData = (disk * FULL).astype("<i2").tobytes()
    image.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def middle(image):
    return (sitk.GetArrayFromImage(image)[:, SIDE // 2, SIDE // 2] / 1000).round(3).tolist()


found = middle(image_series_to_sitk_image(load_sorted_image_series(str(folder))))
reader = sitk.ImageSeriesReader()
reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
other = middle(reader.Execute())
print(f"pydicomRT {version('pydicomrt')}; activity in kBq/ml {ACTIVITY}")
print(f"pydicomRT {found}")
print(f"SimpleITK {other}")
sys.exit(0 if np.allclose(found, ACTIVITY[0], atol=1e-3) and np.allclose(other, ACTIVITY, rtol=1e-3) else 1)
PYTHON
