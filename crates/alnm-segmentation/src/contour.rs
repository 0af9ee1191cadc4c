//! Active contours: a surface that grows from seeds with the speed of the image, ITK-SNAP's semi-automatic segmentation
//! (Yushkevich et al., NeuroImage 31:1116, 2006).
//!
//! The contour is the zero of a level set φ, negative inside, that follows
//!
//! `∂φ/∂t = w_c g^c κ |∇φ| − w_p g^p |∇φ| + w_a g^a ∇g · ∇φ`
//!
//! with the speed g of the image between −1 and 1 ([`crate::speed`]) and the curvature κ of the contour. Region
//! competition (Zhu and Yuille) has the first two terms, with a speed that is negative outside of the structure;
//! geodesic active contours (Caselles, Kimmel and Sapiro) have all three, with a speed that vanishes at edges.
//!
//! The numerics are those of ITK's `SparseFieldLevelSetImageFilter`, `LevelSetFunction` and of ITK-SNAP's
//! `SNAPLevelSetFunction` in double precision, which Convert3D's `-levelset` runs too. The contour is held in a window
//! around it that grows with it, so that time and memory follow the lesion and not the image.

mod cells;
mod equation;
mod layer;
mod samples;
mod side;
mod sparse_field;
mod stencils;
mod warning;
mod window;

use std::ops::ControlFlow;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{ImagingError, LabelMap, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError, check_same_grid};
use crate::speed::SpeedSource;
use equation::LevelSetEquation;
use sparse_field::{Moved, SparseField};
use warning::GrowthWatch;

pub use warning::ContourWarning;

/// Parameters of an active contour.
///
/// | Field | Regions | Edges | Meaning | Range |
/// |---|---|---|---|---|
/// | [`propagation_weight`](Self::propagation_weight) | 1 | 1 | weight of the speed | finite |
/// | [`propagation_exponent`](Self::propagation_exponent) | 1 | 1 | power of the speed | 0 to 10 |
/// | [`curvature_weight`](Self::curvature_weight) | 0.2 | 0.2 | weight of the smoothness | finite, at least 0 |
/// | [`curvature_exponent`](Self::curvature_exponent) | 0 | 1 | power of the speed on it; ITK-SNAP's files say one less | 0 to 10 |
/// | [`advection_weight`](Self::advection_weight) | 0 | 2 | weight of the attraction by edges | finite |
/// | [`advection_exponent`](Self::advection_exponent) | 0 | 0 | power of the speed on it | 0 to 10 |
/// | [`iterations`](Self::iterations) | 200 | 200 | iterations at most | at least 1 |
/// | [`rms_change`](Self::rms_change) | 0 | 0 | root mean squared change of an iteration, in mm, below which the contour has settled; 0 never | at least 0 |
/// | [`time_step_factor`](Self::time_step_factor) | 1 | 1 | share of the longest stable time step | above 0, at most 1 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::contour::ActiveContourParams;
/// use alnm_segmentation::seeds::{Bubble, bubble_mask};
/// use ndarray::Array3;
///
/// // A cube of 9 mm that attracts the contour, and a seed in its middle.
/// let grid = Geometry::axis_aligned([25, 25, 25], [1.0; 3])?;
/// let inside = |i: usize| (8..17).contains(&i);
/// let speed = Array3::from_shape_fn(grid.shape(), |(z, y, x)| if inside(x) && inside(y) && inside(z) { 1.0 } else { -1.0_f32 });
/// let speed = Volume::new(speed, grid.clone())?;
/// let seed = bubble_mask(&grid, &[Bubble::new([12.0; 3], 2.0)])?;
/// let found = ActiveContourParams::regions().with_iterations(60).check()?.evolve(&speed, &seed)?;
/// assert!((650..=729).contains(&found.voxel_count) && found.warnings.is_empty());
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ActiveContourParams {
    /// Weight of the propagation with the speed.
    pub propagation_weight: f64,
    /// Power of the speed in the propagation.
    pub propagation_exponent: i32,
    /// Weight of the curvature, which makes the contour smooth.
    pub curvature_weight: f64,
    /// Power of the speed by which the curvature is multiplied.
    pub curvature_exponent: i32,
    /// Weight of the advection towards edges, with ITK-SNAP's sign.
    pub advection_weight: f64,
    /// Power of the speed by which the advection is multiplied.
    pub advection_exponent: u32,
    /// Iterations at most.
    pub iterations: usize,
    /// The root mean squared change of the level set by an iteration, in mm, below which the contour has settled.
    pub rms_change: f64,
    /// Share of the longest stable time step.
    pub time_step_factor: f64,
}

