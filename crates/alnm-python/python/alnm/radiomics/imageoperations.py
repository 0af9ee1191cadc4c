"""Preparation of images and masks, and filtered images.

Images and masks are images of SimpleITK or :class:`alnm.Image`, and results are of the kind that was given. Settings
are passed by the names of PyRadiomics as keywords; those that a function does not use have no effect. Values in
parentheses are defaults. The functions ``get...Image`` are generators of (filtered image, name, settings). Only
:func:`getLBP3DImage` uses the mask; for the other filters it may be None.
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
    """A mask as an :class:`alnm.Image`.

    :param channel: component, counted from 0, of a SimpleITK image with several components.
    :raises AlnmError: for a component that the mask does not have.
    """
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
    """The image and the mask on which features are computed, and the filtered images by their names, on one grid."""
    settings = {"minimumROIDimensions": 1, **settings}
    label = int(settings.pop("label", 1))
    # Grey levels are not needed here; with one bin, no range of grey values is too wide.
    settings["binCount"] = 1
    request = Request(settings, types or [("Original", {})], [("firstorder", ["Mean"])], full_masks=True)
    image, mask, filtered = _native.filtered_images(as_image(image), as_image(mask, "mask"), label, request, None)
    return of_native(image), of_native(mask), [(name, of_native(parts)) for name, parts in filtered]


def _some(kwargs: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return parameters.settings({name: kwargs[name] for name in names if name in kwargs})


def getMask(mask: Any, **kwargs: Any) -> Any:
    """The mask with labels of type uint32.

    :param kwargs: ``label`` (1), which has to occur in the mask, and ``label_channel`` (0), the component of a mask
        with several components.
    :raises AlnmError: where the label does not occur, and for a voxel that is no whole number from 0 to 4294967295.
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
    """The edges of the bins into which grey values are discretised.

    :param parameterValues: the grey values of the region, finite.
    :param kwargs: ``binWidth`` (25), the width of bins whose edges are multiples of it; or, in its place, ``binCount``,
        the number of equal bins from the smallest to the largest value, 1 to 65536.
    :returns: the edges, ascending. With ``binCount`` the last edge is 1 above the largest value, so that this value
        belongs to the last bin.
    :raises AlnmError: for no values, values that are not finite, settings out of range, and more than 16777216 bins.

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
    """Discretise grey values.

    :param parameterMatrix: an array of grey values.
    :param parameterMatrixCoordinates: an array of booleans of the same shape with the voxels of the region; all where
        it is left out.
    :param kwargs: as in :func:`getBinEdges`.
    :returns: the grey levels, counted from 1 and 0 outside the region, and the edges of the bins.
    """
    values = np.asarray(parameterMatrix)
    inside = np.ones(values.shape, bool) if parameterMatrixCoordinates is None else parameterMatrixCoordinates
    edges = getBinEdges(values[inside], **kwargs)
    levels = np.zeros(values.shape, dtype="int")
    levels[inside] = np.digitize(values[inside], edges)
    return levels, edges


def checkMask(imageNode: Any, maskNode: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Check that the image and the mask are on the same grid and that the region is large enough.

    :param kwargs: ``label`` (1); ``minimumROIDimensions`` (2), the number of axes along which the region has to be
        wider than one voxel; ``minimumROISize``, the number of voxels that the region has to exceed (no limit);
        ``geometryTolerance`` (1e-6), by how much the grids may differ; ``correctMask`` (False), whether a mask on
        another grid is resampled onto that of the image.
    :returns: the box around the region, an array of (lower x, upper x, lower y, upper y, ...), both ends included; and
        the mask on the grid of the image where ``correctMask`` resampled it, otherwise None.
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
    """The box around the voxels that are true: (lower x, upper x, lower y, ...), both ends included."""
    places = np.nonzero(inside)[::-1]
    return np.array([end for axis in places for end in (axis.min(), axis.max())])


def cropToTumorMask(imageNode: Any, maskNode: Any, boundingBox: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Crop an image and a mask to the box around the region.

    :param boundingBox: the box, as :func:`checkMask` returns it.
    :param kwargs: ``padDistance`` (0), the number of voxels that are kept around the box on each side.
    :returns: the cropped image and mask.
    :raises AlnmError: for an image and a mask with different numbers of voxels.
    """
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
    """Resample an image and a mask, and crop them to the region and voxels around it.

    :param kwargs: ``resampledPixelSpacing``, the new spacing along x, y and z in mm, where 0 keeps that of an axis;
        ``interpolator`` (``sitkBSpline``) for the image, whereas the mask is resampled by the nearest voxel;
        ``padDistance`` (5), the number of voxels that are kept around the region on each side; and ``label`` (1).
    :returns: the image and the mask on the new grid.
    :raises ValueError: where the image or the mask is None.
    :raises AlnmError: where the region leaves the image.
    """
    if imageNode is None or maskNode is None:
        raise ValueError("image and mask are both needed to resample")
    settings = _some(kwargs, "resampledPixelSpacing", "interpolator", "padDistance", "label")
    image, mask, _ = prepared(imageNode, maskNode, settings)
    return like(image, imageNode), like(mask, maskNode)


