//! Kinetics of contrast agent over the phases of a dynamic series.

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::kinetics::tofts::{InputFunction, ParkerParams, SignalModelParams, T1, ToftsParams};
use alnm_imaging::kinetics::{KineticMap, RegionCurve, VoxelKineticsParams};
use alnm_imaging::region::Roi;
use alnm_imaging::{ImagingError, Volume};
use numpy::PyArray1;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::exception;
use crate::fields::{fields, parameters};
use crate::image::{ImageArgument, MaskArgument, volume_to_python};
use crate::threads::run;

/// The phases of a series with their times and, where one was given, a region.
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

/// The region of a request that needs one.
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

/// Kinetic maps: (list of (name, map), number of voxels without an enhancement).
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

/// The kinetics of a region, as a dictionary.
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

/// The points of the curve of the mean signal of a region, as dictionaries.
#[pyfunction]
pub(crate) fn region_curve(py: Python<'_>, series: SeriesRequest) -> PyResult<Py<PyAny>> {
    let curve = run(py, None, |_| {
        let (series, mask) = series.parts()?;
        RegionCurve::of(&series, needed(mask.as_ref())?)
    })?;
    fields(py, curve.points())
}

/// An arterial input function: the concentration in plasma over time.
#[pyclass(frozen, module = "alnm._native")]
pub(crate) struct ArterialInput(InputFunction);

#[pymethods]
impl ArterialInput {
    #[staticmethod]
    fn parker(arrival: f64, end: f64, haematocrit: f64, step: f64) -> PyResult<Self> {
        let params = ParkerParams::new(arrival, end).with_haematocrit(haematocrit).with_step(step);
        params.check().map(Self).map_err(exception)
    }

    #[staticmethod]
    fn measured(times: Vec<f64>, plasma: Vec<f64>) -> PyResult<Self> {
        InputFunction::measured(times, plasma).map(Self).map_err(exception)
    }

    fn times<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.0.times())
    }

    fn plasma<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.0.plasma())
    }
}

/// The protocol of a series, T1 before contrast and the arterial input function.
#[derive(FromPyObject)]
pub(crate) struct ToftsRequest {
    input: Py<ArterialInput>,
    repetition_time: f64,
    flip_angle: f64,
    relaxivity: f64,
    baseline_phases: usize,
    t1: f64,
    t1_map: Option<ImageArgument>,
}

/// Maps of a Tofts model: (list of (name, map), and the numbers of voxels that were fitted, could not be fitted, and
/// lie at an end of the range).
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
    let found = run(py, threads, |_| {
        let (series, mask) = series.parts()?;
        let fitter = params.check()?.fitter(&request.input.get().0, series.times())?;
        let t1 = t1_map.as_ref().map_or(T1::Constant(request.t1), T1::Map);
        fitter.maps(&series, region(mask.as_ref())?, &signal.check()?, t1)
    })?;
    let counts = (found.fitted_voxels, found.undefined_voxels, found.voxels_at_bound);
    let maps = found.named().map(|(name, map)| Ok((name, volume_to_python(py, map.clone())?)));
    let maps = maps.into_iter().collect::<PyResult<Vec<_>>>()?;
    (maps, counts.0, counts.1, counts.2).into_py_any(py)
}
