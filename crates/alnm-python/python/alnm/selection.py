"""Harmonisation of features between scanners (ComBat), ranking of features by mRMR, and the paths of the LASSO and the
elastic net.

Tables have one row per patient and one column per feature: NumPy arrays, or pandas data frames and tables of Arrow,
whose column names are used. Missing values raise :class:`alnm.AlnmError`, as do tables and outcomes of different length
and parameters out of range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.results import Columns, Table, labels, numbers, table
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
    """ComBat (Johnson, Li and Rabinovic 2007): the location and scale of each batch, such as a scanner, are estimated
    on training rows and removed from any rows of the same batches.

    :param estimation: ``empirical-bayes`` shrinks the effects of the batches over the features; ``unshrunk`` estimates
        them for each feature by itself.

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
        self._columns = Columns([], False)

    def fit(self, X: Any, batches: Sequence[Any], covariates: Any = None) -> Combat:
        """Estimate the effects of the batches.

        :param X: the features, a table (patients, features).
        :param batches: the batch of each patient; values are compared as text.
        :param covariates: a table (patients, covariates) of numbers whose effects on the features are kept.
        :returns: this object.
        :raises AlnmError: for fewer than two batches, a batch with fewer than two rows, and covariates that the batches
            determine.
        """
        features = table(X)
        self._columns = features.columns
        self._fitted = _native.FittedCombat.fit(features, _names(batches), _covariates(covariates), self.estimation)
        return self

    def fit_reference(self, X: Any, batch: Any) -> Combat:
        """Take one batch as the reference, which stays as it is. Other batches are brought onto it by
        :meth:`with_batch` (``ref.batch`` of R's sva).

        :param X: the features of the patients of the reference batch, at least two.
        :param batch: the name of the batch.
        :returns: this object.
        """
        features = table(X)
        self._columns = features.columns
        self._fitted = _native.FittedCombat.reference(features, str(batch))
        return self

    def with_batch(self, X: Any, batch: Any) -> Combat:
        """The same fit with one more batch, such as the scanner of another hospital, whose location and scale are
        estimated against the fitted means and standard deviations. Nothing that was fitted before changes. A true
        difference between the new patients and those of the fit is removed together with the effect of the scanner.

        :param X: the features of the patients of the new batch, at least two, with the columns of the fit: by name
            where both have names, otherwise in the same order.
        :param batch: the name of the new batch.
        :returns: a new object; this one stays as it is.
        :raises AlnmError: before a fit, for a fit with covariates, and for a batch that is known already.
        """
        other = Combat(self.estimation)
        other._columns = self._columns
        other._fitted = self._model.with_batch(self._columns.of(X), str(batch), self.estimation)
        return other

    def transform(self, X: Any, batches: Sequence[Any], covariates: Any = None) -> Any:
        """The features without the effects of the batches.

        :param X: the features, with the columns of the fit: by name where both have names, otherwise in the same order.
        :param batches: the batch of each patient, one of those that were fitted or added.
        :param covariates: the covariates of the fit, where it had any.
        :returns: an array (patients, features).
        :raises AlnmError: before a fit, for an unknown batch, and for other columns than those of the fit.
        """
        return self._model.apply(self._columns.of(X), _names(batches), _covariates(covariates))

    def fit_transform(self, X: Any, batches: Sequence[Any], covariates: Any = None) -> Any:
        """:meth:`fit` followed by :meth:`transform` of the same rows."""
        return self.fit(X, batches, covariates).transform(X, batches, covariates)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the features, as an array. The argument is there for scikit-learn and has no effect."""
        del input_features
        return np.array(self._columns.names, dtype=object)

    @property
    def batches_(self) -> list[str]:
        """The names of the batches: those of the fit in alphabetical order, then those that were added."""
        return self._model.batches()

    @property
    def location_(self) -> Any:
        """The locations, an array (batches, features), in units of the pooled standard deviation of each feature."""
        return np.array(self._model.location())

    @property
    def variance_(self) -> Any:
        """The variances, an array (batches, features), relative to the pooled variance of each feature."""
        return np.array(self._model.variance())

    @property
    def constant_features_(self) -> list[str]:
        """The names of the features that did not vary in the rows of the fit, which are left as they are."""
        return self._model.constant_features()

    @property
    def _model(self) -> _native.FittedCombat:
        if self._fitted is None:
            raise _native.AlnmError("this Combat is not fitted; call fit first")
        return self._fitted


def _names(batches: Sequence[Any]) -> list[str]:
    return [str(batch) for batch in batches]


def _covariates(covariates: Any) -> Table:
    return Table(Columns([], False), np.zeros((0, 0))) if covariates is None else table(covariates)


@dataclass(frozen=True)
class MrmrRanking:
    """A ranking of features by mRMR. All fields but ``relevance`` have one value per selected feature, best first."""

    columns: Any
    """Columns of the selected features, counted from 0."""
    names: list[str]
    """Their names."""
    scores: Any
    """Their scores at the step at which they were selected."""
    redundancy: Any
    """Their redundancy with the features that were selected before; 0 for the first one."""
    relevance: Any
    """The relevance of all features, in the order of the table."""


def mrmr(X: Any, y: Any, count: int, *, variant: str = "mid", levels: int = 3) -> MrmrRanking:
    """Select features by minimum redundancy and maximum relevance (mRMR): one after the other, each with the best
    balance of relevance for the outcome and redundancy with the features selected before. The variants of mRMR measure
    these two differently, and select different features.

    :param X: the features, a table (patients, features). A feature that does not vary should be left out before.
    :param y: outcomes of 0 and 1, one per patient.
    :param count: number of features to select, at least 1; all are ranked where the table has fewer.
    :param variant: ``mid`` or ``miq``: mutual information of discretised features, relevance minus or divided by mean
        redundancy (Peng et al. 2005); ``fcd`` or ``fcq``: F statistic minus or divided by mean absolute correlation;
        ``mrmr-selection`` or ``mrmr-selection-max``: the Python package mrmr-selection with the mean or the largest
        redundancy; ``mrmre``: the R package mRMRe.
    :param levels: number of levels of equal size into which ``mid`` and ``miq`` cut each feature, at least 2.
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
    """Solutions of a penalised regression along falling penalties."""

    penalties: Any
    """The penalties λ, in the units of glmnet, falling."""
    intercepts: Any
    """The intercept at each penalty."""
    coefficients: Any
    """The coefficients, an array (penalties, features), per unit of each feature."""
    deviance_ratio: Any
    """Share of the null deviance that the solution at each penalty explains."""
    null_deviance: float
    """Deviance of the model that has an intercept only."""
    complete: bool
    """Whether all penalties were solved. Otherwise the largest number of passes over the features (100000) was reached,
    and the path ends early, as glmnet's does."""

    @property
    def degrees_of_freedom(self) -> Any:
        """The number of features with a coefficient other than 0, at each penalty."""
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
    """The path of solutions of the LASSO or an elastic net over penalties, as R's ``glmnet`` computes it.

    :param X: the features, a table (patients, features).
    :param y: the outcomes, one per patient.
    :param family: ``binomial`` (logistic regression, for outcomes of 0 and 1) or ``gaussian`` (least squares, for
        numbers).
    :param alpha: share of the absolute penalty, from 0 to 1: 1 is the LASSO, 0 ridge regression, and a number between
        them an elastic net.
    :param penalties: the penalties λ, at least 0, in falling order. Without them ``count`` penalties are taken in
        geometric order, from the smallest that leaves no feature in the model down to ``ratio`` times it; the path then
        ends early where further penalties gain next to nothing, as glmnet's does.
    :param count: number of penalties, 1 to 10000.
    :param ratio: smallest divided by largest penalty, above 0 and below 1. The default is 1e-4, or 1e-2 where there are
        fewer patients than features.
    :param standardise: whether the penalty applies to features scaled to unit variance.
    :param penalty_factors: relative penalty of each feature, at least 0; a feature with factor 0 is not penalised. The
        default is 1 for each.
    :param optimality: the share of λ, above 0 and below 1, to which the optimality conditions have to hold, for
        instance 1e-9. Without it a solution is as precise as glmnet's with its default threshold.
    :raises AlnmError: also for outcomes of one class only.
    """
    if family not in ("binomial", "gaussian"):
        raise _native.AlnmError(f"family is {family}; it must be binomial or gaussian")
    request = _request(alpha, penalties, count, ratio, standardise, penalty_factors, optimality)
    classes = labels(y) if family == "binomial" else None
    values = numbers(y, "the outcomes") if family == "gaussian" else None
    return ElasticNetPath(*_native.elastic_net_path(table(X), classes, values, request))


