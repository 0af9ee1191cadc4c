//! A box of voxels.

use std::ops::Range;

use ndarray::{Array3, ArrayView3, s};
use serde::{Deserialize, Serialize};

/// A box of voxels: a range of indices on each axis of a grid.
///
/// Inside, the ranges stand in the order of the array that holds the voxels, (z, y, x). The names of the methods say
/// which order they take and give: `start`, `end` and `size` are (x, y, z) as in [`Geometry`](crate::Geometry);
/// whatever ends in `_zyx`, and [`VoxelBox::shape`], is (z, y, x) as in [`ndarray`].
///
/// As JSON a box is `{"start": [x, y, z], "size": [x, y, z]}`.
///
/// ```
/// use alnm_imaging::region::VoxelBox;
/// use ndarray::Array3;
///
/// let voxels = Array3::from_shape_fn((4, 5, 6), |(z, y, x)| 100 * z + 10 * y + x);
/// let part = VoxelBox::new([2, 1, 0], [3, 2, 1]);
/// assert_eq!(part.ranges_zyx(), [0..1, 1..3, 2..5]);
/// assert_eq!(part.cut(&voxels), ndarray::array![[[12, 13, 14], [22, 23, 24]]]);
/// assert_eq!(part.grown(1, [6, 5, 4]).size(), [5, 4, 2]);
/// assert!(part.contains([4, 2, 0]) && !part.contains([4, 2, 1]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StartAndSize", into = "StartAndSize")]
pub struct VoxelBox {
    /// First voxel, (z, y, x).
    start: [usize; 3],
    /// One past the last voxel, (z, y, x); at least `start` on every axis.
    end: [usize; 3],
}

/// A box as it is written, (x, y, z).
#[derive(Serialize, Deserialize)]
#[serde(rename = "VoxelBox", deny_unknown_fields)]
struct StartAndSize {
    start: [usize; 3],
    size: [usize; 3],
}

impl From<StartAndSize> for VoxelBox {
    fn from(StartAndSize { start, size }: StartAndSize) -> Self {
        Self::new(start, size)
    }
}

impl From<VoxelBox> for StartAndSize {
    fn from(part: VoxelBox) -> Self {
        Self { start: part.start(), size: part.size() }
    }
}

/// The same three values in the opposite order: (x, y, z) becomes (z, y, x) and back.
fn reversed<T: Copy>([a, b, c]: [T; 3]) -> [T; 3] {
    [c, b, a]
}

impl VoxelBox {
    /// The box of `size` voxels (x, y, z) whose first voxel is `start` (x, y, z).
    #[must_use]
    pub fn new(start: [usize; 3], size: [usize; 3]) -> Self {
        Self::from_ranges_zyx([2, 1, 0].map(|axis: usize| start[axis]..start[axis].saturating_add(size[axis])))
    }

    /// All voxels of an array of this shape, (z, y, x).
    #[must_use]
    pub const fn of_shape(shape_zyx: [usize; 3]) -> Self {
        Self { start: [0; 3], end: shape_zyx }
    }

    /// The voxels in a range of indices on each axis, (z, y, x). A range whose end lies before its start is empty.
    #[must_use]
    pub fn from_ranges_zyx(ranges: [Range<usize>; 3]) -> Self {
        let start = ranges.each_ref().map(|range| range.start);
        Self { start, end: ranges.map(|range| range.end.max(range.start)) }
    }

    /// The first voxel, (x, y, z).
    #[must_use]
    pub fn start(&self) -> [usize; 3] {
        reversed(self.start)
    }

    /// One past the last voxel, (x, y, z).
    #[must_use]
    pub fn end(&self) -> [usize; 3] {
        reversed(self.end)
    }

    /// Number of voxels along x, y and z.
    #[must_use]
    pub fn size(&self) -> [usize; 3] {
        reversed(self.shape())
    }

    /// The first voxel, (z, y, x).
    #[must_use]
    pub fn start_zyx(&self) -> [usize; 3] {
        self.start
    }

