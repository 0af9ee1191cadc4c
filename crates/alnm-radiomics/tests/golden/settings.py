"""Writes settings.json: what PyRadiomics computes on five made images for every setting of its schema.

Made with PyRadiomics 3.0.1, SimpleITK 2.5.7, numpy 1.26.4, PyWavelets 1.9.0, scipy 1.11.4, scikit-image 0.22.0, trimesh 5.2.0,
Python 3.11.7: python3 settings.py > settings.json. `settings.rs` makes the same images and finds its cases in the file."""
import json
import logging
import math
import sys
import warnings

import numpy as np
import pywt
import radiomics
import scipy
import SimpleITK as sitk
import skimage
import trimesh
from ruamel.yaml import YAML
from pkg_resources import resource_filename
from radiomics import featureextractor

warnings.simplefilter("ignore")
radiomics.setVerbosity(logging.CRITICAL)
radiomics.logger.setLevel(logging.CRITICAL)
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

ROTATION = [[21, -6, 22], [14, 27, -6], [-18, 14, 21]]  # times 1 / 31, of the quaternion (5, 1, 2, 1)
ORIGIN = (-20.25, 13.5, 7.125)


def volume():
    z, y, x = np.mgrid[0:9, 0:11, 0:13]
    return (z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211 - 60


def volume_labels():
    z, y, x = np.mgrid[0:9, 0:11, 0:13]
    ball = 3 * (z - 4) ** 2 + (y - 5) ** 2 + (x - 6) ** 2 <= 20
    return np.where(ball, 1, np.where((z < 3) & (x > 8), 2, 0)).astype(np.uint8)


def plane():
    y, x = np.mgrid[0:17, 0:21]
    return (y * y * 31 + y * x * 17 + x * x * 7) % 211 - 60


def plane_labels():
    y, x = np.mgrid[0:17, 0:21]
    return np.where((y - 8) ** 2 + (x - 10) ** 2 <= 40, 1, np.where(x > 17, 2, 0)).astype(np.uint8)


def placed(array, spacing, direction=None, origin=None):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    if direction is not None:
        image.SetDirection([element / 31 for row in direction for element in row])
        image.SetOrigin(origin)
    return image


def made(kind):
    """The image of that kind and its labels."""
    if kind == "planar":
        return placed(plane().astype(np.int16), (0.8, 1.1)), placed(plane_labels(), (0.8, 1.1))
    if kind == "oblique":
        grid = ((1.1, 1.6, 3.5), ROTATION, ORIGIN)
        return placed(volume().astype(np.int16), *grid), placed(volume_labels(), *grid)
    array = {
        "integer": lambda: volume().astype(np.int16),
        "single": lambda: (volume() * 0.37).astype(np.float32),
        "double": lambda: volume() * 0.37 + 0.1,
    }[kind]()
    return placed(array, (0.8, 1.1, 2.5)), placed(volume_labels(), (0.8, 1.1, 2.5))


def with_mask(mask, how):
    """The mask as it is, moved by 1e-5 of a voxel, in a larger grid, or as the second channel of two."""
    if how == "moved":
        moved = sitk.Image(mask)
        moved.SetOrigin([o + (1e-5 * mask.GetSpacing()[0] if axis == 0 else 0) for axis, o in enumerate(mask.GetOrigin())])
        return moved
    if how == "padded":
        return sitk.ConstantPad(mask, [1] * mask.GetDimension(), [2] * mask.GetDimension(), 0)
    if how == "second channel":
        return sitk.Compose([sitk.Image(mask) * 0, mask])
    return mask


KINDS = ("integer", "single", "double", "oblique", "planar")
FEATURES = {
    "firstorder": ["Mean", "Energy", "Entropy"],
    "glcm": ["Contrast", "MCC"],
    "glrlm": ["RunEntropy"],
    "glszm": ["ZonePercentage"],
    "gldm": ["DependenceEntropy"],
    "ngtdm": ["Coarseness"],
}
FEW = {"firstorder": ["Mean", "Variance", "Entropy"], "glcm": ["Contrast"]}
CASES = []


def case(name, setting=None, types=None, classes=FEATURES, mask="same", planar=None, voxels=None):
    """A case; `planar` replaces settings for the two-dimensional image, `voxels` asks for maps."""
    CASES.append((name, setting or {}, types or {"Original": {}}, classes, mask, planar or {}, voxels))


case("defaults", classes=FEATURES | {"shape": [], "shape2D": []})
case("binWidth whole", {"binWidth": 10})
case("binWidth broken", {"binWidth": 7.3})
case("binCount", {"binCount": 12})
case("normalize", {"normalize": True, "binWidth": 0.25})
case("normalizeScale", {"normalize": True, "normalizeScale": 100, "binWidth": 5})
case("removeOutliers", {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5, "binWidth": 5})
for name, spacing in {"even": [1, 1, 1], "halves": [2, 2, 2], "kept axis": [1.5, 0, 2], "equal": [0.8, 1.1, 2.5]}.items():
    case(f"resampledPixelSpacing {name}", {"resampledPixelSpacing": spacing}, classes=FEATURES | {"shape": ["MeshVolume"]}, planar={"resampledPixelSpacing": spacing[:2]})
for number, name in enumerate(("NearestNeighbor", "Linear", "BSpline", "Gaussian", "LabelGaussian", "HammingWindowedSinc", "CosineWindowedSinc", "WelchWindowedSinc", "LanczosWindowedSinc", "BlackmanWindowedSinc"), 1):
    for interpolator in (f"sitk{name}", number):
        setting = {"resampledPixelSpacing": [1.3, 1.3, 2], "interpolator": interpolator}
        case(f"interpolator {interpolator}", setting, classes=FEW, planar={"resampledPixelSpacing": [1.3, 1.3]})
case("interpolator null", {"resampledPixelSpacing": [2, 2, 2], "interpolator": None}, classes=FEW, planar={"resampledPixelSpacing": [2, 2]})
wide = {"LoG": {"sigma": [1.0]}, "Wavelet": {}}
case("padDistance", {"resampledPixelSpacing": [1, 1, 1], "padDistance": 1}, wide, FEW, planar={"resampledPixelSpacing": [1, 1]})
case("preCrop", {"preCrop": True}, wide, FEW)
case("preCrop padDistance 0", {"preCrop": True, "padDistance": 0}, {"Original": {}, "Square": {}, "Wavelet": {"wavelet": "haar"}}, FEW)
case("distances", {"distances": [1, 3]})
for axis in range(3):
    case(f"force2Ddimension {axis}", {"force2D": True, "force2Ddimension": axis})
for mode, limits in {"absolute": ([0], [-20.5, 100]), "relative": ([0.25], [0.1, 0.9]), "sigma": ([-1], [-1, 0.75])}.items():
    for range_ in limits:
        case(f"resegmentMode {mode} {len(range_)}", {"resegmentMode": mode, "resegmentRange": range_}, classes=FEATURES | {"shape": ["MeshVolume"]})
case("resegmentShape", {"resegmentRange": [0, 100], "resegmentShape": True}, classes=FEW | {"shape": [], "shape2D": []})
case("minimumROIDimensions 3", {"minimumROIDimensions": 3}, classes=FEW)
case("minimumROIDimensions 1", {"minimumROIDimensions": 1}, classes=FEW)
case("minimumROISize", {"minimumROISize": 20}, classes=FEW)
case("minimumROISize too large", {"minimumROISize": 2000}, classes=FEW)
case("geometryTolerance", {"geometryTolerance": 0.001}, classes=FEW, mask="moved")
case("geometryTolerance by default", classes=FEW, mask="moved")
case("correctMask", {"correctMask": True}, classes=FEW, mask="padded")
case("correctMask off", classes=FEW, mask="padded")
case("additionalInfo", {"additionalInfo": False}, classes=FEW)
case("label", {"label": 2})
case("label missing", {"label": 3}, classes=FEW)
case("label_channel", {"label_channel": 1}, classes=FEW, mask="second channel")
case("voxelArrayShift", {"voxelArrayShift": 60}, classes={"firstorder": ["Energy", "TotalEnergy", "RootMeanSquared"]})
case("symmetricalGLCM", {"symmetricalGLCM": False}, classes={"glcm": []})
for norm in ("euclidean", "manhattan", "infinity", "no_weighting", None):
    case(f"weightingNorm {norm}", {"weightingNorm": norm, "distances": [1, 2]}, classes={"glcm": ["Contrast", "Correlation", "Imc1"], "glrlm": ["RunEntropy", "RunPercentage"]})
case("gldm_a", {"gldm_a": 2, "binWidth": 10}, classes={"gldm": []})
for name in ("Square", "SquareRoot", "Logarithm", "Exponential", "Gradient"):
    case(name, types={name: {}})
case("gradientUseSpacing", types={"Gradient": {"gradientUseSpacing": False}}, classes=FEW)
case("sigma", types={"LoG": {"sigma": [1, 1.5, 2.25, 60.0]}}, classes=FEW)
case("sigma none", types={"Original": {}, "LoG": {}}, classes=FEW)
case("start_level", types={"Wavelet": {"start_level": 1, "wavelet": "haar"}}, classes=FEW)
case("level", types={"Wavelet": {"level": 2, "wavelet": "haar"}}, classes={"firstorder": ["Mean", "Variance"]})
for wavelet in ("db2", "sym4", "coif1", "bior2.2", "rbio3.1", "dmey"):
    case(f"wavelet {wavelet}", types={"Wavelet": {"wavelet": wavelet}}, classes={"firstorder": ["Mean", "Variance"]})
case("wavelet force2D", {"force2D": True}, {"Wavelet": {}}, {"firstorder": ["Mean", "Variance"]})
for method in ("default", "ror", "uniform", "var"):
    for axis in range(3):
        setting = {"force2D": True, "force2Ddimension": axis}
        case(f"lbp2DMethod {method} {axis}", setting, {"LBP2D": {"lbp2DMethod": method, "binWidth": 1 if method == "uniform" else 10}})
case("lbp2DMethod var wide", types={"LBP2D": {"lbp2DMethod": "var", "binWidth": 100}})
case("lbp2DRadius", types={"LBP2D": {"lbp2DRadius": 2.6, "lbp2DMethod": "default", "binWidth": 10}})
case("lbp2DSamples", types={"LBP2D": {"lbp2DSamples": 15, "lbp2DMethod": "ror", "binWidth": 100}})
case("lbp2DSamples many", types={"LBP2D": {"lbp2DSamples": 33, "lbp2DMethod": "uniform", "binWidth": 1}})
case("lbp3DLevels", types={"LBP3D": {"lbp3DLevels": 3, "binWidth": 0.5}}, classes={"firstorder": ["Mean", "Variance"]})
case("lbp3DIcosphereRadius", types={"LBP3D": {"lbp3DIcosphereRadius": 1.5, "binWidth": 0.5}}, classes={"firstorder": ["Mean", "Variance"]})
case("lbp3DIcosphereSubdivision", types={"LBP3D": {"lbp3DIcosphereSubdivision": 2, "binWidth": 0.5}}, classes={"firstorder": ["Mean", "Variance"]})
case("settings of an image type", {"binWidth": 20}, {"Original": {}, "Square": {"binWidth": 5, "distances": [2]}, "Exponential": {"binCount": 8}}, FEW)
maps = {"firstorder": ["Mean", "Entropy"], "glcm": ["Contrast"], "glrlm": ["RunEntropy"], "glszm": ["ZonePercentage"], "gldm": ["DependenceEntropy"], "ngtdm": ["Coarseness"]}
case("kernelRadius", classes=maps, voxels={"kernelRadius": 2})
case("maskedKernel", classes=maps, voxels={"maskedKernel": False})
case("initValue", classes=maps, voxels={"initValue": -7.5})
case("initValue nan", classes=maps, voxels={"initValue": ".nan"})
case("voxelBatch", classes=maps, voxels={"voxelBatch": 10})


def summary(image):
    """Size, sum of finite voxels, number of others, and the middle voxel of a map."""
    array = sitk.GetArrayFromImage(image)
    finite = np.isfinite(array)
    return [*image.GetSize(), array[finite].sum(), (~finite).sum(), array[tuple(n // 2 for n in array.shape)]]


def run(kind, setting, types, classes, how, voxels):
    # PyRadiomics sets ITK's tolerances for the whole process and never back.
    sitk.ProcessObject.SetGlobalDefaultCoordinateTolerance(1e-6)
    sitk.ProcessObject.SetGlobalDefaultDirectionTolerance(1e-6)
    image, mask = made(kind)
    parameters = {"setting": setting, "imageType": types, "featureClass": classes}
    if voxels is not None:
        parameters["voxelSetting"] = voxels
    try:
        text = json.dumps(parameters).replace('".nan"', "NaN")
        extractor = featureextractor.RadiomicsFeatureExtractor(json.loads(text))
        found = extractor.execute(image, with_mask(mask, how), voxelBased=voxels is not None)
    except Exception as error:
        # What follows ": /" is where SimpleITK was built.
        return parameters, {"error": f"{type(error).__name__}: {error}".splitlines()[0].split(": /")[0][:120]}
    found = {name: value for name, value in found.items()}
    features = {name: value for name, value in found.items() if not name.startswith("diagnostics_")}
    values = [summary(value) if voxels is not None else float(value) for value in features.values()]
    diagnostics = [name for name in found if name.startswith("diagnostics_") and not name.startswith("diagnostics_Versions")]
    return parameters, {"columns": list(features), "values": values, "diagnostics": len(diagnostics)}


def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (np.integer, int)) and not isinstance(value, bool):
        return int(value)
    return float(value) if math.isfinite(value) else None


used = set()
columns, lines = [], []
for name, setting, types, classes, how, planar, voxels in CASES:
    for group in (setting, voxels or {}, *types.values()):
        used |= set(group)
    runs = []
    for kind in KINDS:
        parameters, result = run(kind, setting | (planar if kind == "planar" else {}), types, classes, how, voxels)
        if "columns" in result:
            if result["columns"] not in columns:
                columns.append(result["columns"])
            result["columns"] = columns.index(result["columns"])
            result["values"] = plain(result["values"])
        runs.append({"image": kind} | ({"setting": parameters["setting"]} if kind == "planar" and planar else {}) | result)
    parameters["setting"] = setting
    head = {"name": name, "mask": how, "parameters": parameters}
    lines.append(json.dumps(head)[:-1] + ', "runs": [\n' + ",\n".join(json.dumps(entry) for entry in runs) + "]}")
schema = YAML(typ="safe").load(open(resource_filename("radiomics", "schemas/paramSchema.yaml")))["mapping"]
missing = (set(schema["setting"]["mapping"]) | set(schema["voxelSetting"]["mapping"])) - used
assert not missing, f"no case for {sorted(missing)}"
versions = {
    "PyRadiomics": radiomics.__version__.removeprefix("v"), "SimpleITK": sitk.Version_VersionString(), "numpy": np.__version__,
    "PyWavelets": pywt.__version__, "scipy": scipy.__version__, "scikit-image": skimage.__version__, "trimesh": trimesh.__version__,
    "Python": sys.version.split()[0],
}
print('{"versions": ' + json.dumps(versions) + ',\n"columns": [\n' + ",\n".join(map(json.dumps, columns)) + '],\n"cases": [')
print(",\n".join(lines) + "]}")
