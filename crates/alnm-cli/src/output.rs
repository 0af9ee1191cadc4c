//! Files that a command writes.

use std::path::Path;

use anyhow::ensure;

/// What happens to files that are already there.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Overwriting {
    /// Replace files that are already there.
    #[arg(long)]
    force: bool,
}

impl Overwriting {
    /// Refuses, before any work is done, when a file of the output exists, or its folder holds files, and may not be replaced.
    pub(crate) fn check<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
        for path in outputs.into_iter().filter(|_| !self.force) {
            let is_taken = if path.is_dir() { path.read_dir()?.next().is_some() } else { path.exists() };
            ensure!(!is_taken, "{} is already there; name another file, or replace it with --force", path.display());
        }
        Ok(())
    }
}
