//! The voxels that take part, packed slice by slice, and the passes over them.
//!
//! Every pass works on slices in parallel and merges what they found in the order of the slices, so that the result
//! does not depend on the number of threads. The innermost loops run with the vector instructions that the machine
//! turns out to have; no sum changes its order by that.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis};
use pulp::Arch;
use rayon::prelude::*;

use super::convergence::Convergence;
use super::exponential::exponential;
use super::lattice::Lattice;
use super::sharpening::{Bins, Histogram, Sharpening};
use super::spline::{AxisWeights, LARGEST_SUPPORT, Splines};
use crate::vectorised;
use crate::volume::{ImageRef, LabelMap, Volume};

/// The voxels to which the field is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Foreground<'a> {
    /// All.
    All,
    /// Those of a mask with the label [`N4Params::mask_label`](super::N4Params::mask_label).
    Mask(&'a LabelMap),
    /// Those above a threshold, such as [`otsu_threshold`](crate::otsu::otsu_threshold)'s.
    Above(f64),
}

impl<'a> Foreground<'a> {
    pub(super) fn mask(self) -> Option<&'a LabelMap> {
        match self {
            Self::Mask(mask) => Some(mask),
            Self::All | Self::Above(_) => None,
        }
    }
}

/// Neighbouring voxels of one row.
struct Run {
    y: usize,
    x: Range<usize>,
    /// Place of the first among the slice's voxels.
    first: usize,
}

/// The voxels of one slice in raster order.
struct Slice {
    runs: Vec<Run>,
    /// Logarithm of the image.
    log: Vec<f32>,
    /// Logarithm of the field.
    field: Vec<f32>,
    /// Old field over new one, of the last update.
    ratio: Vec<f32>,
    /// Weights in the fit, where there are any.
    weight: Option<Vec<f32>>,
    /// Range of the corrected logarithms.
    low: f32,
    high: f32,
}

/// All voxels that take part.
pub(super) struct Region {
    slices: Vec<Slice>,
    /// The corrected logarithm of the first voxel does not count for the lowest value while others are there: ITK 5.4
    /// looks for a new minimum only in voxels that are no new maximum.
    first_slice: usize,
}

impl Region {
    pub(super) fn new(
        image: ImageRef<'_>,
        foreground: Foreground<'_>,
        label: Option<u32>,
        weights: Option<&Volume<f32>>,
    ) -> Self {
        let [width, height, depth] = image.geometry().size();
        let voxels = image.rows();
        let in_foreground = |position: usize, value: f64| match (foreground, label) {
            (Foreground::All, _) => true,
            (Foreground::Mask(mask), Some(label)) => mask.as_slice()[position] == label,
            (Foreground::Mask(mask), None) => mask.as_slice()[position] != 0,
            (Foreground::Above(threshold), _) => value > threshold,
        };
        let has_weight = |position: usize| weights.is_none_or(|weights| weights.as_slice()[position] > 0.0);
        let slice = |z: usize| {
            let (mut runs, mut log, mut weight) = (Vec::new(), Vec::new(), weights.map(|_| Vec::new()));
            let mut values = Vec::with_capacity(width);
            for y in 0..height {
                let row = (z * height + y) * width;
                values.clear();
                voxels.append(row..row + width, &mut values);
                let included = |x: usize| in_foreground(row + x, values[x]) && has_weight(row + x);
                let mut x = 0;
                while x < width {
                    if !included(x) {
                        x += 1;
                        continue;
                    }
                    let length = (x..width).take_while(|&x| included(x)).count();
                    runs.push(Run { y, x: x..x + length, first: log.len() });
                    log.extend(values[x..][..length].iter().map(|&value| logarithm(value as f32)));
                    if let (Some(weight), Some(weights)) = (&mut weight, weights) {
                        weight.extend_from_slice(&weights.as_slice()[row + x..][..length]);
                    }
                    x += length;
                }
            }
            let voxels = log.len();
            Slice { runs, field: vec![0.0; voxels], ratio: vec![1.0; voxels], weight, low: 0.0, high: 0.0, log }
        };
        let slices: Vec<Slice> = (0..depth).into_par_iter().map(slice).collect();
        let first_slice = slices.iter().position(|slice| !slice.log.is_empty()).unwrap_or(0);
        let mut region = Self { slices, first_slice };
        let first = region.first_slice;
        region.slices.par_iter_mut().enumerate().for_each(|(z, slice)| slice.find_range(z == first));
        region
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.iter().all(|slice| slice.log.is_empty())
    }

