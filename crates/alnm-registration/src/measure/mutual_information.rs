//! Minus the mutual information of Mattes et al., IEEE Trans. Med. Imaging 22:120, 2003: a joint histogram in which the
//! fixed image falls into one bin and the moving image is spread over four by a cubic B-spline.
//!
//! ```text
//! I = Σ p(f, m)·ln( p(f, m) / (p(f)·p(m)) )
//! ```

use rayon::prelude::*;

use super::{Measure, plane};
use crate::pyramid::Level;
use crate::samples::Samples;
use crate::transform::{SUPPORT, weight_derivatives, weights};

/// Bins that are left free at each end for the spline.
const PADDING: usize = 2;

#[derive(Debug)]
pub(super) struct MutualInformation {
    plane: usize,
    bins: usize,
    /// The bin of each voxel of the fixed image.
    fixed_bins: Vec<u16>,
    moving_low: f32,
    bins_per_unit: f32,
}

impl MutualInformation {
    pub(super) fn new(fixed: &Level, (moving_low, moving_high): (f32, f32), bins: usize) -> Self {
        let counts = |position: usize| fixed.mask.as_ref().is_none_or(|mask| mask[position] != 0);
        let within = || fixed.voxels.iter().enumerate().filter(|&(position, _)| counts(position));
        let low = within().fold(f32::INFINITY, |low, (_, &voxel)| low.min(voxel));
        let high = within().fold(f32::NEG_INFINITY, |high, (_, &voxel)| high.max(voxel));
        let inner = (bins - 2 * PADDING) as f32;
        let per_unit = |low: f32, high: f32| if high > low { inner / (high - low) } else { 0.0 };
        let factor = per_unit(low, high);
        let bin = |voxel: &f32| ((voxel - low) * factor).clamp(0.0, inner - 1.0) as u16 + PADDING as u16;
        let fixed_bins = fixed.voxels.iter().map(bin).collect();
        Self { plane: plane(fixed), bins, fixed_bins, moving_low, bins_per_unit: per_unit(moving_low, moving_high) }
    }

    /// The first bin of a sample's spline, and its place in the span.
    #[inline]
    fn place(&self, sample: f32) -> (usize, f64) {
        let last = (self.bins - 2 * PADDING) as f32;
        let position = ((sample - self.moving_low) * self.bins_per_unit).clamp(0.0, last);
        // The upper end belongs to the last span.
        let span = position.floor().min(last - 1.0);
        (span as usize + PADDING - 1, f64::from(position - span))
    }
}

impl Measure for MutualInformation {
    fn evaluate(&mut self, _: &[f32], samples: &Samples, count: usize, derivative: &mut [f32]) -> f64 {
        let bins = self.bins;
        let slices = samples.values.par_chunks(self.plane).zip(samples.inside.par_chunks(self.plane));
        let histograms: Vec<Vec<f64>> = slices
            .zip(self.fixed_bins.par_chunks(self.plane))
            .map(|((values, inside), fixed)| {
                let mut histogram = vec![0.0; bins * bins];
                for ((&value, &counts), &bin) in values.iter().zip(inside).zip(fixed) {
                    if counts != 0 {
                        let (first, t) = self.place(value);
                        let row = &mut histogram[usize::from(bin) * bins + first..][..SUPPORT];
                        row.iter_mut().zip(weights(t)).for_each(|(sum, weight)| *sum += weight);
                    }
                }
                histogram
            })
            .collect();
        let mut joint = vec![0.0; bins * bins];
        for histogram in &histograms {
            joint.iter_mut().zip(histogram).for_each(|(sum, value)| *sum += value / count as f64);
        }
        let of_fixed: Vec<f64> = joint.chunks(bins).map(|row| row.iter().sum()).collect();
        let of_moving: Vec<f64> = (0..bins).map(|bin| joint.iter().skip(bin).step_by(bins).sum()).collect();
        let mut information = 0.0;
        // ln(p(f, m) / p(m)) takes the place of p(f, m).
        for (row, of_fixed) in joint.chunks_mut(bins).zip(of_fixed) {
            for (entry, of_moving) in row.iter_mut().zip(&of_moving) {
                if *entry > 0.0 {
                    let ratio = (*entry / of_moving).ln();
                    information += *entry * (ratio - of_fixed.ln());
                    *entry = ratio;
                }
            }
        }
        let factor = -f64::from(self.bins_per_unit) / count as f64;
        let slices = samples.values.par_chunks(self.plane).zip(samples.inside.par_chunks(self.plane));
        let slices = slices.zip(self.fixed_bins.par_chunks(self.plane)).zip(derivative.par_chunks_mut(self.plane));
        slices.for_each(|(((values, inside), fixed), derivative)| {
            let voxels = values.iter().zip(inside).zip(fixed).zip(derivative);
            for (((&value, &counts), &bin), derivative) in voxels {
                *derivative = 0.0;
                if counts != 0 {
                    let (first, t) = self.place(value);
                    let row = &joint[usize::from(bin) * bins + first..][..SUPPORT];
                    let change: f64 = row.iter().zip(weight_derivatives(t)).map(|(ratio, slope)| ratio * slope).sum();
                    *derivative = (factor * change) as f32;
                }
            }
        });
        -information
    }
}
