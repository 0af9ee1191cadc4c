//! Tests whether a predictor acts differently in subgroups: the likelihood ratio test of the interaction.
//!
//! Two logistic regressions are compared, of all predictors and the subgroup, and of these and the products of one
//! predictor with the subgroup:
//!
//! ```text
//! main:         logit P = α + Σ βⱼ xⱼ + γ_g
//! interaction:  logit P = α + Σ βⱼ xⱼ + γ_g + δ_g x_k
//! G = 2 (ℓ_interaction − ℓ_main), χ² with (number of subgroups − 1) degrees of freedom where there is no interaction
//! ```
//!
//! which is R's `anova(glm(y ~ x + g), glm(y ~ x * g), test = "LRT")`. The first subgroup, in the order of the names,
//! is the reference. A small p-value indicates that the coefficient differs between subgroups; a large one is no
//! evidence of equal coefficients, since tests of interaction have little power. See Harrell, Regression Modeling
//! Strategies (2015), chapter 2.
//!
//! ```
//! use alnm_models::interaction::InteractionParams;
//! use alnm_models::{FeatureTable, Labels};
//! use ndarray::Array2;
//! // The size matters in the subgroup "luminal" only.
//! let noise = |i: usize| ((i * 53 + 17) % 97) as f64 / 97.0;
//! let size = |i: usize| ((i * 37) % 100) as f64 / 100.0;
//! let table = FeatureTable::new(vec!["size".into()], Array2::from_shape_fn((200, 1), |(i, _)| size(i)))?;
//! let subtype: Vec<String> = (0..200).map(|i| (if i % 2 == 0 { "luminal" } else { "other" }).into()).collect();
//! let labels = Labels::new((0..200).map(|i| noise(i) < if i % 2 == 0 { size(i) } else { 0.5 }).collect());
//! let found = InteractionParams::new("size").check()?.test(&table, &labels, &subtype)?;
//! assert!(found.test.p_value < 0.01 && found.coefficients[0].estimate > found.coefficients[1].estimate);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

use alnm_selection::SelectionError;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::normal_quantile;
use alnm_stats::{Interval, TestResult};

use crate::error::{ModelError, Result, require_level};
use crate::logistic::{LogisticModel, LogisticParams};
use crate::{FeatureTable, Labels};

/// The predictor whose interaction with a subgroup is tested; [`InteractionParams::check`] gives the [`Interaction`]
/// that can run.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `predictor` | given to [`InteractionParams::new`] | the predictor whose coefficient may differ | a column of the table |
/// | `level` | 0.95 | confidence level of the coefficients in the subgroups | (0, 1) |
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct InteractionParams {
    /// The predictor whose coefficient may differ.
    pub predictor: String,
    /// Confidence level of the coefficients in the subgroups.
    pub level: f64,
}

impl InteractionParams {
    /// The interaction of this predictor with the subgroup.
    pub fn new(predictor: &str) -> Self {
        Self { predictor: predictor.to_owned(), level: 0.95 }
    }

    /// Sets the confidence level of the coefficients in the subgroups.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for a level outside (0, 1).
    pub fn check(self) -> Result<Interaction> {
        require_level(self.level)?;
        Ok(Interaction { params: self })
    }
}

/// An interaction with checked parameters; made by [`InteractionParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    params: InteractionParams,
}

/// The coefficient of the predictor in one subgroup.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SubgroupCoefficient {
    /// Name of the subgroup.
    pub subgroup: String,
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub events: usize,
    /// Log odds ratio per unit of the predictor, β_k + δ_g.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Its Wald interval.
    pub interval: Interval,
}

/// The test of an interaction and the coefficients that it compares.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InteractionTest {
    /// The likelihood ratio test.
    pub test: TestResult,
    /// The coefficient in each subgroup, in the order of their names.
    pub coefficients: Vec<SubgroupCoefficient>,
    /// The regression without the interaction.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub main: LogisticModel,
    /// The regression with the interaction.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub with_interaction: LogisticModel,
}

impl Interaction {
    /// The parameters.
    pub fn params(&self) -> &InteractionParams {
        &self.params
    }

