"""Reading and checking of parameter files, and the requests that are passed to the native module."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native

logger = logging.getLogger("radiomics.parameters")

KNOWN = frozenset(_native.setting_names())
"""The names of all settings."""

ONLY_PASSED_ON = frozenset({"voxelBased", "voxelBatch", "initValue", "kernelRadius", "maskedKernel"})
"""Settings that apply to feature maps only."""

FOR_A_CLASS = frozenset(
    {
        "binWidth",
        "binCount",
        "distances",
        "force2D",
        "force2Ddimension",
        "gldm_a",
        "initValue",
        "kernelRadius",
        "maskedKernel",
        "symmetricalGLCM",
        "voxelArrayShift",
        "voxelBatch",
        "weightingNorm",
    }
)
"""The settings that a feature class uses. The others belong to the preparation of the image and the mask."""


@dataclass
class Request:
    """A request to the native module for an extraction."""

    settings: dict[str, Any]
    """Known settings."""
    image_types: list[tuple[str, dict[str, Any]]]
    """Names of image types with the settings that apply to each alone."""
    features: list[tuple[str, list[str]]]
    """Names of feature classes with the names of their features; an empty list stands for all."""
    full_masks: bool = False
    """Whether a mask may cover the whole image."""


def load(path: Any) -> dict[str, Any]:
    """Read and check a parameter file.

    :returns: its content, a dictionary with the keys ``setting``, ``voxelSetting``, ``imageType`` and ``featureClass``
        as far as the file has them.
    :raises OSError: for a file that cannot be read.
    :raises AlnmError: for a file that is not YAML or JSON in UTF-8, and for keys and values that are not allowed.
    """
    with open(os.fspath(path), "rb") as file:
        content = file.read()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _native.AlnmError(f"parameter file {os.fspath(path)} is no text in UTF-8: {error.reason}") from None
    return parse(text)


def parse(text: str) -> dict[str, Any]:
    """Check the text of a parameter file and return its content; see :func:`load`."""
    return dict(_native.parse_parameters(text))


def check(parameters: Any) -> dict[str, Any]:
    """Check a dictionary with the structure of a parameter file and return its content; see :func:`load`.

    :raises AlnmError: for keys and values that are not allowed.
    """
    return parse(_yaml(parameters))


def _yaml(value: Any) -> str:
    """A value as YAML on one line."""
    value = plain(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    # A YAML 1.1 reader turns `nan` into text; parameter files of PyRadiomics write NaN in this way.
    return ".nan" if value == "nan" else json.dumps(value)


def plain(value: Any) -> Any:
    """A value in which NumPy scalars and arrays are replaced by Python numbers and lists."""
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


def settings(given: Mapping[str, Any], wanted: frozenset[str] = KNOWN) -> dict[str, Any]:
    """The given settings that are known and wanted, with plain Python values. A setting that is None is left out, so
    that it has its default; only for ``interpolator`` None has a meaning of its own, which is no resampling. For an
    unknown name a warning is logged.

    :raises TypeError: for a value that is not None, a bool, a number, text or a list of these.
    """
    for name in given:
        if name not in KNOWN and name != "voxelBased":
            logger.warning("setting %s is not known and has no effect", name)
    values = ((name, plain(value)) for name, value in given.items() if name in KNOWN and name in wanted)
    return {name: _checked(name, value) for name, value in values if value is not None or name == "interpolator"}


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_checked(name, plain(item)) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"setting {name} is a {type(value).__name__}; it must be None, a bool, a number, text or a list of these"
    )


def image_types(given: Mapping[str, Mapping[str, Any] | None]) -> list[tuple[str, dict[str, Any]]]:
    """The image types of a request, each with the settings that apply to it alone."""
    return [(name, settings(own or {}, KNOWN - ONLY_PASSED_ON)) for name, own in given.items()]


def features(given: Mapping[str, Sequence[str] | None], known: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The feature classes of a request, each with the names of its features. For an unknown class a warning is
    logged."""
    for name in given:
        if name not in known:
            logger.warning("feature class %s is not known and has no effect", name)
    return [(name, list(names or ())) for name, names in given.items() if name in known]
