//! `alnm extract`: radiomic features on files, with PyRadiomics' command line.

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
mod reliability;
mod report;
mod slice_means;
mod store;
mod table;
mod volumes;

use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;

pub(crate) use arguments::{ExtractArgs, with_long_names};

use arguments::Mode;
use batch::Case;
use engine::Engine;
use log::Log;
use outcome::{CaseExtraction, Outcome, Success};
use store::{CaseKey, CaseStore};
use table::{ColumnLists, SharedRow};

use crate::exit::{self, Ending};
use crate::interrupt;
use crate::progress::Counted;

/// How many cases there were and how many of them failed.
struct Tally {
    cases: usize,
    /// Those of which nothing came out.
    failed: usize,
    /// Those of which some regions failed.
    partly: usize,
    /// Whether all failed since the command line makes no sense for these files.
    is_wrong_use: bool,
}

impl Tally {
    fn of(outcomes: &[Outcome]) -> Self {
        let count = |success: Success| outcomes.iter().filter(|outcome| outcome.success == success).count();
        Self {
            cases: outcomes.len(),
            failed: count(Success::Nothing),
            partly: count(Success::Part),
            is_wrong_use: !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.is_wrong_use),
        }
    }

    /// Whether no case gave a row.
    fn is_nothing(&self) -> bool {
        self.failed > 0 && self.failed == self.cases
    }

    /// What the command ends with.
    fn ending(&self) -> Result<()> {
        let Self { cases, failed, partly, is_wrong_use } = *self;
        match partly {
            _ if is_wrong_use => Err(exit::as_told(Ending::WrongUse)),
            0 => exit::of_batch(failed, cases, "cases"),
            _ if cases == 1 => Err(exit::as_told(Ending::PartlyDone)),
            _ => {
                Err(exit::partly_done(format!("{} of {cases} cases failed, {partly} of them in part", failed + partly)))
            }
        }
    }
}

/// Runs the command. Cases that failed are told by the exit code, unless `--keep-going` is set.
pub(crate) fn run(arguments: &ExtractArgs) -> Result<()> {
    panics::keep_quiet();
    let log = Log::new(arguments.verbosity, arguments.log_file.as_deref(), arguments.logging_level)?;
    let done = run_with(arguments, &log);
    if let Err(error) = &done {
        log.keep_error(&crate::messages::reasons(error));
    }
    done
}

fn run_with(arguments: &ExtractArgs, log: &Log) -> Result<()> {
    arguments.check()?;
    let cases = batch::read(arguments, log)?;
    report::check(arguments, &cases)?;
    say_what_is_kept(arguments);
    let tally = if arguments.validate { validate(arguments, &cases, log) } else { extract(arguments, &cases, log) }?;
    if !arguments.keep_going {
        return tally.ending();
    }
    let failed = tally.failed + tally.partly;
    if failed > 0 {
        log.warning(format_args!("{failed} of {} cases failed", tally.cases));
    }
    Ok(())
}

/// Sets what an interruption says of the cases that are done.
fn say_what_is_kept(arguments: &ExtractArgs) {
    match &arguments.out_dir {
        // Only rows of features are taken up again.
        _ if arguments.mode != Mode::Segment => {}
        Some(folder) => interrupt::keeps(format!(
            "finished cases are kept in {}; the same command goes on with the others",
            folder.display()
        )),
        None => interrupt::keeps_nothing("with --out-dir finished cases would be"),
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
    let engine = Engine::new(arguments, log)?;
    batch::check_columns(arguments, &engine, cases, log)?;
    Ok(Tally { cases: cases.len(), failed, partly: 0, is_wrong_use: false })
}

/// Extracts all cases and writes the table.
fn extract(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<Tally> {
    let engine = Engine::new(arguments, log)?;
    output::check(arguments)?;
    volumes::check(arguments, &engine, cases)?;
    batch::check_columns(arguments, &engine, cases, log)?;
    let filter = reliability::filter(arguments)?;
    let store = arguments.out_dir.as_deref().map(|folder| CaseStore::open(folder, arguments, &engine)).transpose()?;
    let extraction = CaseExtraction { arguments, engine: &engine, store: store.as_ref(), log };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads.count()).build()?;
    let lists = ColumnLists::default();
    let progress = Counted::start("cases", cases.len());
    let of_case = |case: &Case| {
        let mut outcome = extraction.of(case);
        let rows = outcome.take_rows(arguments, &lists);
        progress.advance();
        (outcome, rows)
    };
    let of_cases: Vec<(Outcome, Vec<SharedRow>)> = threads.install(|| cases.par_iter().map(of_case).collect());
    let (outcomes, rows): (Vec<Outcome>, Vec<Vec<SharedRow>>) = of_cases.into_iter().unzip();
    progress.finish();
    let numbered =
        outcomes.iter().zip(rows).flat_map(|(outcome, rows)| rows.into_iter().map(|row| (outcome.number, row)));
    let rows: Vec<(usize, SharedRow)> = numbered.collect();
    let tally = Tally::of(&outcomes);
    // PyRadiomics writes what it knows of cases that failed.
    if !tally.is_nothing() || arguments.keep_going {
        output::write_table(arguments, &engine, &rows)?;
    }
    if let (Some(path), Some(filter)) = (&arguments.reliability, filter) {
        let table = reliability::table(&filter, &rows, log)?;
        arguments.overwriting.write_file(path, table.to_csv().as_bytes())?;
    }
    if let Some(store) = store.filter(|_| arguments.shard.is_none()) {
        tell_strangers(&store, &outcomes, log)?;
    }
    let unsaved = outcomes.iter().filter(|outcome| outcome.unsaved).count();
    anyhow::ensure!(unsaved == 0, "{unsaved} of {} cases could not be stored in --out-dir", cases.len());
    Ok(tally)
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
