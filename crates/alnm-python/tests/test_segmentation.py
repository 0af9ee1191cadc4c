"""Outlines: against their definitions and against SimpleITK."""

import json

import numpy as np
import pytest

from alnm import AlnmError, Image, segmentation
from conftest import synthetic


@pytest.fixture
def ball():
    """A bright ball in a dark image with a texture, its mask, and a seed in its middle."""
    z, y, x = np.indices((18, 32, 34))
    inside = (1.25 * (z - 9)) ** 2 + (y - 16) ** 2 + (x - 17) ** 2 <= 49
    spacing, origin = (1.0, 1.0, 1.25), (-5.0, 3.0, 8.0)
    image = Image(np.where(inside, 300, 100) + (7 * x + 3 * y + 5 * z) % 11, spacing, origin)
    seed = segmentation.bubbles(image, [image.index_to_point((17, 16, 9))], 2.0)
    of_numpy = segmentation.bubbles(image, [image.index_to_point((17, 16, 9))], np.float32(2.0))
    assert np.array_equal(of_numpy.array, seed.array)
    return image, Image(inside.astype(np.uint8), spacing, origin), seed


def dice(first, second):
    first, second = first.array != 0, second.array != 0
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_contours_find_the_ball(ball):
    image, truth, seed = ball
    assert 0 < seed.array.sum() < 40
    told = []
    speed = segmentation.threshold_speed(image, lower=200.0)
    assert speed.array.dtype == np.float32 and speed.array.min() >= -1 and speed.array.max() <= 1
    found = segmentation.active_contour(speed, seed, observer=told.append)
    assert dice(found.mask, truth) > 0.95 and found.voxel_count == (found.mask.array != 0).sum()
    assert found.volume == pytest.approx(1.25 * found.voxel_count) and found.warnings == []
    assert [step.iteration for step in told] == list(range(1, found.iterations + 1))
    edges = segmentation.active_contour(
        segmentation.edge_speed(image, sigma=1.0), seed, method="edges", iterations=100, propagation_weight=0.5
    )
    assert edges.voxel_count > seed.array.sum() and edges.mask.spacing == image.spacing
    mixture = segmentation.mixture_speed(image, seed=seed, classes=2)
    assert mixture.foreground == [1] and mixture.classes[1].mean == pytest.approx(305, abs=2)
    again = segmentation.active_contour(mixture.speed, seed, threads=1)
    assert dice(again.mask, truth) > 0.95
    assert segmentation.active_contour(mixture.speed, seed, threads=2).mask == again.mask


def test_contours_warn_end_and_refuse(ball):
    image, _, seed = ball
    shrinking = Image(np.full(image.array.shape, -1.0), image.spacing, image.origin)
    assert "vanished" in segmentation.active_contour(shrinking, seed).warnings[0]

    def refuse(step):
        raise StopIteration(step.iteration)

    with pytest.raises(StopIteration, match="1"):
        segmentation.active_contour(shrinking, seed, observer=refuse)
    with pytest.raises(AlnmError, match="method is snakes; it must be one of regions, edges"):
        segmentation.active_contour(shrinking, seed, method="snakes")
    with pytest.raises(AlnmError, match="curvature weight is -1"):
        segmentation.active_contour(shrinking, seed, curvature_weight=-1.0)
    with pytest.raises(AlnmError, match="iterations is many, which cannot be used"):
        segmentation.active_contour(shrinking, seed, iterations="many")
    with pytest.raises(AlnmError, match="thresholds is none"):
        segmentation.threshold_speed(image)
    with pytest.raises(AlnmError, match="grid"):
        segmentation.active_contour(shrinking, Image(seed.array, (2.0, 1.0, 1.25), image.origin))
    with pytest.raises(AlnmError, match="classes of the structure is none"):
        segmentation.mixture_speed(image)


def test_regions_grow_as_in_simpleitk(ball):
    sitk = pytest.importorskip("SimpleITK")
    image, _, _ = ball
    seeds, there = [(17, 16, 9)], Image(image.array.astype(np.float32), image.spacing, image.origin).to_sitk()
    grown = segmentation.connected_threshold(there, seeds, 250, 400)
    expected = sitk.ConnectedThreshold(there, seeds, 250, 400)
    assert np.array_equal(sitk.GetArrayFromImage(grown), sitk.GetArrayFromImage(expected))
    grown = segmentation.neighbourhood_connected(image, seeds, 250, 400, radius=(1, 2, 1))
    expected = sitk.NeighborhoodConnected(there, seeds, 250, 400, [1, 2, 1])
    assert np.array_equal(grown.array, sitk.GetArrayFromImage(expected))
    confident = segmentation.confidence_connected(image, seeds, multiplier=2.5, iterations=2)
    expected = sitk.ConfidenceConnected(there, seeds, 2, 2.5)
    assert np.array_equal(confident.mask.array, sitk.GetArrayFromImage(expected))
    assert confident.limits[0] < confident.mean < confident.limits[1]
    speed = Image(np.full((1, 3, 5), 4.0), (2.0, 1.0, 1.0))
    assert segmentation.arrival_times(speed, [(1, 1, 0)]).array[0, 1].tolist() == [0.5, 0.0, 0.5, 1.0, 1.5]
    with pytest.raises(AlnmError):
        segmentation.connected_threshold(image, [(99, 0, 0)], 0, 1)
    with pytest.raises(AlnmError):
        segmentation.connected_threshold(image, [], 0, 1)


