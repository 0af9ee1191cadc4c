"""Comparison of ROC curves, decision curves, calibration and agreement of readers, with intervals.

Outcomes are 0 and 1 or booleans, scores and risks numbers of the same length. Whatever is drawn at random comes from a
seed, and the same input gives the same bits.

>>> outcome = [0, 0, 0, 1, 1, 1]
>>> round(auc(outcome, [0.1, 0.4, 0.3, 0.35, 0.8, 0.9]).auc, 4)
0.8889
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alnm import _native
from alnm.results import Interval, TestResult, count, interval, labels, matrix, numbers, test_result

__all__ = [
    "AucComparison",
    "AucEstimate",
    "Calibration",
    "CalibrationCurve",
    "DecisionCurve",
    "Icc",
    "Interval",
    "NetBenefitDifference",
    "TestResult",
    "WaldEstimate",
    "auc",
    "calibration",
    "calibration_curve",
    "compare_aucs",
    "compare_many_aucs",
    "compare_unpaired_aucs",
    "decision_curve",
    "icc",
    "icc_of_features",
    "net_benefit_difference",
]


@dataclass(frozen=True)
class AucEstimate:
    """An area under a ROC curve."""

    auc: float
    standard_error: float
    interval: Interval


def auc(outcome: Any, scores: Any, *, direction: str = "higher", level: float = 0.95) -> AucEstimate:
    """The area under the ROC curve with DeLong's standard error and interval (pROC's ``ci.auc``).

    :param direction: ``higher`` or ``lower`` scores speak for the outcome; ``auto`` takes what the medians say.
    """
    area, error, limits = _native.auc(labels(outcome), numbers(scores), direction, level)
    return AucEstimate(area, error, interval(limits))


def compare_aucs(
    outcome: Any,
    first: Any,
    second: Any,
    *,
    direction: str = "higher",
    alternative: str = "two-sided",
    level: float = 0.95,
) -> TestResult:
    """DeLong's test of two scores of the same patients (pROC's ``roc.test``). The estimates are the two areas, the
    interval that of their difference.

    :param alternative: ``two-sided``, ``less`` (the first area is smaller) or ``greater``.
    """
    parts = _native.paired_auc_test(labels(outcome), numbers(first), numbers(second), direction, alternative, level)
    return test_result(parts)


def compare_unpaired_aucs(
    first: tuple[Any, Any],
    second: tuple[Any, Any],
    *,
    direction: str = "higher",
    alternative: str = "two-sided",
) -> TestResult:
    """DeLong's test of two curves of different patients, each given as (outcome, scores)."""
    pairs = [(labels(outcome), numbers(scores)) for outcome, scores in (first, second)]
    return test_result(_native.unpaired_auc_test(pairs[0], pairs[1], direction, alternative))


@dataclass(frozen=True)
class AucComparison:
    """A comparison of two of several scores."""

    first: int
    second: int
    test: TestResult
    adjusted_p_value: float


def compare_many_aucs(
    outcome: Any,
    scores: Any,
    *,
    reference: int | None = None,
    adjustment: str = "holm",
    direction: str = "higher",
    level: float = 0.95,
) -> list[AucComparison]:
    """DeLong's tests between the columns of ``scores``, with p-values adjusted for their number.

    :param reference: compare all with this column, in place of all with all.
    :param adjustment: ``bonferroni``, ``holm``, ``hochberg``, ``hommel``, ``benjamini-hochberg`` or
        ``benjamini-yekutieli``.
    """
    columns = matrix(scores, "the scores").T.tolist()
    tests = _native.paired_auc_tests(labels(outcome), columns, reference, adjustment, direction, level)
    return [AucComparison(first, second, test_result(test), p_value) for first, second, test, p_value in tests]


@dataclass(frozen=True)
class _Draws:
    resamples: int
    seed: int
    level: float


