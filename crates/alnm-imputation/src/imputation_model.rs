//! The model that imputes rows whose outcome is unknown: patients to be predicted, and validation cohorts.
//!
//! It is learned from training rows only. The outcome is not a predictor, since it is not known when a risk is
//! computed. Each row is imputed by a chain of its own, whose random numbers depend on the values of the row, so that a
//! row is always completed in the same way, whichever other rows are in the table.

use alnm_models::{FeatureTable, Measurement, ModelError};
#[cfg(feature = "learning")]
use alnm_stats::describe::median;
use ndarray::Array2;
use rayon::prelude::*;

use crate::coding::{Coded, places_of};
use crate::conditional::ConditionalModel;
use crate::draws::Draws;
use crate::error::{ImputationError, Result};
use crate::formula::PassiveFormula;
#[cfg(feature = "learning")]
use crate::plan::VariablePlan;

/// Most rounds over the variables.
pub(crate) const MOST_ITERATIONS: usize = 100_000;

/// A variable of an imputation model.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub(crate) struct ModelledVariable {
    name: String,
    unit: String,
    formula: Option<PassiveFormula>,
    /// The values that a categorical variable takes, ascending; empty for numbers.
    levels: Vec<f64>,
    /// Where chains start: the median of training, or the most frequent level.
    start: f64,
}

#[cfg(feature = "learning")]
impl ModelledVariable {
    pub(crate) fn new(plan: &VariablePlan, coded: &Coded, observed: &[f64]) -> Self {
        let count = |level: f64| observed.iter().filter(|value| **value == level).count();
        let frequent = coded.levels.iter().copied().rev().max_by_key(|&level| count(level));
        Self {
            name: plan.name.clone(),
            unit: plan.unit.clone(),
            formula: coded.formula.clone(),
            levels: coded.levels.clone(),
            start: frequent.unwrap_or_else(|| if observed.is_empty() { 0.0 } else { median(observed) }),
        }
    }
}

/// Regressions of each variable on the others, one set for each imputation of training, that complete any row.
///
/// A file of a model is written by [`ImputationModel::to_json`] and read by [`ImputationModel::from_json`], which
/// refuses one that was damaged or edited. With predictive mean matching it holds the observed values of the training
/// rows, each variable for itself; where these must not be handed on, plan
/// [`BayesianLinear`](crate::ImputationMethod::BayesianLinear).
///
/// ```
/// use alnm_imputation::{ChainedEquationsParams, VariablePlan};
/// use alnm_selection::FeatureTable;
/// use ndarray::{Array2, array};
/// let values = Array2::from_shape_fn((60, 2), |(row, column)| match column {
///     1 => row as f64 + ((row * 7) % 13) as f64,
///     _ => row as f64,
/// });
/// let names = vec!["age".to_owned(), "size".to_owned()];
/// let training = FeatureTable::new(names.clone(), values)?;
/// let equations =
///     ChainedEquationsParams::new(vec![VariablePlan::numeric("age"), VariablePlan::numeric("size")]).check()?;
/// let model = equations.impute(&training)?.model();
/// // A patient aged 30 whose size is unknown: twenty sizes that such patients have.
/// let completed = model.impute(&FeatureTable::new(names, array![[30.0, f64::NAN]])?)?;
/// assert_eq!(completed.len(), 20);
/// assert!(completed.iter().all(|table| (20.0..60.0).contains(&table.values()[[0, 1]])));
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::ModelForm", into = "saved::ModelForm"))]
pub struct ImputationModel {
    variables: Vec<ModelledVariable>,
    coded: Vec<Coded>,
    /// For each imputation the models of the variables that are not passive, in their order.
    imputations: Vec<Vec<ConditionalModel>>,
    iterations: usize,
    seed: u64,
    training_rows: usize,
}

impl ImputationModel {
    pub(crate) fn new(
        variables: Vec<ModelledVariable>,
        imputations: Vec<Vec<ConditionalModel>>,
        iterations: usize,
        seed: u64,
        training_rows: usize,
    ) -> Self {
        let mut coded: Vec<Coded> = Vec::with_capacity(variables.len());
        for v in &variables {
            let first = coded.last().map_or(0, |c| c.columns.end);
            coded.push(Coded::of_levels(&v.name, v.levels.clone(), v.formula.clone(), first));
        }
        Self { variables, coded, imputations, iterations, seed, training_rows }
    }