impl Default for ActiveContourParams {
    fn default() -> Self {
        Self::regions()
    }
}

impl ActiveContourParams {
    /// ITK-SNAP's defaults for region competition, after thresholds or a classification.
    pub fn regions() -> Self {
        Self {
            propagation_weight: 1.0,
            propagation_exponent: 1,
            curvature_weight: 0.2,
            curvature_exponent: 0,
            advection_weight: 0.0,
            advection_exponent: 0,
            iterations: 200,
            rms_change: 0.0,
            time_step_factor: 1.0,
        }
    }

    /// ITK-SNAP's defaults for geodesic active contours, after edges.
    pub fn edges() -> Self {
        Self { curvature_exponent: 1, advection_weight: 2.0, ..Self::regions() }
    }

    /// Sets [`ActiveContourParams::propagation_weight`].
    pub fn with_propagation_weight(self, propagation_weight: f64) -> Self {
        Self { propagation_weight, ..self }
    }

    /// Sets [`ActiveContourParams::propagation_exponent`].
    pub fn with_propagation_exponent(self, propagation_exponent: i32) -> Self {
        Self { propagation_exponent, ..self }
    }

    /// Sets [`ActiveContourParams::curvature_weight`].
    pub fn with_curvature_weight(self, curvature_weight: f64) -> Self {
        Self { curvature_weight, ..self }
    }

    /// Sets [`ActiveContourParams::curvature_exponent`].
    pub fn with_curvature_exponent(self, curvature_exponent: i32) -> Self {
        Self { curvature_exponent, ..self }
    }

    /// Sets [`ActiveContourParams::advection_weight`].
    pub fn with_advection_weight(self, advection_weight: f64) -> Self {
        Self { advection_weight, ..self }
    }

    /// Sets [`ActiveContourParams::advection_exponent`].
    pub fn with_advection_exponent(self, advection_exponent: u32) -> Self {
        Self { advection_exponent, ..self }
    }

    /// Sets [`ActiveContourParams::iterations`].
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Sets [`ActiveContourParams::rms_change`].
    pub fn with_rms_change(self, rms_change: f64) -> Self {
        Self { rms_change, ..self }
    }

    /// Sets [`ActiveContourParams::time_step_factor`].
    pub fn with_time_step_factor(self, time_step_factor: f64) -> Self {
        Self { time_step_factor, ..self }
    }

    /// The contour with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<ActiveContour> {
        let refused = |name, value: &dyn ToString, requirement| {
            Err(SegmentationError::parameter(name, value.to_string(), requirement))
        };
        let weights = [
            ("propagation weight", self.propagation_weight),
            ("curvature weight", self.curvature_weight),
            ("advection weight", self.advection_weight),
        ];
        if let Some((name, weight)) = weights.iter().find(|(_, weight)| !weight.is_finite()) {
            return refused(name, weight, "finite");
        }
        if self.curvature_weight < 0.0 {
            return refused("curvature weight", &self.curvature_weight, "at least 0; a negative one is unstable");
        }
        let exponents = [
            ("propagation exponent", i64::from(self.propagation_exponent)),
            ("curvature exponent", i64::from(self.curvature_exponent)),
            ("advection exponent", i64::from(self.advection_exponent)),
        ];
        if let Some((name, exponent)) = exponents.iter().find(|(_, exponent)| !(0..=10).contains(exponent)) {
            return refused(name, exponent, "from 0 to 10");
        }
        if self.iterations == 0 {
            return refused("number of iterations", &0, "at least 1");
        }
        if !(self.rms_change >= 0.0 && self.rms_change.is_finite()) {
            return refused("change at which the contour has settled", &self.rms_change, "finite and at least 0 mm");
        }
        if !(self.time_step_factor > 0.0 && self.time_step_factor <= 1.0) {
            return refused("share of the time step", &self.time_step_factor, "above 0 and at most 1");
        }
        Ok(ActiveContour { params: self })
    }
}

/// A contour whose parameters were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveContour {
    params: ActiveContourParams,
}

