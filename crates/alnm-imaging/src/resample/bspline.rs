//! The interpolating cubic B-spline with mirrored borders (Unser, Aldroubi, Eden, IEEE Trans. Signal Process. 41:821,
//! 1993), as ITK's `BSplineInterpolateImageFunction` evaluates it.
//!
//! Coefficients are found by a causal and an anticausal recursion along each axis with the pole z = √3 − 2. Only the
//! part of the image that the grid can see is filtered: the response of the filter falls by |z| per voxel, so that
//! [`MARGIN`] voxels away nothing is left of it in double precision.

use std::ops::Range;

use ndarray::{Array3, ArrayViewMut1, Axis};
use rayon::prelude::*;

use super::sampling::{Sampling, is_inside, sample_lines};
use crate::error::{ImagingError, Result};
use crate::extremes::Extremes;
use crate::geometry::Geometry;
use crate::progress::{ProgressObserver, Tally};
use crate::vectorised;
use crate::volume::{Volume, Voxel};

/// |√3 − 2|^40 ≈ 10⁻²³, far below the last bit of a double.
const MARGIN: usize = 40;

/// Coefficients that are looked at together.
const CHUNK: usize = 1 << 14;

/// Coefficients that a value depends on, on one axis.
const SUPPORT: usize = 4;

pub(super) fn sample<T: Voxel>(
    volume: &Volume<T>,
    sampling: &Sampling<'_>,
    grid: &Geometry,
    outside: T,
    is_float: bool,
    observer: &ProgressObserver<'_>,
) -> Result<Volume<T>> {
    let size = volume.geometry().size();
    let result_rows = grid.size()[1] * grid.size()[2];
    let Some(positions) = sampling.rounded_axes(size) else {
        let Some(part) = visible_part(sampling.lines().range(), size) else {
            return Ok(Volume::filled(grid.clone(), outside));
        };
        let tally = Tally::new(Coefficients::rows(&part) + result_rows, observer);
        let coefficients = Coefficients::new(volume, &part, &tally)?;
        return Ok(sample_lines(size, sampling.lines(), grid, outside, &tally, |position| {
            T::from_f64(coefficients.evaluate(&supports(position, size, part.kept)))
        }));
    };
    let range = std::array::from_fn(|axis| {
        let inside = positions[axis].iter().copied().filter(|&position| is_inside(position, size[axis]));
        inside.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)))
    });
    let Some(part) = visible_part(range, size) else { return Ok(Volume::filled(grid.clone(), outside)) };
    let axes = |part: [(usize, usize); 3]| {
        std::array::from_fn(|axis| {
            let support = |position: f64| Support::new(position, size[axis], part[axis].0);
            let inside = |&position: &f64| is_inside(position, size[axis]).then(|| support(position));
            positions[axis].iter().map(inside).collect()
        })
    };
    if is_float {
        return plane_by_plane(volume, part.filtered, &axes(part.filtered), grid, outside, observer);
    }
    let axes = axes(part.kept);
    let tally = Tally::new(Coefficients::rows(&part) + result_rows, observer);
    let coefficients = Coefficients::new(volume, &part, &tally)?;
    let exact = |voxel: [usize; 3]| coefficients.evaluate(&supports(sampling.lines().position(voxel), size, part.kept));
    // A spline moves by less than four times its largest coefficient a voxel.
    let doubt = (1e-12 + 4.0 * sampling.drift()) * coefficients.largest();
    Ok(truncated(&coefficients, &axes, grid, outside, &tally, doubt, exact))
}

/// The part of an image that values at some positions come from: first and one-past-last voxel on each axis.
struct VisiblePart {
    /// The voxels that can change a value.
    filtered: [(usize, usize); 3],
    /// Those whose coefficients are kept: along x and y the ones that values are sums of, along z all.
    kept: [(usize, usize); 3],
}

