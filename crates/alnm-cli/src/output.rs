//! What a command writes: files, and text on standard output.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use alnm_imaging::file::write_atomically;
use alnm_imaging::written_files;
use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};

/// What happens to files that are already there.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Overwriting {
    /// Replace files that are already there.
    #[arg(long)]
    force: bool,
}

impl Overwriting {
    /// Refuses, before any work is done, when a file of the output exists, or its folder holds files, and may not be
    /// replaced.
    pub(crate) fn check<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
        for path in outputs.into_iter().filter(|_| !self.force) {
            let is_taken = if path.is_dir() { path.read_dir()?.next().is_some() } else { path.exists() };
            ensure!(!is_taken, "{} is already there; name another file, or replace it with --force", path.display());
        }
        Ok(())
    }

    /// Refuses image files that cannot be written in the end: of an unknown suffix, in a folder that is not there, with
    /// a file in common, or with one that exists and may not be replaced, that of the voxels next to a header included.
    pub(crate) fn check_images<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
        let mut all: Vec<PathBuf> = Vec::new();
        for path in outputs {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            ensure!(
                folder.is_dir(),
                "{} cannot be written: the folder {} does not exist; make it first",
                path.display(),
                folder.display()
            );
            for file in written_files(path)? {
                ensure!(!all.contains(&file), "{} would be written twice; name another file", file.display());
                all.push(file);
            }
        }
        self.check(all.iter().map(PathBuf::as_path))
    }
}

/// Writes a file that is there as a whole or not at all.
pub(crate) fn write_file(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    write_atomically(path, |file| file.write_all(contents)).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes text to standard output. A reader that has gone away, as `head` does, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says on standard error what was odd, and what was done all the same.
#[allow(clippy::print_stderr, reason = "the command says what was odd")]
pub(crate) fn warn(text: &str) {
    eprintln!("warning: {text}");
}

/// What a command is doing, on the terminal; nothing where standard error is none.
pub(crate) struct Activity(ProgressBar);

impl Activity {
    const TICK: std::time::Duration = std::time::Duration::from_millis(100);

    /// Begins with a first step.
    pub(crate) fn start(step: &str) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]")
            .expect("the template is a constant that indicatif accepts");
        let bar = ProgressBar::new_spinner().with_style(style).with_message(step.to_owned());
        bar.enable_steady_tick(Self::TICK);
        Self(bar)
    }

    /// Goes on to the next step.
    pub(crate) fn next(&self, step: &str) {
        self.0.set_message(step.to_owned());
    }

    /// Ends, and leaves no trace on the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
