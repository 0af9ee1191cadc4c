"""First-order statistics: the distribution of grey values in a region."""

from __future__ import annotations

from alnm.radiomics import base


@base.with_features
class RadiomicsFirstOrder(base.RadiomicsFeaturesBase):
    """First-order features: statistics of the grey values of a region, and of their histogram."""

    _class = "firstorder"
