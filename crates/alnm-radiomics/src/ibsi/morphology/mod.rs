//! Morphological features: the shape of the morphological mask, and how intensities lie in it.
//!
//! Symbols: V and A the volume and area of the mesh around the morphological mask (marching cubes at half height), its
//! vertices being the middles between voxels inside and outside; λ₁ ≥ λ₂ ≥ λ₃ the eigenvalues of the covariance of the
//! voxel centres, with N_v - 1 as divisor; X the intensities of the intensity mask.
//!
//! Densities compare V and A with those of an enclosing shape. The oriented minimum bounding box is the least of those
//! that have a face in the plane of a face of the convex hull. A mask without extent in a direction has no least axis
//! and an approximate enclosing ellipsoid without volume: the densities by that ellipsoid are then infinite or NaN.

mod convex_hull;
mod ellipsoid;
mod oriented_box;
pub(crate) mod spatial_autocorrelation;

use std::f64::consts::PI;

use convex_hull::ConvexHull;
use ellipsoid::Ellipsoid;
use oriented_box::BoxEdges;
pub(crate) use spatial_autocorrelation::SpatialAutocorrelation;

use super::definition::{IbsiFamily, morphology};
use super::evaluation::evaluate;
use super::region::Mask;
use crate::diameter::{plane_corners, surface_points};
use crate::feature::{FeatureValue, Formula};
use crate::marching_cubes::{Mesh, mesh};
use crate::principal_axes::covariance_eigenvalues;

/// Everything that the features are made of.
#[derive(Debug, Clone)]
pub(crate) struct Morphology {
    mesh: Mesh,
    voxel_volume: f64,
    voxels: f64,
    centre_of_mass_shift: f64,
    maximum_diameter: f64,
    /// Descending.
    axis_lengths: [f64; 3],
    aligned_box: BoxEdges,
    oriented_box: BoxEdges,
    approximate_ellipsoid: Ellipsoid,
    least_ellipsoid: Ellipsoid,
    hull_volume: f64,
    hull_area: f64,
    mean_intensity: f64,
    autocorrelation: SpatialAutocorrelation,
}

impl Morphology {
    /// Shape and intensities of a region: `intensities` are those of the intensity mask, in raster order. Both masks
    /// lie on one grid with `spacing` (z, y, x) in mm and hold at least one voxel.
    pub(crate) fn new(intensities: &[f64], morphological: &Mask, intensity: &Mask, spacing: [f64; 3]) -> Self {
        let bounds = morphological.bounding_box().unwrap_or([0..0, 0..0, 0..0]);
        let part = morphological.cut(&bounds);
        let (shape, autocorrelation) = rayon::join(
            || Enclosures::new(&part, spacing),
            || SpatialAutocorrelation::new(intensity, intensities, spacing),
        );
        let eigenvalues = covariance_eigenvalues(part.indices().map(|voxel| voxel.map(|index| index as u32)), spacing);
        let voxels = part.count() as f64;
        // The covariance divides by N_v - 1.
        let unbiased = if voxels > 1.0 { voxels / (voxels - 1.0) } else { 1.0 };
        let axis_lengths: [f64; 3] =
            std::array::from_fn(|axis| 4.0 * (unbiased * eigenvalues[2 - axis].max(0.0)).sqrt());
        Self {
            mesh: mesh(&part.voxels, part.shape, spacing),
            voxel_volume: spacing.iter().product(),
            voxels,
            centre_of_mass_shift: centre_of_mass_shift(intensities, morphological, intensity, spacing),
            maximum_diameter: shape.maximum_diameter,
            axis_lengths,
            aligned_box: BoxEdges(std::array::from_fn(|axis| part.shape[axis] as f64 * spacing[axis])),
            oriented_box: shape.oriented_box,
            approximate_ellipsoid: Ellipsoid { semi_axes: axis_lengths.map(|length| length / 2.0) },
            least_ellipsoid: shape.least_ellipsoid,
            hull_volume: shape.hull_volume,
            hull_area: shape.hull_area,
            mean_intensity: crate::summation::sum(intensities) / intensities.len() as f64,
            autocorrelation,
        }
    }

