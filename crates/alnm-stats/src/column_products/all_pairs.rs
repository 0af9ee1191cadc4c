//! The products of all pairs of columns as a matrix, in parallel, as matrices are multiplied: the columns lie in panels,
//! row by row, and a tile of products stays in the registers while the rows of two panels pass by. The matrix is divided
//! again and again into what lies on the diagonal and pairs of rectangles below and above it, which are filled together.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use pulp::Simd;
use rayon::prelude::*;

use crate::memory::{Aligned, prefer_large_pages};

/// Rows whose products are summed one after the other; the sums of such chunks are added in order.
pub(super) const CHUNK: usize = 128;
/// Panels of the rows and of the columns of a rectangle that is filled at once, at most. Chunks of them and their sums fit
/// into the second cache.
const AT_ONCE: (usize, usize) = (8, 16);
/// Columns on the left of a tile.
const HEIGHT: usize = 4;
/// Columns from which on panels are as wide as the processor likes best.
const MANY_COLUMNS: usize = 24;

/// Columns of one length, of which a range is computed when it is asked for.
pub(crate) trait Columns: Sync {
    /// Number of columns.
    fn count(&self) -> usize;
    /// Length of each.
    fn rows(&self) -> usize;
    /// Some of them.
    fn some(&self, range: Range<usize>) -> Vec<Vec<f64>>;
}

/// The symmetric matrix of the products of columns; `finish` makes of each product what is wanted.
pub(crate) fn of_all_pairs(columns: &impl Columns, finish: impl Fn(f64) -> f64 + Sync) -> Array2<f64> {
    let mut products = Array2::zeros((columns.count(), columns.count()));
    prefer_large_pages(products.as_slice().unwrap_or_default());
    fill(columns, products.view_mut(), &finish);
    products
}

/// Fills the matrix. Panels and tiles are so large that the sums and the numbers that are multiplied just fit into the
/// registers of the processor, which changes no bit.
fn fill(columns: &impl Columns, products: ArrayViewMut2<'_, f64>, finish: &(impl Fn(f64) -> f64 + Sync)) {
    let is_wide = columns.count() >= MANY_COLUMNS;
    #[cfg(target_arch = "x86_64")]
    if is_wide && std::arch::is_x86_feature_detected!("avx512f") {
        return Panels::<{ wide::WIDTH }>::of(columns)
            .fill(products, &|panels, pair| wide::tiles(panels, pair, finish));
    }
    let arch = pulp::Arch::new();
    match arch.dispatch(Lanes) {
        4.. if is_wide => Panels::<12>::of(columns)
            .fill(products, &|panels, pair| arch.dispatch(Tiles::<_, 12, 3> { panels, pair, finish })),
        4.. => Panels::<4>::of(columns)
            .fill(products, &|panels, pair| arch.dispatch(Tiles::<_, 4, 1> { panels, pair, finish })),
        2.. if rounds_once() => Panels::<4>::of(columns)
            .fill(products, &|panels, pair| arch.dispatch(Tiles::<_, 4, 2> { panels, pair, finish })),
        _ => Panels::<4>::of(columns).fill(products, &|panels, pair| tiles(panels, pair, finish, add_plain_products)),
    }
}

/// Whether the processor multiplies and adds in one rounding.
pub(super) fn rounds_once() -> bool {
    cfg!(target_arch = "aarch64") || pulp::Arch::new().dispatch(Lanes) >= 4
}

/// How many numbers the vectors of the processor hold.
struct Lanes;

impl pulp::WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F64_LANES
    }
}

/// Columns in panels of `N` side by side. The last panel is filled up with zeros.
struct Panels<const N: usize> {
    /// Rows of each panel.
    rows: usize,
    numbers: Aligned<f64>,
}

/// Products of the columns of panels on the left and on the right, a tile for each panel on the left, for each on the
/// right.
type Products<const N: usize> = Vec<[[f64; N]; N]>;

