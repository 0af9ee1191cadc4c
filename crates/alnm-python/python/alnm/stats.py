"""Comparison of ROC curves, decision curves, calibration and agreement of readers, with confidence intervals.

Outcomes are a sequence of booleans or of 0 and 1, one per patient, in which 1 is the event; scores and risks are
numbers, one per patient in the same order. A risk is a predicted probability of the event, from 0 to 1. Sequences may
be lists, NumPy arrays, pandas series or Arrow columns. Random draws come from a seed: the same input gives the same
results, bit for bit.

The functions raise :class:`alnm.AlnmError` for sequences of different length, a missing score or risk, outcomes of one
class only where both are needed, a word that is not among the choices, and a parameter out of range. ``level`` is a
confidence level, above 0 and below 1.

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
    """An area under a ROC curve (AUC)."""

    auc: float
    """The area, from 0 to 1."""
    standard_error: float
    """DeLong's standard error; NaN where one class has a single patient."""
    interval: Interval
    """Normal confidence interval, clipped to 0 and 1; NaN where the standard error is."""


def auc(outcome: Any, scores: Any, *, direction: str = "higher", level: float = 0.95) -> AucEstimate:
    """The area under the ROC curve with the standard error and interval of DeLong et al. (1988), as pROC's ``ci.auc``.

    :param outcome: the outcome of each patient.
    :param scores: the score of each patient, any numbers.
    :param direction: which scores indicate the event: ``higher`` (right for risks) or ``lower`` ones; or ``auto``,
        which chooses ``higher`` unless the median of the controls exceeds that of the cases. A direction that is chosen
        on the data makes the area optimistic.
    :param level: confidence level.
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
    """DeLong's test of two scores of the same patients (pROC's ``roc.test``).

    :param outcome: the outcome of each patient.
    :param first: the first score of each patient.
    :param second: the second score of each patient.
    :param direction: as in :func:`auc`, for both scores; ``auto`` chooses it for each score.
    :param alternative: the alternative hypothesis: ``two-sided``, ``less`` (the first area is smaller) or ``greater``.
    :param level: confidence level.
    :returns: a z test. Its estimates are the two areas, and its interval is that of their difference, first minus
        second.
    :raises AlnmError: also where one class has a single patient.
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
    """DeLong's test of two ROC curves of different patients (pROC's ``roc.test`` with ``paired = FALSE``).

    :param first: the outcomes and the scores of the first patients, as a pair.
    :param second: the outcomes and the scores of the other patients.
    :param direction: as in :func:`auc`.
    :param alternative: as in :func:`compare_aucs`.
    :returns: a t test with Satterthwaite's degrees of freedom. Its estimates are the two areas; it has no interval.
        Statistic and p-value are NaN where a class has a single patient, or where both curves are perfect.
    """
    pairs = [(labels(outcome), numbers(scores)) for outcome, scores in (first, second)]
    return test_result(_native.unpaired_auc_test(pairs[0], pairs[1], direction, alternative))


@dataclass(frozen=True)
class AucComparison:
    """A comparison of two of several scores."""

    first: int
    """Column of the first score, counted from 0."""
    second: int
    """Column of the second score."""
    test: TestResult
    """The two-sided test of :func:`compare_aucs`."""
    adjusted_p_value: float
    """p-value adjusted for the number of comparisons."""


