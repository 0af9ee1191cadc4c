//! A quality sheet of the cohort: one self-contained page on which a radiologist leafs through all patients, those
//! first who stand out most from the others.

use std::fmt::Write;
use std::path::Path;

use alnm_imaging::dce::TimeIntensityCurve;
use alnm_imaging::dicom::DynamicSeries;
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::region::{Roi, largest_cross_section};
use alnm_imaging::{Image, LabelMap, Volume};
use alnm_stats::describe::{median, median_absolute_deviation};
use anyhow::Result;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::figure::{COLOURS, Chart, PlottedSeries, escape};
use super::lesion::outlined_slice;
use crate::cohort::{Cohort, Patient, PatientVoxels};
use crate::preparation::{OTSU_BINS, n4_params};
use crate::store::write_file;
use crate::study::Study;

/// Robust distances from the median from which on a value stands out (Iglewicz and Hoaglin 1993).
const STANDS_OUT: f64 = 3.5;

/// What is measured of each patient, in the order of [`PatientQuality::values`], and whether it is compared by its
/// logarithm.
const MEASURES: [(&str, bool); 5] = [
    ("volume of the outline (mL)", true),
    ("signal of the lesion over noise", true),
    ("N4 field, largest over smallest", true),
    ("shift of the tissue between phases (mm)", false),
    ("enhancement of the lesion, peak over first phase", true),
];

/// What the sheet shows of a patient.
#[derive(Debug, Clone)]
struct PatientQuality {
    patient: String,
    centre: String,
    /// The values of [`MEASURES`]; absent where an image does not give them.
    values: [Option<f64>; 5],
    /// Distances of the values from the cohort's median, in robust standard deviations.
    distances: [Option<f64>; 5],
    /// The slice with the outline, and the curve where the image is a dynamic series.
    pictures: Vec<String>,
    /// What could not be measured, and why.
    remarks: Vec<String>,
}

impl PatientQuality {
    /// The distance of the value that stands out most.
    fn largest_distance(&self) -> f64 {
        self.distances.iter().flatten().fold(0.0, |most: f64, distance| most.max(distance.abs()))
    }
}

impl Study {
    /// Writes the quality sheet of a cohort whose files were checked: for every patient the slice on which the lesion
    /// is largest with its outline, the time-intensity curve of a dynamic series, volume, signal over noise, the range
    /// of the N4 field and the shift between phases. Who stands out most comes first.
    ///
    /// # Errors
    /// When a patient's files cannot be read, the page cannot be written, and after an interruption.
    pub fn quality_sheet(&mut self, cohort: &Cohort, path: &Path) -> Result<()> {
        let step = self.progress().begin("quality sheet", cohort.patients.len());
        let sheets: Vec<PatientQuality> = cohort
            .patients
            .par_iter()
            .map(|patient| {
                self.progress().check_interrupt()?;
                let quality = measured(cohort, patient)?;
                step.advance();
                Ok(quality)
            })
            .collect::<Result<_>>()?;
        step.finish(&mut self.costs);
        write_file(path, page(&cohort.description.name, sorted(sheets)).as_bytes())
    }
}

fn measured(cohort: &Cohort, patient: &Patient) -> Result<PatientQuality> {
    let label = cohort.description.label;
    let PatientVoxels { image, mask, .. } = cohort.read_voxels(patient)?;
    let image: Volume<f32> = image.cast();
    let mut remarks = Vec::new();
    let inside = mask.as_slice().iter().filter(|voxel| **voxel == label).count();
    let volume = inside as f64 * mask.geometry().voxel_volume() / 1000.0;
    let field = field_range(&image).map_err(|error| remarks.push(format!("no N4 field: {error}"))).ok();
    let mut pictures = vec![outlined_slice(cohort, patient, true)?.svg];
    let (mut shift, mut enhancement) = (None, None);
    match cohort.phases(patient)? {
        None => remarks.push("no dynamic series: no curve and no shift between phases".to_owned()),
        Some(series) => {
            shift = tissue_shift(&series).map_err(|error| remarks.push(format!("no shift: {error}"))).ok();
            match Roi::new(&mask, label).and_then(|roi| TimeIntensityCurve::of(&series, roi)) {
                Err(error) => remarks.push(format!("no curve: {error}")),
                Ok(curve) => {
                    let peak = curve.means().iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    enhancement = curve.means().first().filter(|first| **first > 0.0).map(|first| peak / first);
                    pictures.push(curve_picture(&curve));
                }
            }
        }
    }
    Ok(PatientQuality {
        patient: patient.id.clone(),
        centre: patient.centre.clone(),
        values: [Some(volume), signal_over_noise(&image, &mask, label), field, shift, enhancement],
        distances: [None; 5],
        pictures,
        remarks,
    })
}

