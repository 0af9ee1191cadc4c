"""Prints masks and times of SimpleITK's filters: python3 growing.py > growing.txt

A mask is a line of its name and the lengths of runs outside and inside, in raster order, the first of them outside. The image
and the mask are made of whole numbers, so that the test makes the same."""
import itertools

import numpy
import SimpleITK

SIZE, SPACING = (17, 14, 9), (0.8, 1.0, 2.5)
SEEDS = [(8, 7, 4), (10, 6, 4)]


def image(array):
    result = SimpleITK.GetImageFromArray(array)
    result.SetSpacing(SPACING)
    return result


def show(name, mask):
    flat = (SimpleITK.GetArrayFromImage(mask) > 0).ravel().tolist()
    groups = [(inside, len(list(group))) for inside, group in itertools.groupby(flat)]
    print(name, *([0] if groups[0][0] else []), *(length for _, length in groups))


z, y, x = numpy.indices(SIZE[::-1])
u, v, w = 2 * x - SIZE[0], 2 * y - SIZE[1], 2 * z - SIZE[2]
rough = (3 * x + 5 * y + 7 * z + x * y) % 11
values = image((200 - u * u - v * v - 2 * w * w + 5 * rough).astype(numpy.float32))
region = ((u * u + v * v + 3 * w * w + 10 * rough < 190) & (rough != 4)) | (x == 0) & (y > 9)
mask = image(region.astype(numpy.uint8))

print("# SimpleITK", SimpleITK.Version_VersionString())
show("threshold", SimpleITK.ConnectedThreshold(values, SEEDS, 100, 500, 1, SimpleITK.ConnectedThresholdImageFilter.FaceConnectivity))
show("threshold-corner", SimpleITK.ConnectedThreshold(values, SEEDS, 195, 500, 1, SimpleITK.ConnectedThresholdImageFilter.FullConnectivity))
show("neighbourhood", SimpleITK.NeighborhoodConnected(values, SEEDS, 60, 500, (1, 1, 0), 1))
for multiplier, iterations in ((2.5, 3), (1.5, 5), (0.7, 1)):
    show(f"confidence-{multiplier}-{iterations}", SimpleITK.ConfidenceConnected(values, SEEDS, iterations, multiplier, 1, 1))
for name, kernel in (("ball", SimpleITK.sitkBall), ("box", SimpleITK.sitkBox)):
    for radius in ((1, 1, 1), (2, 2, 1), (3, 1, 0)):
        word = f"{name}-{'-'.join(map(str, radius))}"
        show(f"dilate-{word}", SimpleITK.BinaryDilate(mask, radius, kernel))
        show(f"erode-{word}", SimpleITK.BinaryErode(mask, radius, kernel))
        show(f"open-{word}", SimpleITK.BinaryMorphologicalOpening(mask, radius, kernel))
        show(f"close-{word}", SimpleITK.BinaryMorphologicalClosing(mask, radius, kernel))
show("fill", SimpleITK.BinaryFillhole(mask))
show("median-1-1-1", SimpleITK.BinaryMedian(mask, (1, 1, 1)))
show("median-2-2-1", SimpleITK.BinaryMedian(mask, (2, 2, 1)))
parts = SimpleITK.RelabelComponent(SimpleITK.ConnectedComponent(mask))
show("largest", parts == 1)
speed = image(((10 + rough) / 8.0).astype(numpy.float64))
times = SimpleITK.GetArrayFromImage(SimpleITK.FastMarching(speed, [list(seed) for seed in SEEDS], 1.0, 1e30))
print("# times", times.dtype)
print("times", *(repr(float(time)) for time in times[::2, ::3, ::4].ravel()))
