//! Maps of features: each voxel of the region gets the features of its neighbourhood.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use alnm_imaging::mask::MaskRef;
use alnm_imaging::{Image, Volume};
use ndarray::Array3;

use crate::derived_image::DerivedImage;
use crate::diagnostics::Diagnostic;
use crate::error::{RadiomicsError, Result};
use crate::extraction::{Derived, Extractor, each_once, in_thread_pool};
use crate::feature::{ClassValue, FeatureClass, FeatureId, Selection};
use crate::glcm::{self, Definitions, SlidingCooccurrences, WindowDirections};
use crate::ibsi::{IbsiMap, IbsiProfile};
use crate::image_features::{BoxedRegion, TextureClass, ValueSource, texture_features};
use crate::level_map::{LevelMap, LevelScale, Offset, WantedDirections};
use crate::map_progress::{MapObserver, MapProgress, RowWatch};
use crate::map_rows::MapRows;
use crate::parameters::Settings;
use crate::warning::Warning;
use crate::windows::{
    DependenceWindows, FirstOrderWindows, RankedValues, RunWindows, ToneWindows, WindowGrid, ZoneWindows,
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
    pub fn execute_voxel_based<'a>(
        &self,
        image: &Image,
        mask: impl Into<MaskRef<'a>>,
        label: u32,
    ) -> Result<MapExtraction> {
        self.execute_voxel_based_observed(image, mask, label, &|_| ControlFlow::Continue(()))
    }

    /// As [`Extractor::execute_voxel_based`], with an observer that is told of each row of voxels, from the thread that
    /// computed it, and that can break off.
    ///
    /// # Errors
    /// As [`Extractor::execute_voxel_based`]; [`RadiomicsError::Cancelled`] when the observer breaks off.
    pub fn execute_voxel_based_observed<'a>(
        &self,
        image: &Image,
        mask: impl Into<MaskRef<'a>>,
        label: u32,
        observer: &(dyn Fn(&MapProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<MapExtraction> {
        let mask = mask.into();
        in_thread_pool(|| self.maps_of_profiles(image, mask, label, observer))
    }

    /// The maps of each profile that is asked for.
    fn maps_of_profiles(
        &self,
        image: &Image,
        mask: MaskRef<'_>,
        label: u32,
        observer: &MapObserver<'_>,
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
        mask: MaskRef<'_>,
        label: u32,
        observer: &MapObserver<'_>,
    ) -> Result<MapExtraction> {
        let prepared = profile.prepare(image, &mask.widened(), label)?;
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
        mask: MaskRef<'_>,
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
        let mut of_features = vec![vec![settings.init_value; region.inside.len()]; described.len()];
        let directions = neighbourhoods.fill(*class, selection, &mut of_features)?;
        for (feature, values) in described.iter().zip(&mut of_features) {
            leave_out_incomplete(feature.name, values, region.runs, &directions, settings.init_value);
        }
        for (feature, values) in described.iter().zip(of_features) {
            let id = FeatureId::PyRadiomics { image: image.name.clone(), class: *class, feature: *feature };
            maps.push((id, values));
        }
    }
    Ok(maps)
}

/// Leaves values out as PyRadiomics does where a neighbourhood lacks a direction that another one has pairs in: those of
/// its joint average, and the whole map of the maximal correlation, since it cannot take eigenvalues there.
fn leave_out_incomplete(
    feature: &str,
    values: &mut [f64],
    runs: &[Range<usize>],
    directions: &[WindowDirections],
    init_value: f64,
) {
    if ![glcm::JOINT_AVERAGE, glcm::MAXIMAL_CORRELATION].contains(&feature) {
        return;
    }
    let everywhere: BTreeSet<Option<Offset>> =
        directions.iter().flat_map(|of_run| of_run.occurring.iter().copied()).collect();
    let counts = runs.iter().cloned().flatten().zip(directions.iter().flat_map(|of_run| &of_run.counts));
    let mut incomplete = counts.filter(|(_, count)| **count < everywhere.len()).map(|(voxel, _)| voxel);
    if feature == glcm::JOINT_AVERAGE {
        incomplete.for_each(|voxel| values[voxel] = f64::NAN);
    } else if incomplete.next().is_some() {
        values.fill(init_value);
    }
}

/// The discretised box that neighbourhoods are cut from.
struct Kernels<'a> {
    values: Cow<'a, [f64]>,
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
        let values = image.values.doubles();
        let counted: Vec<f64> = (0..values.len()).filter(|&voxel| counts(voxel)).map(|voxel| values[voxel]).collect();
        let discretised = settings.binning().discretise(&counted, image.single_precision)?;
        let highest = discretised.levels.iter().copied().max().unwrap_or(0);
        let mut occurs = vec![false; highest as usize + 1];
        for &level in &discretised.levels {
            occurs[level as usize] = true;
        }
        let scale = LevelScale { highest, count: occurs.into_iter().filter(|occurs| *occurs).count() };
        let mut remaining = discretised.levels.into_iter();
        let level = |voxel: usize| if counts(voxel) { remaining.next().unwrap_or(0) } else { 0 };
        let levels = (0..values.len()).map(level).collect();
        Ok(Self { values, settings, region, levels, scale, watch })
    }

    /// First and one past the last voxel of the neighbourhood along an axis.
    fn extent(&self, place: usize, axis: usize) -> (usize, usize) {
        if self.region.fixed_axis == Some(axis) {
            return (place, place + 1);
        }
        let radius = self.settings.kernel_radius;
        (place.saturating_sub(radius), (place + radius + 1).min(self.region.shape[axis]))
    }

    /// The rows of the maps.
    fn rows(&self) -> MapRows<'_> {
        MapRows { runs: self.region.runs, watch: &self.watch }
    }

    /// Fills the maps of a class. Returns the directions of the neighbourhoods in each run, of classes that have them.
    fn fill(&self, class: FeatureClass, selection: &Selection, maps: &mut [Vec<f64>]) -> Result<Vec<WindowDirections>> {
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
                return windows.fill(self.rows(), maps, &formulas, wanted);
            }
        }
        if let Some(grid) = self.window_grid()
            && let Some(filled) = self.fill_side_by_side(&grid, class, selection, maps)
        {
            return filled.map(|()| Vec::new());
        }
        self.fill_one_by_one(class, selection, maps)
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

    /// Fills the maps of a class, many neighbourhoods at once; `None` for a class or settings that are not counted so.
    fn fill_side_by_side(
        &self,
        grid: &WindowGrid<'_>,
        class: FeatureClass,
        selection: &Selection,
        maps: &mut [Vec<f64>],
    ) -> Option<Result<()>> {
        let Settings { distances, gldm_a, weighting_norm, .. } = self.settings;
        let fixed_axis = self.region.fixed_axis;
        let (voxels, longest) = grid.largest_window();
        let definitions = Definitions::PyRadiomics;
        Some(match class {
            FeatureClass::FirstOrder => selection.of(class, first_order::FORMULAS).and_then(|formulas| {
                let shift = self.settings.voxel_array_shift as f64;
                let ranked = RankedValues::new(&self.values, &self.levels);
                grid.fill(self.rows(), maps, || {
                    FirstOrderWindows::new(&formulas, definitions, &ranked, shift, self.region.voxel_volume)
                })
            }),
            FeatureClass::Gldm => selection.of(class, gldm::FORMULAS).and_then(|formulas| {
                let factors = grid.joint_factors(voxels);
                grid.fill(self.rows(), maps, || {
                    DependenceWindows::new(&formulas, definitions, distances, fixed_axis, *gldm_a, &factors)
                })
            }),
            FeatureClass::Glrlm if weighting_norm.is_none() => {
                selection.of(class, glrlm::FORMULAS).and_then(|formulas| {
                    let factors = grid.joint_factors(longest);
                    let wanted = WantedDirections { each: true, merged: false };
                    grid.fill(self.rows(), maps, || {
                        RunWindows::new(&formulas, definitions, fixed_axis, wanted, &factors)
                    })
                })
            }
            FeatureClass::Glszm => selection.of(class, glszm::FORMULAS).and_then(|formulas| {
                let factors = grid.joint_factors(voxels);
                grid.fill(self.rows(), maps, || ZoneWindows::new(&formulas, definitions, fixed_axis, &factors))
            }),
            FeatureClass::Ngtdm => selection.of(class, ngtdm::FORMULAS).and_then(|formulas| {
                grid.fill(self.rows(), maps, || ToneWindows::new(&formulas, definitions, distances, fixed_axis))
            }),
            _ => return None,
        })
    }

    /// Fills the maps of a class, one neighbourhood after the other.
    fn fill_one_by_one(
        &self,
        class: FeatureClass,
        selection: &Selection,
        maps: &mut [Vec<f64>],
    ) -> Result<Vec<WindowDirections>> {
        let of_run = |(): &mut (), run: &Range<usize>, pieces: &mut [&mut [f64]]| {
            let mut directions = WindowDirections::default();
            for (place, voxel) in run.clone().enumerate() {
                let values = self.features(class, selection, voxel, &mut directions)?;
                pieces.iter_mut().zip(values).for_each(|(piece, value)| piece[place] = value.value);
            }
            Ok(directions)
        };
        self.rows().fill(maps, || (), of_run)
    }

    /// The features of a class for the neighbourhood of one voxel, whose directions are added to those found before.
    fn features(
        &self,
        class: FeatureClass,
        selection: &Selection,
        voxel: usize,
        directions: &mut WindowDirections,
    ) -> Result<Vec<ClassValue>> {
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
        match class.source() {
            ValueSource::Values => {
                let counted: Vec<usize> = members().filter(|&member| self.levels[member] > 0).collect();
                let values: Vec<f64> = counted.iter().map(|&member| self.values[member]).collect();
                let levels: Vec<u32> = counted.iter().map(|&member| self.levels[member]).collect();
                let shift = self.settings.voxel_array_shift as f64;
                let kernel = first_order::FirstOrder::new(&values, &levels, shift, self.region.voxel_volume);
                first_order::features(&kernel, selection)
            }
            ValueSource::Texture(TextureClass::Glcm) => {
                let matrices = glcm::matrices(&level_map()?, &self.region.glcm_settings(self.settings))?;
                directions.counts.push(matrices.len());
                directions.occurring.extend(matrices.iter().map(glcm::CooccurrenceMatrix::direction));
                glcm::means(&matrices, selection)
            }
            ValueSource::Texture(class) => {
                texture_features(class, &level_map()?, self.settings, self.region, selection)
            }
            // Shape has no maps.
            ValueSource::Mask => Ok(Vec::new()),
        }
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
        let maps = vec![vec![-1.0; region.inside.len()]; selection.described(class).len()];
        let (mut fast, mut slow) = (maps.clone(), maps);
        let side_by_side = kernels.fill_side_by_side(&grid, class, &selection, &mut fast).unwrap();
        let one_by_one = kernels.fill_one_by_one(class, &selection, &mut slow);
        let bits = |maps: Vec<Vec<f64>>| -> Vec<u64> {
            // The sign of what is no number says nothing.
            let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value };
            maps.into_iter().flatten().map(|value| canonical(value).to_bits()).collect()
        };
        match (side_by_side, one_by_one) {
            (Ok(()), Ok(_)) => bits(fast) == bits(slow),
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
            let values: Vec<f64> = (0..voxels).map(|voxel| f64::from(hash(voxel) % (2 * levels)) / 2.0 - 3.0).collect();
            let mut inside: Vec<bool> = (0..voxels).map(|voxel| hash(voxel + voxels) % 4 >= holes).collect();
            inside[voxels / 2] = true;
            let image = DerivedImage { name: "original".to_owned(), values: values.into(), single_precision: false };
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
