//! Maps of features: each voxel of the region gets the features of its neighbourhood.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use alnm_imaging::{Image, LabelMap, Volume};
use ndarray::Array3;
use rayon::prelude::*;

use crate::derived_image::DerivedImage;
use crate::diagnostics::Diagnostic;
use crate::error::{RadiomicsError, Result};
use crate::extraction::{Derived, Extractor, each_once};
use crate::feature::{ClassValue, FeatureClass, FeatureId, Selection};
use crate::glcm::{self, Definitions, SlidingCooccurrences, WindowFeatures};
use crate::ibsi::{IbsiMap, IbsiProfile};
use crate::image_features::{BoxedRegion, TextureClass, ValueSource, texture_features};
use crate::level_map::{LevelMap, LevelScale, Offset, WantedDirections};
use crate::map_progress::{MapObserver, MapProgress, RowWatch};
use crate::parameters::Settings;
use crate::warning::Warning;
use crate::windows::{
    DependenceWindows, FirstOrderWindows, RankedValues, RunWindows, ToneWindows, WindowClass, WindowGrid, ZoneWindows,
};
use crate::{first_order, gldm, glrlm, glszm, ngtdm};

/// The map of one feature.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeatureMap {
    /// The feature that the value belongs to.
    pub id: FeatureId,
    /// Its value for the neighbourhood of each voxel of the region; `initValue` elsewhere. The map covers the box
    /// around the region and `kernelRadius` voxels more on each side, where the image has them. In the IBSI profile the
    /// region is the intensity mask, elsewhere lies `maps.outside`, and the map covers the box around the morphological
    /// mask, with local intensities the 6.2 mm around it as well.
    pub map: Volume<f64>,
}

/// The maps of one region.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct MapExtraction {
    /// The maps in the order of PyRadiomics, then those of the IBSI in the order of an extraction.
    pub maps: Vec<FeatureMap>,
    /// What each profile reports about image and mask; empty when `additionalInfo` is off.
    pub diagnostics: Vec<Diagnostic>,
    /// What is worth knowing about the result but did not stop the extraction.
    pub warnings: Vec<Warning>,
}

