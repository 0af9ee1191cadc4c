//! Batch normalisation with what follows it: an added residual and a rectified linear unit.

use rayon::prelude::*;

use super::microkernel::{Instructions, compiled_for};
use crate::tensor::Tensor;

/// Rows of a piece over which sums are taken before the pieces are added in order: 32 KiB, the first-level cache.
fn piece_rows(channels: usize) -> usize {
    (8192 / channels).max(8)
}

/// Rows of a piece of work without sums.
fn chunk_values(channels: usize) -> usize {
    (32_768 / channels).max(1) * channels
}

/// Mean and biased variance of every channel over a batch.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f32>,
    pub(crate) variance: Vec<f32>,
    /// Rows that went into them.
    pub(crate) count: usize,
}

/// Mean and variance of every channel: exact two-pass moments of each piece, merged by the rule of Chan, Golub and
/// LeVeque in double precision.
pub(crate) fn moments(instructions: Instructions, input: &Tensor) -> Moments {
    moments_of(instructions, input.as_slice(), input.channels())
}

/// The same for rows of `channels` numbers.
pub(crate) fn moments_of(instructions: Instructions, rows: &[f32], channels: usize) -> Moments {
    let pieces: Vec<PieceMoments> = rows
        .par_chunks(piece_rows(channels) * channels)
        .map(|piece| compiled_for(instructions, || PieceMoments::of(piece, channels)))
        .collect();
    let (mut mean, mut squares, mut count) = (vec![0.0f64; channels], vec![0.0f64; channels], 0usize);
    for piece in &pieces {
        let total = (count + piece.rows) as f64;
        for channel in 0..channels {
            let delta = f64::from(piece.mean[channel]) - mean[channel];
            mean[channel] += delta * piece.rows as f64 / total;
            squares[channel] +=
                f64::from(piece.squares[channel]) + delta * delta * count as f64 * piece.rows as f64 / total;
        }
        count += piece.rows;
    }
    let variance = squares.iter().map(|sum| (sum / count as f64) as f32).collect();
    Moments { mean: mean.iter().map(|m| *m as f32).collect(), variance, count }
}

/// Mean of every channel over some rows, and the sum of squares about it.
struct PieceMoments {
    rows: usize,
    mean: Vec<f32>,
    squares: Vec<f32>,
}

