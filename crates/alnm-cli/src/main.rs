//! The command `alnm`: medical images and radiomics on files.
//!
//! Exit codes of the image commands: 0 done, 1 the work failed, 2 the command line was wrong. `extract` has
//! PyRadiomics' codes.
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "bundle")]
mod bundle;
mod cases;
mod convert;
mod deep;
mod dicom_object;
mod extract;
mod info;
mod input;
mod n4;
mod output;
#[cfg(feature = "pacs")]
mod pacs;
mod predict;
mod register;
mod resample;
#[cfg(feature = "study")]
mod study;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Medical images and radiomics on files.
#[derive(Debug, Parser)]
#[command(name = "alnm", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::Info),
    Convert(convert::Convert),
    N4(n4::N4Command),
    Resample(resample::Resample),
    Register(Box<register::Register>),
    Extract(Box<extract::ExtractArgs>),
    DeepFeatures(deep::DeepFeatureTable),
    GradCam(deep::GradCam),
    Predict(predict::Predict),
    Calculator(predict::Calculator),
    #[cfg(feature = "study")]
    Study(Box<study::StudyCommand>),
    #[cfg(feature = "bundle")]
    Apply(Box<bundle::Apply>),
    #[cfg(feature = "bundle")]
    Validate(Box<bundle::Validate>),
    View(Box<view::View>),
    #[cfg(feature = "pacs")]
    Fetch(Box<pacs::Fetch>),
    #[cfg(feature = "pacs")]
    Store(Box<pacs::Store>),
}

/// How many threads a command uses.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Threads {
    /// Threads; all of the machine by default. The result does not depend on them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl Threads {
    /// Sets the size of the pool that all parallel work of this process shares.
    fn start(self) -> anyhow::Result<()> {
        let Some(threads) = self.threads else { return Ok(()) };
        Ok(rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?)
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse_from(extract::with_long_names(std::env::args_os())).command {
        Command::Extract(arguments) => return extract::run(&arguments),
        Command::Info(command) => command.run(),
        Command::Convert(command) => command.run(),
        Command::N4(command) => command.run(),
        Command::Resample(command) => command.run(),
        Command::Register(command) => command.run(),
        Command::DeepFeatures(command) => command.run(),
        Command::GradCam(command) => command.run(),
        Command::Predict(command) => command.run(),
        Command::Calculator(command) => command.run(),
        #[cfg(feature = "study")]
        Command::Study(command) => command.run(),
        #[cfg(feature = "bundle")]
        Command::Apply(command) => command.run(),
        #[cfg(feature = "bundle")]
        Command::Validate(command) => command.run(),
        Command::View(command) => command.run(),
        #[cfg(feature = "pacs")]
        Command::Fetch(command) => command.run(),
        #[cfg(feature = "pacs")]
        Command::Store(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", reasons(&error));
            exit_code_of(&error)
        }
    }
}

/// 1, or the code after Ctrl-C where an error says so.
#[cfg_attr(not(any(feature = "pacs", feature = "bundle")), allow(unused_variables))]
fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    #[cfg(feature = "bundle")]
    if error.is::<alnm_study::cohort::CohortProblems>() {
        return ExitCode::from(2);
    } else if error.is::<alnm_study::Interrupted>() {
        return ExitCode::from(130);
    }
    #[cfg(feature = "pacs")]
    if let Some(code) = pacs::exit_code_of(error) {
        return ExitCode::from(code);
    }
    ExitCode::FAILURE
}

/// An error with its causes, those left out that an earlier one already tells.
fn reasons(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}
