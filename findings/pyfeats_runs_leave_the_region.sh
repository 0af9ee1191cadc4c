#!/usr/bin/env bash
# pyfeats 1.0.1: the run lengths (GLRLM) take the whole image and not the region. The mask is an argument of `glrlm_features`, documented like
# that of the other features, and is never looked at: two lesions in one image, one of single dots and one of stripes, have the same eleven
# features to the last digit, and what is around them decides. The emphasis of long runs is 1.0 in the left lesion and 64.8 in the right one
# by hand; both come out as 20.9, that of the whole picture. Of an image that was cut to the region beforehand it is right. The features of
# first order of the same package do look at the mask.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
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

generator = np.random.default_rng(0)
image = np.repeat(np.repeat(generator.integers(1, 9, (8, 16)), 8, axis=0), 4, axis=1).astype(np.uint8)
left, right = (slice(16, 32), slice(8, 24)), (slice(16, 32), slice(40, 56))
image[left] = 1 + (np.indices((16, 16)).sum(axis=0) + 2 * np.arange(16)[:, None]) % 5
image[right] = np.repeat(1 + np.arange(16) % 5, 16).reshape(16, 16)


def lines(block):
    yield from block
    yield from block.T
    for turned in (block, block[:, ::-1]):
        for offset in range(1 - block.shape[0], block.shape[1]):
            yield turned.diagonal(offset)


def by_hand(block):
    """The mean square of the length of a run, for each of four directions, and their mean."""
    height, width = block.shape
    every = list(lines(block.astype(int)))
    groups = every[:height], every[height : height + width], every[height + width : 2 * (height + width) - 1], every[2 * (height + width) - 1 :]
    values = []
    for group in groups:
        runs = [length for line in group for length in np.diff(np.flatnonzero(np.r_[True, np.diff(line) != 0, True]))]
        values.append(np.mean(np.square(runs)))
    return float(np.mean(values))


def features(pixels, mask):
    values, labels = pyfeats.glrlm_features(pixels, mask)
    return dict(zip(labels, values))


print(f"pyfeats {version('pyfeats')}")
found = {}
for name, place in (("left", left), ("right", right)):
    mask = np.zeros(image.shape, int)
    mask[place] = 1
    inside = features(image, mask)
    cut = features(image[place].copy(), np.ones((16, 16), int))
    first = pyfeats.fos(image, mask)[0][0]
    found[name] = inside, cut["GLRLM_LongRunEmphasis"], by_hand(image[place])
    print(f"{name} lesion: long runs {inside['GLRLM_LongRunEmphasis']:.3f}; cut out {cut['GLRLM_LongRunEmphasis']:.3f}; by hand {found[name][2]:.3f}; mean {first:.3f}, by hand {image[place].mean():.3f}")
whole = by_hand(image)
print(f"the whole image by hand {whole:.3f}")
same = found["left"][0] == found["right"][0]
right_cut = all(abs(case[1] - case[2]) < 0.05 * case[2] for case in found.values())
sys.exit(0 if same and right_cut and abs(found["left"][2] - found["right"][2]) > 3 and abs(found["left"][0]["GLRLM_LongRunEmphasis"] - whole) < 0.05 * whole else 1)
PYTHON
