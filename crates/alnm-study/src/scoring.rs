//! Scoring of new patients with a bundle: from their images and rows to features, scores and risks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use alnm_deep::Predictor;
use alnm_imaging::Image;
use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::mask::RegionChoice;
use alnm_imputation::patient::{IncompleteAssessment, assess_completions};
use alnm_models::saved_model::{Assessment, ModelVariable};
use alnm_models::{Measurement, RiskModel};
use alnm_selection::{FeatureTable, Signature};
use alnm_stats::describe::median;
use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use crate::bundle::Bundle;
use crate::cohort::{Cohort, Patient, PatientVoxels, read_analysed_image, read_outline, read_phases};
use crate::deep_output::deep_feature_names;
use crate::measurements::{MEASUREMENTS, MeasuredColumn};
use crate::patient_completion::CompletedValues;
use crate::preparation::{ImagePreparation, LesionGeometry, PatientImages};
use crate::progress::RunningStep;
use crate::variables::{DL_SCORE, RAD_SCORE, StudyVariable, VARIABLES};

/// Tolerance of a spacing beside the range of training, in mm.
const SPACING_TOLERANCE: f64 = 1e-3;

/// A patient whose risk is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPatient {
    /// Identifier.
    pub id: String,
    /// Image: a DICOM folder or a file.
    pub image: PathBuf,
    /// Outline of the lesion.
    pub mask: PathBuf,
    /// SeriesInstanceUID, where the folder of the image holds several series.
    pub series: Option<String>,
    /// Region of the mask by name or number; without it the voxels of the lesion's label.
    pub region: Option<RegionChoice>,
    /// Values by the names of the columns of `patients.csv`; those that the model needs are
    /// [`Bundle::needed_columns`], and [`Bundle::read_columns`] help where one of them is missing.
    pub values: BTreeMap<String, f64>,
}

impl NewPatient {
    /// A patient of a cohort.
    #[must_use]
    pub fn of_cohort(cohort: &Cohort, patient: &Patient) -> Self {
        let value = |one: &MeasuredColumn| (one.name.to_owned(), (one.value)(patient));
        let known = MEASUREMENTS.iter().map(value).filter(|(_, value)| value.is_finite());
        Self {
            id: patient.id.clone(),
            image: cohort.folder.join(&patient.image),
            mask: cohort.folder.join(&patient.mask),
            series: None,
            region: None,
            values: known.collect(),
        }
    }
}

/// Something unusual about a patient. The risk is computed all the same where that is possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PatientWarning {
    /// What it concerns.
    pub kind: WarningKind,
    /// The variable, feature or image, its value, and what it means.
    pub message: String,
}

/// What a warning concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// A value that no training patient had: the risk is an extrapolation.
    OutsideTrainingRange,
    /// Spacing or size of the lesion that no training image had.
    Geometry,
    /// A value without which there is no risk.
    Missing,
    /// A value that was missing and that the bundle completed.
    Completed,
    /// What the extraction of features had to say.
    Extraction,
}

impl WarningKind {
    /// The kind in one word of a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OutsideTrainingRange => "outside_training_range",
            Self::Geometry => "geometry",
            Self::Missing => "missing",
            Self::Completed => "completed",
            Self::Extraction => "extraction",
        }
    }
}

/// A feature that a score holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScoreFeature {
    /// The score.
    pub score: &'static str,
    /// Name of the feature.
    pub feature: String,
    /// Its value; absent where it is undefined for the lesion.
    pub value: Option<f64>,
    /// What it adds to the score against the training mean: weight · (value − mean).
    pub contribution: Option<f64>,
}

/// A column or score that was missing, with the values that took its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CompletedColumn {
    /// Name of the column of `patients.csv`, or of the score.
    pub column: String,
    /// Unit.
    pub unit: String,
    /// Median of the values.
    pub median: f64,
    /// The smallest of them.
    pub lowest: f64,
    /// The largest.
    pub highest: f64,
}

