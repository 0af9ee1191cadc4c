//! A risk model in the form that is saved: with its variables, their units and ranges, a description of its training
//! data, and its cutoffs.
//!
//! The saved form is JSON in the envelope of [`alnm_selection::saved`], with a SHA-256 over its content: a file that
//! was damaged or edited is refused with a sentence that says so.

use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::normal_quantile;
use alnm_stats::roc::{Direction, RocCurve};
#[cfg(feature = "regression")]
use ndarray::{Array2, ArrayView2};

use crate::covariance::CovarianceMatrix;
use crate::error::{ModelError, Result, require_level};
#[cfg(any(feature = "regression", feature = "serde"))]
use crate::invariants::{Checked, distinct, finite, require};
#[cfg(feature = "regression")]
use crate::logistic::{Estimation, LogisticModel, Term};
use crate::logit::{INTERCEPT, expit};
use crate::variable::{Measurement, Variable};
use crate::{FeatureTable, Labels};

/// A variable of a saved model.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ModelVariable {
    /// Name and unit.
    pub variable: Variable,
    /// Log odds ratio per unit.
    pub coefficient: f64,
    /// Smallest value in the training data.
    pub training_minimum: f64,
    /// Largest value in the training data.
    pub training_maximum: f64,
    /// Mean of the training data, against which a patient's contribution is measured.
    pub training_mean: f64,
}

/// A risk threshold with the reason for it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NamedCutoff {
    /// What the threshold is, for instance "Youden, training".
    pub name: String,
    /// Risks above it are positive; between 0 and 1.
    pub threshold: f64,
}

/// A logistic model in the form that is saved.
///
/// A model that is read is checked like one that is fitted: the covariance has a row and a column for the intercept and
/// each variable, names are unique, numbers are finite, training ranges hold their means, and cutoffs are risks.
///
/// ```
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
/// assert_eq!(model.predict(&table, &[Variable::new("size", "cm")])?, fitted.predict(&table)?);
/// // The model refuses sizes in mm.
/// assert!(model.predict(&table, &[Variable::new("size", "mm")]).is_err());
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::RiskForm", into = "saved::RiskForm"))]
pub struct RiskModel {
    name: String,
    intercept: f64,
    variables: Vec<ModelVariable>,
    covariance: CovarianceMatrix,
    training_rows: usize,
    training_events: usize,
    trained_on: String,
    cutoffs: Vec<NamedCutoff>,
}

/// Coefficients with their covariance.
#[cfg(feature = "regression")]
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RiskEstimates<'a> {
    /// Names of the coefficients; the intercept's is `(Intercept)`, the others are predictors.
    pub names: &'a [String],
    /// The estimates, in the order of the names.
    pub estimates: &'a [f64],
    /// Their covariance.
    pub covariance: ArrayView2<'a, f64>,
}

#[cfg(feature = "regression")]
impl<'a> RiskEstimates<'a> {
    /// Names, estimates and covariance.
    #[must_use]
    pub fn new(names: &'a [String], estimates: &'a [f64], covariance: ArrayView2<'a, f64>) -> Self {
        Self { names, estimates, covariance }
    }
}

/// What coefficients were estimated from: the completed tables of the same rows, or a single one, the outcomes, and
/// what these are in words.
#[cfg(feature = "regression")]
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TrainingData<'a> {
    /// The tables, at least one; ranges and means are those of all their values.
    pub tables: &'a [FeatureTable],
    /// The outcomes of their rows.
    pub labels: &'a Labels,
    /// What the data are, in words.
    pub trained_on: &'a str,
}

#[cfg(feature = "regression")]
impl<'a> TrainingData<'a> {
    /// Tables, outcomes and what they are.
    #[must_use]
    pub fn new(tables: &'a [FeatureTable], labels: &'a Labels, trained_on: &'a str) -> Self {
        Self { tables, labels, trained_on }
    }
}

impl RiskModel {
    /// The saved form of a fitted model. `variables` gives the unit of each predictor, `training` the data that it was
    /// fitted to, and `trained_on` what these are, in words.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] when a predictor has no variable; [`ModelError::Separated`] for maximum likelihood on
    /// separated data; [`ModelError::Selection`] when the training table lacks a predictor, and
    /// [`ModelError::Training`] when its values cannot be those that the model was fitted to.
    #[cfg(feature = "regression")]
    pub fn new(
        name: &str,
        model: &LogisticModel,
        variables: &[Variable],
        training: &FeatureTable,
        trained_on: &str,
    ) -> Result<Self> {
        let separated = ModelError::Separated { operation: "saving a model" };
        let of_model = match model.covariance() {
            Some(covariance) if !(model.separated() && model.estimation() == Estimation::MaximumLikelihood) => {
                covariance.view()
            }
            _ => return Err(separated),
        };
        let terms: Vec<(&str, f64)> = model.terms().iter().map(|t: &Term| (t.name.as_str(), t.estimate)).collect();
        let training = TrainingData { tables: std::slice::from_ref(training), labels: model.outcomes(), trained_on };
        Self::assembled(name, &terms, &of_model, variables, &training)
    }

