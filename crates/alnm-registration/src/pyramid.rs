//! Images at several resolutions.

use alnm_imaging::{Geometry, LabelMap, Volume};
use rayon::prelude::*;

use crate::error::Result;

/// Voxels of an axis that are kept at any resolution, where the image has as many.
const FEWEST: usize = 8;

/// σ at full resolution, times the smallest spacing: noise from voxel to voxel hides how alike images are.
const LEAST_SIGMA: f64 = 0.8;

/// σ in voxels below which an axis is not smoothed.
const NO_SIGMA: f64 = 0.25;

/// The weight of voxels that count from which on their weighted mean is taken.
const LEAST_WEIGHT: f32 = 1e-3;

/// An image at one resolution, with the voxels that count.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) grid: Geometry,
    pub(crate) voxels: Vec<f32>,
    /// 1 where a voxel counts, 0 where it does not; none where all count.
    pub(crate) mask: Option<Vec<u8>>,
}

/// By what intensities are shifted and divided, so that they have mean 0 and variance 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntensityScale {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

/// By how many voxels each axis is shrunk, so that the voxels of the shrunk image are as near to cubes of `factor`
/// times the smallest spacing as may be.
pub(crate) fn factors(grid: &Geometry, factor: usize) -> [usize; 3] {
    let (size, spacing) = (grid.size(), grid.spacing());
    let smallest = smallest_spacing(grid);
    std::array::from_fn(|axis| {
        let wanted = (factor as f64 * smallest / spacing[axis]).round().max(1.0) as usize;
        wanted.min((size[axis] / FEWEST).max(1))
    })
}

/// The smallest spacing of the axes that have more than one voxel.
fn smallest_spacing(grid: &Geometry) -> f64 {
    let (size, spacing) = (grid.size(), grid.spacing());
    let long = (0..3).filter(|&axis| size[axis] > 1).map(|axis| spacing[axis]);
    long.fold(f64::INFINITY, f64::min)
}

/// An image smoothed with a Gaussian and shrunk, with its mask. Intensities are standardised by `scale`. The Gaussian's
/// σ is half the shrink factor, but at least [`LEAST_SIGMA`], times the smallest spacing.
pub(crate) fn level(
    image: &Volume<f32>,
    mask: Option<&LabelMap>,
    scale: IntensityScale,
    factor: usize,
) -> Result<Level> {
    let geometry = image.geometry();
    let (factors, old) = (factors(geometry, factor), geometry.size());
    let size: [usize; 3] = std::array::from_fn(|axis| (old[axis] / factors[axis]).max(1));
    let first: [usize; 3] = std::array::from_fn(|axis| (old[axis] - 1 - (size[axis] - 1) * factors[axis]) / 2);
    let spacing = std::array::from_fn(|axis| geometry.spacing()[axis] * factors[axis] as f64);
    let origin = geometry.index_to_point(first.map(|voxel| voxel as f64));
    let grid = geometry.with_grid(size, spacing, origin)?;

    let sigma = (0.5 * factor as f64).max(LEAST_SIGMA) * smallest_spacing(geometry);
    let taps: [Option<Taps>; 3] = std::array::from_fn(|axis| {
        let sigma = sigma / geometry.spacing()[axis];
        let is_plain = factors[axis] == 1 && (sigma < NO_SIGMA || old[axis] == 1);
        (!is_plain).then(|| Taps::new(old[axis], size[axis], first[axis], factors[axis], sigma))
    });
    let (mean, factor) = (scale.mean as f32, (1.0 / scale.deviation) as f32);
    let voxels: Vec<f32> = image.as_slice().par_iter().map(|voxel| (voxel - mean) * factor).collect();
    let voxels = match mask {
        None => shrunk(&taps, voxels, old),
        Some(mask) => {
            // What does not count must not leak into what does: sums are divided by the weights of the voxels that count.
            let weights: Vec<f32> = mask.as_slice().iter().map(|&label| f32::from(u8::from(label != 0))).collect();
            let weighted = voxels.iter().zip(&weights).map(|(voxel, weight)| voxel * weight).collect();
            let (sums, weights) = (shrunk(&taps, weighted, old), shrunk(&taps, weights, old));
            let divided = |(sum, weight): (f32, f32)| if weight > LEAST_WEIGHT { sum / weight } else { 0.0 };
            sums.into_iter().zip(weights).map(divided).collect()
        }
    };
    let mask = mask.map(|mask| {
        let labels = mask.as_slice();
        let mut counts = Vec::with_capacity(grid.voxel_count());
        for z in 0..size[2] {
            for y in 0..size[1] {
                let line = (first[2] + z * factors[2]) * old[1] + first[1] + y * factors[1];
                let row = &labels[line * old[0]..][..old[0]];
                counts.extend((0..size[0]).map(|x| u8::from(row[first[0] + x * factors[0]] != 0)));
            }
        }
        counts
    });
    Ok(Level { grid, voxels, mask })
}

