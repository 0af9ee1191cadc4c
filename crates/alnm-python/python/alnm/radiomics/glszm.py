"""Grey level size zone matrix (GLSZM)."""

from __future__ import annotations

from typing import Any

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsGLSZM(base.TextureFeatures):
    """Features of zones, which are connected voxels with one grey level.

    ``P_glszm`` has the axes (1, grey level, size in voxels) and holds numbers of zones; only sizes that occur have an
    entry, and ``coefficients["jvector"]`` lists them.
    """

    _class = "glszm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        cells = _native.zones(self._levels(), self._fixed_axis())
        matrix, self.coefficients["jvector"] = base.dense(cells, self.coefficients["grayLevels"])
        return matrix
