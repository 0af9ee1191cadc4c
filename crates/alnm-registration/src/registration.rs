//! The whole of a registration: stages, resolutions, and what comes of them.

use std::ops::ControlFlow;

use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::Serialize;

use crate::bending::BendingEnergy;
use crate::deformable_stage::{ControlGrids, DeformableProblem};
use crate::error::{RegistrationError, Result};
use crate::jacobian::{JacobianSummary, jacobian_map};
use crate::lattice::Lattice;
use crate::lesion::LesionEnergy;
use crate::linear_stage::{IndexMap, LinearMotion, LinearProblem};
use crate::matrix::IDENTITY;
use crate::measure;
use crate::optimiser::{Evaluation, Minimum, Schedule, minimise};
use crate::params::{LesionConstraint, MotionModel, Registration, SimilarityMeasure, StartingPosition};
use crate::pyramid::{self, IntensityScale, Level};
use crate::samples::{MovingImage, Samples};
use crate::transform::{AffineTransform, BSplineTransform, SpatialTransform, TransformPart};

/// Share of the fixed image's voxels that have to lie in the moving image.
const LEAST_OVERLAP: f64 = 0.05;

/// Share of the voxels in common at the start that have to stay in common. Correlation and mutual information of a few
/// voxels are easily high, and a search without this bound ends where the images hardly touch.
const LEAST_KEPT: f64 = 0.5;

/// Voxels that two axes need at least.
const FEWEST_VOXELS: usize = 4;

/// How often the weight of the bending energy is raised while tissue is folded, and by what.
const MOST_RETRIES: i32 = 6;
const RETRY_FACTOR: f64 = 4.0;

/// The weight in mm² that is raised where a smaller one was asked for.
const LEAST_RAISED: f64 = 1.0;

/// The first iteration moves tissue by at most this share of a voxel of its resolution.
const FIRST_STEP: f64 = 0.5;

/// Tolerance of the grids of masks, relative to the spacing.
const SAME_GRID: f64 = 1e-3;

/// The voxels that are compared, and the mask of the lesion. A voxel belongs to a mask if its label is not 0.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RegistrationMasks<'a> {
    /// The voxels of the fixed image that are to be matched; all where there is none.
    pub fixed: Option<&'a LabelMap>,
    /// The voxels of the moving image that may be matched; all where there is none.
    pub moving: Option<&'a LabelMap>,
    /// The lesion, on the grid of the fixed image: see [`LesionConstraint`].
    pub lesion: Option<&'a LabelMap>,
}

impl<'a> RegistrationMasks<'a> {
    /// Sets [`RegistrationMasks::fixed`].
    #[must_use]
    pub fn with_fixed(self, fixed: &'a LabelMap) -> Self {
        Self { fixed: Some(fixed), ..self }
    }

    /// Sets [`RegistrationMasks::moving`].
    #[must_use]
    pub fn with_moving(self, moving: &'a LabelMap) -> Self {
        Self { moving: Some(moving), ..self }
    }

    /// Sets [`RegistrationMasks::lesion`].
    #[must_use]
    pub fn with_lesion(self, lesion: &'a LabelMap) -> Self {
        Self { lesion: Some(lesion), ..self }
    }
}

/// An iteration of a registration, as observers are told of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RegistrationIteration {
    /// What the stage looks for.
    pub model: MotionModel,
    /// The resolution, from 0 for the coarsest.
    pub resolution: usize,
    /// Number of resolutions of the stage.
    pub resolutions: usize,
    /// The iteration, from 1.
    pub iteration: usize,
    /// Most iterations of a resolution.
    pub most_iterations: usize,
    /// The objective: the measure and the penalties.
    pub value: f64,
}

