//! What commands learn and others apply: files of JSON that say when they were damaged or edited.

use alnm_selection::saved::SavedFormat;

/// Habitats of `alnm regions learn-habitats`.
pub(crate) const HABITATS: SavedFormat = SavedFormat::new("alnm-habitats", 1, "model of habitats");

/// A scale of intensities of `alnm standardise learn`.
pub(crate) const SCALE: SavedFormat = SavedFormat::new("alnm-intensity-scale", 1, "scale of intensities");
