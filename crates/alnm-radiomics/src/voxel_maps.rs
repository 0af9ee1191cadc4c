//! Maps of features: each voxel of the region gets the features of its neighbourhood.

use std::collections::BTreeSet;

use alnm_imaging::{Image, LabelMap, Volume};
use ndarray::Array3;
use rayon::prelude::*;

use crate::derived_image::DerivedImage;
use crate::diagnostics::Diagnostic;
use crate::error::{RadiomicsError, Result};
use crate::extraction::{Extractor, Region, Warning, texture_features};
use crate::feature::{ClassValue, FeatureClass, FeatureId};
use crate::first_order;
use crate::glcm;
use crate::level_map::{LevelMap, LevelScale, Offset};
use crate::parameters::Settings;

/// The map of one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMap {
    /// Which feature.
    pub id: FeatureId,
    /// Its value for the neighbourhood of each voxel of the region; `initValue` elsewhere. The map covers the box around the
    /// region and `kernelRadius` voxels more on each side, where the image has them.
    pub map: Volume<f64>,
}

/// The maps of one region.
#[derive(Debug, Clone, PartialEq)]
pub struct MapExtraction {
    /// The maps in the order of PyRadiomics.
    pub maps: Vec<FeatureMap>,
    /// What PyRadiomics reports about image and mask; empty when `additionalInfo` is off.
    pub diagnostics: Vec<Diagnostic>,
    /// What is worth knowing.
    pub warnings: Vec<Warning>,
}

impl Extractor {
    /// Feature maps of the region that `label` marks: features other than shape of the neighbourhood of each voxel, a cube
    /// (with `force2D` a square) of `kernelRadius` voxels to each side. With `maskedKernel`, only voxels of the region count.
    /// Grey levels are those of the whole region.
    ///
    /// # Errors
    /// As [`Extractor::execute`].
    pub fn execute_voxel_based(&self, image: &Image, mask: &LabelMap, label: u32) -> Result<MapExtraction> {
        let radius = self.parameters().settings().kernel_radius;
        let stage = self.derived_images(image, mask, label, radius)?;
        let mut maps = Vec::new();
        for (image, settings) in &stage.images {
            let region = stage.region(settings);
            for (id, values) in image_maps(image, settings, &region, self.classes())? {
                let values =
                    Array3::from_shape_vec(region.shape, values).map_err(|_| RadiomicsError::RegionTooLarge { shape: region.shape })?;
                maps.push(FeatureMap { id, map: Volume::new(values, stage.box_geometry.clone())? });
            }
        }
        Ok(MapExtraction { maps, diagnostics: stage.diagnostics.into_entries(), warnings: stage.warnings })
    }
}

/// What one voxel's neighbourhood gives.
struct VoxelFeatures {
    values: Vec<f64>,
    /// Directions in which the neighbourhood has pairs.
    directions: Vec<Option<Offset>>,
}

/// The maps of one derived image.
fn image_maps(
    image: &DerivedImage,
    settings: &Settings,
    region: &Region<'_>,
    classes: &[(FeatureClass, crate::Selection)],
) -> Result<Vec<(FeatureId, Vec<f64>)>> {
    let neighbourhoods = Neighbourhoods::new(image, settings, region)?;
    let voxels: Vec<usize> = (0..region.inside.len()).filter(|&voxel| region.inside[voxel]).collect();
    let mut maps = Vec::new();
    for (class, selection) in classes.iter().filter(|(class, _)| !class.is_shape()) {
        let computed: Vec<(Vec<ClassValue>, VoxelFeatures)> =
            voxels.par_iter().map(|&voxel| neighbourhoods.features(*class, selection, voxel)).collect::<Result<_>>()?;
        let everywhere: BTreeSet<Option<Offset>> = computed.iter().flat_map(|(_, voxel)| voxel.directions.iter().copied()).collect();
        let incomplete: Vec<bool> = computed.iter().map(|(_, voxel)| voxel.directions.len() < everywhere.len()).collect();
        let Some((described, _)) = computed.first() else { continue };
        for (place, feature) in described.iter().enumerate() {
            let mut values = vec![settings.init_value; region.inside.len()];
            // PyRadiomics cannot take eigenvalues where any neighbourhood lacks a direction, and leaves the map empty.
            let skipped = feature.name == "MCC" && incomplete.contains(&true);
            for ((&voxel, (_, computed)), &incomplete) in voxels.iter().zip(&computed).zip(&incomplete).filter(|_| !skipped) {
                // Alone among the features, PyRadiomics' joint average does not leave out directions without pairs.
                let undefined = feature.name == "JointAverage" && incomplete;
                values[voxel] = if undefined { f64::NAN } else { computed.values[place] };
            }
            let id = FeatureId { image: image.name.clone(), class: *class, feature: feature.name, ibsi: feature.ibsi };
            maps.push((id, values));
        }
    }
    Ok(maps)
}

