//! Laws kernels and their texture energy.
//!
//! Kernels are level (L), edge (E), spot (S), wave (W) and ripple (R) with 3 or 5 taps, each divided by its Euclidean norm.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::separable::{Block, SeparableKernel, Stages, Taps, pooled};
use super::{Field, Filter, Pooling, mean};

/// A one-dimensional kernel of Laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum LawsKernel {
    L3,
    E3,
    S3,
    L5,
    E5,
    S5,
    W5,
    R5,
}

impl LawsKernel {
    fn taps(self) -> Taps {
        let taps: &[f64] = match self {
            Self::L3 => &[1.0, 2.0, 1.0],
            Self::E3 => &[-1.0, 0.0, 1.0],
            Self::S3 => &[-1.0, 2.0, -1.0],
            Self::L5 => &[1.0, 4.0, 6.0, 4.0, 1.0],
            Self::E5 => &[-1.0, -2.0, 0.0, 2.0, 1.0],
            Self::S5 => &[-1.0, 0.0, 2.0, 0.0, -1.0],
            Self::W5 => &[-1.0, 2.0, 0.0, -2.0, 1.0],
            Self::R5 => &[1.0, -4.0, 6.0, -4.0, 1.0],
        };
        let norm = taps.iter().map(|tap| tap * tap).sum::<f64>().sqrt();
        Taps::new(taps.iter().map(|tap| tap / norm).collect())
    }
}

pub(super) fn response(
    filter: &Filter,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    kernels: &[LawsKernel],
    rotation_invariance: Option<Pooling>,
    energy_distance: Option<usize>,
) -> Vec<f64> {
    // Kernels are named for x, y, z; axes are z, y, x.
    let kernel = SeparableKernel(std::array::from_fn(|axis| kernels.get(2 - axis).map(|kernel| kernel.taps())));
    let rotations = match rotation_invariance {
        Some(_) => kernel.rotations(filter.dimensions),
        None => vec![kernel],
    };
    let orientations: Vec<Stages> = rotations.into_iter().map(|kernel| vec![kernel]).collect();
    let pooling = rotation_invariance.unwrap_or(Pooling::Average);
    let Some(distance) = energy_distance else { return pooled(&orientations, pooling, field, part, filter.boundary) };
    let energy = mean::kernel(filter, 2 * distance + 1);
    let bounds = energy.support(part, field.shape, filter.boundary);
    let mut values = pooled(&orientations, pooling, field, &bounds, filter.boundary);
    values.iter_mut().for_each(|value| *value = value.abs());
    energy.apply(&Block { bounds, values }, part, field.shape, filter.boundary).values
}
