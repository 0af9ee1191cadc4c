//! Registration of images, and the transforms that result from it.

use std::path::PathBuf;

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::{LabelMap, Volume};
use alnm_registration::{
    JacobianSummary, MotionModel, RegistrationError, RegistrationIteration, RegistrationMasks, RegistrationParams,
    RegistrationResult, SpatialTransform, jacobian_map, mask_through, read_transform, resample_through,
    write_transform,
};
use ndarray::{Array1, Array2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::exception;
use crate::fields::{fields, parameters};
use crate::image::{GridArgument, ImageArgument, MaskArgument, to_python, volume_to_python};
use crate::imaging::interpolator_named;
use crate::observer::Observer;
use crate::threads::run;

/// A map from points of the fixed image to points of the moving image.
#[pyclass(frozen, module = "alnm._native")]
pub(crate) struct FoundTransform(SpatialTransform);

/// The points of an array with rows of (x, y, z).
fn rows_of_three(points: &PyReadonlyArray2<'_, f64>) -> PyResult<Vec<[f64; 3]>> {
    let points = points.as_array();
    let point = |row: ndarray::ArrayView1<'_, f64>| match *row.as_slice().unwrap_or(&row.to_vec()) {
        [x, y, z] => Ok([x, y, z]),
        _ => Err(exception(format_args!("a point has {} numbers; it must have 3, x, y and z in mm", row.len()))),
    };
    points.rows().into_iter().map(point).collect()
}

#[pymethods]
impl FoundTransform {
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        run(py, None, |_| read_transform(path)).map(Self)
    }

    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        run(py, None, |_| write_transform(path, &self.0))
    }

    fn parts(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        fields(py, self.0.parts())
    }

    fn apply<'py>(&self, py: Python<'py>, points: PyReadonlyArray2<'_, f64>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let points = rows_of_three(&points)?;
        let moved = run(py, None, |_| {
            let numbers = points.iter().flat_map(|&point| self.0.apply(point)).collect();
            Array2::from_shape_vec((points.len(), 3), numbers)
        })?;
        Ok(moved.into_pyarray(py))
    }

    fn jacobian_determinants<'py>(
        &self,
        py: Python<'py>,
        points: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let points = rows_of_three(&points)?;
        let determinants: Array1<f64> = points.iter().map(|&point| self.0.jacobian_determinant(point)).collect();
        Ok(determinants.into_pyarray(py))
    }

    fn jacobian_map(&self, py: Python<'_>, grid: GridArgument, threads: Option<usize>) -> PyResult<Py<PyAny>> {
        let map = run(py, threads, |_| Ok::<_, RegistrationError>(jacobian_map(&self.0, &grid.0)))?;
        volume_to_python(py, map)
    }

    fn jacobian_summary(&self, py: Python<'_>, mask: MaskArgument, threads: Option<usize>) -> PyResult<Py<PyAny>> {
        let summary = run(py, threads, |_| JacobianSummary::of(&self.0, &mask.0))?;
        fields(py, &summary)
    }

    fn resample(
        &self,
        py: Python<'_>,
        moving: ImageArgument,
        grid: GridArgument,
        interpolator: &str,
        outside: f64,
        threads: Option<usize>,
    ) -> PyResult<Py<PyAny>> {
        let interpolator = interpolator_named(interpolator)?;
        let image = run(py, threads, |_| resample_through(&self.0, &moving.0, &grid.0, interpolator, outside))?;
        to_python(py, image)
    }

    fn resample_mask(
        &self,
        py: Python<'_>,
        moving: MaskArgument,
        grid: GridArgument,
        threads: Option<usize>,
    ) -> PyResult<Py<PyAny>> {
        let mask = run(py, threads, |_| mask_through(&self.0, &moving.0, &grid.0))?;
        volume_to_python(py, mask)
    }
}

/// The masks and parameters of a registration.
#[derive(FromPyObject)]
pub(crate) struct RegistrationRequest<'py> {
    fixed_mask: Option<MaskArgument>,
    moving_mask: Option<MaskArgument>,
    lesion: Option<MaskArgument>,
    params: Bound<'py, PyDict>,
}

