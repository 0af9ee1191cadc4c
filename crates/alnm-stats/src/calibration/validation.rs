//! The summary of discrimination and calibration that `rms::val.prob` prints.

use super::{CalibrationError, Recalibration, brier, lowess_curve, recalibrate, spiegelhalter};
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::chi_squared_upper_tail;
use crate::error::Result;
use crate::roc::{Direction, RocCurve};
use crate::{Labels, TestResult};

/// Harrell's validation of predicted risks (`rms::val.prob`).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Validation {
    /// Somers' Dxy, 2(C − ½).
    pub somers_dxy: f64,
    /// Area under the ROC curve.
    pub c: f64,
    /// Nagelkerke's R² of the risks as given; negative when they do worse than the prevalence.
    pub r2: f64,
    /// Discrimination index D = (LR χ² − 1)/n.
    pub discrimination: f64,
    /// Likelihood ratio χ² of the risks as given, and its p-value.
    pub discrimination_test: TestResult,
    /// Unreliability index U = (χ² − 2)/n.
    pub unreliability: f64,
    /// Quality index Q = D − U.
    pub quality: f64,
    /// Brier score.
    pub brier: f64,
    /// Intercept, slope and the unreliability test.
    pub recalibration: Recalibration,
    /// Distance of the lowess curve from the diagonal.
    pub error: CalibrationError,
    /// Spiegelhalter's test.
    pub spiegelhalter: TestResult,
}

/// Everything `val.prob` prints, at the optimum of the likelihood.
///
/// # Errors
/// As [`recalibrate`].
///
/// ```
/// use alnm_stats::{Labels, calibration::validate};
/// let labels = Labels::new(vec![false, true, false, false, true, true]);
/// let risks = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
/// let validation = validate(&labels, &risks, 0.95)?;
/// assert!((validation.c - 7.0 / 9.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn validate(labels: &Labels, risks: &[f64], level: f64) -> Result<Validation> {
    let recalibration = recalibrate(labels, risks, level)?;
    let n = risks.len() as f64;
    let c = RocCurve::new(labels, risks, Direction::HigherIsPositive)?.auc();
    let ratio = recalibration.null_deviance - recalibration.deviance;
    let as_given = ratio - recalibration.unreliability.statistic;
    let discrimination = (as_given - 1.0) / n;
    let unreliability = (recalibration.unreliability.statistic - 2.0) / n;
    Ok(Validation {
        somers_dxy: 2.0 * (c - 0.5),
        c,
        r2: (1.0 - (-as_given / n).exp()) / (1.0 - (-recalibration.null_deviance / n).exp()),
        discrimination,
        discrimination_test: TestResult::new(
            "Likelihood ratio test",
            as_given,
            &[1.0],
            chi_squared_upper_tail(as_given, 1.0),
        ),
        unreliability,
        quality: discrimination - unreliability,
        brier: brier(labels, risks)?.score,
        recalibration,
        error: lowess_curve(labels, risks)?.error(),
        spiegelhalter: spiegelhalter(labels, risks)?,
    })
}

impl Tabulate for Validation {
    const COLUMNS: &'static [&'static str] = &["measure", "value"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        [
            ("Dxy", self.somers_dxy),
            ("C", self.c),
            ("R2", self.r2),
            ("D", self.discrimination),
            ("U", self.unreliability),
            ("Q", self.quality),
            ("Brier", self.brier),
            ("intercept", self.recalibration.intercept.estimate),
            ("slope", self.recalibration.slope.estimate),
            ("Emax", self.error.emax),
            ("E90", self.error.e90),
            ("Eavg", self.error.ici),
            ("Spiegelhalter z", self.spiegelhalter.statistic),
            ("Spiegelhalter p", self.spiegelhalter.p_value),
        ]
        .map(|(measure, value)| cells![measure, value])
        .to_vec()
    }
}
