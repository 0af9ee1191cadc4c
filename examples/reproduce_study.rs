//! The published study, from DICOM files on disk to the tables of ten models in two cohorts.
//!
//! Without options a simulated two-centre cohort of 333 patients is written and analysed. Finished work is kept in the
//! output folder; the same command takes up an interrupted run.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong options or a cohort with problems, 130 interrupted.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alnm_examples::published::PUBLISHED;
use alnm_examples::simulation::Simulation;
use alnm_study::analysis::FoldInputs;
use alnm_study::cohort::{CohortProblems, check_lines, write_template};
use alnm_study::deep::NetworkFeatures;
use alnm_study::images::TimeIntensity;
use alnm_study::report::{Findings, summary};
use alnm_study::scores::ScoreInputs;
use alnm_study::table::CohortTable;
use alnm_study::{BundleSources, Interrupted, LogStyle, Progress, ProgressLog, Study, StudyOptions, StudySettings};
use anyhow::Result;
use clap::Parser;

/// Reproduce the study: predict axillary lymph node metastasis from DCE-MRI radiomics, deep features, blood counts and
/// clinical variables, trained in one centre and validated in another. Research software, not a medical device.
#[derive(Debug, Parser)]
#[command(version, after_help = "Example: cargo run --release --example reproduce_study -- --quick --out out/quick")]
struct Options {
    /// Cohort folder (cohort.toml, patients.csv, images, masks); without it a simulated cohort is written to OUT/cohort
    #[arg(long, value_name = "DIR")]
    cohort: Option<PathBuf>,
    /// Only check the cohort folder: its description, its table, every image and mask. All problems are listed, nothing
    /// is written
    #[arg(long, requires = "cohort")]
    check: bool,
    /// With --check, write a page of the cohort to leaf through: each patient's slice with outline, curve, volume,
    /// signal over noise, N4 field and shift between phases, those first who stand out
    #[arg(long, value_name = "FILE", requires = "check")]
    quality_sheet: Option<PathBuf>,
    /// Write an empty cohort folder to fill in: a commented cohort.toml, patients.csv, and what its columns hold
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cohort", "out"])]
    template: Option<PathBuf>,
    /// Folder for results and finished steps [default: out/study, or out/quick with --quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Patients of the simulated cohort in all [default: 333, or 120 with --quick]
    #[arg(long, conflicts_with = "cohort", value_parser = clap::value_parser!(u64).range(60..=333))]
    patients: Option<u64>,
    /// Tissue of the simulated patients moves between phases by up to this many mm; all phases are written, and the
    /// study brings them onto the fourth [default: no motion]
    #[arg(long, value_name = "MM", conflicts_with = "cohort", value_parser = millimetres)]
    motion: Option<f64>,
    #[command(flatten)]
    run: StudyOptions,
}

/// Motion that a registration of breasts has to cope with.
fn millimetres(text: &str) -> Result<f64, String> {
    let millimetres = text.parse().map_err(|_| format!("{text} is no number"))?;
    if (0.0..=10.0).contains(&millimetres) {
        Ok(millimetres)
    } else {
        Err("from 0 to 10 mm can be simulated".to_owned())
    }
}

impl Options {
    /// The simulated cohort; `None` where a cohort folder was named.
    fn simulation(&self) -> Result<Option<Simulation>> {
        if self.cohort.is_some() {
            return Ok(None);
        }
        let simulation = match self.patients.or(self.run.quick.then_some(120)) {
            None => Simulation::published(self.run.seed),
            Some(patients) => Simulation::reduced(patients as usize, self.run.seed)?,
        };
        Ok(Some(self.motion.map_or(simulation, |largest| simulation.with_motion(largest))))
    }

    /// Whether the run is the published study on its simulated cohort, unchanged: only then may published figures stand
    /// beside its own.
    fn repeats_published(&self) -> bool {
        let is_published = self.patients.is_none() && self.motion.is_none() && !self.run.quick;
        self.cohort.is_none() && is_published && !self.run.shuffle_outcomes
    }

