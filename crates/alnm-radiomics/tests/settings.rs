//! Every setting of PyRadiomics' schema on images of integers, of single and double precision, on an oblique grid and in
//! two dimensions, against values of PyRadiomics 3.0.1 that `golden/settings.py` wrote. The cases stand in the file.

// An image that cannot be built must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use alnm_imaging::{Geometry, Image, LabelMap, Volume, read_mask_channel};
use alnm_radiomics::{Diagnostic, Extractor, Parameters};
use ndarray::Array3;
use serde::Deserialize;
use serde_json::Value;

const GOLDEN: &str = include_str!("golden/settings.json");

/// Cases in which PyRadiomics fails and this crate does not, and the reason.
const ANSWERED: [(&str, &str); 6] = [
    (
        "interpolator 3",
        "the number is that of SimpleITK 1, for which PyRadiomics' schema was written; it means B-spline",
    ),
    ("kernelRadius", PLANAR_MAPS),
    ("maskedKernel", PLANAR_MAPS),
    ("initValue", PLANAR_MAPS),
    ("initValue nan", PLANAR_MAPS),
    ("voxelBatch", PLANAR_MAPS),
];
const PLANAR_MAPS: &str = "PyRadiomics has no maps of two-dimensional images";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    versions: BTreeMap<String, String>,
    columns: Vec<Vec<String>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    mask: String,
    parameters: Value,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    image: String,
    /// In place of the case's.
    setting: Option<Value>,
    error: Option<String>,
    /// Which list of columns.
    columns: Option<usize>,
    /// Numbers, or for each map its size, the sum of its finite voxels, the number of others, and its middle voxel.
    values: Option<Vec<Value>>,
    /// How many diagnostics there are but for versions.
    diagnostics: Option<usize>,
}

