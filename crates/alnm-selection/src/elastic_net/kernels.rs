//! Sums over rows with the processor's vector instructions.
//!
//! Every sum runs in [`LANES`] interleaved parts that are added in one fixed order, each step a fused multiplication
//! and addition, so that the bits are the same however wide the processor's vectors are. Columns are padded with zeros
//! to whole blocks of [`LANES`].

use pulp::Simd;

/// A closure that is compiled for the vector instructions of [`Simd::vectorize`], wherever it is called from, another
/// thread for instance.
pub(super) struct Vectorised<F>(pub(super) F);

impl<R, F: FnOnce() -> R> pulp::WithSimd for Vectorised<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R {
        (self.0)()
    }
}

/// Interleaved parts of a sum.
pub(super) const LANES: usize = 16;

/// Rows of a padded column.
pub(super) fn padded(rows: usize) -> usize {
    rows.next_multiple_of(LANES)
}

/// Σ a b
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, a: &[f64], b: &[f64]) -> f64 {
    let width = LANES / S::F64_LANES;
    let (a, b) = (S::as_simd_f64s(a).0, S::as_simd_f64s(b).0);
    let mut parts = [simd.splat_f64s(0.0); LANES];
    for start in (0..a.len()).step_by(width) {
        let (a, b) = (&a[start..start + width], &b[start..start + width]);
        for k in 0..width {
            parts[k] = simd.mul_add_f64s(a[k], b[k], parts[k]);
        }
    }
    total(simd, parts)
}

/// Σ v a b
#[inline(always)]
pub(super) fn weighted_dot<S: Simd>(simd: S, v: &[f64], a: &[f64], b: &[f64]) -> f64 {
    let width = LANES / S::F64_LANES;
    let (v, a, b) = (S::as_simd_f64s(v).0, S::as_simd_f64s(a).0, S::as_simd_f64s(b).0);
    let mut parts = [simd.splat_f64s(0.0); LANES];
    for start in (0..v.len()).step_by(width) {
        let block = start..start + width;
        let (v, a, b) = (&v[block.clone()], &a[block.clone()], &b[block]);
        for k in 0..width {
            parts[k] = simd.mul_add_f64s(simd.mul_f64s(v[k], a[k]), b[k], parts[k]);
        }
    }
    total(simd, parts)
}

/// Σ v x²
#[inline(always)]
pub(super) fn weighted_square<S: Simd>(simd: S, v: &[f64], x: &[f64]) -> f64 {
    weighted_dot(simd, v, x, x)
}

/// Interleaved parts of each of several sums at once: as many as the registers hold.
const LANES_OF_SEVERAL: usize = 8;

/// Products of one column with four others, which share the loads of the first.
#[inline(always)]
pub(super) fn dot_four<S: Simd>(simd: S, a: &[f64], b: [&[f64]; 4]) -> [f64; 4] {
    let width = LANES_OF_SEVERAL / S::F64_LANES;
    let a = S::as_simd_f64s(a).0;
    let [b0, b1, b2, b3] = b;
    let (b0, b1) = (&S::as_simd_f64s(b0).0[..a.len()], &S::as_simd_f64s(b1).0[..a.len()]);
    let (b2, b3) = (&S::as_simd_f64s(b2).0[..a.len()], &S::as_simd_f64s(b3).0[..a.len()]);
    let mut parts = [[simd.splat_f64s(0.0); LANES_OF_SEVERAL]; 4];
    for start in (0..a.len()).step_by(width) {
        let block = start..start + width;
        let (a, b0, b1) = (&a[block.clone()], &b0[block.clone()], &b1[block.clone()]);
        let (b2, b3) = (&b2[block.clone()], &b3[block]);
        for k in 0..width {
            parts[0][k] = simd.mul_add_f64s(a[k], b0[k], parts[0][k]);
            parts[1][k] = simd.mul_add_f64s(a[k], b1[k], parts[1][k]);
            parts[2][k] = simd.mul_add_f64s(a[k], b2[k], parts[2][k]);
            parts[3][k] = simd.mul_add_f64s(a[k], b3[k], parts[3][k]);
        }
    }
    [total(simd, parts[0]), total(simd, parts[1]), total(simd, parts[2]), total(simd, parts[3])]
}