/// Report of a stage at one resolution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResolutionReport {
    /// What the stage looked for.
    pub model: MotionModel,
    /// Voxels of the fixed image at this resolution, along x, y and z.
    pub size: [usize; 3],
    /// Control points along x, y and z; none of a linear stage.
    pub control_points: Option<[usize; 3]>,
    /// The objective before.
    pub start: f64,
    /// The objective after.
    pub value: f64,
    /// Iterations.
    pub iterations: usize,
    /// Evaluations of the objective with its gradient.
    pub evaluations: usize,
    /// Whether it ended by the tolerance, and not by the number of iterations.
    pub converged: bool,
}

/// The result of a registration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegistrationResult {
    /// From points of the fixed image to points of the moving image.
    pub transform: SpatialTransform,
    /// How each stage went at each resolution, in order.
    pub resolutions: Vec<ResolutionReport>,
    /// Share of the fixed image (of what counts, where a mask was given) that lies in the moving image after the
    /// motion, 0 to 1, by the voxels of the coarsest resolution.
    pub overlap: f64,
    /// The Jacobian determinant in all voxels of the fixed image.
    pub jacobian: JacobianSummary,
    /// The Jacobian determinant in the lesion, where its mask was given.
    pub lesion: Option<JacobianSummary>,
    /// The weight of the bending energy with which nothing is folded, in mm²; none without a B-spline.
    pub bending_weight: Option<f64>,
}

type Observer<'a> = dyn FnMut(&RegistrationIteration) -> ControlFlow<()> + 'a;

impl Registration {
    /// Finds the motion between two images: the transform takes points of the fixed image to points of the moving
    /// image, so that resampling the moving image through it ([`resample_through`](crate::resample_through)) brings it
    /// onto the fixed one.
    ///
    /// An image of one slice is registered in its plane. Stages before the last leave the finest resolution out. Motion
    /// that would take more than half of the common voxels out of the moving image is not considered;
    /// [`RegistrationResult::overlap`] says what is left.
    ///
    /// # Errors
    /// [`RegistrationError::ImageTooSmall`], [`RegistrationError::SliceCount`], [`RegistrationError::NonFinite`],
    /// [`RegistrationError::ConstantImage`], [`RegistrationError::MaskGrid`] and [`RegistrationError::EmptyMask`] for
    /// input that cannot be registered; [`RegistrationError::NoOverlap`] when less than a twentieth of the fixed image
    /// lies in the moving one at the start; [`RegistrationError::Folded`] when tissue stays folded under a bending
    /// weight raised 4096 times; [`RegistrationError::Cancelled`] when the observer asked to stop.
    pub fn register(
        &self,
        fixed: &Volume<f32>,
        moving: &Volume<f32>,
        masks: RegistrationMasks<'_>,
        observer: &mut dyn FnMut(&RegistrationIteration) -> ControlFlow<()>,
    ) -> Result<RegistrationResult> {
        check_images(fixed, moving)?;
        check_mask("fixed", masks.fixed, fixed.geometry())?;
        check_mask("moving", masks.moving, moving.geometry())?;
        check_mask("lesion", masks.lesion, fixed.geometry())?;
        let run = Run::new(self, fixed, moving, masks)?;
        run.execute(observer)
    }
}

fn check_images(fixed: &Volume<f32>, moving: &Volume<f32>) -> Result<()> {
    for (image, volume) in [("fixed", fixed), ("moving", moving)] {
        let size = volume.geometry().size();
        if size.iter().filter(|&&voxels| voxels >= FEWEST_VOXELS).count() < 2 {
            return Err(RegistrationError::ImageTooSmall { image, size });
        }
        volume.check_finite().map_err(|voxel| RegistrationError::NonFinite { image, voxel })?;
    }
    let slices = [fixed, moving].map(|volume| volume.geometry().size()[2]);
    match slices {
        [1, 1] => Ok(()),
        [1, _] | [_, 1] => Err(RegistrationError::SliceCount { fixed: slices[0], moving: slices[1] }),
        _ => Ok(()),
    }
}

