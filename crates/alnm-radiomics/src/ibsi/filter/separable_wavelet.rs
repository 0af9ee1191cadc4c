//! Undecimated separable wavelets by the à trous algorithm.
//!
//! Level j convolves the approximation of level j - 1 with the sub-band's low- or high-pass filters, which have 2^(j-1) - 1
//! zeros between their taps.

use std::ops::Range;

use super::separable::{SeparableKernel, Stages, Taps, pooled, right_angled_rotations};
use super::{Field, Filter, Pooling};
use crate::filter::wavelet::Filters;

pub(super) fn response(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    filters: &Filters,
    band: &str,
    level: usize,
    rotation_invariance: Option<Pooling>,
) -> Vec<f64> {
    let letters: Vec<char> = band.chars().collect();
    let (low, high) = (Taps::new(filters.low.clone()), Taps::new(filters.high.clone()));
    // Letters are for x, y, z; axes are z, y, x.
    let band = |axis: usize| letters.get(2 - axis).map(|letter| if *letter == 'H' { high.clone() } else { low.clone() });
    let approximation = |axis: usize| letters.get(2 - axis).map(|_| low.clone());
    let kernels = [SeparableKernel(std::array::from_fn(approximation)), SeparableKernel(std::array::from_fn(band))];
    let rotations = match rotation_invariance {
        Some(_) => right_angled_rotations(filter.dimensions),
        None => right_angled_rotations(filter.dimensions)[..1].to_vec(),
    };
    let mut orientations: Vec<Stages> = Vec::new();
    for rotation in rotations {
        let [approximation, band] = kernels.each_ref().map(|kernel| kernel.rotated(rotation));
        let stages: Stages = (1..=level).map(|step| if step < level { &approximation } else { &band }.dilated(step - 1)).collect();
        // Orientations that agree count as often as others do, so one of each is enough for a mean, too.
        if !orientations.contains(&stages) {
            orientations.push(stages);
        }
    }
    pooled(&orientations, rotation_invariance.unwrap_or(Pooling::Average), field, part, filter.boundary)
}
