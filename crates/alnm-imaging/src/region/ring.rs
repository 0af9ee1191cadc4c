//! Rings around a region and shells in it, by distance in mm.

use std::iter;

use serde::{Deserialize, Serialize};

use super::Roi;
use crate::distance::squared_distances;
use crate::error::{ImagingError, Result};
use crate::volume::{Image, LabelMap, Volume};

const OPERATION: &str = "rings of a region";

/// Relative width of what counts as the limit of a ring, so that three voxels of 0.1 mm lie 0.3 mm away.
const TRACE: f64 = 1e-6;

/// A band of distances from the surface of a region in mm, positive outwards and negative inwards.
///
/// A voxel outside of the region is as far as its centre is from the nearest centre of a voxel inside, d > 0; a voxel
/// inside as far as it is from the nearest centre outside, d < 0. The ring holds from < d ≤ to outside, and from ≤ d <
/// to inside: the ring from 0 to 5 has the voxels up to 5 mm away, the one from −2 to 0 those up to 2 mm deep, the one
/// from −2 to 5 both. What lies beyond the image is not known and no outside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Ring {
    /// Where the ring begins; minus infinity is the depth of the region.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

impl Ring {
    /// The ring between two distances in mm.
    #[must_use]
    pub fn new(from: f64, to: f64) -> Self {
        Self { from, to }
    }

    /// Whether a distance lies in the ring.
    fn holds(self, distance: f64) -> bool {
        let reaches = |distance: f64, limit: f64| distance <= limit + limit.abs() * TRACE;
        if distance > 0.0 {
            reaches(distance, self.to) && !reaches(distance, self.from)
        } else {
            // The same rule seen from inside.
            reaches(-distance, -self.from) && !reaches(-distance, -self.to)
        }
    }
}

/// Which rings are drawn.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`rings`](Self::rings) | required | the rings; the first becomes label 1 and so on | at least one, from < to, no two in common, ends finite |
/// | [`keep_other_labels_out`](Self::keep_other_labels_out) | true | voxels of other labels of the mask belong to no ring | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct RingParams {
    /// The rings; the first becomes label 1 and so on.
    pub rings: Vec<Ring>,
    /// Voxels of other labels of the mask belong to no ring. Default true.
    pub keep_other_labels_out: bool,
}

impl RingParams {
    /// Some rings.
    pub fn new(rings: impl IntoIterator<Item = Ring>) -> Self {
        Self { rings: rings.into_iter().collect(), keep_other_labels_out: true }
    }

    /// Shells of the region, from its surface to its depth: each `width` mm thick, and the last of `count` with all
    /// that is deeper.
    pub fn shells(width: f64, count: usize) -> Self {
        let from = |shell: usize| if shell + 1 == count { f64::NEG_INFINITY } else { -width * (shell + 1) as f64 };
        Self::new((0..count).map(|shell| Ring::new(from(shell), 0.0 - width * shell as f64)))
    }

