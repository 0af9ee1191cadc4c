"""Reading, writing, N4, resampling."""

import numpy as np
import pytest

from alnm import AlnmError, Image, imaging


def test_images_are_written_and_read(case, tmp_path):
    image, mask = case
    for ending in ("nrrd", "nii.gz", "mha"):
        imaging.write(tmp_path / f"image.{ending}", image)
        back = imaging.read(tmp_path / f"image.{ending}")
        assert back.array.dtype == image.array.dtype and np.array_equal(back.array, image.array)
        assert np.allclose(back.spacing, image.spacing) and np.allclose(back.direction, image.direction)
        geometry = imaging.read_geometry(tmp_path / f"image.{ending}")
        assert geometry.size == image.size
    imaging.write_mask(tmp_path / "mask.nrrd", mask)
    labels = imaging.read_mask(tmp_path / "mask.nrrd")
    assert np.array_equal(labels.array, mask.array)
    second = imaging.read_mask(tmp_path / "mask.nrrd", region=2, image=image)
    assert np.array_equal(second.array, mask.array == 2)
    with pytest.raises(AlnmError, match="9"):
        imaging.read_mask(tmp_path / "mask.nrrd", region=9)
    with pytest.raises(AlnmError, match="image.txt"):
        imaging.write(tmp_path / "image.txt", image)


def test_simpleitk_there_and_back(case):
    sitk = pytest.importorskip("SimpleITK")
    image, _ = case
    there = image.to_sitk()
    assert isinstance(there, sitk.Image) and there.GetSpacing() == image.spacing
    assert Image.from_sitk(there) == image
    resampled = imaging.resample(there, spacing=(1.0, 1.0, 1.0))
    assert isinstance(resampled, sitk.Image)
    grid = sitk.Resample(there, resampled, sitk.Transform(), sitk.sitkBSpline, 0.0, sitk.sitkInt16)
    difference = sitk.GetArrayFromImage(grid).astype(int) - sitk.GetArrayFromImage(resampled)
    assert np.abs(difference).max() <= 1


def test_n4_tells_and_ends(case):
    image, mask = case
    told = []
    result = imaging.n4(image, mask, iterations=(5, 5), observer=told.append)
    assert result.corrected.array.dtype == np.float32 and len(result.levels) == 2
    assert [step.iteration for step in told][0] == 1 and told[-1].levels == 2
    ratio = image.array / np.exp(result.log_bias_field.array)
    assert np.allclose(result.corrected.array, ratio, rtol=1e-5)

    class Enough(Exception):
        pass

    def refuse(step):
        raise Enough

    with pytest.raises(Enough):
        imaging.n4(image, observer=refuse)
    with pytest.raises(AlnmError, match="spline"):
        imaging.n4(image, spline_order=9)


def test_otsu_and_resample_say_what_they_need(case):
    image, _ = case
    assert set(np.unique(imaging.otsu_mask(image).array)) == {0, 1}
    assert imaging.resample(image, grid=image, interpolator="nearest") == image
    for arguments in ({}, {"spacing": (1, 1, 1), "grid": image}):
        with pytest.raises(AlnmError, match="exactly one"):
            imaging.resample(image, **arguments)
    with pytest.raises(AlnmError, match="at most 16 GiB; choose a larger spacing"):
        imaging.resample(image, spacing=(1e-9, 1, 1))
    with pytest.raises(AlnmError, match="interpolator is cubic; it must be one of nearest, linear"):
        imaging.resample(image, spacing=(1, 1, 1), interpolator="cubic")
