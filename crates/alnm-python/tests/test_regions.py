"""Rings, parts, distances, habitats and intensity scales: against their definitions and SimpleITK."""

import numpy as np
import pytest

from alnm import AlnmError, Image, regions


def test_rings_hold_their_distances(case):
    image, mask = case
    drawn = regions.rings(mask, [(0.0, 2.0), (2.0, 5.0), (-1.5, 0.0)], above=(image, 150.0))
    z, y, x = np.nonzero(mask.array == 1)
    spacing = np.array(mask.spacing[::-1])
    inside = np.column_stack([z, y, x]) * spacing
    assert [ring.label for ring in drawn.rings] == [1, 2, 3]
    for ring in drawn.rings:
        voxels = np.argwhere(drawn.mask.array == ring.label)
        assert len(voxels) == ring.voxels > 0
        assert (image.array[tuple(voxels.T)] > 150).all() and (mask.array[tuple(voxels.T)] != 2).all()
        if ring.start >= 0:
            distances = np.sqrt(((voxels[:, None] * spacing - inside) ** 2).sum(2).min(1))
            assert (distances > ring.start).all() and (distances <= ring.end * (1 + 1e-6)).all()
        else:
            assert (mask.array[tuple(voxels.T)] == 1).all()
    assert regions.shells(2.0, 3) == [(-2.0, 0.0), (-4.0, -2.0), (-np.inf, -4.0)]
    whole = regions.rings(mask, regions.shells(2.0, 3))
    assert sum(ring.voxels for ring in whole.rings) == (mask.array == 1).sum()
    with pytest.raises(AlnmError, match="rings is 2 to 1 mm"):
        regions.rings(mask, [(2.0, 1.0)])
    with pytest.raises(AlnmError, match="label"):
        regions.rings(mask, [(0.0, 1.0)], label=5)


def test_parts_and_distances(case):
    sitk = pytest.importorskip("SimpleITK")
    _, mask = case
    array = np.where(mask.array == 1, 1, 0).astype(np.uint8)
    array[0, 0, :2] = 1
    parts = regions.connected_components(mask.with_array(array))
    assert parts.sizes == [(array.sum() - 2).item(), 2] and (parts.map.array == 2).sum() == 2
    section = regions.largest_cross_section(mask)
    counts = (mask.array == 1).sum(axis=(1, 2))
    assert (section.slice, section.voxels) == (counts.argmax(), counts.max())
    rows, columns = np.nonzero(mask.array[section.slice] == 1)
    assert section.first == (columns.min(), rows.min(), section.slice)
    assert section.size == (np.ptp(columns) + 1, np.ptp(rows) + 1, 1)
    there = mask.to_sitk() == 1
    expected = sitk.SignedMaurerDistanceMap(there, squaredDistance=False, useImageSpacing=True)
    assert np.allclose(regions.signed_distance(mask).array, sitk.GetArrayFromImage(expected), atol=1e-4)


def test_habitats_are_learned_saved_and_mapped(tmp_path):
    rng = np.random.default_rng(5)
    centres = np.array([[1.0, 5.0], [4.0, 1.0], [7.0, 9.0]])
    patients = [np.concatenate([centre + rng.normal(0, 0.3, (40, 2)) for centre in centres]) for _ in range(3)]
    patients[0][0, 0] = np.nan
    model = regions.Habitats(3, seed=1).fit(patients, names=["enhancement", "time"])
    assert model.features_ == ["enhancement", "time"] and np.allclose(model.centres_, centres, atol=0.2)
    assert (model.learned_voxels_, model.left_out_voxels_) == (359, 1) and model.scores_ == []
    labels = model.predict(patients[1])
    assert labels.tolist() == [1] * 40 + [2] * 40 + [3] * 40 and model.predict(patients[0])[0] == 0
    path = tmp_path / "habitats.json"
    model.save(path)
    again = regions.Habitats.load(path)
    assert np.array_equal(again.predict(patients[1]), labels) and again.count == 3
    spacing = (1.0, 1.0, 1.0)
    maps = [Image(patients[1][:, column].reshape(2, 6, 10), spacing) for column in (0, 1)]
    mask = Image((labels.reshape(2, 6, 10) != 2).astype(np.uint8), spacing)
    assert np.array_equal(again.map(maps, mask).array, np.where(labels == 2, 0, labels).reshape(2, 6, 10))
    assert np.array_equal(regions.Habitats(3, seed=1).fit(iter(patients)).predict(patients[1]), labels)
    chosen = regions.Habitats((2, 5), by="silhouette").fit(patients)
    assert [score.count for score in chosen.scores_] == [2, 3, 4, 5] and len(chosen.centres_) == 3
    mixture = regions.Habitats((2, 4), method="gaussian_mixture").fit(patients)
    assert len(mixture.centres_) == 3
    with pytest.raises(AlnmError, match="not fitted; call fit first"):
        regions.Habitats().predict(patients[0])
    with pytest.raises(AlnmError, match="count is by the BIC"):
        regions.Habitats((2, 5), by="bic").fit(patients)
    with pytest.raises(AlnmError, match="method is dbscan, which cannot be used"):
        regions.Habitats(method="dbscan").fit(patients)
    path.write_text("{}")
    with pytest.raises(AlnmError, match="missing field"):
        regions.Habitats.load(path)


def test_scales_bring_images_together(case, tmp_path):
    image, mask = case
    image = image.with_array(image.array.astype(np.float32) + 100)
    brighter = image.with_array(2 * image.array + 30)
    scales = {
        "nyul": regions.IntensityScale.nyul([image, brighter], [mask, mask]),
        "stripe": regions.IntensityScale.white_stripe(mode="largest", width=0.2),
        "site": regions.IntensityScale.site([image], [mask]),
        "z": regions.IntensityScale.z_score(),
    }
    for name, scale in scales.items():
        one, other = (scale.apply(each, mask).array for each in (image, brighter))
        assert np.allclose(one, other, rtol=1e-3, atol=1e-3), name
        scale.save(tmp_path / "scale.json")
        assert np.array_equal(regions.IntensityScale.load(tmp_path / "scale.json").apply(image, mask).array, one)
    inside = scales["z"].apply(image, mask).array[mask.array == 1]
    assert inside.mean() == pytest.approx(0, abs=1e-4) and inside.std() == pytest.approx(1, rel=1e-4)
    nyul = scales["nyul"].apply(image, mask).array[mask.array == 1]
    assert np.percentile(nyul, [1, 99]) == pytest.approx([1, 100], abs=0.5)
    matched = regions.IntensityScale.histogram_matching([image]).apply(brighter).array
    assert np.abs(matched - image.array).max() < 0.02 * np.ptp(image.array)
    with pytest.raises(AlnmError, match="histogram matching looks at the whole image; give no mask"):
        regions.IntensityScale.histogram_matching([image]).apply(brighter, mask)
    with pytest.raises(AlnmError, match="there are 1 masks"):
        regions.IntensityScale.nyul([image, image], [mask])
    with pytest.raises(AlnmError, match="there must be at least one to learn from"):
        regions.IntensityScale.nyul([])
    with pytest.raises(AlnmError, match="mode is middle, which cannot be used"):
        regions.IntensityScale.white_stripe(mode="middle")