/// The masks of a registration.
struct Masks {
    fixed: Option<LabelMap>,
    moving: Option<LabelMap>,
    lesion: Option<LabelMap>,
}

impl Masks {
    fn borrowed(&self) -> RegistrationMasks<'_> {
        let mut masks = RegistrationMasks::default();
        masks.fixed = self.fixed.as_ref();
        masks.moving = self.moving.as_ref();
        masks.lesion = self.lesion.as_ref();
        masks
    }
}

impl RegistrationRequest<'_> {
    fn parts(self) -> PyResult<(RegistrationParams, Masks)> {
        let [fixed, moving, lesion] =
            [self.fixed_mask, self.moving_mask, self.lesion].map(|mask| mask.map(|mask| mask.0));
        Ok((parameters(&self.params)?, Masks { fixed, moving, lesion }))
    }
}

/// A step for an observer: (stage, resolution, number of resolutions, iteration, largest number of iterations,
/// objective function).
type Step = (String, usize, usize, usize, usize, f64);

/// The word for a motion model in Python.
fn motion_word(model: MotionModel) -> String {
    format!("{model:?}").to_lowercase()
}

fn step_of(step: &RegistrationIteration) -> Step {
    let model = motion_word(step.model);
    (model, step.resolution, step.resolutions, step.iteration, step.most_iterations, step.value)
}

/// A result for Python: (transform, report of each resolution, overlap, Jacobian determinant, Jacobian determinant in
/// the lesion, weight of the bending energy).
fn found(py: Python<'_>, result: RegistrationResult) -> PyResult<Py<PyAny>> {
    let reports = fields(py, &result.resolutions)?;
    let (jacobian, lesion) = (fields(py, &result.jacobian)?, fields(py, &result.lesion)?);
    (FoundTransform(result.transform), reports, result.overlap, jacobian, lesion, result.bending_weight).into_py_any(py)
}

/// Registers two images; the result is that of `found`.
#[pyfunction]
pub(crate) fn register(
    py: Python<'_>,
    fixed: ImageArgument,
    moving: ImageArgument,
    request: RegistrationRequest<'_>,
    observer: Option<Py<PyAny>>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let (params, masks) = request.parts()?;
    let mut observer = Observer::new(observer);
    let result = run(py, threads, |interruption| {
        let [fixed, moving]: [Volume<f32>; 2] = [&fixed, &moving].map(|image| image.0.cast());
        params
            .check()?
            .register(&fixed, &moving, masks.borrowed(), &mut |step| observer.tell(interruption, step_of(step)))
    });
    found(py, observer.outcome(result)?)
}

/// Registers all phases of a series with one of them: (resampled phases, the result of each phase).
#[pyfunction]
pub(crate) fn register_series(
    py: Python<'_>,
    images: Vec<ImageArgument>,
    onto: usize,
    request: RegistrationRequest<'_>,
    interpolator: &str,
    observer: Option<Py<PyAny>>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let interpolator = interpolator_named(interpolator)?;
    let (params, masks) = request.parts()?;
    let mut observer = Observer::new(observer);
    let result = run(py, threads, |interruption| {
        // Registration does not depend on the times of the phases.
        let times = (0..images.len()).map(|phase| phase as f64).collect();
        let series = DynamicSeries::new(images.into_iter().map(|image| image.0).collect(), times)?;
        params.check()?.register_series(&series, onto, masks.borrowed(), interpolator, &mut |phase, step| {
            let (model, resolution, resolutions, iteration, most, value) = step_of(step);
            observer.tell(interruption, (phase, model, resolution, resolutions, iteration, most, value))
        })
    });
    let registered = observer.outcome(result)?;
    let (images, _) = registered.series.into_parts();
    let images = images.into_iter().map(|image| to_python(py, image)).collect::<PyResult<Vec<_>>>()?;
    let results = registered.results.into_iter().map(|result| result.map(|result| found(py, result)).transpose());
    (images, results.collect::<PyResult<Vec<_>>>()?).into_py_any(py)
}
