//! From an image, a mask and parameters to features.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alnm_imaging::mask::MaskRef;
use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use ndarray::Array3;
use rayon::prelude::*;
use serde::Serialize;

use crate::derived_image::{DerivedImage, DerivedImages, derive, fixed_axis, image_names};
use crate::diagnostics::{self, Diagnostic, MaskStage};
use crate::error::{RadiomicsError, Result};
use crate::feature::{FeatureClass, FeatureId, FeatureValue, Selection};
use crate::ibsi::{self, IBSI_IMAGE, IbsiProfile, PreparedRegion};
use crate::image_features::{BoxedRegion, ImageFeatures, image_features};
use crate::level_map::runs;
use crate::parameters::{ImageTypeParameters, Parameters, Settings};
use crate::preparation::Prepared;
use crate::region::{check_label, region_mask};
use crate::shape_features::ShapeFeatures;
use crate::voxel_hash::voxel_hashes;
use crate::warning::Warning;

/// The features of one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Extraction {
    /// The features: those of PyRadiomics in the order of its columns, then those of the IBSI by family and aggregation
    /// in the order of the profile.
    pub features: Vec<FeatureValue>,
    /// What each profile reports about image and mask; empty when `additionalInfo` is off.
    pub diagnostics: Vec<Diagnostic>,
    /// What is worth knowing about the result but did not stop the extraction.
    pub warnings: Vec<Warning>,
}

impl Extraction {
    /// The value of the feature of that name; see [`FeatureId::name`](crate::FeatureId::name).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.features.iter().find(|feature| feature.id.name() == name).map(|feature| feature.value)
    }
}

/// The progress of an extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageProgress<'a> {
    /// The image whose features are computed, such as `wavelet-LLH`; `ibsi` for all of the IBSI profile.
    pub image: &'a str,
    /// How many images are done.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// The images that features are computed on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FilteredImages {
    /// The image after normalisation, resampling and cropping.
    pub image: Image,
    /// The mask on the same grid, corrected and resegmented.
    pub mask: LabelMap,
    /// The derived images by name, in the order of the columns. Values of LBP3D outside the region are 0. In the IBSI
    /// profile the response of the filter, called `ibsi`, where there is one.
    pub filtered: Vec<(String, Volume<f64>)>,
    /// The grey levels of each image that features are computed on, by its name: from 1, and 0 outside the region.
    pub discretised: Vec<(String, Volume<u32>)>,
}

/// Extracts features as PyRadiomics does with the same parameters, or as the reference manual of the IBSI defines them
/// ([`IbsiProfile`]), or both: each profile from the image and the mask as they are given.
///
/// The steps of the profile of PyRadiomics, in this order: the label is checked, the image normalised, image and mask
/// resampled or cropped (`resampledPixelSpacing`, `preCrop`), the mask checked (`correctMask`) and resegmented; shape
/// is computed; the image types are derived, each cut to the box around the region, discretised, and its features
/// computed.
///
/// An extractor holds nothing but its parameters: it can be shared between threads, and the same input gives the same
/// bits at any number of threads.
///
/// ```
/// use alnm_imaging::{Geometry, Image, Volume};
/// use alnm_radiomics::{Extractor, Parameters};
/// # use ndarray::Array3;
/// let geometry = Geometry::axis_aligned([6, 6, 6], [1.0, 1.0, 2.0])?;
/// let image = Array3::from_shape_fn([6, 6, 6], |(z, y, x)| (40 * z + 15 * y + 7 * x) as i16);
/// let mask = Array3::from_shape_fn([6, 6, 6], |(z, y, x)| u32::from((1..5).contains(&z) && (1..5).contains(&y) && x > 1));
/// let image = Image::I16(Volume::new(image, geometry.clone())?);
/// let mask = Volume::new(mask, geometry)?;
///
/// let extraction = Extractor::new(Parameters::default()).execute(&image, &mask, 1)?;
/// assert_eq!(extraction.features.len(), 107);
/// assert_eq!(extraction.value("original_shape_VoxelVolume"), Some(128.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Extractor {
    parameters: Parameters,
}

/// The region in the box that derived images are cut to.
pub(crate) struct Stage<'a> {
    prepared: Prepared<'a>,
    /// The box around the region.
    part: VoxelBox,
    /// Which voxels of the box belong to the region.
    inside: Vec<bool>,
    /// The same as runs along x.
    runs: Vec<Range<usize>>,
    pub(crate) box_geometry: Geometry,
}

