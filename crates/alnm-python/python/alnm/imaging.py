"""Medical images in physical space: reading and writing, bias field correction (N4), resampling, Otsu's threshold.

Every function that takes an image takes an :class:`alnm.Image` or a SimpleITK image of one component, and returns
images of the kind that it was given. Images that are read from files are :class:`alnm.Image`.

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
    """The grid of an image, without its voxels; see :class:`alnm.Image` for the meaning of the fields."""

    size: tuple[int, ...]
    """Number of voxels along x, y (and z)."""
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]


def read(path: Path, volume: int | None = None) -> Image:
    """Read an image: a NIfTI, NRRD, MetaImage or DICOM file, or a folder that holds one DICOM series. The format is
    recognised by the content of the file, not by its name.

    :param path: the file or folder.
    :param volume: number of the volume, counted from 1, of a file of four dimensions or a DICOM series with several
        volumes. It may be left out where there is one volume.
    :returns: the image.
    :raises FileNotFoundError: where no such file or folder exists.
    :raises AlnmError: for a file that cannot be read; the message says what is wrong with it.
    """
    return of_native(_native.read_image(existing(path), volume))


def read_geometry(path: Path) -> Geometry:
    """Read the grid of an image file or a DICOM folder, without reading the voxels.

    :raises FileNotFoundError: where no such file or folder exists.
    :raises AlnmError: for a file whose header cannot be read.
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
    """Read a mask: a label map in any of the formats of :func:`read`, a DICOM segmentation or a DICOM structure set.

    :param path: the file, or a folder that holds one mask.
    :param region: name or number of one region, whose voxels become 1. Without it the labels of a label map stay as
        they are; of a DICOM file, a single region becomes 1 and several regions keep their labels.
    :param image: the image to which the mask belongs. A structure set is drawn on the grid of this image, and cannot be
        read without it; any other mask is resampled onto the grid by the nearest voxel.
    :param channel: component, counted from 0, of a label map whose voxels have several components.
    :param volume: volume, counted from 1, of a label map of four dimensions.
    :returns: the mask, with labels of type uint32.
    :raises FileNotFoundError: where no such file or folder exists.
    :raises AlnmError: for a file that cannot be read, a voxel that is no label, a region that is not in the file, and a
        mask of which no voxel lies on the grid of the image.
    """
    grid = None if image is None else as_image(image)
    return of_native(_native.read_mask(existing(path), region, grid, channel, volume))


def write(path: Path, image: Any) -> None:
    """Write an image as NIfTI, NRRD or MetaImage, with the type of its voxels. The file gets its name when it is
    complete, so that an interrupted call leaves no incomplete file.

    :param path: the file; its ending names the format: ``.nii``, ``.nii.gz``, ``.hdr``, ``.img``, ``.nrrd``, ``.nhdr``,
        ``.mha`` or ``.mhd``. NRRD, MetaImage and ``.nii.gz`` files are compressed.
    :param image: the image; voxels of type bool are written as 8-bit integers.
    :raises AlnmError: for an unknown ending, a geometry that the format cannot hold, and a file that cannot be written.
    """
    _native.write_image(os.fspath(path), as_image(image))


def write_mask(path: Path, mask: Any) -> None:
    """Write a mask as :func:`write` does, with the smallest unsigned integer type that holds its labels.

    :raises AlnmError: as :func:`write`, and for a voxel that is no whole number from 0 to 4294967295.
    """
    _native.write_mask(os.fspath(path), as_image(mask, "mask"))


@dataclass(frozen=True)
class N4Iteration:
    """The state of N4 after an iteration, as an observer is told of it."""

    level: int
    """Number of the level, counted from 0."""
    levels: int
    """Number of levels."""
    iteration: int
    """Number of the iteration on this level, counted from 1."""
    max_iterations: int
    """Largest number of iterations on this level."""
    convergence: float
    """Coefficient of variation of the change of the field in this iteration."""


