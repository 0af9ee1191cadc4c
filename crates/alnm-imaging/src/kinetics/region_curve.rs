//! The curve of a region's mean.

use serde::Serialize;

use crate::dce::DynamicSeries;
use crate::error::Result;
use crate::region::Roi;

const OPERATION: &str = "curve of a region";

/// Quantile of the normal distribution for an interval of 95 %.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// The signal of a region in one phase, over the voxels whose signal is finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CurvePoint {
    /// Seconds from the first phase; NaN where it is not known.
    pub time: f64,
    /// Voxels with a finite signal.
    pub voxels: usize,
    /// Their mean; NaN where there is none.
    pub mean: f64,
    /// Their standard deviation with n − 1 as divisor; NaN for fewer than two voxels.
    pub standard_deviation: f64,
    /// Lower end of the interval of 95 % of the mean, mean − 1.96 · s / √n; NaN for fewer than two voxels.
    ///
    /// Voxels are taken as independent. Neighbours resemble each other, so that the interval is the shortest that can
    /// be meant.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The mean signal of a region over the phases of a series, with its interval.
///
/// [`TimeIntensityCurve`](crate::dce::TimeIntensityCurve) is the curve that is classed as a whole; this one tells how
/// sure each of its points is, and leaves out voxels that are not finite.
///
/// ```
/// use alnm_imaging::dce::DynamicSeries;
/// use alnm_imaging::kinetics::RegionCurve;
/// use alnm_imaging::region::Roi;
/// use alnm_imaging::{Geometry, Volume};
///
/// let grid = Geometry::axis_aligned([4, 1, 1], [1.0; 3])?;
/// let before = Volume::new(ndarray::array![[[10.0_f32, 12.0, 14.0, f32::NAN]]], grid.clone())?;
/// let series = DynamicSeries::new(vec![before.clone().into(), before.map(|signal| 2.0 * signal).into()], vec![0.0, 90.0])?;
/// let curve = RegionCurve::of(&series, Roi::new(&Volume::filled(grid, 1_u32), 1)?)?;
/// assert_eq!((curve.points()[1].voxels, curve.points()[1].mean), (3, 24.0));
/// assert!((curve.points()[0].high - (12.0 + 1.959964 * 2.0 / 3.0_f64.sqrt())).abs() < 1e-6);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionCurve {
    points: Vec<CurvePoint>,
}

impl RegionCurve {
    /// The curve of a region.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`](crate::ImagingError::GeometryMismatch) when the region lies on another grid
    /// than the series.
    pub fn of(series: &DynamicSeries, region: Roi<'_>) -> Result<Self> {
        region.check_grid(series.images()[0].geometry(), OPERATION)?;
        let point = |(image, &time): (&crate::Image, &f64)| {
            let mut values = Vec::with_capacity(region.voxel_count());
            region.append_values(image.borrowed().rows(), &mut values);
            values.retain(|value| value.is_finite());
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let standard_deviation = if values.len() < 2 { f64::NAN } else { (squares / (count - 1.0)).sqrt() };
            let half = QUANTILE * standard_deviation / count.sqrt();
            CurvePoint { time, voxels: values.len(), mean, standard_deviation, low: mean - half, high: mean + half }
        };
        Ok(Self { points: series.images().iter().zip(series.times()).map(point).collect() })
    }

    /// A point for each phase.
    #[must_use]
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }
}
