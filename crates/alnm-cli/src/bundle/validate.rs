//! `alnm validate`: a bundle judged on the patients of another hospital.

use std::path::PathBuf;

use alnm_stats::Interval;
use alnm_study::Bundle;
use alnm_study::cohort;
use alnm_study::external_validation::{
    CompletedPatients, ExternalValidation, ExternalValidationParams, UnscoredPatient,
};
use alnm_study::scoring::NewPatient;
use anyhow::{Context, Result, ensure};

use crate::input::refuse_standard_input;
use crate::messages::reasons;
use crate::options::{IntervalLevel, ResultFormat, ResultOptions};

/// A bundle judged on the patients of another hospital: AUC, calibration, net benefit, each with its interval, what
/// recalibration would give, and how far the patients are from those of training.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm validate bundle.safetensors our_cohort
  alnm validate bundle.safetensors our_cohort --format csv --out validation.csv --risks risks.csv

COHORT is a cohort folder (cohort.toml, patients.csv, images, masks). The patients of its validation centres are judged, or those of the
centres that --centre names. Phase and label are those of its cohort.toml. Figures after recalibration are judged on the patients that the
line was fitted to, and so optimistic. Where the study imputed ([missing] policy = \"impute\"), patients who lack a value are completed by what
the bundle learned from training patients, and judged by the mean of their risks over the completions; AUC and calibration pooled by Rubin's
rules and those of complete patients stand beside. Let the cohort.toml of COHORT say [missing] policy = \"impute\", so that nobody is left out.

Research software, not a medical device.")]
pub(crate) struct Validate {
    /// Bundle that a study has written.
    bundle: PathBuf,
    /// Cohort folder.
    cohort: PathBuf,
    /// Centre whose patients are judged; may be given several times [default: the validation centres].
    #[arg(long, value_name = "NAME")]
    centre: Vec<String>,
    /// Level of the intervals.
    #[arg(long, value_name = "X", default_value_t = IntervalLevel(0.95))]
    level: IntervalLevel,
    /// Bootstrap resamples of the intervals of net benefit.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    resamples: u32,
    #[command(flatten)]
    result: ResultOptions,
    /// File for outcome and risk of every patient (CSV).
    #[arg(long, value_name = "FILE")]
    risks: Option<PathBuf>,
    #[command(flatten)]
    threads: crate::Threads,
}

impl Validate {
    pub(crate) fn run(self) -> Result<()> {
        self.result.check()?;
        self.result.overwriting.check_files(self.risks.as_deref())?;
        self.threads.start()?;
        refuse_standard_input(&self.bundle, "bundle")?;
        let bundle = super::read_bundle(&self.bundle)?;
        let validation = self.judge(&bundle)?;
        let text = match self.result.format() {
            ResultFormat::Text => text(&bundle, &validation),
            ResultFormat::Csv => validation.table()?.to_csv(),
            ResultFormat::Json => serde_json::to_string_pretty(&validation)? + "\n",
        };
        if let Some(path) = &self.risks {
            self.result.overwriting.write_file(path, validation.risks()?.to_csv().as_bytes())?;
        }
        self.result.write(&text)
    }

    fn judge(&self, bundle: &Bundle) -> Result<ExternalValidation> {
        let (mut cohort, mut problems) = cohort::read(&self.cohort)?;
        // Outlines that grow from seeds are files as long as this runs.
        let outlines = tempfile::tempdir()?;
        problems.extend(cohort.draw_outlines(outlines.path(), &|| ())?);
        let centres =
            if self.centre.is_empty() { cohort.description.validation_centres.clone() } else { self.centre.clone() };
        let cohort = cohort.settle_centres(&centres, problems)?;
        ensure!(
            !cohort.patients.is_empty(),
            "no patient of {} is in {}; name a centre of its table with --centre",
            centres.join(", "),
            self.cohort.display()
        );
        let patients: Vec<NewPatient> =
            cohort.patients.iter().map(|patient| NewPatient::of_cohort(&cohort, patient)).collect();
        let (phase, label) = (cohort.description.phase, cohort.description.label);
        let scorer = bundle.scorer(self.level.0)?.with_files(phase, label)?;
        let progress = super::progress();
        let step = progress.begin("images, features, scores, risks", patients.len());
        let found = scorer.score(&patients, &step);
        step.finish(&mut Vec::new());
        super::check_interrupt(&progress)?;
        let (mut scored, mut outcomes, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for (patient, found) in cohort.patients.iter().zip(found) {
            match found {
                Ok(found) => {
                    scored.push(found);
                    outcomes.push(patient.alnm);
                }
                Err(error) => without.push(UnscoredPatient::new(&patient.id, reasons(&error))),
            }
        }
        let params =
            ExternalValidationParams::default().with_level(self.level.0).with_resamples(self.resamples as usize);
        let validator = params.check()?;
        validator
            .judge(bundle, &scored, &outcomes, without)
            .with_context(|| format!("cannot judge the bundle on {}", centres.join(", ")))
    }
}

fn with(value: f64, interval: Interval) -> String {
    format!("{value:.3} ({:.3} to {:.3})", interval.lower, interval.upper)
}

/// What missing values do to the figures.
fn of_missing(found: &CompletedPatients) -> Vec<String> {
    let columns: Vec<String> = found.columns.iter().map(|one| format!("{} {}", one.column, one.patients)).collect();
    let complete = &found.complete_cases;
    let mut lines = vec![
        String::new(),
        format!(
            "missing values: {} patients lacked a value ({}), completed {} times by what training patients have, without outcomes;",
            found.patients,
            columns.join(", "),
            found.imputations
        ),
        "figures above judge one risk for each patient, the mean over the completions".to_owned(),
    ];
    let mut push = |name: &str, value: Option<(f64, Interval)>| {
        lines.extend(value.map(|(value, interval)| format!("  {name:<40} {}", with(value, interval))));
    };
    push("AUC, pooled by Rubin's rules", found.pooled_auc.as_ref().map(|one| (one.estimate, one.interval)));
    let pooled = found.pooled_calibration.as_ref();
    push("calibration slope, pooled likewise", pooled.map(|one| (one.slope.estimate, one.slope.interval)));
    let area = complete.auc.as_ref().map(|one| (one.auc, one.interval));
    push(&format!("AUC, {} complete patients", complete.patients), area);
    let line = complete.recalibration.as_ref().map(|one| (one.slope.estimate, one.slope.interval));
    push("calibration slope, the same", line);
    lines
}

fn text(bundle: &Bundle, found: &ExternalValidation) -> String {
    let mut lines = vec![
        format!(
            "{} patients, {} with metastasis; intervals of {} %",
            found.patients.len(),
            found.labels.positives(),
            100.0 * found.params.level
        ),
        format!("trained on {}, {}", bundle.origin().cohort, bundle.origin().training_centre),
        String::new(),
        format!("AUC                      {}", with(found.auc.auc, found.auc.interval)),
        format!("Brier score              {:.3}", found.brier.score),
        format!(
            "expected over observed   {}",
            with(found.expected_observed.expected_over_observed, found.expected_observed.interval)
        ),
    ];
    match &found.recalibration {
        Some(line) => lines.extend(
            [("in the large", line.in_the_large), ("intercept", line.intercept), ("slope", line.slope)]
                .map(|(name, found)| format!("calibration {name:<12} {}", with(found.estimate, found.interval))),
        ),
        None => lines.push("calibration line: undefined, since the risks separate the outcomes".to_owned()),
    }
    if let Some(test) = &found.hosmer_lemeshow {
        lines.push(format!("Hosmer-Lemeshow          p = {:.3}", test.test.p_value));
    }
    for verdicts in &found.verdicts {
        let (sensitivity, specificity) = (verdicts.metrics.sensitivity, verdicts.metrics.specificity);
        lines.push(format!(
            "cutoff {:?} {:.4}: sensitivity {}, specificity {}",
            verdicts.name,
            verdicts.threshold,
            with(sensitivity.estimate, sensitivity.interval),
            with(specificity.estimate, specificity.interval)
        ));
    }
    lines.extend(found.completed.iter().flat_map(of_missing));
    lines.extend([String::new(), "after recalibration on these patients (optimistic):".to_owned()]);
    for after in &found.recalibrated {
        let test = after
            .hosmer_lemeshow
            .as_ref()
            .map_or_else(String::new, |test| format!(", Hosmer-Lemeshow p = {:.3}", test.test.p_value));
        lines.push(format!("  {:<20} Brier score {:.3}{test}", after.method, after.brier.score));
    }
    lines.extend([
        String::new(),
        format!("{:>9} {:>26} {:>10} {:>13}", "threshold", "net benefit", "treat all", "recalibrated"),
    ]);
    let width = found.drift.iter().map(|drift| drift.variable.len()).max().unwrap_or(0).max("against training".len());
    for benefit in &found.net_benefit {
        let after = benefit.recalibrated.map_or_else(String::new, |value| format!("{value:.3}"));
        let model = with(benefit.net_benefit, benefit.interval);
        lines.push(format!("{:>9.2} {model:>26} {:>10.3} {after:>13}", benefit.threshold, benefit.treat_all));
    }
    lines.extend([
        String::new(),
        format!(
            "{:<width$} {:>8} {:>11} {:>10} {:>9}",
            "against training", "outside", "difference", "stability", "distance"
        ),
    ]);
    for drift in &found.drift {
        let of = format!("{}/{}", drift.outside, drift.patients);
        lines.push(format!(
            "{:<width$} {of:>8} {:>11.2} {:>10.3} {:>9.3}",
            drift.variable, drift.standardised_difference, drift.stability_index, drift.distance
        ));
    }
    lines.push(format!(
        "{} patients have a spacing or lesion volume that no training image had",
        found.geometry_outside
    ));
    lines.extend(found.without_risk.iter().map(|one| format!("without a risk: {}: {}", one.patient, one.reason)));
    lines.push("Research software, not a medical device.".to_owned());
    lines.join("\n") + "\n"
}
