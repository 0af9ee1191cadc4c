//! Univariate screen: does a feature differ between the outcome classes?

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
pub use alnm_stats::multiplicity::Adjustment;
use alnm_stats::multiplicity::adjust;
use alnm_stats::normality::shapiro_wilk;
pub use alnm_stats::rank_sum::RankMethod;
use alnm_stats::rank_sum::mann_whitney;
pub use alnm_stats::t_test::GroupVariance;
use alnm_stats::t_test::two_sample;
use alnm_stats::{Alternative, Labels};
use rayon::prelude::*;

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// How features are tested; [`UnivariateParams::check`] gives the [`UnivariateScreen`].
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.05 | features with a smaller p-value stay | (0, 1] |
/// | `normality_level` | 0.05 | a feature counts as normal, and gets a t-test, when the Shapiro-Wilk p-value of both classes is at least this | [0, 1] |
/// | `variances` | Welch | variances of the t-test | |
/// | `rank_method` | R's rule | method of the Mann-Whitney test that the other features get | |
/// | `adjustment` | none | adjustment of the p-values over all features | |
///
/// ```
/// use alnm_selection::univariate::UnivariateParams;
/// use alnm_selection::{FeatureTable, Labels};
/// use ndarray::Array2;
/// let labels = Labels::new((0..40).map(|row| row % 2 == 0).collect());
/// // The first feature differs between the classes, the second does not.
/// let values = Array2::from_shape_fn((40, 2), |(row, column)| {
///     let noise = ((row * (3 * column + 5)) % 13) as f64;
///     if column == 0 && row % 2 == 0 { noise + 6.0 } else { noise }
/// });
/// let table = FeatureTable::new(vec!["a".into(), "b".into()], values)?;
/// let screened = UnivariateParams::default().check()?.test(&table, &labels)?;
/// assert!(screened[0].p_value < 0.001 && screened[1].p_value > 0.05);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct UnivariateParams {
    /// Features with a smaller p-value stay.
    pub level: f64,
    /// Shapiro-Wilk p-value of both classes from which on a feature counts as normal and gets a t-test.
    pub normality_level: f64,
    /// Variances of the t-test.
    pub variances: GroupVariance,
    /// Method of the Mann-Whitney test.
    pub rank_method: RankMethod,
    /// Adjustment of the p-values over all features.
    pub adjustment: Option<Adjustment>,
}

impl Default for UnivariateParams {
    fn default() -> Self {
        Self {
            level: 0.05,
            normality_level: 0.05,
            variances: GroupVariance::Welch,
            rank_method: RankMethod::Automatic,
            adjustment: None,
        }
    }
}

impl UnivariateParams {
    /// Sets the level below which a p-value must lie.
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the Shapiro-Wilk p-value from which on a feature counts as normal.
    pub fn with_normality_level(mut self, normality_level: f64) -> Self {
        self.normality_level = normality_level;
        self
    }

    /// Sets the variances of the t-test.
    pub fn with_variances(mut self, variances: GroupVariance) -> Self {
        self.variances = variances;
        self
    }

    /// Sets the method of the Mann-Whitney test.
    pub fn with_rank_method(mut self, rank_method: RankMethod) -> Self {
        self.rank_method = rank_method;
        self
    }

    /// Sets the adjustment of the p-values over all features.
    pub fn with_adjustment(mut self, adjustment: Adjustment) -> Self {
        self.adjustment = Some(adjustment);
        self
    }

    /// The screen with these parameters.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a level outside its range.
    pub fn check(self) -> Result<UnivariateScreen> {
        if !(self.level > 0.0 && self.level <= 1.0) {
            let name = "level of the univariate screen";
            return Err(SelectionError::parameter(name, self.level, "above 0 and at most 1"));
        }
        if !(0.0..=1.0).contains(&self.normality_level) {
            let name = "level of the normality test";
            return Err(SelectionError::parameter(name, self.normality_level, "at least 0 and at most 1"));
        }
        Ok(UnivariateScreen { params: self })
    }
}

/// A univariate screen with checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnivariateScreen {
    params: UnivariateParams,
}

/// Which test a feature got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ScreenTest {
    /// t-test, since both classes look normal.
    TTest,
    /// Mann-Whitney U test, since one class at least does not.
    MannWhitney,
}

/// Result of the screen of one feature.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScreenedFeature {
    /// Name of the feature.
    pub feature: String,
    /// The test that the feature got.
    pub test: ScreenTest,
    /// Statistic of the test, rows without the event against rows with it.
    pub statistic: f64,
    /// Two-sided p-value, adjusted if asked for; NaN when the feature does not vary, so that no test is defined.
    pub p_value: f64,
}

impl UnivariateScreen {
    /// The parameters.
    pub fn params(&self) -> &UnivariateParams {
        &self.params
    }

    /// Tests every feature, in the order of the columns. A feature passes the screen when its p-value lies below
    /// [`UnivariateParams::level`].
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when labels and rows differ in number, [`SelectionError::NonFinite`] for a missing
    /// value, [`SelectionError::Statistics`] for labels of one class.
    pub fn test(&self, table: &FeatureTable, labels: &Labels) -> Result<Vec<ScreenedFeature>> {
        table.require_rows(labels.len())?;
        table.require_finite()?;
        labels.require_both("univariate screen")?;
        let columns = table.contiguous_columns();
        let mut screened: Vec<ScreenedFeature> = table
            .names()
            .par_iter()
            .zip(&columns)
            .map(|(name, values)| self.test_feature(name, values, labels))
            .collect::<Result<_>>()?;
        if let Some(method) = self.params.adjustment {
            let raw: Vec<f64> = screened.iter().map(|s| s.p_value).collect();
            for (feature, p) in screened.iter_mut().zip(adjust(&raw, method)) {
                feature.p_value = p;
            }
        }
        Ok(screened)
    }

    fn test_feature(&self, name: &str, values: &[f64], labels: &Labels) -> Result<ScreenedFeature> {
        let groups = labels.split(values)?;
        let (x, y) = (&groups.negative, &groups.positive);
        let normal =
            [x, y].into_iter().all(|g| shapiro_wilk(g).is_ok_and(|t| t.p_value >= self.params.normality_level));
        let (test, result) = if normal {
            (ScreenTest::TTest, two_sample(x, y, self.params.variances, Alternative::TwoSided, 0.95)?)
        } else {
            (ScreenTest::MannWhitney, mann_whitney(x, y, self.params.rank_method, Alternative::TwoSided)?)
        };
        Ok(ScreenedFeature { feature: name.to_owned(), test, statistic: result.statistic, p_value: result.p_value })
    }
}

impl Tabulate for ScreenedFeature {
    const COLUMNS: &'static [&'static str] = &["feature", "test", "statistic", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            &self.feature,
            match self.test {
                ScreenTest::TTest => "t",
                ScreenTest::MannWhitney => "Mann-Whitney",
            },
            self.statistic,
            self.p_value
        ]]
    }
}
