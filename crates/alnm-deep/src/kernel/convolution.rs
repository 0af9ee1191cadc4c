//! Two-dimensional convolution as matrix products over patches.
//!
//! The weight of a layer is a matrix (output channels × patch), a patch holding kernel row, kernel column and input
//! channel, the channel fastest. Output pixels are taken in blocks of rows whose patches fit in the cache, so the patch
//! matrix of a whole layer never exists.

use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::microkernel::{self, Instructions, PANEL, Rectangle, Rows};
use super::panels::{Panels, panel_bias};
use super::scratch::with_scratch;
use super::winograd::{self, Grid, Winograd};
use super::workspace::Workspace;
use crate::tensor::{Activations, Tensor};

/// The shape of a convolution layer: square kernel, equal stride and zero padding on both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Convolution {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// Values that the patches of a block may hold: a good part of the second-level cache of current cores.
const BLOCK_VALUES: usize = 96 << 10;
/// Rows of a tile of the AVX-512 kernel, by multiples of which blocks are cut.
const TILE_ROWS: usize = 14;
/// Rows of a block at most.
const BLOCK_ROWS: usize = 16 * TILE_ROWS;
/// Image rows of a task where patches are not gathered.
const TASK_LINES: usize = 8;
/// Tasks that a layer is cut into where it can be.
const TASKS: usize = 16;

