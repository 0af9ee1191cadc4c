"""Prints signed distance maps of SimpleITK: python3 signed_distance.py > signed_distance.txt

A line holds the size and the spacing of a grid and then the distances in mm, x fastest. The voxels of the region are those
where (7 x + 5 y + 11 z + x y z) mod `MODULUS` is below `BELOW` in the middle of the image, so that the test makes the same
region."""
import numpy
import SimpleITK

GRIDS = [((7, 6, 5), (0.7, 1.3, 3.0)), ((9, 4, 1), (1.0, 0.5, 2.0)), ((5, 5, 4), (1.0, 1.0, 1.0))]
MODULUS, BELOW = 13, 11

print("# SimpleITK", SimpleITK.Version_VersionString())
for size, spacing in GRIDS:
    z, y, x = numpy.indices(size[::-1])
    inside = (7 * x + 5 * y + 11 * z + x * y * z) % MODULUS < BELOW
    inside &= (x > 0) & (x < size[0] - 1) & (y < size[1] - 1)
    image = SimpleITK.GetImageFromArray(inside.astype(numpy.uint8))
    image.SetSpacing(spacing)
    distances = SimpleITK.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    values = SimpleITK.GetArrayFromImage(distances).ravel()
    print(*size, *spacing, *(repr(float(value)) for value in values))
