"""Statistics, selection and models: against the formulas, and against what other programs give."""

import numpy as np
import pytest

from alnm import AlnmError, models, selection, stats


@pytest.fixture
def cohort():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(120, 8))
    risk = 1 / (1 + np.exp(-(1.2 * features[:, 0] - 0.8 * features[:, 1])))
    return features, (rng.uniform(size=120) < risk).astype(int), risk


def concordance(outcome, scores):
    cases, controls = scores[outcome == 1], scores[outcome == 0]
    return ((cases[:, None] > controls).mean() + (cases[:, None] == controls).mean() / 2).item()


def test_auc_is_the_concordance(cohort):
    features, outcome, risk = cohort
    estimate = stats.auc(outcome, risk)
    assert estimate.auc == pytest.approx(concordance(outcome, risk))
    assert estimate.interval.lower < estimate.auc < estimate.interval.upper and estimate.interval.level == 0.95
    assert stats.auc(outcome, -risk, direction="lower").auc == estimate.auc
    with pytest.raises(AlnmError, match="direction is up; it must be one of higher, lower, auto"):
        stats.auc(outcome, risk, direction="up")
    with pytest.raises(AlnmError, match="an outcome is 2; it must be 0 or 1"):
        stats.auc([0, 1, 2], [1, 2, 3])
    with pytest.raises(AlnmError):
        stats.auc([0, 1, 1], [1, 2])
    with pytest.raises(AlnmError):
        stats.auc([0, 1], [1, np.nan])


def test_delong_is_that_of_proc():
    """pROC 1.18.5: roc.test(c(0,0,0,0,1,1,1,1), x, y, direction = "<"), method DeLong, paired, by its definition."""
    outcome = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    x, y = np.array([1, 2, 3, 6, 4, 5, 7, 8.0]), np.array([2, 4, 1, 7, 3, 8, 5, 6.0])
    test = stats.compare_aucs(outcome, x, y)

    def placements(scores):
        cases, controls = scores[outcome == 1], scores[outcome == 0]
        greater = (cases[:, None] > controls) + (cases[:, None] == controls) / 2
        return greater.mean(1), greater.mean(0)

    parts = [placements(scores) for scores in (x, y)]
    variance = sum(np.cov(*[part[side] for part in parts], ddof=1) / 4 for side in (0, 1))
    spread = np.sqrt(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1])
    assert test.statistic == pytest.approx((concordance(outcome, x) - concordance(outcome, y)) / spread)
    assert test.estimate == [concordance(outcome, x), concordance(outcome, y)]
    assert test.interval is not None
    many = stats.compare_many_aucs(outcome, np.column_stack([x, y, -x]), reference=0, adjustment="bonferroni")
    assert [(pair.first, pair.second) for pair in many] == [(1, 0), (2, 0)]
    assert many[0].test.statistic == pytest.approx(-test.statistic)
    assert many[0].adjusted_p_value == pytest.approx(min(2 * test.p_value, 1))
    apart = stats.compare_unpaired_aucs((outcome, x), (outcome, y))
    assert apart.estimate == test.estimate and abs(apart.statistic) < abs(test.statistic) + 10


def test_decision_curves_are_net_benefit(cohort):
    _, outcome, risk = cohort
    curve = stats.decision_curve(outcome, risk, [0.1, 0.3], resamples=200, seed=5)
    for place, threshold in enumerate((0.1, 0.3)):
        treated = risk >= threshold
        odds = threshold / (1 - threshold)
        benefit = (treated & (outcome == 1)).mean() - (treated & (outcome == 0)).mean() * odds
        assert curve.net_benefit[place] == pytest.approx(benefit)
        low, high = curve.net_benefit_interval[place]
        assert low < benefit < high
    again = stats.decision_curve(outcome, risk, [0.1, 0.3], resamples=200, seed=5)
    assert np.array_equal(again.net_benefit_interval, curve.net_benefit_interval)
    assert stats.decision_curve(outcome, risk, resamples=0).net_benefit_interval is None
    assert len(stats.decision_curve(outcome, risk, resamples=0).thresholds) == 100
    difference = stats.net_benefit_difference(outcome, risk, np.full(120, 0.4), [0.3], resamples=100)
    assert difference.interval.shape == (1, 2)
    with pytest.raises(AlnmError, match="threshold probability"):
        stats.decision_curve(outcome, risk, [1.5])


def test_calibration_of_true_risks(cohort):
    _, outcome, risk = cohort
    result = stats.calibration(outcome, risk)
    assert result.slope.interval.lower < 1 < result.slope.interval.upper
    assert result.in_the_large.interval.lower < 0 < result.in_the_large.interval.upper
    assert result.brier == pytest.approx(((outcome - risk) ** 2).mean())
    assert result.expected_over_observed == pytest.approx(risk.sum() / outcome.sum())
    assert result.observed_events == outcome.sum()
    curve = stats.calibration_curve(outcome, risk, points=11)
    assert curve.risks.shape == (11,) and curve.interval.shape == (11, 2)
    assert ((curve.interval[:, 0] <= curve.observed) & (curve.observed <= curve.interval[:, 1])).all()
    with pytest.raises(AlnmError, match="risk"):
        stats.calibration(outcome, risk + 1)


