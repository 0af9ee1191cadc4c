//! Filters that are defined by their spectrum.

use rayon::prelude::*;

use crate::ibsi::fourier::{BoxTransform, Complex};

/// The real part of the values with each frequency multiplied by a factor, a function of the frequency along z, y and
/// x.
///
/// The reference maps sample each axis of the spectrum from -1 to 1, ends included, so that an even number of samples
/// has none at the centre and the response is not quite real; its real part is the response.
pub(super) fn multiplied(
    values: &[f64],
    shape: [usize; 3],
    factor: impl Fn([f64; 3]) -> Complex<f64> + Sync,
) -> Vec<f64> {
    let transform = BoxTransform::new(shape);
    let mut spectrum: Vec<Complex<f64>> = values.iter().map(|&value| Complex::new(value, 0.0)).collect();
    transform.forward(&mut spectrum);
    let [zs, ys, xs] = shape.map(|n| (0..n).map(|k| frequency(k, n)).collect::<Vec<f64>>());
    let scale = 1.0 / values.len() as f64;
    spectrum.par_chunks_exact_mut(shape[2]).enumerate().for_each(|(row, values)| {
        let (z, y) = (zs[row / shape[1]], ys[row % shape[1]]);
        values.iter_mut().zip(&xs).for_each(|(value, &x)| *value *= factor([z, y, x]) * scale);
    });
    transform.inverse(&mut spectrum);
    spectrum.into_iter().map(|value| value.re).collect()
}

/// The place between -1 and 1 of the k-th of n frequencies, in the order of the transform.
fn frequency(k: usize, n: usize) -> f64 {
    let half = (n as f64 - 1.0) / 2.0;
    if n == 1 { 0.0 } else { (((k + n / 2) % n) as f64 - half) / half }
}

/// The distance from the centre of the spectrum.
pub(super) fn length(frequency: [f64; 3]) -> f64 {
    frequency.into_iter().map(|component| component * component).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spectrum_is_sampled_from_end_to_end() {
        assert_eq!((0..5).map(|k| frequency(k, 5)).collect::<Vec<_>>(), [0.0, 0.5, 1.0, -1.0, -0.5]);
        assert_eq!((0..4).map(|k| frequency(k, 4) * 3.0).collect::<Vec<_>>(), [1.0, 3.0, -3.0, -1.0]);
        assert_eq!(frequency(0, 1), 0.0);
    }
}
