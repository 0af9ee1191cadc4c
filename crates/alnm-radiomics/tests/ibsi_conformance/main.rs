//! Agreement with the reference values of the Image Biomarker Standardisation Initiative.
//!
//! The pack lies in `radiomics/ibsi` under the folder that ALNM_REFERENCE names, by default `../shared/reference`
//! beside the workspace. Without it the tests say that they were skipped; with ALNM_REQUIRE_REFERENCE=1 they fail.
//! Configurations, filters and values come from the pack's tables; each configuration prints one line with its counts.

// A pack that is not as it should be must end the test, wherever that shows.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod filters;
mod images;
mod reference_values;
