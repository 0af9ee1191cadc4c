//! The command `alnm`: medical images and radiomics on files.
//!
//! Results go to standard output or to a file, everything else to standard error (`messages`); exit codes stand in
//! `exit`, options that several commands share in `options`.

mod agreement;
mod appending;
#[cfg(feature = "bundle")]
mod bundle;
mod cases;
mod convert;
mod deep;
mod defaults;
mod dicom_object;
mod dynamic;
mod exit;
mod extract;
mod fine_tune;
mod info;
mod input;
mod interrupt;
mod kinetics;
mod messages;
mod n4;
mod options;
mod output;
#[cfg(feature = "pacs")]
mod pacs;
mod predict;
mod progress;
mod regions;
mod register;
mod resample;
mod saved;
mod segment;
mod separators;
#[cfg(feature = "shell")]
mod shell;
mod standardise;
#[cfg(feature = "study")]
mod study;
mod topics;
mod version;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use defaults::Defaults;
use exit::Ending;
use messages::{Colours, Level, reasons};
pub(crate) use options::Threads;

/// Medical images and radiomics on files.
#[derive(Debug, Parser)]
#[command(name = "alnm", version, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    everywhere: options::Everywhere,
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
    Kinetics(Box<kinetics::Kinetics>),
    Regions(Box<regions::Regions>),
    Standardise(Box<standardise::Standardise>),
    Segment(Box<segment::SegmentCommand>),
    Agreement(Box<agreement::AgreementCommand>),
    Extract(Box<extract::ExtractArgs>),
    DeepFeatures(deep::DeepFeatureTable),
    GradCam(deep::GradCam),
    FineTune(Box<fine_tune::FineTune>),
    DeepPredict(Box<fine_tune::DeepPredict>),
    Predict(predict::Predict),
    Calculator(predict::Calculator),
    #[cfg(feature = "study")]
    Study(Box<study::StudyCommand>),
    #[cfg(feature = "bundle")]
    Apply(Box<bundle::Apply>),
    #[cfg(feature = "bundle")]
    Validate(Box<bundle::Validate>),
    View(Box<view::View>),
    #[cfg(feature = "shell")]
    Completions(shell::Completions),
    #[cfg(feature = "shell")]
    Man(shell::Man),
    #[cfg(feature = "pacs")]
    Fetch(Box<pacs::Fetch>),
    #[cfg(feature = "pacs")]
    Store(Box<pacs::Store>),
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Extract(arguments) => extract::run(&arguments),
            Self::Info(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::N4(command) => command.run(),
            Self::Resample(command) => command.run(),
            Self::Register(command) => command.run(),
            Self::Kinetics(command) => command.run(),
            Self::Regions(command) => command.run(),
            Self::Standardise(command) => command.run(),
            Self::Segment(command) => command.run(),
            Self::Agreement(command) => command.run(),
            Self::DeepFeatures(command) => command.run(),
            Self::GradCam(command) => command.run(),
            Self::FineTune(command) => command.run(),
            Self::DeepPredict(command) => command.run(),
            Self::Predict(command) => command.run(),
            Self::Calculator(command) => command.run(),
            #[cfg(feature = "study")]
            Self::Study(command) => command.run(),
            #[cfg(feature = "bundle")]
            Self::Apply(command) => command.run(),
            #[cfg(feature = "bundle")]
            Self::Validate(command) => command.run(),
            Self::View(command) => command.run(),
            #[cfg(feature = "shell")]
            Self::Completions(command) => command.run(),
            #[cfg(feature = "shell")]
            Self::Man(command) => command.run(),
            #[cfg(feature = "pacs")]
            Self::Fetch(command) => command.run(),
            #[cfg(feature = "pacs")]
            Self::Store(command) => command.run(),
        }
    }
}

fn main() -> ExitCode {
    let given: Vec<OsString> = extract::with_long_names(std::env::args_os()).collect();
    interrupt::install();
    match run(&given) {
        Ok(ending) => ending.into(),
        Err(error) => {
            progress::clear();
            let told = reasons(&error);
            if !told.is_empty() {
                messages::error(told);
            }
            exit::ending_of(&error).into()
        }
    }
}

