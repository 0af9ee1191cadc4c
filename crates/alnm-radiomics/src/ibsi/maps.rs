//! Maps of features: each voxel of the intensity mask has the features of its neighbourhood.
//!
//! A neighbourhood is a region of its own: what the box around the voxel holds of both masks. Grey levels and their
//! number N_g are those of the whole region, as in PyRadiomics' maps. Co-occurrences are counted in windows that slide
//! along the rows; run lengths, zones, tone differences, dependences and statistics in many windows side by side. What
//! is averaged over slices, and families whose features no window can share, are computed window by window.

use std::ops::Range;

use alnm_imaging::region::VoxelBox;

use super::definition::{Aggregation, Directions, Extent, IbsiFamily};
use super::discretisation::Levels;
use super::extraction::{DiscretisedRegion, IBSI_IMAGE, PreparedRegion, RegionContent};
use super::local_intensity;
use super::profile::IbsiProfile;
use super::region::Mask;
use crate::error::Result;
use crate::feature::{FeatureId, Formula};
use crate::glcm::{self, Definitions, SlidingCooccurrences};
use crate::level_map::{LevelScale, WantedDirections, runs};
use crate::map_progress::{MapObserver, RowWatch};
use crate::map_rows::MapRows;
use crate::windows::{
    DependenceWindows, FirstOrderWindows, RankedValues, RunWindows, ToneWindows, WindowGrid, ZoneWindows,
};
use crate::{first_order, gldm, glrlm, glszm, ngtdm};

const DEFINITIONS: Definitions = Definitions::Ibsi;

/// The values of one feature in the box of a prepared region.
pub(crate) struct IbsiMap {
    pub(crate) id: FeatureId,
    pub(crate) values: Vec<f64>,
}

/// A region with the neighbourhoods of its voxels.
struct MappedRegion<'a> {
    profile: &'a IbsiProfile,
    prepared: &'a PreparedRegion,
    /// Grey levels of the box, 0 outside the intensity mask.
    levels: Vec<u32>,
    /// N_g.
    level_count: u32,
    /// The intensity mask as runs along x.
    runs: Vec<Range<usize>>,
    /// Voxels of a neighbourhood to each side, (z, y, x).
    radius: [usize; 3],
    watch: RowWatch<'a>,
}

impl IbsiFamily {
    /// Whether the family has maps: the shape of a neighbourhood says nothing.
    pub(crate) const fn has_maps(self) -> bool {
        !matches!(self, Self::Morphology)
    }
}

impl IbsiProfile {
    /// The maps of a prepared region with its levels, by feature in the order of an extraction.
    pub(crate) fn maps_of(
        &self,
        prepared: &PreparedRegion,
        discretised: DiscretisedRegion,
        observer: &MapObserver<'_>,
    ) -> Result<Vec<IbsiMap>> {
        let profile = self.clone().with_families(
            self.families.iter().copied().filter(|family| family.has_maps()).collect::<Vec<IbsiFamily>>(),
        );
        let region = MappedRegion::new(&profile, prepared, discretised, RowWatch::new(observer, IBSI_IMAGE));
        let mut maps = region.maps()?;
        let ids = profile.feature_ids();
        maps.sort_by_key(|map| ids.iter().position(|id| *id == map.id));
        Ok(maps)
    }
}

impl<'a> MappedRegion<'a> {
    fn new(
        profile: &'a IbsiProfile,
        prepared: &'a PreparedRegion,
        discretised: DiscretisedRegion,
        watch: RowWatch<'a>,
    ) -> Self {
        let mask = &prepared.intensity;
        let mut levels = vec![0; mask.voxels.len()];
        // Where no family asks for levels, they only say which voxels count.
        let given = discretised.levels.unwrap_or_else(|| Levels { levels: vec![1; mask.count()], count: 1 });
        let inside = levels.iter_mut().zip(&mask.voxels).filter(|(_, inside)| **inside);
        inside.zip(given.levels).for_each(|((to, _), level)| *to = level);
        let [x, y, z] = profile.maps.radius;
        let radius = [z, y, x];
        Self {
            profile,
            prepared,
            levels,
            level_count: given.count,
            runs: runs(&mask.voxels, mask.shape),
            radius,
            watch,
        }
    }

