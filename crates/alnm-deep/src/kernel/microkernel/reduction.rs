//! Sums over rows of products of two rows: the gradient with respect to a weight.

use super::product::PANEL;
use super::vector::Vector;

/// Left rows that are asked for ahead of their use; they lie far apart.
const AHEAD: usize = 8;

/// Where a reduction reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    /// `count` rows whose first numbers give the rows of the result.
    pub(super) left: *const f32,
    pub(super) left_stride: usize,
    /// `count` rows of [`PANEL`] numbers.
    pub(super) right: *const f32,
    pub(super) right_stride: usize,
    pub(super) count: usize,
    /// The sums are added here.
    pub(super) output: *mut f32,
    pub(super) output_stride: usize,
}

/// `output[i][j] += Σ_p left[p][i] · right[p][j]` for `rows` rows of [`PANEL`] columns.
///
/// # Safety
/// The processor has the instruction set of `V`; every left row may be read at `rows`, every right row and every output
/// row at [`PANEL`] numbers, and nothing else accesses the output meanwhile.
#[inline(always)]
pub(super) unsafe fn reduce<V: Vector>(sums: Sums, rows: usize) {
    let tiles = rows.div_ceil(V::TILE).max(1);
    let (height, taller) = (rows / tiles, rows % tiles);
    let mut row = 0;
    for index in 0..tiles {
        let here = height + usize::from(index < taller);
        let of_tile = Sums {
            left: sums.left.wrapping_add(row),
            output: sums.output.wrapping_add(row * sums.output_stride),
            ..sums
        };
        // SAFETY: rows row..row + here are among those that the caller vouches for.
        unsafe { tile_of_height::<V>(of_tile, here) };
        row += here;
    }
}

#[inline(always)]
unsafe fn tile_of_height<V: Vector>(sums: Sums, rows: usize) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match rows {
                // A constant guard: no instruction set gets the code of tiles that are too tall for it.
                // SAFETY: as of the caller, for as many rows.
                $($height if const { $height <= V::TILE } => unsafe { tile::<V, $height>(sums) },)*
                _ => {}
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize>(sums: Sums) {
    for column in (0..PANEL).step_by(2 * V::LANES) {
        // SAFETY: columns column..column + 2 · LANES lie within the panel, which is a multiple of the width.
        unsafe { strip::<V, ROWS>(sums, column) };
    }
}

#[inline(always)]
unsafe fn strip<V: Vector, const ROWS: usize>(sums: Sums, column: usize) {
    // SAFETY: as of the caller; columns column..column + 2 · LANES exist.
    unsafe {
        let mut totals = [[V::splat(0.0); 2]; ROWS];
        let (mut left, mut right) = (sums.left, sums.right.add(column));
        for _ in 0..sums.count {
            let (first, second) = (V::load(right), V::load(right.add(V::LANES)));
            V::prefetch(left.wrapping_add(AHEAD * sums.left_stride));
            V::prefetch(left.wrapping_add(AHEAD * sums.left_stride + ROWS - 1));
            for r in 0..ROWS {
                let value = V::splat(*left.add(r));
                totals[r][0] = value.mul_add(first, totals[r][0]);
                totals[r][1] = value.mul_add(second, totals[r][1]);
            }
            left = left.wrapping_add(sums.left_stride);
            right = right.wrapping_add(sums.right_stride);
        }
        for r in 0..ROWS {
            for half in 0..2 {
                let into = sums.output.add(r * sums.output_stride + column + half * V::LANES);
                V::load(into).add(totals[r][half]).store(into);
            }
        }
    }
}
