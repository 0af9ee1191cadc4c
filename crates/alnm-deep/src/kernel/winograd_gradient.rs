//! The gradient of a 3 × 3 convolution with stride 1 with respect to its weight by Winograd's minimal filtering: for a
//! tile of 4 × 4 outputs 36 products of transformed patch and gradient where the definition has 144.
//!
//! With `Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A` for each tile, the gradient is `Gᵀ [Σ (A ∂Y Aᵀ) ∘ (Bᵀ d B)] G`, where the sum
//! goes over the tiles of all images.

use std::ops::Range;

use rayon::prelude::*;

use super::microkernel::{
    Buffer, Instructions, LANES, PANEL, PATCH, Rectangle, accumulate_outer, compiled_for, winograd_gradient,
    winograd_input,
};
use super::scratch::with_scratch;
use super::winograd::{Grid, POSITIONS, kernel_transform};
use super::workspace::Workspace;
use crate::tensor::Tensor;

/// Positions of the kernel.
const TAPS: usize = 9;
/// Outputs, and inputs, of a task: the sums of all positions for them stay in the second-level cache.
const GROUP: usize = 64;
/// Tiles that a task transforms at a time.
const TILES: usize = 16;
/// Tasks that the sums are cut into where there are tiles enough.
const TASKS: usize = 16;
/// Sums of a task for each position.
const SUMS: usize = GROUP * GROUP;
/// Numbers between positions in the transforms, so that they do not share a few sets of the caches.
const APART: usize = LANES;

/// Whether the gradient is computed this way for so many channels and tiles. With few tiles the transform of the sums
/// costs more than it saves.
pub(super) fn takes(inputs: usize, outputs: usize, tiles: usize) -> bool {
    inputs.is_multiple_of(PANEL) && outputs.is_multiple_of(PANEL) && tiles >= 2 * TILES
}

/// What the sums are cut into: parts of the tiles, groups of outputs, groups of inputs.
struct Cuts {
    tiles: usize,
    parts: usize,
    outputs: usize,
    inputs: usize,
}

/// A part of the sums: channels of outputs and inputs, and tiles.
struct Task {
    outputs: Range<usize>,
    inputs: Range<usize>,
    tiles: Range<usize>,
}

impl Cuts {
    /// By shape alone, so that the order of sums is the same at any number of threads.
    fn new(tiles: usize, outputs: usize, inputs: usize) -> Self {
        let whole = Self { tiles, parts: 1, outputs, inputs };
        let parts = TASKS.div_ceil(whole.groups()).min(tiles.div_ceil(4 * TILES));
        Self { parts, ..whole }
    }

    fn input_groups(&self) -> usize {
        self.inputs.div_ceil(GROUP)
    }

    /// Tasks of a part.
    fn groups(&self) -> usize {
        self.outputs.div_ceil(GROUP) * self.input_groups()
    }

    /// Tasks come part by part, in each the groups of outputs, in each of these the groups of inputs.
    fn task(&self, index: usize) -> Task {
        let (part, group) = (index / self.groups(), index % self.groups());
        let channels = |group: usize, all: usize| group * GROUP..all.min((group + 1) * GROUP);
        Task {
            outputs: channels(group / self.input_groups(), self.outputs),
            inputs: channels(group % self.input_groups(), self.inputs),
            tiles: self.tiles * part / self.parts..self.tiles * (part + 1) / self.parts,
        }
    }
}

