//! Laplacian of Gaussian and wavelets of the imaging pack.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Tolerance};
use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Image, read_image};
use alnm_radiomics::filter::log::laplacian_of_gaussian;
use alnm_radiomics::filter::wavelet::{Filters, SubBand, WaveletTransform};
use serde_json::Value;

fn laplacian(image: &Image, sigma: f64) -> Vec<f64> {
    let whole = VoxelBox::of_shape(image.geometry().shape());
    laplacian_of_gaussian(image, sigma, whole).into_iter().map(f64::from).collect()
}

fn sub_band(image: &Image, params: &Value) -> Vec<f64> {
    let whole = VoxelBox::of_shape(image.geometry().shape());
    let filters = Filters::named(params["wavelet"].as_str().unwrap()).unwrap();
    let level = params["level"].as_u64().unwrap() as usize;
    // The pack's transforms were made in double precision.
    let bands = WaveletTransform::new(filters).with_levels(level).apply(&Image::F64(image.cast()), whole);
    let wanted = |band: &SubBand| band.level == level && params["band"] == band.letters.as_str();
    bands.into_iter().find(wanted).map(|band| band.values).unwrap_or_default()
}

#[test]
fn filters_agree_with_itk_and_pywavelets() {
    let Some(pack) = Pack::open("imaging") else { return };
    let mut tally = Tally::new("filters");
    for case in pack.cases() {
        let kind = case["kind"].as_str().unwrap();
        if kind != "log" && kind != "wavelet" {
            continue;
        }
        tally.case(format!("{kind} {} {}", case["name"].as_str().unwrap(), case["key"].as_str().unwrap()));
        let image = read_image(pack.path(case["input"].as_str().unwrap())).unwrap();
        let expected = read_image(pack.path(case["outputs"]["image"]["path"].as_str().unwrap())).unwrap().cast::<f64>();
        let got = if kind == "log" {
            laplacian(&image, case["params"]["sigma"].as_f64().unwrap())
        } else {
            sub_band(&image, &case["params"])
        };
        let largest = expected.as_slice().iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let absolute = if kind == "log" { 2e-6 * largest } else { 1e-12 * largest };
        tally.values("voxel", expected.as_slice(), &got, Tolerance::absolute(absolute));
    }
    tally.finish();
}
