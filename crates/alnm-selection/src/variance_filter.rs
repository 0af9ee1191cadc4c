//! Removal of features that do not vary, or hardly vary.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// Spread of one feature, as caret's `nearZeroVar` reports it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FeatureSpread {
    /// Name of the feature.
    pub feature: String,
    /// Count of the most frequent value over that of the second most frequent; 0 when all values are equal.
    pub frequency_ratio: f64,
    /// Number of distinct values per row, in percent.
    pub percent_unique: f64,
    /// Whether all values are equal.
    pub zero_variance: bool,
}

/// Spread of every feature, in the order of the columns.
///
/// # Errors
/// [`SelectionError::NonFinite`] for a missing value.
///
/// ```
/// use alnm_selection::FeatureTable;
/// use alnm_selection::variance_filter::feature_spreads;
/// use ndarray::array;
/// let table = FeatureTable::new(vec!["a".into()], array![[1.0], [1.0], [1.0], [2.0]])?;
/// let spread = &feature_spreads(&table)?[0];
/// assert_eq!((spread.frequency_ratio, spread.percent_unique, spread.zero_variance), (3.0, 50.0, false));
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
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

/// When a feature hardly varies, with caret's defaults; [`NearZeroVarianceParams::check`] gives the
/// [`NearZeroVariance`] rule. A feature hardly varies when all its values are equal, or when both limits are passed.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `frequency_ratio` | 19 | the most frequent value is more than so many times as frequent as the second | 0 or more |
/// | `percent_unique` | 10 | and there are at most so many distinct values per 100 rows | [0, 100] |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct NearZeroVarianceParams {
    /// Limit of the count of the most frequent value over that of the second most frequent.
    pub frequency_ratio: f64,
    /// Limit of the number of distinct values per row, in percent.
    pub percent_unique: f64,
}

impl Default for NearZeroVarianceParams {
    fn default() -> Self {
        Self { frequency_ratio: 19.0, percent_unique: 10.0 }
    }
}

impl NearZeroVarianceParams {
    /// Sets the limit of the frequency ratio.
    pub fn with_frequency_ratio(mut self, frequency_ratio: f64) -> Self {
        self.frequency_ratio = frequency_ratio;
        self
    }

    /// Sets the limit of the number of distinct values per row, in percent.
    pub fn with_percent_unique(mut self, percent_unique: f64) -> Self {
        self.percent_unique = percent_unique;
        self
    }

    /// The rule with these limits.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a limit outside its range.
    pub fn check(self) -> Result<NearZeroVariance> {
        if self.frequency_ratio.is_nan() || self.frequency_ratio < 0.0 {
            let name = "limit of the frequency ratio";
            return Err(SelectionError::parameter(name, self.frequency_ratio, "at least 0"));
        }
        if !(0.0..=100.0).contains(&self.percent_unique) {
            let name = "limit of the percentage of distinct values";
            return Err(SelectionError::parameter(name, self.percent_unique, "at least 0 and at most 100"));
        }
        Ok(NearZeroVariance { params: self })
    }
}

/// The rule for features that hardly vary, with checked limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearZeroVariance {
    params: NearZeroVarianceParams,
}

impl NearZeroVariance {
    /// The limits.
    pub fn params(&self) -> &NearZeroVarianceParams {
        &self.params
    }

    /// Whether a feature hardly varies.
    #[must_use]
    pub fn holds(&self, spread: &FeatureSpread) -> bool {
        let NearZeroVarianceParams { frequency_ratio, percent_unique } = self.params;
        spread.zero_variance || (spread.frequency_ratio > frequency_ratio && spread.percent_unique <= percent_unique)
    }
}

impl Tabulate for FeatureSpread {
    const COLUMNS: &'static [&'static str] = &["feature", "frequency ratio", "percent unique", "zero variance"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![&self.feature, self.frequency_ratio, self.percent_unique, self.zero_variance]]
    }
}
