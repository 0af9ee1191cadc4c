//! Two-dimensional convolution as matrix products over patches.
//!
//! The weight of a layer is a matrix (output channels × patch), a patch holding kernel row, kernel column and input
//! channel, the channel fastest. Output pixels are taken in chunks of rows whose patches fit in the cache, so the patch
//! matrix of a whole layer never exists.

use rayon::prelude::*;

use super::matrix::{Into, Matrix, multiply};
use crate::tensor::Tensor;

/// The shape of a convolution layer: square kernel, equal stride and zero padding on both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Convolution {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// What is done with a finished chunk of output rows while it is in the cache.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) residual: Option<&'a Tensor>,
    pub(crate) relu: bool,
}

/// Values that the patches of one chunk may hold: 1 MiB, the second-level cache of current cores.
const PATCH_VALUES: usize = 1 << 18;

impl Convolution {
    /// Values in a patch.
    pub(crate) fn patch(&self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    fn output_side(&self, side: usize) -> usize {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Shape of the output for an input shape (images, height, width, channels).
    pub(crate) fn output_shape(&self, [images, height, width, _]: [usize; 4]) -> [usize; 4] {
        [images, self.output_side(height), self.output_side(width), self.outputs]
    }

    /// Whether the activations themselves are the patches.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Output pixels in a chunk: a function of the layer alone, so that results do not depend on the threads.
    fn chunk_rows(&self) -> usize {
        (PATCH_VALUES / self.patch()).clamp(192, 1024)
    }

    /// Copies the patches of `rows.len()` output pixels, counted over images, rows and columns, into `patches`.
    fn gather(&self, input: &Tensor, rows: std::ops::Range<usize>, patches: &mut Vec<f32>) {
        let [_, height, width, channels] = input.shape();
        let [_, out_height, out_width, _] = self.output_shape(input.shape());
        let kernel_row = self.kernel * channels;
        patches.resize(rows.len() * self.patch(), 0.0);
        for (row, patch) in rows.zip(patches.chunks_exact_mut(self.patch())) {
            let (image, pixel) = (row / (out_height * out_width), row % (out_height * out_width));
            let top = (pixel / out_width * self.stride) as isize - self.padding as isize;
            let left = (pixel % out_width * self.stride) as isize - self.padding as isize;
            let first = (-left).clamp(0, self.kernel as isize) as usize;
            let last = (width as isize - left).clamp(first as isize, self.kernel as isize) as usize;
            for (r, line) in patch.chunks_exact_mut(kernel_row).enumerate() {
                let y = top + r as isize;
                if y < 0 || y >= height as isize || first == last {
                    line.fill(0.0);
                    continue;
                }
                let start = ((image * height + y as usize) * width + (left + first as isize) as usize) * channels;
                line[..first * channels].fill(0.0);
                line[first * channels..last * channels].copy_from_slice(&input.as_slice()[start..start + (last - first) * channels]);
                line[last * channels..].fill(0.0);
            }
        }
    }

    /// Runs `task` on the patches of a chunk of output pixels.
    fn with_patches<R>(
        &self,
        input: &Tensor,
        rows: std::ops::Range<usize>,
        buffer: &mut Vec<f32>,
        task: impl FnOnce(Matrix<'_>) -> R,
    ) -> R {
        let patch = self.patch();
        if self.is_pointwise() {
            task(Matrix::new(&input.as_slice()[rows.start * patch..rows.end * patch], rows.len(), patch))
        } else {
            let count = rows.len();
            self.gather(input, rows, buffer);
            task(Matrix::new(&buffer[..count * patch], count, patch))
        }
    }

    /// The output for an input; `weight` is (outputs × patch).
    pub(crate) fn forward(&self, input: &Tensor, weight: &[f32], epilogue: Epilogue<'_>, mut output: Tensor) -> Tensor {
        let (chunk, total) = (self.chunk_rows(), output.rows());
        let weight = Matrix::new(weight, self.outputs, self.patch()).transposed();
        output.as_mut_slice().par_chunks_mut(chunk * self.outputs).enumerate().for_each_init(Vec::new, |buffer, (index, into)| {
            let rows = index * chunk..total.min((index + 1) * chunk);
            let start = rows.start * self.outputs;
            self.with_patches(input, rows, buffer, |patches| multiply(into, Into::Replace, patches, weight));
            epilogue.apply(into, self.outputs, start);
        });
        output
    }

    /// The gradient of the loss with respect to the input, added to `gradient` or replacing it.
    pub(crate) fn backward_data(&self, output_gradient: &Tensor, weight: &[f32], gradient: &mut Tensor, into: Into) {
        if self.is_pointwise() {
            let chunk = (PATCH_VALUES / self.outputs).clamp(192, 1024);
            let weight = Matrix::new(weight, self.outputs, self.inputs);
            gradient
                .as_mut_slice()
                .par_chunks_mut(chunk * self.inputs)
                .zip(output_gradient.as_slice().par_chunks(chunk * self.outputs))
                .for_each(|(target, source)| {
                    let rows = source.len() / self.outputs;
                    multiply(target, into, Matrix::new(source, rows, self.outputs), weight);
                });
        } else if self.stride == 1 {
            self.backward_data_by_convolution(output_gradient, weight, gradient, into);
        } else {
            self.backward_data_by_scattering(output_gradient, weight, gradient, into);
        }
    }

    /// With stride 1 the gradient is a convolution of the output's gradient with the kernel turned by 180 degrees and
    /// its channels exchanged.
    fn backward_data_by_convolution(&self, output_gradient: &Tensor, weight: &[f32], gradient: &mut Tensor, into: Into) {
        let turned = Convolution { padding: self.kernel - 1 - self.padding, inputs: self.outputs, outputs: self.inputs, ..*self };
        let taps = self.kernel * self.kernel;
        let mut turned_weight = vec![0.0; weight.len()];
        turned_weight.par_chunks_mut(turned.patch()).enumerate().for_each(|(channel, row)| {
            for (tap, values) in row.chunks_exact_mut(self.outputs).enumerate() {
                let source = (taps - 1 - tap) * self.inputs + channel;
                for (output, value) in values.iter_mut().enumerate() {
                    *value = weight[output * self.patch() + source];
                }
            }
        });
        let (chunk, total) = (turned.chunk_rows(), gradient.rows());
        let matrix = Matrix::new(&turned_weight, turned.outputs, turned.patch()).transposed();
        gradient.as_mut_slice().par_chunks_mut(chunk * self.inputs).enumerate().for_each_init(Vec::new, |buffer, (index, target)| {
            let rows = index * chunk..total.min((index + 1) * chunk);
            turned.with_patches(output_gradient, rows, buffer, |patches| multiply(target, into, patches, matrix));
        });
    }

    /// With a larger stride the gradients of the patches are added where the patches were taken, image by image.
    fn backward_data_by_scattering(&self, output_gradient: &Tensor, weight: &[f32], gradient: &mut Tensor, into: Into) {
        let [_, height, width, channels] = gradient.shape();
        let [_, out_height, out_width, _] = output_gradient.shape();
        let weight = Matrix::new(weight, self.outputs, self.patch());
        let (line, patch) = (out_width * self.outputs, self.patch());
        gradient
            .as_mut_slice()
            .par_chunks_mut(height * width * channels)
            .zip(output_gradient.as_slice().par_chunks(out_height * line))
            .for_each_init(Vec::new, |patches: &mut Vec<f32>, (target, source)| {
                if into == Into::Replace {
                    target.fill(0.0);
                }
                patches.resize(out_width * patch, 0.0);
                for (y, source) in source.chunks_exact(line).enumerate() {
                    multiply(patches, Into::Replace, Matrix::new(source, out_width, self.outputs), weight);
                    for (x, patch) in patches.chunks_exact(patch).enumerate() {
                        self.scatter(patch, y, x, target, [height, width, channels]);
                    }
                }
            });
    }

    fn scatter(&self, patch: &[f32], y: usize, x: usize, target: &mut [f32], [height, width, channels]: [usize; 3]) {
        let top = (y * self.stride) as isize - self.padding as isize;
        let left = (x * self.stride) as isize - self.padding as isize;
        for (tap, values) in patch.chunks_exact(channels).enumerate() {
            let (row, column) = (top + (tap / self.kernel) as isize, left + (tap % self.kernel) as isize);
            if row < 0 || column < 0 || row >= height as isize || column >= width as isize {
                continue;
            }
            let start = (row as usize * width + column as usize) * channels;
            for (sum, value) in target[start..start + channels].iter_mut().zip(values) {
                *sum += value;
            }
        }
    }

    /// The gradient of the loss with respect to the weight, (outputs × patch).
    ///
    /// Output channels are cut into blocks and pixels into parts; every task owns one block of one part, and the parts
    /// are added in order.
    pub(crate) fn backward_weight(&self, input: &Tensor, output_gradient: &Tensor) -> Vec<f32> {
        let (patch, total) = (self.patch(), output_gradient.rows());
        let block = if self.outputs * patch > 1 << 19 { self.outputs.div_ceil(4) } else { self.outputs };
        let parts = (total / 2048).clamp(1, if block < self.outputs { 2 } else { 8 });
        let chunk = self.chunk_rows();
        let part_rows = total.div_ceil(parts).next_multiple_of(chunk);
        let blocks = self.outputs.div_ceil(block);
        let mut partial: Vec<Vec<f32>> = (0..blocks * parts)
            .into_par_iter()
            .map_init(Vec::new, |buffer, task| {
                let (columns, part) = (task / parts * block, task % parts);
                let width = block.min(self.outputs - columns);
                let mut sum = vec![0.0; width * patch];
                let end = total.min((part + 1) * part_rows);
                for start in (part * part_rows..end).step_by(chunk) {
                    let rows = start..end.min(start + chunk);
                    let source = &output_gradient.as_slice()[rows.start * self.outputs..rows.end * self.outputs];
                    let gradient = Matrix::columns(source, rows.len(), self.outputs, columns, width).transposed();
                    self.with_patches(input, rows, buffer, |patches| multiply(&mut sum, Into::Add, gradient, patches));
                }
                sum
            })
            .collect();
        for of_block in partial.chunks_exact_mut(parts) {
            let (sum, others) = of_block.split_first_mut().expect("there is at least one part");
            for other in others {
                sum.par_chunks_mut(1 << 14).zip(other.par_chunks(1 << 14)).for_each(|(sum, other)| {
                    for (sum, other) in sum.iter_mut().zip(other) {
                        *sum += other;
                    }
                });
            }
        }
        if blocks == 1 {
            return partial.swap_remove(0);
        }
        partial.chunks_exact(parts).flat_map(|of_block| of_block[0].iter().copied()).collect()
    }
}

impl Epilogue<'_> {
    fn apply(&self, chunk: &mut [f32], channels: usize, start: usize) {
        if self.bias.is_none() && self.residual.is_none() && !self.relu {
            return;
        }
        let floor = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let zeros;
        let bias = match self.bias {
            Some(bias) => bias,
            None => {
                zeros = vec![0.0; channels];
                &zeros
            }
        };
        match self.residual {
            Some(residual) => {
                let residual = &residual.as_slice()[start..start + chunk.len()];
                for (values, residual) in chunk.chunks_exact_mut(channels).zip(residual.chunks_exact(channels)) {
                    for ((value, bias), residual) in values.iter_mut().zip(bias).zip(residual) {
                        *value = (*value + bias + residual).max(floor);
                    }
                }
            }
            None => {
                for values in chunk.chunks_exact_mut(channels) {
                    for (value, bias) in values.iter_mut().zip(bias) {
                        *value = (*value + bias).max(floor);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, in double precision.
    fn plain(layer: &Convolution, input: &Tensor, weight: &[f32]) -> Vec<f64> {
        let [images, height, width, channels] = input.shape();
        let [_, out_height, out_width, outputs] = layer.output_shape(input.shape());
        let mut result = Vec::new();
        for image in 0..images {
            for y in 0..out_height {
                for x in 0..out_width {
                    for output in 0..outputs {
                        let mut sum = 0.0;
                        for r in 0..layer.kernel {
                            for s in 0..layer.kernel {
                                let row = (y * layer.stride + r).wrapping_sub(layer.padding);
                                let column = (x * layer.stride + s).wrapping_sub(layer.padding);
                                if row >= height || column >= width {
                                    continue;
                                }
                                for c in 0..channels {
                                    let value = input.as_slice()[((image * height + row) * width + column) * channels + c];
                                    let w = weight[output * layer.patch() + (r * layer.kernel + s) * channels + c];
                                    sum += f64::from(value) * f64::from(w);
                                }
                            }
                        }
                        result.push(sum);
                    }
                }
            }
        }
        result
    }

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        (0..count).map(|i| ((i as u64 + 1).wrapping_mul(seed.wrapping_mul(2) + 0x9E37_79B9) % 2003) as f32 / 1001.0 - 1.0).collect()
    }

    fn inner(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Forward against the definition; both backward passes through the adjoint identities
        /// <conv(x, w), g> = <x, data(g, w)> = <w, weight(x, g)>, which hold for no other linear maps.
        #[test]
        fn forward_and_backward_on_odd_shapes(
            images in 1usize..3, height in 3usize..9, width in 3usize..9, inputs in 1usize..7, outputs in 1usize..9,
            kernel in prop::sample::select(vec![1usize, 3]), stride in 1usize..3, seed in 0u64..1000,
        ) {
            let layer = Convolution { kernel, stride, padding: kernel / 2, inputs, outputs };
            let shape = [images, height, width, inputs];
            let input = Tensor::new(shape, numbers(shape.iter().product(), seed)).unwrap();
            let weight = numbers(outputs * layer.patch(), seed + 7);
            let output = layer.forward(&input, &weight, Epilogue::default(), Tensor::zeros(layer.output_shape(shape)));
            for (got, want) in output.as_slice().iter().zip(plain(&layer, &input, &weight)) {
                prop_assert!((f64::from(*got) - want).abs() < 1e-4, "{got} {want}");
            }
            let gradient = Tensor::new(output.shape(), numbers(output.as_slice().len(), seed + 13)).unwrap();
            let mut data = Tensor::zeros(shape);
            layer.backward_data(&gradient, &weight, &mut data, Into::Replace);
            let mut twice = data.clone();
            layer.backward_data(&gradient, &weight, &mut twice, Into::Add);
            let expected = inner(output.as_slice(), gradient.as_slice());
            let scale = 1e-3 * (1.0 + expected.abs());
            prop_assert!((inner(input.as_slice(), data.as_slice()) - expected).abs() < scale);
            prop_assert!((inner(input.as_slice(), twice.as_slice()) - 2.0 * expected).abs() < 2.0 * scale);
            let weights = layer.backward_weight(&input, &gradient);
            prop_assert!((inner(&weight, &weights) - expected).abs() < scale);
        }
    }

    #[test]
    fn epilogue_adds_bias_and_residual_before_the_relu() {
        let layer = Convolution { kernel: 1, stride: 1, padding: 0, inputs: 1, outputs: 2 };
        let input = Tensor::new([1, 1, 2, 1], vec![1.0, -1.0]).unwrap();
        let residual = Tensor::new([1, 1, 2, 2], vec![0.0, 0.5, 0.25, 0.0]).unwrap();
        let epilogue = Epilogue { bias: Some(&[0.5, -3.0]), residual: Some(&residual), relu: true };
        let output = layer.forward(&input, &[1.0, 2.0], epilogue, Tensor::zeros([1, 1, 2, 2]));
        assert_eq!(output.as_slice(), [1.5, 0.0, 0.0, 0.0]);
    }
}