/// The part that values at positions in a range come from; `None` when the range lies outside.
fn visible_part(range: [(f64, f64); 3], size: [usize; 3]) -> Option<VisiblePart> {
    let within = |axis: usize, reach: usize| {
        let (low, high) = range[axis];
        ((low.max(0.0) as usize).saturating_sub(reach), (high.max(0.0) as usize + reach).min(size[axis]))
    };
    let is_outside = |axis: usize| {
        let (low, high) = range[axis];
        low > high || low > size[axis] as f64 - 0.5 || high < -0.5
    };
    if (0..3).any(is_outside) {
        return None;
    }
    let filtered: [(usize, usize); 3] = std::array::from_fn(|axis| within(axis, MARGIN + SUPPORT));
    Some(VisiblePart { filtered, kept: [within(0, SUPPORT), within(1, SUPPORT), filtered[2]] })
}

/// The supports of a position in a part of an image.
fn supports(position: [f64; 3], size: [usize; 3], part: [(usize, usize); 3]) -> [Support; 3] {
    std::array::from_fn(|axis| Support::new(position[axis], size[axis], part[axis].0))
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

    /// The value on a line of coefficients.
    #[inline(always)]
    fn value(&self, line: &[f64]) -> f64 {
        self.indices.iter().zip(&self.weights).map(|(&index, weight)| weight * line[index]).sum()
    }
}

/// Coefficients of a part of an image.
struct Coefficients {
    values: Array3<f64>,
}

impl Coefficients {
    /// Rows that are gone through to find the coefficients of a part: in its planes, and in the depth of those kept.
    fn rows(part: &VisiblePart) -> usize {
        let [_, y, z] = part.filtered.map(|(start, end)| end - start);
        let (first, end) = part.kept[1];
        (y + end - first) * z
    }

    fn new<T: Voxel>(volume: &Volume<T>, part: &VisiblePart, tally: &Tally<'_>) -> Result<Self> {
        let [x, y, z] = part.filtered.map(|(start, end)| start..end);
        let [columns, rows, _] = part.kept.map(|(start, end)| start..end);
        let mut values = Array3::<f64>::zeros([z.len(), rows.len(), columns.len()]);
        let (width, plane_size) = (columns.len(), rows.len() * columns.len());
        let columns = columns.start - x.start..columns.end - x.start;
        let planes = values.as_slice_mut().expect("a new array has standard layout").par_chunks_mut(plane_size);
        // A plane is converted and filtered along its two axes while it is at hand.
        let filtered = planes.enumerate().map_init(
            Default::default,
            |(turned, samples, lines): &mut (Vec<_>, Vec<f64>, Vec<f64>), (k, plane)| {
                if let Err(position) = read_plane(volume, [x.clone(), y.clone()], z.start + k, samples) {
                    return Some(position);
                }
                lines.resize(y.len() * width, 0.0);
                filter_rows(turned, samples, x.len(), columns.clone(), lines);
                filter_lines(lines, width);
                plane.copy_from_slice(&lines[(rows.start - y.start) * width..][..plane_size]);
                tally.advance(y.len());
                None
            },
        );
        if let Some(position) = filtered.find_map_first(|found| found) {
            return Err(not_finite(volume, position));
        }
        filter_depth(&mut values, tally);
        Ok(Self { values })
    }

    /// Largest magnitude of a coefficient.
    fn largest(&self) -> f64 {
        let values = self.values.as_slice().expect("a new array has standard layout");
        let largest = |values: &[f64]| Extremes::of(values).map_or(0.0, |extremes| extremes.high.max(-extremes.low));
        values.par_chunks(CHUNK).map(largest).reduce(|| 0.0, f64::max)
    }

    /// The value as ITK sums it: 64 products, x fastest.
    fn evaluate(&self, axes: &[Support; 3]) -> f64 {
        let [x, y, z] = axes;
        let (_, rows, columns) = self.values.dim();
        let values = self.values.as_slice().expect("a new array has standard layout");
        let mut value = 0.0;
        for k in 0..SUPPORT {
            for j in 0..SUPPORT {
                let row = &values[(z.indices[k] * rows + y.indices[j]) * columns..][..columns];
                for i in 0..SUPPORT {
                    value += x.weights[i] * y.weights[j] * z.weights[k] * row[x.indices[i]];
                }
            }
        }
        value
    }
}

