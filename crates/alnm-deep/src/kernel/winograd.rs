//! Convolution 3 × 3 with stride 1 by Winograd's minimal filtering: 36 products for 16 outputs where the definition has
//! 144.

use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::microkernel::{
    self, Buffer, Finish, Instructions, LANES, PANEL, PATCH, POINTS, Pixels, Rectangle, Rows, STRIP, TILE, TilePixels,
    compiled_for,
};
use super::panels::{Panels, panel_bias};
use super::scratch::with_scratch;
use crate::tensor::{Activations, Tensor};

/// Products of the transformed patch and kernel.
pub(super) const POSITIONS: usize = PATCH * PATCH;
/// Values of the transformed patches of a task: what fits in the second-level cache beside the weights that pass by.
const TASK_VALUES: usize = 160_000;
/// Tiles of a task at least, so that a pass over the weights is worth it.
const TASK_TILES: usize = 28;
/// With fewer tiles than these the transformed weights, four times as many as the layer's, cost more than they save.
pub(crate) const FEWEST_TILES: usize = 8;
/// Tasks that a layer is cut into where it can be.
const TASKS: usize = 8;

/// Transformed weights of a layer with padding 1.
#[derive(Debug, Clone)]
pub(crate) struct Winograd {
    /// Panel by panel, then position by position, then strip by strip: (inputs × [`STRIP`]) numbers.
    values: Buffer,
    inputs: usize,
    outputs: usize,
}

/// `G`: powers 0 to 2 of the points over the products of their differences.
pub(super) fn kernel_transform() -> [[f64; 3]; PATCH] {
    let [a, b] = POINTS.map(f64::from);
    let (na, nb) = (2.0 * a * a * (a * a - b * b), 2.0 * b * b * (b * b - a * a));
    let row = |point: f64, over: f64| [1.0 / over, point / over, point * point / over];
    [row(0.0, a * a * b * b), row(a, na), row(-a, na), row(b, nb), row(-b, nb), [0.0, 0.0, 1.0]]
}

impl Winograd {
    /// Whether the transforms take layers with so many channels.
    pub(crate) fn takes(inputs: usize, outputs: usize) -> bool {
        inputs.is_multiple_of(LANES) && outputs.is_multiple_of(PANEL)
    }

    /// Transforms packed weights whose depth is (kernel row, kernel column, input).
    pub(crate) fn of_panels(instructions: Instructions, panels: &Panels, memory: impl FnOnce(usize) -> Buffer) -> Self {
        let (inputs, outputs) = (panels.depth() / 9, panels.outputs());
        let mut values = memory(POSITIONS * inputs * outputs);
        values.par_chunks_exact_mut(POSITIONS * inputs * PANEL).enumerate().for_each(|(panel, into)| {
            compiled_for(instructions, || transform_panel(panels.panel(panel), inputs * STRIP, into));
        });
        Self { values, inputs, outputs }
    }

    fn position(&self, panel: usize, position: usize) -> &[f32] {
        let size = self.inputs * PANEL;
        &self.values[(panel * POSITIONS + position) * size..][..size]
    }

    /// The convolution with bias, residual and rectified linear unit.
    pub(crate) fn forward(
        &self,
        instructions: Instructions,
        input: Activations<'_>,
        epilogue: Epilogue<'_>,
        output: &mut Tensor,
    ) {
        let grid = Grid::of(input.shape());
        let wanted = (TASK_VALUES / (POSITIONS * self.inputs)).max(TASK_TILES);
        let lines = (wanted / grid.across).clamp(1, grid.lines());
        let blocks = grid.lines().div_ceil(lines);
        let line_cuts: Vec<usize> = (0..=blocks).map(|block| grid.lines() * block / blocks).collect();
        let row_cuts: Vec<usize> = line_cuts.iter().map(|&line| grid.first_pixel(line)).collect();
        let panels = self.outputs / PANEL;
        let groups = TASKS.div_ceil(blocks).min(panels);
        let panel_cuts: Vec<usize> = (0..=groups).map(|group| panels * group / groups).collect();
        let column_cuts: Vec<usize> = panel_cuts.iter().map(|panel| panel * PANEL).collect();
        let parts = Rectangle::whole(output.as_mut_slice(), self.outputs).cut(&row_cuts, &column_cuts);
        parts.into_par_iter().enumerate().for_each(|(index, part)| {
            let (block, group) = (index / groups, index % groups);
            let lines = line_cuts[block]..line_cuts[block + 1];
            self.task(instructions, input, &grid, lines, panel_cuts[group]..panel_cuts[group + 1], epilogue, part);
        });
    }

