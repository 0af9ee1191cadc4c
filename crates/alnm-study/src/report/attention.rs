//! Grad-CAM examples: where the network looked in patients whom the deep score classed rightly and wrongly.

use alnm_deep::{GradCamOptions, LesionCrop, Network, grad_cam, network_input};
use alnm_imaging::region::{OutlineEdge, outline_edges};
use alnm_imaging::{Image, Volume};
use anyhow::{Context, Result};
use ndarray::Array2;

use super::figure::{COLOURS, LEFT, Panel, WIDTH, opening_of_height, push};
use super::table::Table;
use super::{Findings, raster};
use crate::analysis::Evaluation;
use crate::cohort::{Cohort, Patient};

/// The model whose risks sort the patients: the deep score alone.
const MODEL: &str = "DL";
/// Side of a drawn crop.
const SIDE: f64 = 180.0;
/// Colour of the map, apart from every grey for colour-blind readers too.
const COLOUR: [f64; 3] = [0.90, 0.45, 0.0];
/// Opacity where the map is 1.
const OPACITY: f64 = 0.65;

/// Four kinds of patients: outcome, class, name.
const KINDS: [(bool, bool, &str); 4] = [
    (true, true, "true positive"),
    (false, false, "true negative"),
    (false, true, "false positive"),
    (true, false, "false negative"),
];

/// The clearest patient of each kind in the first validation centre, the crop next to the crop with the map; kinds
/// without patients are absent.
pub(super) fn examples(
    findings: &Findings<'_>,
    network: &Network,
    stage: &str,
    shows_identifiers: bool,
) -> Result<Vec<Panel>> {
    let Some(evaluation) = findings.results.validation.first() else { return Ok(Vec::new()) };
    let rows = findings.table.of_centre(&evaluation.cohort);
    KINDS
        .iter()
        .filter_map(|&(outcome, class, name)| Some((clearest(evaluation, outcome, class)?, name)))
        .map(|((place, risk), name)| {
            let row = rows[place];
            let crop = &findings.images.crops[row];
            let options = GradCamOptions::default().with_stage(stage).with_output("head", 0);
            let map = grad_cam(network, &network_input(crop), &options)?;
            let patient = &findings.cohort.patients[row];
            let whose = if shows_identifiers { format!(": patient {}", patient.id) } else { String::new() };
            let title = format!("{name}{whose}, risk {:.2}, cutoff {:.2}", risk.value, risk.cutoff);
            panel(name, &title, crop, &map, &lesion_in_crop(findings.cohort, patient, crop.nrows())?)
        })
        .collect()
}

/// The patient of an outcome and class whose risk lies furthest on the side of the class, with the risk.
fn clearest(evaluation: &Evaluation, outcome: bool, class: bool) -> Option<(usize, JudgedRisk)> {
    let performance = evaluation.performances.iter().find(|performance| performance.model == MODEL)?;
    let cutoff = performance.carried_cutoff.cutoff;
    let patients = performance.risks.iter().copied().enumerate().zip(evaluation.labels.as_slice());
    let of_kind = patients
        .filter(|&((_, risk), &label)| label == outcome && (risk > cutoff) == class)
        .map(|(patient, _)| patient);
    let found =
        if class { of_kind.max_by(|a, b| a.1.total_cmp(&b.1)) } else { of_kind.min_by(|a, b| a.1.total_cmp(&b.1)) };
    found.map(|(patient, value)| (patient, JudgedRisk { value, cutoff }))
}

/// A risk and the cutoff above which it counts as positive.
#[derive(Debug, Clone, Copy)]
struct JudgedRisk {
    value: f64,
    cutoff: f64,
}

/// The lesion on the pixels of its crop.
fn lesion_in_crop(cohort: &Cohort, patient: &Patient, side: usize) -> Result<Array2<bool>> {
    let label = cohort.description.label;
    let geometry = cohort.image(patient)?.geometry().clone();
    let mask = cohort.mask(&patient.mask, &geometry)?;
    let inside = mask.data().mapv(|voxel| f32::from(u8::from(voxel == label)));
    let crop = LesionCrop::of_largest_section(&Image::from(Volume::new(inside, geometry)?), &mask, label, side)?;
    Ok(crop.pixels().mapv(|share| share > 0.5))
}

