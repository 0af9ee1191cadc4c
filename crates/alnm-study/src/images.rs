//! From images to numbers: N4, 1 mm, 926 features of each outline, and the crop for the network.

use std::sync::atomic::{AtomicBool, Ordering};

use alnm_deep::LesionCrop;
use alnm_imaging::dce::{DelayedPhase, Kinetics, KineticsParams, TimeIntensityCurve};
use alnm_imaging::n4::N4Params;
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::region::Roi;
use alnm_imaging::{Image, Volume};
use alnm_radiomics::{Extractor, Parameters};
use alnm_selection::FeatureTable;
use alnm_selection::agreement_filter::{AgreementParams, FeatureAgreement};
use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cohort::{
    Cohort, CohortProblems, Patient, PatientVoxels, Problem, ProblemPolicy, VoxelHashes, check_voxels,
};
use crate::store::{Fingerprint, Store};
use crate::study::Study;

/// The parameter file of the 926 features, in PyRadiomics' format.
pub const PARAMETERS_926: &str = include_str!("../params_926.yaml");
/// Bins of Otsu's threshold, as in SimpleITK's N4 example.
pub const OTSU_BINS: usize = 200;

/// Parameters of the bias field correction: those of ITK, the field estimated on every second voxel.
pub fn n4_params() -> N4Params {
    N4Params::default().with_shrink(2)
}

/// Everything that is computed from one patient's images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PatientImages {
    /// Names of the features.
    pub names: Vec<String>,
    /// Features of the first reader's outline; `None` where a feature is not defined.
    pub features: Vec<Option<f64>>,
    /// Features of the second reader's outline, where there is one.
    pub second_reader: Option<Vec<Option<f64>>>,
    /// The crop, row by row, in [0, 1].
    pub crop: Vec<f32>,
    /// Iterations of N4.
    pub n4_iterations: usize,
    /// What the extraction had to say.
    pub warnings: Vec<String>,
    /// Hashes of the voxels of image and mask.
    pub voxels: [String; 2],
}

/// The features of all patients as they were computed, in the cohort's order; `None` where a feature is not defined.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredFeatures {
    /// Names of the features.
    pub names: Vec<String>,
    /// Features of the first reader's outlines.
    pub first_reader: Vec<Vec<Option<f64>>>,
    /// Features of the second reader's outlines, where there are any.
    pub second_reader: Vec<Option<Vec<Option<f64>>>>,
}

/// What was computed from the images of a cohort: the radiomic features, and the crops for the network.
#[derive(Debug, Clone)]
pub struct CohortFeatures {
    /// The features that are defined for every training patient and both readers there, of all patients in the cohort's
    /// order, by the first reader.
    pub features: FeatureTable,
    /// The training patients with two readers: the features of both.
    pub readers: [FeatureTable; 2],
    /// The crops.
    pub crops: Vec<Array2<f32>>,
    /// Features that are undefined for some training patient and therefore left out, with the number of such patients.
    pub undefined: Vec<(String, usize)>,
    /// Features that are undefined for some validation patient, with the number of such patients, who have the median of
    /// the training patients in their place.
    pub filled: Vec<(String, usize)>,
    /// The features as they were computed.
    pub measured: MeasuredFeatures,
}

#[derive(Serialize)]
struct ImageParameters<'a> {
    n4: &'a N4Params,
    radiomics: &'a str,
    crop: usize,
    phase: usize,
    label: u32,
}

