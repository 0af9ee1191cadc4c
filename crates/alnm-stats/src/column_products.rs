//! Products of all pairs of columns, xᵀx of many and xᵀwx of few, with the processor's vector instructions.
//!
//! Every product is summed in one fixed order: wherever two columns stand, and whatever the number of threads, it has the
//! same bits. With weights the sum has [`LANES`] interleaved parts, and the rows that are left over after them, as
//! [`crate::linear::dot`] has it, on every processor. Without, it is that of chunks of rows, whose numbers are multiplied
//! and added in one rounding; a processor that lacks this instruction (x86 before AVX2) rounds twice, and the last bits
//! differ.

#[cfg(feature = "inference")]
mod all_pairs;

use pulp::Simd;

#[cfg(feature = "inference")]
pub(crate) use all_pairs::{Columns, of_all_pairs};

/// Interleaved parts of a sum.
const LANES: usize = 8;
/// Columns of one tile of products.
const TILE: (usize, usize) = (2, 3);

/// A matrix that is filled tile by tile.
trait InTiles {
    /// Fills it with tiles that `tile` computes: products of each of two columns with each of three.
    fn fill(self, tile: impl Fn([&[f64]; 2], [&[f64]; 3]) -> [[f64; 3]; 2]);
}

/// Fills a matrix with the widest vectors that the processor has.
fn by_widest_vectors(matrix: impl InTiles) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        wide::fill(matrix);
        return;
    }
    pulp::Arch::new().dispatch(ByPulp(matrix));
}

/// A matrix that is filled with pulp's vectors.
struct ByPulp<M>(M);

impl<M: InTiles> pulp::WithSimd for ByPulp<M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.fill(
            #[inline(always)]
            |a, b| tile(simd, a, b),
        );
    }
}

/// Vectors of eight numbers, which pulp leaves out here since each instruction set more is compiled in every crate.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod wide {
    use std::arch::x86_64::{
        __m512d, _mm512_add_pd, _mm512_loadu_pd, _mm512_mul_pd, _mm512_setzero_pd, _mm512_storeu_pd,
    };

    use super::{InTiles, LANES};

    /// Fills a matrix. The processor must have AVX-512F.
    pub(super) fn fill(matrix: impl InTiles) {
        #[target_feature(enable = "avx512f")]
        fn inside(matrix: impl InTiles) {
            matrix.fill(|a, b| tile(a, b));
        }
        assert!(std::arch::is_x86_feature_detected!("avx512f"), "the processor must have AVX-512F");
        // SAFETY: the processor has AVX-512F, as was just asserted.
        unsafe { inside(matrix) }
    }

    /// As [`super::tile`], with the same order of sums.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn tile(a: [&[f64]; 2], b: [&[f64]; 3]) -> [[f64; 3]; 2] {
        let (a0, rest_of_a0) = a[0].as_chunks::<LANES>();
        let (a1, rest_of_a1) = a[1].as_chunks::<LANES>();
        let (b0, rest_of_b0) = b[0].as_chunks::<LANES>();
        let (b1, rest_of_b1) = b[1].as_chunks::<LANES>();
        let (b2, rest_of_b2) = b[2].as_chunks::<LANES>();
        let blocks = a0.len();
        let (a1, b0, b1, b2) = (&a1[..blocks], &b0[..blocks], &b1[..blocks], &b2[..blocks]);
        let mut parts = [[_mm512_setzero_pd(); 3]; 2];
        for k in 0..blocks {
            let a = [load(&a0[k]), load(&a1[k])];
            let b = [load(&b0[k]), load(&b1[k]), load(&b2[k])];
            for i in 0..2 {
                for j in 0..3 {
                    parts[i][j] = _mm512_add_pd(parts[i][j], _mm512_mul_pd(a[i], b[j]));
                }
            }
        }
        let (rest_of_a, rest_of_b) = ([rest_of_a0, rest_of_a1], [rest_of_b0, rest_of_b1, rest_of_b2]);
        let mut products = [[0.0; 3]; 2];
        for i in 0..2 {
            for j in 0..3 {
                let tail: f64 = rest_of_a[i].iter().zip(rest_of_b[j]).map(|(x, y)| x * y).sum();
                products[i][j] = lanes(parts[i][j]).iter().sum::<f64>() + tail;
            }
        }
        products
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(numbers: &[f64; LANES]) -> __m512d {
        // SAFETY: the reference is to eight numbers, as many as are loaded; they need not be aligned.
        unsafe { _mm512_loadu_pd(numbers.as_ptr()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn lanes(vector: __m512d) -> [f64; LANES] {
        let mut numbers = [0.0; LANES];
        // SAFETY: there is room for eight numbers, as many as are stored; it need not be aligned.
        unsafe { _mm512_storeu_pd(numbers.as_mut_ptr(), vector) };
        numbers
    }
}

/// The symmetric matrix of the products of columns with weights, row by row; all have one length.
pub(crate) fn weighted(columns: &[&[f64]], weights: &[f64]) -> Vec<f64> {
    let size = columns.len();
    let mut products = vec![0.0; size * size];
    by_widest_vectors(Weighted { columns, weights, products: &mut products });
    for i in 0..size {
        for j in 0..i {
            products[j * size + i] = products[i * size + j];
        }
    }
    products
}

/// The weighted products up to the diagonal.
struct Weighted<'a> {
    columns: &'a [&'a [f64]],
    weights: &'a [f64],
    products: &'a mut [f64],
}