fn run(given: &[OsString]) -> anyhow::Result<Ending> {
    let words: Vec<&str> = given.iter().skip(1).filter_map(|word| word.to_str()).collect();
    if let ["help", name] = *words
        && let Some(text) = topics::topic(name)
    {
        output::print(&text)?;
        return Ok(Ending::Done);
    }
    // Help is given whatever the configuration file holds.
    let defaults = Defaults::read();
    let of_file = defaults.as_ref().ok().and_then(|defaults| defaults.color);
    let parsed = command_line().try_get_matches_from(given).and_then(|matches| Arguments::from_arg_matches(&matches));
    let Arguments { everywhere, command } = match parsed {
        Ok(arguments) => arguments,
        Err(told) if told.kind() == ErrorKind::DisplayVersion && words.contains(&"--verbose") => {
            output::print(&version::in_full())?;
            return Ok(Ending::Done);
        }
        Err(told) => return answer(&told, colours_before_parsing(given).or(of_file).unwrap_or_default()),
    };
    everywhere.apply(defaults?);
    let start = Instant::now();
    command.run()?;
    messages::detail(format_args!("done in {:.3} s", start.elapsed().as_secs_f64()));
    Ok(Ending::Done)
}

/// The command line, the help of each command with the exit codes.
fn command_line() -> clap::Command {
    let mut command = Arguments::command().after_help(format!(
        "More: alnm help {}\n\n{}",
        topics::NAMES.replace(", ", " | "),
        exit::help_line()
    ));
    for each in command.get_subcommands_mut() {
        let own = each.get_after_help().map_or_else(String::new, |help| format!("{help}\n\n"));
        *each = std::mem::take(each).after_help(own + &exit::help_line());
    }
    without_empty_variables(command)
}

/// The command with those beneath it, whose options look at no environment variable that is empty: that counts as unset.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|argument| if is_empty(&argument) { argument.env(Resettable::Reset) } else { argument })
        .mut_subcommands(without_empty_variables)
}

/// What --color says, before the command line is read: its faults are told in colours too.
fn colours_before_parsing(given: &[OsString]) -> Option<Colours> {
    let words: Vec<&str> = given.iter().filter_map(|word| word.to_str()).collect();
    let attached = words.iter().find_map(|word| word.strip_prefix("--color="));
    let apart = words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let named = attached.or(apart).map(str::to_owned).or_else(|| std::env::var("ALNM_COLOR").ok())?;
    clap::ValueEnum::from_str(&named, false).ok()
}

/// The command that was asked for, and the feature that would bring it to this program.
fn left_out(told: &clap::Error) -> Option<(&str, &'static str)> {
    match told.get(ContextKind::InvalidSubcommand)? {
        ContextValue::String(name) => Some((name, version::feature_left_out(name)?)),
        _ => None,
    }
}

/// Help and version, which go to standard output, or a fault of the command line.
fn answer(told: &clap::Error, colours: Colours) -> anyhow::Result<Ending> {
    if let Some((name, feature)) = left_out(told) {
        return Err(exit::wrong_use(format!(
            "this program was built without the command {name}; `cargo install alnm-cli --features {feature}` builds one \
             that has it"
        )));
    }
    match told.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            if let Err(error) = told.print()
                && error.kind() != std::io::ErrorKind::BrokenPipe
            {
                anyhow::bail!("cannot write to standard output: {error}");
            }
            Ok(Ending::Done)
        }
        _ => {
            let text = told.render().to_string();
            match text.strip_prefix("error: ") {
                Some(fault) => {
                    messages::set(Level::Error, colours);
                    messages::write_line(Level::Error, fault.trim_end());
                }
                // Help instead of a command; a terminal that cannot be written to leaves the exit code.
                None => drop(told.print()),
            }
            Ok(Ending::WrongUse)
        }
    }
}