/// Panels on the left and panels on the right.
#[derive(Clone)]
struct Pair {
    left: Range<usize>,
    right: Range<usize>,
}

impl<const N: usize> Panels<N> {
    fn of(columns: &impl Columns) -> Self {
        let (count, rows) = (columns.count(), columns.rows());
        let mut numbers = Aligned::zeros(rows * count.next_multiple_of(N));
        numbers.par_chunks_mut((rows * N).max(1)).enumerate().for_each(|(number, panel)| {
            let start = number * N;
            for (place, column) in columns.some(start..count.min(start + N)).iter().enumerate() {
                panel.chunks_exact_mut(N).zip(column).for_each(|(row, number)| row[place] = *number);
            }
        });
        Self { rows, numbers }
    }

    /// Some rows of a panel.
    #[inline(always)]
    fn chunk(&self, panel: usize, start: usize) -> &[[f64; N]] {
        let end = self.rows.min(start + CHUNK);
        &self.numbers.as_chunks().0[panel * self.rows + start..panel * self.rows + end]
    }

    /// Fills the matrix with what `products` gives for pairs of panels, side by side.
    fn fill(&self, matrix: ArrayViewMut2<'_, f64>, products: &(impl Fn(&Self, Pair) -> Products<N> + Sync)) {
        let panels = matrix.nrows().div_ceil(N);
        fill_square(0..panels, matrix, &|pair| products(self, pair));
    }
}

/// Fills a square on the diagonal, whose rows and columns are those of some panels.
fn fill_square<const N: usize>(
    panels: Range<usize>,
    mut square: ArrayViewMut2<'_, f64>,
    products: &(impl Fn(Pair) -> Products<N> + Sync),
) {
    if panels.len() <= 1 {
        let size = square.nrows();
        for tile in products(Pair { left: panels.clone(), right: panels }) {
            square.assign(&ArrayView2::from(&tile).slice(s![..size, ..size]));
        }
        return;
    }
    let half = panels.len().div_ceil(2);
    let (first, second) = (panels.start..panels.start + half, panels.start + half..panels.end);
    let (upper, lower) = square.split_at(Axis(0), half * N);
    let (upper_left, above) = upper.split_at(Axis(1), half * N);
    let (below, lower_right) = lower.split_at(Axis(1), half * N);
    let rectangle = Rectangle { pair: Pair { left: second.clone(), right: first.clone() }, below, above };
    rayon::join(
        || rectangle.fill(products),
        || rayon::join(|| fill_square(first, upper_left, products), || fill_square(second, lower_right, products)),
    );
}

/// A rectangle of the matrix on one side of the diagonal, and its mirror image on the other.
struct Rectangle<'a> {
    pair: Pair,
    /// With a row for each column on the left.
    below: ArrayViewMut2<'a, f64>,
    /// With a row for each column on the right.
    above: ArrayViewMut2<'a, f64>,
}

impl Rectangle<'_> {
    /// The same with left and right exchanged.
    fn flipped(self) -> Self {
        let Self { pair: Pair { left, right }, below, above } = self;
        Self { pair: Pair { left: right, right: left }, below: above, above: below }
    }

    /// The halves of the panels on the left.
    fn halves<const N: usize>(self) -> [Self; 2] {
        let Self { pair: Pair { left, right }, below, above } = self;
        let half = left.len() / 2;
        let (first, second) = (left.start..left.start + half, left.start + half..left.end);
        let (first_below, second_below) = below.split_at(Axis(0), half * N);
        let (first_above, second_above) = above.split_at(Axis(1), half * N);
        [
            Self { pair: Pair { left: first, right: right.clone() }, below: first_below, above: first_above },
            Self { pair: Pair { left: second, right }, below: second_below, above: second_above },
        ]
    }

    /// Fills it in parts that the cache holds, side by side.
    fn fill<const N: usize>(mut self, products: &(impl Fn(Pair) -> Products<N> + Sync)) {
        let halves = if self.pair.left.len() > AT_ONCE.0 {
            self.halves::<N>()
        } else if self.pair.right.len() > AT_ONCE.1 {
            self.flipped().halves::<N>().map(Self::flipped)
        } else {
            let tiles = products(self.pair.clone());
            let of_panel = self.below.axis_chunks_iter_mut(Axis(1), N).zip(self.above.axis_chunks_iter_mut(Axis(0), N));
            for ((mut below, mut above), tiles) in of_panel.zip(tiles.chunks_exact(self.pair.left.len())) {
                let places = below.axis_chunks_iter_mut(Axis(0), N).zip(above.axis_chunks_iter_mut(Axis(1), N));
                for ((mut below, mut above), tile) in places.zip(tiles) {
                    let tile = ArrayView2::from(tile);
                    let tile = tile.slice(s![..below.nrows(), ..below.ncols()]);
                    below.assign(&tile);
                    above.assign(&tile.t());
                }
            }
            return;
        };
        let [first, second] = halves;
        rayon::join(|| first.fill(products), || second.fill(products));
    }
}

