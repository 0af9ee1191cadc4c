//! What a check of a cohort folder says when nothing stops the study.

use super::{Cohort, PatientAcquisition, acquisition_by_centre};

/// The result of a check in lines of text: what was found out about the table, who was excluded and why, the patient
/// flow, and how the images of each centre were acquired.
#[must_use]
pub fn check_lines(cohort: &Cohort, acquisitions: &[PatientAcquisition]) -> Vec<String> {
    let mut lines = vec!["Found:".to_owned()];
    lines.extend(cohort.remarks.iter().map(|remark| format!("  - {remark}")));
    if !cohort.excluded.is_empty() {
        lines.push("Left out:".to_owned());
        let problems = cohort.excluded.iter().flat_map(|exclusion| &exclusion.problems);
        lines.extend(problems.map(|problem| format!("  - {problem}")));
    }
    lines.push("Patients:".to_owned());
    lines.extend(cohort.flow().iter().map(|(group, patients)| format!("  {group}: {patients}")));
    lines.push("Images:".to_owned());
    for property in acquisition_by_centre(cohort, acquisitions) {
        let values: Vec<String> = property.values.iter().map(|(value, count)| format!("{value} ({count})")).collect();
        lines.push(format!("  centre {}, {}: {}", property.centre, property.property, values.join(", ")));
    }
    lines
}
