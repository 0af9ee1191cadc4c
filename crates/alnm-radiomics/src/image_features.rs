//! The features of one derived image.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::derived_image::DerivedImage;
use crate::discretisation::Discretised;
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, FeatureId, FeatureValue, Selection};
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::neighbourhood::{Counting, Neighbourhoods};
use crate::parameters::Settings;
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

    fn level_map(&self, discretised: &Discretised, settings: &Settings) -> Result<LevelMap> {
        let reach = settings.distances.iter().copied().max().unwrap_or(1) as usize;
        LevelMap::from_runs(self.shape, self.runs, &discretised.levels, reach)
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
pub(crate) fn suggested_width(values: &[f64]) -> f64 {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    (high - low) / 64.0
}

/// Texture of one image: the levels in their grid, and the neighbourhoods that dependences and tone differences can
/// share.
struct ImageTexture<'a> {
    map: LevelMap,
    settings: &'a Settings,
    region: &'a BoxedRegion<'a>,
    /// Whether dependences and tone differences are both asked for, which one pass can count.
    shares_neighbourhoods: bool,
    neighbourhoods: OnceLock<Neighbourhoods>,
}

impl ImageTexture<'_> {
    fn features(&self, class: TextureClass, selection: &Selection) -> Result<Vec<ClassValue>> {
        let Self { map, settings, region, .. } = self;
        match class {
            TextureClass::Gldm if self.shares_neighbourhoods => {
                let matrix = gldm::of_neighbourhoods(map, self.neighbourhoods()?);
                selection.evaluate(FeatureClass::Gldm, gldm::FORMULAS, &matrix)
            }
            TextureClass::Ngtdm if self.shares_neighbourhoods => {
                let matrix = ngtdm::of_neighbourhoods(map, self.neighbourhoods()?);
                selection.evaluate(FeatureClass::Ngtdm, ngtdm::FORMULAS, &matrix)
            }
            class => texture_features(class, map, settings, region, selection),
        }
    }

    fn neighbourhoods(&self) -> Result<&Neighbourhoods> {
        let offsets = neighbour_offsets(self.map.shape, &self.settings.distances, self.region.fixed_axis)?;
        let counting = Counting::Both { alpha: self.settings.gldm_a };
        Ok(self.neighbourhoods.get_or_init(|| Neighbourhoods::count(&self.map, &offsets, counting)))
    }
}

/// What the features of one class of one image are computed from.
enum ClassSource<'a> {
    /// The grey values, of which there is one copy for the class that is computed from them.
    Values(Vec<f64>),
    Texture(TextureClass, &'a ImageTexture<'a>),
}

/// The features of the classes that are `wanted`, shape left out, in their order.
pub(crate) fn image_features(
    image: DerivedImage,
    wanted: &[(FeatureClass, Selection)],
    settings: &Settings,
    region: &BoxedRegion<'_>,
) -> Result<ImageFeatures> {
    let DerivedImage { name, values: in_box, single_precision } = image;
    let mut values = Vec::with_capacity(region.runs.iter().map(ExactSizeIterator::len).sum());
    for run in region.runs {
        values.extend_from_slice(&in_box[run.clone()]);
    }
    drop(in_box);
    let discretised = settings.binning().discretise(&values, single_precision)?;
    let has = |class| wanted.iter().any(|(other, _)| *other == class);
    let is_textured = wanted.iter().any(|(class, _)| matches!(class.source(), ValueSource::Texture(_)));
    let texture = if is_textured {
        Some(ImageTexture {
            map: region.level_map(&discretised, settings)?,
            settings,
            region,
            shares_neighbourhoods: has(FeatureClass::Gldm) && has(FeatureClass::Ngtdm),
            neighbourhoods: OnceLock::new(),
        })
    } else {
        None
    };
    let warning = (texture.is_some() && !USUAL_BINS.contains(&discretised.bins)).then(|| Warning::UnusualBinNumber {
        image: name.clone(),
        bins: discretised.bins,
        setting: "binWidth",
        suggested_width: settings.bin_count.is_none().then(|| suggested_width(&values)),
    });
    let mut jobs: Vec<(FeatureClass, &Selection, ClassSource<'_>)> = Vec::with_capacity(wanted.len());
    for (class, selection) in wanted {
        match (class.source(), &texture) {
            (ValueSource::Values, _) => {
                jobs.push((*class, selection, ClassSource::Values(std::mem::take(&mut values))));
            }
            (ValueSource::Texture(kind), Some(texture)) => {
                jobs.push((*class, selection, ClassSource::Texture(kind, texture)));
            }
            // Shape is computed once for all images, and a class of texture has made a texture.
            (ValueSource::Mask, _) | (ValueSource::Texture(_), None) => {}
        }
    }
    let of_class = |(class, selection, source): (FeatureClass, &Selection, ClassSource<'_>)| {
        let values = match source {
            ClassSource::Values(values) => {
                let shift = settings.voxel_array_shift as f64;
                let region = first_order::FirstOrder::of(values, &discretised.levels, shift, region.voxel_volume);
                first_order::features(&region, selection)
            }
            ClassSource::Texture(class, texture) => texture.features(class, selection),
        };
        values.map(|values| (class, values))
    };
    let of_classes: Vec<Result<(FeatureClass, Vec<ClassValue>)>> = jobs.into_par_iter().map(of_class).collect();
    let mut features = Vec::new();
    for of_class in of_classes {
        let (class, values) = of_class?;
        features.extend(named(&name, class, values));
    }
    Ok(ImageFeatures { features, warning })
}