/// Tiles of products by the processor's vectors, of which a row of a panel takes `K`.
struct Tiles<'a, F, const N: usize, const K: usize> {
    panels: &'a Panels<N>,
    pair: Pair,
    finish: &'a F,
}

impl<F: Fn(f64) -> f64, const N: usize, const K: usize> pulp::WithSimd for Tiles<'_, F, N, K> {
    type Output = Products<N>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Products<N> {
        tiles(
            self.panels,
            self.pair,
            self.finish,
            #[inline(always)]
            |left, right, sums| add_products::<S, N, K>(simd, left, right, sums),
        )
    }
}

/// The same with vectors of eight numbers, which pulp leaves out here since each instruction set more is compiled in every
/// crate.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod wide {
    use std::arch::x86_64::{
        __m512d, _mm512_add_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_set1_pd, _mm512_setzero_pd, _mm512_storeu_pd,
    };

    use super::{Pair, Panels, Products};

    /// Columns of a panel: three vectors.
    pub(super) const WIDTH: usize = 3 * LANES;
    /// Numbers of a vector.
    const LANES: usize = 8;
    /// Columns on the left of a tile: with three vectors each, their sums take 24 of the 32 registers.
    const HEIGHT: usize = 8;

    /// Tiles of products. The processor must have AVX-512F.
    pub(super) fn tiles<F: Fn(f64) -> f64>(panels: &Panels<WIDTH>, pair: Pair, finish: &F) -> Products<WIDTH> {
        #[target_feature(enable = "avx512f")]
        fn inside<F: Fn(f64) -> f64>(panels: &Panels<WIDTH>, pair: Pair, finish: &F) -> Products<WIDTH> {
            super::tiles(panels, pair, finish, |left, right, sums| add_products(left, right, sums))
        }
        assert!(std::arch::is_x86_feature_detected!("avx512f"), "the processor must have AVX-512F");
        // SAFETY: the processor has AVX-512F, as was just asserted.
        unsafe { inside(panels, pair, finish) }
    }

    /// As [`super::add_products`]. Vectors are named here: left to itself, the compiler takes the columns on the left for
    /// vectors and gathers their sums from memory.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn add_products(left: &[[f64; WIDTH]], right: &[[f64; WIDTH]], sums: &mut [[f64; WIDTH]; WIDTH]) {
        for (tile, sums) in sums.as_chunks_mut::<HEIGHT>().0.iter_mut().enumerate() {
            let mut of_chunk = [[_mm512_setzero_pd(); 3]; HEIGHT];
            for (left, right) in left.iter().zip(right) {
                let right = vectors(right);
                for (of_chunk, &left) in of_chunk.iter_mut().zip(&left.as_chunks::<HEIGHT>().0[tile]) {
                    let left = _mm512_set1_pd(left);
                    of_chunk.iter_mut().zip(right).for_each(|(sum, right)| *sum = _mm512_fmadd_pd(left, right, *sum));
                }
            }
            for (sums, of_chunk) in sums.iter_mut().zip(of_chunk) {
                let before = vectors(sums);
                for (k, into) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let sum = _mm512_add_pd(before[k], of_chunk[k]);
                    // SAFETY: the reference is to eight numbers, as many as are stored; they need not be aligned.
                    unsafe { _mm512_storeu_pd(into.as_mut_ptr(), sum) };
                }
            }
        }
    }

    /// The numbers of a row in three vectors.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn vectors(numbers: &[f64; WIDTH]) -> [__m512d; 3] {
        let [a, b, c] = [0, LANES, 2 * LANES].map(|start| numbers[start..].as_ptr());
        // SAFETY: from each place on there are eight numbers, as many as are loaded; they need not be aligned.
        unsafe { [_mm512_loadu_pd(a), _mm512_loadu_pd(b), _mm512_loadu_pd(c)] }
    }
}

