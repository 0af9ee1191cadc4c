//! The design of a study: which patients are learned from, and which are judged.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{CohortDescription, Patient, Problem};

/// Which date of a patient says whether the patient is an earlier or a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SplitDate {
    /// The column `mri_date`.
    #[default]
    MriDate,
    /// The column `surgery_date`.
    SurgeryDate,
}

impl SplitDate {
    fn column(self) -> &'static str {
        match self {
            Self::MriDate => "mri_date",
            Self::SurgeryDate => "surgery_date",
        }
    }

    fn of(self, patient: &Patient) -> Option<NaiveDate> {
        match self {
            Self::MriDate => patient.dates.mri,
            Self::SurgeryDate => patient.dates.surgery,
        }
    }
}

/// `[design]` of `cohort.toml`: designs beside one training centre and other centres that validate. With an empty
/// `validation_centres` the study has one centre alone, whose cross-fitted figures judge the models.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `later_from` | none | a day such as `"2021-01-01"`: patients of the training centre from this day on teach nothing and validate, as a centre of their own (temporal validation) |
/// | `split_by` | `"mri_date"` | the date that is compared with `later_from`: `"mri_date"` or `"surgery_date"` |
/// | `leave_one_centre_out` | `false` | every centre is judged by selections, scores, models and a network that were learned in all others, too |
/// | `survival_months` | 60 | the time, in months, by which the risks of a recurrence are judged, where the table has `follow_up_months` and `recurrence` |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct StudyDesign {
    /// First day of the later patients of the training centre.
    pub later_from: Option<NaiveDateText>,
    /// The date that is compared with it.
    pub split_by: SplitDate,
    /// Whether every centre is judged by what was learned in all others.
    pub leave_one_centre_out: bool,
    /// Time in months by which the risks of a recurrence are judged.
    pub survival_months: f64,
}

impl Default for StudyDesign {
    fn default() -> Self {
        Self { later_from: None, split_by: SplitDate::default(), leave_one_centre_out: false, survival_months: 60.0 }
    }
}

/// A day, written year-month-day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NaiveDateText(NaiveDate);

impl TryFrom<String> for NaiveDateText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d");
        day.map(Self).map_err(|_| format!("the day is `{text}`; write year-month-day, such as \"2021-01-01\""))
    }
}

impl From<NaiveDateText> for String {
    fn from(day: NaiveDateText) -> Self {
        day.0.to_string()
    }
}

impl StudyDesign {
    /// What contradicts itself in the design.
    pub(super) fn check(&self) -> Option<Problem> {
        let problem = |key: &str, what: String, fix: &str| {
            Some(Problem::of_cohort(format!("cohort.toml, design.{key}"), what, fix))
        };
        if self.later_from.is_some() && self.leave_one_centre_out {
            let fix = "choose one of the two: earlier and later patients of a centre are no two centres";
            return problem("leave_one_centre_out", "it is set together with later_from".to_owned(), fix);
        }
        if !(self.survival_months.is_finite() && self.survival_months > 0.0) {
            let what = format!("the time is {} months", self.survival_months);
            return problem("survival_months", what, "it must be above 0; 60 months are usual");
        }
        None
    }

    /// Makes the later patients of the training centre a centre of their own, which comes first among those that
    /// validate. A patient of the training centre without the date is a problem.
    pub(super) fn split(
        &self,
        description: &mut CohortDescription,
        patients: &mut [Patient],
        problems: &mut Vec<Problem>,
    ) {
        let Some(NaiveDateText(first_day)) = self.later_from else { return };
        let later = format!("{} from {first_day}", description.training_centre);
        for patient in patients.iter_mut().filter(|patient| patient.centre == description.training_centre) {
            match self.split_by.of(patient) {
                Some(day) if day >= first_day => patient.centre.clone_from(&later),
                Some(_) => {}
                None => {
                    let place = format!("column {}", self.split_by.column());
                    let what = "the date is missing that tells earlier from later patients";
                    let fix = "fill it in, or take [design] later_from out of cohort.toml";
                    problems.push(Problem::of_patient(&patient.id, place, what, fix));
                }
            }
        }
        description.validation_centres.insert(0, later);
    }
}
