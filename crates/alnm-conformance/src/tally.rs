//! Counting what agrees: one line for each section, known deviations with their reasons, and a failure that says which
//! values differ.
//!
//! ```
//! use alnm_conformance::tally::{Deviation, Tally, Tolerance};
//!
//! const DEVIATIONS: &[Deviation] = &[Deviation {
//!     reason: "the table prints three digits",
//!     explains: |difference| difference.element == "p value" && (difference.expected - difference.got).abs() < 5e-4,
//! }];
//!
//! let mut tally = Tally::new("tests").deviations(DEVIATIONS);
//! tally.case("Welch");
//! tally.value("statistic", 3.628, 3.628_000_1, Tolerance::relative(1e-6));
//! tally.value("p value", 0.000, 0.000_35, Tolerance::relative(1e-6));
//! tally.finish();
//! ```

use std::fmt::Display;

use serde_json::Value;

use crate::pack::as_number;

/// What a value may differ by: `absolute + relative · |expected|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// The part of the expected value.
    pub relative: f64,
    /// The part that does not depend on the expected value, in its unit.
    pub absolute: f64,
}

impl Tolerance {
    /// Every bit has to agree.
    pub const EXACT: Self = Self { relative: 0.0, absolute: 0.0 };

    /// A part of the expected value.
    #[must_use]
    pub const fn relative(relative: f64) -> Self {
        Self { relative, absolute: 0.0 }
    }

    /// An amount in the unit of the value.
    #[must_use]
    pub const fn absolute(absolute: f64) -> Self {
        Self { relative: 0.0, absolute }
    }

    /// The largest difference that is allowed where a value is expected.
    #[must_use]
    pub fn allowed(self, expected: f64) -> f64 {
        self.absolute + self.relative * expected.abs()
    }

    /// Whether a value agrees with the expected one. NaN agrees with NaN, and an infinity with the same infinity only.
    #[must_use]
    pub fn agrees(self, expected: f64, got: f64) -> bool {
        let same = expected == got || (expected.is_nan() && got.is_nan());
        same || (expected.is_finite() && (expected - got).abs() <= self.allowed(expected))
    }
}

/// A difference that a test found.
#[derive(Debug, Clone, Copy)]
pub struct Difference<'a> {
    /// The case.
    pub case: &'a str,
    /// The element of the case's result.
    pub element: &'a str,
    /// The value of the pack; NaN where the difference is not one of numbers.
    pub expected: f64,
    /// The value that was computed; NaN where the difference is not one of numbers.
    pub got: f64,
    /// The whole results of the case, the pack's and the computed one, where they were compared as JSON; null
    /// elsewhere.
    pub results: (&'a Value, &'a Value),
}

impl Difference<'_> {
    /// Whether it is one of the cases whose name begins with `cases` (parts of a name are separated by `/`), in an
    /// element that begins with `element`.
    #[must_use]
    pub fn is_in(&self, cases: &str, element: &str) -> bool {
        let rest = self.case.strip_prefix(cases);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && self.element.starts_with(element)
    }
}

/// An expected difference between the reference and this project.
#[derive(Debug, Clone, Copy)]
pub struct Deviation {
    /// Why they differ.
    pub reason: &'static str,
    /// Whether a difference is of this kind.
    pub explains: fn(&Difference<'_>) -> bool,
}

/// What the line of a section says about the values that agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worst {
    /// The largest difference relative to the expected value, of those beyond the absolute tolerance.
    Relative,
    /// The largest difference.
    Difference,
    /// The largest difference as a part of what is allowed.
    PartOfTolerance,
}

/// The count of one section of a pack.
///
/// A section has cases, a case has values. A case passes when all of its values agree; it counts as a known deviation
/// when those that do not are explained by the section's table of deviations, and fails otherwise or when nothing was
/// compared in it.
#[derive(Debug)]
pub struct Tally {
    section: String,
    worst: Worst,
    deviations: &'static [Deviation],
    may_be_absent: bool,
    case: String,
    cases: usize,
    passed: usize,
    deviating: usize,
    values: usize,
    agreeing: usize,
    /// Values and differences of the case that is being compared.
    in_case: InCase,
    explained: Vec<usize>,
    largest: f64,
    place: String,
    failures: Vec<String>,
}

#[derive(Debug, Default)]
struct InCase {
    compared: usize,
    explained: usize,
    failed: usize,
}

/// Failures that are printed in full.
const SHOWN: usize = 60;

