#!/usr/bin/env bash
# torchio 1.2.1 (2026): GridAggregator puts the patches of a network together whose output is coarser than its input, by
# `downsampling_factor`, and leaves gaps of zeros between them. Patches that overlap are cropped by half the overlap, and this is cut off in
# voxels of the input although the patches are those of the output: with a factor of 2 twice too much. An image of 64 voxels a side in
# patches of 32 that overlap by 4 or 8, and a network that answers 1 everywhere: 18 % and 33 % of the map are 0, in planes between the
# patches, which a segmentation shows as background. Without overlap, or with a factor of 1, the map is 1. "crop" is the default for
# overlaps; with "average" and "hann" a factor other than 1 raises an error. Nothing is said.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6, SimpleITK 2.5.7 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchio==1.2.1 torch==2.8.0 numpy==2.4.6 SimpleITK==2.5.7
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import torchio

SIDE, PATCH = 64, 32
subject = torchio.Subject(image=torchio.ScalarImage(tensor=torch.ones(1, SIDE, SIDE, SIDE)))


def network(patch, factor):
    """Means of blocks: an image of ones gives a map of ones."""
    return torch.nn.functional.avg_pool3d(patch, factor)


def aggregated(overlap, factor, mode="crop"):
    sampler = torchio.GridSampler(subject, patch_size=PATCH, patch_overlap=overlap)
    aggregator = torchio.GridAggregator(sampler, overlap_mode=mode, downsampling_factor=factor)
    for patch in sampler:
        aggregator.add_batch(network(patch["image"].data[None], factor), patch[torchio.LOCATION][None])
    return aggregator.get_output_tensor()[0].numpy()


def empty_by_hand(overlap, factor):
    """Along one axis: which voxels of the map no patch reaches when half the overlap is cut off in voxels of the map."""
    starts = sorted({*range(0, SIDE - PATCH, PATCH - overlap), SIDE - PATCH})
    reached = np.zeros(SIDE // factor, bool)
    for start in starts:
        first, last = start // factor, (start + PATCH) // factor
        reached[first + (overlap // 2 if start else 0) : last - (overlap // 2 if start + PATCH < SIDE else 0)] = True
    return ~reached


print(f"torchio {torchio.__version__}")
right, gaps = True, []
for factor, overlap in ((1, 4), (1, 8), (2, 0), (2, 4), (2, 8), (4, 8)):
    found = aggregated(overlap, factor)
    empty = empty_by_hand(overlap, factor)
    line = np.flatnonzero((found == 0).all(axis=(1, 2)))
    print(f"factor {factor}, overlap {overlap}: {np.mean(found == 0):.1%} of {found.shape} are 0, planes {line.tolist()}")
    right &= bool(np.array_equal(line, np.flatnonzero(empty))) and set(np.unique(found)) <= {0, 1}
    gaps.append(float(np.mean(found == 0)))
raised = 0
for mode in ("average", "hann"):
    try:
        aggregated(4, 2, mode)
    except RuntimeError as error:
        print(f"{mode}: {str(error)[:60]}")
        raised += 1
sys.exit(0 if right and gaps[:3] == [0, 0, 0] and min(gaps[3:]) > 0.1 and raised == 2 else 1)
PYTHON
