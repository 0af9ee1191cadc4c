//! Maps of the figures of voxels.

use ndarray::Array3;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::curve::{CurveAnalysis, EnhancementFigures};
use super::params::{OPERATION, VoxelKinetics, invalid};
use crate::dce::{DelayedPhase, DynamicSeries};
use crate::error::Result;
use crate::progress::{ProgressObserver, Tally};
use crate::region::{Roi, VoxelBox};
use crate::volume::{Image, Rows, Volume};

/// A figure that can be mapped: see [`EnhancementFigures`] for the definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KineticMap {
    /// Relative enhancement of the early phase.
    InitialEnhancement,
    /// Relative enhancement of the peak.
    PeakEnhancement,
    /// Early over late enhancement.
    SignalEnhancementRatio,
    /// Seconds to the peak.
    TimeToPeak,
    /// Enhancement of the phase of half of the peak.
    HalfPeakEnhancement,
    /// Seconds to the phase of half of the peak.
    TimeToHalfPeak,
    /// Seconds to the middle of washout.
    MidWashoutTime,
    /// Enhancement per second to the peak.
    WashInSlope,
    /// Enhancement per second from the peak.
    WashoutSlope,
    /// Enhancement per second from 10 % to 70 % of the peak.
    InitialGradient,
    /// Enhancement per second from 10 % to 70 % of the fall.
    WashoutGradient,
    /// Area under the curve in seconds.
    AreaUnderCurve,
    /// Area to the peak in seconds.
    AreaToPeak,
    /// Area to the phase of half of the peak in seconds.
    AreaToHalfPeak,
    /// Seconds to the arrival of contrast.
    BolusArrival,
    /// 0 none, 1 persistent, 2 plateau, 3 washout.
    WashoutClass,
}

impl KineticMap {
    /// All maps.
    pub const ALL: [Self; 16] = [
        Self::InitialEnhancement,
        Self::PeakEnhancement,
        Self::SignalEnhancementRatio,
        Self::TimeToPeak,
        Self::HalfPeakEnhancement,
        Self::TimeToHalfPeak,
        Self::MidWashoutTime,
        Self::WashInSlope,
        Self::WashoutSlope,
        Self::InitialGradient,
        Self::WashoutGradient,
        Self::AreaUnderCurve,
        Self::AreaToPeak,
        Self::AreaToHalfPeak,
        Self::BolusArrival,
        Self::WashoutClass,
    ];

    /// The name of the map in files and tables, such as `signal_enhancement_ratio`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InitialEnhancement => "initial_enhancement",
            Self::PeakEnhancement => "peak_enhancement",
            Self::SignalEnhancementRatio => "signal_enhancement_ratio",
            Self::TimeToPeak => "time_to_peak",
            Self::HalfPeakEnhancement => "half_peak_enhancement",
            Self::TimeToHalfPeak => "time_to_half_peak",
            Self::MidWashoutTime => "mid_washout_time",
            Self::WashInSlope => "wash_in_slope",
            Self::WashoutSlope => "washout_slope",
            Self::InitialGradient => "initial_gradient",
            Self::WashoutGradient => "washout_gradient",
            Self::AreaUnderCurve => "area_under_curve",
            Self::AreaToPeak => "area_to_peak",
            Self::AreaToHalfPeak => "area_to_half_peak",
            Self::BolusArrival => "bolus_arrival",
            Self::WashoutClass => "washout_class",
        }
    }

    /// The unit of the map's values; empty for ratios and classes.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::TimeToPeak | Self::TimeToHalfPeak | Self::MidWashoutTime | Self::BolusArrival => "s",
            Self::AreaUnderCurve | Self::AreaToPeak | Self::AreaToHalfPeak => "s",
            Self::WashInSlope | Self::WashoutSlope | Self::InitialGradient | Self::WashoutGradient => "1/s",
            _ => "",
        }
    }

    /// The value of the map for a voxel.
    #[must_use]
    pub fn of(self, figures: &EnhancementFigures) -> f64 {
        match self {
            Self::InitialEnhancement => figures.initial_enhancement,
            Self::PeakEnhancement => figures.peak_enhancement,
            Self::SignalEnhancementRatio => figures.signal_enhancement_ratio,
            Self::TimeToPeak => figures.time_to_peak,
            Self::HalfPeakEnhancement => figures.half_peak_enhancement,
            Self::TimeToHalfPeak => figures.time_to_half_peak,
            Self::MidWashoutTime => figures.mid_washout_time,
            Self::WashInSlope => figures.wash_in_slope,
            Self::WashoutSlope => figures.washout_slope,
            Self::InitialGradient => figures.initial_gradient,
            Self::WashoutGradient => figures.washout_gradient,
            Self::AreaUnderCurve => figures.area_under_curve,
            Self::AreaToPeak => figures.area_to_peak,
            Self::AreaToHalfPeak => figures.area_to_half_peak,
            Self::BolusArrival => figures.bolus_arrival,
            Self::WashoutClass => match figures.washout_class {
                None => 0.0,
                Some(DelayedPhase::Persistent) => 1.0,
                Some(DelayedPhase::Plateau) => 2.0,
                Some(DelayedPhase::Washout) => 3.0,
            },
        }
    }

    /// The map of a name.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`](crate::ImagingError::InvalidParameter) when there is none.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|map| map.name() == name);
        found.ok_or_else(|| {
            let requirement = "it must be the name of a map, such as initial_enhancement or washout_class";
            invalid("map", name.to_owned(), requirement)
        })
    }
}

