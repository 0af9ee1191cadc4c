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
use alnm_study::{BackboneSize, Interrupted, LogStyle, Progress, ProgressLog, Study, StudySettings};
use anyhow::Result;
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

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
    /// With --check, write a page of the cohort to leaf through: each patient's slice with outline, curve, volume, signal over
    /// noise, N4 field and shift between phases, those first who stand out
    #[arg(long, value_name = "FILE", requires = "check")]
    quality_sheet: Option<PathBuf>,
    /// Write an empty cohort folder to fill in: a commented cohort.toml, patients.csv, and what its columns hold
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cohort", "out"])]
    template: Option<PathBuf>,
    /// Folder for results and finished steps [default: out/study, or out/quick with --quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Weights with torchvision's names (.safetensors or .pth); without them training starts from a seeded
    /// initialisation
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Passes of fine-tuning [default: 6, or 2 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// ResNet50 at 224 x 224 pixels or, for a quick look, ResNet18 at 64 x 64 [default: full, or tiny with --quick]
    #[arg(long, value_parser = backbone_sizes())]
    backbone_size: Option<BackboneSize>,
    /// Patients of the simulated cohort in all [default: 333, or 120 with --quick]
    #[arg(long, conflicts_with = "cohort", value_parser = clap::value_parser!(u64).range(60..=333))]
    patients: Option<u64>,
    /// Seed of the simulated cohort, of training and of the folds
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Threads; the results do not depend on them [default: one per core]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Shuffle the outcomes among the patients of each centre, to see what chance alone gives
    #[arg(long)]
    shuffle_outcomes: bool,
    /// Fine-tune the network anew inside each of the ten outer folds, so that the cross-fitted figures of models with
    /// deep features are free of it. Costs nine times the fine-tuning of the run: with ResNet50 at 224 x 224 pixels
    /// about half an hour on two cores
    #[arg(long)]
    cross_fit_network: bool,
    /// Fine-tune ResNet18, ResNet50, ResNet101 and VGG16 in turn and compare their deep features by the same selection.
    /// At 224 x 224 pixels some twenty minutes on two cores, by the networks' numbers of operations; VGG16 needs more
    /// than 4.5 GiB of memory
    #[arg(long)]
    compare_backbones: bool,
    /// Folder of weights for the compared networks (resnet18.safetensors or .pth, ...); those without start from a
    /// seeded initialisation
    #[arg(long, value_name = "DIR", requires = "compare_backbones")]
    backbone_weights: Option<PathBuf>,
    /// A few minutes' version of everything: fewer patients, a small network, fewer resamples
    #[arg(long)]
    quick: bool,
}

/// The sizes of the network by their names.
fn backbone_sizes() -> impl TypedValueParser<Value = BackboneSize> {
    let named = |name: String| BackboneSize::ALL.into_iter().find(|size| size.name() == name);
    PossibleValuesParser::new(BackboneSize::ALL.map(BackboneSize::name))
        .try_map(move |name| named(name).ok_or("there is no such size"))
}

impl Options {
    /// The simulated cohort; `None` where a cohort folder was named.
    fn simulation(&self) -> Result<Option<Simulation>> {
        match self.patients.or(self.quick.then_some(120)) {
            _ if self.cohort.is_some() => Ok(None),
            None => Ok(Some(Simulation::published(self.seed))),
            Some(patients) => Simulation::reduced(patients as usize, self.seed).map(Some),
        }
    }

    /// Whether the run is the published study on its simulated cohort, unchanged: only then may published figures stand
    /// beside its own.
    fn repeats_published(&self) -> bool {
        self.cohort.is_none() && self.patients.is_none() && !self.quick && !self.shuffle_outcomes
    }

    fn settings(&self) -> StudySettings {
        let or = |full: u64, quick: u64| if self.quick { quick } else { full };
        let size = if self.quick { BackboneSize::Tiny } else { BackboneSize::Full };
        StudySettings {
            cohort: self.cohort.clone(),
            out: self.out.clone().unwrap_or_else(|| PathBuf::from(if self.quick { "out/quick" } else { "out/study" })),
            weights: self.weights.clone(),
            epochs: self.epochs.unwrap_or(or(6, 2)) as usize,
            backbone_size: self.backbone_size.unwrap_or(size),
            resamples: or(500, 50) as usize,
            seed: self.seed,
            shuffle_outcomes: self.shuffle_outcomes,
            cross_fit_network: self.cross_fit_network,
            compare_backbones: self.compare_backbones,
            backbone_weights: self.backbone_weights.clone(),
        }
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
    if let Some(threads) = options.threads {
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
    // With other validation patients the same has to be learned.
    study.check_leaks(&cohort, &images, &deep, fold_networks.as_deref())?;
    // Subtypes and ages, other kinds of models, bootstraps of the selections, the size of the cohort.
    let robustness = study.robustness(&table, &variables, &inputs, &scores, &results)?;
    // The same with features harmonised between scanners and, on request, with other networks.
    let harmonisation = study.harmonisation(&table, &inputs, &fold_inputs)?;
    let backbones = study.backbones(&table, &images, &inputs, &deep)?;
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
    println!("\nReport: {}", report.display());
    Ok(())
}
