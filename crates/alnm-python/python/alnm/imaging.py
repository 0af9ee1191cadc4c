"""Medical images in physical space: reading and writing, bias field correction (N4), resampling, Otsu's threshold.

Images are :class:`alnm.Image`; wherever one is taken, a SimpleITK image is taken too, and then returned as well.

>>> import numpy as np
>>> from alnm import Image, imaging
>>> image = Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), spacing=(1.0, 1.0, 3.0))
>>> imaging.resample(image, spacing=(1.0, 1.0, 1.5), interpolator="linear").size
(4, 3, 4)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

from alnm import _native
from alnm.image import Image, as_image, existing, like, of_native

__all__ = [
    "Geometry",
    "N4Iteration",
    "N4Level",
    "N4Result",
    "n4",
    "otsu_mask",
    "read",
    "read_geometry",
    "read_mask",
    "resample",
    "write",
    "write_mask",
]

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Geometry:
    """The grid of an image; see :class:`alnm.Image`."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]


def read(path: Path, volume: int | None = None) -> Image:
    """Read an image: NIfTI, NRRD, MetaImage or DICOM, found from the content of the file; or a folder with the one
    DICOM series in it.

    :param volume: the volume, from 1, of a file of four dimensions or a DICOM series with several.
    :raises FileNotFoundError: where there is no such file.
    :raises AlnmError: for a file that cannot be read; the message says what is wrong with it.
    """
    return of_native(_native.read_image(existing(path), volume))


def read_geometry(path: Path) -> Geometry:
    """The grid of an image file or DICOM folder, without reading its voxels.

    :raises AlnmError: as :func:`read`.
    """
    size, spacing, origin, direction = _native.file_geometry(existing(path))
    return Geometry(tuple(size), tuple(spacing), tuple(origin), tuple(direction))


def read_mask(
    path: Path,
    region: str | int | None = None,
    image: Any = None,
    channel: int | None = None,
    volume: int | None = None,
) -> Image:
    """Read a mask: a label map in any format, a DICOM segmentation or a structure set.

    :param region: one region by name or number, whose voxels become 1; all of a label map where it is left out.
    :param image: the image to which the mask belongs; the mask is brought onto its grid. A structure set needs it.
    :param channel: component, from 0, of a label map whose voxels have several.
    :param volume: volume, from 1, of a label map of four dimensions.
    :raises AlnmError: for a file that cannot be read, and a region that is not in it.
    """
    grid = None if image is None else as_image(image)
    return of_native(_native.read_mask(existing(path), region, grid, channel, volume))


def write(path: Path, image: Any) -> None:
    """Write an image as NIfTI, NRRD or MetaImage; the ending of the name says which. The file is there as a whole or
    not at all."""
    _native.write_image(os.fspath(path), as_image(image))


def write_mask(path: Path, mask: Any) -> None:
    """Write a mask as :func:`write` does, in the smallest type that holds its labels."""
    _native.write_mask(os.fspath(path), as_image(mask, "mask"))


@dataclass(frozen=True)
class N4Iteration:
    """What one iteration of N4 did."""

    level: int
    """Level, from 0."""
    levels: int
    """Number of levels."""
    iteration: int
    """Iteration on this level, from 1."""
    max_iterations: int
    """The most iterations of this level."""
    convergence: float
    """Coefficient of variation of the change of the field."""


@dataclass(frozen=True)
class N4Level:
    """How a level of N4 ended."""

    control_points: tuple[int, ...]
    """Control points along x, y and z."""
    convergence: list[float]
    """The convergence after each iteration."""
    converged: bool
    """Whether the last of them was at most the threshold."""


@dataclass(frozen=True)
class N4Result:
    """An image corrected by N4."""

    corrected: Any
    """The image divided by the field, in single precision, inside and outside the mask."""
    log_bias_field: Any
    """Natural logarithm of the field on the grid of the image."""
    levels: list[N4Level]
    """The levels in order."""


