//! A simulated two-centre cohort: breast-like tissue with lesions, imaged as DICOM series, with the published
//! distributions of clinical variables. Nothing in it comes from a patient.

mod clinical;
mod field;
mod phantom;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::kinetics::KineticMap;
use alnm_imaging::{Image, LabelMap, write_mask};
use alnm_registration::RegistrationParams;
use alnm_study::cohort::{CohortDescription, FurtherOutcomes, Patient, PatientDates, write_patients};
use alnm_study::progress::RunningStep;
use alnm_study::series::StudyPhases;
use alnm_study::store::{Fingerprint, write_file};
use anyhow::{Context, Result, bail, ensure};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use clinical::{Clinical, Separation, draw_group};
use phantom::{LesionTraits, Motion, PHASE_SECONDS, PHASES, Phantom, PhaseTruth, Reader, Scanner};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// Patients of the training centre without and with metastasis.
    pub training: [usize; 2],
    /// Patients of the validation centre without and with metastasis.
    pub validation: [usize; 2],
    /// Patients of the training centre outlined by a second reader.
    pub second_reader: usize,
    /// Patients of each centre whose nine phases are all written; of the others the fourth is.
    pub all_phases: usize,
    /// Largest motion of tissue between phases along an axis, in mm. Where there is any, the nine phases of all
    /// patients are written, and `cohort.toml` asks the study to bring them onto the fourth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub motion_mm: Option<f64>,
    /// Seed of everything.
    pub seed: u64,
    /// Changes whenever the same numbers would give other files.
    version: u32,
}

const VERSION: u32 = 2;
const RECORD: &str = "simulation.json";
/// What is known of the lesion: its mean signal without noise and motion, its share of the full enhancement, and how
/// far it lies from where it is in the analysed phase.
const TRUTH: &str = "truth.csv";
const UNFINISHED: &str = "simulation.unfinished.jsonl";
/// The analysed phase, counted from 1.
const PHASE: usize = 4;

impl Simulation {
    /// The published cohort: 212 patients, 100 with metastasis, and 121, 57 with metastasis.
    #[must_use]
    pub fn published(seed: u64) -> Self {
        Self {
            training: [112, 100],
            validation: [64, 57],
            second_reader: 30,
            all_phases: 4,
            motion_mm: None,
            seed,
            version: VERSION,
        }
    }

    /// The published cohort reduced to about `patients` in all, in proportion.
    ///
    /// # Errors
    /// When too few patients would remain for ten-fold cross-validation.
    pub fn reduced(patients: usize, seed: u64) -> Result<Self> {
        let full = Self::published(seed);
        let share = patients as f64 / 333.0;
        let scaled = |count: usize| ((count as f64 * share).round() as usize).max(1);
        let reduced = Self {
            training: full.training.map(scaled),
            validation: full.validation.map(scaled),
            second_reader: full.second_reader.min(scaled(full.training[0])),
            all_phases: scaled(full.all_phases),
            ..full
        };
        ensure!((36..=333).contains(&patients), "--patients is {patients}; from 36 to 333 patients can be simulated");
        Ok(reduced)
    }

    /// The same patients with tissue that moves between phases by up to `largest_mm` along each axis; the fourth phase
    /// stays as it is. Motion is another one in each patient.
    #[must_use]
    pub fn with_motion(self, largest_mm: f64) -> Self {
        Self { motion_mm: Some(largest_mm), all_phases: self.patients(), ..self }
    }

    /// Number of patients.
    #[must_use]
    pub fn patients(&self) -> usize {
        [self.training, self.validation].as_flattened().iter().sum()
    }

