//! From the voxels of one patient to everything beside the features of the lesion in the analysed phase.

use std::collections::BTreeSet;

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::habitat::{HabitatModel, voxel_features};
use alnm_imaging::kinetics::KineticMap;
use alnm_imaging::n4::N4Params;
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::region::{RingLimits, Roi};
use alnm_imaging::standardisation::SiteScale;
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_radiomics::{FeatureValue, KnownFeatures, NamedImage, NamedRegion, Parameters, SeriesExtractor};
use anyhow::{Context, Result, ensure};

use super::learning::{LearnedFromSeries, ScaleEvidence, SeriesEvidence};
use super::motion::PatientMotion;
use super::options::{SeriesOptions, StudyStandard};
use crate::cohort::PatientVoxels;

/// Voxels of a lesion that habitats are learned from, taken evenly.
const MOST_LEARNED_VOXELS: usize = 2000;
/// The analysed phase in the names of columns.
const ANALYSED: &str = "image";
/// The outlined region in the names of columns.
const LESION: &str = "lesion";

/// The images of a patient after motion and bias field.
#[derive(Debug)]
pub(crate) struct CorrectedImages {
    /// The analysed phase.
    pub(crate) image: Image,
    /// Iterations of N4.
    pub(crate) n4_iterations: usize,
    /// Seconds of the analysed phase; NaN where its image is none of a series.
    seconds: f64,
    /// The further phases in ascending order.
    further: Vec<FurtherPhase>,
    /// The kinetic maps that were asked for, then those of the habitats.
    maps: Vec<(KineticMap, Volume<f32>)>,
    /// Otsu's foreground of the analysed phase.
    foreground: LabelMap,
    /// What motion had to say.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug)]
struct FurtherPhase {
    number: usize,
    seconds: f64,
    image: Image,
}

/// What images are corrected by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Correction<'a> {
    pub(crate) phase: usize,
    pub(crate) label: u32,
    pub(crate) n4: &'a N4Params,
    pub(crate) otsu_bins: usize,
}

impl CorrectedImages {
    /// Motion and kinetic maps where they are asked for, then N4: the field of the analysed phase corrects all.
    /// `motion` is what [`motion`] found.
    pub(crate) fn of(
        voxels: &PatientVoxels,
        by: Correction<'_>,
        options: Option<&SeriesOptions>,
        motion: Option<&PatientMotion>,
    ) -> Result<Self> {
        let image: Volume<f32> = voxels.image.cast();
        let foreground = otsu_mask(&image, by.otsu_bins)?;
        let n4 = by.n4.clone().check()?.correct(&image, Some(&foreground))?;
        let n4_iterations = n4.iterations();
        let (mut seconds, mut further, mut maps, mut warnings) = (f64::NAN, Vec::new(), Vec::new(), Vec::new());
        if let Some(options) = options.filter(|options| options.needs_series()) {
            let used = UsedPhases::of(whole_series(voxels, by.phase, options)?, by, options, motion)?;
            (seconds, maps, warnings) = (used.seconds, used.maps, used.warnings);
            let field = n4.bias_field();
            let without_field = |(number, seconds, phase): (usize, f64, Image)| {
                let mut voxels: Volume<f32> = phase.cast();
                voxels.as_mut_slice().iter_mut().zip(field.as_slice()).for_each(|(voxel, field)| *voxel /= field);
                FurtherPhase { number, seconds, image: Image::F32(voxels) }
            };
            further = used.further.into_iter().map(without_field).collect();
        }
        let image = Image::F32(n4.into_corrected());
        Ok(Self { image, n4_iterations, seconds, further, maps, foreground, warnings })
    }

    /// The images of the phases that are used, the analysed one first.
    fn phases(&self) -> impl Iterator<Item = &Image> {
        std::iter::once(&self.image).chain(self.further.iter().map(|phase| &phase.image))
    }

