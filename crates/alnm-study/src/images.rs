//! From images to numbers: N4, 1 mm, 926 features of each outline, and the crop for the network.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use alnm_imaging::dce::{DelayedPhase, Kinetics, KineticsParams, TimeIntensityCurve};
use alnm_imaging::region::Roi;
use alnm_selection::FeatureTable;
use alnm_selection::agreement_filter::{AgreementParams, FeatureAgreement};
use anyhow::{Context, Result};
use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use crate::cohort::{
    Cohort, CohortProblems, Patient, PatientVoxels, Problem, ProblemPolicy, ReliabilityTable, check_files, check_voxels,
};
use crate::preparation::{ImagePreparation, ImagePreparationParams, LesionGeometry, PatientImages, SeriesPreparation};
use crate::series::{PatientEvidence, PatientMotion, SeriesLearning, SeriesOptions, learn};
use crate::store::{Fingerprint, Store};
use crate::study::Study;

/// The results from the images of a cohort: the radiomic features, and the crops for the network.
#[derive(Debug, Clone)]
pub struct CohortFeatures {
    /// The features that are defined for every training patient and both readers there, by the first reader, of all
    /// patients in the cohort's order; one that is undefined for a validation patient is NaN there.
    pub features: FeatureTable,
    /// The training patients with two readers: the features of both.
    pub readers: [FeatureTable; 2],
    /// The crops.
    pub crops: Vec<Array2<f32>>,
    /// Features that are undefined for some training patient and therefore left out, with the number of such patients.
    pub undefined: Vec<(String, usize)>,
    /// Grid of each image and size of its lesion.
    pub geometries: Vec<LesionGeometry>,
    /// SHA-256 over each patient's files and the parameters of the preparation.
    pub fingerprints: Vec<String>,
    /// How the images became numbers.
    pub preparation: ImagePreparationParams,
    /// Which features an earlier comparison of readers calls reliable, where `cohort.toml` names one.
    pub reliability: Option<ReliabilityTable>,
    /// What scales of intensities and habitats were learned from, where `cohort.toml` asks for them.
    pub series: Option<SeriesLearning>,
}

impl Study {
    /// N4 bias field correction, resampling to 1 mm, 926 features of every outline and the crop of the largest section,
    /// patient by patient; finished patients are kept. Each patient's files are read once here. A patient whose files
    /// cannot be read or whose images cannot be analysed has a problem: all are reported at once or, where
    /// `cohort.toml` says so, left out with the reason; the cohort without them is returned.
    ///
    /// # Errors
    /// [`CohortProblems`], and after Ctrl-C.
    pub fn images(&mut self, cohort: Cohort) -> Result<(Cohort, CohortFeatures)> {
        let store = Store::open(&self.settings.out, "images")?;
        let side = self.settings.backbone_size.side();
        let preparation = ImagePreparationParams::default()
            .with_phase(cohort.description.phase)
            .with_label(cohort.description.label)
            .with_crop_side(side)
            .check()?;
        let motions = Motions::new(&self.settings.out, preparation.clone(), &cohort)?;
        let (cohort, series) = match cohort.description.series_options() {
            None => (cohort, None),
            Some(options) => {
                let (cohort, learning) = self.series_learning(cohort, &preparation, options, motions.as_ref())?;
                (cohort, Some(learning))
            }
        };
        let prepared =
            series.as_ref().map(|learning| SeriesPreparation::new(learning.options.clone(), learning.learned.clone()));
        let preparation = preparation.params().clone().with_series(prepared).check()?;
        let step = self.progress().begin("N4, 1 mm, 926 features, crops", cohort.patients.len());
        // A patient's files are read once, and checked as they are read. Where one patient's problem ends the run, the
        // others are only checked from then on, so that all problems are reported at once without the work between.
        let is_refused = AtomicBool::new(false);
        let analysed: Vec<Result<AnalysedPatient>> = cohort
            .patients
            .par_iter()
            .map(|patient| {
                self.progress().check_interrupt()?;
                let fingerprint = fingerprint(&cohort, patient, preparation.params())?;
                let images = store.item(&patient.id, &fingerprint, || {
                    let voxels = cohort.read_voxels(patient)?;
                    if is_refused.load(Ordering::Relaxed) {
                        return Err(OnlyChecked.into());
                    }
                    let motion = motions.as_ref().map(|motions| motions.of(&cohort, patient, &voxels)).transpose()?;
                    preparation.prepare_with_motion(voxels, motion.flatten().as_ref())
                });
                if images.is_err() && cohort.description.problems == ProblemPolicy::Refuse {
                    is_refused.store(true, Ordering::Relaxed);
                }
                step.advance();
                Ok(AnalysedPatient { images: images?, fingerprint })
            })
            .collect();
        self.progress().check_interrupt()?;
        step.finish(&mut self.costs);
        let mut problems = Vec::new();
        let mut patients = Vec::new();
        let mut hashes = Vec::new();
        for (patient, images) in cohort.patients.iter().zip(analysed) {
            match images {
                Ok(analysed) => {
                    hashes.push((patient.id.clone(), analysed.images.voxels.clone()));
                    patients.push(analysed);
                }
                Err(error) => problems.extend(problems_of(patient, error)),
            }
        }
        problems.extend(check_voxels(&cohort, &hashes));
        let cohort = cohort.settle(problems)?;
        let is_training: Vec<bool> =
            cohort.patients.iter().map(|patient| patient.centre == cohort.description.training_centre).collect();
        let images = CohortFeatures::collect(&patients, &is_training, preparation.params())?;
        let reliability = cohort.reliability()?;
        Ok((cohort, CohortFeatures { series, reliability, ..images }))
    }

