//! Columns of files.

use std::path::PathBuf;

use super::super::columns::SECOND_MASK;
use super::super::spreadsheet::counted;
use super::{CellFault, Reader};

impl Reader<'_> {
    /// A path with forward slashes; `None` where there is none.
    pub(super) fn paths(&mut self, column: &str, ids: &[String]) -> Vec<Option<PathBuf>> {
        let cells: Vec<String> = self.cells(column).iter().map(|cell| (*cell).to_owned()).collect();
        let mut faults = Vec::new();
        let mut turned = 0;
        let values = cells
            .iter()
            .enumerate()
            .map(|(row, cell)| {
                let mut refuse = |of_cell: String, of_column: &str, fix: &str| {
                    faults.push(CellFault { row, of_cell, of_column: of_column.to_owned(), fix: fix.to_owned() });
                };
                if self.is_missing(cell) {
                    if column != SECOND_MASK {
                        refuse(
                            "the path is empty".to_owned(),
                            "are empty",
                            "give a path relative to the cohort folder",
                        );
                    }
                    return None;
                }
                let exists = |path: &str| self.folder.join(path).exists();
                if exists(cell) {
                    return Some(PathBuf::from(cell));
                }
                let forward = cell.replace('\\', "/");
                if forward == *cell {
                    let fix = "give a path relative to the cohort folder";
                    refuse(format!("{cell} does not exist"), "do not exist", fix);
                } else if exists(&forward) {
                    turned += 1;
                    return Some(PathBuf::from(forward));
                } else {
                    let what = format!("{cell} does not exist, with its backslashes as slashes neither");
                    let fix = "give a path relative to the cohort folder, with slashes";
                    refuse(what, "do not exist, with their backslashes as slashes neither", fix);
                }
                None
            })
            .collect();
        if turned > 0 {
            let paths = counted(turned, "path");
            self.remarks.push(format!("column {}: backslashes of {paths} read as slashes", self.places.label(column)));
        }
        self.report(column, ids, faults, true);
        values
    }
}
