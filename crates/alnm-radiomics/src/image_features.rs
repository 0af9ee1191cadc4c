//! The features of one derived image.

use std::ops::Range;

use rayon::prelude::*;

use crate::derived_image::DerivedImage;
use crate::discretisation::NarrowlyDiscretised;
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, FeatureId, FeatureValue, Selection};
use crate::glcm::{CountCell, Statistics};
use crate::level_map::{Cells, LevelMap, Offset, directions, neighbour_offsets, with_cells};
use crate::neighbourhood::{Counting, Neighbourhoods};
use crate::pairs_and_runs::PairsAndRuns;
use crate::parameters::Settings;
use crate::size_matrix::SizeMatrix;
use crate::warning::{USUAL_BINS, Warning};
use crate::{first_order, glcm, gldm, glrlm, glszm, ngtdm};

/// The features of one derived image.
pub(crate) struct ImageFeatures {
    pub(crate) features: Vec<FeatureValue>,
    pub(crate) warning: Option<Warning>,
}

/// The box around a region: which voxels belong to it, and how they lie.
pub(crate) struct BoxedRegion<'a> {
    pub(crate) inside: &'a [bool],
    /// The voxels inside as runs along x.
    pub(crate) runs: &'a [Range<usize>],
    /// (z, y, x).
    pub(crate) shape: [usize; 3],
    /// (z, y, x) in mm.
    pub(crate) spacing: [f64; 3],
    pub(crate) voxel_volume: f64,
    pub(crate) fixed_axis: Option<usize>,
}

impl BoxedRegion<'_> {
    pub(crate) fn glcm_settings(&self, settings: &Settings) -> glcm::GlcmSettings {
        glcm::GlcmSettings {
            distances: settings.distances.clone(),
            fixed_axis: self.fixed_axis,
            symmetrical: settings.symmetrical_glcm,
            weighting: settings.weighting_norm,
            spacing: self.spacing,
        }
    }

    fn level_map(&self, levels: &Cells, settings: &Settings) -> Result<LevelMap> {
        let reach = settings.distances.iter().copied().max().unwrap_or(1) as usize;
        with_cells!(levels, levels => LevelMap::from_runs(self.shape, self.runs, levels, reach))
    }
}

/// A class whose features come from grey levels and their neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextureClass {
    Glcm,
    Gldm,
    Glrlm,
    Glszm,
    Ngtdm,
}

/// What the features of a class are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueSource {
    /// The grey values of the region.
    Values,
    /// A matrix over the region's grey levels.
    Texture(TextureClass),
    /// The mask, once for all images.
    Mask,
}

impl FeatureClass {
    pub(crate) const fn source(self) -> ValueSource {
        match self {
            Self::FirstOrder => ValueSource::Values,
            Self::Glcm => ValueSource::Texture(TextureClass::Glcm),
            Self::Gldm => ValueSource::Texture(TextureClass::Gldm),
            Self::Glrlm => ValueSource::Texture(TextureClass::Glrlm),
            Self::Glszm => ValueSource::Texture(TextureClass::Glszm),
            Self::Ngtdm => ValueSource::Texture(TextureClass::Ngtdm),
            Self::Shape | Self::Shape2D => ValueSource::Mask,
        }
    }
}

pub(crate) fn texture_features(
    class: TextureClass,
    map: &LevelMap,
    settings: &Settings,
    region: &BoxedRegion<'_>,
    selection: &Selection,
) -> Result<Vec<ClassValue>> {
    let fixed_axis = region.fixed_axis;
    match class {
        TextureClass::Glcm => glcm::features(map, &region.glcm_settings(settings), selection),
        TextureClass::Gldm => {
            let settings =
                gldm::GldmSettings { distances: settings.distances.clone(), fixed_axis, alpha: settings.gldm_a };
            gldm::features(map, &settings, selection)
        }
        TextureClass::Glrlm => {
            let settings =
                glrlm::GlrlmSettings { fixed_axis, weighting: settings.weighting_norm, spacing: region.spacing };
            glrlm::features(map, &settings, selection)
        }
        TextureClass::Glszm => glszm::features(map, fixed_axis, selection),
        TextureClass::Ngtdm => ngtdm::features(map, &settings.distances, fixed_axis, selection),
    }
}

