//! Parameters of a registration.

use serde::{Deserialize, Serialize};

use crate::error::{RegistrationError, Result};

/// The motion model of a stage of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MotionModel {
    /// Rotation about the centre of the fixed image and translation: 6 parameters.
    Rigid,
    /// A matrix about the centre of the fixed image and translation: 12 parameters.
    Affine,
    /// A free-form deformation by cubic B-splines.
    BSpline,
}

/// The similarity measure of two images.
///
/// | Measure | Minimised | For |
/// |---|---|---|
/// | mean squares | mean of (f − m)², relative to the variance of f | images of one kind without contrast agent |
/// | correlation | 1 − r², r Pearson's correlation of all voxels | images whose intensities are linear in each other |
/// | local correlation | 1 − mean r², r that of a cube around each voxel | phases of a dynamic series; uneven coils |
/// | mutual information | −I, I that of Mattes et al. in nats | images of different kinds |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SimilarityMeasure {
    /// The mean squared difference of intensities.
    MeanSquares,
    /// Pearson's correlation of all voxels, squared.
    Correlation,
    /// Pearson's correlation of the voxels in a cube around each voxel, squared (Avants et al., Med. Image Anal. 12:26,
    /// 2008).
    LocalCorrelation {
        /// Voxels from the centre of the cube to its border, at each resolution: 1 to 10.
        radius: usize,
    },
    /// Mutual information with a cubic Parzen window (Mattes et al., IEEE Trans. Med. Imaging 22:120, 2003).
    MutualInformation {
        /// Bins of the histogram of each image: 8 to 256.
        bins: usize,
    },
}

/// The starting position of the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StartingPosition {
    /// Where the coordinates of the files put the images: right for images of one examination.
    #[default]
    Coordinates,
    /// The centre of the moving image's grid on that of the fixed image.
    GridCenters,
}

/// The constraint on tissue within the lesion mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LesionConstraint {
    /// Whatever the images say.
    Free,
    /// Keep its volume: the squared logarithm of the Jacobian determinant is penalised (Rohlfing et al., IEEE Trans.
    /// Med. Imaging 22:730, 2003).
    #[default]
    Volume,
    /// Keep its shape: the distance of the derivative from a rotation is penalised (Staring et al., Med. Phys. 34:4098,
    /// 2007).
    Rigid,
}

/// Parameters of a registration.
///
/// Each stage goes through all resolutions, from coarse to fine; a B-spline stage begins with a grid of control points
/// that is twice as coarse at each coarser resolution, and is refined exactly.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`stages`](Self::stages) | rigid, B-spline | the motion models that are fitted, in this order | at least one; linear ones before a B-spline; at most one B-spline |
/// | [`measure`](Self::measure) | local correlation, radius 3 | the similarity measure that is optimised | |
/// | [`start`](Self::start) | coordinates | where the first stage begins | |
/// | [`resolutions`](Self::resolutions) | 3 | number of resolutions, each half of the next | 1 to 8 |
/// | [`finest_shrink`](Self::finest_shrink) | 1 | shrink factor of the finest resolution | 1 to 16 |
/// | [`iterations`](Self::iterations) | 60 | maximum number of iterations at each resolution | at least 1 |
/// | [`tolerance`](Self::tolerance) | 1e-4 | a resolution ends when the objective falls by less than this fraction of its fall so far | above 0, below 1 |
/// | [`grid_spacing`](Self::grid_spacing) | 12 | largest distance of control points at the finest resolution, in mm | above 0; at most one cell between control points for each voxel |
/// | [`bending_weight`](Self::bending_weight) | 100 | weight of the bending energy, in mm² | at least 0 |
/// | [`lesion`](Self::lesion) | volume | the constraint on tissue within the lesion mask, where one is given | |
/// | [`lesion_weight`](Self::lesion_weight) | 1 | weight of that constraint | at least 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct RegistrationParams {
    /// The motion models that are fitted, in this order. Default rigid, then B-spline.
    pub stages: Vec<MotionModel>,
    /// The similarity measure that is optimised. Default local correlation with radius 3 (in voxels).
    pub measure: SimilarityMeasure,
    /// Where the first stage begins. Default the coordinates of the files.
    pub start: StartingPosition,
    /// Number of resolutions, each with half the voxels on each axis of the next. Default 3, 1 to 8. Axes of thick
    /// slices are shrunk later, and none below eight voxels.
    pub resolutions: usize,
    /// Shrink factor of the finest resolution. Default 1, 1 to 16.
    pub finest_shrink: usize,
    /// Maximum number of iterations at each resolution. Default 60, at least 1.
    pub iterations: usize,
    /// A resolution ends when the objective falls in an iteration by less than this share of its fall so far. Default
    /// 1e-4, above 0 and below 1.
    pub tolerance: f64,
    /// Largest distance of control points at the finest resolution in mm. Default 12, above 0.
    pub grid_spacing: f64,
    /// Weight of the bending energy in mm²; the energy is the mean of the squared second derivatives of the
    /// displacement, in mm⁻². Default 100, at least 0. Raised fourfold while tissue is folded.
    pub bending_weight: f64,
    /// The constraint on tissue within the lesion mask, where one is given. By default its volume is kept.
    pub lesion: LesionConstraint,
    /// Weight of the constraint. Default 1, at least 0.
    pub lesion_weight: f64,
}

