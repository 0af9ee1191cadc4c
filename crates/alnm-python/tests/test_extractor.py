"""The extractor: columns, types, values, and everything that its interface offers."""

import inspect
import json
import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import alnm
from alnm import Image, imaging
from alnm.radiomics import featureextractor, getFeatureClasses, getImageTypes, imageoperations
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor
from conftest import synthetic

EVERYTHING = {
    "setting": {"binWidth": 15, "geometryTolerance": 1e-4},
    "imageType": {
        "Original": {},
        "LoG": {"sigma": [1.0, 2]},
        "Wavelet": {"binWidth": 10},
        "Square": {},
        "SquareRoot": {},
        "Logarithm": {},
        "Exponential": {},
        "Gradient": {},
        "LBP2D": {},
        "LBP3D": {},
    },
}


def features_of(result):
    return {name: float(value) for name, value in result.items() if not name.startswith("diagnostics_")}


def test_defaults_are_those_of_pyradiomics(case):
    extractor = RadiomicsFeatureExtractor()
    result = extractor.execute(*case)
    assert isinstance(result, OrderedDict)
    names = list(result)
    assert names[:7] == [
        f"diagnostics_{name}"
        for name in (
            "Versions_PyRadiomics",
            "Versions_Numpy",
            "Versions_SimpleITK",
            "Versions_PyWavelet",
            "Versions_Python",
            "Configuration_Settings",
            "Configuration_EnabledImageTypes",
        )
    ]
    assert names[7:22] == [
        f"diagnostics_{part}"
        for part in (
            *(
                f"Image-original_{name}"
                for name in ("Hash", "Dimensionality", "Spacing", "Size", "Mean", "Minimum", "Maximum")
            ),
            *(
                f"Mask-original_{name}"
                for name in (
                    "Hash",
                    "Spacing",
                    "Size",
                    "BoundingBox",
                    "VoxelNum",
                    "VolumeNum",
                    "CenterOfMassIndex",
                    "CenterOfMass",
                )
            ),
        )
    ]
    assert len(names) == 22 + 107 and names[22].startswith("original_shape_")
    assert result["diagnostics_Configuration_Settings"]["minimumROIDimensions"] == 2
    assert result["diagnostics_Configuration_EnabledImageTypes"] == {"Original": {}}
    assert result["diagnostics_Mask-original_VoxelNum"] == int((case[1].array == 1).sum())
    assert result["diagnostics_Image-original_Size"] == (24, 20, 12)
    value = result["original_firstorder_Mean"]
    assert isinstance(value, np.ndarray) and value.shape == () and value.dtype == float
    assert value == pytest.approx(case[0].array[case[1].array == 1].mean())
    assert type(result["original_shape_Elongation"]) is np.float64
    assert type(result["diagnostics_Image-original_Mean"]) is np.float64
    assert type(result["diagnostics_Mask-original_CenterOfMass"]) is tuple


def test_values_are_those_of_the_rust_call(case):
    """golden/values.json was written by golden/write.py. On the machine that wrote it the bits are the same; another
    processor may round the last of them otherwise."""
    golden = Path(__file__).parent / "golden"
    found = features_of(RadiomicsFeatureExtractor(golden / "params.yaml").execute(*case))
    expected = json.loads((golden / "values.json").read_text())
    assert found.keys() == expected.keys() and len(found) > 250
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-13, abs=1e-13), name


