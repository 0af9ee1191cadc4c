//! Ridge logistic regression: all predictors stay, shrunk towards 0.
//!
//! ```text
//! minimise  −ℓ(β₀, β)/n + λ/2 Σⱼ (sⱼ βⱼ)²
//! ```
//!
//! with sⱼ the standard deviation of a predictor (denominator n), the objective of glmnet with `alpha = 0`. The
//! solution meets its optimality conditions to 10⁻¹⁰ λ. Shrunk coefficients are biased, so the model has no standard
//! errors or p-values.

use alnm_selection::Signature;
use alnm_selection::cross_validation::{CrossValidatedPath, CvMeasure, LambdaChoice, cross_validate};
use alnm_selection::elastic_net::{ElasticNetParams, LambdaSequence, PathPrecision, binomial_path};
use alnm_selection::folds::Folds;
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use faer::Mat;
use faer::linalg::solvers::{DenseSolveCore, PartialPivLu};

use crate::error::{ModelError, Result};
use crate::irls::deviance_of;
use crate::logit::expit;
use crate::{FeatureTable, Labels};

/// How the penalty is found.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RidgePenalty {
    /// This λ, above 0.
    Given(f64),
    /// By cross-validation over glmnet's sequence of 100 penalties, on the given folds.
    CrossValidated {
        /// The folds.
        folds: Folds,
        /// What is averaged over held-out rows.
        measure: CvMeasure,
        /// The best penalty, or the largest within one standard error of it.
        choice: LambdaChoice,
    },
}

/// Parameters of a ridge regression, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `penalty` | (required) | the penalty λ, given or found by cross-validation | above 0 |
///
/// ```
/// use alnm_models::ridge::RidgeParams;
/// assert!(RidgeParams::given(0.1).check().is_ok());
/// let refused = RidgeParams::given(0.0).check().unwrap_err();
/// assert_eq!(refused.to_string(), "ridge penalty is 0; it must be finite and above 0");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct RidgeParams {
    /// The penalty λ, given or found by cross-validation.
    pub penalty: RidgePenalty,
}

impl RidgeParams {
    /// A regression with this penalty λ.
    pub fn given(lambda: f64) -> Self {
        Self { penalty: RidgePenalty::Given(lambda) }
    }

    /// A regression whose penalty has the smallest cross-validated deviance on the folds.
    pub fn cross_validated(folds: Folds) -> Self {
        let (measure, choice) = (CvMeasure::Deviance, LambdaChoice::Min);
        Self { penalty: RidgePenalty::CrossValidated { folds, measure, choice } }
    }

    /// Sets how the penalty is found.
    pub fn with_penalty(self, penalty: RidgePenalty) -> Self {
        Self { penalty }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] for a penalty that is not above 0.
    pub fn check(self) -> Result<RidgeRegression> {
        match self.penalty {
            RidgePenalty::Given(lambda) if !(lambda > 0.0 && lambda.is_finite()) => {
                Err(ModelError::parameter("ridge penalty", lambda, "finite and above 0"))
            }
            penalty => Ok(RidgeRegression { penalty }),
        }
    }
}

/// A ridge regression with checked parameters; made by [`RidgeParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct RidgeRegression {
    penalty: RidgePenalty,
}

/// A fitted ridge logistic regression.
///
/// A model that is read with serde is checked: counts agree, numbers are finite, and the penalty is above 0.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "saved::RidgeForm"))]
pub struct RidgeModel {
    coefficients: Signature,
    lambda: f64,
    effective_degrees_of_freedom: f64,
    deviance: f64,
    null_deviance: f64,
    rows: usize,
    events: usize,
    cross_validation: Option<CrossValidatedPath>,
}

impl RidgeModel {
    /// Fits to the columns of the table.
    ///
    /// # Errors
    /// As [`RidgeRegression::fit`], and [`ModelError::Parameter`] for a penalty that is not above 0.
    ///
    /// ```
    /// use alnm_models::ridge::{RidgeModel, RidgeParams};
    /// use alnm_models::{FeatureTable, Labels};
    /// use ndarray::array;
    /// // Perfectly separated, and one predictor twice: maximum likelihood has no answer.
    /// let values = array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [5.0, 5.0], [6.0, 6.0]];
    /// let table = FeatureTable::new(vec!["a".into(), "b".into()], values)?;
    /// let labels = Labels::new(vec![false, false, false, true, true, true]);
    /// let model = RidgeModel::fit(&table, &labels, &RidgeParams::given(0.1))?;
    /// let risks = model.predict(&table)?;
    /// assert!(risks[0] < 0.5 && risks[5] > 0.5 && model.effective_degrees_of_freedom() < 2.0);
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn fit(table: &FeatureTable, labels: &Labels, params: &RidgeParams) -> Result<Self> {
        params.clone().check()?.fit(table, labels)
    }

    /// Intercept and coefficients on the original scale of the predictors: log odds ratios per unit. A predictor that
    /// does not vary has none.
    #[must_use]
    pub fn coefficients(&self) -> &Signature {
        &self.coefficients
    }