/// The image smoothed and shrunk along each axis that has weights for it.
fn shrunk(taps: &[Option<Taps>; 3], mut voxels: Vec<f32>, mut size: [usize; 3]) -> Vec<f32> {
    for axis in [2, 1, 0] {
        if let Some(taps) = &taps[axis] {
            voxels = taps.along(axis, &voxels, size);
            size[axis] = taps.firsts.len();
        }
    }
    voxels
}

/// The weights of a Gaussian around each voxel that is kept, cut off at three σ and at the border.
struct Taps {
    firsts: Vec<usize>,
    weights: Vec<Vec<f32>>,
}

impl Taps {
    fn new(old: usize, new: usize, first: usize, factor: usize, sigma: f64) -> Self {
        let reach = (3.0 * sigma).ceil() as usize;
        let (mut firsts, mut weights) = (Vec::with_capacity(new), Vec::with_capacity(new));
        for voxel in 0..new {
            let center = first + voxel * factor;
            let (low, high) = (center.saturating_sub(reach), (center + reach).min(old - 1));
            let gaussian = |at: usize| (-0.5 * ((at as f64 - center as f64) / sigma).powi(2)).exp();
            let sum: f64 = (low..=high).map(gaussian).sum();
            firsts.push(low);
            weights.push((low..=high).map(|at| (gaussian(at) / sum) as f32).collect());
        }
        Self { firsts, weights }
    }

    /// Weighted sums along an axis of an image of `size` voxels.
    fn along(&self, axis: usize, voxels: &[f32], size: [usize; 3]) -> Vec<f32> {
        let [width, height, depth] = size;
        let new = self.firsts.len();
        let mut shape = size;
        shape[axis] = new;
        let mut result = vec![0.0_f32; shape.iter().product()];
        if axis == 0 {
            let rows = result.par_chunks_mut(new).zip(voxels.par_chunks(width));
            rows.for_each(|(row, source)| {
                for ((value, &first), weights) in row.iter_mut().zip(&self.firsts).zip(&self.weights) {
                    *value = weights.iter().zip(&source[first..]).map(|(weight, sample)| weight * sample).sum();
                }
            });
            return result;
        }
        // Lines of x, or whole planes, are weighted as they are.
        let (length, lines, outer) = if axis == 1 { (width, height, depth) } else { (width * height, depth, 1) };
        debug_assert_eq!(voxels.len(), length * lines * outer);
        result.par_chunks_mut(length).enumerate().for_each(|(line, target)| {
            let (block, place) = (line / new, line % new);
            for (tap, weight) in self.weights[place].iter().enumerate() {
                let source = &voxels[(block * lines + self.firsts[place] + tap) * length..][..length];
                target.iter_mut().zip(source).for_each(|(value, sample)| *value += weight * sample);
            }
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: IntensityScale = IntensityScale { mean: 0.0, deviation: 1.0 };

    #[test]
    fn a_constant_stays_and_a_ramp_keeps_its_place() {
        let grid = Geometry::axis_aligned([33, 40, 18], [1.0, 1.0, 2.0]).unwrap();
        let ramp = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| (x + 2 * y + 3 * z) as f32);
        let image = Volume::new(ramp, grid).unwrap();
        let level = level(&image, None, PLAIN, 4).unwrap();
        assert_eq!(level.grid.size(), [8, 10, 9]);
        assert_eq!(level.grid.spacing(), [4.0, 4.0, 4.0]);
        let [width, height, _] = level.grid.size();
        let middle = (4 * height + 5) * width + 4;
        let [x, y, z] = level.grid.index_to_point([4.0, 5.0, 4.0]);
        assert!((f64::from(level.voxels[middle]) - (x + 2.0 * y + 1.5 * z)).abs() < 1e-3);
    }

    #[test]
    fn masks_are_picked_and_intensities_standardised() {
        let grid = Geometry::axis_aligned([32, 32, 1], [1.0; 3]).unwrap();
        let mut mask = Volume::filled(grid.clone(), 0_u32);
        mask.as_mut_slice()[..32 * 16].fill(3);
        let scale = IntensityScale { mean: 2.0, deviation: 4.0 };
        let level = level(&Volume::filled(grid, 10.0), Some(&mask), scale, 2).unwrap();
        assert_eq!(level.grid.size(), [16, 16, 1]);
        let counts = level.mask.unwrap();
        assert!(level.voxels.iter().zip(&counts).all(|(voxel, counts)| *counts == 0 || (voxel - 2.0).abs() < 1e-6));
        assert_eq!(counts.iter().filter(|&&counts| counts == 1).count(), 16 * 8);
    }
}