/// Cuts `rows` × `panels` into tasks, by shape alone. Copying patches for several groups of panels costs, so layers
/// that copy are cut into fewer.
pub(super) fn cuts(rows: usize, depth: usize, panels: usize, copies: bool) -> (Vec<usize>, Vec<usize>) {
    let tiles = rows.div_ceil(TILE_ROWS);
    let block = (BLOCK_VALUES / depth.max(1) / TILE_ROWS * TILE_ROWS).clamp(TILE_ROWS, BLOCK_ROWS) / TILE_ROWS;
    let blocks = tiles.div_ceil(block).max(1);
    let row_cuts = (0..=blocks).map(|index| rows.min(tiles * index / blocks * TILE_ROWS)).collect();
    let wanted = if copies { TASKS / 2 } else { TASKS };
    let groups = wanted.div_ceil(blocks).min(panels);
    (row_cuts, (0..=groups).map(|group| panels * group / groups).collect())
}

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
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Whether the kernel is one that Winograd's filtering takes.
    pub(crate) fn has_filtered_form(&self) -> bool {
        self.kernel == 3 && self.stride == 1 && self.padding == 1
    }

    /// Whether Winograd's filtering is the faster way for an input of this shape.
    pub(crate) fn is_filtered(&self, input: [usize; 4]) -> bool {
        self.has_filtered_form()
            && Winograd::takes(self.inputs, self.outputs)
            && Grid::of(input).tiles() >= winograd::FEWEST_TILES
    }

    /// The output for an input by the faster way, the transformed weight made for this call alone.
    pub(crate) fn forward_filtered(
        &self,
        workspace: &Workspace,
        input: Activations<'_>,
        weight: &Panels,
        epilogue: Epilogue<'_>,
        output: &mut Tensor,
    ) {
        if self.is_filtered(input.shape()) {
            let transformed = Winograd::of_panels(workspace.instructions, weight, |size| workspace.take_buffer(size));
            transformed.forward(workspace.instructions, input, epilogue, output);
        } else {
            self.forward(workspace.instructions, input, weight, epilogue, output);
        }
    }

    /// Copies the patches of `rows.len()` output pixels, counted over images, rows and columns, to rows of `stride`
    /// numbers.
    pub(crate) fn gather(
        &self,
        input: Activations<'_>,
        rows: std::ops::Range<usize>,
        patches: &mut [f32],
        stride: usize,
    ) {
        let [_, height, width, channels] = input.shape();
        let [_, out_height, out_width, _] = self.output_shape(input.shape());
        let kernel_row = self.kernel * channels;
        for (row, patch) in rows.zip(patches.chunks_mut(stride)) {
            let (image, pixel) = (row / (out_height * out_width), row % (out_height * out_width));
            let top = (pixel / out_width * self.stride) as isize - self.padding as isize;
            let left = (pixel % out_width * self.stride) as isize - self.padding as isize;
            let first = (-left).clamp(0, self.kernel as isize) as usize;
            let last = (width as isize - left).clamp(first as isize, self.kernel as isize) as usize;
            let (lines, padding) = patch.split_at_mut(self.patch());
            padding.fill(0.0);
            for (r, line) in lines.chunks_exact_mut(kernel_row).enumerate() {
                let y = top + r as isize;
                if y < 0 || y >= height as isize || first == last {
                    line.fill(0.0);
                    continue;
                }
                let start = ((image * height + y as usize) * width + (left + first as isize) as usize) * channels;
                line[..first * channels].fill(0.0);
                line[first * channels..last * channels]
                    .copy_from_slice(&input.as_slice()[start..start + (last - first) * channels]);
                line[last * channels..].fill(0.0);
            }
        }
    }

    /// Whether pixels are too short for a loop over their channels, as in the first layer.
    fn has_short_pixels(&self) -> bool {
        self.kernel > 1 && self.inputs < 16
    }

    /// The output image row by image row: in a padded copy of the input, kernel rows of neighbouring patches are runs
    /// of equal distance, which need no gathering.
    fn forward_by_rows(
        &self,
        instructions: Instructions,
        input: Activations<'_>,
        weight: &Panels,
        epilogue: Epilogue<'_>,
        output: &mut Tensor,
    ) {
        let [images, height, width, channels] = input.shape();
        let [_, out_height, out_width, outputs] = output.shape();
        let line = (width + 2 * self.padding) * channels;
        let blocks = out_height.div_ceil(TASK_LINES);
        let first_line = |task: usize| task / blocks * out_height + task % blocks * out_height / blocks;
        let row_cuts: Vec<usize> = (0..=images * blocks).map(|task| first_line(task) * out_width).collect();
        let parts = Rectangle::whole(output.as_mut_slice(), outputs).cut(&row_cuts, &[0, outputs]);
        parts.into_par_iter().enumerate().for_each(|(task, mut part)| {
            let lines = first_line(task)..first_line(task + 1);
            let (image, top) = (lines.start / out_height, lines.start % out_height * self.stride);
            let needed = (lines.len() - 1) * self.stride + self.kernel;
            with_scratch(needed * line, |padded| {
                for (y, into) in padded.chunks_exact_mut(line).enumerate() {
                    into.fill(0.0);
                    if let Some(y) = (top + y).checked_sub(self.padding).filter(|y| *y < height) {
                        let from = &input.image(image)[y * width * channels..][..width * channels];
                        into[self.padding * channels..][..from.len()].copy_from_slice(from);
                    }
                }
                for panel in 0..weight.count() {
                    let columns = panel * PANEL..outputs.min((panel + 1) * PANEL);
                    let bias = panel_bias(epilogue.bias, panel * PANEL);
                    for y in 0..lines.len() {
                        let left = Rows {
                            values: &padded[y * self.stride * line..],
                            stride: self.stride * channels,
                            segments: self.kernel,
                            segment_stride: line,
                            run: self.kernel * channels,
                        };
                        let rows = y * out_width..(y + 1) * out_width;
                        let finish = epilogue.finish(lines.start * out_width + rows.start, outputs, panel, &bias);
                        let mut target = part.part(rows, columns.clone());
                        microkernel::product(instructions, left, weight.panel(panel), finish, &mut target);
                    }
                }
            });
        });
    }

    /// Whether patches have to be copied: they overlap, or lie so far apart that rows of a tile share a cache set.
    fn copies(&self) -> bool {
        !self.is_pointwise() || self.inputs.is_multiple_of(1024)
    }

    /// Runs `task` on the patches of a block of output pixels and the distance of their rows.
    fn with_patches<R>(
        &self,
        input: Activations<'_>,
        rows: std::ops::Range<usize>,
        task: impl FnOnce(&[f32], usize) -> R,
    ) -> R {
        let patch = self.patch();
        if !self.copies() {
            return task(&input.as_slice()[rows.start * patch..rows.end * patch], patch);
        }
        let stride = patch.next_multiple_of(PANEL) + 16;
        with_scratch(rows.len() * stride, |patches| {
            self.gather(input, rows, patches, stride);
            task(patches, stride)
        })
    }

    /// The output for an input; the panels hold the weight (outputs × patch).
    pub(crate) fn forward(
        &self,
        instructions: Instructions,
        input: Activations<'_>,
        weight: &Panels,
        epilogue: Epilogue<'_>,
        output: &mut Tensor,
    ) {
        if self.has_short_pixels() {
            return self.forward_by_rows(instructions, input, weight, epilogue, output);
        }
        let outputs = self.outputs;
        let (row_cuts, panel_cuts) = cuts(output.rows(), self.patch(), weight.count(), self.copies());
        let column_cuts: Vec<usize> = panel_cuts.iter().map(|panel| outputs.min(panel * PANEL)).collect();
        let groups = panel_cuts.len() - 1;
        let parts = Rectangle::whole(output.as_mut_slice(), outputs).cut(&row_cuts, &column_cuts);
        parts.into_par_iter().enumerate().for_each(|(index, mut part)| {
            let (block, group) = (index / groups, index % groups);
            let rows = row_cuts[block]..row_cuts[block + 1];
            self.with_patches(input, rows.clone(), |patches, stride| {
                for panel in panel_cuts[group]..panel_cuts[group + 1] {
                    let first = (panel - panel_cuts[group]) * PANEL;
                    let columns = first..part.columns().min(first + PANEL);
                    let left = Rows::dense(patches, stride, self.patch());
                    let bias = panel_bias(epilogue.bias, panel * PANEL);
                    let finish = epilogue.finish(rows.start, outputs, panel, &bias);
                    let mut target = part.part(0..rows.len(), columns);
                    microkernel::product(instructions, left, weight.panel(panel), finish, &mut target);
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::epilogue::Residual;
    use crate::kernel::gradient::Accumulation;
    use crate::kernel::microkernel::Buffer;

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
                                    let value =
                                        input.as_slice()[((image * height + row) * width + column) * channels + c];
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
        (0..count)
            .map(|i| ((i as u64 + 1).wrapping_mul(seed.wrapping_mul(2) + 0x9E37_79B9) % 2003) as f32 / 1001.0 - 1.0)
            .collect()
    }

    fn inner(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Forward against the definition, by direct products and by Winograd's filtering; both backward passes through
        /// the adjoint identities <conv(x, w), g> = <x, data(g, w)> = <w, weight(x, g)>, which hold for no other linear
        /// maps.
        #[test]
        fn forward_and_backward_on_odd_shapes(
            images in 1usize..3, height in 3usize..12, width in 3usize..12, inputs in prop::sample::select(vec![1usize, 3, 5, 16, 48]),
            outputs in prop::sample::select(vec![1usize, 7, 32, 37, 64]), kernel in prop::sample::select(vec![1usize, 3]),
            stride in 1usize..3, seed in 0u64..1000,
        ) {
            let layer = Convolution { kernel, stride, padding: kernel / 2, inputs, outputs };
            let shape = [images, height, width, inputs];
            let input = Tensor::new(shape, numbers(shape.iter().product(), seed)).unwrap();
            let weight = numbers(outputs * layer.patch(), seed + 7);
            let definition = plain(&layer, &input, &weight);
            let panels = Panels::of_rows(&weight, outputs, layer.patch(), Buffer::zeros);
            for instructions in Instructions::available() {
                let mut output = Tensor::zeros(layer.output_shape(shape));
                layer.forward(instructions, input.activations(), &panels, Epilogue::default(), &mut output);
                for (got, want) in output.as_slice().iter().zip(&definition) {
                    prop_assert!((f64::from(*got) - want).abs() < 1e-4, "{got} {want}");
                }
                if kernel == 3 && stride == 1 && Winograd::takes(inputs, outputs) {
                    let mut filtered = output.clone();
                    let twice = Epilogue { residual: Residual::Output, ..Epilogue::default() };
                    Winograd::of_panels(instructions, &panels, Buffer::zeros).forward(instructions, input.activations(), twice, &mut filtered);
                    for (got, want) in filtered.as_slice().iter().zip(&definition) {
                        prop_assert!((f64::from(*got) - 2.0 * want).abs() < 2e-4 + 2e-6 * layer.patch() as f64, "{got} {want}");
                    }
                }
                let gradient = Tensor::new(output.shape(), numbers(output.as_slice().len(), seed + 13)).unwrap();
                let mut data = Tensor::zeros(shape);
                layer.backward_data(&Workspace::new(instructions), &gradient, &weight, &mut data, Accumulation::Replace);
                let mut twice = data.clone();
                layer.backward_data(&Workspace::new(instructions), &gradient, &weight, &mut twice, Accumulation::Add);
                let expected = inner(output.as_slice(), gradient.as_slice());
                let scale = 1e-3 * (1.0 + expected.abs());
                prop_assert!((inner(input.as_slice(), data.as_slice()) - expected).abs() < scale);
                prop_assert!((inner(input.as_slice(), twice.as_slice()) - 2.0 * expected).abs() < 2.0 * scale);
                let weights = layer.backward_weight(&Workspace::new(instructions), &input, &gradient);
                prop_assert!((inner(&weight, &weights) - expected).abs() < scale);
            }
        }
    }

    #[test]
    fn epilogue_adds_bias_and_residual_before_the_relu() {
        let layer = Convolution { kernel: 1, stride: 1, padding: 0, inputs: 1, outputs: 2 };
        let input = Tensor::new([1, 1, 2, 1], vec![1.0, -1.0]).unwrap();
        let residual = Tensor::new([1, 1, 2, 2], vec![0.0, 0.5, 0.25, 0.0]).unwrap();
        let epilogue = Epilogue { bias: Some(&[0.5, -3.0]), residual: Residual::Of(residual.as_slice()), relu: true };
        let mut output = Tensor::zeros([1, 1, 2, 2]);
        layer.forward(
            Instructions::best(),
            input.activations(),
            &Panels::of_rows(&[1.0, 2.0], 2, 1, Buffer::zeros),
            epilogue,
            &mut output,
        );
        assert_eq!(output.as_slice(), [1.5, 0.0, 0.0, 0.0]);
    }
}
