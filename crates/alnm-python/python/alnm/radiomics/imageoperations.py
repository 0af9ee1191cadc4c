"""Preparation of image and mask, and filtered images.

Images are those of SimpleITK or :class:`alnm.Image`; what is returned is of the kind that was given.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from alnm import _native
from alnm.image import Image, as_image, is_sitk, like, of_native, simpleitk
from alnm.radiomics import parameters
from alnm.radiomics.parameters import Request

logger = logging.getLogger("radiomics.imageoperations")

Filtered = Iterator[tuple[Any, str, dict[str, Any]]]


def label_map(mask: Any, channel: int = 0) -> Image:
    """The mask as labels; of a SimpleITK image with several components the one of that number, from 0."""
    if is_sitk(mask) and mask.GetNumberOfComponentsPerPixel() > 1:
        count = mask.GetNumberOfComponentsPerPixel()
        if not 0 <= channel < count:
            raise _native.AlnmError(f"label_channel is {channel}; the mask has components from 0 to {count - 1}")
        mask = simpleitk().VectorIndexSelectionCast(mask, int(channel))
    return as_image(mask, "mask")


def prepared(
    image: Any,
    mask: Any,
    settings: Mapping[str, Any],
    types: list[tuple[str, dict[str, Any]]] | None = None,
) -> tuple[Image, Image, list[tuple[str, Image]]]:
    """Image and mask as features are computed on them, and the filtered images on the same grid."""
    settings = {"minimumROIDimensions": 1, **settings}
    label = int(settings.pop("label", 1))
    # One bin: nothing here needs the levels, and no range of values is too wide for it.
    settings["binCount"] = 1
    request = Request(settings, types or [("Original", {})], [("firstorder", ["Mean"])], full_masks=True)
    image, mask, filtered = _native.filtered_images(as_image(image), as_image(mask, "mask"), label, request, None)
    return of_native(image), of_native(mask), [(name, of_native(parts)) for name, parts in filtered]


def _some(kwargs: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return parameters.settings({name: kwargs[name] for name in names if name in kwargs})


def getMask(mask: Any, **kwargs: Any) -> Any:
    """The mask as labels of 32 bits.

    :param kwargs: ``label``, which has to occur, and ``label_channel``, the component of a mask with several.
    :raises AlnmError: where the label does not occur, or a voxel is no label.
    """
    labels = label_map(mask, kwargs.get("label_channel", 0))
    values = labels.array
    if values.dtype.kind == "f" or values.dtype.kind == "i":
        wrong = (values < 0) | (values != np.floor(values)) | (values > 0xFFFF_FFFF)
        if wrong.any():
            raise _native.AlnmError(f"a voxel of the mask is {values[wrong][0]}; it must be a whole number from 0")
    label = kwargs.get("label", 1)
    present = np.unique(values)
    if label not in present or label == 0:
        raise _native.AlnmError(f"label {label} is not in the mask; it holds {present[present != 0].tolist()}")
    return like(labels.with_array(values.astype(np.uint32)), mask)


def getBinEdges(parameterValues: Any, **kwargs: Any) -> Any:
    """The edges of the bins of grey values: ``binCount`` equal ones, or of ``binWidth`` (25) at its multiples.

    >>> getBinEdges([54, 166], binWidth=25).tolist()
    [50, 75, 100, 125, 150, 175, 200]
    """
    values = np.asarray(parameterValues)
    if values.size == 0:
        raise _native.AlnmError("there are 0 values; bins need at least one")
    if not np.isfinite(values).all():
        raise _native.AlnmError("a grey value is not finite; bins need finite values")
    count, width = kwargs.get("binCount"), kwargs.get("binWidth", 25)
    if count is not None:
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 0 < count <= 65536:
            raise _native.AlnmError(f"binCount is {count!r}; it must be a whole number from 1 to 65536")
        edges = np.histogram(values, count)[1]
        edges[-1] += 1
        return edges
    if isinstance(width, (list, str)) or not 0 < width < float("inf"):
        raise _native.AlnmError(f"binWidth is {width}; it must be above 0")
    low, high = values.min(), values.max()
    if (float(high) - float(low)) / width > 16_777_216:
        raise _native.AlnmError(
            f"values from {low} to {high} need too many bins of width {width}; choose a larger binWidth, or normalise"
        )
    edges = np.arange(low - low % width, high + 2 * width, width)
    return edges if len(edges) > 1 else np.array([edges[0] - 0.5, edges[0] + 0.5])


def binImage(parameterMatrix: Any, parameterMatrixCoordinates: Any = None, **kwargs: Any) -> tuple[Any, Any]:
    """Grey levels of an array, from 1, and the edges of their bins; 0 where ``parameterMatrixCoordinates`` is false."""
    values = np.asarray(parameterMatrix)
    inside = np.ones(values.shape, bool) if parameterMatrixCoordinates is None else parameterMatrixCoordinates
    edges = getBinEdges(values[inside], **kwargs)
    levels = np.zeros(values.shape, dtype="int")
    levels[inside] = np.digitize(values[inside], edges)
    return levels, edges


def checkMask(imageNode: Any, maskNode: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Check that image and mask share a grid and that the region is large enough.

    :param kwargs: ``label``, ``minimumROIDimensions`` (2), ``minimumROISize``, ``geometryTolerance``, ``correctMask``.
    :returns: the box around the region, (lower x, upper x, lower y, ...), both included; and the mask on the grid of
        the image where ``correctMask`` brought it there, else None.
    :raises AlnmError: where a check fails; the message says what would fix it.
    """
    settings = _some(kwargs, "label", "minimumROISize", "geometryTolerance", "correctMask")
    settings["minimumROIDimensions"] = kwargs.get("minimumROIDimensions", 2)
    image, mask = as_image(imageNode), as_image(maskNode, "mask")
    _, checked, _ = prepared(image, mask, settings)
    box = _box(checked.array == kwargs.get("label", 1))
    same = mask.array.shape == checked.array.shape and _grid(mask) == _grid(checked)
    return box, None if same else like(checked, maskNode)


