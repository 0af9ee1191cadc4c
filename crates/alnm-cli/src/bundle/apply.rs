//! `alnm apply`: risks of new patients from their images and rows.

use std::path::PathBuf;

use alnm_imaging::mask::RegionChoice;
use alnm_stats::data_table::{Cell, DataTable};
use alnm_study::Bundle;
use alnm_study::scoring::{NewPatient, ScoredPatient};
use anyhow::{Context, Result, bail, ensure};

use super::rows::{FileChoice, patients_of_table, values_of_one};
use crate::exit::of_batch;
use crate::input::refuse_standard_input;
use crate::messages;
use crate::options::{IntervalLevel, ResultFormat, ResultOptions};
use crate::predict::{assessment_lines, column_name};

/// Risk of new patients by the bundle of a finished study: from images, outlines and blood counts to features, scores
/// and the risk with its interval, what each variable adds, and what was odd.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm apply bundle.safetensors dce-folder mask.nii.gz --patient row.csv
  alnm apply bundle.safetensors --cases patients.csv --format csv --out risks.csv
  alnm apply bundle.safetensors --describe

row.csv and row.json hold age_years, mtd_cm, sad_aln_cm, neutrophils, lymphocytes and platelets (10^9/L), those that the bundle needs; SII
is computed. A table of cases has the columns patient, image and mask too, with paths relative to its folder, and may have roi (the lesion's
name in its mask) and series; the patients.csv of a cohort folder is one. A value that is missing leaves the patient without a risk, and the answer says which; a bundle of a study
that imputed completes it, and the risk is the mean over the completions.

Research software, not a medical device.")]
pub(crate) struct Apply {
    /// Bundle that a study has written.
    bundle: PathBuf,
    /// Image: a DICOM folder, or a NIfTI, NRRD or MetaImage file.
    #[arg(required_unless_present_any = ["cases", "describe"], conflicts_with = "cases")]
    image: Option<PathBuf>,
    /// Outline of the lesion on the image's grid, or DICOM contours.
    #[arg(required_unless_present_any = ["cases", "describe"])]
    mask: Option<PathBuf>,
    /// Values of the patient: CSV with one row, or a JSON object.
    #[arg(long, value_name = "FILE", requires = "image")]
    patient: Option<PathBuf>,
    /// Table of patients: CSV, or a JSON list.
    #[arg(long, value_name = "TABLE")]
    cases: Option<PathBuf>,
    /// Say what the bundle holds, and which values it needs.
    #[arg(long, conflicts_with_all = ["image", "cases", "patient"])]
    describe: bool,
    /// Phase of a dynamic series, from 1, where it is another than in training.
    #[arg(long, value_name = "N")]
    phase: Option<usize>,
    /// SeriesInstanceUID, where a folder holds several.
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// Label of the lesion in the masks, where it is another than in training.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    label: Option<u32>,
    /// The lesion's name, in DICOM structure sets and segmentations and in segmentations of 3D Slicer.
    #[arg(long, value_name = "NAME", conflicts_with = "label")]
    roi: Option<String>,
    /// The lesion's number: ROI number, segment number, or label.
    #[arg(long, value_name = "N", conflicts_with_all = ["label", "roi"])]
    roi_number: Option<u32>,
    /// Level of the intervals.
    #[arg(long, value_name = "X", default_value_t = IntervalLevel(0.95))]
    level: IntervalLevel,
    #[command(flatten)]
    result: ResultOptions,
    #[command(flatten)]
    threads: crate::Threads,
}