impl PieceMoments {
    #[inline(always)]
    fn of(piece: &[f32], channels: usize) -> Self {
        let rows = piece.len() / channels;
        let mut mean = vec![0.0f32; channels];
        for row in piece.chunks_exact(channels) {
            for (sum, value) in mean.iter_mut().zip(row) {
                *sum += value;
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= rows as f32);
        let mut squares = vec![0.0f32; channels];
        for row in piece.chunks_exact(channels) {
            for ((sum, value), mean) in squares.iter_mut().zip(row).zip(&mean) {
                *sum += (value - mean) * (value - mean);
            }
        }
        Self { rows, mean, squares }
    }
}

/// A batch normalisation whose moments are known: `(x − mean) · scale + bias` in every channel. The mean is taken off
/// first since `bias − mean · scale` loses digits where the mean is large.
#[derive(Debug, Clone)]
pub(crate) struct Affine {
    pub(crate) mean: Vec<f32>,
    pub(crate) scale: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Affine {
    /// No change.
    pub(crate) fn identity(channels: usize) -> Self {
        Self { mean: vec![0.0; channels], scale: vec![1.0; channels], bias: vec![0.0; channels] }
    }

    /// `output = relu?(affine(input) + residual?)`.
    pub(crate) fn apply(
        &self,
        instructions: Instructions,
        input: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        mut output: Tensor,
    ) -> Tensor {
        let chunk = chunk_values(input.channels());
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        output.as_mut_slice().par_chunks_mut(chunk).zip(input.as_slice().par_chunks(chunk)).enumerate().for_each(
            |(index, (into, from))| {
                let residual = residual.map(|residual| &residual.as_slice()[index * chunk..]);
                compiled_for(instructions, || self.apply_to_rows(from, residual, floor, into));
            },
        );
        output
    }

    #[inline(always)]
    fn apply_to_rows(&self, from: &[f32], residual: Option<&[f32]>, floor: f32, into: &mut [f32]) {
        let channels = self.mean.len();
        let of_channel = || self.mean.iter().zip(&self.scale).zip(&self.bias);
        let rows = into.chunks_exact_mut(channels).zip(from.chunks_exact(channels));
        match residual {
            None => rows.for_each(|(into, from)| {
                for ((into, from), ((mean, scale), bias)) in into.iter_mut().zip(from).zip(of_channel()) {
                    *into = ((from - mean) * scale + bias).max(floor);
                }
            }),
            Some(residual) => rows.zip(residual.chunks_exact(channels)).for_each(|((into, from), residual)| {
                let values = into.iter_mut().zip(from).zip(residual);
                for (((into, from), residual), ((mean, scale), bias)) in values.zip(of_channel()) {
                    *into = ((from - mean) * scale + bias + residual).max(floor);
                }
            }),
        }
    }
}

/// Sets the gradient to zero where the rectified output is zero.
pub(crate) fn relu_backward(instructions: Instructions, gradient: &mut Tensor, output: &Tensor) {
    let rectified = Rectified::Output(output);
    gradient.as_mut_slice().par_chunks_mut(32_768).enumerate().for_each(|(index, gradient)| {
        compiled_for(instructions, || rectified.stop(gradient, &[], index * 32_768));
    });
}

/// Gradients of the loss with respect to the weight and bias of a batch normalisation.
#[derive(Debug, Clone)]
pub(crate) struct AffineGradient {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// The input of a batch normalisation and the moments that it was normalised by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalised<'a> {
    pub(crate) input: &'a Tensor,
    pub(crate) mean: &'a [f32],
    pub(crate) inverse_deviation: &'a [f32],
}

/// Whether the output went through a rectified linear unit, and what tells where that was zero.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rectified<'a> {
    /// It did not.
    No,
    /// The output itself.
    Output(&'a Tensor),
    /// The input, of which this makes the output.
    ByInput(&'a Affine),
}

/// Sums over the batch of the gradient and of gradient times normalised input. Where the output went through a
/// rectified linear unit, the gradient is first set to zero where the output is.
pub(crate) fn affine_gradient(
    instructions: Instructions,
    gradient: &mut Tensor,
    rectified: Rectified<'_>,
    Normalised { input, mean, inverse_deviation }: Normalised<'_>,
) -> AffineGradient {
    let channels = input.channels();
    let piece = piece_rows(channels) * channels;
    let sums: Vec<(Vec<f32>, Vec<f32>)> = gradient
        .as_mut_slice()
        .par_chunks_mut(piece)
        .zip(input.as_slice().par_chunks(piece))
        .enumerate()
        .map(|(index, (gradient, input))| {
            compiled_for(instructions, || {
                rectified.stop(gradient, input, index * piece);
                sums_of_rows(gradient, input, mean)
            })
        })
        .collect();
    let (mut weight, mut bias) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    for (piece_weight, piece_bias) in &sums {
        for channel in 0..channels {
            weight[channel] += f64::from(piece_weight[channel]);
            bias[channel] += f64::from(piece_bias[channel]);
        }
    }
    AffineGradient {
        weight: weight.iter().zip(inverse_deviation).map(|(sum, inverse)| (sum * f64::from(*inverse)) as f32).collect(),
        bias: bias.iter().map(|sum| *sum as f32).collect(),
    }
}

impl Rectified<'_> {
    /// Sets the gradient to zero where the rectified output is zero, for the numbers from `start` on.
    #[inline(always)]
    fn stop(self, gradient: &mut [f32], input: &[f32], start: usize) {
        match self {
            Rectified::No => {}
            Rectified::Output(output) => {
                for (gradient, output) in gradient.iter_mut().zip(&output.as_slice()[start..]) {
                    *gradient = if *output > 0.0 { *gradient } else { 0.0 };
                }
            }
            Rectified::ByInput(affine) => {
                let channels = affine.mean.len();
                for (gradient, input) in gradient.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
                    let of_channel = affine.mean.iter().zip(&affine.scale).zip(&affine.bias);
                    for ((gradient, input), ((mean, scale), bias)) in gradient.iter_mut().zip(input).zip(of_channel) {
                        *gradient = if (input - mean) * scale + bias > 0.0 { *gradient } else { 0.0 };
                    }
                }
            }
        }
    }
}

/// For every channel the sums over some rows of the gradient times centred input, and of the gradient.
#[inline(always)]
fn sums_of_rows(gradient: &[f32], input: &[f32], mean: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let channels = mean.len();
    let (mut weight, mut bias) = (vec![0.0f32; channels], vec![0.0f32; channels]);
    for (gradient, input) in gradient.chunks_exact(channels).zip(input.chunks_exact(channels)) {
        let sums = weight.iter_mut().zip(&mut bias);
        for ((((weight, bias), gradient), input), mean) in sums.zip(gradient).zip(input).zip(mean) {
            *bias += gradient;
            *weight += gradient * (input - mean);
        }
    }
    (weight, bias)
}

/// Gradients around a batch normalisation.
#[derive(Debug)]
pub(crate) struct PassedGradient {
    pub(crate) of_input: Tensor,
    /// The gradient with respect to the output, where it was to be kept.
    pub(crate) of_output: Option<Tensor>,
}

/// Turns the gradient with respect to the output into the one with respect to the input: in place, or into another
/// tensor, so that the former remains.
///
/// With the batch's own moments `dx = γ/σ · (g − mean(g) − x̂ · mean(g·x̂))`; with frozen moments `dx = γ/σ · g`.
pub(crate) fn data_gradient(
    instructions: Instructions,
    mut gradient: Tensor,
    into: Option<Tensor>,
    normalised: Normalised<'_>,
    weight: &[f32],
    batch_sums: Option<&AffineGradient>,
) -> PassedGradient {
    let passing = Passing::new(normalised, weight, batch_sums);
    let chunk = chunk_values(normalised.input.channels());
    let inputs = normalised.input.as_slice().par_chunks(chunk);
    match into {
        None => {
            gradient.as_mut_slice().par_chunks_mut(chunk).zip(inputs).for_each(|(gradient, input)| {
                compiled_for(instructions, || passing.in_place(gradient, input));
            });
            PassedGradient { of_input: gradient, of_output: None }
        }
        Some(mut into) => {
            let gradients = gradient.as_slice().par_chunks(chunk).zip(inputs);
            into.as_mut_slice().par_chunks_mut(chunk).zip(gradients).for_each(|(into, (gradient, input))| {
                compiled_for(instructions, || passing.to_another(gradient, input, into));
            });
            PassedGradient { of_input: into, of_output: Some(gradient) }
        }
    }
}

/// How a gradient passes a batch normalisation: `factor · (g − offset − slope · (x − mean))` in every channel.
struct Passing<'a> {
    mean: &'a [f32],
    factor: Vec<f32>,
    slope: Vec<f32>,
    offset: Vec<f32>,
}