/// Products of each of two columns with each of three, by column of the two. Each number that is loaded serves two
/// products or three.
#[inline(always)]
pub(super) fn dot_two_three<S: Simd>(simd: S, a: [&[f64]; 2], b: [&[f64]; 3]) -> [[f64; 3]; 2] {
    let width = LANES_OF_SEVERAL / S::F64_LANES;
    let a0 = S::as_simd_f64s(a[0]).0;
    let a1 = &S::as_simd_f64s(a[1]).0[..a0.len()];
    let [b0, b1, b2] = b.map(|b| &S::as_simd_f64s(b).0[..a0.len()]);
    let mut parts = [[[simd.splat_f64s(0.0); LANES_OF_SEVERAL]; 3]; 2];
    for start in (0..a0.len()).step_by(width) {
        let block = start..start + width;
        let a = [&a0[block.clone()], &a1[block.clone()]];
        let b = [&b0[block.clone()], &b1[block.clone()], &b2[block]];
        for k in 0..width {
            for i in 0..2 {
                for j in 0..3 {
                    parts[i][j][k] = simd.mul_add_f64s(a[i][k], b[j][k], parts[i][j][k]);
                }
            }
        }
    }
    let [[p00, p01, p02], [p10, p11, p12]] = parts;
    [[total(simd, p00), total(simd, p01), total(simd, p02)], [total(simd, p10), total(simd, p11), total(simd, p12)]]
}

/// Products of one column with four others in single precision, for a first look at half the memory.
#[inline(always)]
pub(super) fn dot_four_single<S: Simd>(simd: S, a: &[f32], b: [&[f32]; 4]) -> [f32; 4] {
    let width = LANES / S::F32_LANES;
    let a = S::as_simd_f32s(a).0;
    let [b0, b1, b2, b3] = b;
    let (b0, b1) = (&S::as_simd_f32s(b0).0[..a.len()], &S::as_simd_f32s(b1).0[..a.len()]);
    let (b2, b3) = (&S::as_simd_f32s(b2).0[..a.len()], &S::as_simd_f32s(b3).0[..a.len()]);
    let mut parts = [[simd.splat_f32s(0.0); LANES]; 4];
    for start in (0..a.len()).step_by(width) {
        let block = start..start + width;
        let (a, b0, b1) = (&a[block.clone()], &b0[block.clone()], &b1[block.clone()]);
        let (b2, b3) = (&b2[block.clone()], &b3[block]);
        for k in 0..width {
            parts[0][k] = simd.mul_add_f32s(a[k], b0[k], parts[0][k]);
            parts[1][k] = simd.mul_add_f32s(a[k], b1[k], parts[1][k]);
            parts[2][k] = simd.mul_add_f32s(a[k], b2[k], parts[2][k]);
            parts[3][k] = simd.mul_add_f32s(a[k], b3[k], parts[3][k]);
        }
    }
    [
        total_single(simd, parts[0]),
        total_single(simd, parts[1]),
        total_single(simd, parts[2]),
        total_single(simd, parts[3]),
    ]
}

/// y + s·a
#[inline(always)]
pub(super) fn add_scaled<S: Simd>(simd: S, y: &mut [f64], s: f64, a: &[f64]) {
    let s = simd.splat_f64s(s);
    for (y, a) in S::as_mut_simd_f64s(y).0.iter_mut().zip(S::as_simd_f64s(a).0) {
        *y = simd.mul_add_f64s(s, *a, *y);
    }
}

