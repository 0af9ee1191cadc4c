//! The region of interest: checks, correction and resegmentation of the mask.

use std::ops::Range;

use alnm_imaging::mask::{Label, MaskRef};
use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Geometry, GeometryDifference, Image, LabelMap, PixelType, Volume, Voxel, with_labels, with_volume};

use crate::error::{RadiomicsError, Result};
use crate::level_map::runs_in_rows;
use crate::parameters::{ResegmentMode, Settings};
use crate::summation::{sum, sum_of};

/// Checks that the mask holds the label and, unless it may cover the whole image, sets something apart. Returns the box
/// around the region.
pub(crate) fn check_label(mask: MaskRef<'_>, label: u32, may_cover_all: bool) -> Result<VoxelBox> {
    let only_value = with_labels!(mask, labels => only_value(labels.as_slice()));
    if let Some(value) = only_value.filter(|&value| label == 0 || !may_cover_all || value != label) {
        return Err(RadiomicsError::NoLabels { value });
    }
    let region = if label == 0 { None } else { mask.bounding_box(label).ok() };
    region.ok_or_else(|| RadiomicsError::LabelAbsent { label, present: mask.labels(16) })
}

/// The value of all voxels, where they have but one.
fn only_value<L: Label>(voxels: &[L]) -> Option<u32> {
    let (&first, others) = voxels.split_first()?;
    // Each is compared with the one before, as bytes in memory.
    (others == &voxels[..others.len()]).then(|| first.into())
}

/// A mask on the image's grid with the box around its region.
#[derive(Debug)]
pub(crate) struct CheckedMask {
    /// The mask on the image's grid, where it lay on another, and in what that differed.
    pub(crate) corrected: Option<(LabelMap, GeometryDifference)>,
    /// The box around the region.
    pub(crate) bounding_box: VoxelBox,
}

/// Checks that image and mask share a grid, which `correctMask` can bring about, and that the region, which lies in the
/// box `region` of the mask, is large enough.
pub(crate) fn check_mask(
    image: &Geometry,
    mask: MaskRef<'_>,
    label: u32,
    region: VoxelBox,
    settings: &Settings,
) -> Result<CheckedMask> {
    let corrected = match image.difference(mask.geometry(), settings.tolerance()) {
        None => None,
        Some(difference) if !settings.correct_mask => return Err(RadiomicsError::GeometryMismatch(difference)),
        Some(difference) => {
            check_inside(image, mask.geometry(), &region)?;
            Some((mask.resampled(image)?.into_label_map(), difference))
        }
    };
    let bounding_box = match &corrected {
        Some((corrected, _)) => MaskRef::from(corrected).bounding_box(label)?,
        None => region,
    };
    let region = corrected.as_ref().map_or(mask, |(corrected, _)| corrected.into());
    let found = bounding_box.size().iter().filter(|&&size| size > 1).count();
    if found == 0 || found < settings.minimum_roi_dimensions {
        return Err(RadiomicsError::TooFewDimensions { found, minimum: settings.minimum_roi_dimensions });
    }
    if let Some(minimum) = settings.minimum_roi_size {
        let voxels = voxel_count(region, label);
        if voxels <= minimum {
            return Err(RadiomicsError::TooFewVoxels { voxels, minimum });
        }
    }
    Ok(CheckedMask { corrected, bounding_box })
}

/// Checks that the box around the region on the mask's grid lies inside the image, within a thousandth of a voxel.
pub(crate) fn check_inside(image: &Geometry, mask: &Geometry, region: &VoxelBox) -> Result<()> {
    const TOLERANCE: f64 = 1e-3;
    let corner = |index: [usize; 3]| image.point_to_index(mask.index_to_point(index.map(|i| i as f64 - 0.5)));
    let (first, second) = (corner(region.start()), corner(region.end()));
    let lower: [f64; 3] = std::array::from_fn(|axis| first[axis].min(second[axis]));
    let upper: [f64; 3] = std::array::from_fn(|axis| first[axis].max(second[axis]));
    let size = image.size();
    let outside = |axis: usize| lower[axis] < -0.5 - TOLERANCE || upper[axis] > size[axis] as f64 - 0.5 + TOLERANCE;
    if (0..image.dimension()).any(outside) {
        return Err(RadiomicsError::RegionOutsideImage { lower, upper, size });
    }
    Ok(())
}

