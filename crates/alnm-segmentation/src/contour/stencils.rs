//! The values of the level set around voxels of the contour.

/// Voxels whose change is computed at a time, by loops over all of them that the compiler turns into vector
/// instructions.
pub(super) const BLOCK: usize = 32;

/// One number for each voxel of a block.
pub(super) type Numbers = [f64; BLOCK];

/// The pairs of axes of mixed derivatives.
pub(super) const PAIRS: [[usize; 2]; 3] = [[0, 1], [0, 2], [1, 2]];

/// The values of the level set at a voxel and at those neighbours that derivatives need.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stencil {
    pub(super) centre: f64,
    /// Before and behind the voxel on each axis (x, y, z).
    pub(super) faces: [[f64; 2]; 3],
    /// For each of [`PAIRS`] before both axes, before the first and behind the second, behind the first and before the
    /// second, and behind both.
    pub(super) edges: [[f64; 4]; 3],
}

/// The values of the cells of a window as each voxel of a stencil sees them: views of one length, which differ in where
/// they begin. One check of a place serves all of them, and the compiler sees that none is left to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Views<'a> {
    centre: &'a [f64],
    faces: [[&'a [f64]; 2]; 3],
    edges: [[&'a [f64]; 4]; 3],
    /// The first position that has all of its stencil in the window.
    first: u32,
    /// Positions from there to the last one that has.
    count: u32,
}

impl<'a> Views<'a> {
    /// Views of the values of a window in an image of `D` dimensions.
    #[inline(always)]
    pub(super) fn new<const D: usize>(values: &'a [f64], strides: [usize; 3]) -> Self {
        let first = strides[D - 1] + strides[D - 2];
        // Not 0, or the compiler would not see that place 0 is in the views.
        let count = ((values.len() - 2 * first) as u32).max(1);
        let view = |x: isize, y: isize, z: isize| {
            // The axes of a slice have no neighbours on the third.
            let z = if D == 3 { z } else { 0 };
            let step = x + y * strides[1] as isize + z * strides[2] as isize;
            &values[first.wrapping_add_signed(step)..][..count as usize]
        };
        Self {
            centre: view(0, 0, 0),
            faces: [[view(-1, 0, 0), view(1, 0, 0)], [view(0, -1, 0), view(0, 1, 0)], [view(0, 0, -1), view(0, 0, 1)]],
            edges: [
                [view(-1, -1, 0), view(-1, 1, 0), view(1, -1, 0), view(1, 1, 0)],
                [view(-1, 0, -1), view(-1, 0, 1), view(1, 0, -1), view(1, 0, 1)],
                [view(0, -1, -1), view(0, -1, 1), view(0, 1, -1), view(0, 1, 1)],
            ],
            first: first as u32,
            count,
        }
    }
}

impl Views<'_> {
    /// The values around a position that has all of its stencil in the window.
    #[inline(always)]
    pub(super) fn stencil(&self, position: u32) -> Stencil {
        let Self { centre, faces: [[x0, x1], [y0, y1], [z0, z1]], edges: [xy, xz, yz], first, count } = self;
        let place = position.wrapping_sub(*first);
        let i = (if place < *count { place } else { 0 }) as usize;
        Stencil {
            centre: centre[i],
            faces: [[x0[i], x1[i]], [y0[i], y1[i]], [z0[i], z1[i]]],
            edges: [
                [xy[0][i], xy[1][i], xy[2][i], xy[3][i]],
                [xz[0][i], xz[1][i], xz[2][i], xz[3][i]],
                [yz[0][i], yz[1][i], yz[2][i], yz[3][i]],
            ],
        }
    }
}
