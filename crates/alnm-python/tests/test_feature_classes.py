"""The feature classes, called directly."""

import numpy as np
import pytest

import alnm
from alnm.radiomics import firstorder, getFeatureClasses, glcm, shape, shape2D
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor


@pytest.mark.parametrize("name", sorted(set(getFeatureClasses()) - {"shape2D"}))
def test_a_class_gives_the_values_of_the_extractor(case, name):
    extractor = RadiomicsFeatureExtractor(binWidth=20)
    expected = extractor.execute(*case)
    feature_class = getFeatureClasses()[name](*case, binWidth=20, normalize=True)
    values = feature_class.execute()
    assert values and list(values) == [feature for feature, old in feature_class.getFeatureNames().items() if not old]
    for feature, value in values.items():
        assert value == expected[f"original_{name}_{feature}"]
        one = getattr(feature_class, f"get{feature}FeatureValue")()
        assert one.shape == (1,) and one[0] == value


def test_features_are_enabled_one_by_one(case):
    feature_class = firstorder.RadiomicsFirstOrder(*case)
    feature_class.enableFeatureByName("Mean")
    feature_class.enableFeatureByName("Median")
    feature_class.enableFeatureByName("Median", False)
    assert list(feature_class.execute()) == ["Mean"]
    feature_class.disableAllFeatures()
    assert feature_class.featureValues == {}
    feature_class.enableAllFeatures()
    assert len(feature_class.execute()) == 18
    with pytest.raises(LookupError, match="feature Maen is not in firstorder"):
        feature_class.enableFeatureByName("Maen")


def test_withdrawn_features_have_no_value(case):
    feature_class = glcm.RadiomicsGLCM(*case)
    assert feature_class.getFeatureNames()["Dissimilarity"]
    feature_class.enableFeatureByName("Dissimilarity")
    assert feature_class.execute() == {}
    with pytest.raises(DeprecationWarning):
        feature_class.getDissimilarityFeatureValue()


def test_every_feature_has_a_description():
    for feature_class in getFeatureClasses().values():
        for feature in feature_class.getFeatureNames():
            assert getattr(feature_class, f"get{feature}FeatureValue").__doc__
    assert "84IY" not in firstorder.RadiomicsFirstOrder.getMeanFeatureValue.__doc__
    assert "Q4LE" in firstorder.RadiomicsFirstOrder.getMeanFeatureValue.__doc__


@pytest.mark.parametrize("settings", [{}, {"force2D": True}, {"weightingNorm": "euclidean"}, {"distances": [1, 2]}])
def test_matrices_give_the_features(case, settings):
    classes = getFeatureClasses()
    made = {}
    for name in ("glcm", "gldm", "glrlm", "glszm", "ngtdm"):
        made[name] = classes[name](*case, **settings)
        made[name]._initCalculation()
    levels = made["glcm"].coefficients["grayLevels"].astype(float)

    pairs = made["glcm"].P_glcm[0]
    assert np.allclose(pairs.sum((0, 1)), 1)
    contrast = (pairs * ((levels[:, None] - levels[None]) ** 2)[:, :, None]).sum((0, 1)).mean()
    assert made["glcm"].getContrastFeatureValue()[0] == pytest.approx(contrast)

    runs = made["glrlm"].P_glrlm[0]
    share = runs.sum(1) / runs.sum((0, 1))
    assert made["glrlm"].getHighGrayLevelRunEmphasisFeatureValue()[0] == pytest.approx(
        (share * levels[:, None] ** 2).sum(0).mean()
    )

    for name, feature in (("glszm", "LargeAreaEmphasis"), ("gldm", "LargeDependenceEmphasis")):
        matrix = getattr(made[name], f"P_{name}")[0]
        sizes = made[name].coefficients["jvector"]
        expected = (matrix * sizes**2).sum() / matrix.sum()
        assert getattr(made[name], f"get{feature}FeatureValue")()[0] == pytest.approx(expected)

    tones = made["ngtdm"].P_ngtdm[0]
    assert tones[:, 0].sum() == (case[1].array == 1).sum()
    coarseness = 1 / (tones[:, 0] / tones[:, 0].sum() * tones[:, 1]).sum()
    assert made["ngtdm"].getCoarsenessFeatureValue()[0] == pytest.approx(coarseness)


def test_shape_says_what_it_needs(case, planar):
    with pytest.raises(alnm.AlnmError, match="shape needs 3, so use shape2D"):
        shape.RadiomicsShape(*planar)
    with pytest.raises(alnm.AlnmError, match="force2D is not set"):
        shape2D.RadiomicsShape2D(*case)
    with pytest.raises(alnm.AlnmError, match="slices along force2Ddimension 0; shape2D needs one"):
        shape2D.RadiomicsShape2D(*case, force2D=True)
    assert shape2D.RadiomicsShape2D(*planar).execute()["PixelSurface"] > 0
    with pytest.raises(ValueError, match="image or mask is None"):
        shape.RadiomicsShape(case[0], None)
