//! Images of the pack, and values as its tables print them.

use std::path::Path;

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Tolerance, Worst};
use alnm_imaging::{LabelMap, Volume, read_image, read_mask};

/// The pack of the initiative.
pub(crate) const AREA: &str = "radiomics/ibsi";

/// An image of the pack.
pub(crate) fn image(pack: &Pack, file: impl AsRef<Path>) -> Volume<f64> {
    let path = pack.path(file);
    read_image(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).cast()
}

/// A mask of the pack.
pub(crate) fn mask(pack: &Pack, file: impl AsRef<Path>) -> LabelMap {
    let path = pack.path(file);
    read_mask(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A section in which each reference value is a case. Nothing is excused: a value that differs fails the test.
pub(crate) fn section(name: impl Into<String>) -> Tally {
    Tally::new(name).worst(Worst::PartOfTolerance)
}

/// A case: a value that has to lie within `tolerance` of the reference.
pub(crate) fn compare(tally: &mut Tally, name: &str, reference: f64, tolerance: f64, got: f64) {
    tally.case(name);
    // Differences of decimal numbers are exact but for their last bits.
    tally.value("", reference, got, Tolerance { relative: 1e-12, absolute: tolerance });
}

/// The value with three significant digits, as the reference values are given.
pub(crate) fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap()
}
