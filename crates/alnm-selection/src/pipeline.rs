//! A selection as a list of steps that are fitted together, on training rows only, and end in a score.

use std::collections::BTreeSet;

use alnm_stats::Labels;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};

use crate::FeatureTable;
use crate::correlation_filter::CorrelationFilterParams;
use crate::cross_fitting::in_each_fold;
use crate::cross_validation::CrossValidatedPath;
use crate::error::{Result, SelectionError};
use crate::folds::{FoldOrder, Folds};
use crate::lasso::LassoParams;
use crate::mrmr::MrmrParams;
#[cfg(feature = "serde")]
use crate::saved::SavedFormat;
use crate::signature::Signature;
use crate::univariate::UnivariateParams;
use crate::variance_filter::{NearZeroVarianceParams, feature_spreads};

/// A step of a selection.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Step {
    /// Keeps the named features, for instance those on which two readers agree.
    Keep {
        /// Why the other features go, as the report prints it.
        reason: String,
        /// Names of the features.
        features: Vec<String>,
    },
    /// Removes features whose values are all equal.
    ZeroVariance,
    /// Removes features that hardly vary.
    NearZeroVariance(NearZeroVarianceParams),
    /// Removes features that do not differ between the outcome classes.
    Univariate(UnivariateParams),
    /// Removes one of each pair of features that correlate strongly.
    CorrelationFilter(CorrelationFilterParams),
    /// Keeps the best features by mRMR.
    Mrmr(MrmrParams),
    /// LASSO or elastic net with a cross-validated penalty, whose coefficients are the score. It must be the last step.
    Lasso(LassoParams),
}

impl Step {
    /// Name of the step, as the report prints it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keep { .. } => "kept features",
            Self::ZeroVariance => "zero variance",
            Self::NearZeroVariance(_) => "near-zero variance",
            Self::Univariate(_) => "univariate screen",
            Self::CorrelationFilter(_) => "correlation filter",
            Self::Mrmr(_) => "mRMR",
            Self::Lasso(_) => "LASSO",
        }
    }

    /// LASSO with glmnet's defaults, ten stratified folds and `lambda.min`.
    #[must_use]
    pub fn lasso(order: FoldOrder) -> Self {
        Self::Lasso(LassoParams::new(order))
    }

    /// Refuses parameters outside their range.
    fn check(&self) -> Result<()> {
        match self {
            Self::Keep { .. } | Self::ZeroVariance => Ok(()),
            Self::NearZeroVariance(params) => params.check().map(drop),
            Self::Univariate(params) => params.check().map(drop),
            Self::CorrelationFilter(params) => params.check().map(drop),
            Self::Mrmr(params) => params.clone().check().map(drop),
            Self::Lasso(params) => params.clone().check().map(drop),
        }
    }
}

/// A selection that has not been fitted: the name of the score and the steps, in order.
///
/// ```
/// use alnm_selection::folds::FoldOrder;
/// use alnm_selection::{Pipeline, Step};
/// let pipeline = Pipeline::new("RadScore").then(Step::ZeroVariance).then(Step::lasso(FoldOrder::Shuffled { seed: 1 }));
/// assert_eq!(pipeline.steps().len(), 2);
/// pipeline.check()?;
/// // A LASSO ends a selection.
/// let refused = pipeline.then(Step::ZeroVariance).check().unwrap_err();
/// assert_eq!(refused.to_string(), "place of the LASSO among the steps is 2; it must be the last");
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[must_use]
pub struct Pipeline {
    score: String,
    steps: Vec<Step>,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct StepReport {
    /// Name of the step.
    pub step: String,
    /// Number of features before the step.
    pub before: usize,
    /// Number of features after the step.
    pub after: usize,
    /// The features that the step removed, and why.
    pub removed: Vec<Removal>,
}

/// A removed feature.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Removal {
    /// Name of the feature.
    pub feature: String,
    /// Why it was removed.
    pub reason: String,
}

/// A fitted selection: the selected features, the score and how it came about.
///
/// A file of a fitted selection is written by [`FittedPipeline::to_json`] and read by [`FittedPipeline::from_json`],
/// which refuses a file that was damaged or edited.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Fit"))]
pub struct FittedPipeline(Fit);

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Fit {
    pipeline: Pipeline,
    training_rows: usize,
    training_events: usize,
    report: Vec<StepReport>,
    selected: Vec<String>,
    signature: Option<Signature>,
    lasso: Option<CrossValidatedPath>,
}

