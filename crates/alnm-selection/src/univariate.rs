//! Univariate screen: does a feature differ between the outcome classes?

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};
use alnm_stats::multiplicity::{Adjustment, adjust};
use alnm_stats::normality::shapiro_wilk;
use alnm_stats::rank_sum::{RankMethod, mann_whitney};
use alnm_stats::t_test::{GroupVariance, two_sample};
use alnm_stats::{Alternative, Labels};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::FeatureTable;
use crate::error::{Result, SelectionError};

/// Rules of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UnivariateScreen {
    /// Features with a p-value below this stay; default 0.05.
    pub level: f64,
    /// A feature is normal, and gets a t-test, when the Shapiro-Wilk p-value of both classes is at least this; default
    /// 0.05.
    pub normality_level: f64,
    /// Variances of the t-test; default Welch.
    pub variances: GroupVariance,
    /// Method of the Mann-Whitney test of the other features; default R's rule.
    pub rank_method: RankMethod,
    /// Adjustment of the p-values over all features; none by default.
    pub adjustment: Option<Adjustment>,
}

impl Default for UnivariateScreen {
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

/// Which test a feature got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScreenTest {
    /// t-test: both classes look normal.
    TTest,
    /// Mann-Whitney U test.
    MannWhitney,
}

/// Result of the screen of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScreenedFeature {
    /// Name of the feature.
    pub feature: String,
    /// The test that the normality decision chose.
    pub test: ScreenTest,
    /// Its statistic, negatives against positives.
    pub statistic: f64,
    /// Its p-value, adjusted if asked for; NaN when the feature does not vary.
    pub p_value: f64,
}

impl UnivariateScreen {
    /// Tests every feature, in the order of the columns.
    ///
    /// # Errors
    /// [`SelectionError::Parameter`] for a level outside (0, 1], [`SelectionError::NonFinite`],
    /// [`SelectionError::Shape`], and [`SelectionError::Statistics`] for labels of one class.
    pub fn test(&self, table: &FeatureTable, labels: &Labels) -> Result<Vec<ScreenedFeature>> {
        if !(self.level > 0.0 && self.level <= 1.0) {
            return Err(SelectionError::Parameter { name: "level of the screen", range: "(0, 1]", value: self.level });
        }
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
        if let Some(method) = self.adjustment {
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
        let normal = [x, y].into_iter().all(|g| shapiro_wilk(g).is_ok_and(|t| t.p_value >= self.normality_level));
        let (test, result) = if normal {
            (ScreenTest::TTest, two_sample(x, y, self.variances, Alternative::TwoSided, 0.95)?)
        } else {
            (ScreenTest::MannWhitney, mann_whitney(x, y, self.rank_method, Alternative::TwoSided)?)
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
