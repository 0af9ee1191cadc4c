"""Registration: the motion between two images, or between the phases of a series.

A transform maps points of the fixed image to points of the moving image, in millimetres and LPS coordinates, as the
transforms of ITK do. Transforms are read and written as ITK's text files, which SimpleITK, ANTs and 3D Slicer read and
write too.

>>> import numpy as np
>>> from alnm import Image, registration
>>> z, y, x = np.indices((16, 24, 24))
>>> def blob(shift):
...     return 100 * np.exp(-((x - 12 - shift) ** 2 + (y - 11) ** 2 / 2 + (z - 8) ** 2) / 20) + (3 * x + 5 * y) % 3
>>> fixed, moving = (Image(blob(shift), spacing=(1.0, 1.0, 1.0)) for shift in (0, 2))
>>> found = registration.register(fixed, moving, stages=["rigid"], measure="mean-squares", resolutions=2)
>>> bool(abs(found.transform.apply([[12.0, 11.0, 8.0]])[0, 0] - 14.0) < 0.2)
True
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from alnm import _native
from alnm.image import as_image, existing, like, of_native

__all__ = [
    "JacobianSummary",
    "PhaseIteration",
    "RegisteredSeries",
    "Registration",
    "RegistrationIteration",
    "ResolutionReport",
    "Transform",
    "read_transform",
    "register",
    "register_series",
]

_MEASURES = ("mean-squares", "correlation", "local-correlation", "mutual-information")


@dataclass(frozen=True)
class JacobianSummary:
    """Summary of the Jacobian determinant of a transform over the voxels of a region. A determinant of 1 keeps the
    volume of tissue, 0.9 means that it takes nine tenths of its volume in the moving image, and 0 or less that the
    tissue is folded."""

    voxels: int
    """Number of voxels of the region."""
    folded: int
    """Number of voxels whose determinant is 0 or less."""
    minimum: float
    mean: float
    maximum: float
    volume_change: float
    """The mean minus 1: the share by which the region is larger in the moving image than in the fixed image."""


def _points(points: Any) -> np.ndarray[Any, Any]:
    array = np.ascontiguousarray(points, dtype=float)
    if array.ndim != 2:
        raise _native.AlnmError(f"the points have {array.ndim} axes; they must be rows of x, y and z in mm")
    return array


class Transform:
    """A map from points of the fixed image to points of the moving image, which :func:`register` finds and
    :func:`read_transform` reads."""

    def __init__(self, native: Any) -> None:
        self._native = native

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the transform as a text file of ITK. The file gets its name when it is complete.

        :param path: the file, by custom with the ending ``.tfm`` or ``.txt``.
        :raises AlnmError: for a file that cannot be written.
        """
        self._native.write(os.fspath(path))

    def parts(self) -> list[Any]:
        """The maps that make up the transform, as dictionaries of their numbers, in the order of ITK's composite
        transforms: the last one is applied first. The identity has no parts."""
        return list(self._native.parts())

    def apply(self, points: Any) -> np.ndarray[Any, Any]:
        """Map points of the fixed image to the moving image.

        :param points: an array (points, 3) of x, y and z in mm.
        :returns: the mapped points, an array of the same shape.
        :raises AlnmError: for an array of another shape.
        """
        return self._native.apply(_points(points))  # type: ignore[no-any-return]

    def jacobian_determinant(self, points: Any) -> np.ndarray[Any, Any]:
        """The Jacobian determinant at points: the factor by which the transform changes the volume of tissue there.

        :param points: an array (points, 3) of x, y and z in mm.
        :returns: one determinant per point; 1 keeps the volume, 0 or less folds the tissue.
        :raises AlnmError: for an array of another shape.
        """
        return self._native.jacobian_determinants(_points(points))  # type: ignore[no-any-return]

    def jacobian_map(self, image: Any, *, threads: int | None = None) -> Any:
        """The Jacobian determinant at each voxel of a grid.

        :param image: the image whose grid is taken, usually the fixed image.
        :param threads: number of threads; see :mod:`alnm`.
        :returns: an image of determinants in single precision.
        """
        return like(of_native(self._native.jacobian_map(as_image(image), threads)), image)

    def jacobian_in(self, mask: Any, *, threads: int | None = None) -> JacobianSummary:
        """A summary of the Jacobian determinant over a region.

        :param mask: a mask on the grid of the fixed image; voxels that are not 0 belong to the region.
        :param threads: number of threads; see :mod:`alnm`.
        :raises AlnmError: for a mask without such a voxel.
        """
        return JacobianSummary(**self._native.jacobian_summary(as_image(mask, "mask"), threads))

    def resample(
        self,
        moving: Any,
        fixed: Any,
        *,
        interpolator: str = "linear",
        outside: float = 0.0,
        threads: int | None = None,
    ) -> Any:
        """Resample the moving image onto the grid of the fixed image, as ITK's ``ResampleImageFilter`` does.

        :param moving: the moving image.
        :param fixed: an image whose grid is taken.
        :param interpolator: one of those of :func:`alnm.imaging.resample`.
        :param outside: the value of voxels whose point lies outside the moving image.
        :param threads: number of threads; see :mod:`alnm`.
        :returns: the image on the grid of the fixed image, with the type of voxel of the moving image.
        :raises AlnmError: for an unknown interpolator, and, with ``bspline``, a voxel that is not finite.
        """
        grid = as_image(fixed, "fixed image")
        image = self._native.resample(as_image(moving, "moving image"), grid, interpolator, outside, threads)
        return like(of_native(image), moving)

    def resample_mask(self, moving: Any, fixed: Any, *, threads: int | None = None) -> Any:
        """Resample a mask of the moving image onto the grid of the fixed image, by the nearest voxel.

        :param moving: the mask.
        :param fixed: an image whose grid is taken.
        :param threads: number of threads; see :mod:`alnm`.
        :returns: the mask; 0 where the point of a voxel lies outside the moving image.
        """
        grid = as_image(fixed, "fixed image")
        return like(of_native(self._native.resample_mask(as_image(moving, "mask"), grid, threads)), moving)


