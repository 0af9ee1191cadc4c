"""Features of many cases, as rows of a table: computed one case after the other, or in other processes.

A case is a mapping with the keys ``Image`` and ``Mask`` (files or images) and, where the case needs them, ``Label`` and
``Label_channel``. All other entries are copied to the row of the case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from alnm import AlnmError
from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor

ERROR = "Error"
"""The name of the column that holds the reason why a case failed."""

FAILURES = (ValueError, TypeError, OSError, ArithmeticError, LookupError, RuntimeError)
"""What ends a case and no other: all that files and entries of a case can cause."""


class CaseExtractor:
    """Computes the row of a case. It can be pickled, and thus used with any function that maps over cases:
    ``multiprocessing.Pool(...).map(CaseExtractor("params.yaml"), cases)``. :mod:`alnm.dask` and :mod:`alnm.ray` use it
    on a cluster.

    :param parameters: a parameter file or a dictionary with its structure; by default the features of
        :class:`~alnm.radiomics.featureextractor.RadiomicsFeatureExtractor` without a file.
    :param threads: number of threads that a case uses; see :mod:`alnm`. The default is 1, since cases usually run side
        by side.
    :param settings: settings that take precedence over those of ``parameters``.
    :raises FileNotFoundError: for a parameter file that does not exist.
    :raises AlnmError: for parameters that are not allowed.
    """

    def __init__(self, parameters: Any = None, *, threads: int | None = 1, **settings: Any) -> None:
        self.extractor = RadiomicsFeatureExtractor(*([] if parameters is None else [parameters]), **settings)
        self.threads = threads

    def __call__(self, case: Mapping[str, Any]) -> OrderedDict[str, Any]:
        """Compute the row of a case.

        :returns: the entries of the case (images that are no paths excepted), then the diagnostics and the features as
            numbers. For a case that fails, its entries and ``Error`` with the reason.
        """
        row: OrderedDict[str, Any] = OrderedDict(
            (name, value) for name, value in case.items() if name not in ("Image", "Mask") or isinstance(value, str)
        )
        try:
            row.update(self.features(case))
        except FAILURES as error:
            row[ERROR] = str(error)
        return row

    def features(self, case: Mapping[str, Any], voxelBased: bool = False) -> OrderedDict[str, Any]:
        """Compute the diagnostics and features of a case, with features as numbers.

        :param voxelBased: whether feature maps are computed in place of features.
        :raises AlnmError: for a case without ``Image`` or ``Mask``.

        Other errors are those of :meth:`~alnm.radiomics.featureextractor.RadiomicsFeatureExtractor.execute`.
        """
        for name in ("Image", "Mask"):
            if name not in case:
                raise AlnmError(f"the case has no {name}; a case has an Image and a Mask")
        label, channel = (_whole(case.get(name)) for name in ("Label", "Label_channel"))
        result = self.extractor.execute(
            case["Image"], case["Mask"], label, channel, voxelBased=voxelBased, threads=self.threads
        )
        numbers = (np.ndarray, np.floating)
        return OrderedDict(
            (name, float(value) if isinstance(value, numbers) else value) for name, value in result.items()
        )


def _whole(value: Any) -> int | None:
    return None if value is None or value == "" else int(float(value))


def extract_cases(cases: Iterable[Mapping[str, Any]], parameters: Any = None, **settings: Any) -> list[Any]:
    """Compute the rows of cases, one case after the other, each with the number of threads of :func:`alnm.set_threads`.

    :param cases: the cases.
    :param parameters: as in :class:`CaseExtractor`.
    :param settings: settings that take precedence over those of ``parameters``.
    :returns: one row per case; a case that fails has a row with the column ``Error``.
    """
    return list(map(CaseExtractor(parameters, threads=None, **settings), cases))
