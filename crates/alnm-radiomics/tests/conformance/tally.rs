//! Counting what agrees.

use std::fmt::Display;

/// A difference that is known, with its cause.
pub(crate) struct Deviation {
    /// Its cause.
    pub(crate) cause: &'static str,
    /// Whether a difference is of this kind: the place as printed, the expected value and ours.
    pub(crate) explains: fn(&str, f64, f64) -> bool,
}

/// The count of one section.
pub(crate) struct Tally {
    section: &'static str,
    deviations: &'static [Deviation],
    cases: usize,
    values: usize,
    agreeing: usize,
    known: Vec<usize>,
    worst: f64,
    worst_place: String,
    failures: Vec<String>,
}

impl Tally {
    pub(crate) fn new(section: &'static str, deviations: &'static [Deviation]) -> Self {
        Self {
            section,
            deviations,
            cases: 0,
            values: 0,
            agreeing: 0,
            known: vec![0; deviations.len()],
            worst: 0.0,
            worst_place: "-".to_owned(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn case(&mut self) {
        self.cases += 1;
    }

    /// Counts a value that has to be within `relative` of the expected one, or within `absolute`.
    pub(crate) fn value(&mut self, place: impl Display, expected: f64, got: f64, relative: f64, absolute: f64) {
        let same = expected == got || (expected.is_nan() && got.is_nan());
        let difference = (expected - got).abs();
        let agrees = same || difference <= relative * expected.abs() + absolute;
        let scaled = difference / expected.abs();
        if agrees && difference > absolute && scaled.is_finite() && scaled > self.worst {
            self.worst = scaled;
            self.worst_place = place.to_string();
        }
        self.count(agrees, place, expected, got);
    }

    /// Counts something that holds or does not.
    pub(crate) fn check(&mut self, agrees: bool, place: impl Display) {
        self.count(agrees, place, f64::NAN, f64::NAN);
    }

    fn count(&mut self, agrees: bool, place: impl Display, expected: f64, got: f64) {
        self.values += 1;
        if agrees {
            self.agreeing += 1;
            return;
        }
        let place = place.to_string();
        match self.deviations.iter().position(|deviation| (deviation.explains)(&place, expected, got)) {
            Some(known) => self.known[known] += 1,
            None => self.failures.push(format!("{place}: expected {expected}, got {got}")),
        }
    }

    /// Prints the section's line and its known deviations, and fails when anything else differs.
    pub(crate) fn finish(self) {
        let known: usize = self.known.iter().sum();
        println!(
            "{}: {} cases, {} of {} values agree, {known} known deviations, largest relative difference {:.1e} at {}",
            self.section, self.cases, self.agreeing, self.values, self.worst, self.worst_place
        );
        for (deviation, count) in self.deviations.iter().zip(&self.known).filter(|(_, count)| **count > 0) {
            println!("  {count} values: {}", deviation.cause);
        }
        for failure in self.failures.iter().take(60) {
            println!("  {failure}");
        }
        assert!(self.failures.is_empty(), "{}: {} values differ", self.section, self.failures.len());
        assert!(self.cases > 0, "{}: the pack has no cases", self.section);
    }
}
