//! The gradients of a convolution with respect to its input and its weight.

use std::ops::Range;

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use super::convolution::Convolution;
use super::epilogue::{Epilogue, Residual};
use super::microkernel::{self, Buffer, Finish, Instructions, PANEL, Rectangle, Rows, STRIP};
use super::panels::Panels;
use super::scratch::with_scratch;
use super::winograd::Grid;
use super::winograd_gradient;
use super::workspace::Workspace;
use crate::tensor::Tensor;

/// Image rows of a task of the data gradient with a stride.
const STRIDED_ROWS: usize = 8;
/// Output pixels whose patches a reduction takes at a time: 24 KiB of a panel, within the first-level cache.
const REDUCED_PIXELS: usize = 192;
/// Tasks that a weight gradient is cut into.
const TASKS: usize = 16;

/// Rows of so many numbers, or of a multiple of it, begin in the same few sets of the caches.
const CROWDED: usize = 512;
/// Numbers between rows that are moved apart: a cache line.
const APART: usize = 16;

/// Whether a gradient replaces its destination or is added to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accumulation {
    Replace,
    Add,
}

/// The input pixels whose row and column leave the same remainders by the stride.
struct PixelClass {
    /// Remainder of the row.
    row: usize,
    /// Remainder of the column.
    column: usize,
    /// Kernel positions that meet these pixels.
    taps: Vec<usize>,
    /// The weights of these positions with the channels exchanged.
    panels: Panels,
}

impl Convolution {
    /// The gradient of the loss with respect to the input, added to `gradient` or replacing it.
    pub(crate) fn backward_data(
        &self,
        workspace: &Workspace,
        output_gradient: &Tensor,
        weight: &[f32],
        gradient: &mut Tensor,
        into: Accumulation,
    ) {
        if self.stride > 1 {
            return self.backward_data_by_class(workspace, output_gradient, weight, gradient, into);
        }
        // With stride 1 the gradient is a convolution of the output's gradient with the kernel turned by 180 degrees
        // and its channels exchanged.
        let turned =
            Self { padding: self.kernel - 1 - self.padding, inputs: self.outputs, outputs: self.inputs, ..*self };
        let taps: Vec<usize> = (0..self.kernel * self.kernel).rev().collect();
        let panels = self.exchanged(workspace, weight, &taps);
        let residual = if into == Accumulation::Add { Residual::Output } else { Residual::None };
        let epilogue = Epilogue { residual, ..Epilogue::default() };
        turned.forward_filtered(workspace, output_gradient.activations(), &panels, epilogue, gradient);
    }

    /// The weights of some kernel positions with the channels exchanged: rows of an input channel, depth (position,
    /// output).
    fn exchanged(&self, workspace: &Workspace, weight: &[f32], taps: &[usize]) -> Panels {
        let memory = |size| workspace.take_buffer(size);
        Panels::from_fn(self.inputs, taps.len() * self.outputs, memory, |first, into| {
            let here = STRIP.min(self.inputs - first);
            for (place, &tap) in taps.iter().enumerate() {
                for output in 0..self.outputs {
                    let from = &weight[output * self.patch() + tap * self.inputs + first..][..here];
                    into[(place * self.outputs + output) * STRIP..][..here].copy_from_slice(from);
                }
            }
        })
    }

    /// With a stride, input pixels fall into classes by the remainders of their row and column: a class meets the same
    /// kernel positions everywhere.
    fn backward_data_by_class(
        &self,
        workspace: &Workspace,
        output_gradient: &Tensor,
        weight: &[f32],
        gradient: &mut Tensor,
        into: Accumulation,
    ) {
        let [_, height, width, channels] = gradient.shape();
        let positions = |remainder: usize| {
            (0..self.kernel).filter(move |tap| {
                (remainder + self.padding + self.kernel * self.stride - tap).is_multiple_of(self.stride)
            })
        };
        let classes: Vec<PixelClass> = (0..self.stride * self.stride)
            .map(|class| {
                let (row, column) = (class / self.stride, class % self.stride);
                let taps: Vec<usize> =
                    positions(row).flat_map(|r| positions(column).map(move |s| r * self.kernel + s)).collect();
                let panels = self.exchanged(workspace, weight, &taps);
                PixelClass { row, column, taps, panels }
            })
            .collect();
        let instructions = workspace.instructions;
        let rows = STRIDED_ROWS.next_multiple_of(self.stride);
        let blocks = height.div_ceil(rows);
        let size = height * width * channels;
        for_each_part(gradient.as_mut_slice(), size, &|image, target| {
            for_each_part(target, rows * width * channels, &|block, target| {
                debug_assert!(block < blocks);
                for class in &classes {
                    let pixels: Vec<(usize, usize)> = (block * rows..height.min((block + 1) * rows))
                        .filter(|row| row % self.stride == class.row)
                        .flat_map(|row| (class.column..width).step_by(self.stride).map(move |column| (row, column)))
                        .collect();
                    self.class_gradient(instructions, output_gradient, image, &pixels, class, |pixel, values| {
                        let (row, column) = pixels[pixel];
                        let place = ((row - block * rows) * width + column) * channels;
                        let target = &mut target[place..place + channels];
                        match into {
                            Accumulation::Replace => target.copy_from_slice(values),
                            Accumulation::Add => target.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
                        }
                    });
                }
            });
        });
    }

