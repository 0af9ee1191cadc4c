"""Files written by `alnm convert`, opened with SimpleITK, nibabel and pydicom.

    pip install SimpleITK nibabel pydicom numpy
    cargo build --release -p alnm-cli
    python crates/alnm-imaging/scripts/check_written_files.py target/release/alnm

Volumes of every voxel type on oblique grids are converted to every format; each file has to open with the same voxels and
the same geometry. Exits with 1 when one does not.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk

SUFFIXES = [".nii", ".nii.gz", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd"]
TYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float32, np.float64]
DICOM_TYPES = [np.uint8, np.uint16, np.int16]
# NIfTI keeps a geometry in single precision, DICOM in texts of 16 characters.
TOLERANCE = 1e-5


def rotation(angle):
    """A proper rotation about an axis oblique to all others."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def volume(dtype, angle):
    generator = np.random.default_rng(7)
    limits = (-1000, 1000) if np.issubdtype(dtype, np.floating) else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if np.issubdtype(dtype, np.floating):
        voxels = generator.uniform(*limits, size=(5, 7, 9)).astype(dtype)
    else:
        voxels = generator.integers(*limits, size=(5, 7, 9), dtype=dtype, endpoint=True)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.9, 2.25))
    image.SetOrigin((-101.5, 33.25, 7.125))
    image.SetDirection(rotation(angle).flatten().tolist())
    return image


def check_image(read, expected, what):
    problems = []
    if read.GetPixelID() != expected.GetPixelID():
        problems.append(f"voxels are {read.GetPixelIDTypeAsString()}")
    if not np.array_equal(sitk.GetArrayFromImage(read), sitk.GetArrayFromImage(expected)):
        problems.append("voxels differ")
    for field in ["GetSpacing", "GetOrigin", "GetDirection"]:
        difference = np.abs(np.array(getattr(read, field)()) - np.array(getattr(expected, field)())).max()
        if difference > TOLERANCE:
            problems.append(f"{field[3:].lower()} is off by {difference:.2e}")
    return [f"{what}: {problem}" for problem in problems]


def check_nibabel(path, expected, what):
    read = nibabel.load(path)
    matrix = np.array(expected.GetDirection()).reshape(3, 3) * expected.GetSpacing()
    to_ras = np.diag([-1.0, -1.0, 1.0])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = to_ras @ matrix, to_ras @ expected.GetOrigin()
    problems = []
    if not np.array_equal(np.asanyarray(read.dataobj), sitk.GetArrayFromImage(expected).T):
        problems.append(f"{what}: voxels differ")
    if np.abs(read.affine - affine).max() > TOLERANCE:
        problems.append(f"{what}: affine differs")
    return problems


def check_pydicom(folder, expected, what):
    files = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda file: int(file.InstanceNumber))
    voxels = sitk.GetArrayFromImage(expected)
    problems = []
    if len(files) != len(voxels):
        problems.append(f"{len(files)} slices")
    for index, file in enumerate(files):
        position = expected.TransformIndexToPhysicalPoint((0, 0, index))
        direction = np.array(expected.GetDirection()).reshape(3, 3)
        cosines = np.concatenate([direction[:, 0], direction[:, 1]])
        spacing = expected.GetSpacing()
        if not np.array_equal(file.pixel_array, voxels[index]):
            problems.append(f"voxels of slice {index} differ")
        for name, value, wanted in [
            ("position", file.ImagePositionPatient, position),
            ("orientation", file.ImageOrientationPatient, cosines),
            ("pixel spacing", file.PixelSpacing, [spacing[1], spacing[0]]),
        ]:
            if np.abs(np.array([float(x) for x in value]) - np.array(wanted)).max() > TOLERANCE:
                problems.append(f"{name} of slice {index} differs")
    return [f"{what}: {problem}" for problem in problems]


def read_series(folder):
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(folder))
    # Of one slice each file is three-dimensional; the reader stacks them.
    reader.SetFileNames(names)
    return reader.Execute()


def main(alnm):
    problems, opened = [], {"SimpleITK": 0, "nibabel": 0, "pydicom": 0}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for dtype in TYPES:
            for number, angle in enumerate([0.0, 0.4, 2.0]):
                name = f"{np.dtype(dtype).name}-{number}"
                expected = volume(dtype, angle)
                start = folder / f"{name}-start.nrrd"
                sitk.WriteImage(expected, str(start))
                for suffix in SUFFIXES:
                    path = folder / f"{name}{suffix}"
                    subprocess.run([alnm, "convert", "--force", start, path], check=True)
                    problems += check_image(sitk.ReadImage(str(path)), expected, f"SimpleITK, {path.name}")
                    opened["SimpleITK"] += 1
                    if suffix in [".nii", ".nii.gz", ".hdr"]:
                        problems += check_nibabel(path, expected, f"nibabel, {path.name}")
                        opened["nibabel"] += 1
                if dtype in DICOM_TYPES:
                    series = folder / f"{name}-dicom"
                    subprocess.run([alnm, "convert", start, series], check=True)
                    problems += check_image(read_series(series), expected, f"SimpleITK, {series.name}")
                    problems += check_pydicom(series, expected, f"pydicom, {series.name}")
                    opened["SimpleITK"] += 1
                    opened["pydicom"] += 1
    for problem in problems:
        print(problem)
    for tool, count in opened.items():
        failed = len({problem.split(":")[0] for problem in problems if problem.startswith(tool)})
        print(f"{tool}: {count} files or series opened, {count - failed} with the same voxels and geometry")
    print(f"SimpleITK {sitk.Version.VersionString()}, nibabel {nibabel.__version__}, pydicom {pydicom.__version__}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
