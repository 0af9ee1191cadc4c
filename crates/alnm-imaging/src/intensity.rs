//! Intensities inside a region: statistics and normalisation.

use serde::Serialize;

use crate::error::{ImagingError, Result};
use crate::region::Roi;
use crate::volume::{Volume, Voxel};

/// Mean and spread of a set of voxels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IntensityStatistics {
    /// Number of voxels.
    pub voxels: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation with n as divisor.
    pub standard_deviation: f64,
}

/// The values of a volume, or of a region of it, in raster order.
///
/// # Errors
/// [`ImagingError::GeometryMismatch`] when the mask lies on another grid, [`ImagingError::InvalidVoxel`] when the
/// volume has a voxel that is not finite.
pub fn values<T: Voxel>(volume: &Volume<T>, roi: Option<Roi<'_>>) -> Result<Vec<f64>> {
    const OPERATION: &str = "intensities of a region";
    volume.check_finite().map_err(|voxel| voxel.during(OPERATION))?;
    let mut values = Vec::new();
    let Some(roi) = roi else {
        T::image_ref(volume).rows().append(0..volume.as_slice().len(), &mut values);
        return Ok(values);
    };
    roi.check_grid(volume.geometry(), OPERATION)?;
    roi.append_values(T::image_ref(volume).rows(), &mut values);
    Ok(values)
}

/// Mean and standard deviation of a volume or of a region of it.
///
/// # Errors
/// As [`values`].
pub fn statistics<T: Voxel>(volume: &Volume<T>, roi: Option<Roi<'_>>) -> Result<IntensityStatistics> {
    let values = values(volume, roi)?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    Ok(IntensityStatistics { voxels: values.len(), mean, standard_deviation: variance.sqrt() })
}

/// The volume less the mean and over the standard deviation of a region, or of all voxels.
///
/// # Errors
/// As [`values`]; [`ImagingError::InvalidParameter`] when the intensities do not vary.
///
/// ```
/// use alnm_imaging::intensity::{percentile, statistics, z_score};
/// use alnm_imaging::{Geometry, Volume};
///
/// let image = Volume::new(ndarray::array![[[1_i16, 2, 3]]], Geometry::axis_aligned([3, 1, 1], [1.0; 3])?)?;
/// assert_eq!(statistics(&image, None)?.mean, 2.0);
/// assert_eq!(percentile(&image, None, 25.0)?, 1.5);
/// assert_eq!(z_score(&image, None)?.as_slice()[1], 0.0);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn z_score<T: Voxel>(volume: &Volume<T>, roi: Option<Roi<'_>>) -> Result<Volume<f32>> {
    let IntensityStatistics { mean, standard_deviation, .. } = statistics(volume, roi)?;
    if standard_deviation == 0.0 {
        return Err(constant("z-score", mean));
    }
    Ok(volume.map(|voxel| ((voxel.to_f64() - mean) / standard_deviation) as f32))
}

/// The volume scaled so that a low and a high percentile (0 to 100) of a region, or of all voxels, become 0 and 1, and
/// cut there. Percentiles are interpolated linearly between order statistics, numpy's default.
///
/// # Errors
/// As [`values`]; [`ImagingError::InvalidParameter`] when the percentiles are out of order or range, or equal in
/// intensity.
pub fn percentile_range<T: Voxel>(
    volume: &Volume<T>,
    roi: Option<Roi<'_>>,
    low: f64,
    high: f64,
) -> Result<Volume<f32>> {
    if !(0.0 <= low && low < high && high <= 100.0) {
        return Err(ImagingError::InvalidParameter {
            operation: "percentile range",
            parameter: "percentiles",
            value: format!("{low} and {high}"),
            requirement: "they must satisfy 0 ≤ low < high ≤ 100",
        });
    }
    let mut ordered = values(volume, roi)?;
    ordered.sort_by(f64::total_cmp);
    let [bottom, top] = [low, high].map(|percentile| percentile_of_sorted(&ordered, percentile));
    if bottom == top {
        return Err(constant("percentile range", bottom));
    }
    Ok(volume.map(|voxel| ((voxel.to_f64() - bottom) / (top - bottom)).clamp(0.0, 1.0) as f32))
}

