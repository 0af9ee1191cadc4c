//! Where the pack lies, and its files.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of an area of the pack; `None`, with a line that says so, when there is none.
pub(crate) fn area(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ALNM_REFERENCE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("ALNM_REQUIRE_REFERENCE").is_ok_and(|value| value == "1");
    assert!(!required, "the reference pack is required, but {} does not exist", folder.display());
    println!("{name}: skipped, no reference pack at {}", folder.display());
    None
}

/// The bytes of a file, decompressed when its name ends in `.gz`.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    let raw = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return raw;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(raw.as_slice())
        .read_to_end(&mut text)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder whose name ends in `suffix`, in order.
pub(crate) fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(suffix));
    files.sort();
    files
}