impl Apply {
    pub(crate) fn run(self) -> Result<()> {
        self.result.check()?;
        refuse_standard_input(&self.bundle, "bundle")?;
        self.image.as_deref().map_or(Ok(()), |path| refuse_standard_input(path, "image"))?;
        self.mask.as_deref().map_or(Ok(()), |path| refuse_standard_input(path, "mask"))?;
        self.threads.start()?;
        let bundle = super::read_bundle(&self.bundle)?;
        if self.describe {
            return self.answer(&description(&bundle));
        }
        let patients = self.patients(&bundle)?;
        let (phase, label) = (bundle.preparation().phase, bundle.preparation().label);
        let scorer =
            bundle.scorer(self.level.0)?.with_files(self.phase.unwrap_or(phase), self.label.unwrap_or(label))?;
        let progress = super::progress();
        let step = progress.begin("images, features, scores, risks", patients.len());
        let scored = scorer.score(&patients, &step);
        step.finish(&mut Vec::new());
        super::check_interrupt(&progress)?;
        let text = match self.result.format() {
            ResultFormat::Text => text(&bundle, &patients, &scored),
            ResultFormat::Csv => table(&bundle, &patients, &scored)?.to_csv(),
            ResultFormat::Json => json(&patients, &scored)?,
        };
        self.answer(&text)?;
        let failed = scored.iter().filter(|scored| scored.is_err()).count();
        for (patient, scored) in patients.iter().zip(&scored) {
            if let Err(error) = scored {
                messages::error(format_args!("patient {}: {}", patient.id, reason(patient, error)));
            }
        }
        let without_risk = scored.iter().filter(|scored| !scored.as_ref().is_ok_and(|one| one.assessment.is_some()));
        let has_no_risk = without_risk.count() == patients.len();
        ensure!(failed == patients.len() || !has_no_risk, "no patient has a risk; the answer says what each lacks");
        of_batch(failed, patients.len(), "patients")
    }

    fn patients(&self, bundle: &Bundle) -> Result<Vec<NewPatient>> {
        let region = self.roi.as_deref().map(RegionChoice::from).or(self.roi_number.map(RegionChoice::from));
        let of_all = FileChoice { region, series: self.series.clone() };
        match (&self.cases, &self.image, &self.mask) {
            (Some(table), ..) => patients_of_table(table, bundle, &of_all),
            (None, Some(image), Some(mask)) => {
                let values = self.patient.as_deref().map(|path| values_of_one(path, bundle)).transpose()?;
                let id = image.file_name().map_or_else(|| "1".to_owned(), |name| name.to_string_lossy().into_owned());
                let (image, mask) = (image.clone(), mask.clone());
                let FileChoice { region, series } = of_all;
                Ok(vec![NewPatient { id, image, mask, series, region, values: values.unwrap_or_default() }])
            }
            _ => bail!("an image and its mask, or a table of cases, is needed"),
        }
    }

    fn answer(&self, text: &str) -> Result<()> {
        self.result.write(text)
    }
}

/// Why a patient was not scored, without his name.
fn reason(patient: &NewPatient, error: &anyhow::Error) -> String {
    let told = messages::reasons(error);
    told.strip_prefix(&format!("patient {}: ", patient.id)).map_or(told.clone(), str::to_owned)
}

/// What a bundle holds, in words.
fn description(bundle: &Bundle) -> String {
    let (origin, inputs, model) = (bundle.origin(), bundle.inputs(), bundle.model());
    let mut lines = vec![
        format!("written by      {}", origin.software),
        format!("cohort          {}{}", origin.cohort, if origin.simulated { " (simulated)" } else { "" }),
        format!(
            "trained on      {}: {} patients, {} with metastasis",
            origin.training_centre,
            model.training_rows(),
            model.training_events()
        ),
        format!("validated on    {}", origin.validation_centres.join(", ")),
        format!("network         {}, output {:?}", bundle.network().backbone(), bundle.deep_output().stage),
        format!("RadScore        {} features", bundle.radiomic_signature().weights().len()),
        format!("DLScore         {} features", bundle.deep_signature().weights().len()),
        format!("needed columns  {}", bundle.needed_columns().join(", ")),
        bundle.completion().map_or_else(
            || "missing values  give no risk".to_owned(),
            |completion| {
                format!(
                    "missing values  completed {} times, learned from {} training patients without outcomes, from {}",
                    completion.imputations(),
                    completion.training_patients(),
                    bundle.read_columns().join(", ")
                )
            },
        ),
        format!("hash of images  {}", inputs.images),
        format!("hash of table   {}", inputs.table),
        "model           variable, log odds ratio, range of training:".to_owned(),
    ];
    lines.extend(model.variables().iter().map(|v| {
        let name = column_name(&v.variable.name, &v.variable.unit);
        format!("  {name:<22} {:>12.5} {:>12.4} to {:.4}", v.coefficient, v.training_minimum, v.training_maximum)
    }));
    if origin.outcomes_shuffled {
        lines.push("Outcomes were shuffled: every risk of this bundle is chance.".to_owned());
    }
    lines.join("\n") + "\n"
}

