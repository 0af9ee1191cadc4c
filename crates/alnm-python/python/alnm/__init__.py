"""Radiomics, medical images and the statistics of prediction models, computed by the Rust crates of the project alnm.

- :mod:`alnm.radiomics`: radiomic features, with the interface of PyRadiomics;
- :mod:`alnm.imaging`: reading and writing of images and masks, bias field correction (N4), resampling;
- :mod:`alnm.segmentation`: outlines of lesions, and the agreement between outlines;
- :mod:`alnm.registration`: the motion between two images, or between the phases of a series;
- :mod:`alnm.kinetics`: the uptake of contrast agent over a dynamic series;
- :mod:`alnm.regions`: rings around a region, its parts, distances, habitats, and common intensity scales;
- :mod:`alnm.stats`: comparison of ROC curves, decision curves, calibration, agreement of readers;
- :mod:`alnm.selection`: ComBat, mRMR, and the paths of the LASSO and the elastic net;
- :mod:`alnm.models`: Firth's logistic regression.

Most functions take an argument ``threads``: the number of threads that they use. ``None`` takes the number that
:func:`set_threads` chose, and 0 one thread for each processor core. Results do not depend on it.

Input that cannot be worked with raises :class:`AlnmError`, a subclass of ``ValueError``, unless a function says
otherwise. An argument of the wrong type raises ``TypeError``, and a negative number in place of a count may raise
``OverflowError``.

This is research software and no medical device.
"""

from alnm._native import VERSION as __version__
from alnm._native import AlnmError, set_threads, threads
from alnm.image import Image

__all__ = ["AlnmError", "Image", "__version__", "set_threads", "threads"]