    /// Writes the cohort to a folder, or checks the one that is already there.
    ///
    /// An interrupted run is taken up where it stopped. Each patient is a piece of the step.
    ///
    /// # Errors
    /// When the folder holds something else, another simulation, or damaged files; when a file cannot be written; when
    /// the run is to stop.
    pub fn write(&self, folder: &Path, step: &RunningStep) -> Result<()> {
        if folder.join(RECORD).exists() {
            return self.verify(folder, step);
        }
        let done = self.unfinished(folder)?;
        fs::create_dir_all(folder.join("images")).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::create_dir_all(folder.join("masks"))?;
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join(UNFINISHED))?;
        let log = Mutex::new(log);
        if done.is_empty() {
            append(&log, &serde_json::to_string(self)?)?;
        }
        let subjects = self.subjects();
        let files: Vec<PatientFiles> = subjects
            .par_iter()
            .map(|subject| {
                step.check_interrupt()?;
                let finished = done.iter().find(|files| files.patient == subject.patient.id);
                let intact = finished
                    .filter(|files| digest(folder, &subject.patient).is_ok_and(|digest| digest == files.sha256));
                let files = match intact {
                    Some(files) => files.clone(),
                    None => {
                        subject.write(folder)?;
                        let files = PatientFiles {
                            patient: subject.patient.id.clone(),
                            sha256: digest(folder, &subject.patient)?,
                        };
                        append(&log, &serde_json::to_string(&files)?)?;
                        files
                    }
                };
                step.advance();
                Ok(files)
            })
            .collect::<Result<_>>()?;
        self.write_tables(folder, &subjects)?;
        let record = Record { simulation: *self, files };
        write_file(&folder.join(RECORD), serde_json::to_string_pretty(&record)?.as_bytes())?;
        fs::remove_file(folder.join(UNFINISHED))?;
        Ok(())
    }

    fn write_tables(&self, folder: &Path, subjects: &[Subject]) -> Result<()> {
        let patients: Vec<Patient> = subjects.iter().map(|subject| subject.patient.clone()).collect();
        write_patients(&folder.join("patients.csv"), &patients)?;
        self.write_truth(&folder.join(TRUTH), subjects)?;
        let mut description = CohortDescription {
            simulated: true,
            phase: PHASE,
            ..CohortDescription::new("Simulated two-centre cohort", CENTRES[0].name, &[CENTRES[1].name])
        };
        if self.motion_mm.is_some() {
            let mut phases = StudyPhases::default();
            phases.maps = vec![KineticMap::InitialEnhancement, KineticMap::SignalEnhancementRatio];
            description.motion = Some(RegistrationParams::default());
            description.phases = Some(phases);
        }
        write_file(&folder.join("cohort.toml"), toml::to_string(&description)?.as_bytes())
    }

    /// Writes what is known of the lesion in each phase, of the patients whose phases are all written.
    fn write_truth(&self, path: &Path, subjects: &[Subject]) -> Result<()> {
        let complete: Vec<&Subject> = subjects.iter().filter(|subject| subject.all_phases).collect();
        let rows: Vec<String> = complete
            .into_par_iter()
            .map(|subject| {
                let rows = (1..).zip(subject.phantom()?.truth()).map(|(phase, truth)| {
                    let seconds = (phase - 1) as f64 * PHASE_SECONDS;
                    let PhaseTruth { lesion_signal, enhancement, lesion_motion } = truth;
                    let id = &subject.patient.id;
                    format!("{id},{phase},{seconds},{lesion_signal:.3},{enhancement:.6},{lesion_motion:.4}\n")
                });
                Ok(rows.collect())
            })
            .collect::<Result<_>>()?;
        let header = "patient,phase,seconds,lesion_signal,enhancement,lesion_motion_mm\n";
        write_file(path, (header.to_owned() + &rows.concat()).as_bytes())
    }

    /// Patients that an interrupted run has finished.
    fn unfinished(&self, folder: &Path) -> Result<Vec<PatientFiles>> {
        let path = folder.join(UNFINISHED);
        if !path.exists() {
            let is_empty = !folder.exists() || fs::read_dir(folder)?.next().is_none();
            ensure!(is_empty, "{} holds files that are no simulated cohort; name an empty folder", folder.display());
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path)?;
        let mut lines = text.lines();
        let other = || format!("{} was begun with other settings; remove it or name another folder", folder.display());
        let Some(first) = lines.next() else { return Ok(Vec::new()) };
        let simulation: Self = serde_json::from_str(first).with_context(other)?;
        ensure!(simulation == *self, other());
        // The last line may have been cut off by the interruption.
        Ok(lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Compares every file with what was written.
    fn verify(&self, folder: &Path, step: &RunningStep) -> Result<()> {
        let text = fs::read_to_string(folder.join(RECORD))?;
        let advice = "remove the folder to have it simulated anew";
        let record: Record = serde_json::from_str(&text).with_context(|| format!("{RECORD} is damaged; {advice}"))?;
        if record.simulation != *self {
            let folder = folder.display();
            bail!(
                "{folder} holds the simulated cohort {:?}, not {self:?}; name another --out or remove it",
                record.simulation
            );
        }
        let subjects = self.subjects();
        ensure!(
            record.files.len() == subjects.len(),
            "{RECORD} lists {} of {} patients; {advice}",
            record.files.len(),
            subjects.len()
        );
        let damaged: Vec<&str> = subjects
            .par_iter()
            .zip(&record.files)
            .filter_map(|(subject, files)| {
                let intact = digest(folder, &subject.patient).is_ok_and(|digest| digest == files.sha256);
                step.advance();
                (!intact).then_some(subject.patient.id.as_str())
            })
            .collect();
        ensure!(
            damaged.is_empty(),
            "files of {} in {} were changed or are missing; {advice}",
            damaged.join(", "),
            folder.display()
        );
        Ok(())
    }

    /// The lesions of all patients in all phases, made one after the other and written nowhere.
    ///
    /// # Errors
    /// Each lesion that cannot be imaged.
    pub fn lesions(&self) -> impl Iterator<Item = Result<SimulatedLesion>> + use<> {
        self.subjects().into_iter().map(|subject| subject.lesion())
    }

    /// Every patient with everything that is drawn for them.
    fn subjects(&self) -> Vec<Subject> {
        let groups = [(0, self.training), (1, self.validation)];
        let mut subjects: Vec<Subject> = Vec::new();
        for (centre, counts) in groups {
            let mut of_centre = Vec::new();
            for alnm in [false, true] {
                let seed = self.seed.wrapping_mul(1000) + 10 * centre as u64 + u64::from(alnm);
                let group = draw_group(counts[usize::from(alnm)], alnm, CENTRES[centre].separation, seed);
                of_centre.extend(group.into_iter().map(|clinical| (alnm, clinical)));
            }
            let mut generator = ChaCha8Rng::seed_from_u64(self.seed ^ (0xC0_0000 + centre as u64));
            of_centre.shuffle(&mut generator);
            let mut second: Vec<bool> =
                (0..of_centre.len()).map(|index| centre == 0 && index < self.second_reader).collect();
            second.shuffle(&mut generator);
            for (index, (alnm, clinical)) in of_centre.into_iter().enumerate() {
                let complete = index < self.all_phases;
                subjects.push(Subject::draw(
                    &CENTRES[centre],
                    index,
                    alnm,
                    &clinical,
                    second[index],
                    complete,
                    self.motion_mm,
                    generator.random(),
                ));
            }
        }
        subjects
    }
}

/// A lesion in all phases.
#[derive(Debug)]
pub struct SimulatedLesion {
    /// The patient.
    pub patient: String,
    /// The phases.
    pub series: DynamicSeries,
    /// The outline of the first reader.
    pub outline: LabelMap,
}

/// What the finished folder says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    simulation: Simulation,
    files: Vec<PatientFiles>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PatientFiles {
    patient: String,
    sha256: String,
}

struct Centre {
    name: &'static str,
    prefix: &'static str,
    scanner: Scanner,
    separation: Separation,
}

/// The centres differ in grid, tilt, noise, bias field and intensity scale; in the second one the groups lie a little
/// closer together, as the published validation figures say.
const CENTRES: [Centre; 2] = [
    Centre {
        name: "centre_a",
        prefix: "A",
        scanner: Scanner {
            size: [96, 96, 48],
            spacing: [0.9, 0.9, 1.8],
            tilt: 0.0,
            gain: 1000.0,
            noise: 0.022,
            bias: 0.22,
        },
        separation: Separation { clinical: 1.0, blood: 1.0 },
    },
    Centre {
        name: "centre_b",
        prefix: "B",
        scanner: Scanner {
            size: [88, 88, 44],
            spacing: [1.0, 1.0, 2.0],
            tilt: 6.0,
            gain: 1050.0,
            noise: 0.028,
            bias: 0.28,
        },
        separation: Separation { clinical: 0.93, blood: 0.62 },
    },
];

/// How far the groups' imaging traits lie apart, in standard deviations.
struct ImagingSeparation {
    heterogeneity: f64,
    rim: f64,
    irregularity: f64,
    washout: f64,
}

const IMAGING: ImagingSeparation = ImagingSeparation { heterogeneity: 1.05, rim: 1.4, irregularity: 0.5, washout: 0.6 };

/// A patient to write.
struct Subject {
    patient: Patient,
    traits: LesionTraits,
    scanner: Scanner,
    all_phases: bool,
    motion_mm: Option<f64>,
    seed: u64,
}

impl Subject {
    fn draw(
        centre: &Centre,
        index: usize,
        alnm: bool,
        clinical: &Clinical,
        second_reader: bool,
        all_phases: bool,
        motion_mm: Option<f64>,
        seed: u64,
    ) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let side = if alnm { 0.5 } else { -0.5 };
        let mut score = |separation: f64| side * separation + generator.sample::<f64, _>(StandardNormal);
        let traits = LesionTraits {
            heterogeneity: score(IMAGING.heterogeneity),
            rim: score(IMAGING.rim),
            irregularity: score(IMAGING.irregularity),
            washout: score(IMAGING.washout),
            // The lesion that one scanner shows is not the pathologist's largest diameter: the two agree loosely, so
            // that shape features and MTD do not say the same.
            diameter_mm: (22.0 * (clinical.mtd_cm / 2.6).powf(0.5) * (0.24 * score(0.0)).exp()).clamp(9.0, 52.0),
        };
        let id = format!("{}{:03}", centre.prefix, index + 1);
        let mask = |reader: u32| PathBuf::from(format!("masks/{id}_reader{reader}.nii.gz"));
        let patient = Patient {
            centre: centre.name.to_owned(),
            alnm,
            age_years: clinical.age_years,
            mtd_cm: clinical.mtd_cm,
            sad_aln_cm: clinical.sad_aln_cm,
            markers: clinical.markers,
            subtype: Some(clinical.subtype),
            blood: clinical.blood,
            dates: PatientDates::default(),
            outcomes: FurtherOutcomes::default(),
            image: PathBuf::from(format!("images/{id}")),
            mask: mask(1),
            mask_reader2: second_reader.then(|| mask(2)),
            further: std::collections::BTreeMap::new(),
            id,
        };
        Self { patient, traits, scanner: centre.scanner, all_phases, motion_mm, seed: generator.random() }
    }

    fn phantom(&self) -> Result<Phantom> {
        let motion = self.motion_mm.map(|largest| Motion::new(largest, PHASE - 1, self.seed));
        Ok(Phantom::new(self.traits, self.scanner, self.seed)?.with_motion(motion))
    }

    /// How the first reader outlines.
    fn first_reader(&self) -> Reader {
        Reader { seed: self.seed ^ 1, wander: 0.05, bias: 0.0 }
    }

    fn lesion(&self) -> Result<SimulatedLesion> {
        let phantom = self.phantom()?;
        let images = (0..PHASES).into_par_iter().map(|phase| Image::from(phantom.image(phase))).collect();
        let times = (0..PHASES).map(|phase| phase as f64 * PHASE_SECONDS).collect();
        Ok(SimulatedLesion {
            patient: self.patient.id.clone(),
            series: DynamicSeries::new(images, times)?,
            outline: phantom.mask(self.first_reader()),
        })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let phantom = self.phantom()?;
        let phases: Vec<usize> = if self.all_phases { (0..PHASES).collect() } else { vec![PHASE - 1] };
        let volumes: Vec<Phase<u16>> =
            phases.iter().map(|&phase| Phase::new(phantom.image(phase), phase as f64 * PHASE_SECONDS)).collect();
        let images = folder.join(&self.patient.image);
        if images.exists() {
            fs::remove_dir_all(&images)?;
        }
        fs::create_dir_all(&images)?;
        let mut attributes = SeriesAttributes::new(&self.patient.id, "DCE-MRI (simulated)");
        attributes.patient_name = format!("Simulated^{}", self.patient.id);
        attributes.patient_sex = "F".to_owned();
        attributes.study_description = "Simulated breast MRI".to_owned();
        write_series(&images, &volumes, &attributes)?;
        let readers = [
            (Some(&self.patient.mask), self.first_reader()),
            (self.patient.mask_reader2.as_ref(), Reader { seed: self.seed ^ 2, wander: 0.07, bias: 0.02 }),
        ];
        for (path, reader) in readers {
            if let Some(path) = path {
                write_mask(folder.join(path), &phantom.mask(reader))?;
            }
        }
        Ok(())
    }
}

