//! What the tests of all crates share.
//!
//! The crates name this one among their dev-dependencies, by path and without a version, and it is never published.
//! Tests that use it stand in the folder `tests` of a crate and are left out of its package.
//!
//! - [`pack`]: reference packs on disk, their tables and JSON files.
//! - [`tally`]: tolerances, known deviations, and one line for each section of a pack.
//! - [`statistics`]: the sections and cases of the statistics pack, which three crates share.
//! - [`golden`]: golden values in text files beside the tests.
//! - [`damage`]: edited and damaged variants of a saved file, and a check that each of them is refused or gives the
//!   same answer.

// A test reports what it compared, and fails by panicking.
#![allow(clippy::print_stdout)]

pub mod damage;
pub mod golden;
pub mod pack;
pub mod statistics;
pub mod tally;
