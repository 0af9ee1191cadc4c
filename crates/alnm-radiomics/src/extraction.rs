//! From an image, a mask and parameters to features.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alnm_imaging::region::{VoxelBox, crop, crop_image};
use alnm_imaging::resample::{RoiResamplingParams, resample_roi};
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use ndarray::Array3;
use rayon::prelude::*;
use serde::Serialize;

use crate::derived_image::{DerivedImage, DerivedImages, derive, fixed_axis, image_names};
use crate::diagnostics::{self, Diagnostic, Diagnostics};
use crate::error::{RadiomicsError, Result};
use crate::feature::{FeatureClass, FeatureValue, Selection};
use crate::image_features::{BoxedRegion, ImageFeatures, image_features, named};
use crate::image_type::ImageType;
use crate::level_map::runs;
use crate::normalisation::normalise;
use crate::parameters::{ImageTypeParameters, Parameters, Settings};
use crate::region::{check_inside, check_label, check_mask, resegment};
use crate::warning::Warning;
use crate::{shape, shape2d};

/// The features of one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Extraction {
    /// The features in the order of PyRadiomics' columns.
    pub features: Vec<FeatureValue>,
    /// What PyRadiomics reports about image and mask; empty when `additionalInfo` is off.
    pub diagnostics: Vec<Diagnostic>,
    /// What is worth knowing about the result but did not stop the extraction.
    pub warnings: Vec<Warning>,
}

impl Extraction {
    /// The value of the feature with PyRadiomics' name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.features.iter().find(|feature| feature.id.name() == name).map(|feature| feature.value)
    }
}

/// How far an extraction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageProgress<'a> {
    /// The image whose features are computed, such as `wavelet-LLH`.
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
    /// The derived images by name, in the order of the columns. Values of LBP3D outside the region are 0.
    pub filtered: Vec<(String, Volume<f64>)>,
}

/// Extracts features as PyRadiomics does with the same parameters.
///
/// The steps, in this order: the label is checked, the image normalised, image and mask resampled or cropped
/// (`resampledPixelSpacing`, `preCrop`), the mask checked (`correctMask`) and resegmented; shape is computed; the image
/// types are derived, each cut to the box around the region, discretised, and its features computed.
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

/// An extraction up to the preparation of image and mask.
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

