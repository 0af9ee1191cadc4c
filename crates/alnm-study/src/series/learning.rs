//! What is learned on training patients: scales of intensities and habitats.

use alnm_imaging::habitat::HabitatModel;
use alnm_imaging::standardisation::{
    HistogramMatchingParams, HistogramReference, IntensityStandard, NyulParams, SiteScale,
};
use anyhow::{Context, Result, bail, ensure};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::options::{SeriesOptions, StudyStandard};

/// What an image tells of a scale, by the method that is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScaleEvidence {
    /// The landmarks of the image.
    Nyul(Vec<f64>),
    /// Its quantiles.
    HistogramMatching(HistogramReference),
    /// Its mean and standard deviation.
    Site(SiteScale),
}

/// What one patient's images give to learn from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeriesEvidence {
    /// Of the analysed phase, then of each further one in ascending order; empty where no scale is learned.
    pub scales: Vec<ScaleEvidence>,
    /// Values of the habitats' maps in voxels of the lesion, taken evenly, (voxels, maps); empty without habitats.
    pub voxels: Vec<Vec<f64>>,
}

/// What a patient gives to learn from, and whose patient it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PatientEvidence {
    /// Identifier.
    pub patient: String,
    /// Centre; that of the training centre alone is learned from.
    pub centre: String,
    /// What the images give.
    pub evidence: SeriesEvidence,
}

impl PatientEvidence {
    /// What a patient's images give.
    #[must_use]
    pub fn new(patient: &str, centre: &str, evidence: SeriesEvidence) -> Self {
        Self { patient: patient.to_owned(), centre: centre.to_owned(), evidence }
    }
}

/// What was learned, as a bundle keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LearnedFromSeries {
    /// Training patients that were learned from; 0 where nothing is learned.
    pub patients: usize,
    /// The scale of the analysed phase, then of each further one in ascending order; empty without standardisation.
    pub scales: Vec<IntensityStandard>,
    /// The habitats.
    pub habitats: Option<HabitatModel>,
}

/// What was learned, with what it was learned from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SeriesLearning {
    /// What was asked for.
    pub options: SeriesOptions,
    /// What each patient gave, in the order of the cohort.
    pub patients: Vec<PatientEvidence>,
    /// What was learned.
    pub learned: LearnedFromSeries,
}

/// Scales and habitats from the patients of the training centre among those given.
///
/// # Errors
/// When the training centre has no patient here, and what a scale or the habitats cannot be learned from.
pub fn learn(
    options: &SeriesOptions,
    training_centre: &str,
    patients: &[PatientEvidence],
) -> Result<LearnedFromSeries> {
    let training: Vec<&SeriesEvidence> =
        patients.iter().filter(|patient| patient.centre == training_centre).map(|patient| &patient.evidence).collect();
    ensure!(
        !options.learns() || !training.is_empty(),
        "no patient of {training_centre} gives anything to learn scales or habitats from"
    );
    let images = 1 + options.further().len();
    let scales = match &options.standardise {
        None => Vec::new(),
        Some(standard) => (0..images).map(|image| scale(standard, image, &training)).collect::<Result<_>>()?,
    };
    let habitats = options.habitats().map(|habitats| -> Result<HabitatModel> {
        let names: Vec<&str> = habitats.maps.iter().map(|map| map.name()).collect();
        let of_patient = |evidence: &&SeriesEvidence| {
            let values: Vec<f64> = evidence.voxels.iter().flatten().copied().collect();
            Array2::from_shape_vec((evidence.voxels.len(), names.len()), values).context("voxels of a patient")
        };
        let patients = training.iter().map(of_patient).collect::<Result<Vec<_>>>()?;
        Ok(habitats.clusters.check()?.learn(&names, &patients)?)
    });
    let habitats = habitats.transpose().context("habitats")?;
    let patients = if options.learns() { training.len() } else { 0 };
    Ok(LearnedFromSeries { patients, scales, habitats })
}

/// The scale of one image of each patient.
fn scale(standard: &StudyStandard, image: usize, training: &[&SeriesEvidence]) -> Result<IntensityStandard> {
    let of_image = || {
        let evidence = training.iter().map(|patient| patient.scales.get(image));
        evidence.collect::<Option<Vec<_>>>().context("a patient's images give no scale to learn from")
    };
    let other = "a patient's images give another kind of scale than is learned";
    Ok(match standard {
        StudyStandard::Nyul(params) => {
            let mut landmarks = Vec::new();
            for evidence in of_image()? {
                let ScaleEvidence::Nyul(found) = evidence else { bail!(other) };
                landmarks.push(found.clone());
            }
            IntensityStandard::Nyul(NyulParams::clone(params).check()?.learn(&landmarks)?)
        }
        StudyStandard::HistogramMatching(params) => {
            let mut references = Vec::new();
            for evidence in of_image()? {
                let ScaleEvidence::HistogramMatching(found) = evidence else { bail!(other) };
                references.push(found.clone());
            }
            IntensityStandard::HistogramMatching(HistogramMatchingParams::check(*params)?.learn(&references)?)
        }
        StudyStandard::Site => {
            let mut scales = Vec::new();
            for evidence in of_image()? {
                let ScaleEvidence::Site(found) = evidence else { bail!(other) };
                scales.push(*found);
            }
            IntensityStandard::Site(SiteScale::learn(&scales)?)
        }
        StudyStandard::WhiteStripe(params) => IntensityStandard::WhiteStripe(params.check()?),
        StudyStandard::ZScore => IntensityStandard::Site(SiteScale::Z_SCORE),
    })
}

impl LearnedFromSeries {
    /// Whether this is what the options need.
    ///
    /// # Errors
    /// What is there, and what must be.
    pub(crate) fn check(&self, options: &SeriesOptions) -> Result<()> {
        let wanted = if options.standardise.is_some() { 1 + options.further().len() } else { 0 };
        ensure!(
            self.scales.len() == wanted,
            "there are {} scales of intensities; there must be {wanted}, one for each phase that is used",
            self.scales.len()
        );
        let kinds_agree = self.scales.iter().all(|scale| {
            matches!(
                (&options.standardise, scale),
                (Some(StudyStandard::Nyul(_)), IntensityStandard::Nyul(_))
                    | (Some(StudyStandard::HistogramMatching(_)), IntensityStandard::HistogramMatching(_))
                    | (Some(StudyStandard::WhiteStripe(_)), IntensityStandard::WhiteStripe(_))
                    | (Some(StudyStandard::Site | StudyStandard::ZScore), IntensityStandard::Site(_))
            )
        });
        ensure!(kinds_agree, "a scale of intensities is of another method than [standardise] names");
        let wanted: Option<Vec<&str>> =
            options.habitats().map(|habitats| habitats.maps.iter().map(|map| map.name()).collect());
        let there: Option<Vec<&str>> =
            self.habitats.as_ref().map(|model| model.features().iter().map(String::as_str).collect());
        ensure!(there == wanted, "maps of the habitats are {there:?}; they must be {wanted:?}");
        Ok(())
    }
}
