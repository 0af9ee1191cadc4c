#!/usr/bin/env bash
# pyfeats 1.0.1: the size zones (GLSZM) count, for each of 255 gray levels, all that is not of that level as one more zone, outside of the
# region too. A flat region of 256 pixels is one zone of 256; here it is 255 zones of the whole image besides, for levels that do not occur.
# The emphasis of large zones is then the square of the size of the image: 65536 by hand, 1.0 million in an image of 32 x 32 and 16.7 million
# in one of 64 x 64 with the same region. Every of the fourteen features is made of these zones more than of the texture, and two regions can
# be compared only in images of one size. The entropy of the zones is negative. Level 255 has no zones at all.
#
# Found with Python 3.11.7, numpy 2.4.6, scikit-image 0.26.0, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyfeats==1.0.1 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 mahotas==1.4.19
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
import pyfeats
from scipy import ndimage

generator = np.random.default_rng(0)
flat = np.full((16, 16), 100, np.uint8)
blocks = np.repeat(np.repeat(generator.integers(90, 94, (4, 4)), 4, axis=0), 4, axis=1).astype(np.uint8)


def by_hand(region):
    """Sizes of the zones of equal level, neighbours by edges; mean inverse square, mean square, and the entropy of size and level."""
    zones = []
    for level in np.unique(region):
        labels, _ = ndimage.label(region == level)
        zones += [(int(level), int(size)) for size in np.bincount(labels.ravel())[1:]]
    sizes = np.array([size for _, size in zones], float)
    _, counts = np.unique(np.array(zones), axis=0, return_counts=True)
    share = counts / counts.sum()
    return len(zones), np.mean(1 / sizes**2), np.mean(sizes**2), -np.sum(share * np.log2(share))


def inside(region, side):
    """The region in the middle of an empty image."""
    image, mask = np.zeros((side, side), np.uint8), np.zeros((side, side), int)
    place = (slice(side // 2 - 8, side // 2 + 8),) * 2
    image[place], mask[place] = region, 1
    return image, mask


print(f"pyfeats {version('pyfeats')}")
found = {}
for name, region in (("flat", flat), ("blocks", blocks)):
    count, small, large, entropy = by_hand(region)
    print(f"{name}, {count} zones by hand: small {small:.2e}, large {large:.0f}, entropy {abs(entropy):.2f}")
    for side in (32, 64):
        values, labels = pyfeats.glszm_features(*inside(region, side))
        feature = dict(zip(labels, values))
        found[name, side] = feature["GLSZM_LargeZoneEmphasis"], large, feature["GLSZM_ZoneSizeEntropy"]
        print(f"  in an image of {side} x {side}: small {feature['GLSZM_SmallZoneEmphasis']:.2e}, large {found[name, side][0]:.0f}, entropy {found[name, side][2]:.2f}")
grows = all(found[name, 64][0] > 10 * found[name, 32][0] > 50 * found[name, 32][1] for name in ("flat", "blocks"))
sys.exit(0 if grows and found["flat", 32][1] == 65536 and all(case[2] < 0 for case in found.values()) else 1)
PYTHON
