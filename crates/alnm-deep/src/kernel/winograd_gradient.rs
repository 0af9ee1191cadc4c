//! The gradient of a 3 × 3 convolution with stride 1 with respect to its weight by Winograd's minimal filtering: for a
//! tile of 4 × 4 outputs 36 products of transformed patch and gradient where the definition has 144.
//!
//! With `Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A` for each tile, the gradient is `Gᵀ [Σ (A ∂Y Aᵀ) ∘ (Bᵀ d B)] G`, where the sum
//! goes over the tiles of all images.

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
/// Outputs, and inputs, of a pair of groups whose sums are taken together.
const GROUP: usize = 64;
/// Tiles that are transformed together.
const TILES: usize = 64;
/// Sums of a pair of groups for each position.
const SUMS: usize = GROUP * GROUP;
/// Numbers between positions in the transforms, so that they do not share a few sets of the caches.
const APART: usize = LANES;
/// Transformed numbers of each position.
const POSITION: usize = TILES * GROUP + APART;
/// Transformed numbers of some tiles and a group of channels, position by position (tiles × channels).
const BLOCK: usize = POSITIONS * POSITION;
/// Blocks that are transformed before products are taken of them: they stay in the last-level cache.
const BLOCKS: usize = 16;

/// Whether the gradient is computed this way for so many channels and tiles. With few tiles the sums, four times as many
/// as the weights, cost time and memory that the products do not save.
pub(super) fn takes(inputs: usize, outputs: usize, tiles: usize) -> bool {
    inputs.is_multiple_of(PANEL) && outputs.is_multiple_of(PANEL) && tiles >= 2 * TILES
}

/// The groups that channels are cut into.
#[derive(Clone, Copy)]
struct Groups {
    channels: usize,
}

impl Groups {
    fn count(self) -> usize {
        self.channels.div_ceil(GROUP)
    }

    fn first(self, group: usize) -> usize {
        group * GROUP
    }

    fn size(self, group: usize) -> usize {
        GROUP.min(self.channels - self.first(group))
    }

    /// Where the groups begin, and where the last one ends.
    fn cuts(self) -> impl Iterator<Item = usize> {
        (0..=self.count()).map(move |group| self.channels.min(self.first(group)))
    }
}

/// The gradient with respect to the weight, (outputs × (kernel row, kernel column, input)).
///
/// Tiles are taken by shape alone, a few blocks at a time: their transforms are made once for each group of channels, then
/// the products of each pair of groups are added to its sums in the order of the tiles.
pub(super) fn weight_gradient(workspace: &Workspace, input: &Tensor, output_gradient: &Tensor) -> Buffer {
    let (inputs, outputs) = (Groups { channels: input.channels() }, Groups { channels: output_gradient.channels() });
    let transforms =
        Transforms { instructions: workspace.instructions, grid: Grid::of(input.shape()), inputs, outputs };
    let tiles = transforms.grid.tiles();
    let together = (BLOCKS / transforms.groups()).clamp(1, tiles.div_ceil(TILES));
    let mut blocks = workspace.take_buffer(together * transforms.groups() * BLOCK);
    let mut sums = workspace.take_buffer(outputs.count() * inputs.count() * POSITIONS * SUMS);
    sums.par_chunks_mut(SUMS).for_each(|sums| sums.fill(0.0));
    for start in (0..tiles).step_by(together * TILES) {
        let here = (tiles - start).min(together * TILES);
        blocks.par_chunks_exact_mut(BLOCK).enumerate().for_each(|(index, into)| {
            let (place, group) = (index / transforms.groups(), index % transforms.groups());
            let count = here.saturating_sub(place * TILES).min(TILES);
            transforms.fill(input, output_gradient, start + place * TILES, count, group, into);
        });
        sums.par_chunks_exact_mut(SUMS).enumerate().for_each(|(index, sums)| {
            let (pair, position) = (index / POSITIONS, index % POSITIONS);
            for (place, blocks) in blocks.chunks_exact(transforms.groups() * BLOCK).enumerate() {
                let count = here.saturating_sub(place * TILES).min(TILES);
                transforms.add_products(blocks, pair, position, count, sums);
            }
        });
    }
    let mut result = workspace.take_buffer(outputs.channels * TAPS * inputs.channels);
    write_gradients(&transforms, &sums, &mut result);
    result
}

