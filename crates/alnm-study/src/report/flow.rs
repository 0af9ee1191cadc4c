//! Patient flow as a diagram.

use std::collections::BTreeMap;

use super::figure::{Panel, WIDTH, escape, opening_of_height, push};
use super::table::Table;
use crate::cohort::{Cohort, Problem, ProblemWeight};

/// Reasons that the diagram names; the rest stand in the table of excluded patients.
const REASONS: usize = 6;
const LINE: f64 = 14.0;

/// Boxes from the table of patients through the exclusions to the centres.
pub(super) fn diagram(cohort: &Cohort) -> Panel {
    let groups = cohort.flow();
    let rows = groups.iter().map(|(group, patients)| vec![group.clone(), patients.to_string()]).collect();
    Panel { svg: svg(cohort), data: Table::new("flow_diagram", "Patient flow", &["group", "patients"], rows) }
}

fn svg(cohort: &Cohort) -> String {
    let mut exclusions = vec![format!("Excluded: {}", cohort.excluded.len())];
    let reasons = reasons(cohort);
    exclusions.extend(reasons.iter().take(REASONS).map(|(reason, patients)| format!("{patients} × {reason}")));
    if reasons.len() > REASONS {
        exclusions.push(format!("and {} further reasons", reasons.len() - REASONS));
    }
    let first = vec!["Patients in the table".to_owned(), (cohort.patients.len() + cohort.excluded.len()).to_string()];
    let analysed = vec!["Analysed".to_owned(), cohort.patients.len().to_string()];
    let description = &cohort.description;
    let centres = std::iter::once(("Training", &description.training_centre))
        .chain(description.validation_centres.iter().map(|centre| ("Validation", centre)));
    let boxes: Vec<Vec<String>> = centres
        .map(|(role, centre)| {
            let of =
                |outcome: bool| cohort.patients.iter().filter(|p| p.centre == *centre && p.alnm == outcome).count();
            vec![
                role.to_owned(),
                centre.clone(),
                (of(true) + of(false)).to_string(),
                format!("metastasis: {}", of(true)),
                format!("none: {}", of(false)),
            ]
        })
        .collect();
    let margin = 12.0;
    let main = 150.0;
    let tall = |lines: &[String]| lines.len() as f64 * LINE + 14.0;
    let top = 36.0;
    let exclusions_top = top + tall(&first) + 14.0;
    let analysed_top = exclusions_top + tall(&exclusions) + 14.0;
    let centres_top = analysed_top + tall(&analysed) + 36.0;
    let mut svg = opening_of_height("Patient flow", centres_top + tall(&boxes[0]) + 12.0);
    let middle = margin + main / 2.0;
    arrow(&mut svg, (middle, top + tall(&first)), (middle, analysed_top));
    let exclusions_middle = exclusions_top + tall(&exclusions) / 2.0;
    arrow(&mut svg, (middle, exclusions_middle), (margin + main + 20.0, exclusions_middle));
    boxed(&mut svg, margin, top, main, &first);
    boxed(&mut svg, margin + main + 20.0, exclusions_top, WIDTH - 2.0 * margin - main - 20.0, &exclusions);
    boxed(&mut svg, margin, analysed_top, main, &analysed);
    let room = (WIDTH - 2.0 * margin) / boxes.len() as f64;
    let bar = centres_top - 18.0;
    let centre_of = |index: usize| margin + room * (index as f64 + 0.5);
    push(
        &mut svg,
        format_args!("<path d='M{middle} {:.1}V{bar:.1}' stroke='#333' fill='none'/>", analysed_top + tall(&analysed)),
    );
    let ends = [middle, centre_of(0), centre_of(boxes.len() - 1)];
    let (left, right) = (ends.iter().copied().fold(f64::INFINITY, f64::min), ends.iter().copied().fold(0.0, f64::max));
    push(&mut svg, format_args!("<path d='M{left:.1} {bar:.1}H{right:.1}' stroke='#333' fill='none'/>"));
    for (index, lines) in boxes.iter().enumerate() {
        arrow(&mut svg, (centre_of(index), bar), (centre_of(index), centres_top));
        boxed(&mut svg, margin + room * index as f64 + 4.0, centres_top, room - 8.0, lines);
    }
    svg.push_str("</svg>");
    svg
}

/// Reasons with their numbers of patients, the most frequent first. What names a patient's own file is left out of a
/// reason.
fn reasons(cohort: &Cohort) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for exclusion in &cohort.excluded {
        for Problem { place, what, weight, .. } in &exclusion.problems {
            if *weight == ProblemWeight::NotEligible {
                *counts.entry(place.clone()).or_default() += 1;
                continue;
            }
            let kind = place.split([' ', ',']).next().unwrap_or_default();
            let place = if kind == "column" { place.as_str() } else { kind };
            *counts.entry(format!("{place}: {what}")).or_default() += 1;
        }
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, patients)| std::cmp::Reverse(*patients));
    counts
}

/// A box with the first line in bold; lines too long for it end in an ellipsis.
fn boxed(svg: &mut String, x: f64, y: f64, width: f64, lines: &[String]) {
    let height = lines.len() as f64 * LINE + 14.0;
    push(
        svg,
        format_args!(
            "<rect x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' fill='#f4f7fa' stroke='#333'/>"
        ),
    );
    let letters = ((width - 14.0) / 5.6) as usize;
    for (index, line) in lines.iter().enumerate() {
        let short: String = if line.chars().count() > letters {
            line.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
        } else {
            line.clone()
        };
        let weight = if index == 0 { " font-weight='bold'" } else { "" };
        let baseline = y + 7.0 + LINE * (index as f64 + 0.8);
        push(svg, format_args!("<text x='{:.1}' y='{baseline:.1}'{weight}>{}</text>", x + 7.0, escape(&short)));
    }
}

fn arrow(svg: &mut String, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) {
    push(svg, format_args!("<path d='M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}' stroke='#333' fill='none'/>"));
    let tip = if x0 == x1 {
        [(x1 - 4.0, y1 - 7.0), (x1 + 4.0, y1 - 7.0)]
    } else {
        [(x1 - 7.0, y1 - 4.0), (x1 - 7.0, y1 + 4.0)]
    };
    push(
        svg,
        format_args!(
            "<path d='M{x1:.1} {y1:.1}L{:.1} {:.1}L{:.1} {:.1}Z' fill='#333'/>",
            tip[0].0, tip[0].1, tip[1].0, tip[1].1
        ),
    );
}