    /// Sets [`RingParams::keep_other_labels_out`].
    pub fn with_keep_other_labels_out(self, keep_other_labels_out: bool) -> Self {
        Self { keep_other_labels_out, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when there is no ring, a ring that does not ascend, ends at no finite
    /// distance or begins at none but minus infinity, or two that have distances in common.
    pub fn check(self) -> Result<RingDrawing> {
        let invalid = |value: String, requirement| {
            Err(ImagingError::InvalidParameter { operation: OPERATION, parameter: "rings", value, requirement })
        };
        if self.rings.is_empty() {
            return invalid("none".to_owned(), "there must be at least one");
        }
        let is_sound = |ring: &&Ring| ring.to.is_finite() && ring.from < ring.to && ring.from < f64::INFINITY;
        if let Some(Ring { from, to }) = self.rings.iter().find(|ring| !is_sound(ring)) {
            return invalid(format!("{from} to {to} mm"), "a ring must ascend and end at a finite distance");
        }
        let mut sorted = self.rings.clone();
        sorted.sort_by(|a, b| a.from.total_cmp(&b.from));
        if let Some(pair) = sorted.windows(2).find(|pair| pair[1].from < pair[0].to) {
            let value = format!("{} to {} mm and {} to {} mm", pair[0].from, pair[0].to, pair[1].from, pair[1].to);
            return invalid(value, "no distance may lie in two rings; draw them one after the other");
        }
        Ok(RingDrawing { params: self })
    }
}

/// Where rings may lie.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
#[must_use]
pub struct RingLimits<'a> {
    /// Voxels above 0, such as those of the breast; everywhere where none.
    pub within: Option<&'a LabelMap>,
    /// Voxels of an image that are above a value, as tissue is above air; voxels that are not a number are not.
    pub above: Option<(&'a Image, f64)>,
}

impl<'a> RingLimits<'a> {
    /// Sets [`RingLimits::within`].
    pub fn with_within(self, within: &'a LabelMap) -> Self {
        Self { within: Some(within), ..self }
    }

    /// Sets [`RingLimits::above`].
    pub fn with_above(self, image: &'a Image, value: f64) -> Self {
        Self { above: Some((image, value)), ..self }
    }
}

/// Checked parameters: see [`RingParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct RingDrawing {
    params: RingParams,
}

/// What became of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DrawnRing {
    /// The ring.
    pub ring: Ring,
    /// Its label.
    pub label: u32,
    /// Its voxels; 0 where no voxel lies in it, which is no error.
    pub voxels: usize,
    /// Voxels at its distances that the limits, or other labels, took away.
    pub cut_voxels: usize,
}

/// The rings of a region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rings {
    /// The rings on the grid of the region's mask, with the labels 1, 2 and so on; 0 elsewhere.
    pub mask: LabelMap,
    /// What became of each.
    pub rings: Vec<DrawnRing>,
}

impl RingDrawing {
    /// The parameters.
    pub fn params(&self) -> &RingParams {
        &self.params
    }

    /// Draws the rings of a region.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when a limit lies on another grid than the region.
    ///
    /// ```
    /// use alnm_imaging::region::{Ring, RingLimits, RingParams, Roi};
    /// use alnm_imaging::{Geometry, Volume};
    ///
    /// let labels = ndarray::array![[[0_u32, 0, 0, 1, 1, 1, 0, 0, 0]]];
    /// let mask = Volume::new(labels, Geometry::axis_aligned([9, 1, 1], [1.5, 1.0, 1.0])?)?;
    /// let drawing = RingParams::new([Ring::new(-2.0, 0.0), Ring::new(0.0, 2.0), Ring::new(2.0, 10.0)]).check()?;
    /// let rings = drawing.draw(Roi::new(&mask, 1)?, RingLimits::default())?;
    /// assert_eq!(rings.mask.as_slice(), [3, 3, 2, 1, 0, 1, 2, 3, 3]);
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    pub fn draw(&self, region: Roi<'_>, limits: RingLimits<'_>) -> Result<Rings> {
        let geometry = region.geometry();
        let grids =
            limits.within.map(Volume::geometry).into_iter().chain(limits.above.map(|(image, _)| image.geometry()));
        for grid in grids {
            region.check_grid(grid, OPERATION)?;
        }
        let rings = &self.params.rings;
        let farthest = rings.iter().map(|ring| ring.to).fold(0.0, f64::max);
        // One voxel at least, so that the voxels next to the surface are there on both sides.
        let margin = geometry.spacing().map(|spacing| ((farthest * (1.0 + TRACE) / spacing).floor() as usize).max(1));
        let work = region.bounding_box().grown_by(margin, geometry.size());
        let inside = work.view(region.mask().data()).map(|&voxel| voxel == region.label());
        let outwards = squared_distances(&inside, geometry.spacing());
        let inwards = squared_distances(&inside.map(|inside| !inside), geometry.spacing());
        let mut mask = Volume::filled(geometry.clone(), 0_u32);
        let mut drawn: Vec<DrawnRing> =
            iter::zip(1.., rings).map(|(label, &ring)| DrawnRing { ring, label, voxels: 0, cut_voxels: 0 }).collect();
        let mut place = 0;
        let (outwards, inwards) = (standard(&outwards), standard(&inwards));
        let mut above = Vec::new();
        for row in work.rows(geometry.shape()) {
            above.clear();
            if let Some((image, _)) = limits.above {
                image.borrowed().rows().append(row.clone(), &mut above);
            }
            for (column, position) in row.enumerate() {
                let distance = if outwards[place] > 0.0 { outwards[place].sqrt() } else { -inwards[place].sqrt() };
                place += 1;
                let Some(found) = drawn.iter_mut().find(|drawn| drawn.ring.holds(distance)) else { continue };
                let own = region.mask().as_slice()[position];
                let is_free = own == 0 || own == region.label() || !self.params.keep_other_labels_out;
                let is_within = limits.within.is_none_or(|within| within.as_slice()[position] > 0);
                let is_above = limits.above.is_none_or(|(_, value)| above[column] > value);
                if is_free && is_within && is_above {
                    found.voxels += 1;
                    mask.as_mut_slice()[position] = found.label;
                } else {
                    found.cut_voxels += 1;
                }
            }
        }
        Ok(Rings { mask, rings: drawn })
    }
}

