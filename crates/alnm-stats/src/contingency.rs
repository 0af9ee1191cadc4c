//! Tables of counts: chi-squared, likelihood ratio and McNemar tests, odds ratios.

use ndarray::Array2;

use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{chi_squared_upper_tail, normal_quantile};
use crate::error::{Result, StatsError, require_count, require_level};
use crate::{Interval, TestResult};

/// A table of counts, groups in rows and levels in columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CountTable {
    counts: Array2<u64>,
}

/// Pearson's chi-squared test and what it is made of.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChiSquared {
    /// Statistic, degrees of freedom and p-value.
    pub test: TestResult,
    /// Counts expected under independence.
    pub expected: Array2<f64>,
    /// Pearson residuals (observed − expected)/√expected.
    pub residuals: Array2<f64>,
}

impl CountTable {
    /// A table of at least 2 × 2 counts.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for fewer than two rows or columns.
    pub fn new(counts: Array2<u64>) -> Result<Self> {
        require_count("table of counts", "rows and of columns", 2, counts.nrows().min(counts.ncols()))?;
        Ok(Self { counts })
    }

    /// A table from rows of equal length.
    ///
    /// # Errors
    /// As [`CountTable::new`], and [`StatsError::LengthMismatch`] when the rows differ in length.
    pub fn from_rows(rows: &[&[u64]]) -> Result<Self> {
        let columns = rows.first().map_or(0, |r| r.len());
        for r in rows {
            crate::error::require_same_length("table of counts", columns, r.len())?;
        }
        let counts = Array2::from_shape_fn((rows.len(), columns), |(i, j)| rows[i][j]);
        Self::new(counts)
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> &Array2<u64> {
        &self.counts
    }

    /// Sums of the rows.
    #[must_use]
    pub fn row_totals(&self) -> Vec<u64> {
        self.counts.rows().into_iter().map(|r| r.sum()).collect()
    }

    /// Sums of the columns.
    #[must_use]
    pub fn column_totals(&self) -> Vec<u64> {
        self.counts.columns().into_iter().map(|c| c.sum()).collect()
    }

    /// Counts expected when rows and columns are independent.
    #[must_use]
    pub fn expected(&self) -> Array2<f64> {
        let (rows, columns) = (self.row_totals(), self.column_totals());
        let total: u64 = rows.iter().sum();
        Array2::from_shape_fn(self.counts.dim(), |(i, j)| rows[i] as f64 * columns[j] as f64 / total as f64)
    }

    /// The four counts of a 2 × 2 table, row by row.
    ///
    /// # Errors
    /// [`StatsError::Undefined`] for another size.
    pub fn two_by_two(&self, operation: &'static str) -> Result<[f64; 4]> {
        if self.counts.dim() == (2, 2) {
            let c = &self.counts;
            Ok([c[[0, 0]], c[[0, 1]], c[[1, 0]], c[[1, 1]]].map(|v| v as f64))
        } else {
            Err(StatsError::Undefined { operation, requirement: "the table must have two rows and two columns" })
        }
    }

    /// Pearson's chi-squared test. `yates` asks for the continuity correction min(½, min|O − E|), which only 2 × 2
    /// tables get. An empty row or column leaves the statistic NaN.
    ///
    /// ```
    /// use alnm_stats::contingency::CountTable;
    /// let progesterone = CountTable::from_rows(&[&[28, 84], &[28, 72]])?;
    /// let test = progesterone.chi_squared(false).test;
    /// assert!((test.statistic - 0.245).abs() < 5e-4 && (test.p_value - 0.621).abs() < 5e-4);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    #[must_use]
    pub fn chi_squared(&self, yates: bool) -> ChiSquared {
        let expected = self.expected();
        let observed = self.counts.mapv(|c| c as f64);
        let corrected = yates && self.counts.dim() == (2, 2);
        let correction = if corrected {
            ndarray::Zip::from(&observed).and(&expected).fold(0.5f64, |least, o, e| least.min((o - e).abs()))
        } else {
            0.0
        };
        let residuals = ndarray::Zip::from(&observed).and(&expected).map_collect(|o, e| (o - e) / e.sqrt());
        let statistic = ndarray::Zip::from(&observed)
            .and(&expected)
            .fold(0.0, |s, o, e| s + ((o - e).abs() - correction).powi(2) / e);
        let (rows, columns) = self.counts.dim();
        let df = ((rows - 1) * (columns - 1)) as f64;
        let method =
            if corrected { "Pearson's chi-squared test with Yates' correction" } else { "Pearson's chi-squared test" };
        ChiSquared {
            test: TestResult::new(method, statistic, &[df], chi_squared_upper_tail(statistic, df)),
            expected,
            residuals,
        }
    }

    /// Likelihood ratio (G) test of independence, 2 Σ O ln(O/E).
    ///
    /// ```
    /// use alnm_stats::contingency::CountTable;
    /// let test = CountTable::from_rows(&[&[10, 10], &[10, 10]])?.likelihood_ratio();
    /// assert_eq!((test.statistic, test.p_value), (0.0, 1.0));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    #[must_use]
    pub fn likelihood_ratio(&self) -> TestResult {
        let expected = self.expected();
        let statistic = 2.0
            * ndarray::Zip::from(&self.counts).and(&expected).fold(0.0, |s, &o, e| {
                let o = o as f64;
                s + if o > 0.0 { o * (o / e).ln() } else { 0.0 }
            });
        let (rows, columns) = self.counts.dim();
        let df = ((rows - 1) * (columns - 1)) as f64;
        TestResult::new("Likelihood ratio (G) test", statistic, &[df], chi_squared_upper_tail(statistic, df))
    }

    /// McNemar's test of symmetry of a square table, with the continuity correction for 2 × 2 tables when `corrected`.
    ///
    /// # Errors
    /// [`StatsError::Undefined`] when the table is not square.
    ///
    /// ```
    /// use alnm_stats::contingency::CountTable;
    /// let before_and_after = CountTable::from_rows(&[&[10, 5], &[15, 20]])?;
    /// assert!((before_and_after.mcnemar(false)?.statistic - 5.0).abs() < 1e-12);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn mcnemar(&self, corrected: bool) -> Result<TestResult> {
        let (rows, columns) = self.counts.dim();
        if rows != columns {
            return Err(StatsError::Undefined {
                operation: "McNemar's test",
                requirement: "the table must have as many rows as columns",
            });
        }
        let discordant: Vec<(f64, f64)> = (0..rows)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| (self.counts[[i, j]] as f64, self.counts[[j, i]] as f64))
            .collect();
        let correct = corrected && rows == 2 && discordant.iter().any(|(a, b)| a != b);
        let correction = f64::from(u8::from(correct));
        let statistic: f64 = discordant.iter().map(|(a, b)| ((a - b).abs() - correction).powi(2) / (a + b)).sum();
        let df = (rows * (rows - 1) / 2) as f64;
        let method = if correct { "McNemar's test with continuity correction" } else { "McNemar's test" };
        Ok(TestResult::new(method, statistic, &[df], chi_squared_upper_tail(statistic, df)))
    }

    /// Sample odds ratio ad/bc of a 2 × 2 table with Woolf's interval on the log scale. Empty cells give 0, infinity or
    /// NaN.
    ///
    /// # Errors
    /// [`StatsError::Undefined`] for another size, [`StatsError::Parameter`] for the level.
    ///
    /// ```
    /// use alnm_stats::contingency::CountTable;
    /// let ratio = CountTable::from_rows(&[&[10, 5], &[15, 20]])?.odds_ratio(0.95)?;
    /// assert!((ratio.estimate - 8.0 / 3.0).abs() < 1e-12 && ratio.interval.contains(1.0));
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn odds_ratio(&self, level: f64) -> Result<OddsRatio> {
        require_level(level)?;
        let [a, b, c, d] = self.two_by_two("odds ratio")?;
        let estimate = a * d / (b * c);
        let half = normal_quantile(0.5 + level / 2.0) * (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt();
        Ok(OddsRatio {
            estimate,
            interval: Interval { lower: (estimate.ln() - half).exp(), upper: (estimate.ln() + half).exp(), level },
            haldane: (a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)),
        })
    }
}

/// Odds ratio of a 2 × 2 table.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OddsRatio {
    /// ad/bc.
    pub estimate: f64,
    /// Woolf's interval.
    pub interval: Interval,
    /// Odds ratio after adding ½ to each cell (Haldane and Anscombe).
    pub haldane: f64,
}

impl Tabulate for OddsRatio {
    const COLUMNS: &'static [&'static str] = &["odds ratio", "lower", "upper", "Haldane"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.estimate, self.interval.lower, self.interval.upper, self.haldane]]
    }
}
