//! Lists of cases: images with their masks, in a CSV file or in a folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

use crate::input::{SeriesChoice, is_stream, is_text};
use crate::options::RegionOptions;
use crate::separators::{SeparatedRow, SeparatedTable, columns, read_table_text, table};

/// The columns that every list has.
const REQUIRED: [&str; 2] = ["Image", "Mask"];

/// The columns that mean something to a command, whether in capitals or not.
const KNOWN: [&str; 9] =
    ["Image", "Mask", "Label", "Label_channel", "Image_volume", "Mask_volume", "Roi", "Series", "Phase"];

/// What the names of lists end with.
const LIST_SUFFIXES: [&str; 3] = ["csv", "tsv", "txt"];

/// An image with its mask, and what else the row of the list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedCase {
    pub(crate) image: PathBuf,
    /// None where the list need not have masks.
    pub(crate) mask: Option<PathBuf>,
    /// All columns of the row in their order, the paths of image and mask as they are opened.
    pub(crate) columns: Vec<(String, String)>,
    /// Line of the row in its file, from 1.
    pub(crate) line: u64,
}

/// The cases of a CSV file.
#[derive(Debug)]
pub(crate) struct CaseList {
    pub(crate) cases: Vec<ListedCase>,
    /// Lines of rows without an image, or without a mask that is needed.
    pub(crate) incomplete: Vec<u64>,
}

impl ListedCase {
    /// The text of a column; none where the list lacks the column or the row leaves it empty.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let (_, text) = self.columns.iter().find(|(column, _)| column == name)?;
        (!text.is_empty()).then_some(text)
    }

    /// Which region and which image are meant: by the columns of the row, else by the options of the command.
    pub(crate) fn choices(
        &self,
        list: &Path,
        region: &RegionOptions,
        choice: &SeriesChoice,
    ) -> Result<(RegionOptions, SeriesChoice)> {
        let number = |name: &str| -> Result<Option<usize>> {
            let wrong = |text: &str| {
                format!("{}, line {}: {name} {text} is no whole number; correct the cell", list.display(), self.line)
            };
            self.field(name).map(|text| whole_number(text).with_context(|| wrong(text))).transpose()
        };
        let region = match (self.field("Roi"), number("Label")?) {
            (Some(name), _) => RegionOptions { roi: Some(name.to_owned()), ..RegionOptions::default() },
            (None, Some(label)) => RegionOptions { label: Some(u32::try_from(label)?), ..RegionOptions::default() },
            (None, None) => region.clone(),
        };
        let mut choice = choice.clone();
        choice.phase = number("Phase")?.or(choice.phase);
        choice.volume = number("Image_volume")?.or(choice.volume);
        choice.series = self.field("Series").map(str::to_owned).or(choice.series);
        Ok((region, choice))
    }
}

/// Whether a path names a list of cases: by its suffix, or of standard input and pipes by a first line with a column
/// Image.
pub(crate) fn is_list(path: &Path) -> bool {
    /// Only one input of a command can be a list.
    static STREAM_IS_LIST: OnceLock<bool> = OnceLock::new();
    let suffix = path.extension().unwrap_or_default();
    if LIST_SUFFIXES.iter().any(|of_list| suffix.eq_ignore_ascii_case(of_list)) {
        return true;
    }
    let has_column =
        |text: &str| columns(text).is_some_and(|names| names.iter().any(|name| name.eq_ignore_ascii_case(REQUIRED[0])));
    // What cannot be read is told by whoever reads it.
    is_stream(path) && *STREAM_IS_LIST.get_or_init(|| is_text(path, has_column).unwrap_or(false))
}

/// Whether each case of a list has to have a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Masks {
    Needed,
    /// The whole image is meant; a column Mask is copied like any other.
    Unused,
}

/// The name of a column: one that is known as it is known, another as it is.
fn named(column: &str) -> String {
    KNOWN.iter().find(|known| known.eq_ignore_ascii_case(column)).copied().unwrap_or(column).to_owned()
}

/// The whole number in a cell, also where a program wrote it with decimals, as 1.0.
pub(crate) fn whole_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let whole = match text.split_once('.') {
        Some((whole, decimals)) if decimals.bytes().all(|digit| digit == b'0') => whole,
        _ => text,
    };
    whole.parse().ok()
}