    /// Names of the variables, in the order of the completed tables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|v| v.name.as_str())
    }

    /// Number of completed tables.
    #[must_use]
    pub fn imputations(&self) -> usize {
        self.imputations.len()
    }

    /// Number of rows that the model was learned from.
    #[must_use]
    pub fn training_rows(&self) -> usize {
        self.training_rows
    }

    /// Completes the missing values (NaN) of the rows, once for each imputation of training. The table needs a column
    /// for each variable; a passive variable may lack its column, and other columns, the outcome among them, are left
    /// aside.
    ///
    /// # Errors
    /// [`ImputationError::Selection`] for a column that the table lacks; [`ImputationError::Column`] for an infinite
    /// value, a level that no training row has, and a formula whose value is not finite.
    pub fn impute(&self, table: &FeatureTable) -> Result<Vec<FeatureTable>> {
        let columns = self
            .coded
            .iter()
            .map(|c| {
                if c.formula.is_some() && !table.names().contains(&c.name) {
                    return Ok(vec![f64::NAN; table.rows()]);
                }
                let column = table.column(&c.name)?.to_vec();
                column.iter().try_for_each(|&value| c.require_known(value))?;
                Ok(column)
            })
            .collect::<Result<Vec<Vec<f64>>>>()?;
        let names: Vec<String> = self.variables().map(str::to_owned).collect();
        (0..self.imputations.len())
            .into_par_iter()
            .map(|imputation| {
                let mut values = Array2::zeros((table.rows(), columns.len()));
                for row in 0..table.rows() {
                    let given: Vec<f64> = columns.iter().map(|column| column[row]).collect();
                    for (v, value) in self.complete(imputation, &given, &given, row)?.into_iter().enumerate() {
                        values[[row, v]] = value;
                    }
                }
                Ok(FeatureTable::new(names.clone(), values)?)
            })
            .collect()
    }

    /// The rows of one patient who lacks values, one for each imputation. Variables without a measurement are imputed,
    /// measurements of other variables left aside.
    ///
    /// # Errors
    /// [`ImputationError::Model`] for a variable measured twice or in another unit than that of training;
    /// [`ImputationError::Column`] as [`ImputationModel::impute`], and for a measurement that is not finite.
    pub fn complete_patient(&self, patient: &[Measurement]) -> Result<FeatureTable> {
        self.complete_measurements(patient, None)
    }

    /// The same with random numbers that depend on `key` instead of all measurements: for patients of whom a
    /// measurement is itself computed, on another processor to other last digits, which would draw other values
    /// altogether.
    ///
    /// # Errors
    /// As [`ImputationModel::complete_patient`].
    pub fn complete_patient_by_key(&self, patient: &[Measurement], key: &[f64]) -> Result<FeatureTable> {
        self.complete_measurements(patient, Some(key))
    }

    fn complete_measurements(&self, patient: &[Measurement], key: Option<&[f64]>) -> Result<FeatureTable> {
        let mut given = Vec::with_capacity(self.variables.len());
        for (v, coded) in self.variables.iter().zip(&self.coded) {
            let mut own = patient.iter().filter(|m| m.variable.name == v.name);
            let Some(measured) = own.next() else {
                given.push(f64::NAN);
                continue;
            };
            if own.next().is_some() {
                return Err(ModelError::Repeated { what: "measurement", name: v.name.clone() }.into());
            }
            if measured.variable.unit != v.unit {
                let (variable, given) = (v.name.clone(), measured.variable.unit.clone());
                return Err(ModelError::Unit { variable, given, trained: v.unit.clone() }.into());
            }
            if measured.value.is_nan() {
                let reason = "a measurement is NaN; leave a measurement out that is missing";
                return Err(ImputationError::column(&v.name, reason));
            }
            coded.require_known(measured.value)?;
            given.push(measured.value);
        }
        let rows = (0..self.imputations.len())
            .map(|imputation| self.complete(imputation, &given, key.unwrap_or(&given), 0))
            .collect::<Result<Vec<Vec<f64>>>>()?;
        let values = Array2::from_shape_fn((rows.len(), given.len()), |(imputation, v)| rows[imputation][v]);
        Ok(FeatureTable::new(self.variables().map(str::to_owned).collect(), values)?)
    }

    /// The unit of a variable.
    pub(crate) fn unit(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|v| v.name == name).map(|v| v.unit.as_str())
    }

    /// One row, completed by the models of one imputation, with random numbers that depend on the key.
    fn complete(&self, imputation: usize, given: &[f64], key: &[f64], row: usize) -> Result<Vec<f64>> {
        let mut patient = Patient {
            coded: &self.coded,
            values: given.to_vec(),
            design: vec![0.0; self.coded.last().map_or(0, |c| c.columns.end)],
            row,
        };
        let mut draws = Draws::of_row(self.seed, imputation as u64, key);
        let is_passive = |v: usize| self.coded[v].formula.is_some();
        for v in 0..given.len() {
            let start = if given[v].is_nan() { self.variables[v].start } else { given[v] };
            patient.set(v, start);
        }
        let passive: Vec<usize> = (0..given.len()).filter(|&v| is_passive(v) && given[v].is_nan()).collect();
        let active: Vec<usize> = (0..given.len()).filter(|&v| !is_passive(v)).collect();
        patient.compute(&passive)?;
        let missing: Vec<(usize, &ConditionalModel)> = active
            .iter()
            .zip(&self.imputations[imputation])
            .filter(|(v, _)| given[**v].is_nan())
            .map(|(&v, model)| (v, model))
            .collect();
        // A single unknown is drawn from its distribution at once.
        let rounds = if missing.len() > 1 { self.iterations } else { missing.len() };
        for _ in 0..rounds {
            for (v, model) in &missing {
                let value = model.draw(|column| patient.design[column], &mut draws);
                patient.set(*v, value);
                patient.compute(&passive)?;
            }
        }
        Ok(patient.values)
    }
}

