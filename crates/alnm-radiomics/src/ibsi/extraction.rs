//! From an image and a region to features, stage by stage: prepared, discretised, counted and evaluated.

use std::borrow::Cow;

use alnm_imaging::region::{VoxelBox, bounding_box, labels};
use alnm_imaging::{Geometry, Image, LabelMap, Volume, Voxel};
use ndarray::Array3;

use super::definition::{Aggregation, IbsiDefinition, IbsiFamily};
use super::diagnostics::{ImageSummary, RegionSummary, StageSummaries};
use super::discretisation::{IbsiDiscretisation, Levels};
use super::intensity_volume_histogram::IntensityVolumeHistogram;
use super::interpolation::{centred_grid, interpolate_image, interpolate_mask};
use super::profile::IbsiProfile;
use super::region::{Mask, resegment};
use super::texture::{FamilyFeatures, Texture};
use super::{intensity_histogram, intensity_volume_histogram, local_intensity, morphology};
use crate::diagnostics::separate_parts;
use crate::error::{RadiomicsError, Result};
use crate::feature::{FeatureId, FeatureValue};
use crate::filter::box_values;
use crate::first_order::{self, FirstOrder};
use crate::ibsi::evaluation::evaluate;
use crate::image_features::suggested_width;
use crate::warning::{USUAL_BINS, Warning};

/// Image and mask may differ by this much in mm.
const GEOMETRY_TOLERANCE: f64 = 1e-3;

/// The image whose features the profile has, in warnings, progress and files.
pub(crate) const IBSI_IMAGE: &str = "ibsi";

/// Image and mask on the profile's grid.
struct OnGrid<'a> {
    image: Cow<'a, Image>,
    mask: Cow<'a, LabelMap>,
    /// What they looked like before and after.
    images: [ImageSummary; 2],
    regions: [RegionSummary; 2],
    /// Separate parts of the region before.
    components: usize,
}

impl OnGrid<'_> {
    /// (z, y, x) in mm.
    fn spacing(&self) -> [f64; 3] {
        let [x, y, z] = self.image.geometry().spacing();
        [z, y, x]
    }
}

/// A region after interpolation, resegmentation and filter, in a box.
pub(crate) struct PreparedRegion {
    /// Grey values of the box, or the filter's response in it.
    pub(super) image: Vec<f64>,
    pub(super) morphological: Mask,
    pub(super) intensity: Mask,
    /// (z, y, x) in mm.
    pub(super) spacing: [f64; 3],
    /// The box in physical space.
    pub(crate) geometry: Geometry,
    /// What image and region looked like on the way.
    pub(crate) summaries: StageSummaries,
}

/// The intensities of a region and their grey levels.
pub(crate) struct DiscretisedRegion {
    /// Of the intensity mask, in raster order.
    intensities: Vec<f64>,
    /// `None` where no family needs them.
    pub(super) levels: Option<Levels>,
}

/// What features are computed from, in the box that they look at.
pub(super) struct RegionContent {
    /// Grey values of the box.
    pub(super) image: Vec<f64>,
    pub(super) morphological: Mask,
    pub(super) intensity: Mask,
    /// (z, y, x) in mm.
    pub(super) spacing: [f64; 3],
    /// Of the intensity mask, in raster order.
    pub(super) intensities: Vec<f64>,
    /// `None` where no family needs them.
    pub(super) levels: Option<Levels>,
}

/// The images that the profile's features are computed on.
pub(crate) struct IbsiImages {
    /// After interpolation and rounding.
    pub(crate) image: Image,
    /// The morphological mask on the same grid.
    pub(crate) mask: LabelMap,
    /// The response of the filter, where there is one.
    pub(crate) response: Option<Volume<f64>>,
    /// Grey levels, 0 outside the intensity mask, where a family has them.
    pub(crate) levels: Option<Volume<u32>>,
}

