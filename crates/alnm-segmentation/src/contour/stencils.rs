//! The values of the level set around voxels of the contour, side by side.

use super::cells::{Cells, Status};

/// Voxels whose change is computed at a time, by loops over all of them that the compiler turns into vector
/// instructions.
pub(super) const BLOCK: usize = 32;

/// One number for each voxel of a block.
pub(super) type Numbers = [f64; BLOCK];

/// The pairs of axes of mixed derivatives.
pub(super) const PAIRS: [[usize; 2]; 3] = [[0, 1], [0, 2], [1, 2]];

/// The values of the level set at the voxels of a block and at those neighbours that derivatives need.
#[derive(Debug)]
pub(super) struct Stencils {
    pub(super) centre: Numbers,
    /// Before and behind the voxel on each axis (x, y, z).
    pub(super) faces: [[Numbers; 2]; 3],
    /// For each of [`PAIRS`] before both axes, before the first and behind the second, behind the first and before the
    /// second, and behind both.
    pub(super) edges: [[Numbers; 4]; 3],
}

impl Stencils {
    pub(super) fn new() -> Self {
        Self { centre: [0.0; BLOCK], faces: [[[0.0; BLOCK]; 2]; 3], edges: [[[0.0; BLOCK]; 4]; 3] }
    }

    /// The values before and behind a voxel on an axis (x, y, z).
    #[inline(always)]
    pub(super) fn beside(&self, axis: usize, lane: usize) -> [f64; 2] {
        let [before, behind] = &self.faces[axis];
        [before[lane], behind[lane]]
    }

    /// The values at the edges of a voxel, for one of [`PAIRS`].
    #[inline(always)]
    pub(super) fn edges_of(&self, pair: usize, lane: usize) -> [f64; 4] {
        let [aa, ab, ba, bb] = &self.edges[pair];
        [aa[lane], ab[lane], ba[lane], bb[lane]]
    }

    /// Reads the values around the voxels of a block in an image of `D` dimensions. `has_border` says whether any of
    /// them may lie on the border of the image.
    #[inline(always)]
    pub(super) fn read<const D: usize>(
        &mut self,
        cells: &Cells,
        strides: [usize; 3],
        block: &[u32; BLOCK],
        has_border: bool,
    ) {
        for (lane, &position) in block.iter().enumerate() {
            if has_border {
                self.read_beside_border::<D>(cells, strides, position as usize, lane);
            } else {
                self.read_one::<D>(&cells.values, strides, position as usize, lane);
            }
        }
    }

    /// Reads the values around a voxel, whose neighbours all lie in the image.
    #[inline(always)]
    fn read_one<const D: usize>(&mut self, values: &[f64], [_, row, slice]: [usize; 3], position: usize, lane: usize) {
        let row = row as u32 as usize;
        // From a row and a voxel before a place to as far behind it. The compiler sees that all indices lie in there.
        let rows = |place: usize| &values[place - row - 1..][..2 * row + 3];
        let here = rows(position);
        self.centre[lane] = here[row + 1];
        self.faces[0][0][lane] = here[row];
        self.faces[0][1][lane] = here[row + 2];
        self.faces[1][0][lane] = here[1];
        self.faces[1][1][lane] = here[2 * row + 1];
        self.edges[0][0][lane] = here[0];
        self.edges[0][1][lane] = here[2 * row];
        self.edges[0][2][lane] = here[2];
        self.edges[0][3][lane] = here[2 * row + 2];
        if D == 3 {
            for (side, there) in [rows(position - slice), rows(position + slice)].into_iter().enumerate() {
                self.faces[2][side][lane] = there[row + 1];
                self.edges[1][side][lane] = there[row];
                self.edges[1][2 + side][lane] = there[row + 2];
                self.edges[2][side][lane] = there[1];
                self.edges[2][2 + side][lane] = there[2 * row + 1];
            }
        }
    }

    /// As [`Stencils::read_one`] for a voxel that may lie on the border of the image, beyond which values go on as they
    /// are there.
    #[cold]
    fn read_beside_border<const D: usize>(&mut self, cells: &Cells, strides: [usize; 3], position: usize, lane: usize) {
        let within = |there: usize| if cells.statuses[there] == Status::Outside { position } else { there };
        let faces = strides.map(|stride| [within(position - stride), within(position + stride)]);
        self.centre[lane] = cells.values[position];
        for axis in 0..D {
            for side in 0..2 {
                self.faces[axis][side][lane] = cells.values[faces[axis][side]];
            }
        }
        for (pair, [i, j]) in PAIRS.into_iter().enumerate().take(D * (D - 1) / 2) {
            for corner in 0..4 {
                // The steps on both axes one after the other.
                let there = faces[i][corner / 2] + faces[j][corner % 2] - position;
                self.edges[pair][corner][lane] = cells.values[there];
            }
        }
    }
}
