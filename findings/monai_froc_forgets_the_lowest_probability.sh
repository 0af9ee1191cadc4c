#!/usr/bin/env bash
# MONAI 1.6.1 (2026): the free-response curve (FROC) has no point at the lowest probability that was given, so that what was detected with
# it never counts. A detector that finds all ten lesions with a probability of 1 and nothing else, or one that gives no probabilities but
# yes and no, has a score of 0. With one false positive of probability 0.5 beside them the score is 1. Lesions that share the lowest
# probability are missed at every rate of false positives: three of four such lesions, found and scored 0.3 beside a false positive of 0.9,
# leave 0.25 where counting gives 1 at all rates from 0.25 on. Thresholds run over all probabilities but the first, which the program of the
# CAMELYON16 challenge that MONAI names did for continuous maps; ties are rare there.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet monai==1.6.1 torch==2.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from monai.metrics import compute_fp_tp_probs_nd, compute_froc_curve_data, compute_froc_score

IMAGES = 5
RATES = (0.25, 0.5, 1, 2, 4, 8)


def detections(lesions, found, invented):
    """Probabilities of true and false detections by MONAI, from one mask with numbered lesions on a line."""
    mask = np.zeros((3, 4 * lesions + 40), int)
    for lesion in range(lesions):
        mask[1, 4 * lesion + 1] = lesion + 1
    places = [(1, 4 * lesion + 1) for lesion in range(len(found))] + [(1, 4 * lesions + 2 * number) for number in range(len(invented))]
    false, true, count = compute_fp_tp_probs_nd(np.array([*found, *invented]), np.array(places), mask)
    assert count == lesions and sorted(true[true > 0]) == sorted(found) and sorted(false) == sorted(invented)
    return np.asarray(false), np.asarray(true)


def by_hand(lesions, found, invented):
    """At each rate the largest share of lesions found by a threshold with no more false positives; all detections count."""
    points = [(0.0, 0.0)]
    for threshold in {*found, *invented}:
        points.append((np.sum(np.array(invented) >= threshold) / IMAGES, np.sum(np.array(found) >= threshold) / lesions))
    return float(np.mean([max(share for rate, share in points if rate <= limit) for limit in RATES]))


print(f"MONAI {version('monai')}")
results = []
for name, lesions, found, invented in (
    ("all found with 1", 10, [1.0] * 10, []),
    ("and one false positive of 0.5", 10, [1.0] * 10, [0.5]),
    ("three of four share the lowest", 4, [0.3, 0.3, 0.3, 0.9], [0.9]),
    ("the same with different probabilities", 4, [0.3, 0.4, 0.5, 0.9], [0.9]),
):
    false, true = detections(lesions, found, invented)
    score = float(compute_froc_score(*compute_froc_curve_data(false, true, lesions, IMAGES), RATES))
    results.append((score, by_hand(lesions, found, invented)))
    print(f"{name}: score {score:.3f}, by hand {results[-1][1]:.3f}")
expected = [(0.0, 1.0), (1.0, 1.0), (0.25, 1.0), (0.75, 1.0)]
sys.exit(0 if np.allclose(results, expected) else 1)
PYTHON
