//! The layers beside the active one: voxels one and two steps from it, on one side.
//!
//! ITK's filter keeps a third layer in three dimensions. No change is computed from its values, and its voxels are
//! those neighbours of the second layer that are in no other, so that it needs no list.

use super::cells::{Cells, Status};
use super::layer::Layer;

/// The two layers of one side of the contour. The order of their voxels means nothing.
#[derive(Debug)]
pub(super) struct Side {
    /// The layer beside the active one.
    pub(super) near: Layer,
    /// The layer behind it.
    pub(super) second: Layer,
    /// The difference of the values of neighbouring layers, negative inside.
    step: f64,
}

impl Side {
    pub(super) fn inside(step: f64) -> Self {
        Self { near: Layer::new(Status::Inner), second: Layer::new(Status::InnerSecond), step: -step }
    }

    pub(super) fn outside(step: f64) -> Self {
        Self { near: Layer::new(Status::Outer), second: Layer::new(Status::OuterSecond), step }
    }

    /// What its layers are called in [`Cells::statuses`], from the contour away.
    pub(super) fn names(&self) -> [Status; 2] {
        [self.near.name, self.second.name]
    }

    /// Finds the nearest active values beside the near layer; the active layer is shown.
    pub(super) fn find_nearest_active(&mut self, cells: &Cells, strides: [usize; 3]) {
        self.near.find_nearest(self.step, cells, strides);
    }

    /// Sets the values of both layers from the nearest active ones that were found. Voxels of the near layer without an
    /// active neighbour go into the second layer, and those of that one without a neighbour in the near layer leave both.
    pub(super) fn spread(&mut self, cells: &mut Cells, strides: [usize; 3]) {
        for &position in self.near.settle::<true>(self.step, cells) {
            self.second.add(position, cells);
        }
        self.second.find_nearest(self.step, cells, strides);
        cells.hide(&self.near.voxels);
        for &position in self.second.settle::<false>(self.step, cells) {
            cells.statuses[position as usize] = Status::Far;
        }
    }
}
