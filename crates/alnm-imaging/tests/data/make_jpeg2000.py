"""The codestreams beside this script: a ramp of 16 x 8 pixels of 16 bits, 300 y + 17 x, without loss.

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
