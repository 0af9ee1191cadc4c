"""Kinetics of contrast agent over the phases of a series: maps of voxels, figures and curves of regions, Tofts models.

Enhancement is relative: E = S / S₀ - 1, with S₀ the mean of the phases before contrast. Times are seconds.

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
"""The names of the maps of :func:`maps` with their units; classes and ratios have none."""


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
    """Each map under its name. Outside of the region maps are NaN and classes 0."""
    undefined_voxels: int
    """Voxels without an enhancement: a signal that is not finite, or a baseline at most 0."""


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
    """Maps of what each voxel does.

    :param images: the phases in order of time, all on one grid.
    :param times: seconds from the first phase to each.
    :param mask: maps are of the voxels of its ``label``; of all where it is left out.
    :param names: which maps, of :data:`UNITS`; all where it is left out.
    :param baseline_phases: phases before contrast, whose mean is S₀.
    :param origin: from when times are counted: ``last_baseline``, ``first_uptake`` (as pyCERR), or seconds after the
        first phase.
    :param early_seconds: the early phase is the one nearest to it.
    :param late_seconds: the late phase likewise; the last where it is left out.
    :param peak: ``highest`` or ``first_local`` (as pyCERR).
    :param area_seconds: end of the area under the curve; the last phase where it is left out.
    :param arrival_fraction: share of the peak at whose crossing contrast has arrived.
    :param tolerance: largest relative change of the signal of a plateau.
    :param enhancement_threshold: least initial enhancement of voxels that have a class.
    :param ratio_threshold: least signal enhancement ratio of voxels of the functional tumour volume.
    :raises AlnmError: for phases on different grids, times that do not ascend and parameters out of range.
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
    """A map over the voxels of a region that have a value."""

    map: str
    voxels: int
    mean: float
    standard_deviation: float
    minimum: float
    percentile_10: float
    median: float
    percentile_90: float
    maximum: float


@dataclass(frozen=True)
class WashoutVolumes:
    """Volumes in mm³ of the voxels of each washout class."""

    none: float
    persistent: float
    plateau: float
    washout: float


@dataclass(frozen=True)
class RegionKinetics:
    """What the voxels of a region do."""

    voxels: int
    undefined_voxels: int
    early_phase: int
    """The place of the early phase among all, from 0."""
    late_phase: int
    maps: dict[str, MapSummary]
    """Each map, classes excepted, under its name."""
    functional_tumour_volume: float
    """Volume in mm³ of the voxels whose initial enhancement and signal enhancement ratio reach the thresholds."""
    washout_volumes: WashoutVolumes


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
    """The figures of a region: each map's, the functional tumour volume and the washout volumes. Parameters as in
    :func:`maps`."""
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
    voxels: int
    mean: float
    standard_deviation: float
    """With n - 1 as divisor."""
    low: float
    """Lower end of the interval of 95 % of the mean, of independent voxels."""
    high: float


def curve(images: Sequence[Any], times: Any, mask: Any, *, label: int = 1) -> list[CurvePoint]:
    """The mean signal of a region over the phases, with its interval."""
    return [CurvePoint(**fields) for fields in _native.region_curve(_series(images, times, mask, label))]


class InputFunction:
    """The concentration in the plasma of the artery that feeds the tissue: :func:`parker_input` or
    :func:`measured_input`."""

    def __init__(self, native: Any) -> None:
        self._native = native

    @property
    def times(self) -> np.ndarray[Any, Any]:
        """Seconds from the first phase. A time that stands twice is a jump."""
        return self._native.times()  # type: ignore[no-any-return]

    @property
    def plasma(self) -> np.ndarray[Any, Any]:
        """Concentrations in mmol/L."""
        return self._native.plasma()  # type: ignore[no-any-return]


def parker_input(arrival: float, end: float, *, haematocrit: float = 0.42, step: float = 0.5) -> InputFunction:
    """The population average of Parker et al. (2006).

    :param arrival: seconds from the first phase to the arrival of contrast in the artery.
    :param end: seconds from the first phase to the last.
    :param haematocrit: share of cells in blood.
    :param step: seconds between points.
    """
    return InputFunction(_native.ArterialInput.parker(arrival, end, haematocrit, step))


def measured_input(times: Any, plasma: Any) -> InputFunction:
    """A measured input function.

    :param times: seconds from the first phase, ascending.
    :param plasma: concentrations in plasma, in mmol/L.
    """
    native = _native.ArterialInput.measured(numbers(times, "the times"), numbers(plasma, "the concentrations"))
    return InputFunction(native)


@dataclass(frozen=True)
class ToftsMaps:
    """Maps of a Tofts model; NaN outside of the region and in voxels that cannot be fitted."""

    maps: dict[str, Any]
    """``transfer_constant`` (K^trans, 1/min), ``rate_constant`` (k_ep, 1/min), ``extracellular_volume`` (v_e),
    ``plasma_volume`` (v_p) and ``tofts_residual`` (mmol/L)."""
    fitted_voxels: int
    undefined_voxels: int
    voxels_at_bound: int
    """Fitted voxels whose k_ep lies at an end of its range."""


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
    """Maps of the Tofts models, fitted voxel by voxel to a spoiled gradient echo series.

    :param input_function: :func:`parker_input` or :func:`measured_input`.
    :param repetition_time: in seconds.
    :param flip_angle: in degrees.
    :param t1: T1 before contrast in seconds, a number or an image on the grid of the series.
    :param relaxivity: in L / (mmol s).
    :param model: ``standard`` or ``extended`` (with plasma in the tissue).
    :param rate_range: lowest and highest k_ep in 1/min.
    """
    is_number = isinstance(t1, (int, float))
    request = _ToftsRequest(
        input_function._native, repetition_time, flip_angle, relaxivity, baseline_phases,
        float(t1) if is_number else float("nan"), None if is_number else as_image(t1, "map of T1"),
    )  # fmt: skip
    params = {"model": model, "rate_range": list(rate_range)}
    found, *counts = _native.tofts_maps(_series(images, times, mask, label), request, params, threads)
    return ToftsMaps({name: like(of_native(parts), images[0]) for name, parts in found}, *counts)
