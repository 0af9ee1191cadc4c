//! Which grid to resample onto.

use serde::{Deserialize, Serialize};

use super::{Interpolator, resample_image};
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::mask::MaskRef;
use crate::region::{VoxelBox, crop_image};
use crate::volume::{Image, LabelMap};

/// The grid of another spacing that covers the same field of view with the same centre (IBSI: "align grid centres"):
/// ⌈size · spacing / new spacing⌉ voxels on each axis. A new spacing of 0 keeps the axis as it is, and so does the
/// third axis of a two-dimensional image.
///
/// # Errors
/// [`ImagingError::InvalidGeometry`] when a spacing is negative or not finite.
///
/// ```
/// use alnm_imaging::Geometry;
/// use alnm_imaging::resample::spacing_grid;
///
/// let grid = spacing_grid(&Geometry::axis_aligned([100, 80, 20], [0.5, 0.5, 3.0])?, [1.0, 1.0, 0.0])?;
/// assert_eq!((grid.size(), grid.spacing()), ([50, 40, 20], [1.0, 1.0, 3.0]));
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn spacing_grid(geometry: &Geometry, spacing: [f64; 3]) -> Result<Geometry> {
    let (old_size, old_spacing) = (geometry.size(), geometry.spacing());
    let keeps = |axis: usize| spacing[axis] == 0.0 || axis >= geometry.dimension();
    let new_spacing: [f64; 3] = std::array::from_fn(|axis| if keeps(axis) { old_spacing[axis] } else { spacing[axis] });
    // A quotient that is whole but for rounding must not gain a voxel.
    let new_size: [usize; 3] = std::array::from_fn(|axis| {
        ((old_size[axis] as f64 * old_spacing[axis] / new_spacing[axis] - 1e-9).ceil() as usize).max(1)
    });
    let first = std::array::from_fn(|axis| {
        let half_extents = (old_size[axis] - 1) as f64 / 2.0;
        half_extents - (new_size[axis] - 1) as f64 / 2.0 * new_spacing[axis] / old_spacing[axis]
    });
    geometry.with_grid(new_size, new_spacing, geometry.index_to_point(first))
}

/// How PyRadiomics resamples an image and its mask (its `resampleImage`).
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`spacing`](Self::spacing) | required | the new spacing in mm (`resampledPixelSpacing`) | finite; above 0, or 0 to keep the mask's on an axis |
/// | [`interpolator`](Self::interpolator) | B-spline | for the image (`interpolator`) | |
/// | [`pad_distance`](Self::pad_distance) | 5 | new voxels kept around the region (`padDistance`) | from 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct RoiResamplingParams {
    /// The new spacing in mm, 0 to keep the mask's on an axis.
    pub spacing: [f64; 3],
    /// For the image; masks are always resampled to the nearest voxel. Default B-spline.
    #[serde(default)]
    pub interpolator: Interpolator,
    /// New voxels kept around the region on each side. Default 5.
    #[serde(default = "default_pad_distance")]
    pub pad_distance: usize,
}

fn default_pad_distance() -> usize {
    5
}

impl RoiResamplingParams {
    /// PyRadiomics' defaults for a spacing.
    pub fn new(spacing: [f64; 3]) -> Self {
        Self { spacing, interpolator: Interpolator::BSpline, pad_distance: default_pad_distance() }
    }

    /// Sets [`RoiResamplingParams::interpolator`].
    pub fn with_interpolator(self, interpolator: Interpolator) -> Self {
        Self { interpolator, ..self }
    }

    /// Sets [`RoiResamplingParams::pad_distance`].
    pub fn with_pad_distance(self, pad_distance: usize) -> Self {
        Self { pad_distance, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidGeometry`] when a spacing is negative or not finite.
    pub fn check(self) -> Result<RoiResampling> {
        check_spacing(self.spacing)?;
        Ok(RoiResampling { params: self })
    }
}

fn check_spacing(spacing: [f64; 3]) -> Result<()> {
    if spacing.iter().all(|spacing| spacing.is_finite() && *spacing >= 0.0) {
        return Ok(());
    }
    Err(ImagingError::InvalidGeometry {
        field: "spacing",
        value: format!("{spacing:?}"),
        requirement: "a new spacing must be finite and above 0 mm, or 0 to keep the old one",
    })
}

/// Checked parameters, by which an image and its mask are resampled: see [`RoiResamplingParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct RoiResampling {
    params: RoiResamplingParams,
}

/// An image and its mask on one grid around the region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ResampledRoi {
    /// The image, of the type it had.
    pub image: Image,
    /// The mask.
    pub mask: LabelMap,
    /// Whether voxels were interpolated; otherwise the image had the spacing already and was only cropped.
    pub interpolated: bool,
}

/// The part of the mask's grid, at another spacing, that holds the region and `pad_distance` new voxels around it.
///
/// The outer corners of the whole grids at both spacings coincide, not their first centres. The part is cut at the ends
/// of the mask's grid. An axis with a new spacing of 0, or on which the region is one voxel thick, keeps the mask's
/// spacing.
///
/// # Errors
/// [`ImagingError::EmptyRegion`] when no voxel has the label; [`ImagingError::InvalidGeometry`] when a spacing is
/// negative or not finite.
pub fn roi_grid<'a>(
    mask: impl Into<MaskRef<'a>>,
    label: u32,
    spacing: [f64; 3],
    pad_distance: usize,
) -> Result<Geometry> {
    check_spacing(spacing)?;
    let mask = mask.into();
    let region = mask.bounding_box(label)?;
    let geometry = mask.geometry();
    padded_grid(geometry, &region, kept_spacing(geometry, &region, spacing), pad_distance)
}

/// The spacing asked for, or the mask's where 0 was asked for or the region is one voxel thick.
fn kept_spacing(geometry: &Geometry, region: &VoxelBox, spacing: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        if spacing[axis] == 0.0 || region.size()[axis] == 1 { geometry.spacing()[axis] } else { spacing[axis] }
    })
}