/// Names the contents of all files of a patient.
fn digest(folder: &Path, patient: &Patient) -> Result<String> {
    Ok(patient.files().try_fold(Fingerprint::default(), |digest, path| digest.files(&folder.join(path)))?.finish())
}

fn append(log: &Mutex<fs::File>, line: &str) -> Result<()> {
    let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writeln!(log, "{line}").context("cannot write to the simulation's log")
}

#[cfg(test)]
mod tests {
    use alnm_segmentation::agreement::OutlineComparisonParams;
    use alnm_segmentation::proposal::LesionProposalParams;

    use super::*;

    #[test]
    fn simulated_lesions_are_proposed_without_a_seed() {
        let proposal = LesionProposalParams::default().check().unwrap();
        let comparison = OutlineComparisonParams::default().with_labels([1]).check().unwrap();
        let mut dice: Vec<f64> = Simulation::reduced(36, 7)
            .unwrap()
            .lesions()
            .step_by(8)
            .map(|lesion| {
                let lesion = lesion.unwrap();
                let proposed = proposal.propose(&lesion.series).unwrap();
                comparison.compare(&lesion.outline, &proposed.mask).unwrap().labels[0].overlap.dice
            })
            .collect();
        dice.sort_by(f64::total_cmp);
        assert!(dice.len() == 5 && dice[2] >= 0.85, "{dice:?}");
    }
}