    /// Scales of intensities and habitats, learned on the patients of the training centre; what each gives is kept. A
    /// patient whose images give nothing has a problem, as in [`Study::images`].
    fn series_learning(
        &mut self,
        cohort: Cohort,
        preparation: &ImagePreparation,
        options: SeriesOptions,
        motions: Option<&Motions>,
    ) -> Result<(Cohort, SeriesLearning)> {
        let centre = cohort.description.training_centre.clone();
        if !options.learns() {
            let learned = learn(&options, &centre, &[])?;
            return Ok((cohort, SeriesLearning { options, patients: Vec::new(), learned }));
        }
        let store = Store::open(&self.settings.out, "series")?;
        let training = cohort.training();
        let step = self.progress().begin("scales of intensities and habitats", training.len());
        let found: Vec<Result<PatientEvidence>> = training
            .par_iter()
            .map(|patient| {
                self.progress().check_interrupt()?;
                let fingerprint = fingerprint(&cohort, patient, &(preparation.params(), &options))?;
                let evidence = store.item(&patient.id, &fingerprint, || {
                    let voxels = cohort.read_voxels(patient)?;
                    let motion = motions.map(|motions| motions.of(&cohort, patient, &voxels)).transpose()?;
                    preparation.evidence(&voxels, &options, motion.flatten().as_ref())
                });
                step.advance();
                Ok(PatientEvidence::new(&patient.id, &patient.centre, evidence?))
            })
            .collect();
        self.progress().check_interrupt()?;
        step.finish(&mut self.costs);
        let (mut problems, mut patients) = (Vec::new(), Vec::new());
        for (patient, evidence) in training.into_iter().zip(found) {
            match evidence {
                Ok(evidence) => patients.push(evidence),
                Err(error) => problems.extend(problems_of(patient, error)),
            }
        }
        if !problems.is_empty() && cohort.description.problems == ProblemPolicy::Refuse {
            // The run ends here: what is wrong with the other patients' files is said, too.
            problems.extend(check_files(&cohort, &cohort.validation(), &|| ()));
        }
        let cohort = cohort.settle(problems)?;
        let learned = learn(&options, &centre, &patients)?;
        Ok((cohort, SeriesLearning { options, patients, learned }))
    }
}

/// The motion of the patients, which is found once, whatever it is used for.
struct Motions {
    store: Store,
    /// Without what is learned, which motion does not depend on.
    preparation: ImagePreparation,
    options: SeriesOptions,
}

impl Motions {
    /// Those of a cohort; none where its description does not ask for motion.
    fn new(out: &Path, preparation: ImagePreparation, cohort: &Cohort) -> Result<Option<Self>> {
        let Some(options) = cohort.description.series_options().filter(|options| options.motion.is_some()) else {
            return Ok(None);
        };
        Ok(Some(Self { store: Store::open(out, "motion")?, preparation, options }))
    }

    /// That of a patient, kept from one run to the next.
    fn of(&self, cohort: &Cohort, patient: &Patient, voxels: &PatientVoxels) -> Result<Option<PatientMotion>> {
        let fingerprint = fingerprint(cohort, patient, &(self.preparation.params(), &self.options))?;
        self.store.item(&patient.id, &fingerprint, || self.preparation.motion(voxels, &self.options))
    }
}

