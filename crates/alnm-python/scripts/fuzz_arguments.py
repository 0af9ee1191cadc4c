"""Call the package with arguments that make little sense: nothing but results and exceptions with a message may come.

    python scripts/fuzz_arguments.py [SECONDS [SEED]]

Each call is made from a number of its own, which is printed where something else comes: a fault of the program
(RuntimeError), or the end of the process. `python scripts/fuzz_arguments.py --once NUMBER` repeats that call.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

EXPECTED = (ValueError, TypeError, LookupError, OverflowError, MemoryError, OSError, NotImplementedError)
NUMBERS = [
    0,
    1,
    -1,
    2,
    0.5,
    1e-300,
    1e300,
    float("nan"),
    float("inf"),
    2**31,
    2**64,
    10**30,
    None,
    "1",
    [],
    [1, 2],
    True,
]


def some_array(rng):
    """An array of any type, shape and strides."""
    types = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">i2", ">f8", "?", "c8", "O", "U1"]
    shape = tuple(int(n) for n in rng.integers(0, 9, rng.choice([0, 1, 2, 3, 3, 3, 3, 4])))
    array = (rng.normal(0, 10.0 ** rng.integers(-3, 6), shape)).astype(rng.choice(types[:-3]), copy=False)
    if rng.random() < 0.05:
        array = array.astype(rng.choice(types))
    if array.dtype.kind == "f" and array.size and rng.random() < 0.1:
        array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf])
    if array.ndim and rng.random() < 0.2:
        array = array[tuple(slice(None, None, int(rng.choice([1, -1, 2]))) for _ in array.shape)]
    if array.ndim == 3 and rng.random() < 0.1:
        array = array.transpose(2, 0, 1)
    return array


def some_image(rng, shape=None):
    """An image, most of the time one that makes sense."""
    from alnm import Image

    array = some_array(rng)
    if shape is not None and rng.random() < 0.95:
        array = rng.integers(0, 3, shape).astype(rng.choice(["u1", "i2", "f8", "u4"]))
    axes = max(array.ndim, 1)
    spacing = (
        rng.choice([0.5, 1.0, 3.0], axes) if rng.random() < 0.95 else rng.choice([0, -1, np.nan, np.inf, 1e-300], axes)
    )
    origin = rng.normal(0, 10, axes) if shape is None and rng.random() < 0.05 else None
    direction = rng.normal(size=axes * axes) if rng.random() < 0.02 else None
    return Image(array, spacing, origin, direction)


def some_settings(rng):
    """Settings of which some are known and few make sense."""
    from alnm.radiomics.parameters import KNOWN

    names = rng.choice(sorted(KNOWN), rng.integers(0, 4))
    settings = {str(name): NUMBERS[rng.integers(len(NUMBERS))] for name in names}
    if rng.random() < 0.5:
        settings["binWidth"] = float(rng.choice([0.1, 5.0, 25.0]))
    return settings


def extraction(rng):
    from alnm.radiomics import getFeatureClasses, getImageTypes
    from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor

    extractor = RadiomicsFeatureExtractor(**some_settings(rng))
    for name in rng.choice(getImageTypes(), rng.integers(0, 3)):
        extractor.enableImageTypeByName(str(name), customArgs=some_settings(rng))
    if rng.random() < 0.5:
        extractor.enabledFeatures = {str(name): [] for name in rng.choice(sorted(getFeatureClasses()), 3)}
    image = some_image(rng)
    extractor.execute(image, some_image(rng, image.array.shape), voxelBased=bool(rng.random() < 0.3))


def feature_class(rng):
    from alnm.radiomics import getFeatureClasses

    image = some_image(rng)
    cls = getFeatureClasses()[str(rng.choice(sorted(getFeatureClasses())))]
    made = cls(image, some_image(rng, image.array.shape), **some_settings(rng))
    made._initCalculation()
    made.execute()


def operation(rng):
    from alnm.radiomics import imageoperations

    names = [name for name in dir(imageoperations) if name[0].islower() and name.endswith(("Image", "Mask"))]
    image = some_image(rng)
    function = getattr(imageoperations, str(rng.choice(names)))
    result = function(image, some_image(rng, image.array.shape), **some_settings(rng))
    if hasattr(result, "__next__"):
        list(result)


def imaging_call(rng):
    from alnm import imaging

    image = some_image(rng)
    numbers = [NUMBERS[place] for place in rng.integers(len(NUMBERS), size=4)]
    calls = [
        lambda: imaging.resample(image, spacing=numbers[:3], outside=numbers[3]),
        lambda: imaging.resample(image, grid=some_image(rng), interpolator="linear"),
        lambda: imaging.n4(image, some_image(rng, image.array.shape), iterations=[2], shrink=numbers[0]),
        lambda: imaging.n4(image, iterations=numbers[0], spline_order=numbers[1]),
        lambda: imaging.otsu_mask(image, numbers[0]),
    ]
    calls[rng.integers(len(calls))]()


def file_call(rng):
    from alnm import Image, imaging
    from alnm.radiomics.parameters import load

    with tempfile.TemporaryDirectory() as folder:
        name = f"file{rng.choice(['.nrrd', '.nii', '.nii.gz', '.mha', '.dcm', '.yaml'])}"
        path = Path(folder) / name
        if path.suffix in (".dcm", ".yaml"):
            path.write_bytes(rng.bytes(200) if path.suffix == ".dcm" else b"setting: {binWidth: 5, label: 1}\n")
        else:
            imaging.write(path, Image(rng.integers(0, 9, (3, 4, 5)).astype("i2"), (1, 1, 1)))
        content = bytearray(path.read_bytes())
        for place in rng.integers(0, len(content), rng.integers(0, 6)):
            content[place] = rng.integers(256)
        path.write_bytes(bytes(content[: rng.integers(len(content) + 1)] if rng.random() < 0.5 else content))
        load(path) if path.suffix == ".yaml" else (imaging.read if rng.random() < 0.5 else imaging.read_mask)(path)


def statistic(rng):
    from alnm import models, selection, stats

    rows = int(rng.integers(0, 30))
    outcome = rng.integers(0, 2 if rng.random() < 0.95 else 3, rows)
    table = rng.normal(size=(rows, int(rng.integers(0, 6))))
    if table.size and rng.random() < 0.1:
        table.flat[0] = np.nan
    if table.size and rng.random() < 0.2:
        table[:, 0] = 1
    risks = rng.uniform(size=max(rows - int(rng.random() < 0.05), 0)) * rng.choice([1, 1, 1, 2])
    number = NUMBERS[rng.integers(len(NUMBERS))]
    calls = [
        lambda: stats.auc(outcome, risks, level=number if rng.random() < 0.3 else 0.95),
        lambda: stats.compare_many_aucs(outcome, table, reference=number if rng.random() < 0.3 else None),
        lambda: stats.decision_curve(outcome, risks, [0.2, number] if rng.random() < 0.3 else None, resamples=20),
        lambda: stats.calibration(outcome, risks),
        lambda: stats.calibration_curve(outcome, risks, points=number if rng.random() < 0.3 else 11),
        lambda: stats.icc(table),
        lambda: selection.Combat().fit_transform(table, outcome),
        lambda: selection.mrmr(table, outcome, number if rng.random() < 0.3 else 2),
        lambda: selection.elastic_net_path(table, outcome, alpha=number if rng.random() < 0.3 else 1.0),
        lambda: selection.cross_validated_path(table, outcome, folds=3),
        lambda: models.Firth().fit(table, outcome),
    ]
    calls[rng.integers(len(calls))]()


def outlines(rng):
    """Segmentation: mostly masks and images of one shape, with parameters of any value."""
    from alnm import segmentation

    shape = tuple(int(n) for n in rng.integers(1, 9, 3))
    image, mask, other = (some_image(rng, shape) for _ in range(3))
    number = NUMBERS[rng.integers(len(NUMBERS))]
    seeds = [tuple(int(n) for n in rng.integers(-1, 9, rng.choice([3, 3, 3, 2]))) for _ in range(rng.integers(0, 3))]
    methods = ["regions", "edges", "", number]
    calls = [
        lambda: segmentation.threshold_speed(image, lower=number, smoothness=number if rng.random() < 0.3 else 3.0),
        lambda: segmentation.edge_speed(image, sigma=number),
        lambda: segmentation.mixture_speed(image, seed=mask, classes=number if rng.random() < 0.3 else 2),
        lambda: segmentation.active_contour(image, mask, method=methods[rng.integers(4)], iterations=3),
        lambda: segmentation.active_contour(image, mask, iterations=3, propagation_weight=number),
        lambda: segmentation.bubbles(image, [[number, 0, 1]], number),
        lambda: segmentation.connected_threshold(image, seeds, 0, number),
        lambda: segmentation.neighbourhood_connected(image, seeds, 0, 2, number),
        lambda: segmentation.confidence_connected(image, seeds, iterations=2, multiplier=number),
        lambda: segmentation.arrival_times(image, seeds),
        lambda: segmentation.dilate(mask, number),
        lambda: segmentation.closing(mask, 2, label=number),
        lambda: segmentation.fill_holes(mask, label=1),
        lambda: segmentation.compare_outlines(mask, other, tolerance=number if rng.random() < 0.3 else 1.0),
        lambda: segmentation.staple([mask, other, image], label=1),
        lambda: segmentation.majority_vote([mask, other], undecided=number),
    ]
    calls[rng.integers(len(calls))]()


def motion(rng):
    """Registration of small images."""
    from alnm import registration

    shape = tuple(int(n) for n in rng.integers(1, 10, 3))
    fixed, moving, mask = (some_image(rng, shape) for _ in range(3))
    number = NUMBERS[rng.integers(len(NUMBERS))]
    stages = [["rigid"], ["affine"], ["bspline"], [], [number]][rng.integers(5)]
    measures = ["mean-squares", "correlation", "local-correlation", "mutual-information", ""]
    odd = [{"grid_spacing": number}, {"resolutions": number}, {"lesion_mask": mask}, {"bins": number}, {}]
    calls = [
        lambda: registration.register(
            fixed, moving, stages=stages, measure=measures[rng.integers(5)], iterations=2, **odd[rng.integers(5)]
        ),
        lambda: registration.register_series([fixed, moving], onto=number, stages=["rigid"], iterations=1),
        lambda: registration.register(fixed, fixed, stages=["rigid"], iterations=1).transform.apply(some_array(rng)),
    ]
    calls[rng.integers(len(calls))]()


def series(rng):
    """Kinetics and regions."""
    from alnm import kinetics, regions

    shape = tuple(int(n) for n in rng.integers(1, 7, 3))
    phases = [some_image(rng, shape) for _ in range(rng.integers(1, 5))]
    mask, number = some_image(rng, shape), NUMBERS[rng.integers(len(NUMBERS))]
    times = list(range(0, 60 * len(phases), 60))
    if rng.random() < 0.2:
        times[rng.integers(len(times))] = number
    table = rng.normal(size=(int(rng.integers(0, 30)), int(rng.integers(0, 4))))
    artery = kinetics.parker_input(1.0, 300.0)
    calls = [
        lambda: kinetics.maps(phases, times, mask if rng.random() < 0.5 else None, early_seconds=number),
        lambda: kinetics.region(
            phases, times, mask, baseline_phases=number, origin=[0, 5.0, "first_uptake"][rng.integers(3)]
        ),
        lambda: kinetics.curve(phases, times, mask, label=1),
        lambda: kinetics.parker_input(number, 300.0, step=number),
        lambda: kinetics.tofts(
            phases, times, input_function=artery, t1=number, repetition_time=0.005, flip_angle=number
        ),
        lambda: regions.rings(mask, [(0, 2), (number, 5)], above=(phases[0], 1.0)),
        lambda: regions.shells(number, number),
        lambda: regions.connected_components(mask, label=number),
        lambda: regions.largest_cross_section(mask),
        lambda: regions.signed_distance(mask, label=1),
        lambda: regions.Habitats(number if rng.random() < 0.4 else 2, starts=2).fit([table]).predict(table),
        lambda: regions.Habitats((1, 3), method="gaussian_mixture", by="bic").fit([table]),
        lambda: regions.IntensityScale.nyul(phases, scale=(1.0, number)).apply(mask),
        lambda: regions.IntensityScale.white_stripe(width=number).apply(phases[0], mask),
        lambda: regions.IntensityScale.histogram_matching(phases, levels=number).apply(mask),
    ]
    calls[rng.integers(len(calls))]()


CALLS = (
    extraction,
    extraction,
    extraction,
    feature_class,
    operation,
    imaging_call,
    file_call,
    statistic,
    outlines,
    motion,
    series,
)


def once(number):
    """Make the call of a number."""
    rng = np.random.default_rng(number)
    call = CALLS[rng.integers(len(CALLS))]
    try:
        with np.errstate(all="ignore"):
            call(rng)
    except EXPECTED as error:
        if not str(error) and not isinstance(error, (MemoryError, KeyError)):
            raise AssertionError(f"an exception without a message: {error!r}") from error
        return type(error).__name__
    return "a result"


def worker(first, seconds, place):
    """Make one call after the other, and leave the number of the last in a file."""
    import logging

    logging.disable(logging.CRITICAL)
    counts, number, end = {}, first, time.monotonic() + seconds
    while time.monotonic() < end:
        Path(place).write_text(str(number))
        outcome = once(number)
        counts[outcome] = counts.get(outcome, 0) + 1
        number += 1
    print(number - first, "calls:", ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))


def main():
    if sys.argv[1:2] == ["--once"]:
        print(once(int(sys.argv[2])))
        return 0
    if sys.argv[1:2] == ["--worker"]:
        worker(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
        return 0
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    first = sys.argv[2] if len(sys.argv) > 2 else "0"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "number"
        command = [sys.executable, __file__, "--worker", first, seconds, str(place)]
        status = subprocess.run(command).returncode
        if status != 0:
            print(f"call {place.read_text()} ended with status {status}")
        return int(status != 0)


if __name__ == "__main__":
    sys.exit(main())
