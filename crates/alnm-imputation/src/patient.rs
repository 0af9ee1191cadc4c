//! The risk of a patient who lacks a value.

use alnm_models::saved_model::{Assessment, ModelVariable};
use alnm_models::{Measurement, RiskModel};
use alnm_stats::Interval;

use crate::error::{ImputationError, Result, require_level};
use crate::imputation_model::ImputationModel;
use crate::pooling::{PooledEstimate, PooledProbability, PoolingParams};

/// A variable of the model that was not measured, with the values that it may have.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ImputedVariable {
    /// Name of the variable.
    pub variable: String,
    /// Its unit.
    pub unit: String,
    /// The imputed values, one for each imputation.
    pub values: Vec<f64>,
}

/// The risk of a patient who lacks values.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct IncompleteAssessment {
    /// Mean of the risks over the imputations: the share of patients with these measurements that the model expects to
    /// have the event.
    pub risk: f64,
    /// Interval of the risk, pooled by Rubin's rules on the scale of log odds. It holds the uncertainty of the
    /// coefficients and of the missing values.
    pub interval: Interval,
    /// The pooled log odds, with the share of their variance that the missing values cause.
    pub log_odds: PooledEstimate,
    /// The variables of the model that were imputed; empty for a complete patient.
    pub imputed: Vec<ImputedVariable>,
    /// What the model says with each set of imputed values.
    pub assessments: Vec<Assessment>,
}

impl IncompleteAssessment {
    /// The same in the form of a complete patient's: risk, interval and log odds as here, values and contributions as
    /// their means over the imputations, verdicts by the risk, and as extrapolations those of measured variables.
    /// `None` without an assessment.
    #[must_use]
    pub fn pooled(&self) -> Option<Assessment> {
        let mut pooled = self.assessments.first()?.clone();
        let count = self.assessments.len() as f64;
        (pooled.risk, pooled.interval, pooled.log_odds) = (self.risk, self.interval, self.log_odds.estimate);
        for (place, contribution) in pooled.contributions.iter_mut().enumerate() {
            let of_each = || self.assessments.iter().map(|assessment| &assessment.contributions[place]);
            contribution.value = of_each().map(|one| one.value).sum::<f64>() / count;
            contribution.log_odds = of_each().map(|one| one.log_odds).sum::<f64>() / count;
        }
        pooled.extrapolations.retain(|v| self.imputed.iter().all(|imputed| imputed.variable != v.variable.name));
        for decision in &mut pooled.decisions {
            decision.positive = self.risk > decision.cutoff.threshold;
        }
        Some(pooled)
    }
}

