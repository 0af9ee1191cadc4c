"""Features of many cases on a cluster of Dask. Needs the extra ``dask``: ``pip install alnm[dask]``."""

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
    """The rows of cases in their order, as :func:`alnm.radiomics.cases.extract_cases` computes them one by one.
    The work of a worker that ends is done by another.

    :param client: a ``distributed.Client``.
    :param cases: see :mod:`alnm.radiomics.cases`; files have to be where the workers find them.
    :param threads: how many threads a case uses.
    """
    work = CaseExtractor(parameters, threads=threads, **settings)
    return list(client.gather(client.map(work, list(cases), pure=False)))
