"""The feature extractor: it holds settings, image types and features, and computes the features of a region."""

from __future__ import annotations

import json
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alnm import _native, imaging
from alnm.image import Image, as_image, existing, is_path, is_sitk, of_native
from alnm.radiomics import base, generalinfo, getFeatureClasses, getImageTypes, imageoperations, parameters
from alnm.radiomics.parameters import Request

logger = logging.getLogger("radiomics.featureextractor")

geometryTolerance: float | None = None
"""It exists for code written for PyRadiomics that reads it, and has no effect. The tolerance of an extractor is its
setting ``geometryTolerance``."""

_NOTHING = [("firstorder", ["Mean"])]
_SHAPE = ("shape", "shape2D")
_REPORTED = ("diagnostics_Versions_", "diagnostics_Configuration_")


class RadiomicsFeatureExtractor:
    """Extracts features with the settings, column names and values of the class of this name in PyRadiomics 3.0.1.

    :param args: one parameter file (YAML or JSON) or a dictionary with its structure. Without it, all features of the
        original image are computed with default settings, except deprecated features and those of ``shape2D``.
    :param kwargs: settings, which take precedence over those of the file. An unknown setting has no effect, and a
        warning is logged.
    :raises FileNotFoundError: for a parameter file that does not exist.
    :raises AlnmError: for a parameter file with keys or values that are not allowed.

    The attributes ``settings``, ``enabledImagetypes`` and ``enabledFeatures`` may be changed between calls. Several
    threads may use one extractor at the same time; the global interpreter lock is released while features are computed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.settings: dict[str, Any] = {}
        self.enabledImagetypes: dict[str, Any] = {}
        self.enabledFeatures: dict[str, Any] = {}
        self.featureClassNames: list[str] = list(getFeatureClasses())
        if len(args) == 1 and isinstance(args[0], dict):
            self._applyParams(paramsDict=args[0])
        elif len(args) == 1 and is_path(args[0]):
            if not os.path.isfile(args[0]):
                raise FileNotFoundError(f"parameter file {os.fspath(args[0])} does not exist")
            self._applyParams(paramsFile=args[0])
        else:
            self.settings = self._getDefaultSettings()
            self.enabledImagetypes = {"Original": {}}
            self.enabledFeatures = {name: [] for name in self.featureClassNames if name != "shape2D"}
        self.settings.update(kwargs)
        if self.settings.get("binCount") is not None:
            logger.warning("a fixed number of bins is set; bins of a fixed width keep their meaning between regions")

    @property
    def tolerance(self) -> float:
        """By how much the grids of the image and the mask may differ: the setting ``geometryTolerance``, by default
        1e-6."""
        given = self.settings.get("geometryTolerance")
        return 1e-6 if given is None else given

    @staticmethod
    def _getDefaultSettings() -> dict[str, Any]:
        return {
            "minimumROIDimensions": 2,
            "minimumROISize": None,
            "normalize": False,
            "normalizeScale": 1,
            "removeOutliers": None,
            "resampledPixelSpacing": None,
            "interpolator": "sitkBSpline",
            "preCrop": False,
            "padDistance": 5,
            "distances": [1],
            "force2D": False,
            "force2Ddimension": 0,
            "resegmentRange": None,
            "label": 1,
            "additionalInfo": True,
        }

    def addProvenance(self, provenance_on: bool = True) -> None:
        """Switch the diagnostics in the results on (True) or off (False): the setting ``additionalInfo``."""
        self.settings["additionalInfo"] = provenance_on

    def loadParams(self, paramsFile: Any) -> None:
        """Replace all settings, image types and features by those of a parameter file.

        :param paramsFile: the file, YAML or JSON.
        :raises FileNotFoundError: for a file that does not exist.
        :raises AlnmError: for a file with keys or values that are not allowed.
        """
        self._applyParams(paramsFile=paramsFile)

    def loadJSONParams(self, JSON_configuration: str) -> None:
        """Replace all settings, image types and features by those of a JSON text with the structure of a parameter
        file.

        :raises AlnmError: for keys or values that are not allowed.
        :raises ValueError: for a text that is not JSON.
        """
        self._applyParams(paramsDict=json.loads(JSON_configuration))

    def _applyParams(self, paramsFile: Any = None, paramsDict: Mapping[str, Any] | None = None) -> None:
        params = parameters.load(paramsFile) if paramsFile is not None else parameters.check(paramsDict or {})
        self.enabledImagetypes = params.get("imageType") or {"Original": {}}
        self.enabledFeatures = params.get("featureClass") or {name: [] for name in self.featureClassNames}
        self.settings = self._getDefaultSettings()
        self.settings.update(params.get("setting") or {})
        self.settings.update(params.get("voxelSetting") or {})

    def execute(
        self,
        imageFilepath: Any,
        maskFilepath: Any,
        label: int | None = None,
        label_channel: int | None = None,
        voxelBased: bool = False,
        *,
        threads: int | None = None,
    ) -> OrderedDict[str, Any]:
        """Compute the features of one region.

        :param imageFilepath: the image: a file (NIfTI, NRRD, MetaImage or DICOM), a folder with one DICOM series, an
            image of SimpleITK or an :class:`alnm.Image`.
        :param maskFilepath: the mask: the same, or a DICOM segmentation or structure set.
        :param label: the label of the region in the mask; by default the setting ``label`` (1).
        :param label_channel: the component, counted from 0, of a mask whose voxels have several components.
        :param voxelBased: whether feature maps are computed in place of features. They are images of SimpleITK, or
            :class:`alnm.Image` where the image was one, or was a file and SimpleITK is not installed.
        :param threads: number of threads; see :mod:`alnm`. Values do not depend on it.
        :returns: the diagnostics, unless the setting ``additionalInfo`` is False, followed by the features, named
            ``<image type>_<feature class>_<feature>``.
        :raises FileNotFoundError: for a file that does not exist.
        :raises AlnmError: for input from which features cannot be computed; the message says what would fix it.
        """
        settings = dict(self.settings)
        if label is not None:
            settings["label"] = label
        if label_channel is not None:
            settings["label_channel"] = label_channel
        image, mask = _read(imageFilepath, maskFilepath, settings)
        request, wanted = self._request(settings)
        result: OrderedDict[str, Any] = OrderedDict()
        if settings.get("additionalInfo", False):
            information = generalinfo.GeneralInfo()
            information.addGeneralSettings({**settings, "voxelBased": True} if voxelBased else settings)
            information.addEnabledImageTypes(self.enabledImagetypes)
            result.update(information.getGeneralInfo())
        number = _label(settings)
        logger.info("computing features of label %d", number)
        if voxelBased:
            maps, diagnostics, warnings = _native.feature_maps(image, mask, number, request, threads)
            values: list[Any] = [_map(of_native(parts), imageFilepath) for _, parts in maps]
            names = [name for name, _ in maps]
        else:
            names, numbers, diagnostics, warnings = _native.extract(image, mask, number, request, threads)
            values = [base.feature_value(*name[1:], value) for name, value in zip(names, numbers.tolist())]
        _tell(warnings)
        # Versions and configuration have been added above, with the values of this package.
        for name, value in diagnostics:
            if not name.startswith(_REPORTED):
                result[name] = np.float64(value) if isinstance(value, float) else value
        for (image_name, class_name, feature), value in zip(names, values):
            if wanted(class_name):
                result[f"{image_name}_{class_name}_{feature}"] = value
        return result

    def _request(self, settings: Mapping[str, Any]) -> tuple[Request, Any]:
        """The request to the native module, and a function that says whether a feature class was asked for. The native
        module cannot compute nothing, so that its result may hold features that were not asked for."""
        features = parameters.features(self.enabledFeatures, self.featureClassNames)
        types = parameters.image_types(self.enabledImagetypes)
        names = {name for name, _ in features}
        if not types:
            names &= set(_SHAPE)
            features = [(name, of_class) for name, of_class in features if name in _SHAPE]
        types, features = types or [("Original", {})], features or list(_NOTHING)
        return Request(parameters.settings(settings), types, features, full_masks=True), names.__contains__

    @staticmethod
    def loadImage(ImageFilePath: Any, MaskFilePath: Any, generalInfo: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Read an image and a mask, and normalise, resample or crop them as the settings say.

        :param ImageFilePath: the image, as in :meth:`execute`.
        :param MaskFilePath: the mask, as in :meth:`execute`.
        :param generalInfo: it has no effect, and exists for code written for PyRadiomics that passes it.
        :param kwargs: settings, such as ``normalize``, ``resampledPixelSpacing``, ``interpolator`` and ``preCrop``.
            Resampling needs both ``resampledPixelSpacing`` and ``interpolator``.
        :returns: the image and the mask, of the kind of the image that was given; for a file, images of SimpleITK where
            it is installed.
        :raises FileNotFoundError: for a file that does not exist.
        :raises AlnmError: for an image and a mask that cannot be used together.
        """
        del generalInfo
        image, mask = _read(ImageFilePath, MaskFilePath, kwargs)
        template = ImageFilePath if not is_path(ImageFilePath) else None
        if kwargs.get("normalize"):
            image = imageoperations.normalizeImage(image, **kwargs)
        resamples = kwargs.get("interpolator") is not None and kwargs.get("resampledPixelSpacing") is not None
        if resamples or kwargs.get("preCrop"):
            done_or_later = {"normalize", "resegmentRange", "minimumROIDimensions", "minimumROISize"}
            settings = parameters.settings(kwargs, parameters.KNOWN - done_or_later)
            image, mask, _ = imageoperations.prepared(image, mask, settings)
        return _returned(image, template), _returned(mask, template)

    def computeShape(self, image: Any, mask: Any, boundingBox: Any, **kwargs: Any) -> OrderedDict[str, Any]:
        """Compute the enabled features of ``shape`` and ``shape2D`` of a mask that has been prepared.

        :param image: the image.
        :param mask: the mask, on the same grid.
        :param boundingBox: the box around the region, as :func:`~alnm.radiomics.imageoperations.checkMask` returns it.
        :param kwargs: settings.
        :returns: the features, with names that begin with ``original``. Where ``shape`` or ``shape2D`` cannot be
            computed for the dimension of the image, a warning is logged and the class is left out.
        """
        image, mask = imageoperations.cropToTumorMask(image, mask, boundingBox)
        volume = as_image(mask, "mask").array.ndim == 3
        force2D = kwargs.get("force2D", False)
        features = [(name, names) for name, names in self._features() if name in _SHAPE]
        if not volume and any(name == "shape" for name, _ in features):
            logger.warning("shape needs an image of three dimensions; use shape2D")
            features = [(name, names) for name, names in features if name != "shape"]
        if volume and not force2D and any(name == "shape2D" for name, _ in features):
            logger.warning("shape2D of a volume needs force2D")
            features = [(name, names) for name, names in features if name != "shape2D"]
        return self._of_prepared(image, mask, "original", features, kwargs)

    def computeFeatures(self, image: Any, mask: Any, imageTypeName: str, **kwargs: Any) -> OrderedDict[str, Any]:
        """Compute the enabled features, except those of ``shape`` and ``shape2D``, of an image that has been prepared
        and filtered.

        :param image: the image.
        :param mask: the mask, on the same grid.
        :param imageTypeName: the beginning of the names of the features, such as ``original``.
        :param kwargs: settings.
        """
        features = [(name, names) for name, names in self._features() if name not in _SHAPE]
        return self._of_prepared(image, mask, imageTypeName, features, kwargs)

    def computeVoxel(self, image: Any, mask: Any, imageTypeName: str, **kwargs: Any) -> OrderedDict[str, Any]:
        """Compute feature maps in place of features; see :meth:`computeFeatures`."""
        return self.computeFeatures(image, mask, imageTypeName, **{**kwargs, "voxelBased": True})

    def _features(self) -> list[tuple[str, list[str]]]:
        return parameters.features(self.enabledFeatures, self.featureClassNames)

    def _of_prepared(
        self,
        image: Any,
        mask: Any,
        image_name: str,
        features: Sequence[tuple[str, list[str]]],
        settings: dict[str, Any],
    ) -> OrderedDict[str, Any]:
        result: OrderedDict[str, Any] = OrderedDict()
        for class_name, names in features:
            feature_class = getFeatureClasses()[class_name](image, mask, **settings)
            for name in names:
                feature_class.enableFeatureByName(name)
            for name, value in feature_class.execute().items():
                result[f"{image_name}_{class_name}_{name}"] = value
        return result

    def enableAllImageTypes(self) -> None:
        """Enable all image types, with the settings of the extractor."""
        for imageType in getImageTypes():
            self.enabledImagetypes[imageType] = {}

    def disableAllImageTypes(self) -> None:
        """Disable all image types."""
        self.enabledImagetypes = {}

    def enableImageTypeByName(
        self, imageType: str, enabled: bool = True, customArgs: Mapping[str, Any] | None = None
    ) -> None:
        """Enable or disable an image type. For an unknown name a warning is logged, and nothing changes.

        :param imageType: the name, such as ``Wavelet``.
        :param enabled: False disables the image type.
        :param customArgs: settings that apply to this image type only.
        """
        if imageType not in getImageTypes():
            logger.warning("image type %s is not known", imageType)
        elif enabled:
            self.enabledImagetypes[imageType] = {} if customArgs is None else dict(customArgs)
        else:
            self.enabledImagetypes.pop(imageType, None)

    def enableImageTypes(self, **enabledImagetypes: Mapping[str, Any]) -> None:
        """Enable image types, which are given as keywords with a dictionary of the settings that apply to each
        alone."""
        self.enabledImagetypes.update(enabledImagetypes)

    def enableAllFeatures(self) -> None:
        """Enable all features of all classes, except deprecated ones."""
        for name in self.featureClassNames:
            self.enabledFeatures[name] = []

    def disableAllFeatures(self) -> None:
        """Disable all feature classes."""
        self.enabledFeatures = {}

    def enableFeatureClassByName(self, featureClass: str, enabled: bool = True) -> None:
        """Enable or disable all features of a class. For an unknown name a warning is logged, and nothing changes.

        :param featureClass: the name, such as ``glcm``.
        :param enabled: False disables the class.
        """
        if featureClass not in self.featureClassNames:
            logger.warning("feature class %s is not known", featureClass)
        elif enabled:
            self.enabledFeatures[featureClass] = []
        else:
            self.enabledFeatures.pop(featureClass, None)

    def enableFeaturesByName(self, **enabledFeatures: Sequence[str] | None) -> None:
        """Enable features, which are given as keywords: the name of a class with a list of its features. An empty list
        or None enables all features of the class except deprecated ones."""
        self.enabledFeatures.update(enabledFeatures)