    /// The saved form of coefficients that were estimated elsewhere, for instance pooled over imputations by Rubin's
    /// rules.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] when the numbers of names, estimates and rows of the covariance differ or no table is
    /// given; [`ModelError::Repeated`] for a name that is given twice; otherwise as [`RiskModel::new`].
    ///
    /// ```
    /// use alnm_models::saved_model::{RiskEstimates, TrainingData};
    /// use alnm_models::{FeatureTable, Labels, RiskModel, Variable};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0]])?;
    /// let labels = Labels::new(vec![false, false, true]);
    /// let training = TrainingData::new(std::slice::from_ref(&table), &labels, "three patients");
    /// let names = ["(Intercept)".to_owned(), "size".to_owned()];
    /// let covariance = array![[0.5, -0.1], [-0.1, 0.04]];
    /// let estimates = RiskEstimates::new(&names, &[-2.0, 0.5], covariance.view());
    /// let model = RiskModel::of_estimates("pooled", &estimates, &[Variable::new("size", "cm")], &training)?;
    /// assert_eq!(model.intercept(), -2.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    #[cfg(feature = "regression")]
    pub fn of_estimates(
        name: &str,
        estimates: &RiskEstimates<'_>,
        variables: &[Variable],
        training: &TrainingData<'_>,
    ) -> Result<Self> {
        let RiskEstimates { names, estimates, ref covariance } = *estimates;
        let requirement = "that of the names, and of the rows and columns of the covariance";
        if estimates.len() != names.len() || covariance.dim() != (names.len(), names.len()) {
            return Err(ModelError::parameter("number of estimates", estimates.len(), requirement));
        }
        if let Some(twice) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            return Err(ModelError::Repeated { what: "coefficient", name: twice.1.clone() });
        }
        if training.tables.is_empty() {
            return Err(ModelError::parameter("number of training tables", 0_usize, "at least 1"));
        }
        for table in training.tables {
            table.require_rows(training.labels.len())?;
        }
        let terms: Vec<(&str, f64)> = names.iter().map(String::as_str).zip(estimates.iter().copied()).collect();
        Self::assembled(name, &terms, covariance, variables, training)
    }

    #[cfg(feature = "regression")]
    fn assembled(
        name: &str,
        terms: &[(&str, f64)],
        of_terms: &ArrayView2<'_, f64>,
        variables: &[Variable],
        training: &TrainingData<'_>,
    ) -> Result<Self> {
        let of_term = |(name, coefficient): (&str, f64)| -> Result<ModelVariable> {
            let mut present = Vec::new();
            for table in training.tables {
                present.extend(table.column(name)?.iter().copied().filter(|v| !v.is_nan()));
            }
            Ok(ModelVariable {
                variable: find(variables, name)?.clone(),
                coefficient,
                training_minimum: present.iter().copied().fold(f64::NAN, f64::min),
                training_maximum: present.iter().copied().fold(f64::NAN, f64::max),
                training_mean: present.iter().sum::<f64>() / present.len() as f64,
            })
        };
        // Without an intercept its row and column are zero.
        let (intercept, predictors): (Vec<usize>, Vec<usize>) =
            (0..terms.len()).partition(|&t| terms[t].0 == INTERCEPT);
        let places: Vec<Option<usize>> =
            std::iter::once(intercept.first().copied()).chain(predictors.iter().copied().map(Some)).collect();
        let covariance = Array2::from_shape_fn((places.len(), places.len()), |(i, j)| {
            places[i].zip(places[j]).map_or(0.0, |(a, b)| of_terms[[a, b]])
        });
        let separated = ModelError::Separated { operation: "saving a model" };
        let saved = Self {
            name: name.to_owned(),
            intercept: intercept.first().map_or(0.0, |&t| terms[t].1),
            variables: predictors.iter().map(|&t| of_term(terms[t])).collect::<Result<_>>()?,
            covariance: CovarianceMatrix::new(covariance).map_err(|_| separated)?,
            training_rows: training.labels.len(),
            training_events: training.labels.positives(),
            trained_on: training.trained_on.to_owned(),
            cutoffs: Vec::new(),
        };
        saved.check().map_err(|reason| ModelError::Training { reason })?;
        Ok(saved)
    }

    /// What holds for every model, fitted or read.
    #[cfg(any(feature = "regression", feature = "serde"))]
    fn check(&self) -> Checked {
        finite("the intercept", self.intercept)?;
        distinct("variable", self.variables.iter().map(|v| v.variable.name.as_str()))?;
        for v in &self.variables {
            let what = |field: &str| format!("the {field} of {:?}", v.variable.name);
            let (low, high, mean) = (v.training_minimum, v.training_maximum, v.training_mean);
            for (field, value) in [
                ("coefficient", v.coefficient),
                ("training minimum", low),
                ("training maximum", high),
                ("training mean", mean),
            ] {
                finite(&what(field), value)?;
            }
            // A mean of equal values may differ from them by rounding.
            let slack = 1e-9 * low.abs().max(high.abs());
            require(low <= high && low - slack <= mean && mean <= high + slack, || {
                format!("{} is {mean}; it must lie in the training range of {low} to {high}", what("training mean"))
            })?;
        }
        let (size, needed) = (self.covariance.size(), self.variables.len() + 1);
        require(size == needed, || {
            format!("the covariance has {size} rows; it must have {needed}, for the intercept and each variable")
        })?;
        require((1..self.training_rows.max(1)).contains(&self.training_events), || {
            format!("the number of training events is {} of {} rows", self.training_events, self.training_rows)
        })?;
        distinct("cutoff", self.cutoffs.iter().map(|c| c.name.as_str()))?;
        for cutoff in &self.cutoffs {
            require((0.0..=1.0).contains(&cutoff.threshold), || {
                format!("the cutoff {:?} is {}; it must lie between 0 and 1", cutoff.name, cutoff.threshold)
            })?;
        }
        Ok(())
    }

    /// Name of the model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The intercept: log odds where every variable is 0.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The variables with their coefficients and training ranges.
    #[must_use]
    pub fn variables(&self) -> &[ModelVariable] {
        &self.variables
    }

    /// Covariance of the estimates: the intercept first, then the variables in their order.
    #[must_use]
    pub fn covariance(&self) -> &CovarianceMatrix {
        &self.covariance
    }

    /// Number of training rows.
    #[must_use]
    pub fn training_rows(&self) -> usize {
        self.training_rows
    }

    /// Number of events among the training rows.
    #[must_use]
    pub fn training_events(&self) -> usize {
        self.training_events
    }

    /// What the model was trained on, in words.
    #[must_use]
    pub fn trained_on(&self) -> &str {
        &self.trained_on
    }

    /// Named risk thresholds, for instance the Youden cutoff of the training data.
    #[must_use]
    pub fn cutoffs(&self) -> &[NamedCutoff] {
        &self.cutoffs
    }

    /// Risk of every row, between 0 and 1. `units` names the unit of each variable of the table; it must be the unit of
    /// training. A missing value gives a missing risk.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] when a variable has no unit, [`ModelError::Unit`] for another unit,
    /// [`ModelError::Selection`] for a missing column.
    pub fn predict(&self, table: &FeatureTable, units: &[Variable]) -> Result<Vec<f64>> {
        let mut eta = vec![self.intercept; table.rows()];
        for v in &self.variables {
            v.variable.require_unit(&find(units, &v.variable.name)?.unit)?;
            eta.iter_mut().zip(table.column(&v.variable.name)?).for_each(|(e, x)| *e += v.coefficient * x);
        }
        Ok(eta.into_iter().map(expit).collect())
    }

    /// What the model says about one patient. Measurements are found by name and must carry the unit of training;
    /// further ones are ignored.
    ///
    /// The interval is Wald's: η ± z √(xᵀ Σ x) on the scale of log odds, with Σ the covariance of the estimates and x
    /// the values after a leading 1. It holds the uncertainty of the coefficients, not that of the outcome. A
    /// contribution is the exact Shapley value of an additive model, coefficient · (value − training mean).
    ///
    /// # Errors
    /// [`ModelError::NotMeasured`] when a variable has no measurement, [`ModelError::Repeated`] when it has two,
    /// [`ModelError::Unit`] for another unit, [`ModelError::Parameter`] for a value that is not finite or a level
    /// outside (0, 1).
    ///
    /// ```
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, RiskModel, Variable};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, true, false, true, true]);
    /// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
    /// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
    ///
    /// let patient = model.assess(&[Measurement::new("size", "cm", 7.0)], 0.95)?;
    /// assert!(patient.interval.lower < patient.risk && patient.risk < patient.interval.upper);
    /// // No training patient had a lesion of 7 cm.
    /// assert_eq!(patient.extrapolations.len(), 1);
    ///
    /// let refused = model.assess(&[Measurement::new("size", "mm", 70.0)], 0.95).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "the unit of \"size\" is \"mm\"; it must be \"cm\", the unit of the training data, so convert the values"
    /// );
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn assess(&self, patient: &[Measurement], level: f64) -> Result<Assessment> {
        require_level(level)?;
        let values = self.variables.iter().map(|v| v.value_in(patient)).collect::<Result<Vec<f64>>>()?;
        let with_intercept: Vec<f64> = std::iter::once(1.0).chain(values.iter().copied()).collect();
        // The covariance has a row for the intercept and each variable.
        let variance = self.covariance.variance_of(&with_intercept).unwrap_or(f64::NAN);
        let log_odds = self.variables.iter().zip(&values).fold(self.intercept, |eta, (v, x)| eta + v.coefficient * x);
        let reach = normal_quantile(0.5 + level / 2.0) * variance.sqrt();
        let risk = expit(log_odds);
        let contribution = |(v, &value): (&ModelVariable, &f64)| Contribution {
            variable: v.variable.clone(),
            value,
            log_odds: v.coefficient * (value - v.training_mean),
        };
        let is_outside =
            |(v, value): &(&ModelVariable, &f64)| **value < v.training_minimum || **value > v.training_maximum;
        Ok(Assessment {
            risk,
            interval: Interval { lower: expit(log_odds - reach), upper: expit(log_odds + reach), level },
            log_odds,
            contributions: self.variables.iter().zip(&values).map(contribution).collect(),
            extrapolations: self.variables.iter().zip(&values).filter(is_outside).map(|(v, _)| v.clone()).collect(),
            decisions: self
                .cutoffs
                .iter()
                .map(|cutoff| Decision { cutoff: cutoff.clone(), positive: risk > cutoff.threshold })
                .collect(),
        })
    }

    /// Values of the table that lie outside the range of the training data, where a risk is an extrapolation.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing column.
    pub fn extrapolations(&self, table: &FeatureTable) -> Result<Vec<Extrapolation>> {
        let mut found = Vec::new();
        for v in &self.variables {
            for (row, &value) in table.column(&v.variable.name)?.iter().enumerate() {
                if value < v.training_minimum || value > v.training_maximum {
                    found.push(Extrapolation { row, variable: v.variable.clone(), value });
                }
            }
        }
        Ok(found)
    }

    /// Adds the Youden cutoff of risks that the model gave to labelled rows, under a name that no other cutoff has.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] when the ROC curve cannot be built, [`ModelError::Repeated`] for a name that is
    /// there, [`ModelError::Parameter`] when no cutoff is better than one verdict for everybody.
    pub fn add_youden_cutoff(&mut self, name: &str, labels: &Labels, risks: &[f64]) -> Result<()> {
        if self.cutoffs.iter().any(|cutoff| cutoff.name == name) {
            return Err(ModelError::Repeated { what: "cutoff", name: name.to_owned() });
        }
        let threshold = RocCurve::new(labels, risks, Direction::HigherIsPositive)?.youden_cutoff().threshold;
        if !(0.0..=1.0).contains(&threshold) {
            let requirement =
                "between 0 and 1, but no threshold of these risks is better than one verdict for everybody";
            return Err(ModelError::parameter("Youden cutoff", threshold, requirement));
        }
        self.cutoffs.push(NamedCutoff { name: name.to_owned(), threshold });
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl RiskModel {
    const FORMAT: alnm_selection::saved::SavedFormat =
        alnm_selection::saved::SavedFormat::new("alnm-risk-model", 1, "risk model");

    /// The saved form as JSON, in an envelope with a SHA-256 of its content.
    ///
    /// # Errors
    /// [`ModelError::Saved`] when a value has no JSON form.
    ///
    /// ```
    /// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
    /// use ndarray::array;
    /// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, true, false, true, true]);
    /// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
    /// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
    /// let text = model.to_json()?;
    /// assert_eq!(RiskModel::from_json(&text)?, model);
    /// // A file that was edited is refused.
    /// assert!(RiskModel::from_json(&text.replace("\"cm\"", "\"mm\"")).is_err());
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn to_json(&self) -> Result<String> {
        Ok(Self::FORMAT.to_json(self)?)
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// [`ModelError::Saved`] for a text of another kind or version, and for one that was damaged or edited.
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(Self::FORMAT.from_json(text)?)
    }
}

/// The form in which a model is written and read.
#[cfg(feature = "serde")]
mod saved {
    use serde::{Deserialize, Serialize};

    use super::*;

    const VERSION: u32 = 1;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct RiskForm {
        format_version: u32,
        name: String,
        intercept: f64,
        variables: Vec<ModelVariable>,
        covariance: CovarianceMatrix,
        training_rows: usize,
        training_events: usize,
        trained_on: String,
        cutoffs: Vec<NamedCutoff>,
    }

    impl From<RiskModel> for RiskForm {
        fn from(m: RiskModel) -> Self {
            Self {
                format_version: VERSION,
                name: m.name,
                intercept: m.intercept,
                variables: m.variables,
                covariance: m.covariance,
                training_rows: m.training_rows,
                training_events: m.training_events,
                trained_on: m.trained_on,
                cutoffs: m.cutoffs,
            }
        }
    }

    impl TryFrom<RiskForm> for RiskModel {
        type Error = String;

        fn try_from(form: RiskForm) -> Checked<Self> {
            require(form.format_version == VERSION, || {
                format!("the version of the model is {}; it must be {VERSION}", form.format_version)
            })?;
            let model = Self {
                name: form.name,
                intercept: form.intercept,
                variables: form.variables,
                covariance: form.covariance,
                training_rows: form.training_rows,
                training_events: form.training_events,
                trained_on: form.trained_on,
                cutoffs: form.cutoffs,
            };
            model.check()?;
            Ok(model)
        }
    }
}

impl ModelVariable {
    /// The patient's value of the variable, in the unit of training.
    fn value_in(&self, patient: &[Measurement]) -> Result<f64> {
        let name = &self.variable.name;
        let mut found = patient.iter().filter(|m| m.variable.name == *name);
        let Some(measurement) = found.next() else {
            return Err(ModelError::NotMeasured { variable: name.clone(), unit: self.variable.unit.clone() });
        };
        if found.next().is_some() {
            return Err(ModelError::Repeated { what: "measurement", name: name.clone() });
        }
        self.variable.require_unit(&measurement.variable.unit)?;
        if !measurement.value.is_finite() {
            return Err(ModelError::parameter("value of a measurement", measurement.value, "finite"));
        }
        Ok(measurement.value)
    }
}

/// What a model says about one patient.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Assessment {
    /// The risk, between 0 and 1.
    pub risk: f64,
    /// Confidence interval of the risk.
    pub interval: Interval,
    /// Logarithm of the odds.
    pub log_odds: f64,
    /// What each variable adds to the log odds of the average patient of training.
    pub contributions: Vec<Contribution>,
    /// Variables whose value lies outside the range of training, where the risk is an extrapolation.
    pub extrapolations: Vec<ModelVariable>,
    /// One entry per cutoff of the model.
    pub decisions: Vec<Decision>,
}

