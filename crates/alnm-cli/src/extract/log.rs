//! Messages on the terminal and in the log file.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
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
