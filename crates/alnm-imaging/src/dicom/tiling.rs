//! Frames in which the slices of a volume lie side by side.

use super::slice::{Slice, Tile};

/// A frame that is cut into tiles of one size, which are counted along its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    /// Rows and columns of a tile.
    size: [usize; 2],
    /// Tiles side by side.
    across: usize,
}

impl Tiling {
    /// A frame of `down` × `across` tiles; none where its size is no multiple of that.
    pub(super) fn of(frame: &Slice, down: usize, across: usize) -> Option<Self> {
        let fits = down > 0 && across > 0 && frame.rows.is_multiple_of(down) && frame.columns.is_multiple_of(across);
        fits.then(|| Self { size: [frame.rows / down, frame.columns / across], across })
    }

    /// Rows and columns of a tile.
    pub(super) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The slice that a tile holds, counted from 0, at the place of the frame.
    pub(super) fn slice(&self, frame: &Slice, number: usize) -> Slice {
        let [rows, columns] = self.size;
        let tile = Tile {
            start: [number / self.across * rows, number % self.across * columns],
            frame_columns: frame.columns,
            frame_rows: frame.rows,
        };
        Slice { rows, columns, tile: Some(tile), ..frame.clone() }
    }
}
