#!/usr/bin/env bash
# pauc 0.2.2 (2026; it calls itself 0.3.0): a partial area under the ROC curve is not the area of that part. Of the steps of the curve only
# the last point at each specificity is kept, and these are joined by straight lines, which cuts the corners of the stairs: over the whole
# range of specificities the partial area is larger than the area under the curve, over that of sensitivities it is smaller, where both are
# the same area. With 20 patients and 20 controls 0.7575 becomes 0.7775 and 0.7325. Over the specificities from 0.9 to 1, the usual part,
# the area is 11 % too large on average with 20 and 20, and 4 % with 200 and 200. The area of the whole curve is right.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pauc==0.2.2 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import pauc


def by_hand(disease, score, lowest):
    """The share of patients above each control, over the controls that lie in the part, with a share of the last one."""
    controls = np.sort(score[disease == 0])[::-1]
    above = np.array([np.mean(score[disease == 1] > control) for control in controls])
    share = np.clip((1 - lowest) * len(controls) - np.arange(len(controls)), 0, 1)
    return float(np.sum(above * share)) / len(controls)


print(f"pauc {version('pauc')}")
generator = np.random.default_rng(0)
exact, order, excess = [], [], {}
for each, draws in ((20, 400), (200, 100)):
    disease = np.repeat([1, 0], each)
    ratios = []
    for draw in range(draws):
        score = generator.normal(size=2 * each) + 1.0 * disease
        whole = pauc.ROC(disease, score, direction="<").auc
        by_specificity = pauc.ROC(disease, score, partial_auc=(0, 1), direction="<").auc
        by_sensitivity = pauc.ROC(disease, score, partial_auc=(0, 1), partial_auc_focus="sensitivity", direction="<").auc
        part = pauc.ROC(disease, score, partial_auc=(0.9, 1), direction="<").auc
        right, right_part = by_hand(disease, score, 0.0), by_hand(disease, score, 0.9)
        exact.append(abs(whole - right) < 1e-9)
        order.append(by_sensitivity <= whole <= by_specificity)
        ratios.append((part, right_part))
        if draw == 0:
            print(f"{each} patients and {each} controls: area {whole:.4f}, by hand {right:.4f}")
            print(f"  the same area as a part: specificity 0 to 1 {by_specificity:.4f}, sensitivity 0 to 1 {by_sensitivity:.4f}")
            print(f"  specificity 0.9 to 1: {part:.4f}, by hand {right_part:.4f}")
    mean, mean_right = np.mean(ratios, axis=0)
    excess[each] = mean / mean_right
    print(f"  over {draws} studies the part is {mean:.4f} on average, by hand {mean_right:.4f}")
sys.exit(0 if all(exact) and all(order) and excess[20] > 1.1 and 1.005 < excess[200] < 1.05 else 1)
PYTHON