    /// The rows of the maps.
    fn rows(&self) -> MapRows<'_> {
        MapRows { runs: &self.runs, watch: &self.watch }
    }

    /// The maps of some features, which `fill` writes the values of the voxels into.
    fn filled(&self, ids: Vec<FeatureId>, fill: impl FnOnce(&mut [Vec<f64>]) -> Result<()>) -> Result<Vec<IbsiMap>> {
        let mut maps = vec![vec![self.profile.maps.outside; self.levels.len()]; ids.len()];
        fill(&mut maps)?;
        Ok(ids.into_iter().zip(maps).map(|(id, values)| IbsiMap { id, values }).collect())
    }

    /// All maps of the profile.
    fn maps(&self) -> Result<Vec<IbsiMap>> {
        let shape = self.prepared.intensity.shape;
        let grid = WindowGrid::new(&self.levels, shape, self.radius);
        let mut maps = Vec::new();
        for &family in &self.profile.families {
            let of_family = self.profile.aggregations.iter().copied().filter(|method| family.knows(*method));
            let of_family: Vec<Aggregation> = of_family.collect();
            if !family.is_texture() {
                let together = grid.as_ref().and_then(|grid| self.statistics(grid, family));
                maps.extend(together.unwrap_or_else(|| self.one_by_one(family, Vec::new()))?);
                continue;
            }
            for extent in Extent::ALL {
                let methods: Vec<Aggregation> =
                    of_family.iter().copied().filter(|method| method.extent() == extent).collect();
                if !methods.is_empty() {
                    let together = grid.as_ref().and_then(|grid| self.texture(grid, family, extent, &methods));
                    maps.extend(together.unwrap_or_else(|| self.one_by_one(family, methods))?);
                }
            }
        }
        Ok(maps)
    }

    /// Statistics of many windows at once; `None` for another family.
    fn statistics(&self, grid: &WindowGrid<'_>, family: IbsiFamily) -> Option<Result<Vec<IbsiMap>>> {
        if family != IbsiFamily::Statistics {
            return None;
        }
        let formulas = reference_formulas(family, first_order::FORMULAS);
        let ranked = RankedValues::new(&self.prepared.image, &self.levels);
        let class = || FirstOrderWindows::new(&formulas, DEFINITIONS, &ranked, 0.0, 1.0);
        Some(self.filled(ids(family, None), |maps| grid.fill(self.rows(), maps, class)))
    }

    /// Texture of many windows at once, by methods of one extent; `None` for what is averaged over slices, for distance
    /// zones, and for more levels than a sliding window takes.
    fn texture(
        &self,
        grid: &WindowGrid<'_>,
        family: IbsiFamily,
        extent: Extent,
        methods: &[Aggregation],
    ) -> Option<Result<Vec<IbsiMap>>> {
        const DISTANCE: [u32; 1] = [1];
        let fixed_axis = match extent {
            Extent::Slices => return None,
            Extent::MergedSlices => Some(0),
            Extent::Volume => None,
        };
        let method_of =
            |directions: Option<Directions>| methods.iter().copied().find(|method| method.directions() == directions);
        let (averaged, merged) = (method_of(Some(Directions::Averaged)), method_of(Some(Directions::Merged)));
        let wanted = WantedDirections { each: averaged.is_some(), merged: merged.is_some() };
        let (voxels, longest) = grid.largest_window();
        let methods = [averaged, merged, method_of(None)].into_iter().flatten();
        let ids = methods.flat_map(|method| ids(family, Some(method))).collect();
        let rows = self.rows();
        Some(match family {
            IbsiFamily::Glcm => {
                let shape = self.prepared.intensity.shape;
                // How many levels a window has is counted there.
                let scale = LevelScale { highest: self.level_count, count: 0 };
                let (levels, radius) = (&self.levels, self.radius);
                let windows =
                    SlidingCooccurrences::new(levels, shape, radius, &DISTANCE, fixed_axis, scale, DEFINITIONS)?;
                let formulas = reference_formulas(family, glcm::FORMULAS);
                self.filled(ids, |maps| windows.fill(rows, maps, &formulas, wanted).map(drop))
            }
            IbsiFamily::Glrlm => {
                let formulas = reference_formulas(family, glrlm::FORMULAS);
                let factors = grid.joint_factors(longest);
                let class = || RunWindows::new(&formulas, DEFINITIONS, fixed_axis, wanted, &factors);
                self.filled(ids, |maps| grid.fill(rows, maps, class))
            }
            IbsiFamily::Glszm => {
                let formulas = reference_formulas(family, glszm::FORMULAS);
                let factors = grid.joint_factors(voxels);
                let class = || ZoneWindows::new(&formulas, DEFINITIONS, fixed_axis, &factors);
                self.filled(ids, |maps| grid.fill(rows, maps, class))
            }
            IbsiFamily::Ngtdm => {
                let formulas = reference_formulas(family, ngtdm::FORMULAS);
                let class = || ToneWindows::new(&formulas, DEFINITIONS, &DISTANCE, fixed_axis);
                self.filled(ids, |maps| grid.fill(rows, maps, class))
            }
            IbsiFamily::Ngldm => {
                let formulas = reference_formulas(family, gldm::FORMULAS);
                let factors = grid.joint_factors(voxels);
                let class = || DependenceWindows::new(&formulas, DEFINITIONS, &DISTANCE, fixed_axis, 0, &factors);
                self.filled(ids, |maps| grid.fill(rows, maps, class))
            }
            _ => return None,
        })
    }

    /// The features of a family by some methods, one window after the other.
    fn one_by_one(&self, family: IbsiFamily, methods: Vec<Aggregation>) -> Result<Vec<IbsiMap>> {
        let profile = self.profile.clone().with_families([family]).with_aggregations(methods);
        let of_run = |(): &mut (), run: &Range<usize>, pieces: &mut [&mut [f64]]| {
            for (place, voxel) in run.clone().enumerate() {
                let values = profile.features_of(self.window(&profile, voxel))?;
                pieces.iter_mut().zip(values).for_each(|(piece, feature)| piece[place] = feature.value);
            }
            Ok(())
        };
        self.filled(profile.feature_ids(), |maps| self.rows().fill(maps, || (), of_run).map(drop))
    }

    /// The neighbourhood of a voxel as a region, in the box that the families of a profile look at.
    fn window(&self, profile: &IbsiProfile, voxel: usize) -> RegionContent {
        let PreparedRegion { image, morphological, intensity, spacing, .. } = self.prepared;
        let shape = intensity.shape;
        let place = [voxel / (shape[1] * shape[2]), voxel / shape[2] % shape[1], voxel % shape[2]];
        let around = |reach: [usize; 3]| -> [Range<usize>; 3] {
            std::array::from_fn(|axis| {
                place[axis].saturating_sub(reach[axis])..(place[axis] + reach[axis] + 1).min(shape[axis])
            })
        };
        let window = around(self.radius);
        // Local intensities look beyond the region.
        let looks_around = profile.families.contains(&IbsiFamily::LocalIntensity);
        let beyond = if looks_around { local_intensity::reach(*spacing) } else { [0; 3] };
        let part = around(std::array::from_fn(|axis| self.radius[axis] + beyond[axis]));
        let in_window = |mask: &Mask| mask.cut(&part).within(&relative(&window, &part));
        let (morphological, intensity) = (in_window(morphological), in_window(intensity));
        let part = VoxelBox::from_ranges_zyx(part);
        let image = part.cut_slice(image, shape, |value| value);
        let of_part = part.cut_slice(&self.levels, shape, |level| level);
        let levels = of_part.into_iter().zip(&intensity.voxels).filter(|(_, inside)| **inside).map(|(level, _)| level);
        let levels = Levels { levels: levels.collect(), count: self.level_count };
        RegionContent {
            intensities: intensity.select(&image),
            image,
            morphological,
            intensity,
            spacing: *spacing,
            levels: Some(levels),
        }
    }
}

