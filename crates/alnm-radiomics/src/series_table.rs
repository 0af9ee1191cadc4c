//! All features of a patient in one row: every region, every phase and every map.

use std::borrow::Cow;
use std::collections::BTreeSet;

use alnm_imaging::{Image, LabelMap, Volume, with_volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{RadiomicsError, Result};
use crate::extraction::Extractor;
use crate::feature::FeatureValue;
use crate::parameters::Parameters;

/// An image of a patient with the name that its columns have: a phase, or a map such as those of
/// `alnm_imaging::kinetics`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NamedImage<'a> {
    /// The name in columns, such as `phase2` or `peak_enhancement`.
    pub name: &'a str,
    /// The image.
    pub image: &'a Image,
    /// Seconds of a phase, between which deltas are computed; none of a map.
    pub time: Option<f64>,
}

impl<'a> NamedImage<'a> {
    /// A phase.
    #[must_use]
    pub fn phase(name: &'a str, image: &'a Image, seconds: f64) -> Self {
        Self { name, image, time: Some(seconds) }
    }

    /// A map.
    #[must_use]
    pub fn map(name: &'a str, image: &'a Image) -> Self {
        Self { name, image, time: None }
    }
}

/// A region of a patient with the name that its columns have.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NamedRegion<'a> {
    /// The name in columns, such as `lesion` or `ring1`.
    pub name: &'a str,
    /// The mask.
    pub mask: &'a LabelMap,
    /// Its label.
    pub label: u32,
}

impl<'a> NamedRegion<'a> {
    /// The voxels of a label.
    #[must_use]
    pub fn new(name: &'a str, mask: &'a LabelMap, label: u32) -> Self {
        Self { name, mask, label }
    }
}

/// How the feature of a phase is compared with that of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeltaKind {
    /// Value of the phase less that of the first.
    Difference,
    /// Value of the phase over that of the first; NaN where this is 0.
    Ratio,
    /// Slope per second of the straight line of least squares over all phases: one column for all of them.
    Slope,
}

impl DeltaKind {
    /// The name in columns.
    fn name(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Ratio => "ratio",
            Self::Slope => "slope",
        }
    }
}

/// Why a region has no values in an image.
#[derive(Debug)]
#[non_exhaustive]
pub struct MissingFeatures {
    /// The region.
    pub region: String,
    /// The image.
    pub image: String,
    /// What stood against it.
    pub error: RadiomicsError,
}

/// The row of a patient.
#[derive(Debug)]
#[non_exhaustive]
pub struct SeriesRow {
    /// A value for each of [`SeriesExtractor::columns`]; NaN where a region has none in an image.
    pub values: Vec<f64>,
    /// Which regions have none in which image, and why.
    pub missing: Vec<MissingFeatures>,
}

/// The features of a region in an image that were extracted before, by [`Extractor::execute`] with the same parameters.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct KnownFeatures<'a> {
    /// The name of the region.
    pub region: &'a str,
    /// The name of the image.
    pub image: &'a str,
    /// The features.
    pub features: &'a [FeatureValue],
}

impl<'a> KnownFeatures<'a> {
    /// The features of the region of this name in the image of this name.
    #[must_use]
    pub fn new(region: &'a str, image: &'a str, features: &'a [FeatureValue]) -> Self {
        Self { region, image, features }
    }
}

