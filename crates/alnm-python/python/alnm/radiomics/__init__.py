"""Radiomic features with the interface of PyRadiomics, computed by the Rust crate ``alnm-radiomics``.

Modules, classes, methods, settings, names of features and their values are those of PyRadiomics 3.0.1, so that code
written for it runs once its import is changed::

    from alnm.radiomics import featureextractor

    extractor = featureextractor.RadiomicsFeatureExtractor("params.yaml")
    features = extractor.execute("image.nrrd", "mask.nrrd")

After :func:`install_as_radiomics`, code that cannot be changed finds this package under the name ``radiomics``.
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
"""The version of PyRadiomics whose definitions are followed, and the version of this package."""

logger = logging.getLogger("radiomics")
logger.setLevel(logging.INFO)
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("%(message)s"))
handler.setLevel(logging.WARNING)
if not any(isinstance(other, logging.StreamHandler) for other in logger.handlers):
    logger.addHandler(handler)

progressReporter: Any = None
"""It exists for code written for PyRadiomics that sets it; no progress is reported to it."""

testCases = ("brain1", "brain2", "breast1", "lung1", "lung2", "test_wavelet_64x64x64", "test_wavelet_37x37x37")
"""The names of the test cases of :func:`getTestCase`."""

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
    """A decorator that marks the function of a feature as deprecated: the feature is computed only where it is
    named."""
    func._is_deprecated = True
    return func


def setVerbosity(level: int) -> None:
    """Set the lowest level of messages that are written to the standard error stream.

    :param level: a level of :mod:`logging`, from 10 (debugging) to 50 (critical), or 60 for no messages. Other numbers
        are set to the nearer of 10 and 60. At the start it is 30 (warnings).
    """
    handler.setLevel(min(max(level, 10), 60))
    if handler.level < logger.level:
        logger.setLevel(handler.level)


def getProgressReporter(*args: Any, **kwargs: Any) -> Any:
    """A stand-in for a progress bar: it yields the items of the iterable that it is given and reports nothing. It
    exists for code written for PyRadiomics that calls it."""
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
        """Do nothing, since no progress is reported."""


def getFeatureClasses() -> dict[str, type[Any]]:
    """The feature classes, by the names of their modules, such as ``glcm``."""
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in _FEATURE_CLASSES}
    return {name: getattr(modules[name], _FEATURE_CLASSES[name]) for name in _FEATURE_CLASSES}


def getImageTypes() -> list[str]:
    """The names of the image types, such as ``Original`` and ``Wavelet``, in alphabetical order."""
    return sorted(_native.image_types())


def getTestCase(testCase: str, dataDirectory: str | None = None) -> tuple[str, str]:
    """The paths of the image and the mask of a test case of PyRadiomics: ``<name>_image.nrrd`` and
    ``<name>_label.nrrd``.

    This package contains no images and does not download any; the files have to exist already.

    :param testCase: one of :data:`testCases`. A suffix ``_2D`` asks for the mask of one slice,
        ``<name>_label_2D.nrrd``.
    :param dataDirectory: the folder with the files; by default ``pyradiomics/data`` in the folder for temporary files,
        where PyRadiomics keeps them as well.
    :raises ValueError: for a name that is no test case.
    :raises FileNotFoundError: where a file does not exist; the message says where to get it.
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
    """The paths of a pykwalify schema and of its extension, with which pykwalify checks parameter files by the rules of
    this package."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")
    return os.path.join(folder, "paramSchema.yaml"), os.path.join(folder, "schemaFuncs.py")


def install_as_radiomics() -> None:
    """Make ``import radiomics`` find this package, so that code written for PyRadiomics runs unchanged.

    The effect is limited to the running process. The function has to be called before anything imports ``radiomics``.

    :raises RuntimeError: where PyRadiomics itself has been imported already.
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
