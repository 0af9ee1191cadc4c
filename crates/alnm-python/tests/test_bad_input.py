"""What cannot be worked with is an exception that says why; nothing of it ends the process."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import alnm
from alnm import AlnmError, Image, imaging, segmentation
from alnm.radiomics import imageoperations
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor
from conftest import synthetic


def execute(image, mask, **settings):
    return RadiomicsFeatureExtractor(**settings).execute(image, mask)


def test_arrays_need_a_spacing(case):
    with pytest.raises(TypeError, match="an array without a spacing"):
        execute(case[0].array, case[1])
    with pytest.raises(TypeError, match="the mask is a list"):
        execute(case[0], [1, 2])
    with pytest.raises(AlnmError, match="spacing has 2 numbers; it must have 3"):
        Image(case[0].array, (1.0, 1.0))


@pytest.mark.parametrize("dtype", ["complex128", "object", "datetime64[s]", "U4"])
def test_types_that_are_no_numbers(case, dtype):
    image, mask = case
    with pytest.raises(TypeError, match="the voxels are of the type"):
        image.with_array(np.zeros(image.array.shape, dtype))
    mask.array = np.zeros(image.array.shape, dtype)
    with pytest.raises(TypeError, match="the voxels are of the type"):
        execute(image, mask)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite(value):
    image, mask = synthetic(np.float32)
    image.array[1, 2, 3] = value
    with pytest.raises(AlnmError, match="3, 2, 1"):
        execute(image, mask)


def test_masks_hold_labels(case):
    image, mask = case
    whole = mask.with_array(mask.array.astype(np.float64))
    assert execute(image, whole)["original_shape_VoxelVolume"] == execute(image, mask)["original_shape_VoxelVolume"]
    for value in (0.5, -1.0, np.nan, 1e20):
        voxels = whole.array.copy()
        voxels[0, 0, 0] = value
        with pytest.raises(AlnmError, match="voxels of a mask are whole numbers"):
            execute(image, mask.with_array(voxels))
    with pytest.raises(AlnmError, match=r"label 7 is not in the mask; it holds \[1, 2\]"):
        execute(image, mask, label=7)
    for label in (0, -1, 1.5, "1", 2**32):
        with pytest.raises(AlnmError, match="label is"):
            execute(image, mask, label=label)
    with pytest.raises(AlnmError, match="every voxel of the mask is 0"):
        execute(image, mask.with_array(np.zeros(mask.array.shape, np.uint8)))
    everything = execute(image, mask.with_array(np.ones(mask.array.shape, np.uint8)))
    assert everything["diagnostics_Mask-original_VoxelNum"] == mask.array.size


def test_grids_that_differ(case):
    image, mask = case
    moved = Image(mask.array, mask.spacing, (0.0, 0.0, 0.0), mask.direction)
    with pytest.raises(AlnmError, match="origin"):
        execute(image, moved)
    smaller = Image(mask.array[:-1], mask.spacing, mask.origin, mask.direction)
    with pytest.raises(AlnmError, match="size"):
        execute(image, smaller)
    assert execute(image, smaller, correctMask=True)["original_shape_VoxelVolume"] > 0
    with pytest.raises(AlnmError, match="same grid"):
        imageoperations.checkMask(image, smaller)
    box, corrected = imageoperations.checkMask(image, smaller, correctMask=True)
    assert corrected.size == image.size and len(box) == 6


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, np.nan), (1.0, np.inf, 1.0)])
def test_spacings_that_are_none(case, spacing):
    with pytest.raises(AlnmError, match="spacing"):
        execute(Image(case[0].array, spacing), Image(case[1].array, spacing))


def test_shapes_that_are_no_images():
    for shape in ((4,), (2, 2, 2, 2), ()):
        with pytest.raises(AlnmError, match="an image has 2 .y, x. or 3"):
            Image(np.zeros(shape), (1.0,) * len(shape))
    empty = Image(np.zeros((0, 4, 4)), (1.0, 1.0, 1.0))
    with pytest.raises(AlnmError, match="size"):
        execute(empty, empty)
    singular = Image(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0), direction=(0.0,) * 9)
    with pytest.raises(AlnmError, match="direction"):
        execute(singular, singular)


def test_huge_shapes_of_one_number():
    """Views of one number pretend to be larger than any memory."""
    image = Image(np.broadcast_to(np.int16(3), (1 << 20, 1 << 20, 1 << 20)), (1.0, 1.0, 1.0))
    with pytest.raises((AlnmError, MemoryError)):
        execute(image, image)


def test_huge_grids(case):
    with pytest.raises(AlnmError, match="size is"):
        imaging.resample(case[0], spacing=(1e-6, 1e-6, 1e-6))
    with pytest.raises(AlnmError, match="size is"):
        execute(*case, resampledPixelSpacing=[1e-6, 1e-6, 1e-6])
    with pytest.raises(AlnmError, match="too many bins"):
        execute(*case, binWidth=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"binWidth": 0}, "`binWidth` is 0; it must be a number above 0"),
        ({"binWidth": "25"}, "`binWidth` is '25'"),
        ({"binCount": 2**40}, "`binCount` is"),
        ({"distances": []}, "`distances` is"),
        ({"force2D": "yes"}, "`force2D` is"),
        ({"interpolator": "sitkMagic"}, "`interpolator` is"),
        ({"resampledPixelSpacing": [1, 1]}, "resampledPixelSpacing has 2 values; it must have 3"),
        ({"minimumROISize": 10**6}, "minimumROISize requires more than"),
        ({"resegmentRange": [1e6, 2e6]}, "voxels after resegmentation"),
        ({"label": 10**30}, "label is"),
        ({"padDistance": 10**30}, "`padDistance` is"),
    ],
)
def test_settings_out_of_range(case, settings, message):
    with pytest.raises(AlnmError, match=message):
        execute(*case, **settings)


def test_settings_of_other_types(case):
    with pytest.raises(TypeError, match="setting binWidth is a object"):
        execute(*case, binWidth=object())
    assert execute(*case, binWidth=np.float32(25), distances=np.array([1]), label=np.int64(1))


def test_names_that_are_unknown(case):
    extractor = RadiomicsFeatureExtractor()
    extractor.enableFeaturesByName(glcm=["Contrst"])
    with pytest.raises(AlnmError, match="unknown feature `Contrst` in `glcm`; did you mean `Contrast`"):
        extractor.execute(*case)
    extractor = RadiomicsFeatureExtractor()
    extractor.enabledImagetypes = {"Wavlet": {}}
    with pytest.raises(AlnmError, match="image type is Wavlet"):
        extractor.execute(*case)


def test_files_that_are_none(case, tmp_path):
    with pytest.raises(FileNotFoundError):
        execute(tmp_path / "nothing.nrrd", case[1])
    (tmp_path / "text.nrrd").write_text("no image")
    with pytest.raises(AlnmError, match="text.nrrd"):
        execute(tmp_path / "text.nrrd", case[1])
    with pytest.raises(AlnmError):
        execute(tmp_path, case[1])
    image = tmp_path / "image.nrrd"
    imaging.write(image, case[0])
    content = image.read_bytes()
    for length in range(0, len(content), max(len(content) // 60, 1)):
        image.write_bytes(content[:length])
        with pytest.raises(AlnmError):
            execute(image, case[1])


def test_many_threads_are_refused(case):
    with pytest.raises(ValueError, match="threads is 5000"):
        RadiomicsFeatureExtractor().execute(*case, threads=5000)
    with pytest.raises(AlnmError, match="threads is 5000"):
        alnm.set_threads(5000)


def test_of_two_arguments_for_one_thing_none_is_ignored():
    image = Image(np.random.default_rng(1).normal(100, 10, (6, 8, 8)).astype(np.float32), spacing=(1, 1, 1))
    with pytest.raises(AlnmError, match="control_points and knot_spacing are both given"):
        imaging.n4(image, control_points=(4, 4, 4), knot_spacing=50.0)
    mask = Image(np.ones((6, 8, 8), dtype=np.uint8), spacing=(1, 1, 1))
    with pytest.raises(AlnmError, match="foreground and seed are both given"):
        segmentation.mixture_speed(image, seed=mask, foreground=[0])
    with pytest.raises(TypeError, match="the image is a path; give what alnm.imaging.read reads there"):
        segmentation.mixture_speed("image.nrrd", foreground=[0])


def test_several_threads_use_one_extractor(case):
    extractor = RadiomicsFeatureExtractor(additionalInfo=False)
    expected = {name: float(value) for name, value in extractor.execute(*case).items()}
    found = [None] * 6

    def work(place):
        found[place] = {name: float(value) for name, value in extractor.execute(*case).items()}

    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(found))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * len(found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_computes_too(case):
    execute(*case)
    child = os.fork()
    if child == 0:
        os._exit(0 if "original_firstorder_Mean" in execute(*case) else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the forked process hangs")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize("voxel_based", [False, True])
def test_ctrl_c_ends_an_extraction(voxel_based):
    # Whoever runs the tests may have set the signal aside, as a shell does for what runs behind it.
    program = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
from alnm import Image
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor
voxels = np.random.default_rng(1).normal(0, 500, (96, 160, 160)).astype(np.float32)
mask = np.zeros(voxels.shape, np.uint8)
mask[4:-4, 8:-8, 8:-8] = 1
extractor = RadiomicsFeatureExtractor(binWidth=2)
if not {voxel_based}:
    extractor.enableAllImageTypes()
    extractor.enabledImagetypes["LoG"] = {{"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]}}
    del extractor.enabledImagetypes["LBP3D"]
print("begun", flush=True)
try:
    extractor.execute(Image(voxels, (1, 1, 1)), Image(mask, (1, 1, 1)), voxelBased={voxel_based})
    print("finished", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=120)[0] == "interrupted\n"


def test_errors_are_values_errors():
    assert issubclass(alnm.AlnmError, ValueError)
