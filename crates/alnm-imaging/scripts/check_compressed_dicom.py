"""DICOM series that other programs have compressed, read by `alnm convert`.

    pip install SimpleITK pydicom pyjpegls pylibjpeg pylibjpeg-openjpeg pylibjpeg-libjpeg imagecodecs numpy
    cargo build --release -p alnm-cli --features jpeg2000
    python crates/alnm-imaging/scripts/check_compressed_dicom.py target/release/alnm FOLDER ...

Each folder holds one series that is not compressed. Its slices are compressed by pydicom and, as JPEG, by libjpeg-turbo; the
voxels have to be those that pydicom, with its plugins CharLS, libjpeg and OpenJPEG, reads from the same files, rescaled. JPEG with
loss leaves the rounding of its cosine transform open; ours is that of libjpeg-turbo, which reads those files. Exits with 1 where
voxels differ.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom import encaps, uid


def by_pydicom(syntax, **options):
    def compress(dataset):
        dataset.compress(syntax, generate_instance_uid=False, **options)

    return compress


def by_libjpeg_turbo(syntax, **options):
    def compress(dataset):
        words = dataset.pixel_array.view(np.uint16)
        bits = 12 if "level" in options else 16
        if words.max() >= 1 << bits:
            return False
        dataset.PixelData = encaps.encapsulate([imagecodecs.jpeg8_encode(words, bitspersample=bits, **options)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax

    return compress


SYNTAXES = {
    "RLE": by_pydicom(uid.RLELossless),
    "JPEG, lossless": by_libjpeg_turbo(uid.JPEGLossless, lossless=True, predictor=4),
    "JPEG, lossless, first predictor": by_libjpeg_turbo(uid.JPEGLosslessSV1, lossless=True, predictor=1),
    "JPEG, extended, 12 bits": by_libjpeg_turbo(uid.JPEGExtended12Bit, level=90),
    "JPEG-LS": by_pydicom(uid.JPEGLSLossless),
    "JPEG-LS, within 2": by_pydicom(uid.JPEGLSNearLossless, jls_error=2),
    "JPEG 2000": by_pydicom(uid.JPEG2000Lossless),
    "JPEG 2000, lossy": by_pydicom(uid.JPEG2000, j2k_psnr=[70]),
}
def stored_pixels(dataset):
    if dataset.file_meta.TransferSyntaxUID == uid.JPEGExtended12Bit:
        (stream,) = encaps.generate_frames(dataset.PixelData, number_of_frames=1)
        return imagecodecs.jpeg8_decode(stream)
    return dataset.pixel_array


def compress(source, folder, by):
    """Writes the compressed slices and returns what pydicom reads from them, from the lowest slice to the highest."""
    slices = []
    for path in sorted(source.iterdir()):
        dataset = pydicom.dcmread(path)
        if by(dataset) is False:
            return None
        dataset.save_as(folder / path.name)
        written = pydicom.dcmread(folder / path.name)
        normal = np.cross(written.ImageOrientationPatient[:3], written.ImageOrientationPatient[3:])
        voxels = stored_pixels(written) * float(written.get("RescaleSlope", 1)) + float(written.get("RescaleIntercept", 0))
        slices.append((np.dot(normal, written.ImagePositionPatient), voxels))
    return np.stack([voxels for _, voxels in sorted(slices, key=lambda slice: slice[0])])


def main(binary, sources):
    warnings.filterwarnings("ignore", module="pydicom")
    problems = []
    print(f"pydicom {pydicom.__version__}, {imagecodecs.jpeg8_version()}")
    for source in map(Path, sources):
        for name, by in SYNTAXES.items():
            with tempfile.TemporaryDirectory() as folder:
                compressed, image = Path(folder) / "series", Path(folder) / "image.nrrd"
                compressed.mkdir()
                expected = compress(source, compressed, by)
                if expected is None:
                    print(f"{source}: {name}: the pixels need more bits")
                    continue
                subprocess.run([binary, "convert", compressed, image], check=True, capture_output=True)
                read = sitk.GetArrayFromImage(sitk.ReadImage(str(image)))
                differing = int((read != expected).sum())
                print(f"{source}: {name}: {len(expected)} slices, {differing} of {expected.size} voxels differ")
                problems += [name] * (differing > 0)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
