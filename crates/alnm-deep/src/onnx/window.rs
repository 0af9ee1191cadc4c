//! Windows that step over positions of one to three dimensions: pooling, and the geometry of convolutions.

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use super::value::{Floats, Layout, count_of};
use crate::kernel::spatial::Span;
use crate::kernel::workspace::Workspace;

/// How the edges are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AutoPad {
    /// As the pads say.
    No,
    /// Outputs of the size of the input over the stride, the odd element after it.
    SameUpper,
    /// The same, the odd element before it.
    SameLower,
    Valid,
}

/// A window as the attributes of a node describe it; what they leave out is 1, and 0 for pads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowSpecification {
    /// Sizes of the kernel; those of the weight where absent.
    pub(super) kernel: Option<Vec<usize>>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Before all dimensions, then after them.
    pub(super) pads: Vec<usize>,
    pub(super) auto_pad: AutoPad,
    /// Whether a window that only begins inside counts.
    pub(super) ceil: bool,
}

/// Sizes of a kernel, a stride or a dilation at most.
const LARGEST: usize = 1 << 24;

impl WindowSpecification {
    /// The window along each of the positions' dimensions, always three: the first ones are [`Span::ONE`] where there
    /// are fewer.
    pub(super) fn spans(&self, positions: &[usize], kernel: &[usize]) -> Result<[Span; 3], String> {
        let rank = positions.len();
        if !(1..=3).contains(&rank) {
            return Err(format!("{rank} dimensions of positions; 1 to 3 are supported"));
        }
        let fits = |values: &[usize], count: usize| values.is_empty() || values.len() == count;
        if kernel.len() != rank
            || !fits(&self.strides, rank)
            || !fits(&self.dilations, rank)
            || !fits(&self.pads, 2 * rank)
        {
            return Err(format!("kernel, strides, dilations or pads are not of {rank} dimensions"));
        }
        let mut spans = [Span::ONE; 3];
        for axis in 0..rank {
            let of = |values: &[usize], otherwise: usize| values.get(axis).copied().unwrap_or(otherwise);
            let (kernel, stride, dilation) = (kernel[axis], of(&self.strides, 1), of(&self.dilations, 1));
            if [kernel, stride, dilation].iter().any(|size| !(1..=LARGEST).contains(size)) {
                return Err("a size of the kernel, a stride or a dilation is 0 or too large".to_owned());
            }
            let (mut before, mut after) = (of(&self.pads, 0), self.pads.get(rank + axis).copied().unwrap_or(0));
            if before > LARGEST || after > LARGEST {
                return Err(format!("the pads are {:?}", self.pads));
            }
            let (input, extent) = (positions[axis], (kernel - 1) * dilation + 1);
            match self.auto_pad {
                AutoPad::No => {}
                AutoPad::Valid => (before, after) = (0, 0),
                AutoPad::SameUpper | AutoPad::SameLower => {
                    let total = (input.div_ceil(stride).saturating_sub(1) * stride + extent).saturating_sub(input);
                    let small = total / 2;
                    let upper = self.auto_pad == AutoPad::SameUpper;
                    (before, after) = if upper { (small, total - small) } else { (total - small, small) };
                }
            }
            let room = (input + before + after).checked_sub(extent);
            let room =
                room.ok_or_else(|| format!("the window of {extent} is larger than the padded size of {input}"))?;
            let mut output = if self.ceil { room.div_ceil(stride) } else { room / stride } + 1;
            // A window that begins in the padding behind the input is left out.
            if self.ceil && (output - 1) * stride >= input + before {
                output -= 1;
            }
            spans[3 - rank + axis] = Span { input, output, kernel, stride, dilation, before, after };
        }
        Ok(spans)
    }
}

/// What is taken of the numbers under a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    Max,
    Average { counts_padding: bool },
}

/// Pools every window of a tensor (batch, channel, position...).
pub(super) fn pooled(
    floats: &Floats,
    window: &WindowSpecification,
    pooling: Pooling,
    workspace: &Workspace,
) -> Result<Floats, String> {
    let [batch, channels, positions @ ..] = floats.shape() else {
        return Err(format!("the shape is {:?}; it must have positions", floats.shape()));
    };
    let kernel = window.kernel.as_deref().ok_or("kernel_shape is missing")?;
    let spans = window.spans(positions, kernel)?;
    let shape: Vec<usize> =
        [*batch, *channels].into_iter().chain(spans[3 - positions.len()..].iter().map(|span| span.output)).collect();
    let input = floats.channels_last(workspace);
    let mut output = Floats::take(workspace, shape, Layout::ChannelsLast)?;
    let (batch_size, channels) = (positions.iter().product::<usize>() * channels, *channels);
    let [depth, height, width] = spans;
    let line = width.output * channels;
    for_each_part(output.stored_mut(), line.max(1), &|row, into| {
        let (y, z) = (row % height.output, row / height.output % depth.output);
        let sample = &input.stored()[row / (height.output * depth.output) * batch_size..][..batch_size];
        for (x, into) in into.chunks_exact_mut(channels.max(1)).enumerate() {
            into.fill(if pooling == Pooling::Max { f32::NEG_INFINITY } else { 0.0 });
            let mut count = 0usize;
            for (_, z) in depth.taps(z) {
                for (_, y) in height.taps(y) {
                    for (_, x) in width.taps(x) {
                        count += 1;
                        let from = &sample[((z * height.input + y) * width.input + x) * channels..][..channels];
                        if pooling == Pooling::Max {
                            into.iter_mut().zip(from).for_each(|(most, x)| *most = if *x > *most { *x } else { *most });
                        } else {
                            into.iter_mut().zip(from).for_each(|(sum, x)| *sum += x);
                        }
                    }
                }
            }
            if let Pooling::Average { counts_padding } = pooling {
                if counts_padding {
                    // What lies beyond the padding, where the last window hangs over it, does not count.
                    let inside = |span: &Span, at: usize| {
                        let end = span.input + span.before + span.after;
                        (0..span.kernel).filter(|tap| at * span.stride + tap * span.dilation < end).count()
                    };
                    count = inside(&depth, z) * inside(&height, y) * inside(&width, x);
                }
                let scale = 1.0 / count as f32;
                into.iter_mut().for_each(|sum| *sum *= scale);
            }
        }
    });
    Ok(output)
}

/// All positions of every channel pooled to one.
pub(super) fn pooled_globally(floats: &Floats, pooling: Pooling, workspace: &Workspace) -> Result<Floats, String> {
    let [batch, channels, positions @ ..] = floats.shape() else {
        return Err(format!("the shape is {:?}; it must have channels", floats.shape()));
    };
    let shape: Vec<usize> = [*batch, *channels].into_iter().chain(positions.iter().map(|_| 1)).collect();
    let (channels, count) = (*channels, count_of(positions)?);
    let input = floats.channels_last(workspace);
    let mut output = Floats::take(workspace, shape, Layout::ChannelsLast)?;
    let samples = input.stored().par_chunks((count * channels).max(1));
    output.stored_mut().par_chunks_mut(channels.max(1)).zip(samples).for_each(|(into, sample)| {
        let mut totals = vec![0.0f64; channels];
        into.fill(f32::NEG_INFINITY);
        for row in sample.chunks_exact(channels) {
            if pooling == Pooling::Max {
                into.iter_mut().zip(row).for_each(|(most, x)| *most = if *x > *most { *x } else { *most });
            } else {
                totals.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
        if pooling != Pooling::Max {
            into.iter_mut().zip(&totals).for_each(|(mean, sum)| *mean = (sum / count as f64) as f32);
        }
    });
    Ok(output)
}