impl Pipeline {
    /// A selection without steps, which keeps every feature. `score` is the name of the score that it will give.
    pub fn new(score: &str) -> Self {
        Self { score: score.to_owned(), steps: Vec::new() }
    }

    /// The selection with one more step at its end.
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Name of the score.
    #[must_use]
    pub fn score(&self) -> &str {
        &self.score
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Refuses steps that cannot be fitted, whatever the data; [`Pipeline::fit`] does so first.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] when a parameter of a step is outside its range or a LASSO is not the last step.
    pub fn check(&self) -> Result<()> {
        let place = self.steps.iter().position(|step| matches!(step, Step::Lasso(_)));
        if let Some(place) = place.filter(|place| place + 1 < self.steps.len()) {
            return Err(SelectionError::parameter("place of the LASSO among the steps", place + 1, "the last"));
        }
        self.steps.iter().try_for_each(Step::check)
    }

    /// Fits all steps to the given rows, which are training rows and nothing else. A missing value may stand in a
    /// feature only until a step needs it.
    ///
    /// # Errors
    /// [`SelectionError::NothingLeft`] names the step that removes every feature; the errors of [`Pipeline::check`] and
    /// of the steps.
    pub fn fit(&self, table: &FeatureTable, labels: &Labels) -> Result<FittedPipeline> {
        self.check()?;
        table.require_rows(labels.len())?;
        let mut current = table.clone();
        let mut fit = Fit {
            pipeline: self.clone(),
            training_rows: labels.len(),
            training_events: labels.positives(),
            report: Vec::new(),
            selected: Vec::new(),
            signature: None,
            lasso: None,
        };
        for step in &self.steps {
            let removed = match step {
                Step::Lasso(params) => {
                    let lasso = params.clone().check()?.fit(&self.score, &current, labels)?;
                    let kept: BTreeSet<&str> = lasso.signature.weights().iter().map(|w| w.feature.as_str()).collect();
                    let removed = removals(&current, |name| !kept.contains(name), || "coefficient 0".to_owned());
                    fit.signature = Some(lasso.signature);
                    fit.lasso = Some(lasso.path);
                    removed
                }
                filter => filter.removals(&current, labels)?,
            };
            let before = current.columns();
            let gone: BTreeSet<&str> = removed.iter().map(|removal| removal.feature.as_str()).collect();
            let kept: Vec<String> =
                current.names().iter().filter(|name| !gone.contains(name.as_str())).cloned().collect();
            if kept.is_empty() {
                return Err(SelectionError::NothingLeft { step: step.name() });
            }
            current = current.select(&kept)?;
            fit.report.push(StepReport { step: step.name().to_owned(), before, after: kept.len(), removed });
        }
        fit.selected = current.names().to_vec();
        Ok(FittedPipeline(fit))
    }

    /// Scores of every row from a selection that never saw it: all steps are fitted once per fold, on the other folds.
    ///
    /// # Errors
    /// As [`Pipeline::fit`], within any fold; [`SelectionError::Shape`] when labels, folds and rows differ in number;
    /// [`SelectionError::Parameter`] when the selection does not end in a LASSO, which gives the score.
    ///
    /// ```
    /// use alnm_selection::folds::{FoldOrder, Folds};
    /// use alnm_selection::{FeatureTable, Labels, Pipeline, Step};
    /// use ndarray::Array2;
    /// let labels = Labels::new((0..60).map(|row| row % 2 == 0).collect());
    /// let values = Array2::from_shape_fn((60, 3), |(row, column)| {
    ///     let noise = ((row * (3 * column + 5)) % 13) as f64;
    ///     if column == 0 && row % 2 == 0 { noise + 4.0 } else { noise }
    /// });
    /// let table = FeatureTable::new(vec!["a".into(), "b".into(), "c".into()], values)?;
    /// let folds = Folds::stratified(&labels, 3, FoldOrder::Shuffled { seed: 1 })?;
    /// let selection = Pipeline::new("score").then(Step::ZeroVariance).then(Step::lasso(FoldOrder::AsGiven));
    /// let honest = selection.cross_fit(&table, &labels, &folds)?;
    /// assert_eq!((honest.scores.len(), honest.fits.len()), (60, 3));
    /// # Ok::<(), alnm_selection::SelectionError>(())
    /// ```
    pub fn cross_fit(&self, table: &FeatureTable, labels: &Labels, folds: &Folds) -> Result<CrossFittedScore> {
        folds.require_rows(table.rows())?;
        table.require_rows(labels.len())?;
        let fits_and_scores = in_each_fold(folds, |split| {
            let fit = self.fit(&table.select_rows(&split.training), &labels.select(&split.training))?;
            let scores = fit.score(&table.select_rows(&split.held_out))?;
            Ok::<_, SelectionError>((fit, scores))
        })?;
        let (fits, of_folds): (Vec<_>, Vec<_>) = fits_and_scores.into_iter().unzip();
        let scores = folds.in_row_order(of_folds)?;
        Ok(CrossFittedScore { scores, fits })
    }
}

