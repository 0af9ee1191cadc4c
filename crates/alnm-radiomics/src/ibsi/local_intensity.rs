//! Local intensity features: mean intensities in spheres of 1 cm³.
//!
//! The sphere around a voxel of the intensity mask holds the voxels of the image, in the mask or not, whose centre is
//! at most (3 / 4π)^(1/3) cm ≈ 6.2 mm away.

use std::f64::consts::PI;
use std::ops::Range;

use alnm_imaging::vectorised;
use rayon::prelude::*;

use super::definition::{IbsiFamily, local_intensity};
use super::evaluation::evaluate;
use super::region::Mask;
use crate::feature::{FeatureValue, Formula};

/// Radius of the sphere in mm.
fn radius() -> f64 {
    10.0 * (3.0 / (4.0 * PI)).cbrt()
}

/// How many voxels the sphere reaches along each axis; `spacing` is (z, y, x) in mm.
pub(crate) fn reach(spacing: [f64; 3]) -> [usize; 3] {
    spacing.map(|step| (radius() / step).floor() as usize)
}

/// The largest means of the spheres around the voxels of an intensity mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct IntensityPeaks {
    /// The highest intensity of a voxel.
    highest: f64,
    /// The largest mean around a voxel of the highest intensity.
    local: f64,
    /// The largest mean around any voxel.
    global: f64,
}

impl IntensityPeaks {
    const NONE: Self = Self { highest: f64::NEG_INFINITY, local: f64::NEG_INFINITY, global: f64::NEG_INFINITY };

    /// The peaks around the voxels of `mask`, at least one, in an image on the same grid; `spacing` is (z, y, x) in mm.
    fn new(image: &[f64], mask: &Mask, spacing: [f64; 3]) -> Self {
        let [_, height, width] = mask.shape;
        let sums = RowSums::new(image, mask.shape);
        let chords = chords(spacing);
        let rows = mask.voxels.par_chunks_exact(width).zip(image.par_chunks_exact(width)).enumerate();
        let of_rows = rows.map_init(Vec::new, |means, (row, (inside, values))| {
            let Some(columns) = extent(inside) else { return Self::NONE };
            sums.means(&chords, row / height, row % height, columns.clone(), means);
            let voxels = inside[columns.clone()].iter().zip(&values[columns]).zip(means.iter());
            let inside = voxels.filter(|((inside, _), _)| **inside);
            inside.fold(Self::NONE, |peaks, ((_, &value), &mean)| {
                peaks.with(Self { highest: value, local: mean, global: mean })
            })
        });
        of_rows.collect::<Vec<_>>().into_iter().fold(Self::NONE, Self::with)
    }

    /// The peaks of both.
    fn with(self, other: Self) -> Self {
        let local = if self.highest == other.highest {
            self.local.max(other.local)
        } else if self.highest > other.highest {
            self.local
        } else {
            other.local
        };
        Self { highest: self.highest.max(other.highest), local, global: self.global.max(other.global) }
    }
}

/// The columns from the first to the last voxel of a row; `None` for a row without one.
fn extent(inside: &[bool]) -> Option<Range<usize>> {
    let first = inside.iter().position(|inside| *inside)?;
    Some(first..inside.iter().rposition(|inside| *inside)? + 1)
}

/// A line of the sphere along x: its offset across, and how far it reaches to either side.
struct Chord {
    z: isize,
    y: isize,
    reach: usize,
}