def n4(
    image: Any,
    mask: Any = None,
    *,
    iterations: Sequence[int] = (50, 50, 50, 50),
    convergence_threshold: float = 0.001,
    control_points: Sequence[int] | None = None,
    knot_spacing: float | None = None,
    spline_order: int = 3,
    bias_fwhm: float = 0.15,
    wiener_noise: float = 0.01,
    histogram_bins: int = 200,
    mask_label: int | None = 1,
    shrink: int = 1,
    observer: Callable[[N4Iteration], None] | None = None,
    threads: int | None = None,
) -> N4Result:
    """Correct the bias field with N4 (Tustison et al. 2010), with the results of ITK 5.4.

    :param mask: the voxels that the field is found on; all where it is left out.
    :param iterations: most iterations on each of one to ten levels.
    :param control_points: control points along x, y and z on the first level; 4 each where neither this nor
        ``knot_spacing`` is given.
    :param knot_spacing: distance of knots in mm, in place of control points.
    :param mask_label: label of the mask's voxels; with None every voxel that is not 0.
    :param shrink: the field is found on every n-th voxel, and applied to all.
    :param observer: told of each iteration; an exception that it raises ends the correction.
    :raises AlnmError: for parameters out of range and images that cannot be corrected.
    """
    request = _N4Request(
        list(iterations), convergence_threshold, None if control_points is None else list(control_points), knot_spacing,
        spline_order, bias_fwhm, wiener_noise, histogram_bins, mask_label, shrink,
    )  # fmt: skip
    told = None if observer is None else lambda *step: observer(N4Iteration(*step))
    masked = None if mask is None else as_image(mask, "mask")
    corrected, field, levels = _native.n4(as_image(image), masked, request, told, threads)
    return N4Result(
        like(of_native(corrected), image),
        like(of_native(field), image),
        [N4Level(tuple(points), list(convergence), converged) for points, convergence, converged in levels],
    )


@dataclass(frozen=True)
class _N4Request:
    iterations: list[int]
    convergence_threshold: float
    control_points: list[int] | None
    knot_spacing: float | None
    spline_order: int
    bias_fwhm: float
    wiener_noise: float
    histogram_bins: int
    mask_label: int | None
    shrink: int


def otsu_mask(image: Any, bins: int = 200) -> Any:
    """The voxels above Otsu's threshold as a mask of 0 and 1."""
    return like(of_native(_native.otsu_mask(as_image(image), bins)), image)


def resample(
    image: Any,
    spacing: Sequence[float] | None = None,
    *,
    grid: Any = None,
    interpolator: str = "bspline",
    outside: float = 0.0,
    threads: int | None = None,
) -> Any:
    """The image on another grid, as ITK's ``ResampleImageFilter`` has it.

    :param spacing: spacing of the grid in mm, which covers the same part of space; or
    :param grid: an image whose grid is taken.
    :param interpolator: ``nearest`` (for masks), ``linear``, ``bspline``, ``gaussian``, ``label-gaussian``,
        ``hamming-sinc``, ``cosine-sinc``, ``welch-sinc``, ``lanczos-sinc`` or ``blackman-sinc``.
    :param outside: value where the grid leaves the image.
    :raises AlnmError: for a grid that cannot be held, or where both or none of ``spacing`` and ``grid`` are given.
    """
    if (spacing is None) == (grid is None):
        raise _native.AlnmError("spacing and grid are both given, or neither is; exactly one says where voxels lie")
    source = as_image(image)
    wanted = None
    if spacing is not None:
        wanted = [float(value) for value in spacing]
        if len(wanted) != source.array.ndim:
            raise _native.AlnmError(f"spacing has {len(wanted)} numbers; it must have {source.array.ndim}")
    target = None if grid is None else as_image(grid, "grid")
    parts = _native.resample(source, target, wanted, interpolator, outside, threads)
    return like(of_native(parts), image)
