//! Features that hardly vary.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::Result;

/// Spread of one feature, as caret's `nearZeroVar` reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSpread {
    /// Name of the feature.
    pub feature: String,
    /// Count of the most frequent value over that of the second; 0 for a single value.
    pub frequency_ratio: f64,
    /// Number of distinct values over the number of rows, in percent.
    pub percent_unique: f64,
    /// Whether all values are equal.
    pub zero_variance: bool,
}

/// Spread of every feature.
///
/// # Errors
/// [`crate::SelectionError::NonFinite`] for a missing value.
pub fn feature_spreads(table: &FeatureTable) -> Result<Vec<FeatureSpread>> {
    table.require_finite()?;
    Ok(table
        .names()
        .iter()
        .zip(table.contiguous_columns())
        .map(|(name, mut values)| {
            values.sort_unstable_by(f64::total_cmp);
            let mut runs: Vec<usize> = values.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
            runs.sort_unstable_by(|a, b| b.cmp(a));
            FeatureSpread {
                feature: name.clone(),
                frequency_ratio: if runs.len() > 1 { runs[0] as f64 / runs[1] as f64 } else { 0.0 },
                percent_unique: 100.0 * runs.len() as f64 / values.len() as f64,
                zero_variance: runs.len() <= 1,
            }
        })
        .collect())
}

/// Limits below which a feature has near-zero variance (caret's defaults).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearZeroVariance {
    /// Near zero when the frequency ratio exceeds this; default 95/5.
    pub frequency_ratio: f64,
    /// … and the percentage of distinct values is at most this; default 10.
    pub percent_unique: f64,
}

impl Default for NearZeroVariance {
    fn default() -> Self {
        Self { frequency_ratio: 19.0, percent_unique: 10.0 }
    }
}

impl NearZeroVariance {
    /// Whether a feature counts as nearly constant.
    #[must_use]
    pub fn holds(&self, spread: &FeatureSpread) -> bool {
        spread.zero_variance
            || (spread.frequency_ratio > self.frequency_ratio && spread.percent_unique <= self.percent_unique)
    }
}

impl Tabulate for FeatureSpread {
    const COLUMNS: &'static [&'static str] = &["feature", "frequency ratio", "percent unique", "zero variance"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.feature, self.frequency_ratio, self.percent_unique, self.zero_variance]]
    }
}
