//! An empty cohort folder to fill in.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::columns::{COLUMNS, DATE_COLUMNS, describe};
use super::outcomes::OUTCOME_COLUMNS;
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

# Where outlines come from: "file", or "segment" for contours that grow from points in the column `seed` (`seed_reader2` for a second
# reader) instead of the masks: `x y z` in mm (LPS), several points with | between them. [segment] says how.
#mask = "segment"

# A table of `alnm extract --reliability`: features that it does not call reliable are left out, as those on which two readers of
# this cohort (`mask_reader2`) do not agree.
#reliability = "reliability.csv"

# The sections below may be left out. Separator (comma, semicolon, tab), decimal commas, UTF-8, UTF-16 and Windows-1252 are
# found out by themselves; `--check` says what was found. Declare them where that goes wrong.
#[table]
#file = "patients.csv"
#encoding = "windows-1252"
#separator = ";"
#decimal = ","
#dates = "day/month/year"

# The names of your columns, and their units where these differ: ours on the left. Upper and lower case, blanks and
# punctuation do not matter: `Age (years)` is `age_years`.
#[columns]
#patient = "Pat.-Nr."
#mtd_cm = { column = "Tumour size", unit = "mm" }
#wbc = { column = "Leucocytes", unit = "/uL" }

# What stands for positive and negative, beside 1 and 0, yes and no, positive and negative, and for the subtypes.
#[codes]
#alnm = { positive = ["pN1", "pN2"], negative = ["pN0"] }
#her2 = { positive = ["3+"], negative = ["0", "1+"], missing = ["2+"] }
#ki67 = { threshold = 20 }
#[codes.subtype]
#"Luminal A" = ["LumA"]

# What happens to a patient who lacks a value that a model needs: "refuse", "exclude" or "impute" (chained equations, learned
# from training rows alone); as `problems` where it is not said. Receptors, Ki-67 and subtype may always be missing.
# Empty cells, NA, n.a., -, ? and #N/A are missing values; `markers` names further ones.
#[missing]
#policy = "impute"
#markers = ["999"]
#imputations = 20

# Who belongs into the study, where the table has birth_date, mri_date, blood_date and surgery_date.
#[inclusion]
#mri_days = 14
#blood_days = 3
#minimum_age = 18

# Designs beside training in one centre and validation in others. With validation_centres = [] the study has one centre alone.
# later_from: patients of the training centre from this day on validate instead (by mri_date, or split_by = "surgery_date").
# leave_one_centre_out: every centre is judged by what was learned in all others, too.
# survival_months: when risks of a recurrence are judged, where the table has follow_up_months and recurrence.
#[design]
#later_from = "2021-01-01"
#leave_one_centre_out = false
#survival_months = 60

# What is taken beside the features of the lesion in one phase; docs/study.md describes all fields. Phases beside `phase` need the
# DICOM folder of the whole series of every patient. Scales and habitats are learned on the training centre.
#[segment]
#radius = 3.0
#speed = { seed_share = 0.75 }
#[motion]
#grid_spacing = 12.0
#[phases]
#further = [1, 2]
#deltas = ["ratio"]
#maps = ["peak_enhancement"]
#[regions]
#rings = [[0, 5], [5, 10]]
#[regions.habitats]
#maps = ["peak_enhancement", "washout_slope"]
#clusters = { count = { fixed = 3 } }
#[standardise]
#method = "nyul"
"#;

const EXAMPLE: &str = "\nA row:\nP001,A,1,47,2.5,0.8,1,1,0,1,Luminal B,4.1,1.9,0.4,6.8,250,images/P001,masks/P001.nii.gz,,1976-05-31,2024-03-01,2024-03-12,2024-03-13\n";

const SCANNER: &str = "scanner        may be missing: which scanner the image comes from, for the comparison with ComBat; otherwise the centre\n";

/// Writes `cohort.toml` with comments, `patients.csv` with its header alone, and `columns.txt`, which says what each
/// column holds.
///
/// # Errors
/// When the folder is not empty, or cannot be written.
pub fn write_template(folder: &Path) -> Result<()> {
    let is_new = !folder.exists();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let is_empty = std::fs::read_dir(folder)?.next().is_none();
    ensure!(is_empty, "{} is not empty; name a new folder", folder.display());
    let files = template_files();
    let written = files.iter().try_for_each(|(name, text)| write_file(&folder.join(name), text.as_bytes()));
    if written.is_err() {
        // The same call would refuse a folder that holds a part of the template.
        files.iter().for_each(|(name, _)| drop(std::fs::remove_file(folder.join(name))));
        if is_new {
            let _ = std::fs::remove_dir(folder);
        }
    }
    written
}

/// The files of the template with their texts.
fn template_files() -> [(&'static str, String); 3] {
    let names: Vec<&str> = COLUMNS.into_iter().chain(DATE_COLUMNS).collect();
    let columns = names.iter().fold(String::new(), |mut text, column| {
        writeln!(text, "{column:<14} {}", describe(column)).expect("writing to a string does not fail");
        text
    });
    let further = OUTCOME_COLUMNS.iter().fold(String::new(), |mut text, column| {
        writeln!(text, "{column:<16} {}", describe(column)).expect("writing to a string does not fail");
        text
    });
    [
        ("cohort.toml", DESCRIPTION.to_owned()),
        ("patients.csv", names.join(",") + "\n"),
        (
            "columns.txt",
            format!(
                "Columns of patients.csv; further columns are kept.\n\n{columns}{SCANNER}\nFurther outcomes, not in the header:\n{further}{EXAMPLE}"
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::{CohortDescription, MissingHandling, OutlineSource, ProblemPolicy, load, read_patients};

    #[test]
    fn a_template_is_read_as_an_empty_cohort() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("mine");
        write_template(&folder).unwrap();
        let description: CohortDescription =
            toml::from_str(&std::fs::read_to_string(folder.join("cohort.toml")).unwrap()).unwrap();
        assert_eq!((description.phase, description.label, description.problems), (4, 1, ProblemPolicy::Refuse));
        let reading = read_patients(&folder, &description.reading_rules());
        assert!(reading.patients.is_empty() && reading.problems.is_empty(), "{reading:?}");
        // Without patients the centres are too small, and that is all.
        let found = load(&folder).unwrap_err();
        assert!(found.problems.iter().all(|problem| problem.fix.contains("are needed")), "{found}");
        assert!(write_template(&folder).is_err());
    }

    #[test]
    fn the_sections_that_stand_there_as_comments_can_be_read() {
        let uncommented: String = DESCRIPTION
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
            .collect();
        let description: CohortDescription = toml::from_str(&uncommented).unwrap();
        assert_eq!(description.missing_handling(), MissingHandling::Impute);
        assert_eq!((description.columns.len(), description.codes.subtype.len()), (3, 1));
        let options = description.series_options().unwrap();
        assert_eq!(description.mask, OutlineSource::Segment);
        assert!(options.check(description.phase).is_ok() && options.learns() && options.needs_series());
    }
}
