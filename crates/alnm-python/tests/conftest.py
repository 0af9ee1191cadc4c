"""Synthetic images that the tests share."""

import numpy as np
import pytest

from alnm import Image


def synthetic(dtype=np.int16, shape=(12, 20, 24), spacing=(0.8, 0.9, 2.5)):
    """An image with a gradient, a pattern and noise from a fixed seed, and a mask of two regions."""
    z, y, x = np.indices(shape)
    noise = np.random.default_rng(7).normal(0.0, 12.0, shape)
    voxels = 200 + 9 * z - 4 * y + 3 * x + 25 * ((x // 3 + y // 4) % 2) + noise
    mask = np.zeros(shape, np.uint8)
    centre = [n / 2 for n in shape]
    mask[((z - centre[0]) / 4) ** 2 + ((y - centre[1]) / 6) ** 2 + ((x - centre[2]) / 8) ** 2 < 1] = 1
    mask[:3, :4, :5] = 2
    origin, direction = (-10.0, 20.0, 5.5), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    return Image(voxels.astype(dtype), spacing, origin, direction), Image(mask, spacing, origin, direction)


@pytest.fixture
def case():
    return synthetic()


@pytest.fixture
def planar():
    image, mask = synthetic()
    spacing = image.spacing[:2]
    return Image(image.array[6], spacing), Image((mask.array[6] == 1).astype(np.uint8), spacing)
