"""Registration: motions that are known, and the files of ITK."""

import numpy as np
import pytest

from alnm import AlnmError, Image, registration


def scene(shift=(0.0, 0.0, 0.0)):
    """Blobs, moved by a shift in mm."""
    z, y, x = np.indices((14, 28, 30)).astype(float)
    voxels = np.zeros(z.shape)
    for number in range(9):
        cx, cy, cz = 6 + 9 * (number % 3), 6 + 8 * (number // 3), 4 + (number * 5) % 7
        distance = (x - cx - shift[0]) ** 2 + (y - cy - shift[1]) ** 2 + (2 * (z - cz) - shift[2]) ** 2
        voxels += (60 + 15 * number) * np.exp(-distance / 14)
    return Image(voxels, (1.0, 1.0, 2.0))


def test_a_shift_is_found_and_written(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    fixed, moving = scene(), scene((1.5, -1.0, 0.5))
    told = []
    found = registration.register(
        fixed, moving, stages=["rigid"], measure="mean-squares", resolutions=2, observer=told.append
    )
    points = np.array([[12.0, 12.0, 12.0], [4.0, 20.0, 8.0]])
    assert np.allclose(found.transform.apply(points) - points, [1.5, -1.0, 0.5], atol=0.1)
    assert found.jacobian.mean == pytest.approx(1.0) and found.jacobian.folded == 0 and found.bending_weight is None
    assert 0.8 < found.overlap <= 1.0
    assert {step.stage for step in told} == {"rigid"} and told[0].iteration == 1
    assert [report.stage for report in found.resolutions] == ["rigid", "rigid"]
    path = tmp_path / "shift.tfm"
    found.transform.write(path)
    itk = sitk.ReadTransform(str(path))
    assert np.allclose(found.transform.apply(points), [itk.TransformPoint(point.tolist()) for point in points])
    again = registration.read_transform(path)
    assert np.array_equal(again.apply(points), found.transform.apply(points)) and len(again.parts()) == 1
    there = fixed.to_sitk(), moving.to_sitk()
    ours = found.transform.resample(there[1], there[0], interpolator="linear", outside=-1.0)
    theirs = sitk.Resample(there[1], there[0], itk, sitk.sitkLinear, -1.0)
    assert np.allclose(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs), atol=1e-6)


def test_a_deformation_keeps_the_lesion():
    fixed = scene()
    z, y, x = np.indices(fixed.array.shape).astype(float)
    moving = Image(scene((1.2, 0.0, 0.0)).array + 0.5 * np.sin(x + y), fixed.spacing)
    lesion = fixed.with_array(((x - 15) ** 2 + (y - 14) ** 2 + (2 * z - 14) ** 2 < 30).astype(np.uint8))
    found = registration.register(
        fixed, moving, stages=["bspline"], measure="correlation", resolutions=2, iterations=15, grid_spacing=8.0,
        lesion_mask=lesion, lesion="volume", lesion_weight=10.0, threads=2,
    )  # fmt: skip
    assert found.lesion.voxels == lesion.array.sum() and abs(found.lesion.volume_change) < 0.05
    assert found.jacobian.folded == 0 and found.bending_weight >= 100 and found.resolutions[-1].control_points
    jacobian = found.transform.jacobian_map(fixed)
    assert jacobian.array.min() == pytest.approx(found.jacobian.minimum, rel=1e-5)
    inside = found.transform.jacobian_in(lesion)
    assert inside == found.lesion
    point = fixed.index_to_point((15, 14, 7))
    assert found.transform.jacobian_determinant([point])[0] == pytest.approx(jacobian.array[7, 14, 15], rel=1e-5)
    moved = found.transform.resample_mask(lesion, fixed)
    assert set(np.unique(moved.array)) == {0, 1}
    before, after = (np.corrcoef(fixed.array.ravel(), image.array.ravel())[0, 1] for image in (
        moving, found.transform.resample(moving, fixed)))  # fmt: skip
    assert after > before
    again = registration.register(
        fixed, moving, stages=["bspline"], measure="correlation", resolutions=2, iterations=15, grid_spacing=8.0,
        lesion_mask=lesion, lesion="volume", lesion_weight=10.0, threads=1,
    )  # fmt: skip
    assert again.jacobian == found.jacobian


def test_series_come_onto_one_phase():
    phases = [scene(), scene((1.0, 0.0, 0.0)), scene((0.0, 1.0, 0.0))]
    told = []
    series = registration.register_series(
        phases, onto=2, measure="mean-squares", stages=["rigid"], resolutions=1, observer=told.append
    )
    assert series.results[1] is None and series.images[1] == phases[1] and {step.phase for step in told} == {1, 3}
    point = np.array([[14.0, 14.0, 14.0]])
    assert np.allclose(series.results[0].transform.apply(point) - point, [-1.0, 0.0, 0.0], atol=0.15)
    with pytest.raises(AlnmError, match="the number of a phase is 4"):
        registration.register_series(phases, onto=4)


def test_what_cannot_be_registered_is_refused(tmp_path):
    image = scene()

    def refuse(step):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        registration.register(image, image, observer=refuse)
    flat = image.with_array(np.ones(image.array.shape))
    with pytest.raises(AlnmError, match="without contrast cannot be registered"):
        registration.register(flat, image)
    with pytest.raises(AlnmError, match="measure is likeness"):
        registration.register(image, image, measure="likeness")
    with pytest.raises(AlnmError, match="stages is .*which cannot be used"):
        registration.register(image, image, stages=["elastic"])
    with pytest.raises(AlnmError, match="resolutions is 0; it must be 1 to 8"):
        registration.register(image, image, resolutions=0)
    with pytest.raises(AlnmError, match="the lesion mask has no voxel"):
        registration.register(image, image, lesion_mask=image.with_array(np.zeros(image.array.shape, np.uint8)))
    with pytest.raises(AlnmError, match="a point has 2 numbers"):
        registration.register(image, image, stages=["rigid"], resolutions=1).transform.apply([[1.0, 2.0]])
    (tmp_path / "none.tfm").write_text("nothing")
    with pytest.raises(AlnmError, match="begins with"):
        registration.read_transform(tmp_path / "none.tfm")
    with pytest.raises(FileNotFoundError):
        registration.read_transform(tmp_path / "missing.tfm")
