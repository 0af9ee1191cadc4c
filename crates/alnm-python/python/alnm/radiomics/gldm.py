"""Grey level dependence matrix (GLDM)."""

from __future__ import annotations

from typing import Any

from alnm import _native
from alnm.radiomics import base


@base.with_features
class RadiomicsGLDM(base.TextureFeatures):
    """Features of the number of neighbours that depend on a voxel: their grey levels differ from its own by at most the
    setting ``gldm_a`` (0).

    ``P_gldm`` has the axes (1, grey level, number of dependent neighbours + 1) and holds numbers of voxels; only
    numbers of neighbours that occur have an entry, and ``coefficients["jvector"]`` lists them.
    """

    _class = "gldm"

    def _calculateMatrix(self, voxelCoordinates: Any = None) -> Any:
        alpha = int(self.settings.get("gldm_a", 0))
        cells = _native.dependences(self._levels(), self._distances(), self._fixed_axis(), alpha)
        matrix, self.coefficients["jvector"] = base.dense(cells, self.coefficients["grayLevels"])
        return matrix
