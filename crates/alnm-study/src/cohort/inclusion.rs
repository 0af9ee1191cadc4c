//! The inclusion criteria of the protocol, as far as the table of patients contains them.

use serde::{Deserialize, Serialize};

use super::Problem;
use super::dates::PatientDates;
use super::spreadsheet::counted;

/// Years by which an age may differ from that by the dates: it may be that at another visit.
const AGE_TOLERANCE: f64 = 1.5;

/// `[inclusion]` of `cohort.toml`: who belongs into the study. A patient who does not is left out and counted in the
/// patient flow, whatever else `cohort.toml` says about problems.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `mri_days` | 14 | most days from the MRI to the surgery; needs `mri_date` and `surgery_date` |
/// | `blood_days` | 3 | most days from the blood counts to the surgery; needs `blood_date` and `surgery_date` |
/// | `minimum_age` | 18 | least age in years |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct InclusionRules {
    /// Most days from the MRI to the surgery.
    pub mri_days: i64,
    /// Most days from the blood counts to the surgery.
    pub blood_days: i64,
    /// Least age in years.
    pub minimum_age: f64,
}

impl Default for InclusionRules {
    fn default() -> Self {
        Self { mri_days: 14, blood_days: 3, minimum_age: 18.0 }
    }
}

impl InclusionRules {
    /// What the dates and the age of a patient say against the patient: rules that are not met, and dates that cannot
    /// be right.
    pub(super) fn check(&self, patient: &str, dates: &PatientDates, age: Option<f64>) -> Vec<Problem> {
        let mut found = Vec::new();
        let to_surgery =
            [("MRI", "mri_date", dates.mri, self.mri_days), ("blood", "blood_date", dates.blood, self.blood_days)];
        for (name, column, day, most) in to_surgery {
            match PatientDates::days(day, dates.surgery) {
                Some(days) if days < 0 => {
                    let what = format!("the day is {} after the surgery", counted(days.unsigned_abs() as usize, "day"));
                    let place = format!("column {column}");
                    found.push(Problem::of_patient(patient, place, what, format!("check {column} and surgery_date")));
                }
                Some(days) if days > most => {
                    let place = format!("inclusion, {name} within {} before surgery", counted(most as usize, "day"));
                    let what = format!("it was {days} days before");
                    let fix =
                        format!("check {column} and surgery_date, or change [inclusion] {}_days", name.to_lowercase());
                    found.push(Problem::of_patient(patient, place, what, fix).not_eligible());
                }
                _ => {}
            }
        }
        for (column, day) in [("mri_date", dates.mri), ("blood_date", dates.blood), ("surgery_date", dates.surgery)] {
            if PatientDates::days(dates.birth, day).is_some_and(|days| days <= 0) {
                let what = format!("the day of birth is not before {column}");
                found.push(Problem::of_patient(patient, "column birth_date", what, "check both dates"));
            }
        }
        if let (Some(age), Some(by_dates)) = (age, dates.age())
            && (age - by_dates).abs() > AGE_TOLERANCE
        {
            let what = format!("{age} years, but {by_dates} by birth_date and the day of the surgery or the MRI");
            found.push(Problem::of_patient(patient, "column age_years", what, "correct the age or the dates"));
        }
        if let Some(age) = age.or_else(|| dates.age()).filter(|age| *age < self.minimum_age) {
            let place = format!("inclusion, age of {} years or more", self.minimum_age);
            let fix = "check the age, or change [inclusion] minimum_age";
            found.push(Problem::of_patient(patient, place, format!("the age is {age}"), fix).not_eligible());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn rules_and_impossible_dates_are_told_apart() {
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day);
        let dates = PatientDates {
            birth: day(1970, 5, 4),
            mri: day(2020, 3, 1),
            blood: day(2020, 3, 12),
            surgery: day(2020, 3, 15),
        };
        let rules = InclusionRules::default();
        let found = |dates: PatientDates, age: Option<f64>| -> Vec<String> {
            rules
                .check("P1", &dates, age)
                .iter()
                .map(|problem| format!("{}: {}", problem.place, problem.what))
                .collect()
        };
        assert_eq!(found(dates, Some(49.0)), Vec::<String>::new());
        assert_eq!(
            found(PatientDates { mri: day(2020, 2, 29), ..dates }, None),
            ["inclusion, MRI within 14 days before surgery: it was 15 days before"]
        );
        assert_eq!(
            found(PatientDates { blood: day(2020, 3, 11), ..dates }, None),
            ["inclusion, blood within 3 days before surgery: it was 4 days before"]
        );
        assert_eq!(
            found(PatientDates { blood: day(2020, 3, 16), ..dates }, None),
            ["column blood_date: the day is 1 day after the surgery"]
        );
        assert_eq!(found(PatientDates::default(), Some(17.0)), ["inclusion, age of 18 years or more: the age is 17"]);
        assert_eq!(found(dates, Some(60.0)).len(), 1);
        assert_eq!(found(PatientDates { birth: day(2021, 1, 1), ..dates }, None).len(), 4);
    }
}