def test_morphology_is_that_of_simpleitk(ball):
    sitk = pytest.importorskip("SimpleITK")
    _, truth, _ = ball
    rough = truth.with_array(truth.array * (np.random.default_rng(3).uniform(size=truth.array.shape) < 0.97))
    there = rough.to_sitk()
    pairs = [
        (segmentation.dilate(rough, 2), sitk.BinaryDilate(there, [2, 2, 2], sitk.sitkBall)),
        (segmentation.erode(rough, (1, 2, 1), ball=False), sitk.BinaryErode(there, [1, 2, 1], sitk.sitkBox)),
        (segmentation.opening(rough, 1), sitk.BinaryMorphologicalOpening(there, [1, 1, 1], sitk.sitkBall)),
        (segmentation.closing(rough, 1), sitk.BinaryMorphologicalClosing(there, [1, 1, 1], sitk.sitkBall)),
        (segmentation.fill_holes(rough), sitk.BinaryFillhole(there)),
        (segmentation.smooth(rough, 1), sitk.BinaryMedian(there, [1, 1, 1])),
    ]
    for ours, theirs in pairs:
        assert np.array_equal(ours.array != 0, sitk.GetArrayFromImage(theirs) != 0)
    two = rough.with_array(rough.array.copy())
    two.array[0, 0, 0] = 1
    assert segmentation.largest_part(two).array[0, 0, 0] == 0
    with pytest.raises(AlnmError, match="radius is 1000"):
        segmentation.dilate(rough, 1000)


def test_agreement_is_what_it_says(ball):
    sitk = pytest.importorskip("SimpleITK")
    _, truth, _ = ball
    other = truth.with_array(np.roll(truth.array, 2, axis=2))
    [found] = segmentation.compare_outlines(truth, other, per_slice=True)
    assert found.label == 1 and found.overlap.dice == pytest.approx(dice(truth, other))
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(truth.to_sitk(), other.to_sitk())
    assert found.distances.voxels.hausdorff == pytest.approx(hausdorff.GetHausdorffDistance())
    assert found.distances.voxels.average_hausdorff == pytest.approx(hausdorff.GetAverageHausdorffDistance())
    assert 0 < found.distances.surfels.surface_dice < 1
    assert len(found.slices) == truth.array.any(axis=(1, 2)).sum()
    [same] = segmentation.compare_outlines(truth, truth, tolerance=0.0)
    assert same.overlap.dice == 1 and same.distances.surfels.hausdorff == 0 and same.slices == []
    [missing] = segmentation.compare_outlines(truth, truth, labels=[7])
    assert missing.distances is None and np.isnan(missing.overlap.dice)
    with pytest.raises(AlnmError, match="tolerance of the surface Dice is -1 mm"):
        segmentation.compare_outlines(truth, truth, tolerance=-1)


def test_consensus_is_that_of_simpleitk(ball):
    sitk = pytest.importorskip("SimpleITK")
    _, truth, _ = ball
    outlines = [truth.with_array(np.roll(truth.array, shift, axis=1)) for shift in (0, 1, 3)]
    found = segmentation.staple(outlines)
    filter_ = sitk.STAPLEImageFilter()
    filter_.SetForegroundValue(1)
    expected = sitk.GetArrayFromImage(filter_.Execute([outline.to_sitk() for outline in outlines]))
    assert np.allclose(found.probability.array, expected, atol=1e-9) and found.converged
    assert [rater.sensitivity for rater in found.raters] == pytest.approx(list(filter_.GetSensitivity()))
    assert np.array_equal(found.mask().array, expected >= 0.5)
    voted = segmentation.majority_vote(outlines)
    assert np.array_equal(voted.array, sum(outline.array for outline in outlines) >= 2)
    with pytest.raises(AlnmError):
        segmentation.staple([])


def test_points_of_slicer(tmp_path):
    path = tmp_path / "seeds.mrk.json"
    points = [{"position": [1.0, 2.0, 3.0]}]
    path.write_text(json.dumps({"markups": [{"coordinateSystem": "LPS", "controlPoints": points}]}))
    assert segmentation.markup_points(path) == [(1.0, 2.0, 3.0)]
    path.write_text("nothing")
    with pytest.raises(AlnmError, match="points"):
        segmentation.markup_points(path)
    with pytest.raises(FileNotFoundError):
        segmentation.markup_points(tmp_path / "none.fcsv")
    image, _ = synthetic()
    with pytest.raises(AlnmError, match="inside of the image"):
        segmentation.bubbles(image, [(1e6, 0, 0)], 1.0)
