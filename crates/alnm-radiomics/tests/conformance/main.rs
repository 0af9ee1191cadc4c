//! Agreement with a pack of reference values made with PyRadiomics.
//!
//! The pack lies in `radiomics` under the folder that ALNM_REFERENCE names, by default `../shared/reference` beside the
//! workspace. Without it the tests say that they were skipped; with ALNM_REQUIRE_REFERENCE=1 they fail. Every test
//! finds its cases in the pack's own index files, uses the pack's tolerances and prints one line: cases, values that
//! agree, worst relative difference and where.

// A pack that is not as it should be must end the test, wherever that shows.
#![allow(clippy::unwrap_used)]

mod expected;
mod npz;

mod diagnostics;
mod errors;
mod features;
mod filters;
mod images;
mod matrices;
mod voxel_maps;