    /// What the images of a training patient give to learn from.
    pub(crate) fn evidence(&self, options: &SeriesOptions, mask: &LabelMap, label: u32) -> Result<SeriesEvidence> {
        let foreground = Some(Roi::new(&self.foreground, 1)?);
        let of_image = |image: &Image| -> Result<Option<ScaleEvidence>> {
            Ok(match &options.standardise {
                Some(StudyStandard::Nyul(params)) => {
                    Some(ScaleEvidence::Nyul(params.clone().check()?.landmarks(image, foreground)?))
                }
                Some(StudyStandard::HistogramMatching(params)) => {
                    Some(ScaleEvidence::HistogramMatching(params.check()?.reference(image)?))
                }
                Some(StudyStandard::Site) => Some(ScaleEvidence::Site(SiteScale::of_image(image, foreground)?)),
                _ => None,
            })
        };
        let scales = self.phases().filter_map(|image| of_image(image).transpose()).collect::<Result<_>>()?;
        let mut voxels = Vec::new();
        if let Some(habitats) = options.habitats() {
            let values = voxel_features(&self.maps_named(&habitats.maps)?, Roi::new(mask, label)?)?;
            let finite: Vec<Vec<f64>> = values
                .rows()
                .into_iter()
                .filter(|row| row.iter().all(|value| value.is_finite()))
                .map(|row| row.to_vec())
                .collect();
            let every = finite.len().div_ceil(MOST_LEARNED_VOXELS).max(1);
            voxels = finite.into_iter().step_by(every).collect();
        }
        Ok(SeriesEvidence { scales, voxels })
    }

    fn maps_named(&self, kinds: &[KineticMap]) -> Result<Vec<&Volume<f32>>> {
        let map = |kind: &KineticMap| {
            let found = self.maps.iter().find(|(other, _)| other == kind);
            found.map(|(_, map)| map).with_context(|| format!("the map {} was not computed", kind.name()))
        };
        kinds.iter().map(map).collect()
    }
}

/// The motion between the phases of a patient that are used; none where it is not asked for.
pub(crate) fn motion(
    voxels: &PatientVoxels,
    by: Correction<'_>,
    options: &SeriesOptions,
) -> Result<Option<PatientMotion>> {
    let Some(params) = &options.motion else { return Ok(None) };
    let series = whole_series(voxels, by.phase, options)?;
    PatientMotion::find(series, &used_numbers(series, by.phase, options), voxels, by, params).map(Some)
}

/// The series, with all phases that the options ask for.
fn whole_series<'a>(voxels: &'a PatientVoxels, phase: usize, options: &SeriesOptions) -> Result<&'a DynamicSeries> {
    let last = options.last_phase(phase);
    let series = voxels.series.as_ref().with_context(|| {
        format!(
            "the image has no phase beside the one that is analysed, and phases up to {last} are asked for; give the \
             folder of the whole series"
        )
    })?;
    let count = series.phase_count();
    ensure!(count >= last, "the series has {count} phases; phase {last} is asked for");
    Ok(series)
}

/// The numbers of the phases that are used: all for kinetic maps, else the analysed one and those named.
fn used_numbers(series: &DynamicSeries, phase: usize, options: &SeriesOptions) -> Vec<usize> {
    let has_maps = !options.all_maps().is_empty();
    let further = options.further();
    let is_used = |&number: &usize| has_maps || number == phase || further.contains(&number);
    (1..=series.phase_count()).filter(is_used).collect()
}

/// The phases of a series that are used, as they were acquired but for the motion.
struct UsedPhases {
    seconds: f64,
    further: Vec<(usize, f64, Image)>,
    maps: Vec<(KineticMap, Volume<f32>)>,
    warnings: Vec<String>,
}

impl UsedPhases {
    fn of(
        series: &DynamicSeries,
        by: Correction<'_>,
        options: &SeriesOptions,
        motion: Option<&PatientMotion>,
    ) -> Result<Self> {
        let (kinds, further) = (options.all_maps(), options.further());
        let numbers = used_numbers(series, by.phase, options);
        let (used, warnings) = match motion {
            Some(motion) => (motion.applied(series, &numbers, by.phase)?, motion.warnings()),
            None => {
                let images = numbers.iter().map(|&number| series.images()[number - 1].clone()).collect();
                let times = numbers.iter().map(|&number| series.times()[number - 1]).collect();
                (DynamicSeries::new(images, times)?, Vec::new())
            }
        };
        let mut maps = Vec::new();
        if !kinds.is_empty() {
            let found = options.kinetics().check()?.maps(&used, None, &kinds)?;
            maps = kinds.into_iter().zip(found.into_volumes()).collect();
        }
        let (images, times) = used.into_parts();
        let mut phases: Vec<(usize, f64, Image)> =
            numbers.into_iter().zip(times).zip(images).map(|((number, time), image)| (number, time, image)).collect();
        let seconds =
            phases.iter().find(|(number, ..)| *number == by.phase).map_or(f64::NAN, |(_, seconds, _)| *seconds);
        phases.retain(|(number, ..)| further.contains(number));
        Ok(Self { seconds, further: phases, maps, warnings })
    }
}

/// Features of further phases, maps and regions, ready to be taken.
#[derive(Debug, Clone)]
pub(crate) struct SeriesAnalysis {
    options: SeriesOptions,
    learned: LearnedFromSeries,
    extractor: SeriesExtractor,
    /// A grid of several slices, by which columns are named without a patient.
    named_grid: Geometry,
}

