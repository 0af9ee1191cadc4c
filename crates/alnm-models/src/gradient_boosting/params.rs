//! Parameters of gradient boosting.

use crate::error::{ModelError, Result};

/// Parameters of gradient boosting, unchecked, under LightGBM's names.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `rounds` | 100 | number of trees | 1 or more |
/// | `num_leaves` | 31 | leaves per tree at most | 2 or more |
/// | `max_depth` | none | depth of a tree at most | 1 or more |
/// | `learning_rate` | 0.1 | shrinkage of each tree | above 0 |
/// | `min_data_in_leaf` | 20 | rows per leaf at least | 0 or more |
/// | `min_sum_hessian_in_leaf` | 10⁻³ | Hessian of a leaf at least | 0 or more |
/// | `lambda_l1`, `lambda_l2` | 0 | penalties of the leaf values | 0 or more |
/// | `min_gain_to_split` | 0 | gain of a split at least | 0 or more |
/// | `max_bin` | 255 | bins per feature at most | 2 to 65 535 |
/// | `min_data_in_bin` | 3 | rows per bin at least | 1 or more |
/// | `boost_from_average` | true | start from the log odds of the prevalence | |
/// | `is_unbalance` | false | weigh the rarer class up to the other | |
///
/// ```
/// use alnm_models::gradient_boosting::BoostingParams;
/// let boosting = BoostingParams::default().with_rounds(50).with_max_depth(3).check()?;
/// assert_eq!(boosting.params().rounds, 50);
/// let refused = BoostingParams::default().with_max_bin(1).check().unwrap_err();
/// assert_eq!(refused.to_string(), "max_bin is 1; it must be 2 to 65535");
/// # Ok::<(), alnm_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use]
pub struct BoostingParams {
    /// Number of trees.
    pub rounds: usize,
    /// Leaves per tree at most.
    pub num_leaves: usize,
    /// Depth of a tree at most; `None` for any depth.
    pub max_depth: Option<usize>,
    /// Shrinkage of each tree.
    pub learning_rate: f64,
    /// Rows per leaf at least, by LightGBM's estimate from the Hessian.
    pub min_data_in_leaf: usize,
    /// Hessian of a leaf at least.
    pub min_sum_hessian_in_leaf: f64,
    /// Absolute penalty of the leaf values.
    pub lambda_l1: f64,
    /// Squared penalty of the leaf values.
    pub lambda_l2: f64,
    /// Gain of a split at least.
    pub min_gain_to_split: f64,
    /// Bins per feature at most.
    pub max_bin: usize,
    /// Rows per bin at least.
    pub min_data_in_bin: usize,
    /// Whether boosting starts from the log odds of the prevalence.
    pub boost_from_average: bool,
    /// Whether the rarer class is weighed up to the other.
    pub is_unbalance: bool,
}

impl Default for BoostingParams {
    fn default() -> Self {
        Self {
            rounds: 100,
            num_leaves: 31,
            max_depth: None,
            learning_rate: 0.1,
            min_data_in_leaf: 20,
            min_sum_hessian_in_leaf: 1e-3,
            lambda_l1: 0.0,
            lambda_l2: 0.0,
            min_gain_to_split: 0.0,
            max_bin: 255,
            min_data_in_bin: 3,
            boost_from_average: true,
            is_unbalance: false,
        }
    }
}

impl BoostingParams {
    /// Sets the number of trees.
    pub fn with_rounds(self, rounds: usize) -> Self {
        Self { rounds, ..self }
    }

    /// Sets the number of leaves per tree at most.
    pub fn with_num_leaves(self, num_leaves: usize) -> Self {
        Self { num_leaves, ..self }
    }

    /// Sets the depth of a tree at most.
    pub fn with_max_depth(self, max_depth: usize) -> Self {
        Self { max_depth: Some(max_depth), ..self }
    }

    /// Sets the shrinkage of each tree.
    pub fn with_learning_rate(self, learning_rate: f64) -> Self {
        Self { learning_rate, ..self }
    }

    /// Sets the number of rows per leaf at least.
    pub fn with_min_data_in_leaf(self, min_data_in_leaf: usize) -> Self {
        Self { min_data_in_leaf, ..self }
    }

    /// Sets the Hessian of a leaf at least.
    pub fn with_min_sum_hessian_in_leaf(self, min_sum_hessian_in_leaf: f64) -> Self {
        Self { min_sum_hessian_in_leaf, ..self }
    }

    /// Sets the absolute penalty of the leaf values.
    pub fn with_lambda_l1(self, lambda_l1: f64) -> Self {
        Self { lambda_l1, ..self }
    }

    /// Sets the squared penalty of the leaf values.
    pub fn with_lambda_l2(self, lambda_l2: f64) -> Self {
        Self { lambda_l2, ..self }
    }

    /// Sets the gain of a split at least.
    pub fn with_min_gain_to_split(self, min_gain_to_split: f64) -> Self {
        Self { min_gain_to_split, ..self }
    }

    /// Sets the number of bins per feature at most.
    pub fn with_max_bin(self, max_bin: usize) -> Self {
        Self { max_bin, ..self }
    }

    /// Sets the number of rows per bin at least.
    pub fn with_min_data_in_bin(self, min_data_in_bin: usize) -> Self {
        Self { min_data_in_bin, ..self }
    }

    /// Sets whether boosting starts from the log odds of the prevalence.
    pub fn with_boost_from_average(self, boost_from_average: bool) -> Self {
        Self { boost_from_average, ..self }
    }

    /// Sets whether the rarer class is weighed up to the other.
    pub fn with_is_unbalance(self, is_unbalance: bool) -> Self {
        Self { is_unbalance, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] names the parameter that lies outside its range.
    pub fn check(self) -> Result<Boosting> {
        let count = |name, value: usize, least: usize, requirement| {
            if value >= least { Ok(()) } else { Err(ModelError::parameter(name, value, requirement)) }
        };
        let number = |name, value: f64| {
            if value >= 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(ModelError::parameter(name, value, "finite and 0 or more"))
            }
        };
        count("rounds", self.rounds, 1, "at least 1")?;
        count("num_leaves", self.num_leaves, 2, "at least 2")?;
        count("max_depth", self.max_depth.unwrap_or(1), 1, "at least 1")?;
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(ModelError::parameter("learning_rate", self.learning_rate, "finite and above 0"));
        }
        number("min_sum_hessian_in_leaf", self.min_sum_hessian_in_leaf)?;
        number("lambda_l1", self.lambda_l1)?;
        number("lambda_l2", self.lambda_l2)?;
        number("min_gain_to_split", self.min_gain_to_split)?;
        if !(2..=usize::from(u16::MAX)).contains(&self.max_bin) {
            return Err(ModelError::parameter("max_bin", self.max_bin, "2 to 65535"));
        }
        count("min_data_in_bin", self.min_data_in_bin, 1, "at least 1")?;
        Ok(Boosting { params: self })
    }
}

/// Gradient boosting with checked parameters; made by [`BoostingParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Boosting {
    params: BoostingParams,
}

impl Boosting {
    /// The parameters.
    pub fn params(&self) -> &BoostingParams {
        &self.params
    }
}