impl<'a> Stage<'a> {
    /// The box around a prepared region with `margin` voxels more on each side.
    fn new(prepared: Prepared<'a>, label: u32, margin: usize) -> Result<Self> {
        let geometry = prepared.image.geometry();
        let part = prepared.bounding_box.grown(margin, geometry.size());
        let inside = region_mask(prepared.mask.borrowed(), label, part);
        let box_geometry = geometry.part(&part)?;
        let runs = runs(&inside, part.shape());
        Ok(Self { prepared, part, inside, runs, box_geometry })
    }

    /// The region in its box.
    pub(crate) fn region(&self, settings: &Settings) -> BoxedRegion<'_> {
        let [x, y, z] = self.box_geometry.spacing();
        let dimension = self.box_geometry.dimension();
        BoxedRegion {
            inside: &self.inside,
            runs: &self.runs,
            shape: self.box_geometry.shape(),
            spacing: [z, y, x],
            voxel_volume: self.box_geometry.spacing()[..dimension].iter().product(),
            fixed_axis: fixed_axis(settings, dimension),
        }
    }

    /// The grey levels of a derived image, 0 outside the region.
    fn levels(&self, image: &DerivedImage, settings: &Settings) -> Result<Vec<u32>> {
        let values = image.values.doubles();
        let values: Vec<f64> = self.runs.iter().flat_map(|run| &values[run.clone()]).copied().collect();
        let discretised = settings.binning().discretise(&values, image.single_precision)?;
        let mut levels = vec![0; self.inside.len()];
        let mut remaining = discretised.levels.as_slice();
        for run in &self.runs {
            let (of_run, later) = remaining.split_at(run.len());
            levels[run.clone()].copy_from_slice(of_run);
            remaining = later;
        }
        Ok(levels)
    }
}

/// An extraction up to the derived images.
pub(crate) struct Derived<'a> {
    pub(crate) stage: Stage<'a>,
    pub(crate) images: Vec<(DerivedImage, &'a Settings)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Warning>,
}

/// Image and mask as they were given, described.
#[derive(Default)]
struct InputDescription {
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<Warning>,
}

/// The features of one image type, with the images that are missing.
struct TypeFeatures {
    images: Vec<ImageFeatures>,
    warnings: Vec<Warning>,
}

/// The features of one profile, evaluated.
#[derive(Default)]
struct ProfileFeatures {
    features: Vec<FeatureValue>,
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<Warning>,
}

/// Counts images for an observer.
struct Progress<'a> {
    observer: &'a (dyn Fn(&ImageProgress<'_>) -> ControlFlow<()> + Sync),
    done: AtomicUsize,
    total: usize,
    broken_off: AtomicBool,
}

impl Progress<'_> {
    fn check(&self) -> Result<()> {
        if self.broken_off.load(Ordering::Relaxed) { Err(RadiomicsError::Cancelled) } else { Ok(()) }
    }

    /// Tells that an image is done.
    fn tell(&self, image: &str) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if (self.observer)(&ImageProgress { image, done, total: self.total }).is_break() {
            self.broken_off.store(true, Ordering::Relaxed);
        }
        self.check()
    }
}