/// y + Σ s·a of four columns, which share the loads and stores of y
#[inline(always)]
pub(super) fn add_four_scaled<S: Simd>(simd: S, y: &mut [f64], s: [f64; 4], a: [&[f64]; 4]) {
    let [s0, s1, s2, s3] = s.map(|s| simd.splat_f64s(s));
    let y = S::as_mut_simd_f64s(y).0;
    let [a0, a1, a2, a3] = a.map(|a| &S::as_simd_f64s(a).0[..y.len()]);
    for (i, y) in y.iter_mut().enumerate() {
        let first = simd.mul_add_f64s(s1, a1[i], simd.mul_add_f64s(s0, a0[i], *y));
        *y = simd.mul_add_f64s(s3, a3[i], simd.mul_add_f64s(s2, a2[i], first));
    }
}

/// y + s·a·b
#[inline(always)]
pub(super) fn add_scaled_product<S: Simd>(simd: S, y: &mut [f64], s: f64, a: &[f64], b: &[f64]) {
    let s = simd.splat_f64s(s);
    for ((y, a), b) in S::as_mut_simd_f64s(y).0.iter_mut().zip(S::as_simd_f64s(a).0).zip(S::as_simd_f64s(b).0) {
        *y = simd.mul_add_f64s(simd.mul_f64s(s, *a), *b, *y);
    }
}

/// y + s·a, and Σ y b of the sum, as [`add_scaled`] and [`dot`] give them, in one pass over y
#[inline(always)]
pub(super) fn add_scaled_then_dot<S: Simd>(simd: S, y: &mut [f64], s: f64, a: &[f64], b: &[f64]) -> f64 {
    let width = LANES / S::F64_LANES;
    let s = simd.splat_f64s(s);
    let y = S::as_mut_simd_f64s(y).0;
    let [a, b] = [a, b].map(|a| &S::as_simd_f64s(a).0[..y.len()]);
    let mut parts = [simd.splat_f64s(0.0); LANES];
    for start in (0..y.len()).step_by(width) {
        let block = start..start + width;
        let (y, a, b) = (&mut y[block.clone()], &a[block.clone()], &b[block]);
        for k in 0..width {
            y[k] = simd.mul_add_f64s(s, a[k], y[k]);
            parts[k] = simd.mul_add_f64s(y[k], b[k], parts[k]);
        }
    }
    total(simd, parts)
}

/// y + s·v·a, and Σ y b of the sum, as [`add_scaled_product`] and [`dot`] give them, in one pass over y
#[inline(always)]
pub(super) fn add_scaled_product_then_dot<S: Simd>(
    simd: S,
    y: &mut [f64],
    s: f64,
    [v, a]: [&[f64]; 2],
    b: &[f64],
) -> f64 {
    let width = LANES / S::F64_LANES;
    let s = simd.splat_f64s(s);
    let y = S::as_mut_simd_f64s(y).0;
    let [v, a, b] = [v, a, b].map(|a| &S::as_simd_f64s(a).0[..y.len()]);
    let mut parts = [simd.splat_f64s(0.0); LANES];
    for start in (0..y.len()).step_by(width) {
        let block = start..start + width;
        let (y, v, a, b) = (&mut y[block.clone()], &v[block.clone()], &a[block.clone()], &b[block]);
        for k in 0..width {
            y[k] = simd.mul_add_f64s(simd.mul_f64s(s, v[k]), a[k], y[k]);
            parts[k] = simd.mul_add_f64s(y[k], b[k], parts[k]);
        }
    }
    total(simd, parts)
}

/// Σ a
#[inline(always)]
pub(super) fn sum<S: Simd>(simd: S, a: &[f64]) -> f64 {
    let width = LANES / S::F64_LANES;
    let mut parts = [simd.splat_f64s(0.0); LANES];
    for a in S::as_simd_f64s(a).0.chunks_exact(width) {
        for k in 0..width {
            parts[k] = simd.add_f64s(parts[k], a[k]);
        }
    }
    total(simd, parts)
}

