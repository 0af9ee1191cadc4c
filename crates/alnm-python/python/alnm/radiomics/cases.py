"""Features of many cases, as rows of a table: here one after the other, or as work that is sent to other processes.

A case is a mapping with ``Image`` and ``Mask`` (files or images), and ``Label`` and ``Label_channel`` where it needs
them; whatever else it holds is copied to its row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from alnm.radiomics.featureextractor import RadiomicsFeatureExtractor

ERROR = "Error"
"""The column of a case that failed, with the reason."""


class CaseExtractor:
    """Computes the row of a case. It can be pickled, and so be the function of any engine that maps over cases:
    ``multiprocessing.Pool(...).map(CaseExtractor("params.yaml"), cases)``; :mod:`alnm.dask` does it on a cluster.

    :param parameters: a parameter file or a dictionary with its structure.
    :param threads: how many threads a case uses; 1, since cases run side by side.
    :param settings: settings that hold in place of those of the file.
    """

    def __init__(self, parameters: Any = None, *, threads: int | None = 1, **settings: Any) -> None:
        self.extractor = RadiomicsFeatureExtractor(*([] if parameters is None else [parameters]), **settings)
        self.threads = threads

    def __call__(self, case: Mapping[str, Any]) -> OrderedDict[str, Any]:
        """The row of a case: its own entries, diagnostics and features as numbers; or its own entries and ``Error``,
        the reason why it failed."""
        row: OrderedDict[str, Any] = OrderedDict(
            (name, value) for name, value in case.items() if name not in ("Image", "Mask") or isinstance(value, str)
        )
        try:
            row.update(self.features(case))
        except (ValueError, TypeError, OSError) as error:
            row[ERROR] = str(error)
        return row

    def features(self, case: Mapping[str, Any], voxelBased: bool = False) -> OrderedDict[str, Any]:
        """Diagnostics and features of a case, features as numbers.

        :raises ValueError: as :meth:`RadiomicsFeatureExtractor.execute`, like the other errors.
        """
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
    """The rows of cases, one case after the other with all threads each."""
    return list(map(CaseExtractor(parameters, threads=None, **settings), cases))
