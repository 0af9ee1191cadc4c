//! One minus the mean of the squared Pearson correlation in a cube around each voxel (Avants et al., Med. Image Anal.
//! 12:26, 2008).
//!
//! ```text
//! r² = A² / (B·D),  A = Σ (f − f̄)(m − m̄),  B = Σ (f − f̄)² + n·ε,  D = Σ (m − m̄)² + n·ε
//! ∂r²/∂m = 2A/(BD)·(f − f̄) − 2A²/(BD²)·(m − m̄)
//! ```
//!
//! with sums over the n voxels of the cube that count in the fixed image. ε, a small part of the variance of the whole
//! image, keeps cubes without structure from counting: what correlates there is noise. The derivative by a sample is
//! the sum of this over all cubes that hold it, so three sums over cubes give the values and three more the derivative.

use alnm_imaging::vectorised;
use rayon::prelude::*;

use super::{Measure, plane};
use crate::pyramid::Level;
use crate::samples::Samples;

/// ε: intensities are standardised, so it is a share of the variance of the image.
const FLOOR: f32 = 0.01;

#[derive(Debug)]
pub(super) struct LocalCorrelation {
    size: [usize; 3],
    radius: usize,
    mask: Option<Vec<u8>>,
    /// One over the number of voxels of each cube, 0 for none.
    shares: Vec<f32>,
    fixed_means: Vec<f32>,
    /// One over B.
    fixed_factors: Vec<f32>,
    /// Sums over squares of x and y: of m, m² and f·m, then of what the derivative needs.
    sums: [Vec<f32>; 3],
    factors: [Vec<f32>; 3],
}

/// Room for one slice of the sums over cubes.
struct Scratch {
    planes: [Vec<f32>; 3],
    rows: Vec<f32>,
    padded: Vec<f32>,
}

impl Scratch {
    fn new(plane: usize) -> Self {
        let zeros = || vec![0.0; plane];
        Self { planes: [zeros(), zeros(), zeros()], rows: zeros(), padded: Vec::new() }
    }
}

impl LocalCorrelation {
    pub(super) fn new(fixed: &Level, radius: usize) -> Self {
        let size = fixed.grid.size();
        let count = fixed.grid.voxel_count();
        let zeros = || vec![0.0_f32; count];
        let mut measure = Self {
            size,
            radius,
            mask: fixed.mask.clone(),
            shares: zeros(),
            fixed_means: zeros(),
            fixed_factors: zeros(),
            sums: [zeros(), zeros(), zeros()],
            factors: [zeros(), zeros(), zeros()],
        };
        measure.prepare(&fixed.voxels, plane(fixed));
        measure
    }

    /// What depends on the fixed image alone.
    fn prepare(&mut self, fixed: &[f32], plane: usize) {
        let counts = |position: usize| self.mask.as_ref().map_or(1.0, |mask| f32::from(mask[position]));
        let [width, height, depth] = self.size;
        let [of_ones, of_values, of_squares] = &mut self.sums;
        let targets = of_ones.par_chunks_mut(plane).zip(of_values.par_chunks_mut(plane));
        targets.zip(of_squares.par_chunks_mut(plane)).enumerate().for_each(|(z, ((ones, values), squares))| {
            let mut scratch = Scratch::new(plane);
            let [a, b, c] = &mut scratch.planes;
            for i in 0..plane {
                let weight = counts(z * plane + i);
                let value = fixed[z * plane + i];
                (a[i], b[i], c[i]) = (weight, weight * value, weight * value * value);
            }
            for (source, target) in scratch.planes.iter().zip([ones, values, squares]) {
                sum_squares(source, target, width, self.radius, &mut scratch.rows, &mut scratch.padded);
            }
        });
        let targets = self.shares.par_chunks_mut(plane).zip(self.fixed_means.par_chunks_mut(plane));
        let targets = targets.zip(self.fixed_factors.par_chunks_mut(plane)).enumerate();
        let (sums, radius) = (&self.sums, self.radius);
        targets.for_each(|(z, ((shares, means), factors))| {
            let mut lines = [vec![0.0_f32; width], vec![0.0; width], vec![0.0; width]];
            for y in 0..height {
                sum_lines(sums, &mut lines, depth, plane, radius, (z, y));
                for x in 0..width {
                    let [n, sum, squares] = [lines[0][x], lines[1][x], lines[2][x]];
                    let i = y * width + x;
                    if n > 0.0 {
                        shares[i] = 1.0 / n;
                        means[i] = sum / n;
                        factors[i] = 1.0 / ((squares - sum * sum / n).max(0.0) + n * FLOOR);
                    }
                }
            }
        });
    }