impl Extractor {
    /// An extractor with these parameters, which are valid whichever way they were made.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters }
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The features of the region that `label` marks in the mask.
    ///
    /// # Errors
    /// [`RadiomicsError`] for a label that is absent, an image and a mask on different grids, a region that is too
    /// small or has no neighbours at the distances asked for, voxels that are not finite, and values that cannot be
    /// discretised. Where both profiles are asked for, what one refuses ends the extraction.
    pub fn execute<'a>(&self, image: &Image, mask: impl Into<MaskRef<'a>>, label: u32) -> Result<Extraction> {
        self.execute_observed(image, mask, label, &|_| ControlFlow::Continue(()))
    }

    /// As [`Extractor::execute`], with an observer that is told of each image whose features are computed, from the
    /// thread that computed them, and that can break off.
    ///
    /// # Errors
    /// As [`Extractor::execute`]; [`RadiomicsError::Cancelled`] when the observer breaks off.
    pub fn execute_observed<'a>(
        &self,
        image: &Image,
        mask: impl Into<MaskRef<'a>>,
        label: u32,
        observer: &(dyn Fn(&ImageProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Extraction> {
        let mask = mask.into();
        in_thread_pool(|| self.features_of_profiles(image, mask, label, observer))
    }

    fn features_of_profiles(
        &self,
        image: &Image,
        mask: MaskRef<'_>,
        label: u32,
        observer: &(dyn Fn(&ImageProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Extraction> {
        let region = self.check_input(image, mask, label)?;
        // The description takes time for its checksums and is needed by nothing else.
        let (described, evaluated) = rayon::join(
            || self.describe(image, mask, label, region),
            || self.evaluate(image, mask, label, region, observer),
        );
        let (description, [pyradiomics, ibsi]) = (described?, evaluated?);
        Ok(Extraction {
            features: [pyradiomics.features, ibsi.features].concat(),
            diagnostics: [description.diagnostics, pyradiomics.diagnostics, ibsi.diagnostics].concat(),
            warnings: each_once([description.warnings, pyradiomics.warnings, ibsi.warnings].concat()),
        })
    }

    /// The image and mask that features would be computed on, and the derived and discretised images on the same grid.
    /// Where both profiles are asked for, the images are those of PyRadiomics; for the others ask for the IBSI profile
    /// alone, whose mask is the morphological one (levels are 0 outside the intensity mask).
    ///
    /// # Errors
    /// As [`Extractor::execute`].
    ///
    /// ```
    /// use alnm_radiomics::parameters::ImageTypeRequest;
    /// use alnm_radiomics::{Extractor, Geometry, Image, Parameters, Volume};
    /// # use ndarray::Array3;
    /// let geometry = Geometry::axis_aligned([8, 8, 8], [1.0, 1.0, 2.0])?;
    /// let image = Array3::from_shape_fn([8, 8, 8], |(z, y, x)| (40 * z + 15 * y + 7 * x) as i16);
    /// let mask = Array3::from_shape_fn([8, 8, 8], |(z, y, x)| u32::from((2..6).contains(&z) && (2..6).contains(&y) && x > 3));
    /// let (image, mask) = (Image::I16(Volume::new(image, geometry.clone())?), Volume::new(mask, geometry)?);
    ///
    /// let parameters = Parameters::builder().image_type(ImageTypeRequest::wavelet("haar")).check()?;
    /// let images = Extractor::new(parameters).filtered_images(&image, &mask, 1)?;
    /// let names: Vec<&str> = images.filtered.iter().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!((names[0], names.len()), ("wavelet-LLH", 8));
    /// assert_eq!(images.discretised[0].0, "wavelet-LLH");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filtered_images<'a>(
        &self,
        image: &Image,
        mask: impl Into<MaskRef<'a>>,
        label: u32,
    ) -> Result<FilteredImages> {
        self.images_of_profile(image, mask.into(), label)
    }

    fn images_of_profile(&self, image: &Image, mask: MaskRef<'_>, label: u32) -> Result<FilteredImages> {
        if let Some(profile) = self.parameters.ibsi().filter(|_| !self.parameters.asks_for_pyradiomics()) {
            let images = profile.images(image, &mask.widened(), label)?;
            let name = || IBSI_IMAGE.to_owned();
            return Ok(FilteredImages {
                image: images.image,
                mask: images.mask,
                filtered: images.response.map(|response| (name(), response)).into_iter().collect(),
                discretised: images.levels.map(|levels| (name(), levels)).into_iter().collect(),
            });
        }
        // The box is cut at the ends of the image, so this margin takes in all of it.
        let Derived { stage, images, .. } = self.derived_images(image, mask, label, usize::MAX)?;
        let shape = stage.box_geometry.shape();
        let too_large = |_| RadiomicsError::RegionTooLarge { shape };
        let (mut filtered, mut discretised) = (Vec::new(), Vec::new());
        for (image, settings) in images {
            let levels = Array3::from_shape_vec(shape, stage.levels(&image, settings)?).map_err(too_large)?;
            discretised.push((image.name.clone(), Volume::new(levels, stage.box_geometry.clone())?));
            let values = Array3::from_shape_vec(shape, image.values.into_doubles()).map_err(too_large)?;
            filtered.push((image.name, Volume::new(values, stage.box_geometry.clone())?));
        }
        Ok(FilteredImages {
            image: stage.prepared.image.into_owned(),
            mask: stage.prepared.mask.into_label_map(),
            filtered,
            discretised,
        })
    }

    /// The feature classes with the features wanted.
    pub(crate) fn classes(&self) -> &[(FeatureClass, Selection)] {
        self.parameters.feature_classes()
    }

    /// Image and mask prepared by the settings of PyRadiomics, and the derived images in the box around the region with
    /// `margin` voxels more on each side.
    pub(crate) fn derived_images<'a>(
        &'a self,
        image: &'a Image,
        mask: MaskRef<'a>,
        label: u32,
        margin: usize,
    ) -> Result<Derived<'a>> {
        let region = check_label(mask, label, self.parameters.allows_full_masks())?;
        image.check_finite()?;
        let derive_images = || -> Result<_> {
            let prepared = Prepared::new(image, mask, label, region, self.parameters.settings())?;
            let stage = Stage::new(prepared, label, margin)?;
            let types = self.parameters.image_types();
            let derived: Vec<_> = types.par_iter().map(|image_type| derive_type(&stage, image_type)).collect();
            Ok((stage, derived.into_iter().collect::<Result<Vec<_>>>()?))
        };
        let (described, derived) = rayon::join(|| self.describe(image, mask, label, Some(region)), derive_images);
        let (InputDescription { mut diagnostics, mut warnings }, (mut stage, derived)) = (described?, derived?);
        diagnostics.append(&mut stage.prepared.diagnostics);
        warnings.append(&mut stage.prepared.warnings);
        let mut images = Vec::new();
        for (derived, image_type) in derived.into_iter().zip(self.parameters.image_types()) {
            warnings.extend(derived.warnings);
            images.extend(derived.images.into_iter().map(|image| (image, image_type.settings())));
        }
        Ok(Derived { stage, images, diagnostics, warnings })
    }

    /// Checks image and mask as they were given. The box around the region on the mask's grid, where the profile of
    /// PyRadiomics is asked for.
    fn check_input(&self, image: &Image, mask: MaskRef<'_>, label: u32) -> Result<Option<VoxelBox>> {
        let checked = || check_label(mask, label, self.parameters.allows_full_masks());
        let region = if self.parameters.asks_for_pyradiomics() { Some(checked()?) } else { None };
        image.check_finite()?;
        Ok(region)
    }

    /// Describes image and mask as they were given, as PyRadiomics does.
    fn describe(
        &self,
        image: &Image,
        mask: MaskRef<'_>,
        label: u32,
        region: Option<VoxelBox>,
    ) -> Result<InputDescription> {
        let Some(region) = region else { return Ok(InputDescription::default()) };
        let mut warnings = self.withdrawn_features();
        if !self.parameters.settings().additional_info {
            return Ok(InputDescription { diagnostics: Vec::new(), warnings });
        }
        let [hash_of_image, hash_of_mask] = voxel_hashes(image, mask);
        let (of_mask, of_image) = rayon::join(
            || diagnostics::of_mask(MaskStage::Given { mask, hash: hash_of_mask, region }, label, "original"),
            || diagnostics::of_image(image, "original", Some(hash_of_image)),
        );
        let of_mask = of_mask?;
        let types = self.parameters.image_types();
        let fixed = types.iter().find_map(|image_type| fixed_axis(image_type.settings(), 2));
        if let Some(axis) = fixed.filter(|_| image.geometry().dimension() == 2) {
            warnings.push(Warning::SlicesBecomeLines { axis: if axis == 2 { 'y' } else { 'x' } });
        }
        if of_mask.components > 1 {
            warnings.push(Warning::SeveralComponents { count: of_mask.components });
        }
        let diagnostics = [diagnostics::of_configuration(&self.parameters), of_image, of_mask.entries].concat();
        Ok(InputDescription { diagnostics, warnings })
    }

    /// The features of each profile that is asked for: PyRadiomics, IBSI.
    fn evaluate(
        &self,
        image: &Image,
        mask: MaskRef<'_>,
        label: u32,
        region: Option<VoxelBox>,
        observer: &(dyn Fn(&ImageProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<[ProfileFeatures; 2]> {
        let of_region = |region| -> Result<Stage<'_>> {
            let prepared = Prepared::new(image, mask, label, region, self.parameters.settings())?;
            Stage::new(prepared, label, 0)
        };
        let stage = region.map(of_region).transpose()?;
        let images = stage.as_ref().map_or(0, |stage| self.image_count(stage));
        let progress = Progress {
            observer,
            done: AtomicUsize::new(0),
            total: images + usize::from(self.parameters.ibsi().is_some()),
            broken_off: AtomicBool::new(false),
        };
        let (pyradiomics, ibsi) = rayon::join(
            || {
                stage.map_or_else(
                    || Ok(ProfileFeatures::default()),
                    |stage| self.pyradiomics_features(stage, label, &progress),
                )
            },
            || {
                let features = |profile| self.ibsi_features(profile, image, mask, label, &progress);
                self.parameters.ibsi().map_or_else(|| Ok(ProfileFeatures::default()), features)
            },
        );
        Ok([pyradiomics?, ibsi?])
    }

    /// The features of the shape and of all images, by the definitions of PyRadiomics.
    fn pyradiomics_features(&self, stage: Stage<'_>, label: u32, progress: &Progress<'_>) -> Result<ProfileFeatures> {
        let (classes, types) = (self.parameters.feature_classes(), self.parameters.image_types());
        // Each image is dropped when its features are there, so few are in memory at once.
        let of_type = |image_type: &ImageTypeParameters| -> Result<TypeFeatures> {
            let settings = image_type.settings();
            let derived = derive_type(&stage, image_type)?;
            let of_image = |image: DerivedImage| {
                progress.check()?;
                let name = image.name.clone();
                let computed = image_features(image, classes, settings, &stage.region(settings))?;
                progress.tell(&name)?;
                Ok(computed)
            };
            let images: Vec<Result<ImageFeatures>> = derived.images.into_par_iter().map(of_image).collect();
            Ok(TypeFeatures { images: images.into_iter().collect::<Result<_>>()?, warnings: derived.warnings })
        };
        let (shape, of_types) = rayon::join(
            || ShapeFeatures::new(&stage.prepared, &stage.inside, label, self.parameters.settings(), classes),
            || types.par_iter().map(of_type).collect::<Vec<Result<TypeFeatures>>>(),
        );
        let Prepared { diagnostics, mut warnings, .. } = stage.prepared;
        let ShapeFeatures { mut features, warnings: of_shape } = shape?;
        warnings.extend(of_shape);
        let mut of_images = Vec::new();
        for of_type in of_types {
            let TypeFeatures { images, warnings: of_type } = of_type?;
            warnings.extend(of_type);
            of_images.extend(images);
        }
        for of_image in of_images {
            features.extend(of_image.features);
            warnings.extend(of_image.warning);
        }
        Ok(ProfileFeatures { features, diagnostics, warnings })
    }

    /// The features of a profile of the IBSI.
    fn ibsi_features(
        &self,
        profile: &IbsiProfile,
        image: &Image,
        mask: MaskRef<'_>,
        label: u32,
        progress: &Progress<'_>,
    ) -> Result<ProfileFeatures> {
        progress.check()?;
        let prepared = profile.prepare(image, &mask.widened(), label)?;
        let diagnostics = self.ibsi_diagnostics(&prepared);
        let discretised = profile.discretise(&prepared)?;
        let warnings = profile.warnings(&prepared, &discretised);
        let features = profile.features(prepared, discretised)?;
        progress.tell(IBSI_IMAGE)?;
        Ok(ProfileFeatures { features, diagnostics, warnings })
    }

    /// What the IBSI profile reports about image and mask.
    pub(crate) fn ibsi_diagnostics(&self, prepared: &PreparedRegion) -> Vec<Diagnostic> {
        let report = self.parameters.settings().additional_info;
        if report { prepared.summaries.entries() } else { Vec::new() }
    }

    /// How many derived images there are.
    fn image_count(&self, stage: &Stage<'_>) -> usize {
        let geometry = stage.prepared.image.geometry();
        let count = |image_type: &ImageTypeParameters| {
            let settings = image_type.settings();
            image_names(image_type.image_type(), settings, geometry.dimension(), Some(geometry)).len()
        };
        self.parameters.image_types().iter().map(count).sum()
    }

    /// The names of the diagnostics, in their order, from the parameters alone; those of a corrected mask are not among
    /// them.
    #[must_use]
    pub fn diagnostic_columns(&self) -> Vec<String> {
        let settings = self.parameters.settings();
        let mut columns = Vec::new();
        if self.parameters.asks_for_pyradiomics() {
            columns.extend(diagnostics::columns(settings));
        }
        if self.parameters.ibsi().is_some() && settings.additional_info {
            columns.extend(ibsi::diagnostics::columns());
        }
        columns
    }

    /// The columns that features of an image with `dimension` axes have, in their order, from the parameters alone:
    /// those of a σ that an image is too small for, and of a shape that it does not have, are among them.
    #[must_use]
    pub fn feature_columns(&self, dimension: usize) -> Vec<String> {
        let of_ibsi = self.parameters.ibsi().map(IbsiProfile::feature_ids).unwrap_or_default();
        let mut columns =
            if self.parameters.asks_for_pyradiomics() { self.pyradiomics_columns(dimension) } else { Vec::new() };
        columns.extend(of_ibsi.iter().map(FeatureId::name));
        columns
    }

    fn pyradiomics_columns(&self, dimension: usize) -> Vec<String> {
        let classes = self.parameters.feature_classes();
        let of_class = |image: &str, class: FeatureClass, selection: &Selection| -> Vec<String> {
            selection.described(class).iter().map(|feature| format!("{image}_{class}_{}", feature.name)).collect()
        };
        let mut columns = Vec::new();
        for wanted in [FeatureClass::Shape, FeatureClass::Shape2D] {
            let has = if wanted == FeatureClass::Shape {
                dimension == 3
            } else {
                dimension == 2 || self.parameters.settings().force_2d
            };
            for (class, selection) in classes.iter().filter(|(class, _)| *class == wanted && has).take(1) {
                columns.extend(of_class("original", *class, selection));
            }
        }
        for image_type in self.parameters.image_types() {
            for image in image_names(image_type.image_type(), image_type.settings(), dimension, None) {
                for (class, selection) in classes.iter().filter(|(class, _)| !class.is_shape()) {
                    columns.extend(of_class(&image, *class, selection));
                }
            }
        }
        columns
    }

    fn withdrawn_features(&self) -> Vec<Warning> {
        let withdrawn = self.parameters.feature_classes().iter().flat_map(|(class, selection)| {
            let names = match selection {
                Selection::Default => &[][..],
                Selection::Named(names) => names,
            };
            let withdrawn = names.iter().filter(|name| class.withdrawn().contains(&name.as_str()));
            withdrawn.map(|name| Warning::WithdrawnFeature { class: *class, feature: name.clone() })
        });
        withdrawn.collect()
    }
}

/// The images of an image type in the box around a region.
fn derive_type(stage: &Stage<'_>, image_type: &ImageTypeParameters) -> Result<DerivedImages> {
    derive(&stage.prepared.image, image_type.image_type(), image_type.settings(), stage.part, &stage.inside)
}

/// Does all of the work in the thread pool: each parallel step that is entered from outside puts the calling thread to
/// sleep and wakes it again.
pub(crate) fn in_thread_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}

/// Each warning once, in the order in which they came: two profiles may tell the same.
pub(crate) fn each_once(warnings: Vec<Warning>) -> Vec<Warning> {
    let mut told: Vec<Warning> = Vec::with_capacity(warnings.len());
    for warning in warnings {
        if !told.contains(&warning) {
            told.push(warning);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_before_an_image_is() {
        let text = "
setting: {force2D: true, sigma: [1.0, 2], level: 2, resampledPixelSpacing: [1, 1, 1], resegmentRange: [0, 400]}
imageType: {Original: {}, LoG: {}, Wavelet: {force2D: false}, Square: {}, SquareRoot: {}, Logarithm: {}, Exponential: {}, Gradient: {}, LBP2D: {}, LBP3D: {}}
featureClass: {ngtdm: [Strength, Busyness], shape: , firstorder: [Mean, StandardDeviation], glcm: }";
        let extractor = Extractor::new(Parameters::from_yaml(text).unwrap());
        let geometry = Geometry::axis_aligned([14, 12, 10], [1.0, 1.0, 1.5]).unwrap();
        let image = Array3::from_shape_fn([10, 12, 14], |(z, y, x)| (z * 31 + y * 17 + x * x * 7) as i16 % 97);
        let mask = Array3::from_shape_fn([10, 12, 14], |(z, y, x)| u32::from(z > 2 && y > 3 && (3..11).contains(&x)));
        let (image, mask) =
            (Image::I16(Volume::new(image, geometry.clone()).unwrap()), Volume::new(mask, geometry).unwrap());
        let told = std::sync::Mutex::new((0, 0));
        let observer = |progress: &ImageProgress<'_>| {
            let mut told = told.lock().unwrap();
            *told = (told.0 + 1, progress.total);
            ControlFlow::Continue(())
        };
        let extraction = extractor.execute_observed(&image, &mask, 1, &observer).unwrap();
        let names: Vec<String> = extraction.features.iter().map(|feature| feature.id.name()).collect();
        assert_eq!(names, extractor.feature_columns(3));
        let diagnostics: Vec<&String> = extraction.diagnostics.iter().map(|entry| &entry.name).collect();
        assert_eq!(diagnostics, extractor.diagnostic_columns().iter().collect::<Vec<_>>());
        let told = *told.lock().unwrap();
        assert_eq!(told.0, told.1);
    }
}
