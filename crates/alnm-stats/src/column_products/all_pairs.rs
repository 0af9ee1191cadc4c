//! The products of all pairs of columns as a matrix, in parallel, as matrices are multiplied: the columns lie in panels,
//! row by row, and a tile of products stays in the registers while the rows of two panels pass by.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

/// Rows whose products are summed one after the other; the sums of such chunks are added in order.
pub(super) const CHUNK: usize = 128;
/// Panels on the left that a thread keeps at hand at most, and panels on the right that pass by together. With so many rows,
/// they and their sums fit into the second cache.
const BLOCK: (usize, usize) = (8, 16);
/// Tasks of each thread at least, as far as there are panels for them.
const TASKS: usize = 4;
/// Columns from which on panels are as wide as the processor likes best.
const MANY_COLUMNS: usize = 24;
/// Rows and columns of a block that is mirrored by one thread.
const MIRRORED: usize = 64;

/// The symmetric matrix of the products of columns of equal length; `finish` makes of each product what is wanted.
pub(crate) fn of_all_pairs(columns: &[Vec<f64>], finish: impl Fn(f64) -> f64 + Sync) -> Array2<f64> {
    let mut products = Array2::zeros((columns.len(), columns.len()));
    fill(columns, products.view_mut(), &finish);
    mirror(products.view_mut());
    products
}

/// Fills the matrix up to the diagonal. Panels and tiles are so large that the sums, the numbers that are multiplied and
/// their product just fit into the registers of the processor, which changes no bit.
fn fill(columns: &[Vec<f64>], products: ArrayViewMut2<'_, f64>, finish: &(impl Fn(f64) -> f64 + Sync)) {
    let is_wide = columns.len() >= MANY_COLUMNS;
    #[cfg(target_arch = "x86_64")]
    if is_wide && std::arch::is_x86_feature_detected!("avx512f") {
        return Panels::<24>::of(columns)
            .fill(products, |panels, first, rows| wide::fill_rows(panels, first, rows, finish));
    }
    let arch = pulp::Arch::new();
    if is_wide && arch.dispatch(Lanes) >= 4 {
        return Panels::<12>::of(columns).fill(products, |panels, first, rows| {
            arch.dispatch(Rows::<_, 12, 3> { panels, first, rows, finish });
        });
    }
    Panels::<4>::of(columns).fill(products, |panels, first, rows| {
        arch.dispatch(Rows::<_, 4, 4> { panels, first, rows, finish });
    });
}

/// How many numbers the vectors of the processor hold.
struct Lanes;

impl pulp::WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
        S::F64_LANES
    }
}

/// Columns in panels of `N` side by side. The last panel is filled up with zeros.
struct Panels<const N: usize> {
    /// Rows of each panel.
    rows: usize,
    numbers: Vec<[f64; N]>,
}

impl<const N: usize> Panels<N> {
    fn of(columns: &[Vec<f64>]) -> Self {
        let rows = columns.first().map_or(0, Vec::len);
        let mut numbers = vec![[0.0; N]; rows * columns.len().div_ceil(N)];
        let panels = numbers.par_chunks_mut(rows.max(1)).zip(columns.par_chunks(N));
        panels.for_each(|(panel, columns)| {
            for (place, column) in columns.iter().enumerate() {
                panel.iter_mut().zip(column).for_each(|(row, number)| row[place] = *number);
            }
        });
        Self { rows, numbers }
    }

    /// Some rows of a panel.
    #[inline(always)]
    fn chunk(&self, panel: usize, start: usize) -> &[[f64; N]] {
        let end = self.rows.min(start + CHUNK);
        &self.numbers[panel * self.rows + start..panel * self.rows + end]
    }