/// A row with its design columns.
struct Patient<'a> {
    coded: &'a [Coded],
    values: Vec<f64>,
    design: Vec<f64>,
    row: usize,
}

impl Patient<'_> {
    fn set(&mut self, v: usize, value: f64) {
        self.values[v] = value;
        let design = &mut self.design;
        self.coded[v].encode(value, |column, entry| design[column] = entry);
    }

    fn compute(&mut self, passive: &[usize]) -> Result<()> {
        let coded = self.coded;
        for &v in passive {
            let Some(formula) = &coded[v].formula else { continue };
            let parts = places_of(formula, coded);
            let value = formula.evaluate_at(&parts.iter().map(|&part| self.values[part]).collect::<Vec<_>>());
            if !value.is_finite() {
                return Err(ImputationError::not_finite(&coded[v].name, formula.text(), value, self.row));
            }
            self.set(v, value);
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl ImputationModel {
    const FORMAT: alnm_selection::saved::SavedFormat =
        alnm_selection::saved::SavedFormat::new("alnm-imputation-model", 1, "imputation model");

    /// The model as JSON, in an envelope with a SHA-256 of its content.
    ///
    /// # Errors
    /// [`ImputationError::Saved`] when a value has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        Ok(Self::FORMAT.to_json(self)?)
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`ImputationError::Saved`] for a text of another kind or version, and for one that was damaged or edited.
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(Self::FORMAT.from_json(text)?)
    }
}

/// The form in which a model is written and read, and what must hold for one that was read.
#[cfg(feature = "serde")]
mod saved {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::conditional::LinearPart;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct ModelForm {
        variables: Vec<ModelledVariable>,
        imputations: Vec<Vec<ConditionalModel>>,
        iterations: usize,
        seed: u64,
        training_rows: usize,
    }

    impl From<ImputationModel> for ModelForm {
        fn from(model: ImputationModel) -> Self {
            Self {
                variables: model.variables,
                imputations: model.imputations,
                iterations: model.iterations,
                seed: model.seed,
                training_rows: model.training_rows,
            }
        }
    }

    fn require(holds: bool, reason: impl FnOnce() -> String) -> std::result::Result<(), String> {
        if holds { Ok(()) } else { Err(reason()) }
    }

    fn ascend(values: &[f64]) -> bool {
        values.iter().all(|value| value.is_finite()) && values.windows(2).all(|pair| pair[0] < pair[1])
    }

    impl TryFrom<ModelForm> for ImputationModel {
        type Error = String;

