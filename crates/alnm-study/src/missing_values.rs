//! The effect of missing values on the models: results pooled over all completed tables by Rubin's rules, and those of
//! the patients without missing values.

use alnm_imputation::MultipleImputation;
use alnm_imputation::pooling::{PoolingParams, RubinsRules};
use alnm_models::model_set::{FittedModel, ModelSet, ModelSpecification};
use alnm_models::saved_model::TrainingData;
use alnm_models::{LogisticModel, LogisticParams, Measurement, RiskModel, Variable};
use alnm_selection::{FeatureTable, Labels};
use alnm_stats::Interval;
use alnm_stats::calibration::{Recalibration, WaldEstimate, recalibrate};
use alnm_stats::delong::auc_estimate;
use alnm_stats::roc::{Direction, RocCurve};
use anyhow::Result;
use serde::Serialize;

use crate::analysis::CUTOFF;
use crate::cohort::Patient;
use crate::measurements::{MEASUREMENTS, MeasuredColumn};
use crate::patient_completion::PatientCompletion;
use crate::scoring::assess_completed;
use crate::table::CohortTable;
use crate::ten_models::{INTEGRATED, LEVEL, specifications};
use crate::variables::{DL_SCORE, RAD_SCORE};

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
    /// Root of its total variance.
    pub standard_error: f64,
    /// Two-sided p by Student's distribution.
    pub p_value: f64,
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
    /// By the patients who lack nothing, for models that were fitted to such; absent where that cannot be, and for
    /// figures out of fold.
    pub complete_cases: Option<EstimateWithInterval>,
}

/// The risk of a patient by the model and the imputation that the bundle hands on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandedOnRisk {
    /// Identifier.
    pub patient: String,
    /// Centre.
    pub centre: String,
    /// The outcome.
    pub alnm: bool,
    /// Whether a value that the model needs was missing.
    pub completed: bool,
    /// The risk; the mean over the completions where one was.
    pub risk: f64,
}

/// The model that the bundle hands on, judged in a cohort by one risk for each patient, as it will be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandedOnFigures {
    /// The cohort.
    pub cohort: String,
    /// Its patients.
    pub patients: usize,
    /// Those of them who lacked a value.
    pub completed: usize,
    /// Area under the ROC curve.
    pub auc: Option<EstimateWithInterval>,
    /// Calibration in the large.
    pub in_the_large: Option<EstimateWithInterval>,
    /// Calibration slope.
    pub slope: Option<EstimateWithInterval>,
}

/// The effect of missing values on the models.
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
    /// The integrated model that is handed on, in all cohorts.
    pub handed_on: Vec<HandedOnFigures>,
    /// What it says about every patient.
    pub handed_on_risks: Vec<HandedOnRisk>,
    /// The integrated model pooled over the completed tables; absent where no training value was missing or there is no
    /// covariance to be pooled.
    #[serde(skip)]
    pub integrated: Option<RiskModel>,
}

impl MissingValues {
    /// The models of a cohort with missing values; `None` where there are none. `out_of_fold` holds the risks of
    /// training patients by completed table and model, `single` is the integrated model of the first table.
    ///
    /// # Errors
    /// What a model or the imputation goes wrong with.
    pub(crate) fn of(
        table: &CohortTable<'_>,
        scores: &FeatureTable,
        out_of_fold: &[Vec<Vec<f64>>],
        single: &RiskModel,
    ) -> Result<Option<Self>> {
        let tables = table.completed(scores, table.training())?;
        if tables.len() < 2 {
            return Ok(None);
        }
        let rules = PoolingParams::default().with_level(LEVEL).check()?;
        let observed = table.observed(scores)?;
        let imputation = table.imputation(scores, table.training())?;
        let fitted = FittedTables::new(table, &tables, &observed)?;
        let integrated = fitted.pooled_model(&rules, single)?;
        let completion = table.patient_completion(scores)?;
        let handed_on_risks = handed_on_risks(table, &observed, &completion, integrated.as_ref().unwrap_or(single))?;
        let complete_of = |(centre, rows): (&str, Vec<usize>)| (centre.to_owned(), complete(&observed, &rows).len());
        Ok(Some(Self {
            missing: missing(table),
            complete_patients: table.centres().map(complete_of).collect(),
            imputations: tables.len(),
            convergence: convergence(&imputation),
            coefficients: fitted.coefficients(&rules)?,
            areas: fitted.areas(&rules, out_of_fold)?,
            handed_on: table
                .centres()
                .map(|(centre, rows)| handed_on_figures(table, centre, &rows, &handed_on_risks))
                .collect(),
            handed_on_risks,
            integrated,
        }))
    }
}

