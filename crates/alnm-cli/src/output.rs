//! What a command writes: files, and results on standard output.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use alnm_imaging::file::AtomicFile;
use alnm_imaging::written_files;
use anyhow::{Context, Result, bail, ensure};

use crate::exit::{wrong_use, wrong_value};
use crate::interrupt;
pub(crate) use crate::messages::warn;
pub(crate) use crate::progress::Activity;

/// What happens to files that are already there.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Overwriting {
    /// Replace files that are already there.
    #[arg(long)]
    force: bool,
}

impl Overwriting {
    /// Refuses, before any work is done, when a file of the output exists, or its folder holds files, and may not be
    /// replaced. Standard output, pipes and devices are no files.
    pub(crate) fn check<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        for path in outputs.into_iter().filter(|path| !self.force && !is_standard_stream(path)) {
            let is_taken = if path.is_dir() { path.read_dir()?.next().is_some() } else { path.is_file() };
            if is_taken {
                return Err(is_there(path));
            }
        }
        Ok(())
    }

    /// As [`Overwriting::check`], for files whose folders have to be there.
    pub(crate) fn check_files<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        for path in outputs {
            require_folder_of(path)?;
            require_no_folder(path)?;
            self.check([path])?;
        }
        Ok(())
    }

    /// As [`Overwriting::check`], for a folder that is made where it is not there.
    pub(crate) fn check_folder(self, path: &Path) -> Result<()> {
        require_folder(path)?;
        self.check([path])
    }

    /// Refuses image files that cannot be written in the end: of an unknown suffix, in a folder that is not there, with
    /// a file in common, or with one that exists and may not be replaced, that of the voxels next to a header included.
    pub(crate) fn check_images<'a>(self, outputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let mut all: Vec<PathBuf> = Vec::new();
        for path in outputs {
            for file in written_files(path).map_err(wrong_value)? {
                if all.contains(&file) {
                    return Err(wrong_use(format!("{} would be written twice; name another file", file.display())));
                }
                all.push(file);
            }
            require_folder_of(path)?;
            require_no_folder(path)?;
        }
        self.check(all.iter().map(PathBuf::as_path))
    }

    /// Writes a file that is there as a whole or not at all, or to standard output for `-`. Of two programs that make
    /// the same file at the same time, the second is refused.
    pub(crate) fn write_file(self, path: &Path, contents: &[u8]) -> Result<()> {
        if self.force || is_standard_stream(path) || (path.exists() && !path.is_file()) {
            return write_file(path, contents);
        }
        let _whole = interrupt::while_writing();
        let write = || -> io::Result<()> {
            let mut file = AtomicFile::create(path)?;
            file.write_all(contents)?;
            file.commit_new()
        };
        match write() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(is_there(path)),
            written => written.with_context(|| format!("cannot write {}", path.display())),
        }
    }
}

/// Refuses, before any work is done, a file in the place of a folder that is written, and a place where none can be
/// made.
pub(crate) fn require_folder(path: &Path) -> Result<()> {
    ensure!(
        path.is_dir() || std::fs::symlink_metadata(path).is_err(),
        "{} is a file; a folder is written, so name another one",
        path.display()
    );
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let standing = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
    ensure!(
        standing.is_dir(),
        "{} cannot be made: {} is a file; name another folder",
        path.display(),
        standing.display()
    );
    require_writable(standing, path)
}

/// Refuses, before any work is done, what would be written into a folder that takes no new file.
fn require_writable(folder: &Path, path: &Path) -> Result<()> {
    tempfile::tempfile_in(folder).map(drop).map_err(|error| {
        anyhow::anyhow!(
            "{} cannot be written: {} takes no new file ({error}); name a path where you may write",
            path.display(),
            folder.display()
        )
    })
}

/// Refuses, before any work is done, a folder in the place of a file that is written.
fn require_no_folder(path: &Path) -> Result<()> {
    ensure!(!path.is_dir(), "{} is a folder; a file is written, so name one", path.display());
    Ok(())
}

/// Refuses, before any work is done, a file whose folder is not there or takes no new file. Standard output, pipes and
/// devices are written as they are.
pub(crate) fn require_folder_of(path: &Path) -> Result<()> {
    if is_standard_stream(path) || (path.exists() && !path.is_file() && !path.is_dir()) {
        return Ok(());
    }
    // A link is written where it points to.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(
        folder.is_dir(),
        "{} cannot be written: the folder {} does not exist; make it first",
        path.display(),
        folder.display()
    );
    require_writable(folder, path)
}

/// Makes a folder for what is written into it. Where that fails, nothing stays of the folders that were made and are
/// empty.
pub(crate) fn in_folder<T>(folder: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let made: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let written = write();
    if written.is_err() {
        // A folder that holds something is not removed.
        made.iter().for_each(|path| drop(std::fs::remove_dir(path)));
    }
    written
}

/// The refusal of a file that exists.
pub(crate) fn is_there(path: &Path) -> anyhow::Error {
    anyhow::anyhow!("{} is already there; name another file, or replace it with --force", path.display())
}

/// Whether a path means standard output (or, of an input, standard input) by the name `-`; for outputs also by the name
/// that Unix gives it.
pub(crate) fn is_standard_stream(path: &Path) -> bool {
    matches!(path.to_str(), Some("-" | "/dev/stdout"))
}

/// Refuses `-` where a command writes no stream; `what` is written instead.
pub(crate) fn refuse_stream(path: &Path, what: &str) -> Result<()> {
    if is_standard_stream(path) {
        return Err(wrong_use(format!("standard output (-) takes no {what}; name a path")));
    }
    Ok(())
}

/// Writes a file that is there as a whole or not at all, in place of the one that is there; `-` is standard output.
pub(crate) fn write_file(path: &Path, contents: &[u8]) -> Result<()> {
    if is_standard_stream(path) {
        return print_bytes(contents);
    }
    let _whole = interrupt::while_writing();
    alnm_imaging::file::write_atomically(path, |file| file.write_all(contents))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Writes text to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes to standard output. A reader that has gone away, as `head` does, is no error.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => bail!("cannot write to standard output: {error}"),
        _ => Ok(()),
    }
}
