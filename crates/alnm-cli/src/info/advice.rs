//! What is odd about an input, and what to do about it.

use std::io::ErrorKind;

use alnm_imaging::dicom::{Series, SeriesProblem, SeriesWarning};
use alnm_imaging::file::HeaderOutline;
use alnm_imaging::{FileProblem, ImagingError};
use serde::Serialize;

use super::content::reason;

/// What is odd, and what to do.
#[derive(Debug, Serialize)]
pub(super) struct Odd {
    pub(super) what: String,
    pub(super) advice: &'static str,
}

impl Odd {
    pub(super) fn new(what: impl ToString, advice: &'static str) -> Self {
        Self { what: what.to_string(), advice }
    }

    /// The voxels that a header describes are read by no command.
    pub(super) fn of_header(error: &ImagingError, header: &HeaderOutline) -> Self {
        Self::new(format_args!("no command reads the voxels: {}", reason(error)), of_fault(error, header))
    }

    /// The header is in order, and its voxels cannot be read.
    pub(super) fn of_voxels(error: &ImagingError) -> Self {
        let is_absent = matches!(
            error,
            ImagingError::File { problem: FileProblem::Io(error), .. } if error.kind() == ErrorKind::NotFound
        );
        let advice = if is_absent {
            "put the file of the voxels, which the header names, in its place; what is told here is that of the header"
        } else {
            "get the file again; what is told here is that of its header"
        };
        Self::new(format_args!("the voxels cannot be read: {error}"), advice)
    }

    /// What is odd about a series.
    pub(super) fn of_series(series: &Series) -> Vec<Self> {
        let mut odd: Vec<Self> =
            series.warnings().iter().map(|warning| Self::new(warning, of_warning(warning))).collect();
        if let Some(problem) = series.problem() {
            odd.push(Self::new(problem, of_problem(problem)));
        }
        if let Some(tilt) = series.acquisition().gantry_tilt.filter(|tilt| *tilt != 0.0) {
            odd.push(Self::new(
                format_args!("the gantry was tilted by {tilt} degrees"),
                "look at a sagittal plane (alnm view): where slices are shifted against each other, resample them upright first",
            ));
        }
        if series.has_several_scales() {
            odd.push(Self::new(
                "slices have slopes or intercepts of their own",
                "nothing: each slice is rescaled by its own; do not use the stored values themselves",
            ));
        }
        odd
    }
}

/// What to do about a header of which no image can be made.
fn of_fault(error: &ImagingError, header: &HeaderOutline) -> &'static str {
    let ImagingError::File { problem, .. } = error else { return "write the file again with the program that made it" };
    match problem {
        FileProblem::Geometry(_) => {
            "correct sizes, spacings and axes in the header, or write the file again with the program that made it"
        }
        FileProblem::TooLarge { .. } => {
            "correct the sizes in the header; where they are right, cut the image into parts with the program that made it"
        }
        FileProblem::Malformed { .. } => {
            "correct this field of the header, or write the file again with the program that made it"
        }
        FileProblem::Unsupported { .. } if header.components > 1 || header.sizes.len() > 4 => {
            "make real numbers in at most four dimensions of them with the program that wrote them: grey values of \
             colours, the magnitude of complex numbers, a file for each volume"
        }
        FileProblem::Unsupported { .. } => {
            "convert it with the program that made it: real numbers of 8 to 64 bits on a grid of perpendicular axes"
        }
        _ => "write the file again with the program that made it",
    }
}

fn of_warning(warning: &SeriesWarning) -> &'static str {
    match warning {
        SeriesWarning::UnevenSlices { .. } => {
            "nothing for small deviations; for exact places ask for the original slices"
        }
        SeriesWarning::IncompletePhase { .. } => {
            "nothing, unless that phase is needed; then ask for the missing slices"
        }
        SeriesWarning::OtherNumberOfPhases { .. } => {
            "if the phases are wrong, choose what tells them apart by --phases-by"
        }
        SeriesWarning::DetectorSpacing => {
            "do not compare sizes with those of images of another distance to the detector"
        }
        SeriesWarning::UnknownSpacing => {
            "use no feature of size or shape; where the spacing is known, write it into the files"
        }
        SeriesWarning::Uptake { .. } => "check that the decay correction is that of the other images of the study",
        SeriesWarning::HighIsDark => "turn the values over where they are compared with images of other programs",
        SeriesWarning::Copies { .. } => "nothing; remove the copies to be rid of this line",
        SeriesWarning::NoPlace => "use the slices as single images; no volume can be made of them",
        _ => "see whether it matters for what the images are used for",
    }
}

fn of_problem(problem: &SeriesProblem) -> &'static str {
    match problem {
        SeriesProblem::MissingSlices { .. } | SeriesProblem::MissingInPhase { .. } => {
            "find the missing files, or export the series again"
        }
        SeriesProblem::UnevenSpacing { .. } => {
            "resample the slices to even distances (dcm2niix writes such a file, _Eq)"
        }
        SeriesProblem::Sheared { .. } => "resample the slices upright (dcm2niix writes such a file, _Tilt)",
        SeriesProblem::DuplicateSlice { .. } | SeriesProblem::Indistinct { .. } => {
            "remove the copies, or choose what tells phases apart by --phases-by"
        }
        SeriesProblem::Unreadable { .. } => "export the file again, or take it out of the folder",
        _ => "export the series again as its scanner made it; other series of the folder can be used",
    }
}
