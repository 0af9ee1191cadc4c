//! Pooling of activations.

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use crate::tensor::Tensor;

/// A square pooling window; padding never wins a maximum and is not counted in an average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Window {
    /// Shape of the output for an input shape (images, height, width, channels).
    pub(crate) fn output_shape(&self, [images, height, width, channels]: [usize; 4]) -> [usize; 4] {
        let side = |n: usize| (n + 2 * self.padding - self.kernel) / self.stride + 1;
        [images, side(height), side(width), channels]
    }

    /// Input rows or columns that the window at `position` covers.
    fn span(&self, position: usize, side: usize) -> std::ops::Range<usize> {
        let start = position * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(side)
    }
}

/// Maximum of every window.
pub(crate) fn maximum(input: &Tensor, window: Window, mut output: Tensor) -> Tensor {
    let [_, height, width, channels] = input.shape();
    let [_, out_height, out_width, _] = output.shape();
    for_each_part(output.as_mut_slice(), out_width * channels, &|row, into| {
        let (image, y) = (input.image(row / out_height), row % out_height);
        for (x, into) in into.chunks_exact_mut(channels).enumerate() {
            into.fill(f32::NEG_INFINITY);
            for iy in window.span(y, height) {
                for ix in window.span(x, width) {
                    let values = &image[(iy * width + ix) * channels..][..channels];
                    for (into, value) in into.iter_mut().zip(values) {
                        *into = if value > into { *value } else { *into };
                    }
                }
            }
        }
    });
    output
}

/// Maximum of every window and, per value, the input pixel that holds it (the first of equals, as in PyTorch).
pub(crate) fn max_pool(input: &Tensor, window: Window, mut output: Tensor) -> (Tensor, Vec<u32>) {
    let [_, height, width, channels] = input.shape();
    let [_, out_height, out_width, _] = output.shape();
    let mut positions = vec![0u32; output.as_slice().len()];
    let line = out_width * channels;
    output.as_mut_slice().par_chunks_mut(line).zip(positions.par_chunks_mut(line)).enumerate().for_each(
        |(row, (into, positions))| {
            let (image, y) = (input.image(row / out_height), row % out_height);
            for (x, (into, positions)) in
                into.chunks_exact_mut(channels).zip(positions.chunks_exact_mut(channels)).enumerate()
            {
                let pixels =
                    || window.span(y, height).flat_map(|iy| window.span(x, width).map(move |ix| iy * width + ix));
                let (blocks, rest) = into.as_chunks_mut::<LANES>();
                let (block_positions, rest_positions) = positions.as_chunks_mut::<LANES>();
                for (block, (into, positions)) in blocks.iter_mut().zip(block_positions).enumerate() {
                    (*into, *positions) = largest(image, channels, block * LANES, pixels());
                }
                let done = channels - rest.len();
                for (channel, (into, position)) in rest.iter_mut().zip(rest_positions).enumerate() {
                    ([*into], [*position]) = largest(image, channels, done + channel, pixels());
                }
            }
        },
    );
    (output, positions)
}

/// Channels whose maxima are found side by side.
const LANES: usize = 16;

/// The largest value of some pixels in `N` channels from `channel` on, and the pixel of each.
fn largest<const N: usize>(
    image: &[f32],
    channels: usize,
    channel: usize,
    pixels: impl Iterator<Item = usize>,
) -> ([f32; N], [u32; N]) {
    let (mut values, mut positions) = ([f32::NEG_INFINITY; N], [0u32; N]);
    for pixel in pixels {
        let candidates = &image[pixel * channels + channel..][..N];
        for lane in 0..N {
            // Without a branch, so that it compiles to vector instructions.
            let is_larger = candidates[lane] > values[lane];
            values[lane] = if is_larger { candidates[lane] } else { values[lane] };
            positions[lane] = if is_larger { pixel as u32 } else { positions[lane] };
        }
    }
    (values, positions)
}

/// Sends each gradient to the pixel that held the maximum.
pub(crate) fn max_pool_backward(output_gradient: &Tensor, positions: &[u32], mut gradient: Tensor) -> Tensor {
    let [images, height, width, channels] = gradient.shape();
    let per_image = output_gradient.as_slice().len() / images;
    gradient
        .as_mut_slice()
        .par_chunks_mut(height * width * channels)
        .zip(output_gradient.as_slice().par_chunks(per_image).zip(positions.par_chunks(per_image)))
        .for_each(|(into, (from, positions))| {
            into.fill(0.0);
            for (from, positions) in from.chunks_exact(channels).zip(positions.chunks_exact(channels)) {
                for (channel, (value, pixel)) in from.iter().zip(positions).enumerate() {
                    into[*pixel as usize * channels + channel] += value;
                }
            }
        });
    gradient
}

