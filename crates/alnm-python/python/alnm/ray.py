"""Features of many cases with Ray Data, on a cluster of Ray.

It needs Ray, which ``pip install "alnm[ray]"`` installs with this package.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import Any

from alnm.radiomics.cases import CaseExtractor


class _Row:
    """The work on one record of a dataset. Cases and rows are sent pickled, since Arrow would change their types."""

    def __init__(self, work: CaseExtractor) -> None:
        self.work = work

    def __call__(self, record: Mapping[str, Any]) -> dict[str, Any]:
        row = self.work(pickle.loads(record["case"]))
        return {"position": record["position"], "row": pickle.dumps(row)}


def extract_cases(
    cases: Iterable[Mapping[str, Any]],
    parameters: Any = None,
    *,
    threads: int | None = 1,
    concurrency: int | None = None,
    **settings: Any,
) -> list[Any]:
    """The rows of cases, in the order of the cases and with the values of :func:`alnm.radiomics.cases.extract_cases`,
    computed on the cluster to which ``ray.init`` connected. The cases of a worker that ends are computed by another.

    :param cases: the cases; see :mod:`alnm.radiomics.cases`. The workers have to find their files under the same paths.
    :param parameters: a parameter file or a dictionary with its structure.
    :param threads: number of threads that a case uses, and number of processors that it requests from Ray. With
        ``None`` it requests one processor and uses as many threads as :func:`alnm.set_threads` set in the worker, by
        default one for each core.
    :param concurrency: largest number of cases at the same time; by default as many as the cluster has processors for.
    :param settings: settings that take precedence over those of ``parameters``.
    :returns: one row per case; a case that fails has a row with the column ``Error``.
    """
    from ray import data

    records = [{"position": position, "case": pickle.dumps(dict(case))} for position, case in enumerate(cases)]
    if not records:
        return []
    work = _Row(CaseExtractor(parameters, threads=threads, **settings))
    # A block is the unit of work, and what is repeated after a failure. With one block per case, cases of unequal size
    # are spread evenly.
    dataset = data.from_items(records, override_num_blocks=len(records))
    # Ray reserves memory for the largest block that a task may return, and would otherwise run few cases at a time.
    dataset.context.target_max_block_size = 1 << 20
    done = dataset.map(work.__call__, num_cpus=threads or 1, concurrency=concurrency).take_all()
    return [pickle.loads(record["row"]) for record in sorted(done, key=lambda record: int(record["position"]))]
