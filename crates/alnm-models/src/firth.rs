//! Firth's penalised likelihood, finite under separation (Firth 1993; Heinze and Schemper 2002).
//!
//! The log likelihood is penalised by ½ ln det I(β), Jeffreys' prior. Tests and intervals are of the profile of the
//! penalised likelihood, the penalty being that of the full design, as in `logistf`.

use alnm_stats::Interval;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::distribution::{chi_squared_upper_tail, normal_two_sided};

use crate::design::{Design, LogisticParams, LogisticRegression, linear_predictor};
use crate::error::Result;
use crate::logit::expit;
use crate::penalised::Penalised;
use crate::{FeatureTable, Labels};

/// A coefficient estimated by penalised likelihood.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FirthTerm {
    /// Name of the predictor, or [`INTERCEPT`](crate::logistic::INTERCEPT).
    pub name: String,
    /// Penalised estimate: log odds ratio per unit of the predictor.
    pub estimate: f64,
    /// Standard error from the Fisher information (XᵀWX)⁻¹, as brglm2 prints it.
    pub standard_error: f64,
    /// Standard error from the augmented weights W(1 + h), as logistf prints it.
    pub augmented_standard_error: f64,
    /// Two-sided Wald p-value with `standard_error`.
    pub wald_p: f64,
    /// p-value of the penalised likelihood ratio test.
    pub p_value: f64,
    /// Interval of the profile of the penalised likelihood; an end that the likelihood does not bound is infinite.
    pub interval: Interval,
}

/// A logistic regression fitted by penalised likelihood.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FirthModel {
    terms: Vec<FirthTerm>,
    aliased: Vec<String>,
    penalised_log_likelihood: f64,
    iterations: usize,
}

impl FirthModel {
    /// Fits by penalised likelihood.
    ///
    /// # Errors
    /// As [`LogisticRegression::fit_firth`], and [`crate::ModelError::Parameter`] for a parameter outside its range.
    ///
    /// ```
    /// use alnm_models::firth::FirthModel;
    /// use alnm_models::{FeatureTable, Labels, LogisticParams};
    /// use ndarray::array;
    /// // Perfectly separated: maximum likelihood has no finite estimate.
    /// let table = FeatureTable::new(vec!["x".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])?;
    /// let labels = Labels::new(vec![false, false, false, true, true, true]);
    /// let model = FirthModel::fit(&table, &labels, &LogisticParams::default())?;
    /// assert!(model.terms()[1].estimate > 0.0 && model.terms()[1].estimate < 5.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit(table: &FeatureTable, labels: &Labels, params: &LogisticParams) -> Result<Self> {
        params.clone().check()?.fit_firth(table, labels)
    }

    /// The coefficients: the intercept first, then the predictors in the order of the columns.
    #[must_use]
    pub fn terms(&self) -> &[FirthTerm] {
        &self.terms
    }

    /// Predictors that depend linearly on earlier ones and were left out.
    #[must_use]
    pub fn aliased(&self) -> &[String] {
        &self.aliased
    }

    /// ln L + ½ ln det I at the optimum.
    #[must_use]
    pub fn penalised_log_likelihood(&self) -> f64 {
        self.penalised_log_likelihood
    }

    /// Newton steps taken.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Risk of every row, between 0 and 1. Columns are found by name; a missing value gives a missing risk.
    ///
    /// # Errors
    /// [`crate::ModelError::Selection`] names the column that the table lacks.
    pub fn predict(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let eta = linear_predictor(self.terms.iter().map(|t| (t.name.as_str(), t.estimate)), table)?;
        Ok(eta.into_iter().map(expit).collect())
    }
}

impl LogisticRegression {
    /// Fits by Firth's penalised likelihood, with intervals and tests of its profile.
    ///
    /// # Errors
    /// [`crate::ModelError::NotConverged`], [`crate::ModelError::Statistics`] for labels of one class,
    /// [`crate::ModelError::Selection`] for a missing value that the policy refuses or tables of the wrong size.
    pub fn fit_firth(&self, table: &FeatureTable, labels: &Labels) -> Result<FirthModel> {
        let data = Design::new(table, labels, self)?;
        let penalised = Penalised { data: &data };
        let k = data.columns.len();
        let optimum = penalised.maximise(vec![0.0; k], None)?;
        let state = penalised.state(&optimum.beta);
        let weights: Vec<f64> = state.leverage.iter().map(|h| 1.0 + h).collect();
        let errors = penalised.standard_errors(&optimum.beta, None);
        let augmented = penalised.standard_errors(&optimum.beta, Some(&weights));
        let terms = (0..k)
            .map(|j| {
                let estimate = optimum.beta[j];
                let null = penalised.maximise_with(&optimum.beta, j, 0.0)?;
                Ok(FirthTerm {
                    name: data.names[j].clone(),
                    estimate,
                    standard_error: errors[j],
                    augmented_standard_error: augmented[j],
                    wald_p: normal_two_sided(estimate / errors[j]),
                    p_value: chi_squared_upper_tail((2.0 * (optimum.value - null.value)).max(0.0), 1.0),
                    interval: penalised.interval(&optimum, j, errors[j], self.params().level)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(FirthModel {
            terms,
            aliased: data.aliased.clone(),
            penalised_log_likelihood: optimum.value,
            iterations: optimum.iterations,
        })
    }
}

impl Tabulate for FirthModel {
    const COLUMNS: &'static [&'static str] = &["term", "estimate", "SE", "p", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.terms
            .iter()
            .map(|t| cells![&t.name, t.estimate, t.standard_error, t.p_value, t.interval.lower, t.interval.upper])
            .collect()
    }
}
