#!/usr/bin/env bash
# pyfeats 1.0.1: the coefficient of variation of the first-order features is the root of the median over the mean. It knows nothing of the
# spread: a flat region of 100 has 0.10 where it should be 0, and one that varies by 40 around 100 has 0.10 as well, where it should be 0.40.
# It falls as a region gets brighter: the same picture at twice the gain has 0.07, though the coefficient is made to be free of a gain. As a
# texture feature of ultrasound or histology it is nothing but the brightness. The mean beside it is 0.4 % too large: it comes from a
# histogram of 256 bins over 255 levels, whose densities add up to 256/255, which also gives the flat region a variance of 0.15.
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
region = np.zeros((64, 64), int)
region[16:48, 16:48] = 1
noise = np.clip(generator.normal(size=(64, 64)), -2.4, 2.4)
cases = {
    "flat, 100": np.full((64, 64), 100.0),
    "varies by 10": 100 + 10 * noise,
    "varies by 40": 100 + 40 * noise,
    "varies by 10, at twice the gain": 2 * (100 + 10 * noise),
}
print(f"pyfeats {version('pyfeats')}")
found, means = {}, []
for name, image in cases.items():
    pixels = image.round().astype(np.uint8)
    values, labels = pyfeats.fos(pixels, region)
    feature = dict(zip(labels, values))
    inside = pixels[region == 1].astype(float)
    found[name] = feature["FOS_CoefficientOfVariation"], inside.std() / inside.mean(), np.sqrt(np.median(inside)) / feature["FOS_Mean"]
    print(f"{name}: coefficient of variation {found[name][0]:.3f}, by hand {found[name][1]:.3f}; mean {feature['FOS_Mean']:.2f}, by hand {inside.mean():.2f}; variance {feature['FOS_Variance']:.2f}, by hand {inside.var():.2f}")
    means.append(feature["FOS_Mean"] / inside.mean())
flat, little, much, gain = found.values()
same = all(abs(case[0] - case[2]) < 1e-9 for case in found.values())
sys.exit(0 if same and np.allclose(means, 256 / 255) and flat[0] > 0.09 and flat[1] == 0 and abs(much[0] - flat[0]) < 0.01 and much[1] > 0.3 and gain[0] < 0.08 and abs(gain[1] - little[1]) < 0.002 else 1)
PYTHON
