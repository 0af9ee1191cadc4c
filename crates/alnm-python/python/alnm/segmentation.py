"""Outlines of lesions: active contours, region growing, morphology, and the agreement between outlines.

Images and masks are :class:`alnm.Image` or images of SimpleITK; results are of the kind that was given. Masks are on
the same grid as the image to which they belong. The algorithms are those of ITK-SNAP and of ITK's filters, and the
distances between outlines those of SimpleITK and of DeepMind's package surface-distance. Voxel indices are (x, y, z),
counted from 0; z is 0 for an image of two dimensions.

>>> import numpy as np
>>> from alnm import Image, segmentation
>>> z, y, x = np.indices((16, 32, 32))
>>> ball = (z - 8) ** 2 + (y - 16) ** 2 + (x - 16) ** 2 <= 36
>>> image = Image(np.where(ball, 300.0, 100.0) + (7 * x + 3 * y + 5 * z) % 11, spacing=(1.0, 1.0, 1.0))
>>> seed = segmentation.bubbles(image, [(16.0, 16.0, 8.0)], 2.0)
>>> found = segmentation.active_contour(segmentation.threshold_speed(image, lower=200.0), seed)
>>> truth = Image(ball, image.spacing)
>>> segmentation.compare_outlines(truth, found.mask)[0].overlap.dice > 0.95
True
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

import numpy as np

from alnm import _native
from alnm.image import Image, as_image, existing, like, of_native
from alnm.results import count

__all__ = [
    "ConfidentRegion",
    "ContourIteration",
    "EvolvedContour",
    "LabelAgreement",
    "MixtureClass",
    "MixtureSpeed",
    "OutlineDistances",
    "RaterPerformance",
    "RegionOverlap",
    "SliceAgreement",
    "Staple",
    "SurfelDistances",
    "VoxelDistances",
    "active_contour",
    "arrival_times",
    "bubbles",
    "closing",
    "compare_outlines",
    "confidence_connected",
    "connected_threshold",
    "dilate",
    "edge_speed",
    "erode",
    "fill_holes",
    "largest_part",
    "majority_vote",
    "markup_points",
    "mixture_speed",
    "neighbourhood_connected",
    "opening",
    "smooth",
    "staple",
    "threshold_speed",
]

Radius = Union[int, Sequence[int]]


def threshold_speed(
    image: Any,
    *,
    lower: float | None = None,
    upper: float | None = None,
    smoothness: float = 3.0,
    threads: int | None = None,
) -> Any:
    """The speed image of an active contour from smooth thresholds (ITK-SNAP's pre-segmentation "thresholding"):
    tanh(s (v - lower)) + tanh(s (upper - v)) - 1, or one of both terms alone.

    :param image: the image, with finite voxels.
    :param lower: values below it make the contour shrink.
    :param upper: values above it make the contour shrink; above ``lower``. At least one of the two has to be given.
    :param smoothness: steepness of the transition, as in ITK-SNAP, above 0 and at most 10; larger is steeper.
    :param threads: number of threads; see :mod:`alnm`.
    :returns: the speed of each voxel, between -1 and 1, in single precision; the contour grows where it is above 0.
    :raises AlnmError: for parameters out of range, a voxel that is not finite, and a single threshold in an image whose
        voxels are all equal.
    """
    params = {"lower": lower, "upper": upper, "smoothness": smoothness}
    return like(of_native(_native.threshold_speed(as_image(image), params, threads)), image)


def edge_speed(
    image: Any, *, sigma: float = 1.0, kappa: float = 0.04, exponent: float = 3.0, threads: int | None = None
) -> Any:
    """The speed image of an active contour that stops at edges (ITK-SNAP's pre-segmentation "edge attraction"):
    1 / (1 + (g / (m κ))^λ), with the length g of the gradient of the smoothed image per mm and the range m of the
    values of the image.

    :param image: the image, with finite voxels.
    :param sigma: standard deviation of the Gaussian smoothing in voxels, above 0 and at most 10.
    :param kappa: κ, the gradient as a share of the range of the image at which the speed is a half; above 0.
    :param exponent: λ, how steeply the speed falls with the gradient; above 0.
    :param threads: number of threads; see :mod:`alnm`.
    :returns: the speed of each voxel, between 0 and 1, in single precision.
    :raises AlnmError: for parameters out of range, a voxel that is not finite, and an image whose voxels are all equal.
    """
    params = {"sigma": sigma, "kappa": kappa, "exponent": exponent}
    return like(of_native(_native.edge_speed(as_image(image), params, threads)), image)


@dataclass(frozen=True)
class MixtureClass:
    """One class of a mixture: a normal distribution of values."""

    weight: float
    """Share of the voxels that belong to the class."""
    mean: float
    """Mean of the values of the class."""
    variance: float
    """Variance of the values of the class."""


@dataclass(frozen=True)
class MixtureSpeed:
    """A speed image from a mixture of classes, with the mixture."""

    speed: Any
    """For each voxel the probability of the classes of the structure minus that of all others, between -1 and 1."""
    classes: list[MixtureClass]
    """The classes, in the order of ascending means."""
    foreground: list[int]
    """Positions of the classes of the structure among the classes, counted from 0."""
    log_likelihood: float
    """Mean log-likelihood of the voxels to which the mixture was fitted."""
    iterations: int
    """Number of iterations that were done."""
    converged: bool
    """Whether the fit had converged before the iterations were used up."""


def mixture_speed(
    image: Any,
    *,
    seed: Any = None,
    foreground: Sequence[int] | None = None,
    classes: int = 3,
    iterations: int = 200,
    tolerance: float = 1e-6,
    samples: int = 100_000,
    threads: int | None = None,
) -> MixtureSpeed:
    """The speed image of an active contour from a mixture of normal distributions of the values of the image, fitted by
    expectation maximisation (ITK-SNAP's pre-segmentation "clustering"). ITK-SNAP starts with random centres; here the
    classes start at quantiles of the values, so that the same image gives the same classes.

    :param image: the image, with finite voxels.
    :param seed: a mask; the structure is the class to which most of its voxels that are not 0 belong.
    :param foreground: the classes of the structure, counted from 0 in the order of ascending means. Either this or
        ``seed`` has to be given, not both.
    :param classes: number of classes, 2 to 20.
    :param iterations: largest number of iterations, at least 1.
    :param tolerance: the fit ends when the mean log-likelihood changes by less than this; above 0.
    :param samples: largest number of voxels to which the mixture is fitted, at least 100; of a larger image, voxels
        are taken at even distances.
    :param threads: number of threads; see :mod:`alnm`.
    :raises AlnmError: for parameters out of range, a missing structure, a seed without voxels or on another grid, a
        voxel that is not finite, and an image with fewer different values than classes.
    """
    params = {"classes": classes, "iterations": iterations, "tolerance": tolerance, "samples": samples}
    seeded = None if seed is None else as_image(seed, "seed")
    chosen = None if foreground is None else list(foreground)
    speed, mixture, chosen = _native.mixture_speed(as_image(image), seeded, chosen, params, threads)
    return MixtureSpeed(
        like(of_native(speed), image),
        [MixtureClass(**each) for each in mixture["classes"]],
        list(chosen),
        mixture["log_likelihood"],
        mixture["iterations"],
        mixture["converged"],
    )


def bubbles(image: Any, centres: Sequence[Sequence[float]], radius: float | Sequence[float]) -> Any:
    """A seed mask: the voxels whose centres lie in balls around points. The voxel nearest to a point always belongs to
    its ball, however small the radius.

    :param image: the image whose grid is taken.
    :param centres: points (x, y, z) in mm; :meth:`alnm.Image.index_to_point` gives the point of a voxel.
    :param radius: one radius in mm for all points, or one for each; at least 0.
    :returns: a mask that is 1 in the balls and 0 elsewhere.
    :raises AlnmError: for no point, a point outside the image, and a radius out of range.
    """
    points = [[float(coordinate) for coordinate in centre] for centre in centres]
    radii = (
        [float(radius)] * len(points)
        if isinstance(radius, (int, float, np.number))
        else [float(each) for each in radius]
    )
    if len(radii) != len(points):
        raise _native.AlnmError(f"there are {len(radii)} radii; there must be one, or {len(points)} as points")
    return like(of_native(_native.bubbles(as_image(image), points, radii)), image)


def markup_points(path: str | os.PathLike[str]) -> list[tuple[float, ...]]:
    """Read points that 3D Slicer saved, from a markups file (``.mrk.json``) or a table of fiducials (``.fcsv``).

    :param path: the file, with coordinates in LPS or RAS, as it states.
    :returns: the points (x, y, z) in mm and LPS coordinates, as :func:`bubbles` takes them. Points that were not placed
        are left out.
    :raises FileNotFoundError: where no such file exists.
    :raises AlnmError: for a file of another kind, one without points or with more than 100000.
    """
    with open(existing(path), encoding="utf-8") as file:
        return [tuple(point) for point in _native.markup_points(file.read())]


@dataclass(frozen=True)
class ContourIteration:
    """The state of a contour after an iteration, as an observer is told of it."""

    iteration: int
    """Number of the iteration, counted from 1."""
    iterations: int
    """Largest number of iterations."""
    rms_change: float
    """Root mean square of the change of the level set at the contour, in mm."""
    core_voxels: int
    """Number of voxels inside the contour, without those that it crosses."""
    active_voxels: int
    """Number of voxels that the contour crosses."""


@dataclass(frozen=True)
class EvolvedContour:
    """The result of an active contour."""

    mask: Any
    """The outline: 1 inside the contour and 0 elsewhere."""
    voxel_count: int
    """Number of voxels inside."""
    volume: float
    """Volume of these voxels in mm³."""
    iterations: int
    """Number of iterations that were done."""
    rms_change: float
    """Root mean square of the change of the level set in the last iteration, in mm."""
    settled: bool
    """Whether the contour had settled before the iterations were used up."""
    warnings: list[str]
    """What should be checked: a contour that vanished, reaches the border of the image, or may have leaked."""


def active_contour(
    speed: Any,
    seed: Any,
    *,
    method: str = "regions",
    iterations: int = 200,
    propagation_weight: float | None = None,
    propagation_exponent: int | None = None,
    curvature_weight: float | None = None,
    curvature_exponent: int | None = None,
    advection_weight: float | None = None,
    advection_exponent: int | None = None,
    rms_change: float = 0.0,
    time_step_factor: float = 1.0,
    observer: Callable[[ContourIteration], None] | None = None,
    threads: int | None = None,
) -> EvolvedContour:
    """Let a contour grow from a seed with the speed of each voxel, as in ITK-SNAP's semi-automatic segmentation.

    :param speed: an image of speeds between -1 and 1, from :func:`threshold_speed`, :func:`edge_speed` or
        :func:`mixture_speed`.
    :param seed: a mask on the same grid; the contour starts around its voxels that are not 0.
    :param method: ``regions`` (region competition, for the speed from thresholds or a mixture) or ``edges`` (geodesic
        active contours, for the speed from edges). It decides the defaults of the weights and exponents, which are
        those of ITK-SNAP.
    :param iterations: largest number of iterations, at least 1.
    :param propagation_weight: weight of the growth with the speed; the default is 1.
    :param propagation_exponent: power of the speed in the growth, 0 to 10; the default is 1.
    :param curvature_weight: weight of the curvature, which makes the contour smooth; at least 0, the default is 0.2.
    :param curvature_exponent: power of the speed with which the curvature is multiplied, 0 to 10; the default is 0 for
        ``regions`` and 1 for ``edges``. In files of ITK-SNAP this number is smaller by one.
    :param advection_weight: weight of the attraction by edges; the default is 0 for ``regions`` and 2 for ``edges``.
    :param advection_exponent: power of the speed with which the attraction is multiplied, 0 to 10; the default is 0.
    :param rms_change: the contour has settled when the root mean square of the change of an iteration, in mm, is below
        this; at least 0. With 0 all iterations are done.
    :param time_step_factor: the time step, as a share of the longest stable one; above 0 and at most 1.
    :param observer: a function that is called after each iteration; an exception that it raises ends the contour.
    :param threads: number of threads; see :mod:`alnm`.
    :raises AlnmError: for parameters out of range, a seed without voxels or on another grid, and a speed that is not
        finite.
    """
    given = {
        "iterations": iterations,
        "propagation_weight": propagation_weight,
        "propagation_exponent": propagation_exponent,
        "curvature_weight": curvature_weight,
        "curvature_exponent": curvature_exponent,
        "advection_weight": advection_weight,
        "advection_exponent": advection_exponent,
        "rms_change": rms_change,
        "time_step_factor": time_step_factor,
    }
    params = {name: value for name, value in given.items() if value is not None}
    told = None if observer is None else lambda *step: observer(ContourIteration(*step))
    images = as_image(speed, "speed"), as_image(seed, "seed")
    found = _native.active_contour(*images, method, params, told, threads)
    return EvolvedContour(like(of_native(found[0]), seed), *found[1:])


def _seeds(seeds: Sequence[Sequence[int]]) -> list[list[int]]:
    return [[int(place) for place in seed] for seed in seeds]


def _radius(radius: Radius) -> list[int]:
    """The radius along x, y and z, each at most 100 voxels."""
    each = list(radius) if isinstance(radius, Sequence) else [radius] * 3
    return [count(voxels, "radius", 100) for voxels in each]


def connected_threshold(
    image: Any, seeds: Sequence[Sequence[int]], lower: float, upper: float, *, corners: bool = False
) -> Any:
    """Region growing: the voxels with values from ``lower`` to ``upper`` that are connected with a seed which has such
    a value itself (ITK's ``ConnectedThreshold``).

    :param image: the image, in single precision; its voxels must be finite.
    :param seeds: indices (x, y, z) of at least one voxel.
    :param lower: lower limit, which belongs to the range.
    :param upper: upper limit, which belongs to the range.
    :param corners: whether voxels that share only an edge or a corner are connected too, and not only those that share
        a face.
    :returns: a mask that is 1 in the region and 0 elsewhere.
    :raises AlnmError: for no seed, a seed outside the image, a limit that is NaN, and a voxel that is not finite.
    """
    grown = _native.connected_threshold(as_image(image), _seeds(seeds), lower, upper, corners)
    return like(of_native(grown), image)


def neighbourhood_connected(
    image: Any, seeds: Sequence[Sequence[int]], lower: float, upper: float, radius: Radius = 1
) -> Any:
    """Region growing by neighbourhoods: the voxels connected with a seed by faces, around each of which all voxels of a
    box have values from ``lower`` to ``upper`` (ITK's ``NeighborhoodConnected``). Beyond its border the image continues
    with the values there.

    :param image: the image, in single precision; its voxels must be finite.
    :param seeds: indices (x, y, z) of at least one voxel.
    :param lower: lower limit, which belongs to the range.
    :param upper: upper limit, which belongs to the range.
    :param radius: radius of the box in voxels, 0 to 100: one for all axes, or one for each of (x, y, z).
    :returns: a mask that is 1 in the region and 0 elsewhere.
    :raises AlnmError: as :func:`connected_threshold`, and for a radius out of range.
    """
    grown = _native.neighbourhood_connected(as_image(image), _seeds(seeds), lower, upper, _radius(radius))
    return like(of_native(grown), image)


@dataclass(frozen=True)
class ConfidentRegion:
    """The result of :func:`confidence_connected`."""

    mask: Any
    """The region: 1 inside and 0 elsewhere."""
    mean: float
    """Mean of the values from which the last limits were computed."""
    variance: float
    """Variance of these values."""
    limits: tuple[float, float]
    """The last lower and upper limit."""


def confidence_connected(
    image: Any,
    seeds: Sequence[Sequence[int]],
    *,
    multiplier: float = 4.5,
    iterations: int = 4,
    initial_radius: int = 1,
) -> ConfidentRegion:
    """Region growing between limits that come from the values of the region itself (ITK's ``ConfidenceConnected``, with
    SimpleITK's defaults): mean ± ``multiplier`` standard deviations, first of boxes around the seeds, then of the
    region that the limits gave. The values of the seeds always lie within the limits.

    :param image: the image, in single precision; its voxels must be finite.
    :param seeds: indices (x, y, z) of at least one voxel.
    :param multiplier: number of standard deviations on either side of the mean, above 0.
    :param iterations: how many times the limits are computed again from the region.
    :param initial_radius: radius of the boxes around the seeds in voxels, at most 100.
    :raises AlnmError: as :func:`connected_threshold`, and for parameters out of range.
    """
    params = {"multiplier": multiplier, "iterations": iterations, "initial_radius": initial_radius}
    mask, mean, variance, limits = _native.confidence_connected(as_image(image), _seeds(seeds), params)
    return ConfidentRegion(like(of_native(mask), image), mean, variance, (limits[0], limits[1]))


def arrival_times(speed: Any, seeds: Sequence[Sequence[int]], stop: float = float("inf")) -> Any:
    """The time at which a front arrives at each voxel: the solution of |∇T| · speed = 1 by fast marching (Sethian, PNAS
    93:1591, 1996), as in ITK's ``FastMarching``.

    :param speed: the speed in each voxel in mm per unit of time, finite and at least 0.
    :param seeds: indices (x, y, z) of the voxels from which the front starts at time 0.
    :param stop: the time at which the front stops, above 0.
    :returns: times in double precision. Voxels that the front does not reach until ``stop``, and those of speed 0, are
        infinite, or have a time after ``stop`` where the front was about to reach them.
    :raises AlnmError: for no seed, a seed outside the image, and a speed or time out of range.
    """
    return like(of_native(_native.arrival_times(as_image(speed, "speed"), _seeds(seeds), stop)), speed)


def _changed(mask: Any, label: int, operation: str, radius: Radius, ball: bool) -> Any:
    changed = _native.changed_mask(as_image(mask, "mask"), label, operation, _radius(radius), ball)
    return like(of_native(changed), mask)


def dilate(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """Dilation of the voxels with a label (ITK's ``BinaryDilate``).

    :param mask: the mask.
    :param radius: radius of the structuring element in voxels, 0 to 100: one for all axes, or one for each of
        (x, y, z).
    :param label: the label of the voxels that are dilated.
    :param ball: whether the structuring element is an ellipsoid, with half axes of radius + ½, or a box.
    :returns: a mask that is 1 in the voxels with the label and those that the element reaches from them, and 0
        elsewhere.
    :raises AlnmError: for a radius out of range.
    """
    return _changed(mask, label, "dilate", radius, ball)


def erode(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """Erosion of the voxels with a label (ITK's ``BinaryErode``): 1 where the structuring element reaches no voxel of
    the image without the label, and 0 elsewhere. The arguments are those of :func:`dilate`."""
    return _changed(mask, label, "erode", radius, ball)


def opening(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """Opening, which is :func:`erode` followed by :func:`dilate`: it removes parts that are thinner than the
    structuring element (ITK's ``BinaryMorphologicalOpening``). The arguments are those of :func:`dilate`."""
    return _changed(mask, label, "opening", radius, ball)


def closing(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """Closing, which is :func:`dilate` followed by :func:`erode`: it fills gaps that are thinner than the structuring
    element (ITK's ``BinaryMorphologicalClosing``). The arguments are those of :func:`dilate`."""
    return _changed(mask, label, "closing", radius, ball)


def fill_holes(mask: Any, *, label: int = 1) -> Any:
    """The voxels with a label and the holes in them, as 1 (ITK's ``BinaryFillhole``). Holes are parts of the rest of
    the image, connected by faces, that do not reach its border."""
    return _changed(mask, label, "fill_holes", 0, False)


def largest_part(mask: Any, *, label: int = 1) -> Any:
    """The largest of the parts of a label that are connected by faces, as 1; of equal parts the one with the first
    voxel in raster order. The mask is empty where the label does not occur."""
    return _changed(mask, label, "largest_part", 0, False)


def smooth(mask: Any, radius: Radius = 1, *, label: int = 1) -> Any:
    """Smoothing of the voxels with a label: 1 where more than half of the voxels of a box have it (ITK's
    ``BinaryMedian``).

    :param mask: the mask; beyond its border it continues with the labels there.
    :param radius: radius of the box in voxels, 0 to 100: one for all axes, or one for each of (x, y, z).
    :param label: the label.
    :raises AlnmError: for a radius out of range.
    """
    return _changed(mask, label, "smooth", radius, False)


@dataclass(frozen=True)
class RegionOverlap:
    """Overlap of the voxels of two outlines, a reference A and another outline B. A measure that would divide by 0,
    because an outline has no voxel, is NaN."""

    reference_voxels: int
    """Number of voxels of the reference, |A|."""
    other_voxels: int
    """Number of voxels of the other outline, |B|."""
    common_voxels: int
    """Number of voxels of both, |A ∩ B|."""
    reference_volume: float
    """Volume of the reference in mm³."""
    other_volume: float
    """Volume of the other outline in mm³."""
    dice: float
    """Dice coefficient 2 |A ∩ B| / (|A| + |B|)."""
    jaccard: float
    """Jaccard coefficient |A ∩ B| / |A ∪ B|."""
    volume_similarity: float
    """Volume similarity 2 (|B| - |A|) / (|A| + |B|): 0 for equal volumes, positive where the other outline is
    larger."""
    kappa: float
    """Cohen's kappa over all voxels of the image, inside or outside; it grows with the background in the image."""
    false_negative_error: float
    """Share of the reference that the other outline misses, 1 - |A ∩ B| / |A|."""
    false_discovery_rate: float
    """Share of the other outline that lies outside the reference, 1 - |A ∩ B| / |B|."""


@dataclass(frozen=True)
class VoxelDistances:
    """Distances in mm between the voxels of a reference A and another outline B, as SimpleITK computes them.

    The surface of an outline is made up of its voxels that share a face with a voxel of the image outside of it. The
    distances of the voxels of each surface to the other surface are pooled from both sides.
    """

    hausdorff: float
    """Hausdorff distance: the largest distance of a voxel of one outline to the other outline."""
    average_hausdorff: float
    """Average Hausdorff distance: half the sum of the mean distances of the voxels of A to B and of B to A."""
    surface_mean: float
    """Mean of the pooled distances of the surfaces."""
    surface_median: float
    """Median of the pooled distances of the surfaces."""
    surface_standard_deviation: float
    """Standard deviation of the pooled distances of the surfaces, with n as divisor."""
    surface_percentile: float
    """The chosen percentile of the pooled distances of the surfaces, by default the 95th."""
    surface_maximum: float
    """Largest of the pooled distances of the surfaces."""


@dataclass(frozen=True)
class SurfelDistances:
    """Distances in mm between surface elements of a reference and another outline, as DeepMind's package
    surface-distance 0.1 computes them.

    The surface runs between voxels, with the triangles of marching cubes; each distance counts with the area of its
    surface element. What lies outside the image is outside the outline. For a single slice, lengths of contours take
    the place of areas.
    """

    hausdorff: float
    """Hausdorff distance."""
    robust_hausdorff: float
    """Robust Hausdorff distance: the larger of the chosen percentiles (by default the 95th) of the distances of both
    surfaces."""
    mean_from_reference: float
    """Mean distance of the surface of the reference to that of the other outline."""
    mean_from_other: float
    """Mean distance of the surface of the other outline to that of the reference."""
    surface_dice: float
    """Surface Dice: the share of both surfaces that lies within the tolerance of the other one."""
    overlap_of_reference: float
    """Share of the surface of the reference that lies within the tolerance."""
    overlap_of_other: float
    """Share of the surface of the other outline that lies within the tolerance."""
    reference_area: float
    """Area of the surface of the reference in mm², or length of its contour in mm."""
    other_area: float
    """Area of the surface of the other outline in mm², or length of its contour in mm."""


@dataclass(frozen=True)
class OutlineDistances:
    """Distances between two outlines, by two definitions of their surface."""

    voxels: VoxelDistances
    """Distances between voxels, as in SimpleITK."""
    surfels: SurfelDistances
    """Distances between surface elements, as in surface-distance."""


@dataclass(frozen=True)
class SliceAgreement:
    """Agreement between two outlines on one slice, in two dimensions."""

    slice: int
    """Index of the slice along z, counted from 0."""
    overlap: RegionOverlap
    """Overlap of the voxels on this slice."""
    distances: OutlineDistances | None
    """Distances on this slice; None where one of the outlines has no voxel on it."""


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement between two outlines of one structure."""

    label: int
    """Label of the structure."""
    overlap: RegionOverlap
    """Overlap of the voxels."""
    distances: OutlineDistances | None
    """Distances of the surfaces; None where one of the outlines has no voxel with the label."""
    slices: list[SliceAgreement]
    """The agreement on each slice on which one of the outlines has the label; empty unless ``per_slice`` was set."""


def _distances(fields: Any) -> OutlineDistances | None:
    if fields is None:
        return None
    return OutlineDistances(VoxelDistances(**fields["voxels"]), SurfelDistances(**fields["surfels"]))


def _slice_agreement(fields: Any) -> SliceAgreement:
    return SliceAgreement(fields["slice"], RegionOverlap(**fields["overlap"]), _distances(fields["distances"]))


def compare_outlines(
    reference: Any,
    other: Any,
    *,
    labels: Sequence[int] = (),
    tolerance: float = 1.0,
    percentile: float = 95.0,
    per_slice: bool = False,
    threads: int | None = None,
) -> list[LabelAgreement]:
    """The agreement of an outline with a reference on the same grid, for each label.

    :param reference: the mask with the reference.
    :param other: the mask with the other outline.
    :param labels: the labels to compare, not 0; by default all that occur in either mask.
    :param tolerance: distance in mm up to which surfaces agree, for the surface Dice and the overlaps; at least 0.
    :param percentile: the percentile of the robust distances, above 0 and at most 100.
    :param per_slice: whether each slice along z is also compared by itself, in two dimensions.
    :param threads: number of threads; see :mod:`alnm`.
    :returns: the agreement for each label, in ascending order of the labels.
    :raises AlnmError: for grids that differ and parameters out of range.
    """
    params = {
        "labels": [int(label) for label in labels],
        "tolerance": tolerance,
        "percentile": percentile,
        "per_slice": per_slice,
    }
    found = _native.compare_outlines(as_image(reference, "reference"), as_image(other, "other"), params, threads)
    return [
        LabelAgreement(
            fields["label"],
            RegionOverlap(**fields["overlap"]),
            _distances(fields["distances"]),
            [_slice_agreement(each) for each in fields["slices"]],
        )
        for fields in found
    ]


@dataclass(frozen=True)
class RaterPerformance:
    """Performance of one outline against the consensus."""

    sensitivity: float
    """Probability that a voxel of the structure is outlined."""
    specificity: float
    """Probability that a voxel outside the structure is not outlined."""


@dataclass(frozen=True)
class Staple:
    """The result of STAPLE."""

    probability: Any
    """The probability that a voxel belongs to the structure, for each voxel, in double precision."""
    raters: list[RaterPerformance]
    """The performance of each outline, in the order in which they were given."""
    iterations: int
    """Number of iterations, counted as ITK does: the first has the number 0."""
    converged: bool
    """Whether the sensitivities and specificities had converged."""

    def mask(self, threshold: float = 0.5) -> Any:
        """The consensus as a mask: 1 where the probability is at least ``threshold``, and 0 elsewhere."""
        probability = as_image(self.probability, "probability")
        mask = probability.with_array((probability.array >= threshold).astype("uint8"))
        return like(mask, self.probability)


def _outlines(outlines: Sequence[Any]) -> list[Image]:
    return [as_image(outline, "outline") for outline in outlines]


def staple(
    outlines: Sequence[Any], *, label: int = 1, confidence_weight: float = 1.0, max_iterations: int = 10_000
) -> Staple:
    """The consensus of several outlines by STAPLE (Warfield, Zou and Wells, IEEE Trans. Med. Imaging 23:903, 2004),
    with the values of ITK. The prior probability counts the background, so that a larger image around the same outlines
    gives another result.

    :param outlines: 1 to 64 masks on one grid.
    :param label: label of the structure, not 0.
    :param confidence_weight: factor on the prior probability, above 0 and at most 1.
    :param max_iterations: largest number of iterations, at least 1.
    :raises AlnmError: for parameters out of range, grids that differ, and a label that no outline has.
    """
    params = {"label": label, "confidence_weight": confidence_weight, "max_iterations": max_iterations}
    probability, raters, iterations, converged = _native.staple(_outlines(outlines), params)
    performances = [RaterPerformance(*rater) for rater in raters]
    return Staple(like(of_native(probability), outlines[0]), performances, iterations, converged)


def majority_vote(outlines: Sequence[Any], *, undecided: int = 0) -> Any:
    """The label that most outlines give each voxel (ITK's ``LabelVoting``).

    :param outlines: 1 to 64 masks on one grid.
    :param undecided: the label of voxels for which two or more labels are given equally often.
    :raises AlnmError: for no outline, more than 64, and grids that differ.
    """
    return like(of_native(_native.majority_vote(_outlines(outlines), undecided)), outlines[0])