    /// The gradient at pixels of one class, handed to `store` pixel by pixel.
    fn class_gradient(
        &self,
        instructions: Instructions,
        output_gradient: &Tensor,
        image: usize,
        pixels: &[(usize, usize)],
        PixelClass { taps, panels, .. }: &PixelClass,
        mut store: impl FnMut(usize, &[f32]),
    ) {
        let [_, out_height, out_width, outputs] = output_gradient.shape();
        let source = output_gradient.image(image);
        let depth = taps.len() * outputs;
        let (stride, width) = (depth + 16, panels.count() * PANEL);
        with_scratch(pixels.len() * (stride + width), |scratch| {
            let (patches, sums) = scratch.split_at_mut(pixels.len() * stride);
            for ((row, column), patch) in pixels.iter().zip(patches.chunks_exact_mut(stride)) {
                for (tap, values) in taps.iter().zip(patch.chunks_exact_mut(outputs)) {
                    let (y, x) = (row + self.padding, column + self.padding);
                    let place = |at: usize, tap: usize, side: usize| {
                        at.checked_sub(tap).map(|at| at / self.stride).filter(|at| *at < side)
                    };
                    match (place(y, tap / self.kernel, out_height), place(x, tap % self.kernel, out_width)) {
                        (Some(y), Some(x)) => {
                            values.copy_from_slice(&source[(y * out_width + x) * outputs..][..outputs]);
                        }
                        _ => values.fill(0.0),
                    }
                }
            }
            let mut target = Rectangle::whole(sums, width);
            let left = Rows::dense(patches, stride, depth);
            for panel in 0..panels.count() {
                let mut target = target.part(0..pixels.len(), panel * PANEL..(panel + 1) * PANEL);
                microkernel::product(instructions, left, panels.panel(panel), Finish::NONE, &mut target);
            }
            for (pixel, values) in sums.chunks_exact(width).enumerate() {
                store(pixel, &values[..self.inputs]);
            }
        });
    }

    /// The gradient of the loss with respect to the weight, (outputs × patch), by the faster way.
    pub(crate) fn backward_weight(&self, workspace: &Workspace, input: &Tensor, output_gradient: &Tensor) -> Vec<f32> {
        let tiles = Grid::of(input.shape()).tiles();
        if self.has_filtered_form() && winograd_gradient::takes(self.inputs, self.outputs, tiles) {
            winograd_gradient::weight_gradient(workspace, input, output_gradient)
        } else {
            self.backward_weight_by_pixels(workspace, input, output_gradient)
        }
    }

    /// The gradient with respect to the weight as a sum over output pixels.
    ///
    /// Pixels are cut into parts, each with sums of its own that are added in order afterwards, by shape alone. A task
    /// sums one panel of columns of a part, (outputs × [`PANEL`]) numbers side by side.
    fn backward_weight_by_pixels(&self, workspace: &Workspace, input: &Tensor, output_gradient: &Tensor) -> Vec<f32> {
        let (patch, outputs, total) = (self.patch(), self.outputs, output_gradient.rows());
        let instructions = workspace.instructions;
        let panels = patch.div_ceil(PANEL);
        let pixel_blocks = total.div_ceil(REDUCED_PIXELS);
        let parts = TASKS.div_ceil(panels).min(pixel_blocks);
        let cut = |part: usize| total.min(pixel_blocks * part / parts * REDUCED_PIXELS);
        let apart = outputs.is_multiple_of(CROWDED).then(|| rows_apart(workspace, output_gradient));
        let (gradient, stride) = match &apart {
            Some(rows) => (&rows[..], outputs + APART),
            None => (output_gradient.as_slice(), outputs),
        };
        let sums_of_task = outputs * PANEL;
        let mut partial = workspace.take_buffer(parts * panels * sums_of_task);
        partial.par_chunks_exact_mut(sums_of_task).enumerate().for_each(|(task, sums)| {
            let (part, panel) = (task / panels, task % panels);
            sums.fill(0.0);
            for start in (cut(part)..cut(part + 1)).step_by(REDUCED_PIXELS) {
                let pixels = start..cut(part + 1).min(start + REDUCED_PIXELS);
                let count = pixels.len();
                let gradient = (&gradient[start * stride..], stride);
                self.with_columns(input, pixels, panel, |columns| {
                    microkernel::accumulate_outer(
                        instructions,
                        gradient,
                        (columns, PANEL),
                        count,
                        &mut Rectangle::whole(sums, PANEL),
                    );
                });
            }
        });
        let mut result = vec![0.0; outputs * patch];
        result.par_chunks_exact_mut(patch).enumerate().for_each(|(output, into)| {
            for (panel, into) in into.chunks_mut(PANEL).enumerate() {
                for part in 0..parts {
                    let from = &partial[((part * panels + panel) * outputs + output) * PANEL..];
                    into.iter_mut().zip(from).for_each(|(sum, value)| *sum += value);
                }
            }
        });
        result
    }

