//! Figure 1: the axial slice on which the lesion is largest, with its outline.

use alnm_imaging::Volume;
use alnm_imaging::region::{OutlineEdge, largest_cross_section, outline_edges};
use anyhow::Result;
use ndarray::{ArrayView2, Axis};

use super::figure::{COLOURS, LEFT, Panel, TOP, WIDTH, escape, opening_of_height, push};
use super::raster;
use super::table::Table;
use crate::cohort::{Cohort, Patient};

/// Largest side of the drawn slice.
const SIDE: f64 = 350.0;
/// Grey values from this share to that of the slice are spread over the greys.
const WINDOW: [f64; 2] = [0.01, 0.995];
/// Length of the scale bar in millimetres.
const BAR: f64 = 20.0;

/// The slice of a patient's analysed phase with the lesion outlined.
/// The title names the patient where identifiers are to be shown.
pub(super) fn outlined_slice(cohort: &Cohort, patient: &Patient, shows_identifiers: bool) -> Result<Panel> {
    let label = cohort.description.label;
    let image: Volume<f32> = cohort.image(patient)?.cast();
    let mask = cohort.mask(&patient.mask, image.geometry())?;
    let section = largest_cross_section(&mask, label)?;
    let slice = image.data().index_axis(Axis(0), section.slice);
    let inside = mask.data().index_axis(Axis(0), section.slice).mapv(|voxel| voxel == label);
    let (rows, columns) = slice.dim();
    let [x_spacing, y_spacing, _] = image.geometry().spacing();
    let per_mm = SIDE / (columns as f64 * x_spacing).max(rows as f64 * y_spacing);
    let (width, height) = (columns as f64 * x_spacing * per_mm, rows as f64 * y_spacing * per_mm);
    let whose = if shows_identifiers { format!("Patient {}", patient.id) } else { "A training patient".to_owned() };
    let title = format!("{whose}, axial slice {} of {}", section.slice + 1, image.geometry().size()[2]);
    let left = (WIDTH - width) / 2.0;
    let mut svg = opening_of_height(&title, TOP + height + 44.0);
    let picture = raster::grey(columns, rows, windowed(slice).into_iter())?;
    push(
        &mut svg,
        format_args!(
            "<image x='{left:.1}' y='{TOP}' width='{width:.1}' height='{height:.1}' preserveAspectRatio='none' href='{picture}'/>"
        ),
    );
    let mut path = String::new();
    for OutlineEdge { from: [x0, y0], to: [x1, y1], .. } in outline_edges(inside.view()) {
        let x = |column: usize| left + column as f64 * x_spacing * per_mm;
        let y = |row: usize| TOP + row as f64 * y_spacing * per_mm;
        push(&mut path, format_args!("M{:.1} {:.1}L{:.1} {:.1}", x(x0), y(y0), x(x1), y(y1)));
    }
    push(
        &mut svg,
        format_args!("<path d='{path}' fill='none' stroke='#000' stroke-width='3' stroke-linecap='square'/>"),
    );
    push(
        &mut svg,
        format_args!(
            "<path d='{path}' fill='none' stroke='{}' stroke-width='1.6' stroke-linecap='square'/>",
            COLOURS[4]
        ),
    );
    let bottom = TOP + height + 14.0;
    push(&mut svg, format_args!("<path d='M{LEFT} {bottom:.1}h{:.1}' stroke='#000' stroke-width='3'/>", BAR * per_mm));
    push(&mut svg, format_args!("<text x='{:.1}' y='{:.1}'>{BAR} mm</text>", LEFT + BAR * per_mm + 6.0, bottom + 4.0));
    let caption = escape(&format!("outlined: {} voxels", section.voxels));
    push(&mut svg, format_args!("<text x='{LEFT}' y='{:.1}'>{caption}</text></svg>", bottom + 20.0));
    let data = slice.indexed_iter().map(|((row, column), signal)| {
        vec![row.to_string(), column.to_string(), signal.to_string(), u8::from(inside[(row, column)]).to_string()]
    });
    Ok(Panel {
        svg,
        data: Table::new("figure1_slice", &title, &["row", "column", "signal", "inside the outline"], data.collect()),
    })
}

/// Grey values brought to [0, 1], those beyond the window to its ends.
fn windowed(slice: ArrayView2<'_, f32>) -> Vec<f64> {
    let mut sorted: Vec<f32> = slice.iter().copied().collect();
    sorted.sort_by(f32::total_cmp);
    let [low, high] = WINDOW.map(|share| f64::from(sorted[(share * (sorted.len() - 1) as f64).round() as usize]));
    let range = if high > low { high - low } else { 1.0 };
    slice.iter().map(|&value| ((f64::from(value) - low) / range).clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn the_window_spreads_values_over_all_greys() {
        let slice = Array2::from_shape_fn((10, 20), |(y, x)| (20 * y + x) as f32);
        let greys = windowed(slice.view());
        assert_eq!((greys[0], greys[199]), (0.0, 1.0));
        assert!(windowed(Array2::<f32>::ones((2, 2)).view()).iter().all(|&grey| grey == 0.0));
    }
}
