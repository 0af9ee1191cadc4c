"""Grey level dependence matrix."""

from __future__ import annotations

from typing import Any

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsGLDM(base.TextureFeatures):
    """Features of the number of neighbours whose grey level differs by ``gldm_a`` (0) at most.

    ``P_gldm`` has the axes (1, level, dependent neighbours + 1 that occur) and holds counts.
    """

    _class = "gldm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        alpha = int(self.settings.get("gldm_a", 0))
        cells = _native.dependences(self._levels(), self._distances(), self._fixed_axis(), alpha)
        matrix, self.coefficients["jvector"] = base.dense(cells, self.coefficients["grayLevels"])
        return matrix