fn volume_of<T>(voxel: impl Fn(i32) -> T) -> Array3<T> {
    Array3::from_shape_fn([9, 11, 13], |(z, y, x)| {
        let (z, y, x) = (z as i32, y as i32, x as i32);
        voxel((z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211 - 60)
    })
}

fn volume_labels() -> Array3<u32> {
    Array3::from_shape_fn([9, 11, 13], |(z, y, x)| {
        let squared = |a: usize, centre: usize| a.abs_diff(centre).pow(2);
        let is_in_ball = 3 * squared(z, 4) + squared(y, 5) + squared(x, 6) <= 20;
        if is_in_ball { 1 } else { 2 * u32::from(z < 3 && x > 8) }
    })
}

/// The image of a kind and its labels.
fn made(kind: &str) -> (Image, LabelMap) {
    let upright = Geometry::axis_aligned([13, 11, 9], [0.8, 1.1, 2.5]).unwrap();
    let (image, labels, geometry): (Image, _, _) = match kind {
        "planar" => {
            let geometry = Geometry::planar([21, 17], [0.8, 1.1], [0.0; 2], [[1.0, 0.0], [0.0, 1.0]]).unwrap();
            let image = Array3::from_shape_fn([1, 17, 21], |(_, y, x)| {
                ((y * y * 31 + y * x * 17 + x * x * 7) % 211) as i16 - 60
            });
            let labels = Array3::from_shape_fn([1, 17, 21], |(_, y, x)| {
                let is_in_disc = y.abs_diff(8).pow(2) + x.abs_diff(10).pow(2) <= 40;
                if is_in_disc { 1 } else { 2 * u32::from(x > 17) }
            });
            (Volume::new(image, geometry.clone()).unwrap().into(), labels, geometry)
        }
        "oblique" => {
            let direction = [[21.0, -6.0, 22.0], [14.0, 27.0, -6.0], [-18.0, 14.0, 21.0]]
                .map(|row| row.map(|element| element / 31.0));
            let geometry = Geometry::new([13, 11, 9], [1.1, 1.6, 3.5], [-20.25, 13.5, 7.125], direction).unwrap();
            let image = volume_of(|value| value as i16);
            (Volume::new(image, geometry.clone()).unwrap().into(), volume_labels(), geometry)
        }
        "integer" => {
            let image = volume_of(|value| value as i16);
            (Volume::new(image, upright.clone()).unwrap().into(), volume_labels(), upright)
        }
        "single" => {
            let image = volume_of(|value| (f64::from(value) * 0.37) as f32);
            (Volume::new(image, upright.clone()).unwrap().into(), volume_labels(), upright)
        }
        "double" => {
            let image = volume_of(|value| f64::from(value) * 0.37 + 0.1);
            (Volume::new(image, upright.clone()).unwrap().into(), volume_labels(), upright)
        }
        other => panic!("no image of the kind {other:?}"),
    };
    (image, Volume::new(labels, geometry).unwrap())
}

/// The mask as it is, moved by 1e-5 of a voxel, in a larger grid, or as the second channel of two in a file.
fn with_mask(mask: LabelMap, how: &str, channel: usize) -> LabelMap {
    let geometry = mask.geometry();
    let axes = geometry.dimension();
    match how {
        "same" => mask,
        "moved" => {
            let [x, y, z] = geometry.origin();
            let moved = geometry
                .with_grid(geometry.size(), geometry.spacing(), [x + 1e-5 * geometry.spacing()[0], y, z])
                .unwrap();
            Volume::new(mask.data().clone(), moved).unwrap()
        }
        "padded" => {
            let by = |first: usize| std::array::from_fn(|axis| if axis < axes { first } else { 0 });
            alnm_imaging::region::pad(&mask, by(1), by(2), 0).unwrap()
        }
        "second channel" => in_second_channel(&mask, channel),
        other => panic!("no mask {other:?}"),
    }
}

fn in_second_channel(mask: &LabelMap, channel: usize) -> LabelMap {
    let geometry = mask.geometry();
    let axes = geometry.dimension();
    let numbers = |vector: &[f64]| format!("({})", vector.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    let column = |axis: usize| geometry.direction().map(|row| row[axis] * geometry.spacing()[axis]);
    let directions: Vec<String> = (0..axes).map(|axis| numbers(&column(axis)[..axes])).collect();
    let sizes: Vec<String> = geometry.size()[..axes].iter().map(usize::to_string).collect();
    let mut file = format!(
        "NRRD0004\ntype: uint8\ndimension: {}\nspace dimension: {axes}\nsizes: 2 {}\nspace directions: none {}\n\
         kinds: vector{}\nencoding: raw\nspace origin: {}\n\n",
        axes + 1,
        sizes.join(" "),
        directions.join(" "),
        " domain".repeat(axes),
        numbers(&geometry.origin()[..axes]),
    )
    .into_bytes();
    file.extend(mask.as_slice().iter().flat_map(|&label| [0, label as u8]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nrrd");
    std::fs::write(&path, file).unwrap();
    read_mask_channel(&path, channel).unwrap()
}

/// Names and values, the latter as [`Run::values`] has them, and the number of diagnostics.
type Outcome = (Vec<String>, Vec<Vec<f64>>, usize);

fn without_versions(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| !diagnostic.name.contains("Versions")).count()
}

fn extract(case: &Case, run: &Run) -> Result<Outcome, String> {
    let mut parameters = case.parameters.clone();
    if let Some(setting) = &run.setting {
        let replaced = parameters["setting"].as_object_mut().unwrap();
        replaced.extend(setting.as_object().unwrap().clone());
    }
    let text = parameters.to_string().replace("\".nan\"", ".nan");
    let parameters = Parameters::from_yaml(&text).map_err(|error| error.to_string())?;
    let (image, mask) = made(&run.image);
    let settings = parameters.settings();
    let (label, mask) = (settings.label, with_mask(mask, &case.mask, settings.label_channel));
    let extractor = Extractor::new(parameters);
    if case.parameters.get("voxelSetting").is_some() {
        let extraction = extractor.execute_voxel_based(&image, &mask, label).map_err(|error| error.to_string())?;
        let names = extraction.maps.iter().map(|map| map.id.name()).collect();
        let summaries = extraction.maps.iter().map(|map| summary(&map.map)).collect();
        return Ok((names, summaries, without_versions(&extraction.diagnostics)));
    }
    let extraction = extractor.execute(&image, &mask, label).map_err(|error| error.to_string())?;
    let names = extraction.features.iter().map(|feature| feature.id.name()).collect();
    let values = extraction.features.iter().map(|feature| vec![feature.value]).collect();
    Ok((names, values, without_versions(&extraction.diagnostics)))
}

fn summary(map: &Volume<f64>) -> Vec<f64> {
    let size = map.geometry().size();
    let finite: Vec<f64> = map.as_slice().iter().copied().filter(|value| value.is_finite()).collect();
    let middle = map.data()[map.geometry().shape().map(|n| n / 2)];
    let others = map.as_slice().len() - finite.len();
    size[..map.geometry().dimension()]
        .iter()
        .map(|&n| n as f64)
        .chain([finite.iter().sum(), others as f64, middle])
        .collect()
}

/// How far a feature may be from PyRadiomics' value. Laplacians and gradients are stored in single precision, as is the
/// kurtosis of LBP3D on such an image; spherical harmonics come from a library that sums in another order; ITK's error
/// function is good to some eight digits.
fn tolerance(name: &str, run: &Run, case: &Case) -> f64 {
    let interpolator = &case.parameters["setting"]["interpolator"];
    let is_gaussian = *interpolator == "sitkGaussian" || *interpolator == 4;
    match name.split('_').next() {
        Some(derived) if derived.starts_with("log") || derived == "gradient" => 1e-6,
        Some("lbp-3D-k") if run.image == "single" => 1e-6,
        Some(derived) if derived.starts_with("lbp-3D") => 1e-7,
        _ if is_gaussian || name.ends_with("MCC") => 1e-7,
        _ => 1e-9,
    }
}

/// In what an outcome differs from what is expected.
fn differences(golden: &Golden, case: &Case, run: &Run) -> Vec<String> {
    let outcome = extract(case, run);
    let (names, values, diagnostics) = match (outcome, &run.error) {
        (Err(_), Some(_)) => return Vec::new(),
        (Ok(_), Some(_)) if ANSWERED.iter().any(|(name, _)| *name == case.name) => return Vec::new(),
        (Ok(_), Some(error)) => return vec![format!("no error where PyRadiomics has {error}")],
        (Err(error), None) => return vec![error],
        (Ok(outcome), None) => outcome,
    };
    let columns = &golden.columns[run.columns.unwrap()];
    if names != *columns {
        return vec![format!("columns {names:?} instead of {columns:?}")];
    }
    let mut found = Vec::new();
    if Some(diagnostics) != run.diagnostics {
        found.push(format!("{diagnostics} diagnostics instead of {:?}", run.diagnostics));
    }
    for ((name, got), expected) in names.iter().zip(&values).zip(run.values.as_ref().unwrap()) {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let expected: Vec<f64> =
            expected.as_array().map_or_else(|| vec![number(expected)], |all| all.iter().map(number).collect());
        let is_close = |(a, b): (&f64, &f64)| {
            (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance(name, run, case) * b.abs().max(1e-3)
        };
        if got.len() != expected.len() || !got.iter().zip(&expected).all(is_close) {
            found.push(format!("{name} is {got:?} instead of {expected:?}"));
        }
    }
    found
}

#[test]
fn every_setting_gives_the_values_of_pyradiomics() {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(golden.versions["PyRadiomics"], "3.0.1");
    let mut found = Vec::new();
    for case in &golden.cases {
        for run in &case.runs {
            let prefix = format!("{}, {}", case.name, run.image);
            found.extend(differences(&golden, case, run).into_iter().map(|text| format!("{prefix}: {text}")));
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_setting_has_a_case() {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    for setting in alnm_radiomics::parameters::SETTINGS {
        let has = |group: &Value| group.get(setting.name).is_some();
        let is_used = golden.cases.iter().map(|case| &case.parameters).any(|parameters| {
            has(&parameters["setting"])
                || has(&parameters["voxelSetting"])
                || parameters["imageType"].as_object().unwrap().values().any(has)
        });
        assert!(is_used, "no case has the setting {}", setting.name);
    }
}
