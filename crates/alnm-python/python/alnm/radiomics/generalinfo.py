"""The versions and settings that are reported beside the features of an extraction."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

PREFIX = "diagnostics_"


class GeneralInfo:
    """Versions of the software and settings of an extraction, by the names of their columns."""

    def __init__(self) -> None:
        from alnm.radiomics import __version__

        simpleitk = sys.modules.get("SimpleITK")
        self.generalInfo_prefix = PREFIX
        self.generalInfo: OrderedDict[str, Any] = OrderedDict()
        versions = {
            "PyRadiomics": __version__,
            "Numpy": np.__version__,
            "SimpleITK": simpleitk.Version_VersionString() if simpleitk else "not used",
            "PyWavelet": "not used",
            "Python": "{}.{}.{}".format(*sys.version_info),
        }
        for name, version in versions.items():
            self.generalInfo[f"{PREFIX}Versions_{name}"] = version

    def addGeneralSettings(self, settings: Mapping[str, Any]) -> None:
        """Add the settings of the extraction."""
        self.generalInfo[f"{PREFIX}Configuration_Settings"] = settings

    def addEnabledImageTypes(self, enabledImageTypes: Mapping[str, Any]) -> None:
        """Add the image types, each with the settings that apply to it alone."""
        self.generalInfo[f"{PREFIX}Configuration_EnabledImageTypes"] = enabledImageTypes

    def getGeneralInfo(self) -> OrderedDict[str, Any]:
        """All entries, by the names of their columns."""
        return self.generalInfo
