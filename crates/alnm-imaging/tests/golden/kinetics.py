"""Figures of pyCERR on made curves, and of a fit by scipy of made Tofts curves: python3 kinetics.py > kinetics.txt

pyCERR's module is loaded by itself: what it imports from the rest of the package is not needed for curves.
"""

import importlib.metadata
import sys
import types

import numpy as np
import scipy
from scipy.integrate import quad
from scipy.optimize import least_squares

for name, members in {
    "cerr.plan_container": [],
    "cerr.dataclasses.structure": [],
    "cerr.contour.rasterseg": ["getStrMask"],
    "cerr.dataclasses.scan": ["dcm_hhmmss"],
    "matplotlib": [],
    "matplotlib.pyplot": [],
}.items():
    module = types.ModuleType(name)
    for member in members:
        setattr(module, member, None)
    sys.modules[name] = module
sys.modules["matplotlib"].pyplot = sys.modules["matplotlib.pyplot"]
from cerr.mri_metrics import dce_mri  # noqa: E402

generator = np.random.default_rng(20261129)
print(f"# pyCERR {importlib.metadata.version('pyCERR')}, scipy {scipy.__version__}, numpy {np.__version__}")


def text(values):
    return " ".join(repr(float(value)) for value in np.ravel(values))


# Each curve: baseline phases; times; signals; figures in the order of NAMES. The ratio of enhancements is left out: pyCERR
# takes 1 away twice.
NAMES = ["PeakEnhancement", "SignalAtHalfPeak", "TimeToPeak", "TimeToHalfPeak", "MidWashoutTime", "WashInSlope",
         "WashOutSlope", "InitialGradient", "WashOutGradient", "AUCatPeak", "AUCatHalfPeak"]
for case in range(60):
    baseline = int(generator.integers(1, 4))
    phases = int(generator.integers(6, 14))
    times = np.cumsum(np.r_[0.0, generator.uniform(0.5, 1.6, baseline + phases - 1)])
    uptake = np.clip(times - times[baseline - 1], 0.0, None)
    rise, fall, height = generator.uniform(0.8, 4.0), generator.uniform(-0.03, 0.12), generator.uniform(0.4, 2.5)
    curve = height * (1 - np.exp(-uptake * rise)) * np.exp(-uptake * fall)
    signals = generator.uniform(100, 900) * (1 + curve + generator.normal(0.0, 0.03, len(times)))
    stack = signals.reshape(1, 1, 1, -1)
    mask = np.ones((1, 1, 1), dtype=bool)
    normalised, minutes, base, _ = dce_mri.normalizeToBaseline(stack, mask, times, basePts=baseline)
    relative = normalised.reshape(1, -1) - 1
    found, _ = dce_mri.semiQuantFeatures(relative, minutes, base.ravel())
    if found["TimeToPeak"][0] == 0:
        continue
    values = [found[name] if name in found else found["TimeToHalfWashout"] for name in NAMES]
    print("curve", baseline, "|", text(times), "|", text(signals), "|", text(values))

# Each Tofts curve: model; input times; plasma; phases; concentrations; K_trans, k_ep, v_p in minutes. The integral is done
# by quadrature between the points of the input function, the fit by trust regions.
def parker(minutes):
    peak = lambda a, t, w: a / (w * np.sqrt(2 * np.pi)) * np.exp(-((minutes - t) ** 2) / (2 * w**2))
    tail = 1.050 * np.exp(-0.1685 * minutes) / (1 + np.exp(-38.078 * (minutes - 0.483)))
    return peak(0.809, 0.17046, 0.0563) + peak(0.330, 0.365, 0.132) + tail


def model(parameters, input_times, plasma, phases):
    transfer, rate, volume = parameters
    curve = []
    for phase in phases:
        total = 0.0
        for start, stop, before, after in zip(input_times[:-1], input_times[1:], plasma[:-1], plasma[1:]):
            if start >= phase:
                break
            end = min(stop, phase)
            value = lambda u: (before + (after - before) * (u - start) / (stop - start)) * np.exp(-rate * (phase - u))
            total += quad(value, start, end, epsabs=1e-13, epsrel=1e-12)[0]
        curve.append(transfer * total + volume * np.interp(phase, input_times, plasma, left=0.0))
    return np.array(curve)


for case in range(16):
    extended = case % 4 != 3
    input_times = np.r_[0.0, np.sort(generator.uniform(0.05, 1.5, 12)), np.linspace(1.7, 8.0, 8)]
    plasma = np.r_[0.0, parker(input_times[1:])] / (1 - 0.42)
    phases = np.sort(generator.uniform(0.1, 7.9, 14))
    truth = [generator.uniform(0.05, 0.6), generator.uniform(0.2, 2.5), generator.uniform(0.02, 0.1) if extended else 0.0]
    clean = model(truth, input_times, plasma, phases)
    noisy = clean + generator.normal(0.0, 0.02 * clean.max(), len(clean)) * (case % 2)
    free = 3 if extended else 2
    residual = lambda p: model(np.r_[p, np.zeros(3 - free)], input_times, plasma, phases) - noisy
    best = None
    for rate in (0.1, 0.5, 1.5, 5.0):
        found = least_squares(residual, [0.2, rate, 0.05][:free], bounds=([0, 1e-3, 0][:free], [5, 20, 1][:free]),
                              x_scale=[0.1, 1.0, 0.05][:free], ftol=1e-14, xtol=1e-14, gtol=1e-14, max_nfev=60)
        if best is None or found.cost < best.cost:
            best = found
    fitted = np.r_[best.x, np.zeros(3 - free)]
    print("tofts", "extended" if extended else "standard", "|", text(input_times * 60), "|", text(plasma), "|",
          text(phases * 60), "|", text(noisy), "|", text(fitted))
