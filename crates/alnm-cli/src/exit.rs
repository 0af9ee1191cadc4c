//! How the command ends: one table of exit codes for all commands, their help and the documents.

use std::fmt;
use std::process::ExitCode;

use crate::interrupt;
use crate::messages::reasons;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Failed,
    WrongUse,
    PartlyDone,
    Interrupted,
    Terminated,
}

/// All endings with the words for them: short ones for the help of each command, longer ones for `alnm help
/// exit-codes`.
const TABLE: [(Ending, &str, &str); 6] = [
    (Ending::Done, "done", "All that was asked for is done, also where warnings were given."),
    (
        Ending::Failed,
        "failed",
        "A file cannot be read or written, or is there already, or what it holds makes no sense: nothing of use came \
         out. A batch of which every case failed counts too.",
    ),
    (
        Ending::WrongUse,
        "wrong command line",
        "An option, a value or a setting is mistyped, missing or contradicts another; no file was touched.",
    ),
    (
        Ending::PartlyDone,
        "done in part",
        "Some cases of a batch, or some regions of a case, failed. The others are done and written; messages name those \
         that failed. With --keep-going it is 0, as with PyRadiomics.",
    ),
    (
        Ending::Interrupted,
        "interrupted",
        "Ctrl-C. A message says what is kept. Files that were being written are there as a whole or not at all.",
    ),
    (Ending::Terminated, "terminated", "SIGTERM, as `timeout` and batch systems send it; otherwise as after Ctrl-C."),
];

impl Ending {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::WrongUse => 2,
            Self::PartlyDone => 4,
            // 128 and the number of the signal, as shells have it.
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}

/// The line that the help of each command ends with.
pub(crate) fn help_line() -> String {
    let codes: Vec<String> = TABLE.iter().map(|(ending, short, _)| format!("{} {short}", ending.code())).collect();
    format!("Exit codes: {} (alnm help exit-codes)", codes.join(", "))
}

/// The table as `alnm help exit-codes` prints it; docs/command.md has it too.
pub(crate) fn help_table() -> String {
    let rows = TABLE.iter().map(|(ending, short, long)| format!("| {} | {short} | {long} |\n", ending.code()));
    "| code | ending | meaning |\n|---|---|---|\n".to_owned() + &rows.collect::<String>()
}

/// An error that says how the command ends; any other error means that it failed.
#[derive(Debug)]
struct EndingError {
    ending: Ending,
    message: String,
}

impl fmt::Display for EndingError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.message)
    }
}

impl std::error::Error for EndingError {}

/// The command line asks for something that makes no sense.
pub(crate) fn wrong_use(message: impl Into<String>) -> anyhow::Error {
    EndingError { ending: Ending::WrongUse, message: message.into() }.into()
}

/// Refuses a command line for which a condition does not hold.
pub(crate) fn require(condition: bool, otherwise: &str) -> anyhow::Result<()> {
    if condition { Ok(()) } else { Err(wrong_use(otherwise)) }
}

/// What the command line asks for was refused where parameters are checked.
pub(crate) fn wrong_value(refusal: impl Into<anyhow::Error>) -> anyhow::Error {
    wrong_use(reasons(&refusal.into()))
}

/// Some cases of a batch failed, and messages named them.
pub(crate) fn partly_done(message: impl Into<String>) -> anyhow::Error {
    EndingError { ending: Ending::PartlyDone, message: message.into() }.into()
}

/// Ctrl-C or SIGTERM stopped the work; `kept` says what is kept.
pub(crate) fn interrupted(kept: &str) -> anyhow::Error {
    EndingError { ending: Ending::Interrupted, message: format!("{}; {kept}", interrupt::how()) }.into()
}

/// The command ends like this, and messages have said why.
pub(crate) fn as_told(ending: Ending) -> anyhow::Error {
    EndingError { ending, message: String::new() }.into()
}

/// What a batch ends with, of which so many cases of `all` failed and were named by messages. `what` are the cases:
/// "cases", "patients".
pub(crate) fn of_batch(failed: usize, all: usize, what: &str) -> anyhow::Result<()> {
    match failed {
        0 => Ok(()),
        _ if all == 1 => Err(as_told(Ending::Failed)),
        _ if failed == all => anyhow::bail!("all {all} {what} failed"),
        _ => Err(partly_done(format!("{failed} of {all} {what} failed"))),
    }
}

/// How the command ends that fails with this error.
pub(crate) fn ending_of(error: &anyhow::Error) -> Ending {
    match ending_in(error) {
        Ending::Interrupted if interrupt::is_terminated() => Ending::Terminated,
        ending => ending,
    }
}

/// The ending that an error tells.
fn ending_in(error: &anyhow::Error) -> Ending {
    if let Some(error) = error.chain().find_map(|cause| cause.downcast_ref::<EndingError>()) {
        return error.ending;
    }
    #[cfg(feature = "bundle")]
    if error.is::<alnm_study::Interrupted>() {
        return Ending::Interrupted;
    }
    #[cfg(feature = "pacs")]
    if matches!(error.downcast_ref(), Some(alnm_pacs::PacsError::Cancelled)) {
        return Ending::Interrupted;
    }
    Ending::Failed
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_keeps_its_ending_under_what_is_said_of_it() {
        let error = Err::<(), _>(wrong_use("--window takes two numbers")).context("cannot draw").unwrap_err();
        assert_eq!(ending_of(&error), Ending::WrongUse);
        let error = wrong_value(anyhow::anyhow!("bins is 0").context("n4"));
        assert_eq!((ending_of(&error), error.to_string()), (Ending::WrongUse, "n4: bins is 0".to_owned()));
        assert_eq!(ending_of(&anyhow::anyhow!("no such file")), Ending::Failed);
    }

    #[test]
    fn a_batch_ends_by_how_many_failed() {
        assert!(of_batch(0, 3, "cases").is_ok());
        assert_eq!(ending_of(&of_batch(1, 3, "cases").unwrap_err()), Ending::PartlyDone);
        assert_eq!(ending_of(&of_batch(3, 3, "cases").unwrap_err()), Ending::Failed);
    }
}
