//! Codes: what a hospital writes for positive, negative and a subtype, and which rules of `cohort.toml` read it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Subtype;
use super::numbers::{DecimalMark, is_missing, number};

/// A code as TOML writes it: a text or a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Code {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Number(number) => write!(formatter, "{number}"),
        }
    }
}

/// The codes for positive and negative in a column of two values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FlagCodes {
    /// Codes for positive, beside 1, yes, true, positive.
    #[serde(default)]
    pub positive: Vec<Code>,
    /// Codes for negative, beside 0, no, false, negative.
    #[serde(default)]
    pub negative: Vec<Code>,
    /// Codes for a value that is not known, for instance a HER2 score of 2+ without in-situ hybridisation.
    #[serde(default)]
    pub missing: Vec<Code>,
    /// The column holds percentages: positive from here on.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// `[codes]` of `cohort.toml`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Codes {
    /// Of the outcome.
    pub alnm: FlagCodes,
    /// Of the progesterone receptor.
    pub pr: FlagCodes,
    /// Of the oestrogen receptor.
    pub er: FlagCodes,
    /// Of HER2.
    pub her2: FlagCodes,
    /// Of Ki-67.
    pub ki67: FlagCodes,
    /// Of a recurrence.
    pub recurrence: FlagCodes,
    /// Of the subtype: its names in the study with those of the table.
    pub subtype: BTreeMap<String, Vec<Code>>,
}

impl Codes {
    /// The codes of a column of two values.
    pub(super) fn of(&self, column: &str) -> &FlagCodes {
        match column {
            "alnm" => &self.alnm,
            "pr" => &self.pr,
            "er" => &self.er,
            "her2" => &self.her2,
            "ki67" => &self.ki67,
            _ => &self.recurrence,
        }
    }
}

/// A text without regard to case and blanks; a number without regard to how it is written.
fn canonical(text: &str) -> String {
    match number(text, if text.contains(',') { DecimalMark::Comma } else { DecimalMark::Point }) {
        Ok(value) => value.to_string(),
        Err(_) => text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase(),
    }
}

const POSITIVE: [&str; 7] = ["1", "yes", "y", "true", "positive", "pos", "+"];
const NEGATIVE: [&str; 6] = ["0", "no", "n", "false", "negative", "neg"];

/// What a cell of two values says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Known(bool),
    Missing,
    Unknown,
}

impl FlagCodes {
    /// Whether the rules say anything about a code of the column.
    pub(super) fn is_declared(&self) -> bool {
        *self != Self::default()
    }

    /// What a cell says.
    pub(super) fn read(&self, cell: &str, missing: &[String]) -> Flag {
        let text = canonical(cell);
        let is_among = |codes: &[Code]| codes.iter().any(|code| canonical(&code.to_string()) == text);
        if is_among(&self.positive) {
            return Flag::Known(true);
        }
        if is_among(&self.negative) {
            return Flag::Known(false);
        }
        if is_among(&self.missing) || is_missing(cell, missing) {
            return Flag::Missing;
        }
        match self.threshold {
            Some(threshold) => percentage(cell).map_or(Flag::Unknown, |share| Flag::Known(share >= threshold)),
            None if POSITIVE.contains(&text.as_str()) => Flag::Known(true),
            None if NEGATIVE.contains(&text.as_str()) => Flag::Known(false),
            None => Flag::Unknown,
        }
    }
}

/// A percentage with or without its sign; `None` for anything else, and outside 0 to 100.
pub(super) fn percentage(cell: &str) -> Option<f64> {
    let text = cell.trim().trim_end_matches('%').trim_end();
    let decimal = if text.contains(',') { DecimalMark::Comma } else { DecimalMark::Point };
    number(text, decimal).ok().filter(|value| (0.0..=100.0).contains(value))
}

/// The subtype that a cell names; `None` for anything else.
pub(super) fn subtype(cell: &str, codes: &BTreeMap<String, Vec<Code>>) -> Option<Subtype> {
    let text = canonical(cell);
    let declared = codes.iter().find(|(_, codes)| codes.iter().any(|code| canonical(&code.to_string()) == text));
    let name = match declared {
        Some((name, _)) => compact(name),
        None => compact(&text),
    };
    Some(match name.as_str() {
        "her2+" | "her2positive" | "her2enriched" => Subtype::Her2Positive,
        "luminala" => Subtype::LuminalA,
        "luminalb" => Subtype::LuminalB,
        "tnbc" | "triplenegative" => Subtype::TripleNegative,
        _ => return None,
    })
}

/// A name in lower case without blanks, and without hyphens between letters.
fn compact(name: &str) -> String {
    let lower = name.to_lowercase();
    let end = lower.trim_end();
    let inner = end.strip_suffix('-').unwrap_or(end);
    let joined: String = inner.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect();
    if inner.len() == end.len() { joined } else { format!("{joined}-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> FlagCodes {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn flags_are_read_without_regard_to_case_and_form() {
        let plain = FlagCodes::default();
        for text in ["1", "1.0", "1,0", "01", "Yes", "POSITIVE", "pos", "+", "true"] {
            assert_eq!(plain.read(text, &[]), Flag::Known(true), "{text}");
        }
        for text in ["0", "0.0", "No", "negative", "neg", "false"] {
            assert_eq!(plain.read(text, &[]), Flag::Known(false), "{text}");
        }
        for text in ["", "NA", "?"] {
            assert_eq!(plain.read(text, &[]), Flag::Missing, "{text}");
        }
        for text in ["2", "3+", "25 %", "ja"] {
            assert_eq!(plain.read(text, &[]), Flag::Unknown, "{text}");
        }
    }

    #[test]
    fn declared_rules_come_first() {
        let her2 = codes("positive = [\"3+\", 3]\nnegative = [\"0\", \"1+\", 1]\nmissing = [\"2+\"]");
        assert_eq!(
            ["3+", "1+", "1", "2+"].map(|cell| her2.read(cell, &[])),
            [Flag::Known(true), Flag::Known(false), Flag::Known(false), Flag::Missing]
        );
        let ki67 = codes("threshold = 20");
        assert_eq!(
            ["25 %", "20%", "19,5", "1", "120", "hoch"].map(|cell| ki67.read(cell, &[])),
            [
                Flag::Known(true),
                Flag::Known(true),
                Flag::Known(false),
                Flag::Known(false),
                Flag::Unknown,
                Flag::Unknown
            ]
        );
        let dash = codes("negative = [\"-\"]");
        assert_eq!(dash.read("-", &[]), Flag::Known(false));
    }

    #[test]
    fn subtypes_are_read_without_regard_to_case() {
        let declared = BTreeMap::from([("Luminal A".to_owned(), vec![Code::Text("LA".to_owned())])]);
        for (text, expected) in [
            ("luminal a", Some(Subtype::LuminalA)),
            ("Luminal-B", Some(Subtype::LuminalB)),
            ("la", Some(Subtype::LuminalA)),
            ("her2+", Some(Subtype::Her2Positive)),
            ("HER2-enriched", Some(Subtype::Her2Positive)),
            ("HER2-", None),
            ("Triple negative", Some(Subtype::TripleNegative)),
            ("Luminal C", None),
        ] {
            assert_eq!(subtype(text, &declared), expected, "{text}");
        }
    }
}