/// The risk of a patient who lacked values, by each of the completions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CompletedRisk {
    /// What was missing, of what the model needs.
    pub columns: Vec<CompletedColumn>,
    /// The risk by each completion.
    pub risks: Vec<f64>,
    /// Share of the variance of the log odds that the missing values cause.
    pub proportion_missing: f64,
}

/// What a bundle says about a patient.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScoredPatient {
    /// Identifier.
    pub patient: String,
    /// The features of both scores.
    pub features: Vec<ScoreFeature>,
    /// RadScore; absent where one of its features is undefined.
    pub rad_score: Option<f64>,
    /// DLScore.
    pub dl_score: Option<f64>,
    /// The variables of the model that are known.
    pub variables: Vec<Measurement>,
    /// Risk, interval, contributions and verdicts; absent where a value is missing and the bundle completes none. Where
    /// it does, the risk is the mean over the completions, and the interval, pooled by Rubin's rules, holds what is not
    /// known.
    pub assessment: Option<Assessment>,
    /// What was completed; absent for a patient who lacks nothing.
    pub completion: Option<CompletedRisk>,
    /// Grid of the image and size of the lesion.
    pub geometry: LesionGeometry,
    /// What was odd.
    pub warnings: Vec<PatientWarning>,
}

/// A bundle made ready to score patients: the network folded, the extractor built.
#[derive(Debug)]
pub struct PatientScorer<'a> {
    bundle: &'a Bundle,
    preparation: ImagePreparation,
    predictor: Predictor,
    level: f64,
}

impl Bundle {
    /// Makes the bundle ready; `level` is the confidence level of the intervals.
    ///
    /// # Errors
    /// For a level outside (0, 1).
    pub fn scorer(&self, level: f64) -> Result<PatientScorer<'_>> {
        ensure!(level > 0.0 && level < 1.0, "level of the intervals is {level}; it must be above 0 and below 1");
        let preparation = self.preparation().clone().check()?;
        Ok(PatientScorer { bundle: self, preparation, predictor: self.predictor()?, level })
    }
}

