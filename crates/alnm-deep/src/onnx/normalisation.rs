//! Normalisations by moments of the input or by stored ones.

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use super::value::{Floats, Layout, axis_of};
use crate::kernel::batch_norm::moments_of;
use crate::kernel::microkernel::compiled_for;
use crate::kernel::workspace::Workspace;

/// `x · scale + shift` in every channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ChannelAffine {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// Scale, bias, mean and variance of a batch normalisation.
pub(super) struct BatchStatistics<'a> {
    pub(super) scale: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) variance: &'a [f32],
}

impl ChannelAffine {
    /// What a batch normalisation does in evaluation.
    pub(super) fn of_statistics(
        BatchStatistics { scale, bias, mean, variance }: BatchStatistics<'_>,
        epsilon: f32,
    ) -> Result<Self, String> {
        let channels = scale.len();
        if [bias, mean, variance].iter().any(|values| values.len() != channels) {
            return Err("scale, bias, mean and variance have different lengths".to_owned());
        }
        // In double precision, so that a large mean costs no digits.
        let factor =
            |channel: usize| f64::from(scale[channel]) / (f64::from(variance[channel]) + f64::from(epsilon)).sqrt();
        let shift = |channel: usize| f64::from(bias[channel]) - f64::from(mean[channel]) * factor(channel);
        Ok(Self {
            scale: (0..channels).map(|channel| factor(channel) as f32).collect(),
            shift: (0..channels).map(|channel| shift(channel) as f32).collect(),
        })
    }

    /// Applies it to a tensor (batch, channel, position...), and a rectified linear unit where asked.
    pub(super) fn apply(&self, mut floats: Floats, relu: bool) -> Result<Floats, String> {
        let channels = self.scale.len();
        if floats.shape().len() < 2 || floats.shape()[1] != channels {
            return Err(format!("the shape is {:?}; it must have {channels} channels", floats.shape()));
        }
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        let positions: usize = floats.shape()[2..].iter().product();
        if floats.layout() == Layout::Plain {
            for_each_part(floats.stored_mut(), positions.max(1), &|index, plane| {
                let (scale, shift) = (self.scale[index % channels], self.shift[index % channels]);
                plane.iter_mut().for_each(|value| *value = (*value * scale + shift).max(floor));
            });
        } else {
            let chunk = (32_768 / channels.max(1)).max(1) * channels.max(1);
            floats.stored_mut().par_chunks_mut(chunk).for_each(|rows| {
                for row in rows.chunks_exact_mut(channels) {
                    for (value, (scale, shift)) in row.iter_mut().zip(self.scale.iter().zip(&self.shift)) {
                        *value = (*value * scale + shift).max(floor);
                    }
                }
            });
        }
        Ok(floats)
    }
}

/// Mean and variance of numbers, in two passes.
#[inline(always)]
fn mean_and_variance(values: &[f32]) -> (f64, f64) {
    let mean = sum(values, |value| value) / values.len() as f64;
    (mean, sum(values, |value| (value - mean) * (value - mean)) / values.len() as f64)
}

/// A sum in eight strands, so that it becomes vector instructions.
#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f64) -> f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut strands = [0.0f64; 8];
    for block in blocks {
        strands.iter_mut().zip(block).for_each(|(strand, value)| *strand += of(f64::from(*value)));
    }
    strands.iter().sum::<f64>() + rest.iter().map(|value| of(f64::from(*value))).sum::<f64>()
}

/// Each channel of each sample normalised by its own moments: (x − mean) / √(variance + ε) · scale + bias.
pub(super) fn instance_normalised(
    mut floats: Floats,
    scale: &[f32],
    bias: &[f32],
    epsilon: f32,
    workspace: &Workspace,
) -> Result<Floats, String> {
    let shape = floats.shape().to_vec();
    let channels = match shape[..] {
        [_, channels, _, ..] if channels == scale.len() && channels == bias.len() => channels,
        _ => {
            return Err(format!(
                "the shape {shape:?} does not go with {} scales and {} biases",
                scale.len(),
                bias.len()
            ));
        }
    };
    let positions: usize = shape[2..].iter().product();
    if floats.stored().is_empty() {
        return Ok(floats);
    }
    if floats.layout() == Layout::Plain {
        for_each_part(floats.stored_mut(), positions, &|index, plane| {
            let (mean, variance) = mean_and_variance(plane);
            let factor = (f64::from(scale[index % channels]) / (variance + f64::from(epsilon)).sqrt()) as f32;
            let (mean, bias) = (mean as f32, bias[index % channels]);
            plane.iter_mut().for_each(|value| *value = (*value - mean) * factor + bias);
        });
        return Ok(floats);
    }
    for sample in floats.stored_mut().chunks_exact_mut(positions * channels) {
        let moments = moments_of(workspace.instructions, sample, channels);
        let factors: Vec<f32> =
            scale.iter().zip(&moments.variance).map(|(scale, variance)| scale / (variance + epsilon).sqrt()).collect();
        let chunk = (32_768 / channels).max(1) * channels;
        sample.par_chunks_mut(chunk).for_each(|rows| {
            for row in rows.chunks_exact_mut(channels) {
                let of_channel = moments.mean.iter().zip(&factors).zip(bias);
                for (value, ((mean, factor), bias)) in row.iter_mut().zip(of_channel) {
                    *value = (*value - mean) * factor + bias;
                }
            }
        });
    }
    Ok(floats)
}

