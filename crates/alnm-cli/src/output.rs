//! What a command writes: files, and text on standard output.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use alnm_imaging::file::write_atomically;
use alnm_imaging::written_files;
use anyhow::{Context, ensure};

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

/// What a command is doing, as one line of the terminal that is written over and removed in the end; nothing where
/// standard error is no terminal.
pub(crate) struct Activity(Option<Terminal>);

/// The line, and the thread that draws it.
struct Terminal {
    line: Arc<Line>,
    drawing: Option<JoinHandle<()>>,
}

struct Line {
    step: Mutex<String>,
    start: Instant,
    is_finished: AtomicBool,
}

impl Line {
    const TICK: Duration = Duration::from_millis(100);
    const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
    /// Back to the start of the line, which is cleared.
    const CLEAR: &'static str = "\r\x1b[2K";

    fn draw(&self) {
        for turn in Self::SPINNER.iter().cycle() {
            if self.is_finished.load(Ordering::Acquire) {
                break;
            }
            let step = self.step.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let seconds = self.start.elapsed().as_secs();
            // What does not fit the terminal is cut off: a second line would stay when the first is written over. A
            // terminal that cannot be written to must not end a command.
            let _ = write!(io::stderr(), "{}\x1b[?7l{turn} {step} [{seconds}s]\x1b[?7h", Self::CLEAR);
            std::thread::park_timeout(Self::TICK);
        }
        let _ = write!(io::stderr(), "{}", Self::CLEAR);
    }
}

impl Activity {
    /// Begins with a first step.
    pub(crate) fn start(step: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let line = Arc::new(Line {
            step: Mutex::new(step.to_owned()),
            start: Instant::now(),
            is_finished: AtomicBool::new(false),
        });
        let drawn = Arc::clone(&line);
        Self(Some(Terminal { line, drawing: Some(std::thread::spawn(move || drawn.draw())) }))
    }

    /// Goes on to the next step.
    pub(crate) fn next(&self, step: &str) {
        if let Some(Terminal { line, .. }) = &self.0 {
            step.clone_into(&mut line.step.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Ends, and leaves no trace on the terminal; so does dropping it.
    pub(crate) fn finish(self) {}
}

impl Drop for Activity {
    fn drop(&mut self) {
        let Some(Terminal { line, drawing }) = &mut self.0 else { return };
        line.is_finished.store(true, Ordering::Release);
        if let Some(drawing) = drawing.take() {
            drawing.thread().unpark();
            let _ = drawing.join();
        }
    }
}