    /// Sums of m, m² and f·m over the squares of each slice.
    fn sum_samples(&mut self, fixed: &[f32], samples: &Samples) {
        let [width, height, _] = self.size;
        let plane = width * height;
        let (mask, radius) = (self.mask.as_deref(), self.radius);
        let [first, second, third] = &mut self.sums;
        let targets = first.par_chunks_mut(plane).zip(second.par_chunks_mut(plane)).zip(third.par_chunks_mut(plane));
        let sources = fixed.par_chunks(plane).zip(samples.values.par_chunks(plane));
        targets.zip(sources).enumerate().for_each_init(
            || Scratch::new(plane),
            |scratch, (z, (((first, second), third), (fixed, moving)))| {
                let Scratch { planes: [a, b, c], rows, padded } = scratch;
                vectorised!(pulp::Arch::new(), {
                    match mask.map(|mask| &mask[z * plane..][..plane]) {
                        None => {
                            for i in 0..plane {
                                let (f, m) = (fixed[i], moving[i]);
                                (a[i], b[i], c[i]) = (m, m * m, f * m);
                            }
                        }
                        Some(mask) => {
                            for i in 0..plane {
                                let (f, m) = (fixed[i], f32::from(mask[i]) * moving[i]);
                                (a[i], b[i], c[i]) = (m, m * m, f * m);
                            }
                        }
                    }
                });
                for (source, target) in [(&*a, first), (&*b, second), (&*c, third)] {
                    sum_squares(source, target, width, radius, rows, padded);
                }
            },
        );
    }

    /// The sum of r² over the cubes whose centre counts; leaves the factors of the derivative summed over squares.
    fn correlate(&mut self, inside: &[u8]) -> f64 {
        let [width, height, depth] = self.size;
        let plane = width * height;
        let (sums, radius) = (&self.sums, self.radius);
        let [first, second, third] = &mut self.factors;
        let targets = first.par_chunks_mut(plane).zip(second.par_chunks_mut(plane)).zip(third.par_chunks_mut(plane));
        let given = self.shares.par_chunks(plane).zip(self.fixed_means.par_chunks(plane));
        let given = given.zip(self.fixed_factors.par_chunks(plane)).zip(inside.par_chunks(plane));
        let of_slices: Vec<f64> = targets
            .zip(given)
            .enumerate()
            .map_init(
                || (Scratch::new(plane), [vec![0.0_f32; width], vec![0.0; width], vec![0.0; width]]),
                |(scratch, lines), (z, (((first, second), third), (((shares, means), fixed_factors), inside)))| {
                    let Scratch { planes: [a, b, c], rows, padded } = scratch;
                    let mut total = 0.0;
                    for y in 0..height {
                        sum_lines(sums, lines, depth, plane, radius, (z, y));
                        let row = y * width..(y + 1) * width;
                        let given = Given {
                            shares: &shares[row.clone()],
                            means: &means[row.clone()],
                            fixed_factors: &fixed_factors[row.clone()],
                            inside: &inside[row.clone()],
                        };
                        let factors = [&mut a[row.clone()], &mut b[row.clone()], &mut c[row]];
                        vectorised!(pulp::Arch::new(), given.correlate(lines, factors));
                        // The squared correlations stand where the sums of m were.
                        total += lines[0].iter().map(|&square| f64::from(square)).sum::<f64>();
                    }
                    for (source, target) in [(&*a, first), (&*b, second), (&*c, third)] {
                        sum_squares(source, target, width, radius, rows, padded);
                    }
                    total
                },
            )
            .collect();
        of_slices.into_iter().sum()
    }

