//! Local intensity features: mean intensities in spheres of 1 cm³.
//!
//! The sphere around a voxel of the intensity mask holds the voxels of the image, in the mask or not, whose centre is
//! at most (3 / 4π)^(1/3) cm ≈ 6.2 mm away.

use std::f64::consts::PI;

use rayon::prelude::*;

use super::feature::{Definition, IbsiFamily, IbsiFeature, evaluate};
use super::region::Mask;

/// The mean intensity around each voxel of an intensity mask.
#[derive(Debug, Clone)]
pub(crate) struct LocalMeans {
    /// Intensity of the voxel and mean of its sphere, in raster order.
    peaks: Vec<(f64, f64)>,
}

/// A line of the sphere along x: its offset across, and how far it reaches to either side.
struct Chord {
    z: isize,
    y: isize,
    reach: usize,
}

/// The sphere as lines along x; `spacing` is (z, y, x) in mm.
fn chords(spacing: [f64; 3]) -> Vec<Chord> {
    let radius = 10.0 * (3.0 / (4.0 * PI)).cbrt();
    let [far_z, far_y, _] = spacing.map(|step| (radius / step).floor() as isize);
    let mut chords = Vec::new();
    for z in -far_z..=far_z {
        for y in -far_y..=far_y {
            let across = (z as f64 * spacing[0]).powi(2) + (y as f64 * spacing[1]).powi(2);
            if across <= radius * radius {
                chords.push(Chord { z, y, reach: ((radius * radius - across).sqrt() / spacing[2]).floor() as usize });
            }
        }
    }
    chords
}

impl LocalMeans {
    /// The means around the voxels of `mask` in an image on the same grid; `spacing` is (z, y, x) in mm.
    ///
    /// Cumulative sums along x turn each line of the sphere into one difference, so the cost of a voxel is the
    /// cross-section of its sphere.
    pub(crate) fn new(image: &[f64], mask: &Mask, spacing: [f64; 3]) -> Self {
        let [depth, height, width] = mask.shape;
        let mut cumulative = vec![0.0; depth * height * (width + 1)];
        cumulative.par_chunks_exact_mut(width + 1).zip(image.par_chunks_exact(width)).for_each(|(sums, row)| {
            for (x, value) in row.iter().enumerate() {
                sums[x + 1] = sums[x] + value;
            }
        });
        let chords = chords(spacing);
        let mean = |z: usize, y: usize, x: usize| {
            let (mut sum, mut count) = (0.0, 0usize);
            for chord in &chords {
                let (Some(z), Some(y)) = (z.checked_add_signed(chord.z), y.checked_add_signed(chord.y)) else {
                    continue;
                };
                if z < depth && y < height {
                    let row = (z * height + y) * (width + 1);
                    let (start, end) = (x.saturating_sub(chord.reach), (x + chord.reach + 1).min(width));
                    sum += cumulative[row + end] - cumulative[row + start];
                    count += end - start;
                }
            }
            sum / count as f64
        };
        let rows = mask.voxels.par_chunks_exact(width).zip(image.par_chunks_exact(width)).enumerate();
        let peaks = rows.map(|(row, (inside, values))| {
            let (z, y) = (row / height, row % height);
            let voxels = inside.iter().zip(values).enumerate().filter(|(_, (inside, _))| **inside);
            voxels.map(|(x, (_, &value))| (value, mean(z, y, x))).collect::<Vec<_>>()
        });
        Self { peaks: peaks.collect::<Vec<_>>().concat() }
    }

    /// The largest mean around a voxel of the highest intensity.
    fn local_peak(&self) -> f64 {
        let highest = self.peaks.iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max);
        self.peaks
            .iter()
            .filter(|(value, _)| *value == highest)
            .map(|(_, mean)| *mean)
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// The largest mean around any voxel.
    fn global_peak(&self) -> f64 {
        self.peaks.iter().map(|(_, mean)| *mean).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// The features of the family in the order of the reference manual: code, tag, name and formula.
pub(crate) const DEFINITIONS: &[Definition<LocalMeans>] = &[
    Definition::new("VJGA", "loc_peak_loc", "Local intensity peak", LocalMeans::local_peak),
    Definition::new("0F91", "loc_peak_glob", "Global intensity peak", LocalMeans::global_peak),
];

/// The features of a region; at least one voxel of `mask` must be set. `spacing` is (z, y, x) in mm.
pub(crate) fn features(image: &[f64], mask: &Mask, spacing: [f64; 3]) -> Vec<IbsiFeature> {
    evaluate(DEFINITIONS, IbsiFamily::LocalIntensity, None, &LocalMeans::new(image, mask, spacing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_agree_with_looking_at_every_voxel() {
        let (shape, spacing) = ([5, 7, 9], [3.0, 2.0, 1.5]);
        let image: Vec<f64> = (0..315).map(|i| f64::from((i * 37) % 101)).collect();
        let mask = Mask { shape, voxels: (0..315).map(|i| i % 3 == 0).collect() };
        let means = LocalMeans::new(&image, &mask, spacing);
        let radius = 10.0 * (3.0 / (4.0 * PI)).cbrt();
        let all = Mask { shape, voxels: vec![true; 315] };
        for (centre, (_, mean)) in mask.indices().zip(&means.peaks) {
            let distance = |voxel: [usize; 3]| {
                (0..3)
                    .map(|axis| ((voxel[axis] as f64 - centre[axis] as f64) * spacing[axis]).powi(2))
                    .sum::<f64>()
                    .sqrt()
            };
            let sphere: Vec<f64> =
                all.indices().zip(&image).filter(|(voxel, _)| distance(*voxel) <= radius).map(|(_, v)| *v).collect();
            approx::assert_relative_eq!(*mean, sphere.iter().sum::<f64>() / sphere.len() as f64, max_relative = 1e-12);
        }
    }
}