impl Default for RegistrationParams {
    fn default() -> Self {
        Self {
            stages: vec![MotionModel::Rigid, MotionModel::BSpline],
            measure: SimilarityMeasure::LocalCorrelation { radius: 3 },
            start: StartingPosition::default(),
            resolutions: 3,
            finest_shrink: 1,
            iterations: 60,
            tolerance: 1e-4,
            grid_spacing: 12.0,
            bending_weight: 100.0,
            lesion: LesionConstraint::default(),
            lesion_weight: 1.0,
        }
    }
}

impl RegistrationParams {
    /// Sets [`RegistrationParams::stages`].
    pub fn with_stages(self, stages: impl Into<Vec<MotionModel>>) -> Self {
        Self { stages: stages.into(), ..self }
    }

    /// Sets [`RegistrationParams::measure`].
    pub fn with_measure(self, measure: SimilarityMeasure) -> Self {
        Self { measure, ..self }
    }

    /// Sets [`RegistrationParams::start`].
    pub fn with_start(self, start: StartingPosition) -> Self {
        Self { start, ..self }
    }

    /// Sets [`RegistrationParams::resolutions`].
    pub fn with_resolutions(self, resolutions: usize) -> Self {
        Self { resolutions, ..self }
    }

    /// Sets [`RegistrationParams::finest_shrink`].
    pub fn with_finest_shrink(self, finest_shrink: usize) -> Self {
        Self { finest_shrink, ..self }
    }

    /// Sets [`RegistrationParams::iterations`].
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Sets [`RegistrationParams::tolerance`].
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Sets [`RegistrationParams::grid_spacing`].
    pub fn with_grid_spacing(self, grid_spacing: f64) -> Self {
        Self { grid_spacing, ..self }
    }

    /// Sets [`RegistrationParams::bending_weight`].
    pub fn with_bending_weight(self, bending_weight: f64) -> Self {
        Self { bending_weight, ..self }
    }

    /// Sets [`RegistrationParams::lesion`].
    pub fn with_lesion(self, lesion: LesionConstraint) -> Self {
        Self { lesion, ..self }
    }

    /// Sets [`RegistrationParams::lesion_weight`].
    pub fn with_lesion_weight(self, lesion_weight: f64) -> Self {
        Self { lesion_weight, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`RegistrationError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<Registration> {
        let invalid = |parameter, value: String, requirement| {
            Err(RegistrationError::InvalidParameter { parameter, value, requirement })
        };
        let in_order = self.stages.iter().rev().skip(1).all(|stage| *stage != MotionModel::BSpline);
        if self.stages.is_empty() || !in_order {
            let requirement = "there must be at least one, and a B-spline can only be the last";
            return invalid("stages", format!("{:?}", self.stages), requirement);
        }
        match self.measure {
            SimilarityMeasure::LocalCorrelation { radius } if !(1..=10).contains(&radius) => {
                return invalid("radius", radius.to_string(), "it must be 1 to 10 voxels");
            }
            SimilarityMeasure::MutualInformation { bins } if !(8..=256).contains(&bins) => {
                return invalid("bins", bins.to_string(), "it must be 8 to 256");
            }
            _ => {}
        }
        if !(1..=8).contains(&self.resolutions) {
            return invalid("resolutions", self.resolutions.to_string(), "it must be 1 to 8");
        }
        if !(1..=16).contains(&self.finest_shrink) {
            return invalid("finest_shrink", self.finest_shrink.to_string(), "it must be 1 to 16");
        }
        if self.iterations == 0 {
            return invalid("iterations", "0".to_owned(), "it must be at least 1");
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return invalid("tolerance", self.tolerance.to_string(), "it must be above 0 and below 1");
        }
        if !(self.grid_spacing > 0.0 && self.grid_spacing.is_finite()) {
            return invalid("grid_spacing", self.grid_spacing.to_string(), "it must be finite and above 0 mm");
        }
        for (parameter, weight) in [("bending_weight", self.bending_weight), ("lesion_weight", self.lesion_weight)] {
            if !(weight >= 0.0 && weight.is_finite()) {
                return invalid(parameter, weight.to_string(), "it must be finite and at least 0");
            }
        }
        Ok(Registration { params: self })
    }
}

/// Checked parameters, by which images are registered: see [`RegistrationParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    pub(crate) params: RegistrationParams,
}

impl Registration {
    /// The parameters.
    pub fn params(&self) -> &RegistrationParams {
        &self.params
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_refused() {
        let default = RegistrationParams::default;
        assert!(default().check().is_ok());
        for bad in [
            default().with_stages([]),
            default().with_stages([MotionModel::BSpline, MotionModel::Rigid]),
            default().with_stages([MotionModel::BSpline, MotionModel::BSpline]),
            default().with_measure(SimilarityMeasure::LocalCorrelation { radius: 0 }),
            default().with_measure(SimilarityMeasure::MutualInformation { bins: 4 }),
            default().with_resolutions(0),
            default().with_finest_shrink(0),
            default().with_iterations(0),
            default().with_tolerance(0.0),
            default().with_tolerance(f64::NAN),
            default().with_grid_spacing(-1.0),
            default().with_bending_weight(f64::INFINITY),
            default().with_lesion_weight(-0.5),
        ] {
            assert!(bad.clone().check().is_err(), "{bad:?}");
        }
    }
}
