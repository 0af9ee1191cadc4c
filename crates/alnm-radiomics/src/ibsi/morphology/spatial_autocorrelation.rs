//! Moran's I index and Geary's C measure of the intensities of a region.
//!
//! Symbols: N_v voxels with intensities X of mean μ; w_ij = 1 / |x_i - x_j| for i ≠ j, the inverse distance of their
//! centres.

use std::ops::Range;

use alnm_imaging::fourier::{LineTransforms, line_transforms};
use rayon::prelude::*;

use crate::ibsi::fourier::{Complex, fast_length, transpose};
use crate::ibsi::region::Mask;
use crate::summation::{sum, sum_of};

/// Both measures of one region; NaN for a single voxel or a flat region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SpatialAutocorrelation {
    /// N_v / Σ w_ij · Σ_ij w_ij (X_i - μ)(X_j - μ) / Σ_i (X_i - μ)² (code N365).
    pub moran_i: f64,
    /// (N_v - 1) / (2 Σ w_ij) · Σ_ij w_ij (X_i - X_j)² / Σ_i (X_i - μ)² (code NPT7).
    pub geary_c: f64,
}

impl SpatialAutocorrelation {
    /// The measures of the intensities at the voxels of `mask`, in raster order; `spacing` is (z, y, x) in mm.
    ///
    /// On a grid, weights depend on the step between voxels alone. The sums over all pairs are therefore convolutions
    /// of the mask and of the deviations from the mean with one kernel, and cost transforms of a box twice the region's
    /// size instead of N_v² terms; they are exact but for rounding. With y the deviations, m the mask and * the
    /// convolution with the kernel, Σ w_ij = Σ m (w*m), Σ w_ij y_i y_j = Σ y (w*y) and Σ w_ij (y_i - y_j)² = 2 Σ y²
    /// (w*m) - 2 Σ y (w*y).
    pub(crate) fn new(mask: &Mask, intensities: &[f64], spacing: [f64; 3]) -> Self {
        let undefined = Self { moran_i: f64::NAN, geary_c: f64::NAN };
        let Some(bounds) = mask.bounding_box() else { return undefined };
        if intensities.iter().all(|&value| value == intensities[0]) {
            return undefined;
        }
        let count = intensities.len() as f64;
        let mean = sum(intensities) / count;
        let scatter = sum_of(intensities, |x| (x - mean) * (x - mean));

        let size = bounds.each_ref().map(ExactSizeIterator::len);
        let region = Deviations::new(mask, &bounds, intensities, mean);
        let transform = PlaneTransform::new(size);
        let kernel = transform.kernel(spacing);
        // Values of the mask are 1, so that the convolution with it gives two of the sums at once.
        let mut planes = transform.planes(&|row, part, line| region.fill(row, line, |_| 1.0, part), separated);
        transform.convolve(&mut planes, &kernel);
        let [weights, squares] = transform.weighted_sums(planes, &region);
        let planes = transform.planes(&|row, part, line| region.fill(row, line, |y| y, part), separated);
        let products = transform.weighted_energy(planes, &kernel);
        Self {
            moran_i: count / weights * products / scatter,
            geary_c: (count - 1.0) / (2.0 * weights) * (2.0 * squares - 2.0 * products) / scatter,
        }
    }
}

/// The deviations of a region's intensities from their mean, by the rows of the box around it.
struct Deviations<'a> {
    /// Voxels in each row of the box, (z, y): whether each belongs to the region.
    rows: Vec<&'a [bool]>,
    /// Where the intensities of each row begin.
    starts: Vec<usize>,
    intensities: &'a [f64],
    mean: f64,
}

impl<'a> Deviations<'a> {
    fn new(mask: &'a Mask, bounds: &[Range<usize>; 3], intensities: &'a [f64], mean: f64) -> Self {
        let [_, height, width] = mask.shape;
        let rows = bounds[0].clone().flat_map(|z| bounds[1].clone().map(move |y| (z * height + y) * width));
        let rows: Vec<&[bool]> = rows.map(|start| &mask.voxels[start..][bounds[2].clone()]).collect();
        let mut next = 0;
        let starts = rows.iter().map(|row| {
            let start = next;
            next += row.iter().filter(|inside| **inside).count();
            start
        });
        let starts = starts.collect();
        Self { rows, starts, intensities, mean }
    }