/// Values of integer images: planes along z, rows along y, then single values along x.
///
/// Truncation turns a difference in the last bit into a whole unit where the value is an integer. Values within `doubt`
/// of an integer are taken from `exact`, ITK's own sum at ITK's own position.
fn truncated<T: Voxel>(
    coefficients: &Coefficients,
    axes: &[Vec<Option<Support>>; 3],
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
    doubt: f64,
    exact: impl Fn([usize; 3]) -> f64 + Sync,
) -> Volume<T> {
    let [width, height, _] = grid.size();
    let (_, rows, columns) = coefficients.values.dim();
    let source = coefficients.values.as_slice().expect("a new array has standard layout");
    let mut result = Volume::filled(grid.clone(), outside);
    result.as_mut_slice().par_chunks_mut(width * height).zip(&axes[2]).enumerate().for_each_init(
        || (vec![0.0; rows * columns], vec![0.0; columns]),
        |(plane, line), (k, (slice, z))| {
            let _done = tally.at_end(height);
            let Some(z) = z else { return };
            let planes = z.indices.map(|index| &source[index * rows * columns..][..rows * columns]);
            vectorised!(pulp::Arch::new(), combine(plane, planes, z.weights));
            for (j, (row, y)) in slice.chunks_mut(width).zip(&axes[1]).enumerate() {
                let Some(y) = y else { continue };
                let lines = y.indices.map(|index| &plane[index * columns..][..columns]);
                vectorised!(pulp::Arch::new(), {
                    combine(line, lines, y.weights);
                    for (i, (voxel, x)) in row.iter_mut().zip(&axes[0]).enumerate() {
                        let Some(x) = x else { continue };
                        let mut value = x.value(line);
                        if (value - value.round()).abs() <= doubt {
                            value = exact([i, j, k]);
                        }
                        *voxel = T::from_f64(value);
                    }
                });
            }
        },
    );
    result
}

/// Values of floating-point images. Axes are independent of each other, so that every plane of the image is filtered
/// and brought to the grid's x and y while it is at hand; what has to be kept for the filter along z is no larger than
/// the grid's planes.
fn plane_by_plane<T: Voxel>(
    volume: &Volume<T>,
    part: [(usize, usize); 3],
    axes: &[Vec<Option<Support>>; 3],
    grid: &Geometry,
    outside: T,
    observer: &ProgressObserver<'_>,
) -> Result<Volume<T>> {
    let [x, y, z] = part.map(|(start, end)| start..end);
    let [width, height, depth] = grid.size();
    // Rows of the planes of the image, of the grid's rows in all of them, and of the grid.
    let tally = Tally::new((y.len() + height) * z.len() + height * depth, observer);
    let mut planes = Array3::<f64>::zeros([z.len(), height, width]);
    let targets = planes.as_slice_mut().expect("a new array has standard layout").par_chunks_mut(width * height);
    let filtered = targets.enumerate().map_init(
        Default::default,
        |(turned, samples, rows): &mut (Vec<_>, Vec<f64>, Vec<f64>), (k, plane)| {
            if let Err(position) = read_plane(volume, [x.clone(), y.clone()], z.start + k, samples) {
                return Some(position);
            }
            rows.clear();
            rows.resize(y.len() * width, 0.0);
            interpolate_rows(turned, samples, x.len(), &axes[0], rows);
            filter_lines(rows, width);
            for (target, y) in plane.chunks_mut(width).zip(&axes[1]) {
                if let Some(y) = y {
                    combine(target, y.indices.map(|index| &rows[index * width..][..width]), y.weights);
                }
            }
            tally.advance(y.len());
            None
        },
    );
    if let Some(position) = filtered.find_map_first(|found| found) {
        return Err(not_finite(volume, position));
    }
    filter_depth(&mut planes, &tally);
    let source = planes.as_slice().expect("a new array has standard layout");
    let mut result = Volume::filled(grid.clone(), outside);
    result.as_mut_slice().par_chunks_mut(width * height).zip(&axes[2]).for_each_init(
        || vec![0.0; width],
        |line, (slice, z)| {
            let _done = tally.at_end(height);
            let Some(z) = z else { return };
            for (j, (row, y)) in slice.chunks_mut(width).zip(&axes[1]).enumerate() {
                if y.is_some() {
                    combine(line, z.indices.map(|index| &source[(index * height + j) * width..][..width]), z.weights);
                    let inside = row.iter_mut().zip(&*line).zip(&axes[0]).filter(|(_, x)| x.is_some());
                    inside.for_each(|((voxel, value), _)| *voxel = T::from_f64(*value));
                }
            }
        },
    );
    Ok(result)
}

