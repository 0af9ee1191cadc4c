//! The table as this crate writes it.

use std::path::Path;

use alnm_stats::cells;
use alnm_stats::data_table::DataTable;
use anyhow::Result;

use super::super::columns::COLUMNS;
use super::super::{Patient, Subtype};
use crate::store::write_file;

/// Writes patients in the format that [`read_patients`](super::read_patients) reads.
///
/// # Errors
/// When the file cannot be written.
pub fn write_patients(path: &Path, patients: &[Patient]) -> Result<()> {
    let mut table = DataTable::new(COLUMNS)?;
    for patient in patients {
        let flag = |value: Option<bool>| value.map(usize::from);
        let measured = |value: f64| (!value.is_nan()).then_some(value);
        let file = |path: &Path| path.display().to_string();
        let blood = &patient.blood;
        table.push(cells![
            patient.id.clone(),
            patient.centre.clone(),
            usize::from(patient.alnm),
            measured(patient.age_years),
            measured(patient.mtd_cm),
            measured(patient.sad_aln_cm),
            flag(patient.markers.pr),
            flag(patient.markers.er),
            flag(patient.markers.her2),
            flag(patient.markers.ki67),
            patient.subtype.map(Subtype::name),
            measured(blood.neutrophils),
            measured(blood.lymphocytes),
            measured(blood.monocytes),
            measured(blood.wbc),
            measured(blood.platelets),
            file(&patient.image),
            file(&patient.mask),
            patient.mask_reader2.as_deref().map(file),
        ])?;
    }
    write_file(path, table.to_csv().as_bytes())
}