/// Further features of an outline.
#[derive(Debug)]
pub(crate) struct FurtherFeatures {
    pub(crate) names: Vec<String>,
    pub(crate) values: Vec<f64>,
    pub(crate) warnings: Vec<String>,
}

impl SeriesAnalysis {
    pub(crate) fn new(options: &SeriesOptions, learned: &LearnedFromSeries, parameters: Parameters) -> Result<Self> {
        learned.check(options)?;
        let extractor = SeriesExtractor::new(parameters, options.deltas().iter().copied());
        let named_grid = Geometry::axis_aligned([2; 3], [1.0; 3])?;
        Ok(Self { options: options.clone(), learned: learned.clone(), extractor, named_grid })
    }

    pub(crate) fn options(&self) -> &SeriesOptions {
        &self.options
    }

    /// The images on their scales; those without standardisation as they are. Maps have no scale.
    pub(crate) fn standardised(&self, images: CorrectedImages) -> Result<CorrectedImages> {
        if self.learned.scales.is_empty() {
            return Ok(images);
        }
        let foreground = Roi::new(&images.foreground, 1)?;
        let mut scales = self.learned.scales.iter();
        let mut on_scale = |image: &Image| -> Result<Image> {
            let scale = scales.next().context("a phase has no scale of intensities")?;
            Ok(Image::F32(scale.apply(image, Some(foreground)).context("standardisation")?))
        };
        let image = on_scale(&images.image)?;
        let further = images
            .further
            .iter()
            .map(|phase| Ok(FurtherPhase { image: on_scale(&phase.image)?, ..*phase }))
            .collect::<Result<_>>()?;
        Ok(CorrectedImages { image, further, ..images })
    }

    /// The names of the features that the options add to those of the lesion in the analysed phase, for images of
    /// several slices.
    pub(crate) fn feature_names(&self, of_lesion: &[String]) -> Vec<String> {
        let grid = self.named_grid.clone();
        let image = Image::F32(Volume::filled(grid.clone(), 0.0));
        let mask: LabelMap = Volume::filled(grid, 1);
        let names = self.options.further().into_iter().map(|number| (number, f64::NAN)).collect::<Vec<_>>();
        let names = PhaseNames::new(&names, f64::NAN, self.options.maps());
        let images: Vec<NamedImage<'_>> = names.images(&self.options, |_| &image);
        let regions: Vec<String> = self.region_names();
        let regions: Vec<NamedRegion<'_>> = regions.iter().map(|name| NamedRegion::new(name, &mask, 1)).collect();
        let mut found = without_repeated(self.extractor.columns(&images, &regions), of_lesion);
        found.extend(self.share_names());
        found
    }

    fn ring_count(&self) -> usize {
        self.options.rings().map_or(0, |rings| rings.rings.len())
    }

    fn habitat_count(&self) -> usize {
        self.learned.habitats.as_ref().map_or(0, HabitatModel::habitat_count)
    }

    /// The lesion, then rings, then habitats.
    fn region_names(&self) -> Vec<String> {
        let rings = (1..=self.ring_count()).map(|ring| format!("ring{ring}"));
        let habitats = (1..=self.habitat_count()).map(|habitat| format!("habitat{habitat}"));
        std::iter::once(LESION.to_owned()).chain(rings).chain(habitats).collect()
    }

    fn share_names(&self) -> impl Iterator<Item = String> {
        (1..=self.habitat_count()).map(|habitat| format!("habitat{habitat}_share"))
    }

