//! Why slices are no volume.

use std::fmt;
use std::path::PathBuf;

use super::phase_key::PhaseKey;

/// Why the slices of a series do not form a volume.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesProblem {
    /// A folder with several series where one is asked for.
    #[error("{} series where one is asked for; choose one by its UID: {}", series.len(), series.join("; "))]
    SeveralSeries {
        /// Identifier, description and size of each.
        series: Vec<String>,
    },
    /// No series has the identifier asked for.
    #[error("no series {uid} here")]
    NoSuchSeries {
        /// The `SeriesInstanceUID`.
        uid: String,
    },
    /// A file of the series that holds no slice which can be read.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Slices that differ in what all slices of a volume share.
    #[error("{attribute} differs within the series: {left} in {} and {right} in {}", left_file.display(), right_file.display())]
    Mixed {
        /// The attribute.
        attribute: &'static str,
        /// Its value in one file.
        left: String,
        /// That file.
        left_file: PathBuf,
        /// Its value in another.
        right: String,
        /// The other file.
        right_file: PathBuf,
    },
    /// Two slices at one position that have the same time.
    #[error(
        "two slices at {} mm along the normal: {} and {}; remove one",
        Millimetres(*location), first.display(), second.display()
    )]
    DuplicateSlice {
        /// Position along the normal in mm.
        location: f64,
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Several slices at many positions that nothing tells apart.
    #[error(
        "up to {most} slices at each of {several} of {places} places, which {}: such as {} and {}; {}",
        not_told_apart(differ_in), first.display(), second.display(), advice(*are_copies)
    )]
    Indistinct {
        /// The most slices at one place.
        most: usize,
        /// How many places have several.
        several: usize,
        /// How many places there are.
        places: usize,
        /// Attributes in which slices differ, though not so that they form volumes.
        differ_in: Vec<&'static str>,
        /// Whether the same instances stand several times in the folder.
        are_copies: bool,
        /// One of two slices at one place.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// An attribute that was asked for and does not tell phases apart.
    #[error("slices at one place do not all differ in {by}, so it does not tell phases apart; choose another key")]
    NotToldApart {
        /// The attribute.
        by: PhaseKey,
    },
    /// A phase that lacks a slice which other phases have.
    #[error("phase {phase} has no slice at {} mm along the normal", Millimetres(*location))]
    MissingInPhase {
        /// Number of the phase, from 1.
        phase: usize,
        /// Position along the normal in mm.
        location: f64,
    },
    /// A gap as wide as several slices.
    #[error(
        "{} missing between {} and {} mm along the normal (slices lie {} mm apart)",
        counted(*count), Millimetres(*after), Millimetres(*before), Millimetres(*spacing)
    )]
    MissingSlices {
        /// How many.
        count: usize,
        /// Position of the last slice before the gap in mm.
        after: f64,
        /// Position of the first slice behind it in mm.
        before: f64,
        /// Distance of the other slices in mm.
        spacing: f64,
    },
    /// Slices at uneven distances.
    #[error(
        "uneven distances of slices: {} mm between {} and {} mm along the normal, {} mm elsewhere",
        Millimetres(*distance), Millimetres(*after), Millimetres(*before), Millimetres(*spacing)
    )]
    UnevenSpacing {
        /// The distance that differs.
        distance: f64,
        /// Position of the slice before it in mm.
        after: f64,
        /// Position of the slice behind it in mm.
        before: f64,
        /// Distance of the other slices in mm.
        spacing: f64,
    },
    /// Slices shifted against each other in their plane (a tilted gantry), which no orthogonal grid holds.
    #[error(
        "the slices are shifted by {} mm in their plane from first to last; resample the series to orthogonal axes",
        Millimetres(*shift)
    )]
    Sheared {
        /// The shift in mm.
        shift: f64,
    },
    /// Spacings or cosines that describe no grid.
    #[error("{}: {reason}", file.display())]
    ImpossibleGrid {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A dynamic series where a single volume is asked for.
    #[error("the series has {phases} phases; choose one by its number")]
    SeveralPhases {
        /// Number of phases.
        phases: usize,
    },
    /// Volumes that differ in more than time where a single one is asked for.
    #[error("the series holds {} volumes where one is asked for: {}; choose one", volumes.len(), shortened(volumes))]
    SeveralVolumes {
        /// What tells each apart.
        volumes: Vec<String>,
    },
    /// A volume that the series does not have.
    #[error("volume {number} asked for; the series has volumes 1 to {volumes}")]
    NoSuchVolume {
        /// The number asked for.
        number: usize,
        /// Number of volumes.
        volumes: usize,
    },
    /// No volume is of the kind asked for.
    #[error("no volume of the series has {wanted}; there are: {}", shortened(present))]
    NoSuchKind {
        /// What was asked for.
        wanted: String,
        /// What the series has.
        present: Vec<String>,
    },
    /// An attribute that the scaling asked for needs.
    #[error("{}: {attribute} is missing, which {purpose} needs", file.display())]
    MissingAttribute {
        /// The file.
        file: PathBuf,
        /// The attribute.
        attribute: &'static str,
        /// What needs it.
        purpose: &'static str,
    },
    /// An attribute whose value the scaling asked for cannot use.
    #[error("{}: {attribute} is {value}; {requirement}", file.display())]
    UnusableAttribute {
        /// The file.
        file: PathBuf,
        /// The attribute.
        attribute: &'static str,
        /// Its value.
        value: String,
        /// What it must be, or what would mend it.
        requirement: &'static str,
    },
    /// Series that are not the phases of one examination.
    #[error("the series {first} and {second} are not phases of one dynamic series: {reason}")]
    NotPhases {
        /// Identifier of one.
        first: String,
        /// Identifier of the other.
        second: String,
        /// In what they differ.
        reason: String,
    },
    /// A phase that the series does not have.
    #[error("phase {number} asked for; the series has phases 1 to {phases}")]
    NoSuchPhase {
        /// The number asked for.
        number: usize,
        /// Number of phases.
        phases: usize,
    },
}

/// A length in mm, printed to a ten-thousandth.
pub(super) struct Millimetres(pub(super) f64);

impl fmt::Display for Millimetres {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Zero has no sign.
        write!(formatter, "{}", (self.0 * 1e4).round() / 1e4 + 0.0)
    }
}

fn counted(slices: usize) -> String {
    if slices == 1 { "1 slice is".to_owned() } else { format!("{slices} slices are") }
}

/// The first few of many, and how many there are.
fn shortened(texts: &[String]) -> String {
    const MOST: usize = 12;
    let more = texts.len().checked_sub(MOST).filter(|more| *more > 0);
    let shown = texts.iter().take(MOST).cloned().collect::<Vec<_>>().join("; ");
    more.map_or_else(|| shown.clone(), |more| format!("{shown}; and {more} more"))
}

fn not_told_apart(differ_in: &[&str]) -> String {
    let nothing = "neither a temporal position, a time, an acquisition nor InstanceNumber tells apart".to_owned();
    if differ_in.is_empty() { nothing } else { format!("{nothing} (slices differ in {})", differ_in.join(", ")) }
}

fn advice(are_copies: bool) -> &'static str {
    if are_copies {
        "the same instances stand there several times: remove the copies"
    } else {
        "some slices are missing, or images of several scans are mixed: sort the files"
    }
}
