//! Maps of the Tofts parameters.

use ndarray::Array3;
use rayon::prelude::*;

use super::concentration::SignalModel;
use super::fit::{ToftsFit, ToftsFitter};
use crate::dce::DynamicSeries;
use crate::error::{ImagingError, Result};
use crate::kinetics::maps::{RegionRow, RegionRows};
use crate::progress::{ProgressObserver, Tally};
use crate::region::Roi;
use crate::volume::Volume;

/// T1 before contrast.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum T1<'a> {
    /// The same everywhere, in seconds.
    Constant(f64),
    /// A map in seconds on the grid of the series; voxels where it is not above 0 are not fitted.
    Map(&'a Volume<f32>),
}

/// Maps of the parameters of the Tofts models, all on the grid of the series; NaN outside of the region and in voxels
/// that cannot be fitted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ToftsMaps {
    /// K^trans in 1/min.
    pub transfer_constant: Volume<f32>,
    /// k_ep in 1/min.
    pub rate_constant: Volume<f32>,
    /// v_e.
    pub extracellular_volume: Volume<f32>,
    /// v_p.
    pub plasma_volume: Volume<f32>,
    /// Root of the mean square of the residuals in mmol/L.
    pub residual: Volume<f32>,
    /// Voxels of the region that were fitted.
    pub fitted_voxels: usize,
    /// Voxels of the region that could not be fitted: a signal without a concentration, or a T1 that is not above 0.
    pub undefined_voxels: usize,
    /// Fitted voxels whose k_ep lies at an end of its range.
    pub voxels_at_bound: usize,
}

impl ToftsMaps {
    /// Each map with its name in files and tables.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &Volume<f32>); 5] {
        [
            ("transfer_constant", &self.transfer_constant),
            ("rate_constant", &self.rate_constant),
            ("extracellular_volume", &self.extracellular_volume),
            ("plasma_volume", &self.plasma_volume),
            ("tofts_residual", &self.residual),
        ]
    }
}

impl ToftsFitter {
    /// Maps of the voxels of a region, or of all. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when the series has another number of phases than the fitter;
    /// [`ImagingError::GeometryMismatch`] when the region or the map of T1 lies on another grid than the series.
    pub fn maps(
        &self,
        series: &DynamicSeries,
        region: Option<Roi<'_>>,
        signal: &SignalModel,
        t1: T1<'_>,
    ) -> Result<ToftsMaps> {
        self.maps_with(series, region, signal, t1, &|_| {})
    }

    /// As [`ToftsFitter::maps`]; the observer hears of the rows of voxels that are fitted.
    ///
    /// # Errors
    /// As [`ToftsFitter::maps`].
    pub fn maps_with(
        &self,
        series: &DynamicSeries,
        region: Option<Roi<'_>>,
        signal: &SignalModel,
        t1: T1<'_>,
        observer: &ProgressObserver<'_>,
    ) -> Result<ToftsMaps> {
        const OPERATION: &str = "Tofts maps";
        let geometry = series.images()[0].geometry();
        if series.phase_count() != self.phase_count() {
            return Err(ImagingError::InvalidParameter {
                operation: OPERATION,
                parameter: "phases",
                value: format!("{}, the fitter having {}", series.phase_count(), self.phase_count()),
                requirement: "the fitter must have the times of the series",
            });
        }
        if let T1::Map(map) = t1
            && let Some(difference) = geometry.difference(map.geometry(), 1e-3)
        {
            return Err(ImagingError::GeometryMismatch { operation: OPERATION, difference });
        }
        let scan = RegionRows::new(series, region)?;
        let tally = Tally::new(scan.rows.len(), observer);
        let of_row = |row: &RegionRow| {
            let mut fits = Vec::with_capacity(row.positions.len());
            let mut position = row.positions.start;
            scan.signals_of_row(row, &mut |signals| {
                let t1 = match t1 {
                    T1::Constant(seconds) => seconds,
                    T1::Map(map) => f64::from(map.as_slice()[position]),
                };
                fits.push(signals.map(|signals| self.fit(&signal.concentrations(signals, t1))));
                position += 1;
            });
            tally.advance(1);
            fits
        };
        let rows: Vec<Vec<Option<ToftsFit>>> = scan.rows.par_iter().map(of_row).collect();
        let volume = |value: fn(&ToftsFit) -> f64| {
            let mut array = Array3::from_elem(geometry.shape(), f32::NAN);
            let whole = array.as_slice_mut().expect("an array that was just made is in standard layout");
            for (row, fits) in scan.rows.iter().zip(&rows) {
                for (voxel, fit) in whole[row.positions.clone()].iter_mut().zip(fits) {
                    *voxel = fit.as_ref().map_or(f32::NAN, |fit| value(fit) as f32);
                }
            }
            Volume::new(array, geometry.clone())
        };
        let fits = || rows.iter().flatten().flatten();
        let fitted_voxels = fits().filter(|fit| fit.is_defined()).count();
        Ok(ToftsMaps {
            transfer_constant: volume(|fit| fit.transfer_constant)?,
            rate_constant: volume(|fit| fit.rate_constant)?,
            extracellular_volume: volume(|fit| fit.extracellular_volume)?,
            plasma_volume: volume(|fit| fit.plasma_volume)?,
            residual: volume(|fit| fit.residual)?,
            fitted_voxels,
            undefined_voxels: fits().count() - fitted_voxels,
            voxels_at_bound: fits().filter(|fit| fit.is_at_bound).count(),
        })
    }
}
