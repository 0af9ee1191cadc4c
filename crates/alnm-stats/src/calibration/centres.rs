//! Calibration and discrimination centre by centre, and how much the centres differ.

use super::{ExpectedObserved, Recalibration, check, expected_observed, recalibrate};
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::delong::{AucEstimate, auc_estimate};
use crate::distribution::{chi_squared_upper_tail, normal_quantile, t_quantile};
use crate::error::{Result, require_level, require_same_length};
use crate::roc::{Direction, RocCurve};
use crate::{Interval, Labels, TestResult};

/// Validation of predicted risks in each centre.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CalibrationByCentre {
    /// The centres in alphabetical order.
    pub centres: Vec<CentreCalibration>,
    /// Log odds of the area under the ROC curve over the centres.
    pub logit_auc: Option<RandomEffectsMean>,
    /// Calibration in the large over the centres; 0 is perfect.
    pub in_the_large: Option<RandomEffectsMean>,
    /// Calibration slope over the centres; 1 is perfect.
    pub slope: Option<RandomEffectsMean>,
}

/// Validation in one centre. What a centre does not determine is `None`, with the reason.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CentreCalibration {
    /// Name of the centre.
    pub centre: String,
    /// Number of patients.
    pub patients: usize,
    /// Number of events.
    pub events: usize,
    /// Expected and observed events.
    pub expected_observed: ExpectedObserved,
    /// Area under the ROC curve; `None` with one class of outcomes only.
    pub auc: Option<AucEstimate>,
    /// Intercept and slope; `None` with one class only, equal risks, or risks that separate the outcome.
    pub recalibration: Option<Recalibration>,
    /// Why something is `None`.
    pub reason: Option<String>,
}

/// Mean over centres by a random-effects model (DerSimonian and Laird 1986; `metafor::rma(method = "DL")`).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RandomEffectsMean {
    /// Number of centres that have an estimate.
    pub centres: usize,
    /// Mean over the centres, weighted by 1/(standard error² + τ²).
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Normal interval of the mean.
    pub interval: Interval,
    /// Variance τ² between the centres; 0 where they differ no more than by chance.
    pub between_variance: f64,
    /// Share of the variation that is between the centres, I² from 0 to 1.
    pub i_squared: f64,
    /// Interval for the value in a new centre, by Student's t with two degrees of freedom less than centres (Higgins,
    /// Thompson and Spiegelhalter 2009); infinite for two centres.
    pub prediction: Interval,
}

impl RandomEffectsMean {
    /// Pools estimates with their standard errors. `None` for fewer than two, and where a standard error is 0 or not
    /// finite.
    ///
    /// # Errors
    /// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::Parameter`] for the level.
    ///
    /// ```
    /// use alnm_stats::calibration::RandomEffectsMean;
    /// let pooled = RandomEffectsMean::of(&[0.8, 1.2, 1.0], &[0.1, 0.1, 0.1], 0.95)?.expect("three centres");
    /// assert!((pooled.estimate - 1.0).abs() < 1e-12 && (pooled.between_variance - 0.03).abs() < 1e-12);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn of(estimates: &[f64], standard_errors: &[f64], level: f64) -> Result<Option<Self>> {
        require_same_length("pooling over centres", estimates.len(), standard_errors.len())?;
        require_level(level)?;
        let k = estimates.len();
        let usable = estimates.iter().zip(standard_errors).all(|(e, s)| e.is_finite() && s.is_finite() && *s > 0.0);
        if k < 2 || !usable {
            return Ok(None);
        }
        let weighted = |between: f64| -> [f64; 3] {
            let weights: Vec<f64> = standard_errors.iter().map(|s| 1.0 / (s * s + between)).collect();
            let total: f64 = weights.iter().sum();
            let mean = weights.iter().zip(estimates).map(|(w, e)| w * e).sum::<f64>() / total;
            let spread = weights.iter().zip(estimates).map(|(w, e)| w * (e - mean).powi(2)).sum();
            [mean, total, spread]
        };
        let [_, total, q] = weighted(0.0);
        let squares: f64 = standard_errors.iter().map(|s| s.powi(-4)).sum();
        let df = (k - 1) as f64;
        let between_variance = ((q - df) / (total - squares / total)).max(0.0);
        // The typical variance within centres of Higgins and Thompson (2002).
        let within = df * total / (total * total - squares);
        let [estimate, precision, _] = weighted(between_variance);
        let standard_error = (1.0 / precision).sqrt();
        let ends = |half: f64| Interval { lower: estimate - half, upper: estimate + half, level };
        let predictive = if k > 2 { t_quantile(0.5 + level / 2.0, (k - 2) as f64) } else { f64::INFINITY };
        Ok(Some(Self {
            centres: k,
            estimate,
            standard_error,
            interval: ends(normal_quantile(0.5 + level / 2.0) * standard_error),
            between_variance,
            i_squared: between_variance / (between_variance + within),
            prediction: ends(predictive * (between_variance + standard_error * standard_error).sqrt()),
        }))
    }

    /// Test that the centres do not differ (Cochran's Q), from the same estimates and standard errors.
    ///
    /// # Errors
    /// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] for fewer than two centres.
    pub fn heterogeneity(estimates: &[f64], standard_errors: &[f64]) -> Result<TestResult> {
        const OPERATION: &str = "Cochran's Q";
        require_same_length(OPERATION, estimates.len(), standard_errors.len())?;
        crate::error::require_count(OPERATION, "centres", 2, estimates.len())?;
        let weights: Vec<f64> = standard_errors.iter().map(|s| s.powi(-2)).collect();
        let total: f64 = weights.iter().sum();
        let mean = weights.iter().zip(estimates).map(|(w, e)| w * e).sum::<f64>() / total;
        let q: f64 = weights.iter().zip(estimates).map(|(w, e)| w * (e - mean).powi(2)).sum();
        let df = (estimates.len() - 1) as f64;
        Ok(TestResult::new(OPERATION, q, &[df], chi_squared_upper_tail(q, df)))
    }
}

