"""Effects of scanners taken out (ComBat), features ranked by mRMR, and the paths of LASSO and elastic net.

Tables have one row per patient: NumPy arrays, or pandas data frames and tables of Arrow, which bring the
names of their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.results import Table, labels, numbers, table
from alnm.results import count as whole_number

__all__ = [
    "Combat",
    "CrossValidatedPath",
    "ElasticNetPath",
    "MrmrRanking",
    "cross_validated_path",
    "elastic_net_path",
    "mrmr",
]


class Combat:
    """ComBat (Johnson, Li and Rabinovic 2007): location and scale of each batch, fitted on training rows and taken out
    of any rows of the same batches.

    :param estimation: ``empirical-bayes`` shrinks the effects over the features; ``unshrunk`` takes them as they are.

    >>> rng = np.random.default_rng(0)
    >>> values, batches = rng.normal(size=(40, 6)), ["A"] * 20 + ["B"] * 20
    >>> values[20:] += 3
    >>> harmonised = Combat().fit(values, batches).transform(values, batches)
    >>> bool(abs(harmonised[:20].mean() - harmonised[20:].mean()) < 0.1)
    True
    """

    def __init__(self, estimation: str = "empirical-bayes") -> None:
        self.estimation = estimation
        self._fitted: _native.FittedCombat | None = None
        self._names: list[str] = []

    def fit(self, X: Any, batches: Sequence[Any], covariates: Any = None) -> Combat:
        """Fit the effects of the batches.

        :param covariates: numbers whose effect is kept, one row per patient.
        :raises AlnmError: with fewer than two batches, or a batch with fewer than two rows.
        """
        features = table(X)
        self._names = features.names
        self._fitted = _native.FittedCombat.fit(features, _names(batches), _covariates(covariates), self.estimation)
        return self

    def fit_reference(self, X: Any, batch: Any) -> Combat:
        """Take one batch as it is; others are brought onto it by :meth:`with_batch` (sva's ``ref.batch``)."""
        features = table(X)
        self._names = features.names
        self._fitted = _native.FittedCombat.reference(features, str(batch))
        return self

    def with_batch(self, X: Any, batch: Any) -> Combat:
        """The same fit with a batch that came later, such as the scanner of another hospital. Nothing that was fitted
        changes."""
        other = Combat(self.estimation)
        other._names = self._names
        other._fitted = self._model.with_batch(table(X, self._names), str(batch), self.estimation)
        return other

    def transform(self, X: Any, batches: Sequence[Any], covariates: Any = None) -> Any:
        """The features without the effects of their batches, as an array."""
        return self._model.apply(table(X, self._names), _names(batches), _covariates(covariates))

    def fit_transform(self, X: Any, batches: Sequence[Any], covariates: Any = None) -> Any:
        """:meth:`fit` and :meth:`transform` of the same rows."""
        return self.fit(X, batches, covariates).transform(X, batches, covariates)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the features."""
        del input_features
        return np.array(self._names, dtype=object)

    @property
    def batches_(self) -> list[str]:
        """The batches, fitted and added."""
        return self._model.batches()

    @property
    def location_(self) -> Any:
        """The location of each batch (rows) and feature, in standard deviations."""
        return np.array(self._model.location())

    @property
    def variance_(self) -> Any:
        """The variance of each batch (rows) and feature, relative to all."""
        return np.array(self._model.variance())

    @property
    def constant_features_(self) -> list[str]:
        """The features without variation, which are put back as they were."""
        return self._model.constant_features()

    @property
    def _model(self) -> _native.FittedCombat:
        if self._fitted is None:
            raise _native.AlnmError("this Combat is not fitted; call fit first")
        return self._fitted


def _names(batches: Sequence[Any]) -> list[str]:
    return [str(batch) for batch in batches]


def _covariates(covariates: Any) -> Table:
    return Table([], np.zeros((0, 0))) if covariates is None else table(covariates)


@dataclass(frozen=True)
class MrmrRanking:
    """Features ranked by mRMR, best first."""

    columns: Any
    names: list[str]
    scores: Any
    redundancy: Any
    relevance: Any
    """The relevance of all features, in the order of the table."""


def mrmr(X: Any, y: Any, count: int, *, variant: str = "mid", levels: int = 3) -> MrmrRanking:
    """Features with much relevance for the outcome and little redundancy among each other.

    :param count: how many.
    :param variant: ``mid`` or ``miq`` (mutual information of levels of equal size, difference or quotient), ``fcd`` or
        ``fcq`` (F statistic and correlation), ``mrmr-selection`` or ``mrmr-selection-max`` (the Python package of that
        name), ``mrmre`` (the R package).
    :param levels: number of levels of ``mid`` and ``miq``.
    """
    features = table(X)
    relevance, selected = _native.mrmr(features, labels(y), variant, levels, count)
    columns = [column for column, _, _ in selected]
    return MrmrRanking(
        np.array(columns, dtype=int),
        [features.names[column] for column in columns],
        np.array([score for _, score, _ in selected]),
        np.array([redundancy for _, _, redundancy in selected]),
        np.array(relevance),
    )


@dataclass(frozen=True)
class ElasticNetPath:
    """Solutions along falling penalties."""

    penalties: Any
    """λ in the units of glmnet."""
    intercepts: Any
    coefficients: Any
    """One row a penalty, on the scale of the features."""
    deviance_ratio: Any
    """Share of the deviance that each solution explains."""
    null_deviance: float
    complete: bool
    """Whether all penalties were solved within the passes allowed."""

    @property
    def degrees_of_freedom(self) -> Any:
        """Features with a coefficient other than 0."""
        return (self.coefficients != 0).sum(1)


@dataclass(frozen=True)
class _PathRequest:
    alpha: float
    lambdas: list[float] | None
    count: int
    ratio: float | None
    standardise: bool
    penalty_factors: list[float] | None
    optimality: float | None


def _request(
    alpha: float, penalties: Any, count: int, ratio: float | None, standardise: bool, factors: Any, optimality: Any
) -> _PathRequest:
    given = None if penalties is None else numbers(penalties, "the penalties")
    count = whole_number(count, "count", 10_000)
    return _PathRequest(
        alpha, given, count, ratio, standardise, None if factors is None else numbers(factors), optimality
    )


def elastic_net_path(
    X: Any,
    y: Any,
    *,
    family: str = "binomial",
    alpha: float = 1.0,
    penalties: Any = None,
    count: int = 100,
    ratio: float | None = None,
    standardise: bool = True,
    penalty_factors: Any = None,
    optimality: float | None = None,
) -> ElasticNetPath:
    """The path of R's ``glmnet``: with ``alpha`` 1 the LASSO, below it an elastic net.

    :param family: ``binomial`` for outcomes of 0 and 1, ``gaussian`` for numbers.
    :param penalties: these, in falling order; else ``count`` from the smallest that leaves no feature in the model to
        ``ratio`` times it.
    :param optimality: solve to this share of λ, for instance 1e-9; glmnet's precision where it is left out.
    """
    if family not in ("binomial", "gaussian"):
        raise _native.AlnmError(f"family is {family}; it must be binomial or gaussian")
    request = _request(alpha, penalties, count, ratio, standardise, penalty_factors, optimality)
    classes = labels(y) if family == "binomial" else None
    values = numbers(y, "the outcomes") if family == "gaussian" else None
    return ElasticNetPath(*_native.elastic_net_path(table(X), classes, values, request))


@dataclass(frozen=True)
class CrossValidatedPath:
    """A path of all rows with the measure of held-out rows at each penalty."""

    path: ElasticNetPath
    mean: Any
    standard_error: Any
    index_min: int
    """The place of the best penalty."""
    index_1se: int
    """The place of the largest penalty within one standard error of the best."""
    folds: Any
    """The fold of each row."""

    @property
    def penalty_min(self) -> float:
        """The best penalty (``lambda.min``)."""
        return float(self.path.penalties[self.index_min])

    @property
    def penalty_1se(self) -> float:
        """The largest penalty within one standard error of the best (``lambda.1se``)."""
        return float(self.path.penalties[self.index_1se])


def cross_validated_path(
    X: Any,
    y: Any,
    *,
    folds: int | Any = 10,
    seed: int = 0,
    measure: str = "deviance",
    alpha: float = 1.0,
    penalties: Any = None,
    count: int = 100,
    ratio: float | None = None,
    standardise: bool = True,
    penalty_factors: Any = None,
    optimality: float | None = None,
) -> CrossValidatedPath:
    """The cross-validated path of R's ``cv.glmnet`` for an outcome of 0 and 1.

    :param folds: how many, stratified by the outcome and shuffled from ``seed``; or the fold of each row, from 0.
    :param measure: ``deviance``, ``auc``, ``misclassification``, ``squared-error`` or ``absolute-error``.
    """
    request = _request(alpha, penalties, count, ratio, standardise, penalty_factors, optimality)
    given = None if isinstance(folds, int) else [int(fold) for fold in folds]
    path, mean, error, best, within, assignment = _native.cross_validated_path(
        table(X), labels(y), given, folds if given is None else 0, seed, measure, request
    )
    return CrossValidatedPath(ElasticNetPath(*path), mean, error, best, within, np.array(assignment))
