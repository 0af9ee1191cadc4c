//! The interpolating cubic B-spline with mirrored borders (Unser, Aldroubi, Eden, IEEE Trans. Signal Process. 41:821,
//! 1993), as ITK's `BSplineInterpolateImageFunction` evaluates it.
//!
//! Coefficients are found by a causal and an anticausal recursion along each axis with the pole z = √3 − 2. Only the part
//! of the image that the grid can see is filtered: the response of the filter falls by |z| a voxel, so that
//! [`MARGIN`] voxels away nothing is left of it in double precision.

use ndarray::{Array3, ArrayViewMut3, Axis};
use rayon::prelude::*;

use super::sampling::{Sampling, is_inside, sample_lines};
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::volume::{Volume, Voxel};

/// |√3 − 2|^40 ≈ 10⁻²³, far below the last bit of a double.
const MARGIN: usize = 40;

/// Coefficients that a value depends on, on one axis.
const SUPPORT: usize = 4;

pub(super) fn sample<T: Voxel>(volume: &Volume<T>, sampling: &Sampling, grid: &Geometry, outside: T) -> Result<Volume<T>> {
    let size = volume.geometry().size();
    match sampling {
        Sampling::General(lines) => {
            let coefficients = Coefficients::new(volume, size.map(|n| (0, n)))?;
            Ok(sample_lines(size, lines, grid, outside, |position| {
                let axes = std::array::from_fn(|axis| Support::new(position[axis], size[axis], 0));
                T::from_f64(coefficients.evaluate(&axes))
            }))
        }
        Sampling::Separable(positions) => {
            let Some(part) = visible_part(positions, size) else { return Ok(Volume::filled(grid.clone(), outside)) };
            let coefficients = Coefficients::new(volume, part)?;
            let axes = std::array::from_fn(|axis| {
                let inside = |&position: &f64| is_inside(position, size[axis]).then(|| Support::new(position, size[axis], part[axis].0));
                positions[axis].iter().map(inside).collect()
            });
            Ok(separable(&coefficients, &axes, grid, outside))
        }
    }
}

/// First and one-past-last voxel on each axis that can change a value of the grid; `None` when the grid lies outside.
fn visible_part(positions: &[Vec<f64>; 3], size: [usize; 3]) -> Option<[(usize, usize); 3]> {
    let mut part = [(0, 0); 3];
    for axis in 0..3 {
        let inside = positions[axis].iter().copied().filter(|&position| is_inside(position, size[axis]));
        let (low, high) = inside.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)));
        if low > high {
            return None;
        }
        let reach = MARGIN + SUPPORT;
        part[axis] = ((low.max(0.0) as usize).saturating_sub(reach), (high.max(0.0) as usize + reach).min(size[axis]));
    }
    Some(part)
}

/// The four coefficients on one axis that a position depends on, with their weights.
#[derive(Debug, Clone, Copy)]
struct Support {
    indices: [usize; SUPPORT],
    weights: [f64; SUPPORT],
}

impl Support {
    /// The support of a position on an axis of `size` voxels; indices count from `first`.
    fn new(position: f64, size: usize, first: usize) -> Self {
        // ITK rounds the position to single precision before it looks for the interval.
        let start = f64::from(position as f32).floor() as isize - 1;
        let w = position - (start + 1) as f64;
        let w3 = (1.0 / 6.0) * w * w * w;
        let w0 = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - w3;
        let w2 = w + w0 - 2.0 * w3;
        let weights = [w0, 1.0 - w0 - w2 - w3, w2, w3];
        let last = size as isize - 1;
        let mirrored = |index: isize| match index {
            _ if last == 0 => 0,
            index if index < 0 => -index,
            index if index >= last => 2 * last - index,
            index => index,
        };
        // On axes of two or three voxels one reflection may not be enough.
        let indices = std::array::from_fn(|k| mirrored(start + k as isize).clamp(0, last) as usize - first);
        Self { indices, weights }
    }
}

