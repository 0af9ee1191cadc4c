//! Numbers as they stand in tables: with a decimal point or comma, with marks between thousands, or missing.

use super::spreadsheet::counted;

/// Texts for a value that is not known, in lower case.
const MISSING: [&str; 17] =
    ["", "na", "n/a", "n.a.", "n. a.", "nan", "#n/a", "#na", "#nv", "-", "--", "–", "—", "?", ".", "null", "missing"];

/// Whether a cell says that its value is not known; `declared` are further texts that say so.
pub(super) fn is_missing(cell: &str, declared: &[String]) -> bool {
    let cell = cell.trim().to_lowercase();
    MISSING.contains(&cell.as_str()) || declared.iter().any(|text| text.trim().to_lowercase() == cell)
}

/// The marks of a column of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalMark {
    Point,
    Comma,
}

/// What a column of numbers looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Cells with commas alone, with points alone, and with both.
    commas: usize,
    points: usize,
    /// Cells with both, by the mark that stands last.
    both: [usize; 2],
}

impl Marks {
    pub(super) fn of<'a>(cells: impl Iterator<Item = &'a str>) -> Self {
        let mut marks = Self { commas: 0, points: 0, both: [0; 2] };
        // Other texts, such as a date, say nothing about the marks of numbers.
        let is_number = |cell: &&str| {
            cell.chars().any(|c| c.is_ascii_digit())
                && cell.chars().all(|c| c.is_ascii_digit() || ".,+-−eE' \u{a0}".contains(c))
        };
        for cell in cells.filter(is_number) {
            match (cell.rfind('.'), cell.rfind(',')) {
                (Some(point), Some(comma)) => marks.both[usize::from(comma > point)] += 1,
                (Some(_), None) => marks.points += 1,
                (None, Some(_)) => marks.commas += 1,
                (None, None) => {}
            }
        }
        marks
    }

    /// The decimal mark of the column.
    ///
    /// # Errors
    /// What is mixed in the column, in words.
    pub(super) fn decimal(self) -> Result<DecimalMark, String> {
        let Self { commas, points, both: [ends_in_point, ends_in_comma] } = self;
        match (commas + ends_in_comma > 0, points + ends_in_point > 0) {
            (true, true) => Err(format!(
                "{} with decimal commas beside {} with decimal points",
                counted(commas + ends_in_comma, "value"),
                counted(points + ends_in_point, "value"),
            )),
            (true, false) => Ok(DecimalMark::Comma),
            (false, _) => Ok(DecimalMark::Point),
        }
    }

    /// Cells with commas.
    pub(super) fn commas(self) -> usize {
        self.commas + self.both[1]
    }
}

/// The number that a cell holds.
///
/// # Errors
/// Why it holds none, in words.
pub(super) fn number(cell: &str, decimal: DecimalMark) -> Result<f64, &'static str> {
    let (mark, thousands) = match decimal {
        DecimalMark::Point => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let compact: String = cell.chars().filter(|c| !matches!(c, '\u{a0}' | '\u{202f}' | '\'')).collect();
    if compact.contains(thousands) && !has_groups_of_three(&compact, mark, thousands) {
        return Err("its marks are no decimal mark between digits");
    }
    let plain = compact.replace(thousands, "").replace(mark, ".").replace('−', "-");
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(reason(&plain)),
    }
}

fn has_groups_of_three(text: &str, mark: char, thousands: char) -> bool {
    let whole = text.split(mark).next().unwrap_or_default().trim_start_matches(['-', '+', '−']);
    let mut groups = whole.split(thousands);
    let first = groups.next().unwrap_or_default();
    let is_first = (1..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_digit());
    is_first && groups.all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Why a text is no number, where it tells.
fn reason(text: &str) -> &'static str {
    const MONTHS: [&str; 13] =
        ["jan", "feb", "mar", "mär", "apr", "may", "mai", "jun", "jul", "aug", "sep", "okt", "oct"];
    let lower = text.to_lowercase();
    let has_digits = lower.chars().any(|c| c.is_ascii_digit());
    if lower.starts_with('#') {
        "a formula of the spreadsheet failed there"
    } else if has_digits && (MONTHS.iter().any(|month| lower.contains(month)) || is_date(&lower)) {
        "a spreadsheet program made a date of the number"
    } else if lower.starts_with(['<', '>', '≤', '≥']) {
        "it is a limit and no number"
    } else if has_digits && lower.chars().any(char::is_alphabetic) {
        "it holds letters beside the number"
    } else {
        "it is no number"
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['.', '/', '-']).collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_known_by_many_texts() {
        for text in ["", " ", "NA", "n.a.", "-", "?", "#N/A", "NaN", "#NV", "999"] {
            assert!(is_missing(text, &["999".to_owned()]), "{text}");
        }
        for text in ["0", "no", "99", "-1"] {
            assert!(!is_missing(text, &["999".to_owned()]), "{text}");
        }
    }

    #[test]
    fn decimal_marks_are_those_of_the_column() {
        let decimal = |cells: &[&str]| Marks::of(cells.iter().copied()).decimal();
        assert_eq!(decimal(&["1,5", "2", "1.234,5"]), Ok(DecimalMark::Comma));
        assert_eq!(decimal(&["1.5", "2", "1,234.5"]), Ok(DecimalMark::Point));
        assert!(decimal(&["1.5", "1,5"]).unwrap_err().contains("1 value with decimal commas beside 1 value"));
    }

    #[test]
    fn numbers_are_read_and_others_say_why_not() {
        for (text, decimal, value) in [
            ("1,5", DecimalMark::Comma, 1.5),
            ("1.234,5", DecimalMark::Comma, 1234.5),
            ("1,234.5", DecimalMark::Point, 1234.5),
            ("6 030".replace(' ', "\u{a0}").as_str(), DecimalMark::Point, 6030.0),
            ("1e3", DecimalMark::Point, 1000.0),
            ("−2", DecimalMark::Point, -2.0),
        ] {
            assert_eq!(number(text, decimal), Ok(value), "{text}");
        }
        for (text, words) in [
            ("02. Mai", "date"),
            ("1.2.2023", "date"),
            ("#DIV/0!", "formula"),
            ("<0.1", "limit"),
            ("2.5 cm", "letters"),
            ("inf", "no number"),
            ("1,23,4", "marks"),
        ] {
            let found = number(text, DecimalMark::Point).unwrap_err();
            assert!(found.contains(words), "{text}: {found}");
        }
    }
}