fn curve_picture(curve: &TimeIntensityCurve) -> String {
    let points = curve.times().iter().copied().zip(curve.means().iter().copied()).collect();
    let line = PlottedSeries::line("", points, COLOURS[1]);
    Chart::around("Mean signal inside the outline", "seconds", "signal", vec![line]).panel("curve").svg
}

/// Largest over smallest value of the bias field inside the tissue, by the N4 of the study.
fn field_range(image: &Volume<f32>) -> alnm_imaging::Result<f64> {
    let tissue = otsu_mask(image, OTSU_BINS)?;
    let corrected = n4_params().check()?.correct(image, Some(&tissue))?;
    let field = corrected.log_bias_field().as_slice().iter().zip(tissue.as_slice()).filter(|(_, inside)| **inside > 0);
    let (low, high) = field.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (value, _)| {
        (low.min(f64::from(*value)), high.max(f64::from(*value)))
    });
    Ok((high - low).exp())
}

/// Mean signal of the lesion over the standard deviation of the noise, on the slice where the lesion is largest; `None`
/// where there is no noise.
fn signal_over_noise(image: &Volume<f32>, mask: &LabelMap, label: u32) -> Option<f64> {
    let section = largest_cross_section(mask, label).ok()?;
    let slice = image.data().index_axis(Axis(0), section.slice);
    let inside = mask.data().index_axis(Axis(0), section.slice);
    let lesion: Vec<f64> =
        slice.iter().zip(inside).filter(|(_, voxel)| **voxel == label).map(|(signal, _)| f64::from(*signal)).collect();
    let noise = noise(slice)?;
    (noise > 0.0).then(|| lesion.iter().sum::<f64>() / lesion.len() as f64 / noise)
}

/// Standard deviation of the noise of a slice by the difference of two Laplacians, to which planes and edges add little
/// (Immerkær 1996); `None` for slices of fewer than three rows or columns.
fn noise(slice: ArrayView2<'_, f32>) -> Option<f64> {
    const KERNEL: [[f64; 3]; 3] = [[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]];
    let (rows, columns) = slice.dim();
    if rows < 3 || columns < 3 {
        return None;
    }
    let at = |row: usize, column: usize| -> f64 {
        (0..9).map(|k| KERNEL[k / 3][k % 3] * f64::from(slice[(row + k / 3, column + k % 3)])).sum()
    };
    let count = ((rows - 2) * (columns - 2)) as f64;
    let sum: f64 = (0..rows - 2)
        .flat_map(|row| (0..columns - 2).map(move |column| (row, column)))
        .map(|(r, c)| at(r, c).abs())
        .sum();
    Some((std::f64::consts::PI / 2.0).sqrt() * sum / (6.0 * count))
}

/// The farthest that the centre of the tissue of a phase lies from that of the first, in mm.
fn tissue_shift(series: &DynamicSeries) -> alnm_imaging::Result<f64> {
    let centres = series.images().iter().map(tissue_centre).collect::<alnm_imaging::Result<Vec<_>>>()?;
    let distance = |centre: &[f64; 3]| (0..3).map(|axis| (centre[axis] - centres[0][axis]).powi(2)).sum::<f64>().sqrt();
    Ok(centres.iter().map(distance).fold(0.0, f64::max))
}

fn tissue_centre(image: &Image) -> alnm_imaging::Result<[f64; 3]> {
    let image: Volume<f32> = image.cast();
    let tissue = otsu_mask(&image, OTSU_BINS)?;
    let geometry = image.geometry();
    let mut sum = [0.0; 3];
    let mut count = 0.0;
    for (position, _) in tissue.as_slice().iter().enumerate().filter(|(_, inside)| **inside > 0) {
        let index = geometry.index_of(position);
        (0..3).for_each(|axis| sum[axis] += index[axis] as f64);
        count += 1.0;
    }
    Ok(geometry.index_to_point(sum.map(|sum| sum / f64::max(count, 1.0))))
}

/// The patients with their distances, those first who stand out most; equal ones in the order of the cohort.
fn sorted(mut sheets: Vec<PatientQuality>) -> Vec<PatientQuality> {
    for (measure, (_, is_logarithmic)) in MEASURES.into_iter().enumerate() {
        let value = |sheet: &PatientQuality| {
            let value = sheet.values[measure]?;
            if is_logarithmic { (value > 0.0).then(|| value.ln()) } else { Some(value) }
        };
        let known: Vec<f64> = sheets.iter().filter_map(value).collect();
        let (middle, deviation) = (median(&known), median_absolute_deviation(&known));
        for sheet in &mut sheets {
            sheet.distances[measure] =
                value(sheet).filter(|_| deviation > 0.0).map(|value| (value - middle) / deviation);
        }
    }
    sheets.sort_by(|a, b| b.largest_distance().total_cmp(&a.largest_distance()));
    sheets
}