impl Tally {
    /// The count of a section, whose line says the largest relative difference.
    #[must_use]
    pub fn new(section: impl Into<String>) -> Self {
        Self {
            section: section.into(),
            worst: Worst::Relative,
            deviations: &[],
            may_be_absent: false,
            case: String::new(),
            cases: 0,
            passed: 0,
            deviating: 0,
            values: 0,
            agreeing: 0,
            in_case: InCase::default(),
            explained: Vec::new(),
            largest: 0.0,
            place: String::new(),
            failures: Vec::new(),
        }
    }

    /// The same section with a table of known deviations.
    #[must_use]
    pub fn deviations(self, deviations: &'static [Deviation]) -> Self {
        Self { deviations, explained: vec![0; deviations.len()], ..self }
    }

    /// The same section with a line that says something else about the values that agree.
    #[must_use]
    pub fn worst(self, worst: Worst) -> Self {
        Self { worst, ..self }
    }

    /// A section that a pack may lack. Without this, a section without cases fails.
    #[must_use]
    pub fn may_be_absent(self) -> Self {
        Self { may_be_absent: true, ..self }
    }

    /// Begins a case.
    pub fn case(&mut self, name: impl Into<String>) {
        self.end_case();
        self.case = name.into();
        self.cases += 1;
    }

    /// Compares a number with the pack's. The element is the part of the case's result, empty where there is only one.
    pub fn value(&mut self, element: impl Display, expected: f64, got: f64, tolerance: Tolerance) {
        self.compare(element, expected, got, tolerance, (&Value::Null, &Value::Null));
    }

    /// Compares numbers with the pack's: as many of them, and each within the tolerance.
    pub fn values(&mut self, element: impl Display, expected: &[f64], got: &[f64], tolerance: Tolerance) {
        let lengths = expected.len() == got.len();
        self.check(lengths, format_args!("{element}: {} values instead of {}", got.len(), expected.len()));
        for (position, (&expected, &got)) in expected.iter().zip(got).enumerate() {
            self.value(format_args!("{element} {position}"), expected, got, tolerance);
        }
    }

    /// Judges a difference that the test computed itself, such as the largest one of two images.
    pub fn difference(&mut self, element: impl Display, difference: f64, allowed: f64) {
        self.value(element, 0.0, difference, Tolerance::absolute(allowed));
    }

    /// A case of one difference that the test computed itself.
    pub fn case_of_difference(&mut self, name: impl Into<String>, difference: f64, allowed: f64) {
        self.case(name);
        self.difference("", difference, allowed);
    }

    /// Counts something that holds or does not.
    pub fn check(&mut self, holds: bool, element: impl Display) {
        self.count(holds, element, f64::NAN, f64::NAN, (&Value::Null, &Value::Null));
    }

    /// Compares the fields of a result with those of the pack.
    ///
    /// What the result lacks is not compared; a field that the pack lacks is a difference. Lists have to be of one
    /// length. A list or an object of one element may stand for that element, as R writes it.
    pub fn fields(&mut self, expected: &Value, got: &Value, tolerance: Tolerance) {
        self.compare_json("", expected, got, tolerance, (expected, got));
        if expected.as_object().is_some_and(serde_json::Map::is_empty) {
            self.check(true, "nothing is expected");
        }
    }

    /// Counts a result that could not be computed, which deviations see as null.
    pub(crate) fn absent(&mut self, expected: &Value, element: impl Display) {
        self.count(false, element, f64::NAN, f64::NAN, (expected, &Value::Null));
    }

    fn compare_json(
        &mut self,
        element: &str,
        expected: &Value,
        got: &Value,
        tolerance: Tolerance,
        results: (&Value, &Value),
    ) {
        match (expected, got) {
            (Value::Object(expected), Value::Object(fields)) => {
                for (key, value) in fields {
                    let field = format!("{element}/{key}");
                    match expected.get(key) {
                        Some(expected) => self.compare_json(&field, expected, value, tolerance, results),
                        None => self.count(
                            false,
                            format_args!("{field}: the pack has no such field"),
                            f64::NAN,
                            f64::NAN,
                            results,
                        ),
                    }
                }
            }
            (Value::Array(expected), Value::Array(items)) if expected.len() == items.len() => {
                if expected.is_empty() {
                    self.count(true, element, f64::NAN, f64::NAN, results);
                }
                for (position, (expected, item)) in expected.iter().zip(items).enumerate() {
                    self.compare_json(&format!("{element}/{position}"), expected, item, tolerance, results);
                }
            }
            (Value::Array(expected), Value::Array(items)) => {
                let lengths = format_args!("{element}: {} items instead of {}", items.len(), expected.len());
                self.count(false, lengths, f64::NAN, f64::NAN, results);
            }
            (Value::Array(expected), got) if expected.len() == 1 => {
                self.compare_json(element, &expected[0], got, tolerance, results);
            }
            (Value::Object(expected), Value::Number(_)) if expected.len() == 1 => {
                for expected in expected.values() {
                    self.compare_json(element, expected, got, tolerance, results);
                }
            }
            (expected, Value::Array(got)) if got.len() == 1 => {
                self.compare_json(element, expected, &got[0], tolerance, results);
            }
            _ => match (as_number(expected), as_number(got)) {
                (Some(expected), Some(got)) => self.compare(element, expected, got, tolerance, results),
                _ => {
                    let differ = format_args!("{element}: {got} instead of {expected}");
                    self.count(expected == got, differ, f64::NAN, f64::NAN, results);
                }
            },
        }
    }

