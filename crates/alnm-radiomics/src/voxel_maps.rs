//! Maps of features: each voxel of the region gets the features of its neighbourhood.

use std::collections::BTreeSet;
use std::ops::Range;

use alnm_imaging::{Image, LabelMap, Volume};
use ndarray::Array3;
use rayon::prelude::*;

use crate::derived_image::DerivedImage;
use crate::diagnostics::Diagnostic;
use crate::error::{RadiomicsError, Result};
use crate::extraction::{Derived, Extractor};
use crate::feature::{ClassValue, FeatureClass, FeatureId, Selection};
use crate::first_order;
use crate::glcm::{self, SlidingCooccurrences, SlidingWindow, WindowFeatures};
use crate::image_features::{BoxedRegion, TextureClass, ValueSource, texture_features};
use crate::level_map::{LevelMap, LevelScale, Offset};
use crate::parameters::Settings;
use crate::warning::Warning;

/// The map of one feature.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeatureMap {
    /// The feature that the value belongs to.
    pub id: FeatureId,
    /// Its value for the neighbourhood of each voxel of the region; `initValue` elsewhere. The map covers the box
    /// around the region and `kernelRadius` voxels more on each side, where the image has them.
    pub map: Volume<f64>,
}

/// The maps of one region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MapExtraction {
    /// The maps in the order of PyRadiomics.
    pub maps: Vec<FeatureMap>,
    /// What PyRadiomics reports about image and mask; empty when `additionalInfo` is off.
    pub diagnostics: Vec<Diagnostic>,
    /// What is worth knowing about the result but did not stop the extraction.
    pub warnings: Vec<Warning>,
}

impl Extractor {
    /// Feature maps of the region that `label` marks: features other than shape of the neighbourhood of each voxel, a
    /// cube (with `force2D` a square) of `kernelRadius` voxels to each side. With `maskedKernel`, only voxels of the
    /// region count. Grey levels are those of the whole region.
    ///
    /// # Errors
    /// As [`Extractor::execute`].
    ///
    /// ```
    /// use alnm_radiomics::{Extractor, FeatureClass, Geometry, Image, Parameters, Volume};
    /// # use ndarray::Array3;
    /// let geometry = Geometry::axis_aligned([8, 8, 8], [1.0, 1.0, 2.0])?;
    /// let image = Array3::from_shape_fn([8, 8, 8], |(z, y, x)| (40 * z + 15 * y + 7 * x) as i16);
    /// let mask = Array3::from_shape_fn([8, 8, 8], |(z, y, x)| u32::from((2..6).contains(&z) && (2..6).contains(&y) && x > 3));
    /// let (image, mask) = (Image::I16(Volume::new(image, geometry.clone())?), Volume::new(mask, geometry)?);
    ///
    /// let parameters = Parameters::builder().feature(FeatureClass::FirstOrder, "Mean").check()?;
    /// let extraction = Extractor::new(parameters).execute_voxel_based(&image, &mask, 1)?;
    /// // The box around the region and one voxel (`kernelRadius`) more on each side; x ends with the image.
    /// assert_eq!(extraction.maps[0].map.geometry().size(), [5, 6, 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute_voxel_based(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<MapExtraction> {
        let radius = self.parameters().settings().kernel_radius;
        let Derived { stage, images, diagnostics, warnings } = self.derived_images(image, mask, label, radius)?;
        let mut maps = Vec::new();
        for (image, settings) in &images {
            let region = stage.region(settings);
            for (id, values) in image_maps(image, settings, &region, self.classes())? {
                let values = Array3::from_shape_vec(region.shape, values)
                    .map_err(|_| RadiomicsError::RegionTooLarge { shape: region.shape })?;
                maps.push(FeatureMap { id, map: Volume::new(values, stage.box_geometry.clone())? });
            }
        }
        Ok(MapExtraction { maps, diagnostics, warnings })
    }
}

/// The maps of one derived image.
fn image_maps(
    image: &DerivedImage,
    settings: &Settings,
    region: &BoxedRegion<'_>,
    classes: &[(FeatureClass, Selection)],
) -> Result<Vec<(FeatureId, Vec<f64>)>> {
    let neighbourhoods = Kernels::new(image, settings, region)?;
    let mut maps = Vec::new();
    for (class, selection) in classes.iter().filter(|(class, _)| !class.is_shape()) {
        let described = selection.described(*class);
        let computed = neighbourhoods.along_runs(*class, selection)?;
        let everywhere: BTreeSet<Option<Offset>> =
            computed.iter().flat_map(|run| run.occurring.iter().copied()).collect();
        let incomplete = |count: usize| count < everywhere.len();
        let any_incomplete = computed.iter().flat_map(|run| &run.direction_counts).any(|&count| incomplete(count));
        for (place, feature) in described.iter().enumerate() {
            let mut values = vec![settings.init_value; region.inside.len()];
            // PyRadiomics cannot take eigenvalues where any neighbourhood lacks a direction, and leaves the map empty.
            let skipped = feature.name == glcm::MAXIMAL_CORRELATION && any_incomplete;
            for (run, computed) in region.runs.iter().zip(&computed).filter(|_| !skipped) {
                let of_voxels = computed.values.chunks_exact(described.len()).zip(&computed.direction_counts);
                for (value, (of_voxel, &count)) in values[run.clone()].iter_mut().zip(of_voxels) {
                    // Alone among the features, PyRadiomics' joint average does not leave out directions without pairs.
                    let undefined = feature.name == "JointAverage" && incomplete(count);
                    *value = if undefined { f64::NAN } else { of_voxel[place] };
                }
            }
            let id = FeatureId::PyRadiomics { image: image.name.clone(), class: *class, feature: *feature };
            maps.push((id, values));
        }
    }
    Ok(maps)
}

