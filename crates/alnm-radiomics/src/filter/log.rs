//! Laplacian of Gaussian as ITK's `LaplacianRecursiveGaussianImageFilter` computes it.
//!
//! The sum over the axes of the second derivative along the axis, smoothed along the others, each by the recursive
//! approximation of Deriche 1993 (INRIA RR-1893) with four poles, scaled by σ². A pass works in double precision within
//! a line and stores single precision, which decides the bins of features on this image; so do the order of the passes
//! and of the additions.

use std::ops::Range;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Image, Voxel, vectorised, with_volume};
use rayon::prelude::*;

/// Fewest voxels along an axis that the recursion can start on.
pub const MINIMUM_LENGTH: usize = 4;

/// Lines that are filtered side by side: as many as it takes for a step not to wait for the one before.
const LANES: usize = 16;

/// What a pass does along its axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Smooth,
    SecondDerivative,
}

/// Coefficients of the recursions from the left (n, d) and from the right (m, d), and what stands in for their history
/// beyond the ends of a line, where the line is thought to go on with its last value.
#[derive(Debug, Clone, Copy)]
struct Recursion {
    n: [f64; 4],
    d: [f64; 4],
    m: [f64; 4],
    left_history: [f64; 4],
    right_history: [f64; 4],
}

/// Numerator of one exponential series of Deriche's approximation.
#[derive(Debug, Clone, Copy)]
struct Numerator {
    n: [f64; 4],
    sum: f64,
    first_moment: f64,
    second_moment: f64,
}

/// Frequencies and decays of the two damped oscillations.
const W1: f64 = 0.6681;
const L1: f64 = -1.3932;
const W2: f64 = 2.0787;
const L2: f64 = -1.3732;

impl Numerator {
    /// From the amplitudes (a1, b1, a2, b2) of the cosines and sines, at `sigma` voxels.
    fn new([a1, b1, a2, b2]: [f64; 4], sigma: f64) -> Self {
        let (sin1, cos1) = (W1 / sigma).sin_cos();
        let (sin2, cos2) = (W2 / sigma).sin_cos();
        let (exp1, exp2) = ((L1 / sigma).exp(), (L2 / sigma).exp());
        let n0 = a1 + a2;
        let mut n1 = exp2 * (b2 * sin2 - (a2 + 2.0 * a1) * cos2);
        n1 += exp1 * (b1 * sin1 - (a1 + 2.0 * a2) * cos1);
        let mut n2 = (a1 + a2) * cos2 * cos1;
        n2 -= b1 * cos2 * sin1 + b2 * cos1 * sin2;
        n2 *= 2.0 * exp1 * exp2;
        n2 += a2 * exp1 * exp1 + a1 * exp2 * exp2;
        let mut n3 = exp2 * exp1 * exp1 * (b2 * sin2 - a2 * cos2);
        n3 += exp1 * exp2 * exp2 * (b1 * sin1 - a1 * cos1);
        Self::from_terms([n0, n1, n2, n3], n0 + n1 + n2 + n3, n1 + 2.0 * n2 + 3.0 * n3, n1 + 4.0 * n2 + 9.0 * n3)
    }

    fn from_terms(n: [f64; 4], sum: f64, first_moment: f64, second_moment: f64) -> Self {
        Self { n, sum, first_moment, second_moment }
    }

    fn plus(self, factor: f64, other: Self) -> Self {
        Self::from_terms(
            std::array::from_fn(|k| self.n[k] + factor * other.n[k]),
            self.sum + factor * other.sum,
            self.first_moment + factor * other.first_moment,
            self.second_moment + factor * other.second_moment,
        )
    }
}

