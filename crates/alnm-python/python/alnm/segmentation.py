"""Outlines of lesions: active contours, region growing, morphology, and how far outlines agree.

Images are :class:`alnm.Image` or images of SimpleITK; outlines come back as the kind that was given. The voxels are
those of ITK-SNAP's and ITK's filters, the distances those of SimpleITK and of DeepMind's surface-distance.

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
    """The speed of a contour by smooth thresholds, between -1 and 1 (ITK-SNAP's "thresholding").

    :param lower: values below it make the contour shrink.
    :param upper: values above it make it shrink; at least one of both is needed.
    :param smoothness: steepness of the transition, above 0 and at most 10.
    :raises AlnmError: for thresholds that make no sense and voxels that are not finite.
    """
    params = {"lower": lower, "upper": upper, "smoothness": smoothness}
    return like(of_native(_native.threshold_speed(as_image(image), params, threads)), image)


def edge_speed(
    image: Any, *, sigma: float = 1.0, kappa: float = 0.04, exponent: float = 3.0, threads: int | None = None
) -> Any:
    """The speed of a contour that stops at edges, between 0 and 1 (ITK-SNAP's "edge attraction").

    :param sigma: standard deviation of the smoothing in voxels.
    :param kappa: the gradient, as a share of the image's range, at which the speed is a half.
    :param exponent: how steeply the speed falls with the gradient.
    """
    params = {"sigma": sigma, "kappa": kappa, "exponent": exponent}
    return like(of_native(_native.edge_speed(as_image(image), params, threads)), image)


@dataclass(frozen=True)
class MixtureClass:
    """A class of values."""

    weight: float
    """Share of the voxels."""
    mean: float
    variance: float


@dataclass(frozen=True)
class MixtureSpeed:
    """A speed by clusters of values."""

    speed: Any
    """The probability of the classes of the structure minus that of all others."""
    classes: list[MixtureClass]
    """The classes, by ascending mean."""
    foreground: list[int]
    """The classes of the structure."""
    log_likelihood: float
    """Mean log-likelihood of the voxels that were looked at."""
    iterations: int
    converged: bool


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
    """The speed of a contour by a mixture of Gaussian classes of the image's values (ITK-SNAP's "clustering").

    :param seed: a mask; the structure is the class to which most of its voxels belong.
    :param foreground: in place of a seed, the classes of the structure from 0, by ascending mean.
    :param classes: number of classes, 2 to 20.
    :param iterations: iterations at most.
    :param tolerance: change of the mean log-likelihood at which the fit ends.
    :param samples: voxels looked at, at most.
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
    """A seed: the voxels in balls around points, on the grid of an image.

    :param centres: points (x, y, z) in mm; :meth:`alnm.Image.index_to_point` gives that of a voxel.
    :param radius: one radius in mm, or one for each point.
    """
    points = [[float(coordinate) for coordinate in centre] for centre in centres]
    radii = [float(radius)] * len(points) if isinstance(radius, (int, float)) else [float(each) for each in radius]
    if len(radii) != len(points):
        raise _native.AlnmError(f"there are {len(radii)} radii; there must be one, or {len(points)} as points")
    return like(of_native(_native.bubbles(as_image(image), points, radii)), image)


def markup_points(path: str | os.PathLike[str]) -> list[tuple[float, ...]]:
    """The points (x, y, z) in mm of a file of 3D Slicer (``.mrk.json``, ``.fcsv``)."""
    with open(existing(path), encoding="utf-8") as file:
        return [tuple(point) for point in _native.markup_points(file.read())]


@dataclass(frozen=True)
class ContourIteration:
    """Where a contour is after an iteration."""

    iteration: int
    """Number of the iteration, from 1."""
    iterations: int
    """Iterations at most."""
    rms_change: float
    """Root mean squared change of the level set at the contour, in mm."""
    core_voxels: int
    """Voxels inside, without those that the contour crosses."""
    active_voxels: int
    """Voxels that it crosses."""


@dataclass(frozen=True)
class EvolvedContour:
    """The outline that a contour found."""

    mask: Any
    voxel_count: int
    volume: float
    """Volume of the voxels in mm³."""
    iterations: int
    """Iterations that were done."""
    rms_change: float
    """Root mean squared change of the last iteration, in mm."""
    settled: bool
    """Whether the contour had settled before the iterations were used up."""
    warnings: list[str]
    """What should be looked at: a contour that vanished, reaches the border of the image, or may have leaked."""


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
    """Let a contour grow from a seed with a speed, as ITK-SNAP's semi-automatic segmentation.

    :param speed: an image of speeds between -1 and 1, of :func:`threshold_speed`, :func:`edge_speed` or
        :func:`mixture_speed`.
    :param seed: a mask on its grid; the contour begins around its voxels that are not 0.
    :param method: ``regions`` (region competition, after thresholds and clusters) or ``edges`` (geodesic active
        contours). The weights and exponents that are left out are ITK-SNAP's for it.
    :param iterations: iterations at most.
    :param rms_change: change of an iteration in mm below which the contour has settled; 0 never.
    :param time_step_factor: share of the longest stable time step.
    :param observer: told of each iteration; an exception that it raises ends the contour.
    :raises AlnmError: for parameters out of range, a seed without voxels, grids that differ.
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
    """A radius of at most 100 voxels for each axis."""
    each = list(radius) if isinstance(radius, Sequence) else [radius] * 3
    return [count(voxels, "radius", 100) for voxels in each]


def connected_threshold(
    image: Any, seeds: Sequence[Sequence[int]], lower: float, upper: float, *, corners: bool = False
) -> Any:
    """The voxels from ``lower`` to ``upper`` that are connected with a seed (ITK's ``ConnectedThreshold``).

    :param seeds: voxels (x, y, z).
    :param corners: voxels that share an edge or a corner are connected too.
    """
    grown = _native.connected_threshold(as_image(image), _seeds(seeds), lower, upper, corners)
    return like(of_native(grown), image)


def neighbourhood_connected(
    image: Any, seeds: Sequence[Sequence[int]], lower: float, upper: float, radius: Radius = 1
) -> Any:
    """The connected voxels around each of which a whole box lies from ``lower`` to ``upper`` (ITK's
    ``NeighborhoodConnected``).

    :param seeds: voxels (x, y, z).
    :param radius: radius of the box in voxels, one for all axes or one for each of (x, y, z).
    """
    grown = _native.neighbourhood_connected(as_image(image), _seeds(seeds), lower, upper, _radius(radius))
    return like(of_native(grown), image)


@dataclass(frozen=True)
class ConfidentRegion:
    """A region that grew by the confidence of its own values."""

    mask: Any
    mean: float
    """Mean of the values from which the last limits came."""
    variance: float
    limits: tuple[float, float]


def confidence_connected(
    image: Any,
    seeds: Sequence[Sequence[int]],
    *,
    multiplier: float = 4.5,
    iterations: int = 4,
    initial_radius: int = 1,
) -> ConfidentRegion:
    """Region growing by mean and standard deviation of the region's own values (ITK's ``ConfidenceConnected``).

    :param seeds: voxels (x, y, z).
    :param multiplier: standard deviations on either side of the mean.
    :param iterations: how often the limits are found anew.
    :param initial_radius: radius of the boxes around the seeds in voxels.
    """
    params = {"multiplier": multiplier, "iterations": iterations, "initial_radius": initial_radius}
    mask, mean, variance, limits = _native.confidence_connected(as_image(image), _seeds(seeds), params)
    return ConfidentRegion(like(of_native(mask), image), mean, variance, (limits[0], limits[1]))


def arrival_times(speed: Any, seeds: Sequence[Sequence[int]], stop: float = float("inf")) -> Any:
    """When a front arrives that moves with a speed in mm per unit of time (fast marching).

    :param speed: speeds of at least 0.
    :param seeds: voxels (x, y, z) from which it starts.
    :param stop: the time at which the front stops; voxels beyond it are infinite.
    """
    return like(of_native(_native.arrival_times(as_image(speed, "speed"), _seeds(seeds), stop)), speed)


def _changed(mask: Any, label: int, operation: str, radius: Radius, ball: bool) -> Any:
    changed = _native.changed_mask(as_image(mask, "mask"), label, operation, _radius(radius), ball)
    return like(of_native(changed), mask)


def dilate(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """The label's voxels and all that an element reaches from them, as 1 (ITK's ``BinaryDilate``).

    :param radius: radius of the element in voxels, one for all axes or one for each of (x, y, z); at most 100.
    :param ball: whether it is an ellipsoid or a box.
    """
    return _changed(mask, label, "dilate", radius, ball)


def erode(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """The label's voxels from which an element reaches no other voxel, as 1; arguments as in :func:`dilate`."""
    return _changed(mask, label, "erode", radius, ball)