fn check_mask(name: &'static str, mask: Option<&LabelMap>, grid: &Geometry) -> Result<()> {
    let Some(mask) = mask else { return Ok(()) };
    if let Some(difference) = grid.difference(mask.geometry(), SAME_GRID) {
        return Err(RegistrationError::MaskGrid { mask: name, difference });
    }
    if mask.as_slice().iter().all(|&label| label == 0) {
        return Err(RegistrationError::EmptyMask { mask: name });
    }
    Ok(())
}

/// Mean and standard deviation of the voxels that count.
fn intensity_scale(image: &'static str, volume: &Volume<f32>, mask: Option<&LabelMap>) -> Result<IntensityScale> {
    let counts = |position: usize| mask.is_none_or(|mask| mask.as_slice()[position] != 0);
    let within = || volume.as_slice().iter().enumerate().filter(|(position, _)| counts(*position));
    let count = within().count() as f64;
    let mean = within().map(|(_, &voxel)| f64::from(voxel)).sum::<f64>() / count;
    let squares: f64 = within().map(|(_, &voxel)| (f64::from(voxel) - mean).powi(2)).sum();
    let deviation = (squares / count).sqrt();
    if deviation > mean.abs() * 1e-9 && deviation > 0.0 {
        return Ok(IntensityScale { mean, deviation });
    }
    let value = within().next().map_or(0.0, |(_, &voxel)| voxel);
    Err(RegistrationError::ConstantImage { image, value })
}

/// A registration under way.
struct Run<'a> {
    registration: &'a Registration,
    fixed_grid: &'a Geometry,
    lesion: Option<&'a LabelMap>,
    /// From coarse to fine.
    levels: Vec<(Level, MovingImage)>,
    /// Smallest and largest intensity of the moving image at each resolution.
    ranges: Vec<(f32, f32)>,
    center: [f64; 3],
    /// The distance from the centre by which rotations are measured, in mm.
    length: f64,
    start: [f64; 3],
}

impl<'a> Run<'a> {
    fn new(
        registration: &'a Registration,
        fixed: &'a Volume<f32>,
        moving: &Volume<f32>,
        masks: RegistrationMasks<'a>,
    ) -> Result<Self> {
        let params = &registration.params;
        let fixed_scale = intensity_scale("fixed", fixed, masks.fixed)?;
        let own_scale = intensity_scale("moving", moving, masks.moving)?;
        // Squared differences need one scale for both.
        let moving_scale = if params.measure == SimilarityMeasure::MeanSquares { fixed_scale } else { own_scale };
        let mut shrunk = Vec::new();
        for resolution in 0..params.resolutions {
            let factor = params.finest_shrink << (params.resolutions - 1 - resolution);
            let factors = [fixed, moving].map(|volume| pyramid::factors(volume.geometry(), factor));
            // Small images have the same voxels at several resolutions.
            if shrunk.last().is_none_or(|(_, last)| *last != factors) {
                shrunk.push((factor, factors));
            }
        }
        let mut levels = Vec::with_capacity(shrunk.len());
        let mut ranges = Vec::with_capacity(shrunk.len());
        for (factor, _) in shrunk {
            let level = pyramid::level(moving, masks.moving, moving_scale, factor)?;
            let low = level.voxels.iter().copied().fold(f32::INFINITY, f32::min);
            let high = level.voxels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            ranges.push((low, high));
            levels.push((pyramid::level(fixed, masks.fixed, fixed_scale, factor)?, MovingImage::new(level)));
        }
        let grid = fixed.geometry();
        let center = center_of(grid);
        let start = match params.start {
            StartingPosition::Coordinates => [0.0; 3],
            StartingPosition::GridCenters => {
                let other = center_of(moving.geometry());
                std::array::from_fn(|axis| other[axis] - center[axis])
            }
        };
        let (size, spacing) = (grid.size(), grid.spacing());
        let squares = (0..3).map(|axis| (size[axis] as f64 * spacing[axis]).powi(2) / 12.0);
        let length = squares.sum::<f64>().sqrt();
        Ok(Self { registration, fixed_grid: grid, lesion: masks.lesion, levels, ranges, center, length, start })
    }

