//! What the voxels of an image are: range, mean, percentiles, histogram, labels.

use alnm_imaging::intensity::percentile_of_sorted;
use alnm_imaging::region::{Connectivity, connected_components};
use alnm_imaging::{Image, LabelMap, Voxel, with_volume};
use rayon::prelude::*;
use serde::Serialize;

/// The percentiles that are told.
const PERCENTILES: [u8; 7] = [1, 5, 25, 50, 75, 95, 99];

/// Most distinct values of an image that is described as a mask.
const MOST_LABELS: usize = 256;

/// The values of an image.
#[derive(Debug, Serialize)]
pub(super) struct Statistics {
    /// Which volume of a file or series they are of, from 1.
    pub(super) volume: usize,
    pub(super) voxels: usize,
    /// Voxels that are NaN or infinite; all else is of the others.
    pub(super) not_finite: usize,
    pub(super) nonzero: usize,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    pub(super) mean: f64,
    pub(super) standard_deviation: f64,
    pub(super) percentiles: Vec<Percentile>,
    pub(super) histogram: Option<Histogram>,
}

#[derive(Debug, Serialize)]
pub(super) struct Percentile {
    pub(super) percent: u8,
    pub(super) value: f64,
}

/// Voxels in bins of one width from the lowest value to the highest, which belongs to the last.
#[derive(Debug, Serialize)]
pub(super) struct Histogram {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) counts: Vec<usize>,
}

/// A label of a mask.
#[derive(Debug, Serialize)]
pub(super) struct Label {
    pub(super) label: u32,
    /// As the file names it.
    pub(super) name: Option<String>,
    pub(super) voxels: usize,
    pub(super) volume_mm3: f64,
    /// Connected parts (26 neighbours).
    pub(super) parts: usize,
    /// Voxels of the largest part.
    pub(super) largest_part: usize,
}

/// The finite values of an image, in order.
pub(super) struct Values {
    sorted: Vec<f64>,
    voxels: usize,
}

impl Values {
    pub(super) fn of(image: &Image) -> Self {
        let all: Vec<f64> = with_volume!(image, volume => volume.as_slice().par_iter().map(|v| v.to_f64()).collect());
        let voxels = all.len();
        let mut sorted: Vec<f64> = all.into_par_iter().filter(|value| value.is_finite()).collect();
        sorted.par_sort_unstable_by(f64::total_cmp);
        Self { sorted, voxels }
    }

    /// None where no value is finite.
    pub(super) fn statistics(&self, volume: usize, bins: Option<u16>) -> Option<Statistics> {
        let (&minimum, &maximum) = (self.sorted.first()?, self.sorted.last()?);
        let count = self.sorted.len() as f64;
        let mean = self.sorted.iter().sum::<f64>() / count;
        let variance = self.sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Some(Statistics {
            volume,
            voxels: self.voxels,
            not_finite: self.voxels - self.sorted.len(),
            nonzero: self.sorted.iter().filter(|value| **value != 0.0).count(),
            minimum,
            maximum,
            mean,
            standard_deviation: variance.sqrt(),
            percentiles: PERCENTILES
                .map(|percent| Percentile { percent, value: percentile_of_sorted(&self.sorted, percent.into()) })
                .into(),
            histogram: bins.map(|bins| self.histogram(minimum, maximum, bins.into())),
        })
    }

    fn histogram(&self, from: f64, to: f64, bins: usize) -> Histogram {
        let mut counts = vec![0; bins];
        let per_value = bins as f64 / (to - from);
        for value in &self.sorted {
            // Of an image of one value all voxels are in the first bin.
            let bin = if to > from { ((value - from) * per_value) as usize } else { 0 };
            counts[bin.min(bins - 1)] += 1;
        }
        Histogram { from, to, counts }
    }

    /// The labels with their counts, 0 left out, where all values are whole numbers from 0 and few.
    fn counted_labels(&self) -> Option<Vec<(u32, usize)>> {
        let mut counted: Vec<(u32, usize)> = Vec::new();
        for &value in &self.sorted {
            if !(0.0..=f64::from(u32::MAX)).contains(&value) || value.fract() != 0.0 {
                return None;
            }
            let label = value as u32;
            if let Some((_, count)) = counted.last_mut().filter(|(last, _)| *last == label) {
                *count += 1;
            } else if counted.len() == MOST_LABELS {
                return None;
            } else {
                counted.push((label, 1));
            }
        }
        // A mask has voxels outside, or is of one label.
        let is_mask = self.sorted.len() == self.voxels && (counted.len() == 1 || counted.first()?.0 == 0);
        counted.retain(|(label, _)| *label != 0);
        (is_mask && !counted.is_empty()).then_some(counted)
    }

    /// The labels of an image that may be a mask; none of any other.
    pub(super) fn labels(&self, image: &Image, names: impl Fn(u32) -> Option<String> + Sync) -> Option<Vec<Label>> {
        let counted = self.counted_labels()?;
        let mask: LabelMap = image.cast();
        Some(counted.par_iter().map(|&(label, _)| Label::of(&mask, label, label, names(label))).collect())
    }
}

impl Label {
    /// The voxels of a mask that are `voxel`, which stand for a label.
    pub(super) fn of(mask: &LabelMap, voxel: u32, label: u32, name: Option<String>) -> Self {
        let sizes = connected_components(mask, voxel, Connectivity::Corner).sizes;
        let voxels = sizes.iter().sum();
        let largest_part = sizes.first().copied().unwrap_or(0);
        let volume_mm3 = voxels as f64 * mask.geometry().voxel_volume();
        Self { label, name, voxels, volume_mm3, parts: sizes.len(), largest_part }
    }
}

#[cfg(test)]
mod tests {
    use alnm_imaging::{Geometry, Volume};
    use ndarray::Array3;

    use super::*;

    fn image(values: Vec<f64>) -> Image {
        let geometry = Geometry::axis_aligned([values.len(), 1, 1], [0.5, 1.0, 2.0]).unwrap();
        Image::F64(Volume::new(Array3::from_shape_vec((1, 1, values.len()), values).unwrap(), geometry).unwrap())
    }

    #[test]
    fn values_are_summed_up_and_what_is_not_finite_is_counted() {
        let found = Values::of(&image(vec![4.0, f64::NAN, 1.0, 2.0, 3.0, 0.0])).statistics(1, Some(2)).unwrap();
        assert_eq!((found.voxels, found.not_finite, found.nonzero), (6, 1, 4));
        assert_eq!((found.minimum, found.maximum, found.mean), (0.0, 4.0, 2.0));
        assert_eq!(found.standard_deviation, 2.0_f64.sqrt());
        assert_eq!(found.percentiles[2].value, 1.0);
        assert_eq!(found.histogram.unwrap().counts, [2, 3]);
        assert!(Values::of(&image(vec![f64::NAN])).statistics(1, None).is_none());
    }

    #[test]
    fn labels_have_volumes_and_parts() {
        let mask = image(vec![0.0, 1.0, 1.0, 0.0, 1.0, 7.0]);
        let labels = Values::of(&mask).labels(&mask, |_| None).unwrap();
        let told: Vec<_> = labels.iter().map(|l| (l.label, l.voxels, l.parts, l.largest_part, l.volume_mm3)).collect();
        assert_eq!(told, [(1, 3, 2, 2, 3.0), (7, 1, 1, 1, 1.0)]);
        for no_mask in [vec![0.0, 0.5], vec![-1.0, 0.0], vec![0.0, 0.0], vec![3.0, 4.0]] {
            let image = image(no_mask);
            assert!(Values::of(&image).labels(&image, |_| None).is_none());
        }
    }
}
