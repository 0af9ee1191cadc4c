//! The table as this crate writes it.

use std::path::Path;

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, DataTable};
use anyhow::Result;

use super::super::columns::{COLUMNS, DATE_COLUMNS};
use super::super::dates::PatientDates;
use super::super::outcomes::{FurtherOutcomes, NodalStage, OUTCOME_COLUMNS};
use super::super::{Patient, Subtype};
use crate::store::write_file;

/// Writes patients in the format that [`read_patients`](super::read_patients) reads; columns of dates and further
/// outcomes where somebody has one.
///
/// # Errors
/// When the file cannot be written.
pub fn write_patients(path: &Path, patients: &[Patient]) -> Result<()> {
    let has_dates = patients.iter().any(|patient| patient.dates != PatientDates::default());
    let has_outcomes = patients.iter().any(|patient| patient.outcomes != FurtherOutcomes::default());
    let further = [(has_dates, DATE_COLUMNS), (has_outcomes, OUTCOME_COLUMNS)];
    let further = further.into_iter().filter(|(is_there, _)| *is_there).flat_map(|(_, columns)| columns);
    let mut table = DataTable::new(COLUMNS.into_iter().chain(further))?;
    for patient in patients {
        let flag = |value: Option<bool>| value.map(usize::from);
        let measured = |value: f64| (!value.is_nan()).then_some(value);
        let file = |path: &Path| path.display().to_string();
        let blood = &patient.blood;
        let mut row = cells![
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
        ];
        if has_dates {
            let PatientDates { birth, mri, blood, surgery } = patient.dates;
            row.extend([birth, mri, blood, surgery].map(|day| Cell::from(day.map(|day| day.to_string()))));
        }
        if has_outcomes {
            let FurtherOutcomes { nodal_stage, positive_nodes, recurrence } = patient.outcomes;
            row.extend(cells![
                nodal_stage.map(NodalStage::name),
                positive_nodes.map(|nodes| nodes as usize),
                recurrence.map(|one| one.months),
                recurrence.map(|one| usize::from(one.observed)),
            ]);
        }
        table.push(row)?;
    }
    write_file(path, table.to_csv().as_bytes())
}
