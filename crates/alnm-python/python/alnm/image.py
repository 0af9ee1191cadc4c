"""Images in physical space, as arrays and as images of SimpleITK."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from alnm import _native


class Image:
    """Voxels with their place in the patient, in millimetres and LPS as in DICOM and ITK.

    :param array: the voxels in the order (z, y, x), or (y, x) for an image of two dimensions: bool, an integer of 8 to
        64 bits, float32 or float64.
    :param spacing: distance of neighbouring voxel centres along x, y (and z) in mm. It has no default, since features
        depend on it.
    :param origin: centre of the first voxel in mm; 0 where it is left out.
    :param direction: rows of the direction matrix one after the other, as SimpleITK has them; the identity where it is
        left out.

    >>> import numpy as np
    >>> image = Image(np.zeros((4, 16, 16), np.int16), spacing=(0.8, 0.8, 2.5))
    >>> image.size
    (16, 16, 4)
    """

    __slots__ = ("array", "spacing", "origin", "direction", "_owner")

    def __init__(
        self,
        array: Any,
        spacing: Sequence[float],
        origin: Sequence[float] | None = None,
        direction: Sequence[float] | None = None,
    ) -> None:
        self.array: np.ndarray[Any, Any] = _native_array(np.asarray(array))
        self._owner: Any = None
        axes = self.array.ndim
        if axes not in (2, 3):
            raise _native.AlnmError(
                f"the array has {axes} axes; an image has 2 (y, x) or 3 (z, y, x), so choose one volume of a series"
            )
        self.spacing = _numbers("spacing", spacing, axes)
        self.origin = _numbers("origin", (0.0,) * axes if origin is None else origin, axes)
        identity = np.eye(axes).ravel() if direction is None else np.asarray(direction, dtype=float).ravel()
        self.direction = _numbers("direction", identity, axes * axes)

    @property
    def size(self) -> tuple[int, ...]:
        """Voxels along x, y (and z)."""
        return tuple(reversed(self.array.shape))

    @classmethod
    def from_sitk(cls, image: Any) -> Image:
        """The image of a SimpleITK image of one component, with a copy of its voxels."""
        view = _view(image)
        return view.with_array(view.array.copy())

    def to_sitk(self) -> Any:
        """A SimpleITK image with a copy of the voxels."""
        array = self.array.astype(np.uint8) if self.array.dtype == bool else self.array
        image = simpleitk().GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def with_array(self, array: Any) -> Image:
        """Other voxels on the same grid."""
        array = np.asarray(array)
        if array.shape != self.array.shape:
            raise _native.AlnmError(f"the array has the shape {array.shape}; the grid has {self.array.shape}")
        return Image(array, self.spacing, self.origin, self.direction)

    def index_to_point(self, index: Sequence[float]) -> tuple[float, ...]:
        """The point in mm at a continuous index (x, y, z)."""
        axes = self.array.ndim
        matrix = np.asarray(self.direction).reshape(axes, axes)
        return tuple((np.asarray(self.origin) + matrix @ (np.asarray(self.spacing) * np.asarray(index))).tolist())

    def crop(self, lower: Sequence[int], upper: Sequence[int]) -> Image:
        """The part from voxel ``lower`` to voxel ``upper`` (x, y, z), both included."""
        parts = tuple(slice(int(low), int(high) + 1) for low, high in zip(lower, upper))
        return Image(self.array[parts[::-1]], self.spacing, self.index_to_point(lower), self.direction)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        grid = (self.spacing, self.origin, self.direction) == (other.spacing, other.origin, other.direction)
        same_type = self.array.dtype == other.array.dtype
        return grid and same_type and np.array_equal(self.array, other.array, equal_nan=self.array.dtype.kind == "f")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Image({self.array.dtype}, size={self.size}, spacing={self.spacing}, origin={self.origin})"


def _numbers(name: str, values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count:
        raise _native.AlnmError(f"{name} has {len(numbers)} numbers; it must have {count}")
    return numbers


def _native_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in the byte order of the machine, half precision as single."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"the voxels are of the type {array.dtype}; they must be bool, an integer of 8 to 64 bits, float32 or "
            "float64"
        )
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def simpleitk() -> Any:
    """SimpleITK, which is needed only where its images come or go."""
    import SimpleITK

    return SimpleITK


def _view(image: Any) -> Image:
    """The image of a SimpleITK image of one component, whose voxels it shares; they are valid as long as the view."""
    count = image.GetNumberOfComponentsPerPixel()
    if count != 1:
        raise _native.AlnmError(f"the image has {count} components per voxel; it must have 1, so choose one of them")
    array = simpleitk().GetArrayViewFromImage(image)
    view = Image(array, image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    # SimpleITK's views do not keep the memory that they look at.
    view._owner = image
    return view


def is_sitk(value: Any) -> bool:
    """Whether a value is an image of SimpleITK, without importing it."""
    module = sys.modules.get("SimpleITK")
    return module is not None and isinstance(value, module.Image)


def is_path(value: Any) -> bool:
    """Whether a value names a file or a folder."""
    return isinstance(value, (str, os.PathLike))


def of_native(parts: Any) -> Image:
    """The image that the native module returned."""
    array, spacing, origin, direction = parts
    return Image(array, spacing, origin, direction)


def as_image(value: Any, what: str = "image") -> Image:
    """An :class:`Image` from an :class:`Image` or a SimpleITK image."""
    if isinstance(value, Image):
        return value
    if is_sitk(value):
        return _view(value)
    if isinstance(value, np.ndarray):
        raise TypeError(
            f"the {what} is an array without a spacing; give alnm.Image(array, spacing=(x, y, z)), spacing in mm"
        )
    raise TypeError(f"the {what} is a {type(value).__name__}; it must be a path, a SimpleITK image or an alnm.Image")


def like(image: Image, template: Any) -> Any:
    """The image as SimpleITK's where the template is one."""
    return image.to_sitk() if is_sitk(template) else image


def existing(path: Any) -> str:
    """A path that exists.

    :raises FileNotFoundError: where there is nothing of that name.
    """
    name = str(os.fspath(path))
    if not os.path.exists(name):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return name
