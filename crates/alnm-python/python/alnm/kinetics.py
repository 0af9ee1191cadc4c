"""Kinetics of contrast agent over the phases of a dynamic series: maps voxel by voxel, summaries and curves of regions,
and the Tofts models.

Enhancement is relative: E = S / S₀ - 1, with the signal S and the mean S₀ of the phases before contrast. Times are in
seconds. A series is a sequence of images on one grid, one per phase, in the order of time.

>>> import numpy as np
>>> from alnm import Image, kinetics
>>> phases = [Image(np.full((2, 4, 4), signal), spacing=(1.0, 1.0, 1.0)) for signal in (100.0, 250.0, 220.0)]
>>> found = kinetics.maps(phases, [0.0, 150.0, 450.0], names=["peak_enhancement", "washout_class"])
>>> [float(image.array[0, 0, 0]) for image in found.maps.values()]
[1.5, 3.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from alnm import _native
from alnm.image import Image, as_image, like, of_native
from alnm.results import numbers

__all__ = [
    "CurvePoint",
    "InputFunction",
    "KineticMaps",
    "MapSummary",
    "RegionKinetics",
    "ToftsMaps",
    "UNITS",
    "WashoutVolumes",
    "curve",
    "maps",
    "measured_input",
    "parker_input",
    "region",
    "tofts",
]

UNITS: dict[str, str] = dict(_native.kinetic_map_names())
"""The names of the maps of :func:`maps` with their units, in their order; the unit of relative enhancements, ratios and
classes is empty. Times are counted from the origin, see :func:`maps`; a map is NaN where a curve has no such value.

- ``initial_enhancement``, ``peak_enhancement``: E of the early phase and of the peak;
- ``signal_enhancement_ratio``: (S₁ - S₀) / (S₂ - S₀), with the signals S₁ of the early and S₂ of the late phase;
- ``time_to_peak``, ``time_to_half_peak``: times of the peak, and of the phase up to the peak whose E is nearest to half
  of the peak; ``half_peak_enhancement``: E of that phase;
- ``mid_washout_time``: time of the phase nearest to the middle between the peak and the end;
- ``wash_in_slope``, ``washout_slope``: change of E per second from the origin to the peak, and from the peak to the
  last phase;
- ``initial_gradient``, ``washout_gradient``: slopes of straight lines of least squares from 10 % to 70 % of the peak
  enhancement, and of the fall from the peak to the last phase;
