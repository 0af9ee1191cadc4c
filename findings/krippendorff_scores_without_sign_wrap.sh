#!/usr/bin/env bash
# krippendorff 0.9.0 (2026): Krippendorff's alpha of scores in an unsigned type, as they come from a mask or an image (uint8), is another
# one. For "interval" and "ratio" the difference of two scores is taken in the type of the data before it is made a floating-point number,
# so that 2 - 3 is 255 and a difference of one point counts as more than any other. Three readers who score 40 lesions from 1 to 5 within a
# point of each other have 0.79 as int64, float32 or int8 and 0.36 as uint8 or uint16, which is that of scores that are mere names (0.36),
# and by ratio 0.73 and 0.18; with values up to 250 the sums wrap as well. "nominal" and "ordinal" do not take differences and are right.
# Nothing is said.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet krippendorff==0.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version
from itertools import combinations

import krippendorff
import numpy as np

READERS, LESIONS = 3, 40
generator = np.random.default_rng(0)
truth = generator.integers(1, 6, LESIONS)
scores = np.array([np.clip(truth + generator.integers(-1, 2, LESIONS), 1, 5) for _ in range(READERS)])


def by_hand(table, distance):
    """1 - observed / expected disagreement; every reader has scored every lesion."""
    pairs = [distance(float(one), float(other)) for lesion in table.T for one, other in combinations(lesion, 2)]
    every = [distance(float(one), float(other)) for one, other in combinations(table.ravel(), 2)]
    return 1 - np.mean(pairs) / np.mean(every)


DISTANCES = {
    "nominal": lambda one, other: float(one != other),
    "interval": lambda one, other: (one - other) ** 2,
    "ratio": lambda one, other: ((one - other) / (one + other)) ** 2,
}
LEVELS = ("nominal", "ordinal", "interval", "ratio")
print(f"krippendorff {version('krippendorff')}")
plain = {level: by_hand(scores, distance) for level, distance in DISTANCES.items()}
print("by hand:", {level: round(float(value), 4) for level, value in plain.items()})
found = {}
for kind in ("int64", "float32", "int8", "uint8", "uint16"):
    found[kind] = {level: float(krippendorff.alpha(scores.astype(kind), level_of_measurement=level)) for level in LEVELS}
    print(f"{kind}: {({level: round(value, 4) for level, value in found[kind].items()})}")
wide = scores * 50
ratio = [float(krippendorff.alpha(wide.astype(kind), level_of_measurement="ratio")) for kind in ("int64", "uint8")]
print(f"scores of 50 to 250 by ratio: int64 {ratio[0]:.4f}, uint8 {ratio[1]:.4f}")
signed = all(abs(found[kind][level] - plain[level]) < 1e-5 for kind in ("int64", "float32", "int8") for level in plain)
names = all(abs(found[kind][level] - found["int64"][level]) < 1e-9 for kind in ("uint8", "uint16") for level in ("nominal", "ordinal"))
wrong = all(found[kind]["interval"] < plain["interval"] - 0.3 and found[kind]["ratio"] < plain["ratio"] - 0.3 for kind in ("uint8", "uint16"))
sys.exit(0 if signed and names and wrong and abs(ratio[1] - ratio[0]) > 0.05 else 1)
PYTHON