/// The sphere as lines along x; `spacing` is (z, y, x) in mm.
fn chords(spacing: [f64; 3]) -> Vec<Chord> {
    let radius = radius();
    let [far_z, far_y, _] = reach(spacing).map(|steps| steps as isize);
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

/// The sums of the values of each row up to each column: they turn a chord of the sphere into one difference, so that
/// the cost of a voxel is the cross-section of its sphere.
struct RowSums {
    shape: [usize; 3],
    /// One more for each row than it has columns.
    sums: Vec<f64>,
}

impl RowSums {
    fn new(image: &[f64], shape: [usize; 3]) -> Self {
        let [depth, height, width] = shape;
        let mut sums = vec![0.0; depth * height * (width + 1)];
        sums.par_chunks_exact_mut(width + 1).zip(image.par_chunks_exact(width)).for_each(|(sums, row)| {
            for (x, value) in row.iter().enumerate() {
                sums[x + 1] = sums[x] + value;
            }
        });
        Self { shape, sums }
    }

    /// The means of the spheres around the voxels of some columns of a row.
    fn means(&self, chords: &[Chord], z: usize, y: usize, columns: Range<usize>, means: &mut Vec<f64>) {
        let [depth, height, width] = self.shape;
        means.clear();
        means.resize(columns.len(), 0.0);
        let mut counts = vec![0.0; columns.len()];
        let arch = pulp::Arch::new();
        for chord in chords {
            let (Some(z), Some(y)) = (z.checked_add_signed(chord.z), y.checked_add_signed(chord.y)) else { continue };
            if z < depth && y < height {
                let sums = &self.sums[(z * height + y) * (width + 1)..][..width + 1];
                vectorised!(arch, add_chord(sums, chord.reach, &columns, means, &mut counts));
            }
        }
        means.iter_mut().zip(&counts).for_each(|(mean, count)| *mean /= count);
    }
}

/// Adds the sum and the number of the values within `reach` of each column.
#[inline(always)]
fn add_chord(sums: &[f64], reach: usize, columns: &Range<usize>, totals: &mut [f64], counts: &mut [f64]) {
    let width = sums.len() - 1;
    // Columns from here to there have the chord as a whole in the image.
    let whole =
        reach.clamp(columns.start, columns.end)..(width.saturating_sub(reach)).clamp(columns.start, columns.end);
    let whole = whole.start..whole.end.max(whole.start);
    for x in (columns.start..whole.start).chain(whole.end..columns.end) {
        let (start, end) = (x.saturating_sub(reach), (x + reach + 1).min(width));
        totals[x - columns.start] += sums[end] - sums[start];
        counts[x - columns.start] += (end - start) as f64;
    }
    let place = whole.start - columns.start..whole.end - columns.start;
    if whole.is_empty() {
        return;
    }
    let (ends, starts) = (&sums[whole.start + reach + 1..], &sums[whole.start - reach..]);
    for ((total, end), start) in totals[place.clone()].iter_mut().zip(ends).zip(starts) {
        *total += end - start;
    }
    for count in &mut counts[place] {
        *count += (2 * reach + 1) as f64;
    }
}

/// The features of the family in the order of the reference manual, with their formulas.
pub(crate) const FORMULAS: &[Formula<IntensityPeaks>] = &[
    Formula::ibsi_only(local_intensity::LOCAL_INTENSITY_PEAK, |peaks| peaks.local),
    Formula::ibsi_only(local_intensity::GLOBAL_INTENSITY_PEAK, |peaks| peaks.global),
];

/// The features of a region; at least one voxel of `mask` must be set. `spacing` is (z, y, x) in mm.
pub(crate) fn features(image: &[f64], mask: &Mask, spacing: [f64; 3]) -> Vec<FeatureValue> {
    evaluate(IbsiFamily::LocalIntensity, FORMULAS, &IntensityPeaks::new(image, mask, spacing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_agree_with_looking_at_every_voxel() {
        let (shape, spacing) = ([5, 7, 9], [3.0, 2.0, 1.5]);
        let image: Vec<f64> = (0..315).map(|i| f64::from((i * 37) % 101)).collect();
        let mask = Mask { shape, voxels: (0..315).map(|i| i % 3 == 0).collect() };
        let all = Mask { shape, voxels: vec![true; 315] };
        let (sums, chords) = (RowSums::new(&image, shape), chords(spacing));
        let mut found = [f64::NEG_INFINITY; 3];
        for centre in mask.indices() {
            let [z, y, x] = centre;
            let mut of_row = Vec::new();
            sums.means(&chords, z, y, 0..9, &mut of_row);
            let mean = of_row[x];
            let mut of_part = Vec::new();
            sums.means(&chords, z, y, x..x + 1, &mut of_part);
            assert_eq!(of_part, [mean]);
            let distance = |voxel: [usize; 3]| {
                (0..3)
                    .map(|axis| ((voxel[axis] as f64 - centre[axis] as f64) * spacing[axis]).powi(2))
                    .sum::<f64>()
                    .sqrt()
            };
            let sphere: Vec<f64> =
                all.indices().zip(&image).filter(|(voxel, _)| distance(*voxel) <= radius()).map(|(_, v)| *v).collect();
            approx::assert_relative_eq!(mean, sphere.iter().sum::<f64>() / sphere.len() as f64, max_relative = 1e-12);
            let value = image[(z * 7 + y) * 9 + x];
            if value >= found[0] {
                let before = if value == found[0] { found[1] } else { f64::NEG_INFINITY };
                (found[0], found[1]) = (value, mean.max(before));
            }
            found[2] = found[2].max(mean);
        }
        let peaks = IntensityPeaks::new(&image, &mask, spacing);
        assert_eq!([peaks.highest, peaks.local, peaks.global], found);
    }
}
