//! The products of all pairs of columns as a matrix, in parallel.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayViewMut2, Axis};

use super::{InTiles, NO_PARTS, Parts, TILE, by_widest_vectors, of_parts, whole};

/// Bytes of the columns that a thread keeps in its second-level cache while all others pass by.
const BLOCK_BYTES: usize = 256 << 10;
/// Tiles side by side whose columns are summed some rows at a time, so that these rows stay in the first-level cache: eight
/// columns by twelve.
const TILES: (usize, usize) = (4, 4);
/// Columns of a group of tiles.
const GROUP: (usize, usize) = (TILES.0 * TILE.0, TILES.1 * TILE.1);
/// Rows that are summed at a time: 1 KiB of a column.
const ROWS: usize = 128;
/// Rows and columns of a block that is mirrored by one thread.
const MIRRORED: usize = 64;

/// The symmetric matrix of the products of columns of equal length; `finish` makes of each product what is wanted.
pub(crate) fn of_all_pairs(columns: &[Vec<f64>], finish: impl Fn(f64) -> f64 + Sync) -> Array2<f64> {
    let p = columns.len();
    let mut products = Array2::zeros((p, p));
    let bytes = columns.first().map_or(0, Vec::len).max(1) * size_of::<f64>();
    let block = (BLOCK_BYTES / bytes).clamp(GROUP.0, 256).next_multiple_of(GROUP.0);
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
    fn fill(mut self, add: impl Fn([&[f64]; TILE.0], [&[f64]; TILE.1], &mut Parts)) {
        let end = self.first + self.rows.nrows();
        for column in (0..end).step_by(GROUP.1) {
            // Groups of rows before the first that reaches the diagonal hold nothing below it.
            let start = column.saturating_sub(self.first) / GROUP.0 * GROUP.0;
            for row in (self.first + start..end).step_by(GROUP.0) {
                self.fill_group([row, column], &add);
            }
        }
    }
}

impl<F: Fn(f64) -> f64> LowerRows<'_, F> {
    /// Fills what lies below the diagonal of a group of tiles from a row and a column on.
    #[inline(always)]
    fn fill_group(&mut self, [row, column]: [usize; 2], add: &impl Fn([&[f64]; TILE.0], [&[f64]; TILE.1], &mut Parts)) {
        let last = self.first + self.rows.nrows() - 1;
        let mut parts = [[NO_PARTS; TILES.1]; TILES.0];
        let tiles = || (0..TILES.0).flat_map(|i| (0..TILES.1).map(move |j| (i, j)));
        // Columns beyond the last are the last again.
        let rows = |i: usize| std::array::from_fn::<_, { TILE.0 }, _>(|k| last.min(row + i * TILE.0 + k));
        let columns = |j: usize| std::array::from_fn::<_, { TILE.1 }, _>(|k| last.min(column + j * TILE.1 + k));
        let is_wanted = |&(i, j): &(usize, usize)| {
            row + i * TILE.0 <= last && column + j * TILE.1 <= last.min(row + (i + 1) * TILE.0 - 1)
        };
        let all = whole(self.columns[last].len());
        for start in (0..all).step_by(ROWS) {
            let summed = start..all.min(start + ROWS);
            for (i, j) in tiles().filter(is_wanted) {
                let left = rows(i).map(|k| &self.columns[k][summed.clone()]);
                add(left, columns(j).map(|k| &self.columns[k][summed.clone()]), &mut parts[i][j]);
            }
        }
        for (i, j) in tiles().filter(is_wanted) {
            let (left, right) = (rows(i), columns(j));
            let column_of = |k: usize| &self.columns[k][..];
            let products = of_parts(&parts[i][j], left.map(column_of), right.map(column_of));
            for (row, products) in left.iter().zip(products) {
                for (column, product) in right.iter().zip(products) {
                    if column <= row {
                        self.rows[[row - self.first, *column]] = (self.finish)(product);
                    }
                }
            }
        }
    }
}

/// Copies what lies below the diagonal to above it: the lower left quarter to the upper right one, then within the
/// other two.
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
