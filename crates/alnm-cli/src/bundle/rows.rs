//! The rows of new patients: images, masks, and the values that a bundle needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use alnm_imaging::mask::RegionChoice;
use alnm_study::Bundle;
use alnm_study::scoring::NewPatient;
use anyhow::{Context, Result, bail, ensure};

use crate::predict::{PatientCells, read_cells};

/// What stands for a value that is not known, in lower case.
const MISSING: [&str; 7] = ["", "na", "n/a", "n.a.", "-", "?", "#n/a"];

/// Which region of masks and which series of folders are meant.
#[derive(Debug, Default)]
pub(super) struct FileChoice {
    pub(super) region: Option<RegionChoice>,
    pub(super) series: Option<String>,
}

/// The values of the only patient of a file.
pub(super) fn values_of_one(path: &Path, bundle: &Bundle) -> Result<BTreeMap<String, f64>> {
    let cells = read_cells(path)?;
    let [row] = cells.rows.as_slice() else {
        bail!(
            "{} has {} rows; give the row of this patient alone, or a table with --cases",
            path.display(),
            cells.rows.len()
        );
    };
    let columns = Columns::of(&cells, path)?;
    columns.values(row, bundle, "the patient")
}

/// The patients of a table with the columns `patient`, `image` and `mask`, whose paths are relative to its folder. The
/// columns `roi` and `series` may choose a region and a series for each, else `of_all` does.
pub(super) fn patients_of_table(path: &Path, bundle: &Bundle, of_all: &FileChoice) -> Result<Vec<NewPatient>> {
    let cells = read_cells(path)?;
    ensure!(!cells.rows.is_empty(), "{} holds no patient; a row per patient is needed", path.display());
    let columns = Columns::of(&cells, path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let places = ["patient", "image", "mask"].map(|name| columns.place(name));
    let [Some(patient), Some(image), Some(mask)] = places else {
        bail!("{} lacks one of the columns patient, image and mask; it has {:?}", path.display(), cells.columns);
    };
    let mut seen = BTreeSet::new();
    let of_row = |row: &Vec<String>| -> Result<NewPatient> {
        let id = row[patient].trim().to_owned();
        ensure!(!id.is_empty(), "a row of {} has no patient; give each an identifier", path.display());
        ensure!(seen.insert(id.clone()), "patient {id} stands twice in {}; give every patient one row", path.display());
        let file = |place: usize, name: &str| -> Result<PathBuf> {
            let cell = row[place].trim();
            ensure!(!cell.is_empty(), "patient {id} has no {name}; give a path relative to the folder of the table");
            Ok(folder.join(cell))
        };
        let (image, mask) = (file(image, "image")?, file(mask, "mask")?);
        let values = columns.values(row, bundle, &format!("patient {id}"))?;
        let named = |name: &str| columns.place(name).map(|place| row[place].trim()).filter(|cell| !cell.is_empty());
        let region = named("roi").map(RegionChoice::from).or_else(|| of_all.region.clone());
        let series = named("series").map(str::to_owned).or_else(|| of_all.series.clone());
        Ok(NewPatient { id, image, mask, series, region, values })
    };
    cells.rows.iter().map(of_row).collect()
}

/// The columns of a table, found without regard to case.
struct Columns(Vec<String>);

impl Columns {
    fn of(cells: &PatientCells, path: &Path) -> Result<Self> {
        let names: Vec<String> = cells.columns.iter().map(|name| name.trim().to_lowercase()).collect();
        if let Some(place) = (1..names.len()).find(|&place| names[..place].contains(&names[place])) {
            bail!(
                "{} has the column {:?} twice; give each column a name of its own",
                path.display(),
                cells.columns[place]
            );
        }
        Ok(Self(names))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|column| column == name)
    }

    /// The values of a row that the bundle reads and that are known.
    fn values(&self, row: &[String], bundle: &Bundle, whose: &str) -> Result<BTreeMap<String, f64>> {
        let mut values = BTreeMap::new();
        for column in bundle.read_columns() {
            let cell = self.place(column).map_or("", |place| row[place].trim());
            if MISSING.contains(&cell.to_lowercase().as_str()) {
                continue;
            }
            let value = cell.parse::<f64>().ok().filter(|value| value.is_finite());
            let value =
                value.with_context(|| format!("{whose}: {column} is {cell:?}; write a number with a decimal point"))?;
            ensure!(value > 0.0, "{whose}: {column} is {value}; it must be above 0");
            values.insert(column.to_owned(), value);
        }
        Ok(values)
    }
}
