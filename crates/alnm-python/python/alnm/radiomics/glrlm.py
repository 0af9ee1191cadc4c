"""Grey level run length matrix (GLRLM)."""

from __future__ import annotations

from typing import Any

import numpy as np

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsGLRLM(base.TextureFeatures):
    """Features of runs, which are lines of neighbouring voxels with one grey level.

    ``P_glrlm`` has the axes (1, grey level, length, direction) and holds numbers of runs; only lengths that occur have
    an entry.
    """

    _class = "glrlm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        _, directions, counts = _native.runs(self._levels(), self._fixed_axis())
        matrix = np.moveaxis(counts, 0, -1).astype(float)
        if self.settings.get("weightingNorm") is not None:
            lengths = self._weights(np.array(directions))
            matrix = (matrix * (1.0 if lengths is None else lengths)).sum(2, keepdims=True)
        if matrix.shape[2] > 1:
            matrix = matrix[:, :, matrix.sum((0, 1)) > 0]
        return matrix[:, matrix.sum((0, 2)) > 0, :][None]