fn standard(distances: &ndarray::Array3<f64>) -> &[f64] {
    distances.as_slice().expect("distances are made in standard layout")
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::geometry::Geometry;

    fn ball(size: [usize; 3], spacing: [f64; 3], radius: f64) -> LabelMap {
        let grid = Geometry::axis_aligned(size, spacing).unwrap();
        let inside = |(z, y, x): (usize, usize, usize)| {
            let square = |place: usize, axis: usize| ((place as f64 - (size[axis] / 2) as f64) * spacing[axis]).powi(2);
            u32::from(square(x, 0) + square(y, 1) + square(z, 2) <= radius * radius)
        };
        Volume::new(Array3::from_shape_fn(grid.shape(), inside), grid).unwrap()
    }

    /// Every voxel by its distance to all others.
    fn slow(mask: &LabelMap, ring: Ring) -> Vec<u32> {
        let geometry = mask.geometry();
        let inside = |position: usize| mask.as_slice()[position] == 1;
        let square = |a: usize, b: usize| -> f64 {
            let (a, b) = (geometry.index_of(a), geometry.index_of(b));
            (0..3).map(|axis| ((a[axis] as f64 - b[axis] as f64) * geometry.spacing()[axis]).powi(2)).sum()
        };
        let count = mask.as_slice().len();
        (0..count)
            .map(|voxel| {
                let others = (0..count).filter(|&other| inside(other) != inside(voxel));
                let nearest = others.map(|other| square(voxel, other)).fold(f64::INFINITY, f64::min).sqrt();
                let limit = |limit: f64| limit + limit.abs() * TRACE;
                u32::from(if inside(voxel) {
                    nearest <= limit(-ring.from) && nearest > limit(-ring.to)
                } else {
                    nearest <= limit(ring.to) && nearest > limit(ring.from)
                })
            })
            .collect()
    }

    #[test]
    fn rings_are_those_of_all_distances() {
        let mask = ball([13, 11, 7], [0.7, 1.0, 2.1], 3.0);
        for (from, to) in
            [(0.0, 1.4), (0.0, 100.0), (1.4, 3.0), (-0.7, 0.0), (-2.1, -0.7), (f64::NEG_INFINITY, -0.7), (-1.4, 2.1)]
        {
            let ring = Ring::new(from, to);
            let drawn =
                RingParams::new([ring]).check().unwrap().draw(Roi::new(&mask, 1).unwrap(), RingLimits::default());
            let drawn = drawn.unwrap();
            assert_eq!(drawn.mask.as_slice(), slow(&mask, ring), "{from} to {to}");
            assert_eq!(drawn.rings[0].voxels, drawn.mask.as_slice().iter().filter(|&&label| label == 1).count());
        }
    }

    #[test]
    fn shells_take_the_whole_region_apart() {
        let mask = ball([15, 15, 9], [1.0, 1.0, 1.5], 5.0);
        let region = Roi::new(&mask, 1).unwrap();
        let shells = RingParams::shells(1.0, 3).check().unwrap().draw(region, RingLimits::default()).unwrap();
        assert_eq!(shells.rings.iter().map(|ring| ring.voxels).sum::<usize>(), region.voxel_count());
        assert!(shells.rings.iter().all(|ring| ring.voxels > 0));
    }

    #[test]
    fn limits_and_other_labels_cut_and_are_counted() {
        let mut mask = ball([15, 15, 9], [1.0; 3], 3.0);
        mask.as_mut_slice()[0] = 7;
        let grid = mask.geometry().clone();
        let mut image = Volume::filled(grid.clone(), 50.0_f32);
        image.as_mut_slice()[1] = 0.0;
        image.as_mut_slice()[2] = f32::NAN;
        let image = Image::F32(image);
        let mut breast = Volume::filled(grid, 1_u32);
        breast.as_mut_slice()[3] = 0;
        let limits = RingLimits::default().with_within(&breast).with_above(&image, 10.0);
        let all = RingParams::new([Ring::new(0.0, 100.0)]);
        let region = Roi::new(&mask, 1).unwrap();
        let drawn = all.clone().check().unwrap().draw(region, limits).unwrap();
        assert_eq!(drawn.mask.as_slice()[..5], [0, 0, 0, 0, 1]);
        assert_eq!(drawn.rings[0].cut_voxels, 4);
        let over = all.with_keep_other_labels_out(false).check().unwrap().draw(region, RingLimits::default()).unwrap();
        assert_eq!(over.mask.as_slice()[0], 1);
    }

    #[test]
    fn one_voxel_and_whole_images_have_rings_too() {
        let mut mask = Volume::filled(Geometry::axis_aligned([5, 5, 1], [2.0; 3]).unwrap(), 0_u32);
        mask.as_mut_slice()[12] = 1;
        let draw = |mask: &LabelMap, rings: &[Ring]| {
            let drawn = RingParams::new(rings.iter().copied()).check().unwrap();
            drawn.draw(Roi::new(mask, 1).unwrap(), RingLimits::default()).unwrap().rings
        };
        let rings = draw(&mask, &[Ring::new(-2.0, 0.0), Ring::new(0.0, 1.9), Ring::new(1.9, 2.0)]);
        assert_eq!(
            rings.iter().map(|ring| ring.voxels).collect::<Vec<_>>(),
            [1, 0, 4],
            "the ring below the spacing is empty"
        );
        let whole = Volume::filled(mask.geometry().clone(), 1_u32);
        let rings = draw(&whole, &[Ring::new(-100.0, 0.0), Ring::new(f64::NEG_INFINITY, -100.0), Ring::new(0.0, 5.0)]);
        assert_eq!(rings.iter().map(|ring| ring.voxels).collect::<Vec<_>>(), [0, 25, 0], "it has no surface");
    }

    #[test]
    fn rings_that_make_no_sense_are_refused() {
        let refused = |rings: &[Ring]| RingParams::new(rings.iter().copied()).check().is_err();
        assert!(refused(&[]));
        assert!(refused(&[Ring::new(2.0, 2.0)]));
        assert!(refused(&[Ring::new(0.0, f64::INFINITY)]));
        assert!(refused(&[Ring::new(f64::NAN, 1.0)]));
        assert!(refused(&[Ring::new(0.0, 2.0), Ring::new(1.0, 3.0)]));
        assert!(!refused(&[Ring::new(2.0, 3.0), Ring::new(0.0, 2.0)]));
    }
}