/// A box as seen from the start of another that holds it.
fn relative(inner: &[Range<usize>; 3], outer: &[Range<usize>; 3]) -> [Range<usize>; 3] {
    std::array::from_fn(|axis| {
        let start = outer[axis].start;
        inner[axis].start - start..inner[axis].end - start
    })
}

/// The reference manual's formulas of a family, in its order.
fn reference_formulas<M>(family: IbsiFamily, formulas: &'static [Formula<M>]) -> Vec<&'static Formula<M>> {
    let definitions = family.definitions().iter();
    definitions.filter_map(|definition| formulas.iter().find(|formula| formula.defines(definition))).collect()
}

fn ids(family: IbsiFamily, aggregation: Option<Aggregation>) -> Vec<FeatureId> {
    family.definitions().iter().map(|&feature| FeatureId::Ibsi { feature, aggregation }).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use alnm_imaging::{Geometry, Image, Volume};
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::ibsi::{FeatureMapSettings, IbsiDiscretisation};
    use crate::map_progress::MapProgress;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn maps_are_the_features_of_each_window(
            shape in [1usize..4, 1usize..5, 1usize..20],
            seed in any::<u32>(),
            highest in 1u32..9,
            holes in 0u32..4,
            radius in [0usize..3, 0usize..2, 0usize..2],
            range in any::<bool>(),
        ) {
            let hash = |voxel: usize| (voxel as u32 ^ seed).wrapping_mul(0x9E37_79B9).rotate_left(13).wrapping_mul(0x85EB_CA6B) >> 16;
            let voxels: usize = shape.iter().product();
            let geometry = Geometry::axis_aligned([shape[2], shape[1], shape[0]], [4.0, 5.0, 7.0]).unwrap();
            let values: Vec<f64> = (0..voxels).map(|voxel| f64::from(1 + hash(voxel) % highest)).collect();
            let mut mask: Vec<u32> = (0..voxels).map(|voxel| u32::from(hash(voxel + voxels) % 4 >= holes)).collect();
            mask[voxels / 2] = 1;
            let image = Image::F64(Volume::new(Array3::from_shape_vec(shape, values.clone()).unwrap(), geometry.clone()).unwrap());
            let mask = Volume::new(Array3::from_shape_vec(shape, mask).unwrap(), geometry).unwrap();
            let mut profile = IbsiProfile::default()
                .with_aggregations([&Aggregation::PLANAR[..], &Aggregation::VOLUMETRIC].concat())
                .with_maps(FeatureMapSettings::default().with_radius(radius).with_outside(-7.0));
            if range {
                profile.resegmentation.range = Some([Some(0.0), Some(values[voxels / 2])]);
                profile.discretisation = IbsiDiscretisation::FixedBinSize(2.0);
            }
            let prepared = profile.prepare(&image, &mask, 1).unwrap();
            let go_on = |_: &MapProgress<'_>| ControlFlow::Continue(());
            let maps = profile.maps_of(&prepared, profile.discretise(&prepared).unwrap(), &go_on).unwrap();
            let with_maps = profile.clone().with_families(&IbsiFamily::ALL[1..]);
            prop_assert_eq!(maps.iter().map(|map| map.id.clone()).collect::<Vec<_>>(), with_maps.feature_ids());
            let region = MappedRegion::new(
                &with_maps,
                &prepared,
                profile.discretise(&prepared).unwrap(),
                RowWatch::new(&go_on, IBSI_IMAGE),
            );
            for (voxel, &inside) in prepared.intensity.voxels.iter().enumerate() {
                if !inside {
                    prop_assert!(maps.iter().all(|map| map.values[voxel] == -7.0));
                    continue;
                }
                let expected = with_maps.features_of(region.window(&with_maps, voxel)).unwrap();
                for (map, expected) in maps.iter().zip(expected) {
                    let (found, expected) = (map.values[voxel], expected.value);
                    // Rounding alone makes some of them 0. The second information correlation is the root of a difference
                    // of entropies, so that their last digit is seen in its eighth.
                    let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3)
                        || (found.powi(2) - expected.powi(2)).abs() <= 1e-14;
                    prop_assert!(close || (found.is_nan() && expected.is_nan()), "{} at {}: {} instead of {}", map.id, voxel, found, expected);
                }
            }
        }
    }
}
