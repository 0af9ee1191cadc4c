//! A risk calculator as a web page, made from a saved model.

use alnm_selection::saved::SavedError;
use alnm_stats::distribution::normal_quantile;
use serde::Serialize;

use crate::error::{ModelError, Result};
use crate::nomogram::Nomogram;
use crate::saved_model::RiskModel;
use crate::variable::Variable;

/// Marks of the nomogram's risk axis.
const RISKS: [f64; 13] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/// Level of the interval that the page prints.
const LEVEL: f64 = 0.95;

/// A self-contained HTML page with a field for each variable of the model. It computes the risk of the typed values,
/// its 95 % Wald interval and what each value adds to the log odds, as [`RiskModel::assess`] does, and draws the
/// nomogram. It loads nothing from the network; values may be given behind `#` in its address, as in
/// `calculator.html#age=50&MTD=2.5`.
///
/// ```
/// use alnm_models::calculator;
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
/// use ndarray::array;
///
/// let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let model = RiskModel::new("size only", &fitted, &[Variable::new("size", "cm")], &table, "six patients")?;
/// let page = calculator::page(&model)?;
/// assert!(page.starts_with("<!DOCTYPE html>") && page.contains("size only"));
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
///
/// # Errors
/// [`ModelError::Parameter`] for a model none of whose variables varied in the training
/// data, [`ModelError::Saved`] when a value of the model has no JSON form.
pub fn page(model: &RiskModel) -> Result<String> {
    page_with(model, &[])
}

/// A variable that a page computes from what is measured: a product over another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuotientVariable {
    /// Name of the variable in the model.
    pub variable: String,
    /// The measured values that are multiplied, with their units.
    pub numerator: Vec<Variable>,
    /// The measured values whose product divides.
    pub denominator: Vec<Variable>,
}

impl QuotientVariable {
    /// A variable of the model as a quotient of measured values.
    #[must_use]
    pub fn new(variable: &str, numerator: Vec<Variable>, denominator: Vec<Variable>) -> Self {
        Self { variable: variable.to_owned(), numerator, denominator }
    }
}

/// The page of [`page`] with further fields: a variable for which a quotient is given is computed from the fields of
/// its parts once all of them hold numbers, and may still be typed itself.
///
/// ```
/// use alnm_models::calculator::{QuotientVariable, page_with};
/// use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
/// use ndarray::array;
///
/// let table = FeatureTable::new(vec!["NLR".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
/// let labels = Labels::new(vec![false, false, true, false, true, true]);
/// let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default())?;
/// let model = RiskModel::new("NLR only", &fitted, &[Variable::new("NLR", "")], &table, "six patients")?;
/// let count = |name: &str| vec![Variable::new(name, "10^9/L")];
/// let ratio = QuotientVariable::new("NLR", count("neutrophils"), count("lymphocytes"));
/// assert!(page_with(&model, &[ratio])?.contains("neutrophils"));
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
///
/// # Errors
/// As [`page`], and [`ModelError::Unknown`] for a quotient of another name than the
/// variables'.
pub fn page_with(model: &RiskModel, quotients: &[QuotientVariable]) -> Result<String> {
    for QuotientVariable { variable, .. } in quotients {
        let known = || model.variables().iter().map(|known| known.variable.name.clone());
        if !known().any(|name| name == *variable) {
            return Err(ModelError::Unknown { what: "variable", name: variable.clone(), known: known().collect() });
        }
    }
    let nomogram = Nomogram::new(model, &RISKS)?;
    let unwritable = |error: serde_json::Error| SavedError::Unwritable { noun: "model", reason: error.to_string() };
    // Inside a script element only this could end the text early.
    let embedded = |json: String| json.replace('<', "\\u003c");
    Ok(include_str!("calculator.html")
        .replace("@Z@", &normal_quantile(0.5 + LEVEL / 2.0).to_string())
        .replace("@COMPUTED@", &embedded(serde_json::to_string(quotients).map_err(unwritable)?))
        .replace("@NOMOGRAM@", &embedded(serde_json::to_string(&nomogram).map_err(unwritable)?))
        .replace("@MODEL@", &embedded(serde_json::to_string_pretty(model).map_err(unwritable)?)))
}
