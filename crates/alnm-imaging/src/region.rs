//! Regions of an image: boxes, the region of interest that a label of a mask makes, its largest axial cross-section,
//! its connected parts, rings around it and its outline on a slice; crops, padding and the resizing of slices.

mod outline;
mod ring;
mod roi;

use ndarray::{Array2, Array3, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::mask::{Label, MaskRef};
use crate::volume::{Image, LabelMap, Volume, Voxel};
use crate::{vectorised, with_volume};

pub use crate::voxel_box::VoxelBox;
pub use outline::{OutlineEdge, outline_edges};
pub use ring::{DrawnRing, Ring, RingDrawing, RingLimits, RingParams, Rings};
pub use roi::Roi;

/// The smallest box that holds every voxel with the label.
///
/// # Errors
/// [`ImagingError::EmptyRegion`] when no voxel has the label.
pub fn bounding_box(mask: &LabelMap, label: u32) -> Result<VoxelBox> {
    MaskRef::from(mask).bounding_box(label)
}

/// The smallest box that holds every voxel with the label; none where no voxel has it.
pub(crate) fn box_of_label<L: Label>(mask: &Volume<L>, label: u32) -> Option<VoxelBox> {
    let label = L::try_from(label).ok()?;
    let [width, height, _] = mask.geometry().size();
    let boxes = mask.as_slice().par_chunks(width * height).enumerate().filter_map(|(z, slice)| {
        let [x0, x1, y0, y1] = vectorised!(pulp::Arch::new(), limits_in_slice(slice, width, label))?;
        Some([[x0, x1], [y0, y1], [z, z]])
    });
    let limits = boxes
        .reduce_with(|a, b| std::array::from_fn(|axis| [a[axis][0].min(b[axis][0]), a[axis][1].max(b[axis][1])]))?;
    Some(VoxelBox::new(limits.map(|[low, _]| low), limits.map(|[low, high]| high - low + 1)))
}

/// First and last x and y of the voxels with the label in a slice of rows of `width` voxels.
#[inline(always)]
fn limits_in_slice<L: Label>(slice: &[L], width: usize, label: L) -> Option<[usize; 4]> {
    let mut found: Option<[usize; 4]> = None;
    for (y, row) in slice.chunks(width).enumerate() {
        // Most rows lie outside of the region, and looking for whether is faster than for where.
        let mut is_inside = false;
        for &voxel in row {
            is_inside |= voxel == label;
        }
        if !is_inside {
            continue;
        }
        let Some(first) = row.iter().position(|&voxel| voxel == label) else { continue };
        let last = row.iter().rposition(|&voxel| voxel == label).unwrap_or(first);
        found = Some(match found {
            None => [first, last, y, y],
            Some([x0, x1, y0, _]) => [x0.min(first), x1.max(last), y0, y],
        });
    }
    found
}

/// The labels that occur in a mask, ascending, without 0; at most `limit` of them.
#[must_use]
pub fn labels(mask: &LabelMap, limit: usize) -> Vec<u32> {
    MaskRef::from(mask).labels(limit)
}

/// As [`labels`].
pub(crate) fn labels_up_to<L: Label>(mask: &Volume<L>, limit: usize) -> Vec<u32> {
    let mut found = std::collections::BTreeSet::new();
    let mut previous = 0;
    for &voxel in mask.as_slice() {
        let voxel = voxel.into();
        if voxel != previous && voxel != 0 && found.len() < limit {
            found.insert(voxel);
        }
        previous = voxel;
    }
    found.into_iter().collect()
}

/// The part of a volume inside a box.
///
/// # Errors
/// [`ImagingError::InvalidGeometry`] when the box is empty or leaves the volume.
pub fn crop<T: Voxel>(volume: &Volume<T>, part: &VoxelBox) -> Result<Volume<T>> {
    let geometry = volume.geometry().part(part)?;
    let voxels = part.cut_slice(volume.as_slice(), volume.geometry().shape(), |voxel| voxel);
    let data = Array3::from_shape_vec(part.shape(), voxels).expect("a box holds as many voxels as it counts");
    Volume::new(data, geometry)
}

/// [`crop`] for an image of any type.
///
/// # Errors
/// As [`crop`].
pub fn crop_image(image: &Image, part: &VoxelBox) -> Result<Image> {
    fn typed<T: Voxel>(volume: &Volume<T>, part: &VoxelBox) -> Result<Image> {
        crop(volume, part).map(T::into_image)
    }
    with_volume!(image, volume => typed(volume, part))
}

/// The slice of the array's third axis on which a label has most voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CrossSection {
    /// Index of the slice; the first, where several are as large.
    pub slice: usize,
    /// Voxels with the label on it.
    pub voxels: usize,
    /// The smallest rectangle around them: a box of one slice.
    pub rectangle: VoxelBox,
}

