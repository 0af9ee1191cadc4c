//! The columns of the table of patients: what each holds, in which unit, and which column of a hospital's table it is.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::outcomes::OUTCOME_COLUMNS;
use super::seeding::{OutlineSource, SEED_COLUMNS};
use super::{Problem, Subtype};

/// The columns of `patients.csv` as this crate writes it; `mask_reader2` may be missing, and further columns are kept.
pub const COLUMNS: [&str; 19] = [
    "patient",
    "centre",
    "alnm",
    "age_years",
    "mtd_cm",
    "sad_aln_cm",
    "pr",
    "er",
    "her2",
    "ki67",
    "subtype",
    "neutrophils",
    "lymphocytes",
    "monocytes",
    "wbc",
    "platelets",
    "image",
    "mask",
    "mask_reader2",
];

/// Columns of dates, which may be missing.
pub const DATE_COLUMNS: [&str; 4] = ["birth_date", "mri_date", "blood_date", "surgery_date"];

/// The column of a second reader's outline.
pub(super) const SECOND_MASK: &str = "mask_reader2";

/// A numeric column: which values are plausible, and in which units they may be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    pub(super) name: &'static str,
    /// Smallest and largest plausible value, in the unit.
    pub(super) range: [f64; 2],
    pub(super) unit: &'static str,
    /// Other units, with what a value is multiplied by.
    pub(super) units: &'static [(&'static str, f64)],
    /// The median from which on a whole column is in another unit, and that unit.
    pub(super) improbable_median: Option<(f64, &'static str)>,
}

const LENGTHS: &[(&str, f64)] = &[("mm", 0.1), ("m", 100.0)];
/// Cells per litre.
const COUNTS: &[(&str, f64)] = &[
    ("g/l", 1.0),
    ("/nl", 1.0),
    ("10^3/ul", 1.0),
    ("10^3/mm3", 1.0),
    ("/ul", 1e-3),
    ("/mm3", 1e-3),
    ("cells/ul", 1e-3),
    ("cells/mm3", 1e-3),
    ("10^6/l", 1e-3),
];

const fn count(name: &'static str, low: f64, high: f64) -> Quantity {
    Quantity { name, range: [low, high], unit: "10^9/L", units: COUNTS, improbable_median: None }
}

const fn length(name: &'static str, low: f64, high: f64, improbable: f64) -> Quantity {
    Quantity { name, range: [low, high], unit: "cm", units: LENGTHS, improbable_median: Some((improbable, "mm")) }
}

/// The numeric columns. Every one of them is, or goes into, a variable that a model may hold.
pub(super) const QUANTITIES: [Quantity; 8] = [
    Quantity { name: "age_years", range: [0.0, 110.0], unit: "years", units: &[], improbable_median: None },
    length("mtd_cm", 0.1, 25.0, 8.0),
    length("sad_aln_cm", 0.05, 10.0, 3.5),
    count("neutrophils", 0.1, 60.0),
    count("lymphocytes", 0.05, 40.0),
    count("monocytes", 0.005, 10.0),
    count("wbc", 0.3, 100.0),
    count("platelets", 5.0, 1500.0),
];

impl Quantity {
    /// The numeric column of a name.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        QUANTITIES.iter().find(|quantity| quantity.name == name)
    }

    /// What values in a unit are multiplied by; `None` for a unit that is not known.
    fn factor(&self, unit: &str) -> Option<f64> {
        let plain = unit.trim().to_lowercase().replace(['µ', 'μ'], "u").replace('²', "^2").replace(' ', "");
        let plain = plain.replace("10⁹", "10^9").replace("10³", "10^3").replace("10⁶", "10^6");
        let others = self.units.iter().find(|(name, _)| *name == plain).map(|(_, factor)| *factor);
        if plain == self.unit.to_lowercase() { Some(1.0) } else { others }
    }

    fn unit_names(&self) -> String {
        std::iter::once(self.unit).chain(self.units.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(", ")
    }
}

