//! An empty cohort folder to fill in.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::table::{COLUMNS, describe};
use crate::store::write_file;

const DESCRIPTION: &str = r#"# What the cohort is called in the report.
name = "name of the cohort"

# The centre whose patients everything is learned on, as written in the column `centre` of patients.csv.
training_centre = "A"

# Centres on which nothing is learned: one or several.
validation_centres = ["B"]

# Phase of a dynamic DICOM series that is analysed, counted from 1.
phase = 4

# Label of the tumour in the masks.
label = 1

# What happens to a patient whose row, image or mask has a problem: "refuse" stops before any work and lists all problems,
# "exclude" leaves the patient out and counts it, with the reason, in the patient flow of the report.
problems = "refuse"
"#;

const SCANNER: &str = "scanner        may be missing: which scanner the image comes from, for the comparison with ComBat; otherwise the centre\n";

/// Writes `cohort.toml` with comments, `patients.csv` with its header alone, and `columns.txt`, which says what each
/// column holds.
///
/// # Errors
/// When the folder is not empty, or cannot be written.
pub fn write_template(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let is_empty = std::fs::read_dir(folder)?.next().is_none();
    ensure!(is_empty, "{} is not empty; name a new folder", folder.display());
    let columns = COLUMNS.iter().fold(String::new(), |mut text, column| {
        writeln!(text, "{column:<14} {}", describe(column)).expect("writing to a string does not fail");
        text
    });
    let files = [
        ("cohort.toml", DESCRIPTION.to_owned()),
        ("patients.csv", COLUMNS.join(",") + "\n"),
        ("columns.txt", format!("Columns of patients.csv; further columns are kept.\n\n{columns}{SCANNER}")),
    ];
    for (name, text) in files {
        write_file(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::{CohortDescription, ProblemPolicy, load, read_patients};

    #[test]
    fn a_template_is_read_as_an_empty_cohort() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("mine");
        write_template(&folder).unwrap();
        let description: CohortDescription =
            toml::from_str(&std::fs::read_to_string(folder.join("cohort.toml")).unwrap()).unwrap();
        assert_eq!((description.phase, description.label, description.problems), (4, 1, ProblemPolicy::Refuse));
        let mut problems = Vec::new();
        assert!(read_patients(&folder.join("patients.csv"), &mut problems).is_empty() && problems.is_empty());
        // Without patients the centres are too small, and that is all.
        let found = load(&folder).unwrap_err();
        assert!(found.problems.iter().all(|problem| problem.fix.contains("are needed")), "{found}");
        assert!(write_template(&folder).is_err());
    }
}
