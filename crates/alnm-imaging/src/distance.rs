//! Distances from a region: the exact Euclidean distance transform on grids of any spacing, unsigned and signed, in mm.
//!
//! The transform takes time in proportion to the number of voxels: a pass along each axis finds the lower envelope of
//! the parabolas that the previous axes left (Maurer, Qi and Raghavan, IEEE Trans. Pattern Anal. Mach. Intell. 25:265,
//! 2003). Work on a part of the image costs what that part and the region's box cost, whatever the size of the image.

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView1, ArrayViewMut1, ArrayViewMut2, Axis, s};

use crate::error::Result;
use crate::region::{Roi, VoxelBox};
use crate::volume::Volume;

/// Lines that are transformed together, so that a pass along a far axis reads whole cache lines.
const LINES: usize = 16;

/// The squared distance in mm² of each voxel's centre to the nearest site's centre, (z, y, x); 0 at the sites, infinite
/// everywhere when there is none. `spacing` is that of x, y and z in mm.
///
/// ```
/// use alnm_imaging::distance::squared_distances;
///
/// let sites = ndarray::array![[[true, false, false], [false, false, false]]];
/// assert_eq!(squared_distances(&sites, [0.5, 2.0, 1.0]), ndarray::array![[[0.0, 0.25, 1.0], [4.0, 4.25, 5.0]]]);
/// ```
#[must_use]
pub fn squared_distances(sites: &Array3<bool>, spacing: [f64; 3]) -> Array3<f64> {
    let [x, y, z] = spacing;
    let mut squared = Array3::from_elem(sites.raw_dim(), f64::INFINITY);
    let slices = squared.axis_iter_mut(Axis(0)).into_par_iter().zip(sites.axis_iter(Axis(0)));
    slices.for_each(|(mut slice, sites)| {
        let mut found = false;
        for (row, sites) in slice.rows_mut().into_iter().zip(sites.rows()) {
            found |= along_row(row, sites, x);
        }
        if found {
            along_columns(slice, y);
        }
    });
    squared.axis_iter_mut(Axis(1)).into_par_iter().for_each(|plane| along_columns(plane, z));
    squared
}

/// The distance in mm of the centre of each voxel of a box to the nearest centre of a voxel of the region; 0 inside.
///
/// The nearest voxel counts wherever it lies, in the box or not.
///
/// # Errors
/// [`ImagingError::InvalidGeometry`](crate::ImagingError::InvalidGeometry) when the box is empty or leaves the region's
/// grid.
///
/// ```
/// use alnm_imaging::distance::distance_to_region;
/// use alnm_imaging::region::{Roi, VoxelBox};
/// use alnm_imaging::{Geometry, Volume};
///
/// let mask = Volume::new(ndarray::array![[[0_u32, 1, 1, 0, 0]]], Geometry::axis_aligned([5, 1, 1], [0.5, 1.0, 1.0])?)?;
/// let lesion = Roi::new(&mask, 1)?;
/// let distances = distance_to_region(&lesion, &mask.geometry().voxel_box())?;
/// assert_eq!(distances.as_slice(), [0.5, 0.0, 0.0, 0.5, 1.0]);
/// let part = distance_to_region(&lesion, &VoxelBox::new([3, 0, 0], [2, 1, 1]))?;
/// assert_eq!(part.as_slice(), [0.5, 1.0]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn distance_to_region(region: &Roi<'_>, within: &VoxelBox) -> Result<Volume<f64>> {
    let geometry = region.geometry().part(within)?;
    let work = region.bounding_box().hull(within);
    let inside = work.view(region.mask().data()).map(|&voxel| voxel == region.label());
    let mut squared = squared_distances(&inside, geometry.spacing());
    squared.par_mapv_inplace(f64::sqrt);
    Volume::new(part_of(&squared, &work, within), geometry)
}

/// The signed distance in mm of the centre of each voxel of a box to the outermost voxels of the region: 0 at these,
/// positive outside of the region, negative inside, with the convention and the values of ITK's
/// `SignedMaurerDistanceMapImageFilter` with `SquaredDistance` off.
///
/// The outermost voxels are those of the region that have a voxel outside of it among their 26 neighbours in the image.
/// The border of the image is no surface: a region that fills the whole image has no outermost voxel, and its distances
/// are infinite.
///
/// # Errors
/// As [`distance_to_region`].
///
/// ```
/// use alnm_imaging::distance::signed_distance;
/// use alnm_imaging::region::Roi;
/// use alnm_imaging::{Geometry, Volume};
///
/// let mask = Volume::new(ndarray::array![[[0_u32, 0, 1, 1, 1, 0]]], Geometry::axis_aligned([6, 1, 1], [2.0; 3])?)?;
/// let distances = signed_distance(&Roi::new(&mask, 1)?, &mask.geometry().voxel_box())?;
/// assert_eq!(distances.as_slice(), [4.0, 2.0, 0.0, -2.0, 0.0, 2.0]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn signed_distance(region: &Roi<'_>, within: &VoxelBox) -> Result<Volume<f64>> {
    let geometry = region.geometry().part(within)?;
    // A voxel more on every side, so that the neighbours of the region's voxels are there as far as the image has them.
    let around = region.bounding_box().grown(1, region.geometry().size());
    let work = around.hull(within);
    let inside = work.view(region.mask().data()).map(|&voxel| voxel == region.label());
    let mut distances = squared_distances(&outermost(&inside), geometry.spacing());
    ndarray::Zip::from(&mut distances).and(&inside).par_for_each(|distance, &inside| {
        *distance = if inside { -distance.sqrt() + 0.0 } else { distance.sqrt() };
    });
    Volume::new(part_of(&distances, &work, within), geometry)
}

