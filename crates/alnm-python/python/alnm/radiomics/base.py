"""The base classes of the feature classes."""

from __future__ import annotations

import logging
from typing import Any, Callable, ClassVar

import numpy as np

from alnm import _native
from alnm.image import as_image, is_sitk, like, of_native
from alnm.radiomics import imageoperations, parameters
from alnm.radiomics.parameters import Request

_DESCRIPTIONS = {name: (features, withdrawn) for name, features, withdrawn in _native.feature_classes()}


_NUMBERS = {
    "shape": {"Elongation", "Flatness", "LeastAxisLength", "MajorAxisLength", "MinorAxisLength", "VoxelVolume"},
    "shape2D": {"Elongation", "MajorAxisLength", "MinorAxisLength", "PixelSurface", "Sphericity"},
}
"""Features that PyRadiomics returns as NumPy scalars; the others are zero-dimensional arrays."""


def feature_value(class_name: str, feature: str, value: float) -> Any:
    """The value of a feature, with the type that PyRadiomics returns."""
    return np.float64(value) if feature in _NUMBERS.get(class_name, ()) else np.array(value)


class RadiomicsFeaturesBase:
    """A feature class: the features of one region of an image that has been prepared and filtered already.

    Each feature has a method ``get<Name>FeatureValue``, which computes this feature alone.

    :param inputImage: an image of SimpleITK or an :class:`alnm.Image`.
    :param inputMask: the mask, on the same grid.
    :param kwargs: settings by the names of PyRadiomics, such as ``label`` (1), ``binWidth`` (25) and ``voxelBased``
        (False; with True, features are feature maps). Settings of preparation and filters have no effect here.
    :raises ValueError: where the image or the mask is None.
    :raises AlnmError: during computation, for input from which features cannot be computed.
    """

    _class: ClassVar[str] = ""

    def __init__(self, inputImage: Any, inputMask: Any, **kwargs: Any) -> None:
        if inputImage is None or inputMask is None:
            raise ValueError("image or mask is None; a feature class needs both")
        self.logger = logging.getLogger(f"radiomics.{self._class}")
        self.settings: dict[str, Any] = kwargs
        self.label: int = int(kwargs.get("label", 1))
        self.voxelBased = bool(kwargs.get("voxelBased", False))
        self.coefficients: dict[str, Any] = {}
        self.enabledFeatures: dict[str, bool] = {}
        self.featureValues: dict[str, Any] = {}
        self.featureNames: dict[str, bool] = self.getFeatureNames()
        self.inputImage = inputImage
        self.inputMask = inputMask
        self._image = as_image(inputImage)
        self._mask = as_image(inputMask, "mask")
        self.imageArray: Any = self._image.array
        inside = self._mask.array == self.label
        self.labelledVoxelCoordinates = np.array(np.nonzero(inside)) if self.voxelBased else None
        whole = self.voxelBased and not kwargs.get("maskedKernel", True)
        self.maskArray: Any = np.ones_like(inside) if whole else inside

    @classmethod
    def getFeatureNames(cls) -> dict[str, bool]:
        """The names of the features in alphabetical order, each with whether it is deprecated: such a feature is
        computed only where it is named, or no longer computed at all."""
        features, withdrawn = _DESCRIPTIONS[cls._class]
        names = {name: not by_default for name, by_default, *_ in features}
        names.update({name: True for name in withdrawn})
        return dict(sorted(names.items()))

    def enableFeatureByName(self, featureName: str, enable: bool = True) -> None:
        """Enable or disable one feature. A warning is logged for a deprecated feature.

        :param featureName: the name, such as ``Mean``.
        :param enable: False disables the feature.
        :raises LookupError: for a feature that the class does not have.
        """
        if featureName not in self.featureNames:
            raise LookupError(f"feature {featureName} is not in {self._class}; it has {', '.join(self.featureNames)}")
        if self.featureNames[featureName]:
            self.logger.warning("feature %s is deprecated", featureName)
        self.enabledFeatures[featureName] = enable

    def enableAllFeatures(self) -> None:
        """Enable all features but deprecated ones."""
        for name, is_deprecated in self.featureNames.items():
            if not is_deprecated:
                self.enabledFeatures[name] = True

    def disableAllFeatures(self) -> None:
        """Disable all features and delete their values."""
        self.enabledFeatures = {}
        self.featureValues = {}

    def execute(self) -> dict[str, Any]:
        """Compute the enabled features, or all but deprecated ones where none is enabled.

        :returns: the values by the names of the features: numbers, or, with the setting ``voxelBased``, feature maps of
            the size of the image. Features that are no longer computed are left out.
        :raises AlnmError: for input from which features cannot be computed.
        """
        if not self.enabledFeatures:
            self.enableAllFeatures()
        wanted = [name for name, enabled in self.enabledFeatures.items() if enabled]
        self.featureValues.update(self._computed(wanted))
        return self.featureValues

    def _request(self, names: list[str]) -> Request:
        settings = parameters.settings(self.settings, parameters.FOR_A_CLASS)
        settings.update(minimumROIDimensions=1, additionalInfo=False)
        # Preparation may move a mask against the image by rounding, and a mask that was cropped may be full.
        if self.settings.get("geometryTolerance") is not None:
            settings["geometryTolerance"] = self.settings["geometryTolerance"]
        return Request(settings, [("Original", {})], [(self._class, names)], full_masks=True)

    def _computed(self, names: list[str]) -> dict[str, Any]:
        withdrawn = _DESCRIPTIONS[self._class][1]
        names = [name for name in names if name not in withdrawn]
        if not names:
            return {}
        request = self._request(names)
        if self.voxelBased:
            maps = _native.feature_maps(self._image, self._mask, self.label, request, None)[0]
            return {name: self._whole(of_native(parts)) for (_, _, name), parts in maps}
        found, values, *_ = _native.extract(self._image, self._mask, self.label, request, None)
        return {name: feature_value(kind, name, value) for (_, kind, name), value in zip(found, values.tolist())}

    def _whole(self, part: Any) -> Any:
        """A map of a box, extended to the size of the image by ``initValue``."""
        radius = int(self.settings.get("kernelRadius", 1))
        box = imageoperations._box(self._mask.array == self.label)
        start = np.maximum(box[0::2] - radius, 0)[::-1]
        array = np.full(self._image.array.shape, float(self.settings.get("initValue", 0)))
        array[tuple(slice(low, low + size) for low, size in zip(start, part.array.shape))] = part.array
        return like(self._image.with_array(array), self.inputImage)

    def _value(self, name: str) -> Any:
        """The value of one feature: an array of one number for a region, or of one number per voxel with
        ``voxelBased``."""
        value = self._computed([name])[name]
        if not self.voxelBased:
            return value.reshape(1)
        array = as_image(value).array if is_sitk(value) else value.array
        return array[tuple(self.labelledVoxelCoordinates)]  # type: ignore[arg-type]

    def _initCalculation(self, voxelCoordinates: Any = None) -> None:
        """Compute the matrix of the class, for code written for PyRadiomics that reads it; a class without one does
        nothing."""