    fn settings(&self) -> StudySettings {
        let out = PathBuf::from(if self.run.quick { "out/quick" } else { "out/study" });
        self.run.settings(self.cohort.clone(), self.out.clone().unwrap_or(out))
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            if error.is::<CohortProblems>() {
                ExitCode::from(2)
            } else if error.is::<Interrupted>() {
                ExitCode::from(130)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C stop the work at the next safe point; a second one ends the process.
fn stop_on_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    Ok(())
}

fn run(options: &Options) -> Result<()> {
    stop_on_interrupt()?;
    if let Some(folder) = &options.template {
        write_template(folder)?;
        println!("{} is ready to be filled in; check it with --check --cohort {0}", folder.display());
        return Ok(());
    }
    if let Some(threads) = options.run.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build_global()?;
    }
    let style = if stderr().is_terminal() { LogStyle::Terminal } else { LogStyle::Lines };
    let log = ProgressLog::new(stderr(), style).stopped_by(&INTERRUPTED);
    let mut study = Study::new(options.settings()).with_progress(Progress::silent().and(Arc::new(log)));
    if options.check {
        let cohort = study.checked_cohort()?;
        check_lines(&cohort, &study.acquisitions).iter().for_each(|line| println!("{line}"));
        if let Some(path) = &options.quality_sheet {
            study.quality_sheet(&cohort, path)?;
            println!("Quality sheet: {}", path.display());
        }
        return Ok(());
    }
    if study.settings.weights.is_none() {
        println!("No weights were named: the network starts from a seeded random initialisation, not from ImageNet.");
    }

    // Without a cohort folder, a cohort that is simulated.
    if let Some(simulation) = options.simulation()? {
        let step = study.progress().begin("simulated cohort", simulation.patients());
        simulation.write(&study.cohort_folder(), &step)?;
        step.finish(&mut study.costs);
    }
    // Patients of two centres: images, outlines, clinical variables and blood counts.
    let cohort = study.cohort()?;
    study.claim_output()?;
    // The fourth phase is corrected by N4 and resampled to 1 mm; 926 features of each outline and a crop of the largest
    // section are taken.
    let (cohort, images) = study.images(cohort)?;
    let table = CohortTable::new(&cohort)?;
    // A residual network is fine-tuned on the training centre; the 1000 outputs of its last layer are the deep
    // features.
    let deep = study.deep_features(&table, &images)?;
    // Features that two readers agree on go through variance, univariate, correlation, mRMR and LASSO steps to RadScore
    // and DLScore.
    let inputs = ScoreInputs::new(&images, &deep, study.settings.seed)?;
    let scores = study.scores(&table, &inputs)?;
    // Clinical variables, blood indices and both scores of every patient.
    let variables = table.with_scores(&scores.of(&inputs)?)?;
    // On request a network for each fold, fine-tuned without the fold's patients.
    let fold_networks = study.fold_networks(&table, &images)?;
    let fold_tables = fold_networks.as_deref().map(NetworkFeatures::tables).transpose()?;
    let fold_inputs = FoldInputs::new(&inputs, fold_tables.as_deref());
    // Tables 1 and 2, variables by importance, ten logistic models; discrimination, calibration and decision curves in
    // both cohorts.
    let results = study.analysis(&table, &variables, &fold_inputs)?;
    // Where the cohort asks for it, every centre judged by what was learned in all others.
    study.leave_one_centre_out(&table, &images, &deep, &results)?;
    // With other validation patients the same has to be learned.
    study.check_leaks(&cohort, &images, &deep, fold_networks.as_deref())?;
    // Subtypes and ages, other kinds of models, bootstraps of the selections, the size of the cohort.
    let robustness = study.robustness(&table, &variables, &inputs, &scores, &results)?;
    // The same with features harmonised between scanners and, on request, with other networks.
    let harmonisation = study.harmonisation(&table, &inputs, &fold_inputs)?;
    let backbones = study.backbones(&table, &images, &inputs, &deep)?;
    // Everything that the next patient needs, in one file.
    let bundle = study.bundle(&BundleSources {
        table: &table,
        images: &images,
        deep: &deep,
        inputs: &inputs,
        scores: &scores,
        results: &results,
    })?;
    // Tables, figures, models.
    let published = options.repeats_published().then_some(&PUBLISHED);
    let time_intensity = TimeIntensity::of(&cohort)?;
    let report = study.report(&Findings {
        cohort: &cohort,
        table: &table,
        variables: &variables,
        images: &images,
        time_intensity: time_intensity.as_ref(),
        deep: &deep,
        inputs: &inputs,
        scores: &scores,
        results: &results,
        robustness: &robustness,
        harmonisation: &harmonisation,
        backbones: &backbones,
        published,
    })?;

    println!();
    summary(&results, published).iter().for_each(|line| println!("{line}"));
    println!();
    for cost in &study.costs {
        let memory = cost.peak_memory_mib.map_or(String::new(), |peak| format!(", peak memory so far {peak:.0} MiB"));
        println!("{:<34} {:>8.1} s{memory}", cost.step, cost.seconds);
    }
    println!("\nReport: {}\nBundle for new patients: {}", report.display(), bundle.display());
    Ok(())
}
