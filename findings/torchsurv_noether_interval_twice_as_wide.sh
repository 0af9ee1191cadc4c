#!/usr/bin/env bash
# torchsurv 0.2.0 (2026): the standard error of the concordance index, by default "Noether's method" as Pencina and D'Agostino (2004) gave
# it, is twice what it should be. In that paper c_i is the number of patients who are concordant with patient i, whether they lived shorter
# or longer. torchsurv counts, for each event, only those who lived longer, and leaves patients without an event out; the formula around it
# is theirs. Over 200 cohorts of 100 patients the index has a standard deviation of 0.041, its error is 0.042 on average with the counts of
# the paper and 0.085 by torchsurv: the interval of 95 % holds the mean index in all cohorts, and for a marker whose index is 0.61 on
# average p is below 0.05 in 38 of 200 cohorts, by the paper in 155. `compare`, which tests two models against each other, takes the same
# error.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6, scipy 1.17.1 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchsurv==0.2.0 torch==2.8.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
from scipy import stats
from torchsurv.metrics.cindex import ConcordanceIndex

PATIENTS, COHORTS = 100, 200
generator = np.random.default_rng(1)


def noether(concordant, discordant):
    """The error of Pencina and D'Agostino from the counts of each patient."""
    n = PATIENTS
    pairs, triples = n * (n - 1), n * (n - 1) * (n - 2)
    c, d = concordant.sum() / pairs, discordant.sum() / pairs
    cc, dd, cd = (np.sum(one * other) / triples for one, other in ((concordant, concordant - 1), (discordant, discordant - 1), (concordant, discordant)))
    return np.sqrt(4 / (c + d) ** 4 * (d**2 * cc - 2 * c * d * cd + c**2 * dd) / n)


def cohort(effect):
    marker = generator.permutation(stats.norm.ppf((np.arange(PATIENTS) + 0.5) / PATIENTS)).astype(np.float32)
    survival = generator.exponential(size=PATIENTS) * np.exp(-effect * marker)
    followed = generator.exponential(size=PATIENTS) * 1.5
    time, event = np.minimum(survival, followed).astype(np.float32), survival <= followed
    metric = ConcordanceIndex()
    index = float(metric(torch.tensor(marker), torch.tensor(event), torch.tensor(time)))
    low, high = metric.confidence_interval().tolist()
    comparable = event[:, None] & (time[:, None] < time)
    concordant, discordant = comparable & (marker[:, None] > marker), comparable & (marker[:, None] < marker)
    assert abs(index - concordant.sum() / comparable.sum()) < 1e-5
    both = noether(concordant.sum(0) + concordant.sum(1), discordant.sum(0) + discordant.sum(1))
    later = noether(concordant.sum(1), discordant.sum(1))
    error = (high - low) / 2 / stats.norm.ppf(0.975)
    return index, error, both, later, float(metric.p_value()), 2 * stats.norm.sf(abs(index - 0.5) / both)


right = True
for effect in (0.0, 0.4):
    index, error, both, later, p, by_hand = np.transpose([cohort(effect) for _ in range(COHORTS)])
    inside = np.mean(np.abs(index - index.mean()) < stats.norm.ppf(0.975) * error)
    print(f"mean index {index.mean():.3f}, standard deviation {index.std():.4f}; error of the paper {both.mean():.4f}, torchsurv {error.mean():.4f}")
    print(f"  intervals that hold the mean: {inside:.3f}; p < 0.05: {np.sum(p < 0.05)} of {COHORTS} by torchsurv, {np.sum(by_hand < 0.05)} by the paper")
    right &= abs(both.mean() / index.std() - 1) < 0.1 and 1.8 < error.mean() / both.mean() < 2.2
    right &= bool(np.allclose(error, later, atol=1e-4)) and np.sum(p < 0.05) < np.sum(by_hand < 0.05) / 2
sys.exit(0 if right else 1)
PYTHON
