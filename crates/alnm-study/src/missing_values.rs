//! What missing values do to the models: figures pooled over all completed tables by Rubin's rules, beside those of the
//! patients who lack nothing.

use alnm_imputation::MultipleImputation;
use alnm_imputation::pooling::{PoolingParams, RubinsRules};
use alnm_models::model_set::{FittedModel, ModelSet, ModelSpecification};
use alnm_models::{LogisticModel, LogisticParams};
use alnm_selection::{FeatureTable, Labels};
use alnm_stats::Interval;
use alnm_stats::delong::auc_estimate;
use alnm_stats::roc::{Direction, RocCurve};
use anyhow::Result;
use serde::Serialize;

use crate::completion::{MEASUREMENTS, MeasuredColumn};
use crate::table::CohortTable;
use crate::ten_models::{INTEGRATED, LEVEL, specifications};

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EstimateWithInterval {
    /// The estimate.
    pub estimate: f64,
    /// Its interval.
    pub interval: Interval,
}

/// How many values of a column a centre lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MissingOfCentre {
    /// The column.
    pub column: String,
    /// The centre.
    pub centre: String,
    /// Patients without the value.
    pub missing: usize,
    /// Patients of the centre.
    pub patients: usize,
}

/// A coefficient of the integrated model, per unit, on the scale of log odds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImputedCoefficient {
    /// The variable, or the intercept.
    pub term: String,
    /// Pooled over the completed tables.
    pub pooled: EstimateWithInterval,
    /// Share of the information about it that the missing values take.
    pub fraction_missing_information: f64,
    /// By the patients who lack nothing; absent where no model can be fitted to them.
    pub complete_cases: Option<EstimateWithInterval>,
}

/// The area under the ROC curve of a model in a cohort.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImputedArea {
    /// The model.
    pub model: String,
    /// The cohort.
    pub cohort: String,
    /// Pooled over the completed tables, on the scale of log odds; absent where an area is 0 or 1.
    pub pooled: Option<EstimateWithInterval>,
    /// By the patients who lack nothing, for models that were fitted to such; absent where that cannot be, and for figures
    /// out of fold.
    pub complete_cases: Option<EstimateWithInterval>,
}

/// What missing values do to the models.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MissingValues {
    /// Columns with missing values, centre by centre.
    pub missing: Vec<MissingOfCentre>,
    /// Patients who lack nothing, by centre.
    pub complete_patients: Vec<(String, usize)>,
    /// Number of completed tables.
    pub imputations: usize,
    /// R̂ of the means of imputed values, by column: near 1 where the chains have converged.
    pub convergence: Vec<(String, f64)>,
    /// The integrated model.
    pub coefficients: Vec<ImputedCoefficient>,
    /// All models in all cohorts.
    pub areas: Vec<ImputedArea>,
}

impl MissingValues {
    /// The models of a cohort with missing values; `None` where there are none. `out_of_fold` holds the risks of training
    /// patients by completed table and model.
    ///
    /// # Errors
    /// What a model or the imputation goes wrong with.
    pub(crate) fn of(
        table: &CohortTable<'_>,
        scores: &FeatureTable,
        out_of_fold: &[Vec<Vec<f64>>],
    ) -> Result<Option<Self>> {
        let tables = table.completed(scores, table.training())?;
        if tables.len() < 2 {
            return Ok(None);
        }
        let rules = PoolingParams::default().with_level(LEVEL).check()?;
        let observed = table.observed(scores)?;
        let imputation = table.imputation(scores, table.training())?;
        let fitted = FittedTables::new(table, &tables, &observed)?;
        let complete_of = |(centre, rows): (&str, Vec<usize>)| (centre.to_owned(), complete(&observed, &rows).len());
        Ok(Some(Self {
            missing: missing(table),
            complete_patients: table.centres().map(complete_of).collect(),
            imputations: tables.len(),
            convergence: convergence(&imputation),
            coefficients: fitted.coefficients(&rules)?,
            areas: fitted.areas(&rules, out_of_fold)?,
        }))
    }
}

fn missing(table: &CohortTable<'_>) -> Vec<MissingOfCentre> {
    let of = |column: &MeasuredColumn| -> Vec<MissingOfCentre> {
        let value = column.value;
        let of_centre = |(centre, rows): (&str, Vec<usize>)| MissingOfCentre {
            column: column.name.to_owned(),
            centre: centre.to_owned(),
            missing: table.patients(&rows).into_iter().filter(|patient| value(patient).is_nan()).count(),
            patients: rows.len(),
        };
        table.centres().map(of_centre).collect()
    };
    MEASUREMENTS.iter().map(of).filter(|centres| centres.iter().any(|centre| centre.missing > 0)).flatten().collect()
}

fn convergence(imputation: &MultipleImputation) -> Vec<(String, f64)> {
    let traces = imputation.traces().iter();
    traces.map(|trace| (trace.variable.clone(), trace.r_hat_of_mean())).collect()
}

