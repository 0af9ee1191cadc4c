//! The part of the image around a contour in which its level set lives.

use alnm_imaging::region::VoxelBox;

/// A box of voxels with one more layer of cells around it, so that each voxel has all its neighbours in memory.
///
/// Positions number the cells of box and layer in raster order.
#[derive(Debug, Clone)]
pub(super) struct Window {
    part: VoxelBox,
    image: [usize; 3],
    /// Cells along x, y and z.
    cells: [usize; 3],
}

impl Window {
    pub(super) fn new(part: VoxelBox, image: [usize; 3]) -> Self {
        let cells = part.size().map(|n| n + 2);
        Self { part, image, cells }
    }

    pub(super) fn part(&self) -> &VoxelBox {
        &self.part
    }

    /// Voxels of the image along x, y and z.
    pub(super) fn image(&self) -> [usize; 3] {
        self.image
    }

    pub(super) fn cell_count(&self) -> usize {
        self.cells.iter().product()
    }

    /// Steps to the next cell along x, y and z.
    pub(super) fn strides(&self) -> [usize; 3] {
        [1, self.cells[0], self.cells[0] * self.cells[1]]
    }

    /// The voxel of the image (x, y, z) at a position inside the box.
    pub(super) fn voxel(&self, position: usize) -> [usize; 3] {
        let [width, height, _] = self.cells;
        let cell = [position % width, position / width % height, position / width / height];
        let start = self.part.start();
        std::array::from_fn(|axis| start[axis] + cell[axis] - 1)
    }

    /// The position of a voxel of the image (x, y, z) inside the box.
    pub(super) fn position(&self, voxel: [usize; 3]) -> usize {
        let (start, strides) = (self.part.start(), self.strides());
        (0..3).map(|axis| (voxel[axis] + 1 - start[axis]) * strides[axis]).sum()
    }

    /// The positions of the rows of a box inside of this one, with the first voxel (x, y, z) of each.
    pub(super) fn rows_of(&self, part: &VoxelBox) -> impl Iterator<Item = (usize, [usize; 3])> + use<> {
        let ([x, y, z], [_, rows, slices]) = (part.start(), part.size());
        let ([_, stride, slice], first) = (self.strides(), self.position(part.start()));
        (0..slices).flat_map(move |k| (0..rows).map(move |j| (first + k * slice + j * stride, [x, y + j, z + k])))
    }

    /// The rows of the box in one number for each cell, with the first voxel (x, y, z) of each.
    pub(super) fn split_rows<'a, T>(&self, mut cells: &'a mut [T]) -> Vec<([usize; 3], &'a mut [T])> {
        let (width, mut passed) = (self.part.size()[0], 0);
        let rows = self.rows_of(&self.part).map(|(row, voxel)| {
            let (_, from_row) = std::mem::take(&mut cells).split_at_mut(row - passed);
            let (line, behind) = from_row.split_at_mut(width);
            (cells, passed) = (behind, row + width);
            (voxel, line)
        });
        rows.collect()
    }

    /// Whether a voxel lies on the border of the image; in images of one slice only the borders in the plane count.
    pub(super) fn is_on_border(&self, voxel: [usize; 3], dimension: usize) -> bool {
        (0..dimension).any(|axis| voxel[axis] == 0 || voxel[axis] + 1 == self.image[axis])
    }

    /// Voxels between a voxel and the nearest end of the box on each axis. An end of the image is no end.
    pub(super) fn room(&self, voxel: [usize; 3]) -> [usize; 3] {
        let (start, end) = (self.part.start(), self.part.end());
        std::array::from_fn(|axis| {
            let before = if start[axis] > 0 { voxel[axis] - start[axis] } else { usize::MAX };
            let behind = if end[axis] < self.image[axis] { end[axis] - 1 - voxel[axis] } else { usize::MAX };
            before.min(behind)
        })
    }

    /// From where to where on each axis places lie between cells of the window and within half a voxel of the image.
    pub(super) fn places(&self) -> [[f64; 3]; 2] {
        let (start, end) = (self.part.start(), self.part.end());
        let lowest = start.map(|n| if n == 0 { -0.5 } else { n as f64 });
        let highest = std::array::from_fn(|axis| {
            if end[axis] == self.image[axis] { end[axis] as f64 - 0.5 } else { end[axis] as f64 - 1.0 }
        });
        [lowest, highest]
    }

    /// Gives the cells around the box the numbers of the nearest ones in it.
    pub(super) fn go_on_beyond<T: Copy>(&self, cells: &mut [T]) {
        let [width, height, depth] = self.cells;
        for row in cells.chunks_exact_mut(width) {
            (row[0], row[width - 1]) = (row[1], row[width - 2]);
        }
        for slice in cells.chunks_exact_mut(width * height) {
            slice.copy_within(width..2 * width, 0);
            slice.copy_within((height - 2) * width..(height - 1) * width, (height - 1) * width);
        }
        let slice = width * height;
        cells.copy_within(slice..2 * slice, 0);
        cells.copy_within((depth - 2) * slice..(depth - 1) * slice, (depth - 1) * slice);
    }

    /// A window around the same place that is larger on some axes.
    pub(super) fn grown(&self, axes: [bool; 3]) -> Self {
        let size = self.part.size();
        let margin = std::array::from_fn(|axis| if axes[axis] { size[axis] / 8 + 6 } else { 0 });
        Self::new(self.part.grown_by(margin, self.image), self.image)
    }
}