def read_transform(path: str | os.PathLike[str]) -> Transform:
    """Read a transform from a text file of ITK. Identity, translation, rigid (Euler and versor), affine and B-spline
    transforms of three dimensions are read, and composite transforms of these.

    :raises FileNotFoundError: where no such file exists.
    :raises AlnmError: for a file that is no transform file, or holds a transform of another kind.
    """
    return Transform(_native.FoundTransform.read(existing(path)))


@dataclass(frozen=True)
class RegistrationIteration:
    """The state of a registration after an iteration, as an observer is told of it."""

    stage: str
    """The motion model of the stage: ``rigid``, ``affine`` or ``bspline``."""
    resolution: int
    """Number of the resolution, from 0 for the coarsest."""
    resolutions: int
    """Number of resolutions of the stage."""
    iteration: int
    """Number of the iteration, counted from 1."""
    most_iterations: int
    """Largest number of iterations at a resolution."""
    value: float
    """The objective function, which is minimised: the similarity measure and the penalties."""


@dataclass(frozen=True)
class PhaseIteration:
    """The state of the registration of one phase of a series after an iteration."""

    phase: int
    """Number of the phase, counted from 1."""
    step: RegistrationIteration


@dataclass(frozen=True)
class ResolutionReport:
    """Report of a stage at one resolution."""

    stage: str
    """The motion model: ``rigid``, ``affine`` or ``bspline``."""
    size: tuple[int, ...]
    """Number of voxels of the fixed image at this resolution, along x, y and z."""
    control_points: tuple[int, ...] | None
    """Number of control points along x, y and z; None for a rigid or affine stage."""
    start: float
    """The objective function before the first iteration."""
    value: float
    """The objective function after the last iteration."""
    iterations: int
    """Number of iterations."""
    evaluations: int
    """Number of evaluations of the objective function with its gradient."""
    converged: bool
    """Whether it ended because of the tolerance, and not because the iterations were used up."""


