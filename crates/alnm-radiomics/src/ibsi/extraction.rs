//! From an image and a mask to features.

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{LabelMap, Volume, Voxel};
use rayon::prelude::*;
use serde::Serialize;

use super::diagnostics::{IbsiDiagnostics, ImageSummary, RegionSummary};
use super::error::{IbsiError, Result};
use super::feature::{Aggregation, IbsiFamily, IbsiFeature};
use super::intensity_volume_histogram::IntensityVolumeHistogram;
use super::interpolation::{centred_grid, interpolate_image, interpolate_mask};
use super::profile::IbsiProfile;
use super::region::{Mask, resegment};
use super::texture::Texture;
use super::{
    glcm, gldzm, glrlm, glszm, intensity_histogram, intensity_volume_histogram, local_intensity, morphology, ngldm,
    ngtdm, statistics,
};

/// Image and mask may differ by this much in mm.
const GEOMETRY_TOLERANCE: f64 = 1e-3;

/// The features of one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IbsiExtraction {
    /// The features, by family in the order of the profile, then by aggregation.
    pub features: Vec<IbsiFeature>,
    /// What image and region looked like on the way.
    pub diagnostics: IbsiDiagnostics,
}

/// A checked profile, which extracts features: what [`IbsiProfile::check`] gives. It can be shared between threads.
#[derive(Debug, Clone, PartialEq)]
pub struct IbsiExtractor {
    profile: IbsiProfile,
}

impl IbsiProfile {
    /// Checks every setting and gives the extractor for it.
    ///
    /// # Errors
    /// [`IbsiError::Setting`] with the first setting that is out of range.
    pub fn check(self) -> Result<IbsiExtractor> {
        self.check_settings()?;
        Ok(IbsiExtractor { profile: self })
    }
}

/// A region that is ready for its features.
struct PreparedRegion {
    image: Volume<f64>,
    morphological: Mask,
    intensity: Mask,
    diagnostics: IbsiDiagnostics,
}

impl IbsiExtractor {
    /// The profile.
    pub fn profile(&self) -> &IbsiProfile {
        &self.profile
    }

    /// The features of the voxels of `mask` that hold `label`.
    ///
    /// # Errors
    /// [`IbsiError::GeometryMismatch`], [`IbsiError::NonFiniteVoxel`], [`IbsiError::EmptyMask`] when the label does not
    /// occur or nothing of the region is left, [`IbsiError::NotALevel`] and [`IbsiError::TooManyLevels`] when
    /// intensities and discretisation do not go together, [`IbsiError::Image`] when a grid cannot be held.
    pub fn extract<T: Voxel>(&self, image: &Volume<T>, mask: &LabelMap, label: u32) -> Result<IbsiExtraction> {
        if let Some(difference) = image.geometry().difference(mask.geometry(), GEOMETRY_TOLERANCE) {
            return Err(IbsiError::GeometryMismatch(difference));
        }
        self.extract_doubles(image.map(|voxel| voxel.to_f64()), mask, label)
    }

    fn extract_doubles(&self, image: Volume<f64>, mask: &LabelMap, label: u32) -> Result<IbsiExtraction> {
        let prepared = self.prepare(image, mask, label)?;
        let features = self.features(&prepared)?;
        Ok(IbsiExtraction { features, diagnostics: prepared.diagnostics })
    }

    fn prepare(&self, image: Volume<f64>, mask: &LabelMap, label: u32) -> Result<PreparedRegion> {
        image.check_finite()?;
        let initial = Mask {
            shape: mask.geometry().shape(),
            voxels: mask.as_slice().iter().map(|&voxel| voxel == label).collect(),
        };
        if initial.count() == 0 {
            return Err(IbsiError::EmptyMask {
                mask: "given",
                step: "looking for the label",
                hint: "; choose a label that occurs",
            });
        }
        let initial_image = ImageSummary::new(&image);
        let initial_region = RegionSummary::new(&image, &initial, &initial);

        let (image, morphological) = self.interpolate(image, initial)?;
        let range = self.profile.resegmentation.range;
        let intensity = resegment(image.as_slice(), &morphological, range, self.profile.resegmentation.outliers)?;
        let diagnostics = IbsiDiagnostics {
            initial_image,
            interpolated_image: ImageSummary::new(&image),
            initial_region,
            interpolated_region: RegionSummary::new(&image, &morphological, &morphological),
            resegmented_region: RegionSummary::new(&image, &morphological, &intensity),
        };
        let image = self.filter(image, &morphological)?;
        Ok(PreparedRegion { image, morphological, intensity, diagnostics })
    }

