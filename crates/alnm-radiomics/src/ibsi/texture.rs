//! What the matrices of texture are counted on, and which of them each aggregation method takes.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::definition::{Aggregation, Directions, Extent, IbsiFamily};
use super::discretisation::Levels;
use super::evaluation::{means, values};
use super::region::Mask;
use crate::border_distance::border_distances;
use crate::error::{RadiomicsError, Result};
use crate::feature::FeatureValue;
use crate::gldzm::{self, DistanceZones};
use crate::level_map::{LevelMap, LevelScale, Offset, WantedDirections, adjacent_offsets, runs};
use crate::neighbourhood::{Counting, Neighbourhoods};
use crate::zones::{KeptPlaces, Zones};
use crate::{glcm, gldm, glrlm, glszm, ngtdm};

/// The features of one family.
#[derive(Debug)]
pub(crate) struct FamilyFeatures {
    pub(crate) family: IbsiFamily,
    pub(crate) features: Vec<FeatureValue>,
}

/// Grey levels of a region or of one slice of it.
#[derive(Debug, Clone)]
pub(crate) struct TexturePart {
    /// Grey levels, with one voxel of rim in each direction that neighbours are looked for.
    map: Arc<LevelMap>,
    /// Which voxels of the map's grid belong to the morphological mask.
    inside: Arc<[bool]>,
    /// The axis that neighbours do not step along.
    fixed_axis: Option<usize>,
}

impl TexturePart {
    /// Steps to all neighbours.
    fn offsets(&self) -> Vec<Offset> {
        adjacent_offsets(self.fixed_axis)
    }

    /// One of each pair of opposite steps.
    fn directions(&self) -> Vec<Offset> {
        let mut offsets = self.offsets();
        offsets.truncate(offsets.len() / 2);
        offsets
    }

    /// Steps across faces from each voxel of the map's grid to the nearest one outside of the morphological mask.
    fn distances(&self) -> Vec<u32> {
        border_distances(&self.inside, self.map.shape, self.fixed_axis)
    }
}

/// A discretised region.
#[derive(Debug)]
pub(crate) struct Texture {
    /// The region within its slices.
    planar: Vec<TexturePart>,
    /// The region in three dimensions.
    volume: Vec<TexturePart>,
    /// The slices that hold a voxel.
    slices: Vec<TexturePart>,
}

/// Regions with more levels than this are refused: a co-occurrence matrix of more would take over 128 MiB.
const MAXIMUM_DISTINCT_LEVELS: usize = 4096;

impl Texture {
    /// A region whose voxels have the given levels, in raster order, with what the methods need.
    ///
    /// # Errors
    /// [`RadiomicsError::RegionTooLarge`] when the region's bounding box has 2³² voxels or more,
    /// [`RadiomicsError::TooManyLevels`] when more than 4096 different levels occur.
    pub(crate) fn new(
        intensity: &Mask,
        levels: &Levels,
        morphological: &Mask,
        methods: &[Aggregation],
    ) -> Result<Self> {
        let distinct = levels.occurring();
        if let [lowest, .., highest] = distinct[..]
            && distinct.len() > MAXIMUM_DISTINCT_LEVELS
        {
            return Err(RadiomicsError::TooManyLevels {
                minimum: f64::from(lowest),
                maximum: f64::from(highest),
                levels: distinct.len() as f64,
                limit: MAXIMUM_DISTINCT_LEVELS as u32,
            });
        }
        let bounds = morphological.bounding_box().unwrap_or([0..0, 0..0, 0..0]);
        let (inside, with_level) = (morphological.cut(&bounds), intensity.cut(&bounds));
        let asked = |extent| methods.iter().any(|method| method.extent() == extent);
        let mut texture = Self { planar: Vec::new(), volume: Vec::new(), slices: Vec::new() };
        if asked(Extent::Slices) {
            let mut remaining = &levels.levels[..];
            let area = inside.shape[1] * inside.shape[2];
            let slices = inside.voxels.chunks_exact(area.max(1)).zip(with_level.voxels.chunks_exact(area.max(1)));
            for (inside_slice, with_level) in slices {
                let shape = [1, inside.shape[1], inside.shape[2]];
                let runs = runs(with_level, shape);
                let (own, later) = remaining.split_at(runs.iter().map(ExactSizeIterator::len).sum());
                remaining = later;
                if !own.is_empty() {
                    let map = level_map(shape, &runs, own, levels.count)?;
                    texture.slices.push(TexturePart { map, inside: inside_slice.into(), fixed_axis: Some(0) });
                }
            }
        }
        if asked(Extent::MergedSlices) || asked(Extent::Volume) {
            let map = level_map(inside.shape, &runs(&with_level.voxels, inside.shape), &levels.levels, levels.count)?;
            let whole = TexturePart { map, inside: inside.voxels.into(), fixed_axis: None };
            if asked(Extent::MergedSlices) {
                texture.planar.push(TexturePart { fixed_axis: Some(0), ..whole.clone() });
            }
            if asked(Extent::Volume) {
                texture.volume.push(whole);
            }
        }
        Ok(texture)
    }

