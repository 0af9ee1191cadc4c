//! The options by which a command gets past what a library refuses: its words are for those who program, and name none.

use std::sync::OnceLock;

use alnm_imaging::dicom::SeriesProblem;
use alnm_imaging::mask::MaskProblem;
use alnm_imaging::{FileProblem, ImagingError};

/// The long names of the options of the command that runs.
static OPTIONS: OnceLock<Vec<String>> = OnceLock::new();

/// Sets for the whole run which command it is.
pub(crate) fn set_command(whole: &clap::Command, matches: &clap::ArgMatches) {
    let (mut command, mut matches) = (whole, matches);
    while let Some((name, of_command)) = matches.subcommand()
        && let Some(found) = command.find_subcommand(name)
    {
        (command, matches) = (found, of_command);
    }
    let names = command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned);
    // A second command in one run is none that a user gave.
    let _ = OPTIONS.set(names.collect());
}

/// The options of the running command that lead out of an error, as they are typed; none where there are none.
pub(crate) fn of(error: &anyhow::Error) -> Option<String> {
    let refused = error.chain().find_map(|cause| cause.downcast_ref::<ImagingError>())?;
    let ImagingError::File { problem, .. } = refused else { return None };
    let available = OPTIONS.get()?;
    let fitting = leading_out_of(problem).iter().filter(|name| available.iter().any(|known| known == *name));
    let typed: Vec<String> = fitting.map(|name| format!("--{name}")).collect();
    (!typed.is_empty()).then(|| typed.join(" or "))
}

/// The options that lead out of what is wrong with a file.
fn leading_out_of(problem: &FileProblem) -> &'static [&'static str] {
    match problem {
        FileProblem::Several { .. } => &["volume"],
        FileProblem::Series(problem) => match **problem {
            SeriesProblem::SeveralSeries { .. } => &["series"],
            SeriesProblem::SeveralPhases { .. } => &["phase"],
            SeriesProblem::SeveralVolumes { .. } => &["volume"],
            SeriesProblem::Indistinct { .. } | SeriesProblem::NotToldApart { .. } => &["phases-by"],
            _ => &[],
        },
        FileProblem::Mask(problem) => match **problem {
            MaskProblem::GridNeeded => &["like", "image"],
            MaskProblem::Ambiguous { .. } => &["roi-number"],
            MaskProblem::Overlap { .. } => &["roi", "roi-number", "all-regions"],
            _ => &[],
        },
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a command, or one below it, has an option.
    fn has(command: &clap::Command, name: &str) -> bool {
        command.get_arguments().any(|given| given.get_long() == Some(name))
            || command.get_subcommands().any(|below| has(below, name))
    }

    #[test]
    fn options_that_lead_out_exist() {
        let whole = crate::command_line();
        let known = |name: &str| has(&whole, name);
        let problems = [
            FileProblem::Several { count: 2, parts: "volumes" },
            SeriesProblem::SeveralPhases { phases: 2 }.into(),
            SeriesProblem::SeveralSeries { series: Vec::new() }.into(),
            MaskProblem::GridNeeded.into(),
            MaskProblem::Overlap { first: String::new(), second: String::new() }.into(),
        ];
        for problem in problems {
            let options = leading_out_of(&problem);
            assert!(!options.is_empty() && options.iter().all(|name| known(name)), "{problem}: {options:?}");
        }
        assert!(leading_out_of(&FileProblem::UnknownSuffix).is_empty());
    }
}