    /// The columns of the region's voxels in a row, with their deviations.
    fn of_row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let columns = self.rows[row].iter().enumerate().filter(|(_, inside)| **inside).map(|(column, _)| column);
        columns.zip(self.intensities[self.starts[row]..].iter().map(|value| value - self.mean))
    }

    /// Writes what `value` makes of a row's deviations into one part of a line.
    fn fill(&self, row: usize, line: &mut [Complex<f64>], value: impl Fn(f64) -> f64, part: Part) {
        for (column, deviation) in self.of_row(row) {
            *part.of(&mut line[column]) = value(deviation);
        }
    }
}

/// A part of a complex number: two real lines are transformed as one complex line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Real,
    Imaginary,
}

impl Part {
    fn of(self, value: &mut Complex<f64>) -> &mut f64 {
        match self {
            Self::Real => &mut value.re,
            Self::Imaginary => &mut value.im,
        }
    }
}

/// The spectra of two real lines from the value of their common spectrum and that at the opposite frequency.
fn separated(value: Complex<f64>, opposite: Complex<f64>) -> [Complex<f64>; 2] {
    let (sum, difference) = (value + opposite.conj(), value - opposite.conj());
    [sum * 0.5, Complex::new(difference.im, -difference.re) * 0.5]
}

/// The spectra of two real and even lines, which are real.
fn separated_even(value: Complex<f64>, _opposite: Complex<f64>) -> [f64; 2] {
    [value.re, value.im]
}

/// Writes a row of a box, counted over z and y, into a part of a line.
type FillLine<'a> = dyn Fn(usize, Part, &mut [Complex<f64>]) + Sync + 'a;

/// Transforms of real boxes with as much room behind each axis as a convolution needs.
///
/// Half of the frequencies along x are enough for real values. Boxes are kept transformed along x alone, as one plane
/// (z, y) without room for each of these frequencies; what is larger lives for one plane at a time.
struct PlaneTransform {
    /// (z, y, x).
    size: [usize; 3],
    /// With room.
    padded: [usize; 3],
    lines: [LineTransforms; 3],
}

impl PlaneTransform {
    fn new(size: [usize; 3]) -> Self {
        let padded = size.map(|n| if n == 1 { 1 } else { fast_length(2 * n - 1) });
        let lines = line_transforms(&padded);
        Self { size, padded, lines: std::array::from_fn(|axis| lines[axis].clone()) }
    }

    /// Frequencies of an axis that are not the opposites of others.
    fn half(&self, axis: usize) -> usize {
        self.padded[axis] / 2 + 1
    }

    /// What makes a product of all values of two transforms forth and back the product of their values.
    fn scale(&self) -> f64 {
        1.0 / self.padded.iter().product::<usize>() as f64
    }

    /// The planes of a box whose rows (counted over z and y) `fill` writes into a part of a line; `separate` takes the
    /// spectra of two rows apart.
    fn planes<T: Copy + Default + Send + Sync>(
        &self,
        fill: &FillLine<'_>,
        separate: fn(Complex<f64>, Complex<f64>) -> [T; 2],
    ) -> Vec<Vec<T>> {
        /// Slices that are transformed before they are distributed to the planes.
        const TOGETHER: usize = 8;
        let [depth, height, _] = self.size;
        let (length, half) = (self.padded[2], self.half(2));
        let forward = &self.lines[2].forward;
        // By frequency, then by y.
        let of_slice = |z: usize| -> Vec<T> {
            let mut spectra = vec![T::default(); half * height];
            let mut line = vec![Complex::default(); length];
            let mut scratch = vec![Complex::default(); forward.get_inplace_scratch_len()];
            for y in (0..height).step_by(2) {
                line.fill(Complex::default());
                fill(z * height + y, Part::Real, &mut line);
                if y + 1 < height {
                    fill(z * height + y + 1, Part::Imaginary, &mut line);
                }
                forward.process_with_scratch(&mut line, &mut scratch);
                for k in 0..half {
                    let [first, second] = separate(line[k], line[(length - k) % length]);
                    spectra[k * height + y] = first;
                    if y + 1 < height {
                        spectra[k * height + y + 1] = second;
                    }
                }
            }
            spectra
        };
        let mut planes: Vec<Vec<T>> = vec![vec![T::default(); depth * height]; half];
        for first in (0..depth).step_by(TOGETHER) {
            let slices: Vec<Vec<T>> = (first..(first + TOGETHER).min(depth)).into_par_iter().map(of_slice).collect();
            planes.par_iter_mut().enumerate().for_each(|(k, plane)| {
                for (row, slice) in plane.chunks_exact_mut(height).skip(first).zip(&slices) {
                    row.copy_from_slice(&slice[k * height..][..height]);
                }
            });
        }
        planes
    }

