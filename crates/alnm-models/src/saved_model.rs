//! A model that can be handed on: it knows its variables, their units and ranges, what it was trained on, and its
//! cutoffs.

use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::normal_quantile;
use serde::{Deserialize, Serialize};

use crate::error::{ModelError, Result};
use crate::irls::expit;
use crate::logistic::{Estimation, INTERCEPT, LogisticModel};
use crate::{FeatureTable, Labels};

/// A variable with the unit it is measured in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Name of the column.
    pub name: String,
    /// Unit, empty without one.
    pub unit: String,
}

impl Variable {
    /// A variable with a unit.
    #[must_use]
    pub fn new(name: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned() }
    }
}

/// A variable of a saved model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// Version of the saved form.
const FORMAT_VERSION: u32 = 1;

/// A logistic model in the form that is saved.
///
/// ```
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
/// let read = RiskModel::from_json(&model.to_json()?)?;
/// assert_eq!(read.predict(&table, &[Variable::new("size", "cm")])?, model.predict(&table, &[Variable::new("size", "cm")])?);
/// assert!(read.predict(&table, &[Variable::new("size", "mm")]).is_err());
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskModel {
    /// Version of the saved form.
    pub format_version: u32,
    /// Name of the model.
    pub name: String,
    /// Intercept.
    pub intercept: f64,
    /// The variables.
    pub variables: Vec<ModelVariable>,
    /// Covariance of the estimates: the intercept first, then the variables in their order.
    pub covariance: Vec<Vec<f64>>,
    /// Number of training rows.
    pub training_rows: usize,
    /// Number of events among them.
    pub training_events: usize,
    /// What the model was trained on, in words.
    pub trained_on: String,
    /// Named risk thresholds, for instance the Youden cutoff of the training data.
    pub cutoffs: Vec<NamedCutoff>,
}

/// A risk threshold with the reason for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedCutoff {
    /// What the threshold is, for instance "Youden, training".
    pub name: String,
    /// Risks above it are positive.
    pub threshold: f64,
}

impl RiskModel {
    /// The saved form of a fitted model. `variables` gives the unit of each predictor, `training` the data that it was
    /// fitted to.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] when a predictor has no variable; [`ModelError::Separated`] for maximum likelihood on
    /// separated data.
    pub fn new(
        name: &str,
        model: &LogisticModel,
        variables: &[Variable],
        training: &FeatureTable,
        trained_on: &str,
    ) -> Result<Self> {
        if model.separated && model.estimation == Estimation::MaximumLikelihood {
            return Err(ModelError::Separated { operation: "saving a model" });
        }
        let of_term = |term: &crate::logistic::Term| -> Result<ModelVariable> {
            let variable = find(variables, &term.name)?.clone();
            let column = training.column(&term.name)?;
            let present: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
            Ok(ModelVariable {
                variable,
                coefficient: term.estimate,
                training_minimum: present.iter().copied().fold(f64::NAN, f64::min),
                training_maximum: present.iter().copied().fold(f64::NAN, f64::max),
                training_mean: present.iter().sum::<f64>() / present.len() as f64,
            })
        };
        // Without an intercept its row and column are zero.
        let (intercept, predictors): (Vec<usize>, Vec<usize>) =
            (0..model.terms.len()).partition(|&t| model.terms[t].name == INTERCEPT);
        let places: Vec<Option<usize>> =
            std::iter::once(intercept.first().copied()).chain(predictors.into_iter().map(Some)).collect();
        let covariance =
            |a: &Option<usize>, b: &Option<usize>| a.zip(*b).map_or(0.0, |(a, b)| model.covariance[[a, b]]);
        Ok(Self {
            format_version: FORMAT_VERSION,
            name: name.to_owned(),
            intercept: model.terms.iter().find(|t| t.name == INTERCEPT).map_or(0.0, |t| t.estimate),
            variables: model.terms.iter().filter(|t| t.name != INTERCEPT).map(of_term).collect::<Result<_>>()?,
            covariance: places.iter().map(|a| places.iter().map(|b| covariance(a, b)).collect()).collect(),
            training_rows: model.rows,
            training_events: model.events,
            trained_on: trained_on.to_owned(),
            cutoffs: Vec::new(),
        })
    }

    /// Risk of every row. `units` names the unit of each variable of the table; it must be the unit of training. A
    /// missing value gives a missing risk.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] when a variable has no unit, [`ModelError::Unit`] for another unit,
    /// [`ModelError::Selection`] for a missing column.
    pub fn predict(&self, table: &FeatureTable, units: &[Variable]) -> Result<Vec<f64>> {
        let mut eta = vec![self.intercept; table.rows()];
        for v in &self.variables {
            let given = find(units, &v.variable.name)?;
            if given.unit != v.variable.unit {
                return Err(ModelError::Unit {
                    variable: v.variable.name.clone(),
                    given: given.unit.clone(),
                    trained: v.variable.unit.clone(),
                });
            }
            eta.iter_mut().zip(table.column(&v.variable.name)?).for_each(|(e, x)| *e += v.coefficient * x);
        }
        Ok(eta.into_iter().map(expit).collect())
    }

