//! Otsu's threshold (IEEE Trans. Syst. Man Cybern. 9:62, 1979), as ITK's `OtsuThresholdImageFilter` finds it.

use pulp::Arch;
use rayon::prelude::*;

use crate::error::{ImagingError, Result};
use crate::extremes::Extremes;
use crate::vector::whole_part;
use crate::vectorised;
use crate::volume::{ImageRef, LabelMap, Volume, Voxel, with_volume_ref};

const OPERATION: &str = "Otsu threshold";

/// Voxels whose bins are found at once.
const BLOCK: usize = 32;

/// Voxels that one task looks at.
const CHUNK: usize = 1 << 17;

/// The threshold that best tells two classes of voxels apart: the upper edge of the bin after which the variance
/// between the classes is largest, cast to the voxel's type. Voxels at most the threshold are background.
///
/// The histogram has `bins` bins from the lowest voxel to a hundredth of a bin above the highest. ITK's default is 128
/// bins; 200 are common before N4.
///
/// # Errors
/// [`ImagingError::InvalidParameter`] when there are fewer than 2 or more than 2²⁰ bins, or all voxels are equal;
/// [`ImagingError::InvalidVoxel`] when a voxel is not finite.
///
/// ```
/// use alnm_imaging::otsu::{otsu_mask, otsu_threshold};
/// use alnm_imaging::{Geometry, Volume};
///
/// let voxels = ndarray::array![[[10_i16, 12, 11, 200, 210, 205]]];
/// let image = Volume::new(voxels, Geometry::axis_aligned([6, 1, 1], [1.0; 3])?)?;
/// assert!((12..200).contains(&otsu_threshold(&image, 128)?));
/// assert_eq!(otsu_mask(&image, 128)?.as_slice(), [0, 0, 0, 1, 1, 1]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn otsu_threshold<T: Voxel>(volume: &Volume<T>, bins: usize) -> Result<T> {
    let threshold = match T::image_ref(volume) {
        ImageRef::U8(volume) => threshold(volume, bins),
        ImageRef::U16(volume) => threshold(volume, bins),
        ImageRef::I16(volume) => threshold(volume, bins),
        ImageRef::F32(volume) => threshold(volume, bins),
        ImageRef::F64(volume) => threshold(volume, bins),
        // Voxel types that images seldom have are counted as doubles, which is what is computed with.
        other => threshold(&with_volume_ref!(other, volume => volume.cast::<f64>()), bins),
    };
    threshold.map(T::from_f64)
}

fn threshold<T: Voxel>(volume: &Volume<T>, bins: usize) -> Result<f64> {
    let invalid = |parameter, value: String, requirement| ImagingError::InvalidParameter {
        operation: OPERATION,
        parameter,
        value,
        requirement,
    };
    if !(2..=1 << 20).contains(&bins) {
        return Err(invalid("bins", bins.to_string(), "it must be from 2 to 1048576"));
    }
    let voxels = volume.as_slice();
    let extremes = voxels.par_chunks(CHUNK).filter_map(Extremes::of).reduce_with(Extremes::merged);
    let Some(Extremes { low, high, is_finite }) = extremes else {
        return Err(invalid("image", "no voxels".to_owned(), "it must have at least two different voxels"));
    };
    if !is_finite {
        volume.check_finite().map_err(|voxel| voxel.during(OPERATION))?;
    }
    let (low, high) = (low.to_f64(), high.to_f64());
    if low == high {
        return Err(invalid("image", format!("constant {low}"), "it must have at least two different voxels"));
    }
    let arch = Arch::new();
    let edges = Edges::new(low, high + (high - low) / bins as f64 / 100.0, bins);
    let count = |chunk: &[T]| {
        // Neighbours often fall into one bin; taking turns in four tables, they need not wait for each other.
        let mut tables = vec![[0_u32; 4]; bins];
        let (blocks, rest) = chunk.as_chunks::<BLOCK>();
        for block in blocks {
            let found = vectorised!(arch, edges.bins_of(block));
            found.iter().enumerate().for_each(|(i, &bin)| tables[bin as usize][i % 4] += 1);
        }
        rest.iter().for_each(|voxel| tables[edges.bin(voxel.to_f64())][0] += 1);
        tables.iter().map(|counts| counts.iter().map(|&count| u64::from(count)).sum()).collect()
    };
    let sum = |a: Vec<u64>, b: Vec<u64>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let histogram: Vec<u64> = voxels.par_chunks(CHUNK.max(bins)).map(count).reduce(|| vec![0; bins], sum);
    Ok(edges.lower(best_split(&histogram, &edges) + 1))
}

/// The voxels above [`otsu_threshold`]: 1 for foreground, 0 for background.
///
/// # Errors
/// As [`otsu_threshold`].
pub fn otsu_mask<T: Voxel>(volume: &Volume<T>, bins: usize) -> Result<LabelMap> {
    let threshold = otsu_threshold(volume, bins)?;
    let mut mask = Volume::filled(volume.geometry().clone(), 0);
    let labels = mask.as_mut_slice().par_chunks_mut(CHUNK).zip(volume.as_slice().par_chunks(CHUNK));
    labels.for_each(|(labels, voxels)| {
        labels.iter_mut().zip(voxels).for_each(|(label, voxel)| *label = u32::from(*voxel > threshold));
    });
    Ok(mask)
}

