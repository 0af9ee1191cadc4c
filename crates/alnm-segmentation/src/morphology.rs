//! Morphological operations on masks (dilation, erosion, opening, closing, filling of holes, smoothing), with the same
//! results as ITK's filters.

use alnm_imaging::region::{Connectivity, VoxelBox, connected_components, crop, pad};
use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::growing::neighbour_steps;

/// The neighbourhood by which a mask is made larger or smaller, by its radius (x, y, z) in voxels.
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::morphology::{StructuringElement, dilate};
///
/// let mut mask = Volume::filled(Geometry::axis_aligned([7, 7, 7], [1.0; 3])?, 0_u32);
/// mask.as_mut_slice()[171] = 1; // the voxel (3, 3, 3)
/// assert_eq!(dilate(&mask, 1, StructuringElement::Box([1; 3])).as_slice().iter().sum::<u32>(), 27);
/// assert_eq!(dilate(&mask, 1, StructuringElement::Ball([1; 3])).as_slice().iter().sum::<u32>(), 19);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StructuringElement {
    /// A box.
    Box([usize; 3]),
    /// An ellipsoid with the half axes radius + ½, as SimpleITK's `sitkBall`.
    Ball([usize; 3]),
}

impl StructuringElement {
    /// Steps (x, y, z) from the middle to all voxels of the element.
    fn steps(self) -> Vec<[isize; 3]> {
        let (Self::Box(radius) | Self::Ball(radius)) = self;
        let [rx, ry, rz] = radius.map(|radius| radius as isize);
        let all = (-rz..=rz).flat_map(|z| (-ry..=ry).flat_map(move |y| (-rx..=rx).map(move |x| [x, y, z])));
        let share = |step: &[isize; 3]| {
            step.iter().zip(radius).map(|(&step, radius)| (step as f64 / (radius as f64 + 0.5)).powi(2)).sum::<f64>()
        };
        all.filter(|step| matches!(self, Self::Box(_)) || share(step) <= 1.0).collect()
    }
}

/// The label's voxels and all voxels that the element reaches from them, as 1: ITK's `BinaryDilateImageFilter`.
#[must_use]
pub fn dilate(mask: &LabelMap, label: u32, element: StructuringElement) -> LabelMap {
    spread(&mask.map(|&voxel| u32::from(voxel == label)), element)
}

/// The label's voxels from which the element reaches no other voxel of the image, as 1: ITK's `BinaryErodeImageFilter`.
/// What lies outside of the image does not count.
#[must_use]
pub fn erode(mask: &LabelMap, label: u32, element: StructuringElement) -> LabelMap {
    // An element is symmetric, so that it reaches the same voxels both ways.
    spread(&mask.map(|&voxel| u32::from(voxel != label)), element).map(|&voxel| 1 - voxel)
}

/// [`erode`], then [`dilate`]: takes away what is thinner than the element. ITK's
/// `BinaryMorphologicalOpeningImageFilter`.
#[must_use]
pub fn open(mask: &LabelMap, label: u32, element: StructuringElement) -> LabelMap {
    dilate(&erode(mask, label, element), 1, element)
}

/// [`dilate`], then [`erode`]: closes gaps that are thinner than the element. ITK's
/// `BinaryMorphologicalClosingImageFilter` with its safe border: the image goes on as background.
///
/// # Errors
/// [`SegmentationError::Imaging`](crate::SegmentationError::Imaging) when the image and the element around it have more
/// voxels than can be counted.
pub fn close(mask: &LabelMap, label: u32, element: StructuringElement) -> Result<LabelMap> {
    let (StructuringElement::Box(radius) | StructuringElement::Ball(radius)) = element;
    let background = if label == 0 { 1 } else { 0 };
    let wide = pad(mask, radius, radius, background)?;
    let closed = erode(&dilate(&wide, label, element), 1, element);
    let closed = crop(&closed, &VoxelBox::new(radius, mask.geometry().size()))?;
    Ok(Volume::new(closed.into_data(), mask.geometry().clone())?)
}

