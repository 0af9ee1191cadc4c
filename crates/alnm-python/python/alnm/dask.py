"""Features of many cases on a cluster of Dask.

It needs the package distributed, which ``pip install "alnm[dask]"`` installs with this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alnm.radiomics.cases import CaseExtractor


def extract_cases(
    client: Any,
    cases: Iterable[Mapping[str, Any]],
    parameters: Any = None,
    *,
    threads: int | None = 1,
    **settings: Any,
) -> list[Any]:
    """The rows of cases, in the order of the cases and with the values of :func:`alnm.radiomics.cases.extract_cases`,
    computed by the workers of a cluster. The cases of a worker that ends are computed by another.

    :param client: a ``distributed.Client``.
    :param cases: the cases; see :mod:`alnm.radiomics.cases`. The workers have to find their files under the same paths.
    :param parameters: a parameter file or a dictionary with its structure.
    :param threads: number of threads that a case uses; see :mod:`alnm`.
    :param settings: settings that take precedence over those of ``parameters``.
    :returns: one row per case; a case that fails has a row with the column ``Error``.
    """
    work = CaseExtractor(parameters, threads=threads, **settings)
    return list(client.gather(client.map(work, list(cases), pure=False)))
