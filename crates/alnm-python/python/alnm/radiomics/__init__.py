"""Radiomic features with the interface of PyRadiomics, computed by another engine.

Modules, classes, methods, settings, names of features and their values are those of PyRadiomics 3.0.1, so that code
written for it runs as it is once the import is changed::

    from alnm.radiomics import featureextractor

    extractor = featureextractor.RadiomicsFeatureExtractor("params.yaml")
    features = extractor.execute("image.nrrd", "mask.nrrd")

Code that cannot be changed finds this package under the name ``radiomics`` after :func:`install_as_radiomics`.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
from typing import Any

from alnm import _native

__version__ = f"3.0.1+alnm.{_native.VERSION}"
"""The version of PyRadiomics whose definitions are followed, and that of this package."""

logger = logging.getLogger("radiomics")
logger.setLevel(logging.INFO)
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("%(message)s"))
handler.setLevel(logging.WARNING)
if not any(isinstance(other, logging.StreamHandler) for other in logger.handlers):
    logger.addHandler(handler)

progressReporter: Any = None
"""Kept for code that sets it; nothing is reported to it."""

testCases = ("brain1", "brain2", "breast1", "lung1", "lung2", "test_wavelet_64x64x64", "test_wavelet_37x37x37")
"""The names that :func:`getTestCase` knows."""

_MODULES = (
    "base",
    "featureextractor",
    "firstorder",
    "generalinfo",
    "glcm",
    "gldm",
    "glrlm",
    "glszm",
    "imageoperations",
    "ngtdm",
    "shape",
    "shape2D",
)

_FEATURE_CLASSES = {
    "firstorder": "RadiomicsFirstOrder",
    "glcm": "RadiomicsGLCM",
    "gldm": "RadiomicsGLDM",
    "glrlm": "RadiomicsGLRLM",
    "glszm": "RadiomicsGLSZM",
    "ngtdm": "RadiomicsNGTDM",
    "shape": "RadiomicsShape",
    "shape2D": "RadiomicsShape2D",
}


def deprecated(func: Any) -> Any:
    """Mark a feature's function as one that is not computed unless it is named."""
    func._is_deprecated = True
    return func


def setVerbosity(level: int) -> None:
    """Set from which level on messages are written to the standard error stream: a level of :mod:`logging` from 10
    (debugging) to 50, or 60 for none. The default is 30, warnings."""
    handler.setLevel(min(max(level, 10), 60))
    if handler.level < logger.level:
        logger.setLevel(handler.level)


def getProgressReporter(*args: Any, **kwargs: Any) -> Any:
    """The iterable that is given, which reports nothing; kept for code that calls it."""
    return _SilentProgress(*args, **kwargs)


class _SilentProgress:
    def __init__(self, iterable: Any = None, desc: str = "", total: int | None = None) -> None:
        self.iterable, self.desc, self.total = iterable, desc, total

    def __iter__(self) -> Any:
        return iter(self.iterable or ())

    def __enter__(self) -> _SilentProgress:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def update(self, n: int = 1) -> None:
        """Nothing is reported."""


def getFeatureClasses() -> dict[str, type[Any]]:
    """The feature classes by the names of their modules."""
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in _FEATURE_CLASSES}
    return {name: getattr(modules[name], _FEATURE_CLASSES[name]) for name in _FEATURE_CLASSES}


def getImageTypes() -> list[str]:
    """The names of the image types."""
    return sorted(_native.image_types())


def getTestCase(testCase: str, dataDirectory: str | None = None) -> tuple[str, str]:
    """The paths of image and mask of a test case of PyRadiomics: ``<testCase>_image.nrrd``, ``<testCase>_label.nrrd``;
    for names that end in ``_2D``, ``_label_2D.nrrd``.

    This package holds no images and fetches none. The files are looked for in ``dataDirectory``, without it in
    ``pyradiomics/data`` in the folder for temporary files, where PyRadiomics keeps them as well.

    :raises ValueError: for a name that is no test case.
    :raises FileNotFoundError: where the files are not there; the message says where they come from.
    """
    name, suffix = testCase.lower(), ""
    if name.endswith("_2d"):
        name, suffix = name[:-3], "_2D"
    if name not in testCases:
        raise ValueError(f"test case is {testCase!r}; it must be one of {', '.join(testCases)}")
    folder = dataDirectory or os.path.join(tempfile.gettempdir(), "pyradiomics", "data")
    image, mask = (os.path.join(folder, name + end) for end in ("_image.nrrd", f"_label{suffix}.nrrd"))
    for path in (image, mask):
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"{path} is not there; this package holds no images, so put the file there from the folder `data` of "
                "https://github.com/AIM-Harvard/pyradiomics, or name its folder as dataDirectory"
            )
    return image, mask


def getParameterValidationFiles() -> tuple[str, str]:
    """A schema for pykwalify and its extension, which check parameter files as this package does."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")
    return os.path.join(folder, "paramSchema.yaml"), os.path.join(folder, "schemaFuncs.py")


def install_as_radiomics() -> None:
    """Let ``import radiomics`` find this package, so that code written for PyRadiomics runs unchanged.

    It holds for the process in which it is called, and has to be called before anything else imports ``radiomics``.

    :raises RuntimeError: where PyRadiomics itself is imported already.
    """
    package = sys.modules[__name__]
    present = sys.modules.get("radiomics")
    if present is not None and present is not package:
        raise RuntimeError(
            f"radiomics is imported already, from {getattr(present, '__file__', None)}; call install_as_radiomics() "
            "before"
        )
    sys.modules["radiomics"] = package
    for name in _MODULES:
        sys.modules[f"radiomics.{name}"] = importlib.import_module(f"{__name__}.{name}")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