impl IbsiProfile {
    /// The region that `label` marks, ready for its features.
    ///
    /// # Errors
    /// [`RadiomicsError::GeometryMismatch`], [`RadiomicsError::NonFiniteVoxel`], [`RadiomicsError::LabelAbsent`],
    /// [`RadiomicsError::EmptyMask`] when nothing of the region is left, [`RadiomicsError::Image`] when a grid cannot
    /// be held.
    pub(crate) fn prepare(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<PreparedRegion> {
        let on_grid = self.on_grid(image, mask, label)?;
        let part = self.box_of_features(&on_grid.mask, label, on_grid.spacing())?;
        self.prepare_in(&on_grid, label, part)
    }

    /// The images that features are computed on.
    ///
    /// # Errors
    /// As [`IbsiProfile::prepare`] and [`IbsiProfile::discretise`].
    pub(crate) fn images(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<IbsiImages> {
        let on_grid = self.on_grid(image, mask, label)?;
        let shape = on_grid.image.geometry().shape();
        let whole = VoxelBox::from_ranges_zyx(shape.map(|n| 0..n));
        let prepared = self.prepare_in(&on_grid, label, whole)?;
        let levels = self.discretise(&prepared)?.levels.map(|levels| {
            let mut remaining = levels.levels.into_iter();
            let level = |&inside: &bool| if inside { remaining.next().unwrap_or(0) } else { 0 };
            prepared.intensity.voxels.iter().map(level).collect::<Vec<u32>>()
        });
        let PreparedRegion { image: response, geometry, .. } = prepared;
        let response = self.filter.is_some().then(|| on_box(response, geometry.clone())).transpose()?;
        let levels = levels.map(|levels| on_box(levels, geometry)).transpose()?;
        let OnGrid { image, mask, .. } = on_grid;
        Ok(IbsiImages { image: image.into_owned(), mask: mask.into_owned(), response, levels })
    }

    /// Image and mask on the profile's grid, checked before.
    fn on_grid<'a>(&self, image: &'a Image, mask: &'a LabelMap, label: u32) -> Result<OnGrid<'a>> {
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
        Ok(OnGrid {
            image: interpolated,
            mask: interpolated_mask,
            images: [initial_image, interpolated_image],
            regions: [initial_region, interpolated_region],
            components: separate_parts(mask, label)?,
        })
    }

    /// The region in a box of the profile's grid, ready for its features.
    fn prepare_in(&self, on_grid: &OnGrid<'_>, label: u32, part: VoxelBox) -> Result<PreparedRegion> {
        let OnGrid { image: interpolated, mask: interpolated_mask, .. } = on_grid;
        let geometry = interpolated.geometry();
        let morphological = Mask {
            shape: part.shape(),
            voxels: part.cut_slice(interpolated_mask.as_slice(), geometry.shape(), |voxel| voxel == label),
        };
        let values = box_values(interpolated, part);
        let intensity = resegment(&values, &morphological, self.resegmentation.range, self.resegmentation.outliers)?;
        let resegmented_region = RegionSummary::of_masks(&values, &morphological, &intensity);
        let image = match &self.filter {
            Some(filter) => {
                drop(values);
                filter.response_in(&interpolated.cast::<f64>(), part)?
            }
            None => values,
        };
        let [initial_image, interpolated_image] = on_grid.images.clone();
        let [initial_region, interpolated_region] = on_grid.regions.clone();
        let summaries = StageSummaries {
            initial_image,
            interpolated_image,
            initial_region,
            interpolated_region,
            resegmented_region,
            components: on_grid.components,
        };
        let (spacing, geometry) = (on_grid.spacing(), geometry.part(&part)?);
        Ok(PreparedRegion { image, morphological, intensity, spacing, geometry, summaries })
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

    /// The intensities of a prepared region and their levels.
    ///
    /// # Errors
    /// [`RadiomicsError::NotALevel`] and [`RadiomicsError::TooManyLevels`] when intensities and discretisation do not
    /// go together.
    pub(crate) fn discretise(&self, prepared: &PreparedRegion) -> Result<DiscretisedRegion> {
        let intensities = prepared.intensity.select(&prepared.image);
        let needs_levels = |family: &IbsiFamily| *family == IbsiFamily::IntensityHistogram || family.is_texture();
        let lower = self.intensity_range().and_then(|[lower, _]| lower);
        let levels = match self.families.iter().any(needs_levels) {
            true => Some(self.discretisation.levels(&intensities, lower)?),
            false => None,
        };
        Ok(DiscretisedRegion { intensities, levels })
    }

    /// What is worth knowing about a region, as the profile of PyRadiomics tells it.
    pub(crate) fn warnings(&self, prepared: &PreparedRegion, discretised: &DiscretisedRegion) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let components = prepared.summaries.components;
        if components > 1 {
            warnings.push(Warning::SeveralComponents { count: components });
        }
        let is_textured = self.families.iter().any(|family| family.is_texture());
        // Without discretisation the levels are those of the image, which nobody chose here.
        let is_chosen = self.discretisation != IbsiDiscretisation::None;
        if let Some(levels) = discretised.levels.as_ref().filter(|_| is_textured && is_chosen) {
            let bins = levels.bins();
            let has_width = matches!(self.discretisation, IbsiDiscretisation::FixedBinSize(_));
            if !USUAL_BINS.contains(&bins) {
                warnings.push(Warning::UnusualBinNumber {
                    image: IBSI_IMAGE.to_owned(),
                    bins,
                    setting: "fixed_bin_size",
                    suggested_width: has_width
                        .then(|| suggested_width(first_order::extremes(&discretised.intensities))),
                });
            }
        }
        warnings
    }

    /// The features of a prepared region with its levels, by family in the order of the profile, then by aggregation.
    ///
    /// # Errors
    /// [`RadiomicsError::TooManyLevels`] when more different levels occur than matrices can hold.
    pub(crate) fn features(
        &self,
        prepared: PreparedRegion,
        discretised: DiscretisedRegion,
    ) -> Result<Vec<FeatureValue>> {
        let DiscretisedRegion { intensities, levels } = discretised;
        let PreparedRegion { image, morphological, intensity, spacing, .. } = prepared;
        self.features_of(RegionContent { image, morphological, intensity, spacing, intensities, levels })
    }

    /// As [`IbsiProfile::features`].
    pub(super) fn features_of(&self, content: RegionContent) -> Result<Vec<FeatureValue>> {
        let RegionContent { image, morphological, intensity, spacing, intensities, levels } = content;
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

/// Values in a box as an image.
fn on_box<T: Voxel>(values: Vec<T>, geometry: Geometry) -> Result<Volume<T>> {
    let shape = geometry.shape();
    let values = Array3::from_shape_vec(shape, values).map_err(|_| RadiomicsError::RegionTooLarge { shape })?;
    Ok(Volume::new(values, geometry)?)
}