impl PatientScorer<'_> {
    /// The same for images and masks in which the analysed phase and the lesion have other numbers than in training.
    ///
    /// # Errors
    /// When a number is 0; when the bundle takes features of further phases and another one is to be analysed.
    pub fn with_files(self, phase: usize, label: u32) -> Result<Self> {
        let own = self.preparation.params().phase;
        ensure!(
            phase == own || !self.preparation.needs_series(),
            "phase is {phase}; the bundle takes features of several phases, counted as in training, where phase {own} is \
             analysed"
        );
        let preparation = self.preparation.params().clone().with_phase(phase).with_label(label).check()?;
        Ok(Self { preparation, ..self })
    }

    /// Scores patients, in their order. A patient whose files cannot be read or analysed has an error in its place, and
    /// the others are scored all the same. Each patient is a piece of the step; once the step is to stop, the rest have
    /// [`Interrupted`](crate::Interrupted).
    pub fn score(&self, patients: &[NewPatient], step: &RunningStep) -> Vec<Result<ScoredPatient>> {
        patients.chunks(self.bundle.deep_output().batch).flat_map(|batch| self.score_batch(batch, step)).collect()
    }

    fn score_batch(&self, patients: &[NewPatient], step: &RunningStep) -> Vec<Result<ScoredPatient>> {
        let prepared: Vec<Result<PatientImages>> = patients
            .par_iter()
            .map(|patient| {
                step.check_interrupt()?;
                let images = self.prepare(patient).with_context(|| format!("patient {}", patient.id));
                step.advance();
                images
            })
            .collect();
        let crops: Vec<Result<Array2<f32>>> = prepared.iter().flatten().map(|images| self.crop(images)).collect();
        let vectors = crops
            .into_iter()
            .collect::<Result<Vec<_>>>()
            .and_then(|crops| self.bundle.deep_output().read(&self.predictor, &crops));
        let mut vectors = match vectors {
            Ok(vectors) => vectors.into_iter(),
            Err(error) => {
                // One reason for all of the batch, since the network reads them together.
                let reason = format!("{error:#}");
                return prepared
                    .into_iter()
                    .map(|images| images.and_then(|_| Err(anyhow::anyhow!(reason.clone()))))
                    .collect();
            }
        };
        let of_patient = |(patient, images): (&NewPatient, Result<PatientImages>)| {
            let images = images?;
            let vector = vectors.next().context("the network gave fewer vectors than it was given crops")?;
            self.assess(patient, &images, &vector).with_context(|| format!("patient {}", patient.id))
        };
        patients.iter().zip(prepared).map(of_patient).collect()
    }

    fn crop(&self, images: &PatientImages) -> Result<Array2<f32>> {
        let side = self.preparation.params().crop_side;
        Ok(Array2::from_shape_vec((side, side), images.crop.clone())?)
    }

    fn prepare(&self, patient: &NewPatient) -> Result<PatientImages> {
        let params = self.preparation.params();
        let (image, series) = self.read_image(patient).with_context(|| format!("image {}", patient.image.display()))?;
        let mask = read_outline(&patient.mask, image.geometry(), params.label, patient.region.as_ref())
            .with_context(|| format!("mask {}", patient.mask.display()))?;
        self.preparation.prepare(PatientVoxels { image, mask, second_mask: None, series })
    }

    /// The analysed phase and, where the bundle takes features of others, all phases.
    fn read_image(&self, patient: &NewPatient) -> Result<(Image, Option<DynamicSeries>)> {
        let phase = self.preparation.params().phase;
        if !self.preparation.needs_series() {
            return Ok((read_analysed_image(&patient.image, phase, patient.series.as_deref())?, None));
        }
        let series = read_phases(&patient.image, patient.series.as_deref())?;
        let series = series.context(
            "it has one phase, and the bundle takes features of several; give the DICOM folder of the whole series",
        )?;
        let count = series.phase_count();
        let image = phase.checked_sub(1).and_then(|at| series.images().get(at)).cloned();
        let image = image.with_context(|| format!("it has {count} phases; phase {phase} is analysed"))?;
        Ok((image, Some(series)))
    }

    fn assess(&self, patient: &NewPatient, images: &PatientImages, vector: &[f32]) -> Result<ScoredPatient> {
        let bundle = self.bundle;
        let radiomic: BTreeMap<&str, Option<f64>> =
            images.names.iter().map(String::as_str).zip(images.features.iter().copied()).collect();
        let deep_names = deep_feature_names();
        let deep: BTreeMap<&str, Option<f64>> =
            deep_names.iter().map(String::as_str).zip(vector.iter().map(|&value| Some(f64::from(value)))).collect();
        let mut features = self.features(RAD_SCORE, bundle.radiomic_signature(), &radiomic);
        features.extend(self.features(DL_SCORE, bundle.deep_signature(), &deep));
        let rad_score = score(bundle.radiomic_signature(), &radiomic)?;
        let dl_score = score(bundle.deep_signature(), &deep)?;
        let mut warnings = self.geometry_warnings(images.geometry);
        warnings.extend(images.warnings.iter().map(|text| warning(WarningKind::Extraction, text.clone())));
        warnings.extend(self.feature_warnings(&features));
        let given = |column: &str| patient.values.get(column).copied();
        let scores = [rad_score, dl_score];
        let mut measured = Vec::new();
        for variable in bundle.model().variables() {
            let (name, unit) = (&variable.variable.name, &variable.variable.unit);
            match variable_value(name, &given, scores).filter(|value| value.is_finite()) {
                Some(value) => measured.push(Measurement::new(name, unit, value)),
                None => warnings.push(warning(WarningKind::Missing, missing(name, &patient.values))),
            }
        }
        let is_complete = measured.len() == bundle.model().variables().len();
        let mut assessment = is_complete.then(|| bundle.model().assess(&measured, self.level)).transpose()?;
        let mut completion = None;
        if let (false, Some(by)) = (is_complete, bundle.completion()) {
            match by.complete(&given, scores) {
                Ok(completions) => {
                    let completed = assess_completed(bundle.model(), &completions, self.level)?;
                    let columns = bundle.completed_columns(&completions, &given, scores);
                    warnings.retain(|one| one.kind != WarningKind::Missing);
                    warnings.extend(columns.iter().map(|column| completed_warning(column, completions.len())));
                    completion = Some(CompletedRisk {
                        columns,
                        risks: completed.assessments.iter().map(|one| one.risk).collect(),
                        proportion_missing: completed.log_odds.proportion_missing,
                    });
                    assessment = completed.pooled();
                }
                Err(error) => warnings.push(warning(WarningKind::Missing, format!("{error:#}"))),
            }
        }
        for outside in assessment.iter().flat_map(|assessment| &assessment.extrapolations) {
            let (low, high) = (outside.training_minimum, outside.training_maximum);
            let value = measured.iter().find(|measured| measured.variable.name == outside.variable.name);
            let value = value.map_or(f64::NAN, |measured| measured.value);
            let (name, unit) = (&outside.variable.name, &outside.variable.unit);
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            let message = format!(
                "{name} is {value}{unit}; training patients had {low} to {high}, so the risk is an extrapolation"
            );
            warnings.push(warning(WarningKind::OutsideTrainingRange, message));
        }
        Ok(ScoredPatient {
            patient: patient.id.clone(),
            features,
            rad_score,
            dl_score,
            variables: measured,
            assessment,
            completion,
            geometry: images.geometry,
            warnings,
        })
    }

    /// The features of a score with what each adds.
    fn features(
        &self,
        score: &'static str,
        signature: &Signature,
        values: &BTreeMap<&str, Option<f64>>,
    ) -> Vec<ScoreFeature> {
        let of_weight = |weight: &alnm_selection::Weight| {
            let value = values.get(weight.feature.as_str()).copied().flatten();
            let reference = self.bundle.reference().iter().find(|reference| reference.name() == weight.feature);
            ScoreFeature {
                score,
                feature: weight.feature.clone(),
                value,
                contribution: value.zip(reference).map(|(value, reference)| weight.weight * (value - reference.mean())),
            }
        };
        signature.weights().iter().map(of_weight).collect()
    }

    fn feature_warnings(&self, features: &[ScoreFeature]) -> Vec<PatientWarning> {
        let of_feature = |feature: &ScoreFeature| {
            let name = &feature.feature;
            let Some(value) = feature.value else {
                let message = format!("the feature {name} of the {} is undefined for this lesion", feature.score);
                return Some(warning(WarningKind::Missing, message));
            };
            let reference = self.bundle.reference().iter().find(|reference| reference.name() == name)?;
            let [low, high] = reference.range();
            let message = format!(
                "the feature {name} of the {} is {value}; training patients had {low} to {high}",
                feature.score
            );
            (!reference.contains(value)).then(|| warning(WarningKind::OutsideTrainingRange, message))
        };
        features.iter().filter_map(of_feature).collect()
    }

    fn geometry_warnings(&self, geometry: LesionGeometry) -> Vec<PatientWarning> {
        let range = self.bundle.geometry();
        let [low, high] = range.spacing;
        let is_outside = (0..3).any(|axis| {
            geometry.spacing[axis] < low[axis] - SPACING_TOLERANCE
                || geometry.spacing[axis] > high[axis] + SPACING_TOLERANCE
        });
        let mut warnings = Vec::new();
        if is_outside {
            let message = format!("spacing is {:?} mm; training images had {low:?} to {high:?}", geometry.spacing);
            warnings.push(warning(WarningKind::Geometry, message));
        }
        let [smallest, largest] = range.volume_mm3;
        if !(smallest..=largest).contains(&geometry.volume_mm3) {
            let volume = geometry.volume_mm3;
            let message =
                format!("volume of the lesion is {volume:.0} mm³; training patients had {smallest:.0} to {largest:.0}");
            warnings.push(warning(WarningKind::Geometry, message));
        }
        warnings
    }
}

