//! The equation that moves a contour: ITK's `LevelSetFunction` with the speeds of ITK-SNAP's `SNAPLevelSetFunction`.

use alnm_imaging::Geometry;

use super::ActiveContourParams;
use super::stencils::{BLOCK, Numbers, PAIRS, Stencil, Views};

/// How fast the level set φ changes at a voxel, for a speed g between −1 and 1:
///
/// `∂φ/∂t = w_c g^c κ |∇φ| − w_p g^p |∇φ| + w_a g^a ∇g · ∇φ`
#[derive(Debug, Clone)]
pub(super) struct LevelSetEquation {
    dimension: usize,
    /// Voxels per mm along x, y and z.
    scales: [f64; 3],
    smallest_spacing: f64,
    propagation_weight: f64,
    propagation_exponent: i32,
    curvature_weight: f64,
    curvature_exponent: i32,
    /// Of ITK's advection, whose sign is the opposite of ITK-SNAP's.
    advection_weight: f64,
    advection_exponent: u32,
}

/// The speed and its gradient between voxels.
pub(super) trait SpeedSamples {
    /// The speeds `offsets` voxels (x, y, z) before the positions of a block, in an image of `D` dimensions.
    fn speeds<const D: usize>(&self, block: &[u32; BLOCK], offsets: &[Numbers; 3], speeds: &mut Numbers);

    /// The gradient of the speed per mm times a power of the speed, `offset` voxels (x, y, z) before a position.
    fn speed_gradient(&self, position: u32, offset: [f64; 3], exponent: u32) -> [f64; 3];
}

/// The largest terms among voxels, which bound the time step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LargestChange {
    propagation: f64,
    advection: f64,
    curvature: f64,
}

impl LargestChange {
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            propagation: self.propagation.max(other.propagation),
            advection: self.advection.max(other.advection),
            curvature: self.curvature.max(other.curvature),
        }
    }
}

/// What the change of a block of voxels is computed in.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Values of the voxels.
    pub(super) centre: Numbers,
    /// Values before and behind the voxels on each axis (x, y, z).
    faces: [[Numbers; 2]; 3],
    /// The mean curvature times the length of the gradient.
    bends: Numbers,
    /// How many voxels (x, y, z) behind the surface the voxels lie.
    offsets: [Numbers; 3],
    speeds: Numbers,
    curvature: Numbers,
    propagation: Numbers,
    advection: Numbers,
    /// Changes of the voxels in unit time.
    pub(super) changes: Numbers,
}

impl Workspace {
    pub(super) fn new() -> Self {
        Self {
            centre: [0.0; BLOCK],
            faces: [[[0.0; BLOCK]; 2]; 3],
            bends: [0.0; BLOCK],
            offsets: [[0.0; BLOCK]; 3],
            speeds: [0.0; BLOCK],
            curvature: [0.0; BLOCK],
            propagation: [0.0; BLOCK],
            advection: [0.0; BLOCK],
            changes: [0.0; BLOCK],
        }
    }
}

impl LevelSetEquation {
    pub(super) fn new(params: &ActiveContourParams, grid: &Geometry) -> Self {
        let dimension = if grid.size()[2] == 1 { 2 } else { 3 };
        Self {
            dimension,
            scales: grid.spacing().map(|spacing| 1.0 / spacing),
            smallest_spacing: grid.spacing()[..dimension].iter().copied().fold(f64::INFINITY, f64::min),
            propagation_weight: params.propagation_weight,
            propagation_exponent: params.propagation_exponent,
            curvature_weight: params.curvature_weight,
            curvature_exponent: params.curvature_exponent,
            advection_weight: -params.advection_weight,
            advection_exponent: params.advection_exponent,
        }
    }

    /// 3, or 2 for an image of one slice.
    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Voxels per mm along x, y and z.
    pub(super) fn scales(&self) -> [f64; 3] {
        self.scales
    }

    pub(super) fn smallest_spacing(&self) -> f64 {
        self.smallest_spacing
    }

    /// The longest stable time step.
    pub(super) fn time_step(&self, largest: LargestChange) -> f64 {
        let stable = 1.0 / (2.0 * self.dimension as f64);
        let wave = largest.advection + largest.propagation;
        let step = match (largest.curvature > 0.0, wave > 0.0) {
            (true, true) => (stable / wave).min(stable / largest.curvature),
            (true, false) => stable / largest.curvature,
            (false, true) => stable / wave,
            (false, false) => 0.0,
        };
        step / self.scales()[..self.dimension].iter().copied().fold(0.0, f64::max)
    }

    /// The changes of the voxels of a block, whose stencils were read, in unit time, and the largest of their terms, in
    /// an image of `D` dimensions.
    #[inline(always)]
    pub(super) fn changes<const D: usize>(
        &self,
        block: &[u32; BLOCK],
        views: &Views,
        samples: &impl SpeedSamples,
        work: &mut Workspace,
    ) -> LargestChange {
        let mut largest = LargestChange::default();
        self.find_shape::<D>(block, views, work);
        samples.speeds::<D>(block, &work.offsets, &mut work.speeds);
        if self.curvature_weight != 0.0 {
            powers(&work.speeds, self.curvature_exponent, &mut work.curvature);
            for lane in 0..BLOCK {
                work.curvature[lane] *= work.bends[lane];
            }
            largest.curvature = largest_size(&work.curvature);
        }
        if self.advection_weight != 0.0 {
            largest.advection = self.advect::<D>(block, samples, work);
        }
        if self.propagation_weight != 0.0 {
            powers(&work.speeds, self.propagation_exponent, &mut work.propagation);
            work.propagation.iter_mut().for_each(|speed| *speed *= self.propagation_weight);
            largest.propagation = largest_size(&work.propagation);
            self.propagate::<D>(work);
        }
        for lane in 0..BLOCK {
            work.changes[lane] = work.curvature[lane] - work.propagation[lane] - work.advection[lane];
        }
        largest
    }