    fn parts(&self, extent: Extent) -> &[TexturePart] {
        match extent {
            Extent::Slices => &self.slices,
            Extent::MergedSlices => &self.planar,
            Extent::Volume => &self.volume,
        }
    }

    /// The features of the texture families among `families`, each by the methods that it knows.
    pub(crate) fn features(&self, families: &[IbsiFamily], methods: &[Aggregation]) -> Vec<FamilyFeatures> {
        let wanted = |family: &IbsiFamily| families.contains(family);
        let kinds: Vec<MatrixKind> =
            MatrixKind::ALL.into_iter().filter(|kind| kind.families().iter().any(wanted)).collect();
        let jobs: Vec<(MatrixKind, Extent)> =
            kinds.iter().flat_map(|&kind| Extent::ALL.map(|extent| (kind, extent))).collect();
        let counted: Vec<Vec<ValueSets>> = jobs
            .par_iter()
            .map(|&(kind, extent)| {
                let merging = |directions| {
                    methods.iter().any(|method| method.extent() == extent && method.directions() == directions)
                };
                let wanted = Wanted {
                    directions: WantedDirections {
                        each: merging(Some(Directions::Averaged)),
                        merged: merging(Some(Directions::Merged)),
                    },
                    without_directions: merging(None),
                };
                kind.value_sets(self.parts(extent), extent, families, wanted)
            })
            .collect();
        let counted: Vec<ValueSets> = counted.concat();
        let of_family = |&family: &IbsiFamily| {
            let of_method = |method: &Aggregation| {
                let sets = counted.iter().find(|sets| {
                    (sets.family, sets.extent, sets.directions) == (family, method.extent(), method.directions())
                })?;
                Some(means(family, *method, &sets.sets))
            };
            FamilyFeatures { family, features: methods.iter().filter_map(of_method).flatten().collect() }
        };
        families.iter().filter(|family| family.is_texture()).map(of_family).collect()
    }
}

fn level_map(shape: [usize; 3], runs: &[Range<usize>], levels: &[u32], level_count: u32) -> Result<Arc<LevelMap>> {
    // Steps go in every direction, also in those that a slice or a row has no extent in.
    const RIM: [usize; 3] = [1; 3];
    let map = LevelMap::with_rim(shape, runs, levels, RIM)?;
    let count = map.gray_levels().len();
    // N_g of the whole region.
    Ok(Arc::new(map.within(LevelScale { highest: level_count, count })))
}

/// What the methods asked for take from the parts of one extent.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    directions: WantedDirections,
    without_directions: bool,
}

/// The values of a family's features for several matrices, which a method averages.
#[derive(Debug, Clone)]
struct ValueSets {
    family: IbsiFamily,
    extent: Extent,
    directions: Option<Directions>,
    sets: Vec<Vec<f64>>,
}

/// Matrices that are counted together.
#[derive(Debug, Clone, Copy)]
enum MatrixKind {
    Cooccurrences,
    Runs,
    /// By size and by distance.
    Zones,
    /// Tone differences and dependences.
    Neighbourhoods,
}

impl MatrixKind {
    const ALL: [Self; 4] = [Self::Cooccurrences, Self::Runs, Self::Zones, Self::Neighbourhoods];

