//! Files as they come back from strangers: cut short, edited by hand, merged badly, sent through a wrong encoding.
//!
//! [`json_variants`], [`text_variants`] and [`bytes_variants`] make such files from a good one, the same ones each
//! time, and [`refused_or_same`] reads all of them: each has to be refused with a message or to give the answer of the
//! good file. Some variants mean the same as the good file (other white space, another order of keys, a number in
//! another notation); a reader may take or refuse these.
//!
//! ```
//! use alnm_conformance::damage::{json_variants, refused_or_same};
//!
//! // A reader that takes nothing but the file that it wrote.
//! let good = r#"{"format": "score", "version": 1, "weights": [0.5, -1.25]}"#;
//! let read = |text: &str| if text == good { Ok([0.5, -1.25]) } else { Err("this is not the file that was written") };
//! let outcome = refused_or_same("score", &json_variants(good), |variant| read(&variant.text), &[0.5, -1.25]);
//! assert!(outcome.refused > 60 && outcome.same == 0);
//! ```

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};

mod bytes;
mod json;
mod tree;

pub use bytes::{bytes_variants, text_variants};
pub use json::json_variants;

/// One edited or damaged variant of a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The kind of edit, the same words for each place that it was made at.
    pub kind: &'static str,
    /// The kind of edit and the place of it.
    pub what: String,
    /// The whole file after the edit.
    pub text: String,
}

/// One damaged variant of a binary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedBytes {
    /// The kind of damage, the same words for each place that it was done at.
    pub kind: &'static str,
    /// The kind of damage and the place of it.
    pub what: String,
    /// The whole file after the damage.
    pub bytes: Vec<u8>,
}

/// A variant of a file, of text or of bytes.
pub trait Variant {
    /// The kind of edit.
    fn kind(&self) -> &'static str;
    /// The kind of edit and the place of it.
    fn what(&self) -> &str;
}

impl Variant for Damaged {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn what(&self) -> &str {
        &self.what
    }
}

impl Variant for DamagedBytes {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn what(&self) -> &str {
        &self.what
    }
}

/// How the variants of one file were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Different kinds of edit among the variants.
    pub kinds: usize,
    /// Variants that were refused with a message.
    pub refused: usize,
    /// Variants that gave the answer of the good file.
    pub same: usize,
}

/// Reads every variant and prints one line with the counts.
///
/// `read` gives the answer that a variant leads to: a prediction, a score, the fitted value itself. `good` is the
/// answer of the undamaged file.
///
/// # Panics
/// When a variant gives another answer than `good`, when its message is empty, or when reading it panics. The message
/// names all such variants.
pub fn refused_or_same<V: Variant, A: PartialEq + Debug, E: Display>(
    file: &str,
    variants: &[V],
    read: impl Fn(&V) -> Result<A, E>,
    good: &A,
) -> Outcome {
    let kinds = variants.iter().map(Variant::kind).collect::<BTreeSet<_>>().len();
    let mut outcome = Outcome { kinds, refused: 0, same: 0 };
    let mut failures = Vec::new();
    for variant in variants {
        match catch_unwind(AssertUnwindSafe(|| read(variant))) {
            Ok(Ok(answer)) if answer == *good => outcome.same += 1,
            Ok(Ok(answer)) => failures.push(format!("{}: gives {answer:?}", variant.what())),
            Ok(Err(error)) if error.to_string().trim().is_empty() => {
                failures.push(format!("{}: refused without a message", variant.what()));
            }
            Ok(Err(_)) => outcome.refused += 1,
            Err(_) => failures.push(format!("{}: panics", variant.what())),
        }
    }
    println!(
        "{file}: {} variants of {kinds} kinds, {} refused, {} with the same answer, {} wrong",
        variants.len(),
        outcome.refused,
        outcome.same,
        failures.len()
    );
    let shown = failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        failures.is_empty(),
        "{file}: {} variants give another answer than the good file:\n{shown}",
        failures.len()
    );
    outcome
}

/// A kind of edit of one number or word.
type Rewriting<'a> = (&'static str, &'a dyn Fn(&str) -> String);

/// At most `count` of the items, the first and the last among them and the others evenly between.
fn spread<T: Clone>(items: &[T], count: usize) -> Vec<T> {
    if items.len() <= count {
        return items.to_vec();
    }
    let last = items.len() - 1;
    match count {
        0 => Vec::new(),
        1 => vec![items[last / 2].clone()],
        _ => (0..count).map(|k| items[k * last / (count - 1)].clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(kind: &'static str, text: &str) -> Damaged {
        Damaged { kind, what: format!("{kind} somewhere"), text: text.to_owned() }
    }

    fn read(variant: &Damaged) -> Result<f64, String> {
        variant.text.parse().map_err(|_| format!("{:?} is not a number", variant.text))
    }

    #[test]
    fn refusals_and_equal_answers_are_counted() {
        let variants = [variant("a letter", "x"), variant("a letter", "1x"), variant("an exponent", "1e0")];
        let outcome = refused_or_same("a number", &variants, read, &1.0);
        assert_eq!(outcome, Outcome { kinds: 2, refused: 2, same: 1 });
    }

    #[test]
    #[should_panic(expected = "another digit somewhere: gives 2.0")]
    fn another_answer_fails() {
        refused_or_same("a number", &[variant("another digit", "2")], read, &1.0);
    }

    #[test]
    #[should_panic(expected = "nothing somewhere: refused without a message")]
    fn a_refusal_has_to_say_why() {
        refused_or_same("a number", &[variant("nothing", "")], |_| Err::<f64, _>(""), &1.0);
    }

    #[test]
    #[should_panic(expected = "a letter somewhere: panics")]
    fn a_panic_is_no_refusal() {
        refused_or_same(
            "a number",
            &[variant("a letter", "x")],
            |v| Ok::<f64, String>(v.text.parse().expect("one")),
            &1.0,
        );
    }

    #[test]
    fn places_are_spread_from_the_first_to_the_last() {
        assert_eq!(spread(&[0, 1, 2, 3, 4, 5, 6], 3), [0, 3, 6]);
        assert_eq!(spread(&[0, 1], 3), [0, 1]);
        assert_eq!(spread(&[0, 1, 2], 1), [1]);
    }
}
