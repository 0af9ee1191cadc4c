//! Calibration intercept and slope, and risks corrected by them.

use super::check;
use super::logistic_fit::{LogisticFit, deviance};
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{chi_squared_upper_tail, normal_quantile};
use crate::error::{Result, StatsError, require_level};
use crate::logit::{expit, logit};
use crate::{Interval, Labels, TestResult};

/// An estimate with standard error and Wald interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WaldEstimate {
    /// Estimate, on the scale of log-odds.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// estimate ± z · standard error.
    pub interval: Interval,
}

impl WaldEstimate {
    pub(super) fn new(estimate: f64, variance: f64, level: f64) -> Self {
        let standard_error = variance.sqrt();
        let half = normal_quantile(0.5 + level / 2.0) * standard_error;
        Self { estimate, standard_error, interval: Interval { lower: estimate - half, upper: estimate + half, level } }
    }
}

/// Logistic recalibration of the predicted risks.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recalibration {
    /// Calibration in the large: the intercept with the slope held at 1; 0 is perfect.
    pub in_the_large: WaldEstimate,
    /// Intercept of the model with a free slope.
    pub intercept: WaldEstimate,
    /// Calibration slope; 1 is perfect, below 1 means risks too extreme (overfitting).
    pub slope: WaldEstimate,
    /// Likelihood ratio test of intercept 0 and slope 1, with 2 degrees of freedom.
    pub unreliability: TestResult,
    /// Deviance of the model with only an intercept.
    pub null_deviance: f64,
    /// Deviance of the recalibrated risks.
    pub deviance: f64,
}

impl Recalibration {
    /// The recalibrated risk, expit(intercept + slope · logit(risk)).
    #[must_use]
    pub fn apply(&self, risk: f64) -> f64 {
        expit(self.intercept.estimate + self.slope.estimate * logit(risk))
    }
}

/// Calibration intercept and slope: logistic regression of the outcome on the logit of the risk.
///
/// # Errors
/// [`StatsError::Undefined`] for a risk of exactly 0 or 1 and when the outcome is separated by the risk,
/// [`StatsError::Constant`] when all risks are equal, [`StatsError::OneClass`], and as [`brier`](super::brier()).
///
/// ```
/// use alnm_stats::{Labels, calibration::recalibrate};
/// let labels = Labels::new(vec![false, true, false, false, true, true]);
/// let risks = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
/// let recalibration = recalibrate(&labels, &risks, 0.95)?;
/// assert!(recalibration.slope.estimate > 0.0);
/// assert!(recalibration.apply(0.2) < recalibration.apply(0.7));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn recalibrate(labels: &Labels, risks: &[f64], level: f64) -> Result<Recalibration> {
    const OPERATION: &str = "logistic recalibration";
    check(OPERATION, labels, risks)?;
    require_level(level)?;
    labels.require_both(OPERATION)?;
    if risks.iter().any(|p| *p == 0.0 || *p == 1.0) {
        return Err(StatsError::Undefined {
            operation: OPERATION,
            requirement: "no risk may be exactly 0 or 1, which have no logit",
        });
    }
    if risks.iter().all(|p| *p == risks[0]) {
        return Err(StatsError::Constant { operation: OPERATION });
    }
    let y = labels.to_values();
    let x: Vec<f64> = risks.iter().map(|p| logit(*p)).collect();
    let zero = vec![0.0; x.len()];
    let large = LogisticFit::of(OPERATION, &y, &x, &[])?;
    let free = LogisticFit::of(OPERATION, &y, &zero, &[&x])?;
    let prevalence = labels.prevalence();
    let null_deviance = deviance(&y, &vec![logit(prevalence); x.len()]);
    let statistic = deviance(&y, &x) - free.deviance;
    Ok(Recalibration {
        in_the_large: WaldEstimate::new(large.coefficients[0], large.covariance[0], level),
        intercept: WaldEstimate::new(free.coefficients[0], free.covariance[0], level),
        slope: WaldEstimate::new(free.coefficients[1], free.covariance[3], level),
        unreliability: TestResult::new("Unreliability test", statistic, &[2.0], chi_squared_upper_tail(statistic, 2.0)),
        null_deviance,
        deviance: free.deviance,
    })
}

impl Tabulate for Recalibration {
    const COLUMNS: &'static [&'static str] = &["parameter", "estimate", "SE", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        [("calibration in the large", &self.in_the_large), ("intercept", &self.intercept), ("slope", &self.slope)]
            .map(|(name, e)| cells![name, e.estimate, e.standard_error, e.interval.lower, e.interval.upper])
            .to_vec()
    }
}