    /// The spectrum of the inverse distance as a function of the step, which is real and even: for each frequency along
    /// x a plane over half of the frequencies along y and along z.
    fn kernel(&self, spacing: [f64; 3]) -> Vec<Vec<f64>> {
        let [_, height, width] = self.size;
        let squared = |axis: usize, steps: usize| (steps as f64 * spacing[axis]).powi(2);
        let inverse_distances = |row: usize, part: Part, line: &mut [Complex<f64>]| {
            let across = squared(0, row / height) + squared(1, row % height);
            for x in 0..width {
                let distance = (across + squared(2, x)).sqrt();
                let weight = if distance > 0.0 { 1.0 / distance } else { 0.0 };
                *part.of(&mut line[x]) = weight;
                if x > 0 {
                    *part.of(&mut line[self.padded[2] - x]) = weight;
                }
            }
        };
        let mut planes = self.planes(&inverse_distances, separated_even);
        planes.par_iter_mut().for_each(|plane| {
            let along_y = self.even_spectra(plane, 1);
            let mut by_frequency = vec![0.0; along_y.len()];
            transpose(&along_y, self.half(1), &mut by_frequency, self.size[0]);
            *plane = self.even_spectra(&by_frequency, 0);
        });
        planes
    }

    /// The first halves of the spectra of rows that hold the first halves of even lines along an axis.
    fn even_spectra(&self, rows: &[f64], axis: usize) -> Vec<f64> {
        let (size, length, half) = (self.size[axis], self.padded[axis], self.half(axis));
        let forward = &self.lines[axis].forward;
        let mut line = vec![Complex::default(); length];
        let mut scratch = vec![Complex::default(); forward.get_inplace_scratch_len()];
        let count = rows.len() / size;
        let mut spectra = vec![0.0; half * count];
        for row in (0..count).step_by(2) {
            let other = (row + 1 < count).then(|| &rows[(row + 1) * size..][..size]);
            line.fill(Complex::default());
            for (place, &value) in rows[row * size..][..size].iter().enumerate() {
                let value = Complex::new(value, other.map_or(0.0, |other| other[place]));
                line[place] = value;
                line[(length - place) % length] = value;
            }
            forward.process_with_scratch(&mut line, &mut scratch);
            for (k, value) in line[..half].iter().enumerate() {
                spectra[row * half + k] = value.re;
                if row + 1 < count {
                    spectra[(row + 1) * half + k] = value.im;
                }
            }
        }
        spectra
    }

    /// Convolves a box with a kernel.
    fn convolve(&self, planes: &mut [Vec<Complex<f64>>], kernel: &[Vec<f64>]) {
        let scale = self.scale();
        planes.par_iter_mut().zip(kernel).for_each_init(
            || PlaneRoom::new(self),
            |room, (plane, kernel)| {
                room.forward(self, plane);
                for (line, weights) in room.spectrum_lines(self, kernel) {
                    let (first, mirrored) = line.split_at_mut(weights.len());
                    let weigh = |(value, weight): (&mut Complex<f64>, &f64)| *value *= weight * scale;
                    first.iter_mut().zip(weights).for_each(weigh);
                    mirrored.iter_mut().rev().zip(&weights[1..]).for_each(weigh);
                }
                room.inverse(self, plane);
            },
        );
    }