    fn compare(
        &mut self,
        element: impl Display,
        expected: f64,
        got: f64,
        tolerance: Tolerance,
        results: (&Value, &Value),
    ) {
        let agrees = tolerance.agrees(expected, got);
        let difference = (expected - got).abs();
        let seen = match self.worst {
            _ if !agrees || difference == 0.0 => 0.0,
            Worst::Relative if difference <= tolerance.absolute => 0.0,
            Worst::Relative => difference / expected.abs(),
            Worst::Difference => difference,
            Worst::PartOfTolerance => difference / tolerance.allowed(expected),
        };
        if seen.is_finite() && seen > self.largest {
            self.largest = seen;
            self.place = place(&self.case, &element.to_string());
        }
        self.count(agrees, element, expected, got, results);
    }

    fn count(&mut self, agrees: bool, element: impl Display, expected: f64, got: f64, results: (&Value, &Value)) {
        self.values += 1;
        self.in_case.compared += 1;
        if agrees {
            self.agreeing += 1;
            return;
        }
        let element = element.to_string();
        let difference = Difference { case: &self.case, element: &element, expected, got, results };
        match self.deviations.iter().position(|deviation| (deviation.explains)(&difference)) {
            Some(known) => {
                self.explained[known] += 1;
                self.in_case.explained += 1;
            }
            None => {
                self.in_case.failed += 1;
                let numbers = if expected.is_nan() && got.is_nan() {
                    String::new()
                } else {
                    let relative = (expected - got).abs() / expected.abs();
                    format!(": {got:e} instead of {expected:e}, relative difference {relative:.1e}")
                };
                self.failures.push(format!("{}{numbers}", place(&self.case, &element)));
            }
        }
    }

    fn end_case(&mut self) {
        let InCase { compared, explained, failed } = std::mem::take(&mut self.in_case);
        match (compared, explained, failed) {
            // Nothing was compared before the first case either.
            (0, ..) if self.cases == 0 => {}
            (0, ..) => self.failures.push(format!("{}: nothing was compared", self.case)),
            (_, 0, 0) => self.passed += 1,
            (_, _, 0) => self.deviating += 1,
            _ => {}
        }
    }

    /// Prints the section's line and its known deviations, and gives back what differs.
    #[must_use]
    pub fn report(mut self) -> Vec<String> {
        self.end_case();
        let Self { section, cases, passed, deviating, values, agreeing, largest, .. } = &self;
        if *cases == 0 {
            println!("{section}: absent from the pack");
            return if self.may_be_absent { Vec::new() } else { vec![format!("{section}: the pack has no cases")] };
        }
        let known = if *deviating > 0 { format!(", {deviating} with known deviations") } else { String::new() };
        let counted = if values == cases { String::new() } else { format!(", {agreeing} of {values} values agree") };
        let worst = match self.worst {
            Worst::Relative => format!("worst relative difference {largest:.1e}"),
            Worst::Difference => format!("worst difference {largest:.3e}"),
            Worst::PartOfTolerance => format!("worst {largest:.3} of the tolerance"),
        };
        let place = if self.place.is_empty() { String::new() } else { format!(" at {}", self.place) };
        println!("{section}: {cases} cases, {passed} passed{known}{counted}, {worst}{place}");
        for (deviation, count) in self.deviations.iter().zip(&self.explained).filter(|(_, count)| **count > 0) {
            println!("  known deviation in {count} values: {}", deviation.reason);
        }
        for failure in self.failures.iter().take(SHOWN) {
            println!("  {failure}");
        }
        self.failures.iter().map(|failure| format!("{section}: {failure}")).collect()
    }

    /// Prints the section's line and its known deviations.
    ///
    /// # Panics
    /// When a case failed, or when there was none.
    pub fn finish(self) {
        finish([self]);
    }
}

/// Prints the lines of several sections.
///
/// # Panics
/// When a case of any section failed, after all lines were printed.
pub fn finish(sections: impl IntoIterator<Item = Tally>) {
    let failures: Vec<String> = sections.into_iter().flat_map(Tally::report).collect();
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differences:\n{shown}", failures.len());
}

