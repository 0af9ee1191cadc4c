//! Speed images, active contours, region growing, morphology, and the agreement and consensus of outlines.

use alnm_imaging::region::Connectivity;
use alnm_imaging::{LabelMap, Volume};
use alnm_segmentation::SegmentationError;
use alnm_segmentation::agreement::OutlineComparisonParams;
use alnm_segmentation::consensus::{StapleParams, majority_vote as vote};
use alnm_segmentation::contour::{ActiveContourParams, ContourIteration};
use alnm_segmentation::growing::{self, ConfidenceConnectedParams};
use alnm_segmentation::morphology::{self, StructuringElement};
use alnm_segmentation::seeds::{self, Bubble};
use alnm_segmentation::speed::{EdgeSpeedParams, MixtureParams, ThresholdSpeedParams};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{AlnmError, exception};
use crate::fields::{fields, parameters};
use crate::image::{GridArgument, ImageArgument, MaskArgument, volume_to_python};
use crate::observer::Observer;
use crate::threads::run;
use crate::words::word;

/// An image in single precision, in which speed images are computed.
fn single(image: &ImageArgument) -> Volume<f32> {
    image.0.cast::<f32>()
}

/// The speed image from smooth thresholds.
#[pyfunction]
pub(crate) fn threshold_speed(
    py: Python<'_>,
    image: ImageArgument,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params: ThresholdSpeedParams = parameters(params)?;
    let speed = run(py, threads, |_| params.check()?.speed(&single(&image)))?;
    volume_to_python(py, speed)
}

/// The speed image from edges.
#[pyfunction]
pub(crate) fn edge_speed(
    py: Python<'_>,
    image: ImageArgument,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params: EdgeSpeedParams = parameters(params)?;
    let speed = run(py, threads, |_| params.check()?.speed(&single(&image)))?;
    volume_to_python(py, speed)
}

/// The speed image from a mixture of classes: (speed image, mixture, classes of the structure).
#[pyfunction]
pub(crate) fn mixture_speed(
    py: Python<'_>,
    image: ImageArgument,
    seed: Option<MaskArgument>,
    foreground: Option<Vec<usize>>,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    if foreground.is_some() && seed.is_some() {
        return Err(AlnmError::new_err("foreground and seed are both given; give one of them"));
    }
    let params: MixtureParams = parameters(params)?;
    let (speed, mixture, classes) = run(py, threads, |_| {
        let image = single(&image);
        let mixture = params.check()?.fit(&image)?;
        let classes = match (foreground, &seed) {
            (Some(classes), _) => classes,
            (None, Some(seed)) => vec![mixture.class_of_seed(&image, &seed.0)?],
            (None, None) => Vec::new(),
        };
        let speed = mixture.speed(&image, &classes)?;
        Ok::<_, SegmentationError>((speed, mixture, classes))
    })?;
    (volume_to_python(py, speed)?, fields(py, &mixture)?, classes).into_py_any(py)
}

/// The voxels in balls around points in mm, as a mask.
#[pyfunction]
pub(crate) fn bubbles(
    py: Python<'_>,
    grid: GridArgument,
    centres: Vec<[f64; 3]>,
    radii: Vec<f64>,
) -> PyResult<Py<PyAny>> {
    let bubbles: Vec<Bubble> =
        centres.into_iter().zip(radii).map(|(centre, radius)| Bubble::new(centre, radius)).collect();
    let mask = run(py, None, |_| seeds::bubble_mask(&grid.0, &bubbles))?;
    volume_to_python(py, mask)
}

/// The points in mm in the text of a markups file of 3D Slicer.
#[pyfunction]
pub(crate) fn markup_points(text: &str) -> PyResult<Vec<[f64; 3]>> {
    seeds::markup_points(text).map_err(exception)
}

/// An active contour: (mask, number of voxels, volume, iterations, last change, settled, warnings).
#[pyfunction]
pub(crate) fn active_contour(
    py: Python<'_>,
    speed: ImageArgument,
    seed: MaskArgument,
    method: &str,
    params: &Bound<'_, PyDict>,
    observer: Option<Py<PyAny>>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let all = PyDict::new(py);
    let known = [("regions", ActiveContourParams::regions()), ("edges", ActiveContourParams::edges())];
    let defaults = word("method", method, &known)?;
    all.update(fields(py, &defaults)?.cast_bound::<PyDict>(py)?.as_mapping())?;
    all.update(params.as_mapping())?;
    let contour = parameters::<ActiveContourParams>(&all)?.check().map_err(exception)?;
    let mut observer = Observer::new(observer);
    let found = run(py, threads, |interruption| {
        contour.evolve_with(&single(&speed), &seed.0, &mut |step: &ContourIteration| {
            let step = (step.iteration, step.iterations, step.rms_change, step.core_voxels, step.active_voxels);
            observer.tell(interruption, step)
        })
    });
    let found = observer.outcome(found)?;
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    let mask = volume_to_python(py, found.mask)?;
    (mask, found.voxel_count, found.volume, found.iterations, found.rms_change, found.settled, warnings).into_py_any(py)
}

