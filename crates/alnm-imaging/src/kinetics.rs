//! Kinetics of contrast agent, voxel by voxel: what the signal of each voxel does over the phases of a dynamic series.
//!
//! Semi-quantitative figures need nothing but the signals: [`VoxelKineticsParams`] says what the baseline, the early
//! and the late phase are, [`VoxelKinetics::maps`] gives maps ([`KineticMap`]), [`VoxelKinetics::region`] their figures
//! in a region with its functional tumour volume, and [`RegionCurve`] the curve of a region's mean with its interval.
//! Quantitative ones ([`tofts`]) need T1, relaxivity, protocol and an input function.
//!
//! # Units and definitions
//! S₀ is the mean signal of the baseline phases, S the signal of a later one. Enhancement is relative: E = S / S₀ − 1,
//! without a unit. Times are seconds after the [origin](TimeOrigin); slopes are per second, areas in seconds.
//!
//! # What is not defined
//! A voxel with a signal that is not finite in some phase, or with S₀ at most 0, has no enhancement: all its figures
//! are NaN, its class is 0, and it is counted ([`KineticMaps::undefined_voxels`]). A figure that its curve does not
//! have is NaN by itself: the washout slope where the peak is the last phase, the ratio and the class where the early
//! and the late phase are the same, as in a series of two phases. Phases on different grids form no series
//! ([`DynamicSeries::new`](crate::dce::DynamicSeries::new) refuses them): they have to be registered or resampled
//! first.

mod curve;
mod maps;
mod params;
mod region_curve;
mod summary;
pub mod tofts;

pub use curve::{CurveAnalysis, EnhancementFigures};
pub use maps::{KineticMap, KineticMaps};
pub use params::{PeakChoice, TimeOrigin, VoxelKinetics, VoxelKineticsParams};
pub use region_curve::{CurvePoint, RegionCurve};
pub use summary::{MapSummary, RegionKinetics, WashoutVolumes};
