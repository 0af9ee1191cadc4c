//! The command as its users run it.

use std::path::Path;
use std::process::Command;

/// What a command said.
pub(crate) struct Said {
    /// On standard output.
    #[allow(dead_code, reason = "some tests look at messages alone")]
    pub(crate) results: String,
    /// On standard error.
    #[allow(dead_code, reason = "some tests look at files alone")]
    pub(crate) messages: String,
}

/// Runs a command that ends with an exit code.
fn ends_with(code: i32, folder: &Path, arguments: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
    let output = command.current_dir(folder).args(arguments.split_whitespace()).output().unwrap();
    let [results, messages] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{arguments}: {messages}");
    Said { results, messages }
}

/// Runs a command that succeeds.
pub(crate) fn succeeds(folder: &Path, arguments: &str) -> Said {
    ends_with(0, folder, arguments)
}

/// Runs a command that fails with an exit code and a message that holds some words.
pub(crate) fn fails(folder: &Path, arguments: &str, code: i32, words: &str) {
    let messages = ends_with(code, folder, arguments).messages;
    assert!(messages.contains(words), "{arguments}: {messages}");
}
