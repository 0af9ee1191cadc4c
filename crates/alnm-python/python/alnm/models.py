"""Firth's logistic regression, whose estimates are finite also where the predictors separate the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.results import Columns, Interval, interval, labels, table

__all__ = ["Firth", "FirthTerm"]


@dataclass(frozen=True)
class FirthTerm:
    """A coefficient of the model."""

    name: str
    """Name of the predictor, or ``(Intercept)``."""
    estimate: float
    """Penalised estimate: log odds ratio per unit of the predictor."""
    standard_error: float
    """Standard error from the Fisher information."""
    wald_p: float
    """Two-sided p-value of the Wald test."""
    p_value: float
    """p-value of the penalised likelihood ratio test."""
    interval: Interval
    """Profile interval of the penalised likelihood; an end that the likelihood does not bound is infinite."""


class Firth:
    """Logistic regression by Firth's penalised likelihood (Firth 1993, Heinze and Schemper 2002; R's ``logistf``).

    :param level: confidence level of the intervals, above 0 and below 1.

    After :meth:`fit`, these attributes hold the result: ``terms_``, the intercept and then the predictors that were
    kept, in the order of the columns; ``aliased_``, the names of predictors that depend linearly on earlier ones and
    were left out; ``penalised_log_likelihood_`` at the optimum; and ``iterations_``, the number of Newton steps.

    >>> model = Firth().fit([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], [0, 0, 0, 1, 1, 1])
    >>> [term.name for term in model.terms_]
    ['(Intercept)', 'x0']
    """

    def __init__(self, level: float = 0.95) -> None:
        self.level = level
        self.terms_: list[FirthTerm] = []
        self._columns = Columns([], False)

    def fit(self, X: Any, y: Any) -> Firth:
        """Fit the model.

        :param X: predictors, an array (patients, predictors), or a pandas data frame or a table of Arrow, whose column
            names are used.
        :param y: outcomes of 0 and 1, one per patient.
        :returns: the model itself.
        :raises AlnmError: for missing values, outcomes of one class only, another number of outcomes than of rows, a
            level out of range, and a fit that does not converge.
        """
        features = table(X)
        terms, aliased, likelihood, iterations = _native.firth(features, labels(y), self.level)
        self._columns = features.columns
        self.terms_ = [
            FirthTerm(name, estimate, error, wald_p, p_value, interval(limits))
            for name, estimate, error, wald_p, p_value, limits in terms
        ]
        self.aliased_ = aliased
        self.penalised_log_likelihood_ = likelihood
        self.iterations_ = iterations
        return self

    @property
    def intercept_(self) -> float:
        """The intercept, on the scale of log odds."""
        return self._estimates().get("(Intercept)", 0.0)

    @property
    def coef_(self) -> Any:
        """The coefficients in the order of the columns; 0 for predictors that were left out (``aliased_``)."""
        estimates = self._estimates()
        return np.array([estimates.get(name, 0.0) for name in self._columns.names])

    def predict_proba(self, X: Any) -> Any:
        """The predicted probabilities of the outcomes.

        :param X: predictors with the columns of the fit: by name where both have names, otherwise in the same order.
        :returns: an array (patients, 2) with the probability of outcome 0 and that of outcome 1, the risk.
        :raises AlnmError: before :meth:`fit`, and for other columns than those of the fit.
        """
        coefficients, intercept = self.coef_, self.intercept_
        risks = 1 / (1 + np.exp(-(intercept + self._columns.of(X).values @ coefficients)))
        return np.column_stack([1 - risks, risks])

    def _estimates(self) -> dict[str, float]:
        if not self.terms_:
            raise _native.AlnmError("this Firth is not fitted; call fit first")
        return {term.name: term.estimate for term in self.terms_}
