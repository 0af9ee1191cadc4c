"""Features of many cases by Ray Data. Needs the extra ``ray``: ``pip install alnm[ray]``."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import Any

from alnm.radiomics.cases import CaseExtractor


class _Row:
    """The work on a record of a dataset. Cases and rows travel pickled, since Arrow would change their types."""

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
    """The rows of cases in their order, as :func:`alnm.radiomics.cases.extract_cases` computes them one by one, on the
    cluster that ``ray.init`` found. The work of a worker that ends is done by another.

    :param cases: see :mod:`alnm.radiomics.cases`; files have to be where the workers find them.
    :param threads: how many threads a case uses, and processors it asks Ray for; ``None`` for all of its node's
        threads while it asks for one.
    :param concurrency: the most cases at a time; by default as many as the cluster has processors for.
    """
    from ray import data

    records = [{"position": position, "case": pickle.dumps(dict(case))} for position, case in enumerate(cases)]
    if not records:
        return []
    work = _Row(CaseExtractor(parameters, threads=threads, **settings))
    # A block is a unit of work and of what is done anew: one for each case spreads cases of unequal size evenly.
    dataset = data.from_items(records, override_num_blocks=len(records))
    # Ray sets memory aside for the largest block that a task may make, and would run few such small rows at a time.
    dataset.context.target_max_block_size = 1 << 20
    done = dataset.map(work.__call__, num_cpus=threads or 1, concurrency=concurrency).take_all()
    return [pickle.loads(record["row"]) for record in sorted(done, key=lambda record: int(record["position"]))]