/// Region growing: the voxels with values within limits that are connected with seeds (x, y, z).
#[pyfunction]
pub(crate) fn connected_threshold(
    py: Python<'_>,
    image: ImageArgument,
    seeds: Vec<[usize; 3]>,
    lower: f64,
    upper: f64,
    corners: bool,
) -> PyResult<Py<PyAny>> {
    let connectivity = if corners { Connectivity::Corner } else { Connectivity::Face };
    let mask = run(py, None, |_| growing::connected_threshold(&single(&image), &seeds, lower, upper, connectivity))?;
    volume_to_python(py, mask)
}

/// Region growing: the connected voxels in whose neighbourhood all values lie within limits.
#[pyfunction]
pub(crate) fn neighbourhood_connected(
    py: Python<'_>,
    image: ImageArgument,
    seeds: Vec<[usize; 3]>,
    lower: f64,
    upper: f64,
    radius: [usize; 3],
) -> PyResult<Py<PyAny>> {
    let mask = run(py, None, |_| growing::neighbourhood_connected(&single(&image), &seeds, lower, upper, radius))?;
    volume_to_python(py, mask)
}

/// Region growing with limits from the region itself: (mask, mean, variance, limits).
#[pyfunction]
pub(crate) fn confidence_connected(
    py: Python<'_>,
    image: ImageArgument,
    seeds: Vec<[usize; 3]>,
    params: &Bound<'_, PyDict>,
) -> PyResult<Py<PyAny>> {
    let params: ConfidenceConnectedParams = parameters(params)?;
    let grown = run(py, None, |_| params.check()?.grow(&single(&image), &seeds))?;
    (volume_to_python(py, grown.mask)?, grown.mean, grown.variance, grown.limits).into_py_any(py)
}

/// The times at which a front that starts from seeds (x, y, z) arrives at each voxel.
#[pyfunction]
pub(crate) fn arrival_times(
    py: Python<'_>,
    speed: ImageArgument,
    seeds: Vec<[usize; 3]>,
    stop: f64,
) -> PyResult<Py<PyAny>> {
    let times = run(py, None, |_| growing::arrival_times(&single(&speed), &seeds, stop))?;
    volume_to_python(py, times)
}

/// A morphological operation on the voxels of a label, with a structuring element or its radius.
type Operation = fn(&LabelMap, u32, StructuringElement, [usize; 3]) -> Result<LabelMap, SegmentationError>;

/// A morphological operation on a mask: dilation, erosion, opening, closing, filling of holes, the largest part or
/// smoothing.
#[pyfunction]
pub(crate) fn changed_mask(
    py: Python<'_>,
    mask: MaskArgument,
    label: u32,
    operation: &str,
    radius: [usize; 3],
    ball: bool,
) -> PyResult<Py<PyAny>> {
    let element = if ball { StructuringElement::Ball(radius) } else { StructuringElement::Box(radius) };
    let known: [(&str, Operation); 7] = [
        ("dilate", |mask, label, element, _| Ok(morphology::dilate(mask, label, element))),
        ("erode", |mask, label, element, _| Ok(morphology::erode(mask, label, element))),
        ("opening", |mask, label, element, _| Ok(morphology::open(mask, label, element))),
        ("closing", |mask, label, element, _| morphology::close(mask, label, element)),
        ("fill_holes", |mask, label, _, _| Ok(morphology::fill_holes(mask, label))),
        ("largest_part", |mask, label, _, _| Ok(morphology::largest_part(mask, label))),
        ("smooth", |mask, label, _, radius| Ok(morphology::smooth(mask, label, radius))),
    ];
    let operation = word("operation", operation, &known)?;
    let changed = run(py, None, |_| operation(&mask.0, label, element, radius))?;
    volume_to_python(py, changed)
}

/// The agreement of an outline with a reference for each label, as dictionaries.
#[pyfunction]
pub(crate) fn compare_outlines(
    py: Python<'_>,
    reference: MaskArgument,
    other: MaskArgument,
    params: &Bound<'_, PyDict>,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params: OutlineComparisonParams = parameters(params)?;
    let agreement = run(py, threads, |_| params.check()?.compare(&reference.0, &other.0))?;
    fields(py, &agreement.labels)
}

/// The consensus by STAPLE: (probability, performances of the outlines, iterations, converged).
#[pyfunction]
pub(crate) fn staple(py: Python<'_>, outlines: Vec<MaskArgument>, params: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
    let params: StapleParams = parameters(params)?;
    let outlines: Vec<&LabelMap> = outlines.iter().map(|outline| &outline.0).collect();
    let consensus = run(py, None, |_| params.check()?.estimate(&outlines))?;
    let raters: Vec<(f64, f64)> = consensus.raters.iter().map(|rater| (rater.sensitivity, rater.specificity)).collect();
    (volume_to_python(py, consensus.probability)?, raters, consensus.iterations, consensus.converged).into_py_any(py)
}

/// The label that most outlines give each voxel.
#[pyfunction]
pub(crate) fn majority_vote(py: Python<'_>, outlines: Vec<MaskArgument>, undecided: u32) -> PyResult<Py<PyAny>> {
    let outlines: Vec<&LabelMap> = outlines.iter().map(|outline| &outline.0).collect();
    let consensus = run(py, None, |_| vote(&outlines, undecided))?;
    volume_to_python(py, consensus)
}