/// The discretised box that neighbourhoods are cut from.
struct Kernels<'a> {
    image: &'a DerivedImage,
    settings: &'a Settings,
    region: &'a BoxedRegion<'a>,
    /// 0 where voxels do not count.
    levels: Vec<u32>,
    scale: LevelScale,
}

impl<'a> Kernels<'a> {
    fn new(image: &'a DerivedImage, settings: &'a Settings, region: &'a BoxedRegion<'a>) -> Result<Self> {
        let counts = |voxel: usize| !settings.masked_kernel || region.inside[voxel];
        let values: Vec<f64> =
            (0..image.values.len()).filter(|&voxel| counts(voxel)).map(|voxel| image.values[voxel]).collect();
        let discretised = settings.binning().discretise(&values, image.single_precision)?;
        let occurring: BTreeSet<u32> = discretised.levels.iter().copied().collect();
        let scale = LevelScale { highest: occurring.last().copied().unwrap_or(0), count: occurring.len() };
        let mut remaining = discretised.levels.into_iter();
        let level = |voxel: usize| if counts(voxel) { remaining.next().unwrap_or(0) } else { 0 };
        let levels = (0..image.values.len()).map(level).collect();
        Ok(Self { image, settings, region, levels, scale })
    }

    /// First and one past the last voxel of the neighbourhood along an axis.
    fn extent(&self, place: usize, axis: usize) -> (usize, usize) {
        if self.region.fixed_axis == Some(axis) {
            return (place, place + 1);
        }
        let radius = self.settings.kernel_radius;
        (place.saturating_sub(radius), (place + radius + 1).min(self.region.shape[axis]))
    }

    /// The features of a class for the neighbourhoods of the voxels of each run.
    fn along_runs(&self, class: FeatureClass, selection: &Selection) -> Result<Vec<WindowFeatures>> {
        let settings = self.settings;
        let runs = self.region.runs.par_iter();
        if class == FeatureClass::Glcm && settings.symmetrical_glcm && settings.weighting_norm.is_none() {
            let fixed_axis = self.region.fixed_axis;
            let radius = std::array::from_fn(|axis| if fixed_axis == Some(axis) { 0 } else { settings.kernel_radius });
            let windows = SlidingCooccurrences::new(
                &self.levels,
                self.region.shape,
                radius,
                &settings.distances,
                fixed_axis,
                self.scale,
            );
            if let Some(windows) = windows {
                let formulas = selection.of(class, glcm::FORMULAS)?;
                return runs
                    .map_init(|| SlidingWindow::new(&windows, &formulas), |window, run| window.along(run.clone()))
                    .collect();
            }
        }
        let one_by_one = |run: &Range<usize>| {
            let mut features = WindowFeatures::default();
            for voxel in run.clone() {
                self.add_features(class, selection, voxel, &mut features)?;
            }
            Ok(features)
        };
        runs.map(one_by_one).collect()
    }

    /// Adds the features of a class for the neighbourhood of one voxel.
    fn add_features(
        &self,
        class: FeatureClass,
        selection: &Selection,
        voxel: usize,
        features: &mut WindowFeatures,
    ) -> Result<()> {
        let shape = self.region.shape;
        let [z, y, x] = [voxel / (shape[1] * shape[2]), voxel / shape[2] % shape[1], voxel % shape[2]];
        let ((z0, z1), (y0, y1), (x0, x1)) = (self.extent(z, 0), self.extent(y, 1), self.extent(x, 2));
        let members = || {
            (z0..z1).flat_map(|z| (y0..y1).flat_map(move |y| (x0..x1).map(move |x| (z * shape[1] + y) * shape[2] + x)))
        };
        let kernel_shape = [z1 - z0, y1 - y0, x1 - x0];
        let level_map = || -> Result<LevelMap> {
            let levels: Vec<u32> = members().map(|member| self.levels[member]).collect();
            let levels = Array3::from_shape_vec(kernel_shape, levels)
                .map_err(|_| RadiomicsError::RegionTooLarge { shape: kernel_shape })?;
            let reach = self.settings.distances.iter().copied().max().unwrap_or(1) as usize;
            Ok(LevelMap::new(levels.view(), reach)?.within(self.scale))
        };
        let mut direction_count = 0;
        let values: Vec<ClassValue> = match class.source() {
            ValueSource::Values => {
                let counted: Vec<usize> = members().filter(|&member| self.levels[member] > 0).collect();
                let values: Vec<f64> = counted.iter().map(|&member| self.image.values[member]).collect();
                let levels: Vec<u32> = counted.iter().map(|&member| self.levels[member]).collect();
                let shift = self.settings.voxel_array_shift as f64;
                let kernel = first_order::FirstOrder::new(&values, &levels, shift, self.region.voxel_volume);
                first_order::features(&kernel, selection)?
            }
            ValueSource::Texture(TextureClass::Glcm) => {
                let matrices = glcm::matrices(&level_map()?, &self.region.glcm_settings(self.settings))?;
                direction_count = matrices.len();
                features.occurring.extend(matrices.iter().map(glcm::CooccurrenceMatrix::direction));
                glcm::means(&matrices, selection)?
            }
            ValueSource::Texture(class) => {
                texture_features(class, &level_map()?, self.settings, self.region, selection)?
            }
            // Shape has no maps.
            ValueSource::Mask => Vec::new(),
        };
        features.values.extend(values.iter().map(|value| value.value));
        features.direction_counts.push(direction_count);
        Ok(())
    }
}