/// The state of a contour after an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ContourIteration {
    /// Number of the iteration, from 1.
    pub iteration: usize,
    /// Iterations at most.
    pub iterations: usize,
    /// Root mean squared change of the level set at the contour, in mm.
    pub rms_change: f64,
    /// Voxels inside of the contour, without those that it crosses.
    pub core_voxels: usize,
    /// Voxels that the contour crosses.
    pub active_voxels: usize,
}

/// The outline that a contour found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EvolvedContour {
    /// 1 where the level set is 0 or less, 0 elsewhere.
    pub mask: LabelMap,
    /// Voxels inside.
    pub voxel_count: usize,
    /// Volume of these voxels in mm³.
    pub volume: f64,
    /// Iterations that were done.
    pub iterations: usize,
    /// Root mean squared change of the last iteration, in mm.
    pub rms_change: f64,
    /// Whether the contour had settled before the iterations were used up.
    pub settled: bool,
    /// What should be looked at.
    pub warnings: Vec<ContourWarning>,
}

/// What errors call this.
const OPERATION: &str = "active contour";

/// Iterations of which an observer is told together. Where threads share them they run on a thread of the pool, which
/// hands out their parts at once; an observer need not be able to go there.
const TOLD_TOGETHER: usize = 16;

/// Does as many iterations as `steps`, or fewer when the contour has settled.
fn several<S: SpeedSource + ?Sized>(
    field: &mut SparseField<S>,
    time_step_factor: f64,
    steps: usize,
    is_settled: impl Fn(&Moved) -> bool + Sync,
) -> Result<Vec<Moved>> {
    let is_shared = field.is_shared();
    let mut iterate = || {
        let mut done = Vec::with_capacity(steps);
        while done.len() < steps && !done.last().is_some_and(&is_settled) {
            done.push(field.advance(time_step_factor)?);
        }
        Ok(done)
    };
    if is_shared { rayon::scope(|_| iterate()) } else { iterate() }
}

/// Voxels of a mask from which on threads share a look at all of them.
const SHARED_LABELS: usize = 1 << 20;

/// The smallest box that holds all voxels of a seed; none of an empty one.
fn seeded_box(seed: &LabelMap) -> Option<VoxelBox> {
    let [width, height, _] = seed.geometry().size();
    let box_of = |(row, labels): (usize, &[u32])| labelled_box([0, row % height, row / height], labels);
    let labels = seed.as_slice();
    if labels.len() < SHARED_LABELS {
        labels.chunks(width).enumerate().filter_map(box_of).reduce(|a, b| a.hull(&b))
    } else {
        labels.par_chunks(width).enumerate().filter_map(box_of).reduce_with(|a, b| a.hull(&b))
    }
}

/// The voxels from the first to the last label that is not 0 of a row along x that begins at `voxel` (x, y, z).
fn labelled_box([x, y, z]: [usize; 3], labels: &[u32]) -> Option<VoxelBox> {
    // Most rows have none, which is seen without a branch at each voxel.
    if labels.iter().fold(0, |any, label| any | label) == 0 {
        return None;
    }
    let first = labels.iter().position(|&label| label != 0)?;
    let last = labels.iter().rposition(|&label| label != 0)?;
    Some(VoxelBox::new([x + first, y, z], [last - first + 1, 1, 1]))
}

impl ActiveContour {
    /// The parameters.
    pub fn params(&self) -> &ActiveContourParams {
        &self.params
    }