/// Extracts every feature of every region in every phase and map of a patient, as one row.
///
/// Columns are named `REGION_IMAGE_FEATURE`; those of shape, which is the same in all images, once as `REGION_FEATURE`
/// (with `resegmentShape`, by which shape depends on intensities, in each image). Deltas between phases, where there
/// are two or more and where they are asked for, are `REGION_PHASE_difference_FEATURE`, `REGION_PHASE_ratio_FEATURE`
/// with the phase that is compared with the first, and `REGION_slope_FEATURE`. The columns depend on the names and the
/// parameters alone, so that rows of patients stand below each other.
///
/// Voxels of a map that are not finite are left out of the region there, as washout slopes are in voxels that do not
/// wash out; a phase with such a voxel is refused as [`Extractor::execute`] refuses it. What is refused (an empty ring,
/// a region of one voxel) is missing in the row, and [`SeriesRow::missing`] says why. Diagnostics are not computed.
///
/// ```
/// use alnm_radiomics::{DeltaKind, Geometry, Image, NamedImage, NamedRegion, Parameters, SeriesExtractor, Volume};
/// # use ndarray::Array3;
/// let geometry = Geometry::axis_aligned([6, 6, 6], [1.0, 1.0, 2.0])?;
/// let phase = |gain: usize| -> Result<Image, Box<dyn std::error::Error>> {
///     let voxels = Array3::from_shape_fn([6, 6, 6], |(z, y, x)| (gain * (40 * z + 15 * y + 7 * x)) as i16);
///     Ok(Image::I16(Volume::new(voxels, geometry.clone())?))
/// };
/// let (before, after) = (phase(1)?, phase(3)?);
/// let mask = Array3::from_shape_fn([6, 6, 6], |(z, _, x)| u32::from((1..5).contains(&z)) * (1 + u32::from(x > 2)));
/// let mask = Volume::new(mask, geometry)?;
///
/// let extractor = SeriesExtractor::new(Parameters::default(), [DeltaKind::Ratio]);
/// let phases = [NamedImage::phase("phase1", &before, 0.0), NamedImage::phase("phase2", &after, 90.0)];
/// let regions = [NamedRegion::new("lesion", &mask, 1), NamedRegion::new("ring", &mask, 2)];
/// let columns = extractor.columns(&phases, &regions);
/// let row = extractor.row(&phases, &regions)?;
/// let value = |name: &str| row.values[columns.iter().position(|column| column == name).unwrap()];
/// assert_eq!(row.values.len(), columns.len());
/// assert_eq!(value("lesion_original_shape_VoxelVolume"), 144.0);
/// assert_eq!(value("ring_phase2_ratio_original_firstorder_Mean"), 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SeriesExtractor {
    /// Without shape, where shape is the same in all images.
    of_images: Extractor,
    /// With shape alone in that case; none where shape depends on the image or is not asked for.
    of_shape: Option<Extractor>,
    deltas: Vec<DeltaKind>,
}

impl SeriesExtractor {
    /// An extractor with these parameters, and the deltas that are wanted.
    #[must_use]
    pub fn new(parameters: Parameters, deltas: impl IntoIterator<Item = DeltaKind>) -> Self {
        let (parameters, deltas) = (parameters.without_diagnostics(), deltas.into_iter().collect());
        if parameters.settings().resegment_shape {
            return Self { of_images: Extractor::new(parameters), of_shape: None, deltas };
        }
        let (shape, rest) = parameters.parted_by_shape();
        let of_shape = (!shape.feature_classes().is_empty()).then(|| Extractor::new(shape));
        Self { of_images: Extractor::new(rest), of_shape, deltas }
    }

    /// The columns of every patient with images and regions of these names.
    #[must_use]
    pub fn columns(&self, images: &[NamedImage<'_>], regions: &[NamedRegion<'_>]) -> Vec<String> {
        let dimension = images.first().map_or(3, |image| image.image.geometry().dimension());
        let features = self.of_images.feature_columns(dimension);
        let shape = self.of_shape.as_ref().map_or(Vec::new(), |extractor| extractor.feature_columns(dimension));
        let phases: Vec<&NamedImage<'_>> = images.iter().filter(|image| image.time.is_some()).collect();
        let mut columns = Vec::new();
        for NamedRegion { name: region, .. } in regions {
            columns.extend(shape.iter().map(|feature| format!("{region}_{feature}")));
            for NamedImage { name, .. } in images {
                columns.extend(features.iter().map(|feature| format!("{region}_{name}_{feature}")));
            }
            for &kind in self.deltas.iter().filter(|_| phases.len() > 1) {
                let kind_name = kind.name();
                match kind {
                    DeltaKind::Slope => {
                        columns.extend(features.iter().map(|feature| format!("{region}_{kind_name}_{feature}")));
                    }
                    _ => {
                        for NamedImage { name, .. } in &phases[1..] {
                            let column = |feature: &String| format!("{region}_{name}_{kind_name}_{feature}");
                            columns.extend(features.iter().map(column));
                        }
                    }
                }
            }
        }
        columns
    }

