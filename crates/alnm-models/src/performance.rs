//! Performance of predictions in one form for every kind of outcome: a binary outcome, ordered categories, counts, and
//! times to an event.
//!
//! Each function gives an [`OutcomePerformance`]: measures of discrimination, calibration and overall distance with
//! their intervals and the value that a perfect model has, so that one table of a report serves all outcomes.
//!
//! ```
//! use alnm_models::Labels;
//! use alnm_models::performance::{Aspect, binary_performance};
//! use alnm_stats::data_table::Tabulate;
//! let labels = Labels::new((0..40).map(|i| i % 3 == 0 || i > 28).collect());
//! let risks: Vec<f64> = (0..40).map(|i| (f64::from(i) + 0.5) / 40.0).collect();
//! let performance = binary_performance(&labels, &risks, 0.95)?;
//! let slope = performance.measure("calibration slope").expect("risks that vary");
//! assert_eq!((slope.aspect, slope.perfect), (Aspect::Calibration, 1.0));
//! assert!(performance.to_table().to_csv().starts_with("outcome,"));
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_stats::calibration::{ExpectedObserved, Recalibration, WaldEstimate, brier, expected_observed, recalibrate};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::delong::auc_estimate;
#[cfg(feature = "regression")]
use alnm_stats::describe::mean;
#[cfg(feature = "regression")]
use alnm_stats::ordinal::{ordinal_c, ordinal_performance};
use alnm_stats::roc::{Direction, RocCurve};
#[cfg(feature = "regression")]
use alnm_stats::survival::{
    ConcordanceParams, FollowUp, calibration_at, harrell_c, prediction_error, time_dependent_auc, uno_c,
};
use alnm_stats::{Interval, StatsError};
#[cfg(feature = "regression")]
use ndarray::ArrayView2;

use crate::Labels;
#[cfg(feature = "regression")]
use crate::error::ModelError;
use crate::error::Result;
#[cfg(feature = "regression")]
use crate::proportional_odds::OrderedOutcome;

/// Kind of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OutcomeKind {
    /// An event or none.
    Binary,
    /// Ordered categories.
    Ordinal,
    /// A count.
    Count,
    /// The time to an event.
    TimeToEvent,
}

impl OutcomeKind {
    /// The kind in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ordinal => "ordinal",
            Self::Count => "count",
            Self::TimeToEvent => "time to event",
        }
    }
}

/// What a measure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Aspect {
    /// Whether patients with the event, or with more of it, have higher predictions.
    Discrimination,
    /// Whether predictions equal what is observed.
    Calibration,
    /// How far predictions lie from what is observed.
    Overall,
}

impl Aspect {
    /// The aspect in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discrimination => "discrimination",
            Self::Calibration => "calibration",
            Self::Overall => "overall",
        }
    }
}

/// One measure of a performance.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PerformanceMeasure {
    /// Name of the measure.
    pub name: String,
    /// What it is about.
    pub aspect: Aspect,
    /// Its value.
    pub estimate: f64,
    /// Its interval, where the measure has one.
    pub interval: Option<Interval>,
    /// The value of a perfect model.
    pub perfect: f64,
}

/// Performance of predictions of an outcome of any kind. A measure that the patients do not determine (calibration of
/// risks that are all equal, for instance) is left out.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OutcomePerformance {
    /// Kind of the outcome.
    pub outcome: OutcomeKind,
    /// Number of patients.
    pub patients: usize,
    /// Number of patients with the event; above the lowest category, or with a count above 0.
    pub events: usize,
    /// The measures.
    pub measures: Vec<PerformanceMeasure>,
}

impl OutcomePerformance {
    /// The measure of the given name.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<&PerformanceMeasure> {
        self.measures.iter().find(|measure| measure.name == name)
    }

    fn new(outcome: OutcomeKind, patients: usize, events: usize) -> Self {
        Self { outcome, patients, events, measures: Vec::new() }
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        aspect: Aspect,
        estimate: f64,
        interval: Option<Interval>,
        perfect: f64,
    ) {
        self.measures.push(PerformanceMeasure { name: name.into(), aspect, estimate, interval, perfect });
    }

    fn add_wald(&mut self, name: impl Into<String>, wald: WaldEstimate, perfect: f64) {
        self.add(name, Aspect::Calibration, wald.estimate, Some(wald.interval), perfect);
    }

    fn add_recalibration(&mut self, suffix: &str, recalibration: &Recalibration) {
        self.add_wald(format!("calibration in the large{suffix}"), recalibration.in_the_large, 0.0);
        self.add_wald(format!("calibration slope{suffix}"), recalibration.slope, 1.0);
    }
}

