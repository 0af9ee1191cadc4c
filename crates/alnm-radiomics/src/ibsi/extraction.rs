//! From an image and a region to features, stage by stage: prepared, discretised, counted and evaluated.

use std::borrow::Cow;

use alnm_imaging::region::{VoxelBox, bounding_box, labels};
use alnm_imaging::{Image, LabelMap, Volume};

use super::definition::{Aggregation, IbsiDefinition, IbsiFamily};
use super::diagnostics::{ImageSummary, RegionSummary, StageSummaries};
use super::discretisation::Levels;
use super::intensity_volume_histogram::IntensityVolumeHistogram;
use super::interpolation::{centred_grid, interpolate_image, interpolate_mask};
use super::profile::IbsiProfile;
use super::region::{Mask, resegment};
use super::texture::Texture;
use super::{intensity_histogram, intensity_volume_histogram, local_intensity, morphology};
use crate::error::{RadiomicsError, Result};
use crate::feature::{FeatureId, FeatureValue};
use crate::filter::box_values;
use crate::first_order::{self, FirstOrder};
use crate::ibsi::evaluation::evaluate;

/// Image and mask may differ by this much in mm.
const GEOMETRY_TOLERANCE: f64 = 1e-3;

/// A region after interpolation, resegmentation and filter, in the box that its features look at.
pub(crate) struct PreparedRegion {
    /// Grey values of the box, or the filter's response in it.
    image: Vec<f64>,
    morphological: Mask,
    intensity: Mask,
    /// (z, y, x) in mm.
    spacing: [f64; 3],
    /// What image and region looked like on the way.
    pub(crate) summaries: StageSummaries,
}

/// The intensities of a region and their grey levels.
struct DiscretisedRegion {
    /// Of the intensity mask, in raster order.
    intensities: Vec<f64>,
    /// `None` where no family needs them.
    levels: Option<Levels>,
}

/// The features of one family.
#[derive(Debug)]
pub(crate) struct FamilyFeatures {
    pub(crate) family: IbsiFamily,
    pub(crate) features: Vec<FeatureValue>,
}