/// A percentile (0 to 100) of a volume or of a region of it, interpolated linearly between order statistics.
///
/// # Errors
/// As [`values`]; [`ImagingError::InvalidParameter`] when the percentile is out of range.
pub fn percentile<T: Voxel>(volume: &Volume<T>, roi: Option<Roi<'_>>, percentile: f64) -> Result<f64> {
    if !(0.0..=100.0).contains(&percentile) {
        return Err(ImagingError::InvalidParameter {
            operation: "percentile",
            parameter: "percentile",
            value: percentile.to_string(),
            requirement: "it must lie from 0 to 100",
        });
    }
    let mut ordered = values(volume, roi)?;
    ordered.sort_by(f64::total_cmp);
    Ok(percentile_of_sorted(&ordered, percentile))
}

/// The volume over the mean of a reference tissue, which becomes `target`: I · target / mean. Where signals of one
/// tissue (fat, muscle) should be alike in all patients, this takes out the gain of the receiver.
///
/// # Errors
/// As [`values`] for the tissue; [`ImagingError::InvalidParameter`] when its mean or the target is not above 0.
///
/// ```
/// use alnm_imaging::intensity::reference_tissue;
/// use alnm_imaging::region::Roi;
/// use alnm_imaging::{Geometry, Volume};
/// let image = Volume::new(ndarray::array![[[200_i16, 100, 50]]], Geometry::axis_aligned([3, 1, 1], [1.0; 3])?)?;
/// let fat = image.map(|&voxel| u32::from(voxel == 200));
/// assert_eq!(reference_tissue(&image, Roi::new(&fat, 1)?, 1000.0)?.as_slice(), [1000.0, 500.0, 250.0]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn reference_tissue<T: Voxel>(volume: &Volume<T>, tissue: Roi<'_>, target: f64) -> Result<Volume<f32>> {
    let mean = statistics(volume, Some(tissue))?.mean;
    for (parameter, value) in [("mean of the tissue", mean), ("target", target)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(ImagingError::InvalidParameter {
                operation: "reference tissue",
                parameter,
                value: value.to_string(),
                requirement: "it must be above 0",
            });
        }
    }
    Ok(volume.map(|voxel| (voxel.to_f64() * target / mean) as f32))
}

/// One tissue of [`two_landmarks`]: where it lies and what its mean becomes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Landmark<'a> {
    /// The tissue.
    pub tissue: Roi<'a>,
    /// The intensity that its mean becomes.
    pub target: f64,
}

impl<'a> Landmark<'a> {
    /// A tissue and the intensity that its mean becomes.
    #[must_use]
    pub fn new(tissue: Roi<'a>, target: f64) -> Self {
        Self { tissue, target }
    }
}

