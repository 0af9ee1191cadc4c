//! The features of one derived image.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::derived_image::DerivedImage;
use crate::discretisation::Discretised;
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, FeatureId, FeatureValue, Selection};
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::neighbourhood::{Neighbourhoods, Wanted};
use crate::parameters::Settings;
use crate::warning::{USUAL_BINS, Warning};
use crate::{first_order, glcm, gldm, glrlm, glszm, ngtdm};

/// The features of one derived image.
pub(crate) struct ImageFeatures {
    pub(crate) features: Vec<FeatureValue>,
    pub(crate) warning: Option<Warning>,
}

/// The box around a region: which voxels belong to it, and how they lie.
pub(crate) struct Region<'a> {
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

impl Region<'_> {
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

pub(crate) fn texture_features(
    class: FeatureClass,
    map: &LevelMap,
    settings: &Settings,
    region: &Region<'_>,
    selection: &Selection,
) -> Result<Vec<ClassValue>> {
    let fixed_axis = region.fixed_axis;
    match class {
        FeatureClass::Glcm => glcm::features(map, &region.glcm_settings(settings), selection),
        FeatureClass::Gldm => {
            let settings =
                gldm::GldmSettings { distances: settings.distances.clone(), fixed_axis, alpha: settings.gldm_a };
            gldm::features(map, &settings, selection)
        }
        FeatureClass::Glrlm => {
            let settings =
                glrlm::GlrlmSettings { fixed_axis, weighting: settings.weighting_norm, spacing: region.spacing };
            glrlm::features(map, &settings, selection)
        }
        FeatureClass::Glszm => glszm::features(map, fixed_axis, selection),
        FeatureClass::Ngtdm => ngtdm::features(map, &settings.distances, fixed_axis, selection),
        FeatureClass::FirstOrder | FeatureClass::Shape | FeatureClass::Shape2D => Ok(Vec::new()),
    }
}

pub(crate) fn named(image: &str, class: FeatureClass, values: Vec<ClassValue>) -> impl Iterator<Item = FeatureValue> {
    values.into_iter().map(move |value| FeatureValue {
        id: FeatureId { image: image.to_owned(), class, feature: value.name, ibsi: value.ibsi },
        value: value.value,
    })
}

/// The width that cuts the range of the values into 64 bins.
fn suggested_width(values: &[f64]) -> f64 {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    (high - low) / 64.0
}

/// Whether dependences and tone differences are wanted, which one pass can count.
fn has_both_neighbourhood_classes(classes: &[(FeatureClass, Selection)]) -> bool {
    let wanted = |class| classes.iter().any(|(other, _)| *other == class);
    wanted(FeatureClass::Gldm) && wanted(FeatureClass::Ngtdm)
}

/// The features of the classes that are `wanted`, shape left out, in their order.
pub(crate) fn image_features(
    image: DerivedImage,
    wanted: &[(FeatureClass, Selection)],
    settings: &Settings,
    region: &Region<'_>,
) -> Result<ImageFeatures> {
    let DerivedImage { name, values: in_box, single_precision } = image;
    let mut values = Vec::with_capacity(region.runs.iter().map(ExactSizeIterator::len).sum());
    for run in region.runs {
        values.extend_from_slice(&in_box[run.clone()]);
    }
    drop(in_box);
    let discretised = settings.binning().discretise(&values, single_precision)?;
    let classes: Vec<_> = wanted.iter().filter(|(class, _)| !class.is_shape()).collect();
    let is_textured = classes.iter().any(|(class, _)| *class != FeatureClass::FirstOrder);
    let map = if is_textured { Some(region.level_map(&discretised, settings)?) } else { None };
    let neighbourhoods = OnceLock::new();
    let of_class = |(class, selection): &&(FeatureClass, Selection)| -> Result<Vec<ClassValue>> {
        match (class, &map) {
            (FeatureClass::Gldm | FeatureClass::Ngtdm, Some(map)) if has_both_neighbourhood_classes(wanted) => {
                let offsets = neighbour_offsets(map.shape, &settings.distances, region.fixed_axis)?;
                let wanted = Wanted::Both { alpha: settings.gldm_a };
                let counts = neighbourhoods.get_or_init(|| Neighbourhoods::count(map, &offsets, wanted));
                Ok(match class {
                    FeatureClass::Gldm => selection.evaluate(gldm::FORMULAS, &gldm::of_neighbourhoods(map, counts)),
                    _ => selection.evaluate(ngtdm::FORMULAS, &ngtdm::of_neighbourhoods(map, counts)),
                })
            }
            (FeatureClass::FirstOrder, _) | (_, None) => {
                let shift = settings.voxel_array_shift;
                let region = first_order::FirstOrder::new(&values, &discretised.levels, shift, region.voxel_volume);
                Ok(first_order::features(&region, selection))
            }
            (class, Some(map)) => texture_features(*class, map, settings, region, selection),
        }
    };
    let of_classes: Vec<Result<Vec<ClassValue>>> = classes.par_iter().map(of_class).collect();
    let mut features = Vec::new();
    for ((class, _), of_class) in classes.into_iter().zip(of_classes) {
        features.extend(named(&name, *class, of_class?));
    }
    let warning = (map.is_some() && !USUAL_BINS.contains(&discretised.bins)).then(|| Warning::UnusualBinNumber {
        image: name,
        bins: discretised.bins,
        suggested_width: settings.bin_count.is_none().then(|| suggested_width(&values)),
    });
    Ok(ImageFeatures { features, warning })
}
