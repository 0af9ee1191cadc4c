//! Finished work in the output folder, found again when its inputs and parameters are unchanged.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use alnm_imaging::file::write_atomically;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A folder of finished items, one file an item.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// An item with what it was made from and the hash of its own text, so that a file changed by hand is computed again.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    fingerprint: String,
    sha256: String,
    value: T,
}

impl<T: Serialize> Stored<T> {
    fn new(fingerprint: &str, value: T) -> Result<Self> {
        let sha256 = hash(&value)?;
        Ok(Self { fingerprint: fingerprint.to_owned(), sha256, value })
    }
}

/// SHA-256 of the JSON form, in hexadecimal.
fn hash(value: &impl Serialize) -> Result<String> {
    Ok(Fingerprint::default().parameters(value)?.finish())
}

impl Store {
    /// The store of a step.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn open(out: &Path, step: &str) -> Result<Self> {
        let folder = out.join("steps").join(step);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The path of a file of the step that is not an item.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Forgets an item, so that it is computed again.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn forget(&self, key: &str) -> Result<()> {
        let path = self.folder.join(format!("{key}.json"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The item, computed when it is not stored with this fingerprint.
    ///
    /// # Errors
    /// What `compute` returns, and when the item cannot be written.
    pub fn item<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        fingerprint: &str,
        compute: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let path = self.folder.join(format!("{key}.json"));
        if let Some(value) = stored(&path, fingerprint) {
            return Ok(value);
        }
        let item = Stored::new(fingerprint, compute()?)?;
        write_file(&path, serde_json::to_string(&item)?.as_bytes())?;
        Ok(item.value)
    }
}

/// The stored value; `None` where there is none, it is damaged, or it was made from something else.
fn stored<T: Serialize + DeserializeOwned>(path: &Path, fingerprint: &str) -> Option<T> {
    let stored: Stored<T> = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (stored.fingerprint == fingerprint && hash(&stored.value).ok()? == stored.sha256).then_some(stored.value)
}

/// Writes a file that is there as a whole or not at all ([`write_atomically`]).
///
/// # Errors
/// When the file cannot be written, with its name.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(contents)).with_context(|| format!("cannot write {}", path.display()))
}

/// A name for inputs and parameters: SHA-256 over the parts, in hexadecimal.
#[derive(Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds parameters.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn parameters(mut self, parameters: &impl Serialize) -> Result<Self> {
        self.0.update(serde_json::to_vec(parameters)?);
        self.0.update([0]);
        Ok(self)
    }

    /// Adds numbers by their bits.
    pub fn numbers(mut self, values: impl Iterator<Item = f64>) -> Self {
        values.for_each(|value| self.0.update(value.to_bits().to_le_bytes()));
        self.0.update([0]);
        self
    }

    /// Adds the contents of a file, or of all files of a folder in order of their names.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn files(mut self, path: &Path) -> Result<Self> {
        if !path.is_dir() {
            self.0.update(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
            return Ok(self);
        }
        let mut files: Vec<PathBuf> =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        files.sort();
        files.iter().try_fold(self, |fingerprint, file| fingerprint.files(file))
    }

    /// The fingerprint.
    #[must_use]
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_computed_once_for_a_fingerprint_and_again_when_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "numbers").unwrap();
        let mut computed = 0;
        let mut get = |fingerprint: &str| {
            store.item("one", fingerprint, || {
                computed += 1;
                Ok(vec![0.1, computed as f64])
            })
        };
        assert_eq!(get("a").unwrap(), [0.1, 1.0]);
        assert_eq!(get("a").unwrap(), [0.1, 1.0]);
        assert_eq!(get("b").unwrap(), [0.1, 2.0]);
        fs::write(store.file("one.json"), "{\"fingerprint\":\"b\",\"val").unwrap();
        assert_eq!(get("b").unwrap(), [0.1, 3.0]);
        let text = fs::read_to_string(store.file("one.json")).unwrap();
        fs::write(store.file("one.json"), text.replace("[0.1,3.0]", "[0.2,3.0]")).unwrap();
        assert_eq!(get("b").unwrap(), [0.1, 4.0], "changed by hand");
        store.forget("one").unwrap();
        store.forget("never there").unwrap();
        assert_eq!(get("b").unwrap(), [0.1, 5.0], "forgotten");
    }
}
