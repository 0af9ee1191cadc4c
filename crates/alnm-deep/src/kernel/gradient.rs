//! The gradients of a convolution with respect to its input and its weight.

use alnm_imaging::parallel::for_each_part;

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
    pub(crate) fn backward_weight(&self, workspace: &Workspace, input: &Tensor, output_gradient: &Tensor) -> Buffer {
        let tiles = Grid::of(input.shape()).tiles();
        if self.has_filtered_form() && winograd_gradient::takes(self.inputs, self.outputs, tiles) {
            winograd_gradient::weight_gradient(workspace, input, output_gradient)
        } else {
            self.weight_gradient_by_pixels(workspace, input, output_gradient)
        }
    }
}
