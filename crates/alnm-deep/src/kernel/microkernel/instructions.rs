//! The instruction sets of processors.

use std::fmt;

#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use super::vector::{Portable, Vector};

/// The instruction set that the engine's kernels use.
///
/// Results of two sets differ in their last bits; with one set they are the same at any number of threads. A
/// [`crate::Predictor`] and a [`crate::Trainer`] take the fastest set of the processor unless told otherwise.
///
/// ```
/// use alnm_deep::Instructions;
///
/// let names: Vec<&str> = Instructions::available().into_iter().map(Instructions::name).collect();
/// assert!(names.contains(&"portable"));
/// assert_eq!(names[0], Instructions::best().name());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instructions(Set);

/// The sets that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Instructions {
    /// No special instructions: runs everywhere.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// The sets that this processor can run, the fastest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                sets.push(Self(Set::Avx512));
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                sets.push(Self(Set::Avx2));
            }
        }
        sets.push(Self::PORTABLE);
        sets
    }

    /// The fastest set that this processor can run.
    #[must_use]
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// The set, which the processor can run.
    pub(super) fn set(self) -> Set {
        self.0
    }

    /// Columns of a tile of sums, two registers wide.
    pub(super) fn tile_columns(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => 2 * Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => 2 * Avx2::LANES,
            Set::Portable => 2 * Portable::LANES,
        }
    }

    /// `avx512`, `avx2` or `portable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }
}

impl fmt::Debug for Instructions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
