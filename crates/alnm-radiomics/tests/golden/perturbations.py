"""Writes perturbations.json: images, regions and noise levels that MIRP 2.7.0 makes (numpy 2.4.6, scipy 1.17.1, Python 3.11.7):
python3 perturbations.py > perturbations.json. `perturbations.rs` makes the same images and finds its cases in the file."""
import json
import math
import warnings
import zlib

import numpy as np
from importlib.metadata import version
from mirp._images.generic_image import GenericImage
from mirp._images.mask_image import MaskImage

warnings.simplefilter("ignore")
SHAPE = (14, 18, 20)
ROTATION = np.array([[21, -6, 22], [14, 27, -6], [-18, 14, 21]]) / 31  # x, y, z
EVERY = 211


def volume():
    z, y, x = np.mgrid[0:14, 0:18, 0:20]
    return ((z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211 - 60).astype(float)


def region():
    z, y, x = np.mgrid[0:14, 0:18, 0:20]
    return 3 * (z - 6) ** 2 + (y - 8) ** 2 + 2 * (x - 10) ** 2 <= 50


def placed(kind, spacing, direction, array):
    """MIRP counts axes from z to x."""
    return kind(
        image_origin=(7.125, 13.5, -20.25), image_orientation=direction[::-1, ::-1].copy(), image_spacing=tuple(spacing[::-1]),
        image_dimensions=SHAPE, separate_slices=False, sample_name="made", image_modality="generic", image_data=array)


def moved(spacing, direction, new_spacing, translation, rotation, order):
    image, mask = placed(GenericImage, spacing, direction, volume()), placed(MaskImage, spacing, direction, region())
    image.interpolate(
        interpolate=True, new_spacing=tuple(new_spacing[::-1]), translation=tuple(translation[::-1]), rotation=rotation,
        spline_order=order, anti_aliasing=False, anti_aliasing_smoothing_beta=0.98)
    mask.register(image=image, spline_order=1, anti_aliasing=False, anti_aliasing_smoothing_beta=0.98, mode="constant")
    values, inside = image.get_voxel_grid(), mask.get_voxel_grid()
    return {
        "size": list(values.shape[::-1]), "origin": [float(o) for o in image.image_origin[::-1]],
        "direction": np.asarray(image.image_orientation)[::-1, ::-1].tolist(), "mean": float(values.mean()),
        "values": values.ravel()[::EVERY].tolist(), "voxels": int(inside.sum()), "mask": zlib.crc32(inside.astype(np.uint8).tobytes()),
    }


def resized(spacing, kind, size, share):
    mask = placed(MaskImage, spacing, np.eye(3), region())
    if kind == "fraction":
        mask.fractional_volume_change(fractional_change=size)
    elif size < 0:
        mask.erode(max_eroded_volume_fraction=share, distance=size)
    else:
        mask.dilate(distance=size)
    inside = mask.get_voxel_grid()
    return {"voxels": int(inside.sum())} | ({} if kind == "fraction" else {"mask": zlib.crc32(inside.astype(np.uint8).tobytes())})


upright = np.eye(3)
moves = []
for name, spacing, direction in (("even", [1.0, 1.0, 1.0], upright), ("uneven", [0.8, 1.1, 2.5], upright), ("oblique", [1.1, 1.6, 3.5], ROTATION)):
    for new_spacing in (spacing, [1.5, 1.5, 1.5]):
        for translation, rotation in (([0.25, 0.0, 0.75], 0.0), ([0.0, 0.0, 0.0], 13.0), ([0.5, 0.25, 0.75], -33.0), ([0.0, 0.0, 0.0], 90.0)):
            for order in (1, 3) if rotation == 90 else (0, 1, 3):
                case = {"spacing": spacing, "oblique": name == "oblique", "new_spacing": new_spacing, "translation": translation, "rotation": rotation, "order": order}
                moves.append(case | moved(spacing, direction, new_spacing, translation, rotation, order))
sizes = []
for spacing in ([1.0, 1.0, 1.0], [0.8, 1.1, 2.5], [2.0, 2.0, 2.0]):
    for kind, values in (("distance", [-4.0, -2.5, -1.0, 1.0, 2.0, 3.3, 5.0]), ("fraction", [-0.7, -0.25, 0.1, 0.5, 1.7])):
        for size in values:
            for share in (0.8, 0.2):
                sizes.append({"spacing": spacing, "kind": kind, "size": size, "share": share} | resized(spacing, kind, size, share))
noise = float(placed(GenericImage, [1.0, 1.0, 1.0], upright, volume()).estimate_noise())
versions = {name: version(name) for name in ("mirp", "numpy", "scipy", "PyWavelets")}
print('{"versions": ' + json.dumps(versions) + f', "noise": {noise!r},\n"moves": [')
print(",\n".join(map(json.dumps, moves)) + '],\n"sizes": [')
print(",\n".join(map(json.dumps, sizes)) + "]}")
