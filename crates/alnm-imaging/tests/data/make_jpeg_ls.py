"""The JPEG-LS streams charls_BITS_NEAR.jls beside this script, as CharLS codes them, and in charls.txt the CRC-32 of the
pixels (little endian) that it decodes from each.

    pip install numpy imagecodecs==2026.3.6
    python make_jpeg_ls.py

Pixels of 40 rows and 56 columns: a flat corner, a ramp, waves, and noise of a linear congruential generator, so that runs,
every gradient level and escape codes occur. `tests/dicom/jpeg_ls.rs` makes the same pixels. A MAXVAL below the most that the
bits can hold has no case here: with it this version of CharLS does not decode what it has coded itself.
"""

import ctypes
import zlib
from pathlib import Path

import imagecodecs
import numpy as np

ROWS, COLUMNS = 40, 56


def pixels(bits, most):
    state, image = 12345, np.zeros((ROWS, COLUMNS), np.uint32)
    for y in range(ROWS):
        for x in range(COLUMNS):
            state = (1103515245 * state + 12345) % (1 << 31)
            if y < 12 and x < 30:
                value = most // 3
            elif y < 20:
                value = (x * x + 3 * y) * most // 6000
            elif x < 28:
                value = (state >> 15) % (most + 1)
            else:
                value = most // 2 + ((state >> 20) % 5) + (most // 8 if (x // 7 + y // 5) % 2 else 0)
            image[y, x] = min(value, most)
    return image.astype(np.uint8 if bits <= 8 else np.uint16)


def encode(image, bits, near, preset):
    """The stream of CharLS' own encoder; `preset` is MAXVAL, T1, T2, T3 and RESET."""
    (library,) = Path(imagecodecs.__file__).parent.with_name("imagecodecs.libs").glob("libcharls*")
    charls = ctypes.CDLL(library)
    charls.charls_jpegls_encoder_create.restype = ctypes.c_void_p
    encoder = ctypes.c_void_p(charls.charls_jpegls_encoder_create())

    def call(name, *arguments):
        code = getattr(charls, f"charls_jpegls_encoder_{name}")(encoder, *arguments)
        assert code == 0, (name, code)

    stream, length = ctypes.create_string_buffer(1 << 16), ctypes.c_size_t()
    call("set_destination_buffer", stream, ctypes.c_size_t(len(stream)))
    call("set_frame_info", (ctypes.c_uint32 * 4)(COLUMNS, ROWS, bits, 1))
    call("set_near_lossless", near)
    if preset:
        call("set_preset_coding_parameters", (ctypes.c_int32 * 5)(*preset))
    data = image.tobytes()
    call("encode_from_buffer", data, ctypes.c_size_t(len(data)), ctypes.c_uint32(0))
    call("get_bytes_written", ctypes.byref(length))
    charls.charls_jpegls_encoder_destroy(encoder)
    return stream.raw[: length.value]


def main():
    folder = Path(__file__).parent
    lines = ["# bits, NEAR, CRC-32 of the decoded pixels; CharLS 2.4.3 of imagecodecs 2026.3.6, by make_jpeg_ls.py"]
    cases = [(2, 0, None), (7, 1, None), (8, 0, None), (8, 3, None), (12, 0, None), (12, 10, None), (16, 0, None), (16, 255, None)]
    for bits, near, preset in [*cases, (10, 0, (1023, 9, 40, 100, 64)), (11, 0, (0, 9, 40, 100, 31)), (14, 4, (0, 20, 20, 300, 255))]:
        image = pixels(bits, (1 << bits) - 1)
        stream = encode(image, bits, near, preset)
        decoded = imagecodecs.jpegls_decode(stream)
        assert np.abs(decoded.astype(np.int32) - image).max() <= near
        (folder / f"charls_{bits}_{near}.jls").write_bytes(stream)
        lines.append(f"{bits} {near} {zlib.crc32(decoded.tobytes())}")
    (folder / "charls.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
