//! What computes the features of a region: PyRadiomics' definitions, or those of the IBSI.

use alnm_imaging::{Image, write_image};
use alnm_radiomics::ibsi::{IbsiDiscretisation, IbsiProfile};
use alnm_radiomics::parameters::SettingValue;
use alnm_radiomics::{Compliance, Extractor, FeatureId, FeatureValue, Parameters, Warning};
use anyhow::{Context, Result, anyhow, ensure};

use super::arguments::{ExtractArgs, Mode, Profile};
use super::log::Log;
use super::regions::{CaseRegion, Regions};
use super::table::{Row, RowValue};
use crate::reasons;

/// Grey levels of the IBSI profile without a parameter file.
const DEFAULT_DISCRETISATION: IbsiDiscretisation = IbsiDiscretisation::FixedBinNumber(32);

/// An extractor with the parameters of the command line.
pub(super) struct Engine {
    extractor: Extractor,
}

impl Engine {
    /// The engine that the command line asks for.
    pub(super) fn new(arguments: &ExtractArgs, log: &Log) -> Result<Self> {
        let mut parameters = match arguments.profile {
            Profile::Pyradiomics => pyradiomics_parameters(arguments, log)?,
            Profile::Ibsi => ibsi_parameters(arguments)?,
        };
        if let Some(label) = arguments.label {
            parameters.set("label", SettingValue::Integer(i64::from(label)))?;
        }
        Ok(Self { extractor: Extractor::new(parameters) })
    }

    /// The label of the region where a case names none.
    pub(super) fn label(&self) -> u32 {
        self.extractor.parameters().settings().label
    }

    /// The channel of the mask where a case names none.
    pub(super) fn label_channel(&self) -> usize {
        self.extractor.parameters().settings().label_channel
    }

    /// The columns after the input columns, for images with `dimension` axes.
    pub(super) fn columns(&self, dimension: usize) -> Vec<String> {
        [self.extractor.diagnostic_columns(), self.extractor.feature_columns(dimension)].concat()
    }

    /// The features of a region of case `number`.
    pub(super) fn features(
        &self,
        arguments: &ExtractArgs,
        number: usize,
        case: &Regions,
        region: &CaseRegion,
        log: &Log,
    ) -> Result<RegionFeatures> {
        if arguments.mode == Mode::Voxel {
            let row = feature_maps(arguments, &self.extractor, number, case, region, log)?;
            return Ok(RegionFeatures { row, features: Vec::new() });
        }
        let extraction = self.extractor.execute(&case.image, &case.mask, region.label)?;
        warn(number, &extraction.warnings, log);
        let diagnostics =
            extraction.diagnostics.into_iter().map(|entry| (entry.name, RowValue::Diagnostic(entry.value)));
        let features: Vec<ComputedFeature> = extraction.features.iter().map(ComputedFeature::of).collect();
        Ok(RegionFeatures { row: diagnostics.chain(features.iter().map(ComputedFeature::cell)).collect(), features })
    }
}

/// What a region gives.
pub(super) struct RegionFeatures {
    /// What its row has after the input columns.
    pub(super) row: Row,
    /// The features in the row.
    pub(super) features: Vec<ComputedFeature>,
}

/// A feature with its value.
pub(super) struct ComputedFeature {
    pub(super) column: String,
    pub(super) value: f64,
    /// Its code of the IBSI, where the value follows its definition.
    pub(super) ibsi: Option<&'static str>,
    /// Its name without that of the image.
    pub(super) name: String,
    /// Whether it was computed from the image itself, not from a filtered one.
    pub(super) is_of_image: bool,
}

impl ComputedFeature {
    fn of(feature: &FeatureValue) -> Self {
        let id = &feature.id;
        let defined = id.ibsi().filter(|_| id.compliance() == Compliance::Compliant);
        let (name, is_of_image) = match id {
            FeatureId::PyRadiomics { image, class, feature } => {
                (format!("{class}_{}", feature.name), image == "original")
            }
            FeatureId::Ibsi { feature, .. } => (feature.name.to_owned(), true),
            other => (other.name(), false),
        };
        Self {
            column: id.name(),
            value: feature.value,
            ibsi: defined.map(|definition| definition.code),
            name,
            is_of_image,
        }
    }

