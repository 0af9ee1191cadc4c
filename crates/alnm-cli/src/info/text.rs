//! What a path holds, in lines for people.

use alnm_imaging::Geometry;
use alnm_imaging::dicom::{Acquisition, OtherObjects, ScannerModel, SeriesVolume};

use super::advice::Odd;
use super::content::{Described, MaskContent, SeriesContent, axes};
use super::statistics::{Label, Statistics};

/// A name in its column, and what it is.
fn line(indent: &str, name: &str, value: impl std::fmt::Display) -> String {
    format!("{indent}{name:<10} {value}\n")
}

/// Everything that is told of a path, with its name where there are several.
pub(super) fn of(described: &Described, is_named: bool) -> String {
    let mut text = if is_named { line("", "file", described.path.display()) } else { String::new() };
    if let Some(format) = described.format.as_ref().filter(|_| !described.is_folder && described.masks.is_empty()) {
        text += &line("", "format", format);
    }
    let header = described.header.as_ref();
    if let Some(voxels) = described.voxels.as_ref().or(header.map(|header| &header.voxels)) {
        let several = header.map(|header| header.components).filter(|components| *components > 1);
        let several = several.map_or_else(String::new, |components| format!(", {components} components"));
        text += &line("", "voxels", format_args!("{voxels}{several}"));
    }
    if let Some(volumes) = described.volumes.filter(|volumes| *volumes > 1) {
        text += &line("", "volumes", volumes);
    }
    let is_unread = described.voxels.is_none();
    if let Some(header) = header.filter(|header| is_unread && (header.geometry.is_none() || header.sizes.len() > 3)) {
        text += &line("", "all axes", format_args!("{:?}", header.sizes));
        if header.geometry.is_none() {
            text += &line("", "spacing", format_args!("{:?} mm", header.spacing));
        }
    }
    if let Some(geometry) = &described.geometry {
        text += &grid(geometry, "");
    }
    if let Some(found) = &described.statistics {
        let is_of_component = header.is_some_and(|header| header.components > 1);
        text += &match (is_of_component, described.volumes > Some(1)) {
            (true, _) => statistics(found, Some("component"), ""),
            (false, true) => statistics(found, Some("volume"), ""),
            (false, false) => statistics(found, None, ""),
        };
    }
    let labels = described.labels.as_deref().unwrap_or_default();
    text.extend(labels.iter().map(label));
    if labels.is_empty() {
        let segment = |label: u32, name: &str| line("", "segment", format_args!("{label} {name:?}"));
        text.extend(described.segments.iter().map(|named| segment(named.label, &named.name)));
    }
    text.extend(described.series.iter().map(series));
    text.extend(described.masks.iter().map(mask));
    text.extend(described.others.iter().map(other));
    text + &odd(&described.odd, "")
}

fn grid(grid: &Geometry, indent: &str) -> String {
    [
        line(indent, "dimension", grid.dimension()),
        line(indent, "size", format_args!("{:?}", grid.size())),
        line(indent, "spacing", format_args!("{:?} mm", grid.spacing().map(nine_digits))),
        line(indent, "origin", format_args!("{:?} mm (LPS)", grid.origin().map(nine_digits))),
        line(
            indent,
            "direction",
            format_args!("{:?}, axes {}", grid.direction().map(|row| row.map(nine_digits)), axes(grid)),
        ),
    ]
    .concat()
}

/// `one_of_many` says what the numbers are of, where there are several.
fn statistics(found: &Statistics, one_of_many: Option<&str>, indent: &str) -> String {
    let of_volume = one_of_many.map_or_else(String::new, |part| format!(", of {part} {}", found.volume));
    let percentiles: Vec<String> =
        found.percentiles.iter().map(|told| format!("{} %: {}", told.percent, short(told.value))).collect();
    let (low, high) = (short(found.minimum), short(found.maximum));
    let (mean, deviation) = (short(found.mean), short(found.standard_deviation));
    let mut text = line(indent, "range", format_args!("{low} to {high}{of_volume}"));
    text += &line(indent, "mean", format_args!("{mean}, standard deviation {deviation}"));
    text += &line(indent, "percentiles", percentiles.join(", "));
    if let Some(histogram) = &found.histogram {
        let width = (histogram.to - histogram.from) / histogram.counts.len() as f64;
        for (bin, count) in histogram.counts.iter().enumerate() {
            let from = histogram.from + bin as f64 * width;
            text += &line(indent, "bin", format_args!("{} to {}: {count}", short(from), short(from + width)));
        }
    }
    text
}

/// A length or a direction without the noise behind its ninth digit.
fn nine_digits(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value) + 0.0
}

