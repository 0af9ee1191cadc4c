//! The files of a folder.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use crate::error::{FileProblem, Result};

/// All files below a folder, those of each folder sorted by name.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), FileProblem> {
        const DEEPEST: usize = 16;
        let entry = |entry: std::io::Result<DirEntry>| {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            // What a link leads to has to be asked for.
            let is_folder = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
            Ok((path, is_folder))
        };
        let mut entries: Vec<(PathBuf, bool)> =
            std::fs::read_dir(folder)?.map(entry).collect::<std::io::Result<_>>()?;
        entries.sort();
        for (entry, is_folder) in entries {
            if !is_folder {
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