fn text(bundle: &Bundle, patients: &[NewPatient], scored: &[Result<ScoredPatient>]) -> String {
    let mut lines = Vec::new();
    for (patient, scored) in patients.iter().zip(scored) {
        let found = match scored {
            Ok(found) => found,
            // A message says why.
            Err(_) => {
                lines.push(format!("patient {}: not scored", patient.id));
                continue;
            }
        };
        match &found.assessment {
            Some(assessment) => lines.extend(assessment_lines(&found.patient, assessment)),
            None => lines.push(format!("patient {}: no risk", found.patient)),
        }
        let score = |value: Option<f64>| value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
        lines.push(format!("  RadScore {}, DLScore {}", score(found.rad_score), score(found.dl_score)));
        lines.extend(found.warnings.iter().map(|warning| format!("  warning: {}", warning.message)));
    }
    if bundle.origin().simulated {
        lines.push("The bundle was trained on simulated patients.".to_owned());
    }
    lines.push("Research software, not a medical device.".to_owned());
    lines.join("\n") + "\n"
}

/// A row per patient; one number a cell.
fn table(bundle: &Bundle, patients: &[NewPatient], scored: &[Result<ScoredPatient>]) -> Result<DataTable> {
    let model = bundle.model();
    let features = [bundle.radiomic_signature(), bundle.deep_signature()].into_iter().flat_map(|signature| {
        signature.weights().iter().map(|weight| format!("{} {}", signature.name(), weight.feature))
    });
    let columns = ["patient", "risk", "interval_lower", "interval_upper"]
        .map(str::to_owned)
        .into_iter()
        .chain(model.cutoffs().iter().map(|cutoff| format!("above {}", cutoff.name)))
        .chain(model.variables().iter().map(|v| column_name(&v.variable.name, &v.variable.unit)))
        .chain(model.variables().iter().map(|v| format!("contribution of {}", v.variable.name)))
        .chain(features)
        .chain(["completed", "warnings", "error"].map(str::to_owned));
    let mut table = DataTable::new(columns)?;
    let width = table.columns().len();
    for (patient, scored) in patients.iter().zip(scored) {
        let row = match scored {
            Ok(found) => row(bundle, found),
            Err(error) => {
                let mut row = vec![Cell::from(patient.id.clone())];
                row.resize(width - 1, Cell::from(""));
                row.push(Cell::from(reason(patient, error)));
                row
            }
        };
        table.push(row).context("a row of the answer")?;
    }
    Ok(table)
}

fn row(bundle: &Bundle, found: &ScoredPatient) -> Vec<Cell> {
    let number = |value: Option<f64>| value.map_or_else(|| Cell::from(""), Cell::from);
    let assessment = found.assessment.as_ref();
    let interval = assessment.map(|assessment| assessment.interval);
    let mut row = vec![
        Cell::from(found.patient.clone()),
        number(assessment.map(|assessment| assessment.risk)),
        number(interval.map(|interval| interval.lower)),
        number(interval.map(|interval| interval.upper)),
    ];
    for place in 0..bundle.model().cutoffs().len() {
        row.push(number(assessment.map(|assessment| f64::from(u8::from(assessment.decisions[place].positive)))));
    }
    for v in bundle.model().variables() {
        let measured = found.variables.iter().find(|measured| measured.variable == v.variable);
        row.push(number(measured.map(|measured| measured.value)));
    }
    for place in 0..bundle.model().variables().len() {
        row.push(number(assessment.map(|assessment| assessment.contributions[place].log_odds)));
    }
    row.extend(found.features.iter().map(|feature| number(feature.value)));
    let completed = found.completion.iter().flat_map(|one| &one.columns).map(|column| column.column.as_str());
    row.push(Cell::from(completed.collect::<Vec<_>>().join(" ")));
    let warnings: Vec<&str> = found.warnings.iter().map(|warning| warning.message.as_str()).collect();
    row.extend([Cell::from(warnings.join("; ")), Cell::from("")]);
    row
}

fn json(patients: &[NewPatient], scored: &[Result<ScoredPatient>]) -> Result<String> {
    let of_patient = |(patient, scored): (&NewPatient, &Result<ScoredPatient>)| match scored {
        Ok(found) => serde_json::to_value(found),
        Err(error) => Ok(serde_json::json!({"patient": patient.id, "error": reason(patient, error)})),
    };
    let answers = patients.iter().zip(scored).map(of_patient).collect::<Result<Vec<_>, _>>()?;
    Ok(serde_json::to_string_pretty(&answers)? + "\n")
}
