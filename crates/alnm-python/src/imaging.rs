//! Reading, writing, bias field correction and resampling.

use std::path::PathBuf;

use alnm_imaging::file::Source;
use alnm_imaging::mask::MaskParams;
use alnm_imaging::n4::{ControlGrid, Foreground, N4Iteration, N4Params};
use alnm_imaging::resample::{Interpolator, resample_image, spacing_grid};
use alnm_imaging::{ImagingError, otsu, with_volume};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::error::{AlnmError, exception};
use crate::image::{GridArgument, ImageArgument, MaskArgument, grid_to_python, to_python, volume_to_python};
use crate::observer::Observer;
use crate::threads::run;
use crate::words::word;

/// Reads an image from a file, or from a folder with one DICOM series; of several volumes the one of a number, counted
/// from 1.
#[pyfunction]
pub(crate) fn read_image(py: Python<'_>, path: PathBuf, volume: Option<usize>) -> PyResult<Py<PyAny>> {
    let image = run(py, None, |_| {
        let source = Source::open(path)?;
        match volume {
            Some(number) => source.read_volume(number),
            None => source.read_image(),
        }
    })?;
    to_python(py, image)
}

/// The grid of a file, read without its voxels: (size, spacing, origin, direction).
#[pyfunction]
pub(crate) fn file_geometry(py: Python<'_>, path: PathBuf) -> PyResult<Py<PyAny>> {
    let geometry = run(py, None, |_| Source::open(path)?.read_geometry())?;
    let grid = grid_to_python(&geometry);
    (grid.size, grid.spacing, grid.origin, grid.direction).into_py_any(py)
}

/// A region of a mask, by its name or its number.
#[derive(FromPyObject)]
pub(crate) enum RegionArgument {
    Number(u32),
    Name(String),
}

/// Reads a mask: a label map, a DICOM segmentation or a structure set.
#[pyfunction]
pub(crate) fn read_mask(
    py: Python<'_>,
    path: PathBuf,
    region: Option<RegionArgument>,
    grid: Option<GridArgument>,
    channel: Option<usize>,
    volume: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let mut params = match region {
        None => MaskParams::default(),
        Some(RegionArgument::Name(name)) => MaskParams::default().with_region(name.as_str()),
        Some(RegionArgument::Number(number)) => MaskParams::default().with_region(number),
    };
    params.grid = grid.map(|grid| grid.0);
    params.channel = channel;
    params.volume = volume;
    let mask = run(py, None, |_| alnm_imaging::read_mask_with(path, &params))?;
    volume_to_python(py, mask)
}

/// Writes an image; the ending of the name determines the format.
#[pyfunction]
pub(crate) fn write_image(py: Python<'_>, path: PathBuf, image: ImageArgument) -> PyResult<()> {
    run(py, None, |_| alnm_imaging::write_image(path, &image.0))
}

/// Writes a mask; the ending of the name determines the format.
#[pyfunction]
pub(crate) fn write_mask(py: Python<'_>, path: PathBuf, mask: MaskArgument) -> PyResult<()> {
    run(py, None, |_| alnm_imaging::write_mask(path, &mask.0))
}

/// The parameters of a bias field correction.
#[derive(FromPyObject)]
pub(crate) struct N4Request {
    iterations: Vec<usize>,
    convergence_threshold: f64,
    control_points: Option<[usize; 3]>,
    knot_spacing: Option<f64>,
    spline_order: usize,
    bias_fwhm: f64,
    wiener_noise: f64,
    histogram_bins: usize,
    mask_label: Option<u32>,
    shrink: usize,
}

