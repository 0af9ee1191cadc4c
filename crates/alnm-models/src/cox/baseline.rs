//! The baseline hazard of a Cox regression.

use alnm_stats::cells;
use alnm_stats::data_table::{Cell, Tabulate};

/// Cumulative baseline hazard of one stratum, a step function of time.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BaselineHazard {
    /// Code of the stratum.
    pub stratum: usize,
    /// The times with an event in ascending order, each with the cumulative hazard just after it.
    pub points: Vec<HazardPoint>,
}

/// A step of a cumulative hazard.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HazardPoint {
    /// Time of an event.
    pub time: f64,
    /// Cumulative hazard just after it.
    pub cumulative_hazard: f64,
}

impl BaselineHazard {
    /// Cumulative hazard just after `time`; 0 before the first event.
    #[must_use]
    pub fn at(&self, time: f64) -> f64 {
        at(&self.points, time)
    }
}

/// A step function at a time.
pub(super) fn at(points: &[HazardPoint], time: f64) -> f64 {
    points[..points.partition_point(|p| p.time <= time)].last().map_or(0.0, |p| p.cumulative_hazard)
}

impl Tabulate for BaselineHazard {
    const COLUMNS: &'static [&'static str] = &["stratum", "time", "cumulative hazard"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.points.iter().map(|p| cells![self.stratum, p.time, p.cumulative_hazard]).collect()
    }
}