@dataclass(frozen=True)
class N4Level:
    """Report of one level of N4."""

    control_points: tuple[int, ...]
    """Number of control points along x, y and z."""
    convergence: list[float]
    """The convergence after each iteration."""
    converged: bool
    """Whether the last convergence was at most the threshold."""


@dataclass(frozen=True)
class N4Result:
    """An image corrected by N4."""

    corrected: Any
    """The image divided by the field, in single precision, in all voxels, whether in the mask or not."""
    log_bias_field: Any
    """Natural logarithm of the field, on the grid of the image."""
    levels: list[N4Level]
    """The report of each level, in the order in which they were computed."""


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
    """Correct the bias field of an image with N4 (Tustison et al., IEEE Trans. Med. Imaging 29:1310, 2010), with the
    results of ITK 5.4. The defaults are those of SimpleITK.

    :param image: the image, computed in single precision. Its voxels must be finite.
    :param mask: a mask on the same grid with the voxels on which the field is estimated; all where it is left out.
    :param iterations: the largest number of iterations on each level; one to ten levels, as many as there are numbers.
    :param convergence_threshold: a level ends when the coefficient of variation of the change of the field is at most
        this; at least 0.
    :param control_points: number of control points of the spline along x, y and z on the first level, each larger than
        ``spline_order`` and at most 1024. Each further level doubles the number of spans. The default is 4 on each
        axis.
    :param knot_spacing: the largest distance between knots in mm on the first level, above 0; not together with
        ``control_points``.
    :param spline_order: order of the B-spline, from 1 to 5.
    :param bias_fwhm: full width at half maximum of the Gaussian with which the histogram is deconvolved, in units of
        the logarithm of the intensity; above 0.
    :param wiener_noise: noise term of the Wiener filter, above 0.
    :param histogram_bins: number of bins of the histogram, from 3 to 65536.
    :param mask_label: label of the voxels of the mask; with None every voxel that is not 0.
    :param shrink: the field is estimated on every n-th voxel along each axis and applied to all voxels; at least 1.
    :param observer: a function that is called after each iteration; an exception that it raises ends the correction.
    :param threads: number of threads; see :mod:`alnm`.
    :returns: the corrected image, the field and a report of each level.
    :raises AlnmError: for parameters out of range, a mask without voxels or on another grid, and a voxel that is not
        finite.
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
    """The voxels above Otsu's threshold (IEEE Trans. Syst. Man Cybern. 9:62, 1979), as in ITK's ``OtsuThreshold``.

    :param image: the image, with finite voxels of at least two different values.
    :param bins: number of bins of the histogram, from 2 to 1048576. ITK's own default is 128.
    :returns: a mask that is 1 above the threshold and 0 elsewhere.
    :raises AlnmError: for bins out of range, a voxel that is not finite, and an image whose voxels are all equal.
    """
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
    """Resample an image onto another grid, as ITK's ``ResampleImageFilter`` does. One of ``spacing`` and ``grid`` has
    to be given.

    :param image: the image.
    :param spacing: spacing of the new grid along x, y (and z) in mm, above 0. The grid covers the same part of space.
    :param grid: an image whose grid is taken.
    :param interpolator: ``nearest`` (for masks), ``linear``, ``bspline`` (cubic), ``gaussian``, ``label-gaussian`` (for
        masks), or a sinc with a window of five voxels on each side: ``hamming-sinc``, ``cosine-sinc``, ``welch-sinc``,
        ``lanczos-sinc`` or ``blackman-sinc``.
    :param outside: the value of voxels of the grid that lie outside the image.
    :param threads: number of threads; see :mod:`alnm`.
    :returns: the image on the new grid, with its type of voxel.
    :raises AlnmError: where both or none of ``spacing`` and ``grid`` are given, for an unknown interpolator, a grid
        that is too large to be held, and, with ``bspline``, a voxel that is not finite.
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