/// Corrects the bias field by N4: (corrected image, logarithm of the field, levels as (control points, convergence,
/// converged)).
#[pyfunction]
pub(crate) fn n4(
    py: Python<'_>,
    image: ImageArgument,
    mask: Option<MaskArgument>,
    request: N4Request,
    observer: Option<Py<PyAny>>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    if request.control_points.is_some() && request.knot_spacing.is_some() {
        return Err(AlnmError::new_err("control_points and knot_spacing are both given; give one of them"));
    }
    let mut params = N4Params::default()
        .with_iterations(request.iterations)
        .with_convergence_threshold(request.convergence_threshold)
        .with_spline_order(request.spline_order)
        .with_bias_fwhm(request.bias_fwhm)
        .with_wiener_noise(request.wiener_noise)
        .with_histogram_bins(request.histogram_bins)
        .with_mask_label(request.mask_label)
        .with_shrink(request.shrink);
    if let Some(points) = request.control_points {
        params = params.with_control_grid(ControlGrid::Points(points));
    }
    if let Some(distance) = request.knot_spacing {
        params = params.with_control_grid(ControlGrid::KnotSpacing(distance));
    }
    let n4 = params.check().map_err(exception)?;
    let image = image.0.cast::<f32>();
    let mut observer = Observer::new(observer);
    let result = run(py, threads, |interruption| {
        let foreground = mask.as_ref().map_or(Foreground::All, |mask| Foreground::Mask(&mask.0));
        let field = n4.fit(&image, foreground, None, &mut |step: &N4Iteration| {
            let step = (step.level, step.levels, step.iteration, step.max_iterations, step.convergence);
            observer.tell(interruption, step)
        })?;
        Ok::<_, ImagingError>(field.correct(image.clone()))
    });
    let result = observer.outcome(result)?;
    let levels: Vec<_> = result
        .levels()
        .iter()
        .map(|level| (level.control_points, level.convergence.clone(), level.converged))
        .collect();
    let (corrected, field) = result.into_parts();
    (volume_to_python(py, corrected)?, volume_to_python(py, field)?, levels).into_py_any(py)
}

/// The voxels above Otsu's threshold, as a mask.
#[pyfunction]
pub(crate) fn otsu_mask(py: Python<'_>, image: ImageArgument, bins: usize) -> PyResult<Py<PyAny>> {
    let mask = run(py, None, |_| with_volume!(&image.0, volume => otsu::otsu_mask(volume, bins)))?;
    volume_to_python(py, mask)
}

/// Resamples an image onto another grid: that of `grid`, or one with `spacing` in mm.
#[pyfunction]
pub(crate) fn resample(
    py: Python<'_>,
    image: ImageArgument,
    grid: Option<GridArgument>,
    spacing: Option<Vec<f64>>,
    interpolator: &str,
    outside: f64,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let interpolator = interpolator_named(interpolator)?;
    let resampled = run(py, threads, |_| {
        let grid = match (grid, spacing) {
            (Some(grid), _) => grid.0,
            (None, Some(spacing)) => {
                let own = image.0.geometry().spacing();
                let wanted = std::array::from_fn(|axis| spacing.get(axis).copied().unwrap_or(own[axis]));
                spacing_grid(image.0.geometry(), wanted)?
            }
            (None, None) => image.0.geometry().clone(),
        };
        resample_image(&image.0, &grid, interpolator, outside)
    })?;
    to_python(py, resampled)
}

pub(crate) fn interpolator_named(name: &str) -> PyResult<Interpolator> {
    const NAMES: [(&str, Interpolator); 10] = [
        ("nearest", Interpolator::Nearest),
        ("linear", Interpolator::Linear),
        ("bspline", Interpolator::BSpline),
        ("gaussian", Interpolator::Gaussian),
        ("label-gaussian", Interpolator::LabelGaussian),
        ("hamming-sinc", Interpolator::HammingSinc),
        ("cosine-sinc", Interpolator::CosineSinc),
        ("welch-sinc", Interpolator::WelchSinc),
        ("lanczos-sinc", Interpolator::LanczosSinc),
        ("blackman-sinc", Interpolator::BlackmanSinc),
    ];
    word("interpolator", name, &NAMES)
}