    /// The row of a patient. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`RadiomicsError::Image`] when there is no image, two images or two regions have one name, an image has the name
    /// of a delta (`slope`), or phases do not stand in order of their times.
    pub fn row(&self, images: &[NamedImage<'_>], regions: &[NamedRegion<'_>]) -> Result<SeriesRow> {
        self.row_with_known(images, regions, &[])
    }

    /// As [`SeriesExtractor::row`]; features that are known are not extracted again, but for the shape.
    ///
    /// # Errors
    /// As [`SeriesExtractor::row`].
    pub fn row_with_known(
        &self,
        images: &[NamedImage<'_>],
        regions: &[NamedRegion<'_>],
        known: &[KnownFeatures<'_>],
    ) -> Result<SeriesRow> {
        check(images, regions, &self.deltas)?;
        let dimension = images[0].image.geometry().dimension();
        let columns = self.of_images.feature_columns(dimension);
        let shape_columns = self.of_shape.as_ref().map_or(Vec::new(), |extractor| extractor.feature_columns(dimension));
        let jobs: Vec<(usize, usize)> =
            (0..regions.len()).flat_map(|region| (0..images.len()).map(move |image| (region, image))).collect();
        let extracted: Vec<(Vec<f64>, Option<MissingFeatures>)> = jobs
            .par_iter()
            .map(|&(region, image)| self.values(&columns, &images[image], &regions[region], known))
            .collect();
        let of_shape: Vec<Vec<f64>> =
            regions.par_iter().map(|region| self.shape(&shape_columns, images, region)).collect();
        let mut row = SeriesRow { values: Vec::new(), missing: Vec::new() };
        let mut extracted = extracted.into_iter();
        for shape in of_shape {
            let of_region: Vec<Vec<f64>> = extracted
                .by_ref()
                .take(images.len())
                .map(|(values, missing)| {
                    row.missing.extend(missing);
                    values
                })
                .collect();
            row.values.extend(shape);
            of_region.iter().for_each(|values| row.values.extend(values));
            let phases = images.iter().zip(&of_region).filter_map(|(image, values)| Some((image.time?, values)));
            let phases: Vec<(f64, &Vec<f64>)> = phases.collect();
            for &kind in self.deltas.iter().filter(|_| phases.len() > 1) {
                row.values.extend(deltas(kind, &phases));
            }
        }
        Ok(row)
    }

    /// The values of a region in an image, in the order of the columns.
    fn values(
        &self,
        columns: &[String],
        image: &NamedImage<'_>,
        region: &NamedRegion<'_>,
        known: &[KnownFeatures<'_>],
    ) -> (Vec<f64>, Option<MissingFeatures>) {
        if let Some(known) = known.iter().find(|known| known.region == region.name && known.image == image.name) {
            return (ordered(columns, known.features), None);
        }
        let found =
            finite_part(image, region).and_then(|(voxels, mask)| self.of_images.execute(&voxels, &*mask, region.label));
        match found {
            Ok(extraction) => (ordered(columns, &extraction.features), None),
            Err(error) => {
                let missing = MissingFeatures { region: region.name.to_owned(), image: image.name.to_owned(), error };
                (vec![f64::NAN; columns.len()], Some(missing))
            }
        }
    }

    /// The shape of a region; NaN where it is refused, which its values in the images tell.
    fn shape(&self, columns: &[String], images: &[NamedImage<'_>], region: &NamedRegion<'_>) -> Vec<f64> {
        let Some(extractor) = &self.of_shape else { return Vec::new() };
        // A map may have holes that are no part of the region's shape.
        let whole = images.iter().find(|image| image.time.is_some() || image.image.check_finite().is_ok());
        let found = match whole {
            Some(image) => extractor.execute(image.image, region.mask, region.label),
            None => {
                let flat = Image::F32(Volume::filled(images[0].image.geometry().clone(), 0.0));
                extractor.execute(&flat, region.mask, region.label)
            }
        };
        match found {
            Ok(extraction) => ordered(columns, &extraction.features),
            Err(_) => vec![f64::NAN; columns.len()],
        }
    }
}

/// Values in the order of columns. There may be features of no column.
fn ordered(columns: &[String], features: &[FeatureValue]) -> Vec<f64> {
    let wanted: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    let mut rest = features.iter().filter(|feature| wanted.contains(feature.id.name().as_str())).peekable();
    // Features come in the order of the columns; what an image is too small for is left out.
    let value = |column: &String| {
        let is_next = rest.peek().is_some_and(|feature| feature.id.name() == *column);
        if is_next { rest.next().map_or(f64::NAN, |feature| feature.value) } else { f64::NAN }
    };
    columns.iter().map(value).collect()
}

/// An image and a mask whose region has finite voxels of the image alone, where the image is a map.
fn finite_part<'a>(image: &NamedImage<'a>, region: &NamedRegion<'a>) -> Result<(Cow<'a, Image>, Cow<'a, LabelMap>)> {
    if image.time.is_some() || image.image.check_finite().is_ok() {
        return Ok((Cow::Borrowed(image.image), Cow::Borrowed(region.mask)));
    }
    if let Some(difference) = image.image.geometry().difference(region.mask.geometry(), 1e-6) {
        return Err(RadiomicsError::GeometryMismatch(difference));
    }
    let values = with_volume!(image.image, volume => volume.cast::<f64>());
    let mut mask = region.mask.clone();
    let holes = mask.as_mut_slice().iter_mut().zip(values.as_slice()).filter(|(_, value)| !value.is_finite());
    holes.for_each(|(voxel, _)| *voxel = 0);
    let filled = values.map(|&value| if value.is_finite() { value } else { 0.0 });
    let filled = match image.image {
        Image::F64(_) => Image::F64(filled),
        _ => Image::F32(filled.cast()),
    };
    Ok((Cow::Owned(filled), Cow::Owned(mask)))
}

/// The deltas of all features, phase by phase.
fn deltas(kind: DeltaKind, phases: &[(f64, &Vec<f64>)]) -> Vec<f64> {
    let (first, later) = (phases[0].1, &phases[1..]);
    let compared = |compare: fn(f64, f64) -> f64| {
        later
            .iter()
            .flat_map(|(_, values)| values.iter().zip(first).map(|(&now, &before)| compare(now, before)))
            .collect()
    };
    match kind {
        DeltaKind::Difference => compared(|now, before| now - before),
        DeltaKind::Ratio => compared(|now, before| if before == 0.0 { f64::NAN } else { now / before }),
        DeltaKind::Slope => {
            let count = phases.len() as f64;
            let mean_time = phases.iter().map(|(time, _)| time).sum::<f64>() / count;
            let squares: f64 = phases.iter().map(|(time, _)| (time - mean_time).powi(2)).sum();
            let slope = |feature: usize| {
                let mean = phases.iter().map(|(_, values)| values[feature]).sum::<f64>() / count;
                let product = |(time, values): &(f64, &Vec<f64>)| (time - mean_time) * (values[feature] - mean);
                phases.iter().map(product).sum::<f64>() / squares
            };
            (0..first.len()).map(slope).collect()
        }
    }
}

fn check(images: &[NamedImage<'_>], regions: &[NamedRegion<'_>], deltas: &[DeltaKind]) -> Result<()> {
    let invalid = |parameter, value: String, requirement| {
        Err(alnm_imaging::ImagingError::InvalidParameter {
            operation: "table of a series",
            parameter,
            value,
            requirement,
        }
        .into())
    };
    let twice = |names: &[&str]| names.iter().enumerate().any(|(place, name)| names[..place].contains(name));
    let image_names: Vec<&str> = images.iter().map(|image| image.name).collect();
    let region_names: Vec<&str> = regions.iter().map(|region| region.name).collect();
    if images.is_empty() || twice(&image_names) {
        return invalid(
            "images",
            format!("{image_names:?}"),
            "there must be at least one, each with a name of its own",
        );
    }
    let is_delta = |name: &str| {
        deltas.iter().any(|kind| match kind {
            DeltaKind::Slope => name == kind.name(),
            _ => images.iter().any(|phase| name == format!("{}_{}", phase.name, kind.name())),
        })
    };
    if let Some(name) = image_names.iter().find(|name| is_delta(name)) {
        return invalid(
            "the name of an image",
            format!("{name:?}"),
            "columns of a delta have this name; call it otherwise",
        );
    }
    if twice(&region_names) {
        return invalid("regions", format!("{region_names:?}"), "each must have a name of its own");
    }
    let times: Vec<f64> = images.iter().filter_map(|image| image.time).collect();
    if times.iter().any(|time| !time.is_finite()) || times.windows(2).any(|pair| pair[0] >= pair[1]) {
        return invalid("times", format!("{times:?}"), "those of phases must be known and ascend");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alnm_imaging::Geometry;
    use ndarray::Array3;

    use super::*;

    #[test]
    fn known_features_give_the_row_that_extraction_gives() {
        let parameters = Parameters::from_yaml(
            "imageType: {Original: {}, LoG: {sigma: [2.0]}, Wavelet: {}}\nsetting: {binWidth: 10, resampledPixelSpacing: [1, 1, 1]}\n",
        )
        .unwrap();
        let geometry = Geometry::axis_aligned([14, 12, 8], [1.0, 1.0, 2.0]).unwrap();
        let image = |seed: usize| {
            let voxel = |(z, y, x): (usize, usize, usize)| ((z * 31 + y * 17 + x * 7 + x * y * seed) % 97) as f32;
            Image::F32(Volume::new(Array3::from_shape_fn([8, 12, 14], voxel), geometry.clone()).unwrap())
        };
        let label = |(z, y, x): (usize, usize, usize)| u32::from((2..6).contains(&z) && (3..9).contains(&y) && x > 4);
        let mask = Volume::new(Array3::from_shape_fn([8, 12, 14], label), geometry.clone()).unwrap();
        let (before, after) = (image(3), image(5));
        let images = [NamedImage::phase("early", &before, 0.0), NamedImage::phase("late", &after, 90.0)];
        let regions = [NamedRegion::new("lesion", &mask, 1)];
        let extractor = SeriesExtractor::new(parameters.clone(), [DeltaKind::Ratio, DeltaKind::Slope]);
        let lesion = Extractor::new(parameters).execute(&after, &mask, 1).unwrap();
        let known = [KnownFeatures::new("lesion", "late", &lesion.features)];
        let bits = |row: SeriesRow| row.values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let anew = bits(extractor.row(&images, &regions).unwrap());
        assert_eq!(bits(extractor.row_with_known(&images, &regions, &known).unwrap()), anew);
        // They are what is taken, wherever they come from.
        let other = extractor.of_images.execute(&before, &mask, 1).unwrap();
        let known = [KnownFeatures::new("lesion", "late", &other.features)];
        assert_ne!(bits(extractor.row_with_known(&images, &regions, &known).unwrap()), anew);
    }
}