impl InTiles for Weighted<'_> {
    #[inline(always)]
    fn fill(self, tile: impl Fn([&[f64]; 2], [&[f64]; 3]) -> [[f64; 3]; 2]) {
        let Self { columns, weights, products } = self;
        let size = columns.len();
        let mut weighted = [vec![0.0; weights.len()], vec![0.0; weights.len()]];
        for i in (0..size).step_by(TILE.0) {
            let rows = [i, (i + 1).min(size - 1)];
            for (weighted, &row) in weighted.iter_mut().zip(&rows) {
                for ((out, x), w) in weighted.iter_mut().zip(columns[row]).zip(weights) {
                    *out = x * w;
                }
            }
            for j in (0..=rows[1]).step_by(TILE.1) {
                let others = [j, rows[1].min(j + 1), rows[1].min(j + 2)];
                let tile = tile([&weighted[0], &weighted[1]], others.map(|k| columns[k]));
                for (row, of_row) in rows.iter().zip(tile) {
                    for (other, product) in others.iter().zip(of_row) {
                        if other <= row {
                            products[row * size + other] = product;
                        }
                    }
                }
            }
        }
    }
}

/// Products of each of two columns with each of three. Each number that is loaded serves two products or three.
#[inline(always)]
fn tile<S: Simd>(simd: S, a: [&[f64]; 2], b: [&[f64]; 3]) -> [[f64; 3]; 2] {
    let width = LANES / S::F64_LANES;
    let whole = a[0].len() / LANES * LANES;
    let [a0, a1] = a.map(|a| S::as_simd_f64s(&a[..whole]).0);
    let a1 = &a1[..a0.len()];
    let [b0, b1, b2] = b.map(|b| &S::as_simd_f64s(&b[..whole]).0[..a0.len()]);
    let mut parts = [[[simd.splat_f64s(0.0); LANES]; 3]; 2];
    for start in (0..a0.len()).step_by(width) {
        let block = start..start + width;
        let a = [&a0[block.clone()], &a1[block.clone()]];
        let b = [&b0[block.clone()], &b1[block.clone()], &b2[block]];
        for k in 0..width {
            for i in 0..2 {
                for j in 0..3 {
                    parts[i][j][k] = simd.add_f64s(parts[i][j][k], simd.mul_f64s(a[i][k], b[j][k]));
                }
            }
        }
    }
    let mut products = [[0.0; 3]; 2];
    for i in 0..2 {
        for j in 0..3 {
            let tail: f64 = a[i][whole..].iter().zip(&b[j][whole..]).map(|(x, y)| x * y).sum();
            let lanes: &[f64] = pulp::bytemuck::cast_slice(&parts[i][j][..width]);
            products[i][j] = lanes.iter().sum::<f64>() + tail;
        }
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums of chunks of rows, one after the other.
    #[cfg(feature = "inference")]
    fn in_chunks(a: &[f64], b: &[f64]) -> f64 {
        let is_fused = all_pairs::rounds_once();
        let add = |sum, (x, y): (&f64, &f64)| if is_fused { x.mul_add(*y, sum) } else { sum + x * y };
        let chunks = a.chunks(all_pairs::CHUNK).zip(b.chunks(all_pairs::CHUNK));
        chunks.fold(0.0, |sum, (a, b)| sum + a.iter().zip(b).fold(0.0, add))
    }

    #[cfg(feature = "inference")]
    impl Columns for Vec<Vec<f64>> {
        fn count(&self) -> usize {
            self.len()
        }

        fn rows(&self) -> usize {
            self.first().map_or(0, Vec::len)
        }

        fn some(&self, range: std::ops::Range<usize>) -> Vec<Vec<f64>> {
            self[range].to_vec()
        }
    }

    /// One product after the other, in the documented order.
    fn plain(a: &[f64], b: &[f64]) -> f64 {
        let whole = a.len() / LANES * LANES;
        let mut parts = [0.0; LANES];
        for k in 0..whole {
            parts[k % LANES] += a[k] * b[k];
        }
        parts.iter().sum::<f64>() + (whole..a.len()).map(|k| a[k] * b[k]).sum::<f64>()
    }

    #[cfg(feature = "inference")]
    #[test]
    fn every_product_has_the_bits_of_its_chunks() {
        for (rows, p) in [(0, 3), (1, 1), (7, 2), (8, 5), (29, 64), (130, 431), (128, 25), (40_000, 7)] {
            let columns: Vec<Vec<f64>> = (0..p)
                .map(|j| (0..rows).map(|i| ((i * 37 + j * j * 11 + 5) % 101) as f64 / 7.0 - 6.0).collect())
                .collect();
            for threads in [1, 2, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let products = pool.install(|| of_all_pairs(&columns, |product| product));
                for i in 0..p {
                    for j in 0..p {
                        let expected = in_chunks(&columns[i], &columns[j]);
                        assert_eq!(products[[i, j]].to_bits(), expected.to_bits(), "{rows} rows, columns {i} and {j}");
                    }
                }
            }
        }
        assert_eq!(of_all_pairs(&Vec::new(), |product| product).dim(), (0, 0));
    }

    /// All products of a matrix of one tile, by pulp's vectors.
    struct OneTile<'a> {
        columns: &'a [Vec<f64>],
        products: &'a mut [[f64; 3]; 2],
    }

    impl InTiles for OneTile<'_> {
        fn fill(self, tile: impl Fn([&[f64]; 2], [&[f64]; 3]) -> [[f64; 3]; 2]) {
            let column = |k: usize| &self.columns[k][..];
            *self.products = tile([column(0), column(1)], [column(2), column(3), column(4)]);
        }
    }

    #[test]
    fn vectors_of_any_width_give_the_same_bits() {
        let value = |i: usize, j: usize| ((i * 41 + j * 17 + 9) % 97) as f64 / 13.0 - 3.0;
        let columns: Vec<Vec<f64>> = (0..5).map(|j| (0..77).map(|i| value(i, j)).collect()).collect();
        let (mut pulps, mut widest) = ([[0.0; 3]; 2], [[0.0; 3]; 2]);
        pulp::Arch::new().dispatch(ByPulp(OneTile { columns: &columns, products: &mut pulps }));
        by_widest_vectors(OneTile { columns: &columns, products: &mut widest });
        for i in 0..2 {
            for j in 0..3 {
                let expected = plain(&columns[i], &columns[2 + j]).to_bits();
                assert_eq!((pulps[i][j].to_bits(), widest[i][j].to_bits()), (expected, expected));
            }
        }
    }

    #[test]
    fn weighted_products_have_the_bits_of_the_plain_sum() {
        for (rows, p) in [(0, 0), (0, 2), (5, 1), (8, 4), (61, 7)] {
            let value = |i: usize, j: usize| ((i * 31 + j * j * 7 + 3) % 89) as f64 / 9.0 - 4.0;
            let columns: Vec<Vec<f64>> = (0..p).map(|j| (0..rows).map(|i| value(i, j)).collect()).collect();
            let weights: Vec<f64> = (0..rows).map(|i| value(i, 11)).collect();
            let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
            let products = weighted(&slices, &weights);
            for i in 0..p {
                let weighted: Vec<f64> = columns[i].iter().zip(&weights).map(|(x, w)| x * w).collect();
                for j in 0..=i {
                    let expected = plain(&weighted, &columns[j]);
                    assert_eq!(products[i * p + j].to_bits(), expected.to_bits(), "columns {i} and {j}");
                    assert_eq!(products[j * p + i].to_bits(), expected.to_bits(), "columns {j} and {i}");
                }
            }
        }
    }
}