/// Reads a CSV file with the columns Image and Mask, whose paths are relative to the folder of the file; further
/// columns are kept. A list without any case is refused.
pub(crate) fn read_list(path: &Path, masks: Masks) -> Result<CaseList> {
    let shown = path.display();
    let text = read_table_text(path)?;
    let SeparatedTable { columns, rows } = table(&text).with_context(|| format!("cannot read {shown}"))?;
    let columns: Vec<String> = columns.iter().map(|column| named(column)).collect();
    let required = if masks == Masks::Needed { &REQUIRED[..] } else { &REQUIRED[..1] };
    for required in required {
        ensure!(
            columns.iter().any(|column| column == required),
            "{shown} has no column {required}; a list of cases has the columns Image and Mask, separated by commas, \
             semicolons or tabs"
        );
    }
    let twice = columns.iter().enumerate().find(|&(place, column)| columns.iter().take(place).any(|c| c == column));
    if let Some((_, column)) = twice.filter(|(_, column)| !column.is_empty()) {
        bail!("{shown} has the column {column} twice; give each column a name of its own");
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut cases, mut incomplete) = (Vec::new(), Vec::new());
    for row in rows {
        let line = row.line;
        match listed_case(&columns, row, folder, masks) {
            Some(case) => cases.push(case),
            None => incomplete.push(line),
        }
    }
    let lacking = if masks == Masks::Needed { "an image or a mask" } else { "an image" };
    match incomplete.as_slice() {
        _ if !cases.is_empty() => {}
        [] => bail!("{shown} holds no case; a row for each is needed"),
        [line] => bail!("{shown} holds no complete case: line {line} lacks {lacking}"),
        lines => bail!("{shown} holds no complete case: lines {lines:?} lack {lacking}"),
    }
    Ok(CaseList { cases, incomplete })
}

/// The case of a row; none where it lacks an image, or a mask that is needed.
fn listed_case(columns: &[String], row: SeparatedRow, folder: &Path, masks: Masks) -> Option<ListedCase> {
    let path = |name: &str| {
        let place = columns.iter().position(|column| column == name)?;
        row.cells.get(place).filter(|text| !text.is_empty()).map(|text| folder.join(text))
    };
    let image = path("Image")?;
    let mask = path("Mask").filter(|_| masks == Masks::Needed);
    if mask.is_none() && masks == Masks::Needed {
        return None;
    }
    let column = |(name, text): (&String, String)| {
        let is_path = REQUIRED.contains(&name.as_str()) && !text.is_empty();
        let text = if is_path { folder.join(text).to_string_lossy().into_owned() } else { text };
        (name.clone(), text)
    };
    let columns = columns.iter().zip(row.cells).map(column).collect();
    Some(ListedCase { image, mask, columns, line: row.line })
}

/// Images with their masks from a folder, in the order of their names: `NAME_image.EXT` with `NAME_mask.EXT`.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut cases = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some((stem, extension)) = name.split_once("_image.") {
            let mask = folder.join(format!("{stem}_mask.{extension}"));
            if !mask.exists() {
                bail!("{name} has no mask; save it as {}", mask.display());
            }
            cases.push((folder.join(&name), mask));
        }
    }
    cases.sort();
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_further_columns_and_names_incomplete_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.csv");
        std::fs::write(&path, "ID,Image,Mask,Label\na,i.nrrd,m.nrrd,2\nb,,m.nrrd,1\nc,i.nrrd\nd,/x/i.nrrd,m.nrrd,\n")
            .unwrap();
        let list = read_list(&path, Masks::Needed).unwrap();
        assert_eq!(list.incomplete, [3, 4]);
        let [first, second] = list.cases.as_slice() else { panic!("{:?}", list.cases) };
        assert_eq!((first.image.clone(), first.line), (folder.path().join("i.nrrd"), 2));
        assert_eq!(
            (first.field("ID"), first.field("Label"), first.field("Label_channel")),
            (Some("a"), Some("2"), None)
        );
        assert_eq!(first.field("Mask"), Some(folder.path().join("m.nrrd").to_string_lossy().as_ref()));
        assert_eq!((second.image.as_path(), second.field("Label")), (Path::new("/x/i.nrrd"), None));

        std::fs::write(&path, "ID,Image\na,i.nrrd\nb,\n").unwrap();
        let without_masks = read_list(&path, Masks::Unused).unwrap();
        assert_eq!((without_masks.cases.len(), without_masks.incomplete), (1, vec![3]));
        assert_eq!(without_masks.cases[0].mask, None);

        assert!(read_list(&path, Masks::Needed).unwrap_err().to_string().contains("cases.csv has no column Mask"));
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_list(&path, Masks::Needed).unwrap_err().to_string()
        };
        assert!(refused("ID,Image,Mask,ID\n").contains("cases.csv has the column ID twice"));
        assert!(refused("Image,Mask\n").contains("cases.csv holds no case"));
        assert!(refused("Image,Mask\ni.nrrd\n,m.nrrd\n").contains("lines [2, 3] lack an image or a mask"));
        assert_eq!(["1", "1.0", "1.", "1.5", "x", "-1"].map(whole_number::<u32>)[..3], [Some(1); 3]);
        assert_eq!(["1.5", "x", "-1", "1e0"].map(whole_number::<u32>), [None; 4]);
    }
}