/// Validates predicted risks in every centre and pools discrimination and calibration over the centres. `centres` names
/// the centre of each patient. A centre that does not determine a measure (one class of outcomes, equal risks) is
/// reported without it and has no part in its mean.
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] without patients,
/// [`crate::StatsError::NonFinite`], [`crate::StatsError::Parameter`] for a risk outside [0, 1] or the level.
///
/// ```
/// use alnm_stats::{Labels, calibration::calibration_by_centre};
/// let labels = Labels::new((0..60).map(|i| i % 5 < 2 || i % 7 == 0).collect());
/// let risks: Vec<f64> = (0..60).map(|i| 0.2 + 0.6 * f64::from(i * 17 % 60) / 60.0).collect();
/// let centres: Vec<String> = (0..60).map(|i| if i < 30 { "A" } else { "B" }.to_owned()).collect();
/// let by_centre = calibration_by_centre(&labels, &risks, &centres, 0.95)?;
/// assert_eq!((by_centre.centres.len(), by_centre.centres[0].patients), (2, 30));
/// assert!(by_centre.slope.is_some());
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn calibration_by_centre(
    labels: &Labels,
    risks: &[f64],
    centres: &[String],
    level: f64,
) -> Result<CalibrationByCentre> {
    const OPERATION: &str = "calibration by centre";
    check(OPERATION, labels, risks)?;
    require_same_length(OPERATION, risks.len(), centres.len())?;
    require_level(level)?;
    let mut names = centres.to_vec();
    names.sort_unstable();
    names.dedup();
    let centres = names
        .into_iter()
        .map(|centre| {
            let rows: Vec<usize> = (0..risks.len()).filter(|&row| centres[row] == centre).collect();
            of_centre(centre, &labels.select(&rows), &rows.iter().map(|&row| risks[row]).collect::<Vec<_>>(), level)
        })
        .collect::<Result<Vec<_>>>()?;
    let pool = |pick: &dyn Fn(&CentreCalibration) -> Option<[f64; 2]>| {
        let picked: Vec<[f64; 2]> = centres.iter().filter_map(pick).collect();
        let column = |place: usize| picked.iter().map(|pair| pair[place]).collect::<Vec<f64>>();
        RandomEffectsMean::of(&column(0), &column(1), level)
    };
    let logit_auc = pool(&|centre| {
        let area = centre.auc.filter(|area| area.variance > 0.0 && area.auc > 0.0 && area.auc < 1.0)?;
        let odds = area.auc * (1.0 - area.auc);
        Some([(area.auc / (1.0 - area.auc)).ln(), area.standard_error() / odds])
    })?;
    let of = |pick: fn(&Recalibration) -> super::WaldEstimate| {
        pool(&move |centre| {
            let estimate = pick(centre.recalibration.as_ref()?);
            Some([estimate.estimate, estimate.standard_error])
        })
    };
    Ok(CalibrationByCentre { logit_auc, in_the_large: of(|r| r.in_the_large)?, slope: of(|r| r.slope)?, centres })
}

fn of_centre(centre: String, labels: &Labels, risks: &[f64], level: f64) -> Result<CentreCalibration> {
    let both = labels.require_both("validation in a centre");
    let (auc, recalibration, reason) = match both {
        Err(error) => (None, None, Some(error.to_string())),
        Ok(()) => {
            let curve = RocCurve::new(labels, risks, Direction::HigherIsPositive)?;
            let recalibration = recalibrate(labels, risks, level);
            let reason = recalibration.as_ref().err().map(ToString::to_string);
            (Some(auc_estimate(&curve, level)?), recalibration.ok(), reason)
        }
    };
    Ok(CentreCalibration {
        centre,
        patients: labels.len(),
        events: labels.positives(),
        expected_observed: expected_observed(labels, risks, level)?,
        auc,
        recalibration,
        reason,
    })
}

impl Tabulate for CalibrationByCentre {
    const COLUMNS: &'static [&'static str] = &[
        "centre",
        "patients",
        "events",
        "O/E",
        "AUC",
        "AUC lower",
        "AUC upper",
        "calibration in the large",
        "slope",
        "slope lower",
        "slope upper",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |c: &CentreCalibration| {
            let slope = c.recalibration.as_ref().map(|r| r.slope);
            let large = c.recalibration.as_ref().map(|r| r.in_the_large.estimate);
            let head = cells![&c.centre, c.patients, c.events, c.expected_observed.observed_over_expected];
            let area = cells![c.auc.map(|a| a.auc), c.auc.map(|a| a.interval.lower), c.auc.map(|a| a.interval.upper)];
            let calibration = cells![
                large,
                slope.map(|s| s.estimate),
                slope.map(|s| s.interval.lower),
                slope.map(|s| s.interval.upper)
            ];
            [head, area, calibration].concat()
        };
        self.centres.iter().map(row).collect()
    }
}

impl Tabulate for RandomEffectsMean {
    const COLUMNS: &'static [&'static str] = &[
        "centres",
        "estimate",
        "SE",
        "lower",
        "upper",
        "between variance",
        "I2",
        "prediction lower",
        "prediction upper",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let mean = cells![self.centres, self.estimate, self.standard_error, self.interval.lower, self.interval.upper];
        let spread = cells![self.between_variance, self.i_squared, self.prediction.lower, self.prediction.upper];
        vec![[mean, spread].concat()]
    }
}