fn padded_grid(geometry: &Geometry, region: &VoxelBox, spacing: [f64; 3], pad_distance: usize) -> Result<Geometry> {
    let pad = pad_distance as f64;
    let old = geometry.spacing();
    let ratio: [f64; 3] = std::array::from_fn(|axis| old[axis] / spacing[axis]);
    let lower: [f64; 3] =
        std::array::from_fn(|axis| ((region.start()[axis] as f64 - 0.5) * ratio[axis] - pad).floor().max(0.0));
    let upper: [f64; 3] = std::array::from_fn(|axis| {
        let end = region.end()[axis] as f64 - 0.5;
        let last = (geometry.size()[axis] as f64 * ratio[axis]).ceil() - 1.0;
        (end * ratio[axis] + pad).ceil().min(last)
    });
    let size = std::array::from_fn(|axis| (upper[axis] - lower[axis] + 1.0) as usize);
    let first = std::array::from_fn(|axis| 0.5 * (spacing[axis] - old[axis]) / old[axis] + lower[axis] / ratio[axis]);
    geometry.with_grid(size, spacing, geometry.index_to_point(first))
}

impl RoiResampling {
    /// The parameters.
    pub fn params(&self) -> &RoiResamplingParams {
        &self.params
    }

    /// An image and its mask on PyRadiomics' grid around a region ([`roi_grid`]).
    ///
    /// Where the image already has the spacing (within numpy's `allclose`), nothing is interpolated: the mask is
    /// brought onto the image's grid by nearest neighbour and both are cropped to the region and `pad_distance` voxels
    /// around it.
    ///
    /// # Errors
    /// As [`roi_grid`] and [`resample`](super::resample).
    pub fn apply<'a>(&self, image: &Image, mask: impl Into<MaskRef<'a>>, label: u32) -> Result<ResampledRoi> {
        self.apply_to(image, mask.into(), label)
    }

    fn apply_to(&self, image: &Image, mask: MaskRef<'_>, label: u32) -> Result<ResampledRoi> {
        let params = &self.params;
        let region = mask.bounding_box(label)?;
        let spacing = kept_spacing(mask.geometry(), &region, params.spacing);
        let is_close = |a: f64, b: f64| (a - b).abs() <= 1e-8 + 1e-5 * b.abs();
        if (0..image.geometry().dimension()).all(|axis| is_close(image.geometry().spacing()[axis], spacing[axis])) {
            let mask = mask.resampled(image.geometry())?;
            let mask = mask.borrowed();
            let part = mask.bounding_box(label)?.grown(params.pad_distance, mask.geometry().size());
            return Ok(ResampledRoi {
                image: crop_image(image, &part)?,
                mask: mask.cropped(&part)?.into_label_map(),
                interpolated: false,
            });
        }
        let grid = padded_grid(mask.geometry(), &region, spacing, params.pad_distance)?;
        Ok(ResampledRoi {
            image: resample_image(image, &grid, params.interpolator, 0.0)?,
            mask: mask.resampled(&grid)?.into_label_map(),
            interpolated: true,
        })
    }
}

/// An image and its mask on PyRadiomics' grid around a region: [`RoiResampling::apply`] by parameters that are checked
/// first.
///
/// # Errors
/// As [`RoiResamplingParams::check`] and [`RoiResampling::apply`].
///
/// ```
/// use alnm_imaging::resample::{RoiResamplingParams, resample_roi};
/// use alnm_imaging::{Geometry, Volume};
///
/// let image = Volume::filled(Geometry::axis_aligned([40, 40, 12], [0.5, 0.5, 2.0])?, 100_i16);
/// let mut mask = image.map(|_| 0_u32);
/// mask.as_mut_slice()[6 * 1600 + 20 * 40..][..40].fill(1);
/// let resampled = resample_roi(&image.into(), &mask, 1, &RoiResamplingParams::new([1.0; 3]))?;
/// assert_eq!(resampled.image.geometry().spacing()[0], 1.0);
/// assert!(resampled.interpolated);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
pub fn resample_roi<'a>(
    image: &Image,
    mask: impl Into<MaskRef<'a>>,
    label: u32,
    params: &RoiResamplingParams,
) -> Result<ResampledRoi> {
    params.clone().check()?.apply(image, mask, label)
}