impl IbsiProfile {
    /// The region that `label` marks, ready for its features.
    ///
    /// # Errors
    /// [`RadiomicsError::GeometryMismatch`], [`RadiomicsError::NonFiniteVoxel`], [`RadiomicsError::LabelAbsent`],
    /// [`RadiomicsError::EmptyMask`] when nothing of the region is left, [`RadiomicsError::Image`] when a grid cannot be
    /// held.
    pub(crate) fn prepare(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<PreparedRegion> {
        if let Some(difference) = image.geometry().difference(mask.geometry(), GEOMETRY_TOLERANCE) {
            return Err(RadiomicsError::GeometryMismatch(difference));
        }
        image.check_finite()?;
        if label == 0 || !mask.as_slice().contains(&label) {
            return Err(RadiomicsError::LabelAbsent { label, present: labels(mask, 16) });
        }
        let initial_image = ImageSummary::new(image);
        let initial_region = RegionSummary::of_label(image, mask, label)?;
        let (interpolated, interpolated_mask) = self.interpolate(image, mask, label)?;
        let is_unchanged = matches!(interpolated, Cow::Borrowed(_)) && matches!(interpolated_mask, Cow::Borrowed(_));
        let (interpolated_image, interpolated_region) = if is_unchanged {
            (initial_image.clone(), initial_region.clone())
        } else {
            (ImageSummary::new(&interpolated), RegionSummary::of_label(&interpolated, &interpolated_mask, label)?)
        };

        let geometry = interpolated.geometry();
        let [x, y, z] = geometry.spacing();
        let spacing = [z, y, x];
        let part = self.box_of_features(&interpolated_mask, label, spacing)?;
        let morphological = Mask {
            shape: part.shape(),
            voxels: part.cut_slice(interpolated_mask.as_slice(), geometry.shape(), |voxel| voxel == label),
        };
        let values = box_values(&interpolated, part);
        let intensity = resegment(&values, &morphological, self.resegmentation.range, self.resegmentation.outliers)?;
        let resegmented_region = RegionSummary::of_masks(&values, &morphological, &intensity);
        let image = match &self.filter {
            Some(filter) => {
                drop(values);
                filter.response_in(&interpolated.cast::<f64>(), part)?
            }
            None => values,
        };
        let summaries = StageSummaries {
            initial_image,
            interpolated_image,
            initial_region,
            interpolated_region,
            resegmented_region,
        };
        Ok(PreparedRegion { image, morphological, intensity, spacing, summaries })
    }

    /// Image and mask on the profile's grid, intensities rounded.
    fn interpolate<'a>(
        &self,
        image: &'a Image,
        mask: &'a LabelMap,
        label: u32,
    ) -> Result<(Cow<'a, Image>, Cow<'a, LabelMap>)> {
        let Some(settings) = &self.interpolation else {
            let image = if self.round_intensities {
                Cow::Owned(Image::F64(image.cast::<f64>().map(|value| value.round())))
            } else {
                Cow::Borrowed(image)
            };
            return Ok((image, Cow::Borrowed(mask)));
        };
        let grid = centred_grid(image.geometry(), settings.spacing)?;
        // The mask lies on the image's grid, within the tolerance.
        let parts = mask.data().map(|&voxel| f64::from(u8::from(voxel == label)));
        let parts = Volume::new(parts, image.geometry().clone())?;
        let interpolated_mask = interpolate_mask(&parts, label, &grid, settings.mask, settings.mask_threshold)?;
        if !interpolated_mask.as_slice().contains(&label) {
            return Err(RadiomicsError::EmptyMask {
                mask: "morphological",
                step: "interpolation",
                hint: "choose a smaller spacing",
            });
        }
        let interpolated = interpolate_image(&image.cast::<f64>(), &grid, settings.image)?;
        let rounded = if self.round_intensities { interpolated.map(|value| value.round()) } else { interpolated };
        Ok((Cow::Owned(Image::F64(rounded)), Cow::Owned(interpolated_mask)))
    }

    /// The box that features look at: local intensities reach beyond the region.
    fn box_of_features(&self, mask: &LabelMap, label: u32, spacing: [f64; 3]) -> Result<VoxelBox> {
        let region = bounding_box(mask, label)?;
        if !self.families.contains(&IbsiFamily::LocalIntensity) {
            return Ok(region);
        }
        let (shape, reach) = (mask.geometry().shape(), local_intensity::reach(spacing));
        let ranges = region.ranges_zyx();
        Ok(VoxelBox::from_ranges_zyx(std::array::from_fn(|axis| {
            let range = &ranges[axis];
            range.start.saturating_sub(reach[axis])..range.end.saturating_add(reach[axis]).min(shape[axis])
        })))
    }

    /// The limits of resegmentation; they speak of the image, not of a filter's response.
    fn intensity_range(&self) -> Option<[Option<f64>; 2]> {
        self.resegmentation.range.filter(|_| self.filter.is_none())
    }

    fn discretise(&self, prepared: &PreparedRegion) -> Result<DiscretisedRegion> {
        let intensities = prepared.intensity.select(&prepared.image);
        let needs_levels = |family: &IbsiFamily| *family == IbsiFamily::IntensityHistogram || family.is_texture();
        let lower = self.intensity_range().and_then(|[lower, _]| lower);
        let levels = match self.families.iter().any(needs_levels) {
            true => Some(self.discretisation.levels(&intensities, lower)?),
            false => None,
        };
        Ok(DiscretisedRegion { intensities, levels })
    }