    /// Runs `task` on [`PANEL`] columns of the patches of some output pixels, zero beyond the last column.
    fn with_columns(&self, input: &Tensor, pixels: Range<usize>, panel: usize, task: impl FnOnce(&[f32])) {
        let [_, height, width, channels] = input.shape();
        let [_, out_height, out_width, _] = self.output_shape(input.shape());
        let values = input.as_slice();
        let place = |at: usize, tap: usize, side: usize| {
            (at * self.stride + tap).checked_sub(self.padding).filter(|at| *at < side)
        };
        let (runs, filled) = self.runs_of(panel);
        let mut row = pixels.start / out_width;
        let mut x = pixels.start % out_width;
        with_scratch(pixels.len() * PANEL, |columns| {
            for into in columns.chunks_exact_mut(PANEL) {
                let (image, y) = (row / out_height, row % out_height);
                for run in &runs {
                    let target = &mut into[run.first..][..run.length];
                    match (place(y, run.row, height), place(x, run.column, width)) {
                        (Some(y), Some(x)) => {
                            let from = ((image * height + y) * width + x) * channels + run.channel;
                            copy_run(&values[from..from + run.length], target);
                        }
                        _ => target.fill(0.0),
                    }
                }
                into[filled..].fill(0.0);
                x += 1;
                if x == out_width {
                    (row, x) = (row + 1, 0);
                }
            }
            task(columns);
        });
    }

    /// The runs that a panel's columns of a patch consist of, and how many columns they are.
    fn runs_of(&self, panel: usize) -> (Vec<ColumnRun>, usize) {
        let (begin, end) = (panel * PANEL, self.patch().min((panel + 1) * PANEL));
        let mut runs = Vec::new();
        let mut column = begin;
        while column < end {
            // A run ends with its kernel position.
            let (tap, channel) = (column / self.inputs, column % self.inputs);
            let length = (end - column).min(self.inputs - channel);
            let (row, tap_column) = (tap / self.kernel, tap % self.kernel);
            runs.push(ColumnRun { first: column - begin, length, row, column: tap_column, channel });
            column += length;
        }
        (runs, end - begin)
    }
}

/// Columns of a patch that lie side by side in an image: channels of one kernel position.
struct ColumnRun {
    /// The first of them in its panel.
    first: usize,
    length: usize,
    /// Kernel position.
    row: usize,
    column: usize,
    /// First channel.
    channel: usize,
}

/// Copies a run; whole panels, the most frequent, as so many numbers that the compiler knows of.
fn copy_run(from: &[f32], into: &mut [f32]) {
    match (from.as_array::<PANEL>(), into.as_mut_array::<PANEL>()) {
        (Some(from), Some(into)) => *into = *from,
        _ => into.copy_from_slice(from),
    }
}

/// The rows of a tensor, [`APART`] numbers between them: of many rows that begin in the same cache set few numbers can be
/// kept near.
fn rows_apart(workspace: &Workspace, tensor: &Tensor) -> Buffer {
    let width = tensor.channels();
    let mut rows = workspace.take_buffer(tensor.rows() * (width + APART));
    let some = rows.par_chunks_mut(REDUCED_PIXELS * (width + APART));
    some.zip(tensor.as_slice().par_chunks(REDUCED_PIXELS * width)).for_each(|(into, from)| {
        for (into, from) in into.chunks_exact_mut(width + APART).zip(from.chunks_exact(width)) {
            into[..width].copy_from_slice(from);
        }
    });
    rows
}
