//! Image and mask as features are computed on them: normalised, resampled or cropped, checked and resegmented.

use std::borrow::Cow;

use alnm_imaging::mask::MaskRef;
use alnm_imaging::region::{VoxelBox, bounding_box as region_box, crop_image};
use alnm_imaging::resample::{RoiResamplingParams, resample_roi};
use alnm_imaging::{Image, LabelMap};

use crate::diagnostics::{self, Diagnostic, MaskStage};
use crate::error::{RadiomicsError, Result};
use crate::normalisation::normalise;
use crate::parameters::Settings;
use crate::region::{CheckedMask, check_inside, check_mask, resegment};
use crate::warning::Warning;

/// A mask as it was given, or as a step made it.
pub(crate) enum PreparedMask<'a> {
    Given(MaskRef<'a>),
    Made(Box<LabelMap>),
}

impl PreparedMask<'_> {
    pub(crate) fn borrowed(&self) -> MaskRef<'_> {
        match self {
            Self::Given(mask) => *mask,
            Self::Made(mask) => (&**mask).into(),
        }
    }

    pub(crate) fn into_label_map(self) -> LabelMap {
        match self {
            Self::Given(mask) => mask.widened().into_owned(),
            Self::Made(mask) => *mask,
        }
    }
}

/// Image and mask after all preparation.
pub(crate) struct Prepared<'a> {
    pub(crate) image: Cow<'a, Image>,
    pub(crate) mask: PreparedMask<'a>,
    /// The mask that shape is computed on, where it is another.
    pub(crate) shape_mask: Option<PreparedMask<'a>>,
    pub(crate) bounding_box: VoxelBox,
    /// What the steps made, where it is reported.
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Warning>,
}

/// Image and mask on the grid of the features.
struct OnGrid<'a> {
    image: Cow<'a, Image>,
    mask: PreparedMask<'a>,
    /// The box around the region.
    region: VoxelBox,
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<Warning>,
}

impl<'a> Prepared<'a> {
    /// Prepares the region that `label` marks, in the box `region` of the mask.
    pub(crate) fn new(
        image: &'a Image,
        mask: MaskRef<'a>,
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
            Ok(diagnostics::of_mask(MaskStage::Made { image: &image, mask }, label, stage)?.entries)
        };
        let CheckedMask { corrected, mut bounding_box } =
            check_mask(image.geometry(), mask.borrowed(), label, region, settings)?;
        if let Some((corrected, difference)) = corrected {
            warnings.push(Warning::MaskCorrected { difference: difference.to_string() });
            diagnostics.extend(described(&corrected, "corrected")?);
            mask = PreparedMask::Made(Box::new(corrected));
        }
        let mut shape_mask = None;
        if let Some(range) = &settings.resegment_range {
            let resegmented = resegment(&image, &mask.borrowed().widened(), label, range, settings.resegment_mode)?;
            let region = region_box(&resegmented, label)?;
            bounding_box = check_mask(image.geometry(), (&resegmented).into(), label, region, settings)?.bounding_box;
            diagnostics.extend(described(&resegmented, "resegmented")?);
            let before = std::mem::replace(&mut mask, PreparedMask::Made(Box::new(resegmented)));
            shape_mask = (!settings.resegment_shape).then_some(before);
        }
        Ok(Self { image, mask, shape_mask, bounding_box, diagnostics, warnings })
    }
}

/// Resamples or crops image and mask, as the settings ask for.
fn on_grid<'a>(
    image: Cow<'a, Image>,
    mask: MaskRef<'a>,
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
            let made = MaskStage::Made { image: &resampled.image, mask: &resampled.mask };
            let of_mask = diagnostics::of_mask(made, label, "interpolated")?;
            diagnostics.extend(of_mask.entries);
        }
        let region = region_box(&resampled.mask, label)?;
        let (image, mask) = (Cow::Owned(resampled.image), PreparedMask::Made(Box::new(resampled.mask)));
        return Ok(OnGrid { image, mask, region, diagnostics, warnings });
    }
    if !settings.pre_crop {
        return Ok(OnGrid { image, mask: PreparedMask::Given(mask), region, diagnostics, warnings });
    }
    let checked = check_mask(image.geometry(), mask, label, region, settings)?;
    let mut mask = PreparedMask::Given(mask);
    if let Some((corrected, difference)) = checked.corrected {
        mask = PreparedMask::Made(Box::new(corrected));
        warnings.push(Warning::MaskCorrected { difference: difference.to_string() });
    }
    let mask = mask.borrowed();
    let kept = checked.bounding_box.grown(settings.pad_distance, mask.geometry().size());
    let (image, mask) = (Cow::Owned(crop_image(&image, &kept)?), mask.cropped(&kept)?.into_label_map());
    let region = region_box(&mask, label)?;
    Ok(OnGrid { image, mask: PreparedMask::Made(Box::new(mask)), region, diagnostics, warnings })
}