        fn try_from(form: ModelForm) -> std::result::Result<Self, String> {
            let ModelForm { variables, imputations, iterations, seed, training_rows } = form;
            require(!variables.is_empty(), || "it has no variable".to_owned())?;
            require((1..=MOST_ITERATIONS).contains(&iterations), || {
                format!("its number of iterations is {iterations}; it must be 1 to {MOST_ITERATIONS}")
            })?;
            require(imputations.len() >= 2, || {
                format!("it has {} imputations; it must have at least 2", imputations.len())
            })?;
            require(training_rows > 0, || "its number of training rows is 0".to_owned())?;
            let mut names = BTreeSet::new();
            for v in &variables {
                require(!v.name.is_empty() && names.insert(v.name.as_str()), || {
                    format!("the variable {:?} has no name of its own", v.name)
                })?;
                require(v.start.is_finite(), || {
                    format!("the start of {:?} is {}; it must be finite", v.name, v.start)
                })?;
                require(ascend(&v.levels), || format!("the levels of {:?} do not ascend", v.name))?;
                require(v.levels.is_empty() || v.levels.contains(&v.start), || {
                    format!("the start of {:?} is {}; it must be one of its levels", v.name, v.start)
                })?;
            }
            for v in &variables {
                for part in v.formula.iter().flat_map(PassiveFormula::variables) {
                    let found = variables.iter().find(|other| other.name == *part);
                    require(found.is_some_and(|other| other.formula.is_none()), || {
                        format!("the formula of {:?} takes {part:?}, which is no variable with a model", v.name)
                    })?;
                }
                require(v.formula.is_none() || v.levels.is_empty(), || {
                    format!("{:?} is passive and has levels", v.name)
                })?;
            }
            let model = Self::new(variables, imputations, iterations, seed, training_rows);
            let active: Vec<usize> = (0..model.coded.len()).filter(|&v| model.coded[v].formula.is_none()).collect();
            for models in &model.imputations {
                require(models.len() == active.len(), || {
                    format!("an imputation has {} models for {} variables", models.len(), active.len())
                })?;
                for (&v, of_variable) in active.iter().zip(models) {
                    model
                        .check(v, of_variable)
                        .map_err(|reason| format!("a model of {:?} cannot be used: {reason}", model.coded[v].name))?;
                }
            }
            Ok(model)
        }
    }

    impl ImputationModel {
        fn check_part(&self, v: usize, part: &LinearPart) -> std::result::Result<(), String> {
            let width = self.coded.last().map_or(0, |c| c.columns.end);
            let own = &self.coded[v].columns;
            let same_length = part.columns.len() == part.centres.len() && part.columns.len() == part.weights.len();
            require(same_length, || "its lists of columns, centres and weights differ in length".to_owned())?;
            require(part.columns.iter().all(|column| *column < width && !own.contains(column)), || {
                "a column does not exist or is its own".to_owned()
            })?;
            require(part.columns.windows(2).all(|pair| pair[0] < pair[1]), || "its columns do not ascend".to_owned())?;
            let numbers = part.centres.iter().chain(&part.weights).chain(std::iter::once(&part.constant));
            require(numbers.into_iter().all(|number| number.is_finite()), || "a number is not finite".to_owned())
        }

        fn check(&self, v: usize, model: &ConditionalModel) -> std::result::Result<(), String> {
            let own = &self.coded[v].levels;
            let numeric = || require(own.is_empty(), || "it gives numbers for levels".to_owned());
            let of_levels = |levels: &[f64]| {
                require(levels == own.as_slice() && levels.len() > 1, || {
                    "its levels are not those of the variable".to_owned()
                })
            };
            match model {
                ConditionalModel::Constant { value } => {
                    require(value.is_finite() && (own.is_empty() || own.contains(value)), || {
                        format!("its value is {value}")
                    })
                }
                ConditionalModel::MeanMatching { mean, donors, predictions, values } => {
                    numeric()?;
                    self.check_part(v, mean)?;
                    require(*donors > 0, || "its number of donors is 0".to_owned())?;
                    require(!values.is_empty() && values.len() == predictions.len(), || {
                        format!("it has {} predictions for {} values", predictions.len(), values.len())
                    })?;
                    let sorted = predictions.windows(2).all(|pair| pair[0] <= pair[1]);
                    require(sorted && values.iter().chain(predictions).all(|value| value.is_finite()), || {
                        "its predictions do not ascend, or a number is not finite".to_owned()
                    })
                }
                ConditionalModel::Normal { mean, deviation } => {
                    numeric()?;
                    self.check_part(v, mean)?;
                    require(deviation.is_finite() && *deviation >= 0.0, || format!("its deviation is {deviation}"))
                }
                ConditionalModel::Multinomial { levels, log_odds } => {
                    of_levels(levels)?;
                    require(log_odds.len() + 1 == levels.len(), || "it has not one part for each level".to_owned())?;
                    log_odds.iter().try_for_each(|part| self.check_part(v, part))
                }
                ConditionalModel::Cumulative { levels, shift, thresholds } => {
                    of_levels(levels)?;
                    self.check_part(v, shift)?;
                    require(thresholds.len() + 1 == levels.len() && ascend(thresholds), || {
                        "its thresholds do not ascend or are too few or many".to_owned()
                    })
                }
            }
        }
    }
}