impl Extractor {
    /// Feature maps of the region that `label` marks: features other than shape of the neighbourhood of each voxel, a
    /// cube (with `force2D` a square) of `kernelRadius` voxels to each side. With `maskedKernel`, only voxels of the
    /// region count. Grey levels are those of the whole region.
    ///
    /// In the IBSI profile the neighbourhood of a voxel is a region of its own: what lies of both masks in the box of
    /// [`FeatureMapSettings::radius`](crate::ibsi::FeatureMapSettings::radius) voxels to each side. Grey levels and
    /// their number N_g are those of the whole region, the bins of the intensity-volume histogram those of the
    /// neighbourhood. Morphological features have no maps.
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
        self.execute_voxel_based_observed(image, mask, label, &|_| ControlFlow::Continue(()))
    }

    /// As [`Extractor::execute_voxel_based`], with an observer that is told of each row of voxels, from the thread that
    /// computed it, and that can break off.
    ///
    /// # Errors
    /// As [`Extractor::execute_voxel_based`]; [`RadiomicsError::Cancelled`] when the observer breaks off.
    pub fn execute_voxel_based_observed(
        &self,
        image: &Image,
        mask: &LabelMap,
        label: u32,
        observer: &(dyn Fn(&MapProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<MapExtraction> {
        let mut extraction = MapExtraction::default();
        if self.parameters().asks_for_pyradiomics() {
            extraction = self.pyradiomics_maps(image, mask, label, observer)?;
        }
        if let Some(profile) = self.parameters().ibsi() {
            let MapExtraction { maps, diagnostics, warnings } =
                self.ibsi_maps(profile, image, mask, label, observer)?;
            extraction.maps.extend(maps);
            extraction.diagnostics.extend(diagnostics);
            extraction.warnings.extend(warnings);
            extraction.warnings = each_once(extraction.warnings);
        }
        Ok(extraction)
    }

    fn ibsi_maps(
        &self,
        profile: &IbsiProfile,
        image: &Image,
        mask: &LabelMap,
        label: u32,
        observer: &MapObserver<'_>,
    ) -> Result<MapExtraction> {
        let prepared = profile.prepare(image, mask, label)?;
        let discretised = profile.discretise(&prepared)?;
        let warnings = profile.warnings(&prepared, &discretised);
        let shape = prepared.geometry.shape();
        let on_grid = |map: IbsiMap| -> Result<FeatureMap> {
            let values =
                Array3::from_shape_vec(shape, map.values).map_err(|_| RadiomicsError::RegionTooLarge { shape })?;
            Ok(FeatureMap { id: map.id, map: Volume::new(values, prepared.geometry.clone())? })
        };
        let maps =
            profile.maps_of(&prepared, discretised, observer)?.into_iter().map(on_grid).collect::<Result<_>>()?;
        Ok(MapExtraction { maps, diagnostics: self.ibsi_diagnostics(&prepared), warnings })
    }

    fn pyradiomics_maps(
        &self,
        image: &Image,
        mask: &LabelMap,
        label: u32,
        observer: &MapObserver<'_>,
    ) -> Result<MapExtraction> {
        let radius = self.parameters().settings().kernel_radius;
        let Derived { stage, images, diagnostics, warnings } = self.derived_images(image, mask, label, radius)?;
        let mut maps = Vec::new();
        for (image, settings) in &images {
            let region = stage.region(settings);
            let watch = RowWatch::new(observer, &image.name);
            for (id, values) in image_maps(image, settings, &region, self.classes(), watch)? {
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
    watch: RowWatch<'_>,
) -> Result<Vec<(FeatureId, Vec<f64>)>> {
    let neighbourhoods = Kernels::new(image, settings, region, watch)?;
    let mut maps = Vec::new();
    for (class, selection) in classes.iter().filter(|(class, _)| !class.is_shape()) {
        let described = selection.described(*class);
        let computed = neighbourhoods.along_runs(*class, selection)?;
        let everywhere: BTreeSet<Option<Offset>> =
            computed.iter().flat_map(|run| run.occurring.iter().copied()).collect();
        let incomplete = |count: usize| count < everywhere.len();
        let any_incomplete = computed.iter().flat_map(|run| &run.direction_counts).any(|&count| incomplete(count));
        // PyRadiomics cannot take eigenvalues where any neighbourhood lacks a direction, and leaves the map empty.
        let is_skipped = |name: &str| name == glcm::MAXIMAL_CORRELATION && any_incomplete;
        let mut of_features = vec![vec![settings.init_value; region.inside.len()]; described.len()];
        // All features of a few voxels after the other, while these are in the processor's cache.
        for (run, computed) in region.runs.iter().zip(&computed) {
            for (place, (feature, values)) in described.iter().zip(&mut of_features).enumerate() {
                if is_skipped(feature.name) {
                    continue;
                }
                let of_voxels = computed.values[place..].iter().step_by(described.len());
                values[run.clone()].iter_mut().zip(of_voxels).for_each(|(value, &of_voxel)| *value = of_voxel);
                // Alone among the features, PyRadiomics' joint average does not leave out directions without pairs.
                if feature.name == "JointAverage" {
                    let counts = values[run.clone()].iter_mut().zip(&computed.direction_counts);
                    counts.filter(|(_, count)| incomplete(**count)).for_each(|(value, _)| *value = f64::NAN);
                }
            }
        }
        for (feature, values) in described.iter().zip(of_features) {
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
    watch: RowWatch<'a>,
}

impl<'a> Kernels<'a> {
    fn new(
        image: &'a DerivedImage,
        settings: &'a Settings,
        region: &'a BoxedRegion<'a>,
        watch: RowWatch<'a>,
    ) -> Result<Self> {
        let counts = |voxel: usize| !settings.masked_kernel || region.inside[voxel];
        let values: Vec<f64> =
            (0..image.values.len()).filter(|&voxel| counts(voxel)).map(|voxel| image.values[voxel]).collect();
        let discretised = settings.binning().discretise(&values, image.single_precision)?;
        let highest = discretised.levels.iter().copied().max().unwrap_or(0);
        let mut occurs = vec![false; highest as usize + 1];
        for &level in &discretised.levels {
            occurs[level as usize] = true;
        }
        let scale = LevelScale { highest, count: occurs.into_iter().filter(|occurs| *occurs).count() };
        let mut remaining = discretised.levels.into_iter();
        let level = |voxel: usize| if counts(voxel) { remaining.next().unwrap_or(0) } else { 0 };
        let levels = (0..image.values.len()).map(level).collect();
        Ok(Self { image, settings, region, levels, scale, watch })
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
        if class == FeatureClass::Glcm && settings.symmetrical_glcm && settings.weighting_norm.is_none() {
            let fixed_axis = self.region.fixed_axis;
            let windows = SlidingCooccurrences::new(
                &self.levels,
                self.region.shape,
                self.radius(),
                &settings.distances,
                fixed_axis,
                self.scale,
                Definitions::PyRadiomics,
            );
            if let Some(windows) = windows {
                let formulas = selection.of(class, glcm::FORMULAS)?;
                let wanted = WantedDirections { each: true, merged: false };
                return windows.along_runs(self.region.runs, &self.watch, &formulas, wanted);
            }
        }
        if let Some(grid) = self.window_grid()
            && let Some(features) = self.side_by_side(&grid, class, selection)
        {
            return features;
        }
        self.one_by_one(class, selection)
    }

    /// The grid for windows that are worked on side by side, where they can be.
    fn window_grid(&self) -> Option<WindowGrid<'_>> {
        WindowGrid::new(&self.levels, self.region.shape, self.radius())
    }

    /// Voxels of a neighbourhood to each side, (z, y, x).
    fn radius(&self) -> [usize; 3] {
        let radius = self.settings.kernel_radius;
        std::array::from_fn(|axis| if self.region.fixed_axis == Some(axis) { 0 } else { radius })
    }

    /// The features of a class for the neighbourhoods of the voxels of each run, many neighbourhoods at once; `None`
    /// for a class or settings that are not counted so.
    fn side_by_side(
        &self,
        grid: &WindowGrid<'_>,
        class: FeatureClass,
        selection: &Selection,
    ) -> Option<Result<Vec<WindowFeatures>>> {
        let Settings { distances, gldm_a, weighting_norm, .. } = self.settings;
        let fixed_axis = self.region.fixed_axis;
        let (voxels, longest) = grid.largest_window();
        let definitions = Definitions::PyRadiomics;
        Some(match class {
            FeatureClass::FirstOrder => selection.of(class, first_order::FORMULAS).and_then(|formulas| {
                let shift = self.settings.voxel_array_shift as f64;
                let ranked = RankedValues::new(&self.image.values, &self.levels);
                self.windows(grid, || {
                    FirstOrderWindows::new(&formulas, definitions, &ranked, shift, self.region.voxel_volume)
                })
            }),
            FeatureClass::Gldm => selection.of(class, gldm::FORMULAS).and_then(|formulas| {
                let factors = grid.joint_factors(voxels);
                self.windows(grid, || {
                    DependenceWindows::new(&formulas, definitions, distances, fixed_axis, *gldm_a, &factors)
                })
            }),
            FeatureClass::Glrlm if weighting_norm.is_none() => {
                selection.of(class, glrlm::FORMULAS).and_then(|formulas| {
                    let factors = grid.joint_factors(longest);
                    let wanted = WantedDirections { each: true, merged: false };
                    self.windows(grid, || RunWindows::new(&formulas, definitions, fixed_axis, wanted, &factors))
                })
            }
            FeatureClass::Glszm => selection.of(class, glszm::FORMULAS).and_then(|formulas| {
                let factors = grid.joint_factors(voxels);
                self.windows(grid, || ZoneWindows::new(&formulas, definitions, fixed_axis, &factors))
            }),
            FeatureClass::Ngtdm => selection.of(class, ngtdm::FORMULAS).and_then(|formulas| {
                self.windows(grid, || ToneWindows::new(&formulas, definitions, distances, fixed_axis))
            }),
            _ => return None,
        })
    }

    /// The features of the windows around the voxels of each run.
    fn windows<C: WindowClass>(
        &self,
        grid: &WindowGrid<'_>,
        class: impl Fn() -> C + Sync + Send,
    ) -> Result<Vec<WindowFeatures>> {
        grid.along_runs(self.region.runs, &self.watch, class)
    }

    /// The features of a class for the neighbourhoods of the voxels of each run, one neighbourhood after the other.
    fn one_by_one(&self, class: FeatureClass, selection: &Selection) -> Result<Vec<WindowFeatures>> {
        let of_run = |run: &Range<usize>| {
            let mut features = WindowFeatures::default();
            for voxel in run.clone() {
                self.add_features(class, selection, voxel, &mut features)?;
            }
            Ok(features)
        };
        self.region.runs.par_iter().map(|run| self.watch.row(run, || of_run(run))).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::derived_image::fixed_axis;
    use crate::level_map::runs;

    /// The maps of a class both ways, and whether the values side by side have the bits of those computed from each
    /// neighbourhood alone.
    fn agree(class: FeatureClass, image: &DerivedImage, settings: &Settings, region: &BoxedRegion<'_>) -> bool {
        let go_on = |_: &MapProgress<'_>| ControlFlow::Continue(());
        let kernels = Kernels::new(image, settings, region, RowWatch::new(&go_on, &image.name)).unwrap();
        let selection = Selection::default();
        let grid = kernels.window_grid().unwrap();
        let fast = kernels.side_by_side(&grid, class, &selection).unwrap();
        let slow = kernels.one_by_one(class, &selection);
        let bits = |features: Vec<WindowFeatures>| -> Vec<u64> {
            // The sign of what is no number says nothing.
            let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value };
            features.into_iter().flat_map(|run| run.values).map(|value| canonical(value).to_bits()).collect()
        };
        match (fast, slow) {
            (Ok(fast), Ok(slow)) => bits(fast) == bits(slow),
            (Err(fast), Err(slow)) => std::mem::discriminant(&fast) == std::mem::discriminant(&slow),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn windows_side_by_side_are_each_what_it_is_alone(
            shape in [1usize..5, 1usize..6, 1usize..40],
            seed in any::<u32>(),
            levels in prop_oneof![1u32..40, 40u32..400],
            holes in 0u32..4,
            radius in 1usize..4,
            masked in any::<bool>(),
            flat in any::<bool>(),
            dimension in 0usize..3,
            alpha in 0u32..3,
            far in any::<bool>(),
        ) {
            let hash = |voxel: usize| (voxel as u32 ^ seed).wrapping_mul(0x9E37_79B9).rotate_left(13).wrapping_mul(0x85EB_CA6B) >> 16;
            let voxels: usize = shape.iter().product();
            // Values in steps of 0.5, so that bins of width 1 hold different ones.
            let values = (0..voxels).map(|voxel| f64::from(hash(voxel) % (2 * levels)) / 2.0 - 3.0).collect();
            let mut inside: Vec<bool> = (0..voxels).map(|voxel| hash(voxel + voxels) % 4 >= holes).collect();
            inside[voxels / 2] = true;
            let image = DerivedImage { name: "original".to_owned(), values, single_precision: false };
            let settings = Settings::default()
                .with_bin_width(1.0)
                .with_kernel_radius(radius)
                .with_masked_kernel(masked)
                .with_force_2d(flat)
                .with_force_2d_dimension(dimension)
                .with_gldm_a(alpha)
                .with_distances(if far { vec![1, 2] } else { vec![1] });
            let region = BoxedRegion {
                inside: &inside,
                runs: &runs(&inside, shape),
                shape,
                spacing: [1.0; 3],
                voxel_volume: 1.5,
                fixed_axis: fixed_axis(&settings, 3),
            };
            for class in [FeatureClass::FirstOrder, FeatureClass::Gldm, FeatureClass::Glrlm, FeatureClass::Glszm, FeatureClass::Ngtdm] {
                prop_assert!(agree(class, &image, &settings, &region), "{class}");
            }
        }
    }
}