/// What a column holds, in words.
pub(super) fn describe(column: &str) -> String {
    if let Some(Quantity { range: [low, high], unit, .. }) = Quantity::of(column) {
        return format!("a number in {unit}; {low} to {high} is plausible");
    }
    match column {
        "patient" => "identifier: letters, digits, dots, hyphens, underscores; unique".to_owned(),
        "centre" => "as named in cohort.toml".to_owned(),
        "alnm" => "axillary lymph node metastasis by pathology: 1 or yes, 0 or no".to_owned(),
        "pr" | "er" => "1 or positive, 0 or negative; percentages with a threshold in [codes]; may be empty".to_owned(),
        "her2" => "1 or positive, 0 or negative; scores such as 3+ by [codes]; may be empty".to_owned(),
        "ki67" => {
            "1 above the clinic's threshold, 0 below; percentages with a threshold in [codes]; may be empty".to_owned()
        }
        "subtype" => format!("one of {}; may be empty", Subtype::ALL.map(Subtype::name).join(", ")),
        "image" => "a DICOM folder, or a NIfTI, NRRD or MetaImage file, relative to this folder".to_owned(),
        "mask" => "outline of the tumour on the image's grid: NIfTI, NRRD, MetaImage, DICOM SEG or RTSTRUCT".to_owned(),
        SECOND_MASK => "a second reader's outline; may be empty, or the column missing".to_owned(),
        "birth_date" => "date of birth; gives the age where age_years is missing; the column may be missing".to_owned(),
        "mri_date" => "date of the MRI; at most 14 days before surgery; the column may be missing".to_owned(),
        "blood_date" => "date of the blood counts; at most 3 days before surgery; the column may be missing".to_owned(),
        "surgery_date" => "date of the surgery; the column may be missing".to_owned(),
        "nodal_stage" => "N0 to N3 by pathology; gives a model of the stage; the column may be missing".to_owned(),
        "positive_nodes" => {
            "number of positive nodes; gives a model of the number; the column may be missing".to_owned()
        }
        "follow_up_months" => {
            "months from surgery to the recurrence or the last visit; the column may be missing".to_owned()
        }
        "recurrence" => "1 or yes where there was one, 0 or no; the column may be missing".to_owned(),
        other => format!("column {other}"),
    }
}

/// The column of a hospital's table that holds one of the columns of `patients.csv`, as `[columns]` of `cohort.toml`
/// says: a name, or a name and a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ColumnSource {
    /// The name of the column.
    Name(String),
    /// The name of the column and the unit of its values.
    #[serde(rename_all = "lowercase")]
    Measured {
        /// The name of the column; that of ours where absent.
        #[serde(default)]
        column: Option<String>,
        /// The unit of its values.
        unit: String,
    },
}

impl ColumnSource {
    fn name<'a>(&'a self, own: &'a str) -> &'a str {
        match self {
            Self::Name(name) => name,
            Self::Measured { column, .. } => column.as_deref().unwrap_or(own),
        }
    }

    fn unit(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Measured { unit, .. } => Some(unit),
        }
    }
}

/// `[columns]` of `cohort.toml`: the names of columns of `patients.csv`, each with the name in the hospital's table.
pub type ColumnSources = BTreeMap<String, ColumnSource>;

/// A name without regard to case, blanks and punctuation: `Age (years)` and `age_years` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn ours() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter().chain(DATE_COLUMNS).chain(OUTCOME_COLUMNS)
}

/// Whether a text names a column that is looked for.
pub(super) fn is_known(sources: &ColumnSources, text: &str) -> bool {
    let text = plain(text);
    let is_text = |name: &str| plain(name) == text;
    !text.is_empty() && (sources.iter().any(|(own, source)| is_text(source.name(own))) || ours().any(is_text))
}

/// Where our columns stand in a table.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnPlaces {
    places: BTreeMap<&'static str, usize>,
    factors: BTreeMap<&'static str, f64>,
    header: Vec<String>,
}

