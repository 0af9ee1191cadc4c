"""Prints outlines of Convert3D's level sets and speeds by SimpleITK's filters: python3 contour.py > contour.txt

    python3 -m venv venv && venv/bin/pip install picsl_c3d==1.4.6 SimpleITK==2.5.7 numpy

Speeds are multiples of 1/64 computed from whole numbers, so that the test makes the same to the last bit. A line of a
contour holds the size, the spacing, the shape of the speed, the weight of the curvature, the iterations and the lengths of
runs of voxels outside and inside, in raster order. A line of edges holds speeds by ITK-SNAP's formula."""
import itertools

import numpy
import SimpleITK
from picsl_c3d import Convert3D

# Size, spacing, shape, curvature, iterations.
CASES = [
    ((28, 24, 20), (1.0, 1.0, 1.0), 0, 0.2, 60),
    ((28, 24, 20), (1.0, 1.0, 1.0), 0, 0.0, 25),
    ((30, 30, 14), (0.7, 0.8, 2.0), 0, 0.2, 120),
    ((30, 30, 14), (0.7, 0.8, 2.0), 1, 0.2, 150),
    ((30, 30, 14), (0.7, 0.8, 2.0), 1, 1.0, 150),
    ((26, 26, 12), (1.5, 1.0, 1.0), 2, 0.5, 90),
    ((18, 12, 10), (1.0, 1.0, 1.0), 3, 0.2, 80),
]


def indices(size):
    z, y, x = numpy.indices(size[::-1])
    return 2 * x - size[0], 2 * y - size[1], 2 * z - size[2]


def speed(size, shape):
    """A ball; a rough ball; two balls that touch; the whole image."""
    u, v, w = indices(size)
    rough = (3 * u + 5 * v + 7 * w + u * v) % 13
    q = {
        0: 400 - u * u - v * v - 4 * w * w,
        1: 400 - u * u - v * v - 4 * w * w - 12 * rough,
        2: numpy.maximum(110 - (u - 9) ** 2 - v * v - w * w, 150 - (u + 10) ** 2 - v * v - w * w) - 2 * rough,
        3: 900 - u * u - rough,
    }[shape]
    return numpy.clip(q // 4, -64, 64) / 64.0


def seed(size, shape):
    u, v, w = indices(size)
    balls = {0: (0,), 1: (0,), 2: (-10, 9), 3: (2,)}[shape]
    return numpy.any([(u - ball) ** 2 + v * v + w * w <= 26 for ball in balls], axis=0)


def image(array, spacing):
    result = SimpleITK.GetImageFromArray(array)
    result.SetSpacing(spacing)
    return result


def runs(mask):
    """Lengths of runs, the first of them outside."""
    groups = [(inside, len(list(group))) for inside, group in itertools.groupby(mask.ravel().tolist())]
    return ([0] if groups[0][0] else []) + [length for _, length in groups]


print("# picsl_c3d 1.4.6 SimpleITK", SimpleITK.Version_VersionString())
for size, spacing, shape, curvature, iterations in CASES:
    tool = Convert3D()
    tool.push(image(speed(size, shape), spacing))
    tool.push(image(numpy.where(seed(size, shape), -1.0, 1.0), spacing))
    tool.execute(f"-levelset-curvature {curvature} -levelset {iterations}")
    found = SimpleITK.GetArrayFromImage(tool.pop()) <= 0
    print("contour", *size, *spacing, shape, curvature, iterations, *runs(found))

for size, spacing, shape, curvature, iterations in CASES[1:6]:
    begin = image(numpy.where(seed(size, shape), -1.0, 1.0), spacing)
    feature = image(speed(size, shape) * 64 + 100, spacing)
    options = dict(maximumRMSError=1e-4, propagationScaling=1.0, curvatureScaling=curvature, numberOfIterations=iterations)
    found = SimpleITK.ThresholdSegmentationLevelSet(begin, feature, lowerThreshold=95, upperThreshold=300, **options)
    mask = SimpleITK.GetArrayFromImage(found) <= 0
    print("threshold", *size, *spacing, shape, curvature, iterations, *runs(mask))
    found = SimpleITK.LaplacianSegmentationLevelSet(begin, feature, **options)
    mask = SimpleITK.GetArrayFromImage(found) <= 0
    print("laplacian", *size, *spacing, shape, curvature, iterations, *runs(mask))

for sigma, spacing in ((1.0, (1.0, 1.0, 1.0)), (2.0, (0.8, 1.0, 2.5))):
    size = (9, 8, 6)
    u, v, w = indices(size)
    values = ((u * u + 3 * v * v + 2 * w * w + 5 * u * v) % 97 + 40 * (u > 0)).astype(numpy.float32)
    smooth = SimpleITK.DiscreteGaussian(image(values, spacing), sigma * sigma, 32, 0.1, False)
    gradient = SimpleITK.GetArrayFromImage(SimpleITK.GradientMagnitude(smooth))
    relative = gradient / (values.max() - values.min()) / 0.04
    speeds = numpy.trunc(32767 / (1 + relative.astype(float) ** 3))
    print("edges", *size, *spacing, sigma, *(int(value) for value in speeds.ravel()))
