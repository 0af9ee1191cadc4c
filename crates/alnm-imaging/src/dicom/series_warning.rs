//! What was found odd in a series, and read all the same.

use std::path::PathBuf;

use serde::Serialize;

use super::phase_key::PhaseKey;
use super::series_problem::Millimetres;
use super::uptake::{DecayCorrection, UptakeNorm};

/// Something unusual about a series that is read all the same. Each warning says what was done about it.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesWarning {
    /// Slices that lie off the even grid by less than a tenth of their distance.
    #[error(
        "a slice at {} mm along the normal lies {} mm off an even grid of {} mm; all slices are taken as evenly spaced",
        Millimetres(*location), Millimetres(*deviation), Millimetres(*spacing)
    )]
    UnevenSlices {
        /// Position in mm along the normal of the slice farthest off the grid.
        location: f64,
        /// How far it lies off, in mm.
        deviation: f64,
        /// Distance of slices in mm of the even grid from first to last.
        spacing: f64,
    },
    /// A scan that stopped early: its last phase lacks slices.
    #[error("the scan stopped early: phase {phase} has {found} of {slices} slices and is left out")]
    IncompletePhase {
        /// Number of the phase, from 1.
        phase: usize,
        /// Slices that it has.
        found: usize,
        /// Slices that a whole phase has.
        slices: usize,
    },
    /// The files state another number of phases than they hold.
    #[error("NumberOfTemporalPositions is {stated}, the series has {found} phases, told apart by {by}")]
    OtherNumberOfPhases {
        /// `NumberOfTemporalPositions`.
        stated: i64,
        /// The phases found.
        found: usize,
        /// What tells them apart.
        by: PhaseKey,
    },
    /// Distances of pixels on the detector, not in the patient.
    #[error("no PixelSpacing; distances are those of ImagerPixelSpacing, which hold in the plane of the detector")]
    DetectorSpacing,
    /// No distance of pixels at all.
    #[error("no distance of pixels is stated; 1 mm is taken, so sizes and shapes in mm mean nothing")]
    UnknownSpacing,
    /// Standardised uptake values, and how the decay of the tracer enters them.
    #[error("standardised uptake values by {norm}; {decay}")]
    Uptake {
        /// By what they are normalised.
        norm: UptakeNorm,
        /// How the decay of the tracer enters.
        decay: DecayCorrection,
    },
    /// Values that are shown dark where they are high.
    #[error("MONOCHROME1: high values are shown dark; voxels are the values as stored, which ITK turns over")]
    HighIsDark,
    /// Files that are equal to others, byte for byte.
    #[error("{} {}; each image is read once", counted(*count), file.display())]
    Copies {
        /// How many were left out.
        count: usize,
        /// One of them.
        file: PathBuf,
    },
    /// An image of a modality whose images lie in space, without a place.
    #[error("no ImagePositionPatient; each image is read as a two-dimensional one without a place in space")]
    NoPlace,
}

fn counted(copies: usize) -> String {
    match copies {
        1 => "1 file is a copy of another,".to_owned(),
        _ => format!("{copies} files are copies of others, such as"),
    }
}
