"""Neighbouring grey tone difference matrix (NGTDM)."""

from __future__ import annotations

from typing import Any

import numpy as np

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsNGTDM(base.TextureFeatures):
    """Features of the differences between the grey levels of voxels and the mean grey level of their neighbours.

    ``P_ngtdm`` has the axes (1, grey level, 3); along the last one it holds the number of voxels, the sum of absolute
    differences and the grey level.
    """

    _class = "ngtdm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        rows = _native.neighbour_differences(self._levels(), self._distances(), self._fixed_axis())
        return np.ascontiguousarray(rows[None][:, :, [1, 2, 0]])