/// Performance of the risks of a binary outcome: AUC, observed over expected, calibration in the large and slope, Brier
/// score and its scaled form.
///
/// # Errors
/// [`crate::ModelError::Statistics`] for labels of one class, for risks outside [0, 1] or of another number, and for a
/// level outside (0, 1).
pub fn binary_performance(labels: &Labels, risks: &[f64], level: f64) -> Result<OutcomePerformance> {
    let mut performance = OutcomePerformance::new(OutcomeKind::Binary, labels.len(), labels.positives());
    let area = auc_estimate(&RocCurve::new(labels, risks, Direction::HigherIsPositive)?, level)?;
    performance.add("AUC", Aspect::Discrimination, area.auc, Some(area.interval), 1.0);
    let ExpectedObserved { observed_over_expected, poisson_interval, .. } = expected_observed(labels, risks, level)?;
    let name = "observed over expected";
    performance.add(name, Aspect::Calibration, observed_over_expected, Some(poisson_interval), 1.0);
    if let Some(recalibration) = determined(recalibrate(labels, risks, level))? {
        performance.add_recalibration("", &recalibration);
    }
    let score = brier(labels, risks)?;
    performance.add("Brier score", Aspect::Overall, score.score, None, 0.0);
    performance.add("scaled Brier score", Aspect::Overall, score.scaled, None, 1.0);
    Ok(performance)
}

/// Performance of the probabilities, patients × categories, of an ordered outcome, for instance those of
/// [`ProportionalOdds::predict`](crate::proportional_odds::ProportionalOdds::predict): concordance, and for each cut (a
/// category or above) observed over expected, calibration in the large and slope; ranked probability score and its
/// skill.
///
/// # Errors
/// [`crate::ModelError::Parameter`] when the probabilities have another number of columns than the outcome has
/// categories, [`crate::ModelError::Statistics`] as [`alnm_stats::ordinal::ordinal_performance`].
///
/// ```
/// use alnm_models::FeatureTable;
/// use alnm_models::performance::ordinal_outcome_performance;
/// use alnm_models::proportional_odds::{OrderedOutcome, ProportionalOdds, ProportionalOddsParams};
/// use ndarray::Array2;
/// let stages: Vec<usize> = (0..60).map(|i| (i % 10 + i % 7) / 6).collect();
/// let nodes = OrderedOutcome::new(&["N0", "N1", "N2"], stages)?;
/// let size = Array2::from_shape_fn((60, 1), |(i, _)| (i % 10) as f64);
/// let table = FeatureTable::new(vec!["size".into()], size)?;
/// let model = ProportionalOdds::fit(&table, &nodes, &ProportionalOddsParams::default())?;
/// let performance = ordinal_outcome_performance(&nodes, model.predict(&table)?.view(), 0.95)?;
/// assert!(performance.measure("C").is_some_and(|c| c.estimate > 0.6));
/// assert!(performance.measure("calibration slope at N1 or above").is_some());
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[cfg(feature = "regression")]
pub fn ordinal_outcome_performance(
    outcome: &OrderedOutcome,
    probabilities: ArrayView2<'_, f64>,
    level: f64,
) -> Result<OutcomePerformance> {
    if probabilities.ncols() != outcome.categories().len() {
        let name = "number of columns of the probabilities";
        return Err(ModelError::parameter(name, probabilities.ncols(), "the number of categories of the outcome"));
    }
    let outcomes = outcome.values();
    let judged = ordinal_performance(outcomes, probabilities, level)?;
    let events = outcomes.iter().filter(|outcome| **outcome > 0).count();
    let mut performance = OutcomePerformance::new(OutcomeKind::Ordinal, outcomes.len(), events);
    let concordance = judged.concordance;
    performance.add("C", Aspect::Discrimination, concordance.c, Some(concordance.interval), 1.0);
    for cut in &judged.cuts {
        let suffix = format!(" at {} or above", outcome.categories()[cut.from]);
        let ratio = cut.events as f64 / cut.expected;
        performance.add(format!("observed over expected{suffix}"), Aspect::Calibration, ratio, None, 1.0);
        if let Some(recalibration) = &cut.recalibration {
            performance.add_recalibration(&suffix, recalibration);
        }
    }
    performance.add("ranked probability score", Aspect::Overall, judged.ranked_probability_score, None, 0.0);
    performance.add("ranked probability skill", Aspect::Overall, judged.skill, None, 1.0);
    Ok(performance)
}

