//! The progress of feature maps, and their end before time.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{RadiomicsError, Result};

/// A step of an extraction of feature maps: a row of voxels has its features of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapProgress<'a> {
    /// The image whose features are mapped, such as `wavelet-LLH`; `ibsi` for all of the IBSI profile.
    pub image: &'a str,
    /// Number of voxels in the row.
    pub voxels: usize,
}

/// What is told of each step of an extraction of feature maps, and can break it off.
pub(crate) type MapObserver<'a> = dyn Fn(&MapProgress<'_>) -> ControlFlow<()> + Sync + 'a;

/// Tells an observer of the rows of one image.
pub(crate) struct RowWatch<'a> {
    observer: &'a MapObserver<'a>,
    image: &'a str,
    broken_off: AtomicBool,
}

impl<'a> RowWatch<'a> {
    pub(crate) fn new(observer: &'a MapObserver<'a>, image: &'a str) -> Self {
        Self { observer, image, broken_off: AtomicBool::new(false) }
    }

    /// The features of a row, unless the observer has broken off or does so now.
    pub(crate) fn row<T>(&self, row: &Range<usize>, features: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.broken_off.load(Ordering::Relaxed) {
            return Err(RadiomicsError::Cancelled);
        }
        let features = features()?;
        if (self.observer)(&MapProgress { image: self.image, voxels: row.len() }).is_break() {
            self.broken_off.store(true, Ordering::Relaxed);
            return Err(RadiomicsError::Cancelled);
        }
        Ok(features)
    }
}
