#!/usr/bin/env bash
# pauc 0.2.2 (2026; it calls itself 0.3.0): the confidence intervals of a partial area under the ROC curve belong to other areas. DeLong's,
# the default, has the width of that of the whole area: around 0.0145 of at most 0.05, with an error of 0.005, it reaches from -0.02 to 0.05,
# from less than nothing to more than a perfect marker has; `compare` takes the same error. The bootstrap forgets that the area was to be
# standardised: the interval of 0.64 is 0.01 to 0.03, for 0.55 to 0.75. Intervals of partial areas are among the features that the package
# lists. Those of whole areas are right.
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

EACH, LOWEST, SAMPLES = 150, 0.95, 1000
generator = np.random.default_rng(1)
np.random.seed(1)
disease = np.repeat([1, 0], EACH)
score = generator.normal(size=2 * EACH) + 1.6 * disease


def area(cases, controls, lowest):
    """The share of cases above each control, over the controls that lie in the part."""
    ordered = np.sort(controls)[::-1]
    share = np.clip((1 - lowest) * len(ordered) - np.arange(len(ordered)), 0, 1)
    above = (cases[:, None] > ordered).mean(axis=0) + 0.5 * (cases[:, None] == ordered).mean(axis=0)
    return float(np.sum(above * share)) / len(ordered)


def standardised(value):
    """McClish: 0.5 for chance and 1 for a perfect marker."""
    width = 1 - LOWEST
    return 0.5 * (1 + (value - width**2 / 2) / (width - width**2 / 2))


def by_hand(lowest):
    cases, controls = score[disease == 1], score[disease == 0]
    drawn = [area(generator.choice(cases, EACH), generator.choice(controls, EACH), lowest) for _ in range(SAMPLES)]
    return area(cases, controls, lowest), np.percentile(drawn, [2.5, 97.5]), np.std(drawn)


def text(interval):
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


print(f"pauc {version('pauc')}; {EACH} patients and {EACH} controls")
whole = pauc.ROC(disease, score)
part = pauc.ROC(disease, score, partial_auc=(LOWEST, 1))
scaled = pauc.ROC(disease, score, partial_auc=(LOWEST, 1), standardize_pauc=True)
hand_whole, interval_whole, _ = by_hand(0.0)
hand_part, interval_part, error = by_hand(LOWEST)
delong_whole, delong_part = pauc.ci_auc(whole), pauc.ci_auc(part)
bootstrap = pauc.ci_auc(scaled, method="bootstrap", n_boot=SAMPLES)
print(f"whole area {whole.auc:.3f}: DeLong {text(delong_whole)}; by hand {hand_whole:.3f}, {text(interval_whole)}")
print(f"specificity {LOWEST} to 1, {part.auc:.4f}: DeLong {text(delong_part)}; by hand {hand_part:.4f}, {text(interval_part)}, error {error:.4f}")
print(f"the same standardised, {scaled.auc:.3f}: bootstrap {text(bootstrap)}; by hand {standardised(hand_part):.3f}, {text([standardised(value) for value in interval_part])}")
right = np.allclose(delong_whole, interval_whole, atol=0.015)
wide = np.isclose(np.diff(delong_part), np.diff(delong_whole))[0] and np.diff(delong_part)[0] > 3 * np.diff(interval_part)[0] and delong_part[0] < 0 and delong_part[1] > 1 - LOWEST
sys.exit(0 if right and wide and bootstrap[1] < 0.05 < scaled.auc else 1)
PYTHON