impl Recursion {
    /// For a Gaussian of `sigma` mm along an axis with voxels `spacing` mm apart.
    fn new(order: Order, sigma: f64, spacing: f64) -> Self {
        let width = sigma / spacing;
        let (cos1, cos2) = ((W1 / width).cos(), (W2 / width).cos());
        let (exp1, exp2) = ((L1 / width).exp(), (L2 / width).exp());
        let mut d3 = -2.0 * cos1 * exp1 * exp2 * exp2;
        d3 += -2.0 * cos2 * exp2 * exp1 * exp1;
        let mut d2 = 4.0 * cos2 * cos1 * exp1 * exp2;
        d2 += exp1 * exp1 + exp2 * exp2;
        let d = [-2.0 * (exp2 * cos2 + exp1 * cos1), d2, d3, exp1 * exp1 * exp2 * exp2];
        let sd = 1.0 + d[0] + d[1] + d[2] + d[3];
        let dd = d[0] + 2.0 * d[1] + 3.0 * d[2] + 4.0 * d[3];
        let ed = d[0] + 4.0 * d[1] + 9.0 * d[2] + 16.0 * d[3];

        let smooth = Numerator::new([1.3530, 1.8151, -0.3531, 0.0902], width);
        let n = match order {
            Order::Smooth => {
                let scale = 1.0 / (2.0 * smooth.sum / sd - smooth.n[0]);
                smooth.n.map(|n| n * scale)
            }
            Order::SecondDerivative => {
                let curved = Numerator::new([-1.3563, 5.2318, 0.3446, -2.2355], width);
                let beta = -(2.0 * curved.sum - sd * curved.n[0]) / (2.0 * smooth.sum - sd * smooth.n[0]);
                let both = curved.plus(beta, smooth);
                let (sn, dn, en) = (both.sum, both.first_moment, both.second_moment);
                let mut alpha = en * sd * sd - ed * sn * sd - 2.0 * dn * dd * sd + 2.0 * dd * dd * sn;
                alpha /= sd * sd * sd;
                let scale = sigma * sigma / alpha;
                both.n.map(|n| n * scale)
            }
        };
        let m = [n[1] - d[0] * n[0], n[2] - d[1] * n[0], n[3] - d[2] * n[0], -d[3] * n[0]];
        let (sn, sm) = (n[0] + n[1] + n[2] + n[3], m[0] + m[1] + m[2] + m[3]);
        Self { n, d, m, left_history: d.map(|d| d * sn / sd), right_history: d.map(|d| d * sm / sd) }
    }

    /// Filters `LANES` lines side by side: `line[i]` holds their voxels i. Of `result`, which is as long as `line`, at
    /// least [`MINIMUM_LENGTH`], the part `wanted` is computed. `scratch` has that length too.
    #[inline(always)]
    fn filter(&self, line: &[Lanes], wanted: &Range<usize>, result: &mut [Lanes], scratch: &mut [Lanes]) {
        let last = line.len() - 1;
        for i in 0..MINIMUM_LENGTH {
            let x = [0, 1, 2, 3].map(|back| line[i.saturating_sub(back)]);
            let y = [1, 2, 3, 4].map(|back| if i >= back { result[i - back] } else { line[0] });
            let d = [1, 2, 3, 4].map(|back| if i >= back { self.d[back - 1] } else { self.left_history[back - 1] });
            result[i] = step(&x, self.n, &y, d);
        }
        for i in (line.len() - MINIMUM_LENGTH..line.len()).rev() {
            let x = [1, 2, 3, 4].map(|ahead| line[(i + ahead).min(last)]);
            let y = [1, 2, 3, 4].map(|ahead| if i + ahead <= last { scratch[i + ahead] } else { line[last] });
            let d = [1, 2, 3, 4]
                .map(|ahead| if i + ahead <= last { self.d[ahead - 1] } else { self.right_history[ahead - 1] });
            scratch[i] = step(&x, self.m, &y, d);
        }
        // Each way goes as far as results are wanted; both go together, since a step waits for the one before.
        let from_left = MINIMUM_LENGTH..wanted.end.max(MINIMUM_LENGTH);
        let from_right = wanted.start.min(line.len() - MINIMUM_LENGTH)..line.len() - MINIMUM_LENGTH;
        let together = from_left.len().min(from_right.len());
        // The next step takes the last result from registers: from memory it would come as late as it is computed.
        let (mut from_before, mut from_behind) = (result[from_left.start - 1], scratch[from_right.end]);
        for step in 0..together {
            from_before = self.step_right(line, result, from_left.start + step, from_before);
            from_behind = self.step_left(line, scratch, from_right.end - 1 - step, from_behind);
        }
        for i in from_left.skip(together) {
            from_before = self.step_right(line, result, i, from_before);
        }
        for i in from_right.rev().skip(together) {
            from_behind = self.step_left(line, scratch, i, from_behind);
        }
        for (result, scratch) in result[wanted.clone()].iter_mut().zip(&scratch[wanted.clone()]) {
            for lane in 0..LANES {
                result[lane] += scratch[lane];
            }
        }
    }

