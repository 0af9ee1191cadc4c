//! All phases of a dynamic series onto one of them.

use std::ops::ControlFlow;

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
    /// Brings all phases of a series onto one of them, `onto`, from 1. Masks lie on the grid of the series: that of the
    /// fixed image and the lesion as they are in the phase that stays. The phases keep their type of voxel and are
    /// interpolated by `interpolator`; where the motion leaves a phase, voxels are 0.
    ///
    /// # Errors
    /// [`RegistrationError::NoSuchPhase`] when `onto` is none of the phases, and those of
    /// [`Registration::register`] for each.
    pub fn register_series(
        &self,
        series: &DynamicSeries,
        onto: usize,
        masks: RegistrationMasks<'_>,
        interpolator: Interpolator,
        observer: &mut dyn FnMut(usize, &RegistrationIteration) -> ControlFlow<()>,
    ) -> Result<RegisteredSeries> {
        let count = series.phase_count();
        let Some(fixed) = onto.checked_sub(1).and_then(|onto| series.images().get(onto)) else {
            return Err(RegistrationError::NoSuchPhase { phase: onto, count });
        };
        let grid = fixed.geometry();
        let reference = fixed.cast::<f32>();
        let (mut images, mut results) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (number, phase) in (1..).zip(series.images()) {
            if number == onto {
                images.push(phase.clone());
                results.push(None);
                continue;
            }
            let mut of_phase = |iteration: &RegistrationIteration| observer(number, iteration);
            let result = self.register(&reference, &phase.cast(), masks, &mut of_phase)?;
            images.push(resample_through(&result.transform, phase, grid, interpolator, 0.0)?);
            results.push(Some(result));
        }
        Ok(RegisteredSeries { series: DynamicSeries::new(images, series.times().to_vec())?, results })
    }
}
