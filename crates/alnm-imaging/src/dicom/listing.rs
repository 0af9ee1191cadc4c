//! The files of a folder.

use std::ffi::OsString;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use crate::error::{FileProblem, Result};

/// All files below a folder, those of each folder sorted by name.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), FileProblem> {
        const DEEPEST: usize = 16;
        let entry = |entry: std::io::Result<DirEntry>| {
            let entry = entry?;
            let kind = entry.file_type()?;
            // What a link leads to has to be asked for.
            let is_folder = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
            Ok((entry.file_name(), is_folder))
        };
        let mut entries: Vec<(OsString, bool)> =
            std::fs::read_dir(folder)?.map(entry).collect::<std::io::Result<_>>()?;
        entries.sort();
        for (name, is_folder) in entries {
            let path = folder.join(name);
            if !is_folder {
                files.push(path);
            } else if depth < DEEPEST {
                collect(&path, files, depth + 1)?;
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    collect(folder, &mut files, 0).map_err(|problem| problem.at(folder))?;
    Ok(files)
}