    /// Voxel `i` of the recursion that comes from the left, past the first voxels; `before` is the one before.
    #[inline(always)]
    fn step_right(&self, line: &[Lanes], result: &mut [Lanes], i: usize, before: Lanes) -> Lanes {
        let x = [line[i], line[i - 1], line[i - 2], line[i - 3]];
        let y = [before, result[i - 2], result[i - 3], result[i - 4]];
        let value = step(&x, self.n, &y, self.d);
        result[i] = value;
        value
    }

    /// Voxel `i` of the recursion that comes from the right, before the last voxels; `behind` is the one behind.
    #[inline(always)]
    fn step_left(&self, line: &[Lanes], result: &mut [Lanes], i: usize, behind: Lanes) -> Lanes {
        let x = [line[i + 1], line[i + 2], line[i + 3], line[i + 4]];
        let y = [behind, result[i + 2], result[i + 3], result[i + 4]];
        let value = step(&x, self.m, &y, self.d);
        result[i] = value;
        value
    }
}

/// One voxel of each of the lines that are filtered side by side.
type Lanes = [f64; LANES];

/// Σ x_k c_k - Σ y_k d_k, each sum from the left.
#[inline(always)]
fn step(x: &[Lanes; 4], c: [f64; 4], y: &[Lanes; 4], d: [f64; 4]) -> Lanes {
    let mut value = [0.0; LANES];
    for lane in 0..LANES {
        let input = x[0][lane] * c[0] + x[1][lane] * c[1] + x[2][lane] * c[2] + x[3][lane] * c[3];
        value[lane] = input - (y[0][lane] * d[0] + y[1][lane] * d[1] + y[2][lane] * d[2] + y[3][lane] * d[3]);
    }
    value
}

/// Bundles of [`LANES`] lines that are read and written together, so that what lies side by side in memory is taken at
/// once.
const BUNDLES: usize = 4;

/// Lines that are read or written together: `count` of them, `apart` voxels from each other, the first of which begins
/// at `first`; the voxels of a line lie `stride` apart.
#[derive(Debug, Clone, Copy)]
struct Lines {
    first: usize,
    count: usize,
    apart: usize,
    stride: usize,
}

impl Lines {
    /// Reads the voxels of the lines, each line into one lane of a bundle.
    #[inline(always)]
    fn read<T: Voxel>(&self, voxels: &[T], bundles: &mut [Vec<Lanes>]) {
        let length = bundles[0].len();
        if self.apart > 1 {
            for (bundle, lines) in bundles.iter_mut().zip((0..self.count).step_by(LANES)) {
                let count = LANES.min(self.count - lines);
                for (i, lanes) in bundle.iter_mut().enumerate() {
                    let start = self.first + lines * self.apart + i * self.stride;
                    for (lane, value) in lanes.iter_mut().enumerate().take(count) {
                        *value = voxels[start + lane * self.apart].to_f64();
                    }
                }
            }
            return;
        }
        for i in 0..length {
            let row = &voxels[self.first + i * self.stride..][..self.count];
            let (whole, rest) = row.as_chunks::<LANES>();
            for (bundle, part) in bundles.iter_mut().zip(whole) {
                for lane in 0..LANES {
                    bundle[i][lane] = part[lane].to_f64();
                }
            }
            for (lane, voxel) in rest.iter().enumerate() {
                bundles[whole.len()][i][lane] = voxel.to_f64();
            }
        }
    }

