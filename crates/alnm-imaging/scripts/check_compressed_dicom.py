"""DICOM series that pydicom has compressed, read by `alnm convert`.

    pip install SimpleITK pydicom pyjpegls pylibjpeg-openjpeg numpy
    cargo build --release -p alnm-cli --features jpeg2000
    python crates/alnm-imaging/scripts/check_compressed_dicom.py target/release/alnm FOLDER ...

Each folder holds one series that is not compressed. Its slices are compressed in every transfer syntax that pydicom writes,
and the voxels have to be those that pydicom reads from the same files, rescaled. Exits with 1 where they are not.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom import uid

SYNTAXES = {
    "RLE": (uid.RLELossless, {}),
    "JPEG-LS": (uid.JPEGLSLossless, {}),
    "JPEG-LS, within 2": (uid.JPEGLSNearLossless, {"jls_error": 2}),
    "JPEG 2000": (uid.JPEG2000Lossless, {}),
}


def compress(source, folder, syntax, options):
    """Writes the compressed slices and returns what pydicom reads from them, from the lowest slice to the highest."""
    slices = []
    for path in sorted(source.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False, **options)
        dataset.save_as(folder / path.name)
        written = pydicom.dcmread(folder / path.name)
        normal = np.cross(written.ImageOrientationPatient[:3], written.ImageOrientationPatient[3:])
        voxels = written.pixel_array * float(written.get("RescaleSlope", 1)) + float(written.get("RescaleIntercept", 0))
        slices.append((np.dot(normal, written.ImagePositionPatient), voxels))
    return np.stack([voxels for _, voxels in sorted(slices, key=lambda slice: slice[0])])


def main(binary, sources):
    warnings.filterwarnings("ignore", module="pydicom")
    problems = []
    print(f"pydicom {pydicom.__version__}")
    for source in map(Path, sources):
        for name, (syntax, options) in SYNTAXES.items():
            with tempfile.TemporaryDirectory() as folder:
                compressed, image = Path(folder) / "series", Path(folder) / "image.nrrd"
                compressed.mkdir()
                expected = compress(source, compressed, syntax, options)
                subprocess.run([binary, "convert", compressed, image], check=True, capture_output=True)
                read = sitk.GetArrayFromImage(sitk.ReadImage(str(image)))
                differing = int((read != expected).sum()) if read.shape == expected.shape else expected.size
                print(f"{source}: {name}: {len(expected)} slices, {differing} of {expected.size} voxels differ")
                problems += [name] * (differing > 0)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
