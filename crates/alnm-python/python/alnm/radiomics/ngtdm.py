"""Neighbouring grey tone difference matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsNGTDM(base.TextureFeatures):
    """Features of how far voxels differ from the mean of their neighbours.

    ``P_ngtdm`` has the axes (1, level, 3): number of voxels, summed difference, level.
    """

    _class = "ngtdm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        rows = _native.neighbour_differences(self._levels(), self._distances(), self._fixed_axis())
        return np.ascontiguousarray(rows[None][:, :, [1, 2, 0]])
