//! The gradient of a convolution with respect to its weight as a sum over output pixels.

use std::ops::Range;

use rayon::prelude::*;

use super::convolution::Convolution;
use super::microkernel::{Buffer, Instructions, PANEL, Rectangle, accumulate_outer};
use super::scratch::with_scratch;
use super::workspace::Workspace;
use crate::tensor::Tensor;

/// Outputs of a task at most, and columns of the patches: the pixels that it takes at a time and its sums stay in the
/// second-level cache.
const OUTPUTS: usize = 256;
const COLUMNS: usize = 4 * PANEL;
/// Output pixels that a task takes at a time: 24 KiB of a panel, within the first-level cache.
const PIXELS: usize = 192;
/// Tasks that a layer is cut into where there are pixels enough.
const TASKS: usize = 16;
/// Rows of so many numbers at most are read where they lie. Wider ones begin in few sets of the caches, in which few of
/// them can be kept, so that they are copied nearer to each other.
const NEAR: usize = 512;
/// Numbers between copied rows: a cache line.
const APART: usize = 16;

/// A part of the sums: outputs, columns of the patches, and the output pixels that are summed over.
struct Task {
    outputs: Range<usize>,
    columns: Range<usize>,
    pixels: Range<usize>,
}

/// Cuts `count` into as few groups of about equal size as have `most` at most, by multiples of `unit`.
fn group_cuts(count: usize, most: usize, unit: usize) -> Vec<usize> {
    let (units, groups) = (count.div_ceil(unit), count.div_ceil(most).max(1));
    (0..=groups).map(|group| count.min(units * group / groups * unit)).collect()
}

impl Convolution {
    /// The gradient with respect to the weight, (outputs × patch).
    ///
    /// Outputs, columns and pixels are cut by shape alone. Each part of the pixels has sums of its own, which are added
    /// in order afterwards.
    pub(super) fn weight_gradient_by_pixels(
        &self,
        workspace: &Workspace,
        input: &Tensor,
        output_gradient: &Tensor,
    ) -> Buffer {
        let (patch, outputs, total) = (self.patch(), self.outputs, output_gradient.rows());
        let (row_cuts, column_cuts) = (group_cuts(outputs, OUTPUTS, 1), group_cuts(patch, COLUMNS, PANEL));
        let groups = (row_cuts.len() - 1) * (column_cuts.len() - 1);
        let blocks = total.div_ceil(PIXELS);
        let parts = TASKS.div_ceil(groups).min(blocks).max(1);
        let pixels_of = |part: usize| total.min(blocks * part / parts * PIXELS);
        // The first part's sums become the result.
        let mut result = workspace.take_buffer(outputs * patch);
        let mut others = workspace.take_buffer((parts - 1) * outputs * patch);
        let mut targets = Vec::with_capacity(parts * groups);
        for sums in std::iter::once(&mut result[..]).chain(others.chunks_exact_mut(outputs * patch)) {
            targets.extend(Rectangle::whole(sums, patch).cut(&row_cuts, &column_cuts));
        }
        targets.into_par_iter().enumerate().for_each(|(index, into)| {
            let (part, group) = (index / groups, index % groups);
            let (row, column) = (group / (column_cuts.len() - 1), group % (column_cuts.len() - 1));
            let task = Task {
                outputs: row_cuts[row]..row_cuts[row + 1],
                columns: column_cuts[column]..column_cuts[column + 1],
                pixels: pixels_of(part)..pixels_of(part + 1),
            };
            self.sum_part(workspace.instructions, input, output_gradient, &task, into);
        });
        add_in_order(&mut result, &others);
        result
    }

    /// The sums of a task.
    fn sum_part(
        &self,
        instructions: Instructions,
        input: &Tensor,
        output_gradient: &Tensor,
        task: &Task,
        mut into: Rectangle<'_>,
    ) {
        let (outputs, panels) = (task.outputs.len(), task.columns.len().div_ceil(PANEL));
        let runs = self.runs_of(&task.columns);
        let (left, right) = (PIXELS * (outputs + APART), PIXELS * (panels * PANEL + APART));
        with_scratch(left + right + panels * PANEL * outputs, |scratch| {
            let (left, rest) = scratch.split_at_mut(left);
            let (right, sums) = rest.split_at_mut(right);
            sums.fill(0.0);
            for start in task.pixels.clone().step_by(PIXELS) {
                let pixels = start..task.pixels.end.min(start + PIXELS);
                let gradient = self.gradient_rows(output_gradient, &pixels, &task.outputs, left);
                let (columns, stride) = self.column_rows(input, &pixels, &runs, right);
                for (panel, sums) in sums.chunks_exact_mut(outputs * PANEL).enumerate() {
                    let columns = (&columns[panel * PANEL..], stride);
                    let mut sums = Rectangle::whole(sums, PANEL);
                    accumulate_outer(instructions, gradient, columns, pixels.len(), &mut sums);
                }
            }
            for output in 0..outputs {
                for (panel, into) in into.row(output).chunks_mut(PANEL).enumerate() {
                    into.copy_from_slice(&sums[(panel * outputs + output) * PANEL..][..into.len()]);
                }
            }
        });
    }

