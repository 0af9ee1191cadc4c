//! Where the reference packs lie, and their files.

use std::io::Read;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The folder of one area of the reference packs.
///
/// The packs lie in the folder that the environment variable `ALNM_REFERENCE` names, by default in `shared/reference`
/// beside the checkout.
#[derive(Debug, Clone)]
pub struct Pack {
    root: PathBuf,
}

impl Pack {
    /// The pack of an area, such as `imaging` or `radiomics/ibsi`. Where there is none, a line says that the tests were
    /// skipped.
    ///
    /// # Panics
    /// When there is none although `ALNM_REQUIRE_REFERENCE=1` asks for it.
    #[must_use]
    pub fn open(area: &str) -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference");
        let root = std::env::var_os("ALNM_REFERENCE").map_or(beside, PathBuf::from).join(area);
        if root.is_dir() {
            return Some(Self { root });
        }
        let required = std::env::var_os("ALNM_REQUIRE_REFERENCE").is_some_and(|value| value == "1");
        assert!(!required, "no reference pack in {}", root.display());
        println!("{area}: skipped, no reference pack in {}", root.display());
        None
    }

    /// A pack in a folder of its own, for tests of the harness.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The path of a file or folder of the pack.
    #[must_use]
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.root.join(file)
    }

    /// The bytes of a file, decompressed when its name ends in `.gz`.
    ///
    /// # Panics
    /// When it cannot be read: a pack that is not as it should be ends the test.
    #[must_use]
    pub fn bytes(&self, file: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(file);
        let raw = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if path.extension().is_none_or(|extension| extension != "gz") {
            return raw;
        }
        let mut content = Vec::new();
        flate2::read::GzDecoder::new(raw.as_slice())
            .read_to_end(&mut content)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        content
    }

    /// The text of a file, decompressed when its name ends in `.gz`.
    ///
    /// # Panics
    /// When it cannot be read or is no text.
    #[must_use]
    pub fn text(&self, file: impl AsRef<Path>) -> String {
        String::from_utf8(self.bytes(&file)).unwrap_or_else(|error| panic!("{}: {error}", file.as_ref().display()))
    }

    /// The content of a JSON file, decompressed when its name ends in `.gz`.
    ///
    /// # Panics
    /// When it cannot be read as a `T`.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self, file: impl AsRef<Path>) -> T {
        serde_json::from_slice(&self.bytes(&file))
            .unwrap_or_else(|error| panic!("{}: {error}", file.as_ref().display()))
    }

    /// The cases that the pack's `manifest.json` lists.
    ///
    /// # Panics
    /// When there is no manifest, or when it lists no cases.
    #[must_use]
    pub fn cases(&self) -> Vec<Value> {
        match self.json::<Value>("manifest.json")["cases"].take() {
            Value::Array(cases) => cases,
            other => panic!("the manifest's cases are {other}"),
        }
    }

    /// A table of comma-separated values.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn table(&self, file: impl AsRef<Path>) -> Table {
        self.table_separated_by(b',', file)
    }

    /// A table whose cells are separated by another character.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn table_separated_by(&self, separator: u8, file: impl AsRef<Path>) -> Table {
        Table::parse(&self.bytes(&file), separator)
            .unwrap_or_else(|error| panic!("{}: {error}", file.as_ref().display()))
    }

    /// The files of a folder whose name ends in `suffix`, by name; none when there is no such folder. The paths are
    /// those within the pack.
    ///
    /// # Panics
    /// When the folder cannot be read.
    #[must_use]
    pub fn files(&self, folder: impl AsRef<Path>, suffix: &str) -> Vec<PathBuf> {
        let mut files = self.entries(folder);
        files.retain(|path| path.to_string_lossy().ends_with(suffix) && self.path(path).is_file());
        files
    }

    /// The folders in a folder, by name; none when there is no such folder. The paths are those within the pack.
    ///
    /// # Panics
    /// When the folder cannot be read.
    #[must_use]
    pub fn folders(&self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let mut folders = self.entries(folder);
        folders.retain(|path| self.path(path).is_dir());
        folders
    }

    fn entries(&self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let folder = folder.as_ref();
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).file_name()
        };
        let mut entries: Vec<PathBuf> = entries.map(|entry| folder.join(name(entry))).collect();
        entries.sort();
        entries
    }
}

/// A number of a pack: what is not finite stands as text, and what is missing as null, `NA` or nothing (NaN here).
/// `None` for text that is no number.
#[must_use]
pub fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => not_finite(text),
        // A value that numpy made complex; its imaginary part is rounding.
        Value::Object(parts) => parts.get("re").and_then(as_number),
        _ => None,
    }
}