    fn write_derivative(&self, fixed: &[f32], samples: &Samples, count: usize, derivative: &mut [f32]) {
        let [width, height, depth] = self.size;
        let plane = width * height;
        let share = -1.0 / count as f32;
        derivative.par_chunks_mut(plane).enumerate().for_each_init(
            || [vec![0.0_f32; width], vec![0.0; width], vec![0.0; width]],
            |lines, (z, derivative)| {
                for y in 0..height {
                    sum_lines(&self.factors, lines, depth, plane, self.radius, (z, y));
                    let row = z * plane + y * width..z * plane + (y + 1) * width;
                    let (fixed, moving) = (&fixed[row.clone()], &samples.values[row.clone()]);
                    let target = &mut derivative[y * width..][..width];
                    let [a, b, c] = &*lines;
                    vectorised!(pulp::Arch::new(), {
                        for x in 0..width {
                            target[x] = share * (a[x] * fixed[x] - b[x] * moving[x] + c[x]);
                        }
                    });
                    if let Some(mask) = &self.mask {
                        target.iter_mut().zip(&mask[row]).for_each(|(target, &counts)| *target *= f32::from(counts));
                    }
                }
            },
        );
    }
}

/// What a row of cubes has of the fixed image.
struct Given<'a> {
    shares: &'a [f32],
    means: &'a [f32],
    fixed_factors: &'a [f32],
    inside: &'a [u8],
}

impl Given<'_> {
    /// From the sums of m, m² and f·m to r² (in the place of the first) and the factors of f, m and 1 in the
    /// derivative.
    #[inline(always)]
    fn correlate(&self, lines: &mut [Vec<f32>; 3], factors: [&mut [f32]; 3]) {
        let width = self.shares.len();
        let [values, squares, products] = lines;
        let (values, squares, products) = (&mut values[..width], &squares[..width], &products[..width]);
        let [of_fixed, of_moving, rest] = factors;
        let (of_fixed, of_moving, rest) = (&mut of_fixed[..width], &mut of_moving[..width], &mut rest[..width]);
        let (shares, means) = (&self.shares[..width], &self.means[..width]);
        let (fixed_factors, inside) = (&self.fixed_factors[..width], &self.inside[..width]);
        for x in 0..width {
            let (sum, share, mean) = (values[x], shares[x], means[x]);
            let moving_mean = sum * share;
            let covariance = products[x] - sum * mean;
            // A cube without a voxel has the share 0 and gives nothing.
            let voxels = if share > 0.0 { 1.0 / share } else { 1.0 };
            let variance = (squares[x] - sum * moving_mean).max(0.0) + voxels * FLOOR;
            let counts = f32::from(inside[x]);
            let along_fixed = counts * covariance * fixed_factors[x] / variance;
            let square = along_fixed * covariance;
            let along_moving = square / variance;
            values[x] = square;
            of_fixed[x] = 2.0 * along_fixed;
            of_moving[x] = 2.0 * along_moving;
            rest[x] = 2.0 * (along_moving * moving_mean - along_fixed * mean);
        }
    }
}

impl Measure for LocalCorrelation {
    fn evaluate(&mut self, fixed: &[f32], samples: &Samples, count: usize, derivative: &mut [f32]) -> f64 {
        self.sum_samples(fixed, samples);
        let total = self.correlate(&samples.inside);
        self.write_derivative(fixed, samples, count, derivative);
        1.0 - total / count as f64
    }
}