impl Study {
    /// N4 bias field correction, resampling to 1 mm, 926 features of every outline and the crop of the largest section,
    /// patient by patient; finished patients are kept. Each patient's files are read once here. A patient whose files
    /// cannot be read or whose images cannot be analysed has a problem: all are reported at once or, where `cohort.toml`
    /// says so, left out with the reason; the cohort without them is returned.
    ///
    /// # Errors
    /// [`CohortProblems`], and after Ctrl-C.
    pub fn images(&mut self, cohort: Cohort) -> Result<(Cohort, CohortFeatures)> {
        let store = Store::open(&self.settings.out, "images")?;
        let side = self.settings.backbone_size.side();
        let n4 = n4_params();
        let parameters = ImageParameters {
            n4: &n4,
            radiomics: PARAMETERS_926,
            crop: side,
            phase: cohort.description.phase,
            label: cohort.description.label,
        };
        let extractor = Extractor::new(Parameters::from_yaml(PARAMETERS_926)?);
        let step = self.progress().begin("N4, 1 mm, 926 features, crops", cohort.patients.len());
        // A patient's files are read once, and checked as they are read. Where one patient's problem ends the run, the
        // others are only checked from then on, so that all problems are reported at once without the work between.
        let is_refused = AtomicBool::new(false);
        let analysed: Vec<Result<PatientImages>> = cohort
            .patients
            .par_iter()
            .map(|patient| {
                self.progress().check_interrupt()?;
                let mut fingerprint = Fingerprint::default().parameters(&parameters)?;
                for path in patient.files() {
                    fingerprint = fingerprint.files(&cohort.folder.join(path))?;
                }
                let images = store.item(&patient.id, &fingerprint.finish(), || {
                    let voxels = cohort.read_voxels(patient)?;
                    if is_refused.load(Ordering::Relaxed) {
                        return Err(OnlyChecked.into());
                    }
                    analyse(voxels, cohort.description.label, &n4, &extractor, side)
                });
                if images.is_err() && cohort.description.problems == ProblemPolicy::Refuse {
                    is_refused.store(true, Ordering::Relaxed);
                }
                step.advance();
                images
            })
            .collect();
        self.progress().check_interrupt()?;
        step.finish(&mut self.costs);
        let mut problems = Vec::new();
        let mut patients = Vec::new();
        let mut hashes = Vec::new();
        for (patient, images) in cohort.patients.iter().zip(analysed) {
            match images {
                Ok(images) => {
                    let [image, mask] = images.voxels.clone();
                    hashes.push((patient.id.clone(), VoxelHashes { image, mask }));
                    patients.push(images);
                }
                Err(error) => problems.extend(problems_of(patient, error)),
            }
        }
        problems.extend(check_voxels(&cohort, &hashes));
        let cohort = cohort.settle(problems)?;
        let is_training: Vec<bool> =
            cohort.patients.iter().map(|patient| patient.centre == cohort.description.training_centre).collect();
        let crops = patients
            .iter()
            .map(|patient| Ok(Array2::from_shape_vec((side, side), patient.crop.clone())?))
            .collect::<Result<_>>()?;
        let names = patients.first().context("the cohort has no patients")?.names.clone();
        let (first_reader, second_reader) =
            patients.into_iter().map(|patient| (patient.features, patient.second_reader)).unzip();
        let measured = MeasuredFeatures { names, first_reader, second_reader };
        Ok((cohort, CohortFeatures::new(measured, &is_training, crops)?))
    }
}

/// A patient whose files are in order, but who was not analysed, since another's problem ends the run.
#[derive(Debug, thiserror::Error)]
#[error("not analysed: another patient has a problem")]
struct OnlyChecked;

/// What an error says about a patient: the problems of the files, or one of the analysis.
fn problems_of(patient: &Patient, error: anyhow::Error) -> Vec<Problem> {
    if error.is::<OnlyChecked>() {
        return Vec::new();
    }
    error.downcast::<CohortProblems>().map_or_else(
        |error| {
            let place = format!("image {}", patient.image.display());
            let fix = "correct the outline or the image";
            vec![Problem::of_patient(&patient.id, place, format!("{error:#}"), fix)]
        },
        |found| found.problems,
    )
}

fn analyse(
    voxels: PatientVoxels,
    label: u32,
    n4: &N4Params,
    extractor: &Extractor,
    side: usize,
) -> Result<PatientImages> {
    let hashes = voxels.hashes();
    let PatientVoxels { image, mask, second_mask } = voxels;
    let image: Volume<f32> = image.cast();
    let n4 = n4.clone().check()?.correct(&image, Some(&otsu_mask(&image, OTSU_BINS)?))?;
    let n4_iterations = n4.iterations();
    let corrected = Image::F32(n4.into_corrected());
    let extraction = extractor.execute(&corrected, &mask, label)?;
    let second_reader = match &second_mask {
        None => None,
        Some(mask) => {
            let second = extractor.execute(&corrected, mask, label)?;
            Some(second.features.iter().map(|feature| defined(feature.value)).collect())
        }
    };
    Ok(PatientImages {
        names: extraction.features.iter().map(|feature| feature.id.to_string()).collect(),
        features: extraction.features.iter().map(|feature| defined(feature.value)).collect(),
        second_reader,
        crop: LesionCrop::of_largest_section(&corrected, &mask, label, side)?.pixels().iter().copied().collect(),
        n4_iterations,
        warnings: extraction.warnings.iter().map(ToString::to_string).collect(),
        voxels: [hashes.image, hashes.mask],
    })
}