    /// The sum of squared spline weights at each control point.
    pub(super) fn fit_weights(&self, splines: &Splines) -> Array3<f64> {
        self.contract(splines.lattice_size(), splines.squared(), |slice, values| match &slice.weight {
            Some(weight) => values.copy_from_slice(weight),
            None => values.fill(1.0),
        })
    }

    /// The control points of a spline fitted to what sharpening takes away from the corrected logarithms.
    pub(super) fn fit_residual(&self, splines: &Splines, sharpening: &Sharpening, omega: &Array3<f64>) -> Array3<f32> {
        let occupied = || self.slices.iter().filter(|slice| !slice.log.is_empty());
        let low = occupied().map(|slice| slice.low).fold(f32::INFINITY, f32::min);
        let high = occupied().map(|slice| slice.high).fold(f32::NEG_INFINITY, f32::max);
        let Some(bins) = Bins::new(low, high, sharpening.bins()) else { return Array3::zeros(omega.raw_dim()) };
        let histograms: Vec<Histogram> =
            self.slices.par_iter().map(|slice| Histogram::of(&bins, &slice.log, &slice.field)).collect();
        let mut histogram = Histogram::new(sharpening.bins());
        histograms.iter().for_each(|slice| histogram.merge(slice));
        let map = sharpening.sharpen(&histogram, bins);

        let delta = self.contract(
            splines.lattice_size(),
            splines.fit(),
            #[inline(always)]
            |slice, values| {
                map.residuals(&slice.log, &slice.field, values);
                if let Some(weight) = &slice.weight {
                    values.iter_mut().zip(weight).for_each(|(value, weight)| *value *= weight);
                }
            },
        );
        let mut update = Array3::zeros(omega.raw_dim());
        for ((point, delta), omega) in update.iter_mut().zip(&delta).zip(omega) {
            let quotient = delta / omega;
            *point = if *omega > f64::EPSILON && quotient.is_finite() { quotient as f32 } else { 0.0 };
        }
        update
    }

    /// Evaluates the field at every voxel and remembers its change.
    pub(super) fn update_field(&mut self, splines: &Splines, lattice: &Lattice) {
        let first = self.first_slice;
        let arch = Arch::new();
        self.slices.par_iter_mut().enumerate().for_each(|(z, slice)| {
            vectorised!(arch, {
                slice.update_field(z, splines, lattice);
                slice.find_range(z == first);
            });
        });
    }

    /// How much the last update changed the field.
    pub(super) fn convergence(&self) -> f32 {
        let mut convergence = Convergence::default();
        self.slices.iter().for_each(|slice| convergence.add(&slice.ratio));
        convergence.coefficient_of_variation()
    }

    /// Sums over all voxels of a value times the spline weights on the three axes, for each control point. `fill` gives
    /// the values of a slice; where it is inlined, by vector instructions.
    fn contract(
        &self,
        size: [usize; 3],
        weights: &[AxisWeights; 3],
        fill: impl Fn(&Slice, &mut [f32]) + Sync,
    ) -> Array3<f64> {
        let [points_x, points_y, points_z] = size;
        let arch = Arch::new();
        let planes: Vec<Option<Array2<f64>>> = self
            .slices
            .par_iter()
            .map_init(Vec::new, |values, slice| {
                (!slice.log.is_empty())
                    .then(|| vectorised!(arch, slice.contract([points_x, points_y], weights, values, &fill)))
            })
            .collect();
        let mut sums = Array3::zeros([points_z, points_y, points_x]);
        for (z, plane) in planes.iter().enumerate() {
            let Some(plane) = plane else { continue };
            for k in 0..weights[2].support() {
                sums.index_axis_mut(Axis(0), weights[2].cell(z) + k)
                    .scaled_add(f64::from(weights[2].weight(k, z)), plane);
            }
        }
        sums
    }
}

impl Slice {
    /// Range of the corrected logarithms; `leave_first` as [`Region::first_slice`] says.
    #[inline(always)]
    fn find_range(&mut self, leave_first: bool) {
        [self.low, self.high] = range_of_differences(&self.log, &self.field);
        if leave_first && self.log.len() > 1 {
            self.low = range_of_differences(&self.log[1..], &self.field[1..])[0];
        }
    }