/// Adds the interleaved parts in the first of the vectors, which together hold `LANES` of them, halving their number
/// each time: whole vectors as long as there are several, then the halves of one.
#[inline(always)]
fn total<S: Simd, const N: usize>(simd: S, mut parts: [S::f64s; N]) -> f64 {
    let mut half = N / S::F64_LANES / 2;
    while half > 0 {
        for k in 0..half {
            parts[k] = simd.add_f64s(parts[k], parts[k + half]);
        }
        half /= 2;
    }
    let mut sums = [0.0; N];
    let lanes = S::F64_LANES.min(N);
    sums[..lanes].copy_from_slice(&pulp::bytemuck::cast_slice::<S::f64s, f64>(&parts[..1])[..lanes]);
    half = lanes / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
}

/// [`total`] in single precision.
#[inline(always)]
fn total_single<S: Simd>(simd: S, mut parts: [S::f32s; LANES]) -> f32 {
    let mut half = LANES / S::F32_LANES / 2;
    while half > 0 {
        for k in 0..half {
            parts[k] = simd.add_f32s(parts[k], parts[k + half]);
        }
        half /= 2;
    }
    let mut sums = [0.0; LANES];
    let lanes = S::F32_LANES.min(LANES);
    sums[..lanes].copy_from_slice(&pulp::bytemuck::cast_slice::<S::f32s, f32>(&parts[..1])[..lanes]);
    half = lanes / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct All<'a> {
        a: &'a [f64],
        b: &'a [f64],
    }

    impl pulp::WithSimd for All<'_> {
        type Output = Vec<u64>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<u64> {
            let mut y = self.b.to_vec();
            add_scaled(simd, &mut y, 0.3, self.a);
            add_scaled_product(simd, &mut y, -1.7, self.a, self.b);
            add_four_scaled(simd, &mut y, [0.5, -0.2, 3.0, 1.1], [self.b, self.a, self.b, self.a]);
            let (mut once, mut twice) = (y.clone(), y.clone());
            let fused = add_scaled_then_dot(simd, &mut once, 0.7, self.b, self.a);
            add_scaled(simd, &mut twice, 0.7, self.b);
            assert_eq!((&once, fused), (&twice, dot(simd, &twice, self.a)));
            let fused = add_scaled_product_then_dot(simd, &mut once, -0.9, [self.a, self.b], self.a);
            add_scaled_product(simd, &mut twice, -0.9, self.a, self.b);
            assert_eq!((&once, fused), (&twice, dot(simd, &twice, self.a)));
            let sums = [dot(simd, self.a, self.b), weighted_square(simd, self.a, self.b), sum(simd, self.a)];
            let four = dot_four(simd, self.a, [self.b, self.a, self.b, self.b]);
            let six = dot_two_three(simd, [self.a, self.b], [self.a, self.b, self.b]);
            let single = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
            let (a, b) = (single(self.a), single(self.b));
            let four_single = dot_four_single(simd, &a, [&b, &a, &b, &b]).map(f64::from);
            y.iter()
                .chain(&sums)
                .chain(&four)
                .chain(six.as_flattened())
                .chain(&four_single)
                .map(|v| v.to_bits())
                .collect()
        }
    }

    #[test]
    fn vectors_of_any_width_give_the_same_bits() {
        for blocks in 0..9 {
            let a: Vec<f64> = (0..blocks * LANES).map(|i| ((i * 37 + 11) % 101) as f64 / 7.0 - 6.0).collect();
            let b: Vec<f64> = (0..blocks * LANES).map(|i| ((i * 53 + 5) % 89) as f64 / 11.0 - 3.0).collect();
            let plain = pulp::WithSimd::with_simd(All { a: &a, b: &b }, pulp::Scalar::new());
            assert_eq!(pulp::Arch::new().dispatch(All { a: &a, b: &b }), plain);
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let got = f64::from_bits(plain[blocks * LANES]);
            assert!((got - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{got} {expected}");
            let first_of_four = f64::from_bits(plain[blocks * LANES + 3]);
            assert!((got - first_of_four).abs() <= 1e-12 * (1.0 + expected.abs()), "{got} {first_of_four}");
        }
    }
}
