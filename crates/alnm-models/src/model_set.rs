//! A set of logistic models as data, fitted on one cohort and judged on any.
//!
//! ```
//! use alnm_models::{FeatureTable, Labels, LogisticParams, ModelSet, ModelSpecification};
//! use ndarray::Array2;
//! let labels = Labels::new((0..80).map(|i| i % 2 == 1).collect());
//! let values = Array2::from_shape_fn((80, 2), |(i, j)| ((i * (5 + 6 * j)) % 17) as f64 + 5.0 * (i % 2) as f64);
//! let training = FeatureTable::new(vec!["size".into(), "score".into()], values)?;
//! let models = [ModelSpecification::new("Size", ["size"]), ModelSpecification::new("Both", ["size", "score"])];
//! let set = ModelSet::fit(&models, &training, &labels, &LogisticParams::default())?;
//! // Usually another cohort than that of training.
//! let performances = set.evaluate("training", &training, &labels, 0.95)?;
//! assert_eq!(performances[1].model, "Both");
//! assert_eq!(performances[1].carried_cutoff.cutoff, set.model("Both")?.training_cutoff());
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_stats::calibration::brier;
use alnm_stats::cells;
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::delong::{AucEstimate, Marker, auc_estimate, paired_test};
use alnm_stats::proportion::ProportionInterval;
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Alternative, TestResult};
use rayon::prelude::*;

use crate::error::{ModelError, Result};
use crate::logistic::{LogisticModel, LogisticParams};
use crate::{FeatureTable, Labels};

/// A model to fit: its name and its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ModelSpecification {
    /// Name of the model.
    pub name: String,
    /// Names of its columns.
    pub variables: Vec<String>,
}

impl ModelSpecification {
    /// A model of the named columns.
    #[must_use]
    pub fn new<Name: Into<String>>(name: &str, variables: impl IntoIterator<Item = Name>) -> Self {
        Self { name: name.to_owned(), variables: variables.into_iter().map(Into::into).collect() }
    }
}

/// Models fitted on one training cohort, with the cutoffs found there.
///
/// A set that is read with serde is checked: names are unique, each model has the terms of its specification, and
/// cutoffs are finite.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::SetForm"))]
pub struct ModelSet {
    models: Vec<FittedModel>,
}

/// A model of the set.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::FittedForm"))]
pub struct FittedModel {
    specification: ModelSpecification,
    model: LogisticModel,
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    training_cutoff: f64,
}

impl FittedModel {
    /// Name and variables.
    #[must_use]
    pub fn specification(&self) -> &ModelSpecification {
        &self.specification
    }

    /// The fitted regression.
    #[must_use]
    pub fn model(&self) -> &LogisticModel {
        &self.model
    }

    /// Youden cutoff on the training cohort: a risk above it is positive. Of several best cutoffs it is the first.
    #[must_use]
    pub fn training_cutoff(&self) -> f64 {
        self.training_cutoff
    }
}

/// Performance of one model in one cohort.
///
/// A performance that is read with serde is checked: there is one risk from 0 to 1 per patient of the curve, the area
/// is that of the curve, and the tables of both cutoffs count the patients of the curve.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::PerformanceForm"))]
#[non_exhaustive]
pub struct ModelPerformance {
    /// Name of the model.
    pub model: String,
    /// Name of the cohort.
    pub cohort: String,
    /// Area under the ROC curve with DeLong's interval.
    pub auc: AucEstimate,
    /// Brier score.
    pub brier: f64,
    /// The cohort's own Youden cutoff, chosen on the data that it is judged on and therefore optimistic.
    pub own_cutoff: ThresholdPerformance,
    /// The cutoff of the training cohort carried over, which is what a clinic could use.
    pub carried_cutoff: ThresholdPerformance,
    /// Risk of every patient, in the order of the rows.
    pub risks: Vec<f64>,
    /// The ROC curve.
    pub roc: RocCurve,
}

/// Performance at a cutoff.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ThresholdPerformance {
    /// Risks above the cutoff are positive.
    #[cfg_attr(feature = "serde", serde(with = "alnm_stats::nonfinite"))]
    pub cutoff: f64,
    /// Counts and metrics with intervals.
    pub metrics: ClassificationMetrics,
}