/// SHA-256 over a patient's files and the parameters by which they are read.
fn fingerprint(cohort: &Cohort, patient: &Patient, parameters: &impl Serialize) -> Result<String> {
    let fingerprint = Fingerprint::default().parameters(parameters)?;
    let of_files = patient.files().try_fold(fingerprint, |found, path| found.files(&cohort.folder.join(path)))?;
    Ok(of_files.finish())
}

/// What was computed from a patient's images, and the SHA-256 over what it was computed from.
struct AnalysedPatient {
    images: PatientImages,
    fingerprint: String,
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

impl CohortFeatures {
    /// The features that are defined for every training patient are the columns, so that no other patient decides what
    /// is learned from; where such a feature is undefined for another patient, the value is missing.
    fn collect(
        patients: &[AnalysedPatient],
        is_training: &[bool],
        preparation: &ImagePreparationParams,
    ) -> Result<Self> {
        let names = &patients.first().context("the cohort has no patients")?.images.names;
        let images = || patients.iter().map(|patient| &patient.images);
        let training: Vec<&PatientImages> =
            images().zip(is_training).filter(|(_, is_training)| **is_training).map(|(images, _)| images).collect();
        let (defined, undefined): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(|&column| {
            let seconds = training.iter().filter_map(|images| images.second_reader.as_ref());
            training.iter().map(|images| &images.features).chain(seconds).all(|features| features[column].is_some())
        });
        let undefined = undefined
            .into_iter()
            .map(|column| {
                (names[column].clone(), training.iter().filter(|images| images.features[column].is_none()).count())
            })
            .collect();
        let table = |rows: &[&Vec<Option<f64>>]| {
            let values = Array2::from_shape_fn((rows.len(), defined.len()), |(row, column)| {
                rows[row][defined[column]].unwrap_or(f64::NAN)
            });
            FeatureTable::new(defined.iter().map(|&column| names[column].clone()).collect(), values)
        };
        let twice: Vec<[&Vec<Option<f64>>; 2]> =
            training.iter().filter_map(|images| Some([&images.features, images.second_reader.as_ref()?])).collect();
        let side = preparation.crop_side;
        let crops = images()
            .map(|images| Ok(Array2::from_shape_vec((side, side), images.crop.clone())?))
            .collect::<Result<_>>()?;
        Ok(Self {
            features: table(&images().map(|images| &images.features).collect::<Vec<_>>())?,
            readers: [
                table(&twice.iter().map(|pair| pair[0]).collect::<Vec<_>>())?,
                table(&twice.iter().map(|pair| pair[1]).collect::<Vec<_>>())?,
            ],
            crops,
            undefined,
            geometries: images().map(|images| images.geometry).collect(),
            fingerprints: patients.iter().map(|patient| patient.fingerprint.clone()).collect(),
            preparation: preparation.clone(),
            reliability: None,
            series: None,
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

/// Enhancement of a lesion over the phases of a dynamic series.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::VoxelHashes;

    /// Patients with features of which some are undefined.
    fn collected(features: [[Option<f64>; 3]; 4]) -> CohortFeatures {
        let preparation = ImagePreparationParams::default().with_crop_side(1);
        let geometry = serde_json::from_str(r#"{"spacing": [1.0, 1.0, 1.0], "volume_mm3": 100.0}"#).unwrap();
        let patients = features.map(|features| AnalysedPatient {
            images: PatientImages {
                names: ["a", "b", "c"].map(str::to_owned).to_vec(),
                features: features.to_vec(),
                second_reader: None,
                crop: vec![0.5],
                geometry,
                n4_iterations: 1,
                warnings: Vec::new(),
                voxels: VoxelHashes::default(),
            },
            fingerprint: String::new(),
        });
        CohortFeatures::collect(&patients, &[true, true, false, false], &preparation).unwrap()
    }

    #[test]
    fn training_patients_alone_decide_which_features_there_are() {
        let all = [Some(1.0), Some(2.0), Some(3.0)];
        let of_validation = collected([all, all, [None, Some(2.0), Some(3.0)], all]);
        assert_eq!(
            (of_validation.features.names(), of_validation.undefined.len()),
            (collected([all; 4]).features.names(), 0)
        );
        assert!(of_validation.features.values()[[2, 0]].is_nan());
        let of_training = collected([all, [Some(1.0), None, Some(3.0)], all, all]);
        assert_eq!(of_training.features.names(), ["a", "c"]);
        assert_eq!(of_training.undefined, [("b".to_owned(), 1)]);
    }
}
