//! The binary outcome.

use crate::error::{Result, StatsError};

/// A binary outcome, one label per patient: `true` is the event (1, positive), `false` its absence (0, negative).
///
/// ```
/// use alnm_stats::Labels;
/// let labels = Labels::from_values(&[0.0, 1.0, 1.0])?;
/// assert_eq!((labels.positives(), labels.negatives()), (2, 1));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Labels(Vec<bool>);

impl Labels {
    /// Labels from booleans, `true` being the event.
    #[must_use]
    pub fn new(labels: Vec<bool>) -> Self {
        Self(labels)
    }

    /// Labels from numbers 0 and 1.
    ///
    /// # Errors
    /// [`StatsError::Label`] names the first value that is neither.
    pub fn from_values(values: &[f64]) -> Result<Self> {
        values
            .iter()
            .enumerate()
            .map(|(index, &value)| match value {
                0.0 => Ok(false),
                1.0 => Ok(true),
                _ => Err(StatsError::Label { index, value }),
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The labels as booleans.
    #[must_use]
    pub fn as_slice(&self) -> &[bool] {
        &self.0
    }

    /// The labels as 0 and 1.
    #[must_use]
    pub fn to_values(&self) -> Vec<f64> {
        self.0.iter().map(|&l| f64::from(u8::from(l))).collect()
    }

    /// Number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of events.
    #[must_use]
    pub fn positives(&self) -> usize {
        self.0.iter().filter(|&&l| l).count()
    }

    /// Number of non-events.
    #[must_use]
    pub fn negatives(&self) -> usize {
        self.len() - self.positives()
    }

    /// Share of events; NaN when there is no label.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        self.positives() as f64 / self.len() as f64
    }

    /// The labels of the given rows, in that order.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self(rows.iter().map(|&r| self.0[r]).collect())
    }

    /// Values of the negative and of the positive observations, each in the order of the rows.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`] when `values` has another length than the labels.
    pub fn split(&self, values: &[f64]) -> Result<ByClass> {
        crate::error::require_same_length("splitting by label", self.len(), values.len())?;
        let mut groups = ByClass::default();
        for (&value, &label) in values.iter().zip(&self.0) {
            if label { groups.positive.push(value) } else { groups.negative.push(value) }
        }
        Ok(groups)
    }

    /// Refuses labels of one class only.
    ///
    /// # Errors
    /// [`StatsError::OneClass`] with the counts and the operation that needs both classes.
    pub fn require_both(&self, operation: &'static str) -> Result<()> {
        let positives = self.positives();
        let negatives = self.len() - positives;
        if positives == 0 || negatives == 0 {
            Err(StatsError::OneClass { operation, positives, negatives })
        } else {
            Ok(())
        }
    }
}

/// Values of one variable, separated by the outcome.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ByClass {
    /// Values of the observations without the event.
    pub negative: Vec<f64>,
    /// Values of the observations with the event.
    pub positive: Vec<f64>,
}
