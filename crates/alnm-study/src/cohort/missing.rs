//! What happens to values that are not known.

use serde::{Deserialize, Serialize};

use super::ProblemPolicy;

/// What is done with a patient who lacks a value that a model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MissingHandling {
    /// The missing values are reported, and nothing is computed.
    Refuse,
    /// The patient is left out, and counted.
    Exclude,
    /// The value is imputed by chained equations: learned from training rows, in each fold anew, with the outcome as a
    /// predictor in training and nowhere else.
    Impute,
}

/// `[missing]` of `cohort.toml`. Values that only describe patients (receptors, Ki-67, subtype) may be missing under
/// every policy.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `policy` | as `problems` | `"refuse"`, `"exclude"` or `"impute"` |
/// | `markers` | none | further texts for a missing value, such as `"999"`, beside NA, n.a., -, ?, #N/A and nothing |
/// | `imputations` | 20 | number of completed tables, 2 to 1000 |
/// | `seed` | 1 | seed of the random numbers of the imputation |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MissingRules {
    /// What happens.
    pub policy: Option<MissingHandling>,
    /// Further texts for a missing value.
    pub markers: Vec<String>,
    /// Number of completed tables.
    pub imputations: usize,
    /// Seed of the random numbers of the imputation.
    pub seed: u64,
}

impl Default for MissingRules {
    fn default() -> Self {
        Self { policy: None, markers: Vec::new(), imputations: 20, seed: 1 }
    }
}

impl MissingRules {
    /// What happens, where problems of other kinds are treated as given.
    #[must_use]
    pub fn handling(&self, problems: ProblemPolicy) -> MissingHandling {
        self.policy.unwrap_or(match problems {
            ProblemPolicy::Refuse => MissingHandling::Refuse,
            ProblemPolicy::Exclude => MissingHandling::Exclude,
        })
    }
}