def _label(settings: Mapping[str, Any]) -> int:
    label = parameters.plain(settings.get("label", 1))
    if isinstance(label, bool) or not isinstance(label, int) or not 0 < label <= 0xFFFF_FFFF:
        raise _native.AlnmError(f"label is {label!r}; it must be a whole number from 1 to 4294967295")
    return label


def _read(image: Any, mask: Any, settings: Mapping[str, Any]) -> tuple[Image, Image]:
    """The image and the mask, which are read where they are paths."""
    read = imaging.read(existing(image)) if is_path(image) else as_image(image)
    channel = settings.get("label_channel", 0)
    if is_path(mask):
        return read, imaging.read_mask(existing(mask), image=_grid_for(mask, read), channel=channel)
    return read, imageoperations.label_map(mask, channel)


def _grid_for(mask: Any, image: Image) -> Image | None:
    """The grid onto which a mask file is brought: that of the image for DICOM files and folders, none for label maps,
    which keep their own grid."""
    with_grid = os.path.isdir(mask)
    if not with_grid:
        with open(mask, "rb") as file:
            with_grid = file.read(132)[128:] == b"DICM"
    return image if with_grid else None


def _returned(image: Image, template: Any) -> Any:
    """An image of the kind of the template. Without a template, because the image was a file, it is an image of
    SimpleITK where that is installed."""
    if template is None:
        try:
            return image.to_sitk()
        except ImportError:
            return image
    return image.to_sitk() if is_sitk(template) else image


def _map(image: Image, given: Any) -> Any:
    return _returned(image, None if is_path(given) else given)


def _tell(warnings: Sequence[tuple[str, bool]]) -> None:
    for text, is_advice in warnings:
        logger.log(logging.INFO if is_advice else logging.WARNING, "%s", text)
