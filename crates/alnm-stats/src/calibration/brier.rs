//! The Brier score, its decomposition and the logarithmic loss.

use super::check;
use crate::Labels;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::error::Result;

/// Brier score, scaled Brier score and logarithmic loss of predicted risks.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BrierScore {
    /// Mean squared difference of risk and outcome.
    pub score: f64,
    /// 1 − score/(m(1 − m)), m being the share of events; 1 is perfect, 0 no better than the prevalence. With one class
    /// of outcomes only there is nothing to compare with, and it is NaN or −∞.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub scaled: f64,
    /// Mean logarithmic loss, risks held 10⁻¹⁵ away from 0 and 1.
    pub log_loss: f64,
}

/// Computes the Brier score (Brier 1950), the scaled score and the logarithmic loss.
///
/// # Errors
/// [`crate::StatsError::LengthMismatch`], [`crate::StatsError::TooFew`] without patients,
/// [`crate::StatsError::NonFinite`], [`crate::StatsError::Parameter`] for a risk outside [0, 1].
///
/// ```
/// use alnm_stats::{Labels, calibration::brier};
/// let brier = brier(&Labels::new(vec![true, false]), &[0.8, 0.3])?;
/// assert!((brier.score - 0.065).abs() < 1e-15);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn brier(labels: &Labels, risks: &[f64]) -> Result<BrierScore> {
    check("Brier score", labels, risks)?;
    let n = risks.len() as f64;
    let outcomes = labels.to_values();
    let score = risks.iter().zip(&outcomes).map(|(p, y)| (p - y).powi(2)).sum::<f64>() / n;
    let m = labels.prevalence();
    let log_loss = -risks
        .iter()
        .zip(labels.as_slice())
        .map(|(p, &y)| {
            let q = p.clamp(1e-15, 1.0 - 1e-15);
            if y { q.ln() } else { (1.0 - q).ln() }
        })
        .sum::<f64>()
        / n;
    Ok(BrierScore { score, scaled: 1.0 - score / (m * (1.0 - m)), log_loss })
}

/// Murphy's decomposition of the Brier score over groups of equal predicted risk: score = reliability − resolution +
/// uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BrierDecomposition {
    /// Mean squared distance of risk and observed frequency within the groups; 0 is perfect.
    pub reliability: f64,
    /// Mean squared distance of observed frequency and prevalence; larger is better.
    pub resolution: f64,
    /// Variance of the outcome.
    pub uncertainty: f64,
}

/// Murphy's (1973) decomposition over the distinct predicted risks.
///
/// # Errors
/// As [`brier`].
///
/// ```
/// use alnm_stats::{Labels, calibration::brier_decomposition};
/// let parts = brier_decomposition(&Labels::new(vec![true, false, true, false]), &[0.5; 4])?;
/// assert_eq!((parts.reliability, parts.resolution, parts.uncertainty), (0.0, 0.0, 0.25));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn brier_decomposition(labels: &Labels, risks: &[f64]) -> Result<BrierDecomposition> {
    check("Brier decomposition", labels, risks)?;
    let n = risks.len() as f64;
    let prevalence = labels.prevalence();
    let order = crate::rank::ascending_order(risks);
    let (mut reliability, mut resolution) = (0.0, 0.0);
    for run in crate::rank::ties(risks, &order) {
        let size = run.len() as f64;
        let risk = risks[order[run.start]];
        let events = order[run].iter().filter(|&&i| labels.as_slice()[i]).count() as f64;
        reliability += size * (risk - events / size).powi(2) / n;
        resolution += size * (events / size - prevalence).powi(2) / n;
    }
    Ok(BrierDecomposition { reliability, resolution, uncertainty: prevalence * (1.0 - prevalence) })
}

impl Tabulate for BrierScore {
    const COLUMNS: &'static [&'static str] = &["Brier score", "scaled", "log loss"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.score, self.scaled, self.log_loss]]
    }
}

impl Tabulate for BrierDecomposition {
    const COLUMNS: &'static [&'static str] = &["reliability", "resolution", "uncertainty"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.reliability, self.resolution, self.uncertainty]]
    }
}
