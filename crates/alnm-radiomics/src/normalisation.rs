//! Grey values centred on the image's mean, in units of its standard deviation.

use alnm_imaging::Image;

use crate::error::{RadiomicsError, Result};
use crate::summation::{sum, sum_of};

/// s · (x - μ) / σ over all voxels of the image, σ with n - 1 in the denominator. With `outliers`, values beyond that
/// many standard deviations are set to the limit before they are scaled by s.
pub(crate) fn normalise(image: &Image, scale: f64, outliers: Option<f64>) -> Result<Image> {
    let mut volume = image.cast::<f64>();
    let values = volume.as_slice();
    let count = values.len() as f64;
    let mean = sum(values) / count;
    let variance = sum_of(values, |x| (x - mean) * (x - mean)) / (count - 1.0);
    if variance.is_nan() || variance <= 0.0 {
        return Err(RadiomicsError::ConstantImage { value: mean });
    }
    let factor = 1.0 / variance.sqrt();
    let limit = outliers.unwrap_or(f64::INFINITY);
    for value in volume.as_mut_slice() {
        *value = ((*value - mean) * factor).clamp(-limit, limit) * scale;
    }
    Ok(Image::F64(volume))
}
