//! A set of logistic models as data, fitted on one cohort and judged on any.

use alnm_stats::calibration::brier;
use alnm_stats::cells;
use alnm_stats::confusion::{ClassificationMetrics, ConfusionTable};
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::delong::{AucEstimate, Marker, auc_estimate, paired_test};
use alnm_stats::proportion::ProportionInterval;
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::{Alternative, TestResult};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{ModelError, Result};
use crate::logistic::{LogisticModel, LogisticParams};
use crate::{FeatureTable, Labels};

/// A model: its name and its variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSpecification {
    /// Name of the model.
    pub name: String,
    /// Names of its columns.
    pub variables: Vec<String>,
}

impl ModelSpecification {
    /// A model of the named columns.
    #[must_use]
    pub fn new(name: &str, variables: &[&str]) -> Self {
        Self { name: name.to_owned(), variables: variables.iter().map(|v| (*v).to_owned()).collect() }
    }
}

/// The ten models of a study that combines clinical variables, the index SII, a radiomic and a deep score.
#[must_use]
pub fn ten_models(clinical: &[&str], sii: &str, radiomic: &str, deep: &str) -> Vec<ModelSpecification> {
    let with = |name: &str, parts: &[&[&str]]| ModelSpecification::new(name, &parts.concat());
    let (sii, radiomic, deep) = (&[sii][..], &[radiomic][..], &[deep][..]);
    vec![
        with("Clinical", &[clinical]),
        with("SII", &[sii]),
        with("Rad", &[radiomic]),
        with("DL", &[deep]),
        with("Clinical+SII", &[clinical, sii]),
        with("Clinical+Rad", &[clinical, radiomic]),
        with("Clinical+DL", &[clinical, deep]),
        with("Rad+SII", &[radiomic, sii]),
        with("DL+SII", &[deep, sii]),
        with("Integrated", &[clinical, sii, radiomic, deep]),
    ]
}

/// Models fitted on one training cohort, with the cutoffs found there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSet {
    /// The fitted models, in the order of the specifications.
    pub models: Vec<FittedModel>,
}

/// A model of the set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedModel {
    /// Name and variables.
    pub specification: ModelSpecification,
    /// The fit.
    pub model: LogisticModel,
    /// Youden cutoff on the training cohort (the first, when several are best).
    pub training_cutoff: f64,
}

/// Performance of one model in one cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelPerformance {
    /// Name of the model.
    pub model: String,
    /// Name of the cohort.
    pub cohort: String,
    /// Area under the ROC curve with DeLong's interval.
    pub auc: AucEstimate,
    /// Brier score.
    pub brier: f64,
    /// The cohort's own Youden cutoff, chosen on the data it is judged on and therefore optimistic.
    pub own_cutoff: ThresholdPerformance,
    /// The training cutoff carried over, what a clinic could use.
    pub carried_cutoff: ThresholdPerformance,
    /// Risk of every patient.
    pub risks: Vec<f64>,
    /// The ROC curve.
    pub roc: RocCurve,
}

/// Performance at a cutoff.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPerformance {
    /// Risks above it are positive.
    pub cutoff: f64,
    /// Counts and metrics with intervals.
    pub metrics: ClassificationMetrics,
}

impl ModelSet {
    /// Fits every specification on the training cohort, by Firth's penalised likelihood where its variables separate
    /// the outcome.
    ///
    /// # Errors
    /// As [`LogisticModel::fit_finite`].
    pub fn fit(
        specifications: &[ModelSpecification],
        training: &FeatureTable,
        labels: &Labels,
        params: &LogisticParams,
    ) -> Result<Self> {
        let models = specifications
            .par_iter()
            .map(|specification| {
                let columns = training.select(&specification.variables)?;
                let model = LogisticModel::fit_finite(&columns, labels, params)?;
                let roc = RocCurve::new(&model.outcomes, &model.fitted, Direction::HigherIsPositive)?;
                Ok(FittedModel {
                    specification: specification.clone(),
                    training_cutoff: roc.youden_cutoff().threshold,
                    model,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { models })
    }

    /// The model of the given name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`].
    pub fn model(&self, name: &str) -> Result<&FittedModel> {
        self.models.iter().find(|m| m.specification.name == name).ok_or_else(|| ModelError::Unknown {
            what: "model",
            name: name.to_owned(),
            known: self.models.iter().map(|m| m.specification.name.clone()).collect(),
        })
    }

    /// Judges every model on a cohort, in the order of the specifications.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing column or value, [`ModelError::Statistics`] for labels of one class,
    /// [`ModelError::Parameter`] for the level.
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

/// Performance of given risks, for instance cross-fitted ones, beside a model's carried cutoff.
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

/// DeLong's paired test of every performance against one of the same cohort, in the order given.
///
/// # Errors
/// [`ModelError::Statistics`] when the cohorts differ in size.
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
