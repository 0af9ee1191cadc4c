//! Which features are robust: those that agree between perturbations of the same lesions.
//!
//! Twelve lesions are simulated, each is turned, shifted and grown or shrunk, features are extracted from every
//! version, and the filter by agreement takes each perturbation as a reader of its own: a feature stays when its
//! intraclass correlation is above 0.75.
//!
//! ```text
//! cargo run --release --example robust_features
//! ```

#![allow(clippy::print_stdout)]

use alnm_radiomics::perturbation::{PerturbationParams, Perturbations, SizeChange};
use alnm_radiomics::{Extractor, FeatureClass, Geometry, Image, LabelMap, Parameters, Volume};
use alnm_selection::FeatureTable;
use alnm_selection::agreement_filter::AgreementParams;
use anyhow::{Context, Result};
use ndarray::{Array2, Array3};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

const LESIONS: u64 = 12;

fn main() -> Result<()> {
    let perturbations = PerturbationParams::default()
        .with_rotations(vec![-5.0, 5.0])
        .with_translations(vec![0.5])
        .with_size_changes(vec![SizeChange::Fraction(-0.15), SizeChange::None, SizeChange::Fraction(0.15)])
        .check()?;
    let parameters = Parameters::builder()
        .feature_class(FeatureClass::Shape)
        .feature_class(FeatureClass::FirstOrder)
        .feature_class(FeatureClass::Glcm)
        .check()?;
    let tables = tables(&perturbations, &Extractor::new(parameters))?;

    let readers: Vec<&FeatureTable> = tables.iter().collect();
    let filter = AgreementParams::default().with_above(0.75).check()?;
    let form = filter.params().form;
    println!("{} lesions, {} perturbations", LESIONS, readers.len());
    for feature in filter.assess(&readers)? {
        let mark = if feature.reliable { "robust" } else { "" };
        println!("{:<45} {:>6.3}  {mark}", feature.feature, feature.analysis.form(form).estimate);
    }
    Ok(())
}

/// One table for each perturbation, with a row for each lesion.
fn tables(perturbations: &Perturbations, extractor: &Extractor) -> Result<Vec<FeatureTable>> {
    let names = extractor.feature_columns(3);
    let mut rows = vec![Vec::new(); perturbations.all().len()];
    for seed in 0..LESIONS {
        let (image, mask) = lesion(seed)?;
        for (row, perturbed) in rows.iter_mut().zip(perturbations.extract(extractor, &image, &mask, 1)?) {
            let extraction = perturbed.extraction.with_context(|| perturbed.perturbation.to_string())?;
            row.extend(extraction.features.iter().map(|feature| feature.value));
        }
    }
    let table = |values| -> Result<FeatureTable> {
        Ok(FeatureTable::new(names.clone(), Array2::from_shape_vec((LESIONS as usize, names.len()), values)?)?)
    };
    rows.into_iter().map(table).collect()
}

/// An ellipsoid with coarse and fine texture, each of its own strength.
fn lesion(seed: u64) -> Result<(Image, LabelMap)> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || f64::from(generator.next_u32()) / f64::from(u32::MAX);
    let radii = [5.0, 5.0, 4.0].map(|radius| radius + 4.0 * uniform());
    let (coarse, fine, frequency) = (60.0 * uniform(), 30.0 * uniform(), 0.3 + 0.5 * uniform());
    let geometry = Geometry::axis_aligned([28, 28, 24], [1.0; 3])?;
    let wave =
        |z: usize, y: usize, x: usize| ((x + z) as f64 * frequency).sin() + ((y + 2 * z) as f64 * frequency).cos();
    let image = Array3::from_shape_fn([24, 28, 28], |(z, y, x)| 300.0 + coarse * wave(z, y, x) + fine * uniform());
    let mask = Array3::from_shape_fn([24, 28, 28], |(z, y, x)| {
        let squared = |index: usize, middle: f64, radius: f64| ((index as f64 - middle) / radius).powi(2);
        u32::from(squared(x, 13.5, radii[0]) + squared(y, 13.5, radii[1]) + squared(z, 11.5, radii[2]) <= 1.0)
    });
    Ok((Image::F64(Volume::new(image, geometry.clone())?), Volume::new(mask, geometry)?))
}
