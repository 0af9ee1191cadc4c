//! Prepared and derived images.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Tolerance};
use alnm_imaging::{Image, read_image, with_volume};

use crate::expected::{Case, run_with};

/// Values of an image as doubles.
fn values(image: &Image) -> Vec<f64> {
    with_volume!(image, volume => volume.as_slice().iter().map(|&voxel| alnm_imaging::Voxel::to_f64(voxel)).collect())
}

/// The image that a file name of the pack ends with: `breast1_0_wavelet-LLL.nrrd` is `wavelet-LLL`.
fn image_name(file: &str) -> &str {
    let stem = file.trim_end_matches(".nrrd");
    stem.split_once('_').and_then(|(_, rest)| rest.split_once('_')).map_or(stem, |(_, name)| name)
}

fn compare(tally: &mut Tally, file: &str, expected: &[f64], got: &[f64], resampled: bool) {
    let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let single = file.contains("log-sigma") || file.contains("gradient");
    let (relative, absolute) = if single {
        (0.0, 2e-6 * largest)
    } else if resampled {
        (1e-6, 1e-6 * largest)
    } else {
        (1e-9, 1e-10 * largest)
    };
    // The last step of a spherical pattern is a comparison; two samples at the threshold would decide a value.
    tally.values("voxel", expected, got, Tolerance { relative, absolute });
}

fn check_entry(tally: &mut Tally, pack: &Pack, entry: &serde_json::Value) {
    let run = {
        let mut run = run_with(pack, entry["case"].as_str().unwrap(), &entry["params"]);
        run["label"] = entry["label"].clone();
        run
    };
    let case = Case::read(pack, "", &run).unwrap();
    let images = case.extractor.filtered_images(&case.image, &case.mask, case.label).unwrap();
    let resampled = entry["params"]["setting"].get("resampledPixelSpacing").is_some();
    for file in entry["files"].as_object().unwrap().keys() {
        tally.case(file);
        let expected = values(&read_image(pack.path("filtered").join(file)).unwrap());
        let name = image_name(file);
        let got = match name {
            "preprocessed_image" => values(&images.image),
            "preprocessed_mask" => images.mask.as_slice().iter().map(|&voxel| f64::from(voxel)).collect(),
            name => images
                .filtered
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, image)| image.as_slice().to_vec())
                .unwrap_or_default(),
        };
        compare(tally, file, &expected, &got, resampled);
    }
}

#[test]
fn derived_images_agree_with_pyradiomics() {
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("images");
    for entry in &pack.json::<Vec<serde_json::Value>>("filtered/index.json") {
        check_entry(&mut tally, &pack, entry);
    }
    tally.finish();
}