def opening(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """:func:`erode`, then :func:`dilate`: takes away what is thinner than the element."""
    return _changed(mask, label, "opening", radius, ball)


def closing(mask: Any, radius: Radius = 1, *, label: int = 1, ball: bool = True) -> Any:
    """:func:`dilate`, then :func:`erode`: closes gaps that are thinner than the element."""
    return _changed(mask, label, "closing", radius, ball)


def fill_holes(mask: Any, *, label: int = 1) -> Any:
    """The label's voxels and the holes in them, as 1 (ITK's ``BinaryFillhole``)."""
    return _changed(mask, label, "fill_holes", 0, False)


def largest_part(mask: Any, *, label: int = 1) -> Any:
    """The largest of the label's parts, which are connected by faces, as 1."""
    return _changed(mask, label, "largest_part", 0, False)


def smooth(mask: Any, radius: Radius = 1, *, label: int = 1) -> Any:
    """The voxels around which more than half of a box has the label, as 1 (ITK's ``BinaryMedian``)."""
    return _changed(mask, label, "smooth", radius, False)


@dataclass(frozen=True)
class RegionOverlap:
    """Overlap of the voxels of two outlines."""

    reference_voxels: int
    other_voxels: int
    common_voxels: int
    reference_volume: float
    """In mm³, as the other's."""
    other_volume: float
    dice: float
    jaccard: float
    volume_similarity: float
    """2 (other - reference) / (reference + other): positive where the other is larger."""
    kappa: float
    """Cohen's, over all voxels of the image."""
    false_negative_error: float
    """Share of the reference that the other lacks."""
    false_discovery_rate: float
    """Share of the other that the reference lacks."""


@dataclass(frozen=True)
class VoxelDistances:
    """Distances of the outermost voxels in mm, as SimpleITK."""

    hausdorff: float
    average_hausdorff: float
    surface_mean: float
    surface_median: float
    surface_standard_deviation: float
    surface_percentile: float
    surface_maximum: float


@dataclass(frozen=True)
class SurfelDistances:
    """Distances of elements of surface in mm, weighted by their area, as DeepMind's surface-distance."""

    hausdorff: float
    robust_hausdorff: float
    mean_from_reference: float
    mean_from_other: float
    surface_dice: float
    overlap_of_reference: float
    overlap_of_other: float
    reference_area: float
    """In mm², as the other's."""
    other_area: float


@dataclass(frozen=True)
class OutlineDistances:
    """Distances of two surfaces, by both definitions of a surface."""

    voxels: VoxelDistances
    surfels: SurfelDistances


@dataclass(frozen=True)
class SliceAgreement:
    """How far two outlines agree on one slice."""

    slice: int
    overlap: RegionOverlap
    distances: OutlineDistances | None


@dataclass(frozen=True)
class LabelAgreement:
    """How far two outlines of one structure agree."""

    label: int
    overlap: RegionOverlap
    distances: OutlineDistances | None
    """None where one of the outlines lacks the label."""
    slices: list[SliceAgreement]
    """The slices on which either has it; empty unless they were asked for."""


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
    """How far an outline agrees with a reference on the same grid, for each label.

    :param labels: the labels to compare; all that occur in either where none is given.
    :param tolerance: distance in mm up to which surfaces agree, for the surface Dice.
    :param percentile: the percentile of the robust Hausdorff distances.
    :param per_slice: also compare each axial slice by itself, in two dimensions.
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
    """How an outline compares with the consensus."""

    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Staple:
    """What STAPLE found."""

    probability: Any
    """The probability of each voxel of belonging to the structure."""
    raters: list[RaterPerformance]
    """The performance of each outline, in their order."""
    iterations: int
    converged: bool

    def mask(self, threshold: float = 0.5) -> Any:
        """The voxels whose probability is at least ``threshold``, as 1."""
        probability = as_image(self.probability, "probability")
        mask = probability.with_array((probability.array >= threshold).astype("uint8"))
        return like(mask, self.probability)


def _outlines(outlines: Sequence[Any]) -> list[Image]:
    return [as_image(outline, "outline") for outline in outlines]


def staple(
    outlines: Sequence[Any], *, label: int = 1, confidence_weight: float = 1.0, max_iterations: int = 10_000
) -> Staple:
    """One outline out of several by STAPLE (Warfield, Zou and Wells 2004), with the values of ITK.

    :param confidence_weight: factor on the prior probability, above 0 and at most 1.
    """
    params = {"label": label, "confidence_weight": confidence_weight, "max_iterations": max_iterations}
    probability, raters, iterations, converged = _native.staple(_outlines(outlines), params)
    performances = [RaterPerformance(*rater) for rater in raters]
    return Staple(like(of_native(probability), outlines[0]), performances, iterations, converged)


def majority_vote(outlines: Sequence[Any], *, undecided: int = 0) -> Any:
    """The label that most outlines give each voxel; ``undecided`` where two or more are given equally often."""
    return like(of_native(_native.majority_vote(_outlines(outlines), undecided)), outlines[0])
