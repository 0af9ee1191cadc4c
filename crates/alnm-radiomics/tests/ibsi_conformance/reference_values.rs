//! IBSI 1: the digital phantom and the configurations of the CT phantom.

use alnm_conformance::pack::{Pack, Row};
use alnm_conformance::tally;
use alnm_imaging::Image;
use alnm_radiomics::ibsi::{IbsiProfile, ReferenceConfiguration};
use alnm_radiomics::{DiagnosticValue, Extraction, Extractor, FeatureId};

use crate::images::{AREA, compare, image, mask, section, three_digits};

/// The configuration and the phantom of a data set of the table.
fn configuration(data_set: &str) -> (ReferenceConfiguration, &'static str) {
    let name = data_set.strip_prefix("config ").map_or("DigitalPhantom", |letter| letter);
    let configuration = serde_json::from_value(name.into()).unwrap_or_else(|error| panic!("{data_set}: {error}"));
    let phantom =
        if configuration == ReferenceConfiguration::DigitalPhantom { "digital_phantom" } else { "ct_phantom" };
    (configuration, phantom)
}

fn extract(pack: &Pack, data_set: &str) -> Extraction {
    let (configuration, phantom) = configuration(data_set);
    let extractor = Extractor::new(IbsiProfile::reference(configuration).check().unwrap());
    let label = 1;
    let (image, mask) =
        (image(pack, format!("{phantom}/phantom.nii.gz")), mask(pack, format!("{phantom}/mask.nii.gz")));
    extractor.execute(&Image::F64(image), &mask, label).unwrap()
}

/// The value that a row of the table speaks of.
fn value(extraction: &Extraction, row: &Row<'_>) -> f64 {
    let tag = row.text("tag");
    if row.text("family").starts_with("Diagnostics") {
        return diagnostic(extraction, tag);
    }
    let feature = extraction.features.iter().find(|feature| feature.id.name() == tag);
    let feature = feature.unwrap_or_else(|| panic!("no feature has the tag {tag}"));
    let FeatureId::Ibsi { feature: definition, aggregation } = &feature.id else {
        panic!("{tag} is no feature of the IBSI")
    };
    let aggregation = aggregation.map_or("", |aggregation| aggregation.code());
    assert_eq!(aggregation, row.text("aggregation_ibsi_id"), "{tag}");
    assert_eq!(definition.tag, row.text("feature_tag"));
    feature.value
}

/// The value of an entry of the diagnostics, by its tag in the table.
fn diagnostic(extraction: &Extraction, tag: &str) -> f64 {
    let (name, stage) = tag
        .rsplit_once('_')
        .and_then(|(rest, kind)| rest.rsplit_once('_').map(|(name, stage)| (name, (stage, kind))))
        .unwrap();
    let (stage, is_image) = match stage {
        ("init", kind) => ("original", kind == "img"),
        ("interp", kind) => ("interpolated", kind == "img"),
        ("reseg", "roi") => ("resegmented", false),
        _ => panic!("no diagnostic has the tag {tag}"),
    };
    // Images are interpolated once; masks lie on the grid of the image.
    let image = format!("Image-{}", if stage == "original" { "original" } else { "interpolated" });
    let mask = format!("{}Mask-{stage}", if name.starts_with("morph") { "Morphological" } else { "Intensity" });
    let (subject, entry) = match name {
        name if name.starts_with("img_dim") || name.starts_with("int_mask_dim") => (image, "Size"),
        name if name.starts_with("vox_dim") => (image, "Spacing"),
        name if name.contains("mask_bb_dim") => (mask, "Size"),
        name if name.ends_with("vox_count") => (mask, "VoxelNum"),
        name => {
            let entries = [("mean_int", "Mean"), ("min_int", "Minimum"), ("max_int", "Maximum")];
            let entry = entries.into_iter().find(|(end, _)| name.ends_with(end));
            let (_, entry) = entry.unwrap_or_else(|| panic!("no diagnostic has the tag {tag}"));
            (if is_image { image } else { mask }, entry)
        }
    };
    let wanted = format!("diagnostics_IBSI-{subject}_{entry}");
    let found = extraction.diagnostics.iter().find(|diagnostic| diagnostic.name == wanted);
    let axis = || ["_x", "_y", "_z"].iter().position(|axis| name.ends_with(axis)).unwrap();
    match &found.unwrap_or_else(|| panic!("there is no {wanted}")).value {
        DiagnosticValue::Float(value) => *value,
        DiagnosticValue::Integer(value) => *value as f64,
        DiagnosticValue::Floats(values) => values[axis()],
        DiagnosticValue::Integers(values) => values[axis()] as f64,
        other => panic!("{wanted} is {other}"),
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
