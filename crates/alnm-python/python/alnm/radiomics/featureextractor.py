"""Features of a region: settings, image types and features, and the call that computes them."""

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
"""Kept for code that reads it; the tolerance of an extractor is its setting ``geometryTolerance``."""

_NOTHING = [("firstorder", ["Mean"])]
_SHAPE = ("shape", "shape2D")
_REPORTED = ("diagnostics_Versions_", "diagnostics_Configuration_")


class RadiomicsFeatureExtractor:
    """Extracts features as the class of this name in PyRadiomics 3.0.1 does: same settings, same columns, same values.

    :param args: one parameter file (YAML or JSON) or a dictionary with its structure; without it, all features of the
        original image with default settings, but those of ``shape2D``.
    :param kwargs: settings, which hold in place of those of the file.
    :raises FileNotFoundError: for a file that is not there.
    :raises AlnmError: for a file with keys or values that are not allowed.

    The attributes ``settings``, ``enabledImagetypes`` and ``enabledFeatures`` may be changed between calls. An
    extractor may be used by several threads at once; Python's lock is free while features are computed.
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
        """By how much the grids of image and mask may differ: ``geometryTolerance``, 1e-6 where it is not set."""
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
        """Switch the diagnostics on or off."""
        self.settings["additionalInfo"] = provenance_on

    def loadParams(self, paramsFile: Any) -> None:
        """Take settings, image types and features from a parameter file, in place of those that were set.

        :raises AlnmError: for a file with keys or values that are not allowed.
        """
        self._applyParams(paramsFile=paramsFile)

    def loadJSONParams(self, JSON_configuration: str) -> None:
        """:meth:`loadParams` from text in JSON."""
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
        """The features of one region, with the diagnostics before them.

        :param imageFilepath: a file (NIfTI, NRRD, MetaImage, DICOM), a folder with one DICOM series, an image of
            SimpleITK or an :class:`alnm.Image`.
        :param maskFilepath: the same for the mask; also a DICOM segmentation or structure set with one region.
        :param label: the label of the region in the mask; the setting ``label`` where it is left out.
        :param label_channel: the component of a mask whose voxels have several.
        :param voxelBased: feature maps in place of features: images of SimpleITK, or :class:`alnm.Image` where the
            image was one or SimpleITK is not installed.
        :param threads: how many threads to use; see :func:`alnm.set_threads`. Values do not depend on it.
        :raises FileNotFoundError: for a file that is not there.
        :raises AlnmError: for input that features cannot be computed from; the message says what would fix it.
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
        # Versions and configuration are reported above.
        for name, value in diagnostics:
            if not name.startswith(_REPORTED):
                result[name] = np.float64(value) if isinstance(value, float) else value
        for (image_name, class_name, feature), value in zip(names, values):
            if wanted(class_name):
                result[f"{image_name}_{class_name}_{feature}"] = value
        return result

    def _request(self, settings: Mapping[str, Any]) -> tuple[Request, Any]:
        """What the engine is asked for, and which classes of its answer were meant: it always computes something."""
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
        """Image and mask, read, and normalised, resampled or cropped as the settings ask for.

        :raises AlnmError: for image and mask that cannot be worked with.
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
        """The features of the shape of a prepared mask: those of ``shape`` and ``shape2D`` that are enabled.

        :param boundingBox: the box that :func:`imageoperations.checkMask` gives.
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
        """The enabled features, but those of shape, of an image and a mask that are prepared and filtered already.

        :param imageTypeName: what the names of the features begin with.
        """
        features = [(name, names) for name, names in self._features() if name not in _SHAPE]
        return self._of_prepared(image, mask, imageTypeName, features, kwargs)

    def computeVoxel(self, image: Any, mask: Any, imageTypeName: str, **kwargs: Any) -> OrderedDict[str, Any]:
        """:meth:`computeFeatures` as feature maps."""
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
        """Enable all image types, with default settings."""
        for imageType in getImageTypes():
            self.enabledImagetypes[imageType] = {}

    def disableAllImageTypes(self) -> None:
        """Disable all image types."""
        self.enabledImagetypes = {}

    def enableImageTypeByName(
        self, imageType: str, enabled: bool = True, customArgs: Mapping[str, Any] | None = None
    ) -> None:
        """Enable or disable an image type. Unknown names are told in the log.

        :param customArgs: settings that hold for this image type only.
        """
        if imageType not in getImageTypes():
            logger.warning("image type %s is not known", imageType)
        elif enabled:
            self.enabledImagetypes[imageType] = {} if customArgs is None else dict(customArgs)
        else:
            self.enabledImagetypes.pop(imageType, None)

    def enableImageTypes(self, **enabledImagetypes: Mapping[str, Any]) -> None:
        """Enable image types, each with the settings that hold for it only."""
        self.enabledImagetypes.update(enabledImagetypes)

    def enableAllFeatures(self) -> None:
        """Enable all features of all classes, but those that are only computed when they are named."""
        for name in self.featureClassNames:
            self.enabledFeatures[name] = []

    def disableAllFeatures(self) -> None:
        """Disable all classes."""
        self.enabledFeatures = {}

    def enableFeatureClassByName(self, featureClass: str, enabled: bool = True) -> None:
        """Enable or disable all features of a class. Unknown names are told in the log."""
        if featureClass not in self.featureClassNames:
            logger.warning("feature class %s is not known", featureClass)
        elif enabled:
            self.enabledFeatures[featureClass] = []
        else:
            self.enabledFeatures.pop(featureClass, None)

    def enableFeaturesByName(self, **enabledFeatures: Sequence[str] | None) -> None:
        """Enable features by the names of their classes; an empty list, or None, enables all of a class."""
        self.enabledFeatures.update(enabledFeatures)


def _label(settings: Mapping[str, Any]) -> int:
    label = parameters.plain(settings.get("label", 1))
    if isinstance(label, bool) or not isinstance(label, int) or not 0 < label <= 0xFFFF_FFFF:
        raise _native.AlnmError(f"label is {label!r}; it must be a whole number from 1 to 4294967295")
    return label


def _read(image: Any, mask: Any, settings: Mapping[str, Any]) -> tuple[Image, Image]:
    """Image and mask as they are, read where they are files."""
    read = imaging.read(existing(image)) if is_path(image) else as_image(image)
    channel = settings.get("label_channel", 0)
    if is_path(mask):
        return read, imaging.read_mask(existing(mask), image=_grid_for(mask, read), channel=channel)
    return read, imageoperations.label_map(mask, channel)


def _grid_for(mask: Any, image: Image) -> Image | None:
    """Structure sets and segmentations are drawn on the grid of the image; label maps keep their own."""
    with_grid = os.path.isdir(mask)
    if not with_grid:
        with open(mask, "rb") as file:
            with_grid = file.read(132)[128:] == b"DICM"
    return image if with_grid else None


def _returned(image: Image, template: Any) -> Any:
    """The image as the kind that was given; as SimpleITK's where it was a file and SimpleITK is installed."""
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