/// Which pixels each average is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Averaging {
    /// Windows that step over the image, without padding.
    Windows(Window),
    /// A grid of so many positions on each axis that covers the image: position i of o takes pixels ⌊i·n/o⌋ to
    /// ⌈(i+1)·n/o⌉ (PyTorch's adaptive average pooling).
    Adaptive(usize),
}

impl Averaging {
    /// Shape of the output for an input shape (images, height, width, channels).
    pub(crate) fn output_shape(&self, shape: [usize; 4]) -> [usize; 4] {
        match *self {
            Self::Windows(window) => window.output_shape(shape),
            Self::Adaptive(side) => [shape[0], side, side, shape[3]],
        }
    }

    fn span(&self, position: usize, side: usize) -> std::ops::Range<usize> {
        match *self {
            Self::Windows(window) => window.span(position, side),
            Self::Adaptive(outputs) => position * side / outputs..((position + 1) * side).div_ceil(outputs),
        }
    }
}

/// The average of every window.
pub(crate) fn average_pool(input: &Tensor, averaging: Averaging, mut output: Tensor) -> Tensor {
    let [_, height, width, channels] = input.shape();
    let [_, out_height, out_width, _] = output.shape();
    for_each_part(output.as_mut_slice(), channels, &|index, into| {
        let image = input.image(index / (out_height * out_width));
        let (rows, columns) =
            (averaging.span(index / out_width % out_height, height), averaging.span(index % out_width, width));
        let scale = 1.0 / (rows.len() * columns.len()) as f32;
        into.fill(0.0);
        for row in rows {
            for column in columns.clone() {
                let values = &image[(row * width + column) * channels..][..channels];
                for (sum, value) in into.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        into.iter_mut().for_each(|sum| *sum *= scale);
    });
    output
}

/// Spreads each gradient evenly over its window.
pub(crate) fn average_pool_backward(output_gradient: &Tensor, averaging: Averaging, mut gradient: Tensor) -> Tensor {
    let [_, height, width, channels] = gradient.shape();
    let [_, out_height, out_width, _] = output_gradient.shape();
    let size = height * width * channels;
    for_each_part(gradient.as_mut_slice(), size, &|image, into| {
        into.fill(0.0);
        for (position, source) in output_gradient.image(image).chunks_exact(channels).enumerate() {
            let (rows, columns) =
                (averaging.span(position / out_width, height), averaging.span(position % out_width, width));
            debug_assert!(position < out_height * out_width);
            let scale = 1.0 / (rows.len() * columns.len()) as f32;
            for row in rows {
                for column in columns.clone() {
                    let target = &mut into[(row * width + column) * channels..][..channels];
                    for (sum, value) in target.iter_mut().zip(source) {
                        *sum += value * scale;
                    }
                }
            }
        }
    });
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maximum_and_its_gradient() {
        let input = Tensor::new([1, 3, 3, 1], vec![1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 9.0, -1.0, 8.0]).unwrap();
        let window = Window { kernel: 3, stride: 2, padding: 1 };
        let (output, positions) = max_pool(&input, window, Tensor::zeros(window.output_shape(input.shape())));
        assert_eq!(output.as_slice(), [5.0, 5.0, 9.0, 8.0]);
        let gradient = Tensor::new([1, 2, 2, 1], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let back = max_pool_backward(&gradient, &positions, Tensor::zeros(input.shape()));
        assert_eq!(back.as_slice(), [0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 4.0]);
    }

    #[test]
    fn average_is_its_own_adjoint() {
        let input = Tensor::new([1, 5, 4, 1], (0..20).map(|i| (i * i % 7) as f32).collect()).unwrap();
        let dot = |a: &Tensor, b: &Tensor| a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a * b).sum::<f32>();
        for averaging in [Averaging::Adaptive(3), Averaging::Windows(Window { kernel: 2, stride: 2, padding: 0 })] {
            let shape = averaging.output_shape(input.shape());
            let output = average_pool(&input, averaging, Tensor::zeros(shape));
            let gradient = Tensor::new(shape, (0..output.rows()).map(|i| (i as f32 - 2.5) * 0.75).collect()).unwrap();
            let back = average_pool_backward(&gradient, averaging, Tensor::zeros(input.shape()));
            assert!((dot(&output, &gradient) - dot(&input, &back)).abs() < 1e-4);
        }
    }
}