/// Products of the columns of all panels on the left with those of all on the right.
#[inline(always)]
fn tiles<F: Fn(f64) -> f64, const N: usize>(
    panels: &Panels<N>,
    Pair { left, right }: Pair,
    finish: &F,
    add_products: impl Fn(&[[f64; N]], &[[f64; N]], &mut [[f64; N]; N]),
) -> Products<N> {
    let mut sums = vec![[[0.0; N]; N]; left.len() * right.len()];
    for chunk in (0..panels.rows).step_by(CHUNK) {
        for (of_right, panel) in sums.chunks_exact_mut(left.len()).zip(right.clone()) {
            let passing = panels.chunk(panel, chunk);
            for (sums, panel) in of_right.iter_mut().zip(left.clone()) {
                add_products(panels.chunk(panel, chunk), passing, sums);
            }
        }
    }
    sums.as_flattened_mut().as_flattened_mut().iter_mut().for_each(|sum| *sum = finish(*sum));
    sums
}

/// Adds to each sum the products of a column on the left and one on the right over a chunk of their rows. Vectors are
/// named: left to itself, the compiler takes the columns on the left for vectors and gathers their sums from memory.
#[inline(always)]
fn add_products<S: Simd, const N: usize, const K: usize>(
    simd: S,
    left: &[[f64; N]],
    right: &[[f64; N]],
    sums: &mut [[f64; N]; N],
) {
    for (tile, sums) in sums.as_chunks_mut::<HEIGHT>().0.iter_mut().enumerate() {
        let mut of_chunk = [[simd.splat_f64s(0.0); K]; HEIGHT];
        for (left, right) in left.iter().zip(right) {
            let right = S::as_simd_f64s(right).0;
            for (of_chunk, &left) in of_chunk.iter_mut().zip(&left.as_chunks::<HEIGHT>().0[tile]) {
                let left = simd.splat_f64s(left);
                of_chunk.iter_mut().zip(right).for_each(|(sum, &right)| *sum = simd.mul_add_f64s(left, right, *sum));
            }
        }
        for (sums, of_chunk) in sums.iter_mut().zip(of_chunk) {
            let sums = S::as_mut_simd_f64s(sums).0;
            sums.iter_mut().zip(of_chunk).for_each(|(sum, part)| *sum = simd.add_f64s(*sum, part));
        }
    }
}

/// The same for a processor without an instruction that multiplies and adds in one rounding.
fn add_plain_products<const N: usize>(left: &[[f64; N]], right: &[[f64; N]], sums: &mut [[f64; N]; N]) {
    let mut of_chunk = [[0.0; N]; N];
    for (left, right) in left.iter().zip(right) {
        for (of_chunk, left) in of_chunk.iter_mut().zip(left) {
            of_chunk.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
        }
    }
    for (sums, of_chunk) in sums.iter_mut().zip(of_chunk) {
        sums.iter_mut().zip(of_chunk).for_each(|(sum, part)| *sum += part);
    }
}