    /// What the model says about one patient: `values` holds one value a variable, in the order of
    /// [`RiskModel::variables`] and in their units.
    ///
    /// The interval is Wald's: η ± z √(xᵀ Σ x) on the scale of log odds, with Σ the covariance of the estimates and x
    /// the values after a leading 1. It holds the uncertainty of the coefficients, not that of the outcome. A
    /// contribution is the exact Shapley value of an additive model, coefficient · (value − training mean).
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for another number of values, a value that is not finite, or a level outside (0, 1).
    ///
    /// ```
    /// # use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
    /// # use ndarray::array;
    /// # let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// # let labels = Labels::new(vec![false, false, true, false, true, true]);
    /// # let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
    /// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
    /// let patient = model.assess(&[7.0], 0.95)?;
    /// assert!(patient.interval.lower < patient.risk && patient.risk < patient.interval.upper);
    /// assert_eq!(patient.extrapolations.len(), 1);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn assess(&self, values: &[f64], level: f64) -> Result<Assessment> {
        if values.len() != self.variables.len() {
            return Err(ModelError::Parameter {
                name: "number of values",
                range: "one a variable",
                value: values.len() as f64,
            });
        }
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(ModelError::Parameter { name: "value", range: "the finite numbers", value });
        }
        if !(level > 0.0 && level < 1.0) {
            return Err(ModelError::Parameter { name: "level", range: "(0, 1)", value: level });
        }
        let with_intercept: Vec<f64> = std::iter::once(1.0).chain(values.iter().copied()).collect();
        let variance: f64 = self
            .covariance
            .iter()
            .zip(&with_intercept)
            .map(|(row, a)| a * row.iter().zip(&with_intercept).map(|(covariance, b)| covariance * b).sum::<f64>())
            .sum();
        let log_odds = self.variables.iter().zip(values).fold(self.intercept, |eta, (v, x)| eta + v.coefficient * x);
        let reach = normal_quantile(0.5 + level / 2.0) * variance.max(0.0).sqrt();
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
            contributions: self.variables.iter().zip(values).map(contribution).collect(),
            extrapolations: self.variables.iter().zip(values).filter(is_outside).map(|(v, _)| v.clone()).collect(),
            decisions: self
                .cutoffs
                .iter()
                .map(|cutoff| Decision { cutoff: cutoff.clone(), positive: risk > cutoff.threshold })
                .collect(),
        })
    }

    /// Values that lie outside the range of the training data, where a risk is an extrapolation.
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

    /// Adds the Youden cutoff of risks that the model gave to labelled rows.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] when the ROC curve cannot be built.
    pub fn add_youden_cutoff(&mut self, name: &str, labels: &Labels, risks: &[f64]) -> Result<()> {
        let roc = alnm_stats::roc::RocCurve::new(labels, risks, alnm_stats::roc::Direction::HigherIsPositive)?;
        self.cutoffs.push(NamedCutoff { name: name.to_owned(), threshold: roc.youden_cutoff().threshold });
        Ok(())
    }

    /// The saved form as JSON.
    ///
    /// # Errors
    /// [`ModelError::Format`] when a value has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| ModelError::Format { reason: e.to_string() })
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// [`ModelError::Format`] for another version or a malformed text.
    pub fn from_json(text: &str) -> Result<Self> {
        let model: Self = serde_json::from_str(text).map_err(|e| ModelError::Format { reason: e.to_string() })?;
        if model.format_version != FORMAT_VERSION {
            let reason = format!("format version {} where {FORMAT_VERSION} is understood", model.format_version);
            return Err(ModelError::Format { reason });
        }
        Ok(model)
    }
}

/// What a model says about one patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// The risk.
    pub risk: f64,
    /// Its confidence interval.
    pub interval: Interval,
    /// Logarithm of the odds.
    pub log_odds: f64,
    /// What each variable adds to the log odds of the average patient of training.
    pub contributions: Vec<Contribution>,
    /// Variables whose value lies outside the range of training, where the risk is an extrapolation.
    pub extrapolations: Vec<ModelVariable>,
    /// One entry a cutoff of the model.
    pub decisions: Vec<Decision>,
}

/// What a variable adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The variable.
    pub variable: Variable,
    /// The patient's value.
    pub value: f64,
    /// Change of the log odds against the training mean.
    pub log_odds: f64,
}

/// On which side of a cutoff a risk lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The cutoff.
    pub cutoff: NamedCutoff,
    /// Whether the risk is above it.
    pub positive: bool,
}

/// A value outside the range of the training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extrapolation {
    /// Row, counted from 0.
    pub row: usize,
    /// The variable.
    pub variable: Variable,
    /// Its value.
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