    /// The penalty λ.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Effective degrees of freedom, tr((XᵀWX + nΛ)⁻¹ XᵀWX), the intercept included; between 1 and the number of
    /// coefficients.
    #[must_use]
    pub fn effective_degrees_of_freedom(&self) -> f64 {
        self.effective_degrees_of_freedom
    }

    /// Deviance, −2 ln L.
    #[must_use]
    pub fn deviance(&self) -> f64 {
        self.deviance
    }

    /// Deviance of the model with only the intercept.
    #[must_use]
    pub fn null_deviance(&self) -> f64 {
        self.null_deviance
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of events among the rows.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// The path and its cross-validated measure, where the penalty was found by it.
    #[must_use]
    pub fn cross_validation(&self) -> Option<&CrossValidatedPath> {
        self.cross_validation.as_ref()
    }

    /// Risk of every row, between 0 and 1. Columns are found by name; a missing value gives a missing risk.
    ///
    /// # Errors
    /// [`ModelError::Selection`] names the column that the table lacks.
    pub fn predict(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        Ok(self.coefficients.apply(table)?.into_iter().map(expit).collect())
    }

    /// Akaike's information criterion with the effective degrees of freedom, −2 ln L + 2 df.
    #[must_use]
    pub fn aic(&self) -> f64 {
        self.deviance + 2.0 * self.effective_degrees_of_freedom
    }
}

impl RidgeRegression {
    /// Fits to the columns of the table.
    ///
    /// # Errors
    /// [`ModelError::Selection`] for a missing value or tables and folds of the wrong size, [`ModelError::Statistics`]
    /// for labels of one class.
    pub fn fit(&self, table: &FeatureTable, labels: &Labels) -> Result<RidgeModel> {
        let params =
            ElasticNetParams::default().with_alpha(0.0).with_precision(PathPrecision::OptimalityConditions(1e-10));
        let (lambda, cross_validation) = match &self.penalty {
            RidgePenalty::Given(lambda) => (*lambda, None),
            RidgePenalty::CrossValidated { folds, measure, choice } => {
                let path = cross_validate(table, labels, folds, *measure, &params)?;
                (path.lambda(*choice), Some(path))
            }
        };
        let path = binomial_path(table, labels, &params.with_lambda(LambdaSequence::Given(vec![lambda])))?;
        let coefficients = Signature::of_coefficients("log odds", table.names(), &path.coefficients()[0])?;
        let eta = coefficients.apply(table)?;
        let columns: Vec<Vec<f64>> = coefficients
            .weights()
            .iter()
            .map(|w| table.column(&w.feature).map(|c| c.to_vec()))
            .collect::<std::result::Result<_, _>>()?;
        Ok(RidgeModel {
            effective_degrees_of_freedom: effective_degrees_of_freedom(&columns, &eta, lambda),
            deviance: eta.iter().zip(labels.to_values()).map(|(e, y)| deviance_of(y, *e)).sum(),
            null_deviance: path.null_deviance(),
            rows: labels.len(),
            events: labels.positives(),
            coefficients,
            lambda,
            cross_validation,
        })
    }
}

/// The form in which a model is read.
#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use crate::invariants::{Checked, finite, require};

    #[derive(serde::Deserialize)]
    pub(super) struct RidgeForm {
        coefficients: Signature,
        lambda: f64,
        effective_degrees_of_freedom: f64,
        deviance: f64,
        null_deviance: f64,
        rows: usize,
        events: usize,
        cross_validation: Option<CrossValidatedPath>,
    }

    impl TryFrom<RidgeForm> for RidgeModel {
        type Error = String;

        fn try_from(form: RidgeForm) -> Checked<Self> {
            for (name, value) in [
                ("the penalty", form.lambda),
                ("the effective degrees of freedom", form.effective_degrees_of_freedom),
                ("the deviance", form.deviance),
                ("the null deviance", form.null_deviance),
            ] {
                finite(name, value)?;
                require(value >= 0.0, || format!("{name} is {value}; it must be 0 or more"))?;
            }
            let (rows, events) = (form.rows, form.events);
            require((1..rows.max(1)).contains(&events), || {
                format!("the number of events is {events} of {rows} rows; both classes must be there")
            })?;
            require(form.lambda > 0.0, || format!("the penalty is {}; it must be above 0", form.lambda))?;
            let penalties = form.cross_validation.as_ref().map(|found| found.path().lambda());
            require(penalties.is_none_or(|penalties| penalties.contains(&form.lambda)), || {
                format!("the penalty is {}; it must be one of those that were cross-validated", form.lambda)
            })?;
            Ok(Self {
                coefficients: form.coefficients,
                lambda: form.lambda,
                effective_degrees_of_freedom: form.effective_degrees_of_freedom,
                deviance: form.deviance,
                null_deviance: form.null_deviance,
                rows,
                events,
                cross_validation: form.cross_validation,
            })
        }
    }
}

