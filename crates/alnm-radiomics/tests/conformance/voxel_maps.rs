//! Maps of features.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Tolerance};
use serde_json::Value;

use crate::expected::{Case, run_with};
use crate::npz;

#[test]
fn maps_agree_with_pyradiomics() {
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("voxel maps");
    for entry in &pack.json::<Vec<Value>>("voxelmaps/index.json") {
        let file = entry["file"].as_str().unwrap();
        tally.case(file);
        let mut run = run_with(&pack, entry["case"].as_str().unwrap(), &entry["params"]);
        run["label"] = entry["label"].clone();
        let case = Case::read(&pack, "", &run).unwrap();
        let extraction = case.extractor.execute_voxel_based(&case.image, &case.mask, case.label).unwrap();
        let names: Vec<&str> = entry["features"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let got: Vec<String> = extraction.maps.iter().map(|map| map.id.name()).collect();
        tally.check(names == got, "names");
        let origin = entry["origin"].as_array().unwrap().iter().filter_map(Value::as_f64);
        for (expected, got) in origin.zip(extraction.maps[0].map.geometry().origin()) {
            tally.value("origin", expected, got, Tolerance { relative: 1e-12, absolute: 1e-12 });
        }
        let expected = npz::read(&pack.bytes(format!("voxelmaps/{file}"))).remove("maps").unwrap();
        let shape: [usize; 3] = extraction.maps[0].map.data().dim().into();
        tally.check(expected.shape[1..] == shape, format_args!("shape {shape:?}"));
        let voxels = shape.iter().product();
        for (feature, expected) in extraction.maps.iter().zip(expected.values.chunks_exact(voxels)) {
            let largest = expected
                .iter()
                .filter(|value| value.is_finite())
                .fold(0.0, |largest: f64, value| largest.max(value.abs()));
            // Eigenvalues that are 0 but for rounding have roots of the size of its root.
            let (relative, absolute) =
                if feature.id.name().ends_with("_MCC") { (1e-4, 1e-7) } else { (1e-6, 1e-9 * largest) };
            let tolerance = Tolerance { relative, absolute };
            for (voxel, (&expected, &got)) in expected.iter().zip(feature.map.as_slice()).enumerate() {
                tally.value(format_args!("{} voxel {voxel}", feature.id), expected, got, tolerance);
            }
        }
    }
    tally.finish();
}
