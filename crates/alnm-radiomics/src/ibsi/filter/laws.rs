//! Laws kernels and their texture energy.
//!
//! Kernels are level (L), edge (E), spot (S), wave (W) and ripple (R) with 3 or 5 taps, each divided by its Euclidean
//! norm.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::separable::{Block, SeparableKernel, Stages, Taps, pooled};
use super::{Field, Filter, Pooling, mean};

/// A one-dimensional kernel of Laws, before it is divided by its norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LawsKernel {
    /// Level: 1 2 1.
    L3,
    /// Edge: -1 0 1.
    E3,
    /// Spot: -1 2 -1.
    S3,
    /// Level: 1 4 6 4 1.
    L5,
    /// Edge: -1 -2 0 2 1.
    E5,
    /// Spot: -1 0 2 0 -1.
    S5,
    /// Wave: -1 2 0 -2 1.
    W5,
    /// Ripple: 1 -4 6 -4 1.
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

#[cfg(test)]
mod tests {
    use super::super::{BoundaryCondition, Dimensions, Kernel};
    use super::*;

    fn filter(dimensions: Dimensions) -> Filter {
        // Only dimensions and boundary are looked at.
        Filter { dimensions, boundary: BoundaryCondition::Mirror, kernel: Kernel::Mean { support: 1 } }
    }

    #[test]
    fn an_impulse_answers_with_the_product_of_the_kernels() {
        let mut values = vec![0.0; 7 * 7 * 7];
        values[(3 * 7 + 3) * 7 + 3] = 1.0;
        let field = Field { values: &values, shape: [7; 3], spacing: [1.0; 3] };
        let kernels = [LawsKernel::E3, LawsKernel::L5, LawsKernel::R5];
        let response = response(&filter(Dimensions::Three), field, &[0..7, 0..7, 0..7], &kernels, None, None);
        let (e, l, r) = ([-1.0, 0.0, 1.0], [1.0, 4.0, 6.0, 4.0, 1.0], [1.0, -4.0, 6.0, -4.0, 1.0]);
        let norm = (2.0f64 * 70.0 * 70.0).sqrt();
        for (k, z) in r.iter().enumerate() {
            for (j, y) in l.iter().enumerate() {
                for (i, x) in e.iter().enumerate() {
                    let got = response[((k + 1) * 7 + j + 1) * 7 + i + 2];
                    approx::assert_abs_diff_eq!(got, z * y * x / norm, epsilon = 1e-15);
                }
            }
        }
    }

    #[test]
    fn a_pooled_response_does_not_mind_a_quarter_turn() {
        let values: Vec<f64> = (0..36).map(|i| f64::from((i * 7) % 11)).collect();
        let turned: Vec<f64> = (0..36).map(|i| values[(i % 6) * 6 + 5 - i / 6]).collect();
        let whole = [0..1, 0..6, 0..6];
        let energy = |values: &[f64]| {
            let field = Field { values, shape: [1, 6, 6], spacing: [1.0; 3] };
            let kernels = [LawsKernel::E5, LawsKernel::S3];
            response(&filter(Dimensions::Two), field, &whole, &kernels, Some(Pooling::Maximum), Some(1))
        };
        let (still, turned) = (energy(&values), energy(&turned));
        for i in 0..36 {
            approx::assert_relative_eq!(turned[i], still[(i % 6) * 6 + 5 - i / 6], max_relative = 1e-12);
        }
    }
}