/// The volume mapped by the straight line on which the means of two tissues become their targets, such as muscle and
/// fat.
///
/// With means m₁, m₂ and targets t₁, t₂: t₁ + (I − m₁) · (t₂ − t₁) / (m₂ − m₁). Nothing is cut.
///
/// # Errors
/// As [`values`] for the tissues; [`ImagingError::InvalidParameter`] when their means are equal or a target is not
/// finite.
pub fn two_landmarks<T: Voxel>(volume: &Volume<T>, landmarks: [Landmark<'_>; 2]) -> Result<Volume<f32>> {
    let [low, high] = landmarks;
    let means = [statistics(volume, Some(low.tissue))?.mean, statistics(volume, Some(high.tissue))?.mean];
    if means[0] == means[1] {
        return Err(constant("two landmarks", means[0]));
    }
    let slope = (high.target - low.target) / (means[1] - means[0]);
    if !slope.is_finite() || !low.target.is_finite() {
        return Err(ImagingError::InvalidParameter {
            operation: "two landmarks",
            parameter: "targets",
            value: format!("{} and {}", low.target, high.target),
            requirement: "they must be finite",
        });
    }
    Ok(volume.map(|voxel| (low.target + (voxel.to_f64() - means[0]) * slope) as f32))
}

/// A percentile (0 to 100) of values in ascending order, interpolated linearly between them, numpy's default; NaN of no
/// value.
///
/// ```
/// use alnm_imaging::intensity::percentile_of_sorted;
///
/// assert_eq!(percentile_of_sorted(&[1.0, 2.0, 4.0], 75.0), 3.0);
/// ```
#[must_use]
pub fn percentile_of_sorted(ordered: &[f64], percentile: f64) -> f64 {
    let Some(last) = ordered.len().checked_sub(1) else { return f64::NAN };
    let position = percentile / 100.0 * last as f64;
    let low = (position as usize).min(last);
    let high = (low + 1).min(last);
    ordered[low] + (ordered[high] - ordered[low]) * (position - low as f64)
}

fn constant(operation: &'static str, value: f64) -> ImagingError {
    ImagingError::InvalidParameter {
        operation,
        parameter: "intensities",
        value: format!("all {value}"),
        requirement: "they must vary for a scale to be found",
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::Array3;

    use super::*;
    use crate::geometry::Geometry;

    fn ramp() -> Volume<i16> {
        let data = Array3::from_shape_fn((1, 1, 11), |(_, _, x)| x as i16);
        Volume::new(data, Geometry::axis_aligned([11, 1, 1], [1.0; 3]).unwrap()).unwrap()
    }

    #[test]
    fn z_scores_have_mean_0_and_deviation_1() {
        let scored = statistics(&z_score(&ramp(), None).unwrap(), None).unwrap();
        assert_abs_diff_eq!(scored.mean, 0.0, epsilon = 1e-6);
        assert_abs_diff_eq!(scored.standard_deviation, 1.0, epsilon = 1e-6);
    }

    #[test]
    fn percentiles_become_0_and_1() {
        let scaled = percentile_range(&ramp(), None, 10.0, 90.0).unwrap();
        assert_eq!(scaled.as_slice()[..3], [0.0, 0.0, 0.125]);
        assert_eq!(scaled.as_slice()[9..], [1.0, 1.0]);
    }

    #[test]
    fn percentiles_lie_between_order_statistics() {
        assert_eq!(percentile(&ramp(), None, 25.0).unwrap(), 2.5);
        assert_eq!([0.0, 100.0].map(|p| percentile(&ramp(), None, p).unwrap()), [0.0, 10.0]);
        assert!(percentile(&ramp(), None, 101.0).is_err());
    }

    #[test]
    fn tissues_get_the_intensities_asked_for() {
        let mut mask = Volume::filled(ramp().geometry().clone(), 0_u32);
        mask.as_mut_slice()[1..4].fill(1);
        mask.as_mut_slice()[7..10].fill(2);
        let [muscle, fat] = [1, 2].map(|label| Roi::new(&mask, label).unwrap());
        let mean = |volume: &Volume<f32>, roi| statistics(volume, Some(roi)).unwrap().mean;
        let by_fat = reference_tissue(&ramp(), fat, 100.0).unwrap();
        assert_abs_diff_eq!(mean(&by_fat, fat), 100.0, epsilon = 1e-4);
        assert_abs_diff_eq!(mean(&by_fat, muscle), 25.0, epsilon = 1e-4);
        let landmarks = [Landmark::new(muscle, 50.0), Landmark::new(fat, 20.0)];
        let mapped = two_landmarks(&ramp(), landmarks).unwrap();
        assert_abs_diff_eq!(mean(&mapped, muscle), 50.0, epsilon = 1e-4);
        assert_abs_diff_eq!(mean(&mapped, fat), 20.0, epsilon = 1e-4);
        assert_abs_diff_eq!(mapped.as_slice()[0], 60.0, epsilon = 1e-4);
        assert!(two_landmarks(&ramp(), [landmarks[0]; 2]).is_err());
        assert!(reference_tissue(&ramp(), fat, 0.0).is_err());
    }

    #[test]
    fn only_the_region_counts() {
        let mut mask = Volume::filled(ramp().geometry().clone(), 0_u32);
        mask.as_mut_slice()[4..7].fill(2);
        assert_eq!(values(&ramp(), Some(Roi::new(&mask, 2).unwrap())).unwrap(), [4.0, 5.0, 6.0]);
        assert!(matches!(Roi::new(&mask, 1), Err(ImagingError::EmptyRegion { .. })));
    }
}