    const fn families(self) -> &'static [IbsiFamily] {
        match self {
            Self::Cooccurrences => &[IbsiFamily::Glcm],
            Self::Runs => &[IbsiFamily::Glrlm],
            Self::Zones => &[IbsiFamily::Glszm, IbsiFamily::Gldzm],
            Self::Neighbourhoods => &[IbsiFamily::Ngtdm, IbsiFamily::Ngldm],
        }
    }

    /// The sets of values that the matrices of each part give, in the order of the parts.
    fn value_sets(
        self,
        parts: &[TexturePart],
        extent: Extent,
        families: &[IbsiFamily],
        wanted: Wanted,
    ) -> Vec<ValueSets> {
        let is_asked = |family: IbsiFamily| families.contains(&family);
        let of_parts = |of_part: &(dyn Fn(&TexturePart) -> [Vec<Vec<f64>>; 2] + Sync)| {
            let of_parts: Vec<[Vec<Vec<f64>>; 2]> = parts.par_iter().map(of_part).collect();
            let (first, second): (Vec<_>, Vec<_>) = of_parts.into_iter().map(|[first, second]| (first, second)).unzip();
            [first.concat(), second.concat()]
        };
        let directional = |family, of_part: &(dyn Fn(&TexturePart) -> [Vec<Vec<f64>>; 2] + Sync)| {
            let kinds = [Some(Directions::Averaged), Some(Directions::Merged)];
            let both = kinds.into_iter().zip(of_parts(of_part));
            both.map(|(directions, sets)| ValueSets { family, extent, directions, sets }).collect()
        };
        let undirected = |families: [IbsiFamily; 2], of_part: &(dyn Fn(&TexturePart) -> [Vec<Vec<f64>>; 2] + Sync)| {
            let both = families.into_iter().zip(of_parts(of_part));
            both.map(|(family, sets)| ValueSets { family, extent, directions: None, sets }).collect()
        };
        match self {
            Self::Cooccurrences | Self::Runs if wanted.directions == WantedDirections::default() => Vec::new(),
            Self::Cooccurrences => directional(IbsiFamily::Glcm, &|part| {
                let counted = glcm::directional_statistics(&part.map, &part.directions(), wanted.directions);
                let of = |statistics| values(IbsiFamily::Glcm, glcm::FORMULAS, statistics);
                [counted.each.iter().map(of).collect(), counted.merged.iter().map(of).collect()]
            }),
            Self::Runs => directional(IbsiFamily::Glrlm, &|part| {
                let counted = glrlm::directional_runs(&part.map, &part.directions(), wanted.directions);
                let of = |runs| values(IbsiFamily::Glrlm, glrlm::FORMULAS, runs);
                [counted.each.iter().map(of).collect(), counted.merged.iter().map(of).collect()]
            }),
            Self::Zones | Self::Neighbourhoods if !wanted.without_directions => Vec::new(),
            Self::Zones => undirected([IbsiFamily::Glszm, IbsiFamily::Gldzm], &|part| {
                let places = if is_asked(IbsiFamily::Gldzm) { KeptPlaces::All } else { KeptPlaces::None };
                let zones = Zones::new(&part.map, part.offsets(), places);
                let by_size = is_asked(IbsiFamily::Glszm).then(|| zones.by_size(&part.map));
                let by_distance = is_asked(IbsiFamily::Gldzm).then(|| DistanceZones {
                    counts: zones.by_distance(&part.map, &part.distances()),
                    voxels: part.map.voxel_count(),
                });
                [
                    by_size.iter().map(|zones| values(IbsiFamily::Glszm, glszm::FORMULAS, zones)).collect(),
                    by_distance.iter().map(|zones| values(IbsiFamily::Gldzm, gldzm::FORMULAS, zones)).collect(),
                ]
            }),
            Self::Neighbourhoods => undirected([IbsiFamily::Ngtdm, IbsiFamily::Ngldm], &|part| {
                let counts = Neighbourhoods::count(&part.map, &part.offsets(), Counting::Both { alpha: 0 });
                let tones = ngtdm::without_isolated(&part.map, &counts);
                let dependences = gldm::of_neighbourhoods(&part.map, &counts);
                [
                    tones.iter().map(|tones| values(IbsiFamily::Ngtdm, ngtdm::FORMULAS, tones)).collect(),
                    vec![values(IbsiFamily::Ngldm, gldm::FORMULAS, &dependences)],
                ]
            }),
        }
    }
}
