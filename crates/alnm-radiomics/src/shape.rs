//! Shape of a region in three dimensions.
//!
//! Symbols: V and A volume and area of the mesh between the voxels of the region and the others (marching cubes at half
//! height); λ₁ ≥ λ₂ ≥ λ₃ the eigenvalues of the covariance of the voxel centres. IBSI section "Morphological features".
//!
//! ```
//! use alnm_radiomics::Selection;
//! use alnm_radiomics::shape::{Shape, features};
//!
//! // A cube of 2 x 2 x 2 voxels of 3 x 1 x 1 mm (z, y, x).
//! let cube = Shape::new(&[true; 8], [2, 2, 2], [3.0, 1.0, 1.0]);
//! let features = features(&cube, &Selection::default())?;
//! assert!(features.iter().any(|feature| (feature.feature.name, feature.value) == ("VoxelVolume", 24.0)));
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use std::f64::consts::PI;

use crate::diameter::Outline;
use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::ibsi::definition::morphology;
use crate::level_map::runs;
use crate::marching_cubes::{Mesh, mesh};
use crate::principal_axes::covariance_eigenvalues_of_runs;

/// A region's mesh, diameters and axes.
#[derive(Debug, Clone)]
pub struct Shape {
    mesh: Mesh,
    voxel_volume: f64,
    voxel_count: f64,
    maximum_diameter: f64,
    /// Largest diameter in planes across z, y and x.
    plane_diameters: [f64; 3],
    /// Ascending.
    eigenvalues: [f64; 3],
}

impl Shape {
    /// The shape of the voxels that are set in `mask`, an array of `shape` (z, y, x) with `spacing` (z, y, x) in mm.
    #[must_use]
    pub fn new(mask: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Self {
        let (mesh, (maximum_diameter, plane_diameters)) = rayon::join(
            || mesh(mask, shape, spacing),
            || {
                let outline = Outline::new(mask, shape);
                (outline.largest(spacing), std::array::from_fn(|axis| outline.largest_in_planes(axis, spacing)))
            },
        );
        let runs = runs(mask, shape);
        let in_space = runs.iter().map(|run| {
            let (row, first) = (run.start / shape[2], (run.start % shape[2]) as u32);
            ([(row / shape[1]) as u32, (row % shape[1]) as u32], first..first + run.len() as u32)
        });
        Self {
            mesh,
            voxel_volume: spacing.iter().product(),
            voxel_count: runs.iter().map(ExactSizeIterator::len).sum::<usize>() as f64,
            maximum_diameter,
            plane_diameters,
            eigenvalues: covariance_eigenvalues_of_runs(in_space, spacing),
        }
    }

    /// (36 π V²)^(1/3): area of the sphere with the mesh's volume.
    fn sphere_area(&self) -> f64 {
        (36.0 * PI * self.mesh.volume * self.mesh.volume).cbrt()
    }
}

/// 4 √λ, the length of the axis of an ellipsoid; NaN when λ is negative.
pub(crate) fn axis_length(eigenvalue: f64) -> f64 {
    eigenvalue.sqrt() * 4.0
}

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`Shape`].
pub const FORMULAS: &[Formula<Shape>] = &[
    // V / (√π A^(3/2)); IBSI (code SKGS) has the same definition.
    Formula::compliant("Compactness1", morphology::COMPACTNESS_1, |s: &Shape| {
        s.mesh.volume / (s.mesh.area.powf(1.5) * PI.sqrt())
    })
    .only_by_name(),
    Formula::compliant("Compactness2", morphology::COMPACTNESS_2, |s: &Shape| {
        36.0 * PI * s.mesh.volume.powi(2) / s.mesh.area.powi(3)
    })
    .only_by_name(),
    Formula::compliant("Elongation", morphology::ELONGATION, |s| (s.eigenvalues[1] / s.eigenvalues[2]).sqrt()),
    Formula::compliant("Flatness", morphology::FLATNESS, |s| (s.eigenvalues[0] / s.eigenvalues[2]).sqrt()),
    Formula::deviating("LeastAxisLength", morphology::LEAST_AXIS_LENGTH, |s| axis_length(s.eigenvalues[0])),
    Formula::deviating("MajorAxisLength", morphology::MAJOR_AXIS_LENGTH, |s| axis_length(s.eigenvalues[2])),
    Formula::pyradiomics_only("Maximum2DDiameterColumn", |s| s.plane_diameters[1]),
    Formula::pyradiomics_only("Maximum2DDiameterRow", |s| s.plane_diameters[2]),
    Formula::pyradiomics_only("Maximum2DDiameterSlice", |s| s.plane_diameters[0]),
    Formula::compliant("Maximum3DDiameter", morphology::MAXIMUM_3D_DIAMETER, |s| s.maximum_diameter),
    Formula::compliant("MeshVolume", morphology::VOLUME_MESH, |s| s.mesh.volume),
    Formula::deviating("MinorAxisLength", morphology::MINOR_AXIS_LENGTH, |s| axis_length(s.eigenvalues[1])),
    Formula::compliant("SphericalDisproportion", morphology::SPHERICAL_DISPROPORTION, |s: &Shape| {
        s.mesh.area / s.sphere_area()
    })
    .only_by_name(),
    Formula::compliant("Sphericity", morphology::SPHERICITY, |s| s.sphere_area() / s.mesh.area),
    Formula::compliant("SurfaceArea", morphology::SURFACE_AREA_MESH, |s| s.mesh.area),
    Formula::compliant("SurfaceVolumeRatio", morphology::SURFACE_TO_VOLUME_RATIO, |s| s.mesh.area / s.mesh.volume),
    Formula::compliant("VoxelVolume", morphology::VOLUME_VOXEL_COUNTING, |s| s.voxel_count * s.voxel_volume),
];

/// The values of the selected features.
///
/// # Errors
/// [`ParameterError::Unknown`](crate::parameters::ParameterError::Unknown) for a feature that the class does not have.
pub fn features(shape: &Shape, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::Shape, FORMULAS, shape)
}