/// What the model says about every patient who is completed by what the bundle hands on.
fn handed_on_risks(
    table: &CohortTable<'_>,
    observed: &FeatureTable,
    completion: &PatientCompletion,
    model: &RiskModel,
) -> Result<Vec<HandedOnRisk>> {
    let names: Vec<String> = model.variables().iter().map(|v| v.variable.name.clone()).collect();
    let needed = observed.select(&names)?;
    let known = |name: &str, row: usize| -> Result<Option<f64>> {
        Ok(Some(observed.column(name)?[row]).filter(|value| value.is_finite()))
    };
    let of_patient = |(row, patient): (usize, &Patient)| -> Result<HandedOnRisk> {
        let values = needed.values().row(row).to_vec();
        let is_completed = values.iter().any(|value| !value.is_finite());
        let risk = if is_completed {
            let given = |column: &str| {
                let measured = MEASUREMENTS.iter().find(|one| one.name == column)?;
                Some((measured.value)(patient)).filter(|value| value.is_finite())
            };
            let completions = completion.complete(&given, [known(RAD_SCORE, row)?, known(DL_SCORE, row)?])?;
            assess_completed(model, &completions, LEVEL)?.risk
        } else {
            let measured = model.variables().iter().zip(values);
            let measured = measured.map(|(v, value)| Measurement::new(&v.variable.name, &v.variable.unit, value));
            model.assess(&measured.collect::<Vec<_>>(), LEVEL)?.risk
        };
        Ok(HandedOnRisk {
            patient: patient.id.clone(),
            centre: patient.centre.clone(),
            alnm: patient.alnm,
            completed: is_completed,
            risk,
        })
    };
    table.cohort().patients.iter().enumerate().map(of_patient).collect()
}

fn handed_on_figures(table: &CohortTable<'_>, centre: &str, rows: &[usize], risks: &[HandedOnRisk]) -> HandedOnFigures {
    let labels = table.labels(rows);
    let of_rows: Vec<f64> = rows.iter().map(|&row| risks[row].risk).collect();
    let line = recalibrate(&labels, &of_rows, LEVEL).ok();
    let of_line = |part: fn(&Recalibration) -> WaldEstimate| {
        let part = part(line.as_ref()?);
        Some(EstimateWithInterval { estimate: part.estimate, interval: part.interval })
    };
    HandedOnFigures {
        cohort: if rows == table.training() { "training".to_owned() } else { centre.to_owned() },
        patients: rows.len(),
        completed: rows.iter().filter(|&&row| risks[row].completed).count(),
        auc: area(&labels, &of_rows),
        in_the_large: of_line(|line| line.in_the_large),
        slope: of_line(|line| line.slope),
    }
}

fn area(labels: &Labels, risks: &[f64]) -> Option<EstimateWithInterval> {
    let roc = RocCurve::new(labels, risks, Direction::HigherIsPositive).ok()?;
    let area = auc_estimate(&roc, LEVEL).ok()?;
    Some(EstimateWithInterval { estimate: area.auc, interval: area.interval })
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

    /// The integrated model pooled over the completed tables, with Youden's cutoff of the risks that it gives training
    /// patients, each the mean over the tables.
    fn pooled_model(&self, rules: &RubinsRules, single: &RiskModel) -> Result<Option<RiskModel>> {
        let rows = self.table.training();
        if complete(self.observed, rows).len() == rows.len() {
            return Ok(None);
        }
        let Ok(pooled) = rules.pool_logistic(&self.integrated()?) else { return Ok(None) };
        let variables: Vec<Variable> = single.variables().iter().map(|v| v.variable.clone()).collect();
        let names: Vec<String> = variables.iter().map(|variable| variable.name.clone()).collect();
        let tables = self.tables.iter().map(|table| Ok(table.select(&names)?.select_rows(rows)));
        let tables = tables.collect::<Result<Vec<FeatureTable>>>()?;
        let labels = self.table.labels(rows);
        let trained_on = format!("{}, pooled over {} imputations", single.trained_on(), tables.len());
        let mut model =
            pooled.risk_model(single.name(), &variables, &TrainingData::new(&tables, &labels, &trained_on))?;
        let of_tables = tables.iter().map(|table| Ok(model.predict(table, &variables)?));
        let of_tables = of_tables.collect::<Result<Vec<Vec<f64>>>>()?;
        let mean = |row: usize| of_tables.iter().map(|risks| risks[row]).sum::<f64>() / of_tables.len() as f64;
        let risks: Vec<f64> = (0..rows.len()).map(mean).collect();
        model.add_youden_cutoff(CUTOFF, &labels, &risks)?;
        Ok(Some(model))
    }

    /// The integrated model of each completed table.
    fn integrated(&self) -> Result<Vec<LogisticModel>> {
        self.of_tables.iter().map(|set| Ok(set.model(INTEGRATED)?.model().clone())).collect()
    }

    fn coefficients(&self, rules: &RubinsRules) -> Result<Vec<ImputedCoefficient>> {
        // Where the variables separate the outcome in a table there is no covariance to be pooled.
        let Ok(pooled) = rules.pool_logistic(&self.integrated()?) else { return Ok(Vec::new()) };
        let complete = self.of_complete.as_ref().and_then(|set| set.model(INTEGRATED).ok()).map(FittedModel::model);
        let of_complete = |name: &str| {
            let term = complete?.terms().iter().find(|term| term.name == name)?;
            Some(EstimateWithInterval { estimate: term.estimate, interval: term.interval })
        };
        let coefficients = pooled.coefficients.iter().map(|one| ImputedCoefficient {
            term: one.name.clone(),
            pooled: EstimateWithInterval { estimate: one.estimate, interval: one.interval },
            standard_error: one.standard_error,
            p_value: one.p_value,
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
        area(&self.table.labels(&rows), &risks)
    }
}

fn pooled_area(rules: &RubinsRules, labels: &Labels, risks: &[Vec<f64>]) -> Result<Option<EstimateWithInterval>> {
    let curve = |risks: &Vec<f64>| RocCurve::new(labels, risks, Direction::HigherIsPositive);
    let curves = risks.iter().map(curve).collect::<Result<Vec<_>, _>>()?;
    let pooled = rules.pool_auc(&curves).ok();
    Ok(pooled.map(|area| EstimateWithInterval { estimate: area.estimate, interval: area.interval }))
}
