"""First-order statistics: the distribution of grey values in the region."""

from __future__ import annotations

from alnm.radiomics import base


@base.with_features
class RadiomicsFirstOrder(base.RadiomicsFeaturesBase):
    """Features of the intensities of a region and of their histogram."""

    _class = "firstorder"
