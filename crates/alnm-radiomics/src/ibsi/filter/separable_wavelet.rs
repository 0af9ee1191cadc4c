//! Undecimated separable wavelets by the à trous algorithm.
//!
//! Level j convolves the approximation of level j - 1 with the sub-band's low- or high-pass filters, which have 2^(j-1) - 1
//! zeros between their taps.

use std::ops::Range;

use super::separable::{SeparableKernel, Stages, Taps, pooled, right_angled_rotations};
use super::{Field, Filter, Pooling};
use crate::filter::wavelet::Filters;

/// A sub-band of an undecimated transform.
pub(super) struct WaveletBand<'a> {
    pub(super) filters: Filters,
    /// One letter for each of x, y (and z).
    pub(super) band: &'a str,
    /// From 1.
    pub(super) level: usize,
    pub(super) rotation_invariance: Option<Pooling>,
}

impl WaveletBand<'_> {
    /// The values of the sub-band in the box `part`.
    pub(super) fn response(&self, filter: &Filter, field: Field<'_>, part: &[Range<usize>; 3]) -> Vec<f64> {
        let Self { filters, band, level, rotation_invariance } = self;
        let (level, rotation_invariance) = (*level, *rotation_invariance);
        let letters: Vec<char> = band.chars().collect();
        let (low, high) = (Taps::new(filters.low_pass().to_vec()), Taps::new(filters.high_pass().to_vec()));
        // Letters are for x, y, z; axes are z, y, x.
        let band =
            |axis: usize| letters.get(2 - axis).map(|letter| if *letter == 'H' { high.clone() } else { low.clone() });
        let approximation = |axis: usize| letters.get(2 - axis).map(|_| low.clone());
        let kernels = [SeparableKernel(std::array::from_fn(approximation)), SeparableKernel(std::array::from_fn(band))];
        let rotations = match rotation_invariance {
            Some(_) => right_angled_rotations(filter.dimensions),
            None => right_angled_rotations(filter.dimensions)[..1].to_vec(),
        };
        let mut orientations: Vec<Stages> = Vec::new();
        for rotation in rotations {
            let [approximation, band] = kernels.each_ref().map(|kernel| kernel.rotated(rotation));
            let stages: Stages =
                (1..=level).map(|step| if step < level { &approximation } else { &band }.dilated(step - 1)).collect();
            // Orientations that agree count as often as others do, so one of each is enough for a mean, too.
            if !orientations.contains(&stages) {
                orientations.push(stages);
            }
        }
        pooled(&orientations, rotation_invariance.unwrap_or(Pooling::Average), field, part, filter.boundary)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BoundaryCondition, Dimensions, Kernel};
    use super::*;

    #[test]
    fn a_constant_image_passes_the_approximation_only() {
        let field = Field { values: &[5.0; 4 * 5 * 6], shape: [4, 5, 6], spacing: [1.0; 3] };
        for name in ["haar", "db3", "coif1"] {
            for (band, level) in [("LLL", 1), ("LLL", 2), ("LHL", 1), ("HHH", 2)] {
                let pooling = Some(Pooling::Average);
                let kernel = Kernel::SeparableWavelet {
                    wavelet: name.to_owned(),
                    band: band.to_owned(),
                    level,
                    rotation_invariance: pooling,
                };
                let filter = Filter { dimensions: Dimensions::Three, boundary: BoundaryCondition::Nearest, kernel };
                let filters = Filters::named(name).unwrap();
                let sub_band = WaveletBand { filters, band, level, rotation_invariance: pooling };
                let values = sub_band.response(&filter, field, &[0..4, 0..5, 0..6]);
                // Each low-pass filter adds up to √2.
                let expected = if band == "LLL" { 5.0 * 8f64.powf(level as f64 / 2.0) } else { 0.0 };
                assert!(values.iter().all(|value| (value - expected).abs() < 1e-9), "{name} {band} {level}");
            }
        }
    }
}
