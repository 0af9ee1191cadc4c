//! The products of all pairs of columns as a matrix, in parallel.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayViewMut2, Axis};

use super::{InTiles, TILE, by_widest_vectors};

/// Bytes of the columns that a thread keeps at hand while all others pass by.
const BLOCK_BYTES: usize = 512 << 10;
/// Rows and columns of a block that is mirrored by one thread.
const MIRRORED: usize = 64;

/// The symmetric matrix of the products of columns of equal length; `finish` makes of each product what is wanted.
pub(crate) fn of_all_pairs(columns: &[Vec<f64>], finish: impl Fn(f64) -> f64 + Sync) -> Array2<f64> {
    let p = columns.len();
    let mut products = Array2::zeros((p, p));
    let bytes = columns.first().map_or(0, Vec::len).max(1) * size_of::<f64>();
    let block = (BLOCK_BYTES / bytes).clamp(TILE.0, 256).next_multiple_of(TILE.0);
    products.axis_chunks_iter_mut(Axis(0), block).into_par_iter().enumerate().for_each(|(number, rows)| {
        by_widest_vectors(LowerRows { columns, first: number * block, rows, finish: &finish });
    });
    mirror(products.view_mut());
    products
}

/// Some rows of the matrix, up to the diagonal.
struct LowerRows<'a, F> {
    columns: &'a [Vec<f64>],
    /// Number of the first row.
    first: usize,
    rows: ArrayViewMut2<'a, f64>,
    finish: &'a F,
}

impl<F: Fn(f64) -> f64> InTiles for LowerRows<'_, F> {
    #[inline(always)]
    fn fill(mut self, tile: impl Fn([&[f64]; 2], [&[f64]; 3]) -> [[f64; 3]; 2]) {
        let last = self.first + self.rows.nrows() - 1;
        for j in (0..=last).step_by(TILE.1) {
            // Columns beyond the last are the last again.
            let right = [j, last.min(j + 1), last.min(j + 2)];
            let start = (j.saturating_sub(self.first)) / TILE.0 * TILE.0;
            for i in (start..self.rows.nrows()).step_by(TILE.0) {
                let left = [self.first + i, last.min(self.first + i + 1)];
                let tile = tile(left.map(|k| &self.columns[k][..]), right.map(|k| &self.columns[k][..]));
                for (row, products) in left.iter().zip(tile) {
                    for (column, product) in right.iter().zip(products) {
                        if column <= row {
                            self.rows[[row - self.first, *column]] = (self.finish)(product);
                        }
                    }
                }
            }
        }
    }
}

/// Copies what lies below the diagonal to above it: the lower left quarter to the upper right one, then within the other
/// two.
fn mirror(matrix: ArrayViewMut2<'_, f64>) {
    let p = matrix.nrows();
    if p < 2 {
        return;
    }
    let half = p.div_ceil(2);
    let (upper, lower) = matrix.split_at(Axis(0), half);
    let (upper_left, mut upper_right) = upper.split_at(Axis(1), half);
    let (lower_left, lower_right) = lower.split_at(Axis(1), half);
    upper_right.axis_chunks_iter_mut(Axis(0), MIRRORED).into_par_iter().enumerate().for_each(|(number, mut rows)| {
        let below = lower_left.slice(ndarray::s![.., number * MIRRORED..number * MIRRORED + rows.nrows()]);
        // In squares, so that what is read and what is written stay in the cache.
        for (mut target, source) in
            rows.axis_chunks_iter_mut(Axis(1), MIRRORED).zip(below.axis_chunks_iter(Axis(0), MIRRORED))
        {
            target.assign(&source.t());
        }
    });
    rayon::join(|| mirror(upper_left), || mirror(lower_right));
}