pub(crate) fn named(image: &str, class: FeatureClass, values: Vec<ClassValue>) -> impl Iterator<Item = FeatureValue> {
    values.into_iter().map(move |value| FeatureValue {
        id: FeatureId::PyRadiomics { image: image.to_owned(), class, feature: value.feature },
        value: value.value,
    })
}

/// The width that cuts the range of the values into 64 bins.
pub(crate) fn suggested_width([low, high]: [f64; 2]) -> f64 {
    (high - low) / 64.0
}

/// Texture of one image: the levels in their grid.
struct ImageTexture<'a> {
    map: LevelMap,
    settings: &'a Settings,
    region: &'a BoxedRegion<'a>,
}

/// A class with its values.
type ClassValues = (FeatureClass, Vec<ClassValue>);

/// The texture classes whose features one pass over the voxels gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TexturePass<'a> {
    /// Of one class.
    Class(TextureClass, FeatureClass, &'a Selection),
    /// Pairs and runs of each direction.
    Directions { cooccurrences: &'a Selection, runs: &'a Selection },
    /// Dependences and tone differences.
    Neighbourhoods { dependences: &'a Selection, tones: &'a Selection },
}

impl ImageTexture<'_> {
    /// The passes that the classes `wanted` take.
    fn passes<'a>(&self, wanted: &'a [(FeatureClass, Selection)]) -> Vec<TexturePass<'a>> {
        let of_class = |class| wanted.iter().find(|(other, _)| *other == class).map(|(_, selection)| selection);
        let directions = of_class(FeatureClass::Glcm).zip(of_class(FeatureClass::Glrlm)).filter(|_| {
            let unweighted = self.settings.weighting_norm.is_none() && self.settings.distances == [1];
            unweighted && PairsAndRuns::fits(&self.map) && glcm::fits_table(&self.map)
        });
        let neighbourhoods = of_class(FeatureClass::Gldm).zip(of_class(FeatureClass::Ngtdm));
        let shared = |class| match class {
            TextureClass::Glcm | TextureClass::Glrlm => directions.is_some(),
            TextureClass::Gldm | TextureClass::Ngtdm => neighbourhoods.is_some(),
            TextureClass::Glszm => false,
        };
        let shared_passes = directions
            .map(|(cooccurrences, runs)| TexturePass::Directions { cooccurrences, runs })
            .into_iter()
            .chain(neighbourhoods.map(|(dependences, tones)| TexturePass::Neighbourhoods { dependences, tones }));
        let others = wanted.iter().filter_map(|(class, selection)| match class.source() {
            ValueSource::Texture(kind) if !shared(kind) => Some(TexturePass::Class(kind, *class, selection)),
            _ => None,
        });
        shared_passes.chain(others).collect()
    }

    fn features(&self, pass: TexturePass<'_>) -> Result<Vec<ClassValues>> {
        let Self { map, settings, region } = self;
        match pass {
            TexturePass::Class(kind, class, selection) => {
                Ok(vec![(class, texture_features(kind, map, settings, region, selection)?)])
            }
            TexturePass::Directions { cooccurrences, runs } => self.along_directions(cooccurrences, runs),
            TexturePass::Neighbourhoods { dependences, tones } => {
                let offsets = neighbour_offsets(map.shape, &settings.distances, region.fixed_axis)?;
                let counts = Neighbourhoods::count(map, &offsets, Counting::Both { alpha: settings.gldm_a });
                let of_dependences = gldm::of_neighbourhoods(map, &counts);
                let of_tones = ngtdm::of_neighbourhoods(map, &counts);
                Ok(vec![
                    (FeatureClass::Gldm, dependences.evaluate(FeatureClass::Gldm, gldm::FORMULAS, &of_dependences)?),
                    (FeatureClass::Ngtdm, tones.evaluate(FeatureClass::Ngtdm, ngtdm::FORMULAS, &of_tones)?),
                ])
            }
        }
    }

    /// Co-occurrences and runs, each direction counted once for both.
    fn along_directions(&self, cooccurrences: &Selection, runs: &Selection) -> Result<Vec<ClassValues>> {
        let Self { map, settings, region } = self;
        let offsets = directions(map.shape, &settings.distances, region.fixed_axis)?;
        let with_correlation = cooccurrences.wants(glcm::MAXIMAL_CORRELATION, true);
        let of_direction = |(counted, cells): &mut (PairsAndRuns, Vec<CountCell>), &offset: &Offset| {
            counted.count(map, offset);
            let matrix = glcm::matrix_of_pairs(map, offset, &counted.pairs, settings.symmetrical_glcm, cells);
            let runs = glrlm::matrix_of_runs(map, &counted.runs);
            (matrix.map(|matrix| matrix.statistics(with_correlation)), (runs.total() > 0.0).then_some(runs))
        };
        let together = if map.is_small() { offsets.len() } else { 1 };
        let of_directions: Vec<(Option<Statistics>, Option<SizeMatrix>)> =
            offsets.par_iter().with_min_len(together).map_init(Default::default, of_direction).collect();
        let (statistics, matrices): (Vec<Option<Statistics>>, Vec<Option<SizeMatrix>>) =
            of_directions.into_iter().unzip();
        let statistics: Vec<Statistics> = statistics.into_iter().flatten().collect();
        let matrices: Vec<SizeMatrix> = matrices.into_iter().flatten().collect();
        Ok(vec![
            (FeatureClass::Glcm, cooccurrences.evaluate_mean(FeatureClass::Glcm, glcm::FORMULAS, &statistics)?),
            (FeatureClass::Glrlm, runs.evaluate_mean(FeatureClass::Glrlm, glrlm::FORMULAS, &matrices)?),
        ])
    }
}

