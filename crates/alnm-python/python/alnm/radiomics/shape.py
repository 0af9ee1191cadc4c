"""Shape of the region in three dimensions."""

from __future__ import annotations

from typing import Any

from alnm import AlnmError
from alnm.radiomics import base
from alnm.radiomics.parameters import Request


@base.with_features
class RadiomicsShape(base.RadiomicsFeaturesBase):
    """Features of the mesh, the diameters and the axes of a region. They depend on the mask alone.

    :raises AlnmError: for an image of two dimensions; :class:`~alnm.radiomics.shape2D.RadiomicsShape2D` is for those.
    """

    _class = "shape"

    def __init__(self, inputImage: Any, inputMask: Any, **kwargs: Any) -> None:
        super().__init__(inputImage, inputMask, **kwargs)
        if self._mask.array.ndim != 3:
            raise AlnmError(f"the mask has {self._mask.array.ndim} axes; shape needs 3, so use shape2D")
        if self.voxelBased:
            raise AlnmError("shape has no feature maps; leave voxelBased out")

    def _request(self, names: list[str]) -> Request:
        request = super()._request(names)
        # Shape is of the mask alone, whatever the grey values.
        request.settings["binCount"] = 1
        return request
