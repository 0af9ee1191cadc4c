//! Counting what agrees.

/// A difference that is known, with its cause.
pub(crate) struct Deviation {
    /// Its cause.
    pub(crate) cause: &'static str,
    /// Whether a value of this name is concerned.
    pub(crate) concerns: fn(&str) -> bool,
}

/// The count of one configuration.
pub(crate) struct Tally {
    section: String,
    deviations: &'static [Deviation],
    values: usize,
    known: Vec<usize>,
    failures: Vec<String>,
    /// Largest distance to a reference as a part of its tolerance.
    worst: f64,
    worst_place: String,
}

impl Tally {
    pub(crate) fn new(section: impl Into<String>, deviations: &'static [Deviation]) -> Self {
        let known = vec![0; deviations.len()];
        Self { section: section.into(), deviations, values: 0, known, failures: Vec::new(), worst: 0.0, worst_place: "-".to_owned() }
    }

    /// Counts a value that has to lie within `tolerance` of the reference.
    pub(crate) fn value(&mut self, name: &str, reference: f64, tolerance: f64, got: f64) {
        self.values += 1;
        // Differences of decimal numbers are exact but for their last bits.
        let difference = (got - reference).abs();
        if difference <= tolerance + 1e-12 * reference.abs() {
            let part = difference / tolerance;
            if part.is_finite() && part > self.worst {
                self.worst = part;
                self.worst_place = name.to_owned();
            }
            return;
        }
        match self.deviations.iter().position(|deviation| (deviation.concerns)(name)) {
            Some(known) => self.known[known] += 1,
            None => self.failures.push(format!("{name}: expected {reference} within {tolerance}, got {got}")),
        }
    }

    /// Prints the line of the configuration and its known deviations; gives back what else differs.
    pub(crate) fn finish(self) -> Vec<String> {
        let known: usize = self.known.iter().sum();
        let matches = self.values - known - self.failures.len();
        println!(
            "{}: {matches} of {} values match, {known} known deviations; closest to its tolerance {} at {:.2} of it",
            self.section, self.values, self.worst_place, self.worst
        );
        for (deviation, count) in self.deviations.iter().zip(&self.known).filter(|(_, count)| **count > 0) {
            println!("  {count} values: {}", deviation.cause);
        }
        self.failures.iter().for_each(|failure| println!("  {failure}"));
        self.failures.into_iter().map(|failure| format!("{}: {failure}", self.section)).collect()
    }
}

/// The value with three significant digits, as the reference values are given.
pub(crate) fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap()
}
