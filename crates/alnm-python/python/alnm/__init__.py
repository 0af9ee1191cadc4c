"""Radiomics, medical images and the statistics of prediction models: the crates of the project alnm for Python.

- :mod:`alnm.radiomics`: the interface of PyRadiomics on another engine;
- :mod:`alnm.imaging`: reading, writing, N4 and resampling;
- :mod:`alnm.segmentation`, :mod:`alnm.registration`: outlines and their agreement, motion between images;
- :mod:`alnm.kinetics`, :mod:`alnm.regions`: contrast agent over a series, rings, habitats and intensity scales;
- :mod:`alnm.stats`, :mod:`alnm.selection`, :mod:`alnm.models`: statistics that have no equal in Python.

Research software, no medical device.
"""

from alnm._native import VERSION as __version__
from alnm._native import AlnmError, set_threads, threads
from alnm.image import Image

__all__ = ["AlnmError", "Image", "__version__", "set_threads", "threads"]
