//! Features, feature maps and filtered images.

use alnm_radiomics::{Compliance, Diagnostic, DiagnosticValue, Extractor, FeatureClass, FeatureId, ImageType, Warning};
use ndarray::Array1;
use numpy::IntoPyArray;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::image::{ImageArgument, MaskArgument, to_python, volume_to_python};
use crate::parameters::Request;
use crate::threads::run;

/// The name of a feature as (image, class, feature).
type Name = (String, &'static str, &'static str);

fn name(id: &FeatureId) -> Name {
    match id {
        FeatureId::PyRadiomics { image, class, feature } => (image.clone(), class.name(), feature.name),
        // Requests of this module ask only for features of PyRadiomics.
        other => (other.name(), "", ""),
    }
}

/// Warnings as (text, whether it is only advice on the choice of settings).
fn texts(warnings: &[Warning]) -> Vec<(String, bool)> {
    let is_advice = |warning: &Warning| matches!(warning, Warning::UnusualBinNumber { .. });
    warnings.iter().map(|warning| (warning.to_string(), is_advice(warning))).collect()
}

fn diagnostics(py: Python<'_>, entries: Vec<Diagnostic>) -> PyResult<Vec<(String, Py<PyAny>)>> {
    let value = |value: DiagnosticValue| match value {
        DiagnosticValue::Integer(value) => value.into_py_any(py),
        DiagnosticValue::Float(value) => value.into_py_any(py),
        DiagnosticValue::Integers(values) => PyTuple::new(py, values)?.into_py_any(py),
        DiagnosticValue::Floats(values) => PyTuple::new(py, values)?.into_py_any(py),
        text => text.to_string().into_py_any(py),
    };
    entries.into_iter().map(|entry| Ok((entry.name, value(entry.value)?))).collect()
}

/// The features of a region: (names, values, diagnostics, warnings).
#[pyfunction]
pub(crate) fn extract(
    py: Python<'_>,
    image: ImageArgument,
    mask: MaskArgument,
    label: u32,
    request: Request,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let extractor = Extractor::new(request.parameters()?);
    let extraction = run(py, threads, |interruption| {
        extractor.execute_observed(&image.0, &mask.0, label, &|_| interruption.answer())
    })?;
    let names: Vec<Name> = extraction.features.iter().map(|feature| name(&feature.id)).collect();
    let values: Array1<f64> = extraction.features.iter().map(|feature| feature.value).collect();
    let diagnostics = diagnostics(py, extraction.diagnostics)?;
    (names, values.into_pyarray(py), diagnostics, texts(&extraction.warnings)).into_py_any(py)
}

/// The feature maps of a region: (list of (name, map), diagnostics, warnings).
#[pyfunction]
pub(crate) fn feature_maps(
    py: Python<'_>,
    image: ImageArgument,
    mask: MaskArgument,
    label: u32,
    request: Request,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let extractor = Extractor::new(request.parameters()?);
    let extraction = run(py, threads, |interruption| {
        extractor.execute_voxel_based_observed(&image.0, &mask.0, label, &|_| interruption.answer())
    })?;
    let maps = extraction.maps.into_iter().map(|map| Ok((name(&map.id), volume_to_python(py, map.map)?)));
    let maps = maps.collect::<PyResult<Vec<_>>>()?;
    (maps, diagnostics(py, extraction.diagnostics)?, texts(&extraction.warnings)).into_py_any(py)
}

/// The image and the mask on the grid on which features are computed, and the filtered images: (image, mask, list of
/// (name, image)).
#[pyfunction]
pub(crate) fn filtered_images(
    py: Python<'_>,
    image: ImageArgument,
    mask: MaskArgument,
    label: u32,
    request: Request,
    threads: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let extractor = Extractor::new(request.parameters()?);
    let images = run(py, threads, |_| extractor.filtered_images(&image.0, &mask.0, label))?;
    let filtered = images.filtered.into_iter().map(|(name, volume)| Ok((name, volume_to_python(py, volume)?)));
    let filtered = filtered.collect::<PyResult<Vec<_>>>()?;
    (to_python(py, images.image)?, volume_to_python(py, images.mask)?, filtered).into_py_any(py)
}

/// The description of a feature: its name, whether it is computed without being named, its code and its name in the
/// reference manual of the IBSI (none where the manual does not have it), and whether its formula is that of the
/// manual.
type Description = (&'static str, bool, Option<&'static str>, Option<&'static str>, bool);

/// The feature classes with their features, and the names of features that are known but no longer computed.
#[pyfunction]
pub(crate) fn feature_classes() -> Vec<(&'static str, Vec<Description>, &'static [&'static str])> {
    let of_class = |class: FeatureClass| {
        let features = class.features().into_iter().map(|feature| {
            let ibsi = feature.ibsi;
            let compliant = feature.compliance == Compliance::Compliant;
            (feature.name, feature.by_default, ibsi.map(|ibsi| ibsi.code), ibsi.map(|ibsi| ibsi.name), compliant)
        });
        (class.name(), features.collect(), class.withdrawn())
    };
    FeatureClass::ALL.map(of_class).to_vec()
}

/// The names of the image types.
#[pyfunction]
pub(crate) fn image_types() -> Vec<&'static str> {
    ImageType::ALL.map(ImageType::name).to_vec()
}
