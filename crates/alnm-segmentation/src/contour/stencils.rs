//! The values of the level set around voxels of the contour, side by side.

use super::cells::{Cells, OUTSIDE};

/// Voxels whose change is computed at a time, by loops over all of them that the compiler turns into vector
/// instructions.
pub(super) const BLOCK: usize = 64;

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

/// Steps from a voxel to the neighbours of its stencil.
#[derive(Debug, Clone, Copy)]
struct Steps {
    faces: [[isize; 2]; 3],
    edges: [[isize; 4]; 3],
}

impl Steps {
    fn new(faces: [[isize; 2]; 3]) -> Self {
        let edges = PAIRS.map(|[i, j]| {
            let ([before, behind], [first, last]) = (faces[i], faces[j]);
            [before + first, before + last, behind + first, behind + last]
        });
        Self { faces, edges }
    }

    /// From any voxel that does not lie on the border of the image.
    fn everywhere(strides: [usize; 3]) -> Self {
        Self::new(strides.map(|stride| [-(stride as isize), stride as isize]))
    }

    /// From a voxel that may lie on the border of the image, beyond which values go on as they are there.
    fn within_image(strides: [usize; 3], cells: &Cells, position: usize) -> Self {
        let within = |step: isize| {
            if cells.status(position.wrapping_add_signed(step)) == OUTSIDE { 0 } else { step }
        };
        Self::new(strides.map(|stride| [within(-(stride as isize)), within(stride as isize)]))
    }
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
        let everywhere = Steps::everywhere(strides);
        for (lane, &position) in block.iter().enumerate() {
            if has_border {
                self.read_one::<D>(cells, &Steps::within_image(strides, cells, position as usize), position, lane);
            } else {
                self.read_one::<D>(cells, &everywhere, position, lane);
            }
        }
    }

    #[inline(always)]
    fn read_one<const D: usize>(&mut self, cells: &Cells, steps: &Steps, position: u32, lane: usize) {
        let value = |step: isize| cells.value((position as usize).wrapping_add_signed(step));
        self.centre[lane] = value(0);
        for axis in 0..D {
            for side in 0..2 {
                self.faces[axis][side][lane] = value(steps.faces[axis][side]);
            }
        }
        for pair in 0..D * (D - 1) / 2 {
            for corner in 0..4 {
                self.edges[pair][corner][lane] = value(steps.edges[pair][corner]);
            }
        }
    }
}
