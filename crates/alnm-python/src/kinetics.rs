//! Kinetics of contrast agent over the phases of a dynamic series.

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::kinetics::tofts::{InputFunction, ParkerParams, SignalModelParams, T1, ToftsParams};
use alnm_imaging::kinetics::{KineticMap, RegionCurve, VoxelKineticsParams};
use alnm_imaging::region::Roi;
use alnm_imaging::{ImagingError, Volume};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::exception;
use crate::fields::{fields, parameters};
use crate::image::{ImageArgument, MaskArgument, volume_to_python};
use crate::threads::run;

/// The phases of a series with their times, and where one is given a region in it.
#[derive(FromPyObject)]
pub(crate) struct SeriesRequest {
    images: Vec<ImageArgument>,
    times: Vec<f64>,
    mask: Option<MaskArgument>,
    label: u32,
}

impl SeriesRequest {
    /// The series and the mask.
    fn parts(self) -> Result<(DynamicSeries, Option<(MaskArgument, u32)>), ImagingError> {
        let images = self.images.into_iter().map(|image| image.0).collect();
        Ok((DynamicSeries::new(images, self.times)?, self.mask.map(|mask| (mask, self.label))))
    }
}

fn region(mask: Option<&(MaskArgument, u32)>) -> Result<Option<Roi<'_>>, ImagingError> {
    mask.map(|(mask, label)| Roi::new(&mask.0, *label)).transpose()
}

/// The region of a request that has to have one.
fn needed(mask: Option<&(MaskArgument, u32)>) -> Result<Roi<'_>, ImagingError> {
    region(mask)?.ok_or_else(|| ImagingError::InvalidParameter {
        operation: "kinetics of a region",
        parameter: "mask",
        value: "none".to_owned(),
        requirement: "there must be one",
    })
}

/// The names of the maps with their units.
#[pyfunction]
pub(crate) fn kinetic_map_names() -> Vec<(&'static str, &'static str)> {
    KineticMap::ALL.map(|map| (map.name(), map.unit())).to_vec()
}

/// Maps of the voxels: (list of (name, map), voxels without an enhancement).
#[pyfunction]
pub(crate) fn kinetic_maps(
    py: Python<'_>,
    series: SeriesRequest,
    names: Vec<String>,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params: VoxelKineticsParams = parameters(params)?;
    let found = run(py, threads, |_| {
        let kinds = names.iter().map(|name| KineticMap::from_name(name)).collect::<Result<Vec<_>, _>>()?;
        let (series, mask) = series.parts()?;
        params.check()?.maps(&series, region(mask.as_ref())?, &kinds)
    })?;
    let undefined = found.undefined_voxels();
    let kinds = found.kinds().to_vec();
    let maps = kinds.iter().zip(found.into_volumes());
    let maps = maps.map(|(kind, map)| Ok((kind.name(), volume_to_python(py, map)?))).collect::<PyResult<Vec<_>>>()?;
    (maps, undefined).into_py_any(py)
}

/// The figures of a region.
#[pyfunction]
pub(crate) fn region_kinetics(
    py: Python<'_>,
    series: SeriesRequest,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params: VoxelKineticsParams = parameters(params)?;
    let found = run(py, threads, |_| {
        let (series, mask) = series.parts()?;
        params.check()?.region(&series, needed(mask.as_ref())?)
    })?;
    fields(py, &found)
}

/// The points of the curve of a region's mean.
#[pyfunction]
pub(crate) fn region_curve(py: Python<'_>, series: SeriesRequest) -> PyResult<Py<PyAny>> {
    let curve = run(py, None, |_| {
        let (series, mask) = series.parts()?;
        RegionCurve::of(&series, needed(mask.as_ref())?)
    })?;
    fields(py, curve.points())
}

/// Parker's input function: (times, concentrations in plasma).
#[pyfunction]
pub(crate) fn parker_input(arrival: f64, end: f64, haematocrit: f64, step: f64) -> PyResult<(Vec<f64>, Vec<f64>)> {
    let params = ParkerParams::new(arrival, end).with_haematocrit(haematocrit).with_step(step);
    let input = params.check().map_err(exception)?;
    Ok((input.times().to_vec(), input.plasma().to_vec()))
}

/// The protocol of a series and the artery's curve.
#[derive(FromPyObject)]
pub(crate) struct ToftsRequest {
    input_times: Vec<f64>,
    input_plasma: Vec<f64>,
    repetition_time: f64,
    flip_angle: f64,
    relaxivity: f64,
    baseline_phases: usize,
    t1: f64,
    t1_map: Option<ImageArgument>,
}

/// Maps of a Tofts model: (list of (name, map), fitted voxels, voxels that cannot be fitted, voxels at an end of the range).
#[pyfunction]
pub(crate) fn tofts_maps(
    py: Python<'_>,
    series: SeriesRequest,
    request: ToftsRequest,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params: ToftsParams = parameters(params)?;
    let signal = SignalModelParams::new(request.repetition_time, request.flip_angle)
        .with_relaxivity(request.relaxivity)
        .with_baseline_phases(request.baseline_phases);
    let t1_map: Option<Volume<f32>> = request.t1_map.map(|map| map.0.cast());
    let (input_times, input_plasma) = (request.input_times, request.input_plasma);
    let found = run(py, threads, |_| {
        let (series, mask) = series.parts()?;
        let input = InputFunction::measured(input_times, input_plasma)?;
        let fitter = params.check()?.fitter(&input, series.times())?;
        let t1 = t1_map.as_ref().map_or(T1::Constant(request.t1), T1::Map);
        fitter.maps(&series, region(mask.as_ref())?, &signal.check()?, t1)
    })?;
    let counts = (found.fitted_voxels, found.undefined_voxels, found.voxels_at_bound);
    let maps = found.named().map(|(name, map)| Ok((name, volume_to_python(py, map.clone())?)));
    let maps = maps.into_iter().collect::<PyResult<Vec<_>>>()?;
    (maps, counts.0, counts.1, counts.2).into_py_any(py)
}