/// The largest cross-section of a label on the axial slices, which are those of the third axis.
///
/// # Errors
/// [`ImagingError::EmptyRegion`] when no voxel has the label.
///
/// ```
/// use alnm_imaging::region::largest_cross_section;
/// use alnm_imaging::{Geometry, Volume};
///
/// let labels = ndarray::array![[[0_u32, 1, 0]], [[0, 1, 1]]];
/// let mask = Volume::new(labels, Geometry::axis_aligned([3, 1, 2], [1.0; 3])?)?;
/// let section = largest_cross_section(&mask, 1)?;
/// assert_eq!((section.slice, section.voxels), (1, 2));
/// assert_eq!(section.rectangle.start(), [1, 0, 1]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn largest_cross_section(mask: &LabelMap, label: u32) -> Result<CrossSection> {
    let [width, height, depth] = mask.geometry().size();
    let count = |z: usize| {
        mask.as_slice()[z * width * height..][..width * height].iter().filter(|&&voxel| voxel == label).count()
    };
    // Of equal maxima `max_by_key` gives the last, so the slices are gone through from the last to the first.
    let largest = (0..depth).rev().map(|z| (z, count(z))).max_by_key(|(_, voxels)| *voxels);
    let Some((slice, voxels)) = largest.filter(|(_, voxels)| *voxels > 0) else {
        return Err(Roi::empty("largest cross-section", mask.into(), label));
    };
    let plane = crop(mask, &VoxelBox::new([0, 0, slice], [width, height, 1]))?;
    let in_plane = bounding_box(&plane, label)?;
    let [x, y, _] = in_plane.start();
    let rectangle = VoxelBox::new([x, y, slice], in_plane.size());
    Ok(CrossSection { slice, voxels, rectangle })
}

/// A volume with `before` and `after` (x, y, z) voxels of `value` more at the ends of its axes.
///
/// # Errors
/// [`ImagingError::InvalidGeometry`] when the result has more voxels than can be counted.
///
/// ```
/// use alnm_imaging::region::{VoxelBox, crop, pad};
/// use alnm_imaging::{Geometry, Volume};
///
/// let volume = Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7_i16);
/// let padded = pad(&volume, [1, 0, 0], [2, 0, 0], 0)?;
/// assert_eq!(padded.geometry().size(), [7, 4, 2]);
/// assert_eq!(padded.geometry().origin(), [-1.0, 0.0, 0.0]);
/// assert_eq!(crop(&padded, &VoxelBox::new([1, 0, 0], [4, 4, 2]))?, volume);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn pad<T: Voxel>(volume: &Volume<T>, before: [usize; 3], after: [usize; 3], value: T) -> Result<Volume<T>> {
    let old = volume.geometry();
    let size = std::array::from_fn(|axis| before[axis].saturating_add(old.size()[axis]).saturating_add(after[axis]));
    let origin = old.index_to_point(before.map(|voxels| -(voxels as f64)));
    let mut data = Volume::filled(old.with_grid(size, old.spacing(), origin)?, value);
    let [width, height, _] = old.size();
    let new_size = size;
    let target = data.as_mut_slice();
    for (line, row) in volume.as_slice().chunks(width).enumerate() {
        let (y, z) = (line % height + before[1], line / height + before[2]);
        let start = (z * new_size[1] + y) * new_size[0] + before[0];
        target[start..start + width].copy_from_slice(row);
    }
    Ok(data)
}