/// The mask without the region's voxels outside `range`, whose limits belong to it.
pub(crate) fn resegment(
    image: &Image,
    mask: &LabelMap,
    label: u32,
    range: &[f64],
    mode: ResegmentMode,
) -> Result<LabelMap> {
    let inside: Vec<f64> = with_volume!(image, volume => region_values(volume, mask, label));
    let mut limits = range.to_vec();
    limits.sort_by(f64::total_cmp);
    let limits: Vec<f64> = match mode {
        ResegmentMode::Absolute => limits,
        ResegmentMode::Relative => {
            let largest = inside.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            limits.into_iter().map(|part| largest * part).collect()
        }
        ResegmentMode::Sigma => {
            let mean = sum(&inside) / inside.len() as f64;
            let deviation = (sum_of(&inside, |x| (x - mean) * (x - mean)) / inside.len() as f64).sqrt();
            limits.into_iter().map(|factor| mean + deviation * factor).collect()
        }
    };
    // numpy compares a single-precision image with limits rounded to single precision.
    let rounded = |limit: f64| if image.pixel_type() == PixelType::F32 { f64::from(limit as f32) } else { limit };
    let (lower, upper) = (rounded(limits[0]), limits.get(1).map_or(f64::INFINITY, |&limit| rounded(limit)));
    let mut kept = inside.iter().map(|&value| (lower..=upper).contains(&value));
    let resegmented = mask.map(|&voxel| if voxel == label && kept.next().unwrap_or(false) { label } else { 0 });
    let voxels = voxel_count((&resegmented).into(), label);
    if voxels <= 1 { Err(RadiomicsError::Resegmented { voxels }) } else { Ok(resegmented) }
}

/// Values of the region's voxels, in raster order.
pub(crate) fn region_values<T: Voxel>(volume: &Volume<T>, mask: &LabelMap, label: u32) -> Vec<f64> {
    let voxels = volume.as_slice().iter().zip(mask.as_slice());
    voxels.filter(|(_, voxel)| **voxel == label).map(|(value, _)| value.to_f64()).collect()
}

/// Which voxels of a box have the label, in raster order.
pub(crate) fn region_mask(mask: MaskRef<'_>, label: u32, bounding_box: VoxelBox) -> Vec<bool> {
    let shape = mask.geometry().shape();
    with_labels!(mask, labels => bounding_box.cut_slice(labels.as_slice(), shape, |voxel| has_label(voxel, label)))
}

/// The voxels of a box that have the label, as runs along x in raster order of the box.
pub(crate) fn region_runs(mask: MaskRef<'_>, label: u32, bounding_box: VoxelBox) -> Vec<Range<usize>> {
    fn runs<L: Label>(mask: &Volume<L>, label: u32, bounding_box: VoxelBox) -> Vec<Range<usize>> {
        let Ok(label) = L::try_from(label) else { return Vec::new() };
        let rows = bounding_box.rows(mask.geometry().shape());
        runs_in_rows(rows.map(|row| &mask.as_slice()[row]), label)
    }
    with_labels!(mask, labels => runs(labels, label, bounding_box))
}

/// How many voxels have the label.
fn voxel_count(mask: MaskRef<'_>, label: u32) -> usize {
    with_labels!(mask, labels => labels.as_slice().iter().filter(|&&voxel| has_label(voxel, label)).count())
}

fn has_label<L: Label>(voxel: L, label: u32) -> bool {
    voxel.into() == label
}
