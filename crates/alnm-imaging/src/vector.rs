//! Loops compiled for the vector instructions that the processor has.
//!
//! This module and its macro serve the crates of this workspace. They are no part of the interface of this crate and
//! may change with any version.

use pulp::Arch;

/// The value of an expression whose loops are compiled for the processor's vector instructions; `arch` is a
/// [`pulp::Arch`]. Results have the same bits on every processor: nothing is fused or reordered, only done side by
/// side.
///
/// Instructions are chosen for what is inlined into the expression and for nothing else. A function that it hands its
/// loop to needs `#[inline(always)]`, and the loops inside `collect`, `extend` and `map` of arrays, which are functions
/// of the standard library, are better written out. Conversions of fractions by `as` are done one after the other;
/// [`whole_part`] is not.
///
/// ```
/// use alnm_imaging::vectorised;
/// let mut values = vec![1.0, 2.0, 3.0];
/// vectorised!(pulp::Arch::new(), values.iter_mut().for_each(|value| *value *= 2.0));
/// assert_eq!(values, [2.0, 4.0, 6.0]);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! vectorised {
    ($arch:expr, $value:expr) => {
        $crate::vector::dispatch_once(
            $arch,
            #[inline(always)]
            || $value,
        )
    };
}

/// [`Arch::dispatch`] for [`vectorised!`]. The bound on `FnOnce` makes the closure's attribute reach: a closure that
/// could be called twice is called through a function of its own, which is inlined only if it is small.
#[inline(always)]
pub fn dispatch_once<R>(arch: Arch, kernel: impl FnOnce() -> R) -> R {
    arch.dispatch(kernel)
}

/// The whole part of a number from 0 to below 2³¹, as `as i32` gives it. Conversions with `as` bound their result and
/// are done one number after the other; this is done side by side in [`vectorised!`].
///
/// ```
/// use alnm_imaging::vector::whole_part;
/// assert_eq!(whole_part(2_147_483_647.9), 2_147_483_647.9_f64 as i32);
/// ```
#[inline(always)]
#[must_use]
pub fn whole_part(value: f64) -> i32 {
    // From 2⁵² on, doubles are whole numbers whose lowest bits are those of the number above 2⁵².
    (value.floor() + 4_503_599_627_370_496.0).to_bits() as i32
}

/// [`whole_part`] in single precision, of a number from 0 to below 2²³.
///
/// ```
/// use alnm_imaging::vector::whole_part_single;
/// assert_eq!(whole_part_single(8_388_607.5), 8_388_607);
/// ```
#[inline(always)]
#[must_use]
pub fn whole_part_single(value: f32) -> i32 {
    const TWO_TO_23: f32 = 8_388_608.0;
    ((value.floor() + TWO_TO_23).to_bits() - TWO_TO_23.to_bits()) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{whole_part, whole_part_single};

    proptest! {
        #[test]
        fn whole_parts_are_those_of_a_conversion(value in 0.0..2_147_483_648.0_f64, single in 0.0..8_388_608.0_f32) {
            prop_assert_eq!(whole_part(value), value as i32);
            prop_assert_eq!(whole_part_single(single), single as i32);
        }
    }
}