/// A plane (rows, columns) resized by bilinear interpolation with the convention of PyTorch's
/// `interpolate(mode="bilinear", align_corners=False)`: the centre of pixel i of n lies at (i + ½) / n of the plane's
/// extent, and nothing is smoothed beforehand when the plane becomes smaller.
///
/// # Errors
/// [`ImagingError::InvalidParameter`] when either plane has no pixel.
pub fn resize_bilinear(plane: ArrayView2<'_, f32>, rows: usize, columns: usize) -> Result<Array2<f32>> {
    let (old_rows, old_columns) = plane.dim();
    if [old_rows, old_columns, rows, columns].contains(&0) {
        return Err(ImagingError::InvalidParameter {
            operation: "bilinear resizing",
            parameter: "size",
            value: format!("{old_rows} × {old_columns} to {rows} × {columns}"),
            requirement: "both planes must have at least one row and one column",
        });
    }
    let (vertical, horizontal) = (resize_axis(old_rows, rows), resize_axis(old_columns, columns));
    Ok(Array2::from_shape_fn([rows, columns], |(row, column)| {
        let (y0, y1, dy) = vertical[row];
        let (x0, x1, dx) = horizontal[column];
        let line = |y: usize| f64::from(plane[[y, x0]]) * (1.0 - dx) + f64::from(plane[[y, x1]]) * dx;
        (line(y0) * (1.0 - dy) + line(y1) * dy) as f32
    }))
}

/// For each new pixel its two old neighbours and the weight of the second.
fn resize_axis(old: usize, new: usize) -> Vec<(usize, usize, f64)> {
    let scale = old as f64 / new as f64;
    (0..new)
        .map(|i| {
            let position = (scale * (i as f64 + 0.5) - 0.5).max(0.0);
            let low = (position as usize).min(old - 1);
            (low, (low + 1).min(old - 1), position - low as f64)
        })
        .collect()
}

/// Which voxels touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Connectivity {
    /// Voxels that share a face (6 neighbours).
    Face,
    /// Voxels that share a face, an edge or a corner (26 neighbours).
    Corner,
}

/// The connected parts of a label.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Components {
    /// Number of the part that each voxel belongs to, from 1 for the largest; 0 elsewhere.
    pub map: LabelMap,
    /// Voxels of each part, largest first; of equal parts the one with the first voxel in raster order comes first.
    pub sizes: Vec<usize>,
}

/// The connected parts of the voxels with a label.
///
/// ```
/// use alnm_imaging::region::{Connectivity, connected_components};
/// use alnm_imaging::{Geometry, Volume};
///
/// let labels = ndarray::array![[[1_u32, 1, 0, 1]]];
/// let mask = Volume::new(labels, Geometry::axis_aligned([4, 1, 1], [1.0; 3])?)?;
/// let parts = connected_components(&mask, 1, Connectivity::Face);
/// assert_eq!(parts.sizes, [2, 1]);
/// assert_eq!(parts.map.as_slice(), [1, 1, 0, 2]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn connected_components(mask: &LabelMap, label: u32, connectivity: Connectivity) -> Components {
    let geometry = mask.geometry();
    let size = geometry.size();
    let offsets = neighbour_offsets(connectivity);
    let mut map = Volume::filled(geometry.clone(), 0_u32);
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for seed in 0..mask.as_slice().len() {
        if mask.as_slice()[seed] != label || map.as_slice()[seed] != 0 {
            continue;
        }
        let number = parts.len() as u32 + 1;
        map.as_mut_slice()[seed] = number;
        let mut part = vec![seed];
        let mut next = 0;
        while next < part.len() {
            let here = geometry.index_of(part[next]);
            next += 1;
            for offset in &offsets {
                let moved: [Option<usize>; 3] =
                    std::array::from_fn(|axis| here[axis].checked_add_signed(offset[axis]).filter(|&i| i < size[axis]));
                let [Some(x), Some(y), Some(z)] = moved else { continue };
                let position = (z * size[1] + y) * size[0] + x;
                if mask.as_slice()[position] == label && map.as_slice()[position] == 0 {
                    map.as_mut_slice()[position] = number;
                    part.push(position);
                }
            }
        }
        parts.push(part);
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    for (number, part) in (1..).zip(&parts) {
        part.iter().for_each(|&position| map.as_mut_slice()[position] = number);
    }
    Components { map, sizes: parts.iter().map(Vec::len).collect() }
}

