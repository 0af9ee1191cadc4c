"""Grey level co-occurrence matrix (GLCM)."""

from __future__ import annotations

from typing import Any

import numpy as np

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsGLCM(base.TextureFeatures):
    """Features of the pairs of grey levels of neighbouring voxels.

    ``P_glcm`` has the axes (1, grey level, grey level of the neighbour, direction); for each direction it holds the
    shares of the pairs, which add up to 1.
    """

    _class = "glcm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        _, directions, counts = _native.pairs(self._levels(), self._distances(), self._fixed_axis())
        matrix = np.moveaxis(counts, 0, -1).astype(float)
        if self.settings.get("symmetricalGLCM", True):
            matrix = matrix + matrix.transpose(1, 0, 2)
        if self.settings.get("weightingNorm") is not None:
            lengths = self._weights(np.array(directions))
            weights = np.ones(len(directions)) if lengths is None else np.exp(-(lengths**2))
            matrix = (matrix * weights).sum(2, keepdims=True)
        sums = matrix.sum((0, 1))
        if len(sums) > 1:
            matrix, sums = matrix[:, :, sums > 0], sums[sums > 0]
        return (matrix / np.where(sums > 0, sums, np.nan))[None]
