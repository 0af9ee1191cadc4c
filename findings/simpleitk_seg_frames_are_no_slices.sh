#!/usr/bin/env bash
# SimpleITK 2.5.7 reads a DICOM segmentation (here by highdicom 0.28.2) as one volume and takes its frames for slices. A writer leaves out
# frames without a voxel, highdicom by default, so that frames are slices only where a segment has no gap. Of a CT with slices
# each 2.5 mm, a segment in slices 3 to 5 is read rightly; one in slices 1, 2 and 6 gets slices of 1 mm at 15, 16 and 17 mm instead of
# 2.5, 5 and 15 mm, and 48 mm3 instead of 120; two metastases in slices 1 and 6 get slices of 12.5 mm, 400 mm3 instead of 80. Of two segments
# the frames stand one behind the other in one volume, with slices of 1 mm, and nothing tells them apart (ITK's issue 6647). Voxels are 255,
# not 1.
# No error, no warning: the mask has rows and columns of the CT and a plausible place. highdicom itself says what the file says.
#
# Found with Python 3.11.7, pydicom 3.0.2, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet highdicom==0.28.2 SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
cd "$folder"
venv/bin/python - 2>errors <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import highdicom
import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ROWS, COLUMNS, SLICES, STEP = 12, 10, 12, 2.5
study, series, frame = generate_uid(), generate_uid(), generate_uid()


def ct(k):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.Modality, image.PatientID, image.StudyID, image.InstanceNumber = "CT", "1", "1", k + 1
    image.PatientName = image.PatientBirthDate = image.PatientSex = ""
    image.StudyDate = image.StudyTime = image.AccessionNumber = image.ReferringPhysicianName = ""
    image.Rows, image.Columns, image.PixelSpacing, image.SliceThickness = ROWS, COLUMNS, [1.0, 1.0], STEP
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0.0, 0.0, k * STEP]
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.PixelData = bytes(2 * ROWS * COLUMNS)
    return image


def described(number):
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"lesion {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type="MANUAL",
    )


scan = [ct(k) for k in range(SLICES)]


def read(name, *segments):
    """What SimpleITK and highdicom read: the z of each slice with voxels, their values and the volume."""
    mask = np.zeros((SLICES, ROWS, COLUMNS, len(segments)), np.uint8)
    for number, slices in enumerate(segments):
        mask[slices, 3:7, 2:6, number] = 1
    written = highdicom.seg.Segmentation(
        source_images=scan,
        pixel_array=mask,
        segmentation_type="BINARY",
        segment_descriptions=[described(number + 1) for number in range(len(segments))],
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="none",
        manufacturer_model_name="none",
        software_versions="1",
        device_serial_number="1",
    )
    written.save_as("segmentation.dcm")
    image = sitk.ReadImage("segmentation.dcm")
    voxels = sitk.GetArrayFromImage(image)
    places = sorted(round(image.TransformIndexToPhysicalPoint((0, 0, int(k)))[2], 6) for k in np.flatnonzero(voxels.any(axis=(1, 2))))
    seen = (places, sorted({int(v) for v in np.unique(voxels)}), float((voxels > 0).sum() * np.prod(image.GetSpacing())))
    volume = highdicom.seg.segread("segmentation.dcm").get_volume()
    truth = volume.array.reshape(*volume.array.shape[:3], -1)
    corners = [volume.map_indices_to_reference(np.array([[k, 0, 0]]))[0, 2] for k in np.flatnonzero(truth.any(axis=(1, 2, 3)))]
    true = (sorted(round(float(z), 6) for z in corners), float(truth.sum() * np.prod(volume.spacing)))
    print(f"{name}: SimpleITK slices at {seen[0]}, values {seen[1]}, {seen[2]:.0f} mm3; highdicom slices at {true[0]}, {true[1]:.0f} mm3")
    return seen, true


whole = read("slices 3 to 5", [3, 4, 5])
gap = read("slices 1, 2 and 6", [1, 2, 6])
two = read("slices 1 and 6", [1, 6])
both = read("two segments in slices 3 to 5", [3, 4, 5], [3, 4, 5])
same = whole == (([7.5, 10.0, 12.5], [0, 255], 120.0), ([7.5, 10.0, 12.5], 120.0))
closed = gap == (([15.0, 16.0, 17.0], [0, 255], 48.0), ([2.5, 5.0, 15.0], 120.0))
stretched = two[0][2] == 400.0 and two[1] == ([2.5, 15.0], 80.0)
stacked = len(both[0][0]) == 6 and both[0][1] == [0, 255] and both[1][0] == [7.5, 10.0, 12.5]
sys.exit(0 if same and closed and stretched and stacked else 1)
PYTHON
if [ -s errors ]; then
    cat errors
    exit 1
fi
