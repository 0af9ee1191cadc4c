//! The ten variables that models may use: the name of each, and what it is computed from.
//!
//! | columns of `patients.csv` | name in tables and models | column for `alnm predict` | what it is |
//! |---|---|---|---|
//! | `age_years` | `age` | `age (years)` | age |
//! | `mtd_cm` | `MTD` | `MTD (cm)` | maximum tumour diameter |
//! | `sad_aln_cm` | `SAD_ALN` | `SAD_ALN (cm)` | short axis of the axillary lymph node |
//! | `neutrophils`, `lymphocytes` | `NLR` | `NLR` | N/L |
//! | `platelets`, `lymphocytes` | `PLR` | `PLR` | P/L |
//! | `monocytes`, `lymphocytes` | `MLR` | `MLR` | M/L |
//! | `wbc`, `lymphocytes` | `WLR` | `WLR` | WBC/L |
//! | `neutrophils`, `platelets`, `lymphocytes` | `SII` | `SII (10^9/L)` | N·P/L |
//! | `image`, `mask` | `RadScore` | `RadScore` | score of the radiomic features |
//! | `image`, `mask` | `DLScore` | `DLScore` | score of the deep features |

use alnm_models::calculator::QuotientVariable;
use alnm_models::{RiskModel, Variable};

use crate::cohort::{BloodCounts, Patient};

/// Name of the systemic immune-inflammation index.
pub const SII: &str = "SII";
/// Name of the radiomic score.
pub const RAD_SCORE: &str = "RadScore";
/// Name of the deep score.
pub const DL_SCORE: &str = "DLScore";

/// What a variable is computed from.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Origin {
    /// A clinical variable of the patient, under the name of its column.
    Clinical(&'static str, fn(&Patient) -> f64),
    /// An index of the patient's blood counts, with the names of their columns.
    Blood(&'static [&'static str], fn(&BloodCounts) -> f64),
    /// A score, which is learned from the images.
    Score,
}

/// A variable that a model may hold.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StudyVariable {
    /// Name in tables and models.
    pub name: &'static str,
    /// Unit; empty for ratios and scores.
    pub unit: &'static str,
    /// How many units an odds ratio of Table 2 refers to: MTD and SAD_ALN stand there per millimetre.
    pub per: f64,
    /// What it is computed from.
    pub origin: Origin,
}

const fn variable(name: &'static str, unit: &'static str, per: f64, origin: Origin) -> StudyVariable {
    StudyVariable { name, unit, per, origin }
}

/// The ten variables in the order of the tables.
pub const VARIABLES: [StudyVariable; 10] = [
    variable("age", "years", 1.0, Origin::Clinical("age_years", |patient| patient.age_years)),
    variable("MTD", "cm", 0.1, Origin::Clinical("mtd_cm", |patient| patient.mtd_cm)),
    variable("SAD_ALN", "cm", 0.1, Origin::Clinical("sad_aln_cm", |patient| patient.sad_aln_cm)),
    variable("NLR", "", 1.0, Origin::Blood(&["neutrophils", "lymphocytes"], BloodCounts::nlr)),
    variable("PLR", "", 1.0, Origin::Blood(&["platelets", "lymphocytes"], BloodCounts::plr)),
    variable("MLR", "", 1.0, Origin::Blood(&["monocytes", "lymphocytes"], BloodCounts::mlr)),
    variable("WLR", "", 1.0, Origin::Blood(&["wbc", "lymphocytes"], BloodCounts::wlr)),
    variable(SII, "10^9/L", 1.0, Origin::Blood(&["neutrophils", "platelets", "lymphocytes"], BloodCounts::sii)),
    variable(RAD_SCORE, "", 1.0, Origin::Score),
    variable(DL_SCORE, "", 1.0, Origin::Score),
];

impl StudyVariable {
    /// Whether it is a clinical variable.
    #[must_use]
    pub fn is_clinical(&self) -> bool {
        matches!(self.origin, Origin::Clinical(..))
    }

    /// The patient's value; `None` for a score, which the patient's row does not hold.
    #[must_use]
    pub fn of(&self, patient: &Patient) -> Option<f64> {
        match self.origin {
            Origin::Clinical(_, value) => Some(value(patient)),
            Origin::Blood(_, index) => Some(index(&patient.blood)),
            Origin::Score => None,
        }
    }

    /// The columns of a patient's row that it is computed from; none for a score.
    #[must_use]
    pub fn columns(&self) -> Vec<&'static str> {
        match self.origin {
            Origin::Clinical(column, _) => vec![column],
            Origin::Blood(columns, _) => columns.to_vec(),
            Origin::Score => Vec::new(),
        }
    }

    /// The field of a calculator that computes an index of blood counts: the last of its columns divides the product of
    /// the others.
    #[must_use]
    pub fn quotient(&self) -> Option<QuotientVariable> {
        let Origin::Blood(columns, _) = self.origin else { return None };
        let (denominator, numerator) = columns.split_last()?;
        let count = |column: &&str| Variable::new(column, "10^9/L");
        Some(QuotientVariable::new(self.name, numerator.iter().map(count).collect(), vec![count(denominator)]))
    }

    /// The value from the columns of a row, of which those that it needs may be all that there is. `None` for a score,
    /// and where one of them is missing.
    #[must_use]
    pub fn of_columns(&self, value: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        let count = |column: &str| value(column).unwrap_or(f64::NAN);
        match self.origin {
            Origin::Clinical(column, _) => value(column),
            Origin::Blood(columns, index) => columns.iter().all(|column| value(column).is_some()).then(|| {
                index(&BloodCounts {
                    neutrophils: count("neutrophils"),
                    lymphocytes: count("lymphocytes"),
                    monocytes: count("monocytes"),
                    wbc: count("wbc"),
                    platelets: count("platelets"),
                })
            }),
            Origin::Score => None,
        }
    }
}

/// The fields of a calculator for a model: the blood counts of each index among its variables.
#[must_use]
pub fn quotients(model: &RiskModel) -> Vec<QuotientVariable> {
    let is_used = |variable: &&StudyVariable| {
        model.variables().iter().any(|used| used.variable.name == variable.name && used.variable.unit == variable.unit)
    };
    VARIABLES.iter().filter(is_used).filter_map(StudyVariable::quotient).collect()
}

/// Names of the clinical variables.
#[must_use]
pub fn clinical_names() -> Vec<&'static str> {
    VARIABLES.iter().filter(|variable| variable.is_clinical()).map(|variable| variable.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_needs_its_own_counts_alone() {
        let row = |column: &str| match column {
            "neutrophils" => Some(4.0),
            "lymphocytes" => Some(2.0),
            "platelets" => Some(250.0),
            _ => None,
        };
        let value = |name: &str| VARIABLES.iter().find(|variable| variable.name == name).unwrap().of_columns(&row);
        assert_eq!((value(SII), value("NLR"), value("MLR"), value("age")), (Some(500.0), Some(2.0), None, None));
        assert_eq!(value(RAD_SCORE), None);
        // Divided as the calculator does it.
        for variable in VARIABLES {
            let Some(quotient) = variable.quotient() else { continue };
            let full = |column: &str| row(column).or(Some(0.5));
            let product = |parts: &[Variable]| {
                parts.iter().filter_map(|part| full(&part.name)).fold(1.0, |product, value| product * value)
            };
            assert_eq!(variable.of_columns(&full), Some(product(&quotient.numerator) / product(&quotient.denominator)));
        }
    }
}
