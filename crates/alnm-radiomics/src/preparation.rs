//! Image and mask as features are computed on them: normalised, resampled or cropped, checked and resegmented.

use std::borrow::Cow;

use alnm_imaging::region::{VoxelBox, bounding_box as region_box, crop, crop_image};
use alnm_imaging::resample::{RoiResamplingParams, resample_roi};
use alnm_imaging::{Image, LabelMap};

use crate::diagnostics::{self, Diagnostic, MaskStage};
use crate::error::{RadiomicsError, Result};
use crate::normalisation::normalise;
use crate::parameters::Settings;
use crate::region::{CheckedMask, check_inside, check_mask, resegment};
use crate::warning::Warning;

/// Image and mask after all preparation.
pub(crate) struct Prepared<'a> {
    pub(crate) image: Cow<'a, Image>,
    pub(crate) mask: Cow<'a, LabelMap>,
    /// The mask that shape is computed on, where it is another.
    pub(crate) shape_mask: Option<Cow<'a, LabelMap>>,
    pub(crate) bounding_box: VoxelBox,
    /// What the steps made, where it is reported.
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Warning>,
}

/// Image and mask on the grid of the features.
struct OnGrid<'a> {
    image: Cow<'a, Image>,
    mask: Cow<'a, LabelMap>,
    /// The box around the region.
    region: VoxelBox,
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<Warning>,
}

impl<'a> Prepared<'a> {
    /// Prepares the region that `label` marks, in the box `region` of the mask.
    pub(crate) fn new(
        image: &'a Image,
        mask: &'a LabelMap,
        label: u32,
        region: VoxelBox,
        settings: &Settings,
    ) -> Result<Self> {
        let image = if settings.normalize {
            Cow::Owned(normalise(image, settings.normalize_scale, settings.remove_outliers)?)
        } else {
            Cow::Borrowed(image)
        };
        let OnGrid { image, mut mask, region, mut diagnostics, mut warnings } =
            on_grid(image, mask, label, region, settings)?;
        let described = |mask: &LabelMap, stage: &str| -> Result<Vec<Diagnostic>> {
            if !settings.additional_info {
                return Ok(Vec::new());
            }
            Ok(diagnostics::of_mask(MaskStage::Made { image: &image }, mask, label, stage)?.entries)
        };
        let CheckedMask { corrected, mut bounding_box } = check_mask(image.geometry(), &mask, label, region, settings)?;
        if let Some((corrected, difference)) = corrected {
            warnings.push(Warning::MaskCorrected { difference: difference.to_string() });
            diagnostics.extend(described(&corrected, "corrected")?);
            mask = Cow::Owned(corrected);
        }
        let mut shape_mask = None;
        if let Some(range) = &settings.resegment_range {
            let resegmented = resegment(&image, &mask, label, range, settings.resegment_mode)?;
            let region = region_box(&resegmented, label)?;
            bounding_box = check_mask(image.geometry(), &resegmented, label, region, settings)?.bounding_box;
            diagnostics.extend(described(&resegmented, "resegmented")?);
            let before = std::mem::replace(&mut mask, Cow::Owned(resegmented));
            shape_mask = (!settings.resegment_shape).then_some(before);
        }
        Ok(Self { image, mask, shape_mask, bounding_box, diagnostics, warnings })
    }
}

/// Resamples or crops image and mask, as the settings ask for.
fn on_grid<'a>(
    image: Cow<'a, Image>,
    mask: &'a LabelMap,
    label: u32,
    region: VoxelBox,
    settings: &Settings,
) -> Result<OnGrid<'a>> {
    let (mut diagnostics, mut warnings) = (Vec::new(), Vec::new());
    if let (Some(interpolator), Some(spacing)) = (settings.interpolator, &settings.resampled_pixel_spacing) {
        let dimension = mask.geometry().dimension();
        if spacing.len() != dimension {
            return Err(RadiomicsError::SpacingLength { found: spacing.len(), expected: dimension });
        }
        check_inside(image.geometry(), mask.geometry(), &region)?;
        let spacing = std::array::from_fn(|axis| spacing.get(axis).copied().unwrap_or(0.0));
        let resampling =
            RoiResamplingParams::new(spacing).with_interpolator(interpolator).with_pad_distance(settings.pad_distance);
        let resampled = resample_roi(&image, mask, label, &resampling)?;
        if settings.additional_info {
            diagnostics.extend(diagnostics::of_image(&resampled.image, "interpolated", None));
            let made = MaskStage::Made { image: &resampled.image };
            let of_mask = diagnostics::of_mask(made, &resampled.mask, label, "interpolated")?;
            diagnostics.extend(of_mask.entries);
        }
        let region = region_box(&resampled.mask, label)?;
        let (image, mask) = (Cow::Owned(resampled.image), Cow::Owned(resampled.mask));
        return Ok(OnGrid { image, mask, region, diagnostics, warnings });
    }
    let mut mask = Cow::Borrowed(mask);
    if !settings.pre_crop {
        return Ok(OnGrid { image, mask, region, diagnostics, warnings });
    }
    let checked = check_mask(image.geometry(), &mask, label, region, settings)?;
    if let Some((corrected, difference)) = checked.corrected {
        mask = Cow::Owned(corrected);
        warnings.push(Warning::MaskCorrected { difference: difference.to_string() });
    }
    let kept = checked.bounding_box.grown(settings.pad_distance, mask.geometry().size());
    let (image, mask) = (Cow::Owned(crop_image(&image, &kept)?), crop(&mask, &kept)?);
    let region = region_box(&mask, label)?;
    Ok(OnGrid { image, mask: Cow::Owned(mask), region, diagnostics, warnings })
}
