//! Groups of parameters with learning rates of their own.

use serde::{Deserialize, Serialize};

use crate::error::{DeepError, Result};
use crate::network::Network;

/// Parameters of a network that learn at a rate of their own.
///
/// A parameter belongs to the group with the longest prefix of its name, and learns at the whole rate where it belongs
/// to none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParameterGroup {
    /// Beginning of torchvision's names up to a dot, such as `layer4` or `layer4.0.conv1`; empty for all parameters.
    pub prefix: String,
    /// Factor ≥ 0 on the learning rate; 0 freezes the parameters, which then keep every bit and do not decay.
    pub factor: f64,
}

impl ParameterGroup {
    /// The parameters whose names begin with `prefix`, and their factor on the learning rate.
    pub fn new(prefix: impl Into<String>, factor: f64) -> Self {
        Self { prefix: prefix.into(), factor }
    }

    /// Refuses a factor outside its range.
    pub(crate) fn check(&self) -> Result<()> {
        if self.factor.is_finite() && self.factor >= 0.0 {
            return Ok(());
        }
        Err(DeepError::parameter("factor of a parameter group", self.factor, "finite and at least 0"))
    }

    fn holds(&self, name: &str) -> bool {
        self.prefix.is_empty()
            || name.strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// The factor on the learning rate of every parameter: that of the group with the longest prefix, 1 where none holds
/// it.
pub(crate) fn learning_rate_factors(groups: &[ParameterGroup], network: &Network) -> Result<Vec<f32>> {
    let parameters = &network.graph.parameters;
    for group in groups {
        group.check()?;
        if !parameters.iter().any(|parameter| group.holds(&parameter.name)) {
            return Err(DeepError::parameter(
                "prefix of a parameter group",
                &group.prefix,
                "the beginning of the name of a parameter, up to a dot, such as layer4",
            ));
        }
    }
    let factor = |name: &str| groups.iter().filter(|group| group.holds(name)).max_by_key(|group| group.prefix.len());
    let factors: Vec<f32> =
        parameters.iter().map(|parameter| factor(&parameter.name).map_or(1.0, |group| group.factor as f32)).collect();
    if factors.iter().all(|factor| *factor == 0.0) {
        return Err(DeepError::parameter("factor of all parameter groups", 0, "above 0 for at least one parameter"));
    }
    Ok(factors)
}