class TextureFeatures(RadiomicsFeaturesBase):
    """A feature class that is based on a matrix of grey levels. The attribute ``imageArray`` holds the discretised grey
    levels; the matrix, such as ``P_glcm``, is None until ``_initCalculation`` is called.

    GLCM and GLRLM have one matrix per direction, over which features are averaged; with the setting ``weightingNorm``
    these matrices are weighted and added up.
    """

    def __init__(self, inputImage: Any, inputMask: Any, **kwargs: Any) -> None:
        super().__init__(inputImage, inputMask, **kwargs)
        setattr(self, self._matrix_name(), None)
        self.imageArray = self._applyBinning(self.imageArray)

    @classmethod
    def _matrix_name(cls) -> str:
        return f"P_{cls._class}"

    def _applyBinning(self, matrix: Any) -> Any:
        levels, _ = imageoperations.binImage(matrix, self.maskArray, **self.settings)
        self.coefficients["grayLevels"] = np.unique(levels[self.maskArray])
        self.coefficients["Ng"] = int(self.coefficients["grayLevels"].max())
        return levels

    def _initCalculation(self, voxelCoordinates: Any = None) -> None:
        if voxelCoordinates is not None:
            raise NotImplementedError("matrices of single voxels are not given out; execute() computes feature maps")
        setattr(self, self._matrix_name(), self._calculateMatrix())

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        raise NotImplementedError

    def _levels(self) -> np.ndarray[Any, Any]:
        """The grey levels in the box around the region with three axes; 0 outside the region."""
        levels = np.where(self.maskArray, self.imageArray, 0)
        box = imageoperations._box(self.maskArray)
        levels = levels[tuple(slice(low, high + 1) for low, high in zip(box[0::2][::-1], box[1::2][::-1]))]
        return np.ascontiguousarray(levels.reshape((1,) * (3 - levels.ndim) + levels.shape), dtype=np.uint32)

    def _distances(self) -> list[int]:
        return [int(distance) for distance in self.settings.get("distances", [1])]

    def _fixed_axis(self) -> int | None:
        """With ``force2D`` the axis (0 is z) along which voxels are no neighbours; None without it."""
        if not self.settings.get("force2D", False):
            return None
        axis = int(self.settings.get("force2Ddimension", 0)) + 3 - self._image.array.ndim
        return axis if axis < 3 else None

    def _weights(self, directions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        """The lengths of directions in mm by the norm ``weightingNorm``; None for equal weights."""
        norm = self.settings.get("weightingNorm")
        if norm is None:
            return None
        spacing = (*self._image.spacing[:2], *(self._image.spacing[2:] or (1.0,)))[::-1]
        steps = np.abs(directions) * spacing
        lengths = {"infinity": steps.max(1), "euclidean": np.sqrt((steps**2).sum(1)), "manhattan": steps.sum(1)}
        return lengths.get(norm)


def dense(cells: np.ndarray[Any, Any], gray_levels: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A matrix (1, levels, sizes) of counts from its cells, rows of (level, size, count), and the sizes that occur."""
    sizes = np.unique(cells[:, 1])
    matrix = np.zeros((1, len(gray_levels), len(sizes)))
    matrix[0, np.searchsorted(gray_levels, cells[:, 0]), np.searchsorted(sizes, cells[:, 1])] = cells[:, 2]
    return matrix, sizes


def with_features(cls: type) -> type:
    """A class decorator that adds the methods ``get<Name>FeatureValue`` of the features of a feature class."""
    features, withdrawn = _DESCRIPTIONS[cls._class]  # type: ignore[attr-defined]
    for name, by_default, code, definition, compliant in features:
        method = _getter(name)
        text = f"The feature {name} of the region."
        if code is not None:
            follows = "" if compliant else ", but by the formula of PyRadiomics, which differs from that of the IBSI"
            text += f' IBSI {code}, "{definition}"{follows}.'
        method.__doc__ = text
        method._is_deprecated = not by_default  # type: ignore[attr-defined]
        setattr(cls, method.__name__, method)
    for name in withdrawn:
        method = _refusal(name)
        method._is_deprecated = True  # type: ignore[attr-defined]
        setattr(cls, method.__name__, method)
    return cls


def _getter(name: str) -> Callable[[RadiomicsFeaturesBase], Any]:
    def method(self: RadiomicsFeaturesBase) -> Any:
        return self._value(name)

    method.__name__ = f"get{name}FeatureValue"
    return method


def _refusal(name: str) -> Callable[[RadiomicsFeaturesBase], Any]:
    def method(self: RadiomicsFeaturesBase) -> Any:
        raise DeprecationWarning(f"{name} is no longer computed, since another feature of the class has the same value")

    method.__name__ = f"get{name}FeatureValue"
    method.__doc__ = f"{name} is no longer computed, since another feature of the class has the same value."
    return method