def _grid(image: Image) -> tuple[tuple[float, ...], ...]:
    return image.spacing, image.origin, image.direction


def _box(inside: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The box around the voxels that are true, (lower x, upper x, lower y, ...)."""
    places = np.nonzero(inside)[::-1]
    return np.array([end for axis in places for end in (axis.min(), axis.max())])


def cropToTumorMask(imageNode: Any, maskNode: Any, boundingBox: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Image and mask cut to a box that :func:`checkMask` gave, with ``padDistance`` (0) voxels more on each side."""
    box, pad = np.asarray(boundingBox), int(kwargs.get("padDistance", 0))
    mask = as_image(maskNode, "mask")
    size = np.array(mask.size)
    lower = np.maximum(box[0::2] - pad, 0).tolist()
    upper = np.minimum(box[1::2] + pad, size - 1).tolist()
    image = as_image(imageNode)
    if image.array.shape != mask.array.shape:
        raise _native.AlnmError(f"the mask has {mask.size} voxels; it must have those of the image, {image.size}")
    return like(image.crop(lower, upper), imageNode), like(mask.crop(lower, upper), maskNode)


def resampleImage(imageNode: Any, maskNode: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Image and mask on a grid of ``resampledPixelSpacing`` (x, y, z; 0 keeps an axis), cut to the region and
    ``padDistance`` (5) voxels around it.

    :param kwargs: also ``interpolator`` and ``label``.
    :raises AlnmError: where the region leaves the image.
    """
    if imageNode is None or maskNode is None:
        raise ValueError("image and mask are both needed to resample")
    settings = _some(kwargs, "resampledPixelSpacing", "interpolator", "padDistance", "label")
    image, mask, _ = prepared(imageNode, maskNode, settings)
    return like(image, imageNode), like(mask, maskNode)


def normalizeImage(image: Any, **kwargs: Any) -> Any:
    """The image with mean 0 and standard deviation ``normalizeScale`` (1), values beyond ``removeOutliers`` standard
    deviations set to that limit."""
    settings = {**_some(kwargs, "normalizeScale", "removeOutliers"), "normalize": True}
    source = as_image(image)
    everything = source.with_array(np.ones(source.array.shape, np.uint8))
    return like(prepared(source, everything, settings)[0], image)


def resegmentMask(imageNode: Any, maskNode: Any, **kwargs: Any) -> Any:
    """The mask without the region's voxels outside ``resegmentRange``, whose limits belong to it.

    :param kwargs: ``resegmentRange`` with one or two numbers; ``resegmentMode``: ``absolute``, ``relative`` to the
        maximum, or ``sigma``, standard deviations from the mean; ``label``.
    :raises AlnmError: where fewer than two voxels are left.
    """
    if kwargs.get("resegmentRange") is None:
        raise ValueError("resegmentRange is None; it must be one or two numbers")
    settings = _some(kwargs, "resegmentRange", "resegmentMode", "label", "geometryTolerance")
    return like(prepared(imageNode, maskNode, settings)[1], maskNode)


def _filtered(image: Any, mask: Any, kind: str, kwargs: dict[str, Any], *names: str) -> Filtered:
    """The images of an image type over the whole image."""
    source = as_image(image)
    region = source.with_array(np.ones(source.array.shape, np.uint8))
    settings: dict[str, Any] = {}
    if kind == "LBP3D" and mask is not None:
        region, settings = as_image(mask, "mask"), _some(kwargs, "label", "geometryTolerance")
    own = {key: value for key, value in _some(kwargs, *names).items() if value is not None}
    for name, filtered in prepared(source, region, settings, [(kind, own)])[2]:
        array = filtered.array.astype(_voxel_type(kind, source), copy=False)
        yield like(filtered.with_array(array), image), name, kwargs


def _voxel_type(kind: str, source: Image) -> Any:
    """The voxel type that PyRadiomics' filter gives."""
    given = source.array.dtype
    if kind in ("LoG", "Gradient") or (kind == "Wavelet" and given == np.float32):
        return np.float32
    return given if kind == "LBP2D" and source.array.ndim == 3 else np.float64


def getOriginalImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The image itself, as ``original``."""
    yield inputImage, "original", kwargs


def getLoGImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Laplacians of Gaussian, one for each of ``sigma`` in mm, normalised across scale; a sigma that the image is too
    small for is left out and told in the log."""
    for sigma in kwargs.get("sigma") or ():
        images = list(_filtered(inputImage, inputMask, "LoG", {**kwargs, "sigma": [sigma]}, "sigma"))
        if not images:
            logger.warning("LoG with sigma %s mm was skipped: the image is too small for it", sigma)
        for filtered, name, _ in images:
            yield filtered, name, kwargs


def getWaveletImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The sub-bands of a stationary ``wavelet`` (coif1) transform: ``level`` (1) levels from ``start_level`` (0) on;
    with ``force2D`` none along ``force2Ddimension``. The approximation comes last."""
    names = ("wavelet", "level", "start_level", "force2D", "force2Ddimension")
    yield from _filtered(inputImage, inputMask, "Wavelet", kwargs, *names)


def getSquareImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Squares of grey values, scaled to their range."""
    yield from _filtered(inputImage, inputMask, "Square", kwargs)


def getSquareRootImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Square roots of grey values, scaled to their range, with their sign."""
    yield from _filtered(inputImage, inputMask, "SquareRoot", kwargs)


def getLogarithmImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Logarithms of grey values plus 1, scaled to their range, with their sign."""
    yield from _filtered(inputImage, inputMask, "Logarithm", kwargs)


def getExponentialImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Exponentials of grey values, scaled to their range."""
    yield from _filtered(inputImage, inputMask, "Exponential", kwargs)


def getGradientImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The magnitude of the gradient, per mm unless ``gradientUseSpacing`` is false."""
    yield from _filtered(inputImage, inputMask, "Gradient", kwargs, "gradientUseSpacing")


def getLBP2DImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Local binary patterns in slices: ``lbp2DRadius``, ``lbp2DSamples``, ``lbp2DMethod``, ``force2Ddimension``."""
    names = ("lbp2DRadius", "lbp2DSamples", "lbp2DMethod", "force2D", "force2Ddimension")
    yield from _filtered(inputImage, inputMask, "LBP2D", kwargs, *names)


def getLBP3DImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Local binary patterns on spheres around the voxels of the region, 0 elsewhere: ``lbp3DLevels``,
    ``lbp3DIcosphereRadius``, ``lbp3DIcosphereSubdivision``. The last image is their kurtosis."""
    names = ("lbp3DLevels", "lbp3DIcosphereRadius", "lbp3DIcosphereSubdivision")
    yield from _filtered(inputImage, inputMask, "LBP3D", kwargs, *names)
