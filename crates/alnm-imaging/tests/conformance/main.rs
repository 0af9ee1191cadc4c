//! Agreement with SimpleITK on the cases of a reference pack.
//!
//! The cases are those of the pack's manifest and folders. The pack is looked for in `$ALNM_REFERENCE/imaging`, by
//! default `../shared/reference/imaging` beside the workspace; without it every section says that it was skipped, and
//! fails when `ALNM_REQUIRE_REFERENCE=1`. Sections of the pack that other crates own (`log`, `wavelet`: alnm-radiomics)
//! are not run here.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a section reports its figures, and a test fails by panicking"
)]

#[cfg(feature = "dicom")]
mod dicom;
#[cfg(feature = "dicom")]
mod masks;
mod n4;
mod pack;
mod resampling;