    fn cell(&self) -> (String, RowValue) {
        (self.column.clone(), RowValue::Number(self.value))
    }
}

/// Diagnostics, and the files into which the maps of a region are written.
fn feature_maps(
    arguments: &ExtractArgs,
    extractor: &Extractor,
    number: usize,
    case: &Regions,
    region: &CaseRegion,
    log: &Log,
) -> Result<Row> {
    let extraction = extractor.execute_voxel_based(&case.image, &case.mask, region.label)?;
    warn(number, &extraction.warnings, log);
    let diagnostics = extraction.diagnostics.into_iter();
    let mut row: Row = diagnostics.map(|entry| (entry.name, RowValue::Diagnostic(entry.value))).collect();
    let folder = arguments.out_dir.clone().unwrap_or_default();
    let label = region.named.as_ref().map_or_else(String::new, |label| format!("_{label}"));
    for feature in extraction.maps {
        let name = feature.id.name();
        let file = folder.join(format!("Case-{number}{label}_{name}.nrrd"));
        write_image(&file, &Image::F64(feature.map))?;
        row.push((name, RowValue::Text(file.to_string_lossy().into_owned())));
    }
    Ok(row)
}

fn warn(number: usize, warnings: &[Warning], log: &Log) {
    for warning in warnings {
        log.warning(format_args!("case {number}: {warning}"));
    }
}

/// The parameter file with the overrides of the command line.
fn pyradiomics_parameters(arguments: &ExtractArgs, log: &Log) -> Result<Parameters> {
    let mut parameters = match &arguments.param {
        Some(path) => Parameters::from_file(path)?,
        None => Parameters::default(),
    };
    for setting in &arguments.setting {
        if let Err(reason) = override_setting(&mut parameters, setting) {
            log.warning(format_args!("--setting {setting} is left out: {}", reasons(&reason)));
        }
    }
    Ok(parameters)
}

/// The profile in the parameter file.
fn ibsi_parameters(arguments: &ExtractArgs) -> Result<Parameters> {
    ensure!(
        arguments.setting.is_empty(),
        "--setting changes PyRadiomics' settings; write those of the IBSI profile to a file for --param"
    );
    ensure!(arguments.mode == Mode::Segment, "the IBSI profile has no voxel-based maps; leave --mode away");
    let profile = match &arguments.param {
        Some(path) => IbsiProfile::from_file(path)?,
        None => IbsiProfile::default().with_discretisation(DEFAULT_DISCRETISATION),
    };
    Ok(profile.check()?)
}

/// Sets `NAME:VALUE`, the value being taken for whatever the setting wants.
fn override_setting(parameters: &mut Parameters, setting: &str) -> Result<()> {
    let (name, value) = setting.split_once(':').context("it has to be NAME:VALUE")?;
    let value = value.trim();
    let numbers: Option<Vec<SettingValue>> =
        value.split(',').map(|item| item.trim().parse().ok().map(SettingValue::Float)).collect();
    let integers: Option<Vec<SettingValue>> =
        value.split(',').map(|item| item.trim().parse().ok().map(SettingValue::Integer)).collect();
    let readings = [
        value.parse().ok().map(SettingValue::Integer),
        value.parse().ok().map(SettingValue::Float),
        Some(SettingValue::Bool(value == "1" || value.eq_ignore_ascii_case("true"))),
        numbers.map(SettingValue::List),
        integers.map(SettingValue::List),
        Some(SettingValue::Text(value.to_owned())),
    ];
    let mut refused = anyhow!("it has no value");
    for reading in readings.into_iter().flatten() {
        match parameters.set(name.trim(), reading) {
            Ok(()) => return Ok(()),
            Err(error) => refused = error.into(),
        }
    }
    Err(refused)
}
