#!/usr/bin/env bash
# grand-challenge-metrics 0.6.0 (of late what `evalutils` installs): how many lesions `score_detection` finds depends on the order in which
# the reference lists them. Each lesion takes, in that order, the nearest detection within the radius that is still free, even if it is the
# only one for the next lesion while the first one has another. Two nodules 1.0 apart and two detections, one between them and one beyond
# the first: both nodules can be matched, and are if the second one is listed first; in the other order there is one hit, one miss and one
# false positive. Of 200 random sets of ten lesions and ten detections, in a cube four times as wide as the radius, the count changes with
# the order in 22, and is below the largest possible number of pairs. The order of the detections does not matter.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grand-challenge-metrics==0.6.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from grand_challenge_metrics.scorers import score_detection
from scipy.optimize import linear_sum_assignment

print(f"grand-challenge-metrics {version('grand-challenge-metrics')}")
nodules, detections = [(0.0, 0.0), (1.0, 0.0)], [(0.4, 0.0), (-0.7, 0.0)]
first = score_detection(ground_truth=nodules, predictions=detections, radius=1.0)
second = score_detection(ground_truth=nodules[::-1], predictions=detections, radius=1.0)
print(f"two nodules: {tuple(first)} (hits, misses, false positives); listed the other way round: {tuple(second)}")


def most(lesions, found, radius):
    """The largest number of pairs that lie within the radius of each other."""
    near = np.linalg.norm(lesions[:, None] - found, axis=2) <= radius
    rows, columns = linear_sum_assignment(near, maximize=True)
    return int(near[rows, columns].sum())


RADIUS = 15.0
generator = np.random.default_rng(0)
differs = less = by_detections = 0
for _ in range(200):
    lesions, found = generator.uniform(0, 60, (2, 10, 3))
    counts = {score_detection(ground_truth=lesions[generator.permutation(10)].tolist(), predictions=found.tolist(), radius=RADIUS).true_positives for _ in range(20)}
    turned = {score_detection(ground_truth=lesions.tolist(), predictions=found[generator.permutation(10)].tolist(), radius=RADIUS).true_positives for _ in range(20)}
    differs += len(counts) > 1
    less += min(counts) < most(lesions, found, RADIUS)
    by_detections += len(turned) > 1
print(f"of 200 sets: other numbers of hits by the order of the lesions in {differs}, by the order of the detections in {by_detections}; below the possible number in {less}")
pair = tuple(first) == (1, 1, 1) and tuple(second) == (2, 0, 0)
sys.exit(0 if pair and differs > 10 and less >= differs and by_detections == 0 else 1)
PYTHON