def test_files_arrays_and_simpleitk_give_the_same_bits(case, tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    image, mask = case
    extractor = RadiomicsFeatureExtractor(EVERYTHING)
    expected = features_of(extractor.execute(image, mask))
    assert len(expected) > 1500
    assert features_of(extractor.execute(image.to_sitk(), mask.to_sitk())) == expected
    for ending in ("nrrd", "nii.gz", "mha"):
        sitk.WriteImage(image.to_sitk(), str(tmp_path / f"image.{ending}"))
        sitk.WriteImage(mask.to_sitk(), str(tmp_path / f"mask.{ending}"))
    result = extractor.execute(tmp_path / "image.nrrd", str(tmp_path / "mask.mha"))
    assert features_of(result) == expected


def test_bits_do_not_depend_on_threads(case):
    extractor = RadiomicsFeatureExtractor(EVERYTHING)
    one = features_of(extractor.execute(*case, threads=1))
    assert features_of(extractor.execute(*case, threads=3)) == one
    alnm.set_threads(2)
    assert alnm.threads() == 2
    assert features_of(extractor.execute(*case)) == one
    alnm.set_threads(0)


def test_a_label_and_a_channel_are_chosen(case):
    sitk = pytest.importorskip("SimpleITK")
    image, mask = case
    extractor = RadiomicsFeatureExtractor(additionalInfo=False)
    second = extractor.execute(image, mask, label=2)
    assert not any(name.startswith("diagnostics_") for name in second)
    alone = mask.with_array((mask.array == 2).astype(np.uint8))
    layers = sitk.Compose(mask.to_sitk(), alone.to_sitk())
    assert features_of(extractor.execute(image.to_sitk(), layers, label_channel=1)) == features_of(second)
    with pytest.raises(alnm.AlnmError, match="label_channel is 2; the mask has components from 0 to 1"):
        extractor.execute(image.to_sitk(), layers, label_channel=2)


def test_parameters_come_from_files_dictionaries_and_keywords(case, tmp_path):
    text = "setting:\n  binWidth: 12\nimageType:\n  Square: {}\nfeatureClass:\n  glcm: [Contrast, Idm]\n"
    (tmp_path / "params.yaml").write_text(text)
    dictionary = {
        "setting": {"binWidth": 12},
        "imageType": {"Square": {}},
        "featureClass": {"glcm": ["Contrast", "Idm"]},
    }
    (tmp_path / "params.json").write_text(json.dumps(dictionary))
    expected = None
    for argument in (str(tmp_path / "params.yaml"), tmp_path / "params.json", dictionary):
        extractor = RadiomicsFeatureExtractor(argument)
        assert extractor.settings["binWidth"] == 12 and extractor.enabledImagetypes == {"Square": {}}
        found = features_of(extractor.execute(*case))
        assert list(found) == ["square_glcm_Contrast", "square_glcm_Idm"]
        expected = expected or found
        assert found == expected
    extractor = RadiomicsFeatureExtractor()
    extractor.loadParams(str(tmp_path / "params.yaml"))
    assert features_of(extractor.execute(*case)) == expected
    extractor.loadJSONParams(json.dumps(dictionary))
    assert features_of(extractor.execute(*case)) == expected
    for value in (float("nan"), "nan"):
        assert np.isnan(RadiomicsFeatureExtractor({"voxelSetting": {"initValue": value}}).settings["initValue"])
    assert RadiomicsFeatureExtractor(dictionary, binWidth=3).settings["binWidth"] == 3
    with pytest.raises(FileNotFoundError, match="nothing.yaml"):
        RadiomicsFeatureExtractor("nothing.yaml")
    with pytest.raises(alnm.AlnmError, match="unknown key `binWidht` in `setting`; did you mean `binWidth`"):
        RadiomicsFeatureExtractor({"setting": {"binWidht": 3}})


def test_features_and_image_types_are_switched(case):
    extractor = RadiomicsFeatureExtractor(additionalInfo=False)
    extractor.disableAllFeatures()
    assert extractor.execute(*case) == {}
    extractor.enableFeaturesByName(firstorder=["Mean", "StandardDeviation"], glcm=None)
    assert len(extractor.execute(*case)) == 2 + 24
    extractor.enableFeatureClassByName("glcm", False)
    extractor.enableFeatureClassByName("shape")
    extractor.disableAllImageTypes()
    assert len(extractor.execute(*case)) == 14
    extractor.enableImageTypeByName("LoG", customArgs={"sigma": [2.0]})
    extractor.enableImageTypes(Square={}, Original={})
    assert [name for name in extractor.execute(*case) if "shape" not in name] == [
        f"{image}_firstorder_{name}"
        for image in ("log-sigma-2-0-mm-3D", "square", "original")
        for name in ("Mean", "StandardDeviation")
    ]
    extractor.enableImageTypeByName("LoG", False)
    assert list(extractor.enabledImagetypes) == ["Square", "Original"]
    extractor.enableAllImageTypes()
    assert sorted(extractor.enabledImagetypes) == getImageTypes()
    extractor.enableAllFeatures()
    assert list(extractor.enabledFeatures) == extractor.featureClassNames or len(extractor.enabledFeatures) == 8
    extractor.addProvenance()
    assert extractor.settings["additionalInfo"]


def test_unknown_names_are_told_in_the_log(case, caplog):
    extractor = RadiomicsFeatureExtractor(notASetting=3)
    with caplog.at_level(logging.WARNING, logger="radiomics"):
        extractor.execute(*case)
        extractor.enableImageTypeByName("Wavlet")
        extractor.enableFeatureClassByName("glmc")
    text = caplog.text
    assert "notASetting" in text and "Wavlet" in text and "glmc" in text


def test_warnings_of_the_engine_go_to_the_log(case, caplog):
    image, mask = case
    parted = mask.with_array(mask.array.copy())
    parted.array[0, -1, -1] = 1
    with caplog.at_level(logging.INFO, logger="radiomics"):
        RadiomicsFeatureExtractor(binWidth=1000).execute(image, parted)
    levels = {record.getMessage(): record.levelno for record in caplog.records}
    assert levels["the region has 2 separate parts"] == logging.WARNING
    assert [level for text, level in levels.items() if "would give 64" in text] == [logging.INFO]


def test_single_steps_give_what_execute_gives(case):
    extractor = RadiomicsFeatureExtractor(EVERYTHING)
    settings = extractor.settings
    expected = features_of(extractor.execute(*case))
    image, mask = extractor.loadImage(*case, **settings)
    box, corrected = imageoperations.checkMask(image, mask, **settings)
    assert corrected is None
    found = features_of(extractor.computeShape(image, mask, box, **settings))
    for kind, own in extractor.enabledImagetypes.items():
        merged = {**settings, **own}
        for filtered, name, arguments in getattr(imageoperations, f"get{kind}Image")(image, mask, **merged):
            cut = imageoperations.cropToTumorMask(filtered, mask, box)
            found.update(features_of(extractor.computeFeatures(*cut, name, **arguments)))
    assert found == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"resampledPixelSpacing": [1, 1, 2], "interpolator": "sitkLinear"},
        {"normalize": True, "normalizeScale": 100, "removeOutliers": 2, "preCrop": True},
        {"resegmentRange": [-2, 1.5], "resegmentMode": "sigma"},
        {"force2D": True, "weightingNorm": "manhattan", "distances": [1, 2]},
    ],
)
def test_preparation_step_by_step(case, settings):
    extractor = RadiomicsFeatureExtractor(**settings)
    extractor.enableImageTypeByName("Wavelet")
    result = extractor.execute(*case)
    settings = extractor.settings
    image, mask = extractor.loadImage(*case, **settings)
    box, _ = imageoperations.checkMask(image, mask, **settings)
    shape = extractor.computeShape(image, mask, box, **settings)
    if settings.get("resegmentRange"):
        mask = imageoperations.resegmentMask(image, mask, **settings)
        box, _ = imageoperations.checkMask(image, mask, **settings)
        shape = {}
    found = features_of(shape)
    for filtered, name, arguments in imageoperations.getWaveletImage(image, mask, **settings):
        cut = imageoperations.cropToTumorMask(filtered, mask, box)
        found.update(features_of(extractor.computeFeatures(*cut, name, **arguments)))
    expected = features_of(result)
    assert found and all(np.array_equal(expected[name], value, equal_nan=True) for name, value in found.items())


