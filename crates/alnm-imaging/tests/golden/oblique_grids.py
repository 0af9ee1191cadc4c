"""Prints check sums of images that SimpleITK resamples between oblique grids with exact halves: python3 oblique_grids.py > oblique_grids.txt

Each line holds the check sums (CRC-32) of 16 grids: of labels by nearest neighbour, of doubles and of 16-bit integers by
linear interpolation, and of doubles by B-spline on the first grid of the line, rounded as in `SCALE`. Every number of a grid is a quotient of small whole numbers, so that
the test makes the same grids to the last bit."""
import math
import sys
import zlib

import numpy
import SimpleITK

GRIDS, IN_A_LINE = 4096, 16
SCALE = 1414.2135623730951  # Splines are rounded to whole numbers of 1 / SCALE; few values lie half way between two.
OLD = (0.5, 0.7, 1.1, 1.6, 3.5, 2.0, 0.9765625, 3.0, 1.25)
NEW = (0.5, 1.0, 1.5, 2.0, 3.0)


class Draws:
    """Knuth's linear congruential generator with 64 bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, count):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % count


def rotation(draws, dimension):
    if dimension == 2:
        a, b = 1 + draws.below(9), draws.below(9)
        length = a * a + b * b
        return [[(a * a - b * b) / length, -2 * a * b / length], [2 * a * b / length, (a * a - b * b) / length]]
    a, b, c, d = 1 + draws.below(9), draws.below(9), draws.below(9) - 4, draws.below(5)
    length = a * a + b * b + c * c + d * d
    rows = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
    return [[element / length for element in row] for row in rows]


def grid(number):
    draws = Draws(number)
    dimension = 2 if number % 8 == 7 else 3
    direction = rotation(draws, dimension)
    size = [3 + draws.below(8) for _ in range(dimension)]
    spacing = [OLD[draws.below(len(OLD))] for _ in range(dimension)]
    origin = [(draws.below(200001) - 100000) / 1000 for _ in range(dimension)]
    new_spacing = [NEW[draws.below(len(NEW))] for _ in range(dimension)]
    voxels = numpy.array([draws.below(251) for _ in range(math.prod(size))], numpy.uint32).reshape(size[::-1])
    return direction, size, spacing, origin, new_spacing, voxels


def resampled(image, spacing, new_spacing, interpolator):
    size = [math.ceil(n * old / new) for n, old, new in zip(image.GetSize(), spacing, new_spacing)]
    first = [0.5 * (new - old) / old for old, new in zip(spacing, new_spacing)]
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetInterpolator(interpolator)
    resampler.SetSize(size)
    resampler.SetOutputSpacing(new_spacing)
    resampler.SetOutputDirection(image.GetDirection())
    resampler.SetOutputOrigin(image.TransformContinuousIndexToPhysicalPoint(first))
    return SimpleITK.GetArrayFromImage(resampler.Execute(image))


SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
print(f"# SimpleITK {SimpleITK.Version_VersionString()}")
kinds = [
    (SimpleITK.sitkNearestNeighbor, numpy.uint32),
    (SimpleITK.sitkLinear, numpy.float64),
    (SimpleITK.sitkLinear, numpy.int16),
    (SimpleITK.sitkBSpline, numpy.float64),
]
sums = [0] * len(kinds)
for number in range(GRIDS):
    direction, size, spacing, origin, new_spacing, voxels = grid(number)
    for kind, (interpolator, voxel_type) in enumerate(kinds):
        if interpolator == SimpleITK.sitkBSpline and number % IN_A_LINE:
            continue
        image = SimpleITK.GetImageFromArray(voxels.astype(voxel_type))
        image.SetDirection(sum(direction, []))
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        values = resampled(image, spacing, new_spacing, interpolator)
        if interpolator == SimpleITK.sitkBSpline:
            values = numpy.rint(values * SCALE).astype(numpy.int32)
        sums[kind] = zlib.crc32(values.astype(values.dtype.newbyteorder("<")).tobytes(), sums[kind])
    if number % IN_A_LINE == IN_A_LINE - 1:
        print(*(f"{value:08x}" for value in sums))
        sums = [0] * len(kinds)
    sys.stdout.flush()
