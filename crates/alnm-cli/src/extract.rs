//! `alnm extract`: radiomic features on files, with PyRadiomics' command line.

mod appending;
mod arguments;
mod batch;
mod engine;
mod log;
mod memory;
mod one_row;
mod outcome;
mod output;
mod panics;
#[cfg(feature = "parquet")]
mod parquet_table;
mod regions;
mod report;
mod slice_means;
mod store;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use rayon::prelude::*;

pub(crate) use arguments::{ExtractArgs, with_long_names};

use arguments::FailOn;
use batch::Case;
use engine::Engine;
use log::Log;
use outcome::{CaseExtraction, Outcome};
use store::{CaseKey, CaseStore};
use table::{ColumnLists, SharedRow};

/// The input could not be made sense of.
const BAD_INPUT: u8 = 1;
/// The extraction as a whole failed.
const FAILED: u8 = 3;
/// Cases failed: all of them, or with `--fail-on any` one.
const CASES_FAILED: u8 = 4;
/// Ctrl-C. PyRadiomics exits with -1, of which the shell sees the lowest byte.
const INTERRUPTED: i32 = 255;

/// How many cases there were and how many of them failed.
struct Tally {
    cases: usize,
    failed: usize,
}

impl Tally {
    /// Whether a script has to learn of the failures.
    fn counts_as_failure(&self, fail_on: FailOn) -> bool {
        match fail_on {
            FailOn::Never => false,
            FailOn::Any => self.failed > 0,
            FailOn::All => self.failed > 0 && self.failed == self.cases,
        }
    }
}

/// Runs the command and returns the exit code: 0 done, 1 for input that makes no sense, 3 when the extraction as a whole
/// failed, 4 when cases failed (`--fail-on` says how many), 255 when it was interrupted.
pub(crate) fn run(arguments: &ExtractArgs) -> ExitCode {
    // Cases that are done lie complete in --out-dir. Without a handler Ctrl-C ends the process too, with the system's
    // code.
    let _ = ctrlc::set_handler(|| std::process::exit(INTERRUPTED));
    panics::keep_quiet();
    let log = match Log::new(arguments.verbosity, arguments.log_file.as_deref(), arguments.logging_level) {
        Ok(log) => log,
        Err(error) => {
            // Without a log there is only the terminal; a failure to write there cannot be reported.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            return ExitCode::from(FAILED);
        }
    };
    let cases = match batch::read(arguments, &log) {
        Ok(cases) => cases,
        Err(error) => {
            log.error(crate::reasons(&error));
            return ExitCode::from(BAD_INPUT);
        }
    };
    if let Err(error) = report::check(arguments, &cases) {
        log.error(crate::reasons(&error));
        return ExitCode::from(BAD_INPUT);
    }
    let outcome = if arguments.validate { validate(arguments, &cases, &log) } else { extract(arguments, &cases, &log) };
    match outcome {
        Ok(tally) if tally.counts_as_failure(arguments.fail_on) => ExitCode::from(CASES_FAILED),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            log.error(crate::reasons(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// Checks the parameters and that the files of all cases exist.
fn validate(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<Tally> {
    let mut failed = 0;
    for case in cases {
        let missing: Vec<&Path> = std::iter::once(&case.image)
            .chain(&case.mask)
            .filter(|path| !path.exists())
            .map(PathBuf::as_path)
            .collect();
        for path in &missing {
            log.error(format_args!("case {}: {} does not exist", case.number, path.display()));
        }
        failed += usize::from(!missing.is_empty());
    }
    log.info(format_args!("{} cases checked, {failed} with errors", cases.len()));
    Engine::new(arguments, log)?;
    Ok(Tally { cases: cases.len(), failed })
}

/// Extracts all cases and writes the table.
fn extract(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<Tally> {
    let engine = Engine::new(arguments, log)?;
    output::check(arguments)?;
    let store = arguments.out_dir.as_deref().map(|folder| CaseStore::open(folder, arguments, &engine)).transpose()?;
    let extraction = CaseExtraction { arguments, engine: &engine, store: store.as_ref(), log };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build()?;
    let lists = ColumnLists::default();
    let of_case = |case: &Case| {
        let mut outcome = extraction.of(case);
        let rows = outcome.take_rows(arguments, &lists);
        (outcome, rows)
    };
    let of_cases: Vec<(Outcome, Vec<SharedRow>)> = threads.install(|| cases.par_iter().map(of_case).collect());
    let (outcomes, rows): (Vec<Outcome>, Vec<Vec<SharedRow>>) = of_cases.into_iter().unzip();
    let numbered =
        outcomes.iter().zip(rows).flat_map(|(outcome, rows)| rows.into_iter().map(|row| (outcome.number, row)));
    let rows: Vec<(usize, SharedRow)> = numbered.collect();
    output::write_table(arguments, &engine, &rows, log)?;
    if let Some(store) = store.filter(|_| arguments.shard.is_none()) {
        tell_strangers(&store, &outcomes, log)?;
    }
    let count = |what: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| what(outcome)).count();
    let (failed, unsaved) = (count(|outcome| outcome.failed), count(|outcome| outcome.unsaved));
    if failed > 0 && cases.len() > 1 {
        log.warning(format_args!("{failed} of {} cases failed", cases.len()));
    }
    anyhow::ensure!(unsaved == 0, "{unsaved} of {} cases could not be stored in --out-dir", cases.len());
    Ok(Tally { cases: cases.len(), failed })
}

/// Files of cases that are not in the batch, or not like this, would be mixed in by whoever reads the whole folder.
fn tell_strangers(store: &CaseStore, outcomes: &[Outcome], log: &Log) -> Result<()> {
    // A case that could not be opened has no key, and its file of an earlier run would be taken for a stranger.
    let keys: Option<Vec<CaseKey>> = outcomes.iter().map(|outcome| outcome.key.clone()).collect();
    let strangers = keys.map_or(Ok(0), |keys| store.strangers(&keys))?;
    if strangers > 0 {
        log.info(format_args!(
            "--out-dir holds {strangers} files of other cases or other settings, which the table leaves out"
        ));
    }
    Ok(())
}
