//! The level set and the layers of the cells of a window.

use std::sync::atomic::{AtomicI8, AtomicU64, Ordering};

/// The layer in which a voxel lies, or what else is known of it.
pub(super) type Status = i8;

/// In no layer.
pub(super) const FAR: Status = i8::MIN;
/// About to enter a layer.
pub(super) const CHANGING: Status = -1;
/// Leaves the active layer outwards.
pub(super) const RISING: Status = -2;
/// Leaves the active layer inwards.
pub(super) const SINKING: Status = -3;
/// On the border of the image, where no layer goes.
pub(super) const BORDER: Status = -4;
/// Not in the image, or not in the window.
pub(super) const OUTSIDE: Status = -5;

/// The active layer.
pub(super) const ACTIVE: Status = 0;

/// The value of the level set at each cell, and its layer.
///
/// The two sides of a contour are set at the same time. No cell belongs to both, so that neither waits for the other;
/// relaxed atomic numbers, which cost as much as plain ones, let them share the arrays.
#[derive(Debug)]
pub(super) struct Cells {
    values: Vec<AtomicU64>,
    status: Vec<AtomicI8>,
}

impl Cells {
    /// Cells that all have one value, outside of the image.
    pub(super) fn outside(count: usize, value: f64) -> Self {
        let values = std::iter::repeat_with(|| AtomicU64::new(value.to_bits())).take(count).collect();
        let status = std::iter::repeat_with(|| AtomicI8::new(OUTSIDE)).take(count).collect();
        Self { values, status }
    }

    #[inline(always)]
    pub(super) fn value(&self, position: usize) -> f64 {
        f64::from_bits(self.values[position].load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub(super) fn set_value(&self, position: usize, value: f64) {
        self.values[position].store(value.to_bits(), Ordering::Relaxed);
    }

    #[inline(always)]
    pub(super) fn status(&self, position: usize) -> Status {
        self.status[position].load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_status(&self, position: usize, status: Status) {
        self.status[position].store(status, Ordering::Relaxed);
    }

    /// The value of a cell in a layer, and `otherwise` of any other cell. It is computed without a branch, since the
    /// layers of neighbours follow no pattern.
    #[inline(always)]
    pub(super) fn value_in(&self, layer: Status, position: usize, otherwise: f64) -> f64 {
        let value = self.values[position].load(Ordering::Relaxed);
        f64::from_bits(std::hint::select_unpredictable(self.status(position) == layer, value, otherwise.to_bits()))
    }
}
