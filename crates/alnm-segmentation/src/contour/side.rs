//! The layers beside the active one: voxels one and two steps from it, on one side.
//!
//! ITK's filter keeps a third layer in three dimensions. No change is computed from its values, and its voxels are
//! those neighbours of the second layer that are in no other, so that it needs no list.

use rayon::prelude::*;

use super::cells::{ACTIVE, Cells, FAR, Status};

/// Voxels that one task sets.
const CHUNK: usize = 8192;

/// Voxels of a layer by their positions.
pub(super) type Layer = Vec<u32>;

/// The two layers of one side of the contour. The order of their voxels means nothing.
#[derive(Debug)]
pub(super) struct Side {
    /// The layers' names in [`Cells::status`], from the contour away.
    pub(super) names: [Status; 2],
    pub(super) layers: [Layer; 2],
    /// The difference of the values of neighbouring layers, negative inside.
    step: f64,
}

impl Side {
    pub(super) fn inside(step: f64) -> Self {
        Self { names: [1, 3], layers: [Layer::new(), Layer::new()], step: -step }
    }

    pub(super) fn outside(step: f64) -> Self {
        Self { names: [2, 4], layers: [Layer::new(), Layer::new()], step }
    }

    pub(super) fn voxel_count(&self) -> usize {
        self.layers.iter().map(Layer::len).sum()
    }

    /// Sets the values of both layers, from the contour away. Voxels without a neighbour in the layer before go one
    /// further.
    pub(super) fn spread(&mut self, cells: &Cells, neighbours: &[isize; 6]) {
        let [near, second] = self.names;
        let lost = self.set_layer(0, ACTIVE, cells, neighbours);
        lost.iter().for_each(|&position| cells.set_status(position as usize, second));
        self.layers[1].extend(lost);
        let lost = self.set_layer(1, near, cells, neighbours);
        lost.iter().for_each(|&position| cells.set_status(position as usize, FAR));
    }

    /// Sets the values of a layer by those of the layer `from`, drops the voxels that have left it, and returns those
    /// that have no neighbour there.
    fn set_layer(&mut self, layer: usize, from: Status, cells: &Cells, neighbours: &[isize; 6]) -> Layer {
        let (name, step) = (self.names[layer], self.step);
        let layer = &mut self.layers[layer];
        let set = |voxels: &mut [u32]| {
            if step < 0.0 {
                set_values::<true>(voxels, [from, name], cells, neighbours, step)
            } else {
                set_values::<false>(voxels, [from, name], cells, neighbours, step)
            }
        };
        if layer.len() <= CHUNK {
            let SetVoxels { kept, lost } = set(layer);
            layer.truncate(kept);
            return lost;
        }
        let chunks: Vec<SetVoxels> = layer.par_chunks_mut(CHUNK).map(set).collect();
        let (mut end, mut all_lost) = (0, Layer::new());
        for (chunk, SetVoxels { kept, lost }) in chunks.into_iter().enumerate() {
            layer.copy_within(chunk * CHUNK..chunk * CHUNK + kept, end);
            end += kept;
            all_lost.extend(lost);
        }
        layer.truncate(end);
        all_lost
    }
}

/// What became of the voxels of a part of a layer.
struct SetVoxels {
    /// How many stay; they come first.
    kept: usize,
    /// Those without a neighbour in the layer before.
    lost: Layer,
}

/// Sets voxels of the second of two `layers` to the nearest value of their neighbours in the first, which is the
/// largest of those inside and the smallest of those outside, and a step.
fn set_values<const INSIDE: bool>(
    voxels: &mut [u32],
    [from, to]: [Status; 2],
    cells: &Cells,
    neighbours: &[isize; 6],
    step: f64,
) -> SetVoxels {
    let none = if INSIDE { f64::NEG_INFINITY } else { f64::INFINITY };
    let mut found = SetVoxels { kept: 0, lost: Layer::new() };
    for i in 0..voxels.len() {
        let position = voxels[i] as usize;
        if cells.status(position) != to {
            continue;
        }
        let mut nearest = none;
        for &neighbour in neighbours {
            let value = cells.value_in(from, position.wrapping_add_signed(neighbour), none);
            // As `f64::max` and `f64::min` of numbers, by one instruction.
            let is_nearer = if INSIDE { value > nearest } else { value < nearest };
            nearest = if is_nearer { value } else { nearest };
        }
        if nearest == none {
            found.lost.push(position as u32);
            continue;
        }
        cells.set_value(position, nearest + step);
        voxels[found.kept] = position as u32;
        found.kept += 1;
    }
    found
}
