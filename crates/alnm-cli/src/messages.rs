//! What the command says on standard error: a line each, behind one prefix that says how grave it is.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use clap::ValueEnum;

use crate::{progress, way_out};

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warning,
    Info,
    Detail,
}

impl Level {
    /// The prefix with its colour, as terminals number colours.
    fn prefix(self) -> (&'static str, u8) {
        match self {
            Self::Error => ("error", 31),
            Self::Warning => ("warning", 33),
            Self::Info => ("info", 36),
            Self::Detail => ("detail", 90),
        }
    }
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Colours {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Colours {
    /// Whether what goes to standard error has colours.
    pub(crate) fn on_standard_error(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
                    && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
                    && std::io::stderr().is_terminal()
            }
        }
    }
}

/// The least grave level that is told.
static TOLD: AtomicU8 = AtomicU8::new(Level::Info as u8);
static COLOURED: AtomicBool = AtomicBool::new(false);

/// Sets for the whole run what is told, and whether in colours.
pub(crate) fn set(told: Level, colours: Colours) {
    TOLD.store(told as u8, Ordering::Relaxed);
    COLOURED.store(colours.on_standard_error(), Ordering::Relaxed);
}

/// Whether messages of a level are told.
pub(crate) fn is_told(level: Level) -> bool {
    level as u8 <= TOLD.load(Ordering::Relaxed)
}

/// Why the command, or a case of it, failed.
pub(crate) fn error(text: impl Display) {
    tell(Level::Error, text);
}

/// What was odd, and what was done all the same.
pub(crate) fn warn(text: impl Display) {
    tell(Level::Warning, text);
}

/// What was done.
pub(crate) fn inform(text: impl Display) {
    tell(Level::Info, text);
}

/// What only --verbose tells.
pub(crate) fn detail(text: impl Display) {
    tell(Level::Detail, text);
}

fn tell(level: Level, text: impl Display) {
    if is_told(level) {
        write_line(level, text);
    }
}

/// Writes a message whatever is told otherwise. A terminal that cannot be written to must not end the work.
pub(crate) fn write_line(level: Level, text: impl Display) {
    let (name, colour) = level.prefix();
    let line = if COLOURED.load(Ordering::Relaxed) {
        format!("\x1b[1;{colour}m{name}:\x1b[0m {text}\n")
    } else {
        format!("{name}: {text}\n")
    };
    progress::above_bar(|| {
        let _ = std::io::stderr().write_all(line.as_bytes());
    });
}

/// An error with its causes, those left out that an earlier one already tells. What a cause is of is not said again
/// where the words before it end with it: a file, a patient. The option that leads out of it stands at the end.
pub(crate) fn reasons(error: &anyhow::Error) -> String {
    let told = error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {}", without_repetition(&told, &cause)),
    });
    way_out::of(error).map_or(told.clone(), |options| format!("{told} ({options})"))
}

/// A cause without what it begins with and the words before it end with.
fn without_repetition<'a>(told: &str, cause: &'a str) -> &'a str {
    let ends_with = |begin: &str| told.strip_suffix(begin).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '));
    let begins = cause.match_indices(": ").map(|(place, _)| place);
    let repeated = begins.filter(|&place| ends_with(&cause[..place])).last();
    repeated.map_or(cause, |place| &cause[place + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_once_is_not_said_again() {
        let told = |causes: &[&str]| {
            let [first, rest @ ..] = causes else { panic!("an error has a cause") };
            reasons(&rest.iter().fold(anyhow::anyhow!("{first}"), |error, words| error.context((*words).to_owned())))
        };
        assert_eq!(told(&["no such file", "m.nii: no such file", "mask m.nii"]), "mask m.nii: no such file");
        assert_eq!(told(&["a: b is 1", "patient a: b", "patient a"]), "patient a: b: a: b is 1");
        assert_eq!(told(&["is 1", "cannot read m.nii"]), "cannot read m.nii: is 1");
        assert_eq!(told(&["m.nii: is 1", "cannot read am.nii"]), "cannot read am.nii: m.nii: is 1");
    }
}
