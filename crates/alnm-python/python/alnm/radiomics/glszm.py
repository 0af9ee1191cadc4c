"""Grey level size zone matrix."""

from __future__ import annotations

from typing import Any

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsGLSZM(base.TextureFeatures):
    """Features of the connected zones of one grey level.

    ``P_glszm`` has the axes (1, level, size that occurs) and holds counts.
    """

    _class = "glszm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        cells = _native.zones(self._levels(), self._fixed_axis())
        matrix, self.coefficients["jvector"] = base.dense(cells, self.coefficients["grayLevels"])
        return matrix