impl ColumnPlaces {
    /// Finds our columns in a header. What is missing or stands there twice is added to `problems`.
    /// The columns of files are needed where outlines are files, those of seeds where they grow from them.
    pub(super) fn find(
        header: &[String],
        sources: &ColumnSources,
        outlines: OutlineSource,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut found = Self { header: header.to_vec(), ..Self::default() };
        let in_header = |name: &str| -> Vec<usize> {
            let name = plain(name);
            (0..header.len()).filter(|&place| plain(&header[place]) == name).collect()
        };
        for (first, name) in header.iter().enumerate().filter(|(_, name)| !plain(name).is_empty()) {
            let places = in_header(name);
            if places.len() > 1 && places[0] == first {
                let columns: Vec<String> = places.iter().map(|place| format!("{}", place + 1)).collect();
                let what = format!("the header has the column {} times (columns {})", places.len(), columns.join(", "));
                let fix = "keep one of them, or give them different names";
                problems.push(Problem::of_cohort(format!("column {name}"), what, fix));
            }
        }
        for (own, source) in sources {
            let place = format!("cohort.toml, columns.{own}");
            let Some(own) = ours().find(|name| name == own) else {
                let fix = format!("the columns are {}", ours().collect::<Vec<_>>().join(", "));
                problems.push(Problem::of_cohort(place, format!("there is no column `{own}` to be named"), fix));
                continue;
            };
            let name = source.name(own);
            let Some(&at) = in_header(name).first() else {
                let what = format!("the table has no column `{name}`");
                problems.push(Problem::of_cohort(place, what, format!("the table has {}", Names(header))));
                continue;
            };
            if plain(name) != plain(own) && !in_header(own).is_empty() {
                let what = format!("the table has both `{name}` and `{own}`");
                problems.push(Problem::of_cohort(place, what, "rename one of the two columns"));
            }
            if let Some(unit) = source.unit() {
                let place = format!("cohort.toml, columns.{own}");
                match Quantity::of(own) {
                    None => problems.push(Problem::of_cohort(place, "the column has no unit", "remove the unit")),
                    Some(quantity) => match quantity.factor(unit) {
                        Some(factor) => drop(found.factors.insert(own, factor)),
                        None => {
                            let fix = format!("the units of {own} are {}", quantity.unit_names());
                            problems.push(Problem::of_cohort(place, format!("the unit `{unit}` is not known"), fix));
                        }
                    },
                }
            }
            found.places.insert(own, at);
        }
        for own in ours() {
            if let (false, Some(&at)) = (found.places.contains_key(own), in_header(own).first()) {
                found.places.insert(own, at);
            }
        }
        let has_age = found.has("birth_date") && (found.has("surgery_date") || found.has("mri_date"));
        let from_seeds = outlines == OutlineSource::Segment;
        let needed = |own: &&str| {
            let is_spared = (*own == "age_years" && has_age) || (*own == "mask" && from_seeds);
            *own != SECOND_MASK && !is_spared && !is_descriptive(own)
        };
        let named = |own: &&str| !found.has(own) && !sources.contains_key(*own);
        let mut missing: Vec<&str> = COLUMNS.into_iter().filter(needed).filter(named).collect();
        let has_seeds = header.iter().any(|name| name.trim().eq_ignore_ascii_case(SEED_COLUMNS[0]));
        missing.extend((from_seeds && !has_seeds).then_some(SEED_COLUMNS[0]));
        if !missing.is_empty() {
            let what = format!("the header lacks {}", missing.join(", "));
            let fix = format!(
                "add the columns, or name yours in [columns] of cohort.toml, for instance {} = \"...\"; the table has {}",
                missing[0],
                Names(header)
            );
            problems.push(Problem::of_cohort("patients.csv", what, fix));
        }
        found
    }

    /// Whether the table has the column.
    pub(super) fn has(&self, own: &str) -> bool {
        self.places.contains_key(own)
    }

    /// Where the column stands.
    pub(super) fn of(&self, own: &str) -> Option<usize> {
        self.places.get(own).copied()
    }

    /// What values of a column are multiplied by.
    pub(super) fn factor(&self, own: &str) -> f64 {
        self.factors.get(own).copied().unwrap_or(1.0)
    }

    /// The name of our column in the table, beside ours where they differ.
    pub(super) fn label(&self, own: &str) -> String {
        match self.of(own).map(|place| self.header[place].as_str()) {
            Some(name) if name != own => format!("{own} (`{name}`)"),
            _ => own.to_owned(),
        }
    }

    /// The columns that are none of ours, with their names.
    pub(super) fn further(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_further = |place: &usize| !self.places.values().any(|other| other == place);
        (0..self.header.len()).filter(is_further).map(|place| (place, self.header[place].as_str()))
    }

    /// Which columns were found under another name than ours, in words; `None` where there is none.
    pub(super) fn mapped(&self) -> Option<String> {
        let renamed = self.places.iter().filter(|(own, place)| plain(&self.header[**place]) != plain(own));
        let pairs: Vec<String> = renamed.map(|(own, place)| format!("{own} from `{}`", self.header[*place])).collect();
        (!pairs.is_empty()).then(|| pairs.join(", "))
    }
}

/// Whether a column describes patients and goes into no model.
pub(super) fn is_descriptive(column: &str) -> bool {
    matches!(column, "pr" | "er" | "her2" | "ki67" | "subtype")
}

/// Names of a header, of which a message shows the first.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 30;
        let shown: Vec<String> = self.0.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        write!(formatter, "{}", shown.join(", "))?;
        if self.0.len() > SHOWN { write!(formatter, " and {} more", self.0.len() - SHOWN) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_however_they_are_written() {
        let platelets = Quantity::of("platelets").unwrap();
        for (unit, factor) in
            [("10^9/L", 1.0), ("10⁹/l", 1.0), ("G/L", 1.0), ("/µL", 1e-3), ("10^3 / µl", 1.0), ("cells/uL", 1e-3)]
        {
            assert_eq!(platelets.factor(unit), Some(factor), "{unit}");
        }
        assert_eq!(Quantity::of("mtd_cm").unwrap().factor("mm"), Some(0.1));
        assert_eq!(Quantity::of("mtd_cm").unwrap().factor("inch"), None);
    }
}
