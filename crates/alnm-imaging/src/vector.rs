//! Loops compiled for the vector instructions that the processor has.

use pulp::Arch;

/// The value of an expression whose loops are compiled for the processor's vector instructions; `arch` is a [`pulp::Arch`]. Results have
/// the same bits on every processor: nothing is fused or reordered, only done side by side.
///
/// Instructions are chosen for what is inlined into the expression and for nothing else: a function that it hands its loop to needs
/// `#[inline(always)]`.
///
/// ```
/// use alnm_imaging::vectorised;
/// let mut values = vec![1.0, 2.0, 3.0];
/// vectorised!(pulp::Arch::new(), values.iter_mut().for_each(|value| *value *= 2.0));
/// assert_eq!(values, [2.0, 4.0, 6.0]);
/// ```
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

/// [`Arch::dispatch`] for [`vectorised!`]. The bound on `FnOnce` makes the closure's attribute reach: a closure that could be called twice
/// is called through a function of its own, which is inlined only if it is small.
#[inline(always)]
pub fn dispatch_once<R>(arch: Arch, kernel: impl FnOnce() -> R) -> R {
    arch.dispatch(kernel)
}
