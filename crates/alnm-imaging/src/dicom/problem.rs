//! What is wrong with a DICOM file.

use crate::error::FileProblem;
use crate::format::FileFormat;

pub(super) fn malformed(what: impl Into<String>) -> FileProblem {
    FileProblem::malformed(FileFormat::Dicom, what)
}

pub(super) fn unsupported(what: impl Into<String>) -> FileProblem {
    FileProblem::unsupported(FileFormat::Dicom, what)
}

/// Errors of the DICOM crates carry traces; the first line and the cause say what happened.
pub(super) fn first_line(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    message.lines().next().unwrap_or("unreadable").to_owned()
}