/// The rows among these that lack no variable.
fn complete(observed: &FeatureTable, rows: &[usize]) -> Vec<usize> {
    let values = observed.values();
    rows.iter().copied().filter(|&row| values.row(row).iter().all(|value| !value.is_nan())).collect()
}

/// The models of each completed table, and those of complete cases.
struct FittedTables<'a> {
    table: &'a CohortTable<'a>,
    tables: &'a [FeatureTable],
    observed: &'a FeatureTable,
    specifications: Vec<ModelSpecification>,
    of_tables: Vec<ModelSet>,
    of_complete: Option<ModelSet>,
}

impl<'a> FittedTables<'a> {
    fn new(table: &'a CohortTable<'a>, tables: &'a [FeatureTable], observed: &'a FeatureTable) -> Result<Self> {
        let specifications = specifications();
        let fit = |variables: &FeatureTable, rows: &[usize]| {
            let params = LogisticParams::default();
            ModelSet::fit(&specifications, &variables.select_rows(rows), &table.labels(rows), &params)
        };
        let of_tables = tables.iter().map(|variables| fit(variables, table.training())).collect::<Result<_, _>>()?;
        // Few complete cases may hold one outcome alone.
        let of_complete = fit(observed, &complete(observed, table.training())).ok();
        Ok(Self { table, tables, observed, specifications, of_tables, of_complete })
    }

    fn coefficients(&self, rules: &RubinsRules) -> Result<Vec<ImputedCoefficient>> {
        let models = self.of_tables.iter().map(|set| Ok(set.model(INTEGRATED)?.model().clone()));
        let models: Vec<LogisticModel> = models.collect::<Result<_>>()?;
        // Where the variables separate the outcome in a table there is no covariance to be pooled.
        let Ok(pooled) = rules.pool_logistic(&models) else { return Ok(Vec::new()) };
        let complete = self.of_complete.as_ref().and_then(|set| set.model(INTEGRATED).ok()).map(FittedModel::model);
        let of_complete = |name: &str| {
            let term = complete?.terms().iter().find(|term| term.name == name)?;
            Some(EstimateWithInterval { estimate: term.estimate, interval: term.interval })
        };
        let coefficients = pooled.coefficients.iter().map(|one| ImputedCoefficient {
            term: one.name.clone(),
            pooled: EstimateWithInterval { estimate: one.estimate, interval: one.interval },
            fraction_missing_information: one.fraction_missing_information,
            complete_cases: of_complete(&one.name),
        });
        Ok(coefficients.collect())
    }

    fn areas(&self, rules: &RubinsRules, out_of_fold: &[Vec<Vec<f64>>]) -> Result<Vec<ImputedArea>> {
        let mut areas = Vec::new();
        for (place, specification) in self.specifications.iter().enumerate() {
            let model = &specification.name;
            for (centre, rows) in self.table.centres() {
                let labels = self.table.labels(&rows);
                let of_table = |(variables, set): (&FeatureTable, &ModelSet)| -> Result<Vec<f64>> {
                    Ok(set.model(model)?.model().predict(&variables.select_rows(&rows))?)
                };
                let risks = self.tables.iter().zip(&self.of_tables).map(of_table).collect::<Result<Vec<_>>>()?;
                let is_training = rows == self.table.training();
                areas.push(ImputedArea {
                    model: model.clone(),
                    cohort: if is_training { "training".to_owned() } else { centre.to_owned() },
                    pooled: pooled_area(rules, &labels, &risks)?,
                    complete_cases: self.area_of_complete(model, &rows),
                });
                if is_training {
                    let risks: Vec<Vec<f64>> = out_of_fold.iter().map(|models| models[place].clone()).collect();
                    areas.push(ImputedArea {
                        model: model.clone(),
                        cohort: "training, cross-fitted".to_owned(),
                        pooled: pooled_area(rules, &labels, &risks)?,
                        complete_cases: None,
                    });
                }
            }
        }
        Ok(areas)
    }

    /// The area of a model that was fitted to complete cases, by the complete cases among the rows.
    fn area_of_complete(&self, model: &str, rows: &[usize]) -> Option<EstimateWithInterval> {
        let rows = complete(self.observed, rows);
        let fitted = self.of_complete.as_ref()?.model(model).ok()?.model();
        let risks = fitted.predict(&self.observed.select_rows(&rows)).ok()?;
        let roc = RocCurve::new(&self.table.labels(&rows), &risks, Direction::HigherIsPositive).ok()?;
        let area = auc_estimate(&roc, LEVEL).ok()?;
        Some(EstimateWithInterval { estimate: area.auc, interval: area.interval })
    }
}

fn pooled_area(rules: &RubinsRules, labels: &Labels, risks: &[Vec<f64>]) -> Result<Option<EstimateWithInterval>> {
    let curve = |risks: &Vec<f64>| RocCurve::new(labels, risks, Direction::HigherIsPositive);
    let curves = risks.iter().map(curve).collect::<Result<Vec<_>, _>>()?;
    let pooled = rules.pool_auc(&curves).ok();
    Ok(pooled.map(|area| EstimateWithInterval { estimate: area.estimate, interval: area.interval }))
}
