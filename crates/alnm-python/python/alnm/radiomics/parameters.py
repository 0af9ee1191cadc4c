"""Parameter files, and requests to the engine."""

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
"""Settings of feature maps, and of nothing else."""

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
"""The settings that a feature class looks at; the others are for the preparation of image and mask."""


@dataclass
class Request:
    """What the engine is asked for."""

    settings: dict[str, Any]
    image_types: list[tuple[str, dict[str, Any]]]
    features: list[tuple[str, list[str]]]
    full_masks: bool = False


def load(path: Any) -> dict[str, Any]:
    """What a parameter file says, checked.

    :raises AlnmError: for a file that is no YAML or JSON, and for keys and values that are not allowed.
    """
    with open(os.fspath(path), "rb") as file:
        content = file.read()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _native.AlnmError(f"parameter file {os.fspath(path)} is no text in UTF-8: {error.reason}") from None
    return parse(text)


def parse(text: str) -> dict[str, Any]:
    """What the text of a parameter file says, checked."""
    return dict(_native.parse_parameters(text))


def check(parameters: Any) -> dict[str, Any]:
    """Parameters in a dictionary with the structure of a parameter file, checked.

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
    # What a reader of YAML 1.1 makes of `nan` is text, and so it stands in the files of PyRadiomics.
    return ".nan" if value == "nan" else json.dumps(value)


def plain(value: Any) -> Any:
    """A value without NumPy's types."""
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


def settings(given: Mapping[str, Any], wanted: frozenset[str] = KNOWN) -> dict[str, Any]:
    """The settings among those given that the engine knows and that are wanted. Without a value stands for the default,
    but for the interpolator, where it switches resampling off. Unknown names are told in the log."""
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
    """Image types with the settings of their own."""
    return [(name, settings(own or {}, KNOWN - ONLY_PASSED_ON)) for name, own in given.items()]


def features(given: Mapping[str, Sequence[str] | None], known: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Feature classes with the features wanted of them."""
    for name in given:
        if name not in known:
            logger.warning("feature class %s is not known and has no effect", name)
    return [(name, list(names or ())) for name, names in given.items() if name in known]