    /// Σ y (w * y) of a box y and a kernel w, by Parseval's theorem.
    fn weighted_energy(&self, planes: Vec<Vec<Complex<f64>>>, kernel: &[Vec<f64>]) -> f64 {
        let length = self.padded[2];
        let of_planes = planes.into_par_iter().zip(kernel).enumerate().map_init(
            || PlaneRoom::new(self),
            |room, (k, (plane, kernel))| {
                room.forward(self, &plane);
                let of_lines = room.spectrum_lines(self, kernel).map(|(line, weights)| {
                    let (first, mirrored) = line.split_at(weights.len());
                    let energy = |(value, weight): (&Complex<f64>, &f64)| value.norm_sqr() * weight;
                    let first: f64 = first.iter().zip(weights).map(energy).sum();
                    let mirrored: f64 = mirrored.iter().rev().zip(&weights[1..]).map(energy).sum();
                    first + mirrored
                });
                // The opposite frequencies have the same energy.
                let is_its_own_opposite = (length - k) % length == k;
                of_lines.sum::<f64>() * if is_its_own_opposite { 1.0 } else { 2.0 }
            },
        );
        self.scale() * sum(&of_planes.collect::<Vec<f64>>())
    }

    /// Σ p and Σ y² p over the region, p being a box and y the deviations.
    fn weighted_sums(&self, planes: Vec<Vec<Complex<f64>>>, region: &Deviations<'_>) -> [f64; 2] {
        let [depth, height, _] = self.size;
        let length = self.padded[2];
        let inverse = &self.lines[2].inverse;
        let of_slice = |z: usize| -> [f64; 2] {
            let mut line = vec![Complex::default(); length];
            let mut scratch = vec![Complex::default(); inverse.get_inplace_scratch_len()];
            let mut sums = [0.0; 2];
            let slice: Vec<Complex<f64>> =
                planes.iter().flat_map(|plane| plane[z * height..][..height].iter().copied()).collect();
            for y in (0..height).step_by(2) {
                let (row, has_second) = (z * height + y, y + 1 < height);
                for (k, spectra) in slice.chunks_exact(height).enumerate() {
                    let second = if has_second { spectra[y + 1] } else { Complex::default() };
                    let (first, turned) = (spectra[y], Complex::new(-second.im, second.re));
                    line[k] = first + turned;
                    line[(length - k) % length] = first.conj() + Complex::new(second.im, second.re);
                }
                inverse.process_with_scratch(&mut line, &mut scratch);
                for (column, deviation) in region.of_row(row) {
                    sums[0] += line[column].re;
                    sums[1] += deviation * deviation * line[column].re;
                }
                if has_second {
                    for (column, deviation) in region.of_row(row + 1) {
                        sums[0] += line[column].im;
                        sums[1] += deviation * deviation * line[column].im;
                    }
                }
            }
            sums
        };
        let of_slices: Vec<[f64; 2]> = (0..depth).into_par_iter().map(of_slice).collect();
        of_slices.into_iter().fold([0.0; 2], |total, of_slice| [total[0] + of_slice[0], total[1] + of_slice[1]])
    }
}

/// Room for one plane with its padding.
struct PlaneRoom {
    /// (z, y), y padded.
    rows: Vec<Complex<f64>>,
    /// (y, z), both padded.
    columns: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl PlaneRoom {
    fn new(transform: &PlaneTransform) -> Self {
        let ([depth, ..], [padded_depth, padded_height, _]) = (transform.size, transform.padded);
        let lines = transform.lines[..2].iter().flat_map(|line| [&line.forward, &line.inverse]);
        let scratch = lines.map(|line| line.get_inplace_scratch_len()).max().unwrap_or(0);
        Self {
            rows: vec![Complex::default(); depth * padded_height],
            columns: vec![Complex::default(); padded_height * padded_depth],
            scratch: vec![Complex::default(); scratch],
        }
    }

    /// Leaves the spectrum of a plane in the columns, as lines along z.
    fn forward(&mut self, transform: &PlaneTransform, plane: &[Complex<f64>]) {
        let ([_, height, _], [depth, padded_height, _]) = (transform.size, transform.padded);
        for (padded, row) in self.rows.chunks_exact_mut(padded_height).zip(plane.chunks_exact(height)) {
            padded[..height].copy_from_slice(row);
            padded[height..].fill(Complex::default());
        }
        transform.lines[1].forward.process_with_scratch(&mut self.rows, &mut self.scratch);
        self.columns.fill(Complex::default());
        transpose(&self.rows, padded_height, &mut self.columns, depth);
        transform.lines[0].forward.process_with_scratch(&mut self.columns, &mut self.scratch);
    }

    /// The lines along z of the spectrum, each with the kernel's values at the first half of its frequencies, which the
    /// second half mirrors.
    fn spectrum_lines<'a>(
        &'a mut self,
        transform: &PlaneTransform,
        kernel: &'a [f64],
    ) -> impl Iterator<Item = (&'a mut [Complex<f64>], &'a [f64])> {
        let [depth, height, _] = transform.padded;
        let half = transform.half(0);
        let lines = self.columns.chunks_exact_mut(depth).enumerate();
        lines.map(move |(k, line)| (line, &kernel[k.min(height - k) * half..][..half]))
    }

