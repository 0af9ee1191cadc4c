//! Data that a study uses in addition to one phase of the lesion, where `cohort.toml` asks for them: motion between
//! phases, further phases and kinetic maps, rings and habitats, and standardised intensities.
//!
//! Everything is off by default; a study without these sections gives exactly the same results as before they existed.
//!
//! | section | what it does |
//! |---|---|
//! | `[motion]` | brings all phases that are used onto the analysed one; the lesion keeps its volume |
//! | `[phases]` | features of further phases and of kinetic maps, and their deltas |
//! | `[regions]` | features of rings around the lesion and of habitats in it |
//! | `[standardise]` | one scale for the intensities of all scanners |
//!
//! The order is fixed: motion, kinetic maps (of the signal as it is; enhancement is relative), N4 with the field of the
//! analysed phase for all phases, standardisation, regions, features. The crop for the network is cut from the
//! corrected image before standardisation, since its own percentiles scale it.
//!
//! Scales and habitats are learned on the patients of the training centre alone ([`learn`]), without an outcome, once:
//! folds of the training centre share them as they share the outlines. What each patient gives to learn from is on
//! record ([`SeriesLearning`]), and the leak check learns a second time with made-up validation patients among them.

mod analysis;
mod learning;
mod motion;
mod options;

pub(crate) use analysis::{CorrectedImages, Correction, SeriesAnalysis, motion};
pub use learning::{LearnedFromSeries, PatientEvidence, ScaleEvidence, SeriesEvidence, SeriesLearning, learn};
pub use motion::PatientMotion;
pub use options::{SeriesOptions, StudyHabitats, StudyPhases, StudyRegions, StudyStandard};