fn panel(kind: &str, title: &str, crop: &Array2<f32>, map: &Array2<f32>, inside: &Array2<bool>) -> Result<Panel> {
    let (rows, columns) = crop.dim();
    let mut svg = opening_of_height(title, SIDE + 62.0);
    let gap = WIDTH - 2.0 * LEFT / 2.0 - 2.0 * SIDE;
    let left = LEFT / 2.0;
    let top = 30.0;
    let crop_picture = raster::grey(columns, rows, crop.iter().map(|&value| f64::from(value)))?;
    let fine = enlarged(map, rows, columns);
    let overlay = raster::coloured(columns, rows, fine.iter().map(|&value| (COLOUR, OPACITY * value)))?;
    for x in [left, left + SIDE + gap] {
        push(&mut svg, format_args!("<image x='{x}' y='{top}' width='{SIDE}' height='{SIDE}' href='{crop_picture}'/>"));
    }
    let x = left + SIDE + gap;
    push(&mut svg, format_args!("<image x='{x}' y='{top}' width='{SIDE}' height='{SIDE}' href='{overlay}'/>"));
    let [across, down] = [SIDE / columns as f64, SIDE / rows as f64];
    for left in [left, x] {
        let mut path = String::new();
        for OutlineEdge { from: [x0, y0], to: [x1, y1], .. } in outline_edges(inside.view()) {
            let place = |column: usize, row: usize| (left + column as f64 * across, top + row as f64 * down);
            let ((x0, y0), (x1, y1)) = (place(x0, y0), place(x1, y1));
            push(&mut path, format_args!("M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}"));
        }
        let colour = COLOURS[4];
        push(&mut svg, format_args!("<path d='{path}' fill='none' stroke='{colour}' stroke-width='1.2'/>"));
    }
    let below = top + SIDE + 16.0;
    push(&mut svg, format_args!("<text x='{left}' y='{below}'>crop</text>"));
    if map.iter().all(|&value| value <= 0.0) {
        push(&mut svg, format_args!("<text x='{x}' y='{below}'>no place raises the network&#39;s logit</text>"));
    } else {
        scale(&mut svg, x, below);
    }
    svg.push_str("</svg>");
    let data = fine.indexed_iter().map(|((row, column), value)| {
        vec![row.to_string(), column.to_string(), crop[(row, column)].to_string(), value.to_string()]
    });
    let name = format!("grad_cam_{}", kind.replace(' ', "_"));
    Ok(Panel { svg, data: Table::new(&name, title, &["row", "column", "crop", "map"], data.collect()) })
}

/// The map's colours from none to most.
fn scale(svg: &mut String, x: f64, below: f64) {
    push(svg, format_args!("<text x='{x}' y='{below}'>with map: none</text>"));
    for step in 0..10 {
        let opacity = OPACITY * (f64::from(step) + 0.5) / 10.0;
        let [red, green, blue] = COLOUR.map(|channel| (255.0 * channel).round() as u8);
        let place = x + 78.0 + 5.0 * f64::from(step);
        let fill = format!("rgb({red},{green},{blue})");
        push(
            svg,
            format_args!(
                "<rect x='{place}' y='{:.1}' width='5' height='10' fill='{fill}' fill-opacity='{opacity:.3}'/>",
                below - 9.0
            ),
        );
    }
    push(svg, format_args!("<text x='{}' y='{below}'>most</text>", x + 134.0));
}

/// A map on more pixels by linear interpolation; pixels of both are centred within equal parts of the picture.
fn enlarged(map: &Array2<f32>, rows: usize, columns: usize) -> Array2<f64> {
    let place = |index: usize, new: usize, old: usize| {
        let at = ((index as f64 + 0.5) * old as f64 / new as f64 - 0.5).clamp(0.0, (old - 1) as f64);
        let low = (at.floor() as usize).min(old.saturating_sub(2));
        (low, (low + 1).min(old - 1), at - low as f64)
    };
    let (old_rows, old_columns) = map.dim();
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        let (top, bottom, down) = place(row, rows, old_rows);
        let (left, right, across) = place(column, columns, old_columns);
        let between = |row: usize| f64::from(map[(row, left)]) * (1.0 - across) + f64::from(map[(row, right)]) * across;
        between(top) * (1.0 - down) + between(bottom) * down
    })
}

/// The network that the study trained, from the output folder.
pub(super) fn trained_network(path: &std::path::Path) -> Result<Network> {
    Network::load(path).with_context(|| format!("cannot read the trained network {}", path.display()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn enlarging_keeps_ends_and_interpolates_between() {
        let fine = enlarged(&array![[0.0f32, 1.0], [0.0, 1.0]], 4, 8);
        assert_eq!((fine[(0, 0)], fine[(3, 7)]), (0.0, 1.0));
        assert!((fine[(2, 3)] + fine[(2, 4)] - 1.0).abs() < 1e-12, "symmetric about the middle");
        assert!(fine.row(1).windows(2).into_iter().all(|pair| pair[0] <= pair[1]));
        assert_eq!(enlarged(&array![[0.5f32]], 2, 2), Array2::from_elem((2, 2), 0.5));
    }
}