/// The voxels of a mask of 0 and 1 and those that the element reaches from them.
fn spread(mask: &LabelMap, element: StructuringElement) -> LabelMap {
    let grid = mask.geometry();
    let size = grid.size();
    let steps = element.steps();
    let faces = neighbour_steps(Connectivity::Face);
    let mut larger = mask.clone();
    let labels = larger.as_mut_slice();
    for (position, _) in mask.as_slice().iter().enumerate().filter(|(_, voxel)| **voxel == 1) {
        let voxel = grid.index_of(position);
        // From the middle of a region the element reaches nothing that it does not reach from its surface.
        let is_surface =
            faces.iter().filter_map(|step| moved(voxel, step, size)).any(|there| mask.as_slice()[there] == 0);
        if is_surface {
            steps.iter().filter_map(|step| moved(voxel, step, size)).for_each(|there| labels[there] = 1);
        }
    }
    larger
}

/// The position of the voxel a step (x, y, z) away, if it lies in the image.
fn moved(voxel: [usize; 3], step: &[isize; 3], size: [usize; 3]) -> Option<usize> {
    let there: [usize; 3] = std::array::from_fn(|axis| voxel[axis].wrapping_add_signed(step[axis]));
    let is_inside = there.iter().zip(size).all(|(&index, n)| index < n);
    is_inside.then(|| (there[2] * size[1] + there[1]) * size[0] + there[0])
}

/// The label's voxels and the holes in them, as 1: parts of the rest, connected by faces, that do not reach the border
/// of the image. ITK's `BinaryFillholeImageFilter`.
#[must_use]
pub fn fill_holes(mask: &LabelMap, label: u32) -> LabelMap {
    let outside = mask.map(|&voxel| u32::from(voxel != label));
    let parts = connected_components(&outside, 1, Connectivity::Face);
    let grid = mask.geometry();
    let (size, dimension) = (grid.size(), flat_dimension(grid));
    let mut is_open = vec![false; parts.sizes.len() + 1];
    for (position, &part) in parts.map.as_slice().iter().enumerate() {
        let voxel = grid.index_of(position);
        is_open[part as usize] |= (0..dimension).any(|axis| voxel[axis] == 0 || voxel[axis] + 1 == size[axis]);
    }
    parts.map.map(|&part| u32::from(part == 0 || !is_open[part as usize]))
}

/// The largest of the label's parts, which are connected by faces, as 1; of equal ones the first in raster order.
/// Nothing of a label that is not there.
#[must_use]
pub fn largest_part(mask: &LabelMap, label: u32) -> LabelMap {
    connected_components(mask, label, Connectivity::Face).map.map(|&part| u32::from(part == 1))
}

/// The voxels around which more than half of a box of `radius` (x, y, z) has the label, as 1: ITK's
/// `BinaryMedianImageFilter`. Beyond its border the mask goes on as there.
#[must_use]
pub fn smooth(mask: &LabelMap, label: u32, radius: [usize; 3]) -> LabelMap {
    let half = radius.iter().map(|radius| 2 * radius + 1).product::<usize>() as u32 / 2;
    let mut counts: Volume<u32> = mask.map(|&voxel| u32::from(voxel == label));
    for axis in 0..3 {
        counts = summed(&counts, axis, radius[axis]);
    }
    counts.map(|&count| u32::from(count > half))
}

/// Sums over the voxels up to `radius` away on an axis; beyond its border the image goes on as there.
fn summed(counts: &Volume<u32>, axis: usize, radius: usize) -> Volume<u32> {
    let grid = counts.geometry();
    let last = grid.size()[axis] - 1;
    let stride: usize = grid.size()[..axis].iter().product();
    let mut sums = Volume::filled(grid.clone(), 0_u32);
    for (position, sum) in sums.as_mut_slice().iter_mut().enumerate() {
        let index = grid.index_of(position)[axis];
        let first = position - index * stride;
        let places = (0..=2 * radius).map(|step| (index + step).saturating_sub(radius).min(last));
        *sum = places.map(|place| counts.as_slice()[first + place * stride]).sum();
    }
    sums
}

/// 3, or 2 for an image of one slice, whose faces are no border.
fn flat_dimension(grid: &Geometry) -> usize {
    if grid.size()[2] == 1 { 2 } else { 3 }
}
