//! Moran's I index and Geary's C measure of the intensities of a region.
//!
//! Symbols: N_v voxels with intensities X of mean μ; w_ij = 1 / |x_i - x_j| for i ≠ j, the inverse distance of their
//! centres.

use crate::ibsi::fourier::{BoxTransform, Complex, fast_length};
use crate::ibsi::region::Mask;

/// Both measures of one region; NaN for a single voxel or a flat region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SpatialAutocorrelation {
    /// N_v / Σ w_ij · Σ_ij w_ij (X_i - μ)(X_j - μ) / Σ_i (X_i - μ)² (code N365).
    pub moran_i: f64,
    /// (N_v - 1) / (2 Σ w_ij) · Σ_ij w_ij (X_i - X_j)² / Σ_i (X_i - μ)² (code NPT7).
    pub geary_c: f64,
}

impl SpatialAutocorrelation {
    /// The measures of the intensities at the voxels of `mask`, in raster order; `spacing` is (z, y, x) in mm.
    ///
    /// On a grid, weights depend on the step between voxels alone. The sums over all pairs are therefore convolutions
    /// of the mask and of the deviations from the mean with one kernel, and cost one transform of a box twice the
    /// region's size instead of N_v² terms; they are exact but for rounding. With y the deviations, m the mask and *
    /// the convolution with the kernel, Σ w_ij y_i y_j = Σ y (w*y) and Σ w_ij (y_i - y_j)² = 2 Σ y² (w*m) - 2 Σ y
    /// (w*y).
    pub(crate) fn new(mask: &Mask, intensities: &[f64], spacing: [f64; 3]) -> Self {
        let undefined = Self { moran_i: f64::NAN, geary_c: f64::NAN };
        let Some(bounds) = mask.bounding_box() else { return undefined };
        let size = bounds.each_ref().map(ExactSizeIterator::len);
        let count = intensities.len() as f64;
        let mean = crate::summation::sum(intensities) / count;
        let deviations: Vec<f64> = intensities.iter().map(|value| value - mean).collect();
        let scatter = crate::summation::sum_of(&deviations, |y| y * y);
        if intensities.iter().all(|&value| value == intensities[0]) {
            return undefined;
        }

        let shape = size.map(|n| if n == 1 { 1 } else { fast_length(2 * n - 1) });
        let place = |voxel: [usize; 3]| {
            let [z, y, x]: [usize; 3] = std::array::from_fn(|axis| voxel[axis] - bounds[axis].start);
            (z * shape[1] + y) * shape[2] + x
        };
        let transform = BoxTransform::new(shape);
        let kernel = kernel_spectrum(&transform, shape, size, spacing);
        // The mask is the real part and the deviations the imaginary part; the kernel is even, so they stay apart.
        let mut field = vec![Complex::default(); shape.iter().product()];
        for (voxel, &deviation) in mask.indices().zip(&deviations) {
            field[place(voxel)] = Complex::new(1.0, deviation);
        }
        transform.forward(&mut field);
        field.iter_mut().zip(&kernel).for_each(|(value, weight)| *value *= weight);
        transform.inverse(&mut field);

        let scale = 1.0 / field.len() as f64;
        let (mut weights, mut products, mut squares) = (0.0, 0.0, 0.0);
        for (voxel, &deviation) in mask.indices().zip(&deviations) {
            let convolved = field[place(voxel)] * scale;
            weights += convolved.re;
            products += deviation * convolved.im;
            squares += deviation * deviation * convolved.re;
        }
        Self {
            moran_i: count / weights * products / scatter,
            geary_c: (count - 1.0) / (2.0 * weights) * (2.0 * squares - 2.0 * products) / scatter,
        }
    }
}

/// The spectrum of the inverse distance as a function of the step, which is real.
fn kernel_spectrum(transform: &BoxTransform, shape: [usize; 3], size: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    let axis_step = |axis: usize| -> Vec<Option<f64>> {
        let step = |k: usize| k.min(shape[axis] - k);
        (0..shape[axis]).map(|k| (step(k) < size[axis]).then(|| (step(k) as f64 * spacing[axis]).powi(2))).collect()
    };
    let (zs, ys, xs) = (axis_step(0), axis_step(1), axis_step(2));
    let mut kernel = Vec::with_capacity(shape.iter().product());
    for z in &zs {
        for y in &ys {
            for x in &xs {
                let squared = z.zip(*y).zip(*x).map(|((z, y), x)| z + y + x);
                kernel.push(Complex::new(
                    squared.filter(|squared| *squared > 0.0).map_or(0.0, |squared| 1.0 / squared.sqrt()),
                    0.0,
                ));
            }
        }
    }
    transform.forward(&mut kernel);
    kernel.into_iter().map(|value| value.re).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The sums over all pairs as their definitions say.
    fn slow(mask: &Mask, intensities: &[f64], spacing: [f64; 3]) -> SpatialAutocorrelation {
        let voxels: Vec<[usize; 3]> = mask.indices().collect();
        let count = voxels.len() as f64;
        let mean = intensities.iter().sum::<f64>() / count;
        let (mut weights, mut products, mut differences) = (0.0, 0.0, 0.0);
        for (i, a) in voxels.iter().enumerate() {
            for (j, b) in voxels.iter().enumerate().filter(|(j, _)| *j != i) {
                let squared: f64 = (0..3).map(|axis| ((a[axis] as f64 - b[axis] as f64) * spacing[axis]).powi(2)).sum();
                let weight = 1.0 / squared.sqrt();
                weights += weight;
                products += weight * (intensities[i] - mean) * (intensities[j] - mean);
                differences += weight * (intensities[i] - intensities[j]).powi(2);
            }
        }
        let scatter: f64 = intensities.iter().map(|x| (x - mean).powi(2)).sum();
        SpatialAutocorrelation {
            moran_i: count / weights * products / scatter,
            geary_c: (count - 1.0) / (2.0 * weights) * differences / scatter,
        }
    }

    proptest! {
        #[test]
        fn transforms_agree_with_all_pairs(
            voxels in prop::collection::vec(any::<bool>(), 3 * 4 * 5),
            values in prop::collection::vec(-500.0f64..500.0, 60),
            spacing in prop::array::uniform3(0.5f64..4.0),
        ) {
            let mask = Mask { shape: [3, 4, 5], voxels };
            let intensities = mask.select(&values);
            prop_assume!(intensities.len() > 1);
            let (fast, slow) = (SpatialAutocorrelation::new(&mask, &intensities, spacing), slow(&mask, &intensities, spacing));
            prop_assert!((fast.moran_i - slow.moran_i).abs() < 1e-10, "{fast:?} {slow:?}");
            prop_assert!((fast.geary_c - slow.geary_c).abs() < 1e-10, "{fast:?} {slow:?}");
        }
    }

    #[test]
    fn a_single_voxel_and_a_flat_region_have_no_autocorrelation() {
        let mask = Mask { shape: [1, 1, 3], voxels: vec![false, true, false] };
        assert!(SpatialAutocorrelation::new(&mask, &[4.0], [1.0; 3]).moran_i.is_nan());
        let mask = Mask { shape: [1, 1, 3], voxels: vec![true; 3] };
        assert!(SpatialAutocorrelation::new(&mask, &[4.0; 3], [1.0; 3]).geary_c.is_nan());
    }
}
