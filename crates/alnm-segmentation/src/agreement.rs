//! Agreement between two outlines: overlap of their voxels and distances of their surfaces, for each label and each
//! slice.
//!
//! Surfaces of voxels can be defined in more than one way, and the distances differ by up to a voxel. Two definitions
//! are computed side by side, each to the last digits of the tool that made it common:
//!
//! | result | surface | tool |
//! |---|---|---|
//! | [`VoxelDistances`] | centres of the outermost voxels | SimpleITK: `HausdorffDistanceImageFilter`, and the surface distances of its tutorial "Segmentation Evaluation" by `LabelContour` and `SignedMaurerDistanceMap` |
//! | [`SurfelDistances`] | elements of the surface between voxels, weighted by their area | DeepMind's package `surface-distance` |
//!
//! Overlap is counted in voxels, as SimpleITK's `LabelOverlapMeasuresImageFilter` counts it, whose target is the
//! reference here and whose source is the other outline.

mod overlap;
mod surfel;
mod voxel;

use alnm_imaging::region::{Roi, VoxelBox, bounding_box, crop, labels};
use alnm_imaging::{Geometry, LabelMap};
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError, check_same_grid};

use overlap::VoxelCounts;

pub use overlap::RegionOverlap;
pub use surfel::SurfelDistances;
pub use voxel::VoxelDistances;

/// Parameters of a comparison of two outlines.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`labels`](Self::labels) | all of both | labels to compare | not 0 |
/// | [`tolerance`](Self::tolerance) | 1 mm | distance up to which surfaces agree, for the surface Dice | at least 0 |
/// | [`percentile`](Self::percentile) | 95 | percentile of the robust Hausdorff distances | above 0, at most 100 |
/// | [`per_slice`](Self::per_slice) | no | also each slice of the third axis by itself | |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::agreement::OutlineComparisonParams;
///
/// let grid = Geometry::axis_aligned([4, 1, 1], [2.0, 1.0, 1.0])?;
/// let reference = Volume::new(ndarray::array![[[1_u32, 1, 0, 0]]], grid.clone())?;
/// let other = Volume::new(ndarray::array![[[0_u32, 1, 1, 0]]], grid)?;
/// let agreement = OutlineComparisonParams::default().check()?.compare(&reference, &other)?;
/// let lesion = &agreement.labels[0];
/// assert_eq!((lesion.overlap.dice, lesion.overlap.jaccard), (0.5, 1.0 / 3.0));
/// assert_eq!(lesion.distances.as_ref().map(|distances| distances.voxels.hausdorff), Some(2.0));
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct OutlineComparisonParams {
    /// The labels to compare; all that occur in either outline where none is given.
    pub labels: Vec<u32>,
    /// Distance in mm up to which surfaces agree. Default 1; finite, at least 0.
    pub tolerance: f64,
    /// The percentile of the robust Hausdorff distances. Default 95; above 0, at most 100.
    pub percentile: f64,
    /// Whether each slice of the third axis is compared by itself, in two dimensions.
    pub per_slice: bool,
}

impl Default for OutlineComparisonParams {
    fn default() -> Self {
        Self { labels: Vec::new(), tolerance: 1.0, percentile: 95.0, per_slice: false }
    }
}

impl OutlineComparisonParams {
    /// Sets [`OutlineComparisonParams::labels`].
    pub fn with_labels(self, labels: impl Into<Vec<u32>>) -> Self {
        Self { labels: labels.into(), ..self }
    }

    /// Sets [`OutlineComparisonParams::tolerance`].
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Sets [`OutlineComparisonParams::percentile`].
    pub fn with_percentile(self, percentile: f64) -> Self {
        Self { percentile, ..self }
    }

    /// Sets [`OutlineComparisonParams::per_slice`].
    pub fn with_per_slice(self, per_slice: bool) -> Self {
        Self { per_slice, ..self }
    }

    /// The comparison with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<OutlineComparison> {
        let Self { labels, tolerance, percentile, per_slice: _ } = &self;
        if labels.contains(&0) {
            return Err(SegmentationError::parameter("a label to compare", 0, "above 0, which is no structure"));
        }
        if !(tolerance.is_finite() && *tolerance >= 0.0) {
            let value = format!("{tolerance} mm");
            let requirement = "finite and at least 0 mm";
            return Err(SegmentationError::parameter("tolerance of the surface Dice", value, requirement));
        }
        if !(*percentile > 0.0 && *percentile <= 100.0) {
            let name = "percentile of the Hausdorff distance";
            return Err(SegmentationError::parameter(name, percentile, "above 0 and at most 100"));
        }
        Ok(OutlineComparison { params: self })
    }
}

/// A comparison of outlines whose parameters were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineComparison {
    params: OutlineComparisonParams,
}