def test_icc_of_shrout_and_fleiss():
    """The example of Shrout and Fleiss 1979, whose table 4 gives 0.17, 0.29, 0.71, 0.44, 0.62, 0.91."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7.0]])
    forms = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
    assert [round(stats.icc(ratings, form).estimate, 2) for form in forms] == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    readers = [ratings[:, [reader]].repeat(3, 1) for reader in range(4)]
    found = stats.icc_of_features(readers)
    assert len(found) == 3 and found[0] == stats.icc(ratings)
    with pytest.raises(AlnmError, match="form is ICC; it must be one of"):
        stats.icc(ratings, "ICC")


def test_combat_takes_batches_out(cohort):
    features, _, _ = cohort
    batches = ["A"] * 60 + ["B"] * 60
    shifted = features.copy()
    shifted[60:] = 3 * shifted[60:] + 5
    combat = selection.Combat(estimation="unshrunk").fit(shifted, batches)
    harmonised = combat.transform(shifted, batches)
    assert np.allclose(harmonised[:60].mean(0), harmonised[60:].mean(0))
    assert np.allclose(harmonised[:60].std(0), harmonised[60:].std(0))
    assert np.array_equal(selection.Combat("unshrunk").fit_transform(shifted, batches), harmonised)
    assert combat.batches_ == ["A", "B"] and combat.location_.shape == (2, 8)
    assert combat.get_feature_names_out().tolist() == [f"x{place}" for place in range(8)]
    reference = selection.Combat().fit_reference(features[:60], "A")
    later = reference.with_batch(shifted[60:], "C")
    assert reference.batches_ == ["A"] and later.batches_ == ["A", "C"]
    assert np.allclose(later.transform(features[:60], ["A"] * 60), features[:60])
    with pytest.raises(AlnmError, match="not fitted; call fit first"):
        selection.Combat().transform(features, batches)
    with pytest.raises(AlnmError, match="number of batches"):
        selection.Combat().fit(features, ["A"] * 120)
    with pytest.raises(AlnmError):
        combat.transform(shifted, ["D"] * 120)


def test_mrmr_prefers_what_is_relevant_and_new(cohort):
    features, outcome, _ = cohort
    doubled = np.column_stack([features, features[:, 0] + 1e-3 * features[:, 7]])
    for variant in ("mid", "miq", "fcd", "fcq", "mrmr-selection", "mrmr-selection-max", "mrmre"):
        ranking = selection.mrmr(doubled, outcome, 3, variant=variant)
        assert len(ranking.columns) == 3 and len(ranking.relevance) == 9
        assert ranking.columns[0] == ranking.relevance.argmax() and len(set(ranking.columns)) == 3, variant
    with pytest.raises(AlnmError, match="variant is best"):
        selection.mrmr(features, outcome, 3, variant="best")


def test_paths_solve_their_conditions(cohort):
    features, outcome, _ = cohort
    path = selection.elastic_net_path(features, outcome, standardise=False, optimality=1e-10)
    assert path.complete and (np.diff(path.penalties) < 0).all() and path.degrees_of_freedom[0] == 0
    for intercept, coefficients, penalty in list(zip(path.intercepts, path.coefficients, path.penalties))[5::20]:
        risk = 1 / (1 + np.exp(-(intercept + features @ coefficients)))
        slope = features.T @ (outcome - risk) / 120
        assert (np.abs(slope) <= penalty * (1 + 1e-6)).all()
        active = coefficients != 0
        assert np.allclose(slope[active], penalty * np.sign(coefficients[active]), rtol=1e-6)
    gaussian = selection.elastic_net_path(features, features[:, 0] * 2 + 1, family="gaussian", penalties=[0.5, 0.1])
    assert gaussian.penalties.tolist() == [0.5, 0.1] and gaussian.coefficients[1, 0] > gaussian.coefficients[0, 0]
    chosen = selection.cross_validated_path(features, outcome, folds=5, seed=2)
    assert chosen.penalty_1se >= chosen.penalty_min and len(set(chosen.folds.tolist())) == 5
    given = selection.cross_validated_path(features, outcome, folds=chosen.folds)
    assert np.array_equal(given.mean, chosen.mean)
    with pytest.raises(AlnmError, match="family is poisson"):
        selection.elastic_net_path(features, outcome, family="poisson")
    with pytest.raises(AlnmError):
        selection.elastic_net_path(features, outcome, alpha=2.0)


class Frame(np.ndarray):
    """What a pandas data frame is taken for."""


def framed(features, names):
    frame = np.ascontiguousarray(features).view(Frame)
    frame.columns = list(names)
    return frame


def test_columns_of_a_fit_are_found_by_name(cohort):
    features, outcome, _ = cohort
    names = [f"f{place}" for place in range(8)]
    order = [5, 0, 7, 1, 6, 2, 4, 3]
    turned = framed(features[:, order], [names[place] for place in order])
    more = framed(np.column_stack([outcome, features]), ["outcome", *names])
    model = models.Firth().fit(framed(features, names), outcome)
    expected = model.predict_proba(features)
    for table in (framed(features, names), turned, more):
        assert np.array_equal(model.predict_proba(table), expected)
    # A fit without names goes by position.
    assert np.array_equal(models.Firth().fit(features, outcome).predict_proba(framed(features, names)), expected)
    # Names are names, also those that columns without names get; numbers are none.
    backwards = models.Firth().fit(framed(features[:, :2], ["x1", "x0"]), outcome)
    swapped = framed(features[:, [1, 0]], ["x0", "x1"])
    assert np.array_equal(backwards.predict_proba(swapped), backwards.predict_proba(features[:, :2]))
    numbered = models.Firth().fit(framed(features, range(8)), outcome)
    assert np.array_equal(numbered.predict_proba(framed(features, names)), expected)
    with pytest.raises(AlnmError, match="has the column 'f7' 0 times; it must have it once"):
        model.predict_proba(framed(features[:, :7], names[:7]))
    with pytest.raises(AlnmError, match="has the column 'f0' 2 times"):
        model.predict_proba(framed(features, ["f0", *names[:7]]))
    batches = ["a" if place % 2 else "b" for place in range(len(features))]
    combat = selection.Combat().fit(framed(features, names), batches)
    assert np.array_equal(combat.transform(turned, batches), combat.transform(features, batches))
    added = [combat.with_batch(table, "c").transform(features, ["c"] * len(features)) for table in (turned, features)]
    assert np.array_equal(*added)


def test_folds_may_be_a_number_of_numpy(cohort):
    features, outcome, _ = cohort
    found = [selection.cross_validated_path(features, outcome, folds=folds, seed=3) for folds in (5, np.int64(5))]
    assert np.array_equal(found[0].mean, found[1].mean)


def test_names_come_from_data_frames(cohort):
    features, outcome, _ = cohort
    frame = framed(features, [f"f{place}" for place in range(8)])
    assert selection.mrmr(frame, outcome, 1).names[0].startswith("f")
    assert [term.name for term in models.Firth().fit(frame, outcome).terms_][1] == "f0"


def test_tables_and_columns_of_arrow_are_read(cohort):
    nanoarrow = pytest.importorskip("nanoarrow")
    features, outcome, _ = cohort
    names = [f"f{place}" for place in range(8)]
    schema = nanoarrow.struct({name: nanoarrow.float64() for name in names})
    columns = [nanoarrow.c_array(column, nanoarrow.float64()) for column in features.T.tolist()]
    table = nanoarrow.Array(nanoarrow.c_array_from_buffers(schema, len(features), [None], children=columns))
    ones = nanoarrow.Array([int(value) for value in outcome], nanoarrow.int8())
    truths = nanoarrow.Array([bool(value) for value in outcome], nanoarrow.bool_())
    expected = models.Firth().fit(features, outcome)
    for labels in (ones, truths):
        model = models.Firth().fit(table, labels)
        assert [term.name for term in model.terms_] == ["(Intercept)", *names]
        assert np.array_equal(model.coef_, expected.coef_)
    missing = nanoarrow.Array([1, None, 3], nanoarrow.uint32())
    with pytest.raises(AlnmError, match="an outcome is"):
        stats.auc(missing, [1.0, 2.0, 3.0])
    with pytest.raises(AlnmError, match="the number of columns of the outcome is 8; it must be 1"):
        stats.auc(table, [1.0, 2.0, 3.0])
    words = nanoarrow.Array(["a", "b"], nanoarrow.string())
    with pytest.raises(AlnmError, match="is of Arrow's type Utf8; columns are numbers or booleans"):
        stats.auc([0, 1], words)


def test_firth_is_finite_where_predictors_separate():
    values, outcome = np.arange(1.0, 9.0)[:, None], np.array([0, 0, 0, 0, 1, 1, 1, 1])
    model = models.Firth().fit(values, outcome)
    assert np.isfinite(model.coef_).all() and model.coef_[0] > 0
    risks = model.predict_proba(values)
    assert np.allclose(risks.sum(1), 1) and (np.diff(risks[:, 1]) > 0).all()
    # The score of the penalised likelihood is 0: X'(y - p + h (1/2 - p)) = 0.
    design = np.column_stack([np.ones(8), values])
    p = risks[:, 1]
    weighted = design * np.sqrt(p * (1 - p))[:, None]
    leverage = np.einsum("ij,ji->i", weighted, np.linalg.solve(weighted.T @ weighted, weighted.T))
    assert np.allclose(design.T @ (outcome - p + leverage * (0.5 - p)), 0, atol=1e-5)
    with pytest.raises(AlnmError, match="call fit first"):
        models.Firth().predict_proba(values)
    with pytest.raises(AlnmError):
        models.Firth().fit(values, np.ones(8))
