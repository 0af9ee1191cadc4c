"""Registration: the motion between two images, or between the phases of a series.

A transform takes points of the fixed image to points of the moving image, in millimetres and LPS, as ITK's do; its
files are those of ITK, which SimpleITK, 3D Slicer and elastix read.

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
    """The Jacobian determinant of a transform in a region: 1 keeps the volume of tissue, 0 or less folds it."""

    voxels: int
    folded: int
    """Voxels whose determinant is 0 or less."""
    minimum: float
    mean: float
    maximum: float
    volume_change: float
    """The mean less 1: the share by which the region is larger in the moving image."""


def _points(points: Any) -> np.ndarray[Any, Any]:
    array = np.ascontiguousarray(points, dtype=float)
    if array.ndim != 2:
        raise _native.AlnmError(f"the points have {array.ndim} axes; they must be rows of x, y and z in mm")
    return array


class Transform:
    """A map from points of the fixed image to points of the moving image."""

    def __init__(self, native: Any) -> None:
        self._native = native

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the transform as a text file of ITK. The file is there as a whole or not at all."""
        self._native.write(os.fspath(path))

    def parts(self) -> list[Any]:
        """The maps of which the transform is the chain, as dictionaries of their numbers; the last acts first."""
        return list(self._native.parts())

    def apply(self, points: Any) -> np.ndarray[Any, Any]:
        """Where points go: rows of (x, y, z) in mm."""
        return self._native.apply(_points(points))  # type: ignore[no-any-return]

    def jacobian_determinant(self, points: Any) -> np.ndarray[Any, Any]:
        """The factor by which the transform changes the volume of tissue at points, rows of (x, y, z) in mm."""
        return self._native.jacobian_determinants(_points(points))  # type: ignore[no-any-return]

    def jacobian_map(self, image: Any, *, threads: int | None = None) -> Any:
        """That factor at each voxel of an image's grid."""
        return like(of_native(self._native.jacobian_map(as_image(image), threads)), image)

    def jacobian_in(self, mask: Any, *, threads: int | None = None) -> JacobianSummary:
        """That factor in the voxels of a mask that are not 0."""
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
        """The moving image on the grid of the fixed image, as ITK's ``ResampleImageFilter``.

        :param interpolator: as in :func:`alnm.imaging.resample`.
        :param outside: value where the transform leaves the moving image.
        """
        grid = as_image(fixed, "fixed image")
        image = self._native.resample(as_image(moving, "moving image"), grid, interpolator, outside, threads)
        return like(of_native(image), moving)

    def resample_mask(self, moving: Any, fixed: Any, *, threads: int | None = None) -> Any:
        """A mask of the moving image on the grid of the fixed image, by the nearest voxel."""
        grid = as_image(fixed, "fixed image")
        return like(of_native(self._native.resample_mask(as_image(moving, "mask"), grid, threads)), moving)


def read_transform(path: str | os.PathLike[str]) -> Transform:
    """Read a transform file of ITK: identity, translation, rigid, affine, B-spline and composite ones.

    :raises FileNotFoundError: where there is no such file.
    :raises AlnmError: for a file that is none or holds another kind.
    """
    return Transform(_native.FoundTransform.read(existing(path)))


@dataclass(frozen=True)
class RegistrationIteration:
    """An iteration of a registration."""

    stage: str
    """``rigid``, ``affine`` or ``bspline``."""
    resolution: int
    """The resolution, from 0 for the coarsest."""
    resolutions: int
    iteration: int
    """The iteration, from 1."""
    most_iterations: int
    value: float
    """The objective: the measure and the penalties."""


@dataclass(frozen=True)
class PhaseIteration:
    """An iteration of the registration of a phase of a series."""

    phase: int
    """The phase, from 1."""
    step: RegistrationIteration


@dataclass(frozen=True)
class ResolutionReport:
    """How a stage went at one resolution."""

    stage: str
    size: tuple[int, ...]
    """Voxels of the fixed image at this resolution along x, y and z."""
    control_points: tuple[int, ...] | None
    start: float
    """The objective before."""
    value: float
    """The objective after."""
    iterations: int
    evaluations: int
    converged: bool
    """Whether it ended by the tolerance, and not by the number of iterations."""


@dataclass(frozen=True)
class Registration:
    """What a registration found."""

    transform: Transform
    resolutions: list[ResolutionReport]
    overlap: float
    """Share of the fixed image, of its mask where one was given, that lies in the moving image after the motion."""
    jacobian: JacobianSummary
    """In all voxels of the fixed image."""
    lesion: JacobianSummary | None
    """In the lesion, where its mask was given."""
    bending_weight: float | None
    """The weight of the bending energy with which nothing is folded; None without a B-spline."""


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
    """Find the motion between two images.

    :param fixed_mask: the voxels of the fixed image that are to be matched; all where it is left out.
    :param moving_mask: the voxels of the moving image that may be matched.
    :param lesion_mask: the lesion, on the grid of the fixed image.
    :param stages: ``rigid``, ``affine`` and ``bspline`` in the order in which they are looked for; a B-spline is last.
    :param measure: ``mean-squares``, ``correlation``, ``local-correlation`` (phases of a series) or
        ``mutual-information`` (images of different kinds).
    :param radius: of the cubes of the local correlation, in voxels.
    :param bins: of the histogram of the mutual information.
    :param start: ``coordinates`` of the files, or ``grid_centers``.
    :param resolutions: number of resolutions, each half of the next.
    :param finest_shrink: shrink factor of the finest resolution.
    :param iterations: most iterations at each resolution.
    :param tolerance: a resolution ends when the objective falls by less than this share of its fall so far.
    :param grid_spacing: largest distance of control points at the finest resolution, in mm.
    :param bending_weight: weight of the bending energy in mm².
    :param lesion: what tissue in the lesion may do: ``free``, keep its ``volume``, or stay ``rigid``.
    :param lesion_weight: weight of that.
    :param observer: told of each iteration; an exception that it raises ends the registration.
    :raises AlnmError: for images that cannot be registered and parameters out of range.
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
    """A series whose phases were brought onto one of them."""

    images: list[Any]
    """The phases on the grid of the one that stays."""
    results: list[Registration | None]
    """What was found for each; None for the one that stays."""


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
    """Bring all phases of a series onto one of them.

    :param images: the phases, all on one grid.
    :param onto: the phase that stays, from 1.
    :param interpolator: as in :func:`alnm.imaging.resample`.
    :param observer: told of each iteration.
    :param params: the other parameters of :func:`register`.
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
