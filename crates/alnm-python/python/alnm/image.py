"""Images in physical space, as NumPy arrays with their geometry, and their conversion from and to SimpleITK."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from alnm import _native


class Image:
    """Voxels with their position in the patient, in millimetres and LPS coordinates as in DICOM and ITK (x points to
    the patient's left, y to the back, z to the head).

    :param array: the voxels in the order (z, y, x), or (y, x) for an image of two dimensions. Their type is bool, an
        integer of 8 to 64 bits, float32 or float64; float16 becomes float32. The array is not copied where its type
        and byte order need no conversion.
    :param spacing: distance between the centres of neighbouring voxels along x, y (and z) in mm, above 0. It has no
        default, since features depend on it.
    :param origin: centre of the first voxel in mm, along x, y (and z). The default is 0 on each axis.
    :param direction: rows of the direction matrix one after the other, as in SimpleITK: 9 numbers, or 4 for an image of
        two dimensions. Its columns are the unit vectors of the image axes. The default is the identity matrix.
    :raises AlnmError: for an array with other than two or three axes, and a spacing, origin or direction with another
        count of numbers than the axes need. Their values are checked by the functions that an image is passed to.
    :raises TypeError: for voxels of another type.

    Two images are equal if their type of voxel, voxels and geometry are; NaN equals NaN.

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
        """The number of voxels along x, y (and z), in the reverse order of ``array.shape``."""
        return tuple(reversed(self.array.shape))

    @classmethod
    def from_sitk(cls, image: Any) -> Image:
        """An image from a SimpleITK image, with a copy of its voxels.

        :raises AlnmError: for an image with several components per voxel.
        """
        view = _view(image)
        return view.with_array(view.array.copy())

    def to_sitk(self) -> Any:
        """A SimpleITK image with a copy of the voxels; those of type bool become 8-bit integers.

        :raises ImportError: where SimpleITK is not installed.
        """
        array = self.array.astype(np.uint8) if self.array.dtype == bool else self.array
        image = simpleitk().GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def with_array(self, array: Any) -> Image:
        """An image with other voxels on the same grid.

        :param array: the voxels, an array of the same shape.
        :raises AlnmError: for another shape.
        """
        array = np.asarray(array)
        if array.shape != self.array.shape:
            raise _native.AlnmError(f"the array has the shape {array.shape}; the grid has {self.array.shape}")
        return Image(array, self.spacing, self.origin, self.direction)

    def index_to_point(self, index: Sequence[float]) -> tuple[float, ...]:
        """The point in mm that lies at a voxel index.

        :param index: (x, y, z), or (x, y) for an image of two dimensions, counted from 0; numbers between voxels are
            allowed.
        :returns: the coordinates of the point, origin + direction · (spacing ∘ index).
        """
        axes = self.array.ndim
        matrix = np.asarray(self.direction).reshape(axes, axes)
        return tuple((np.asarray(self.origin) + matrix @ (np.asarray(self.spacing) * np.asarray(index))).tolist())

    def crop(self, lower: Sequence[int], upper: Sequence[int]) -> Image:
        """The part of the image between two voxels, as a view of the same array.

        :param lower: index of the first voxel (x, y, z).
        :param upper: index of the last voxel, which belongs to the part.
        """
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
    """The array in the native byte order, with half precision converted to single."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"the voxels are of the type {array.dtype}; they must be bool, an integer of 8 to 64 bits, float32 or "
            "float64"
        )
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def simpleitk() -> Any:
    """The module SimpleITK, which is imported only where its images are passed in or asked for."""
    import SimpleITK

    return SimpleITK


def _view(image: Any) -> Image:
    """An image that shares the voxels of a SimpleITK image of one component, which it keeps alive."""
    count = image.GetNumberOfComponentsPerPixel()
    if count != 1:
        raise _native.AlnmError(f"the image has {count} components per voxel; it must have 1, so choose one of them")
    array = simpleitk().GetArrayViewFromImage(image)
    view = Image(array, image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    # A view that SimpleITK returns does not keep the image alive whose memory it shows.
    view._owner = image
    return view


def is_sitk(value: Any) -> bool:
    """Whether a value is an image of SimpleITK. SimpleITK is not imported for that."""
    module = sys.modules.get("SimpleITK")
    return module is not None and isinstance(value, module.Image)


def is_path(value: Any) -> bool:
    """Whether a value names a file or a folder."""
    return isinstance(value, (str, os.PathLike))


def of_native(parts: Any) -> Image:
    """An image from the four parts that the native module returned."""
    array, spacing, origin, direction = parts
    return Image(array, spacing, origin, direction)


def as_image(value: Any, what: str = "image") -> Image:
    """An :class:`Image` from an :class:`Image` or a SimpleITK image, whose voxels it shares.

    :param what: the name of the argument in error messages.
    :raises TypeError: for anything else.
    """
    if isinstance(value, Image):
        return value
    if is_sitk(value):
        return _view(value)
    if isinstance(value, np.ndarray):
        raise TypeError(
            f"the {what} is an array without a spacing; give alnm.Image(array, spacing=(x, y, z)), spacing in mm"
        )
    if is_path(value):
        raise TypeError(f"the {what} is a path; give what alnm.imaging.read reads there")
    raise TypeError(
        f"the {what} is a {type(value).__name__}; it must be a SimpleITK image, an alnm.Image "
        "or, where files are read, a path"
    )


def like(image: Image, template: Any) -> Any:
    """The image, converted to SimpleITK where ``template`` is an image of SimpleITK."""
    return image.to_sitk() if is_sitk(template) else image


def existing(path: Any) -> str:
    """The path as text.

    :raises FileNotFoundError: where no file or folder has this path.
    """
    name = str(os.fspath(path))
    if not os.path.exists(name):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return name