/// Coefficients of a part of an image.
struct Coefficients {
    values: Array3<f64>,
    /// Largest magnitude of a coefficient.
    largest: f64,
}

impl Coefficients {
    fn new<T: Voxel>(volume: &Volume<T>, part: [(usize, usize); 3]) -> Result<Self> {
        let [x, y, z] = part.map(|(start, end)| start..end);
        let mut values = Array3::<f64>::zeros([z.len(), y.len(), x.len()]);
        let size = volume.geometry().size();
        let voxels = volume.as_slice();
        let invalid = values.axis_iter_mut(Axis(0)).into_par_iter().enumerate().find_map_first(|(k, mut plane)| {
            for (j, mut row) in plane.rows_mut().into_iter().enumerate() {
                let start = ((z.start + k) * size[1] + y.start + j) * size[0] + x.start;
                for (i, value) in row.iter_mut().enumerate() {
                    *value = voxels[start + i].to_f64();
                    if !value.is_finite() {
                        return Some((start + i, *value));
                    }
                }
            }
            None
        });
        if let Some((position, value)) = invalid {
            return Err(ImagingError::InvalidVoxel {
                operation: "resampling with a B-spline",
                index: volume.geometry().index_of(position),
                value,
                requirement: "every voxel must be finite; replace it, or use linear interpolation",
            });
        }
        filter(&mut values);
        let largest = values
            .axis_iter(Axis(0))
            .into_par_iter()
            .map(|plane| plane.iter().fold(0.0_f64, |m, c| m.max(c.abs())))
            .reduce(|| 0.0, f64::max);
        Ok(Self { values, largest })
    }

    /// The value as ITK sums it: 64 products, x fastest.
    fn evaluate(&self, axes: &[Support; 3]) -> f64 {
        let [x, y, z] = axes;
        let mut value = 0.0;
        for k in 0..SUPPORT {
            for j in 0..SUPPORT {
                for i in 0..SUPPORT {
                    let weight = x.weights[i] * y.weights[j] * z.weights[k];
                    value += weight * self.values[[z.indices[k], y.indices[j], x.indices[i]]];
                }
            }
        }
        value
    }
}

/// Values one axis at a time: planes along z, rows along y, then single values along x.
fn separable<T: Voxel>(coefficients: &Coefficients, axes: &[Vec<Option<Support>>; 3], grid: &Geometry, outside: T) -> Volume<T> {
    let [width, height, _] = grid.size();
    let (_, rows, columns) = coefficients.values.dim();
    let source = coefficients.values.as_slice().expect("a new array has standard layout");
    // Truncation turns a difference in the last bit into a whole unit where the value is an integer. Values that close
    // are summed again in ITK's order.
    let is_integer = !T::PIXEL_TYPE.is_float();
    let doubt = 1e-12 * coefficients.largest;
    let mut result = Volume::filled(grid.clone(), outside);
    result.as_mut_slice().par_chunks_mut(width * height).zip(&axes[2]).for_each_init(
        || (vec![0.0; rows * columns], vec![0.0; columns]),
        |(plane, line), (slice, z)| {
            let Some(z) = z else { return };
            let planes = z.indices.map(|index| &source[index * rows * columns..][..rows * columns]);
            combine(plane, planes, z.weights);
            for (row, y) in slice.chunks_mut(width).zip(&axes[1]) {
                let Some(y) = y else { continue };
                combine(line, y.indices.map(|index| &plane[index * columns..][..columns]), y.weights);
                for (voxel, x) in row.iter_mut().zip(&axes[0]) {
                    let Some(x) = x else { continue };
                    let mut value: f64 = x.indices.iter().zip(&x.weights).map(|(&index, weight)| weight * line[index]).sum();
                    if is_integer && (value - value.round()).abs() <= doubt {
                        value = coefficients.evaluate(&[*x, *y, *z]);
                    }
                    *voxel = T::from_f64(value);
                }
            }
        },
    );
    result
}

fn combine(target: &mut [f64], sources: [&[f64]; SUPPORT], weights: [f64; SUPPORT]) {
    let [a, b, c, d] = sources;
    for ((((target, a), b), c), d) in target.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *target = weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
    }
}