@dataclass(frozen=True)
class Registration:
    """The result of a registration."""

    transform: Transform
    """The map from points of the fixed image to points of the moving image."""
    resolutions: list[ResolutionReport]
    """The report of each stage at each of its resolutions, in order."""
    overlap: float
    """Share of the fixed image (of its mask, where one was given) that lies in the moving image after the motion, from
    0 to 1, counted in voxels of the coarsest resolution."""
    jacobian: JacobianSummary
    """The Jacobian determinant over all voxels of the fixed image."""
    lesion: JacobianSummary | None
    """The Jacobian determinant over the lesion; None without a ``lesion_mask``."""
    bending_weight: float | None
    """The weight of the bending energy, in mm², with which no tissue is folded; None without a B-spline stage. It is
    larger than the weight that was asked for where that one left tissue folded."""


def _report(fields: dict[str, Any]) -> ResolutionReport:
    points = fields["control_points"]
    return ResolutionReport(
        fields["model"], tuple(fields["size"]), None if points is None else tuple(points), fields["start"],
        fields["value"], fields["iterations"], fields["evaluations"], fields["converged"],
    )  # fmt: skip


def _registration(parts: Any) -> Registration:
    transform, reports, overlap, jacobian, lesion, bending_weight = parts
    return Registration(
        Transform(transform),
        [_report(fields) for fields in reports],
        overlap,
        JacobianSummary(**jacobian),
        None if lesion is None else JacobianSummary(**lesion),
        bending_weight,
    )


@dataclass(frozen=True)
class _Request:
    fixed_mask: Any
    moving_mask: Any
    lesion: Any
    params: dict[str, Any]


def _measure(name: str, radius: int, bins: int) -> Any:
    if name not in _MEASURES:
        raise _native.AlnmError(f"measure is {name}; it must be one of {', '.join(_MEASURES)}")
    parameters = {"local-correlation": {"radius": radius}, "mutual-information": {"bins": bins}}.get(name)
    word = name.replace("-", "_")
    return word if parameters is None else {word: parameters}


def _request(masks: Sequence[Any], measure: Any, params: dict[str, Any]) -> _Request:
    fixed, moving, lesion = (None if mask is None else as_image(mask, "mask") for mask in masks)
    return _Request(fixed, moving, lesion, {"measure": measure, **params})


def register(
    fixed: Any,
    moving: Any,
    *,
    fixed_mask: Any = None,
    moving_mask: Any = None,
    lesion_mask: Any = None,
    stages: Sequence[str] = ("rigid", "bspline"),
    measure: str = "local-correlation",
    radius: int = 3,
    bins: int = 32,
    start: str = "coordinates",
    resolutions: int = 3,
    finest_shrink: int = 1,
    iterations: int = 60,
    tolerance: float = 1e-4,
    grid_spacing: float = 12.0,
    bending_weight: float = 100.0,
    lesion: str = "volume",
    lesion_weight: float = 1.0,
    observer: Callable[[RegistrationIteration], None] | None = None,
    threads: int | None = None,
) -> Registration:
    """Find the motion between two images: a transform by which the moving image can be resampled onto the fixed image.

    Each stage goes through all resolutions, from coarse to fine; stages before the last leave the finest one out. An
    image of one slice is registered in its plane.

    :param fixed: the image that stays.
    :param moving: the image that is brought onto it, in single precision as the fixed image.
    :param fixed_mask: a mask on the grid of the fixed image; voxels that are not 0 are matched. All where it is left
        out.
    :param moving_mask: a mask on the grid of the moving image; voxels that are not 0 may be matched. All where it is
        left out.
    :param lesion_mask: a mask of the lesion on the grid of the fixed image, to which ``lesion`` applies.
    :param stages: the motion models, in the order in which they are fitted: ``rigid`` (6 parameters), ``affine`` (12
        parameters) and ``bspline`` (free-form deformation by cubic B-splines). At least one; a B-spline can only be
        the last.
    :param measure: the similarity measure: ``mean-squares``, ``correlation`` (Pearson's correlation of all voxels,
        squared), ``local-correlation`` (that of the voxels in a cube around each voxel; for phases of a series) or
        ``mutual-information`` (Mattes et al. 2003; for images of different kinds).
    :param radius: distance in voxels from the centre of a cube of the local correlation to its border, 1 to 10.
    :param bins: number of bins of the histograms of the mutual information, 8 to 256.
    :param start: where the first stage begins: at the ``coordinates`` of the images, or with the centres of both grids
        at one point (``grid_centers``).
    :param resolutions: number of resolutions, each with half the voxels on each axis of the next; 1 to 8.
    :param finest_shrink: shrink factor of the finest resolution, 1 to 16.
    :param iterations: largest number of iterations at each resolution, at least 1.
    :param tolerance: a resolution ends when the objective function falls in an iteration by less than this share of its
        fall so far; above 0 and below 1.
    :param grid_spacing: largest distance between control points at the finest resolution in mm, above 0.
    :param bending_weight: weight of the bending energy in mm², at least 0. It is raised while tissue is folded.
    :param lesion: the constraint on tissue in the lesion: ``free`` (none), ``volume`` (the volume is kept; Rohlfing et
        al. 2003) or ``rigid`` (the shape is kept; Staring et al. 2007).
    :param lesion_weight: weight of the constraint, at least 0.
    :param observer: a function that is called after each iteration; an exception that it raises ends the registration.
    :param threads: number of threads; see :mod:`alnm`.
    :returns: the transform, with reports and the Jacobian determinants that show where it changes volumes.
    :raises AlnmError: for parameters out of range, images that are too small, constant, not finite or without overlap,
        masks that are empty or on another grid, and tissue that stays folded whatever the bending weight.
    """
    params = {
        "stages": list(stages), "start": start, "resolutions": resolutions, "finest_shrink": finest_shrink,
        "iterations": iterations, "tolerance": tolerance, "grid_spacing": grid_spacing,
        "bending_weight": bending_weight, "lesion": lesion, "lesion_weight": lesion_weight,
    }  # fmt: skip
    request = _request((fixed_mask, moving_mask, lesion_mask), _measure(measure, radius, bins), params)
    told = None if observer is None else lambda *step: observer(RegistrationIteration(*step))
    images = as_image(fixed, "fixed image"), as_image(moving, "moving image")
    return _registration(_native.register(*images, request, told, threads))