/// The gradient with respect to the weight, (outputs × (kernel row, kernel column, input)).
pub(super) fn weight_gradient(workspace: &Workspace, input: &Tensor, output_gradient: &Tensor) -> Buffer {
    let grid = Grid::of(input.shape());
    let (inputs, outputs) = (input.channels(), output_gradient.channels());
    let cuts = Cuts::new(grid.tiles(), outputs, inputs);
    let instructions = workspace.instructions;
    let mut partial = workspace.take_buffer(cuts.parts * cuts.groups() * TAPS * SUMS);
    partial.par_chunks_exact_mut(TAPS * SUMS).enumerate().for_each(|(index, into)| {
        let task = cuts.task(index);
        with_scratch(POSITIONS * SUMS, |sums| {
            sum_products(instructions, &grid, input, output_gradient, &task, sums);
            compiled_for(instructions, || transform_sums(sums, into));
        });
    });
    let mut result = workspace.take_buffer(outputs * TAPS * inputs);
    result.par_chunks_exact_mut(TAPS * inputs).enumerate().for_each(|(output, into)| {
        let row = output % GROUP;
        for (tap, into) in into.chunks_exact_mut(inputs).enumerate() {
            for (group, into) in into.chunks_mut(GROUP).enumerate() {
                for part in 0..cuts.parts {
                    let task = part * cuts.groups() + output / GROUP * cuts.input_groups() + group;
                    let from = &partial[task * TAPS * SUMS + (tap * GROUP + row) * GROUP..][..into.len()];
                    match part {
                        0 => into.copy_from_slice(from),
                        _ => into.iter_mut().zip(from).for_each(|(sum, value)| *sum += value),
                    }
                }
            }
        }
    });
    result
}

/// For each position the sums over tiles of products of transformed gradient and patch: panel by panel of the inputs
/// ([`GROUP`] outputs × [`PANEL`]) numbers.
fn sum_products(
    instructions: Instructions,
    grid: &Grid,
    input: &Tensor,
    output_gradient: &Tensor,
    task: &Task,
    sums: &mut [f32],
) {
    sums.fill(0.0);
    let stride = TILES * GROUP + APART;
    with_scratch(2 * POSITIONS * stride + GROUP, |scratch| {
        let (zeros, transforms) = scratch.split_at_mut(GROUP);
        zeros.fill(0.0);
        let (patches, gradients) = transforms.split_at_mut(POSITIONS * stride);
        for start in task.tiles.clone().step_by(TILES) {
            let tiles = start..task.tiles.end.min(start + TILES);
            for (place, tile) in tiles.clone().enumerate() {
                let (line, column) = grid.line_and_column(tile);
                let pixels = grid.patch(line, column, input.channels());
                let values = &input.as_slice()[task.inputs.start..];
                let into = &mut patches[place * GROUP..];
                winograd_input(instructions, values, &pixels, task.inputs.len(), zeros, into, stride);
                let pixels = grid.pixels(line, column, output_gradient.channels());
                let values = &output_gradient.as_slice()[task.outputs.start..];
                let into = &mut gradients[place * GROUP..];
                winograd_gradient(instructions, values, &pixels, task.outputs.len(), zeros, into, stride);
            }
            for (position, sums) in sums.chunks_exact_mut(SUMS).enumerate() {
                let (gradient, patch) = (&gradients[position * stride..], &patches[position * stride..]);
                for (first, sums) in (0..task.inputs.len()).step_by(PANEL).zip(sums.chunks_exact_mut(GROUP * PANEL)) {
                    let mut sums = Rectangle::whole(&mut sums[..task.outputs.len() * PANEL], PANEL);
                    let patch = (&patch[first..], GROUP);
                    accumulate_outer(instructions, (gradient, GROUP), patch, tiles.len(), &mut sums);
                }
            }
        }
    });
}

