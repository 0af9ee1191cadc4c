"""Shape of a region in three dimensions."""

from __future__ import annotations

from typing import Any

from alnm import AlnmError
from alnm.radiomics import base
from alnm.radiomics.parameters import Request


@base.with_features
class RadiomicsShape(base.RadiomicsFeaturesBase):
    """Shape features of a region in three dimensions: of its surface mesh, its diameters and its axes. They depend on
    the mask alone.

    :raises AlnmError: for a mask of two dimensions, for which there is
        :class:`~alnm.radiomics.shape2D.RadiomicsShape2D`, and with ``voxelBased``.
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
        # Shape depends on the mask alone: with one bin, no range of grey values is too wide.
        request.settings["binCount"] = 1
        return request