    /// Image and region on the profile's grid, intensities rounded.
    fn interpolate(&self, image: Volume<f64>, initial: Mask) -> Result<(Volume<f64>, Mask)> {
        let Some(settings) = &self.profile.interpolation else { return Ok((self.rounded(image), initial)) };
        let grid = centred_grid(image.geometry(), settings.spacing)?;
        // The mask lies on the image's grid, within the tolerance.
        let mut parts = Volume::filled(image.geometry().clone(), 0.0);
        parts
            .as_mut_slice()
            .iter_mut()
            .zip(&initial.voxels)
            .for_each(|(part, inside)| *part = f64::from(u8::from(*inside)));
        let mask = interpolate_mask(&parts, &grid, settings.mask, settings.mask_threshold)?;
        if mask.count() == 0 {
            return Err(IbsiError::EmptyMask {
                mask: "morphological",
                step: "interpolation",
                hint: "; choose a smaller spacing",
            });
        }
        let image = interpolate_image(&image, &grid, settings.image)?;
        Ok((self.rounded(image), mask))
    }

    fn rounded(&self, image: Volume<f64>) -> Volume<f64> {
        if self.profile.round_intensities { image.map(|value| value.round()) } else { image }
    }

    /// The response of the filter in the box that features look at: local intensities reach beyond the region.
    fn filter(&self, image: Volume<f64>, morphological: &Mask) -> Result<Volume<f64>> {
        let Some(filter) = &self.profile.filter else { return Ok(image) };
        let shape = image.geometry().shape();
        let part = match morphological.bounding_box() {
            Some(bounds) if !self.profile.families.contains(&IbsiFamily::LocalIntensity) => {
                VoxelBox::from_ranges_zyx(bounds)
            }
            _ => VoxelBox::of_shape(shape),
        };
        let response = filter.response_in(&image, part)?;
        let mut filtered = Volume::filled(image.geometry().clone(), 0.0);
        let values = filtered.as_mut_slice();
        for (row, response) in part.rows(shape).zip(response.chunks_exact(part.size()[0])) {
            values[row].copy_from_slice(response);
        }
        Ok(filtered)
    }

    fn features(&self, prepared: &PreparedRegion) -> Result<Vec<IbsiFeature>> {
        let PreparedRegion { image, morphological, intensity, .. } = prepared;
        let [x, y, z] = image.geometry().spacing();
        let spacing = [z, y, x];
        let intensities = intensity.select(image.as_slice());
        // The range speaks of the image, not of a filter's response.
        let range = self.profile.resegmentation.range.filter(|_| self.profile.filter.is_none());
        let families = &self.profile.families;
        let needs_levels =
            families.iter().any(|family| *family == IbsiFamily::IntensityHistogram || is_texture(*family));
        let levels = match needs_levels {
            true => Some(self.profile.discretisation.levels(&intensities, range.and_then(|[lower, _]| lower))?),
            false => None,
        };
        let texture = match &levels {
            Some(levels) if families.iter().any(|family| is_texture(*family)) => {
                Some(Texture::new(intensity, &levels.levels, levels.count, morphological, &self.profile.aggregations)?)
            }
            _ => None,
        };
        let aggregated =
            |features: fn(&Texture, Aggregation) -> Vec<IbsiFeature>, has_directions: bool| -> Vec<IbsiFeature> {
                let Some(texture) = &texture else { return Vec::new() };
                let methods =
                    self.profile.aggregations.par_iter().filter(|method| method.has_directions() == has_directions);
                methods.map(|&method| features(texture, method)).collect::<Vec<_>>().concat()
            };
        let family = |family: &IbsiFamily| -> Result<Vec<IbsiFeature>> {
            Ok(match family {
                IbsiFamily::Morphology => morphology::features(image.as_slice(), morphological, intensity, spacing),
                IbsiFamily::LocalIntensity => local_intensity::features(image.as_slice(), intensity, spacing),
                IbsiFamily::Statistics => statistics::features(&intensities),
                IbsiFamily::IntensityHistogram => {
                    levels.as_ref().map(intensity_histogram::features).unwrap_or_default()
                }
                IbsiFamily::IntensityVolumeHistogram => {
                    let histogram =
                        IntensityVolumeHistogram::new(&intensities, self.profile.ivh_discretisation, range)?;
                    intensity_volume_histogram::features(&histogram)
                }
                IbsiFamily::Glcm => aggregated(glcm::features, true),
                IbsiFamily::Glrlm => aggregated(glrlm::features, true),
                IbsiFamily::Glszm => aggregated(glszm::features, false),
                IbsiFamily::Gldzm => aggregated(gldzm::features, false),
                IbsiFamily::Ngtdm => aggregated(ngtdm::features, false),
                IbsiFamily::Ngldm => aggregated(ngldm::features, false),
            })
        };
        let features: Vec<Result<Vec<IbsiFeature>>> = families.par_iter().map(family).collect();
        Ok(features.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }
}

/// Whether a family's features come from grey levels and their neighbours.
const fn is_texture(family: IbsiFamily) -> bool {
    matches!(
        family,
        IbsiFamily::Glcm
            | IbsiFamily::Glrlm
            | IbsiFamily::Glszm
            | IbsiFamily::Gldzm
            | IbsiFamily::Ngtdm
            | IbsiFamily::Ngldm
    )
}
