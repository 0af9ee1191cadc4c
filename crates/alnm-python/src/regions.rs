//! Rings, connected parts, distances and habitats of regions, and common intensity scales.

use alnm_imaging::distance::signed_distance as distance;
use alnm_imaging::habitat::{HabitatModel, HabitatParams};
use alnm_imaging::region::{
    Connectivity, Ring, RingLimits, RingParams, Roi, connected_components as components,
    largest_cross_section as cross_section,
};
use alnm_imaging::standardisation::{
    HistogramMatchingParams, IntensityStandard, NyulParams, SiteScale, WhiteStripeParams,
};
use alnm_imaging::{Image, ImagingError, Volume};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{AlnmError, exception};
use crate::fields::{fields, parameters};
use crate::image::{ImageArgument, MaskArgument, volume_to_python};
use crate::threads::run;
use crate::words::word;

/// The distances of rings, and where they may lie.
#[derive(FromPyObject)]
pub(crate) struct RingRequest {
    rings: Vec<(f64, f64)>,
    keep_other_labels_out: bool,
    within: Option<MaskArgument>,
    above_image: Option<ImageArgument>,
    above_value: f64,
}

/// Rings around a region: (mask, the report of each ring).
#[pyfunction]
pub(crate) fn rings(
    py: Python<'_>,
    mask: MaskArgument,
    label: u32,
    request: RingRequest,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let params = RingParams::new(request.rings.into_iter().map(|(from, to)| Ring::new(from, to)))
        .with_keep_other_labels_out(request.keep_other_labels_out);
    let found = run(py, threads, |_| {
        let mut limits = RingLimits::default();
        if let Some(within) = &request.within {
            limits = limits.with_within(&within.0);
        }
        if let Some(image) = &request.above_image {
            limits = limits.with_above(&image.0, request.above_value);
        }
        params.check()?.draw(Roi::new(&mask.0, label)?, limits)
    })?;
    (volume_to_python(py, found.mask)?, fields(py, &found.rings)?).into_py_any(py)
}

/// The limits of shells of a region from its surface to its depth, as (from, to) in mm.
#[pyfunction]
pub(crate) fn shells(width: f64, count: usize) -> Vec<(f64, f64)> {
    RingParams::shells(width, count).rings.iter().map(|ring| (ring.from, ring.to)).collect()
}

/// The connected parts of a label: (the number of the part in each voxel, the numbers of voxels of the parts).
#[pyfunction]
pub(crate) fn connected_components(
    py: Python<'_>,
    mask: MaskArgument,
    label: u32,
    corners: bool,
) -> PyResult<Py<PyAny>> {
    let connectivity = if corners { Connectivity::Corner } else { Connectivity::Face };
    let parts = run(py, None, |_| Ok::<_, ImagingError>(components(&mask.0, label, connectivity)))?;
    (volume_to_python(py, parts.map)?, parts.sizes).into_py_any(py)
}

/// The largest axial cross-section of a label: (slice, number of voxels, first voxel of the rectangle around them, size
/// of the rectangle).
#[pyfunction]
pub(crate) fn largest_cross_section(
    py: Python<'_>,
    mask: MaskArgument,
    label: u32,
) -> PyResult<(usize, usize, [usize; 3], [usize; 3])> {
    let found = run(py, None, |_| cross_section(&mask.0, label))?;
    Ok((found.slice, found.voxels, found.rectangle.start(), found.rectangle.size()))
}

/// The signed distance in mm of each voxel to the outermost voxels of a region.
#[pyfunction]
pub(crate) fn signed_distance(
    py: Python<'_>,
    mask: MaskArgument,
    label: u32,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let distances = run(py, threads, |_| distance(&Roi::new(&mask.0, label)?, &mask.0.geometry().voxel_box()))?;
    volume_to_python(py, distances)
}

/// Habitats that were learned on training patients.
#[pyclass(frozen, module = "alnm._native")]
pub(crate) struct FittedHabitats(HabitatModel);

#[pymethods]
impl FittedHabitats {
    #[staticmethod]
    fn learn(
        py: Python<'_>,
        names: Vec<String>,
        patients: Vec<PyReadonlyArray2<'_, f64>>,
        params: &Bound<'_, PyDict>,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let params: HabitatParams = parameters(params)?;
        let patients: Vec<_> = patients.iter().map(|patient| patient.as_array().to_owned()).collect();
        run(py, threads, |_| params.check()?.learn(&names, &patients)).map(Self)
    }