/// Maps of a series, all on its grid. Outside of the region asked for, maps are NaN and classes 0.
#[derive(Debug, Clone, PartialEq)]
pub struct KineticMaps {
    kinds: Vec<KineticMap>,
    volumes: Vec<Volume<f32>>,
    undefined_voxels: usize,
}

impl KineticMaps {
    /// Which maps there are, in the order asked for.
    #[must_use]
    pub fn kinds(&self) -> &[KineticMap] {
        &self.kinds
    }

    /// A map; none where it was not asked for.
    #[must_use]
    pub fn map(&self, kind: KineticMap) -> Option<&Volume<f32>> {
        self.kinds.iter().position(|&other| other == kind).map(|place| &self.volumes[place])
    }

    /// Each map with its kind, in the order asked for.
    pub fn iter(&self) -> impl Iterator<Item = (KineticMap, &Volume<f32>)> {
        self.kinds.iter().copied().zip(&self.volumes)
    }

    /// Voxels of the region without an enhancement: a signal that is not finite, or a baseline at most 0.
    #[must_use]
    pub fn undefined_voxels(&self) -> usize {
        self.undefined_voxels
    }

    /// The volumes, in the order asked for.
    #[must_use]
    pub fn into_volumes(self) -> Vec<Volume<f32>> {
        self.volumes
    }
}

impl VoxelKinetics {
    /// Maps of the voxels of a region, or of all.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`](crate::ImagingError::InvalidParameter) as [`VoxelKinetics::for_times`];
    /// [`ImagingError::GeometryMismatch`](crate::ImagingError::GeometryMismatch) when the region lies on another grid
    /// than the series.
    ///
    /// ```
    /// use alnm_imaging::dce::DynamicSeries;
    /// use alnm_imaging::kinetics::{KineticMap, VoxelKineticsParams};
    /// use alnm_imaging::{Geometry, Volume};
    ///
    /// let grid = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
    /// let images = [100_i16, 250, 220].map(|signal| Volume::filled(grid.clone(), signal).into());
    /// let series = DynamicSeries::new(images.to_vec(), vec![0.0, 150.0, 450.0])?;
    /// let kinetics = VoxelKineticsParams::default().check()?;
    /// let maps = kinetics.maps(&series, None, &[KineticMap::PeakEnhancement, KineticMap::WashoutClass])?;
    /// assert_eq!(maps.map(KineticMap::PeakEnhancement).unwrap().as_slice()[0], 1.5);
    /// assert_eq!(maps.map(KineticMap::WashoutClass).unwrap().as_slice()[0], 3.0);
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    pub fn maps(&self, series: &DynamicSeries, region: Option<Roi<'_>>, kinds: &[KineticMap]) -> Result<KineticMaps> {
        self.maps_with(series, region, kinds, &|_| {})
    }