    fn execute(&self, observer: &mut Observer<'_>) -> Result<RegistrationResult> {
        let params = &self.registration.params;
        let mut reports = Vec::new();
        let mut linear: Option<TransformPart> = match params.start {
            StartingPosition::Coordinates => None,
            StartingPosition::GridCenters => {
                Some(TransformPart::Affine(AffineTransform::new(IDENTITY, self.start, self.center)))
            }
        };
        for (stage, model) in params.stages.iter().enumerate() {
            let is_last = stage + 1 == params.stages.len();
            if *model == MotionModel::BSpline {
                return self.deformable(linear, reports, observer);
            }
            linear = Some(self.linear(*model, linear.as_ref(), is_last, &mut reports, observer)?);
        }
        let transform = SpatialTransform::new(linear.into_iter().collect());
        let map = jacobian_map(&transform, self.fixed_grid);
        Ok(self.result(transform, reports, &map, None))
    }

    fn result(
        &self,
        transform: SpatialTransform,
        resolutions: Vec<ResolutionReport>,
        map: &Volume<f32>,
        bending_weight: Option<f64>,
    ) -> RegistrationResult {
        let jacobian = JacobianSummary::of_map(map, None).expect("a grid has at least one voxel");
        let lesion = self.lesion.and_then(|mask| JacobianSummary::of_map(map, Some(mask)));
        let overlap = self.overlap(&transform);
        RegistrationResult { transform, resolutions, overlap, jacobian, lesion, bending_weight }
    }

    /// Share of the voxels of the coarsest fixed image that count which a motion takes to places in the moving image.
    fn overlap(&self, transform: &SpatialTransform) -> f64 {
        let (fixed, moving) = &self.levels[0];
        let [width, height, _] = fixed.grid.size();
        let last = moving.grid.size().map(|voxels| voxels as f64 - 0.5);
        let lies_inside = |voxel: usize| {
            let index = [voxel % width, voxel / width % height, voxel / (width * height)].map(|index| index as f64);
            let place = moving.grid.point_to_index(transform.apply(fixed.grid.index_to_point(index)));
            place.iter().zip(last).all(|(place, last)| (-0.5..=last).contains(place))
        };
        let counts = |voxel: &usize| fixed.mask.as_ref().is_none_or(|mask| mask[*voxel] != 0);
        let counted = (0..fixed.voxels.len()).filter(counts);
        let [all, inside] =
            counted.fold([0_usize; 2], |[all, inside], voxel| [all + 1, inside + usize::from(lies_inside(voxel))]);
        inside as f64 / all.max(1) as f64
    }

    fn measure(&self, level: usize) -> Box<dyn measure::Measure> {
        measure::on_level(self.registration.params.measure, &self.levels[level].0, self.ranges[level])
    }

    /// Voxels of a level's fixed image that count, and how many of them lie in the moving image at the start.
    fn counts_at_start(&self, level: usize) -> [usize; 2] {
        let (fixed, moving) = &self.levels[level];
        let all =
            fixed.mask.as_ref().map_or(fixed.voxels.len(), |mask| mask.iter().map(|&counts| usize::from(counts)).sum());
        let start = AffineTransform::new(IDENTITY, self.start, self.center);
        let map = IndexMap::new(&fixed.grid, &moving.grid, &start);
        let common = Samples::new(fixed.grid.size()).fill(moving, fixed.mask.as_deref(), &map);
        [all, common]
    }

    /// How many voxels of a level have to lie in the moving image.
    fn least(&self, level: usize) -> usize {
        let [all, common] = self.counts_at_start(level);
        let least = (all as f64 * LEAST_OVERLAP).max(common as f64 * LEAST_KEPT);
        (least.ceil() as usize).max(1)
    }