/// The voxels of a region that have a voxel outside of it among their 26 neighbours in the array.
#[must_use]
pub fn outermost(inside: &Array3<bool>) -> Array3<bool> {
    // A voxel all of whose neighbours are inside: the minimum over three voxels along each axis in turn.
    let mut surrounded = inside.clone();
    for axis in (0..3).map(Axis) {
        let before = surrounded.clone();
        let length = before.len_of(axis);
        surrounded.axis_iter_mut(axis).into_par_iter().enumerate().for_each(|(i, mut plane)| {
            for neighbour in [i.checked_sub(1), Some(i + 1).filter(|&next| next < length)].into_iter().flatten() {
                plane.zip_mut_with(&before.index_axis(axis, neighbour), |here, &there| *here &= there);
            }
        });
    }
    ndarray::Zip::from(&mut surrounded)
        .and(inside)
        .for_each(|surrounded, &inside| *surrounded = inside && !*surrounded);
    surrounded
}

/// The voxels of a box out of those of a larger one.
fn part_of(values: &Array3<f64>, whole: &VoxelBox, part: &VoxelBox) -> Array3<f64> {
    let [z, y, x] = std::array::from_fn(|axis| {
        let (start, range) = (whole.start_zyx()[axis], &part.ranges_zyx()[axis]);
        range.start - start..range.end - start
    });
    values.slice(s![z, y, x]).to_owned()
}

/// Squared distances to the sites of the same row; tells whether there is a site.
fn along_row(mut squared: ArrayViewMut1<'_, f64>, sites: ArrayView1<'_, bool>, spacing: f64) -> bool {
    let apart = |steps: usize| (steps as f64 * spacing).powi(2);
    let mut steps: Option<usize> = None;
    for (value, &site) in squared.iter_mut().zip(&sites) {
        steps = if site { Some(0) } else { steps.map(|steps| steps + 1) };
        if let Some(steps) = steps {
            *value = apart(steps);
        }
    }
    let found = steps.is_some();
    let mut steps: Option<usize> = None;
    for (value, &site) in squared.iter_mut().rev().zip(sites.iter().rev()) {
        steps = if site { Some(0) } else { steps.map(|steps| steps + 1) };
        if let Some(steps) = steps {
            *value = value.min(apart(steps));
        }
    }
    found
}

/// Turns squared distances within the rows of a plane into squared distances within the plane.
fn along_columns(mut plane: ArrayViewMut2<'_, f64>, spacing: f64) {
    let (length, columns) = plane.dim();
    if length == 1 {
        return;
    }
    let mut envelope = Envelope::new(length, spacing);
    let mut lines = vec![0.0; LINES * length];
    for start in (0..columns).step_by(LINES) {
        let end = (start + LINES).min(columns);
        let mut block = plane.slice_mut(s![.., start..end]);
        for (i, row) in block.rows().into_iter().enumerate() {
            row.iter().enumerate().for_each(|(line, &value)| lines[line * length + i] = value);
        }
        for line in lines.chunks_mut(length).take(end - start) {
            envelope.lower(line);
        }
        for (i, mut row) in block.rows_mut().into_iter().enumerate() {
            row.iter_mut().enumerate().for_each(|(line, value)| *value = lines[line * length + i]);
        }
    }
}

/// The lower envelope of the parabolas over a line: `height + (spacing (x − step))²`.
struct Envelope {
    spacing: f64,
    parabolas: Vec<Parabola>,
}

#[derive(Clone, Copy)]
struct Parabola {
    step: usize,
    height: f64,
}

impl Parabola {
    fn at(self, step: usize, spacing: f64) -> f64 {
        // Whole steps first, so that a distance has the same bits wherever a part of the image begins.
        self.height + (self.step.abs_diff(step) as f64 * spacing).powi(2)
    }
}

impl Envelope {
    fn new(length: usize, spacing: f64) -> Self {
        Self { spacing, parabolas: Vec::with_capacity(length) }
    }