impl Bundle {
    /// The columns and scores of the model that a patient lacks, with the values that take their place.
    fn completed_columns(
        &self,
        completions: &[CompletedValues],
        given: &dyn Fn(&str) -> Option<f64>,
        scores: [Option<f64>; 2],
    ) -> Vec<CompletedColumn> {
        let needed = self.needed_columns();
        let is_missing = |column: &&MeasuredColumn| needed.contains(&column.name) && given(column.name).is_none();
        let measured = MEASUREMENTS.iter().filter(is_missing).map(|column| {
            let values = completions.iter().map(|values| values.columns[column.name]).collect();
            CompletedColumn::new(column.name, column.unit, values)
        });
        let rad_scores = completions.iter().map(|values| values.rad_score).collect();
        let dl_scores = completions.iter().map(|values| values.dl_score).collect();
        let of_scores = [(RAD_SCORE, rad_scores), (DL_SCORE, dl_scores)].into_iter().zip(scores);
        let of_scores = of_scores
            .filter(|(_, given)| given.is_none())
            .map(|((name, values), _)| CompletedColumn::new(name, "", values));
        measured.chain(of_scores).collect()
    }
}

impl CompletedColumn {
    fn new(column: &str, unit: &str, values: Vec<f64>) -> Self {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { column: column.to_owned(), unit: unit.to_owned(), median: median(&values), lowest, highest }
    }
}

