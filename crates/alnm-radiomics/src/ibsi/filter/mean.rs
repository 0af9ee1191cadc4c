//! The mean filter: g(k) = 1 / M^D on a cube of M voxels along each of D axes.

use std::ops::Range;

use super::separable::{SeparableKernel, Taps, response as separable_response};
use super::{Field, Filter};

/// The kernel of a mean over `support` voxels along each axis.
pub(super) fn kernel(filter: &Filter, support: usize) -> SeparableKernel {
    let taps = Taps::new(vec![1.0 / support as f64; support]);
    SeparableKernel(std::array::from_fn(|axis| filter.axes().contains(&axis).then(|| taps.clone())))
}

pub(super) fn response(filter: &Filter, field: Field<'_>, part: &[Range<usize>; 3], support: usize) -> Vec<f64> {
    separable_response(&[kernel(filter, support)], field, part, filter.boundary)
}
