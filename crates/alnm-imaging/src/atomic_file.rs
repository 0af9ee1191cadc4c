//! Files that appear under their name only when they are complete.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempPath;

/// What the names of files that are not finished begin with; the rest is drawn by chance.
const PREFIX: &str = ".unfinished-";

/// A file that appears under its name when it is complete, and not before.
///
/// What is written goes to a hidden file in the same folder. [`AtomicFile::commit`] brings it to the disk and gives it
/// its name, in place of the file that had it; a file dropped without that is removed. So whoever reads the name finds
/// the old content or the new one, also after the program was killed, the disk was full, or the power went off.
///
/// The file has the permissions of the file that it replaces, or those that a new file gets (0666 less the umask).
/// A symbolic link stays, and the file that it leads to is replaced. What is no regular file (a pipe, a terminal) is
/// written as it comes.
///
/// Writing is buffered.
///
/// ```
/// use alnm_imaging::file::AtomicFile;
/// use std::io::Write;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("table.csv");
/// let mut file = AtomicFile::create(&path)?;
/// writeln!(file, "patient,feature")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "patient,feature\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    /// A file with another name until it is complete. It is written to without its name, so that an error does not tell
    /// that name, which nobody chose.
    Hidden(BufWriter<File>, TempPath),
    /// What cannot be replaced.
    Direct(BufWriter<File>),
}

impl AtomicFile {
    /// A file that will have this name.
    ///
    /// # Errors
    /// When the folder is missing or cannot be written to.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let existing = std::fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self { target: path.to_owned(), sink: Sink::Direct(BufWriter::new(file)) });
        }
        // A link that leads nowhere is replaced itself.
        let target = if existing.is_some() && path.is_symlink() { path.canonicalize()? } else { path.to_owned() };
        // Opened here and not by tempfile, whose errors tell the hidden name.
        let open_new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let hidden = tempfile::Builder::new().prefix(PREFIX).make_in(folder_of(&target), open_new)?;
        let (file, name) = hidden.into_parts();
        if let Some(existing) = existing {
            file.set_permissions(existing.permissions())?;
        }
        Ok(Self { target, sink: Sink::Hidden(BufWriter::new(file), name) })
    }

    /// Brings what was written to the disk and gives the file its name.
    ///
    /// # Errors
    /// When the disk is full or the file cannot be renamed; then the name still holds what it held.
    pub fn commit(self) -> io::Result<()> {
        let folder = folder_of(&self.target).to_owned();
        self.commit_without_folder()?;
        sync_folder(&folder)
    }

    /// [`AtomicFile::commit`] for a name that no file has yet. Of several programs that do so at the same time one
    /// makes the file, and the others learn that it is there.
    ///
    /// # Errors
    /// As [`AtomicFile::commit`], and [`io::ErrorKind::AlreadyExists`] when a file has the name.
    pub fn commit_new(self) -> io::Result<()> {
        match self.sink {
            Sink::Hidden(file, name) => {
                sync(file)?;
                name.persist_noclobber(&self.target)?;
                sync_folder(folder_of(&self.target))
            }
            Sink::Direct(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    /// [`AtomicFile::commit`] but for the entry in the folder, for which [`sync_folder`] waits: once for many files.
    pub(crate) fn commit_without_folder(self) -> io::Result<()> {
        match self.sink {
            Sink::Hidden(file, name) => {
                sync(file)?;
                name.persist(&self.target)?;
            }
            Sink::Direct(mut file) => file.flush()?,
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Hidden(file, _) | Sink::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Hidden(file, _) | Sink::Direct(file) => file.flush(),
        }
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.sink {
            Sink::Hidden(file, _) | Sink::Direct(file) => file.seek(to),
        }
    }
}

/// Writes what is buffered, waits until it is on the disk, and closes the file, so that it can be renamed everywhere.
fn sync(file: BufWriter<File>) -> io::Result<()> {
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Writes a file by a function that is given where to write, so that it is there as a whole or not at all: see
/// [`AtomicFile`].
///
/// # Errors
/// The function's own, or those of [`AtomicFile`]; in both cases the name holds what it held before.
///
/// ```
/// use alnm_imaging::file::write_atomically;
/// use std::io::{self, Write};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.txt");
/// write_atomically(&path, |file| file.write_all(b"first"))?;
/// let failed = write_atomically(&path, |file| {
///     file.write_all(b"seco")?;
///     Err(io::Error::other("the source ended early"))
/// });
/// assert!(failed.is_err());
/// assert_eq!(std::fs::read(&path)?, b"first");
/// # Ok::<(), io::Error>(())
/// ```
pub fn write_atomically<E: From<io::Error>>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut AtomicFile) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = AtomicFile::create(path)?;
    write(&mut file)?;
    Ok(file.commit()?)
}

/// Removes from a folder the unfinished files that [`AtomicFile`]s of programs that were killed left there, those that
/// were last written to at least `age` ago: younger ones may be in the making. Returns how many there were.
///
/// # Errors
/// When the folder cannot be read. A file that cannot be removed stays.
pub fn remove_unfinished(folder: impl AsRef<Path>, age: Duration) -> io::Result<usize> {
    let mut removed = 0;
    for entry in folder.as_ref().read_dir()? {
        let entry = entry?;
        // A file may vanish meanwhile: another program finishes it or tidies too.
        let written = || entry.metadata().and_then(|found| found.modified()).ok()?.elapsed().ok();
        let is_left =
            entry.file_name().to_string_lossy().starts_with(PREFIX) && written().is_some_and(|elapsed| elapsed >= age);
        removed += usize::from(is_left && std::fs::remove_file(entry.path()).is_ok());
    }
    Ok(removed)
}

/// The folder in which a file lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the names in a folder are on the disk. Other systems than Unix open no folders.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_was_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        drop(AtomicFile::create(&path).unwrap());
        assert!(names(folder.path()).is_empty());
        write_atomically(&path, |file| file.write_all(b"x")).unwrap();
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn errors_do_not_tell_the_hidden_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = AtomicFile::create(folder.path().join("none/a")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert_eq!(missing.to_string(), io::Error::from_raw_os_error(missing.raw_os_error().unwrap()).to_string());
    }

    #[test]
    fn a_new_file_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let make = |content: &[u8]| {
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(content).unwrap();
            file.commit_new()
        };
        make(b"first").unwrap();
        assert_eq!(make(b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((names(folder.path()), std::fs::read(&path).unwrap()), (vec!["a".to_owned()], b"first".to_vec()));
    }

    #[test]
    fn what_killed_programs_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".unfinished-a1", ".unfinished-b2", "table.csv"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(remove_unfinished(folder.path(), Duration::from_secs(3600)).unwrap(), 0);
        assert_eq!(remove_unfinished(folder.path(), Duration::ZERO).unwrap(), 2);
        assert_eq!(names(folder.path()), ["table.csv"]);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(AtomicFile::create(folder.path().join("missing/a")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_a_new_file_or_of_the_file_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (plain, atomic) = (folder.path().join("plain"), folder.path().join("atomic"));
        std::fs::write(&plain, "").unwrap();
        write_atomically(&atomic, |file| file.write_all(b"x")).unwrap();
        assert_eq!(mode(&atomic), mode(&plain));
        std::fs::set_permissions(&atomic, PermissionsExt::from_mode(0o640)).unwrap();
        write_atomically(&atomic, |file| file.write_all(b"y")).unwrap();
        assert_eq!(mode(&atomic), 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |file| file.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        write_atomically("/dev/null", |file| file.write_all(b"x")).unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }
}