/// How far two outlines agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutlineAgreement {
    /// Each label, ascending.
    pub labels: Vec<LabelAgreement>,
}

/// How far two outlines of one structure agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LabelAgreement {
    /// The label of the structure.
    pub label: u32,
    /// Overlap of the voxels.
    pub overlap: RegionOverlap,
    /// Distances of the surfaces; none when one of the outlines has no voxel with the label, where no distance is
    /// defined.
    pub distances: Option<OutlineDistances>,
    /// The slices on which either outline has a voxel with the label; empty unless slices were asked for.
    pub slices: Vec<SliceAgreement>,
}

/// How far two outlines of one structure agree on one slice, compared in two dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SliceAgreement {
    /// Index of the slice on the third axis.
    pub slice: usize,
    /// Overlap of the voxels.
    pub overlap: RegionOverlap,
    /// Distances of the outlines; none when one of them has no voxel here.
    pub distances: Option<OutlineDistances>,
}

/// Distances of two surfaces in mm, by both definitions of a surface.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutlineDistances {
    /// Between voxels, as SimpleITK.
    pub voxels: VoxelDistances,
    /// Between elements of surface, as DeepMind's package.
    pub surfels: SurfelDistances,
}

impl OutlineComparison {
    /// The parameters.
    pub fn params(&self) -> &OutlineComparisonParams {
        &self.params
    }

    /// Compares an outline with a reference on the same grid.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when the grids differ.
    pub fn compare(&self, reference: &LabelMap, other: &LabelMap) -> Result<OutlineAgreement> {
        check_same_grid("agreement of outlines", reference.geometry(), other.geometry())?;
        let mut chosen = self.params.labels.clone();
        if chosen.is_empty() {
            chosen = [reference, other].iter().flat_map(|mask| labels(mask, usize::MAX)).collect();
        }
        chosen.sort_unstable();
        chosen.dedup();
        let labels = chosen.into_iter().map(|label| self.compare_label(reference, other, label));
        Ok(OutlineAgreement { labels: labels.collect::<Result<_>>()? })
    }

    fn compare_label(&self, reference: &LabelMap, other: &LabelMap, label: u32) -> Result<LabelAgreement> {
        let geometry = reference.geometry();
        let boxes = [reference, other].map(|mask| bounding_box(mask, label).ok());
        let Some(both) = boxes.into_iter().flatten().reduce(|a, b| a.hull(&b)) else {
            let overlap = RegionOverlap::new(VoxelCounts::default(), geometry);
            return Ok(LabelAgreement { label, overlap, distances: None, slices: Vec::new() });
        };
        // The surface of a region needs the voxels around it.
        let around = both.grown(1, geometry.size());
        let region = |mask| crop(mask, &around).map(|part| part.map(|&voxel: &u32| u32::from(voxel == label)));
        let (reference, other) = (region(reference)?, region(other)?);
        let mut slices = Vec::new();
        if self.params.per_slice {
            let [start, end] = [both.start()[2], both.end()[2]];
            for slice in start..end {
                slices.extend(self.compare_slice(&reference, &other, around.start()[2], slice, geometry)?);
            }
        }
        Ok(LabelAgreement {
            label,
            overlap: RegionOverlap::new(VoxelCounts::of(&reference, &other), geometry),
            distances: self.distances(&reference, &other)?,
            slices,
        })
    }

    /// The slice of two outlines whose first slice is `first` in the image; none where neither has a voxel.
    fn compare_slice(
        &self,
        reference: &LabelMap,
        other: &LabelMap,
        first: usize,
        slice: usize,
        whole: &Geometry,
    ) -> Result<Option<SliceAgreement>> {
        let [width, height, _] = reference.geometry().size();
        let plane = VoxelBox::new([0, 0, slice - first], [width, height, 1]);
        let (reference, other) = (crop(reference, &plane)?, crop(other, &plane)?);
        let counts = VoxelCounts::of(&reference, &other);
        if counts.reference + counts.other == 0 {
            return Ok(None);
        }
        let [columns, rows, _] = whole.size();
        let overlap = RegionOverlap::new(counts, &whole.part(&VoxelBox::new([0, 0, slice], [columns, rows, 1]))?);
        let distances = self.distances(&reference, &other)?;
        Ok(Some(SliceAgreement { slice, overlap, distances }))
    }

    /// Distances between the voxels of label 1 of two masks.
    fn distances(&self, reference: &LabelMap, other: &LabelMap) -> Result<Option<OutlineDistances>> {
        let (Ok(first), Ok(second)) = (Roi::new(reference, 1), Roi::new(other, 1)) else { return Ok(None) };
        let voxels = VoxelDistances::between(&first, &second, self.params.percentile)?;
        let surfels = SurfelDistances::between(&first, &second, &self.params);
        Ok(Some(OutlineDistances { voxels, surfels }))
    }
}
