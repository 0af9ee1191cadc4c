#!/usr/bin/env bash
# pytorch-grad-cam 1.5.7 (PyPI `grad-cam`, 2026): the map of a volume lies elsewhere than that of an image. The coarse map of the last layer
# is brought to the size of the input by OpenCV for images, which knows that a cell is as wide as its stride, and by scipy's `zoom` for
# volumes, which lays the middle of the first cell on the first voxel and that of the last cell on the last. With 64 voxels and 4 cells of
# 16, as deep layers have, a network that sees a lesion in one cell has its largest value at voxels 0, 22, 41 and 63 of each axis, where the
# cells have their middles at 7.5, 23.5, 39.5 and 55.5; on the same planes alone, as images, it lies in the middle of the cell or, at the
# border, on a plateau within it. The upper half of a spot also reaches 23 voxels instead of 16. So a lesion at the edge of the volume is
# marked half a stride (8 voxels here, 16 in a ResNet) farther out than the network saw it, and 2D and 3D maps do not lie on each other.
#
# Found with Python 3.11.7, torch 2.8.0, numpy 2.4.6, scipy 1.17.1, opencv-python 5.0.0 on x86-64. Exits 0 while that is so, and 1 when it
# changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grad-cam==1.5.7 torch==2.8.0 torchvision==0.23.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy import ndimage

SIDE, CELL = 64, 16
CELLS = SIDE // CELL


class Means(torch.nn.Module):
    """Means of cells, and their mean: the map of the layer is 1 where the lesion is."""

    def __init__(self, dimensions):
        super().__init__()
        layer = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[dimensions]
        self.cells = layer(1, 1, CELL, stride=CELL, bias=False)
        torch.nn.init.constant_(self.cells.weight, CELL**-dimensions)

    def forward(self, image):
        return torch.relu(self.cells(image)).flatten(2).mean(2)


def mapped(dimensions, cell):
    image = torch.zeros(1, 1, *[SIDE] * dimensions)
    image[(0, 0) + (slice(CELL * cell, CELL * (cell + 1)),) * dimensions] = 1
    network = Means(dimensions).eval()
    with GradCAM(network, [network.cells]) as explained:
        return explained(input_tensor=image, targets=[ClassifierOutputTarget(0)])[0]


def places(line):
    """The middle of the largest values and the width of the upper half, along one axis."""
    return float(np.flatnonzero(line > line.max() - 1e-6).mean()), int(np.sum(line > line.max() / 2))


print(f"grad-cam {version('grad-cam')}")
found = {}
for dimensions in (2, 3):
    for cell in range(CELLS):
        heat = mapped(dimensions, cell)
        top = np.unravel_index(heat.argmax(), heat.shape)
        found[dimensions, cell] = places(heat[(slice(None),) + top[1:]])
        middle = CELL * cell + (CELL - 1) / 2
        print(f"{dimensions}D, lesion in cell {cell} with its middle at {middle}: largest at {found[dimensions, cell][0]}, upper half {found[dimensions, cell][1]} voxels")

# By hand along one axis: cells that are 16 wide, and zoom, whose ends are the middles of the outer cells.
right = True
for cell in range(CELLS):
    spot = np.zeros(CELLS)
    spot[cell] = 1
    wide = np.interp((np.arange(SIDE) + 0.5) / CELL - 0.5, np.arange(CELLS), spot)
    ends = ndimage.zoom(np.float32(spot), SIDE / CELLS)
    right &= found[2, cell] == places(wide) and found[3, cell] == places(ends)
inside = all(CELL * cell <= found[2, cell][0] < CELL * (cell + 1) for cell in range(CELLS))
print("2D as interpolation between cells, 3D as zoom:", right)
sys.exit(0 if right and inside and found[3, 0][0] == 0 and found[3, CELLS - 1][0] == SIDE - 1 else 1)
PYTHON
