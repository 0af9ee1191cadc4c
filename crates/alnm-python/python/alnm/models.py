"""Firth's logistic regression, which is finite where predictors separate the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.results import Interval, interval, labels, table

__all__ = ["Firth", "FirthTerm"]


@dataclass(frozen=True)
class FirthTerm:
    """A term of the model."""

    name: str
    estimate: float
    standard_error: float
    wald_p: float
    p_value: float
    """Of the penalised likelihood ratio test."""
    interval: Interval
    """From the profile of the penalised likelihood."""


class Firth:
    """Logistic regression by Firth's penalised likelihood (Firth 1993, Heinze and Schemper 2002; R's ``logistf``).

    :param level: level of the intervals.

    >>> model = Firth().fit([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], [0, 0, 0, 1, 1, 1])
    >>> [term.name for term in model.terms_]
    ['(Intercept)', 'x0']
    """

    def __init__(self, level: float = 0.95) -> None:
        self.level = level
        self.terms_: list[FirthTerm] = []
        self._names: list[str] = []

    def fit(self, X: Any, y: Any) -> Firth:
        """Fit the model.

        :param X: one row per patient; a pandas data frame or a table of Arrow brings the names of its columns.
        :param y: outcomes of 0 and 1.
        :raises AlnmError: for tables that cannot be fitted.
        """
        features = table(X)
        terms, aliased, likelihood, iterations = _native.firth(features, labels(y), self.level)
        self._names = features.names
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
        """The intercept."""
        return self._estimates().get("(Intercept)", 0.0)

    @property
    def coef_(self) -> Any:
        """The coefficients in the order of the columns; 0 for those that others determine."""
        estimates = self._estimates()
        return np.array([estimates.get(name, 0.0) for name in self._names])

    def predict_proba(self, X: Any) -> Any:
        """The risks of rows: columns for the outcomes 0 and 1."""
        coefficients, intercept = self.coef_, self.intercept_
        risks = 1 / (1 + np.exp(-(intercept + table(X, self._names).values @ coefficients)))
        return np.column_stack([1 - risks, risks])

    def _estimates(self) -> dict[str, float]:
        if not self.terms_:
            raise _native.AlnmError("this Firth is not fitted; call fit first")
        return {term.name: term.estimate for term in self.terms_}