    /// (36 π V²)^(1/3): area of the ball with the mesh's volume.
    fn ball_area(&self) -> f64 {
        (36.0 * PI * self.mesh.volume * self.mesh.volume).cbrt()
    }

    /// √(λ_k / λ₁), for the k-th axis counted from 0; 1 for a single voxel.
    fn axis_ratio(&self, axis: usize) -> f64 {
        if self.axis_lengths[0] == 0.0 { 1.0 } else { self.axis_lengths[axis] / self.axis_lengths[0] }
    }
}

/// The shapes around a mask that follow from the convex hull of its mesh.
struct Enclosures {
    maximum_diameter: f64,
    oriented_box: BoxEdges,
    least_ellipsoid: Ellipsoid,
    hull_volume: f64,
    hull_area: f64,
}

impl Enclosures {
    fn new(part: &Mask, spacing: [f64; 3]) -> Self {
        let Some(hull) = ConvexHull::new(plane_corners(&surface_points(&part.voxels, part.shape))) else {
            let nowhere = Ellipsoid { semi_axes: [f64::NAN; 3] };
            let oriented_box = BoxEdges([f64::NAN; 3]);
            return Self {
                maximum_diameter: f64::NAN,
                oriented_box,
                least_ellipsoid: nowhere,
                hull_volume: f64::NAN,
                hull_area: f64::NAN,
            };
        };
        let vertices = hull.vertices(spacing);
        Self {
            maximum_diameter: largest_distance(&vertices),
            oriented_box: BoxEdges::of_least_volume_around(&hull, spacing),
            least_ellipsoid: Ellipsoid::of_least_volume_around(&vertices),
            hull_volume: hull.volume(spacing),
            hull_area: hull.area(spacing),
        }
    }
}

fn largest_distance(points: &[[f64; 3]]) -> f64 {
    let squared = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>();
    let pairs = points.iter().enumerate().flat_map(|(index, a)| points[index + 1..].iter().map(move |b| squared(a, b)));
    pairs.fold(0.0, f64::max).sqrt()
}

/// Distance between the centre of the morphological mask's voxels and that of the intensity mask's, weighted by
/// intensity.
fn centre_of_mass_shift(intensities: &[f64], morphological: &Mask, intensity: &Mask, spacing: [f64; 3]) -> f64 {
    let centre = |mask: &Mask, weights: &mut dyn Iterator<Item = f64>| -> [f64; 3] {
        let (mut total, mut sums) = (0.0, [0.0; 3]);
        for (voxel, weight) in mask.indices().zip(weights) {
            total += weight;
            for axis in 0..3 {
                sums[axis] += weight * voxel[axis] as f64;
            }
        }
        std::array::from_fn(|axis| sums[axis] / total * spacing[axis])
    };
    let geometric = centre(morphological, &mut std::iter::repeat(1.0));
    let weighted = centre(intensity, &mut intensities.iter().copied());
    (0..3).map(|axis| (geometric[axis] - weighted[axis]).powi(2)).sum::<f64>().sqrt()
}