/// Turns samples into coefficients, along x, y and z in this order.
fn filter(values: &mut Array3<f64>) {
    let (depth, height, width) = values.dim();
    // Lines of x are turned so that eight of them run side by side.
    const LINES: usize = 8;
    let rows = values.as_slice_mut().expect("a new array has standard layout");
    rows.par_chunks_mut(width * LINES).for_each_init(Vec::new, |scratch, lines| {
        let count = lines.len() / width;
        scratch.clear();
        scratch.extend((0..width).flat_map(|x| (0..count).map(move |line| (x, line))).map(|(x, line)| lines[line * width + x]));
        filter_lines(scratch, count);
        for (x, side_by_side) in scratch.chunks(count).enumerate() {
            for (line, value) in side_by_side.iter().enumerate() {
                lines[line * width + x] = *value;
            }
        }
    });
    rows.par_chunks_mut(width * height).for_each(|plane| filter_lines(plane, width));
    if depth > 1 {
        values.axis_chunks_iter_mut(Axis(1), 1).into_par_iter().for_each_init(Vec::new, |scratch, column| filter_depth(scratch, column));
    }
}

fn filter_depth(scratch: &mut Vec<f64>, mut column: ArrayViewMut3<'_, f64>) {
    let lines = column.len_of(Axis(1)) * column.len_of(Axis(2));
    scratch.clear();
    scratch.extend(column.iter());
    filter_lines(scratch, lines);
    for (value, filtered) in column.iter_mut().zip(scratch.iter()) {
        *value = *filtered;
    }
}

/// The recursions for `lines` lines side by side: element n of line i lies at `n·lines + i`.
fn filter_lines(values: &mut [f64], lines: usize) {
    let length = values.len() / lines;
    if length < 2 {
        return;
    }
    let pole = 3.0_f64.sqrt() - 2.0;
    let gain = (1.0 - pole) * (1.0 - 1.0 / pole);
    for value in values.iter_mut() {
        *value *= gain;
    }
    start_causal(values, lines, length, pole);
    for n in 1..length {
        let (before, from) = values.split_at_mut(n * lines);
        for (value, previous) in from[..lines].iter_mut().zip(&before[(n - 1) * lines..]) {
            *value += pole * previous;
        }
    }
    let (before, last) = values.split_at_mut((length - 1) * lines);
    for (value, previous) in last.iter_mut().zip(&before[(length - 2) * lines..]) {
        *value = (pole / (pole * pole - 1.0)) * (pole * previous + *value);
    }
    for n in (0..length - 1).rev() {
        let (until, after) = values.split_at_mut((n + 1) * lines);
        for (value, next) in until[n * lines..].iter_mut().zip(after.iter()) {
            *value = pole * (next - *value);
        }
    }
}

/// The first value of the causal recursion: the sum Σ zⁿ·x(n) over the mirrored line, cut where ITK cuts it.
fn start_causal(values: &mut [f64], lines: usize, length: usize, pole: f64) {
    const TOLERANCE: f64 = 1e-10;
    let horizon = (TOLERANCE.ln() / pole.abs().ln()).ceil() as usize;
    let (first, rest) = values.split_at_mut(lines);
    let sample = |n: usize, line: usize| rest[(n - 1) * lines + line];
    if horizon < length {
        for (line, start) in first.iter_mut().enumerate() {
            let mut power = pole;
            for n in 1..horizon {
                *start += power * sample(n, line);
                power *= pole;
            }
        }
        return;
    }
    for (line, start) in first.iter_mut().enumerate() {
        let mut power = pole;
        let mut mirrored = pole.powf((length - 1) as f64);
        let mut sum = *start + mirrored * sample(length - 1, line);
        mirrored *= mirrored / pole;
        for n in 1..length - 1 {
            sum += (power + mirrored) * sample(n, line);
            power *= pole;
            mirrored /= pole;
        }
        *start = sum / (1.0 - power * power);
    }
}