/// An extraction up to the derived images.
pub(crate) struct Derived<'a> {
    pub(crate) stage: Stage<'a>,
    pub(crate) images: Vec<(DerivedImage, &'a Settings)>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) warnings: Vec<Warning>,
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

impl Stage<'_> {
    /// The images of an image type.
    fn derive(&self, image_type: ImageType, settings: &Settings) -> Result<DerivedImages> {
        derive(&self.prepared.image, image_type, settings, self.part, &self.inside)
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
}

/// Image and mask after all preparation.
struct Prepared<'a> {
    image: Cow<'a, Image>,
    mask: Cow<'a, LabelMap>,
    /// The mask that shape is computed on, where it is another.
    shape_mask: Option<Cow<'a, LabelMap>>,
    bounding_box: VoxelBox,
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
    /// discretised.
    pub fn execute(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<Extraction> {
        self.execute_observed(image, mask, label, &|_| ControlFlow::Continue(()))
    }

    /// As [`Extractor::execute`], with an observer that is told of each image whose features are computed, from the
    /// thread that computed them, and that can break off.
    ///
    /// # Errors
    /// As [`Extractor::execute`]; [`RadiomicsError::Cancelled`] when the observer breaks off.
    pub fn execute_observed(
        &self,
        image: &Image,
        mask: &LabelMap,
        label: u32,
        observer: &(dyn Fn(&ImageProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Extraction> {
        self.with_description(image, mask, label, |diagnostics, warnings| {
            let stage = self.prepare_stage(image, mask, label, 0, diagnostics, warnings)?;
            let progress = Progress {
                observer,
                done: AtomicUsize::new(0),
                total: self.image_count(&stage),
                broken_off: AtomicBool::new(false),
            };
            // Each image is dropped when its features are there, so few are in memory at once.
            let of_type = |image_type: &ImageTypeParameters| {
                let settings = image_type.settings();
                let derived = stage.derive(image_type.image_type(), settings)?;
                let of_image = |image: DerivedImage| {
                    progress.check()?;
                    let name = image.name.clone();
                    let computed =
                        image_features(image, self.parameters.feature_classes(), settings, &stage.region(settings))?;
                    progress.tell(&name)?;
                    Ok(computed)
                };
                let computed: Vec<Result<ImageFeatures>> = derived.images.into_par_iter().map(of_image).collect();
                Ok((derived.warnings, computed.into_iter().collect::<Result<Vec<_>>>()?))
            };
            let types = self.parameters.image_types().par_iter();
            let (shape, computed): (_, Vec<Result<_>>) =
                rayon::join(|| self.shape_features(&stage.prepared, label, warnings), || types.map(of_type).collect());
            let mut features = shape?;
            let mut of_images = Vec::new();
            for computed in computed {
                let (of_filter, computed) = computed?;
                warnings.extend(of_filter);
                of_images.extend(computed);
            }
            for computed in of_images {
                features.extend(computed.features);
                warnings.extend(computed.warning);
            }
            Ok(features)
        })
        .map(|(features, diagnostics, warnings)| Extraction {
            features,
            diagnostics: diagnostics.into_entries(),
            warnings,
        })
    }

    /// The image and mask that features would be computed on, and the derived images on the same grid.
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
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filtered_images(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<FilteredImages> {
        // The box is cut at the ends of the image, so this margin takes in all of it.
        let Derived { stage, images, .. } = self.derived_images(image, mask, label, usize::MAX)?;
        let shape = stage.box_geometry.shape();
        let volume = |values: Vec<f64>| -> Result<Volume<f64>> {
            let values = Array3::from_shape_vec(shape, values).map_err(|_| RadiomicsError::RegionTooLarge { shape })?;
            Ok(Volume::new(values, stage.box_geometry.clone())?)
        };
        let filtered =
            images.into_iter().map(|(image, _)| Ok((image.name, volume(image.values)?))).collect::<Result<_>>()?;
        Ok(FilteredImages {
            image: stage.prepared.image.into_owned(),
            mask: stage.prepared.mask.into_owned(),
            filtered,
        })
    }

    /// The feature classes with the features wanted.
    pub(crate) fn classes(&self) -> &[(FeatureClass, Selection)] {
        self.parameters.feature_classes()
    }

    /// Image and mask prepared, and the derived images in the box around the region with `margin` voxels more on each
    /// side.
    pub(crate) fn derived_images<'a>(
        &'a self,
        image: &'a Image,
        mask: &'a LabelMap,
        label: u32,
        margin: usize,
    ) -> Result<Derived<'a>> {
        let ((stage, images), diagnostics, warnings) =
            self.with_description(image, mask, label, |diagnostics, warnings| {
                let stage = self.prepare_stage(image, mask, label, margin, diagnostics, warnings)?;
                let types = self.parameters.image_types();
                let derive =
                    |image_type: &ImageTypeParameters| stage.derive(image_type.image_type(), image_type.settings());
                let derived: Vec<_> = types.par_iter().map(derive).collect();
                let mut images = Vec::new();
                for (derived, image_type) in derived.into_iter().zip(types) {
                    let derived = derived?;
                    warnings.extend(derived.warnings);
                    images.extend(derived.images.into_iter().map(|image| (image, image_type.settings())));
                }
                Ok((stage, images))
            })?;
        Ok(Derived { stage, images, diagnostics, warnings })
    }

    /// What `rest` makes of checked input, with the diagnostics and the warnings of both. The description of what was
    /// given takes time for its checksums and is needed by nothing else, so it is made at the same time.
    fn with_description<T: Send>(
        &self,
        image: &Image,
        mask: &LabelMap,
        label: u32,
        rest: impl FnOnce(&mut Diagnostics, &mut Vec<Warning>) -> Result<T> + Send,
    ) -> Result<(T, Diagnostics, Vec<Warning>)> {
        check_label(mask, label)?;
        image.check_finite()?;
        let mut diagnostics = Diagnostics::default();
        let mut warnings = self.withdrawn_features();
        let (mut of_rest, mut warnings_of_rest) = (Diagnostics::default(), Vec::new());
        let (described, result) = rayon::join(
            || self.describe_original(image, mask, label, &mut diagnostics),
            || rest(&mut of_rest, &mut warnings_of_rest),
        );
        let (components, result) = (described?, result?);
        if components > 1 {
            warnings.push(Warning::SeveralComponents { count: components });
        }
        warnings.append(&mut warnings_of_rest);
        diagnostics.append(of_rest);
        Ok((result, diagnostics, warnings))
    }

    /// Describes image and mask as they were given. Returns the number of separate parts of the region, 0 when it is
    /// not reported.
    fn describe_original(
        &self,
        image: &Image,
        mask: &LabelMap,
        label: u32,
        diagnostics: &mut Diagnostics,
    ) -> Result<usize> {
        if !self.parameters.settings().additional_info {
            return Ok(0);
        }
        diagnostics.add_configuration(&self.parameters);
        let mut of_mask = Diagnostics::default();
        let (components, ()) = rayon::join(
            || of_mask.add_mask(None, mask, label, "original"),
            || diagnostics.add_image(image, "original"),
        );
        diagnostics.append(of_mask);
        components
    }

    fn prepare_stage<'a>(
        &self,
        image: &'a Image,
        mask: &'a LabelMap,
        label: u32,
        margin: usize,
        diagnostics: &mut Diagnostics,
        warnings: &mut Vec<Warning>,
    ) -> Result<Stage<'a>> {
        let prepared = self.prepare(image, mask, label, diagnostics, warnings)?;
        let geometry = prepared.image.geometry();
        let kept = prepared.bounding_box.grown(margin, geometry.size());
        let inside = region_mask(&prepared.mask, label, kept);
        let box_geometry = geometry.part(&kept)?;
        let runs = runs(&inside, kept.shape());
        Ok(Stage { prepared, part: kept, inside, runs, box_geometry })
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
        diagnostics::columns(self.parameters.settings())
    }

    /// The columns that features of an image with `dimension` axes have, in their order, from the parameters alone:
    /// those of a σ that an image is too small for, and of a shape that it does not have, are among them.
    #[must_use]
    pub fn feature_columns(&self, dimension: usize) -> Vec<String> {
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

    fn prepare<'a>(
        &self,
        image: &'a Image,
        mask: &'a LabelMap,
        label: u32,
        diagnostics: &mut Diagnostics,
        warnings: &mut Vec<Warning>,
    ) -> Result<Prepared<'a>> {
        let settings = self.parameters.settings();
        let report = settings.additional_info;
        let mut image = if settings.normalize {
            Cow::Owned(normalise(image, settings.normalize_scale, settings.remove_outliers)?)
        } else {
            Cow::Borrowed(image)
        };
        let mut mask = Cow::Borrowed(mask);
        if let (Some(interpolator), Some(spacing)) = (settings.interpolator, &settings.resampled_pixel_spacing) {
            let dimension = mask.geometry().dimension();
            if spacing.len() != dimension {
                return Err(RadiomicsError::SpacingLength { found: spacing.len(), expected: dimension });
            }
            check_inside(image.geometry(), &mask, label)?;
            let spacing = std::array::from_fn(|axis| spacing.get(axis).copied().unwrap_or(0.0));
            let resampling = RoiResamplingParams::new(spacing)
                .with_interpolator(interpolator)
                .with_pad_distance(settings.pad_distance);
            let resampled = resample_roi(&image, &mask, label, &resampling)?;
            (image, mask) = (Cow::Owned(resampled.image), Cow::Owned(resampled.mask));
            if report {
                diagnostics.add_image(&image, "interpolated");
                diagnostics.add_mask(Some(&image), &mask, label, "interpolated")?;
            }
        } else if settings.pre_crop {
            let checked = check_mask(image.geometry(), &mask, label, settings)?;
            if let Some((corrected, difference)) = checked.corrected {
                mask = Cow::Owned(corrected);
                warnings.push(Warning::MaskCorrected { difference: difference.to_string() });
            }
            let kept = checked.bounding_box.grown(settings.pad_distance, mask.geometry().size());
            image = Cow::Owned(crop_image(&image, &kept)?);
            mask = Cow::Owned(crop(&mask, &kept)?);
        }
        let checked = check_mask(image.geometry(), &mask, label, settings)?;
        let mut bounding_box = checked.bounding_box;
        if let Some((corrected, difference)) = checked.corrected {
            mask = Cow::Owned(corrected);
            warnings.push(Warning::MaskCorrected { difference: difference.to_string() });
            if report {
                diagnostics.add_mask(Some(&image), &mask, label, "corrected")?;
            }
        }
        let mut shape_mask = None;
        if let Some(range) = &settings.resegment_range {
            let resegmented = resegment(&image, &mask, label, range, settings.resegment_mode)?;
            bounding_box = check_mask(image.geometry(), &resegmented, label, settings)?.bounding_box;
            if report {
                diagnostics.add_mask(Some(&image), &resegmented, label, "resegmented")?;
            }
            let before = std::mem::replace(&mut mask, Cow::Owned(resegmented));
            shape_mask = (!settings.resegment_shape).then_some(before);
        }
        Ok(Prepared { image, mask, shape_mask, bounding_box })
    }

    /// Shape of the region. PyRadiomics cuts the mask before resegmentation to the box after it.
    fn shape_features(
        &self,
        prepared: &Prepared<'_>,
        label: u32,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<FeatureValue>> {
        let mask = prepared.shape_mask.as_ref().unwrap_or(&prepared.mask);
        let geometry = mask.geometry();
        let inside = region_mask(mask, label, prepared.bounding_box);
        let size = prepared.bounding_box.shape();
        let [x, y, z] = geometry.spacing();
        let spacing = [z, y, x];
        let settings = self.parameters.settings();
        let mut features = Vec::new();
        // PyRadiomics lists three-dimensional shape first, wherever the parameters name it.
        for wanted in [FeatureClass::Shape, FeatureClass::Shape2D] {
            let Some((class, selection)) = self.parameters.feature_classes().iter().find(|(class, _)| *class == wanted)
            else {
                continue;
            };
            let slice = match (class, geometry.dimension()) {
                (FeatureClass::Shape, 2) => {
                    warnings.push(Warning::ShapeNeedsVolume);
                    continue;
                }
                (FeatureClass::Shape, _) => None,
                (_, 2) => Some(0),
                _ if !settings.force_2d => {
                    warnings.push(Warning::Shape2DNeedsForce2D);
                    continue;
                }
                // PyRadiomics looks up force2Ddimension, which counts from z, in a size that counts from x.
                _ if prepared.bounding_box.size()[settings.force_2d_dimension] <= 1 => {
                    warnings.push(Warning::Shape2DSkipped { dimension: settings.force_2d_dimension });
                    continue;
                }
                _ => Some(settings.force_2d_dimension),
            };
            let values = match slice {
                None => shape::features(&shape::Shape::new(&inside, size, spacing), selection)?,
                Some(axis) if size[axis] > 1 => return Err(RadiomicsError::NotOneSlice { axis, slices: size[axis] }),
                Some(axis) => {
                    let (first, second) = [(1, 2), (0, 2), (0, 1)][axis];
                    let slice =
                        shape2d::Shape2D::new(&inside, [size[first], size[second]], [spacing[first], spacing[second]]);
                    shape2d::features(&slice, selection)?
                }
            };
            features.extend(named("original", *class, values));
        }
        Ok(features)
    }
}

/// Which voxels of a box have the label, in raster order.
fn region_mask(mask: &LabelMap, label: u32, bounding_box: VoxelBox) -> Vec<bool> {
    bounding_box.cut_slice(mask.as_slice(), mask.geometry().shape(), |voxel| voxel == label)
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