def test_feature_maps(case):
    image, mask = case
    extractor = RadiomicsFeatureExtractor(kernelRadius=2, initValue=float("nan"))
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(firstorder=["Mean"], glcm=["Contrast"], shape=[])
    result = extractor.execute(image, mask, voxelBased=True)
    maps = {name: value for name, value in result.items() if not name.startswith("diagnostics_")}
    assert list(maps) == ["original_firstorder_Mean", "original_glcm_Contrast"]
    mean = maps["original_firstorder_Mean"]
    assert isinstance(mean, Image)
    inside = mask.array == 1
    z, y, x = (axis[0] for axis in np.nonzero(inside))
    start = [max(axis.min() - 2, 0) for axis in np.nonzero(inside)]
    window = tuple(slice(max(place - 2, 0), place + 3) for place in (z, y, x))
    expected = image.array[window][inside[window]].mean()
    assert mean.array[z - start[0], y - start[1], x - start[2]] == pytest.approx(expected)
    assert np.isnan(mean.array).sum() == mean.array.size - inside.sum()
    sitk = pytest.importorskip("SimpleITK")
    as_sitk = extractor.execute(image.to_sitk(), mask.to_sitk(), voxelBased=True)["original_firstorder_Mean"]
    assert isinstance(as_sitk, sitk.Image)
    assert np.array_equal(sitk.GetArrayFromImage(as_sitk), mean.array, equal_nan=True)
    cut = imageoperations.cropToTumorMask(image, mask, imageoperations._box(inside), padDistance=2)
    of_class = extractor.computeVoxel(*cut, "original", **extractor.settings)
    assert np.array_equal(of_class["original_firstorder_Mean"].array, mean.array, equal_nan=True)


