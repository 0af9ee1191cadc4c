//! The Riesz transform of a filter: its derivatives along the axes as an all-pass.
//!
//! For orders l = (l_x, l_y, l_z) with sum L, the spectrum is multiplied by (-i)^L · √(L! / (l_x! l_y! l_z!)) · Π
//! ν_a^(l_a) / |ν|^L; what does not vary at all has no response.

use super::spectrum::length;
use crate::ibsi::fourier::Complex;

/// A transform of given orders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Riesz {
    /// l along z, y and x.
    orders: [i32; 3],
    scale: Complex<f64>,
}

impl Riesz {
    /// The transform with orders along x, y (and z).
    pub(super) fn new(orders: &[u32]) -> Self {
        let orders: [i32; 3] = std::array::from_fn(|axis| orders.get(2 - axis).map_or(0, |&order| order as i32));
        let factorial = |n: i32| (1..=n).map(f64::from).product::<f64>();
        let total: i32 = orders.iter().sum();
        let multiplicity = factorial(total) / orders.into_iter().map(factorial).product::<f64>();
        Self { orders, scale: Complex::new(0.0, -1.0).powi(total) * multiplicity.sqrt() }
    }

    /// What a frequency along z, y and x is multiplied by.
    pub(super) fn factor(self, frequency: [f64; 3]) -> Complex<f64> {
        let length = length(frequency);
        if length == 0.0 {
            return Complex::new(0.0, 0.0);
        }
        let direction = (0..3).map(|axis| (frequency[axis] / length).powi(self.orders[axis])).product::<f64>();
        self.scale * direction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_of_one_sum_pass_all_energy() {
        let frequency = [0.3, -0.5, 0.7];
        for total in 1..4u32 {
            let mut energy = 0.0;
            for x in 0..=total {
                for y in 0..=total - x {
                    energy += Riesz::new(&[x, y, total - x - y]).factor(frequency).norm_sqr();
                }
            }
            approx::assert_relative_eq!(energy, 1.0, max_relative = 1e-12);
        }
    }
}