fn neighbour_offsets(connectivity: Connectivity) -> Vec<[isize; 3]> {
    let all = (0..27_isize).map(|i| [i % 3 - 1, i / 3 % 3 - 1, i / 9 - 1]);
    let distance = |offset: &[isize; 3]| offset.iter().map(|step| step.abs()).sum::<isize>();
    match connectivity {
        Connectivity::Face => all.filter(|offset| distance(offset) == 1).collect(),
        Connectivity::Corner => all.filter(|offset| distance(offset) > 0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::geometry::Geometry;

    fn mask(data: Array3<u32>) -> LabelMap {
        let (z, y, x) = data.dim();
        Volume::new(data, Geometry::axis_aligned([x, y, z], [1.0, 2.0, 3.0]).unwrap()).unwrap()
    }

    #[test]
    fn the_first_of_the_largest_cross_sections_is_found() {
        let mask = mask(array![[[0, 1, 0], [0, 0, 0]], [[0, 1, 1], [0, 0, 0]], [[1, 0, 0], [0, 1, 0]]]);
        let found = largest_cross_section(&mask, 1).unwrap();
        assert_eq!((found.slice, found.voxels), (1, 2));
        assert_eq!(found.rectangle, VoxelBox::new([1, 0, 1], [2, 1, 1]));
        assert!(matches!(largest_cross_section(&mask, 4), Err(ImagingError::EmptyRegion { label: 4, .. })));
    }

    #[test]
    fn components_depend_on_what_touches() {
        let mask = mask(array![[[1, 0, 1], [0, 1, 1], [0, 0, 0]]]);
        assert_eq!(connected_components(&mask, 1, Connectivity::Face).sizes, [3, 1]);
        assert_eq!(connected_components(&mask, 1, Connectivity::Corner).sizes, [4]);
    }

    #[test]
    fn cropping_undoes_padding() {
        let volume = mask(array![[[1, 2], [3, 4]]]);
        let padded = pad(&volume, [1, 2, 3], [2, 1, 0], 9).unwrap();
        assert_eq!(padded.geometry().size(), [5, 5, 4]);
        assert_eq!(crop(&padded, &VoxelBox::new([1, 2, 3], [2, 2, 1])).unwrap(), volume);
    }

    // Worked out by hand: the new centres lie at −¼, ¼, ¾ and 1¼ of the old pixels, and are cut at 0 and 1.
    #[test]
    fn resizing_takes_pixel_centres_as_half_integers() {
        let resized = resize_bilinear(array![[0.0, 1.0], [2.0, 3.0]].view(), 4, 4).unwrap();
        let expected = [[0.0, 0.25, 0.75, 1.0], [0.5, 0.75, 1.25, 1.5], [1.5, 1.75, 2.25, 2.5], [2.0, 2.25, 2.75, 3.0]];
        assert_eq!(resized, Array2::from(expected.to_vec()));
    }
}