/// The features of the classes that are `wanted`, shape left out, in their order.
pub(crate) fn image_features(
    image: DerivedImage,
    wanted: &[(FeatureClass, Selection)],
    settings: &Settings,
    region: &BoxedRegion<'_>,
) -> Result<ImageFeatures> {
    let DerivedImage { name, mut values, single_precision } = image;
    values.keep_runs(region.runs);
    let NarrowlyDiscretised { levels, bins, extremes } =
        settings.binning().discretise_narrowly(&values, single_precision)?;
    let is_textured = wanted.iter().any(|(class, _)| matches!(class.source(), ValueSource::Texture(_)));
    let texture = if is_textured {
        Some(ImageTexture { map: region.level_map(&levels, settings)?, settings, region })
    } else {
        None
    };
    let warning = (texture.is_some() && !USUAL_BINS.contains(&bins)).then(|| Warning::UnusualBinNumber {
        image: name.clone(),
        bins,
        setting: "binWidth",
        suggested_width: settings.bin_count.is_none().then(|| suggested_width(extremes)),
    });
    let of_values = wanted.iter().find(|(class, _)| class.source() == ValueSource::Values);
    let level_counts = match &texture {
        Some(texture) => texture.map.level_voxels.clone(),
        None => with_cells!(&levels, levels => first_order::level_counts(levels)),
    };
    // The map has them too.
    drop(levels);
    let passes = texture.as_ref().map(|texture| texture.passes(wanted)).unwrap_or_default();
    let (first_order, textures) = rayon::join(
        || -> Result<Vec<ClassValues>> {
            let Some((class, selection)) = of_values else { return Ok(Vec::new()) };
            let shift = settings.voxel_array_shift as f64;
            let region = first_order::FirstOrder::of(values, extremes, &level_counts, shift, region.voxel_volume);
            Ok(vec![(*class, first_order::features(&region, selection)?)])
        },
        || {
            let of_pass = |pass| texture.as_ref().map_or_else(|| Ok(Vec::new()), |texture| texture.features(pass));
            passes.into_par_iter().map(of_pass).collect::<Vec<Result<Vec<ClassValues>>>>()
        },
    );
    let mut computed = first_order?;
    for of_pass in textures {
        computed.extend(of_pass?);
    }
    let mut features = Vec::new();
    for (class, _) in wanted {
        if let Some(place) = computed.iter().position(|(other, _)| other == class) {
            features.extend(named(&name, *class, computed.swap_remove(place).1));
        }
    }
    Ok(ImageFeatures { features, warning })
}
