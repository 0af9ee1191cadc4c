//! The calibration curve of the integrated model corrected for optimism, as `rms::calibrate` does.

use alnm_models::{LogisticModel, LogisticParams};
use alnm_selection::{FeatureTable, Labels};
use alnm_stats::bootstrap::Resampling;
use alnm_stats::loess::{Loess, LoessParams};
use alnm_stats::optimism::{Stratification, validate};
use anyhow::Result;

/// Predicted risks at which the curves are read.
const POINTS: usize = 50;

/// Observed share against predicted risk, as fitted and corrected.
pub(super) struct CorrectedCurve {
    /// Predicted risks.
    pub(super) risks: Vec<f64>,
    /// The curve of the model on the patients that it was fitted to.
    pub(super) apparent: Vec<f64>,
    /// Minus the mean over the resamples of: curve on the resample − curve on all patients, of the model fitted to the
    /// resample.
    pub(super) corrected: Vec<f64>,
    /// Resamples that could be fitted.
    pub(super) resamples: usize,
}

/// Curves of the logistic model of all columns, between the fifth smallest and the fifth largest risk (Harrell's
/// choice). The smoother is that of the figure, loess; beyond the risks of a resample its curve is continued by its
/// end.
///
/// # Errors
/// When the model or its curve cannot be fitted.
pub(super) fn corrected_curve(table: &FeatureTable, labels: &Labels, resampling: Resampling) -> Result<CorrectedCurve> {
    let params = LogisticParams::default();
    let mut sorted = LogisticModel::fit_finite(table, labels, &params)?.predict(table)?;
    sorted.sort_by(f64::total_cmp);
    let end = 4.min(sorted.len() - 1);
    let (low, high) = (sorted[end], sorted[sorted.len() - 1 - end]);
    let risks: Vec<f64> = (0..POINTS).map(|point| low + (high - low) * point as f64 / (POINTS - 1) as f64).collect();
    let curve = |model: &LogisticModel, rows: &[usize]| -> Option<Vec<f64>> {
        let predicted = model.predict(&table.select_rows(rows)).ok()?;
        let smooth = Loess::fit(&predicted, &labels.select(rows).to_values(), LoessParams::default()).ok()?;
        let (low, high) =
            predicted.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &p| (low.min(p), high.max(p)));
        risks.iter().map(|risk| smooth.predict(risk.clamp(low, high)).ok()).collect()
    };
    let fit = |rows: &[usize]| LogisticModel::fit_finite(&table.select_rows(rows), &labels.select(rows), &params).ok();
    let measure = |model: &LogisticModel, rows: &[usize]| curve(model, rows).unwrap_or_else(|| vec![f64::NAN; POINTS]);
    let points = validate(labels, Stratification::ByOutcome, resampling, fit, measure)?;
    Ok(CorrectedCurve {
        apparent: points.iter().map(|point| point.apparent).collect(),
        corrected: points.iter().map(|point| point.corrected).collect(),
        resamples: points.first().map_or(0, |point| point.resamples),
        risks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten columns of noise: the apparent curve follows the diagonal by construction of maximum likelihood, the
    /// corrected one is flatter, since the risks are nothing but fit to chance.
    #[test]
    fn risks_fitted_to_chance_are_corrected_towards_the_prevalence() {
        let mut state = 12_345_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1 << 30) - 1.0
        };
        let columns: Vec<(String, Vec<f64>)> =
            (0..10).map(|k| (format!("x{k}"), (0..120).map(|_| next()).collect())).collect();
        let labels = Labels::new((0..120).map(|row| row % 2 == 0).collect());
        let table = FeatureTable::from_columns(columns).unwrap();
        let curve = corrected_curve(&table, &labels, Resampling::new(40, 3)).unwrap();
        assert!(curve.resamples > 30);
        let rise = |values: &[f64]| values[POINTS - 1] - values[0];
        assert!(
            rise(&curve.corrected) < 0.7 * rise(&curve.apparent),
            "{} and {}",
            rise(&curve.corrected),
            rise(&curve.apparent)
        );
    }
}