/// The discretised box that neighbourhoods are cut from.
struct Neighbourhoods<'a> {
    image: &'a DerivedImage,
    settings: &'a Settings,
    region: &'a Region<'a>,
    /// 0 where voxels do not count.
    levels: Vec<u32>,
    scale: LevelScale,
}

impl<'a> Neighbourhoods<'a> {
    fn new(image: &'a DerivedImage, settings: &'a Settings, region: &'a Region<'a>) -> Result<Self> {
        let counts = |voxel: usize| !settings.masked_kernel || region.inside[voxel];
        let values: Vec<f64> = (0..image.values.len()).filter(|&voxel| counts(voxel)).map(|voxel| image.values[voxel]).collect();
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

    fn features(&self, class: FeatureClass, selection: &crate::Selection, voxel: usize) -> Result<(Vec<ClassValue>, VoxelFeatures)> {
        let shape = self.region.shape;
        let [z, y, x] = [voxel / (shape[1] * shape[2]), voxel / shape[2] % shape[1], voxel % shape[2]];
        let ((z0, z1), (y0, y1), (x0, x1)) = (self.extent(z, 0), self.extent(y, 1), self.extent(x, 2));
        let members = || (z0..z1).flat_map(|z| (y0..y1).flat_map(move |y| (x0..x1).map(move |x| (z * shape[1] + y) * shape[2] + x)));
        let mut directions = Vec::new();
        let values = if class == FeatureClass::FirstOrder {
            let counted: Vec<usize> = members().filter(|&member| self.levels[member] > 0).collect();
            let values: Vec<f64> = counted.iter().map(|&member| self.image.values[member]).collect();
            let levels: Vec<u32> = counted.iter().map(|&member| self.levels[member]).collect();
            let kernel = first_order::FirstOrder::new(&values, &levels, self.settings.voxel_array_shift, self.region.voxel_volume);
            first_order::features(&kernel, selection)
        } else {
            let kernel_shape = [z1 - z0, y1 - y0, x1 - x0];
            let levels: Vec<u32> = members().map(|member| self.levels[member]).collect();
            let levels =
                Array3::from_shape_vec(kernel_shape, levels).map_err(|_| RadiomicsError::RegionTooLarge { shape: kernel_shape })?;
            let reach = self.settings.distances.iter().copied().max().unwrap_or(1) as usize;
            let map = LevelMap::new(levels.view(), reach)?.within(self.scale);
            if class == FeatureClass::Glcm {
                let matrices = glcm::matrices(&map, &self.region.glcm_settings(self.settings))?;
                directions = matrices.iter().map(glcm::CooccurrenceMatrix::direction).collect();
                selection.evaluate_mean(glcm::FORMULAS, &matrices)
            } else {
                texture_features(class, &map, self.settings, self.region, selection)?
            }
        };
        let numbers = values.iter().map(|value| value.value).collect();
        Ok((values, VoxelFeatures { values: numbers, directions }))
    }
}