def test_images_of_two_dimensions(planar):
    extractor = RadiomicsFeatureExtractor()
    extractor.enableFeatureClassByName("shape2D")
    result = extractor.execute(*planar)
    assert result["diagnostics_Image-original_Dimensionality"] == "2D"
    assert "original_shape2D_PixelSurface" in result and "original_shape_MeshVolume" not in result
    pixels = int(planar[1].array.sum())
    assert result["original_shape2D_PixelSurface"] == pytest.approx(pixels * 0.8 * 0.9)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "f4", "f8", ">f4", "f2", "bool"]
)
def test_every_type_of_voxel_is_taken(dtype):
    image, mask = synthetic()
    scaled = image.with_array((image.array // 4).astype(dtype))
    result = RadiomicsFeatureExtractor(binWidth=0.5, additionalInfo=False).execute(scaled, mask)
    assert np.isfinite(result["original_firstorder_Mean"])


def test_views_of_arrays_are_taken(case):
    image, mask = case
    extractor = RadiomicsFeatureExtractor(EVERYTHING)
    expected = features_of(extractor.execute(image, mask))
    fortran = image.with_array(np.asfortranarray(image.array))
    padded = np.zeros((24, 40, 48), np.int16)
    padded[::2, ::2, ::2] = image.array
    reversed_ = image.with_array(np.ascontiguousarray(image.array[::-1, :, ::-1])[::-1, :, ::-1])
    readonly = image.with_array(image.array.copy())
    readonly.array.flags.writeable = False
    for view in (fortran, image.with_array(padded[::2, ::2, ::2]), reversed_, readonly):
        assert features_of(extractor.execute(view, mask)) == expected


def test_structure_of_the_package():
    public = [name for name, _ in inspect.getmembers(RadiomicsFeatureExtractor) if not name.startswith("_")]
    assert {"execute", "loadImage", "computeFeatures", "computeShape", "computeVoxel", "tolerance"} <= set(public)
    assert len(getFeatureClasses()) == 8 and len(getImageTypes()) == 10
    assert featureextractor.geometryTolerance is None
    assert imaging.__doc__