    /// Writes the places `wanted` of the lines in single precision, the first of them at the beginning of its line.
    #[inline(always)]
    fn write(&self, bundles: &[Vec<Lanes>], wanted: &Range<usize>, voxels: &mut [f32]) {
        if self.apart > 1 {
            for (bundle, lines) in bundles.iter().zip((0..self.count).step_by(LANES)) {
                let count = LANES.min(self.count - lines);
                for (i, lanes) in bundle[wanted.clone()].iter().enumerate() {
                    let start = self.first + lines * self.apart + i * self.stride;
                    for (lane, value) in lanes.iter().enumerate().take(count) {
                        voxels[start + lane * self.apart] = *value as f32;
                    }
                }
            }
            return;
        }
        for i in 0..wanted.len() {
            let row = &mut voxels[self.first + i * self.stride..][..self.count];
            for (part, bundle) in row.chunks_mut(LANES).zip(bundles) {
                for (voxel, value) in part.iter_mut().zip(&bundle[wanted.start + i]) {
                    *voxel = *value as f32;
                }
            }
        }
    }
}

/// What lines are filtered of.
enum Source<'a> {
    Image(&'a Image),
    /// What an earlier pass left.
    Filtered(&'a [f32]),
}

/// Steps along the axes of an array of `shape`.
fn strides(shape: [usize; 3]) -> [usize; 3] {
    [shape[1] * shape[2], shape[2], 1]
}

/// Filters the lines along `axis` of an array of `shape` and returns the places `wanted` of each: an array that is as
/// long as these along `axis`.
fn filter_lines(
    source: &Source<'_>,
    shape: [usize; 3],
    axis: usize,
    recursion: &Recursion,
    wanted: &Range<usize>,
) -> Vec<f32> {
    let mut filtered_shape = shape;
    filtered_shape[axis] = wanted.len();
    let (from, to) = (strides(shape), strides(filtered_shape));
    let (outer, inner) = [(1, 2), (0, 2), (0, 1)][axis];
    let mut filtered = vec![0f32; filtered_shape.iter().product()];
    let room = || vec![[0.0; LANES]; shape[axis]];
    let mut lines: [Vec<Lanes>; BUNDLES] = std::array::from_fn(|_| room());
    let (mut results, mut scratch) = (lines.clone(), room());
    let arch = pulp::Arch::new();
    for i in 0..shape[outer] {
        for j in (0..shape[inner]).step_by(BUNDLES * LANES) {
            let count = (BUNDLES * LANES).min(shape[inner] - j);
            let in_array = |strides: [usize; 3]| Lines {
                first: i * strides[outer] + j * strides[inner],
                count,
                apart: strides[inner],
                stride: strides[axis],
            };
            match source {
                Source::Image(image) => {
                    with_volume!(image, volume => vectorised!(arch, in_array(from).read(volume.as_slice(), &mut lines)));
                }
                Source::Filtered(voxels) => vectorised!(arch, in_array(from).read(voxels, &mut lines)),
            }
            vectorised!(arch, {
                for (line, result) in lines.iter().zip(&mut results).take(count.div_ceil(LANES)) {
                    recursion.filter(line, wanted, result, &mut scratch);
                }
                in_array(to).write(&results, wanted, &mut filtered);
            });
        }
    }
    filtered
}

/// The Laplacian of Gaussian of an image in the box `part`, in raster order, with a Gaussian of `sigma` mm. Each axis
/// of the image must have at least [`MINIMUM_LENGTH`] voxels.
///
/// Axis after axis, only the lines are filtered that decide voxels of the box.
///
/// ```
/// use alnm_imaging::region::VoxelBox;
/// use alnm_imaging::{Geometry, Image, Volume};
/// use alnm_radiomics::filter::log::laplacian_of_gaussian;
/// use ndarray::Array3;
///
/// // A flat image has no curvature; a bright voxel is a maximum, where the Laplacian is below 0.
/// let geometry = Geometry::axis_aligned([9, 9, 9], [1.0, 1.0, 2.0])?;
/// let spot = Array3::from_shape_fn([9, 9, 9], |place| if place == (4, 4, 4) { 100_i16 } else { 0 });
/// let image = Image::I16(Volume::new(spot, geometry)?);
/// let filtered = laplacian_of_gaussian(&image, 1.5, VoxelBox::new([4, 4, 4], [1, 1, 1]));
/// assert!(filtered[0] < 0.0);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[must_use]
pub fn laplacian_of_gaussian(image: &Image, sigma: f64, part: VoxelBox) -> Vec<f32> {
    let geometry = image.geometry();
    let shape = geometry.shape();
    let [x, y, z] = geometry.spacing();
    let spacing = [z, y, x];
    // ITK's axis 0 is x.
    let ascending: Vec<usize> = (3 - geometry.dimension()..3).rev().collect();
    let second_derivative = |&axis: &usize| -> Vec<f32> {
        let mut order = vec![axis];
        order.extend(ascending.iter().copied().filter(|&other| other != axis));
        let mut shape = shape;
        let mut filtered: Option<Vec<f32>> = None;
        for (pass, &along) in order.iter().enumerate() {
            let kind = if pass == 0 { Order::SecondDerivative } else { Order::Smooth };
            let recursion = Recursion::new(kind, sigma, spacing[along]);
            let source = filtered.as_deref().map_or(Source::Image(image), Source::Filtered);
            // Later passes gather along their axes, so all lines along those are needed.
            let wanted = &part.ranges_zyx()[along];
            filtered = Some(filter_lines(&source, shape, along, &recursion, wanted));
            shape[along] = wanted.len();
        }
        filtered.unwrap_or_default()
    };
    let terms: Vec<Vec<f32>> = ascending.par_iter().map(second_derivative).collect();
    let mut sum = vec![0f32; part.voxel_count()];
    for (&axis, term) in ascending.iter().zip(&terms) {
        let scale = 1.0 / (spacing[axis] * spacing[axis]);
        for (sum, &term) in sum.iter_mut().zip(term) {
            *sum = (f64::from(*sum) + f64::from(term) * scale) as f32;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use alnm_imaging::{Geometry, Volume};
    use ndarray::Array3;

    use super::*;

    fn image(shape: [usize; 3], spacing: [f64; 3], value: impl Fn(usize) -> f32) -> Image {
        let [depth, height, width] = shape;
        let geometry = Geometry::axis_aligned([width, height, depth], spacing).unwrap();
        let values = (0..shape.iter().product::<usize>()).map(value).collect();
        Image::F32(Volume::new(Array3::from_shape_vec(shape, values).unwrap(), geometry).unwrap())
    }

    #[test]
    fn a_part_equals_the_part_of_the_whole() {
        let shape = [9, 11, 13];
        let image = image(shape, [0.7, 1.0, 2.0], |i| ((i * 7919) % 131) as f32);
        let whole = laplacian_of_gaussian(&image, 1.5, VoxelBox::of_shape(shape));
        let part = VoxelBox::new([4, 1, 3], [6, 5, 4]);
        let cut = laplacian_of_gaussian(&image, 1.5, part);
        assert_eq!(part.cut_slice(&whole, shape, |value| value), cut);
    }

    #[test]
    fn a_flat_image_has_no_curvature() {
        let shape = [6, 6, 6];
        let filtered = laplacian_of_gaussian(&image(shape, [1.0; 3], |_| 100.0), 2.0, VoxelBox::of_shape(shape));
        assert!(filtered.iter().all(|value| value.abs() < 1e-3));
    }
}
