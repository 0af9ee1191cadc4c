//! The motion between a patient's phases, found once and applied wherever the phases are used.

use std::ops::ControlFlow;

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::resample::Interpolator;
use alnm_registration::{
    RegistrationMasks, RegistrationParams, RegistrationResult, SpatialTransform, resample_through,
};
use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::analysis::Correction;
use crate::cohort::PatientVoxels;

/// Change of the lesion's volume by the motion, from which on it is said.
const LESION_CHANGE: f64 = 0.05;
/// Share of the image that phases have in common after the motion, below which it is said.
const COMMON_IMAGE: f64 = 0.8;

/// How the phases of a patient that are used lie against the analysed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientMotion {
    /// In ascending order, without the analysed phase.
    phases: Vec<PhaseMotion>,
}

/// How a phase lies against the analysed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseMotion {
    /// The number of the phase, from 1.
    number: usize,
    /// From points of the analysed phase to points of this one, in ITK's words, which hold every bit.
    transform: String,
    /// Share of the image that both have in common.
    overlap: f64,
    /// Relative change of the lesion's volume.
    lesion_change: Option<f64>,
}

impl PatientMotion {
    /// Registers the phases of these numbers onto the analysed one; the lesion there keeps its volume.
    pub(super) fn find(
        series: &DynamicSeries,
        numbers: &[usize],
        voxels: &PatientVoxels,
        by: Correction<'_>,
        params: &RegistrationParams,
    ) -> Result<Self> {
        let lesion = voxels.mask.map(|&voxel| u32::from(voxel == by.label));
        let masks = RegistrationMasks::default().with_lesion(&lesion);
        let moving: Vec<usize> = numbers.iter().copied().filter(|&number| number != by.phase).collect();
        let mut observer = |_, _: &_| ControlFlow::Continue(());
        let found = params.clone().check()?.register_phases(series, by.phase, &moving, masks, &mut observer);
        let found = found.context("motion")?;
        let of_phase = |(number, found): (usize, RegistrationResult)| PhaseMotion {
            number,
            transform: found.transform.to_itk_text(),
            overlap: found.overlap,
            lesion_change: found.lesion.map(|lesion| lesion.volume_change),
        };
        Ok(Self { phases: moving.into_iter().zip(found).map(of_phase).collect() })
    }

    /// The phases of these numbers, brought onto the analysed one.
    pub(super) fn applied(&self, series: &DynamicSeries, numbers: &[usize], analysed: usize) -> Result<DynamicSeries> {
        let grid = series.images()[analysed - 1].geometry();
        let of_phase = |&number: &usize| {
            let image = &series.images()[number - 1];
            if number == analysed {
                return Ok(image.clone());
            }
            let phase = self.phases.iter().find(|phase| phase.number == number);
            let phase = phase.with_context(|| format!("the motion of phase {number} was not found"))?;
            let transform: SpatialTransform =
                phase.transform.parse().map_err(|problem| anyhow!("motion of phase {number}: {problem}"))?;
            Ok(resample_through(&transform, image, grid, Interpolator::Linear, 0.0)?)
        };
        let images = numbers.iter().map(of_phase).collect::<Result<_>>()?;
        let times = numbers.iter().map(|&number| series.times()[number - 1]).collect();
        Ok(DynamicSeries::new(images, times)?)
    }

    /// What is worth a word.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for PhaseMotion { number, overlap, lesion_change, .. } in &self.phases {
            if *overlap < COMMON_IMAGE {
                let percent = 100.0 * overlap;
                warnings
                    .push(format!("after the motion of phase {number} only {percent:.0} % of the image are in both"));
            }
            if let Some(change) = lesion_change.filter(|change| change.abs() > LESION_CHANGE) {
                let percent = 100.0 * change;
                warnings.push(format!("motion of phase {number} changes the lesion's volume by {percent:.1} %"));
            }
        }
        warnings
    }
}
