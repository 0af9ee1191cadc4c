//! A selection as a list of steps that are fitted together, on training rows only, and end in a score.

use alnm_stats::Labels;
use alnm_stats::cells;
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::data_table::{Cell, Tabulate};
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::correlation_filter::{CorrelationRule, find_correlation, ranked_filter};
use crate::cross_fitting::in_each_fold;
use crate::cross_validation::{CrossValidatedPath, CvMeasure, LambdaChoice, cross_validate};
use crate::elastic_net::ElasticNetParams;
use crate::error::{Result, SelectionError};
use crate::folds::{FoldOrder, Folds};
use crate::mrmr::{MrmrVariant, mrmr};
use crate::signature::Signature;
use crate::univariate::UnivariateScreen;
use crate::variance_filter::{NearZeroVariance, feature_spreads};

/// A step of a selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Step {
    /// Keeps these features, for instance those that two readers agree on.
    Keep {
        /// Why, as the report prints it.
        reason: String,
        /// Names of the features.
        features: Vec<String>,
    },
    /// Removes features whose values are all equal.
    ZeroVariance,
    /// Removes features that hardly vary.
    NearZeroVariance(NearZeroVariance),
    /// Removes features that do not differ between the outcome classes.
    Univariate(UnivariateScreen),
    /// Removes one of each pair of features whose |r| exceeds the cutoff.
    CorrelationFilter {
        /// Which correlation.
        correlation: Correlation,
        /// Cutoff of |r|, exceeded strictly.
        cutoff: f64,
        /// Which of a pair goes. [`CorrelationRule::Ranked`] ranks by the univariate p-value.
        rule: CorrelationRule,
    },
    /// Keeps the best features by mRMR.
    Mrmr {
        /// Which mRMR.
        variant: MrmrVariant,
        /// Number of features to keep at most.
        count: usize,
    },
    /// LASSO or elastic net with a cross-validated penalty. The last step; its coefficients are the score.
    Lasso {
        /// Penalty and precision.
        params: ElasticNetParams,
        /// Number of stratified folds.
        folds: usize,
        /// How rows are dealt to the folds.
        order: FoldOrder,
        /// What is cross-validated.
        measure: CvMeasure,
        /// Which penalty is taken.
        choice: LambdaChoice,
    },
}

impl Step {
    /// Name as the report prints it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keep { .. } => "kept features",
            Self::ZeroVariance => "zero variance",
            Self::NearZeroVariance(_) => "near-zero variance",
            Self::Univariate(_) => "univariate screen",
            Self::CorrelationFilter { .. } => "correlation filter",
            Self::Mrmr { .. } => "mRMR",
            Self::Lasso { .. } => "LASSO",
        }
    }

    /// LASSO with glmnet's defaults, ten stratified folds and `lambda.min`.
    #[must_use]
    pub fn lasso(order: FoldOrder) -> Self {
        Self::Lasso {
            params: ElasticNetParams::default(),
            folds: 10,
            order,
            measure: CvMeasure::Deviance,
            choice: LambdaChoice::Min,
        }
    }
}

/// An unfitted selection.
///
/// ```
/// use alnm_selection::folds::FoldOrder;
/// use alnm_selection::{Pipeline, Step};
/// let pipeline = Pipeline::new("RadScore").then(Step::ZeroVariance).then(Step::lasso(FoldOrder::Shuffled { seed: 1 }));
/// assert_eq!(pipeline.steps.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Name of the score.
    pub score: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Name of the step.
    pub step: String,
    /// Number of features before it.
    pub before: usize,
    /// Number of features after it.
    pub after: usize,
    /// The features that it removed, and why.
    pub removed: Vec<Removal>,
}

/// A removed feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removal {
    /// Name of the feature.
    pub feature: String,
    /// Why it was removed.
    pub reason: String,
}

/// Version of the saved form.
const FORMAT_VERSION: u32 = 1;

/// A fitted selection: the score and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedPipeline {
    /// Version of the saved form.
    pub format_version: u32,
    /// The steps it was fitted with.
    pub pipeline: Pipeline,
    /// Number of training rows and of events among them.
    pub training_rows: usize,
    /// Number of events among the training rows.
    pub training_events: usize,
    /// What each step removed.
    pub report: Vec<StepReport>,
    /// Features that are left, in the order of the columns.
    pub selected: Vec<String>,
    /// The score, when the last step is a LASSO.
    pub signature: Option<Signature>,
    /// Cross-validated path of the LASSO, for its figure.
    pub lasso: Option<CrossValidatedPath>,
}

impl Pipeline {
    /// A selection without steps.
    #[must_use]
    pub fn new(score: &str) -> Self {
        Self { score: score.to_owned(), steps: Vec::new() }
    }