impl<'a> Passing<'a> {
    fn new(
        Normalised { input, mean, inverse_deviation }: Normalised<'a>,
        weight: &[f32],
        batch_sums: Option<&AffineGradient>,
    ) -> Self {
        let (channels, count) = (input.channels(), input.rows() as f32);
        let factor = weight.iter().zip(inverse_deviation).map(|(weight, inverse)| weight * inverse).collect();
        let (slope, offset) = match batch_sums {
            None => (vec![0.0; channels], vec![0.0; channels]),
            Some(sums) => {
                (0..channels).map(|c| (sums.weight[c] / count * inverse_deviation[c], sums.bias[c] / count)).unzip()
            }
        };
        Self { mean, factor, slope, offset }
    }

    /// Factor, slope, offset and mean of every channel.
    #[inline(always)]
    fn of_channels(&self) -> impl Iterator<Item = [&f32; 4]> {
        let others = self.slope.iter().zip(&self.offset).zip(self.mean);
        self.factor.iter().zip(others).map(|(factor, ((slope, offset), mean))| [factor, slope, offset, mean])
    }

    #[inline(always)]
    fn in_place(&self, gradient: &mut [f32], input: &[f32]) {
        let channels = self.mean.len();
        for (gradient, input) in gradient.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
            for ((gradient, input), of_channel) in gradient.iter_mut().zip(input).zip(self.of_channels()) {
                *gradient = passed(*gradient, *input, of_channel);
            }
        }
    }

    #[inline(always)]
    fn to_another(&self, gradient: &[f32], input: &[f32], into: &mut [f32]) {
        let channels = self.mean.len();
        let rows = gradient.chunks_exact(channels).zip(input.chunks_exact(channels));
        for (into, (gradient, input)) in into.chunks_exact_mut(channels).zip(rows) {
            let values = into.iter_mut().zip(gradient).zip(input);
            for (((into, gradient), input), of_channel) in values.zip(self.of_channels()) {
                *into = passed(*gradient, *input, of_channel);
            }
        }
    }
}