    /// The shape of an array that holds the box, (z, y, x).
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.end[axis] - self.start[axis])
    }

    /// The range of indices on each axis, (z, y, x).
    #[must_use]
    pub fn ranges_zyx(&self) -> [Range<usize>; 3] {
        std::array::from_fn(|axis| self.start[axis]..self.end[axis])
    }

    /// Number of voxels.
    #[must_use]
    pub fn voxel_count(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether the box holds no voxel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// Whether a voxel (x, y, z) lies in the box.
    #[must_use]
    pub fn contains(&self, index: [usize; 3]) -> bool {
        reversed(index).iter().zip(self.ranges_zyx()).all(|(index, range)| range.contains(index))
    }

    /// Whether all voxels of another box lie in this one.
    #[must_use]
    pub fn contains_box(&self, other: &Self) -> bool {
        self.intersect(other) == Some(*other)
    }

    /// The smallest box that holds both.
    #[must_use]
    pub fn hull(&self, other: &Self) -> Self {
        let (first, second) = (self.ranges_zyx(), other.ranges_zyx());
        Self::from_ranges_zyx(std::array::from_fn(|axis| {
            first[axis].start.min(second[axis].start)..first[axis].end.max(second[axis].end)
        }))
    }

    /// The voxels that lie in both boxes; none when there is no such voxel.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let both = Self::from_ranges_zyx(std::array::from_fn(|axis| {
            self.start[axis].max(other.start[axis])..self.end[axis].min(other.end[axis])
        }));
        (!both.is_empty()).then_some(both)
    }

    /// The box with `margin` voxels more on every side, cut at the ends of a grid of `within` voxels (x, y, z).
    #[must_use]
    pub fn grown(&self, margin: usize, within: [usize; 3]) -> Self {
        self.grown_by([margin; 3], within)
    }

    /// The box with `margin` (x, y, z) voxels more on either side of each axis, cut at the ends of a grid of `within`
    /// voxels (x, y, z).
    #[must_use]
    pub fn grown_by(&self, margin: [usize; 3], within: [usize; 3]) -> Self {
        let (margin, within) = (reversed(margin), reversed(within));
        Self::from_ranges_zyx(std::array::from_fn(|axis| {
            self.start[axis].saturating_sub(margin[axis])..self.end[axis].saturating_add(margin[axis]).min(within[axis])
        }))
    }

    /// The positions of each row along x of the box in the voxels of an array of `shape` (z, y, x) in raster order.
    ///
    /// ```
    /// use alnm_imaging::region::VoxelBox;
    /// let rows: Vec<_> = VoxelBox::new([1, 2, 0], [2, 2, 1]).rows([3, 4, 5]).collect();
    /// assert_eq!(rows, [11..13, 16..18]);
    /// ```
    pub fn rows(self, shape_zyx: [usize; 3]) -> impl Iterator<Item = Range<usize>> {
        let [_, height, width] = shape_zyx;
        let [zs, ys, xs] = self.ranges_zyx();
        zs.flat_map(move |z| {
            let xs = xs.clone();
            ys.clone().map(move |y| {
                let row = (z * height + y) * width;
                row + xs.start..row + xs.end
            })
        })
    }

    /// A view of the box in an array (z, y, x).
    ///
    /// # Panics
    /// When the box leaves the array.
    #[must_use]
    pub fn view<'a, T>(&self, array: &'a Array3<T>) -> ArrayView3<'a, T> {
        let [z, y, x] = self.ranges_zyx();
        array.slice(s![z, y, x])
    }

    /// The voxels of the box in an array (z, y, x).
    ///
    /// # Panics
    /// When the box leaves the array.
    #[must_use]
    pub fn cut<T: Clone>(&self, array: &Array3<T>) -> Array3<T> {
        self.view(array).to_owned()
    }

    /// The voxels of the box in an array of `shape` (z, y, x), given and returned in raster order, each converted.
    ///
    /// # Panics
    /// When the box leaves the array.
    pub fn cut_slice<T: Copy, U>(self, values: &[T], shape_zyx: [usize; 3], convert: impl Fn(T) -> U) -> Vec<U> {
        let mut cut = Vec::with_capacity(self.voxel_count());
        for row in self.rows(shape_zyx) {
            cut.extend(values[row].iter().map(|&value| convert(value)));
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_box_too_large_to_count_ends_at_the_last_index() {
        let part = VoxelBox::new([5, 0, 0], [usize::MAX, 1, 1]);
        assert_eq!((part.end()[0], part.size()[0]), (usize::MAX, usize::MAX - 5));
    }

    #[test]
    fn boxes_are_read_as_they_are_written() {
        let part = VoxelBox::new([1, 2, 3], [4, 5, 6]);
        let text = serde_json::to_string(&part).unwrap();
        assert_eq!(text, r#"{"start":[1,2,3],"size":[4,5,6]}"#);
        assert_eq!(serde_json::from_str::<VoxelBox>(&text).unwrap(), part);
    }

    proptest! {
        #[test]
        fn the_intersection_holds_what_both_hold(
            a in [0usize..5, 0usize..5, 0usize..5], b in [0usize..5, 0usize..5, 0usize..5],
            p in [0usize..4, 0usize..4, 0usize..4], q in [0usize..4, 0usize..4, 0usize..4],
        ) {
            let (first, second) = (VoxelBox::new(a, p), VoxelBox::new(b, q));
            let both = first.intersect(&second);
            for i in 0..512 {
                let index = [i % 8, i / 8 % 8, i / 64];
                let expected = first.contains(index) && second.contains(index);
                prop_assert_eq!(both.is_some_and(|both| both.contains(index)), expected);
            }
            prop_assert!(both.is_none_or(|both| first.contains_box(&both) && second.contains_box(&both)));
        }

        #[test]
        fn rows_and_slices_cut_alike(start in [0usize..3, 0usize..3, 0usize..3], size in [0usize..3, 0usize..3, 0usize..3]) {
            let array = Array3::from_shape_fn([5, 6, 7], |(z, y, x)| (z, y, x));
            let part = VoxelBox::new(start, size);
            let cut = part.cut(&array);
            prop_assert_eq!(cut.dim(), part.shape().into());
            let values = part.cut_slice(array.as_slice().unwrap(), [5, 6, 7], |value| value);
            prop_assert_eq!(cut.iter().copied().collect::<Vec<_>>(), values);
        }
    }
}
