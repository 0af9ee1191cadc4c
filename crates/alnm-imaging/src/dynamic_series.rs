//! The phases of a dynamic series.

use crate::error::{ImagingError, Result};
use crate::geometry_difference::SAME_GRID;
use crate::volume::Image;

/// All phases of a dynamic series, such as one with contrast agent: at least one image, all on one grid, with their
/// times.
///
/// ```
/// use alnm_imaging::dce::DynamicSeries;
/// use alnm_imaging::{Geometry, Volume};
///
/// let grid = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
/// let images = [100_i16, 180, 240].map(|signal| Volume::filled(grid.clone(), signal).into());
/// let series = DynamicSeries::new(images.to_vec(), vec![0.0, 60.0, 120.0])?;
/// assert_eq!(series.times()[2], 120.0);
/// assert!(DynamicSeries::new(images.to_vec(), vec![0.0]).is_err());
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DynamicSeries {
    images: Vec<Image>,
    times: Vec<f64>,
}

impl DynamicSeries {
    /// Phases in order of time, with the seconds from the first phase to each; NaN where a time is not known.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is no phase or another number of times than of phases;
    /// [`ImagingError::GeometryMismatch`] when the phases lie on different grids (tolerance a thousandth of the
    /// spacing).
    pub fn new(images: Vec<Image>, times: Vec<f64>) -> Result<Self> {
        const OPERATION: &str = "dynamic series";
        let Some(first) = images.first().filter(|_| images.len() == times.len()) else {
            return Err(ImagingError::InvalidParameter {
                operation: OPERATION,
                parameter: "times",
                value: format!("{} for {} phases", times.len(), images.len()),
                requirement: "there must be at least one phase and a time for each",
            });
        };
        let differs = |image: &Image| first.geometry().difference(image.geometry(), SAME_GRID);
        match images.iter().find_map(differs) {
            Some(difference) => Err(ImagingError::GeometryMismatch { operation: OPERATION, difference }),
            None => Ok(Self { images, times }),
        }
    }

    /// One image per phase, in order of time, all on one grid.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// Seconds from the first phase to each; NaN where the files state no time.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Number of phases, at least 1.
    #[must_use]
    pub fn phase_count(&self) -> usize {
        self.images.len()
    }

    /// The images and the times.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Image>, Vec<f64>) {
        (self.images, self.times)
    }
}