/// Groups of neighbouring channels of each sample normalised by their own moments; scale and bias by channel.
pub(super) fn group_normalised(
    mut floats: Floats,
    groups: usize,
    scale: &[f32],
    bias: &[f32],
    epsilon: f32,
) -> Result<Floats, String> {
    let shape = floats.shape().to_vec();
    let channels = match shape[..] {
        [_, channels, ..] if groups > 0 && channels.is_multiple_of(groups) => channels,
        _ => return Err(format!("num_groups is {groups}; it must divide the channels of the shape {shape:?}")),
    };
    // Until operator set 21 scale and bias belonged to the groups.
    let of_channel = |values: &[f32], channel: usize| match values.len() {
        count if count == channels => Ok(values[channel]),
        count if count == groups => Ok(values[channel / (channels / groups)]),
        count => Err(format!("{count} scales or biases for {channels} channels in {groups} groups")),
    };
    let of_all =
        |values: &[f32]| (0..channels).map(|channel| of_channel(values, channel)).collect::<Result<Vec<_>, _>>();
    let (scale, bias) = (of_all(scale)?, of_all(bias)?);
    let positions: usize = shape[2..].iter().product();
    let (each, size) = (channels / groups, channels / groups * positions);
    for_each_part(floats.stored_mut(), size.max(1), &|index, group| {
        let (mean, variance) = mean_and_variance(group);
        let inverse = 1.0 / (variance + f64::from(epsilon)).sqrt();
        for (place, plane) in group.chunks_exact_mut(positions.max(1)).enumerate() {
            let channel = index % groups * each + place;
            let factor = (f64::from(scale[channel]) * inverse) as f32;
            plane.iter_mut().for_each(|value| *value = (*value - mean as f32) * factor + bias[channel]);
        }
    });
    Ok(floats)
}

/// Everything from a dimension on normalised together, with a scale and a bias for each of its elements.
pub(super) fn layer_normalised(
    mut floats: Floats,
    axis: i64,
    scale: &[f32],
    bias: Option<&[f32]>,
    epsilon: f32,
    workspace: &Workspace,
) -> Result<Floats, String> {
    let axis = axis_of(axis, floats.shape().len())?;
    let size: usize = floats.shape()[axis..].iter().product();
    if scale.len() != size || bias.is_some_and(|bias| bias.len() != size) {
        return Err(format!("{} scales for {size} elements", scale.len()));
    }
    let none = vec![0.0; if bias.is_some() { 0 } else { size }];
    let bias = bias.unwrap_or(&none);
    let rows = floats.stored_mut().par_chunks_mut(size.max(1)).with_min_len((4096 / size.max(1)).max(1));
    rows.for_each(|row| compiled_for(workspace.instructions, || normalise_row(row, scale, bias, epsilon)));
    Ok(floats)
}

#[inline(always)]
fn normalise_row(row: &mut [f32], scale: &[f32], bias: &[f32], epsilon: f32) {
    let (mean, variance) = mean_and_variance(row);
    let (mean, inverse) = (mean as f32, (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32);
    for (value, (scale, bias)) in row.iter_mut().zip(scale.iter().zip(bias)) {
        *value = (*value - mean) * inverse * scale + bias;
    }
}

/// How neighbouring channels damp each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LocalResponse {
    pub(super) size: usize,
    pub(super) alpha: f32,
    pub(super) beta: f32,
    pub(super) bias: f32,
}

impl LocalResponse {
    /// `x / (bias + α/size · Σ x²)^β`, summed over `size` channels around each.
    pub(super) fn apply(&self, floats: &Floats, workspace: &Workspace) -> Result<Floats, String> {
        let channels = match floats.shape() {
            [_, channels, ..] => (*channels).max(1),
            shape => return Err(format!("the shape is {shape:?}; it must have channels")),
        };
        let mut output = floats.channels_last(workspace).into_owned();
        let (before, after) = ((self.size - 1) / 2, self.size / 2);
        output.stored_mut().par_chunks_mut(channels).for_each(|row| {
            let from = row.to_vec();
            for (channel, value) in row.iter_mut().enumerate() {
                let near = &from[channel.saturating_sub(before)..channels.min(channel + after + 1)];
                let squares: f32 = near.iter().map(|x| x * x).sum();
                *value /= (self.bias + self.alpha / self.size as f32 * squares).powf(self.beta);
            }
        });
        Ok(output)
    }
}