    /// What the shape of the contour alone tells: how far the voxels lie from it, and how it bends there.
    #[inline(always)]
    fn find_shape<const D: usize>(&self, block: &[u32; BLOCK], views: &Views, work: &mut Workspace) {
        let smallest_norm = 1e-6 * self.smallest_spacing();
        let scales = self.scales;
        for lane in 0..BLOCK {
            let Stencil { centre: here, faces, edges } = views.stencil(block[lane]);
            work.centre[lane] = here;
            let (mut slopes, mut squared) = ([0.0; D], 0.0);
            let (mut central, mut second) = ([0.0; D], [[0.0; D]; D]);
            let mut squared_gradient = 1e-6;
            for axis in 0..D {
                let [before, behind] = faces[axis];
                work.faces[axis][0][lane] = before;
                work.faces[axis][1][lane] = behind;
                let (forward, backward) = (behind - here, here - before);
                // Nested, as choices by one condition each are one instruction.
                let nearer_crossing = if behind * here < 0.0 { forward } else { backward };
                let steeper = if forward.abs() > backward.abs() { forward } else { backward };
                slopes[axis] = if behind * before < 0.0 { nearer_crossing } else { steeper };
                squared += slopes[axis] * slopes[axis];
                central[axis] = 0.5 * (behind - before) * scales[axis];
                second[axis][axis] = (behind + before - 2.0 * here) * (scales[axis] * scales[axis]);
                squared_gradient += central[axis] * central[axis];
            }
            for axis in 0..D {
                work.offsets[axis][lane] = slopes[axis] * here / (squared + smallest_norm);
            }
            for (pair, [i, j]) in PAIRS.into_iter().enumerate().take(D * (D - 1) / 2) {
                let [aa, ab, ba, bb] = edges[pair];
                let mixed = 0.25 * (aa - ab - ba + bb) * scales[i] * scales[j];
                second[i][j] = mixed;
                second[j][i] = mixed;
            }
            let mut sum = 0.0;
            for i in 0..D {
                for j in 0..D {
                    // Not by a filter, with which the compiler does not unroll the loop.
                    if j != i {
                        sum -= central[i] * central[j] * second[i][j];
                        sum += second[j][j] * central[i] * central[i];
                    }
                }
            }
            work.bends[lane] = sum / squared_gradient * self.curvature_weight;
        }
    }

    /// Multiplies by the length of the gradient on the side from which the surface comes.
    #[inline(always)]
    fn propagate<const D: usize>(&self, work: &mut Workspace) {
        let Workspace { centre, faces, propagation, .. } = work;
        for lane in 0..BLOCK {
            let here = centre[lane];
            let grows = propagation[lane] > 0.0;
            let mut sum = 0.0;
            for axis in 0..D {
                let [before, behind] = [faces[axis][0][lane], faces[axis][1][lane]];
                let (forward, backward) = ((behind - here) * self.scales[axis], (here - before) * self.scales[axis]);
                // Of a growing contour the positive part of the one and the negative part of the other, else the reverse.
                let backward = if (backward > 0.0) == grows { backward } else { 0.0 };
                let forward = if (forward < 0.0) == grows { forward } else { 0.0 };
                sum += backward * backward + forward * forward;
            }
            propagation[lane] *= sum.sqrt();
        }
    }

    /// Computes the advection of a block, and returns the largest energy.
    fn advect<const D: usize>(&self, block: &[u32; BLOCK], samples: &impl SpeedSamples, work: &mut Workspace) -> f64 {
        let mut largest = 0.0_f64;
        for (lane, &position) in block.iter().enumerate() {
            let here = work.centre[lane];
            let offset = work.offsets.each_ref().map(|offsets| offsets[lane]);
            let field = samples.speed_gradient(position, offset, self.advection_exponent);
            let mut advection = 0.0;
            for axis in 0..D {
                let [before, behind] = [work.faces[axis][0][lane], work.faces[axis][1][lane]];
                let energy = self.advection_weight * field[axis];
                let slope = if energy > 0.0 { here - before } else { behind - here };
                advection += field[axis] * (slope * self.scales[axis]);
                largest = largest.max(energy.abs());
            }
            work.advection[lane] = advection * self.advection_weight;
        }
        largest
    }
}

/// The largest size of a number.
#[inline(always)]
fn largest_size(numbers: &Numbers) -> f64 {
    let mut sizes = *numbers;
    let mut width = BLOCK;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            let (one, other) = (sizes[lane].abs(), sizes[lane + width].abs());
            sizes[lane] = if one > other { one } else { other };
        }
    }
    sizes[0]
}

/// A power of speeds, by multiplication as far as ITK-SNAP multiplies.
#[inline(always)]
fn powers(speeds: &Numbers, exponent: i32, powers: &mut Numbers) {
    match exponent {
        0 => powers.fill(1.0),
        1 => *powers = *speeds,
        2 => each(speeds, powers, |speed| speed * speed),
        3 => each(speeds, powers, |speed| speed * speed * speed),
        other => each(speeds, powers, |speed| speed.powi(other)),
    }
}

/// A function of each number.
#[inline(always)]
fn each(numbers: &Numbers, results: &mut Numbers, function: impl Fn(f64) -> f64) {
    for lane in 0..BLOCK {
        results[lane] = function(numbers[lane]);
    }
}