/// Reads the part of a plane into `samples`; the position of a voxel that is not finite is the error.
fn read_plane<T: Voxel>(
    volume: &Volume<T>,
    [x, y]: [Range<usize>; 2],
    z: usize,
    samples: &mut Vec<f64>,
) -> Result<(), usize> {
    let [width, height, _] = volume.geometry().size();
    samples.clear();
    for j in y {
        let start = (z * height + j) * width + x.start;
        samples.extend(volume.as_slice()[start..start + x.len()].iter().map(|sample| sample.to_f64()));
        if let Some(i) = first_not_finite(&samples[samples.len() - x.len()..]) {
            return Err(start + i);
        }
    }
    Ok(())
}

/// The first value that is not finite. Nearly always there is none, which is found without a branch for each value.
fn first_not_finite(values: &[f64]) -> Option<usize> {
    let all_finite = values.iter().fold(true, |finite, value| finite & value.is_finite());
    if all_finite { None } else { values.iter().position(|value| !value.is_finite()) }
}

fn not_finite<T: Voxel>(volume: &Volume<T>, position: usize) -> ImagingError {
    ImagingError::InvalidVoxel {
        operation: "resampling with a B-spline",
        index: volume.geometry().index_of(position),
        value: volume.as_slice()[position].to_f64(),
        requirement: "every voxel must be finite; replace it, or use linear interpolation",
    }
}

#[inline(always)]
fn combine(target: &mut [f64], sources: [&[f64]; SUPPORT], weights: [f64; SUPPORT]) {
    let [a, b, c, d] = sources;
    for ((((target, a), b), c), d) in target.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *target = weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
    }
}

/// Lines of x that are turned, so that they run side by side.
const LINES: usize = 16;

/// Turns samples into coefficients along up to [`LINES`] lines of x: coefficient n of line i is `turned[n][i]`.
fn filter_turned(turned: &mut Vec<[f64; LINES]>, lines: &[f64], width: usize) {
    // What lies in the places of lines that are missing does not matter.
    turned.resize(width, [0.0; LINES]);
    for (i, line) in lines.chunks(width).enumerate() {
        turned.iter_mut().zip(line).for_each(|(turned, sample)| turned[i] = *sample);
    }
    filter_lines(turned.as_flattened_mut(), LINES);
}

/// Turns samples into coefficients along the lines of x, of which the ones at `columns` are kept.
fn filter_rows(turned: &mut Vec<[f64; LINES]>, samples: &[f64], width: usize, columns: Range<usize>, rows: &mut [f64]) {
    for (samples, rows) in samples.chunks(width * LINES).zip(rows.chunks_mut(columns.len() * LINES)) {
        filter_turned(turned, samples, width);
        for (i, row) in rows.chunks_mut(columns.len()).enumerate() {
            row.iter_mut().zip(&turned[columns.clone()]).for_each(|(value, turned)| *value = turned[i]);
        }
    }
}

/// The splines through the lines of x at new places; 0 where there is none.
fn interpolate_rows(
    turned: &mut Vec<[f64; LINES]>,
    samples: &[f64],
    width: usize,
    places: &[Option<Support>],
    rows: &mut [f64],
) {
    for (samples, rows) in samples.chunks(width * LINES).zip(rows.chunks_mut(places.len() * LINES)) {
        filter_turned(turned, samples, width);
        for (j, place) in places.iter().enumerate() {
            let Some(place) = place else { continue };
            let [a, b, c, d] = place.indices.map(|index| turned[index]);
            let [wa, wb, wc, wd] = place.weights;
            let values: [f64; LINES] = std::array::from_fn(|i| wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i]);
            rows.chunks_mut(places.len()).zip(values).for_each(|(row, value)| row[j] = value);
        }
    }
}