/// The features of the family in the order of the reference manual, with their formulas.
pub(crate) const FORMULAS: &[Formula<Morphology>] = &[
    Formula::ibsi_only(morphology::VOLUME_MESH, |m| m.mesh.volume),
    Formula::ibsi_only(morphology::VOLUME_VOXEL_COUNTING, |m| m.voxels * m.voxel_volume),
    Formula::ibsi_only(morphology::SURFACE_AREA_MESH, |m| m.mesh.area),
    Formula::ibsi_only(morphology::SURFACE_TO_VOLUME_RATIO, |m| m.mesh.area / m.mesh.volume),
    // V / (√π A^(3/2))
    Formula::ibsi_only(morphology::COMPACTNESS_1, |m| m.mesh.volume / (PI.sqrt() * m.mesh.area.powf(1.5))),
    // 36 π V² / A³
    Formula::ibsi_only(morphology::COMPACTNESS_2, |m| 36.0 * PI * m.mesh.volume.powi(2) / m.mesh.area.powi(3)),
    Formula::ibsi_only(morphology::SPHERICAL_DISPROPORTION, |m| m.mesh.area / m.ball_area()),
    Formula::ibsi_only(morphology::SPHERICITY, |m| m.ball_area() / m.mesh.area),
    // (A³ / (36 π V²))^(1/3) - 1
    Formula::ibsi_only(morphology::ASPHERICITY, |m| m.mesh.area / m.ball_area() - 1.0),
    Formula::ibsi_only(morphology::CENTRE_OF_MASS_SHIFT, |m| m.centre_of_mass_shift),
    Formula::ibsi_only(morphology::MAXIMUM_3D_DIAMETER, |m| m.maximum_diameter),
    // 4 √λ
    Formula::ibsi_only(morphology::MAJOR_AXIS_LENGTH, |m| m.axis_lengths[0]),
    Formula::ibsi_only(morphology::MINOR_AXIS_LENGTH, |m| m.axis_lengths[1]),
    Formula::ibsi_only(morphology::LEAST_AXIS_LENGTH, |m| m.axis_lengths[2]),
    Formula::ibsi_only(morphology::ELONGATION, |m| m.axis_ratio(1)),
    Formula::ibsi_only(morphology::FLATNESS, |m| m.axis_ratio(2)),
    Formula::ibsi_only(morphology::VOLUME_DENSITY_AXIS_ALIGNED_BOUNDING_BOX, |m| {
        m.mesh.volume / m.aligned_box.volume()
    }),
    Formula::ibsi_only(morphology::AREA_DENSITY_AXIS_ALIGNED_BOUNDING_BOX, |m| m.mesh.area / m.aligned_box.area()),
    Formula::ibsi_only(morphology::VOLUME_DENSITY_ORIENTED_MINIMUM_BOUNDING_BOX, |m| {
        m.mesh.volume / m.oriented_box.volume()
    }),
    Formula::ibsi_only(morphology::AREA_DENSITY_ORIENTED_MINIMUM_BOUNDING_BOX, |m| m.mesh.area / m.oriented_box.area()),
    Formula::ibsi_only(morphology::VOLUME_DENSITY_APPROXIMATE_ENCLOSING_ELLIPSOID, |m| {
        m.mesh.volume / m.approximate_ellipsoid.volume()
    }),
    Formula::ibsi_only(morphology::AREA_DENSITY_APPROXIMATE_ENCLOSING_ELLIPSOID, |m| {
        m.mesh.area / m.approximate_ellipsoid.area()
    }),
    Formula::ibsi_only(morphology::VOLUME_DENSITY_MINIMUM_VOLUME_ENCLOSING_ELLIPSOID, |m| {
        m.mesh.volume / m.least_ellipsoid.volume()
    }),
    Formula::ibsi_only(morphology::AREA_DENSITY_MINIMUM_VOLUME_ENCLOSING_ELLIPSOID, |m| {
        m.mesh.area / m.least_ellipsoid.area()
    }),
    Formula::ibsi_only(morphology::VOLUME_DENSITY_CONVEX_HULL, |m| m.mesh.volume / m.hull_volume),
    Formula::ibsi_only(morphology::AREA_DENSITY_CONVEX_HULL, |m| m.mesh.area / m.hull_area),
    // V times the mean of X
    Formula::ibsi_only(morphology::INTEGRATED_INTENSITY, |m| m.mesh.volume * m.mean_intensity),
    Formula::ibsi_only(morphology::MORANS_I_INDEX, |m| m.autocorrelation.moran_i),
    Formula::ibsi_only(morphology::GEARYS_C_MEASURE, |m| m.autocorrelation.geary_c),
];

/// The features of a region; see [`Morphology::new`].
pub(crate) fn features(
    intensities: &[f64],
    morphological: &Mask,
    intensity: &Mask,
    spacing: [f64; 3],
) -> Vec<FeatureValue> {
    evaluate(IbsiFamily::Morphology, FORMULAS, &Morphology::new(intensities, morphological, intensity, spacing))
}