impl ModelSet {
    /// Fits every specification on the training cohort, by Firth's penalised likelihood where its variables separate
    /// the outcome.
    ///
    /// # Errors
    /// As [`LogisticModel::fit_finite`], and [`ModelError::Repeated`] for two specifications of one name.
    pub fn fit(
        specifications: &[ModelSpecification],
        training: &FeatureTable,
        labels: &Labels,
        params: &LogisticParams,
    ) -> Result<Self> {
        let regression = params.clone().check()?;
        let names: Vec<&String> = specifications.iter().map(|s| &s.name).collect();
        if let Some(i) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(ModelError::Repeated { what: "model", name: names[i].clone() });
        }
        let models = specifications
            .par_iter()
            .map(|specification| {
                let columns = training.select(&specification.variables)?;
                let model = regression.fit_finite(&columns, labels)?;
                let roc = RocCurve::new(model.outcomes(), model.fitted(), Direction::HigherIsPositive)?;
                Ok(FittedModel {
                    specification: specification.clone(),
                    training_cutoff: roc.youden_cutoff().threshold,
                    model,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { models })
    }

    /// The fitted models, in the order of the specifications.
    #[must_use]
    pub fn models(&self) -> &[FittedModel] {
        &self.models
    }

    /// The model of the given name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] lists the names that exist.
    pub fn model(&self, name: &str) -> Result<&FittedModel> {
        self.models.iter().find(|m| m.specification.name == name).ok_or_else(|| ModelError::Unknown {
            what: "model",
            name: name.to_owned(),
            known: self.models.iter().map(|m| m.specification.name.clone()).collect(),
        })
    }

    /// Judges every model on a cohort, in the order of the specifications. `level` is the confidence level of the
    /// intervals.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing column or value, [`ModelError::Statistics`] for labels of one class or a
    /// level outside (0, 1).
    pub fn evaluate(
        &self,
        cohort: &str,
        table: &FeatureTable,
        labels: &Labels,
        level: f64,
    ) -> Result<Vec<ModelPerformance>> {
        self.models.par_iter().map(|m| performance(m, cohort, labels, m.model.predict(table)?, level)).collect()
    }
}

/// The forms in which sets are read.
#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use crate::invariants::{Checked, distinct, require};
    use crate::logistic::INTERCEPT;

    #[derive(serde::Deserialize)]
    pub(super) struct SetForm {
        models: Vec<FittedModel>,
    }

    #[derive(serde::Deserialize)]
    pub(super) struct PerformanceForm {
        model: String,
        cohort: String,
        auc: AucEstimate,
        brier: f64,
        own_cutoff: ThresholdPerformance,
        carried_cutoff: ThresholdPerformance,
        risks: Vec<f64>,
        roc: RocCurve,
    }

    impl TryFrom<PerformanceForm> for ModelPerformance {
        type Error = String;

        fn try_from(form: PerformanceForm) -> Checked<Self> {
            let PerformanceForm { model, cohort, auc, brier, own_cutoff, carried_cutoff, risks, roc } = form;
            let (cases, controls) = (roc.cases(), roc.controls());
            require(risks.len() == cases + controls, || {
                format!("the number of risks is {}; it must be that of the curve, {}", risks.len(), cases + controls)
            })?;
            let outside = risks.iter().chain([&brier]).find(|share| !(0.0..=1.0).contains(*share));
            require(outside.is_none(), || {
                format!("a risk or Brier score is {}; it must be from 0 to 1", outside.copied().unwrap_or_default())
            })?;
            require((auc.auc - roc.auc()).abs() <= 1e-9, || {
                format!("the area is {}; it must be that of the curve, {}", auc.auc, roc.auc())
            })?;
            for (name, at) in [("own", &own_cutoff), ("carried", &carried_cutoff)] {
                let table = &at.metrics.table;
                let counted =
                    [table.true_positives + table.false_negatives, table.true_negatives + table.false_positives];
                require(counted == [cases, controls], || {
                    format!(
                        "events and non-events at the {name} cutoff are {counted:?}; they must be {:?}",
                        [cases, controls]
                    )
                })?;
            }
            Ok(Self { model, cohort, auc, brier, own_cutoff, carried_cutoff, risks, roc })
        }
    }

    #[derive(serde::Deserialize)]
    pub(super) struct FittedForm {
        specification: ModelSpecification,
        model: LogisticModel,
        #[serde(with = "alnm_stats::nonfinite")]
        training_cutoff: f64,
    }

    impl TryFrom<FittedForm> for FittedModel {
        type Error = String;

        fn try_from(form: FittedForm) -> Checked<Self> {
            let FittedForm { specification, model, training_cutoff } = form;
            let ModelSpecification { name, variables } = &specification;
            distinct("variable", variables.iter().map(String::as_str))?;
            // Infinite where nobody should be above it.
            require(!training_cutoff.is_nan(), || {
                format!("the cutoff of the model {name:?} is NaN; it must be a number")
            })?;
            let mut of_model = model.predictors();
            of_model.extend(model.aliased().iter().filter(|term| *term != INTERCEPT).cloned());
            let mut of_specification = variables.clone();
            of_model.sort_unstable();
            of_specification.sort_unstable();
            require(of_model == of_specification, || {
                format!("the predictors of the model {name:?} are {of_model:?}; they must be {of_specification:?}")
            })?;
            Ok(Self { specification, model, training_cutoff })
        }
    }

    impl TryFrom<SetForm> for ModelSet {
        type Error = String;

        fn try_from(form: SetForm) -> Checked<Self> {
            let models = form.models;
            distinct("model", models.iter().map(|m| m.specification.name.as_str()))?;
            Ok(Self { models })
        }
    }
}

/// Performance of given risks, for instance cross-fitted ones, with the carried cutoff of a model.
///
/// # Errors
/// As [`ModelSet::evaluate`].
pub fn performance(
    model: &FittedModel,
    cohort: &str,
    labels: &Labels,
    risks: Vec<f64>,
    level: f64,
) -> Result<ModelPerformance> {
    let roc = RocCurve::new(labels, &risks, Direction::HigherIsPositive)?;
    let at = |cutoff: f64, table: ConfusionTable| -> Result<ThresholdPerformance> {
        Ok(ThresholdPerformance { cutoff, metrics: table.metrics(ProportionInterval::ClopperPearson, level)? })
    };
    let own = roc.youden_cutoff();
    Ok(ModelPerformance {
        model: model.specification.name.clone(),
        cohort: cohort.to_owned(),
        auc: auc_estimate(&roc, level)?,
        brier: brier(labels, &risks)?.score,
        own_cutoff: at(own.threshold, own.table)?,
        carried_cutoff: at(
            model.training_cutoff,
            ConfusionTable::at_threshold(labels, &risks, model.training_cutoff)?,
        )?,
        risks,
        roc,
    })
}

/// DeLong's paired test of every performance against a reference of the same cohort, in the order given.
///
/// # Errors
/// [`ModelError::Statistics`] when the numbers of risks and labels differ.
pub fn compare_areas(
    labels: &Labels,
    reference: &ModelPerformance,
    others: &[ModelPerformance],
) -> Result<Vec<TestResult>> {
    let marker = |risks| Marker { scores: risks, direction: Direction::HigherIsPositive };
    others
        .iter()
        .map(|o| {
            Ok(paired_test(
                labels,
                marker(&o.risks),
                marker(&reference.risks),
                Alternative::TwoSided,
                reference.auc.interval.level,
            )?)
        })
        .collect()
}

impl Tabulate for ModelPerformance {
    const COLUMNS: &'static [&'static str] = &[
        "model",
        "cohort",
        "AUC",
        "AUC lower",
        "AUC upper",
        "Brier score",
        "cutoff",
        "sensitivity",
        "specificity",
        "accuracy",
        "F1",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        [&self.own_cutoff, &self.carried_cutoff]
            .map(|at| {
                let m = &at.metrics;
                let area = cells![
                    &self.model,
                    &self.cohort,
                    self.auc.auc,
                    self.auc.interval.lower,
                    self.auc.interval.upper,
                    self.brier
                ];
                [area, cells![at.cutoff, m.sensitivity.estimate, m.specificity.estimate, m.accuracy.estimate, m.f1]]
                    .concat()
            })
            .to_vec()
    }
}