/// What a risk model says about a patient who lacks measurements, which the imputation model completes. Measurements of
/// variables that only the imputation model knows help it.
///
/// # Errors
/// [`ImputationError::Plan`] when the imputation model lacks a variable of the risk model or has it in another unit;
/// [`ImputationError::Parameter`] for a level outside (0, 1); as [`ImputationModel::complete_patient`] and
/// [`RiskModel::assess`].
///
/// ```
/// use alnm_imputation::patient::assess_incomplete;
/// use alnm_imputation::{ChainedEquationsParams, VariablePlan};
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, RiskModel, Variable};
/// use ndarray::Array2;
/// let values = Array2::from_shape_fn((60, 2), |(row, column)| match column {
///     1 => row as f64 / 20.0 + ((row * 7) % 13) as f64 / 13.0,
///     _ => 30.0 + row as f64,
/// });
/// let table = FeatureTable::new(vec!["age".into(), "size".into()], values)?;
/// let labels = Labels::new((0..60).map(|row| (row * 11) % 60 < row).collect());
/// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let units = [Variable::new("age", "years"), Variable::new("size", "cm")];
/// let model = RiskModel::new("two variables", &fitted, &units, &table, "sixty patients")?;
///
/// let plans = vec![VariablePlan::numeric("age").with_unit("years"), VariablePlan::numeric("size").with_unit("cm")];
/// let imputation = ChainedEquationsParams::new(plans).check()?.impute(&table)?.model();
/// let patient = assess_incomplete(&model, &imputation, &[Measurement::new("age", "years", 70.0)], 0.95)?;
/// assert_eq!(patient.imputed[0].variable, "size");
/// assert!(patient.interval.lower < patient.risk && patient.risk < patient.interval.upper);
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
pub fn assess_incomplete(
    model: &RiskModel,
    imputation: &ImputationModel,
    patient: &[Measurement],
    level: f64,
) -> Result<IncompleteAssessment> {
    require_level(level)?;
    for v in model.variables() {
        let name = &v.variable.name;
        match imputation.unit(name) {
            None => return Err(ImputationError::plan(name, "the imputation model lacks it; plan it in training")),
            Some(unit) if unit != v.variable.unit => {
                let reason = format!("its unit is {unit:?}; it must be {:?}, that of the risk model", v.variable.unit);
                return Err(ImputationError::plan(name, reason));
            }
            Some(_) => {}
        }
    }
    let completed = imputation.complete_patient(patient)?;
    let completions = (0..completed.rows())
        .map(|row| {
            let measured = |v: &ModelVariable| {
                let value = completed.column(&v.variable.name)?[row];
                Ok(Measurement::new(&v.variable.name, &v.variable.unit, value))
            };
            model.variables().iter().map(measured).collect::<Result<Vec<Measurement>>>()
        })
        .collect::<Result<Vec<_>>>()?;
    let is_imputed = |name: &str| patient.iter().all(|measured| measured.variable.name != name);
    pooled_assessment(model, &completions, level, &is_imputed)
}

/// What a risk model says about a patient with each of several completed sets of measurements, pooled: for variables
/// that are computed from what was completed. Imputed is a variable that has not one value in all sets.
///
/// # Errors
/// [`ImputationError::Parameter`] for fewer than two sets and a level outside (0, 1); as [`RiskModel::assess`].
pub fn assess_completions(
    model: &RiskModel,
    completions: &[Vec<Measurement>],
    level: f64,
) -> Result<IncompleteAssessment> {
    require_level(level)?;
    let is_imputed = |name: &str| {
        let mut values = completions.iter().flatten().filter(|one| one.variable.name == name).map(|one| one.value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    pooled_assessment(model, completions, level, &is_imputed)
}

fn pooled_assessment(
    model: &RiskModel,
    completions: &[Vec<Measurement>],
    level: f64,
    is_imputed: &dyn Fn(&str) -> bool,
) -> Result<IncompleteAssessment> {
    let mut assessments = Vec::with_capacity(completions.len());
    let mut variances = Vec::with_capacity(completions.len());
    for measurements in completions {
        let assessment = model.assess(measurements, level)?;
        let values = std::iter::once(1.0).chain(assessment.contributions.iter().map(|one| one.value));
        variances.push(model.covariance().variance_of(&values.collect::<Vec<_>>()).unwrap_or(f64::NAN));
        assessments.push(assessment);
    }
    let estimates: Vec<f64> = assessments.iter().map(|assessment| assessment.log_odds).collect();
    let pooled = PoolingParams::default().with_level(level).check()?.pool("log odds", &estimates, &variances)?;
    let pooled = PooledProbability::of(pooled);
    let imputed = model.variables().iter().enumerate().filter(|(_, v)| is_imputed(&v.variable.name));
    Ok(IncompleteAssessment {
        risk: assessments.iter().map(|assessment| assessment.risk).sum::<f64>() / assessments.len() as f64,
        interval: pooled.interval,
        log_odds: pooled.log_odds,
        imputed: imputed
            .map(|(place, v)| ImputedVariable {
                variable: v.variable.name.clone(),
                unit: v.variable.unit.clone(),
                values: assessments.iter().map(|assessment| assessment.contributions[place].value).collect(),
            })
            .collect(),
        assessments,
    })
}
