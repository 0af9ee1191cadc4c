"""The codestreams beside this script, all of 16 x 8 pixels without loss: a ramp of 16 bits, 300 y + 17 x; pixels of one bit, 1 where
x + 2 y is a multiple of 3; and colours of 8 bits, red 15 x, green 30 y, blue 10 x + y, with the reversible transform of colours.

    pip install numpy imagecodecs==2026.3.6
    python make_jpeg2000.py
"""

from pathlib import Path

import imagecodecs
import numpy as np

folder = Path(__file__).parent
y, x = np.mgrid[:8, :16]
ramp = (300 * y + 17 * x).astype(np.uint16)
(folder / "ramp.j2k").write_bytes(imagecodecs.jpeg2k_encode(ramp, codecformat="j2k", reversible=True))
(folder / "ramp.jhc").write_bytes(imagecodecs.htj2k_encode(ramp, reversible=True))
(folder / "bits.j2k").write_bytes(
    imagecodecs.jpeg2k_encode(((x + 2 * y) % 3 == 0).astype(np.uint8), codecformat="j2k", reversible=True, bitspersample=1)
)
colours = np.stack([15 * x, 30 * y, 10 * x + y], axis=2).astype(np.uint8)
(folder / "colours.j2k").write_bytes(imagecodecs.jpeg2k_encode(colours, codecformat="j2k", reversible=True, mct=True))