    /// Some outputs of the gradient, pixel by pixel, and the distance of the pixels.
    fn gradient_rows<'a>(
        &self,
        gradient: &'a Tensor,
        pixels: &Range<usize>,
        outputs: &Range<usize>,
        memory: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        let values = &gradient.as_slice()[pixels.start * self.outputs..];
        if self.outputs <= NEAR {
            return (&values[outputs.start..], self.outputs);
        }
        let stride = outputs.len() + APART;
        for (into, row) in memory.chunks_exact_mut(stride).zip(values.chunks_exact(self.outputs)).take(pixels.len()) {
            into[..outputs.len()].copy_from_slice(&row[outputs.clone()]);
        }
        (memory, stride)
    }

    /// Some columns of the patches, pixel by pixel, and the distance of the pixels.
    fn column_rows<'a>(
        &self,
        input: &'a Tensor,
        pixels: &Range<usize>,
        runs: &[ColumnRun],
        memory: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        match runs {
            // Whole panels of the pixels themselves.
            [run] if self.is_pointwise() && run.length.is_multiple_of(PANEL) && self.inputs <= NEAR => {
                (&input.as_slice()[pixels.start * self.inputs + run.begin..], self.inputs)
            }
            _ => {
                let stride = memory.len() / PIXELS;
                self.copy_columns(input, pixels, runs, memory, stride);
                (memory, stride)
            }
        }
    }

    /// Copies columns of the patches of some output pixels to rows of `stride` numbers, zero beyond the last column.
    fn copy_columns(
        &self,
        input: &Tensor,
        pixels: &Range<usize>,
        runs: &[ColumnRun],
        columns: &mut [f32],
        stride: usize,
    ) {
        let [_, height, width, channels] = input.shape();
        let [_, out_height, out_width, _] = self.output_shape(input.shape());
        let filled = runs.last().map_or(0, |run| run.first + run.length);
        let mut line = pixels.start / out_width;
        let mut x = pixels.start % out_width;
        for into in columns.chunks_exact_mut(stride).take(pixels.len()) {
            let (image, y) = (line / out_height, line % out_height);
            for run in runs {
                let target = &mut into[run.first..][..run.length];
                match (y * self.stride + run.row).checked_sub(self.padding).filter(|y| *y < height) {
                    Some(y) => {
                        let row = &input.as_slice()[(image * height + y) * width * channels..][..width * channels];
                        copy_inside(row, x * self.stride * channels + run.begin, self.padding * channels, target);
                    }
                    None => target.fill(0.0),
                }
            }
            into[filled..].fill(0.0);
            x += 1;
            if x == out_width {
                (line, x) = (line + 1, 0);
            }
        }
    }

    /// The runs that a range of a patch's columns consists of.
    fn runs_of(&self, columns: &Range<usize>) -> Vec<ColumnRun> {
        let kernel_row = self.kernel * self.inputs;
        let mut runs = Vec::new();
        let mut column = columns.start;
        while column < columns.end {
            let (row, begin) = (column / kernel_row, column % kernel_row);
            let length = (columns.end - column).min(kernel_row - begin);
            runs.push(ColumnRun { first: column - columns.start, length, row, begin });
            column += length;
        }
        runs
    }
}

/// Columns of a patch that lie side by side in an image: those of one kernel row.
struct ColumnRun {
    /// The first of them among the columns of a task.
    first: usize,
    length: usize,
    /// Kernel row.
    row: usize,
    /// The first of them in the kernel row.
    begin: usize,
}

/// Copies the numbers from `first − before` on of an image row, zero where the row has none.
fn copy_inside(row: &[f32], first: usize, before: usize, into: &mut [f32]) {
    let missing = before.saturating_sub(first).min(into.len());
    let from = (first + missing).saturating_sub(before).min(row.len());
    let here = (row.len() - from).min(into.len() - missing);
    into[..missing].fill(0.0);
    into[missing..missing + here].copy_from_slice(&row[from..from + here]);
    into[missing + here..].fill(0.0);
}

/// Adds matrices of the result's size to it, one after another.
fn add_in_order(result: &mut [f32], others: &[f32]) {
    const PIECE: usize = 1 << 14;
    let size = result.len();
    result.par_chunks_mut(PIECE).enumerate().for_each(|(piece, into)| {
        for other in others.chunks_exact(size.max(1)) {
            let from = &other[piece * PIECE..][..into.len()];
            into.iter_mut().zip(from).for_each(|(sum, value)| *sum += value);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More channels than are read where they lie, in several groups of outputs and columns and two parts of pixels.
    #[test]
    fn wide_layers_agree_with_the_definition() {
        let layer = Convolution { kernel: 1, stride: 1, padding: 0, inputs: NEAR + 32, outputs: NEAR + 8 };
        let tensor = |channels: usize, phase: f32| {
            let shape = [2, 15, 13, channels];
            let values = (0..shape.iter().product()).map(|index: usize| (index as f32 * 0.37 + phase).sin()).collect();
            Tensor::new(shape, values).unwrap()
        };
        let (input, gradient) = (tensor(layer.inputs, 0.0), tensor(layer.outputs, 1.0));
        for instructions in Instructions::available() {
            let got = layer.weight_gradient_by_pixels(&Workspace::new(instructions), &input, &gradient);
            for (index, got) in got.iter().enumerate().step_by(89) {
                let (output, column) = (index / layer.inputs, index % layer.inputs);
                let rows = gradient.as_slice().chunks(layer.outputs).zip(input.as_slice().chunks(layer.inputs));
                let expected: f64 = rows.map(|(g, x)| f64::from(g[output]) * f64::from(x[column])).sum();
                assert!(
                    (f64::from(*got) - expected).abs() < 1e-3,
                    "{instructions:?} {output} {column} {got} {expected}"
                );
            }
        }
    }
}
