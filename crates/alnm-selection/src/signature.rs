//! A score: intercept plus weighted sum of named features, such as a RadScore.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};

use crate::FeatureTable;
#[cfg(feature = "methods")]
use crate::elastic_net::SparseCoefficients;
use crate::error::{Result, SelectionError};
#[cfg(feature = "serde")]
use crate::saved::SavedFormat;

/// A linear signature: `score = intercept + Σ weight · feature`, with the features on their original scale.
///
/// The features have distinct names, and all numbers are finite. A signature is saved with [`Signature::to_json`].
///
/// ```
/// use alnm_selection::{FeatureTable, Signature};
/// use ndarray::array;
/// let score = Signature::new("RadScore", 0.5, [("entropy", 2.0)])?;
/// let table = FeatureTable::new(vec!["energy".into(), "entropy".into()], array![[9.0, 1.0], [9.0, -1.0]])?;
/// assert_eq!(score.apply(&table)?, [2.5, -1.5]);
/// # Ok::<(), alnm_selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Sum"))]
pub struct Signature(Sum);

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Sum {
    name: String,
    intercept: f64,
    weights: Vec<Weight>,
}

/// Weight of a feature in a signature.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Weight {
    /// Name of the feature.
    pub feature: String,
    /// Change of the score per unit of the feature.
    pub weight: f64,
}

impl Signature {
    /// A signature from the name of the score, its intercept, and names and weights of its features.
    ///
    /// # Errors
    /// [`SelectionError::DuplicateName`] when a feature occurs twice; [`SelectionError::Parameter`] for an intercept or
    /// a weight that is not finite.
    pub fn new<F: Into<String>>(
        name: &str,
        intercept: f64,
        weights: impl IntoIterator<Item = (F, f64)>,
    ) -> Result<Self> {
        let weights = weights.into_iter().map(|(feature, weight)| Weight { feature: feature.into(), weight }).collect();
        Sum { name: name.to_owned(), intercept, weights }.try_into()
    }

    /// The signature of fitted coefficients. `names` are those of the columns that were fitted to.
    ///
    /// # Errors
    /// [`SelectionError::Shape`] when there are fewer names than the coefficients refer to, and the errors of
    /// [`Signature::new`].
    #[cfg(feature = "methods")]
    pub fn of_coefficients(name: &str, names: &[String], coefficients: &SparseCoefficients) -> Result<Self> {
        let needed = coefficients.columns().last().map_or(0, |last| last + 1);
        if needed > names.len() {
            let what = "columns with coefficients and names";
            return Err(SelectionError::Shape { what, left: needed, right: names.len() });
        }
        let weights = coefficients.columns().iter().zip(coefficients.values());
        Self::new(name, coefficients.intercept(), weights.map(|(&column, &weight)| (names[column].as_str(), weight)))
    }

    /// Name of the score.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The score of a patient whose features are all 0.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.0.intercept
    }

    /// The features with their weights.
    #[must_use]
    pub fn weights(&self) -> &[Weight] {
        &self.0.weights
    }

    /// The score of every row. Columns are found by name and other columns are ignored; a missing value gives a missing
    /// score (NaN).
    ///
    /// # Errors
    /// [`SelectionError::MissingColumn`] names the feature that the table lacks.
    pub fn apply(&self, table: &FeatureTable) -> Result<Vec<f64>> {
        let mut score = vec![self.0.intercept; table.rows()];
        for w in &self.0.weights {
            for (s, v) in score.iter_mut().zip(table.column(&w.feature)?) {
                *s += w.weight * v;
            }
        }
        Ok(score)
    }
}

#[cfg(feature = "serde")]
impl Signature {
    /// The file that a signature is saved in.
    const SAVED: SavedFormat = SavedFormat::new("alnm-signature", 1, "signature");

    /// The signature as JSON with a hash over its content; see [`crate::saved`].
    ///
    /// # Errors
    /// [`SelectionError::Saved`] when the signature has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        Ok(Self::SAVED.to_json(self)?)
    }

    /// Reads what [`Signature::to_json`] wrote.
    ///
    /// # Errors
    /// [`SelectionError::Saved`] for a text that is no saved signature, is one of another version, or was damaged or
    /// edited.
    ///
    /// ```
    /// use alnm_selection::Signature;
    /// let score = Signature::new("RadScore", 0.5, [("entropy", 2.0)])?;
    /// let text = score.to_json()?;
    /// assert_eq!(Signature::from_json(&text)?, score);
    /// assert!(Signature::from_json(&text.replace("2.0", "-2.0")).is_err());
    /// # Ok::<(), alnm_selection::SelectionError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(Self::SAVED.from_json(text)?)
    }
}

impl TryFrom<Sum> for Signature {
    type Error = SelectionError;

    fn try_from(sum: Sum) -> Result<Self> {
        const FINITE: &str = "a finite number";
        if !sum.intercept.is_finite() {
            return Err(SelectionError::parameter("intercept of the signature", sum.intercept, FINITE));
        }
        if let Some(bad) = sum.weights.iter().find(|w| !w.weight.is_finite()) {
            return Err(SelectionError::parameter("weight of the signature", bad.weight, FINITE));
        }
        let mut names: Vec<&String> = sum.weights.iter().map(|w| &w.feature).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SelectionError::DuplicateName { name: pair[0].clone() });
        }
        Ok(Self(sum))
    }
}

impl Tabulate for Signature {
    const COLUMNS: &'static [&'static str] = &["feature", "weight"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        std::iter::once(cells!["intercept", self.0.intercept])
            .chain(self.0.weights.iter().map(|w| cells![&w.feature, w.weight]))
            .collect()
    }
}
