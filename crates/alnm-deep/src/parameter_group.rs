//! Groups of parameters with learning rates of their own.

use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::error::{DeepError, Result};
use crate::network::Network;

/// A group of parameters with a learning rate of its own.
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
    /// Epoch, from 0, in which the parameters begin to learn; before it they are frozen. The optimiser counts their
    /// steps from there, as PyTorch's does when `requires_grad` is set late.
    #[serde(default, skip_serializing_if = "is_first")]
    pub first_epoch: usize,
}

fn is_first(epoch: &usize) -> bool {
    *epoch == 0
}

impl ParameterGroup {
    /// The parameters whose names begin with `prefix`, and their factor on the learning rate.
    pub fn new(prefix: impl Into<String>, factor: f64) -> Self {
        Self { prefix: prefix.into(), factor, first_epoch: 0 }
    }

    /// The group, frozen before an epoch (from 0).
    pub fn from_epoch(self, first_epoch: usize) -> Self {
        Self { first_epoch, ..self }
    }

    /// Gradual unfreezing (Howard and Ruder 2018): the last layer and the head learn from the first epoch on, and every
    /// `epochs` epochs the next part of the backbone begins, from its end to its input. Each part learns at `factor`
    /// times the rate of the one behind it. Parts are those of [`Backbone`]'s names: `layer4` before `layer3`, for
    /// example.
    ///
    /// ```
    /// use alnm_deep::{Backbone, ParameterGroup};
    ///
    /// let groups = ParameterGroup::gradual_unfreezing(Backbone::ResNet50, 2, 0.5);
    /// let of = |prefix: &str| groups.iter().find(|group| group.prefix == prefix).map(|group| (group.first_epoch, group.factor));
    /// assert_eq!(of("fc"), Some((0, 1.0)));
    /// assert_eq!(of("layer4"), Some((2, 0.5)));
    /// assert_eq!(of("conv1"), Some((10, 0.03125)));
    /// ```
    #[must_use]
    pub fn gradual_unfreezing(backbone: Backbone, epochs: usize, factor: f64) -> Vec<Self> {
        let parts = (0..).zip(backbone.parts().iter().rev());
        let groups = parts.flat_map(|(place, prefixes)| {
            let of_prefix =
                move |prefix: &&str| Self::new(*prefix, factor.powi(place)).from_epoch(place as usize * epochs);
            prefixes.iter().map(of_prefix)
        });
        groups.collect()
    }

    /// The backbone frozen for the first `epochs` epochs, in which the head alone learns.
    ///
    /// ```
    /// use alnm_deep::{ParameterGroup, TrainingParams};
    ///
    /// let params = TrainingParams::default().with_groups(ParameterGroup::head_first(2));
    /// assert!(params.check().is_ok());
    /// ```
    #[must_use]
    pub fn head_first(epochs: usize) -> Vec<Self> {
        vec![Self::new("", 1.0).from_epoch(epochs), Self::new("head", 1.0)]
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

/// How a parameter learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ParameterRate {
    /// Factor on the learning rate.
    pub(crate) factor: f32,
    /// Epoch in which the parameter begins to learn.
    pub(crate) first_epoch: usize,
}

impl ParameterRate {
    /// At the whole rate from the start.
    pub(crate) const WHOLE: Self = Self { factor: 1.0, first_epoch: 0 };

    /// The factor in an epoch.
    pub(crate) fn at(self, epoch: usize) -> f32 {
        if epoch < self.first_epoch { 0.0 } else { self.factor }
    }
}

/// How every parameter learns: as the group with the longest prefix, at the whole rate where none holds it.
pub(crate) fn parameter_rates(groups: &[ParameterGroup], network: &Network) -> Result<Vec<ParameterRate>> {
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
    let rate = |name: &str| {
        let group = groups.iter().filter(|group| group.holds(name)).max_by_key(|group| group.prefix.len());
        group.map_or(ParameterRate::WHOLE, |group| ParameterRate {
            factor: group.factor as f32,
            first_epoch: group.first_epoch,
        })
    };
    let rates: Vec<ParameterRate> = parameters.iter().map(|parameter| rate(&parameter.name)).collect();
    if rates.iter().all(|rate| rate.at(0) == 0.0) {
        let requirement = "above 0 for at least one parameter in the first epoch";
        return Err(DeepError::parameter("factor of all parameter groups", 0, requirement));
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Head, Initialisation};

    #[test]
    fn every_parameter_of_every_backbone_thaws_from_the_end_to_the_input() {
        for backbone in Backbone::ALL {
            let network = Network::initialised(backbone, Head::Logit, Initialisation::new(1));
            let groups = ParameterGroup::gradual_unfreezing(backbone, 3, 0.5);
            let rates = parameter_rates(&groups, &network).unwrap();
            let named = || network.graph.parameters.iter().map(|parameter| parameter.name.as_str()).zip(&rates);
            for (name, rate) in named() {
                assert_eq!(
                    groups.iter().filter(|group| group.holds(name)).count(),
                    usize::from(!name.starts_with("head.")),
                    "{name}"
                );
                assert_eq!(rate.factor, 0.5f32.powi((rate.first_epoch / 3) as i32), "{name}");
            }
            let epochs: Vec<usize> = named().map(|(_, rate)| rate.first_epoch).collect();
            assert!(epochs.iter().rev().is_sorted() && epochs[0] >= 12, "{backbone} {epochs:?}");
        }
    }
}