/// Scores of rows that were held out, and the selections behind them.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CrossFittedScore {
    /// One score per row, from the selection that was fitted without the row's fold.
    pub scores: Vec<f64>,
    /// The selection of each fold.
    pub fits: Vec<FittedPipeline>,
}

impl FittedPipeline {
    /// The selection that was fitted.
    pub fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    /// Number of training rows.
    #[must_use]
    pub fn training_rows(&self) -> usize {
        self.0.training_rows
    }

    /// Number of events among the training rows.
    #[must_use]
    pub fn training_events(&self) -> usize {
        self.0.training_events
    }

    /// What each step removed.
    #[must_use]
    pub fn report(&self) -> &[StepReport] {
        &self.0.report
    }

    /// Names of the features that are left, in the order of the columns.
    #[must_use]
    pub fn selected(&self) -> &[String] {
        &self.0.selected
    }

    /// The score, when the last step is a LASSO.
    #[must_use]
    pub fn signature(&self) -> Option<&Signature> {
        self.0.signature.as_ref()
    }

    /// The cross-validated path of the LASSO, when that is the last step.
    #[must_use]
    pub fn lasso(&self) -> Option<&CrossValidatedPath> {
        self.0.lasso.as_ref()
    }

    /// The score of new rows. Columns are found by name.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] when the selection does not end in a LASSO, [`SelectionError::MissingColumn`] when
    /// the table lacks a feature of the score.
    pub fn score(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let last = || self.0.pipeline.steps.last().map_or("absent", Step::name);
        match &self.0.signature {
            Some(signature) => signature.apply(table),
            None => {
                Err(SelectionError::parameter("last step of the selection", last(), "a LASSO, which gives a score"))
            }
        }
    }

    /// The selected columns of a new table.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`] when the table lacks one of them.
    pub fn transform(&self, table: &FeatureTable) -> Result<FeatureTable> {
        table.select(&self.0.selected)
    }
}

#[cfg(feature = "serde")]
impl FittedPipeline {
    /// The file that a fitted selection is saved in. Version 1 had no hash.
    const SAVED: SavedFormat = SavedFormat::new("alnm-selection", 2, "selection");

    /// The fitted selection as JSON with a hash over its content; see [`crate::saved`].
    ///
    /// # Errors
    /// [`SelectionError::Saved`] when a number has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        Ok(Self::SAVED.to_json(self)?)
    }

    /// Reads what [`FittedPipeline::to_json`] wrote.
    ///
    /// # Errors
    /// [`SelectionError::Saved`] for a text that is no saved selection, is one of another version, or was damaged or
    /// edited.
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(Self::SAVED.from_json(text)?)
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Fit> for FittedPipeline {
    type Error = SelectionError;

    /// A selection as a file states it satisfies what a fitted one does.
    fn try_from(read: Fit) -> Result<Self> {
        match read.contradiction() {
            Some(reason) => Err(SelectionError::Inconsistent { what: "fitted selection", reason }),
            None => {
                read.pipeline.check()?;
                Ok(Self(read))
            }
        }
    }
}