    /// Some lines of tiles for some panels.
    fn task(
        &self,
        instructions: Instructions,
        input: Activations<'_>,
        grid: &Grid,
        lines: std::ops::Range<usize>,
        panels: std::ops::Range<usize>,
        epilogue: Epilogue<'_>,
        mut output: Rectangle<'_>,
    ) {
        let tiles = lines.len() * grid.across;
        // Distances that are no multiples of a page, or positions would share a few lines of the cache.
        let row = self.inputs + LANES;
        let (patch_stride, sum_stride) = (tiles * row + LANES, tiles * PANEL + LANES);
        let first_pixel = grid.first_pixel(lines.start);
        with_scratch(POSITIONS * (patch_stride + sum_stride) + self.inputs, |scratch| {
            let (patches, rest) = scratch.split_at_mut(POSITIONS * patch_stride);
            let (sums, zeros) = rest.split_at_mut(POSITIONS * sum_stride);
            zeros.fill(0.0);
            for tile in 0..tiles {
                let pixels = grid.patch(lines.start + tile / grid.across, tile % grid.across, self.inputs);
                let into = &mut patches[tile * row..];
                microkernel::winograd_input(
                    instructions,
                    input.as_slice(),
                    &pixels,
                    self.inputs,
                    zeros,
                    into,
                    patch_stride,
                );
            }
            for (place, panel) in panels.clone().enumerate() {
                for position in 0..POSITIONS {
                    let left = Rows::dense(&patches[position * patch_stride..], row, self.inputs);
                    let into = &mut sums[position * sum_stride..][..tiles * PANEL];
                    let mut into = Rectangle::whole(into, PANEL);
                    let weights = self.position(panel, position);
                    microkernel::product(instructions, left, weights, Finish::NONE, &mut into);
                }
                let bias = panel_bias(epilogue.bias, panel * PANEL);
                for tile in 0..tiles {
                    let (line, column) = (lines.start + tile / grid.across, tile % grid.across);
                    let (pixel, size) = (grid.first_pixel(line) + column * TILE, grid.tile_size(line, column));
                    let rows = pixel - first_pixel..pixel - first_pixel + (size.0 - 1) * grid.width + size.1;
                    let mut target = output.part(rows, place * PANEL..(place + 1) * PANEL);
                    let finish = epilogue.finish(pixel, self.outputs, panel, &bias);
                    let pixels = TilePixels { rows: size.0, columns: size.1, line: grid.width };
                    let from = (&sums[tile * PANEL..], sum_stride);
                    microkernel::winograd_output(instructions, from, finish, pixels, &mut target);
                }
            }
        });
    }
}

/// `G g Gᵀ` of the weights g of a panel, whose strips have `line` numbers for each kernel position.
#[inline(always)]
fn transform_panel(panel: &[f32], line: usize, into: &mut [f32]) {
    let g = kernel_transform().map(|row| row.map(|value| value as f32));
    // Where the lines of a strip begin, in the weight and in the result.
    let places = (0..PANEL / STRIP).flat_map(|strip| (0..line).step_by(LANES).map(move |place| (strip, place)));
    for (strip, place) in places {
        let from = &panel[strip * 9 * line + place..];
        // Lines first, then columns, LANES numbers at a time.
        let mut rows = [[[0.0f32; LANES]; 3]; PATCH];
        for (i, row) in rows.iter_mut().enumerate() {
            for (s, sums) in row.iter_mut().enumerate() {
                for (r, factor) in g[i].iter().enumerate() {
                    let weights = &from[(r * 3 + s) * line..][..LANES];
                    sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += factor * weight);
                }
            }
        }
        for (i, row) in rows.iter().enumerate() {
            for j in 0..PATCH {
                let target = &mut into[((i * PATCH + j) * (PANEL / STRIP) + strip) * line + place..][..LANES];
                for lane in 0..LANES {
                    target[lane] = g[j][0] * row[0][lane] + g[j][1] * row[1][lane] + g[j][2] * row[2][lane];
                }
            }
        }
    }
}

/// Tiles of 4 × 4 outputs over the images of a batch.
pub(super) struct Grid {
    height: usize,
    width: usize,
    /// Tiles side by side and one below another in an image.
    across: usize,
    down: usize,
    images: usize,
}

impl Grid {
    pub(super) fn of([images, height, width, _]: [usize; 4]) -> Self {
        Self { height, width, across: width.div_ceil(TILE), down: height.div_ceil(TILE), images }
    }

    /// Lines of tiles in all images.
    fn lines(&self) -> usize {
        self.images * self.down
    }

    /// The first pixel of a line of tiles, counted over the batch.
    fn first_pixel(&self, line: usize) -> usize {
        (line / self.down * self.height + line % self.down * TILE) * self.width
    }

    /// Rows and columns of a tile that lie in the image.
    fn tile_size(&self, line: usize, column: usize) -> (usize, usize) {
        (TILE.min(self.height - line % self.down * TILE), TILE.min(self.width - column * TILE))
    }

    /// Tiles of all images.
    pub(super) fn tiles(&self) -> usize {
        self.lines() * self.across
    }

    /// The line of a tile, and its place in it.
    pub(super) fn line_and_column(&self, tile: usize) -> (usize, usize) {
        (tile / self.across, tile % self.across)
    }

    /// Where the pixels under a tile begin, those outside of the image left out.
    pub(super) fn patch(&self, line: usize, column: usize, channels: usize) -> Pixels {
        self.square::<PATCH, _>(line, column, -1, channels)
    }

    /// Where the pixels of a tile itself begin, those outside of the image left out.
    pub(super) fn pixels(&self, line: usize, column: usize, channels: usize) -> [Option<usize>; TILE * TILE] {
        self.square::<TILE, _>(line, column, 0, channels)
    }

    /// Where the pixels of a square begin whose first one lies so many rows and columns behind that of a tile.
    fn square<const SIDE: usize, const PIXELS: usize>(
        &self,
        line: usize,
        column: usize,
        behind: isize,
        channels: usize,
    ) -> [Option<usize>; PIXELS] {
        let (image, top, left) = (line / self.down, line % self.down * TILE, column * TILE);
        std::array::from_fn(|index| {
            let (y, x) =
                ((top + index / SIDE).checked_add_signed(behind)?, (left + index % SIDE).checked_add_signed(behind)?);
            let inside = y < self.height && x < self.width;
            inside.then(|| ((image * self.height + y) * self.width + x) * channels)
        })
    }
}
