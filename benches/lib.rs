//! Inputs that several benches share, an image with a lesion and a cohort of features, both the same each time; and how far
//! a LASSO path is from its optimality conditions.

use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_models::{FeatureTable, Labels};
use alnm_selection::elastic_net::ElasticNetPath;
use ndarray::{Array2, Array3};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// An image of 64 × 64 × 32 voxels of 1 × 1 × 2 mm: smooth tissue under a slowly varying bias, with noise.
///
/// # Panics
/// Never: the grid is valid.
#[must_use]
pub fn image() -> Volume<f32> {
    let geometry = Geometry::axis_aligned([64, 64, 32], [1.0, 1.0, 2.0]).expect("the grid is valid");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let values = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| {
        let [z, y, x] = [z, y, x].map(|index| index as f32);
        let tissue = 300.0 + 60.0 * (0.4 * x).sin() * (0.3 * y).cos() + 40.0 * (0.5 * z).sin();
        let bias = (0.3 * (x / 64.0) - 0.2 * (y / 64.0) * (z / 32.0)).exp();
        let noise: f32 = random.sample(StandardNormal);
        tissue * bias + 5.0 * noise
    });
    Volume::new(values, geometry).expect("the shapes agree")
}

/// A ball of about 7,000 voxels with label 1 in the middle of [`image`].
///
/// # Panics
/// Never: the grid is that of the image.
#[must_use]
pub fn lesion() -> LabelMap {
    let geometry = image().geometry().clone();
    let values = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| {
        let [z, y, x] = [2.0 * (z as f64 - 15.5), y as f64 - 31.5, x as f64 - 31.5];
        u32::from(z * z + y * y + x * x < 15.0 * 15.0)
    });
    Volume::new(values, geometry).expect("the shapes agree")
}

/// The image and its lesion as readers give them.
#[must_use]
pub fn case() -> (Image, LabelMap) {
    (Image::F32(image()), lesion())
}

/// Patients of [`cohort`].
pub const PATIENTS: usize = 212;
/// Features of [`cohort`].
pub const FEATURES: usize = 926;

/// Features of 212 patients, in blocks of correlated ones as radiomics has them, of which ten carry the outcome.
///
/// # Panics
/// Never: the values are finite and the names are unique.
#[must_use]
pub fn cohort() -> (FeatureTable, Labels) {
    const BLOCK: usize = 16;
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut normal = || -> f64 { random.sample(StandardNormal) };
    let mut values = Array2::zeros((PATIENTS, FEATURES));
    for mut patient in values.rows_mut() {
        let mut shared = 0.0;
        for (feature, value) in patient.iter_mut().enumerate() {
            if feature % BLOCK == 0 {
                shared = normal();
            }
            *value = 0.8 * shared + 0.6 * normal();
        }
    }
    let score = |patient: usize| (0..10).map(|block| values[[patient, block * BLOCK]]).sum::<f64>();
    let labels: Vec<bool> = (0..PATIENTS).map(|patient| score(patient) + 2.0 * normal() > 0.0).collect();
    let names = (0..FEATURES).map(|feature| format!("feature_{feature}")).collect();
    (FeatureTable::new(names, values).expect("the table is valid"), Labels::new(labels))
}

/// How far a path is from its optimality conditions |gradient| ≤ λ, with equality where a coefficient is not 0: the
/// largest violation of each penalty in units of the penalty, of these the largest and the median.
#[must_use]
pub fn violations(path: &ElasticNetPath, table: &FeatureTable, labels: &Labels) -> (f64, f64) {
    let (values, y) = (table.values(), labels.to_values());
    let n = y.len() as f64;
    let standardised: Vec<Vec<f64>> = values
        .columns()
        .into_iter()
        .map(|column| {
            let mean = column.sum() / n;
            let deviation = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            column.iter().map(|v| (v - mean) / deviation).collect()
        })
        .collect();
    let mut largest: Vec<f64> = path
        .lambda()
        .iter()
        .zip(path.coefficients())
        .map(|(lambda, fitted)| {
            let predictor = |row: usize| -> f64 {
                fitted.intercept()
                    + fitted.columns().iter().zip(fitted.values()).map(|(&j, b)| b * values[[row, j]]).sum::<f64>()
            };
            let residual: Vec<f64> = (0..y.len()).map(|row| y[row] - 1.0 / (1.0 + (-predictor(row)).exp())).collect();
            let violation = |(j, x): (usize, &Vec<f64>)| {
                let gradient = x.iter().zip(&residual).map(|(x, r)| x * r).sum::<f64>() / n;
                match fitted.columns().binary_search(&j) {
                    Ok(place) => (gradient - lambda.copysign(fitted.values()[place])).abs(),
                    Err(_) => (gradient.abs() - lambda).max(0.0),
                }
            };
            standardised.iter().enumerate().map(violation).fold(0.0, f64::max) / lambda
        })
        .collect();
    largest.sort_unstable_by(f64::total_cmp);
    (largest[largest.len() - 1], largest[largest.len() / 2])
}
