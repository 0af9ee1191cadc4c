//! Lowest and highest of many numbers.

use pulp::Arch;

use crate::vectorised;
use crate::volume::Voxel;

/// Numbers that are looked at side by side.
const LANES: usize = 16;

/// The lowest and the highest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Extremes<T> {
    /// The lowest.
    pub low: T,
    /// The highest.
    pub high: T,
    /// Whether all are finite; otherwise `low` and `high` mean nothing.
    pub is_finite: bool,
}

impl<T: Voxel> Extremes<T> {
    /// The extremes of `values`, `None` when there are none.
    ///
    /// ```
    /// use alnm_imaging::Extremes;
    /// let extremes = Extremes::of(&[3_i16, -7, 5]).unwrap();
    /// assert_eq!((extremes.low, extremes.high, extremes.is_finite), (-7, 5, true));
    /// assert!(!Extremes::of(&[1.0, f64::NAN]).unwrap().is_finite);
    /// assert_eq!(Extremes::<u8>::of(&[]), None);
    /// ```
    pub fn of(values: &[T]) -> Option<Self> {
        vectorised!(Arch::new(), Self::in_lanes(values))
    }

    #[inline(always)]
    fn in_lanes(values: &[T]) -> Option<Self> {
        let first = *values.first()?;
        let (mut low, mut high) = ([first; LANES], [first; LANES]);
        let (blocks, rest) = values.as_chunks::<LANES>();
        // Zero times a number is zero, and no number otherwise.
        let mut zero = [0.0; LANES];
        for block in blocks {
            for lane in 0..LANES {
                low[lane] = lower(block[lane], low[lane]);
                high[lane] = higher(block[lane], high[lane]);
            }
            if T::PIXEL_TYPE.is_float() {
                for lane in 0..LANES {
                    zero[lane] += block[lane].to_f64() * 0.0;
                }
            }
        }
        let is_finite = zero.iter().all(|&zero| zero == 0.0) && rest.iter().all(|value| value.to_f64().is_finite());
        let found =
            Self { low: low.into_iter().fold(first, lower), high: high.into_iter().fold(first, higher), is_finite };
        Some(Self {
            low: rest.iter().copied().fold(found.low, lower),
            high: rest.iter().copied().fold(found.high, higher),
            ..found
        })
    }

    /// The extremes of two sets of numbers together.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            low: lower(other.low, self.low),
            high: higher(other.high, self.high),
            is_finite: self.is_finite && other.is_finite,
        }
    }
}

#[inline(always)]
fn lower<T: Voxel>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

#[inline(always)]
fn higher<T: Voxel>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(values in prop::collection::vec(-1e300f64..1e300, 1..200), bad in 0usize..400) {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!(Extremes::of(&values), Some(Extremes { low, high, is_finite: true }));
            let mut values = values;
            if let Some(value) = values.get_mut(bad) {
                *value = if bad % 2 == 0 { f64::NAN } else { f64::NEG_INFINITY };
                prop_assert!(!Extremes::of(&values).unwrap().is_finite);
            }
        }

        #[test]
        fn parts_come_to_the_whole(values in prop::collection::vec(any::<i16>(), 2..200), cut in 1usize..200) {
            let (left, right) = values.split_at(cut.min(values.len() - 1));
            let merged = Extremes::of(left).unwrap().merged(Extremes::of(right).unwrap());
            prop_assert_eq!(Some(merged), Extremes::of(&values));
            prop_assert_eq!(merged.low, *values.iter().min().unwrap());
            prop_assert_eq!(merged.high, *values.iter().max().unwrap());
        }
    }
}