@dataclass(frozen=True)
class CrossValidatedPath:
    """The path of all rows, with a measure of the prediction of held-out rows at each penalty."""

    path: ElasticNetPath
    """The path that was fitted to all rows."""
    mean: Any
    """Mean of the measure over the folds, weighted by their sizes, at each penalty."""
    standard_error: Any
    """Standard error of this mean at each penalty."""
    index_min: int
    """Position of the penalty with the best mean, counted from 0."""
    index_1se: int
    """Position of the largest penalty whose mean is within one standard error of the best."""
    folds: Any
    """The fold in which each row was held out, counted from 0."""

    @property
    def penalty_min(self) -> float:
        """The penalty with the best mean (glmnet's ``lambda.min``)."""
        return float(self.path.penalties[self.index_min])

    @property
    def penalty_1se(self) -> float:
        """The largest penalty whose mean is within one standard error of the best (glmnet's ``lambda.1se``)."""
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
    """The path of the LASSO or an elastic net for an outcome of 0 and 1, with cross-validation as in R's ``cv.glmnet``.

    :param X: the features, a table (patients, features).
    :param y: outcomes of 0 and 1, one per patient.
    :param folds: number of folds, at least 2, which are stratified by the outcome and shuffled from ``seed``; or the
        fold of each row, counted from 0.
    :param seed: seed of the folds.
    :param measure: what is averaged over held-out rows: ``deviance``, ``auc``, ``misclassification``, ``squared-error``
        or ``absolute-error``. As in glmnet, ``auc`` is replaced by ``deviance`` where a fold has fewer than ten rows.

    The other parameters are those of :func:`elastic_net_path`.

    :raises AlnmError: also where the training rows of a fold have outcomes of one class only.
    """
    request = _request(alpha, penalties, count, ratio, standardise, penalty_factors, optimality)
    given = None if isinstance(folds, (int, np.integer)) else [int(fold) for fold in folds]
    path, mean, error, best, within, assignment = _native.cross_validated_path(
        table(X), labels(y), given, int(folds) if given is None else 0, seed, measure, request
    )
    return CrossValidatedPath(ElasticNetPath(*path), mean, error, best, within, np.array(assignment))
