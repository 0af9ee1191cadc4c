//! What is measured in a patient and may be missing. Indices of blood counts are computed from it.

use crate::cohort::Patient;

/// A measured value that may be missing: its name, its unit and where a patient has it.
pub(crate) struct MeasuredColumn {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    #[cfg_attr(
        not(feature = "learning"),
        expect(dead_code, reason = "only the tables of a study are completed in place")
    )]
    pub(crate) field: fn(&mut Patient) -> &mut f64,
    pub(crate) value: fn(&Patient) -> f64,
}

/// What is measured, and imputed; indices are computed from completed counts.
pub(crate) const MEASUREMENTS: [MeasuredColumn; 8] = [
    MeasuredColumn { name: "age_years", unit: "years", field: |p| &mut p.age_years, value: |p| p.age_years },
    MeasuredColumn { name: "mtd_cm", unit: "cm", field: |p| &mut p.mtd_cm, value: |p| p.mtd_cm },
    MeasuredColumn { name: "sad_aln_cm", unit: "cm", field: |p| &mut p.sad_aln_cm, value: |p| p.sad_aln_cm },
    MeasuredColumn {
        name: "neutrophils",
        unit: "10^9/L",
        field: |p| &mut p.blood.neutrophils,
        value: |p| p.blood.neutrophils,
    },
    MeasuredColumn {
        name: "lymphocytes",
        unit: "10^9/L",
        field: |p| &mut p.blood.lymphocytes,
        value: |p| p.blood.lymphocytes,
    },
    MeasuredColumn {
        name: "monocytes",
        unit: "10^9/L",
        field: |p| &mut p.blood.monocytes,
        value: |p| p.blood.monocytes,
    },
    MeasuredColumn { name: "wbc", unit: "10^9/L", field: |p| &mut p.blood.wbc, value: |p| p.blood.wbc },
    MeasuredColumn {
        name: "platelets",
        unit: "10^9/L",
        field: |p| &mut p.blood.platelets,
        value: |p| p.blood.platelets,
    },
];
