//! Radiomic features of an image that lies in memory as an ndarray array: no file is read.
//!
//! An image of 24 × 24 × 12 voxels and an ellipsoid as its mask are made, the parameters are put together in types
//! (bins of 10 grey values, the original image and Laplacians of Gaussian of 2 and 3 mm, two classes of features), and
//! each feature is printed with PyRadiomics' name.
//!
//! ```text
//! cargo run -p alnm-radiomics --example features_in_memory
//! ```
#![allow(clippy::print_stdout)]

use alnm_radiomics::parameters::{ImageTypeRequest, Settings};
use alnm_radiomics::{Extractor, FeatureClass, Geometry, Image, ImageType, Parameters, Volume};
use ndarray::Array3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Size and spacing in mm are given as (x, y, z); arrays are indexed as (z, y, x).
    let geometry = Geometry::axis_aligned([24, 24, 12], [1.0, 1.0, 2.5])?;
    let voxels = Array3::from_shape_fn([12, 24, 24], |(z, y, x)| {
        let texture = (x * 7 + y * 11 + z * 5) % 23;
        (200 + 4 * texture + 3 * x + 2 * z) as i16
    });
    let mask = Array3::from_shape_fn([12, 24, 24], |(z, y, x)| {
        let distance = |place: usize, centre: f64, radius: f64| ((place as f64 - centre) / radius).powi(2);
        u32::from(distance(x, 12.0, 8.0) + distance(y, 12.0, 7.0) + distance(z, 6.0, 4.0) <= 1.0)
    });
    let image = Image::from(Volume::new(voxels, geometry.clone())?);
    let mask = Volume::new(mask, geometry)?;

    let parameters = Parameters::builder()
        .settings(Settings::default().with_bin_width(10.0))
        .image_type(ImageType::Original)
        .image_type(ImageTypeRequest::log([2.0, 3.0]))
        .feature_class(FeatureClass::FirstOrder)
        .feature_class(FeatureClass::Glcm)
        .check()?;
    let extraction = Extractor::new(parameters).execute(&image, &mask, 1)?;

    for feature in &extraction.features {
        println!("{:<60} {:>16.6}", feature.id.name(), feature.value);
    }
    for warning in &extraction.warnings {
        println!("warning: {warning}");
    }
    Ok(())
}
