//! All phases of a dynamic series onto one of them.

use std::ops::ControlFlow;

use alnm_imaging::Image;
use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::resample::Interpolator;

use crate::error::{RegistrationError, Result};
use crate::params::Registration;
use crate::registration::{RegistrationIteration, RegistrationMasks, RegistrationResult};
use crate::warp::resample_through;

/// A series whose phases were brought onto one of them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RegisteredSeries {
    /// The phases on the grid of the one that stays, which is kept as it is.
    pub series: DynamicSeries,
    /// What was found for each phase, in order; none for the one that stays.
    pub results: Vec<Option<RegistrationResult>>,
}

impl Registration {
    /// Registers phases of a series, by their `numbers` from 1, onto the one that stays, `onto`: what was found for
    /// each, in the order of the numbers. Masks lie on the grid of the series: that of the fixed image and the lesion
    /// as they are in the phase that stays.
    ///
    /// # Errors
    /// [`RegistrationError::NoSuchPhase`] when one of the numbers is none of the phases, and those of
    /// [`Registration::register`] with the phase named.
    pub fn register_phases(
        &self,
        series: &DynamicSeries,
        onto: usize,
        numbers: &[usize],
        masks: RegistrationMasks<'_>,
        observer: &mut dyn FnMut(usize, &RegistrationIteration) -> ControlFlow<()>,
    ) -> Result<Vec<RegistrationResult>> {
        let fixed = phase(series, onto)?.cast::<f32>();
        let of_phase = |&number: &usize| {
            let mut observer = |iteration: &RegistrationIteration| observer(number, iteration);
            let moving = phase(series, number)?.cast();
            self.register(&fixed, &moving, masks, &mut observer).map_err(|problem| problem.of_phase(number))
        };
        numbers.iter().map(of_phase).collect()
    }

    /// Brings all phases of a series onto one of them, `onto`, from 1, as [`Registration::register_phases`] finds how
    /// they lie. The phases keep their type of voxel and are interpolated by `interpolator`; where the motion leaves a
    /// phase, voxels are 0.
    ///
    /// # Errors
    /// Those of [`Registration::register_phases`].
    pub fn register_series(
        &self,
        series: &DynamicSeries,
        onto: usize,
        masks: RegistrationMasks<'_>,
        interpolator: Interpolator,
        observer: &mut dyn FnMut(usize, &RegistrationIteration) -> ControlFlow<()>,
    ) -> Result<RegisteredSeries> {
        let grid = phase(series, onto)?.geometry();
        let moving: Vec<usize> = (1..=series.phase_count()).filter(|&number| number != onto).collect();
        let mut found = self.register_phases(series, onto, &moving, masks, observer)?.into_iter();
        let results: Vec<_> =
            (1..=series.phase_count()).map(|number| if number == onto { None } else { found.next() }).collect();
        let onto_grid = |(image, result): (&Image, &Option<RegistrationResult>)| match result {
            Some(result) => resample_through(&result.transform, image, grid, interpolator, 0.0),
            None => Ok(image.clone()),
        };
        let images = series.images().iter().zip(&results).map(onto_grid).collect::<Result<_>>()?;
        Ok(RegisteredSeries { series: DynamicSeries::new(images, series.times().to_vec())?, results })
    }
}

/// A phase by its number, from 1.
fn phase(series: &DynamicSeries, number: usize) -> Result<&Image> {
    let found = number.checked_sub(1).and_then(|index| series.images().get(index));
    found.ok_or(RegistrationError::NoSuchPhase { phase: number, count: series.phase_count() })
}