/// A case and an element of it in words.
fn place(case: &str, element: &str) -> String {
    if element.is_empty() || element.starts_with(['/', ':']) {
        format!("{case}{element}")
    } else {
        format!("{case} {element}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::new("section");
        tally.case("case");
        tally
    }

    #[test]
    fn tolerances_add() {
        let tolerance = Tolerance { relative: 0.1, absolute: 1.0 };
        assert!(tolerance.agrees(10.0, 12.0) && !tolerance.agrees(10.0, 12.1));
        assert!(tolerance.agrees(f64::NAN, f64::NAN) && !tolerance.agrees(1.0, f64::NAN));
        assert!(tolerance.agrees(f64::INFINITY, f64::INFINITY) && !tolerance.agrees(f64::INFINITY, 1.0));
        assert!(Tolerance::EXACT.agrees(0.0, -0.0) && !Tolerance::EXACT.agrees(0.1, 0.1f64.next_up()));
    }

    #[test]
    fn a_case_passes_when_all_of_its_values_agree() {
        let mut tally = tally();
        tally.values("v", &[1.0, 2.0], &[1.0, 2.0], Tolerance::EXACT);
        tally.case("other");
        tally.value("", 1.0, 1.5, Tolerance::EXACT);
        tally.end_case();
        assert_eq!((tally.cases, tally.passed, tally.values, tally.agreeing), (2, 1, 4, 3));
        assert_eq!(tally.failures, ["other: 1.5e0 instead of 1e0, relative difference 5.0e-1"]);
    }

    #[test]
    fn the_failure_says_which_element_differs() {
        let mut tally = tally();
        let (expected, got) = (json!({"a": [1.0, 2.0], "b": 3, "c": "x"}), json!({"a": [1.0, 2.5], "c": "y", "d": 1}));
        tally.fields(&expected, &got, Tolerance::relative(0.1));
        let failures = tally.report();
        assert_eq!(
            failures,
            [
                "section: case/a/1: 2.5e0 instead of 2e0, relative difference 2.5e-1",
                "section: case/c: \"y\" instead of \"x\"",
                "section: case/d: the pack has no such field"
            ]
        );
    }

    #[test]
    fn one_element_may_stand_for_itself() {
        let mut tally = tally();
        for (expected, got) in [
            (json!([1.0]), json!(1.0)),
            (json!({"df": 1.0}), json!(1.0)),
            (json!(1.0), json!([1.0])),
            (json!({}), json!({})),
        ] {
            tally.fields(&expected, &got, Tolerance::EXACT);
        }
        tally.end_case();
        assert_eq!((tally.values, tally.agreeing, tally.passed), (4, 4, 1));
    }

    #[test]
    fn lists_have_to_be_of_one_length() {
        let mut tally = tally();
        tally.fields(&json!([1.0, 2.0]), &json!([1.0]), Tolerance::EXACT);
        assert_eq!(tally.report(), ["section: case: 1 items instead of 2"]);
    }

    #[test]
    fn nothing_compared_is_a_failure() {
        assert_eq!(tally().report(), ["section: case: nothing was compared"]);
        let mut fields = tally();
        fields.fields(&json!({"a": 1}), &json!({}), Tolerance::EXACT);
        assert_eq!(fields.report(), ["section: case: nothing was compared"]);
    }

    #[test]
    fn a_section_has_cases_unless_it_may_be_absent() {
        assert_eq!(Tally::new("section").report(), ["section: the pack has no cases"]);
        assert!(Tally::new("section").may_be_absent().report().is_empty());
    }

    const HALVES: &[Deviation] =
        &[Deviation { reason: "halves are rounded up", explains: |d| d.case == "case" && d.got - d.expected == 0.5 }];

    #[test]
    fn known_deviations_are_counted_apart() {
        let mut tally = Tally::new("section").deviations(HALVES);
        for case in ["case", "other"] {
            tally.case(case);
            tally.value("", 1.0, 1.5, Tolerance::EXACT);
        }
        tally.end_case();
        assert_eq!((tally.passed, tally.deviating, tally.failures.len()), (0, 1, 1));
    }

    #[test]
    fn what_the_line_says_of_the_worst_value() {
        for (worst, largest) in [(Worst::Relative, 0.125), (Worst::Difference, 0.5), (Worst::PartOfTolerance, 0.25)] {
            let mut tally = Tally::new("section").worst(worst);
            tally.case("case");
            tally.value("a", 4.0, 4.5, Tolerance::relative(0.5));
            tally.value("b", 4.0, 4.25, Tolerance::absolute(1.0));
            assert_eq!((tally.largest, tally.place.as_str()), (largest, "case a"));
        }
    }
}