/// `Gᵀ s G` of the sums s of each output and input, kernel position by position ([`GROUP`] outputs × [`GROUP`] inputs).
#[inline(always)]
fn transform_sums(sums: &[f32], into: &mut [f32]) {
    let g = kernel_transform().map(|row| row.map(|value| value as f32));
    for place in (0..SUMS).step_by(LANES) {
        // Places in the sums count panels, outputs, inputs; those in the result outputs, inputs.
        let (panel, output, column) = (place / (GROUP * PANEL), place / PANEL % GROUP, place % PANEL);
        // Lines first, then columns, LANES numbers at a time.
        let mut rows = [[[0.0_f32; LANES]; PATCH]; 3];
        for (i, g) in g.iter().enumerate() {
            for j in 0..PATCH {
                let from = &sums[(i * PATCH + j) * SUMS + place..][..LANES];
                for (row, factor) in rows.iter_mut().zip(g) {
                    row[j].iter_mut().zip(from).for_each(|(sum, value)| *sum += factor * value);
                }
            }
        }
        for (r, row) in rows.iter().enumerate() {
            for s in 0..3 {
                let mut total = [0.0_f32; LANES];
                for (values, g) in row.iter().zip(&g) {
                    total.iter_mut().zip(values).for_each(|(sum, value)| *sum += g[s] * value);
                }
                let at = ((r * 3 + s) * GROUP + output) * GROUP + panel * PANEL + column;
                into[at..][..LANES].copy_from_slice(&total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::convolution::Convolution;
    use super::*;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        (0..count)
            .map(|i| ((i as u64 + 1).wrapping_mul(seed.wrapping_mul(2) + 0x9E37_79B9) % 2003) as f32 / 1001.0 - 1.0)
            .collect()
    }

    /// The definition, in double precision.
    fn plain(input: &Tensor, gradient: &Tensor) -> Vec<f64> {
        let [images, height, width, inputs] = input.shape();
        let outputs = gradient.channels();
        let mut sums = vec![0.0; outputs * TAPS * inputs];
        for (image, y, x) in (0..images * height * width).map(|p| (p / (height * width), p / width % height, p % width))
        {
            for (r, s) in (0..TAPS).map(|tap| (tap / 3, tap % 3)) {
                let (row, column) = ((y + r).wrapping_sub(1), (x + s).wrapping_sub(1));
                if row >= height || column >= width {
                    continue;
                }
                let from = &input.as_slice()[((image * height + row) * width + column) * inputs..][..inputs];
                let at = &gradient.as_slice()[((image * height + y) * width + x) * outputs..][..outputs];
                for (output, gradient) in at.iter().enumerate() {
                    let into = &mut sums[(output * TAPS + r * 3 + s) * inputs..][..inputs];
                    into.iter_mut().zip(from).for_each(|(sum, value)| *sum += f64::from(*value) * f64::from(*gradient));
                }
            }
        }
        sums
    }

    #[test]
    fn sums_agree_with_the_definition() {
        for (images, height, width, inputs, outputs) in
            [(1, 21, 22, 32, 32), (3, 17, 23, 96, 64), (2, 28, 28, 64, 160), (9, 7, 7, 128, 96)]
        {
            let shape = [images, height, width, inputs];
            let input = Tensor::new(shape, numbers(shape.iter().product(), 3)).unwrap();
            let shape = [images, height, width, outputs];
            let gradient = Tensor::new(shape, numbers(shape.iter().product(), 5)).unwrap();
            assert!(takes(inputs, outputs, Grid::of(shape).tiles()));
            let expected = plain(&input, &gradient);
            // Products are 1 at most; the transforms enlarge the rounding of their sums.
            let tolerance = 2e-7 * (images * height * width) as f64;
            let layer = Convolution { kernel: 3, stride: 1, padding: 1, inputs, outputs };
            for instructions in Instructions::available() {
                let got = layer.backward_weight(&Workspace::new(instructions), &input, &gradient);
                for (got, want) in got.iter().zip(&expected) {
                    assert!((f64::from(*got) - want).abs() < tolerance, "{instructions:?} {got} {want}");
                }
            }
        }
    }

    #[test]
    fn every_task_has_its_own_channels_and_tiles() {
        for (tiles, outputs, inputs) in [(32, 32, 32), (200, 160, 96), (3136, 64, 64), (64, 512, 512)] {
            let cuts = Cuts::new(tiles, outputs, inputs);
            let size = |range: &Range<usize>| range.len();
            let tasks = (0..cuts.parts * cuts.groups()).map(|index| cuts.task(index));
            let covered: usize = tasks.map(|task| size(&task.outputs) * size(&task.inputs) * size(&task.tiles)).sum();
            assert_eq!(covered, tiles * outputs * inputs);
        }
    }
}