const STYLE: &str = "* { box-sizing: border-box; } body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1060px; \
margin: 0 auto; padding: 0 16px 48px; } section { border-top: 1px solid #ccc; padding: 8px 0 16px; break-inside: avoid; } \
h2 { margin: .2em 0; font-size: 1.1em; } .pictures { display: flex; flex-wrap: wrap; gap: 12px; } .pictures svg { flex: 1 1 320px; \
min-width: 0; max-width: 460px; height: auto; } table { border-collapse: collapse; font-size: 13px; } td, th { padding: 2px 9px; \
border-bottom: 1px solid #ddd; text-align: left; } .out { background: #ffe3d3; font-weight: bold; } .small { color: #555; font-size: 13px; }";

fn page(name: &str, sheets: Vec<PatientQuality>) -> String {
    let title = escape(&format!("Quality sheet: {name}"));
    let standing_out = sheets.iter().filter(|sheet| sheet.largest_distance() > STANDS_OUT).count();
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n\
         <p>{} patients, those first who stand out most from the others; {standing_out} have a value farther than {STANDS_OUT} robust standard \
         deviations from the median (marked). Noise is estimated on the slice that is shown (Immerkær 1996); the shift is that of the centre of \
         the tissue above Otsu's threshold, which contrast that enhances moves a little too. The N4 field is that of the study.</p>\n\
         <p class=\"small\">Research software, not a medical device; nothing here may guide the care of a patient. The page names patients.</p>\n",
        sheets.len()
    );
    for sheet in &sheets {
        let place = escape(&format!("{}, centre {}", sheet.patient, sheet.centre));
        text.push_str(&format!(
            "<section id=\"{0}\"><h2>{place}</h2>\n<div class=\"pictures\">",
            escape(&sheet.patient)
        ));
        sheet.pictures.iter().for_each(|picture| text.push_str(picture));
        text.push_str("</div>\n<table><tr><th>measure</th><th>value</th><th>distance</th></tr>");
        for (measure, (name, _)) in MEASURES.iter().enumerate() {
            let Some(value) = sheet.values[measure] else { continue };
            let distance = sheet.distances[measure];
            let class = if distance.is_some_and(|d| d.abs() > STANDS_OUT) { " class=\"out\"" } else { "" };
            let distance = distance.map_or_else(String::new, |distance| format!("{distance:+.1}"));
            // Writing to a string does not fail.
            let _ = write!(text, "<tr{class}><td>{name}</td><td>{value:.3}</td><td>{distance}</td></tr>");
        }
        text.push_str("</table>");
        for remark in &sheet.remarks {
            let _ = write!(text, "<p class=\"small\">{}</p>", escape(remark));
        }
        text.push_str("</section>\n");
    }
    text.push_str("</body></html>\n");
    text
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn noise_is_found_on_a_sloping_slice_with_an_edge() {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut normal = || (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
        let slice = Array2::from_shape_fn((120, 100), |(row, column)| {
            (300.0 + row as f64 + if column > 50 { 200.0 } else { 0.0 } + 5.0 * normal()) as f32
        });
        let found = noise(slice.view()).unwrap();
        assert!((found / 5.0 - 1.0).abs() < 0.1, "{found}");
        assert_eq!(noise(Array2::ones((2, 9)).view()), None);
    }

    fn sheet(patient: &str, values: [Option<f64>; 5]) -> PatientQuality {
        PatientQuality {
            patient: patient.to_owned(),
            centre: "A".to_owned(),
            values,
            distances: [None; 5],
            pictures: Vec::new(),
            remarks: vec!["no <curve>".to_owned()],
        }
    }

    #[test]
    fn who_stands_out_comes_first_and_is_marked() {
        let usual = |i: usize| sheet(&format!("P{i}"), [Some(2.0 + 0.1 * i as f64), Some(20.0), Some(1.5), None, None]);
        let mut sheets: Vec<PatientQuality> = (0..8).map(usual).collect();
        sheets.insert(4, sheet("odd", [Some(90.0), Some(20.0), Some(1.5), None, None]));
        let sheets = sorted(sheets);
        assert_eq!(sheets[0].patient, "odd");
        // A measure in which all but few agree says nothing about distances.
        assert_eq!(sheets[0].distances[1], None);
        let page = page("a <cohort>", sheets);
        assert_eq!(page.matches("class=\"out\"").count(), 1);
        assert!(page.contains("9 patients") && page.contains("1 have a value") && page.contains("no &lt;curve&gt;"));
    }
}
