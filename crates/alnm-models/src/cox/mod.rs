//! Cox's proportional hazards regression of the time to an event.
//!
//! The hazard of a patient with predictors x is h₀(t) exp(xᵀβ) with a baseline hazard h₀ of any form, one for each
//! stratum if wanted. β maximises the partial likelihood; tied events are treated as by Efron or by Breslow. Results
//! are those of `coxph`, `basehaz` and `survfit` of R's `survival`.
//!
//! ```
//! use alnm_models::cox::{CoxModel, CoxParams};
//! use alnm_models::{FeatureTable, FollowUp};
//! use ndarray::array;
//! let table = FeatureTable::new(vec!["size".into()], array![[1.0], [2.0], [3.0], [4.0], [5.0]])?;
//! let follow_up = FollowUp::new(vec![9.0, 5.0, 6.0, 2.0, 3.0], vec![false, true, true, true, true])?;
//! let model = CoxModel::fit(&table, &follow_up, &CoxParams::default())?;
//! assert!(model.term("size")?.estimate > 0.0);
//! // Risk of an event by the time 4.
//! let risks = model.risk_at(&table, 4.0)?;
//! assert!(risks[0] < risks[4]);
//! # Ok::<(), alnm_models::ModelError>(())
//! ```

mod baseline;
mod calibration;
mod model;
mod partial_likelihood;

pub use baseline::{BaselineHazard, HazardPoint};
pub use calibration::{SmoothSurvivalCalibration, SurvivalCurveCalibration, survival_calibration_curve};
pub use model::CoxModel;

use alnm_selection::SelectionError;
use alnm_stats::missing::Missing;

use crate::error::{ModelError, Result, require_level};
use crate::{FeatureTable, FollowUp};

/// How events at one time are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CoxTies {
    /// Efron's approximation (1977), R's default: of d tied events the k-th sees the others leave by parts.
    #[default]
    Efron,
    /// Breslow's approximation (1974): each of the tied events sees the whole risk set.
    Breslow,
}

/// Parameters of a Cox regression, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `ties` | Efron | how events at one time are treated | |
/// | `level` | 0.95 | confidence level of the intervals | (0, 1) |
/// | `missing` | refuse | what to do with rows that lack a value | |
/// | `weights` | all 1 | case weight of each row | above 0 |
/// | `strata` | one | code of the stratum of each row; each has a baseline hazard of its own | |
/// | `max_iterations` | 50 | Newton steps at most | 1 or more |
///
/// ```
/// use alnm_models::cox::{CoxParams, CoxTies};
/// let regression = CoxParams::default().with_ties(CoxTies::Breslow).check()?;
/// assert_eq!(regression.params().ties, CoxTies::Breslow);
/// assert!(CoxParams::default().with_level(95.0).check().is_err());
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct CoxParams {
    /// How events at one time are treated.
    pub ties: CoxTies,
    /// Confidence level of the intervals.
    pub level: f64,
    /// What to do with rows that lack a value.
    pub missing: Missing,
    /// Case weight of each row; `None` for equal weights.
    pub weights: Option<Vec<f64>>,
    /// Code of the stratum of each row; `None` for one stratum.
    pub strata: Option<Vec<usize>>,
    /// Newton steps at most.
    pub max_iterations: usize,
}

impl Default for CoxParams {
    fn default() -> Self {
        Self {
            ties: CoxTies::Efron,
            level: 0.95,
            missing: Missing::Refuse,
            weights: None,
            strata: None,
            max_iterations: 50,
        }
    }
}

impl CoxParams {
    /// Sets how events at one time are treated.
    pub fn with_ties(self, ties: CoxTies) -> Self {
        Self { ties, ..self }
    }

    /// Sets the confidence level of the intervals.
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets what to do with rows that lack a value.
    pub fn with_missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// Sets the case weight of each row.
    pub fn with_weights(self, weights: Vec<f64>) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// Sets the stratum of each row.
    pub fn with_strata(self, strata: Vec<usize>) -> Self {
        Self { strata: Some(strata), ..self }
    }

    /// Sets the number of Newton steps at most.
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<CoxRegression> {
        require_level(self.level)?;
        if self.max_iterations == 0 {
            return Err(ModelError::parameter("max_iterations", self.max_iterations, "at least 1"));
        }
        if let Some(&weight) = self.weights.iter().flatten().find(|w| !(w.is_finite() && **w > 0.0)) {
            return Err(ModelError::parameter("weight of a row", weight, "finite and above 0"));
        }
        Ok(CoxRegression { params: self })
    }
}

/// Checked parameters of a Cox regression, ready to fit; made by [`CoxParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CoxRegression {
    params: CoxParams,
}

impl CoxRegression {
    /// The parameters.
    pub fn params(&self) -> &CoxParams {
        &self.params
    }

    /// The rows of a fit under the policy for missing values, with their weights and strata.
    fn rows(&self, table: &FeatureTable, follow_up: &FollowUp) -> Result<UsedRows> {
        let shape = |what, left| SelectionError::Shape { what, left, right: table.rows() };
        if follow_up.len() != table.rows() {
            return Err(shape("follow-up times and rows", follow_up.len()).into());
        }
        let CoxParams { weights, strata, missing, .. } = &self.params;
        if let Some(weights) = weights.as_ref().filter(|w| w.len() != table.rows()) {
            return Err(shape("weights and rows", weights.len()).into());
        }
        if let Some(strata) = strata.as_ref().filter(|s| s.len() != table.rows()) {
            return Err(shape("strata and rows", strata.len()).into());
        }
        let rows = match missing {
            Missing::Omit => table.complete_rows(),
            _ => (0..table.rows()).collect(),
        };
        let table = table.select_rows(&rows);
        table.require_finite()?;
        Ok(UsedRows {
            follow_up: follow_up.select(&rows),
            weights: weights.as_ref().map_or_else(|| vec![1.0; rows.len()], |w| rows.iter().map(|&r| w[r]).collect()),
            strata: strata.as_ref().map_or_else(|| vec![0; rows.len()], |s| rows.iter().map(|&r| s[r]).collect()),
            table,
        })
    }
}

/// The rows of a fit.
struct UsedRows {
    table: FeatureTable,
    follow_up: FollowUp,
    weights: Vec<f64>,
    strata: Vec<usize>,
}
