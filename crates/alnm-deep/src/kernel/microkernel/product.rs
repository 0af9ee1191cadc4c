//! Products of a few rows with a panel of packed weights, the sums held in registers.

use super::vector::Vector;

/// Output channels of a panel.
pub(crate) const PANEL: usize = 32;

/// Rows of a panel that are asked for ahead of their use: at small batches weights come from memory as they are needed.
const AHEAD: usize = 32;

/// Where a product reads and writes; see [`sweep`] for what has to hold.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// The first row of the left factor, and the distance of its rows.
    pub(super) left: *const f32,
    pub(super) left_stride: usize,
    /// A row is `segments` runs of `run` numbers, `segment_stride` apart.
    pub(super) segments: usize,
    pub(super) segment_stride: usize,
    pub(super) run: usize,
    /// `segments · run` rows of [`PANEL`] numbers.
    pub(super) panel: *const f32,
    /// [`PANEL`] numbers added to every row.
    pub(super) bias: *const f32,
    /// Added to the product, row by row; null for none. May be the output itself.
    pub(super) addend: *const f32,
    pub(super) addend_stride: usize,
    pub(super) output: *mut f32,
    pub(super) output_stride: usize,
    /// Sums below are raised to it: 0 for a rectified linear unit, −∞ for none.
    pub(super) floor: f32,
}

impl Operands {
    /// The operands from row `row` of the product on.
    #[inline(always)]
    fn starting_at(self, row: usize) -> Self {
        Self {
            left: self.left.wrapping_add(row * self.left_stride),
            addend: if self.addend.is_null() {
                self.addend
            } else {
                self.addend.wrapping_add(row * self.addend_stride)
            },
            output: self.output.wrapping_add(row * self.output_stride),
            ..self
        }
    }

    /// Asks for what the end of a tile reads and writes, so that it comes from memory while the products are summed.
    #[inline(always)]
    fn prefetch<V: Vector>(&self, rows: usize) {
        for row in 0..rows {
            for line in (0..PANEL).step_by(16) {
                V::prefetch(self.output.wrapping_add(row * self.output_stride + line));
                if !self.addend.is_null() {
                    V::prefetch(self.addend.wrapping_add(row * self.addend_stride + line));
                }
            }
        }
    }
}

/// `output = max(left · panel + bias + addend, floor)` for `rows` rows of [`PANEL`] columns.
///
/// # Safety
/// The processor has the instruction set of `V`. With `n = segments · run`: every row `i < rows` of the left factor may
/// be read at `i · left_stride + s · segment_stride + k` (`s < segments`, `k < run`), the panel at `n · PANEL` numbers,
/// the bias at `PANEL`, rows of addend and output at `PANEL` numbers, and nothing else accesses the output meanwhile.
#[inline(always)]
pub(super) unsafe fn sweep<V: Vector>(operands: Operands, rows: usize) {
    let tiles = rows.div_ceil(V::TILE).max(1);
    let (height, taller) = (rows / tiles, rows % tiles);
    let mut row = 0;
    for index in 0..tiles {
        let here = height + usize::from(index < taller);
        let of_tile = operands.starting_at(row);
        of_tile.prefetch::<V>(here);
        // SAFETY: the rows row..row + here are among those that the caller vouches for.
        unsafe { tile_of_height::<V>(of_tile, here) };
        row += here;
    }
}

/// A tile of at most [`Vector::TILE`] rows, by its height.
#[inline(always)]
unsafe fn tile_of_height<V: Vector>(operands: Operands, rows: usize) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match rows {
                // A constant guard: no instruction set gets the code of tiles that are too tall for it.
                // SAFETY: as of the caller, for as many rows.
                $($height if const { $height <= V::TILE } => unsafe { tile::<V, $height>(operands) },)*
                _ => {}
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// A tile of `ROWS` rows, two registers at a time across the panel.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize>(operands: Operands) {
    let width = 2 * V::LANES;
    for column in (0..PANEL).step_by(width) {
        // SAFETY: columns column..column + width lie within the panel, which is a multiple of the width.
        unsafe { strip::<V, ROWS>(operands, column) };
    }
}

#[inline(always)]
unsafe fn strip<V: Vector, const ROWS: usize>(operands: Operands, column: usize) {
    let Operands { left, left_stride, segments, segment_stride, run, .. } = operands;
    // SAFETY: all accesses lie in what the caller of `sweep` vouches for: the left factor is read at row r < ROWS, the
    // panel at its rows in order, bias, addend and output at columns column..column + 2 · LANES ≤ PANEL.
    unsafe {
        let mut sums = [[V::splat(0.0); 2]; ROWS];
        let mut panel = operands.panel.add(column);
        for segment in 0..segments {
            let left = left.add(segment * segment_stride);
            for k in 0..run {
                let (first, second) = (V::load(panel), V::load(panel.add(V::LANES)));
                V::prefetch(panel.wrapping_add(AHEAD * PANEL));
                V::prefetch(panel.wrapping_add(AHEAD * PANEL + V::LANES));
                panel = panel.add(PANEL);
                for r in 0..ROWS {
                    let value = V::splat(*left.add(r * left_stride + k));
                    sums[r][0] = value.mul_add(first, sums[r][0]);
                    sums[r][1] = value.mul_add(second, sums[r][1]);
                }
            }
        }
        let floor = V::splat(operands.floor);
        for half in 0..2 {
            let column = column + half * V::LANES;
            let bias = V::load(operands.bias.add(column));
            for r in 0..ROWS {
                let mut sum = sums[r][half].add(bias);
                if !operands.addend.is_null() {
                    sum = sum.add(V::load(operands.addend.add(r * operands.addend_stride + column)));
                }
                // NaN stays NaN.
                floor.max(sum).store(operands.output.add(r * operands.output_stride + column));
            }
        }
    }
}