    /// The features of a prepared region, by family in the order of the profile, then by aggregation.
    ///
    /// # Errors
    /// [`RadiomicsError::NotALevel`] and [`RadiomicsError::TooManyLevels`] when intensities and discretisation do not go
    /// together.
    pub(crate) fn features(&self, prepared: PreparedRegion) -> Result<Vec<FeatureValue>> {
        let DiscretisedRegion { intensities, levels } = self.discretise(&prepared)?;
        let PreparedRegion { image, morphological, intensity, spacing, .. } = prepared;
        // Families that look at levels or at the image come first, so that neither is in memory when shape is computed.
        let (of_levels, of_image) = rayon::join(
            || self.level_features(levels, &intensity, &morphological),
            || self.of_family(IbsiFamily::LocalIntensity, || local_intensity::features(&image, &intensity, spacing)),
        );
        drop(image);
        let (of_shape, of_intensities) = rayon::join(
            || {
                self.of_family(IbsiFamily::Morphology, || {
                    morphology::features(&intensities, &morphological, &intensity, spacing)
                })
            },
            || self.intensity_features(&intensities),
        );
        let computed: Vec<FamilyFeatures> =
            of_image.into_iter().chain(of_shape).chain(of_levels?).chain(of_intensities?).collect();
        let of_family = |wanted: &IbsiFamily| {
            let found = computed.iter().find(|of| of.family == *wanted);
            found.map(|of| of.features.clone()).unwrap_or_default()
        };
        Ok(self.families.iter().flat_map(of_family).collect())
    }

    /// What `features` gives for a family, where it is asked for.
    fn of_family(&self, family: IbsiFamily, features: impl FnOnce() -> Vec<FeatureValue>) -> Option<FamilyFeatures> {
        self.families.contains(&family).then(|| FamilyFeatures { family, features: features() })
    }

    /// The features of the families that come from grey levels.
    fn level_features(
        &self,
        levels: Option<Levels>,
        intensity: &Mask,
        morphological: &Mask,
    ) -> Result<Vec<FamilyFeatures>> {
        let Some(levels) = levels else { return Ok(Vec::new()) };
        let histogram = self.of_family(IbsiFamily::IntensityHistogram, || intensity_histogram::features(&levels));
        let mut features: Vec<FamilyFeatures> = histogram.into_iter().collect();
        if self.families.iter().any(|family| family.is_texture()) {
            let texture = Texture::new(intensity, &levels, morphological, &self.aggregations)?;
            drop(levels);
            features.extend(texture.features(&self.families, &self.aggregations));
        }
        Ok(features)
    }

    /// The features of the families that come from the distribution of the intensities.
    fn intensity_features(&self, intensities: &[f64]) -> Result<Vec<FamilyFeatures>> {
        let mut features = Vec::new();
        features.extend(self.of_family(IbsiFamily::Statistics, || {
            let distribution = FirstOrder::without_rounded_spread(intensities.to_vec());
            evaluate(IbsiFamily::Statistics, first_order::FORMULAS, &distribution)
        }));
        if self.families.contains(&IbsiFamily::IntensityVolumeHistogram) {
            let histogram =
                IntensityVolumeHistogram::new(intensities, self.ivh_discretisation, self.intensity_range())?;
            features.extend(
                self.of_family(IbsiFamily::IntensityVolumeHistogram, || {
                    intensity_volume_histogram::features(&histogram)
                }),
            );
        }
        Ok(features)
    }

    /// What the features are called, in the order of an extraction.
    pub(crate) fn feature_ids(&self) -> Vec<FeatureId> {
        let of_method = |definitions: &[IbsiDefinition], aggregation: Option<Aggregation>| -> Vec<FeatureId> {
            definitions.iter().map(|&feature| FeatureId::Ibsi { feature, aggregation }).collect()
        };
        let of_family = |family: &IbsiFamily| -> Vec<FeatureId> {
            if !family.is_texture() {
                return of_method(family.definitions(), None);
            }
            let known = self.aggregations.iter().filter(|method| family.knows(**method));
            known.flat_map(|&method| of_method(family.definitions(), Some(method))).collect()
        };
        self.families.iter().flat_map(of_family).collect()
    }
}