    /// Turns the spectrum in the columns back into a plane.
    fn inverse(&mut self, transform: &PlaneTransform, plane: &mut [Complex<f64>]) {
        let ([_, height, _], [depth, padded_height, _]) = (transform.size, transform.padded);
        transform.lines[0].inverse.process_with_scratch(&mut self.columns, &mut self.scratch);
        transpose(&self.columns, depth, &mut self.rows, padded_height);
        transform.lines[1].inverse.process_with_scratch(&mut self.rows, &mut self.scratch);
        for (row, padded) in plane.chunks_exact_mut(height).zip(self.rows.chunks_exact(padded_height)) {
            row.copy_from_slice(&padded[..height]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The sums over all pairs as their definitions say.
    fn slow(mask: &Mask, intensities: &[f64], spacing: [f64; 3]) -> SpatialAutocorrelation {
        let voxels: Vec<[usize; 3]> = mask.indices().collect();
        let count = voxels.len() as f64;
        let mean = intensities.iter().sum::<f64>() / count;
        let (mut weights, mut products, mut differences) = (0.0, 0.0, 0.0);
        for (i, a) in voxels.iter().enumerate() {
            for (j, b) in voxels.iter().enumerate().filter(|(j, _)| *j != i) {
                let squared: f64 = (0..3).map(|axis| ((a[axis] as f64 - b[axis] as f64) * spacing[axis]).powi(2)).sum();
                let weight = 1.0 / squared.sqrt();
                weights += weight;
                products += weight * (intensities[i] - mean) * (intensities[j] - mean);
                differences += weight * (intensities[i] - intensities[j]).powi(2);
            }
        }
        let scatter: f64 = intensities.iter().map(|x| (x - mean).powi(2)).sum();
        SpatialAutocorrelation {
            moran_i: count / weights * products / scatter,
            geary_c: (count - 1.0) / (2.0 * weights) * differences / scatter,
        }
    }

    proptest! {
        #[test]
        fn transforms_agree_with_all_pairs(
            voxels in prop::collection::vec(any::<bool>(), 3 * 4 * 5),
            values in prop::collection::vec(-500.0f64..500.0, 60),
            spacing in prop::array::uniform3(0.5f64..4.0),
        ) {
            let mask = Mask { shape: [3, 4, 5], voxels };
            let intensities = mask.select(&values);
            prop_assume!(intensities.len() > 1);
            let (fast, slow) = (SpatialAutocorrelation::new(&mask, &intensities, spacing), slow(&mask, &intensities, spacing));
            prop_assert!((fast.moran_i - slow.moran_i).abs() < 1e-10, "{fast:?} {slow:?}");
            prop_assert!((fast.geary_c - slow.geary_c).abs() < 1e-10, "{fast:?} {slow:?}");
        }
    }

    #[test]
    fn a_single_voxel_and_a_flat_region_have_no_autocorrelation() {
        let mask = Mask { shape: [1, 1, 3], voxels: vec![false, true, false] };
        assert!(SpatialAutocorrelation::new(&mask, &[4.0], [1.0; 3]).moran_i.is_nan());
        let mask = Mask { shape: [1, 1, 3], voxels: vec![true; 3] };
        assert!(SpatialAutocorrelation::new(&mask, &[4.0; 3], [1.0; 3]).geary_c.is_nan());
    }
}
