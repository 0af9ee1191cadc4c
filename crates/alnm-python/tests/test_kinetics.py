"""Kinetics: against the formulas."""

import numpy as np
import pytest

from alnm import AlnmError, Image, kinetics

TIMES = [0.0, 90.0, 180.0, 270.0, 420.0]


@pytest.fixture
def series():
    """Five phases with curves that differ from voxel to voxel, and a mask."""
    rng = np.random.default_rng(11)
    base = rng.uniform(80, 120, (4, 6, 7))
    rise = rng.uniform(0.2, 2.0, base.shape)
    course = [0.0, 0.6, 1.0, 0.95, 0.8]
    spacing = (0.7, 0.7, 2.0)
    phases = [Image((base * (1 + rise * share)).astype(np.float32), spacing) for share in course]
    mask = Image((rng.uniform(size=base.shape) < 0.6).astype(np.uint8), spacing)
    return phases, mask


def test_maps_are_their_formulas(series):
    phases, mask = series
    found = kinetics.maps(phases, TIMES)
    assert list(found.maps) == list(kinetics.UNITS) and found.undefined_voxels == 0
    signals = np.stack([phase.array.astype(float) for phase in phases])
    enhancement = signals / signals[0] - 1
    assert np.allclose(found.maps["peak_enhancement"].array, enhancement.max(0), rtol=1e-6)
    assert np.allclose(found.maps["time_to_peak"].array, 180.0)
    assert np.allclose(found.maps["initial_enhancement"].array, enhancement[2], rtol=1e-6)
    assert np.allclose(found.maps["signal_enhancement_ratio"].array, enhancement[2] / enhancement[4], rtol=1e-5)
    assert np.allclose(found.maps["wash_in_slope"].array, enhancement[2] / 180, rtol=1e-5)
    assert kinetics.UNITS["wash_in_slope"] == "1/s" and kinetics.UNITS["washout_class"] == ""
    inside = kinetics.maps(phases, TIMES, mask, names=["time_to_peak", "washout_class"], late_seconds=270, threads=1)
    assert list(inside.maps) == ["time_to_peak", "washout_class"]
    assert np.array_equal(np.isnan(inside.maps["time_to_peak"].array), mask.array == 0)
    shifted = kinetics.maps(phases, TIMES, names=["time_to_peak"], origin=30.0)
    assert np.allclose(shifted.maps["time_to_peak"].array, 150.0)


def test_figures_of_a_region(series):
    phases, mask = series
    found = kinetics.region(phases, TIMES, mask)
    inside = mask.array == 1
    peak = kinetics.maps(phases, TIMES, names=["peak_enhancement"]).maps["peak_enhancement"].array[inside]
    assert found.voxels == inside.sum() and (found.early_phase, found.late_phase) == (2, 4)
    assert found.maps["peak_enhancement"].mean == pytest.approx(peak.mean(), rel=1e-6)
    assert found.maps["peak_enhancement"].percentile_90 == pytest.approx(np.percentile(peak, 90), rel=1e-6)
    voxel = 0.7 * 0.7 * 2.0
    assert found.functional_tumour_volume == pytest.approx(voxel * (peak >= 0.7).sum())
    volumes = found.washout_volumes
    total = volumes.none + volumes.persistent + volumes.plateau + volumes.washout
    assert total == pytest.approx(voxel * inside.sum())
    points = kinetics.curve(phases, TIMES, mask)
    means = [phase.array[inside].astype(float).mean() for phase in phases]
    assert [point.mean for point in points] == pytest.approx(means) and points[2].low < points[2].mean < points[2].high


def test_tofts_models_are_fitted():
    """Curves of the standard model, made by a fine convolution, give their parameters back."""
    times = np.arange(0.0, 300.0, 6.0)
    artery = kinetics.parker_input(12.0, 300.0, step=0.25)
    fine = np.arange(0.0, 300.0, 0.25)
    plasma = np.interp(fine, artery.times, artery.plasma, left=0.0)
    repetition, flip, t1, relaxivity = 0.005, np.radians(15), 1.4, 4.5
    wanted = np.array([[[(0.1, 0.3), (0.25, 0.4), (0.05, 0.2)]]])
    signals = np.zeros((len(times), 1, 1, 3))
    for place, (transfer, volume) in enumerate(wanted[0, 0]):
        kernel = transfer / 60 * np.exp(-transfer / volume / 60 * fine)
        concentration = np.interp(times, fine, np.convolve(plasma, kernel)[: len(fine)] * 0.25)
        rate = np.exp(-repetition * (1 / t1 + relaxivity * concentration))
        signals[:, 0, 0, place] = 1000 * np.sin(flip) * (1 - rate) / (1 - np.cos(flip) * rate)
    phases = [Image(signal, (1.0, 1.0, 1.0)) for signal in signals]
    protocol = {"repetition_time": repetition, "flip_angle": 15.0, "model": "standard"}
    found = kinetics.tofts(phases, times, input_function=artery, t1=t1, **protocol)
    assert found.fitted_voxels == 3 and found.voxels_at_bound == 0
    assert np.allclose(found.maps["transfer_constant"].array, wanted[..., 0], rtol=0.02)
    assert np.allclose(found.maps["extracellular_volume"].array, wanted[..., 1], rtol=0.02)
    of_numpy = kinetics.tofts(phases, times, input_function=artery, t1=np.float32(t1), **protocol)
    assert np.allclose(of_numpy.maps["rate_constant"].array, found.maps["rate_constant"].array, rtol=1e-4)
    # There is none before the first point of a measured function either.
    measured = kinetics.measured_input(artery.times[1:], artery.plasma[1:])
    by_map = kinetics.tofts(
        phases, times, input_function=measured,
        t1=Image(np.full((1, 1, 3), t1, np.float32), (1.0, 1.0, 1.0)), **protocol,
    )  # fmt: skip
    assert np.allclose(by_map.maps["rate_constant"].array, found.maps["rate_constant"].array, rtol=1e-4)
    with pytest.raises(AlnmError, match="flip_angle is 200"):
        kinetics.tofts(phases, times, input_function=artery, t1=t1, repetition_time=0.005, flip_angle=200.0)


def test_series_that_are_none_are_refused(series):
    phases, mask = series
    with pytest.raises(AlnmError, match="times is 4 for 5 phases"):
        kinetics.maps(phases, TIMES[:4])
    with pytest.raises(AlnmError, match="times"):
        kinetics.maps(phases, TIMES[::-1])
    with pytest.raises(AlnmError, match="map is slope"):
        kinetics.maps(phases, TIMES, names=["slope"])
    with pytest.raises(AlnmError, match="peak is tallest, which cannot be used"):
        kinetics.maps(phases, TIMES, peak="tallest")
    with pytest.raises(AlnmError, match="arrival_fraction is 2; it must lie between 0 and 1"):
        kinetics.region(phases, TIMES, mask, arrival_fraction=2.0)
    with pytest.raises(AlnmError):
        kinetics.curve(phases, TIMES, mask, label=9)
    with pytest.raises(AlnmError, match="grid|size"):
        kinetics.maps([phases[0], Image(np.ones((4, 6, 6)), (0.7, 0.7, 2.0))], TIMES[:2])
