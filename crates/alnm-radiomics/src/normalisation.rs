//! Grey values centred on the image's mean, in units of its standard deviation.

use alnm_imaging::Image;

use crate::error::{RadiomicsError, Result};
use crate::summation::compensated_sums;

/// s · (x - μ) / σ over all voxels of the image, σ with n - 1 in the denominator, with the bits of ITK's
/// `NormalizeImageFilter` where sums are exact, as those of integers are. With `outliers`, values beyond that
/// many standard deviations are set to the limit before they are scaled by s.
pub(crate) fn normalise(image: &Image, scale: f64, outliers: Option<f64>) -> Result<Image> {
    let mut volume = image.cast::<f64>();
    let values = volume.as_slice();
    let count = values.len() as f64;
    let [sum, sum_of_squares] = compensated_sums(values);
    let mean = sum / count;
    // ITK's formula, whose last bits decide ties between neighbours in local binary patterns.
    let variance = (sum_of_squares - sum * sum / count) / (count - 1.0);
    let is_constant = values.iter().all(|value| value == &values[0]);
    if is_constant || variance.is_nan() || variance <= 0.0 {
        return Err(RadiomicsError::ConstantImage { value: mean });
    }
    let factor = 1.0 / variance.sqrt();
    let limit = outliers.unwrap_or(f64::INFINITY);
    for value in volume.as_mut_slice() {
        *value = ((*value - mean) * factor).clamp(-limit, limit) * scale;
    }
    Ok(Image::F64(volume))
}

#[cfg(test)]
mod tests {
    use alnm_imaging::{Geometry, Volume};
    use ndarray::Array3;

    use super::*;

    fn image(shape: (usize, usize, usize), voxel: impl FnMut((usize, usize, usize)) -> i16) -> Image {
        let geometry = Geometry::axis_aligned([shape.2, shape.1, shape.0], [1.0; 3]).expect("a grid");
        Volume::new(Array3::from_shape_fn(shape, voxel), geometry).expect("an image").into()
    }

    #[test]
    fn integers_get_the_bits_of_itk() {
        // SimpleITK 2.5.7, Normalize. The deviations from the mean, squared and summed, give other last digits.
        let voxel = |(z, y, x): (usize, usize, usize)| {
            let i = ((z * 4 + y) * 5 + x) as i64;
            ((i * i * 37 + 11 * i) % 4093 - 700) as i16
        };
        let normalised = normalise(&image((3, 4, 5), voxel), 1.0, None).expect("an image that varies");
        let Image::F64(volume) = normalised else { panic!("double precision") };
        assert_eq!(
            volume.as_slice()[..6],
            [
                -1.6916829238043798,
                -1.6498329635704225,
                -1.5434643146424476,
                -1.372576977020455,
                -1.1371709507044447,
                -0.837246235694417,
            ]
        );
    }

    #[test]
    fn constant_images_are_refused() {
        let geometry = Geometry::axis_aligned([5, 4, 3], [1.0; 3]).expect("a grid");
        let thirds: Image =
            Volume::new(Array3::from_elem((3, 4, 5), 1.0_f64 / 3.0), geometry).expect("an image").into();
        for constant in [thirds, image((3, 4, 5), |_| 7)] {
            assert!(matches!(normalise(&constant, 1.0, None), Err(RadiomicsError::ConstantImage { .. })));
        }
    }
}