    /// Minimises at one resolution and tells the observer.
    fn minimise(
        &self,
        model: MotionModel,
        level: usize,
        levels: usize,
        start: Vec<f64>,
        evaluate: &mut dyn FnMut(&[f64]) -> Option<Evaluation>,
        observer: &mut Observer<'_>,
    ) -> Result<Minimum> {
        let params = &self.registration.params;
        let spacing = self.levels[level].0.grid.spacing().into_iter().fold(f64::INFINITY, f64::min);
        let schedule =
            Schedule { iterations: params.iterations, tolerance: params.tolerance, first_step: FIRST_STEP * spacing };
        let mut report = |iteration, value| {
            observer(&RegistrationIteration {
                model,
                resolution: level,
                resolutions: levels,
                iteration,
                most_iterations: params.iterations,
                value,
            })
        };
        match minimise(start, schedule, evaluate, &mut report) {
            Some(minimum) if minimum.cancelled => Err(RegistrationError::Cancelled),
            Some(minimum) => Ok(minimum),
            None => Err(self.no_overlap()),
        }
    }

    fn no_overlap(&self) -> RegistrationError {
        let [all, common] = self.counts_at_start(0);
        let percent = 100.0 * common as f64 / all.max(1) as f64;
        RegistrationError::NoOverlap { percent, least: 100.0 * LEAST_OVERLAP }
    }

    fn linear(
        &self,
        model: MotionModel,
        before: Option<&TransformPart>,
        is_last: bool,
        reports: &mut Vec<ResolutionReport>,
        observer: &mut Observer<'_>,
    ) -> Result<TransformPart> {
        let (center, length) = (self.center, self.length);
        let is_rigid = model == MotionModel::Rigid;
        let motion =
            if is_rigid { LinearMotion::Rigid { center, length } } else { LinearMotion::Affine { center, length } };
        let mut parameters = self.linear_start(is_rigid, before);
        let levels = if is_last { self.levels.len() } else { self.levels.len().saturating_sub(1).max(1) };
        for level in 0..levels {
            let (fixed, moving) = &self.levels[level];
            let mut problem = LinearProblem {
                fixed,
                moving,
                motion,
                measure: self.measure(level),
                samples: Samples::new(fixed.grid.size()),
                derivative: vec![0.0; fixed.voxels.len()],
                least: self.least(level),
            };
            let mut evaluate = |parameters: &[f64]| problem.evaluate(parameters);
            let found = self.minimise(model, level, levels, parameters, &mut evaluate, observer)?;
            reports.push(report_of(model, fixed, None, &found));
            parameters = found.parameters;
        }
        Ok(match motion {
            LinearMotion::Rigid { .. } => TransformPart::Euler(LinearMotion::euler(center, length, &parameters)),
            LinearMotion::Affine { .. } => TransformPart::Affine(motion.transform(&parameters)),
        })
    }

    /// Where a linear stage begins: at the start, or where the stage before ended. A rigid stage takes from an affine
    /// one the translation alone.
    fn linear_start(&self, is_rigid: bool, before: Option<&TransformPart>) -> Vec<f64> {
        let mut parameters = vec![0.0; if is_rigid { 6 } else { 12 }];
        let (matrix, translation) = match before {
            Some(TransformPart::Euler(euler)) => {
                if is_rigid {
                    parameters[..3].copy_from_slice(&euler.angles().map(|angle| angle * self.length));
                }
                (euler.matrix(), euler.translation())
            }
            Some(TransformPart::Affine(affine)) => (affine.matrix(), affine.translation()),
            Some(TransformPart::BSpline(_)) | None => (IDENTITY, [0.0; 3]),
        };
        let first = parameters.len() - 3;
        parameters[first..].copy_from_slice(&translation);
        if !is_rigid {
            for (parameter, (entry, unit)) in
                parameters.iter_mut().zip(matrix.as_flattened().iter().zip(IDENTITY.as_flattened()))
            {
                *parameter = (entry - unit) * self.length;
            }
        }
        parameters
    }

