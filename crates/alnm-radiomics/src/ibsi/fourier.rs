//! Discrete Fourier transforms of boxes of complex values.

use std::sync::Arc;

use alnm_imaging::fourier::line_transforms;
use ndarray::{ArrayViewMut3, Axis};
use rayon::prelude::*;
use rustfft::Fft;
pub(crate) use rustfft::num_complex::Complex;

/// The smallest number of at least `n` whose prime factors are 2, 3 and 5, for which transforms are fast.
pub(crate) fn fast_length(n: usize) -> usize {
    let is_fast = |&length: &usize| {
        let without = |mut length: usize, factor: usize| {
            while length.is_multiple_of(factor) {
                length /= factor;
            }
            length
        };
        without(without(without(length, 2), 3), 5) == 1
    };
    (n.max(1)..).find(is_fast).expect("powers of two are fast")
}

/// Transforms of one shape (z, y, x), without scaling: forth and back multiplies by the number of values. Axes of one
/// value are left alone, so that a slice is transformed in two dimensions.
pub(crate) struct BoxTransform {
    shape: [usize; 3],
    forward: [Arc<dyn Fft<f64>>; 3],
    inverse: [Arc<dyn Fft<f64>>; 3],
}

impl BoxTransform {
    pub(crate) fn new(shape: [usize; 3]) -> Self {
        let lines = line_transforms(&shape);
        Self {
            shape,
            forward: std::array::from_fn(|axis| Arc::clone(&lines[axis].forward)),
            inverse: std::array::from_fn(|axis| Arc::clone(&lines[axis].inverse)),
        }
    }

    /// Replaces values by their spectrum.
    pub(crate) fn forward(&self, values: &mut [Complex<f64>]) {
        self.process(values, &self.forward);
    }

    /// Replaces a spectrum by its values.
    pub(crate) fn inverse(&self, values: &mut [Complex<f64>]) {
        self.process(values, &self.inverse);
    }

    fn process(&self, values: &mut [Complex<f64>], [along_z, along_y, along_x]: &[Arc<dyn Fft<f64>>; 3]) {
        let [depth, height, width] = self.shape;
        let room = |fft: &Arc<dyn Fft<f64>>| vec![Complex::default(); fft.get_inplace_scratch_len()];
        if width > 1 {
            values
                .par_chunks_exact_mut(width * height)
                .for_each_init(|| room(along_x), |scratch, plane| along_x.process_with_scratch(plane, scratch));
        }
        if height > 1 {
            values.par_chunks_exact_mut(width * height).for_each_init(
                || (vec![Complex::default(); width * height], room(along_y)),
                |(lines, scratch), plane| {
                    transpose(plane, width, lines, height);
                    along_y.process_with_scratch(lines, scratch);
                    transpose(lines, height, plane, width);
                },
            );
        }
        if depth > 1 {
            let mut volume =
                ArrayViewMut3::from_shape((depth, height, width), values).expect("the values fill the shape");
            volume.axis_iter_mut(Axis(1)).into_par_iter().for_each_init(
                || (vec![Complex::default(); width * depth], vec![Complex::default(); width * depth], room(along_z)),
                |(rows, lines, scratch), mut plane| {
                    rows.iter_mut().zip(&plane).for_each(|(to, from)| *to = *from);
                    transpose(rows, width, lines, depth);
                    along_z.process_with_scratch(lines, scratch);
                    transpose(lines, depth, rows, width);
                    plane.iter_mut().zip(rows.iter()).for_each(|(to, from)| *to = *from);
                },
            );
        }
    }
}

/// Turns rows of `width` values into the first columns of rows of `to_width` values, as far as there are such rows, in
/// tiles that stay in the cache.
pub(crate) fn transpose<T: Copy>(from: &[T], width: usize, to: &mut [T], to_width: usize) {
    const TILE: usize = 16;
    let (height, kept) = (from.len() / width, width.min(to.len() / to_width));
    for top in (0..height).step_by(TILE) {
        for left in (0..kept).step_by(TILE) {
            for y in top..(top + TILE).min(height) {
                for x in left..(left + TILE).min(kept) {
                    to[x * to_width + y] = from[y * width + x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_small_factors() {
        assert_eq!([1, 7, 121, 150, 361].map(fast_length), [1, 8, 125, 150, 375]);
    }

    #[test]
    fn a_transform_is_the_sum_of_its_definition() {
        let shape = [3, 4, 5];
        let values: Vec<Complex<f64>> =
            (0..60).map(|i| Complex::new(f64::from((i * 17) % 23), f64::from((i * 5) % 7))).collect();
        let mut spectrum = values.clone();
        let transform = BoxTransform::new(shape);
        transform.forward(&mut spectrum);
        let index = |position: usize| [position / 20, position / 5 % 4, position % 5];
        for (k, got) in spectrum.iter().enumerate() {
            let mut sum = Complex::new(0.0, 0.0);
            for (n, value) in values.iter().enumerate() {
                let turns: f64 = (0..3).map(|axis| (index(k)[axis] * index(n)[axis]) as f64 / shape[axis] as f64).sum();
                sum += value * Complex::<f64>::from_polar(1.0, -2.0 * std::f64::consts::PI * turns);
            }
            assert!((sum - got).norm() < 1e-10);
        }
        transform.inverse(&mut spectrum);
        assert!(spectrum.iter().zip(&values).all(|(back, value)| (back / 60.0 - value).norm() < 1e-12));
    }
}