fn not_finite(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Inf" | "Infinity" => Some(f64::INFINITY),
        "-Inf" | "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A number in the notation of the packs, where what is not finite stands as text.
#[must_use]
pub fn number(value: f64) -> Value {
    match value {
        value if value.is_nan() => Value::from("NaN"),
        f64::INFINITY => Value::from("Inf"),
        f64::NEG_INFINITY => Value::from("-Inf"),
        value => Value::from(value),
    }
}

/// Numbers in the notation of the packs.
#[must_use]
pub fn numbers(values: &[f64]) -> Value {
    values.iter().map(|value| number(*value)).collect()
}

/// A table of text with named columns.
#[derive(Debug, Clone)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Vec<String>>,
}

impl Table {
    /// The table that bytes hold, the first line of which names the columns.
    fn parse(bytes: &[u8], separator: u8) -> Result<Self, csv::Error> {
        let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
        let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let mut columns = vec![Vec::new(); names.len()];
        for record in reader.records() {
            for (column, cell) in columns.iter_mut().zip(&record?) {
                column.push(cell.to_owned());
            }
        }
        Ok(Self { names, columns })
    }

    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The cells of a column.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn text(&self, column: &str) -> &[String] {
        let position = self.names.iter().position(|name| name == column);
        &self.columns[position.unwrap_or_else(|| panic!("no column {column} in {:?}", self.names))]
    }

    /// A column of numbers; `NA` and empty cells are NaN.
    ///
    /// # Panics
    /// When there is no such column, or a cell is no number.
    #[must_use]
    pub fn numbers(&self, column: &str) -> Vec<f64> {
        self.text(column).iter().map(|cell| parse(cell).unwrap_or(f64::NAN)).collect()
    }

    /// All columns but some: their names, and their numbers as a matrix of rows × columns.
    ///
    /// # Panics
    /// When a cell is no number.
    #[must_use]
    pub fn matrix(&self, without: &[&str]) -> (Vec<String>, Array2<f64>) {
        let names: Vec<String> = self.names.iter().filter(|name| !without.contains(&name.as_str())).cloned().collect();
        let columns: Vec<Vec<f64>> = names.iter().map(|name| self.numbers(name)).collect();
        let rows = columns.first().map_or(0, Vec::len);
        (names, Array2::from_shape_fn((rows, columns.len()), |(row, column)| columns[column][row]))
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        let count = self.columns.first().map_or(0, Vec::len);
        (0..count).map(|position| Row { table: self, position }).collect()
    }
}

/// A row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    position: usize,
}

impl<'a> Row<'a> {
    /// The cell in a column.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn text(&self, column: &str) -> &'a str {
        &self.table.text(column)[self.position]
    }

    /// The number in a column; `None` where the cell is empty or `NA`.
    ///
    /// # Panics
    /// When there is no such column, or the cell is no number.
    #[must_use]
    pub fn number(&self, column: &str) -> Option<f64> {
        parse(self.text(column))
    }
}

fn parse(cell: &str) -> Option<f64> {
    match cell {
        "" | "NA" => None,
        cell => Some(cell.parse().unwrap_or_else(|_| panic!("{cell} is not a number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_stand_as_text() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5, -0.0] {
            let again = as_number(&number(value)).unwrap();
            assert!(again.to_bits() == value.to_bits() || again.is_nan() && value.is_nan(), "{value}: {again}");
        }
        assert!(as_number(&Value::Null).unwrap().is_nan());
        assert_eq!(as_number(&"group".into()), None);
        assert_eq!(as_number(&serde_json::json!({"re": 2.0, "im": 1e-17})), Some(2.0));
    }

    #[test]
    fn tables_have_columns_and_rows() {
        let table = Table::parse(b"name;a;b\nx;1;NA\ny;;2.5\n", b';').unwrap();
        assert_eq!(table.names(), ["name", "a", "b"]);
        assert_eq!(table.text("name"), ["x", "y"]);
        let rows = table.rows();
        assert_eq!((rows[0].text("name"), rows[0].number("a"), rows[0].number("b")), ("x", Some(1.0), None));
        assert_eq!(rows[1].number("b"), Some(2.5));
        let (names, values) = table.matrix(&["name"]);
        assert_eq!(names, ["a", "b"]);
        assert_eq!((values.dim(), values[[0, 0]], values[[1, 1]]), ((2, 2), 1.0, 2.5));
        assert!(values[[1, 0]].is_nan());
    }

    #[test]
    fn files_are_listed_by_name() {
        let pack = Pack::at(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(pack.files("src", "lib.rs"), [Path::new("src/lib.rs")]);
        assert_eq!(pack.folders("src"), [Path::new("src/damage")]);
        assert!(pack.files("no such folder", "").is_empty());
        assert!(pack.text("Cargo.toml").starts_with("[package]"));
    }
}