@dataclass(frozen=True)
class RegisteredSeries:
    """A series whose phases were resampled onto one of them."""

    images: list[Any]
    """The phases on the grid of the one that stays, which is unchanged. They keep their type of voxel; voxels whose
    point lies outside a phase are 0."""
    results: list[Registration | None]
    """The result of the registration of each phase; None for the one that stays."""


def register_series(
    images: Sequence[Any],
    *,
    onto: int = 1,
    fixed_mask: Any = None,
    moving_mask: Any = None,
    lesion_mask: Any = None,
    measure: str = "local-correlation",
    radius: int = 3,
    bins: int = 32,
    interpolator: str = "linear",
    observer: Callable[[PhaseIteration], None] | None = None,
    threads: int | None = None,
    **params: Any,
) -> RegisteredSeries:
    """Register all phases of a series with one of them, and resample them onto it.

    :param images: the phases in the order of time, all on one grid.
    :param onto: number of the phase that stays, counted from 1.
    :param fixed_mask: as in :func:`register`; all masks lie on the grid of the series.
    :param moving_mask: as in :func:`register`, the same for each phase.
    :param lesion_mask: as in :func:`register`, the lesion as it lies in the phase that stays.
    :param measure: as in :func:`register`, as ``radius`` and ``bins`` are.
    :param interpolator: one of those of :func:`alnm.imaging.resample`.
    :param observer: a function that is called after each iteration; an exception that it raises ends the registration.
    :param threads: number of threads; see :mod:`alnm`.
    :param params: the other parameters of :func:`register`, from ``stages`` to ``lesion_weight``.
    :raises AlnmError: as :func:`register`, and for phases on different grids or a phase that the series does not have.
    """
    request = _request((fixed_mask, moving_mask, lesion_mask), _measure(measure, radius, bins), params)
    phases = [as_image(image) for image in images]

    def told(phase: int, *step: Any) -> None:
        if observer is not None:
            observer(PhaseIteration(phase, RegistrationIteration(*step)))

    registered, results = _native.register_series(
        phases, onto, request, interpolator, None if observer is None else told, threads
    )
    return RegisteredSeries(
        [like(of_native(parts), image) for parts, image in zip(registered, images)],
        [None if parts is None else _registration(parts) for parts in results],
    )
