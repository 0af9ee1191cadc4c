//! Shape of a region in one slice.
//!
//! Symbols: A and P area and perimeter of the polygon between the pixels of the region and the others (marching squares
//! at half height); λ₁ ≥ λ₂ the eigenvalues of the covariance of the pixel centres.
//!
//! ```
//! use alnm_radiomics::Selection;
//! use alnm_radiomics::shape2d::{Shape2D, features};
//!
//! // A square of 3 x 3 pixels of 2 x 2 mm.
//! let square = Shape2D::new(&[true; 9], [3, 3], [2.0, 2.0]);
//! let features = features(&square, &Selection::default())?;
//! assert!(features.iter().any(|feature| (feature.feature.name, feature.value) == ("PixelSurface", 36.0)));
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use std::f64::consts::PI;

use crate::diameter::{largest, surface_points};
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::principal_axes::covariance_eigenvalues;
use crate::shape::axis_length;

/// A slice's polygon, diameter and axes.
#[derive(Debug, Clone)]
pub struct Shape2D {
    perimeter: f64,
    area: f64,
    diameter: f64,
    pixel_area: f64,
    pixel_count: f64,
    /// Ascending.
    eigenvalues: [f64; 2],
}

/// Middles of the edges of a square in half pixels, (y, x): top, right, bottom, left.
const EDGE_MIDDLES: [[i64; 2]; 4] = [[0, 1], [1, 2], [2, 1], [1, 0]];

/// Lines from edge to edge of the 16 configurations of a square; bits 0 to 3 of the configuration are the corners top
/// left, top right, bottom right, bottom left.
const LINES: [&[[usize; 2]]; 16] = [
    &[],
    &[[3, 0]],
    &[[0, 1]],
    &[[3, 1]],
    &[[1, 2]],
    &[[1, 2], [3, 0]],
    &[[0, 2]],
    &[[3, 2]],
    &[[2, 3]],
    &[[2, 0]],
    &[[0, 1], [2, 3]],
    &[[2, 1]],
    &[[1, 3]],
    &[[1, 0]],
    &[[0, 3]],
    &[],
];

impl Shape2D {
    /// The shape of the pixels that are set in `mask`, an array of `shape` (y, x) with `spacing` (y, x) in mm.
    #[must_use]
    pub fn new(mask: &[bool], shape: [usize; 2], spacing: [f64; 2]) -> Self {
        let (perimeter, area) = polygon(mask, shape, spacing);
        let outline = surface_points(mask, [1, shape[0], shape[1]]);
        // In three dimensions the slice also has points above and below its pixels.
        let outline: Vec<_> = outline.into_iter().filter(|point| point[0] == 0).collect();
        let pixels = mask.iter().enumerate().filter(|(_, inside)| **inside);
        let pixels = pixels.map(|(index, _)| [(index / shape[1]) as u32, (index % shape[1]) as u32]);
        Self {
            perimeter,
            area,
            diameter: largest(&outline, [1.0, spacing[0], spacing[1]]),
            pixel_area: spacing[0] * spacing[1],
            pixel_count: mask.iter().filter(|inside| **inside).count() as f64,
            eigenvalues: covariance_eigenvalues(pixels, spacing),
        }
    }

    /// 2 √(π A) / P: perimeter of the circle with the polygon's area by its own.
    fn sphericity(&self) -> f64 {
        2.0 * (PI * self.area).sqrt() / self.perimeter
    }
}

/// Perimeter and area of the polygon at half height.
fn polygon(mask: &[bool], shape: [usize; 2], spacing: [f64; 2]) -> (f64, f64) {
    let inside = |y: usize, x: usize| {
        let within = (1..=shape[0]).contains(&y) && (1..=shape[1]).contains(&x);
        usize::from(within && mask[(y - 1) * shape[1] + x - 1])
    };
    let (mut perimeter, mut doubled_area) = (0.0, 0.0);
    for y in 0..=shape[0] {
        for x in 0..=shape[1] {
            let configuration =
                inside(y, x) | inside(y, x + 1) << 1 | inside(y + 1, x + 1) << 2 | inside(y + 1, x) << 3;
            for line in LINES[configuration] {
                let [a, b] = line.map(|edge| {
                    let middle = EDGE_MIDDLES[edge];
                    [(y as f64 + middle[0] as f64 * 0.5) * spacing[0], (x as f64 + middle[1] as f64 * 0.5) * spacing[1]]
                });
                doubled_area += a[0] * b[1] - b[0] * a[1];
                perimeter += ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt();
            }
        }
    }
    (perimeter, doubled_area / 2.0)
}

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`Shape2D`].
pub const FORMULAS: &[Formula<Shape2D>] = &[
    Formula::pyradiomics_only("Elongation", |s| (s.eigenvalues[0] / s.eigenvalues[1]).sqrt()),
    Formula::pyradiomics_only("MajorAxisLength", |s| axis_length(s.eigenvalues[1])),
    Formula::pyradiomics_only("MaximumDiameter", |s| s.diameter),
    Formula::pyradiomics_only("MeshSurface", |s| s.area),
    Formula::pyradiomics_only("MinorAxisLength", |s| axis_length(s.eigenvalues[0])),
    Formula::pyradiomics_only("Perimeter", |s| s.perimeter),
    Formula::pyradiomics_only("PerimeterSurfaceRatio", |s| s.perimeter / s.area),
    Formula::pyradiomics_only("PixelSurface", |s| s.pixel_count * s.pixel_area),
    Formula::pyradiomics_only("SphericalDisproportion", |s: &Shape2D| 1.0 / s.sphericity()).only_by_name(),
    Formula::pyradiomics_only("Sphericity", Shape2D::sphericity),
];

/// The values of the selected features.
///
/// # Errors
/// [`ParameterError::Unknown`](crate::parameters::ParameterError::Unknown) for a feature that the class does not have.
pub fn features(shape: &Shape2D, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::Shape2D, FORMULAS, shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_a_square_on_its_tip() {
        let shape = Shape2D::new(&[true], [1, 1], [1.0, 1.0]);
        approx::assert_relative_eq!(shape.area.abs(), 0.5, max_relative = 1e-14);
        approx::assert_relative_eq!(shape.perimeter, 2.0 * 2.0f64.sqrt(), max_relative = 1e-14);
        approx::assert_relative_eq!(shape.diameter, 1.0);
    }
}
