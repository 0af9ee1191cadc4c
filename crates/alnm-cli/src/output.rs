//! Files that a command writes.

use std::path::Path;

use anyhow::bail;

/// What happens to files that are already there.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Overwriting {
    /// Replace files that are already there.
    #[arg(long)]
    force: bool,
}

impl Overwriting {
    /// Refuses, before any work is done, when a file of the output exists and may not be replaced.
    pub(crate) fn check<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
        match outputs.into_iter().find(|path| !self.force && path.exists()) {
            Some(path) => bail!("{} is already there; name another file, or replace it with --force", path.display()),
            None => Ok(()),
        }
    }
}