/// What the transforms of tiles are made of. Groups of inputs come first, then those of outputs.
struct Transforms {
    instructions: Instructions,
    grid: Grid,
    inputs: Groups,
    outputs: Groups,
}

impl Transforms {
    fn groups(&self) -> usize {
        self.inputs.count() + self.outputs.count()
    }

    /// The groups of outputs and inputs of a pair.
    fn pair(&self, pair: usize) -> (usize, usize) {
        (pair / self.inputs.count(), pair % self.inputs.count())
    }

    /// Transforms `count` tiles from `first` on for a group of channels: patches of the input, or the gradient.
    fn fill(
        &self,
        input: &Tensor,
        output_gradient: &Tensor,
        first: usize,
        count: usize,
        group: usize,
        into: &mut [f32],
    ) {
        let zeros = [0.0; GROUP];
        for place in 0..count {
            let (line, column) = self.grid.line_and_column(first + place);
            let into = &mut into[place * GROUP..];
            match group.checked_sub(self.inputs.count()) {
                None => {
                    let pixels = self.grid.patch(line, column, self.inputs.channels);
                    let values = &input.as_slice()[self.inputs.first(group)..];
                    let size = self.inputs.size(group);
                    winograd_input(self.instructions, values, &pixels, size, &zeros, into, POSITION);
                }
                Some(group) => {
                    let pixels = self.grid.pixels(line, column, self.outputs.channels);
                    let values = &output_gradient.as_slice()[self.outputs.first(group)..];
                    let size = self.outputs.size(group);
                    winograd_gradient(self.instructions, values, &pixels, size, &zeros, into, POSITION);
                }
            }
        }
    }

    /// Adds the products at a position of the `count` tiles of one block per group to the sums of a pair: panel by panel
    /// of the inputs ([`GROUP`] outputs × [`PANEL`]) numbers.
    fn add_products(&self, blocks: &[f32], pair: usize, position: usize, count: usize, sums: &mut [f32]) {
        let (output, input) = self.pair(pair);
        let of_group = |group: usize| &blocks[group * BLOCK + position * POSITION..][..POSITION];
        let (gradient, patch) = (of_group(self.inputs.count() + output), of_group(input));
        let panels = (0..self.inputs.size(input)).step_by(PANEL).zip(sums.chunks_exact_mut(GROUP * PANEL));
        for (first, sums) in panels {
            let mut sums = Rectangle::whole(&mut sums[..self.outputs.size(output) * PANEL], PANEL);
            accumulate_outer(self.instructions, (gradient, GROUP), (&patch[first..], GROUP), count, &mut sums);
        }
    }
}

/// Transforms the sums of all pairs of groups and puts them where they belong in the gradient.
fn write_gradients(transforms: &Transforms, sums: &[f32], result: &mut [f32]) {
    let Transforms { inputs, outputs, .. } = *transforms;
    let row_cuts: Vec<usize> = outputs.cuts().collect();
    let mut column_cuts: Vec<usize> = (0..TAPS)
        .flat_map(|tap| inputs.cuts().take(inputs.count()).map(move |first| tap * inputs.channels + first))
        .collect();
    column_cuts.push(TAPS * inputs.channels);
    let parts = Rectangle::whole(result, TAPS * inputs.channels).cut(&row_cuts, &column_cuts);
    // The parts of a pair: one for each position of the kernel.
    let mut targets: Vec<Vec<Rectangle<'_>>> = (0..outputs.count() * inputs.count()).map(|_| Vec::new()).collect();
    for (index, part) in parts.into_iter().enumerate() {
        let (output, input) = (index / (TAPS * inputs.count()), index % inputs.count());
        targets[output * inputs.count() + input].push(part);
    }
    targets.into_par_iter().zip(sums.par_chunks_exact(POSITIONS * SUMS)).for_each(|(targets, sums)| {
        with_scratch(TAPS * SUMS, |gradients| {
            compiled_for(transforms.instructions, || transform_sums(sums, gradients));
            for (mut target, gradients) in targets.into_iter().zip(gradients.chunks_exact(SUMS)) {
                for (row, values) in gradients.chunks_exact(GROUP).take(target.rows()).enumerate() {
                    let into = target.row(row);
                    into.copy_from_slice(&values[..into.len()]);
                }
            }
        });
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
            [(4, 21, 22, 32, 32), (5, 17, 23, 96, 64), (3, 28, 28, 64, 160), (33, 7, 7, 128, 96)]
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
}