    /// Tests the interaction. All columns of the table are predictors; `subgroup` names the subgroup of each row.
    ///
    /// # Errors
    /// [`ModelError::Selection`] when lengths differ or the table lacks the predictor; [`ModelError::Parameter`] for
    /// fewer than two subgroups; [`ModelError::Separated`] when a subgroup has events only or none, or is too small for
    /// a coefficient of its own; as [`LogisticModel::fit`].
    pub fn test(&self, table: &FeatureTable, labels: &Labels, subgroup: &[String]) -> Result<InteractionTest> {
        const OPERATION: &str = "test of the interaction with a subgroup";
        if subgroup.len() != labels.len() {
            let (what, left, right) = ("subgroup names and labels", subgroup.len(), labels.len());
            return Err(SelectionError::Shape { what, left, right }.into());
        }
        table.require_rows(labels.len())?;
        let values = table.column(&self.params.predictor)?;
        let mut names: Vec<&String> = subgroup.iter().collect();
        names.sort_unstable();
        names.dedup();
        let Some((_, others)) = names.split_first().filter(|(_, others)| !others.is_empty()) else {
            return Err(ModelError::parameter("number of subgroups", names.len(), "at least 2"));
        };
        let member = |name: &str| subgroup.iter().map(|s| f64::from(u8::from(s == name))).collect::<Vec<f64>>();
        let product = |name: &str| format!("{} in {name}", self.params.predictor);
        let groups = others.iter().map(|name| (format!("subgroup {name}"), member(name))).collect();
        let products = others.iter().map(|name| {
            (product(name), member(name).iter().zip(values).map(|(m, x)| if *m == 1.0 { *x } else { 0.0 }).collect())
        });
        let of_main = table.beside(&FeatureTable::from_columns(groups)?)?;
        let of_both = of_main.beside(&FeatureTable::from_columns(products.collect())?)?;
        let params = LogisticParams::default();
        let main = LogisticModel::fit(&of_main, labels, &params)?;
        let with_interaction = LogisticModel::fit(&of_both, labels, &params)?;
        let separated = ModelError::Separated { operation: OPERATION };
        let unusable = |model: &LogisticModel| model.separated() || !model.aliased().is_empty();
        let Some(covariance) =
            with_interaction.covariance().filter(|_| !unusable(&main) && !unusable(&with_interaction))
        else {
            return Err(separated);
        };
        let covariance = covariance.view();
        let place = |name: &str| with_interaction.terms().iter().position(|t| t.name == name);
        let quantile = normal_quantile(0.5 + self.params.level / 2.0);
        let coefficient = |name: &&String| -> Result<SubgroupCoefficient> {
            let own = if *name == names[0] { None } else { place(&product(name)) };
            let places: Vec<usize> = place(&self.params.predictor).into_iter().chain(own).collect();
            let estimate = places.iter().map(|&t| with_interaction.terms()[t].estimate).sum::<f64>();
            let variance: f64 =
                places.iter().flat_map(|&a| places.iter().map(move |&b| (a, b))).map(|ab| covariance[ab]).sum();
            let standard_error = variance.sqrt();
            let reach = quantile * standard_error;
            let rows: Vec<usize> = (0..subgroup.len()).filter(|&row| subgroup[row] == **name).collect();
            Ok(SubgroupCoefficient {
                subgroup: (*name).clone(),
                patients: rows.len(),
                events: labels.select(&rows).positives(),
                estimate,
                standard_error,
                interval: Interval { lower: estimate - reach, upper: estimate + reach, level: self.params.level },
            })
        };
        let coefficients = names.iter().map(coefficient).collect::<Result<_>>()?;
        let test = with_interaction.compare_nested(&main)?;
        Ok(InteractionTest { test, coefficients, main, with_interaction })
    }
}

impl Tabulate for SubgroupCoefficient {
    const COLUMNS: &'static [&'static str] =
        &["subgroup", "patients", "events", "log odds ratio", "standard error", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            &self.subgroup,
            self.patients,
            self.events,
            self.estimate,
            self.standard_error,
            self.interval.lower,
            self.interval.upper
        ]]
    }
}
