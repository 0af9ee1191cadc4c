//! `alnm extract`: radiomic features on files, with PyRadiomics' command line.

mod arguments;
mod batch;
mod engine;
mod log;
mod output;
#[cfg(feature = "parquet")]
mod parquet_table;
mod regions;
mod report;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alnm_imaging::file::write_atomically;
use anyhow::{Context, Result};
use rayon::prelude::*;

pub(crate) use arguments::{ExtractArgs, with_long_names};

use arguments::Mode;
use batch::Case;
use engine::{Engine, RegionFeatures};
use log::Log;
use regions::Regions;
use report::ReportedRegion;
use table::{Row, TableFormat};

/// The input could not be made sense of.
const BAD_INPUT: u8 = 1;
/// The extraction as a whole failed.
const FAILED: u8 = 3;
/// Ctrl-C. PyRadiomics exits with -1, of which the shell sees the lowest byte.
const INTERRUPTED: i32 = 255;

/// Runs the command and returns PyRadiomics' exit code: 0 also when single cases failed, 1 for input that makes no
/// sense, 3 when the extraction as a whole failed, 255 when it was interrupted.
pub(crate) fn run(arguments: &ExtractArgs) -> ExitCode {
    // Cases that are done lie complete in --out-dir. Without a handler Ctrl-C ends the process too, with the system's
    // code.
    let _ = ctrlc::set_handler(|| std::process::exit(INTERRUPTED));
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
    if let Err(error) = report::check(arguments) {
        log.error(crate::reasons(&error));
        return ExitCode::from(BAD_INPUT);
    }
    let outcome = if arguments.validate { validate(arguments, &cases, &log) } else { extract(arguments, &cases, &log) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.error(crate::reasons(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// Checks the parameters and that the files of all cases exist.
fn validate(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<()> {
    if let Err(error) = Engine::new(arguments, log) {
        log.error(crate::reasons(&error));
    }
    let mut failed = 0;
    for case in cases {
        let missing: Vec<&Path> =
            [&case.image, &case.mask].into_iter().filter(|path| !path.exists()).map(PathBuf::as_path).collect();
        for path in &missing {
            log.error(format_args!("case {}: {} does not exist", case.number, path.display()));
        }
        failed += usize::from(!missing.is_empty());
    }
    log.info(format_args!("{} cases checked, {failed} with errors", cases.len()));
    Ok(())
}

/// Extracts all cases and writes the table.
fn extract(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<()> {
    let engine = Engine::new(arguments, log)?;
    if let Some(folder) = &arguments.out_dir {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build()?;
    let outcomes: Vec<Outcome> =
        threads.install(|| cases.par_iter().map(|case| extract_case(arguments, &engine, case, log)).collect());
    let rows: Vec<(usize, Row)> = outcomes.iter().flat_map(|outcome| outcome.rows.iter().cloned()).collect();
    output::write_table(arguments, &engine, &rows)?;
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    if !failed.is_empty() {
        log.warning(format_args!("{} of {} cases failed:", failed.len(), cases.len()));
        for outcome in failed {
            log.warning(format_args!("  case {}: {}", outcome.number, outcome.failure.as_deref().unwrap_or_default()));
        }
    }
    Ok(())
}

/// What became of a case.
struct Outcome {
    number: usize,
    /// Rows with the number of their case; one, or with `--labels` one for each region.
    rows: Vec<(usize, Row)>,
    failure: Option<String>,
}

/// Extracts a case. One that fails keeps its input columns.
fn extract_case(arguments: &ExtractArgs, engine: &Engine, case: &Case, log: &Log) -> Outcome {
    let number = case.number;
    let stored = arguments.out_dir.as_ref().filter(|_| arguments.mode == Mode::Segment);
    let stored = stored.map(|folder| folder.join(format!("features_{number}.csv")));
    if let Some(file) = stored.as_deref().filter(|file| file.is_file()) {
        match table::read(file, &case.columns) {
            Ok(rows) => {
                log.info(format_args!("case {number}: already computed"));
                return Outcome { number, rows: rows.into_iter().map(|row| (number, row)).collect(), failure: None };
            }
            Err(error) => log.warning(format_args!("case {number}: {}; it is computed again", crate::reasons(&error))),
        }
    }
    let case_regions = match Regions::read(arguments, engine, case) {
        Ok(regions) => regions,
        Err(error) => return failed(case, vec![(number, case.columns.clone())], &error, log),
    };
    let mut rows = Vec::new();
    let mut reported = Vec::new();
    let mut failure = None;
    for region in &case_regions.regions {
        let columns = region.columns(case);
        let computed = match engine.features(arguments, number, &case_regions, region, log) {
            Ok(RegionFeatures { row, features }) => {
                reported.push(ReportedRegion { region, features });
                row
            }
            Err(error) => {
                failure.get_or_insert(error);
                Vec::new()
            }
        };
        rows.push((number, columns.into_iter().chain(computed).collect()));
    }
    if let (Some(path), None) = (&arguments.sr, &failure) {
        failure = report::write(arguments, path, case, &case_regions, &reported).err();
    }
    // A case that failed is not stored, so that it is tried again.
    let stored = match (&stored, &failure) {
        (Some(file), None) => store(file, &rows),
        _ => Ok(()),
    };
    match failure.map_or(stored, Err) {
        Ok(()) => {
            log.info(format_args!("case {number}: done"));
            Outcome { number, rows, failure: None }
        }
        Err(error) => failed(case, rows, &error, log),
    }
}

/// The outcome of a case that failed; what there is of its rows is kept.
fn failed(case: &Case, rows: Vec<(usize, Row)>, error: &anyhow::Error, log: &Log) -> Outcome {
    let failure = crate::reasons(error);
    log.error(format_args!("case {}: {failure}", case.number));
    Outcome { number: case.number, rows, failure: Some(failure) }
}

/// Writes the rows of a case to a file that is there as a whole or not at all.
fn store(file: &Path, rows: &[(usize, Row)]) -> Result<()> {
    write_atomically(file, |stream| table::write(stream, TableFormat::Csv, rows, &[]))
        .with_context(|| format!("cannot write {}", file.display()))
}