/// Sums over the square of side 2·radius + 1 around each pixel of a plane, cut off at its border.
fn sum_squares(
    source: &[f32],
    target: &mut [f32],
    width: usize,
    radius: usize,
    rows: &mut [f32],
    padded: &mut Vec<f32>,
) {
    let height = source.len() / width;
    padded.clear();
    padded.resize(width + 2 * radius, 0.0);
    vectorised!(pulp::Arch::new(), {
        for (row, sums) in source.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
            padded[radius..radius + width].copy_from_slice(row);
            sums.copy_from_slice(&padded[..width]);
            for shift in 1..=2 * radius {
                let shifted = &padded[shift..shift + width];
                for (sum, value) in sums.iter_mut().zip(shifted) {
                    *sum += value;
                }
            }
        }
        for y in 0..height {
            let (from, to) = (y.saturating_sub(radius), (y + radius).min(height - 1));
            let line = &mut target[y * width..][..width];
            line.copy_from_slice(&rows[from * width..][..width]);
            for row in from + 1..=to {
                for (sum, value) in line.iter_mut().zip(&rows[row * width..][..width]) {
                    *sum += value;
                }
            }
        }
    });
}

/// Sums over the slices within the radius of slice z of one row of three images.
fn sum_lines(
    images: &[Vec<f32>; 3],
    lines: &mut [Vec<f32>; 3],
    depth: usize,
    plane: usize,
    radius: usize,
    (z, y): (usize, usize),
) {
    let (from, to) = (z.saturating_sub(radius), (z + radius).min(depth - 1));
    vectorised!(pulp::Arch::new(), {
        for (image, line) in images.iter().zip(lines.iter_mut()) {
            let width = line.len();
            line.copy_from_slice(&image[from * plane + y * width..][..width]);
            for slice in from + 1..=to {
                for (sum, value) in line.iter_mut().zip(&image[slice * plane + y * width..][..width]) {
                    *sum += value;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::pair;
    use super::*;

    /// The definition, cube by cube.
    #[test]
    fn the_value_is_the_mean_over_all_cubes() {
        for radius in [1, 2, 4] {
            let (mut fixed, mut samples) = pair([9, 7, 6]);
            fixed.mask = Some((0..fixed.voxels.len()).map(|i| u8::from(i % 11 != 0)).collect());
            let mask = fixed.mask.clone().unwrap();
            samples.inside.iter_mut().zip(&mask).for_each(|(inside, &counts)| *inside *= counts);
            let count: usize = samples.inside.iter().map(|&counts| usize::from(counts)).sum();
            let size = fixed.grid.size();
            let mut expected = 0.0;
            for position in (0..fixed.voxels.len()).filter(|&position| samples.inside[position] != 0) {
                let center = fixed.grid.index_of(position);
                let near = |other: [usize; 3]| (0..3).all(|axis| other[axis].abs_diff(center[axis]) <= radius);
                let cube: Vec<usize> = (0..size.iter().product())
                    .filter(|&other| near(fixed.grid.index_of(other)) && mask[other] != 0)
                    .collect();
                let n = cube.len() as f64;
                let mean = |of: &[f32]| cube.iter().map(|&i| f64::from(of[i])).sum::<f64>() / n;
                let (f_mean, m_mean) = (mean(&fixed.voxels), mean(&samples.values));
                let sum = |term: &dyn Fn(f64, f64) -> f64| {
                    let deviations =
                        |&i: &usize| (f64::from(fixed.voxels[i]) - f_mean, f64::from(samples.values[i]) - m_mean);
                    cube.iter().map(deviations).map(|(f, m)| term(f, m)).sum::<f64>()
                };
                let covariance = sum(&|f, m| f * m);
                let floor = n * f64::from(FLOOR);
                expected += covariance * covariance / ((sum(&|f, _| f * f) + floor) * (sum(&|_, m| m * m) + floor));
            }
            let mut measure = LocalCorrelation::new(&fixed, radius);
            let mut derivative = vec![0.0; fixed.voxels.len()];
            let value = measure.evaluate(&fixed.voxels, &samples, count, &mut derivative);
            assert!((value - (1.0 - expected / count as f64)).abs() < 1e-5, "{value} {expected}");
        }
    }
}
