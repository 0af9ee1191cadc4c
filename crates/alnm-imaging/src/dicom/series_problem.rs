//! Why slices are no volume.

use std::path::PathBuf;

/// Why the slices of a series are no volume.
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
    #[error("two slices at {location} mm along the normal: {} and {}; remove one", first.display(), second.display())]
    DuplicateSlice {
        /// Position along the normal in mm.
        location: f64,
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A phase that lacks a slice which other phases have.
    #[error("phase {phase} has no slice at {location} mm along the normal")]
    MissingInPhase {
        /// Number of the phase, from 1.
        phase: usize,
        /// Position along the normal in mm.
        location: f64,
    },
    /// A gap as wide as several slices.
    #[error(
        "{count} slices are missing between {after} and {before} mm along the normal (slices lie {spacing} mm apart)"
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
        "uneven distances of slices: {distance} mm between {after} and {before} mm along the normal, {spacing} mm elsewhere"
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
        "the slices are shifted by {shift} mm in their plane from first to last; resample the series to orthogonal axes"
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