    /// Lets the contour grow from the voxels of `seed` that are not 0.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when the grids differ or a speed near the contour is not finite;
    /// [`SegmentationError::Parameter`] when the seed has no voxel or the image more than 2³² of them.
    pub fn evolve<S: SpeedSource + ?Sized>(&self, speed: &S, seed: &LabelMap) -> Result<EvolvedContour> {
        self.evolve_with(speed, seed, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`ActiveContour::evolve`], with an observer that is told of each iteration and may stop the contour.
    ///
    /// # Errors
    /// As [`ActiveContour::evolve`], and [`ImagingError::Cancelled`] when the observer stops.
    pub fn evolve_with<S: SpeedSource + ?Sized>(
        &self,
        speed: &S,
        seed: &LabelMap,
        observer: &mut dyn FnMut(&ContourIteration) -> ControlFlow<()>,
    ) -> Result<EvolvedContour> {
        let grid = speed.geometry();
        check_same_grid(OPERATION, grid, seed.geometry())?;
        if u32::try_from(grid.voxel_count().saturating_mul(2)).is_err() {
            let requirement = "at most 2147483647; cut out a part of the image";
            return Err(SegmentationError::parameter("number of voxels", grid.voxel_count(), requirement));
        }
        let Some(region) = seeded_box(seed) else {
            let requirement = "at least 1; place a seed inside of the structure";
            return Err(SegmentationError::parameter("number of voxels of the seed", 0, requirement));
        };
        // The mask is cleared while the contour grows.
        let mut mask = None;
        let Growth { field, watch, iterations, rms_change, settled } = rayon::in_place_scope(|scope| {
            scope.spawn(|_| mask = Some(Volume::filled(grid.clone(), 0_u32)));
            self.grow(speed, seed, &region, observer)
        })?;
        let mut mask = mask.expect("a scope ends after all that it has spawned");
        let (voxel_count, reached) = mark_inside(&field, &mut mask);
        let warnings = watch.warnings(reached.as_ref(), grid);
        let volume = voxel_count as f64 * grid.voxel_volume();
        Ok(EvolvedContour { mask, voxel_count, volume, iterations, rms_change, settled, warnings })
    }

    /// Lets the contour grow from the voxels of `seed`, which lie in `region`, until it has settled.
    fn grow<'a, S: SpeedSource + ?Sized>(
        &self,
        speed: &'a S,
        seed: &LabelMap,
        region: &VoxelBox,
        observer: &mut dyn FnMut(&ContourIteration) -> ControlFlow<()>,
    ) -> Result<Growth<'a, S>> {
        let equation = LevelSetEquation::new(&self.params, speed.geometry());
        let [width, height, _] = seed.geometry().size();
        let is_inside = |[x, y, z]: [usize; 3]| seed.as_slice()[(z * height + y) * width + x] != 0;
        let field = SparseField::new(speed, equation, region, is_inside)?;
        let watch = GrowthWatch::default();
        let mut growth = Growth { field, watch, iterations: 0, rms_change: 0.0, settled: false };
        let is_settled = |moved: &Moved| moved.rms_change < self.params.rms_change || moved.active == 0;
        while growth.iterations < self.params.iterations && !growth.settled {
            let steps = TOLD_TOGETHER.min(self.params.iterations - growth.iterations);
            for moved in several(&mut growth.field, self.params.time_step_factor, steps, is_settled)? {
                growth.iterations += 1;
                growth.rms_change = moved.rms_change;
                growth.settled = is_settled(&moved);
                growth.watch.see(growth.iterations, moved.core + moved.active);
                let now = ContourIteration {
                    iteration: growth.iterations,
                    iterations: self.params.iterations,
                    rms_change: moved.rms_change,
                    core_voxels: moved.core,
                    active_voxels: moved.active,
                };
                if observer(&now).is_break() {
                    return Err(ImagingError::Cancelled { operation: OPERATION }.into());
                }
            }
        }
        Ok(growth)
    }
}

/// A contour that has grown.
struct Growth<'a, S: ?Sized> {
    field: SparseField<'a, S>,
    watch: GrowthWatch,
    iterations: usize,
    rms_change: f64,
    settled: bool,
}

/// Marks the voxels inside of a contour in a mask of zeros. Returns how many there are and the smallest box around them.
fn mark_inside<S: SpeedSource + ?Sized>(field: &SparseField<S>, mask: &mut LabelMap) -> (usize, Option<VoxelBox>) {
    let [width, height, _] = mask.geometry().size();
    let (mut count, mut reached) = (0, None);
    field.for_each_row(|[x, y, z], values| {
        let is_inside = |&value: &f64| value <= 0.0;
        // Most rows have none, which is seen without a branch at each voxel.
        if !values.iter().fold(false, |any, value| any | is_inside(value)) {
            return;
        }
        let first = values.iter().position(is_inside).unwrap_or(0);
        let last = values.iter().rposition(is_inside).unwrap_or(first);
        let row = &mut mask.as_mut_slice()[(z * height + y) * width + x..][first..=last];
        for (label, value) in row.iter_mut().zip(&values[first..=last]) {
            *label = u32::from(is_inside(value));
        }
        count += row.iter().sum::<u32>() as usize;
        let here = VoxelBox::new([x + first, y, z], [last - first + 1, 1, 1]);
        reached = Some(reached.map_or(here, |reached: VoxelBox| reached.hull(&here)));
    });
    (count, reached)
}