    /// The selection with one more step.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Fits all steps to the given rows, which are training rows and nothing else.
    ///
    /// # Errors
    /// [`SelectionError::NothingLeft`] names the step that removes every feature; [`SelectionError::Parameter`] when a
    /// LASSO is not the last step; and the errors of the steps.
    pub fn fit(&self, table: &FeatureTable, labels: &Labels) -> Result<FittedPipeline> {
        table.require_rows(labels.len())?;
        if let Some(place) =
            self.steps.iter().position(|s| matches!(s, Step::Lasso { .. })).filter(|p| p + 1 != self.steps.len())
        {
            return Err(SelectionError::Parameter {
                name: "place of the LASSO",
                range: "the last step",
                value: place as f64,
            });
        }
        let mut current = table.clone();
        let mut fitted = FittedPipeline {
            format_version: FORMAT_VERSION,
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
                Step::Lasso { params, folds, order, measure, choice } => {
                    let folds = Folds::stratified(labels, *folds, *order)?;
                    crate::cross_validation::require_folds(&folds, current.rows())?;
                    let lasso = cross_validate(&current, labels, &folds, *measure, params)?;
                    let signature = Signature::new(&self.score, current.names(), lasso.coefficients(*choice));
                    let in_score = |n: &String| signature.weights.iter().any(|w| w.feature == *n);
                    let removed = current
                        .names()
                        .iter()
                        .filter(|n| !in_score(n))
                        .map(|n| removal(n, "coefficient 0".to_owned()))
                        .collect();
                    fitted.signature = Some(signature);
                    fitted.lasso = Some(lasso);
                    removed
                }
                filter => filter.removals(&current, labels)?,
            };
            let before = current.columns();
            let kept: Vec<String> = current
                .names()
                .iter()
                .filter(|n| !removed.iter().any(|r: &Removal| r.feature == **n))
                .cloned()
                .collect();
            if kept.is_empty() {
                return Err(SelectionError::NothingLeft { step: step.name() });
            }
            current = current.select(&kept)?;
            fitted.report.push(StepReport { step: step.name().to_owned(), before, after: kept.len(), removed });
        }
        fitted.selected = current.names().to_vec();
        Ok(fitted)
    }

    /// Scores of every row from a selection that never saw it: all steps are fitted once a fold, on the other folds.
    ///
    /// # Errors
    /// As [`Pipeline::fit`], within any fold; [`SelectionError::Parameter`] when the selection does not end in a score.
    pub fn cross_fit(&self, table: &FeatureTable, labels: &Labels, folds: &Folds) -> Result<CrossFittedScore> {
        crate::cross_validation::require_folds(folds, table.rows())?;
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

/// Out-of-fold scores and the selections behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossFittedScore {
    /// One score a row, from the selection that was fitted without the row's fold.
    pub scores: Vec<f64>,
    /// The selection of each fold.
    pub fits: Vec<FittedPipeline>,
}

impl FittedPipeline {
    /// The score of new rows. Columns are found by name.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] when the selection does not end in a score, [`SelectionError::MissingColumn`].
    pub fn score(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        match &self.signature {
            Some(signature) => signature.apply(table),
            None => Err(SelectionError::Parameter {
                name: "last step",
                range: "a LASSO, which gives a score",
                value: f64::NAN,
            }),
        }
    }

    /// The selected columns of a new table.
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`].
    pub fn transform(&self, table: &FeatureTable) -> Result<FeatureTable> {
        table.select(&self.selected)
    }

    /// The saved form.
    ///
    /// # Errors
    /// [`SelectionError::Format`] when a value has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| SelectionError::Format { reason: e.to_string() })
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// [`SelectionError::Format`] for another version or a malformed text.
    pub fn from_json(text: &str) -> Result<Self> {
        let fitted: Self = serde_json::from_str(text).map_err(|e| SelectionError::Format { reason: e.to_string() })?;
        if fitted.format_version != FORMAT_VERSION {
            let reason = format!("format version {} where {FORMAT_VERSION} is understood", fitted.format_version);
            return Err(SelectionError::Format { reason });
        }
        Ok(fitted)
    }
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
                Ok(table.names().iter().filter(|n| !features.contains(n)).map(|n| removal(n, reason.clone())).collect())
            }
            Self::ZeroVariance => Ok(feature_spreads(table)?
                .iter()
                .filter(|s| s.zero_variance)
                .map(|s| removal(&s.feature, "all values are equal".to_owned()))
                .collect()),
            Self::NearZeroVariance(limits) => Ok(feature_spreads(table)?
                .iter()
                .filter(|s| limits.holds(s))
                .map(|s| {
                    removal(
                        &s.feature,
                        format!("frequency ratio {:.1}, {:.1} % distinct", s.frequency_ratio, s.percent_unique),
                    )
                })
                .collect()),
            Self::Univariate(screen) => Ok(screen
                .test(table, labels)?
                .iter()
                .filter(|f| f.p_value.is_nan() || f.p_value >= screen.level)
                .map(|f| removal(&f.feature, format!("p = {:.3}", f.p_value)))
                .collect()),
            Self::CorrelationFilter { correlation, cutoff, rule } => {
                let r = correlation_matrix(table.values(), *correlation, PairRows::Everything)?;
                let redundant = match rule {
                    CorrelationRule::Ranked => {
                        let screened = UnivariateScreen::default().test(table, labels)?;
                        let strength: Vec<f64> =
                            screened.iter().map(|f| if f.p_value.is_nan() { -1.0 } else { -f.p_value }).collect();
                        ranked_filter(r.view(), *cutoff, &strength)?
                    }
                    caret => find_correlation(r.view(), *cutoff, *caret)?,
                };
                let names = table.names();
                Ok(redundant
                    .iter()
                    .map(|x| {
                        removal(&names[x.removed], format!("r = {:.3} with {}", x.correlation, names[x.because_of]))
                    })
                    .collect())
            }
            Self::Mrmr { variant, count } => {
                let ranking = mrmr(table, labels, variant, *count)?;
                let chosen = |n: &String| ranking.selected.iter().any(|s| s.feature == *n);
                Ok(table
                    .names()
                    .iter()
                    .filter(|n| !chosen(n))
                    .map(|n| removal(n, format!("not among the first {count}")))
                    .collect())
            }
            Self::Lasso { .. } => Ok(Vec::new()),
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
        self.report.iter().flat_map(of_step).collect()
    }
}
