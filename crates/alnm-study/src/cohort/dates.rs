//! Dates as they stand in tables, and the days between them.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// In which order day, month and year stand, as `[table] dates` of `cohort.toml` declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DateOrder {
    /// 31/12/2024.
    #[serde(rename = "day/month/year")]
    DayFirst,
    /// 12/31/2024.
    #[serde(rename = "month/day/year")]
    MonthFirst,
}

/// The dates of a patient, where they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PatientDates {
    /// Of birth.
    pub birth: Option<NaiveDate>,
    /// Of the MRI.
    pub mri: Option<NaiveDate>,
    /// Of the blood counts.
    pub blood: Option<NaiveDate>,
    /// Of the surgery.
    pub surgery: Option<NaiveDate>,
}

impl PatientDates {
    /// Completed years from birth to surgery, or to the MRI where the day of surgery is not known.
    #[must_use]
    pub fn age(&self) -> Option<f64> {
        let (birth, day) = (self.birth?, self.surgery.or(self.mri)?);
        let is_before_birthday = (day.month(), day.day()) < (birth.month(), birth.day());
        Some(f64::from(day.year() - birth.year() - i32::from(is_before_birthday)))
    }

    /// Days from one date to another.
    pub(super) fn days(from: Option<NaiveDate>, to: Option<NaiveDate>) -> Option<i64> {
        Some((to? - from?).num_days())
    }
}

/// A text that may be a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Year, month and day.
    Ordered(i32, u32, u32),
    /// Two numbers whose order is open, and the year.
    Open(u32, u32, i32),
    TwoDigitYear,
    SerialNumber,
    Other,
}

fn written(cell: &str) -> Written {
    let day = cell.trim().split(['T', ' ']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['.', '-', '/']).collect();
    let numbers: Option<Vec<u32>> = parts.iter().map(|part| part.parse().ok()).collect();
    match (numbers.as_deref(), parts.as_slice()) {
        (Some(&[year, month, day]), [first, ..]) if first.len() == 4 => Written::Ordered(year as i32, month, day),
        (Some(&[first, second, year]), [.., last]) if last.len() == 4 => {
            // Days come first wherever dates have points.
            if day.contains('.') {
                Written::Ordered(year as i32, second, first)
            } else {
                Written::Open(first, second, year as i32)
            }
        }
        (Some(&[_, _, _]), _) => Written::TwoDigitYear,
        (Some(&[number]), [text]) if text.len() == 8 => {
            Written::Ordered((number / 10_000) as i32, number / 100 % 100, number % 100)
        }
        (Some(&[number]), _) if (3_000..=80_000).contains(&number) => Written::SerialNumber,
        _ => Written::Other,
    }
}

/// The order of the dates of a column, where one of them tells it.
///
/// # Errors
/// Why it stays open, in words.
pub(super) fn order<'a>(cells: impl Iterator<Item = &'a str>) -> Result<DateOrder, &'static str> {
    let mut seen = [false; 3];
    for cell in cells {
        if let Written::Open(first, second, _) = written(cell) {
            seen[0] |= first > 12;
            seen[1] |= second > 12;
            seen[2] = true;
        }
    }
    match seen {
        [true, true, _] => Err("some dates have the day first, others the month"),
        [false, false, true] => Err("the dates may have the day or the month first, and none tells which"),
        [false, true, _] => Ok(DateOrder::MonthFirst),
        _ => Ok(DateOrder::DayFirst),
    }
}

/// The date that a cell holds.
///
/// # Errors
/// Why it holds none, in words.
pub(super) fn date(cell: &str, order: DateOrder) -> Result<NaiveDate, &'static str> {
    let (year, month, day) = match (written(cell), order) {
        (Written::Ordered(year, month, day), _) => (year, month, day),
        (Written::Open(day, month, year), DateOrder::DayFirst) => (year, month, day),
        (Written::Open(month, day, year), DateOrder::MonthFirst) => (year, month, day),
        (Written::TwoDigitYear, _) => return Err("its year has two digits"),
        (Written::SerialNumber, _) => return Err("it is a spreadsheet program's number of a day"),
        (Written::Other, _) => return Err("it is no date"),
    };
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or("the calendar has no such day")?;
    if (1890..=2150).contains(&year) { Ok(date) } else { Err("its year is implausible") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn dates_are_read_in_the_order_of_their_column() {
        for text in
            ["2023-05-04", "2023/05/04", "04.05.2023", "4.5.2023", "20230504", "2023-05-04T00:00:00", "04/05/2023"]
        {
            assert_eq!(date(text, DateOrder::DayFirst), Ok(day(2023, 5, 4)), "{text}");
        }
        assert_eq!(date("05/04/2023", DateOrder::MonthFirst), Ok(day(2023, 5, 4)));
        assert_eq!(order(["04/05/2023", "13/05/2023"].into_iter()), Ok(DateOrder::DayFirst));
        assert_eq!(order(["04/05/2023", "05/13/2023"].into_iter()), Ok(DateOrder::MonthFirst));
        assert_eq!(order(["2023-05-04", "04.05.2023"].into_iter()), Ok(DateOrder::DayFirst));
        assert!(order(["04/05/2023"].into_iter()).unwrap_err().contains("none tells"));
        assert!(order(["14/05/2023", "05/14/2023"].into_iter()).unwrap_err().contains("others the month"));
    }

    #[test]
    fn what_is_no_date_says_why() {
        for (text, words) in [
            ("31.02.2023", "no such day"),
            ("04.05.67", "two digits"),
            ("45050", "number of a day"),
            ("May", "no date"),
            ("0203-05-04", "implausible"),
        ] {
            assert!(date(text, DateOrder::DayFirst).unwrap_err().contains(words), "{text}");
        }
    }

    #[test]
    fn ages_are_completed_years() {
        let dates =
            PatientDates { birth: Some(day(1970, 5, 4)), mri: Some(day(2020, 5, 3)), ..PatientDates::default() };
        assert_eq!(dates.age(), Some(49.0));
        assert_eq!(PatientDates { surgery: Some(day(2020, 5, 4)), ..dates }.age(), Some(50.0));
        assert_eq!(PatientDates::days(dates.mri, Some(day(2020, 5, 17))), Some(14));
    }
}
