//! The figures of a region.

use rayon::prelude::*;
use serde::Serialize;

use super::curve::EnhancementFigures;
use super::maps::{KineticMap, RegionRow, RegionRows};
use super::params::VoxelKinetics;
use crate::dce::{DelayedPhase, DynamicSeries};
use crate::error::Result;
use crate::intensity::percentile_of_sorted;
use crate::region::Roi;

/// Summary of a map over the voxels of a region that have a value; all fields but the count are NaN if no voxel has
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MapSummary {
    /// Which map.
    pub map: KineticMap,
    /// Voxels with a value.
    pub voxels: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (divisor n).
    pub standard_deviation: f64,
    /// Lowest value.
    pub minimum: f64,
    /// 10th percentile, interpolated linearly between order statistics.
    pub percentile_10: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub percentile_90: f64,
    /// Highest value.
    pub maximum: f64,
}

impl MapSummary {
    fn new(map: KineticMap, mut values: Vec<f64>) -> Self {
        values.retain(|value| !value.is_nan());
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        values.sort_by(f64::total_cmp);
        let at = |percentile: f64| percentile_of_sorted(&values, percentile);
        Self {
            map,
            voxels: values.len(),
            mean,
            standard_deviation: variance.sqrt(),
            minimum: at(0.0),
            percentile_10: at(10.0),
            median: at(50.0),
            percentile_90: at(90.0),
            maximum: at(100.0),
        }
    }
}

/// Volumes in mm³ of the voxels of each washout class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WashoutVolumes {
    /// Voxels without a class: below the threshold of enhancement, or undefined.
    pub none: f64,
    /// Persistent voxels.
    pub persistent: f64,
    /// Voxels of a plateau.
    pub plateau: f64,
    /// Voxels that wash out.
    pub washout: f64,
}

/// Kinetics of a region: summaries of the maps over its voxels.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegionKinetics {
    /// Voxels of the region.
    pub voxels: usize,
    /// Those without an enhancement: a signal that is not finite, or a baseline at most 0.
    pub undefined_voxels: usize,
    /// The place of the early phase among all, from 0.
    pub early_phase: usize,
    /// The place of the late phase among all, from 0.
    pub late_phase: usize,
    /// Each map, classes excepted, in the order of [`KineticMap::ALL`].
    pub maps: Vec<MapSummary>,
    /// Volume in mm³ of the voxels whose initial enhancement and signal enhancement ratio are at least the thresholds.
    pub functional_tumour_volume: f64,
    /// Volumes of the washout classes.
    pub washout_volumes: WashoutVolumes,
}

impl RegionKinetics {
    /// The summary of a map; none of the classes.
    #[must_use]
    pub fn map(&self, map: KineticMap) -> Option<&MapSummary> {
        self.maps.iter().find(|summary| summary.map == map)
    }
}

impl VoxelKinetics {
    /// The figures of a region.
    ///
    /// # Errors
    /// As [`VoxelKinetics::maps`].
    ///
    /// ```
    /// use alnm_imaging::dce::DynamicSeries;
    /// use alnm_imaging::kinetics::{KineticMap, VoxelKineticsParams};
    /// use alnm_imaging::region::Roi;
    /// use alnm_imaging::{Geometry, Volume};
    ///
    /// let grid = Geometry::axis_aligned([4, 4, 2], [1.0, 1.0, 2.0])?;
    /// let images = [100_i16, 250, 220].map(|signal| Volume::filled(grid.clone(), signal).into());
    /// let series = DynamicSeries::new(images.to_vec(), vec![0.0, 150.0, 450.0])?;
    /// let mut mask = Volume::filled(grid, 0_u32);
    /// mask.as_mut_slice()[..3].fill(1);
    /// let region = VoxelKineticsParams::default().check()?.region(&series, Roi::new(&mask, 1)?)?;
    /// assert_eq!(region.functional_tumour_volume, 6.0);
    /// assert_eq!(region.map(KineticMap::TimeToPeak).unwrap().mean, 150.0);
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    pub fn region(&self, series: &DynamicSeries, region: Roi<'_>) -> Result<RegionKinetics> {
        let analysis = self.for_times(series.times())?;
        let scan = RegionRows::new(series, Some(region))?;
        let of_row = |row: &RegionRow| {
            let mut found = Vec::new();
            scan.figures_of_row(&analysis, row, &mut |figures| found.extend(figures.copied()));
            found
        };
        let of_rows: Vec<Vec<EnhancementFigures>> = scan.rows.par_iter().map(of_row).collect();
        let figures: Vec<EnhancementFigures> = of_rows.into_iter().flatten().collect();
        let summary = |&map: &KineticMap| MapSummary::new(map, figures.iter().map(|voxel| map.of(voxel)).collect());
        let volume = region.geometry().voxel_volume();
        let volume_of = |belongs: &dyn Fn(&EnhancementFigures) -> bool| {
            figures.iter().filter(|voxel| belongs(voxel)).count() as f64 * volume
        };
        let of_class = |class: Option<DelayedPhase>| volume_of(&|voxel| voxel.washout_class == class);
        let maps: Vec<KineticMap> =
            KineticMap::ALL.into_iter().filter(|&map| map != KineticMap::WashoutClass).collect();
        Ok(RegionKinetics {
            voxels: figures.len(),
            undefined_voxels: figures.iter().filter(|voxel| !voxel.is_defined()).count(),
            early_phase: analysis.early_phase(),
            late_phase: analysis.late_phase(),
            maps: maps.par_iter().map(summary).collect(),
            functional_tumour_volume: volume_of(&|voxel| voxel.is_functional_tumour(self.params())),
            washout_volumes: WashoutVolumes {
                none: of_class(None),
                persistent: of_class(Some(DelayedPhase::Persistent)),
                plateau: of_class(Some(DelayedPhase::Plateau)),
                washout: of_class(Some(DelayedPhase::Washout)),
            },
        })
    }
}