def compare_many_aucs(
    outcome: Any,
    scores: Any,
    *,
    reference: int | None = None,
    adjustment: str = "holm",
    direction: str = "higher",
    level: float = 0.95,
) -> list[AucComparison]:
    """DeLong's two-sided tests of several scores of the same patients, with p-values adjusted for the number of tests.

    :param outcome: the outcome of each patient.
    :param scores: an array or table (patients, scores) with at least two columns.
    :param reference: column, counted from 0, with which each other one is compared; without it each column is compared
        with each other.
    :param adjustment: ``bonferroni``, ``holm``, ``hochberg``, ``hommel``, ``benjamini-hochberg`` or
        ``benjamini-yekutieli``.
    :param direction: as in :func:`auc`, for all scores; ``auto`` chooses it for each score.
    :param level: confidence level.
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
    """Net benefit over thresholds. Fields are arrays with one value per threshold; intervals are arrays (thresholds, 2)
    of lower and upper ends, or None where there were no resamples."""

    prevalence: float
    """Share of events, or the prevalence that was given."""
    thresholds: Any
    """Threshold probabilities t; a patient is treated where the risk is at least t."""
    true_positive_rate: Any
    """True positives divided by the number of all patients."""
    false_positive_rate: Any
    """False positives divided by the number of all patients."""
    net_benefit: Any
    """Net benefit: true positive rate - false positive rate · t / (1 - t). Treating nobody has net benefit 0."""
    standardised_net_benefit: Any
    """Net benefit divided by the prevalence, at most 1."""
    treat_all: Any
    """Net benefit of treating all patients."""
    interventions_avoided: Any
    """Interventions avoided per patient, compared with treating all: (net benefit - treat all) / (t / (1 - t)); NaN at
    t = 0."""
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
    """The decision curve of predicted risks (Vickers and Elkin 2006; R's ``dcurves``), with percentile intervals of the
    bootstrap. Resamples are drawn within the classes of the outcome, so that they keep the number of events.

    :param outcome: the outcome of each patient.
    :param risks: the predicted risk of each patient.
    :param thresholds: threshold probabilities, from 0 to below 1; by default 0 to 0.99 in steps of 0.01.
    :param prevalence: prevalence of the event in the target population, above 0 and below 1, for data in which cases
        and controls were selected (a case-control study). The curve then has no intervals.
    :param resamples: number of resamples, 0 to 1000000; 0 leaves the intervals out.
    :param seed: seed of the resamples.
    :param level: confidence level of the intervals.
    """
    places = np.arange(100) / 100 if thresholds is None else thresholds
    draws = _draws(0 if prevalence is not None else resamples, seed, level)
    share, points, ends = _native.decision_curve(labels(outcome), numbers(risks), numbers(places), prevalence, draws)
    intervals = [ends[:, place : place + 2] if len(ends) else None for place in (0, 2, 4)]
    return DecisionCurve(share, *points.T, *intervals)


@dataclass(frozen=True)
class NetBenefitDifference:
    """Difference between the net benefits of two models over thresholds."""

    thresholds: Any
    """Threshold probabilities."""
    difference: Any
    """Net benefit of the first model minus that of the second, at each threshold."""
    interval: Any
    """Interval of the difference, an array (thresholds, 2) of lower and upper ends."""


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
    """The difference between the net benefits of two models of the same patients, with percentile intervals of the
    bootstrap. Each resample gives both curves, so that what they have in common cancels.

    :param outcome: the outcome of each patient.
    :param first: the risks by the first model.
    :param second: the risks by the second model.
    :param thresholds: threshold probabilities, from 0 to below 1.
    :param resamples: number of resamples, 1 to 1000000, drawn within the classes of the outcome.
    :param seed: seed of the resamples.
    :param level: confidence level of the intervals.
    """
    draws = _draws(resamples, seed, level)
    rows = _native.net_benefit_difference(labels(outcome), numbers(first), numbers(second), numbers(thresholds), draws)
    return NetBenefitDifference(rows[:, 0], rows[:, 1], rows[:, 2:])


@dataclass(frozen=True)
class WaldEstimate:
    """An estimate with its standard error, on the scale of log odds."""

    estimate: float
    standard_error: float
    interval: Interval
    """Wald's interval, estimate ± z · standard error."""


@dataclass(frozen=True)
class Calibration:
    """Agreement of predicted risks with observed outcomes."""

    in_the_large: WaldEstimate
    """Calibration in the large: the intercept of a logistic regression of the outcome with the logit of the risk as
    offset. 0 is perfect."""
    intercept: WaldEstimate
    """Intercept of a logistic regression of the outcome on the logit of the risk; 0 is perfect."""
    slope: WaldEstimate
    """Calibration slope: the slope of that regression. 1 is perfect; below 1, risks are too extreme."""
    unreliability: TestResult
    """Likelihood ratio test of intercept 0 and slope 1, with 2 degrees of freedom."""
    expected_events: float
    """Expected number of events: the sum of the risks."""
    observed_events: int
    """Observed number of events."""
    expected_over_observed: float
    """Expected divided by observed events."""
    expected_over_observed_interval: Interval
    """Interval of this ratio, computed on the log scale."""
    brier: float
    """Brier score: the mean squared difference of risk and outcome."""
    scaled_brier: float
    """1 - Brier score / (m (1 - m)), with the share m of events; 1 is perfect, 0 no better than the prevalence."""
    log_loss: float
    """Mean logarithmic loss."""
    integrated_calibration_index: float
    """Integrated calibration index (ICI): the mean distance of a lowess curve from the diagonal over the patients, in
    units of risk."""
    e50: float
    """Median of that distance."""
    e90: float
    """90th percentile of that distance."""
    emax: float
    """Largest such distance."""


def calibration(outcome: Any, risks: Any, *, level: float = 0.95) -> Calibration:
    """Calibration of predicted risks, with the definitions of R's ``rms::val.prob`` and ``CalibrationCurves``.

    :param outcome: the outcome of each patient.
    :param risks: the predicted risk of each patient, above 0 and below 1.
    :param level: confidence level of the intervals.
    :raises AlnmError: also for risks that are all equal, and risks that separate the outcome.
    """
    large, intercept, slope, test, events, brier, error = _native.calibration_of(labels(outcome), numbers(risks), level)
    wald = [WaldEstimate(estimate, spread, interval(limits)) for estimate, spread, limits in (large, intercept, slope)]
    expected, observed, ratio, limits = events
    values = [*wald, test_result(test), expected, observed, ratio, interval(limits), *brier, *error]
    return Calibration(*values)


@dataclass(frozen=True)
class CalibrationCurve:
    """A smooth calibration curve with a pointwise confidence band."""

    risks: Any
    """Predicted risks, evenly spaced from the lowest to the highest."""
    observed: Any
    """Smoothed share of events at each of these risks."""
    interval: Any
    """Confidence interval of this share, an array (points, 2) of lower and upper ends."""


def calibration_curve(outcome: Any, risks: Any, *, points: int = 101, level: float = 0.95) -> CalibrationCurve:
    """The smoothed share of events over the predicted risk: logistic regression of the outcome on a restricted cubic
    spline of the logit of the risk, with three knots. The band is Wald's, computed on the log odds.

    :param outcome: the outcome of each patient, of at least ten.
    :param risks: the predicted risk of each patient, above 0 and below 1.
    :param points: number of points of the curve, 2 to 1000000.
    :param level: confidence level of the band at each point.
    :raises AlnmError: also for risks of which too many are equal, and an outcome that the spline separates.
    """
    points = count(points, "points", 1_000_000)
    rows = _native.calibration_curve(labels(outcome), numbers(risks), points, level)
    return CalibrationCurve(rows[:, 0], rows[:, 1], rows[:, 2:])


@dataclass(frozen=True)
class Icc:
    """An intraclass correlation coefficient (ICC) with its F test and interval."""

    estimate: float
    """The coefficient; it may be negative."""
    f: float
    """F statistic of the hypothesis that there is no agreement."""
    df1: float
    """Degrees of freedom of the numerator."""
    df2: float
    """Degrees of freedom of the denominator."""
    p_value: float
    interval: Interval


def _icc(parts: Any) -> Icc:
    estimate, f, df1, df2, p_value, limits = parts
    return Icc(estimate, f, df1, df2, p_value, interval(limits))


def icc(ratings: Any, form: str = "ICC(2,1)", *, estimation: str = "anova", level: float = 0.95) -> Icc:
    """The intraclass correlation of ratings (Shrout and Fleiss 1979; R's ``psych::ICC``).

    :param ratings: an array or table (subjects, raters), at least two of each, without missing ratings.
    :param form: ``ICC(1,1)`` (one-way random effects), ``ICC(2,1)`` (two-way random effects, absolute agreement) or
        ``ICC(3,1)`` (two-way mixed effects, consistency) for a single rating; ``ICC(1,k)``, ``ICC(2,k)`` or
        ``ICC(3,k)`` for the mean of all ratings of a subject.
    :param estimation: how variance components are estimated: ``anova``, by mean squares, where components may be
        negative; or ``reml``, by restricted maximum likelihood with components of at least 0.
    :param level: confidence level.
    """
    return _icc(_native.icc(matrix(ratings, "the ratings"), form, estimation, level))


def icc_of_features(
    readers: Sequence[Any], form: str = "ICC(2,1)", *, estimation: str = "anova", level: float = 0.95
) -> list[Icc]:
    """The intraclass correlation of each feature between readers.

    :param readers: one array or table (subjects, features) per reader, with the same rows and columns in the same
        order; column names are not compared.
    :param form: as in :func:`icc`.
    :param estimation: as in :func:`icc`.
    :param level: confidence level.
    :returns: one coefficient per feature, in the order of the columns.
    """
    tables = [matrix(reader, "the table of a reader") for reader in readers]
    return [_icc(parts) for parts in _native.icc_features(tables, form, estimation, level)]