def normalizeImage(image: Any, **kwargs: Any) -> Any:
    """Normalise an image to mean 0.

    :param kwargs: ``normalizeScale`` (1), the standard deviation of the result; ``removeOutliers`` (no limit), the
        number of standard deviations from the mean to which values farther away are set.
    :returns: the normalised image.
    """
    settings = {**_some(kwargs, "normalizeScale", "removeOutliers"), "normalize": True}
    source = as_image(image)
    everything = source.with_array(np.ones(source.array.shape, np.uint8))
    return like(prepared(source, everything, settings)[0], image)


def resegmentMask(imageNode: Any, maskNode: Any, **kwargs: Any) -> Any:
    """Remove the voxels of a region whose grey values lie outside a range.

    :param kwargs: ``resegmentRange``, the lower limit, or the lower and the upper limit, which belong to the range;
        ``resegmentMode`` (``absolute``): whether the limits are grey values (``absolute``), fractions of the largest
        grey value of the region (``relative``) or standard deviations from its mean (``sigma``); and ``label`` (1).
    :returns: the mask of the voxels that are left.
    :raises ValueError: without ``resegmentRange``.
    :raises AlnmError: where fewer than two voxels are left.
    """
    if kwargs.get("resegmentRange") is None:
        raise ValueError("resegmentRange is None; it must be one or two numbers")
    settings = _some(kwargs, "resegmentRange", "resegmentMode", "label", "geometryTolerance")
    return like(prepared(imageNode, maskNode, settings)[1], maskNode)


def _filtered(image: Any, mask: Any, kind: str, kwargs: dict[str, Any], *names: str) -> Filtered:
    """The filtered images of an image type, computed over the whole image."""
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
    """The type of voxel of the images that the filter of PyRadiomics returns."""
    given = source.array.dtype
    if kind in ("LoG", "Gradient") or (kind == "Wavelet" and given == np.float32):
        return np.float32
    return given if kind == "LBP2D" and source.array.ndim == 3 else np.float64


def getOriginalImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The image itself, with the name ``original``."""
    yield inputImage, "original", kwargs


def getLoGImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Laplacians of Gaussian, normalised across scales: one image for each value of ``sigma``, standard deviations in
    mm. Where the image is too small for a sigma, this one is left out and a warning is logged."""
    for sigma in kwargs.get("sigma") or ():
        images = list(_filtered(inputImage, inputMask, "LoG", {**kwargs, "sigma": [sigma]}, "sigma"))
        if not images:
            logger.warning("LoG with sigma %s mm was skipped: the image is too small for it", sigma)
        for filtered, name, _ in images:
            yield filtered, name, kwargs


def getWaveletImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The sub-bands of a stationary wavelet transform with the wavelet ``wavelet`` (``coif1``, a name of PyWavelets).

    There are ``level`` (1) levels, after ``start_level`` (0) levels that are left out. With ``force2D`` (False) the
    image is not transformed along the axis ``force2Ddimension`` (0, which is z). The approximation comes last."""
    names = ("wavelet", "level", "start_level", "force2D", "force2Ddimension")
    yield from _filtered(inputImage, inputMask, "Wavelet", kwargs, *names)


def getSquareImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The squares of the grey values, scaled to the range of the grey values."""
    yield from _filtered(inputImage, inputMask, "Square", kwargs)


def getSquareRootImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The square roots of the absolute grey values, with their sign, scaled to the range of the grey values."""
    yield from _filtered(inputImage, inputMask, "SquareRoot", kwargs)


def getLogarithmImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The logarithms of the absolute grey values plus 1, with their sign, scaled to the range of the grey values."""
    yield from _filtered(inputImage, inputMask, "Logarithm", kwargs)


def getExponentialImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The exponentials of the grey values, scaled to the range of the grey values."""
    yield from _filtered(inputImage, inputMask, "Exponential", kwargs)


def getGradientImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """The magnitude of the gradient, per mm or, where ``gradientUseSpacing`` (True) is False, per voxel."""
    yield from _filtered(inputImage, inputMask, "Gradient", kwargs, "gradientUseSpacing")


def getLBP2DImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Local binary patterns in slices, as in scikit-image.

    :param kwargs: ``lbp2DRadius`` (1), the radius of the circle of samples in pixels; ``lbp2DSamples`` (8), the number
        of samples; ``lbp2DMethod`` (``uniform``): ``default``, ``ror``, ``uniform`` or ``var``; and
        ``force2Ddimension`` (0, which is z), the axis across the slices of a volume.
    """
    names = ("lbp2DRadius", "lbp2DSamples", "lbp2DMethod", "force2D", "force2Ddimension")
    yield from _filtered(inputImage, inputMask, "LBP2D", kwargs, *names)


def getLBP3DImage(inputImage: Any, inputMask: Any, **kwargs: Any) -> Filtered:
    """Local binary patterns on spheres around the voxels of the region, 0 elsewhere: one image per level of spherical
    harmonics and, as the last one, their kurtosis.

    :param kwargs: ``lbp3DLevels`` (2), the number of levels; ``lbp3DIcosphereRadius`` (1), the radius of the spheres in
        voxels; ``lbp3DIcosphereSubdivision`` (1), how many times the triangles of the icosahedron of samples are
        divided; and ``label`` (1).
    """
    names = ("lbp3DLevels", "lbp3DIcosphereRadius", "lbp3DIcosphereSubdivision")
    yield from _filtered(inputImage, inputMask, "LBP3D", kwargs, *names)