    /// As [`VoxelKinetics::maps`]; the observer hears of the rows of voxels that are mapped.
    ///
    /// # Errors
    /// As [`VoxelKinetics::maps`].
    pub fn maps_with(
        &self,
        series: &DynamicSeries,
        region: Option<Roi<'_>>,
        kinds: &[KineticMap],
        observer: &ProgressObserver<'_>,
    ) -> Result<KineticMaps> {
        let analysis = self.for_times(series.times())?;
        let geometry = series.images()[0].geometry();
        let scan = RegionRows::new(series, region)?;
        let tally = Tally::new(scan.rows.len(), observer);
        let outside = |kind: KineticMap| if kind == KineticMap::WashoutClass { 0.0 } else { f32::NAN };
        let of_row = |row: &RegionRow| {
            let mut values = vec![Vec::with_capacity(row.positions.len()); kinds.len()];
            let mut undefined = 0;
            scan.figures_of_row(&analysis, row, &mut |figures| {
                undefined += usize::from(figures.is_some_and(|figures| !figures.is_defined()));
                for (kind, values) in kinds.iter().zip(&mut values) {
                    values.push(figures.map_or(outside(*kind), |figures| kind.of(figures) as f32));
                }
            });
            tally.advance(1);
            (values, undefined)
        };
        let rows: Vec<(Vec<Vec<f32>>, usize)> = scan.rows.par_iter().map(of_row).collect();
        let mut arrays: Vec<Array3<f32>> =
            kinds.iter().map(|&kind| Array3::from_elem(geometry.shape(), outside(kind))).collect();
        let mut undefined_voxels = 0;
        for (row, (values, undefined)) in scan.rows.iter().zip(&rows) {
            undefined_voxels += undefined;
            for (array, values) in arrays.iter_mut().zip(values) {
                let whole = array.as_slice_mut().expect("an array that was just made is in standard layout");
                whole[row.positions.clone()].copy_from_slice(values);
            }
        }
        let volumes = arrays.into_iter().map(|array| Volume::new(array, geometry.clone())).collect::<Result<_>>()?;
        Ok(KineticMaps { kinds: kinds.to_vec(), volumes, undefined_voxels })
    }
}

/// Rows of voxels of a series, or of the box around a region in it.
pub(super) struct RegionRows<'a> {
    phases: Vec<&'a dyn Rows>,
    region: Option<Roi<'a>>,
    pub(super) rows: Vec<RegionRow>,
}

/// Positions in raster order of the voxels of a row.
pub(super) struct RegionRow {
    pub(super) positions: std::ops::Range<usize>,
}

impl<'a> RegionRows<'a> {
    pub(super) fn new(series: &'a DynamicSeries, region: Option<Roi<'a>>) -> Result<Self> {
        let geometry = series.images()[0].geometry();
        if let Some(region) = &region {
            region.check_grid(geometry, OPERATION)?;
        }
        let part = region.map_or(VoxelBox::of_shape(geometry.shape()), |region| region.bounding_box());
        let rows = part.rows(geometry.shape()).map(|positions| RegionRow { positions }).collect();
        let phases = series.images().iter().map(|image: &Image| image.borrowed().rows()).collect();
        Ok(Self { phases, region, rows })
    }

    /// Visits the signals of each voxel of a row; none outside of the region.
    pub(super) fn signals_of_row(&self, row: &RegionRow, visit: &mut dyn FnMut(Option<&[f64]>)) {
        let count = row.positions.len();
        let mut signals = Vec::with_capacity(count * self.phases.len());
        for phase in &self.phases {
            phase.append(row.positions.clone(), &mut signals);
        }
        let mut voxel = vec![0.0; self.phases.len()];
        for (place, position) in row.positions.clone().enumerate() {
            if self.region.is_some_and(|region| region.mask().as_slice()[position] != region.label()) {
                visit(None);
                continue;
            }
            for (phase, signal) in voxel.iter_mut().enumerate() {
                *signal = signals[phase * count + place];
            }
            visit(Some(&voxel));
        }
    }

    /// Visits the figures of each voxel of a row; none outside of the region.
    pub(super) fn figures_of_row(
        &self,
        analysis: &CurveAnalysis,
        row: &RegionRow,
        visit: &mut dyn FnMut(Option<&EnhancementFigures>),
    ) {
        let mut curve = Vec::new();
        self.signals_of_row(row, &mut |signals| match signals {
            Some(signals) => visit(Some(&analysis.figures_with(signals, &mut curve))),
            None => visit(None),
        });
    }
}