/// Trace of the smoother at the risks of `eta`, over standardised columns.
fn effective_degrees_of_freedom(columns: &[Vec<f64>], eta: &[f64], lambda: f64) -> f64 {
    let n = eta.len() as f64;
    let mut design = vec![vec![1.0; eta.len()]];
    design.extend(columns.iter().map(|column| {
        let mean = alnm_stats::describe::mean(column);
        let scale = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        column.iter().map(|v| (v - mean) / scale).collect()
    }));
    let weights: Vec<f64> = eta.iter().map(|e| expit(*e) * expit(-e)).collect();
    let weighted = Mat::from_fn(eta.len(), design.len(), |i, j| weights[i].sqrt() * design[j][i]);
    let information = weighted.transpose() * &weighted;
    let k = design.len();
    let penalised = Mat::from_fn(k, k, |i, j| information[(i, j)] + if i == j && i > 0 { n * lambda } else { 0.0 });
    let inverse = PartialPivLu::new(penalised.as_ref()).inverse();
    (0..k).map(|i| (0..k).map(|j| inverse[(i, j)] * information[(j, i)]).sum::<f64>()).sum()
}

impl Tabulate for RidgeModel {
    const COLUMNS: &'static [&'static str] = &["term", "log odds ratio"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let intercept = cells![crate::logistic::INTERCEPT, self.coefficients.intercept()];
        std::iter::once(intercept)
            .chain(self.coefficients.weights().iter().map(|w| cells![&w.feature, w.weight]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::Array2;

    use super::*;

    fn cohort() -> (FeatureTable, Labels) {
        let labels: Vec<bool> = (0..60).map(|i| (i * 7) % 5 < 2).collect();
        let values = Array2::from_shape_fn((60, 6), |(i, j)| {
            let informative = if j < 2 && labels[i] { 0.35 } else { 0.0 };
            ((i * (7 * j + 3) + j * j) % 23) as f64 / 23.0 + informative
        });
        (
            FeatureTable::new((0..6).map(|j| format!("x{j}")).collect(), values).expect("unique names"),
            Labels::new(labels),
        )
    }

    // scikit-learn 1.9.1: LogisticRegression(C=1/(60 λ), tol=1e-14, solver="newton-cholesky") on columns scaled by
    // their standard deviation, coefficients scaled back; degrees of freedom as trace by numpy. glmnet 4.1-6 with alpha
    // = 0, thresh = 1e-16 agrees to 1e-9.
    #[test]
    fn coefficients_equal_scikit_learn_and_glmnet() {
        let (table, labels) = cohort();
        let golden = [
            (
                0.05,
                -3.9691197044615345,
                [
                    3.2075506952580066,
                    2.8339202799534062,
                    -0.8048410174229736,
                    -0.3077127949844532,
                    0.5458103053625581,
                    -0.09255827086161118,
                ],
                5.329650782733434,
                45.685909563254775,
            ),
            (
                0.5,
                -1.7630637338432493,
                [
                    1.0279554372940634,
                    0.9267545298553801,
                    -0.0737776011534606,
                    -0.025032497214554913,
                    0.2939502152825432,
                    0.0778448436862472,
                ],
                2.792970279644241,
                63.0288446431099,
            ),
        ];
        for (lambda, intercept, coefficients, degrees_of_freedom, deviance) in golden {
            let model = RidgeModel::fit(&table, &labels, &RidgeParams::given(lambda)).expect("both classes");
            assert_relative_eq!(model.coefficients.intercept(), intercept, max_relative = 1e-8);
            for (w, expected) in model.coefficients.weights().iter().zip(coefficients) {
                assert_relative_eq!(w.weight, expected, max_relative = 1e-7);
            }
            assert_relative_eq!(model.effective_degrees_of_freedom, degrees_of_freedom, max_relative = 1e-8);
            assert_relative_eq!(model.deviance, deviance, max_relative = 1e-9);
        }
    }

    // glmnet 4.1-6: cv.glmnet(X, y, family = "binomial", alpha = 0, foldid = rep(1:5, length.out = 60), thresh = 1e-12)
    #[test]
    fn the_cross_validated_penalty_equals_glmnet() {
        let (table, labels) = cohort();
        let folds = Folds::given((0..60).map(|i| i % 5).collect()).expect("five folds");
        let fit = |choice| {
            let penalty = RidgePenalty::CrossValidated { folds: folds.clone(), measure: CvMeasure::Deviance, choice };
            RidgeModel::fit(&table, &labels, &RidgeParams { penalty }).expect("both classes")
        };
        let best = fit(LambdaChoice::Min);
        assert_relative_eq!(best.lambda, 0.0274750356553, max_relative = 1e-9);
        assert_relative_eq!(fit(LambdaChoice::OneStandardError).lambda, 0.1466260016590, max_relative = 1e-9);
        let path = best.cross_validation.as_ref().expect("cross-validated");
        assert_relative_eq!(path.mean()[path.index_min()], 1.0656736776002, max_relative = 1e-6);
    }
}
