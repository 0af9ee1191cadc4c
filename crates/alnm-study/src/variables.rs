//! The ten variables that models may hold: under which name each stands, and what it is computed from.
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

use crate::cohort::Patient;

/// Name of the systemic immune-inflammation index.
pub const SII: &str = "SII";
/// Name of the radiomic score.
pub const RAD_SCORE: &str = "RadScore";
/// Name of the deep score.
pub const DL_SCORE: &str = "DLScore";

/// What a variable is computed from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// A clinical variable of the patient.
    Clinical(fn(&Patient) -> f64),
    /// An index of the patient's blood counts.
    Blood(fn(&Patient) -> f64),
    /// A score, which is learned from the images.
    Score,
}

/// A variable that a model may hold.
#[derive(Debug, Clone, Copy)]
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
    variable("age", "years", 1.0, Origin::Clinical(|patient| patient.age_years)),
    variable("MTD", "cm", 0.1, Origin::Clinical(|patient| patient.mtd_cm)),
    variable("SAD_ALN", "cm", 0.1, Origin::Clinical(|patient| patient.sad_aln_cm)),
    variable("NLR", "", 1.0, Origin::Blood(|patient| patient.blood.nlr())),
    variable("PLR", "", 1.0, Origin::Blood(|patient| patient.blood.plr())),
    variable("MLR", "", 1.0, Origin::Blood(|patient| patient.blood.mlr())),
    variable("WLR", "", 1.0, Origin::Blood(|patient| patient.blood.wlr())),
    variable(SII, "10^9/L", 1.0, Origin::Blood(|patient| patient.blood.sii())),
    variable(RAD_SCORE, "", 1.0, Origin::Score),
    variable(DL_SCORE, "", 1.0, Origin::Score),
];

impl StudyVariable {
    /// Whether it is a clinical variable.
    #[must_use]
    pub fn is_clinical(&self) -> bool {
        matches!(self.origin, Origin::Clinical(_))
    }

    /// The patient's value; `None` for a score, which the patient's row does not hold.
    #[must_use]
    pub fn of(&self, patient: &Patient) -> Option<f64> {
        match self.origin {
            Origin::Clinical(value) | Origin::Blood(value) => Some(value(patient)),
            Origin::Score => None,
        }
    }
}

/// Names of the clinical variables.
#[must_use]
pub fn clinical_names() -> Vec<&'static str> {
    VARIABLES.iter().filter(|variable| variable.is_clinical()).map(|variable| variable.name).collect()
}
