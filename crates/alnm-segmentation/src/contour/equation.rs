//! The equation that moves a contour: ITK's `LevelSetFunction` with the speeds of ITK-SNAP's `SNAPLevelSetFunction`.

use alnm_imaging::Geometry;

use super::ActiveContourParams;

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

/// The values of the level set at a voxel and its neighbours, (z, y, x).
#[derive(Debug, Clone, Copy)]
pub(super) struct Stencil {
    pub(super) position: usize,
    pub(super) values: [[[f64; 3]; 3]; 3],
}

/// The speed and its gradient between voxels.
pub(super) trait SpeedSamples {
    /// The speed `offset` voxels (x, y, z) before a position.
    fn speed(&self, position: usize, offset: [f64; 3]) -> f64;

    /// The gradient of the speed per mm times a power of the speed, `offset` voxels (x, y, z) before a position.
    fn speed_gradient(&self, position: usize, offset: [f64; 3], exponent: u32) -> [f64; 3];
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

/// First and second derivatives of the level set.
struct Derivatives {
    central: [f64; 3],
    forward: [f64; 3],
    backward: [f64; 3],
    second: [[f64; 3]; 3],
    squared_gradient: f64,
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

    /// The change of a voxel in unit time, and the size of its terms.
    pub(super) fn change(&self, stencil: &Stencil, samples: &impl SpeedSamples) -> (f64, LargestChange) {
        let offset = self.offset_of_surface(stencil);
        let derivatives = self.derivatives(stencil);
        let mut largest = LargestChange::default();
        let speed = samples.speed(stencil.position, offset);

        let mut curvature = 0.0;
        if self.curvature_weight != 0.0 {
            curvature = self.curvature(&derivatives) * self.curvature_weight * power(speed, self.curvature_exponent);
            largest.curvature = curvature.abs();
        }
        let mut advection = 0.0;
        if self.advection_weight != 0.0 {
            let field = samples.speed_gradient(stencil.position, offset, self.advection_exponent);
            for axis in 0..self.dimension {
                let energy = self.advection_weight * field[axis];
                let upwind = if energy > 0.0 { derivatives.backward[axis] } else { derivatives.forward[axis] };
                advection += field[axis] * upwind;
                largest.advection = largest.advection.max(energy.abs());
            }
            advection *= self.advection_weight;
        }
        let mut propagation = 0.0;
        if self.propagation_weight != 0.0 {
            propagation = self.propagation_weight * power(speed, self.propagation_exponent);
            largest.propagation = propagation.abs();
            propagation *= self.upwind_gradient(&derivatives, propagation > 0.0);
        }
        (curvature - propagation - advection, largest)
    }

    /// How many voxels (x, y, z) behind the surface the voxel lies.
    fn offset_of_surface(&self, stencil: &Stencil) -> [f64; 3] {
        let smallest_norm = 1e-6 * self.smallest_spacing();
        let (here, mut offset, mut squared) = (stencil.centre(), [0.0; 3], 0.0);
        if here == 0.0 {
            return offset;
        }
        for axis in 0..self.dimension {
            let [before, behind] = stencil.neighbours(axis);
            let (forward, backward) = (behind - here, here - before);
            let takes_forward =
                if behind * before >= 0.0 { forward.abs() > backward.abs() } else { behind * here < 0.0 };
            offset[axis] = if takes_forward { forward } else { backward };
            squared += offset[axis] * offset[axis];
        }
        offset.map(|slope| slope * here / (squared + smallest_norm))
    }

    fn derivatives(&self, stencil: &Stencil) -> Derivatives {
        let (here, scales) = (stencil.centre(), self.scales());
        let mut found = Derivatives {
            central: [0.0; 3],
            forward: [0.0; 3],
            backward: [0.0; 3],
            second: [[0.0; 3]; 3],
            squared_gradient: 1e-6,
        };
        for i in 0..self.dimension {
            let [before, behind] = stencil.neighbours(i);
            found.central[i] = 0.5 * (behind - before) * scales[i];
            found.second[i][i] = (behind + before - 2.0 * here) * (scales[i] * scales[i]);
            found.forward[i] = (behind - here) * scales[i];
            found.backward[i] = (here - before) * scales[i];
            found.squared_gradient += found.central[i] * found.central[i];
            for j in i + 1..self.dimension {
                let [aa, ab, ba, bb] = stencil.diagonals(i, j);
                let mixed = 0.25 * (aa - ab - ba + bb) * scales[i] * scales[j];
                found.second[i][j] = mixed;
                found.second[j][i] = mixed;
            }
        }
        found
    }

    /// Mean curvature times the length of the gradient.
    fn curvature(&self, derivatives: &Derivatives) -> f64 {
        let Derivatives { central, second, squared_gradient, .. } = derivatives;
        let mut sum = 0.0;
        for i in 0..self.dimension {
            for j in (0..self.dimension).filter(|&j| j != i) {
                sum -= central[i] * central[j] * second[i][j];
                sum += second[j][j] * central[i] * central[i];
            }
        }
        sum / squared_gradient
    }

    /// The length of the gradient on the side from which the surface comes.
    fn upwind_gradient(&self, derivatives: &Derivatives, grows: bool) -> f64 {
        let mut sum = 0.0;
        for axis in 0..self.dimension {
            let (backward, forward) = (derivatives.backward[axis], derivatives.forward[axis]);
            let (backward, forward) =
                if grows { (backward.max(0.0), forward.min(0.0)) } else { (backward.min(0.0), forward.max(0.0)) };
            sum += backward * backward + forward * forward;
        }
        sum.sqrt()
    }
}

impl Stencil {
    fn centre(&self) -> f64 {
        self.values[1][1][1]
    }

    /// The values before and behind the voxel on an axis (x, y, z).
    fn neighbours(&self, axis: usize) -> [f64; 2] {
        let v = &self.values;
        match axis {
            0 => [v[1][1][0], v[1][1][2]],
            1 => [v[1][0][1], v[1][2][1]],
            _ => [v[0][1][1], v[2][1][1]],
        }
    }

    /// The values before both, before `i` and behind `j`, behind `i` and before `j`, and behind both axes; `i < j`.
    fn diagonals(&self, i: usize, j: usize) -> [f64; 4] {
        let v = &self.values;
        match (i, j) {
            (0, 1) => [v[1][0][0], v[1][2][0], v[1][0][2], v[1][2][2]],
            (0, _) => [v[0][1][0], v[2][1][0], v[0][1][2], v[2][1][2]],
            _ => [v[0][0][1], v[2][0][1], v[0][2][1], v[2][2][1]],
        }
    }
}

/// A power of the speed, by multiplication as far as ITK-SNAP multiplies.
fn power(speed: f64, exponent: i32) -> f64 {
    match exponent {
        0 => 1.0,
        1 => speed,
        2 => speed * speed,
        3 => speed * speed * speed,
        other => speed.powi(other),
    }
}
