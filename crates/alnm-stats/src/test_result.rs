//! What a hypothesis test returns.

use crate::cells;
use crate::data_table::{Cell, Tabulate};

/// The alternative hypothesis, about the first sample relative to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Alternative {
    /// The samples differ.
    #[default]
    #[doc(alias = "two-tailed")]
    TwoSided,
    /// The first sample is smaller.
    Less,
    /// The first sample is larger.
    Greater,
}

/// An interval with its confidence level. One-sided intervals have an infinite end.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Interval {
    /// Lower end.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub lower: f64,
    /// Upper end.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub upper: f64,
    /// Confidence level, for instance 0.95.
    pub level: f64,
}

impl Interval {
    /// Whether `value` lies in the interval, its ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }

    /// The interval after the same monotone increasing map of both ends, for instance `f64::exp`.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { lower: f(self.lower), upper: f(self.upper), level: self.level }
    }
}

/// Outcome of a hypothesis test, the counterpart of R's `htest`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TestResult {
    /// Name of the test, with the correction that was applied.
    pub method: String,
    /// Value of the test statistic.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub statistic: f64,
    /// Degrees of freedom; two for an F test (numerator, denominator), none for a rank or exact test.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite::list"))]
    pub degrees_of_freedom: Vec<f64>,
    /// p-value.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub p_value: f64,
    /// What the test estimates, where it estimates something (two means for a t-test, an odds ratio for Fisher's test).
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite::list"))]
    pub estimate: Vec<f64>,
    /// Confidence interval of the estimated effect, where the test gives one.
    pub confidence_interval: Option<Interval>,
}

impl TestResult {
    /// A result without an estimate and an interval, for tests of one's own.
    ///
    /// ```
    /// use alnm_stats::TestResult;
    /// use alnm_stats::distribution::chi_squared_upper_tail;
    /// let deviance = 7.1;
    /// let test = TestResult::new("Likelihood ratio test", deviance, &[2.0], chi_squared_upper_tail(deviance, 2.0));
    /// assert!((test.p_value - 0.0287).abs() < 1e-4);
    /// ```
    #[must_use]
    pub fn new(method: &str, statistic: f64, degrees_of_freedom: &[f64], p_value: f64) -> Self {
        Self {
            method: method.to_owned(),
            statistic,
            degrees_of_freedom: degrees_of_freedom.to_vec(),
            p_value,
            estimate: Vec::new(),
            confidence_interval: None,
        }
    }

    /// Adds what the test estimates.
    #[must_use]
    pub fn with_estimate(mut self, estimate: &[f64]) -> Self {
        self.estimate = estimate.to_vec();
        self
    }

    /// Adds the confidence interval of the estimated effect.
    #[must_use]
    pub fn with_interval(mut self, lower: f64, upper: f64, level: f64) -> Self {
        self.confidence_interval = Some(Interval { lower, upper, level });
        self
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    Interval {
        #[serde(with = "crate::nonfinite")] lower: f64,
        #[serde(with = "crate::nonfinite")] upper: f64,
        level: f64,
    }
}

#[cfg(feature = "serde")]
impl Interval {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(format!("level of an interval is {}; it must be above 0 and below 1", self.level));
        }
        if self.lower > self.upper {
            return Err(format!("lower end of an interval is {}; it must be at most its upper end", self.lower));
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    TestResult {
        method: String,
        #[serde(with = "crate::nonfinite")] statistic: f64,
        #[serde(with = "crate::nonfinite::list")] degrees_of_freedom: Vec<f64>,
        #[serde(with = "crate::nonfinite")] p_value: f64,
        #[serde(with = "crate::nonfinite::list")] estimate: Vec<f64>,
        confidence_interval: Option<Interval>,
    }
}

#[cfg(feature = "serde")]
impl TestResult {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        crate::reading::require_share("p-value of a test", self.p_value)?;
        match self.degrees_of_freedom.len() {
            0..=2 => Ok(()),
            other => Err(format!("number of degrees of freedom of a test is {other}; it must be at most 2")),
        }
    }
}

impl Tabulate for TestResult {
    const COLUMNS: &'static [&'static str] =
        &["test", "statistic", "df1", "df2", "p", "estimate", "second estimate", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![
            &self.method,
            self.statistic,
            self.degrees_of_freedom.first().copied(),
            self.degrees_of_freedom.get(1).copied(),
            self.p_value,
            self.estimate.first().copied(),
            self.estimate.get(1).copied(),
            self.confidence_interval.map(|i| i.lower),
            self.confidence_interval.map(|i| i.upper)
        ]]
    }
}

impl Tabulate for Interval {
    const COLUMNS: &'static [&'static str] = &["lower", "upper", "level"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![cells![self.lower, self.upper, self.level]]
    }
}
