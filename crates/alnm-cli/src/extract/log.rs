//! Messages on the terminal and in the log file.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::messages;

/// How severe a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Level {
    Notset,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// Where messages go.
pub(super) struct Log {
    terminal: Level,
    file: Option<(Mutex<File>, Level)>,
}

impl Log {
    /// Messages go to the terminal from PyRadiomics' `verbosity` on, which --quiet and --verbose limit, and to a file
    /// from `level` on.
    pub(super) fn new(verbosity: u8, file: Option<&Path>, level: Level) -> Result<Self> {
        let terminal = match verbosity {
            1 => Level::Critical,
            2 => Level::Error,
            3 => Level::Warning,
            4 => Level::Info,
            _ => Level::Debug,
        };
        let terminal = match () {
            () if !messages::is_told(messages::Level::Warning) => terminal.max(Level::Error),
            () if messages::is_told(messages::Level::Detail) => terminal.min(Level::Info),
            () => terminal,
        };
        let open = |path: &Path| {
            check_is_text(path)?;
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .with_context(|| format!("cannot open the log file {}", path.display()))
        };
        Ok(Self { terminal, file: file.map(open).transpose()?.map(|file| (Mutex::new(file), level)) })
    }

    pub(super) fn error(&self, message: impl Display) {
        self.message(Level::Error, messages::Level::Error, &message);
    }

    pub(super) fn warning(&self, message: impl Display) {
        self.message(Level::Warning, messages::Level::Warning, &message);
    }

    pub(super) fn info(&self, message: impl Display) {
        self.message(Level::Info, messages::Level::Info, &message);
    }

    /// An error that the terminal learns of at the end.
    pub(super) fn keep_error(&self, message: &str) {
        if !message.is_empty() {
            self.keep(Level::Error, "error", &message);
        }
    }

    fn message(&self, level: Level, told: messages::Level, message: &dyn Display) {
        if level >= self.terminal {
            messages::write_line(told, message);
        }
        let name = match told {
            messages::Level::Error => "error",
            messages::Level::Warning => "warning",
            _ => "info",
        };
        self.keep(level, name, message);
    }

    /// Adds a line to the log file. One that cannot be written to must not end an extraction.
    fn keep(&self, level: Level, name: &str, message: &dyn Display) {
        if let Some((file, least)) = &self.file
            && level >= *least
        {
            let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{name}: {message}");
        }
    }
}

/// How much of a file is looked at to see whether it is text.
const LOOKED_AT: u64 = 1 << 16;

/// Refuses a file that lines of a log would destroy: what is there is no text that ends with a line.
fn check_is_text(path: &Path) -> Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let read = || -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut file = File::open(path)?;
        let (mut start, mut last) = (Vec::new(), Vec::new());
        (&file).take(LOOKED_AT).read_to_end(&mut start)?;
        file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(1)))?;
        file.read_to_end(&mut last)?;
        Ok((start, last))
    };
    let (start, last) = read().with_context(|| format!("cannot read the log file {}", path.display()))?;
    let is_text = match std::str::from_utf8(&start) {
        Ok(text) => !text.contains('\0'),
        // A character may reach beyond what was looked at.
        Err(error) => error.error_len().is_none() && !start.contains(&0),
    };
    // Images in formats with a header of text may have voxels in text as well.
    let is_image = [b"NRRD".as_slice(), b"ObjectType", b"NDims"].iter().any(|mark| start.starts_with(mark));
    ensure!(
        is_text && !is_image && (last.is_empty() || last == b"\n"),
        "{} is no log, to which lines could be added; name another file for --log-file",
        path.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_to_text_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert!(check_is_text(&path).is_ok());
        for (content, is_log) in [
            (&b""[..], true),
            (b"warning: case 1\n", true),
            ("m\u{fc}de\n".as_bytes(), true),
            (b"no end of a line", false),
            (b"NRRD0004\n1 2 3\n", false),
            (b"\x1f\x8b\x08\n", false),
            (b"a\0b\n", false),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(check_is_text(&path).is_ok(), is_log, "{content:?}");
        }
    }
}