#[cfg(feature = "serde")]
impl Fit {
    /// What no fit would have left behind.
    fn contradiction(&self) -> Option<String> {
        let Self { pipeline, training_rows, training_events, report, selected, signature, lasso } = self;
        if training_events > training_rows {
            return Some(format!("it has {training_events} events among {training_rows} training rows"));
        }
        if report.len() != pipeline.steps.len() {
            return Some(format!("it has {} steps and reports of {}", pipeline.steps.len(), report.len()));
        }
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let removed = report.iter().flat_map(|step| &step.removed).map(|removal| &removal.feature);
        if let Some(name) = selected.iter().chain(removed).find(|name| !names.insert(name)) {
            return Some(format!("the feature {name:?} is selected or removed twice"));
        }
        let mut left = names.len();
        for (step, reported) in pipeline.steps.iter().zip(report) {
            if step.name() != reported.step {
                return Some(format!("the step {:?} has the report of {:?}", step.name(), reported.step));
            }
            let after = left - reported.removed.len();
            if (reported.before, reported.after) != (left, after) || after == 0 {
                return Some(format!(
                    "the step {:?} reports {} features before and {} after it, but there are {left} and {after}",
                    reported.step, reported.before, reported.after
                ));
            }
            left = after;
        }
        match (pipeline.steps.last(), signature, lasso) {
            (Some(Step::Lasso(params)), Some(signature), Some(lasso)) => {
                let path = lasso.path();
                let expected =
                    Signature::of_coefficients(&pipeline.score, path.names(), lasso.coefficients(params.choice));
                if expected.as_ref() != Ok(signature) {
                    return Some("the score is not that of the chosen penalty of the LASSO".to_owned());
                }
                let features: Vec<&String> = signature.weights().iter().map(|weight| &weight.feature).collect();
                if features != selected.iter().collect::<Vec<_>>() {
                    return Some("the features of the score are not the selected ones".to_owned());
                }
                let entered = report.last().map_or(0, |step| step.before);
                (path.names().len() != entered)
                    .then(|| format!("the LASSO was fitted to {} features of {entered}", path.names().len()))
            }
            (Some(Step::Lasso(_)), ..) => Some("the score or the path of the LASSO is missing".to_owned()),
            (_, None, None) => None,
            _ => Some("it has a score but no LASSO".to_owned()),
        }
    }
}

/// The columns of a table that satisfy a condition, with the reason why they go.
fn removals(table: &FeatureTable, goes: impl Fn(&str) -> bool, reason: impl Fn() -> String) -> Vec<Removal> {
    table.names().iter().filter(|name| goes(name)).map(|name| removal(name, reason())).collect()
}

fn removal(feature: &str, reason: String) -> Removal {
    Removal { feature: feature.to_owned(), reason }
}

impl Step {
    /// The features that a filter removes from `table`.
    fn removals(&self, table: &FeatureTable, labels: &Labels) -> Result<Vec<Removal>> {
        match self {
            Self::Keep { reason, features } => {
                table.select(features)?;
                let kept: BTreeSet<&str> = features.iter().map(String::as_str).collect();
                Ok(removals(table, |name| !kept.contains(name), || reason.clone()))
            }
            Self::ZeroVariance => Ok(feature_spreads(table)?
                .iter()
                .filter(|spread| spread.zero_variance)
                .map(|spread| removal(&spread.feature, "all values are equal".to_owned()))
                .collect()),
            Self::NearZeroVariance(params) => {
                let rule = params.check()?;
                Ok(feature_spreads(table)?
                    .iter()
                    .filter(|spread| rule.holds(spread))
                    .map(|s| {
                        let reason =
                            format!("frequency ratio {:.1}, {:.1} % distinct", s.frequency_ratio, s.percent_unique);
                        removal(&s.feature, reason)
                    })
                    .collect())
            }
            Self::Univariate(params) => Ok(params
                .check()?
                .test(table, labels)?
                .iter()
                .filter(|feature| feature.p_value.is_nan() || feature.p_value >= params.level)
                .map(|feature| removal(&feature.feature, format!("p = {:.3}", feature.p_value)))
                .collect()),
            Self::CorrelationFilter(params) => {
                let names = table.names();
                Ok(params
                    .check()?
                    .redundant(table, labels)?
                    .iter()
                    .map(|x| {
                        removal(&names[x.removed], format!("r = {:.3} with {}", x.correlation, names[x.because_of]))
                    })
                    .collect())
            }
            Self::Mrmr(params) => {
                let ranking = params.clone().check()?.rank(table, labels)?;
                let chosen: BTreeSet<&str> = ranking.selected.iter().map(|s| s.feature.as_str()).collect();
                let reason = || format!("not among the first {}", params.count);
                Ok(removals(table, |name| !chosen.contains(name), reason))
            }
            Self::Lasso(_) => Ok(Vec::new()),
        }
    }
}

impl Tabulate for FittedPipeline {
    const COLUMNS: &'static [&'static str] = &["step", "before", "after", "removed feature", "reason"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |step: &StepReport, removed: Option<&Removal>| {
            cells![&step.step, step.before, step.after, removed.map(|r| &r.feature), removed.map(|r| &r.reason)]
        };
        let of_step = |step: &StepReport| -> Vec<Vec<Cell>> {
            if step.removed.is_empty() {
                vec![row(step, None)]
            } else {
                step.removed.iter().map(|r| row(step, Some(r))).collect()
            }
        };
        self.0.report.iter().flat_map(of_step).collect()
    }
}
