"""Shape of a region in one slice."""

from __future__ import annotations

from typing import Any

from alnm import AlnmError
from alnm.radiomics import base
from alnm.radiomics.parameters import Request


@base.with_features
class RadiomicsShape2D(base.RadiomicsFeaturesBase):
    """Shape features of a region in one slice: of its outline, its diameters and its axes.

    The mask has two dimensions; or three with the setting ``force2D``, where the region has to lie in one slice across
    the axis ``force2Ddimension`` (0, which is z).

    :raises AlnmError: for a region in several slices, a mask of three dimensions without ``force2D``, and with
        ``voxelBased``.
    """

    _class = "shape2D"

    def __init__(self, inputImage: Any, inputMask: Any, **kwargs: Any) -> None:
        super().__init__(inputImage, inputMask, **kwargs)
        if self.voxelBased:
            raise AlnmError("shape2D has no feature maps; leave voxelBased out")
        if self._mask.array.ndim == 2:
            return
        if not kwargs.get("force2D", False):
            raise AlnmError("force2D is not set; shape2D of a mask of three dimensions needs it")
        axis = int(kwargs.get("force2Ddimension", 0))
        slices = (self._mask.array == self.label).any(axis=tuple({0, 1, 2} - {axis})).sum()
        if slices > 1:
            raise AlnmError(f"the region has {slices} slices along force2Ddimension {axis}; shape2D needs one")

    def _request(self, names: list[str]) -> Request:
        request = super()._request(names)
        request.settings["binCount"] = 1
        return request
