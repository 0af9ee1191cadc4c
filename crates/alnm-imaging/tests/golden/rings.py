"""Rings of 50 made masks by SimpleITK's distance map: python3 rings.py > rings.txt

A line holds the size, the spacing, the limits of the rings, and the mask and the rings as lengths of runs of one value in
raster order, each followed by its value.
"""

import itertools

import numpy as np
import SimpleITK as sitk

generator = np.random.default_rng(20261129)
print(f"# SimpleITK {sitk.Version_VersionString()}")


def runs(values):
    return " ".join(f"{len(list(group))} {value}" for value, group in itertools.groupby(values.ravel().tolist()))


def distance(sites, spacing):
    image = sitk.GetImageFromArray(sites.astype(np.uint8))
    image.SetSpacing([float(value) for value in spacing])
    found = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.where(sites, 0.0, sitk.GetArrayFromImage(found).astype(np.float64))


for case in range(50):
    size = generator.integers([8, 8, 3], [17, 15, 9])
    spacing = np.round(generator.uniform([0.5, 0.5, 0.8], [1.2, 1.2, 3.5]), 2)
    z, y, x = np.mgrid[: size[2], : size[1], : size[0]]
    mask = np.zeros(x.shape, dtype=bool)
    for _ in range(generator.integers(1, 4)):
        centre = generator.uniform(0, size)
        radius = generator.uniform(0.8, 4.0, 3)
        mask |= sum(((a - c) / r) ** 2 for a, c, r in zip((x, y, z), centre, radius)) <= 1
    mask |= (generator.random(x.shape) < 0.01)
    if case == 0:
        mask[:] = False
        mask[1, 2, 3] = True
    if not mask.any() or mask.all():
        mask.flat[0] = not mask.flat[0]
    signed = np.where(mask, -distance(~mask, spacing), distance(mask, spacing))
    limits = np.sort(np.r_[generator.uniform(-4, -0.4), 0.0, generator.uniform(0.4, 6.0, 2)])
    rings = np.zeros(mask.shape, dtype=int)
    for label, (low, high) in enumerate(zip(limits[:-1], limits[1:]), 1):
        inside = (signed < 0) & (signed >= low) & (signed < high)
        outside = (signed > 0) & (signed > low) & (signed <= high)
        rings[inside | outside] = label
    numbers = lambda values: " ".join(repr(value) for value in values.tolist())
    print(numbers(size), "|", numbers(spacing), "|", numbers(limits), "|", runs(mask.astype(int)), "|", runs(rings))
