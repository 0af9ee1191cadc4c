//! Derived images, computed where the region needs them.
//!
//! A filter is given the whole image and the box whose values are wanted. What it computes is equal to the last bit to
//! the same part of the filtered whole image.

pub mod gradient;
pub mod lbp2d;
pub mod lbp3d;
pub mod log;
pub mod pointwise;
pub mod wavelet;

/// A box of voxels, (z, y, x).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First voxel.
    pub start: [usize; 3],
    /// Number of voxels.
    pub size: [usize; 3],
}

impl Part {
    /// All voxels of a grid.
    pub const fn whole(shape: [usize; 3]) -> Self {
        Self { start: [0; 3], size: shape }
    }

    /// Number of voxels.
    pub fn voxel_count(&self) -> usize {
        self.size.iter().product()
    }

    /// Where a row along x of the part starts in an array of `shape`, for every row in raster order.
    pub(crate) fn row_starts(self, shape: [usize; 3]) -> impl Iterator<Item = usize> {
        let [z0, y0, x0] = self.start;
        (z0..z0 + self.size[0])
            .flat_map(move |z| (y0..y0 + self.size[1]).map(move |y| (z * shape[1] + y) * shape[2] + x0))
    }

    /// The part's values in an array of `shape`, in raster order.
    pub(crate) fn cut<T: Copy, U>(self, values: &[T], shape: [usize; 3], convert: impl Fn(T) -> U) -> Vec<U> {
        let mut cut = Vec::with_capacity(self.voxel_count());
        for start in self.row_starts(shape) {
            cut.extend(values[start..start + self.size[2]].iter().map(|&value| convert(value)));
        }
        cut
    }
}
