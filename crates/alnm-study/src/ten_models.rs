//! The ten models of the study, with the variables that each uses.

use alnm_models::model_set::ModelSpecification;

use crate::variables::{DL_SCORE, RAD_SCORE, SII, clinical_names};

/// Confidence level of every interval.
pub const LEVEL: f64 = 0.95;
/// The name of the model that holds everything.
pub const INTEGRATED: &str = "Integrated";

/// The study's ten models: of clinical variables, the index SII, RadScore and DLScore, alone and together.
pub(crate) fn specifications() -> Vec<ModelSpecification> {
    let with = |name: &str, parts: &[&[&str]]| ModelSpecification::new(name, parts.concat());
    let clinical = &clinical_names()[..];
    let (sii, radiomic, deep) = (&[SII][..], &[RAD_SCORE][..], &[DL_SCORE][..]);
    vec![
        with("Clinical", &[clinical]),
        with("SII", &[sii]),
        with("Rad", &[radiomic]),
        with("DL", &[deep]),
        with("Clinical+SII", &[clinical, sii]),
        with("Clinical+Rad", &[clinical, radiomic]),
        with("Clinical+DL", &[clinical, deep]),
        with("Rad+SII", &[radiomic, sii]),
        with("DL+SII", &[deep, sii]),
        with(INTEGRATED, &[clinical, sii, radiomic, deep]),
    ]
}