/// Turns samples into coefficients along z.
fn filter_depth(values: &mut Array3<f64>, tally: &Tally<'_>) {
    let depth = values.len_of(Axis(0));
    if depth < 2 {
        tally.advance(values.len_of(Axis(1)) * depth);
        return;
    }
    let columns = values.axis_chunks_iter_mut(Axis(1), 1).into_par_iter();
    columns.for_each_init(Vec::new, |scratch: &mut Vec<f64>, mut column| {
        let width = column.len_of(Axis(2));
        scratch.clear();
        let mut rows: Vec<&mut [f64]> = column.rows_mut().into_iter().filter_map(ArrayViewMut1::into_slice).collect();
        rows.iter().for_each(|row| scratch.extend_from_slice(row));
        filter_lines(scratch, width);
        rows.iter_mut().zip(scratch.chunks(width)).for_each(|(row, filtered)| row.copy_from_slice(filtered));
        tally.advance(depth);
    });
}

/// The recursions for `lines` lines side by side: element n of line i lies at `n·lines + i`.
fn filter_lines(values: &mut [f64], lines: usize) {
    vectorised!(pulp::Arch::new(), filter_side_by_side(values, lines));
}

/// [`filter_lines`] with the instructions of its caller.
#[inline(always)]
fn filter_side_by_side(values: &mut [f64], lines: usize) {
    let length = values.len() / lines;
    if length < 2 {
        return;
    }
    let mut first = 0;
    while first < lines {
        first += match lines - first {
            16.. => filter_together::<16>(values, lines, first),
            8.. => filter_together::<8>(values, lines, first),
            4.. => filter_together::<4>(values, lines, first),
            _ => filter_together::<1>(values, lines, first),
        };
    }
}

/// The recursions for `LINES` lines from `first` on, whose last values stay in registers. Returns how many they are.
#[inline(always)]
fn filter_together<const LINES: usize>(values: &mut [f64], lines: usize, first: usize) -> usize {
    let length = values.len() / lines;
    let pole = 3.0_f64.sqrt() - 2.0;
    let gain = (1.0 - pole) * (1.0 - 1.0 / pole);
    let place = |n: usize| n * lines + first..n * lines + first + LINES;
    let row = |values: &[f64], n: usize| -> [f64; LINES] {
        let mut row = [0.0; LINES];
        row.copy_from_slice(&values[place(n)]);
        row
    };
    let mut last = causal_start(length, pole, gain, |n| row(values, n));
    values[place(0)].copy_from_slice(&last);
    let mut before = last;
    for n in 1..length {
        let samples = row(values, n);
        before = last;
        for i in 0..LINES {
            last[i] = samples[i] * gain + pole * before[i];
        }
        values[place(n)].copy_from_slice(&last);
    }
    for i in 0..LINES {
        last[i] = (pole / (pole * pole - 1.0)) * (pole * before[i] + last[i]);
    }
    values[place(length - 1)].copy_from_slice(&last);
    for n in (0..length - 1).rev() {
        let causal = row(values, n);
        for i in 0..LINES {
            last[i] = pole * (last[i] - causal[i]);
        }
        values[place(n)].copy_from_slice(&last);
    }
    LINES
}

/// The first values of the causal recursion: the sum Σ zⁿ·x(n) over the mirrored line, cut where ITK cuts it. `row`
/// gives the samples n of the lines.
#[inline(always)]
fn causal_start<const LINES: usize>(
    length: usize,
    pole: f64,
    gain: f64,
    row: impl Fn(usize) -> [f64; LINES],
) -> [f64; LINES] {
    const TOLERANCE: f64 = 1e-10;
    let horizon = (TOLERANCE.ln() / pole.abs().ln()).ceil() as usize;
    let mut start = row(0);
    for start in &mut start {
        *start *= gain;
    }
    let mut add = |n: usize, factor: f64| {
        let samples = row(n);
        for i in 0..LINES {
            start[i] += factor * (samples[i] * gain);
        }
    };
    let mut power = pole;
    if horizon < length {
        for n in 1..horizon {
            add(n, power);
            power *= pole;
        }
        return start;
    }
    let mut mirrored = pole.powf((length - 1) as f64);
    add(length - 1, mirrored);
    mirrored *= mirrored / pole;
    for n in 1..length - 1 {
        add(n, power + mirrored);
        power *= pole;
        mirrored /= pole;
    }
    for start in &mut start {
        *start /= 1.0 - power * power;
    }
    start
}
