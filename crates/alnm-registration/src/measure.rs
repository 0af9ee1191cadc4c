//! How much the fixed image and the sampled moving image are alike, and how that changes with each sample.

mod correlation;
mod local_correlation;
mod mean_squares;
mod mutual_information;

use rayon::prelude::*;

use crate::params::SimilarityMeasure;
use crate::pyramid::Level;
use crate::samples::Samples;

/// A measure at one resolution.
pub(crate) trait Measure: Send + Sync {
    /// The value, which is the smaller the more alike the images are, over the `count` voxels that count; writes its
    /// derivative by the sample at each voxel.
    fn evaluate(&mut self, fixed: &[f32], samples: &Samples, count: usize, derivative: &mut [f32]) -> f64;
}

/// The measure on a level of the fixed image; `range` holds the smallest and the largest value of the moving image.
pub(crate) fn on_level(measure: SimilarityMeasure, fixed: &Level, range: (f32, f32)) -> Box<dyn Measure> {
    match measure {
        SimilarityMeasure::MeanSquares => Box::new(mean_squares::MeanSquares { plane: plane(fixed) }),
        SimilarityMeasure::Correlation => Box::new(correlation::Correlation { plane: plane(fixed) }),
        SimilarityMeasure::LocalCorrelation { radius } => {
            Box::new(local_correlation::LocalCorrelation::new(fixed, radius))
        }
        SimilarityMeasure::MutualInformation { bins } => {
            Box::new(mutual_information::MutualInformation::new(fixed, range, bins))
        }
    }
}

fn plane(fixed: &Level) -> usize {
    let [width, height, _] = fixed.grid.size();
    width * height
}

/// Sums over the voxels that count, slice by slice and then in the order of the slices, so that the number of threads
/// changes no bit.
fn sums<const N: usize>(
    plane: usize,
    fixed: &[f32],
    samples: &Samples,
    terms: impl Fn(f64, f64) -> [f64; N] + Sync,
) -> [f64; N] {
    let slices = fixed.par_chunks(plane).zip(samples.values.par_chunks(plane)).zip(samples.inside.par_chunks(plane));
    let of_slices: Vec<[f64; N]> = slices
        .map(|((fixed, moving), inside)| {
            let mut sums = [0.0; N];
            for ((&f, &m), &counts) in fixed.iter().zip(moving).zip(inside) {
                let terms = terms(f64::from(f), f64::from(m));
                sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += f64::from(counts) * term);
            }
            sums
        })
        .collect();
    let add = |mut total: [f64; N], slice: [f64; N]| {
        total.iter_mut().zip(slice).for_each(|(total, sum)| *total += sum);
        total
    };
    of_slices.into_iter().fold([0.0; N], add)
}

/// Writes a derivative that depends on the intensities of a voxel alone.
fn write_derivative(
    plane: usize,
    fixed: &[f32],
    samples: &Samples,
    derivative: &mut [f32],
    value: impl Fn(f32, f32) -> f32 + Sync,
) {
    let slices = fixed.par_chunks(plane).zip(samples.values.par_chunks(plane)).zip(samples.inside.par_chunks(plane));
    derivative.par_chunks_mut(plane).zip(slices).for_each(|(derivative, ((fixed, moving), inside))| {
        let voxels = fixed.iter().zip(moving).zip(inside);
        for (target, ((&f, &m), &counts)) in derivative.iter_mut().zip(voxels) {
            *target = f32::from(counts) * value(f, m);
        }
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use alnm_imaging::Geometry;

    use super::*;

    /// Two images that are alike, with a part that does not count.
    pub(crate) fn pair(size: [usize; 3]) -> (Level, Samples) {
        let grid = Geometry::axis_aligned(size, [1.0; 3]).unwrap();
        let wave = |position: usize, phase: f32| {
            let [x, y, z] = grid.index_of(position).map(|index| index as f32);
            (0.7 * x + phase).sin() + (0.5 * y - 0.3 * z).cos() + 0.1 * (x * y + z).sin()
        };
        let voxels: Vec<f32> = (0..grid.voxel_count()).map(|position| wave(position, 0.0)).collect();
        let mut samples = Samples::new(size);
        for position in 0..grid.voxel_count() {
            samples.values[position] = 0.8 * wave(position, 0.4) + 0.2;
            samples.inside[position] = u8::from(!position.is_multiple_of(7));
        }
        (Level { grid, voxels, mask: None }, samples)
    }

    #[test]
    fn derivatives_are_those_of_the_values() {
        for measure in [
            SimilarityMeasure::MeanSquares,
            SimilarityMeasure::Correlation,
            SimilarityMeasure::LocalCorrelation { radius: 1 },
            SimilarityMeasure::LocalCorrelation { radius: 3 },
            SimilarityMeasure::MutualInformation { bins: 16 },
        ] {
            for size in [[9, 8, 5], [12, 10, 1]] {
                let (fixed, mut samples) = pair(size);
                let count = samples.inside.iter().map(|&counts| usize::from(counts)).sum();
                let mut on_level = on_level(measure, &fixed, (-2.0, 2.5));
                let mut derivative = vec![0.0; fixed.voxels.len()];
                on_level.evaluate(&fixed.voxels, &samples, count, &mut derivative);
                let mut ignored = derivative.clone();
                for position in [0, 3, 31, 58] {
                    let here = samples.values[position];
                    let mut at = |value: f32| {
                        samples.values[position] = value;
                        on_level.evaluate(&fixed.voxels, &samples, count, &mut ignored)
                    };
                    let numeric = (at(here + 0.02) - at(here - 0.02)) / 0.04;
                    at(here);
                    let analytic = f64::from(derivative[position]);
                    let scale = 1.0 / count as f64;
                    assert!(
                        (numeric - analytic).abs() < 0.02 * analytic.abs() + 0.01 * scale,
                        "{measure:?} {size:?} {position}: {numeric} {analytic}"
                    );
                }
            }
        }
    }

    #[test]
    fn images_that_are_alike_have_the_least_value() {
        for measure in [
            SimilarityMeasure::MeanSquares,
            SimilarityMeasure::Correlation,
            SimilarityMeasure::LocalCorrelation { radius: 2 },
            SimilarityMeasure::MutualInformation { bins: 16 },
        ] {
            let (fixed, mut samples) = pair([10, 10, 6]);
            let count = samples.inside.iter().map(|&counts| usize::from(counts)).sum();
            let mut on_level = on_level(measure, &fixed, (-3.0, 3.0));
            let mut derivative = vec![0.0; fixed.voxels.len()];
            let apart = on_level.evaluate(&fixed.voxels, &samples, count, &mut derivative);
            samples.values.copy_from_slice(&fixed.voxels);
            let alike = on_level.evaluate(&fixed.voxels, &samples, count, &mut derivative);
            assert!(alike < apart, "{measure:?}: {alike} {apart}");
        }
    }
}