    fn deformable(
        &self,
        linear: Option<TransformPart>,
        mut reports: Vec<ResolutionReport>,
        observer: &mut Observer<'_>,
    ) -> Result<RegistrationResult> {
        let mut bending_weight = self.registration.params.bending_weight;
        let most = RETRY_FACTOR.powi(MOST_RETRIES) * bending_weight.max(LEAST_RAISED);
        let before = reports.len();
        loop {
            reports.truncate(before);
            let spline = self.deform(linear.as_ref(), bending_weight, &mut reports, observer)?;
            let parts = linear.iter().cloned().chain([TransformPart::BSpline(spline)]).collect();
            let transform = SpatialTransform::new(parts);
            let map = jacobian_map(&transform, self.fixed_grid);
            let result = self.result(transform, reports.clone(), &map, Some(bending_weight));
            if result.jacobian.folded == 0 {
                return Ok(result);
            }
            if bending_weight >= most {
                return Err(RegistrationError::Folded { voxels: result.jacobian.folded, bending_weight });
            }
            bending_weight = RETRY_FACTOR * bending_weight.max(LEAST_RAISED);
        }
    }

    /// A deformation under a weight of the bending energy, through all resolutions.
    fn deform(
        &self,
        linear: Option<&TransformPart>,
        bending_weight: f64,
        reports: &mut Vec<ResolutionReport>,
        observer: &mut Observer<'_>,
    ) -> Result<BSplineTransform> {
        let params = &self.registration.params;
        let affine = match linear {
            Some(TransformPart::Euler(euler)) => AffineTransform::from(*euler),
            Some(TransformPart::Affine(affine)) => *affine,
            Some(TransformPart::BSpline(_)) | None => AffineTransform::new(IDENTITY, [0.0; 3], self.center),
        };
        let levels = self.levels.len();
        let grids = ControlGrids::new(self.fixed_grid, params.grid_spacing, levels)?;
        let mut coefficients = vec![0.0; 3 * grids.grid(0)?.voxel_count()];
        for level in 0..levels {
            if level > 0 {
                coefficients = grids.refine(&coefficients, level);
            }
            let (fixed, moving) = &self.levels[level];
            let control = grids.grid(level)?;
            let lesion = self
                .lesion
                .filter(|_| params.lesion != LesionConstraint::Free && params.lesion_weight > 0.0)
                .map(|mask| LesionEnergy::new(params.lesion, mask, &control, affine.matrix()));
            let mut problem = DeformableProblem {
                fixed,
                moving,
                linear: IndexMap::new(&fixed.grid, &moving.grid, &affine),
                linear_matrix: affine.matrix(),
                lattice: Lattice::new(&control, &fixed.grid),
                measure: self.measure(level),
                samples: Samples::new(fixed.grid.size()),
                derivative: vec![0.0; fixed.voxels.len()],
                least: self.least(level),
                bending: BendingEnergy::new(&control),
                bending_weight,
                lesion,
                lesion_weight: params.lesion_weight,
            };
            let mut evaluate = |coefficients: &[f64]| problem.evaluate(coefficients);
            let model = MotionModel::BSpline;
            let found = self.minimise(model, level, levels, coefficients, &mut evaluate, observer)?;
            reports.push(report_of(model, fixed, Some(control.size()), &found));
            coefficients = found.parameters;
        }
        BSplineTransform::new(grids.grid(levels - 1)?, coefficients)
    }
}

fn report_of(
    model: MotionModel,
    fixed: &Level,
    control_points: Option<[usize; 3]>,
    found: &Minimum,
) -> ResolutionReport {
    ResolutionReport {
        model,
        size: fixed.grid.size(),
        control_points,
        start: found.start,
        value: found.value,
        iterations: found.iterations,
        evaluations: found.evaluations,
        converged: found.converged,
    }
}

/// The centre of a grid in mm.
fn center_of(grid: &Geometry) -> [f64; 3] {
    grid.index_to_point(grid.size().map(|voxels| (voxels as f64 - 1.0) / 2.0))
}
