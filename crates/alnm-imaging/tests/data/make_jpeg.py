"""The JPEG streams jpeg_KIND.jpg beside this script, as libjpeg-turbo codes them, in jpeg.txt the CRC-32 of the pixels (little
endian) that it decodes from each, and the JPEG XL streams lossless_BITS.jxl of libjxl.

    pip install numpy imagecodecs==2026.3.6
    python make_jpeg.py

Pixels are those of make_jpeg_ls.py, which `tests/dicom/jpeg_ls.rs` makes too.
"""

import zlib
from pathlib import Path

import imagecodecs
import numpy as np

from make_jpeg_ls import pixels

# Name, bits, and how libjpeg-turbo codes it.
CASES = [
    ("baseline_8", 8, {"level": 90}),
    ("baseline_8_coarse", 8, {"level": 30}),
    ("extended_12", 12, {"level": 95}),
    ("extended_12_coarse", 12, {"level": 40}),
    ("lossless_8", 8, {"lossless": True, "predictor": 1}),
    *((f"lossless_12_{predictor}", 12, {"lossless": True, "predictor": predictor}) for predictor in (1, 4, 6)),
    ("lossless_16", 16, {"lossless": True, "predictor": 7}),
]

folder = Path(__file__).parent
lines = [f"# name, bits, CRC-32 of the decoded pixels; {imagecodecs.jpeg8_version()} of imagecodecs {imagecodecs.__version__}, by make_jpeg.py"]
for name, bits, options in CASES:
    image = pixels(bits, (1 << bits) - 1)
    stream = imagecodecs.jpeg8_encode(image, bitspersample=bits, optimize=True, **options)
    decoded = imagecodecs.jpeg8_decode(stream)
    if "lossless" in options:
        assert np.array_equal(decoded, image)
    (folder / f"jpeg_{name}.jpg").write_bytes(stream)
    lines.append(f"{name} {bits} {zlib.crc32(decoded.tobytes())}")
(folder / "jpeg.txt").write_text("\n".join(lines) + "\n")
for bits in (8, 12, 16):
    image = pixels(bits, (1 << bits) - 1)
    stream = imagecodecs.jpegxl_encode(image, lossless=True, bitspersample=bits, effort=9)
    assert np.array_equal(imagecodecs.jpegxl_decode(stream), image)
    (folder / f"lossless_{bits}.jxl").write_bytes(stream)
