//! Distances between voxels of two regions, as SimpleITK computes them.

use alnm_imaging::Volume;
use alnm_imaging::distance::signed_distance;
use alnm_imaging::intensity::percentile_of_sorted;
use alnm_imaging::region::Roi;
use ndarray::{Array3, Axis};
use serde::Serialize;

use crate::error::Result;

/// Distances in mm between the voxels of a reference A and another outline B, as SimpleITK computes them. All are
/// symmetric in A and B.
///
/// d(a, B) is the distance of a voxel's centre to the nearest voxel of B, 0 inside of B. The surface of a region are
/// its voxels with a face on another voxel of the image (`LabelContour`); their distances to the other surface, pooled
/// from both sides, are those of SimpleITK's tutorial, where the border of the image is no surface.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VoxelDistances {
    /// Hausdorff distance max(max d(a, B), max d(b, A)): `GetHausdorffDistance`.
    pub hausdorff: f64,
    /// Average Hausdorff distance, half the sum of the means of d(a, B) and d(b, A) over all voxels of the regions:
    /// `GetAverageHausdorffDistance`. Voxels that both regions share count as 0, so that the same error of the outline
    /// gives less the larger the region is; to compare regions of different sizes, take [`surface_mean`](Self::surface_mean).
    pub average_hausdorff: f64,
    /// Mean of the pooled distances of the surfaces.
    pub surface_mean: f64,
    /// Median of the pooled distances of the surfaces.
    pub surface_median: f64,
    /// Standard deviation (of a population) of the pooled distances of the surfaces.
    pub surface_standard_deviation: f64,
    /// The chosen percentile of the pooled distances of the surfaces, 95 by default, interpolated linearly as numpy's
    /// `percentile`.
    pub surface_percentile: f64,
    /// Largest distance of the surfaces.
    pub surface_maximum: f64,
}

impl VoxelDistances {
    /// Of two regions on the same grid.
    pub(super) fn between(reference: &Roi<'_>, other: &Roi<'_>, percentile: f64) -> Result<Self> {
        let whole = reference.geometry().voxel_box();
        let to_reference = signed_distance(reference, &whole)?;
        let to_other = signed_distance(other, &whole)?;
        let directed = [Directed::of(reference, &to_other), Directed::of(other, &to_reference)];
        let mut pooled: Vec<f64> = directed.iter().flat_map(|directed| directed.surface.iter().copied()).collect();
        pooled.sort_unstable_by(f64::total_cmp);
        let mean = mean(&pooled);
        let variance = pooled.iter().map(|distance| (distance - mean).powi(2)).sum::<f64>() / pooled.len() as f64;
        Ok(Self {
            hausdorff: directed[0].maximum.max(directed[1].maximum),
            average_hausdorff: f64::midpoint(directed[0].mean, directed[1].mean),
            surface_mean: mean,
            surface_median: percentile_of_sorted(&pooled, 50.0),
            surface_standard_deviation: variance.sqrt(),
            surface_percentile: percentile_of_sorted(&pooled, percentile),
            surface_maximum: pooled.last().copied().unwrap_or(f64::NAN),
        })
    }
}

/// Distances of one region to another.
struct Directed {
    /// Largest distance of the region's voxels.
    maximum: f64,
    /// Mean distance of the region's voxels.
    mean: f64,
    /// Distance of each voxel of the region's surface to the other surface.
    surface: Vec<f64>,
}

impl Directed {
    fn of(region: &Roi<'_>, signed: &Volume<f64>) -> Self {
        let inside = region.mask().data().map(|&voxel| voxel == region.label());
        let voxels = signed.data().iter().zip(&inside).filter(|(_, inside)| **inside);
        let distances: Vec<f64> = voxels.map(|(distance, _)| distance.max(0.0)).collect();
        let contour = with_a_free_face(&inside);
        let surface = signed.data().iter().zip(&contour).filter(|(_, contour)| **contour);
        Self {
            maximum: distances.iter().copied().fold(0.0, f64::max),
            mean: mean(&distances),
            surface: surface.map(|(distance, _)| distance.abs()).collect(),
        }
    }
}

/// The voxels of a region with a face on a voxel outside of it.
fn with_a_free_face(inside: &Array3<bool>) -> Array3<bool> {
    let mut contour = Array3::from_elem(inside.raw_dim(), false);
    for axis in (0..3).map(Axis) {
        for i in 1..inside.len_of(axis) {
            for (here, there) in [(i - 1, i), (i, i - 1)] {
                let neighbours = inside.index_axis(axis, there);
                let voxels = inside.index_axis(axis, here);
                ndarray::Zip::from(contour.index_axis_mut(axis, here))
                    .and(voxels)
                    .and(neighbours)
                    .for_each(|contour, &voxel, &neighbour| *contour |= voxel && !neighbour);
            }
        }
    }
    contour
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
