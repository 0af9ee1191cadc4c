#!/usr/bin/env bash
# fairmedfm 0.4.2 (2026): accuracy, "eo" and "eod" at the threshold with the best F1 are not at that threshold. It is chosen by counting who
# has at least so much, and then used for who has more, so that all who lie on it change sides; and as one of the probabilities it always
# has somebody on it. Where a model gives few values, as five readers or five networks that vote, or a rounded score, these are many: the
# chosen threshold of 3 of 5 votes with an F1 of 0.85 becomes 4 of 5 with 0.70, sensitivity falls from 0.83 to 0.55, and the gap between
# women and men in it ("eo") is 0.16 for 0.12. With a probability of its own for each patient only one patient changes sides. The area under
# the curve is right.
#
# Found with Python 3.11.7, scikit-learn 1.9.1, numpy 2.4.6, pandas 2.3.3 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fairmedfm==0.4.2 scikit-learn==1.9.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import fairmedfm
import numpy as np
from fairmedfm.metrics import find_threshold

generator = np.random.default_rng(0)
PATIENTS = 600
sex = np.repeat(["F", "M"], PATIENTS // 2)
disease = generator.integers(0, 2, PATIENTS)
chance = np.where(disease == 1, np.where(sex == "F", 0.75, 0.65), 0.3)
votes = generator.binomial(5, chance) / 5
fine = votes + generator.uniform(0, 0.001, PATIENTS)
fine /= fine.max()


def rates(score, threshold, here):
    called = score[here] >= threshold
    ill = disease[here] == 1
    return np.mean(called[ill]), np.mean(~called[~ill]), np.mean(called == ill)


def by_hand(score):
    """The threshold with the best F1 of all values, and the rates of those who have at least so much."""
    best = []
    for threshold in np.unique(score):
        called = score >= threshold
        best.append((2 * np.sum(called & (disease == 1)) / (called.sum() + disease.sum()), -threshold))
    f1, threshold = max(best)
    everybody = np.ones(PATIENTS, bool)
    women, men = rates(score, -threshold, sex == "F"), rates(score, -threshold, sex == "M")
    return -threshold, f1, rates(score, -threshold, everybody), abs(women[0] - men[0])


print(f"fairmedfm {version('fairmedfm')}; {PATIENTS} patients")
found = {}
for name, score in (("votes of five readers", votes), ("a probability of its own for each", fine)):
    report = fairmedfm.evaluate(disease, score, sex)
    summary = report.summary.iloc[0]
    overall = report.overall[next(iter(report.overall))] if isinstance(next(iter(report.overall.values())), dict) else report.overall
    threshold, f1, (sensitivity, specificity, accuracy), gap = by_hand(score)
    seen = float(overall["tpr@best_f1"]), float(overall["tnr@best_f1"]), float(overall["acc@best_f1"]), float(summary["eo"])
    found[name] = seen, (sensitivity, specificity, accuracy, gap), abs(find_threshold(score, disease) - threshold) < 1e-9
    hit, false = seen[0] * disease.sum(), (1 - seen[1]) * (PATIENTS - disease.sum())
    print(f"{name}: best threshold {find_threshold(score, disease):.3f}, by hand {threshold:.3f} with F1 {f1:.3f}; F1 of what is reported {2 * hit / (hit + false + disease.sum()):.3f}")
    print(f"  reported: sensitivity {seen[0]:.3f}, specificity {seen[1]:.3f}, accuracy {seen[2]:.3f}, eo {seen[3]:.3f}")
    print(f"  by hand:  sensitivity {sensitivity:.3f}, specificity {specificity:.3f}, accuracy {accuracy:.3f}, eo {gap:.3f}")
coarse, single = found.values()
near = np.allclose(single[0], single[1], atol=0.01)
sys.exit(0 if coarse[2] and single[2] and near and coarse[1][0] - coarse[0][0] > 0.15 and abs(coarse[0][3] - coarse[1][3]) > 0.03 else 1)
PYTHON
