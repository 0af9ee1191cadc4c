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

    /// Sets the values of the layer beside the active one, whose values are shown. Voxels without an active neighbour
    /// go into the second layer.
    pub(super) fn spread_near(&mut self, cells: &mut Cells, strides: [usize; 3]) {
        for position in self.near.set_values(self.step, cells, strides) {
            self.second.add(position, cells);
        }
    }

    /// Sets the values of the second layer. Voxels without a neighbour in the layer before leave the layers.
    pub(super) fn spread_second(&mut self, cells: &mut Cells, strides: [usize; 3]) {
        cells.show(&self.near.voxels);
        for position in self.second.set_values(self.step, cells, strides) {
            cells.statuses[position as usize] = Status::Far;
        }
        cells.hide(&self.near.voxels);
    }
}