#[inline(always)]
fn passed(gradient: f32, input: f32, [factor, slope, offset, mean]: [&f32; 4]) -> f32 {
    factor * (gradient - offset - slope * (input - mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(count: usize, phase: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.7 + phase).sin() + 3.0).collect()
    }

    #[test]
    fn moments_equal_the_definition_over_many_pieces() {
        let input = Tensor::new([2, 40, 50, 3], example(12_000, 0.3)).unwrap();
        let moments = moments(Instructions::best(), &input);
        for channel in 0..3 {
            let values: Vec<f64> = input.as_slice().iter().skip(channel).step_by(3).map(|v| f64::from(*v)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
            assert!((f64::from(moments.mean[channel]) - mean).abs() < 1e-6 * mean);
            assert!((f64::from(moments.variance[channel]) - variance).abs() < 1e-5 * variance);
        }
    }

    /// The loss Σ weights·relu(bn(x)) against central differences.
    #[test]
    fn gradient_agrees_with_finite_differences() {
        let shape = [2, 2, 3, 2];
        let (gamma, beta, weights) = ([0.7f32, -1.3], [0.2f32, 0.4], example(24, 1.1));
        let normalise = |values: &[f32]| {
            let input = Tensor::new(shape, values.to_vec()).unwrap();
            let m = moments(Instructions::best(), &input);
            let inverse: Vec<f32> = m.variance.iter().map(|v| 1.0 / (v + 1e-5).sqrt()).collect();
            let scale: Vec<f32> = (0..2).map(|c| gamma[c] * inverse[c]).collect();
            let affine = Affine { mean: m.mean.clone(), scale, bias: beta.to_vec() };
            (affine.apply(Instructions::best(), &input, None, true, Tensor::zeros(shape)), m, inverse, input)
        };
        let values = example(24, 0.0);
        let (output, m, inverse, input) = normalise(&values);
        let mut gradient = Tensor::new(shape, weights.clone()).unwrap();
        let normalised = Normalised { input: &input, mean: &m.mean, inverse_deviation: &inverse };
        let mut again = gradient.clone();
        let sums = affine_gradient(Instructions::best(), &mut gradient, Rectified::Output(&output), normalised);
        let affine = Affine {
            mean: m.mean.clone(),
            scale: (0..2).map(|c| gamma[c] * inverse[c]).collect(),
            bias: beta.to_vec(),
        };
        let by_input = affine_gradient(Instructions::best(), &mut again, Rectified::ByInput(&affine), normalised);
        assert_eq!((&again, by_input.weight, by_input.bias), (&gradient, sums.weight.clone(), sums.bias.clone()));
        let kept = data_gradient(
            Instructions::best(),
            gradient.clone(),
            Some(Tensor::zeros(shape)),
            normalised,
            &gamma,
            Some(&sums),
        );
        let gradient = data_gradient(Instructions::best(), gradient, None, normalised, &gamma, Some(&sums)).of_input;
        assert_eq!(kept.of_input, gradient);
        let loss = |values: &[f32]| -> f64 {
            normalise(values).0.as_slice().iter().zip(&weights).map(|(o, w)| f64::from(*o) * f64::from(*w)).sum()
        };
        for index in 0..24 {
            let (mut up, mut down) = (values.clone(), values.clone());
            up[index] += 1e-2;
            down[index] -= 1e-2;
            let numeric = (loss(&up) - loss(&down)) / 2e-2;
            assert!(
                (f64::from(gradient.as_slice()[index]) - numeric).abs() < 2e-2,
                "{index}: {} {numeric}",
                gradient.as_slice()[index]
            );
        }
    }
}