/// A variable of the model from a patient's columns and the two scores, RadScore first; none where one of them is
/// missing.
fn variable_value(
    name: &str,
    column: &dyn Fn(&str) -> Option<f64>,
    [rad_score, dl_score]: [Option<f64>; 2],
) -> Option<f64> {
    match name {
        RAD_SCORE => rad_score,
        DL_SCORE => dl_score,
        _ => VARIABLES.iter().find(|variable| variable.name == name)?.of_columns(column),
    }
}

/// What a model says about a patient with each set of completed values.
pub(crate) fn assess_completed(
    model: &RiskModel,
    completions: &[CompletedValues],
    level: f64,
) -> Result<IncompleteAssessment> {
    let measurements = |values: &CompletedValues| -> Result<Vec<Measurement>> {
        let of_variable = |v: &ModelVariable| {
            let name = v.variable.name.as_str();
            let scores = [values.rad_score, values.dl_score].map(Some);
            let value = variable_value(name, &|column| values.columns.get(column).copied(), scores);
            let value = value.with_context(|| format!("variable of the model is {name:?}, which no column gives"))?;
            Ok(Measurement::new(name, &v.variable.unit, value))
        };
        model.variables().iter().map(of_variable).collect()
    };
    let sets = completions.iter().map(measurements).collect::<Result<Vec<_>>>()?;
    Ok(assess_completions(model, &sets, level)?)
}

fn completed_warning(column: &CompletedColumn, imputations: usize) -> PatientWarning {
    let CompletedColumn { column, unit, median, lowest, highest } = column;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let message = format!(
        "{column} is missing; it was completed {imputations} times by what training patients have, median {median:.4}{unit} \
         ({lowest:.4} to {highest:.4}), and the risk is the mean over the completions"
    );
    warning(WarningKind::Completed, message)
}

fn warning(kind: WarningKind, message: String) -> PatientWarning {
    PatientWarning { kind, message }
}

/// The score of the features; `None` where one of them is undefined.
fn score(signature: &Signature, values: &BTreeMap<&str, Option<f64>>) -> Result<Option<f64>> {
    let column = |weight: &alnm_selection::Weight| {
        let value = values.get(weight.feature.as_str()).copied().flatten()?;
        Some((weight.feature.clone(), vec![value]))
    };
    let Some(columns) = signature.weights().iter().map(column).collect::<Option<Vec<_>>>() else { return Ok(None) };
    Ok(signature.apply(&FeatureTable::from_columns(columns)?)?.first().copied())
}

/// Which columns a variable lacks.
fn missing(name: &str, values: &BTreeMap<String, f64>) -> String {
    let columns = VARIABLES.iter().find(|variable| variable.name == name).map(StudyVariable::columns);
    let absent: Vec<&str> =
        columns.unwrap_or_default().into_iter().filter(|column| !values.contains_key(*column)).collect();
    match absent.is_empty() {
        true => format!("{name} cannot be computed, so there is no risk"),
        false => format!("{name} needs {}, which the row does not give, so there is no risk", absent.join(", ")),
    }
}