    /// Fills blocks of rows of the matrix side by side; `fill_rows` takes also the number of the first panel of a block.
    fn fill(
        &self,
        mut products: ArrayViewMut2<'_, f64>,
        fill_rows: impl Fn(&Self, usize, ArrayViewMut2<'_, f64>) + Sync,
    ) {
        let panels = products.nrows().div_ceil(N);
        let of_block = (panels / (TASKS * rayon::current_num_threads())).clamp(1, BLOCK.0);
        let blocks = products.axis_chunks_iter_mut(Axis(0), of_block * N).into_par_iter();
        blocks.enumerate().for_each(|(number, rows)| fill_rows(self, number * of_block, rows));
    }
}

/// Some rows of the matrix, with the panels that they are computed from.
struct Rows<'a, F, const N: usize, const M: usize> {
    panels: &'a Panels<N>,
    /// The panel of the first row.
    first: usize,
    rows: ArrayViewMut2<'a, f64>,
    finish: &'a F,
}

impl<F: Fn(f64) -> f64, const N: usize, const M: usize> pulp::WithSimd for Rows<'_, F, N, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        fill_rows::<F, N, M>(self.panels, self.first, self.rows, self.finish);
    }
}

/// The same with vectors of eight numbers, which pulp leaves out here since each instruction set more is compiled in every
/// crate.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod wide {
    use ndarray::ArrayViewMut2;

    use super::Panels;

    /// Fills some rows. The processor must have AVX-512F.
    pub(super) fn fill_rows<F: Fn(f64) -> f64>(
        panels: &Panels<24>,
        first: usize,
        rows: ArrayViewMut2<'_, f64>,
        finish: &F,
    ) {
        #[target_feature(enable = "avx512f")]
        fn inside<F: Fn(f64) -> f64>(panels: &Panels<24>, first: usize, rows: ArrayViewMut2<'_, f64>, finish: &F) {
            super::fill_rows::<F, 24, 8>(panels, first, rows, finish);
        }
        assert!(std::arch::is_x86_feature_detected!("avx512f"), "the processor must have AVX-512F");
        // SAFETY: the processor has AVX-512F, as was just asserted.
        unsafe { inside(panels, first, rows, finish) }
    }
}

/// Fills some rows of the matrix, the first of which belongs to the panel `first`, up to the diagonal.
#[inline(always)]
fn fill_rows<F: Fn(f64) -> f64, const N: usize, const M: usize>(
    panels: &Panels<N>,
    first: usize,
    mut rows: ArrayViewMut2<'_, f64>,
    finish: &F,
) {
    let left = rows.nrows().div_ceil(N);
    let mut sums = vec![[[0.0; N]; N]; left * BLOCK.1];
    for start in (0..first + left).step_by(BLOCK.1) {
        let right = start..(first + left).min(start + BLOCK.1);
        sums.fill([[0.0; N]; N]);
        for chunk in (0..panels.rows).step_by(CHUNK) {
            for (of_right, panel) in sums.chunks_exact_mut(left).zip(right.clone()) {
                let passing = panels.chunk(panel, chunk);
                // Above the diagonal nothing is wanted.
                for i in panel.saturating_sub(first)..left {
                    add_products::<N, M>(panels.chunk(first + i, chunk), passing, &mut of_right[i]);
                }
            }
        }
        for (of_right, panel) in sums.chunks_exact(left).zip(right) {
            for (i, of_panels) in of_right.iter().enumerate().skip(panel.saturating_sub(first)) {
                for (row, of_row) in (i * N..rows.nrows()).zip(of_panels) {
                    let columns = panel * N..(panel * N + N).min(first * N + row + 1);
                    for (column, sum) in columns.zip(of_row) {
                        rows[[row, column]] = finish(*sum);
                    }
                }
            }
        }
    }
}

/// Adds to each sum the products of a column on the left and one on the right over a chunk of their rows.
#[inline(always)]
fn add_products<const N: usize, const M: usize>(left: &[[f64; N]], right: &[[f64; N]], sums: &mut [[f64; N]; N]) {
    for (tile, sums) in sums.chunks_exact_mut(M).enumerate() {
        let mut of_chunk = [[0.0; N]; M];
        for (left, right) in left.iter().zip(right) {
            let left = &left.as_chunks::<M>().0[tile];
            for i in 0..M {
                for j in 0..N {
                    of_chunk[i][j] += left[i] * right[j];
                }
            }
        }
        for (sums, of_chunk) in sums.iter_mut().zip(&of_chunk) {
            sums.iter_mut().zip(of_chunk).for_each(|(sum, part)| *sum += part);
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