    /// Replaces the heights of a line, those of no parabola being infinite, by the envelope.
    fn lower(&mut self, line: &mut [f64]) {
        self.parabolas.clear();
        for (step, &height) in line.iter().enumerate() {
            if height.is_infinite() {
                continue;
            }
            let next = Parabola { step, height };
            while let [.., first, second] = self.parabolas[..] {
                if !is_hidden(first, second, next, self.spacing) {
                    break;
                }
                self.parabolas.pop();
            }
            self.parabolas.push(next);
        }
        let mut lowest = self.parabolas.iter().copied().peekable();
        let Some(mut current) = lowest.next() else { return };
        for (step, value) in line.iter_mut().enumerate() {
            let spacing = self.spacing;
            while let Some(next) = lowest.next_if(|next| next.at(step, spacing) < current.at(step, spacing)) {
                current = next;
            }
            *value = current.at(step, spacing);
        }
    }
}

/// Whether the parabola in the middle lies nowhere below both others.
fn is_hidden(first: Parabola, middle: Parabola, last: Parabola, spacing: f64) -> bool {
    let [a, b, c] =
        [middle.step - first.step, last.step - middle.step, last.step - first.step].map(|steps| steps as f64);
    c * middle.height - b * first.height - a * last.height - a * b * c * spacing.powi(2) > 0.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::Geometry;

    /// Every voxel against every site.
    fn by_comparison(sites: &Array3<bool>, spacing: [f64; 3]) -> Array3<f64> {
        let places: Vec<_> = sites.indexed_iter().filter(|(_, site)| **site).map(|(place, _)| place).collect();
        Array3::from_shape_fn(sites.raw_dim(), |(z, y, x)| {
            let squared = |&(k, j, i): &(usize, usize, usize)| {
                let apart = |a: usize, b: usize, spacing: f64| ((a as f64 - b as f64) * spacing).powi(2);
                apart(x, i, spacing[0]) + apart(y, j, spacing[1]) + apart(z, k, spacing[2])
            };
            places.iter().map(squared).fold(f64::INFINITY, f64::min)
        })
    }

    fn voxels() -> impl Strategy<Value = (Array3<bool>, [f64; 3])> {
        let shape = (1usize..6, 1usize..8, 1usize..40);
        let spacing = prop::array::uniform3(0.3f64..4.0);
        (shape, spacing, 0.0f64..0.4).prop_flat_map(|(shape, spacing, share)| {
            let count = shape.0 * shape.1 * shape.2;
            prop::collection::vec(prop::bool::weighted(share), count)
                .prop_map(move |voxels| (Array3::from_shape_vec(shape, voxels).unwrap(), spacing))
        })
    }

    proptest! {
        #[test]
        fn the_transform_is_exact((sites, spacing) in voxels()) {
            let found = squared_distances(&sites, spacing);
            let expected = by_comparison(&sites, spacing);
            for (a, b) in found.iter().zip(&expected) {
                prop_assert!(a == b || (a - b).abs() <= 1e-12 * b, "{} instead of {}", a, b);
            }
        }

        #[test]
        fn a_part_has_the_distances_of_the_whole((voxels, spacing) in voxels(), at in prop::array::uniform3(0.0f64..1.0)) {
            let (depth, height, width) = voxels.dim();
            let geometry = Geometry::axis_aligned([width, height, depth], spacing).unwrap();
            let mask = Volume::new(voxels.mapv(u32::from), geometry.clone()).unwrap();
            let Ok(region) = Roi::new(&mask, 1) else { return Ok(()) };
            let size = geometry.size();
            let start: [usize; 3] = std::array::from_fn(|axis| (at[axis] * size[axis] as f64) as usize);
            let part = VoxelBox::new(start, std::array::from_fn(|axis| (size[axis] - start[axis]).min(2)));
            for transform in [distance_to_region, signed_distance] {
                let whole = part.cut(transform(&region, &geometry.voxel_box()).unwrap().data());
                for (a, b) in transform(&region, &part).unwrap().data().iter().zip(&whole) {
                    prop_assert!(a == b || (a - b).abs() <= 1e-12 * b.abs(), "{} instead of {}", a, b);
                }
            }
        }
    }

    #[test]
    fn a_region_that_fills_the_image_has_no_surface() {
        let mask = Volume::filled(Geometry::axis_aligned([3, 3, 3], [1.0; 3]).unwrap(), 1_u32);
        let region = Roi::new(&mask, 1).unwrap();
        let distances = signed_distance(&region, &mask.geometry().voxel_box()).unwrap();
        assert!(distances.as_slice().iter().all(|distance| *distance == f64::NEG_INFINITY));
    }

    #[test]
    fn a_box_outside_of_the_grid_is_refused() {
        let mask = Volume::filled(Geometry::axis_aligned([3, 3, 3], [1.0; 3]).unwrap(), 1_u32);
        let region = Roi::new(&mask, 1).unwrap();
        for part in [VoxelBox::new([2, 0, 0], [2, 1, 1]), VoxelBox::new([0; 3], [0; 3])] {
            assert!(distance_to_region(&region, &part).is_err() && signed_distance(&region, &part).is_err());
        }
    }
}
