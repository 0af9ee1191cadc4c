//! The files of a folder.

use std::path::{Path, PathBuf};

use crate::error::{FileProblem, Result};

/// All files below a folder, those of each folder sorted by name.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), FileProblem> {
        const DEEPEST: usize = 16;
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            if !entry.is_dir() {
                files.push(entry);
            } else if depth < DEEPEST {
                collect(&entry, files, depth + 1)?;
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    collect(folder, &mut files, 0).map_err(|problem| problem.at(folder))?;
    Ok(files)
}