def _draws(resamples: int, seed: int, level: float) -> _Draws:
    return _Draws(count(resamples, "resamples", 1_000_000), seed, level)


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit over thresholds, each an array; intervals are arrays of (lower, upper), or None without resamples."""

    prevalence: float
    thresholds: Any
    true_positive_rate: Any
    false_positive_rate: Any
    net_benefit: Any
    standardised_net_benefit: Any
    treat_all: Any
    interventions_avoided: Any
    """Interventions avoided for a hundred patients."""
    net_benefit_interval: Any
    standardised_net_benefit_interval: Any
    interventions_avoided_interval: Any


def decision_curve(
    outcome: Any,
    risks: Any,
    thresholds: Any = None,
    *,
    prevalence: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> DecisionCurve:
    """The decision curve of predicted risks (Vickers and Elkin 2006; R's ``dcurves``) with bootstrap intervals, drawn
    within the classes of the outcome.

    :param thresholds: from 0 to below 1; 0 to 0.99 in steps of 0.01 where they are left out.
    :param prevalence: that of another population, for data in which cases were selected. It has no intervals.
    :param resamples: 0 leaves the intervals out.
    """
    places = np.arange(100) / 100 if thresholds is None else thresholds
    draws = _draws(0 if prevalence is not None else resamples, seed, level)
    share, points, ends = _native.decision_curve(labels(outcome), numbers(risks), numbers(places), prevalence, draws)
    intervals = [ends[:, place : place + 2] if len(ends) else None for place in (0, 2, 4)]
    return DecisionCurve(share, *points.T, *intervals)


@dataclass(frozen=True)
class NetBenefitDifference:
    """Net benefit of a first model minus that of a second over thresholds."""

    thresholds: Any
    difference: Any
    interval: Any
    """(lower, upper) for each threshold."""


def net_benefit_difference(
    outcome: Any,
    first: Any,
    second: Any,
    thresholds: Any,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> NetBenefitDifference:
    """The difference of two decision curves of the same patients with bootstrap intervals."""
    draws = _draws(resamples, seed, level)
    rows = _native.net_benefit_difference(labels(outcome), numbers(first), numbers(second), numbers(thresholds), draws)
    return NetBenefitDifference(rows[:, 0], rows[:, 1], rows[:, 2:])


@dataclass(frozen=True)
class WaldEstimate:
    """An estimate with its standard error."""

    estimate: float
    standard_error: float
    interval: Interval


@dataclass(frozen=True)
class Calibration:
    """How well predicted risks agree with what happened."""

    in_the_large: WaldEstimate
    """Intercept with the logit of the risk as offset; 0 is perfect."""
    intercept: WaldEstimate
    slope: WaldEstimate
    """Slope of the logit of the risk; 1 is perfect."""
    unreliability: TestResult
    """Intercept 0 and slope 1 against free ones."""
    expected_events: float
    observed_events: int
    expected_over_observed: float
    expected_over_observed_interval: Interval
    brier: float
    scaled_brier: float
    log_loss: float
    integrated_calibration_index: float
    """Mean distance of a lowess curve from the diagonal; then its median, 90th percentile and largest."""
    e50: float
    e90: float
    emax: float


def calibration(outcome: Any, risks: Any, *, level: float = 0.95) -> Calibration:
    """Calibration of predicted risks, which lie above 0 and below 1 (``rms::val.prob``, ``CalibrationCurves``)."""
    large, intercept, slope, test, events, brier, error = _native.calibration_of(labels(outcome), numbers(risks), level)
    wald = [WaldEstimate(estimate, spread, interval(limits)) for estimate, spread, limits in (large, intercept, slope)]
    expected, observed, ratio, limits = events
    values = [*wald, test_result(test), expected, observed, ratio, interval(limits), *brier, *error]
    return Calibration(*values)


@dataclass(frozen=True)
class CalibrationCurve:
    """A smooth calibration curve with a pointwise band."""

    risks: Any
    observed: Any
    interval: Any
    """(lower, upper) for each point."""


def calibration_curve(outcome: Any, risks: Any, *, points: int = 101, level: float = 0.95) -> CalibrationCurve:
    """The observed share of events over predicted risk, by a restricted cubic spline with three knots."""
    points = count(points, "points", 1_000_000)
    rows = _native.calibration_curve(labels(outcome), numbers(risks), points, level)
    return CalibrationCurve(rows[:, 0], rows[:, 1], rows[:, 2:])


@dataclass(frozen=True)
class Icc:
    """An intraclass correlation with its F test and interval."""

    estimate: float
    f: float
    df1: float
    df2: float
    p_value: float
    interval: Interval


def _icc(parts: Any) -> Icc:
    estimate, f, df1, df2, p_value, limits = parts
    return Icc(estimate, f, df1, df2, p_value, interval(limits))


def icc(ratings: Any, form: str = "ICC(2,1)", *, estimation: str = "anova", level: float = 0.95) -> Icc:
    """The intraclass correlation of ratings, one row a subject, one column a rater (``psych::ICC``).

    :param form: ``ICC(1,1)``, ``ICC(2,1)``, ``ICC(3,1)``, ``ICC(1,k)``, ``ICC(2,k)`` or ``ICC(3,k)``.
    :param estimation: ``anova``, or ``reml`` with components held at 0 or above.
    """
    return _icc(_native.icc(matrix(ratings, "the ratings"), form, estimation, level))


def icc_of_features(
    readers: Sequence[Any], form: str = "ICC(2,1)", *, estimation: str = "anova", level: float = 0.95
) -> list[Icc]:
    """The intraclass correlation of each feature between readers, whose tables have the same rows and columns."""
    tables = [matrix(reader, "the table of a reader") for reader in readers]
    return [_icc(parts) for parts in _native.icc_features(tables, form, estimation, level)]
