//! Counting what agrees. Nothing is excused: a value that differs fails the test.

/// The count of one configuration.
pub(crate) struct Tally {
    section: String,
    values: usize,
    failures: Vec<String>,
    /// Largest distance to a reference as a part of its tolerance.
    worst: f64,
    worst_place: String,
}

impl Tally {
    pub(crate) fn new(section: impl Into<String>) -> Self {
        Self { section: section.into(), values: 0, failures: Vec::new(), worst: 0.0, worst_place: "-".to_owned() }
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
        } else {
            self.failures.push(format!("{name}: expected {reference} within {tolerance}, got {got}"));
        }
    }

    /// Prints the line of the configuration and what differs, which it gives back.
    pub(crate) fn finish(self) -> Vec<String> {
        println!(
            "{}: {} of {} values match, largest part of a tolerance {:.2} at {}",
            self.section,
            self.values - self.failures.len(),
            self.values,
            self.worst,
            self.worst_place
        );
        self.failures.iter().for_each(|failure| println!("  {failure}"));
        self.failures.into_iter().map(|failure| format!("{}: {failure}", self.section)).collect()
    }
}

/// The value with three significant digits, as the reference values are given.
pub(crate) fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap()
}