    #[staticmethod]
    fn from_json(text: &str) -> PyResult<Self> {
        serde_json::from_str(text).map(Self).map_err(exception)
    }

    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.0).map_err(exception)
    }

    fn features(&self) -> Vec<String> {
        self.0.features().to_vec()
    }

    fn centres<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        self.0.centres().into_pyarray(py)
    }

    fn scores(&self) -> Vec<(usize, f64, f64)> {
        self.0.scores().iter().map(|score| (score.count, score.score, score.error)).collect()
    }

    fn voxel_counts(&self) -> (usize, usize) {
        (self.0.learned_voxels(), self.0.left_out_voxels())
    }

    fn labels<'py>(
        &self,
        py: Python<'py>,
        voxels: PyReadonlyArray2<'_, f64>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let voxels = voxels.as_array().to_owned();
        Ok(run(py, threads, |_| self.0.labels(voxels.view()))?.into_pyarray(py))
    }

    fn map(
        &self,
        py: Python<'_>,
        maps: Vec<ImageArgument>,
        mask: MaskArgument,
        label: u32,
        threads: Option<usize>,
    ) -> PyResult<Py<PyAny>> {
        let maps: Vec<Volume<f32>> = maps.iter().map(|map| map.0.cast()).collect();
        let map = run(py, threads, |_| self.0.map(&maps.iter().collect::<Vec<_>>(), Roi::new(&mask.0, label)?))?;
        volume_to_python(py, map)
    }
}

/// An image with the region that determines its scale.
#[derive(FromPyObject)]
pub(crate) struct Sample {
    image: ImageArgument,
    mask: Option<MaskArgument>,
    label: u32,
}

impl Sample {
    fn image(&self) -> &Image {
        &self.image.0
    }

    fn region(&self) -> Result<Option<Roi<'_>>, ImagingError> {
        self.mask.as_ref().map(|mask| Roi::new(&mask.0, self.label)).transpose()
    }
}

/// A method by which a scale is learned.
#[derive(Clone, Copy)]
enum ScaleMethod {
    Nyul,
    HistogramMatching,
    WhiteStripe,
    Site,
}

/// A common intensity scale.
#[pyclass(frozen, module = "alnm._native")]
pub(crate) struct FittedScale(IntensityStandard);

#[pymethods]
impl FittedScale {
    #[staticmethod]
    fn learn(
        py: Python<'_>,
        method: &str,
        samples: Vec<Sample>,
        params: &Bound<'_, PyDict>,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let known = [
            ("nyul", ScaleMethod::Nyul),
            ("histogram_matching", ScaleMethod::HistogramMatching),
            ("white_stripe", ScaleMethod::WhiteStripe),
            ("site", ScaleMethod::Site),
        ];
        match word("method", method, &known)? {
            ScaleMethod::Nyul => {
                let nyul = parameters::<NyulParams>(params)?.check().map_err(exception)?;
                run(py, threads, |_| {
                    let landmarks = samples.iter().map(|sample| nyul.landmarks(sample.image(), sample.region()?));
                    nyul.learn(&landmarks.collect::<Result<Vec<_>, ImagingError>>()?)
                })
                .map(IntensityStandard::Nyul)
            }
            ScaleMethod::HistogramMatching => {
                let matching = parameters::<HistogramMatchingParams>(params)?.check().map_err(exception)?;
                run(py, threads, |_| {
                    let references = samples.iter().map(|sample| matching.reference(sample.image()));
                    matching.learn(&references.collect::<Result<Vec<_>, ImagingError>>()?)
                })
                .map(IntensityStandard::HistogramMatching)
            }
            ScaleMethod::WhiteStripe => {
                let stripe = parameters::<WhiteStripeParams>(params)?.check().map_err(exception)?;
                Ok(IntensityStandard::WhiteStripe(stripe))
            }
            ScaleMethod::Site => run(py, threads, |_| {
                let scales = samples.iter().map(|sample| SiteScale::of_image(sample.image(), sample.region()?));
                SiteScale::learn(&scales.collect::<Result<Vec<_>, ImagingError>>()?)
            })
            .map(IntensityStandard::Site),
        }
        .map(Self)
    }

    #[staticmethod]
    fn z_score() -> Self {
        Self(IntensityStandard::Site(SiteScale::Z_SCORE))
    }

    #[staticmethod]
    fn from_json(text: &str) -> PyResult<Self> {
        serde_json::from_str(text).map(Self).map_err(exception)
    }

    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.0).map_err(exception)
    }

    fn apply(&self, py: Python<'_>, sample: Sample, threads: Option<usize>) -> PyResult<Py<PyAny>> {
        if sample.mask.is_some() && !self.0.takes_region() {
            return Err(AlnmError::new_err("histogram matching looks at the whole image; give no mask"));
        }
        let scaled = run(py, threads, |_| self.0.apply(sample.image(), sample.region()?))?;
        volume_to_python(py, scaled)
    }
}