fn defined(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl CohortFeatures {
    /// The features that training patients decide on: what is undefined for one of them, or for a second outline of one, is
    /// left out, whatever the validation patients have. Where these have an undefined value, the median of the training
    /// patients stands in its place.
    ///
    /// # Errors
    /// When patients have another number of features than there are names.
    pub fn new(measured: MeasuredFeatures, is_training: &[bool], crops: Vec<Array2<f32>>) -> Result<Self> {
        let MeasuredFeatures { names, first_reader, second_reader } = &measured;
        let patients = first_reader.iter().chain(second_reader.iter().flatten());
        for features in patients {
            ensure!(features.len() == names.len(), "a patient has {} features of {}", features.len(), names.len());
        }
        let training: Vec<usize> = (0..first_reader.len()).filter(|&row| is_training[row]).collect();
        let readings =
            || training.iter().flat_map(|&row| std::iter::once(&first_reader[row]).chain(&second_reader[row]));
        let (defined, not_defined): (Vec<usize>, Vec<usize>) =
            (0..names.len()).partition(|&column| readings().all(|features| features[column].is_some()));
        let count = |rows: &mut dyn Iterator<Item = usize>, column: usize| {
            (names[column].clone(), rows.filter(|&row| first_reader[row][column].is_none()).count())
        };
        let undefined = not_defined.iter().map(|&column| count(&mut training.iter().copied(), column)).collect();
        let filled: Vec<(String, usize)> = defined
            .iter()
            .map(|&column| count(&mut (0..first_reader.len()), column))
            .filter(|(_, patients)| *patients > 0)
            .collect();
        let medians: Vec<f64> = defined
            .iter()
            .map(|&column| median(training.iter().filter_map(|&row| first_reader[row][column]).collect()))
            .collect();
        let table = |rows: &[&Vec<Option<f64>>]| {
            let values = Array2::from_shape_fn((rows.len(), defined.len()), |(row, place)| {
                rows[row][defined[place]].unwrap_or(medians[place])
            });
            FeatureTable::new(defined.iter().map(|&column| names[column].clone()).collect(), values)
        };
        let twice: Vec<[&Vec<Option<f64>>; 2]> =
            training.iter().filter_map(|&row| Some([&first_reader[row], second_reader[row].as_ref()?])).collect();
        Ok(Self {
            features: table(&first_reader.iter().collect::<Vec<_>>())?,
            readers: [
                table(&twice.iter().map(|pair| pair[0]).collect::<Vec<_>>())?,
                table(&twice.iter().map(|pair| pair[1]).collect::<Vec<_>>())?,
            ],
            crops,
            undefined,
            filled,
            measured,
        })
    }

    /// Agreement of the two readers, feature by feature; `None` without patients that two readers outlined.
    ///
    /// # Errors
    /// When the intraclass correlation cannot be computed.
    pub fn agreement(&self) -> Result<Option<Vec<FeatureAgreement>>> {
        let [first, second] = &self.readers;
        if first.rows() < 2 {
            return Ok(None);
        }
        Ok(Some(AgreementParams::default().check()?.assess(&[first, second])?))
    }
}

/// The middle value; NaN without values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => f64::NAN,
        Some(upper) if values.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(values[middle - 1], *upper),
    }
}

/// Enhancement of a lesion over the phases of a dynamic series.
#[derive(Debug, Clone, Serialize)]
pub struct TimeIntensity {
    /// The patient.
    pub patient: String,
    /// Mean signal inside the outline, phase by phase.
    pub curve: TimeIntensityCurve,
    /// What the curve does.
    pub kinetics: Kinetics,
}

impl TimeIntensity {
    /// The curve of the first training patient whose image is a dynamic series with times that the kinetics can be told
    /// from; `None` where there is none.
    ///
    /// # Errors
    /// When the images cannot be read.
    pub fn of(cohort: &Cohort) -> Result<Option<Self>> {
        for patient in cohort.training() {
            let Some(series) = cohort.phases(patient)? else { continue };
            let Some(first) = series.images().first() else { continue };
            let mask = cohort.mask(&patient.mask, first.geometry())?;
            let roi = Roi::new(&mask, cohort.description.label);
            let Ok(curve) = roi.and_then(|roi| TimeIntensityCurve::of(&series, roi)) else { continue };
            let Ok(kinetics) = curve.kinetics(&KineticsParams::default()) else { continue };
            return Ok(Some(Self { patient: patient.id.clone(), curve, kinetics }));
        }
        Ok(None)
    }

    /// The class of the late phases in words.
    #[must_use]
    pub fn delayed_phase(&self) -> &'static str {
        match self.kinetics.delayed_phase {
            DelayedPhase::Persistent => "persistent",
            DelayedPhase::Plateau => "plateau",
            DelayedPhase::Washout => "washout",
        }
    }
}