/// Performance of the predicted means of counts: concordance, observed over expected sum, calibration slope (the
/// coefficient of the log mean in a Poisson regression, without an interval since counts vary more than Poisson
/// counts), mean absolute and root mean squared error.
///
/// # Errors
/// [`crate::ModelError::Parameter`] for a mean that is not finite and above 0, [`ModelError::Statistics`] for another
/// number of means, for counts that are all equal, and for a level outside (0, 1).
#[cfg(feature = "regression")]
pub fn count_performance(counts: &[u64], means: &[f64], level: f64) -> Result<OutcomePerformance> {
    use crate::FeatureTable;
    use crate::count::{CountFamily, CountModel, CountParams};
    if let Some(&bad) = means.iter().find(|m| !(m.is_finite() && **m > 0.0)) {
        return Err(ModelError::parameter("predicted mean of a count", bad, "finite and above 0"));
    }
    let observed: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
    let concordance = ordinal_c(&observed, means, level)?;
    let events = counts.iter().filter(|count| **count > 0).count();
    let mut performance = OutcomePerformance::new(OutcomeKind::Count, counts.len(), events);
    performance.add("C", Aspect::Discrimination, concordance.c, Some(concordance.interval), 1.0);
    let ratio = observed.iter().sum::<f64>() / means.iter().sum::<f64>();
    performance.add("observed over expected", Aspect::Calibration, ratio, None, 1.0);
    let log_means = means.iter().map(|m| m.ln()).collect();
    let table = FeatureTable::from_columns(vec![("log mean".to_owned(), log_means)])?;
    let slope = CountModel::fit(&table, counts, &CountParams::new(CountFamily::Poisson));
    // Equal means determine no slope.
    if let Some(term) = slope.ok().as_ref().and_then(|model| model.term("log mean").ok()) {
        performance.add("calibration slope", Aspect::Calibration, term.estimate, None, 1.0);
    }
    let errors: Vec<f64> = observed.iter().zip(means).map(|(y, m)| y - m).collect();
    let absolute: Vec<f64> = errors.iter().map(|e| e.abs()).collect();
    let squared: Vec<f64> = errors.iter().map(|e| e * e).collect();
    performance.add("mean absolute error", Aspect::Overall, mean(&absolute), None, 0.0);
    performance.add("root mean squared error", Aspect::Overall, mean(&squared).sqrt(), None, 0.0);
    Ok(performance)
}

/// Performance of the risks of an event by `time` under censoring: Harrell's and Uno's C up to the time, the area at
/// the time, observed over expected, Brier score and its scaled form.
///
/// # Errors
/// [`crate::ModelError::Statistics`] for risks outside [0, 1] or of another number, a time beyond the follow-up, no
/// event by the time, and a level outside (0, 1).
#[cfg(feature = "regression")]
pub fn time_to_event_performance(
    follow_up: &FollowUp,
    risks: &[f64],
    time: f64,
    level: f64,
) -> Result<OutcomePerformance> {
    let mut performance =
        OutcomePerformance::new(OutcomeKind::TimeToEvent, follow_up.len(), follow_up.number_of_events());
    let error = prediction_error(follow_up, risks, time, level)?;
    let params = ConcordanceParams::default().with_level(level).with_horizon(time);
    for (name, concordance) in
        [("Harrell's C", harrell_c(follow_up, risks, params)?), ("Uno's C", uno_c(follow_up, risks, params)?)]
    {
        performance.add(name, Aspect::Discrimination, concordance.c, Some(concordance.interval), 1.0);
    }
    let areas = determined(time_dependent_auc(follow_up, risks, &[time], level))?;
    if let Some(area) = areas.as_ref().and_then(|areas| areas.first()) {
        performance.add("AUC at the time", Aspect::Discrimination, area.auc, Some(area.interval), 1.0);
    }
    let calibration = calibration_at(follow_up, risks, time, 1, level)?;
    let (ratio, interval) = (calibration.observed_over_expected, calibration.interval);
    performance.add("observed over expected", Aspect::Calibration, ratio, Some(interval), 1.0);
    performance.add("Brier score", Aspect::Overall, error.brier, Some(error.interval), 0.0);
    performance.add("scaled Brier score", Aspect::Overall, error.scaled, None, 1.0);
    Ok(performance)
}

/// The result, or nothing where the data do not determine it.
fn determined<T>(result: std::result::Result<T, StatsError>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StatsError::Undefined { .. } | StatsError::Constant { .. } | StatsError::NotConverged { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

impl Tabulate for OutcomePerformance {
    const COLUMNS: &'static [&'static str] =
        &["outcome", "patients", "events", "aspect", "measure", "estimate", "lower", "upper", "perfect"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |measure: &PerformanceMeasure| {
            let head = cells![self.outcome.name(), self.patients, self.events, measure.aspect.name(), &measure.name];
            let ends = measure.interval.map(|i| [i.lower, i.upper]);
            [head, cells![measure.estimate, ends.map(|e| e[0]), ends.map(|e| e[1]), measure.perfect]].concat()
        };
        self.measures.iter().map(row).collect()
    }
}
