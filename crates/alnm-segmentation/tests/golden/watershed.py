"""Watersheds by SimpleITK 2.5.7: python watershed.py > watershed.txt

A line holds a name and then the labels of all voxels in raster order.
"""

import numpy as np
import SimpleITK as sitk

SIZE = (11, 9, 6)
z, y, x = np.mgrid[: SIZE[2], : SIZE[1], : SIZE[0]]
# Whole numbers, so that there are plateaus, and halves, so that there are none.
rough = ((3 * x + 5 * y + 7 * z + x * y) % 11 + (x * z + 2 * y) % 7).astype(np.float32)
smooth = (np.abs(2 * x - 10) + np.abs(2 * y - 8) + 3 * z + rough / 2).astype(np.float32)
markers = ((x == 2) * (y > 5) + 2 * ((x == 8) & (y == 4)) + 7 * ((z == 5) & (x + y == 15))).astype(np.uint8)

for name, values in [("rough", rough), ("smooth", smooth)]:
    image = sitk.GetImageFromArray(values)
    for full in [False, True]:
        for line in [False, True]:
            for level in [0.0, 1.0, 2.5]:
                found = sitk.MorphologicalWatershed(image, level=level, markWatershedLine=line, fullyConnected=full)
                labels = sitk.GetArrayFromImage(found).ravel()
                print(f"{name}-{int(full)}-{int(line)}-{level}", *labels)
            found = sitk.MorphologicalWatershedFromMarkers(image, sitk.GetImageFromArray(markers), line, full)
            print(f"{name}-{int(full)}-{int(line)}-markers", *sitk.GetArrayFromImage(found).ravel())
