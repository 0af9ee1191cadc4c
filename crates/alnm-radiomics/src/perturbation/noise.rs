//! Noise of an image, and more of it.

use alnm_imaging::Volume;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::error::Result;
use crate::filter::wavelet::Filters;

/// The standard deviation of an image's noise: the median of |HH| / 0.6754, where HH is the image filtered along y and
/// x with the high-pass filter of the wavelet coif1 (Chang, Yu, Vetterli 2000, doi 10.1109/83.862633). Beyond its
/// border the image is mirrored.
///
/// # Errors
/// [`crate::RadiomicsError::Image`] when a voxel is not finite.
pub fn noise_level(image: &Volume<f64>) -> Result<f64> {
    image.check_finite().map_err(|voxel| voxel.during("estimating noise"))?;
    let high_pass = high_pass();
    let [width, height, _] = image.geometry().size();
    let mut details = Vec::with_capacity(image.as_slice().len());
    for plane in image.as_slice().chunks(width * height) {
        let of_columns: Vec<f64> = (0..width * height)
            .map(|position| {
                filtered(&high_pass, |step| plane[mirrored(position / width, step, height) * width + position % width])
            })
            .collect();
        for row in of_columns.chunks(width) {
            details.extend((0..width).map(|x| filtered(&high_pass, |step| row[mirrored(x, step, width)]).abs()));
        }
    }
    let middle = details.len() / 2;
    let (below, upper, _) = details.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let median = if image.as_slice().len().is_multiple_of(2) {
        let lower = below.iter().copied().fold(0.0, f64::max);
        (lower + upper) / 2.0
    } else {
        upper
    };
    Ok(median / 0.6754)
}

/// The high-pass filter of coif1.
fn high_pass() -> Vec<f64> {
    Filters::named("coif1").map(|filters| filters.high_pass().to_vec()).unwrap_or_default()
}

/// A convolution whose middle is the tap after the first half.
fn filtered(taps: &[f64], value: impl Fn(isize) -> f64) -> f64 {
    let half = taps.len() as isize / 2;
    taps.iter().enumerate().map(|(tap, weight)| weight * value(half - tap as isize)).sum()
}

/// The index `step` away on an axis that is mirrored at the outer side of its border voxels.
fn mirrored(index: usize, step: isize, size: usize) -> usize {
    let period = 2 * size as isize;
    let place = (index as isize + step).rem_euclid(period);
    (if place < size as isize { place } else { period - 1 - place }) as usize
}

/// Adds normally distributed noise of a standard deviation; each draw has a stream of random numbers of its own.
pub(super) fn add(image: &mut Volume<f64>, level: f64, seed: u64, draw: usize) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(draw as u64 + 1);
    for pair in image.as_mut_slice().chunks_mut(2) {
        // Box and Muller's two independent normal numbers from two uniform ones.
        let radius = (-2.0 * (1.0 - generator.random::<f64>()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * generator.random::<f64>()).sin_cos();
        pair.iter_mut().zip([cosine, sine]).for_each(|(value, part)| *value += level * radius * part);
    }
}