/// What a variable adds to the log odds of a patient.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Contribution {
    /// The variable.
    pub variable: Variable,
    /// The patient's value.
    pub value: f64,
    /// Change of the log odds against the training mean.
    pub log_odds: f64,
}

/// On which side of a cutoff a risk lies.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decision {
    /// The cutoff.
    pub cutoff: NamedCutoff,
    /// Whether the risk is above the cutoff.
    pub positive: bool,
}

/// A value of a table that lies outside the range of the training data.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Extrapolation {
    /// Row, counted from 0.
    pub row: usize,
    /// The variable.
    pub variable: Variable,
    /// The value.
    pub value: f64,
}

fn find<'a>(variables: &'a [Variable], name: &str) -> Result<&'a Variable> {
    variables.iter().find(|v| v.name == name).ok_or_else(|| ModelError::Unknown {
        what: "variable",
        name: name.to_owned(),
        known: variables.iter().map(|v| v.name.clone()).collect(),
    })
}

impl Tabulate for RiskModel {
    const COLUMNS: &'static [&'static str] =
        &["variable", "unit", "coefficient", "training minimum", "training maximum", "training mean"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let intercept = cells![INTERCEPT, "", self.intercept, Cell::Empty, Cell::Empty, Cell::Empty];
        let row = |v: &ModelVariable| {
            let range = cells![v.training_minimum, v.training_maximum, v.training_mean];
            [cells![&v.variable.name, &v.variable.unit, v.coefficient], range].concat()
        };
        std::iter::once(intercept).chain(self.variables.iter().map(row)).collect()
    }
}
