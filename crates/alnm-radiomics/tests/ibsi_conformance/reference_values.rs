//! IBSI 1: the digital phantom and the configurations of the CT phantom.

use alnm_conformance::pack::{Pack, Row};
use alnm_conformance::tally;
use alnm_radiomics::ibsi::{
    IbsiDiagnostics, IbsiExtraction, IbsiProfile, ImageSummary, ReferenceConfiguration, RegionSummary,
};

use crate::images::{AREA, compare, image, mask, section, three_digits};

/// The configuration and the phantom of a data set of the table.
fn configuration(data_set: &str) -> (ReferenceConfiguration, &'static str) {
    let name = data_set.strip_prefix("config ").map_or("DigitalPhantom", |letter| letter);
    let configuration = serde_json::from_value(name.into()).unwrap_or_else(|error| panic!("{data_set}: {error}"));
    let phantom =
        if configuration == ReferenceConfiguration::DigitalPhantom { "digital_phantom" } else { "ct_phantom" };
    (configuration, phantom)
}

fn extract(pack: &Pack, data_set: &str) -> IbsiExtraction {
    let (configuration, phantom) = configuration(data_set);
    let extractor = IbsiProfile::reference(configuration).check().unwrap();
    let label = 1;
    let (image, mask) =
        (image(pack, format!("{phantom}/phantom.nii.gz")), mask(pack, format!("{phantom}/mask.nii.gz")));
    extractor.extract(&image, &mask, label).unwrap()
}

/// The value that a row of the table speaks of.
fn value(extraction: &IbsiExtraction, row: &Row<'_>) -> f64 {
    let tag = row.text("tag");
    if row.text("family").starts_with("Diagnostics") {
        return diagnostic(&extraction.diagnostics, tag);
    }
    let feature = extraction.features.iter().find(|feature| feature.column() == tag);
    let feature = feature.unwrap_or_else(|| panic!("no feature has the tag {tag}"));
    let aggregation = feature.aggregation.map_or("", |aggregation| aggregation.code());
    assert_eq!(aggregation, row.text("aggregation_ibsi_id"), "{tag}");
    feature.value
}

fn diagnostic(diagnostics: &IbsiDiagnostics, tag: &str) -> f64 {
    let (name, stage) = tag
        .rsplit_once('_')
        .and_then(|(rest, kind)| rest.rsplit_once('_').map(|(name, stage)| (name, (stage, kind))))
        .unwrap();
    let interpolated = &diagnostics.interpolated_image;
    match stage {
        ("init", "img") => image_value(&diagnostics.initial_image, name),
        ("interp", "img") => image_value(interpolated, name),
        ("init", "roi") => region_value(&diagnostics.initial_region, &diagnostics.initial_image, name),
        ("interp", "roi") => region_value(&diagnostics.interpolated_region, interpolated, name),
        ("reseg", "roi") => region_value(&diagnostics.resegmented_region, interpolated, name),
        _ => panic!("no diagnostic has the tag {tag}"),
    }
}

fn axis(name: &str) -> usize {
    ["_x", "_y", "_z"].iter().position(|axis| name.ends_with(axis)).unwrap_or_else(|| panic!("{name} names no axis"))
}

fn image_value(image: &ImageSummary, name: &str) -> f64 {
    match name {
        "mean_int" => image.mean,
        "min_int" => image.minimum,
        "max_int" => image.maximum,
        name if name.starts_with("img_dim") => image.size[axis(name)] as f64,
        name if name.starts_with("vox_dim") => image.spacing[axis(name)],
        _ => panic!("no summary of an image has {name}"),
    }
}

fn region_value(region: &RegionSummary, image: &ImageSummary, name: &str) -> f64 {
    match name {
        "int_mask_vox_count" => region.intensity_voxels as f64,
        "morph_mask_vox_count" => region.morphological_voxels as f64,
        "int_mask_mean_int" => region.mean,
        "int_mask_min_int" => region.minimum,
        "int_mask_max_int" => region.maximum,
        name if name.starts_with("int_mask_bb_dim") => region.intensity_box[axis(name)] as f64,
        name if name.starts_with("morph_mask_bb_dim") => region.morphological_box[axis(name)] as f64,
        name if name.starts_with("int_mask_dim") => image.size[axis(name)] as f64,
        _ => panic!("no summary of a region has {name}"),
    }
}

#[test]
fn ibsi_1_values() {
    let Some(pack) = Pack::open(AREA) else { return };
    let table = pack.table("ibsi1_reference_values.csv");
    let rows = table.rows();
    assert!(!rows.is_empty(), "the pack has no values");
    let mut sections = Vec::new();
    for rows in rows.chunk_by(|a, b| a.text("data_set") == b.text("data_set")) {
        let data_set = rows[0].text("data_set");
        let extraction = extract(&pack, data_set);
        let mut tally = section(format!("IBSI 1, {data_set}"));
        for row in rows {
            let got = value(&extraction, row);
            if let Some(reference) = row.number("value") {
                let tolerance = row.number("tolerance").unwrap();
                compare(&mut tally, row.text("tag"), reference, tolerance, rounded_as(row, got));
            }
        }
        sections.push(tally);
    }
    tally::finish(sections);
}

/// Counts of voxels are given in full, everything else with three significant digits.
fn rounded_as(row: &Row<'_>, value: f64) -> f64 {
    if row.text("family").starts_with("Diagnostics") && value.fract() == 0.0 { value } else { three_digits(value) }
}
