//! Where the pack lies, and its tables and images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alnm_imaging::{LabelMap, Volume, read_image, read_mask};

/// The folder of the pack; `None`, with a line that says so, when there is none.
pub(crate) fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("ALNM_REFERENCE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"), PathBuf::from);
    let folder = root.join("radiomics/ibsi");
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("ALNM_REQUIRE_REFERENCE").is_ok_and(|value| value == "1");
    assert!(!required, "the reference pack is required, but {} does not exist", folder.display());
    println!("IBSI: skipped, no reference pack at {}", folder.display());
    None
}

/// A row of a table by the names of its columns.
pub(crate) struct Row(BTreeMap<String, String>);

impl Row {
    pub(crate) fn text(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("the table has no column {column}"))
    }

    /// The number in a column; `None` for an empty cell.
    pub(crate) fn number(&self, column: &str) -> Option<f64> {
        let text = self.text(column);
        (!text.is_empty()).then(|| text.parse().unwrap_or_else(|error| panic!("{column} is {text}: {error}")))
    }
}

/// The rows of a table.
pub(crate) fn table(path: &Path, delimiter: u8) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        Row(header.iter().zip(&record).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect())
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// An image of the pack.
pub(crate) fn image(path: &Path) -> Volume<f64> {
    read_image(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).cast()
}

/// A mask of the pack.
pub(crate) fn mask(path: &Path) -> LabelMap {
    read_mask(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder whose name ends in `suffix`, in order.
pub(crate) fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(suffix));
    files.sort();
    files
}