    /// Features of further phases, maps and regions of an outline. `of_lesion` are its features in the analysed phase,
    /// which are there already. Features of a region that an image has no voxels of are NaN, with a warning.
    pub(crate) fn features(
        &self,
        images: &CorrectedImages,
        mask: &LabelMap,
        label: u32,
        of_lesion: &[FeatureValue],
    ) -> Result<FurtherFeatures> {
        let lesion = Roi::new(mask, label)?;
        let rings = self.options.rings().map(|rings| -> Result<LabelMap> {
            let limits = RingLimits::default().with_within(&images.foreground);
            Ok(rings.check()?.draw(lesion, limits)?.mask)
        });
        let rings = rings.transpose()?;
        let habitats = match (&self.learned.habitats, self.options.habitats()) {
            (Some(model), Some(options)) => Some(model.map(&images.maps_named(&options.maps)?, lesion)?),
            _ => None,
        };
        let of_rings = rings.iter().flat_map(|mask| (1..).zip(1..=self.ring_count()).map(move |(n, _)| (mask, n)));
        let of_habitats =
            habitats.iter().flat_map(|mask| (1..).zip(1..=self.habitat_count()).map(move |(n, _)| (mask, n)));
        let masks: Vec<(&LabelMap, u32)> = std::iter::once((mask, label)).chain(of_rings).chain(of_habitats).collect();
        let names = self.region_names();
        let regions: Vec<NamedRegion<'_>> =
            names.iter().zip(&masks).map(|(name, (mask, label))| NamedRegion::new(name, mask, *label)).collect();
        let phases: Vec<(usize, f64)> = images.further.iter().map(|phase| (phase.number, phase.seconds)).collect();
        let map_images: Vec<Image> = images.maps.iter().map(|(_, map)| Image::F32(map.clone())).collect();
        let phase_names = PhaseNames::new(&phases, images.seconds, self.options.maps());
        let named = phase_names.images(&self.options, |place| match *place {
            ImagePlace::Analysed => &images.image,
            ImagePlace::Further(at) => &images.further[at].image,
            ImagePlace::Map(at) => &map_images[at],
        });
        let known = [KnownFeatures::new(LESION, ANALYSED, of_lesion)];
        let row = self.extractor.row_with_known(&named, &regions, &known)?;
        let columns = self.extractor.columns(&named, &regions);
        let of_lesion: Vec<String> = of_lesion.iter().map(|feature| feature.id.to_string()).collect();
        let kept: BTreeSet<String> = without_repeated(columns.clone(), &of_lesion).into_iter().collect();
        let (mut names, mut values): (Vec<String>, Vec<f64>) =
            columns.into_iter().zip(row.values).filter(|(name, _)| kept.contains(name)).unzip();
        if let Some(habitats) = &habitats {
            let share = |habitat: u32| {
                let voxels = habitats.as_slice().iter().filter(|&&label| label == habitat).count();
                voxels as f64 / lesion.voxel_count() as f64
            };
            names.extend(self.share_names());
            values.extend((1..).take(self.habitat_count()).map(share));
        }
        let missing = |missing: &alnm_radiomics::MissingFeatures| {
            format!("{} has no features in {}: {}", missing.region, missing.image, missing.error)
        };
        Ok(FurtherFeatures { names, values, warnings: row.missing.iter().map(missing).collect() })
    }
}

/// Columns without those of the lesion in the analysed phase, whose features stand by their own names already.
fn without_repeated(columns: Vec<String>, of_lesion: &[String]) -> Vec<String> {
    let repeated: BTreeSet<String> = of_lesion
        .iter()
        .flat_map(|feature| [format!("{LESION}_{feature}"), format!("{LESION}_{ANALYSED}_{feature}")])
        .collect();
    columns.into_iter().filter(|column| !repeated.contains(column)).collect()
}

/// An image among those of a patient.
enum ImagePlace {
    Analysed,
    /// A further phase, by its place among them.
    Further(usize),
    /// A map, by its place among them.
    Map(usize),
}

/// The names of a patient's images in columns: phases in order of time, then maps.
struct PhaseNames {
    phases: Vec<(String, f64, ImagePlace)>,
    maps: Vec<&'static str>,
}

impl PhaseNames {
    /// Further phases with their seconds, in ascending order; seconds of the analysed phase; maps.
    fn new(further: &[(usize, f64)], seconds: f64, maps: &[KineticMap]) -> Self {
        let analysed = (ANALYSED.to_owned(), seconds, ImagePlace::Analysed);
        let mut phases: Vec<(String, f64, ImagePlace)> = further
            .iter()
            .enumerate()
            .map(|(at, &(number, seconds))| (format!("phase{number}"), seconds, ImagePlace::Further(at)))
            .collect();
        let before = phases.iter().take_while(|(_, other, _)| *other < seconds).count();
        phases.insert(before, analysed);
        Self { phases, maps: maps.iter().map(|map| map.name()).collect() }
    }

    /// The images with their names. Phases have times where deltas between them are asked for.
    fn images<'a>(&'a self, options: &SeriesOptions, image: impl Fn(&ImagePlace) -> &'a Image) -> Vec<NamedImage<'a>> {
        let compares = !options.deltas().is_empty();
        let phases = self.phases.iter().map(|(name, seconds, place)| {
            if compares { NamedImage::phase(name, image(place), *seconds) } else { NamedImage::map(name, image(place)) }
        });
        let maps = self.maps.iter().enumerate().map(|(at, name)| NamedImage::map(name, image(&ImagePlace::Map(at))));
        phases.chain(maps).collect()
    }
}