/// A number with six digits.
fn short(value: f64) -> String {
    let digits = (5 - value.abs().log10().floor().clamp(-5.0, 5.0) as i32).max(0) as usize;
    let text = if value == 0.0 { "0".to_owned() } else { format!("{value:.digits$}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn label(label: &Label) -> String {
    let name = label.name.as_ref().map_or_else(String::new, |name| format!(" {name:?}"));
    line("", "label", format_args!("{}{name}: {}", label.label, extent(label)))
}

/// How large the region of a label is, and in how many parts.
fn extent(label: &Label) -> String {
    let parts = match label.parts {
        1 => "1 part".to_owned(),
        parts => format!("{parts} parts, the largest of {} voxels", label.largest_part),
    };
    format!("{} voxels, {} mm3, {parts}", label.voxels, short(label.volume_mm3))
}

/// A number of things.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn series(series: &SeriesContent) -> String {
    let number = series.number.map_or(String::new(), |number| format!("number {number}, "));
    let mut text = format!(
        "series {}\n  {number}{} {:?}\n  {}, ",
        series.uid,
        series.modality,
        series.description,
        counted(series.slices, "slice")
    );
    match (&series.problem, series.volumes.as_slice()) {
        (Some(_), _) => text += "no volume\n",
        (None, [first, ..]) if series.voxels.is_some() => {
            text += &format!("{}\n", counted(series.volumes.len(), "phase"));
            text += &line("  ", "voxels", series.voxels.as_deref().unwrap_or_default());
            text += &grid(&first.geometry, "  ");
            if series.volumes.len() > 1 {
                text += &line("  ", "times", times(&series.volumes));
            }
        }
        (None, several) => text += &volumes(several),
    }
    if let Some(by) = &series.phases_by {
        text += &line("  ", "phases by", by);
    }
    text += &scanner(&series.scanner);
    text += &acquisition(&series.acquisition);
    if let Some(found) = &series.statistics {
        text += &statistics(found, Some("volume").filter(|_| series.volumes.len() > 1), "  ");
    }
    text + &odd(&series.odd, "  ")
}

/// When volumes were acquired.
fn times(volumes: &[SeriesVolume]) -> String {
    let seconds = |time: f64| if time.is_nan() { "unknown".to_owned() } else { time.to_string() };
    if volumes.iter().all(|volume| volume.time.is_nan()) {
        return "unknown".to_owned();
    }
    volumes.iter().map(|volume| seconds(volume.time)).collect::<Vec<_>>().join(", ") + " s"
}

fn scanner(scanner: &ScannerModel) -> String {
    let field = scanner.field_strength.map_or_else(String::new, |field| format!("{field} T"));
    named("scanner", " ", [scanner.manufacturer.clone(), scanner.model.clone(), field])
}

/// How a series was acquired, in the lines that have something to tell.
fn acquisition(of: &Acquisition) -> String {
    let number = |name: &str, value: Option<f64>, unit: &str| {
        value.map_or_else(String::new, |value| format!("{name} {} {unit}", short(value)))
    };
    let kind = [of.scanning_sequence.join("+"), of.sequence_variant.join("+")].map(|words| words.trim().to_owned());
    let [scanning, variant] = kind;
    [
        named("sequence", ", ", [of.protocol.clone(), of.sequence.clone(), scanning, variant, of.dimension.clone()]),
        named(
            "timing",
            ", ",
            [
                number("TR", of.repetition_time, "ms"),
                number("TE", of.echo_time, "ms"),
                number("TI", of.inversion_time, "ms"),
                number("flip angle", of.flip_angle, "degrees"),
                number("bandwidth", of.pixel_bandwidth, "Hz"),
            ],
        ),
        named("coil", ", ", [of.coil.clone()]),
        named("contrast", ", ", [of.contrast_agent.clone()]),
        named("tube", ", ", [number("voltage", of.tube_voltage, "kV"), kernel(&of.kernel)]),
        named("slices", ", ", [number("thickness", of.slice_thickness, "mm")]),
        named(
            "window",
            ", ",
            [of.window.map_or_else(String::new, |[centre, width]| format!("centre {centre}, width {width}"))],
        ),
        named("software", ", ", [of.software.clone()]),
    ]
    .concat()
}

fn kernel(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("kernel {name}") }
}

/// A line of the parts that are not empty; none where all are.
fn named<const N: usize>(name: &str, between: &str, parts: [String; N]) -> String {
    let told: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    if told.is_empty() { String::new() } else { line("  ", name, told.join(between)) }
}

/// A line for each of several volumes, and their grid: once where all share it.
fn volumes(volumes: &[SeriesVolume]) -> String {
    let mut text = format!("{}\n", counted(volumes.len(), "volume"));
    let is_shared = volumes.iter().all(|volume| volume.geometry == volumes[0].geometry);
    for volume in volumes {
        text += &format!("  volume {volume}\n");
        if !is_shared {
            text += &grid(&volume.geometry, "    ");
        }
    }
    if let Some(first) = volumes.first().filter(|_| is_shared) {
        text += &grid(&first.geometry, "  ");
    }
    text
}

fn other(others: &OtherObjects) -> String {
    let named = |name: &str| if name.is_empty() { "of unknown kind".to_owned() } else { name.to_owned() };
    let class = if others.sop_class.is_empty() { String::new() } else { format!(" ({})", others.sop_class) };
    line("", "object", format_args!("{}{class}, {}", named(&others.modality), counted(others.files, "file")))
}

fn mask(mask: &MaskContent) -> String {
    let mut text = format!("{} {}\n", mask.kind, mask.path.display());
    if let Some(geometry) = &mask.geometry {
        text += &grid(geometry, "  ");
    }
    let counted = |number: usize| mask.labels.as_ref().and_then(|labels| labels.get(number));
    for (place, region) in mask.regions.iter().enumerate() {
        let voxels = counted(place).map_or_else(String::new, |label| format!(": {}", extent(label)));
        text += &format!("  region {} {:?}{voxels}\n", region.number, region.name);
    }
    text + &odd(&mask.odd, "  ")
}

fn odd(odd: &[Odd], indent: &str) -> String {
    odd.iter()
        .map(|odd| line(indent, "odd", &odd.what) + &line(indent, "", format_args!("-> {}", odd.advice)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_no_noise() {
        assert_eq!([0.7812499999999999, 6.499999999999998, -0.0, 1.0].map(nine_digits), [0.78125, 6.5, 0.0, 1.0]);
    }

    #[test]
    fn numbers_have_six_digits() {
        for (value, expected) in
            [(0.0, "0"), (-1024.0, "-1024"), (0.1 + 0.2, "0.3"), (123_456.7, "123457"), (1e-3 / 3.0, "0.000333333")]
        {
            assert_eq!(short(value), expected);
        }
    }
}
