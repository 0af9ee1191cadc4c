//! The command as its users run it.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::Path;
use std::process::{Command, Output};

/// What a command said.
pub(crate) struct Said {
    /// On standard output.
    pub(crate) results: String,
    /// On standard error.
    pub(crate) messages: String,
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alnm")).current_dir(folder).args(arguments).output().unwrap()
}

/// Runs a command, none of whose arguments holds a blank, to its end.
pub(crate) fn alnm(folder: &Path, arguments: &str) -> Output {
    run(folder, &words(arguments))
}

fn words(arguments: &str) -> Vec<&str> {
    arguments.split_whitespace().collect()
}

/// Runs a command that ends with an exit code.
pub(crate) fn ends_with(code: i32, folder: &Path, arguments: &[&str]) -> Said {
    let output = run(folder, arguments);
    let [results, messages] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {messages}");
    Said { results, messages }
}

/// Runs a command that succeeds.
pub(crate) fn succeeds(folder: &Path, arguments: &str) -> Said {
    ends_with(0, folder, &words(arguments))
}

/// Runs a command that fails with an exit code and a message that holds some words.
pub(crate) fn fails(folder: &Path, arguments: &str, code: i32, words_of_message: &str) {
    let messages = ends_with(code, folder, &words(arguments)).messages;
    assert!(messages.contains(words_of_message), "{arguments}: {messages}");
}