/// Bins of equal width.
struct Edges {
    low: f64,
    width: f64,
    per_width: f64,
    bins: usize,
}

impl Edges {
    fn new(low: f64, high: f64, bins: usize) -> Self {
        let width = (high - low) / bins as f64;
        Self { low, width, per_width: 1.0 / width, bins }
    }

    /// Lower edge of a bin, which is the upper edge of the one before.
    fn lower(&self, bin: usize) -> f64 {
        self.low + bin as f64 * self.width
    }

    fn centre(&self, bin: usize) -> f64 {
        (self.lower(bin) + self.lower(bin + 1)) / 2.0
    }

    /// The bins of neighbouring voxels: by vector instructions, but where one lies beside an edge.
    #[inline(always)]
    fn bins_of<T: Voxel>(&self, voxels: &[T; BLOCK]) -> [u32; BLOCK] {
        let last = (self.bins - 1) as f64;
        let mut bins = [0; BLOCK];
        let mut all_clear = true;
        for (voxel, bin) in voxels.iter().zip(&mut bins) {
            let position = (voxel.to_f64() - self.low) * self.per_width;
            let below = position.min(last).floor();
            all_clear &= is_clear(position, below);
            *bin = whole_part(below) as u32;
        }
        if !all_clear {
            voxels.iter().zip(&mut bins).for_each(|(voxel, bin)| *bin = self.bin(voxel.to_f64()) as u32);
        }
        bins
    }

    fn bin(&self, value: f64) -> usize {
        let position = (value - self.low) * self.per_width;
        let bin = (position as usize).min(self.bins - 1);
        if is_clear(position, bin as f64) { bin } else { self.bin_beside_edge(bin, value) }
    }

    /// The bin of a value whose position may have been rounded across an edge.
    #[cold]
    fn bin_beside_edge(&self, bin: usize, value: f64) -> usize {
        if value < self.lower(bin) {
            bin - 1
        } else if bin + 1 < self.bins && value >= self.lower(bin + 1) {
            bin + 1
        } else {
            bin
        }
    }
}

/// Whether a position, in bins, is further from the edges of its bin than any rounding moves it. No value lies below
/// the first edge, and backgrounds often lie on it.
#[inline(always)]
fn is_clear(position: f64, bin: f64) -> bool {
    const BESIDE_EDGE: f64 = 1e-6;
    let share = position - bin;
    ((share > BESIDE_EDGE) | (bin == 0.0)) & (share < 1.0 - BESIDE_EDGE)
}

/// The last bin of the lower class: the first that maximises ω₀μ₀² + ω₁μ₁².
fn best_split(histogram: &[u64], edges: &Edges) -> usize {
    let total: f64 = histogram.iter().map(|&count| count as f64).sum();
    let moment = |bin: usize| histogram[bin] as f64 / total * edges.centre(bin);
    let mean: f64 = (0..histogram.len()).map(moment).sum();
    let (mut weight, mut lower) = (0.0, 0.0);
    let (mut best, mut largest) = (0, f64::NEG_INFINITY);
    for bin in 0..histogram.len() - 1 {
        weight += histogram[bin] as f64 / total;
        lower += moment(bin);
        let of_class = |weight: f64, moment: f64| if weight > 0.0 { moment * moment / weight } else { 0.0 };
        let between = of_class(weight, lower) + of_class(1.0 - weight, mean - lower);
        // Differences in the last bit are no reason to move on.
        if between > largest + largest.abs() * f64::EPSILON || largest == f64::NEG_INFINITY {
            (best, largest) = (bin, between);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::geometry::Geometry;

    fn volume(voxels: Vec<i16>) -> Volume<i16> {
        let size = [voxels.len(), 1, 1];
        Volume::new(
            Array3::from_shape_vec([1, 1, size[0]], voxels).unwrap(),
            Geometry::axis_aligned(size, [1.0; 3]).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn two_classes_are_told_apart() {
        let image = volume([[10, 11, 12, 200, 201, 202].as_slice(); 5].concat());
        let mask = otsu_mask(&image, 128).unwrap();
        for (voxel, label) in image.as_slice().iter().zip(mask.as_slice()) {
            assert_eq!(*label, u32::from(*voxel > 100));
        }
    }

    #[test]
    fn a_voxel_that_is_no_number_is_named() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut voxels = vec![1.0_f32; 100];
            voxels[41] = bad;
            let voxels = Array3::from_shape_vec([1, 1, 100], voxels).unwrap();
            let image = Volume::new(voxels, Geometry::axis_aligned([100, 1, 1], [1.0; 3]).unwrap()).unwrap();
            assert!(otsu_threshold(&image, 200).unwrap_err().to_string().contains("41"));
        }
    }

    #[test]
    fn constant_images_and_impossible_bins_are_refused() {
        assert!(otsu_threshold(&volume(vec![7; 9]), 200).is_err());
        assert!(otsu_threshold(&volume(vec![1, 2]), 1).is_err());
    }
}