    #[inline(always)]
    fn update_field(&mut self, z: usize, splines: &Splines, lattice: &Lattice) {
        let plane = lattice.plane(splines.evaluation(2), z);
        self.ratio.copy_from_slice(&self.field);
        for row in self.runs.chunk_by(|a, b| a.y == b.y) {
            let line = plane.line(splines.evaluation(1), row[0].y);
            for run in row {
                line.evaluate(splines.evaluation(0), run.x.start, &mut self.field[run.first..][..run.x.len()]);
            }
        }
        exponentials_of_differences(&mut self.ratio, &self.field);
    }

    #[inline(always)]
    fn contract(
        &self,
        size: [usize; 2],
        weights: &[AxisWeights; 3],
        values: &mut Vec<f32>,
        fill: &(impl Fn(&Slice, &mut [f32]) + Sync),
    ) -> Array2<f64> {
        let [points_x, points_y] = size;
        let mut plane = Array2::zeros([points_y, points_x]);
        let mut line = vec![0.0; points_x];
        // All runs at once: where the mask is ragged they are too short for vector instructions.
        values.resize(self.log.len(), 0.0);
        fill(self, values);
        for row in self.runs.chunk_by(|a, b| a.y == b.y) {
            line.fill(0.0);
            for run in row {
                let values = &values[run.first..][..run.x.len()];
                for segment in weights[0].segments(run.x.start, run.x.end) {
                    let part = &values[segment.start - run.x.start..segment.end - run.x.start];
                    let sums = dot_products(part, &weights[0], segment.start);
                    line[segment.cell..]
                        .iter_mut()
                        .zip(&sums[..weights[0].support()])
                        .for_each(|(sum, dot)| *sum += f64::from(*dot));
                }
            }
            let y = row[0].y;
            for k in 0..weights[1].support() {
                let weight = f64::from(weights[1].weight(k, y));
                let target = plane.row_mut(weights[1].cell(y) + k);
                target.into_iter().zip(&line).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        plane
    }
}

/// Lowest and highest difference, found in lanes.
#[inline(always)]
fn range_of_differences(a: &[f32], b: &[f32]) -> [f32; 2] {
    const LANES: usize = 16;
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut take = |lane: usize, difference: f32| {
        low[lane] = if difference < low[lane] { difference } else { low[lane] };
        high[lane] = if difference > high[lane] { difference } else { high[lane] };
    };
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            take(lane, a[lane] - b[lane]);
        }
    }
    a_rest.iter().zip(b_rest).for_each(|(a, b)| take(0, a - b));
    [low.into_iter().fold(f32::INFINITY, f32::min), high.into_iter().fold(f32::NEG_INFINITY, f32::max)]
}

/// ITK leaves voxels that have no logarithm as they are.
fn logarithm(voxel: f32) -> f32 {
    if voxel > 0.0 { voxel.ln() } else { voxel }
}

/// Products of values with the weights of each control point of their cell, in lanes of eight.
#[inline(always)]
fn dot_products(values: &[f32], weights: &AxisWeights, start: usize) -> [f32; LARGEST_SUPPORT] {
    const LANES: usize = 8;
    let mut sums = [0.0; LARGEST_SUPPORT];
    for (k, sum) in sums[..weights.support()].iter_mut().enumerate() {
        let column = &weights.column(k)[start..start + values.len()];
        let (chunks, rest) = values.as_chunks::<LANES>();
        let (weight_chunks, weight_rest) = column.as_chunks::<LANES>();
        let mut lanes = [0.0_f32; LANES];
        for (values, weights) in chunks.iter().zip(weight_chunks) {
            for lane in 0..LANES {
                lanes[lane] += values[lane] * weights[lane];
            }
        }
        let tail: f32 = rest.iter().zip(weight_rest).map(|(value, weight)| value * weight).sum();
        *sum = lanes.iter().sum::<f32>() + tail;
    }
    sums
}

/// Replaces the old field by exp(old − new).
#[inline(always)]
fn exponentials_of_differences(old: &mut [f32], new: &[f32]) {
    for (old, new) in old.iter_mut().zip(new) {
        *old = exponential(*old - new);
    }
}
