#!/usr/bin/env bash
# rocauc-comparison 0.1.1 (2026): DeLong's test with labels of an unsigned type tests something else. The patients are put before the controls
# by sorting minus the label, and minus 1 is 255 in uint8, so that the controls come first and are taken for patients, their number for the
# number of patients: areas, covariance and p are those of two groups that mix both. Labels that were stored in a mask or an image, or a
# one-byte column, have this type. 60 patients and 140 controls with an area of 0.84 have one of 0.33, and the
# difference between two markers with p = 2e-9 has p = 0.002. The same labels as int64, int8 and float64 are right. Nothing is said.
#
# Found with Python 3.11.7, numpy 2.2.6, scipy 1.15.3 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rocauc-comparison==0.1.1 numpy==2.2.6 scipy==1.15.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from rocauc_comparison import delong_roc_test, delong_roc_variance
from scipy import stats

generator = np.random.default_rng(2)
disease = generator.permutation(np.repeat([1, 0], [60, 140]))
good = generator.normal(size=200) + 1.4 * disease
poor = generator.normal(size=200) + 0.3 * disease


def placements(score):
    cases, controls = score[disease == 1], score[disease == 0]
    order = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)
    return order.mean(axis=1), order.mean(axis=0)


def by_hand():
    """DeLong, DeLong and Clarke-Pearson (1988) by placements."""
    (one, one_controls), (other, other_controls) = placements(good), placements(poor)
    covariance = np.cov(one, other) / len(one) + np.cov(one_controls, other_controls) / len(one_controls)
    deviation = (one.mean() - other.mean()) / np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return one.mean(), covariance[0, 0], 2 * stats.norm.sf(abs(deviation))


area, variance, p = by_hand()
print(f"rocauc-comparison {version('rocauc-comparison')}; 60 patients, 140 controls")
print(f"by hand: area {area:.4f}, error {np.sqrt(variance):.4f}, p {p:.2g}")
found = {}
for kind in ("int64", "int8", "float64", "uint8", "uint16"):
    labels = disease.astype(kind)
    value, spread = delong_roc_variance(labels, good)
    found[kind] = float(value), float(spread), float(np.ravel(delong_roc_test(labels, good, poor).p_value)[0])
    print(f"{kind}: area {found[kind][0]:.4f}, error {np.sqrt(found[kind][1]):.4f}, p {found[kind][2]:.2g}")
right = all(np.allclose(found[kind], (area, variance, p), rtol=1e-3) for kind in ("int64", "int8", "float64"))
wrong = all(found[kind][0] < 0.5 and found[kind][2] > 1e4 * p for kind in ("uint8", "uint16"))
sys.exit(0 if right and wrong and area > 0.75 and p < 1e-3 else 1)
PYTHON
