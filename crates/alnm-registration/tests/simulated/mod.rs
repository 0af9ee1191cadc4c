//! Images like those of a breast, with a motion that is known.

use alnm_imaging::{Geometry, LabelMap, Volume};
use ndarray::Array3;

/// A motion of tissue that is known: a sum of a few smooth bumps, the curl of a potential, so that it keeps volume but for
/// second-order terms.
pub(crate) struct KnownMotion {
    bumps: Vec<([f64; 3], [f64; 3], f64)>,
    factor: f64,
}

impl KnownMotion {
    /// A motion that moves tissue of an image by at most `largest` mm.
    pub(crate) fn new(grid: &Geometry, largest: f64) -> Self {
        let [w, h, d] = std::array::from_fn(|axis| grid.size()[axis] as f64 * grid.spacing()[axis]);
        let bumps = vec![
            ([0.35 * w, 0.45 * h, 0.4 * d], [0.2, -0.4, 1.0], 0.30 * w),
            ([0.70 * w, 0.60 * h, 0.7 * d], [0.8, 0.5, -0.3], 0.25 * w),
            ([0.50 * w, 0.25 * h, 0.5 * d], [-0.3, 0.9, 0.4], 0.28 * w),
        ];
        let mut motion = Self { bumps, factor: 1.0 };
        let length = |position: usize| {
            let point = grid.index_to_point(grid.index_of(position).map(|index| index as f64));
            motion.displacement(point).iter().map(|u| u * u).sum::<f64>().sqrt()
        };
        let most = (0..grid.voxel_count()).step_by(7).map(length).fold(0.0, f64::max);
        motion.factor = largest / most;
        motion
    }

    /// How far the tissue at a point of the fixed image has moved in the moving image.
    pub(crate) fn displacement(&self, point: [f64; 3]) -> [f64; 3] {
        let mut sum = [0.0; 3];
        for (center, [a, b, c], width) in &self.bumps {
            let [x, y, z]: [f64; 3] = std::array::from_fn(|axis| (point[axis] - center[axis]) / width);
            let slope = -self.factor * (-0.5 * (x * x + y * y + z * z)).exp();
            // The gradient of the bump, times the vector of the potential.
            let curl = [y * c - z * b, z * a - x * c, x * b - y * a];
            (0..3).for_each(|axis| sum[axis] += slope * curl[axis]);
        }
        sum
    }

    /// The point of the fixed image whose tissue lies at a point of the moving image.
    pub(crate) fn source(&self, point: [f64; 3]) -> [f64; 3] {
        let mut source = point;
        for _ in 0..12 {
            let u = self.displacement(source);
            source = std::array::from_fn(|axis| point[axis] - u[axis]);
        }
        source
    }
}

/// Tissue of a breast before contrast agent, or after it with `enhancement` 1.
pub(crate) struct Breast {
    size: [f64; 3],
}

impl Breast {
    pub(crate) fn new(grid: &Geometry) -> Self {
        Self { size: std::array::from_fn(|axis| grid.size()[axis] as f64 * grid.spacing()[axis]) }
    }

    fn lesion_distance(&self, point: [f64; 3]) -> f64 {
        let [w, h, d] = self.size;
        let [x, y, z] = [point[0] - 0.42 * w, point[1] - 0.5 * h, point[2] - 0.5 * d];
        let lobes = 1.0 + 0.15 * (3.0 * y.atan2(x)).sin();
        (x * x + y * y + z * z).sqrt() / (6.5 * lobes)
    }

    pub(crate) fn intensity(&self, point: [f64; 3], enhancement: f64) -> f64 {
        let [w, h, d] = self.size;
        let [x, y, z] = point;
        let within = ((x / w - 0.5) / 0.46).powi(2) + ((y / h - 0.55) / 0.45).powi(2) + ((z / d - 0.5) / 0.55).powi(2);
        let inside = sigmoid((1.0 - within) * 12.0);
        let wave = (0.21 * x + 0.6 * (0.13 * y).sin()).sin() * (0.17 * y - 0.09 * z).cos()
            + 0.7 * (0.31 * z + 0.11 * x).sin() * (0.27 * y).cos()
            + 0.5 * (0.45 * x - 0.33 * y + 0.2 * z).sin();
        // The lesion lies in fat.
        let distance = self.lesion_distance(point);
        let gland = sigmoid(wave * 4.0) * sigmoid((distance - 1.6) * 6.0);
        let lesion = sigmoid((1.0 - distance) * 8.0);
        let septa =
            ((0.5 * x + 0.2 * y).sin() * (0.43 * z - 0.35 * y).cos() + (0.6 * y - 0.3 * x + 0.2 * z).sin()).abs();
        let tissue = 280.0 - 130.0 * gland * (1.0 - 0.25 * enhancement) - 45.0 * septa;
        let tumour = 120.0 + 180.0 * enhancement;
        inside * (tissue * (1.0 - lesion) + tumour * lesion)
    }

    pub(crate) fn lesion(&self, grid: &Geometry) -> LabelMap {
        let inside = |(z, y, x): (usize, usize, usize)| {
            let point = grid.index_to_point([x as f64, y as f64, z as f64]);
            u32::from(self.lesion_distance(point) < 1.0)
        };
        Volume::new(Array3::from_shape_fn(grid.shape(), inside), grid.clone()).expect("the grid's own shape")
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// An image of the tissue, moved, with noise.
pub(crate) fn image(grid: &Geometry, motion: Option<&KnownMotion>, enhancement: f64, seed: u64) -> Volume<f32> {
    image_through(grid, &|point| motion.map_or(point, |motion| motion.source(point)), enhancement, seed)
}

/// An image that shows at each point the tissue of the point to which a map takes it, with noise.
pub(crate) fn image_through(
    grid: &Geometry,
    map: &dyn Fn([f64; 3]) -> [f64; 3],
    enhancement: f64,
    seed: u64,
) -> Volume<f32> {
    let breast = Breast::new(grid);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut noise = || {
        let mut sum = 0.0;
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            sum += (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        }
        12.0 * sum
    };
    let voxel = |(z, y, x): (usize, usize, usize)| {
        let point = grid.index_to_point([x as f64, y as f64, z as f64]);
        (breast.intensity(map(point), enhancement) + noise()) as f32
    };
    Volume::new(Array3::from_shape_fn(grid.shape(), voxel), grid.clone()).expect("the grid's own shape")
}