- ``area_under_curve``, ``area_to_peak``, ``area_to_half_peak``: integrals of E from the origin, by trapezia;
- ``bolus_arrival``: time at which E first crosses a share of the peak enhancement;
- ``washout_class``: 0 for none, 1 persistent, 2 plateau, 3 washout.
"""


@dataclass(frozen=True)
class _Series:
    images: list[Image]
    times: list[float]
    mask: Image | None
    label: int


def _series(images: Sequence[Any], times: Any, mask: Any, label: int) -> _Series:
    region = None if mask is None else as_image(mask, "mask")
    return _Series([as_image(image) for image in images], numbers(times, "the times"), region, label)


def _params(
    baseline_phases: int,
    origin: str | float,
    early_seconds: float,
    late_seconds: float | None,
    peak: str,
    area_seconds: float | None,
    arrival_fraction: float,
    tolerance: float,
    enhancement_threshold: float,
    ratio_threshold: float,
) -> dict[str, Any]:
    return {
        "baseline_phases": baseline_phases,
        "origin": origin if isinstance(origin, str) else {"seconds": float(origin)},
        "early_seconds": early_seconds,
        "late_seconds": late_seconds,
        "peak": peak,
        "area_seconds": area_seconds,
        "arrival_fraction": arrival_fraction,
        "tolerance": tolerance,
        "enhancement_threshold": enhancement_threshold,
        "ratio_threshold": ratio_threshold,
    }


@dataclass(frozen=True)
class KineticMaps:
    """Maps of a series."""

    maps: dict[str, Any]
    """The maps by their names, in single precision. Outside the region, maps are NaN and washout classes 0."""
    undefined_voxels: int
    """Number of voxels of the region without an enhancement: a signal is not finite, or S₀ is not above 0."""


def maps(
    images: Sequence[Any],
    times: Any,
    mask: Any = None,
    *,
    label: int = 1,
    names: Sequence[str] | None = None,
    baseline_phases: int = 1,
    origin: str | float = "last_baseline",
    early_seconds: float = 150.0,
    late_seconds: float | None = None,
    peak: str = "highest",
    area_seconds: float | None = None,
    arrival_fraction: float = 0.1,
    tolerance: float = 0.1,
    enhancement_threshold: float = 0.7,
    ratio_threshold: float = 0.0,
    threads: int | None = None,
) -> KineticMaps:
    """Maps of the enhancement of each voxel.

    The defaults of the early phase and of the functional tumour volume are those of ACRIN 6657 (Hylton et al.,
    Radiology 279:44, 2016: 2.5 minutes and 70 %); the tolerance of a plateau is that of Kuhl et al. (Radiology 211:101,
    1999).

    :param images: the phases in the order of time, all on one grid.
    :param times: seconds from the first phase to each phase, ascending.
    :param mask: a mask on the grid of the series with the region whose voxels are mapped; all voxels where it is left
        out.
    :param label: the label of the region in the mask.
    :param names: names of the maps, among those of :data:`UNITS`; all of them where it is left out.
    :param baseline_phases: number of phases before contrast, whose mean is S₀; at least 1, and fewer than there are
        phases.
    :param origin: the moment from which times are counted: ``last_baseline`` (the last phase before contrast),
        ``first_uptake`` (the phase after it, as in pyCERR), or a number of seconds after the first phase, which lies
        from the last phase before contrast on and before the next one.
    :param early_seconds: the early phase is the phase after the baseline that is nearest to this number of seconds
        after the origin; at least 0.
    :param late_seconds: the same for the late phase; the last phase where it is left out.
    :param peak: the phase that is the peak: ``highest``, or ``first_local`` (the first local maximum above four fifths
        of the highest enhancement, as in pyCERR).
    :param area_seconds: seconds after the origin at which the area under the curve ends, above 0; the last phase where
        it is left out.
    :param arrival_fraction: share of the peak enhancement at whose first crossing contrast has arrived, between 0 and
        1.
    :param tolerance: largest relative change of the signal from the early to the late phase of a plateau, at least 0.
    :param enhancement_threshold: smallest initial enhancement of voxels that have a washout class and that count for
        the functional tumour volume.
    :param ratio_threshold: smallest signal enhancement ratio of voxels that count for the functional tumour volume. It
        has no effect on maps.
    :param threads: number of threads; see :mod:`alnm`.
    :raises AlnmError: for phases on different grids, times that do not ascend, an unknown map, and parameters out of
        range.
    """
    params = _params(
        baseline_phases, origin, early_seconds, late_seconds, peak, area_seconds, arrival_fraction, tolerance,
        enhancement_threshold, ratio_threshold,
    )  # fmt: skip
    chosen = list(UNITS if names is None else names)
    found, undefined = _native.kinetic_maps(_series(images, times, mask, label), chosen, params, threads)
    return KineticMaps({name: like(of_native(parts), images[0]) for name, parts in found}, undefined)


@dataclass(frozen=True)
class MapSummary:
    """Summary of a map over the voxels of a region in which it has a value; NaN where no voxel has one."""

    map: str
    """Name of the map."""
    voxels: int
    """Number of voxels with a value."""
    mean: float
    standard_deviation: float
    """Standard deviation with n as divisor."""
    minimum: float
    percentile_10: float
    median: float
    percentile_90: float
    maximum: float


@dataclass(frozen=True)
class WashoutVolumes:
    """Volumes in mm³ of the voxels of each washout class."""

    none: float
    """Voxels without a class: their initial enhancement is below the threshold, or undefined."""
    persistent: float
    plateau: float
    washout: float


@dataclass(frozen=True)
class RegionKinetics:
    """Kinetics of a region."""

    voxels: int
    """Number of voxels of the region."""
    undefined_voxels: int
    """Number of voxels without an enhancement: a signal is not finite, or S₀ is not above 0."""
    early_phase: int
    """Position of the early phase among all phases, counted from 0."""
    late_phase: int
    """Position of the late phase among all phases, counted from 0."""
    maps: dict[str, MapSummary]
    """The summary of each map but the washout classes, by the name of the map."""
    functional_tumour_volume: float
    """Volume in mm³ of the voxels whose initial enhancement and signal enhancement ratio are at least the
    thresholds."""
    washout_volumes: WashoutVolumes
    """The volume of each washout class."""


def region(
    images: Sequence[Any],
    times: Any,
    mask: Any,
    *,
    label: int = 1,
    baseline_phases: int = 1,
    origin: str | float = "last_baseline",
    early_seconds: float = 150.0,
    late_seconds: float | None = None,
    peak: str = "highest",
    area_seconds: float | None = None,
    arrival_fraction: float = 0.1,
    tolerance: float = 0.1,
    enhancement_threshold: float = 0.7,
    ratio_threshold: float = 0.0,
    threads: int | None = None,
) -> RegionKinetics:
    """Kinetics of a region: a summary of each map over its voxels, the functional tumour volume and the volumes of the
    washout classes.

    The parameters are those of :func:`maps`; the mask is required.

    :raises AlnmError: as :func:`maps`, and for a label that does not occur in the mask.
    """
    params = _params(
        baseline_phases, origin, early_seconds, late_seconds, peak, area_seconds, arrival_fraction, tolerance,
        enhancement_threshold, ratio_threshold,
    )  # fmt: skip
    fields = _native.region_kinetics(_series(images, times, mask, label), params, threads)
    summaries = {each["map"]: MapSummary(**each) for each in fields.pop("maps")}
    volumes = WashoutVolumes(**fields.pop("washout_volumes"))
    return RegionKinetics(maps=summaries, washout_volumes=volumes, **fields)


@dataclass(frozen=True)
class CurvePoint:
    """The signal of a region in one phase, over the voxels whose signal is finite."""

    time: float
    """Seconds from the first phase."""
    voxels: int
    """Number of voxels with a finite signal."""
    mean: float
    """Mean of the signal; NaN where no voxel has a finite signal."""
    standard_deviation: float
    """Standard deviation with n - 1 as divisor; NaN for fewer than two voxels."""
    low: float
    """Lower end of the 95 % confidence interval of the mean, as if the voxels were independent. Neighbouring voxels
    resemble each other, so that the true interval is wider."""
    high: float
    """Upper end of that interval."""


def curve(images: Sequence[Any], times: Any, mask: Any, *, label: int = 1) -> list[CurvePoint]:
    """The mean signal of a region in each phase, with its confidence interval.

    :param images: the phases in the order of time, all on one grid.
    :param times: seconds from the first phase to each phase.
    :param mask: a mask on the grid of the series with the region.
    :param label: the label of the region in the mask.
    :returns: one point per phase.
    :raises AlnmError: for grids that differ, another number of times than of phases, and a label that does not occur.
    """
    return [CurvePoint(**fields) for fields in _native.region_curve(_series(images, times, mask, label))]


class InputFunction:
    """The arterial input function: the concentration of contrast agent in plasma over time. It is made by
    :func:`parker_input` or :func:`measured_input`; between its points the concentration runs straight."""

    def __init__(self, native: Any) -> None:
        self._native = native

    @property
    def times(self) -> np.ndarray[Any, Any]:
        """Times of the points, in seconds from the first phase. A time that occurs twice is a jump."""
        return self._native.times()  # type: ignore[no-any-return]

    @property
    def plasma(self) -> np.ndarray[Any, Any]:
        """Concentrations in plasma at these times, in mmol/L."""
        return self._native.plasma()  # type: ignore[no-any-return]


def parker_input(arrival: float, end: float, *, haematocrit: float = 0.42, step: float = 0.5) -> InputFunction:
    """The population-averaged input function of Parker et al. (Magn. Reson. Med. 56:993, 2006), for a dose of 0.1
    mmol/kg.

    :param arrival: seconds from the first phase to the arrival of contrast agent in the artery.
    :param end: seconds from the first phase to the end of the curve, which is the time of the last phase or later;
        after ``arrival``.
    :param haematocrit: share of cells in blood, at least 0 and below 1.
    :param step: seconds between the points of the curve, above 0.
    :raises AlnmError: for parameters out of range, and more than a million points.
    """
    return InputFunction(_native.ArterialInput.parker(arrival, end, haematocrit, step))


def measured_input(times: Any, plasma: Any) -> InputFunction:
    """A measured input function.

    :param times: times of the points in seconds from the first phase, ascending; at least two.
    :param plasma: concentrations in plasma at these times in mmol/L, which are those in blood divided by
        1 - haematocrit.
    :raises AlnmError: for fewer than two points, sequences of different length, and times that do not ascend.
    """
    native = _native.ArterialInput.measured(numbers(times, "the times"), numbers(plasma, "the concentrations"))
    return InputFunction(native)


@dataclass(frozen=True)
class ToftsMaps:
    """Maps of a Tofts model."""

    maps: dict[str, Any]
    """The maps by their names: ``transfer_constant`` (K^trans in 1/min), ``rate_constant`` (k_ep in 1/min),
    ``extracellular_volume`` (v_e = K^trans / k_ep), ``plasma_volume`` (v_p; 0 in the standard model) and
    ``tofts_residual`` (root of the mean square of the residuals, in mmol/L). They are NaN outside the region and in
    voxels that cannot be fitted."""
    fitted_voxels: int
    """Number of voxels that were fitted."""
    undefined_voxels: int
    """Number of voxels that could not be fitted: a signal has no concentration, or T1 is not above 0."""
    voxels_at_bound: int
    """Number of fitted voxels whose k_ep lies at an end of its range."""


@dataclass(frozen=True)
class _ToftsRequest:
    input: Any
    repetition_time: float
    flip_angle: float
    relaxivity: float
    baseline_phases: int
    t1: float
    t1_map: Image | None


def tofts(
    images: Sequence[Any],
    times: Any,
    mask: Any = None,
    *,
    input_function: InputFunction,
    repetition_time: float,
    flip_angle: float,
    t1: Any,
    label: int = 1,
    relaxivity: float = 4.5,
    baseline_phases: int = 1,
    model: str = "extended",
    rate_range: tuple[float, float] = (0.001, 20.0),
    threads: int | None = None,
) -> ToftsMaps:
    """Maps of a Tofts model (Tofts, J. Magn. Reson. Imaging 7:91, 1997), fitted voxel by voxel by least squares to a
    spoiled gradient echo series: C(t) = v_p C_p(t) + K^trans ∫₀ᵗ C_p(u) exp(-k_ep (t - u)) du, with the concentrations
    C in tissue and C_p in plasma. The standard model has v_p = 0.

    :param images: the phases in the order of time, all on one grid.
    :param times: seconds from the first phase to each phase, ascending.
    :param mask: a mask on the grid of the series with the region whose voxels are fitted; all voxels where it is left
        out.
    :param input_function: the concentration in plasma, from :func:`parker_input` or :func:`measured_input`; it has to
        last to the last phase.
    :param repetition_time: repetition time of the sequence in seconds, above 0.
    :param flip_angle: flip angle in degrees, above 0 and below 180.
    :param t1: T1 before contrast in seconds: a number, or an image on the grid of the series.
    :param label: the label of the region in the mask.
    :param relaxivity: longitudinal relaxivity in L / (mmol s), above 0; the default is about that of gadolinium
        chelates in plasma at 1.5 T.
    :param baseline_phases: number of phases before contrast, whose mean is S₀; at least 1.
    :param model: ``standard``, or ``extended`` (with plasma in the tissue).
    :param rate_range: lowest and highest k_ep in 1/min, above 0 and ascending.
    :param threads: number of threads; see :mod:`alnm`.
    :raises AlnmError: for parameters out of range, grids that differ, times that do not ascend, fewer phases than
        parameters of the model, and an input function that ends before the last phase or is 0 in all phases.
    """
    is_number = isinstance(t1, Real)
    request = _ToftsRequest(
        input_function._native, repetition_time, flip_angle, relaxivity, baseline_phases,
        float(t1) if is_number else float("nan"), None if is_number else as_image(t1, "map of T1"),
    )  # fmt: skip
    params = {"model": model, "rate_range": list(rate_range)}
    found, *counts = _native.tofts_maps(_series(images, times, mask, label), request, params, threads)
    return ToftsMaps({name: like(of_native(parts), images[0]) for name, parts in found}, *counts)
