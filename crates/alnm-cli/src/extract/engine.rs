//! What computes the features of a region: PyRadiomics' definitions, or those of the IBSI.

use alnm_imaging::{Image, with_volume, write_image};
use alnm_radiomics::parameters::SettingValue;
use alnm_radiomics::{Extractor, Parameters, Warning, ibsi};
use anyhow::{Context, Result, anyhow, ensure};

use super::arguments::{ExtractArgs, Mode, Profile};
use super::log::Log;
use super::regions::{Subject, file_part};
use super::table::{Row, RowValue};
use crate::reasons;

/// Grey levels of the IBSI profile without a parameter file.
const DEFAULT_DISCRETISATION: ibsi::IbsiDiscretisation = ibsi::IbsiDiscretisation::FixedBinNumber(32);

/// A checked set of parameters, ready to extract.
pub(super) enum Engine {
    PyRadiomics(Box<Extractor>),
    Ibsi(Box<ibsi::IbsiExtractor>),
}

impl Engine {
    /// The engine that the command line asks for.
    pub(super) fn new(arguments: &ExtractArgs, log: &Log) -> Result<Self> {
        match arguments.profile {
            Profile::Pyradiomics => Ok(Self::PyRadiomics(Box::new(Extractor::new(parameters(arguments, log)?)))),
            Profile::Ibsi => {
                ensure!(
                    arguments.setting.is_empty(),
                    "--setting changes PyRadiomics' settings; write those of the IBSI profile to a file for --param"
                );
                ensure!(arguments.mode == Mode::Segment, "the IBSI profile has no voxel-based maps; leave --mode away");
                let profile = match &arguments.param {
                    Some(path) => ibsi::IbsiProfile::from_file(path)?,
                    None => ibsi::IbsiProfile::default().with_discretisation(DEFAULT_DISCRETISATION),
                };
                Ok(Self::Ibsi(Box::new(profile.check()?)))
            }
        }
    }

    /// The parameters with whose definitions they follow, as text: equal texts give equal values.
    pub(super) fn description(&self) -> Result<String> {
        Ok(match self {
            Self::PyRadiomics(extractor) => format!("PyRadiomics\n{}", extractor.parameters().to_yaml()),
            Self::Ibsi(extractor) => format!("IBSI\n{}", serde_json::to_string(extractor.profile())?),
        })
    }

    /// The label of the region where a case names none.
    pub(super) fn label(&self, arguments: &ExtractArgs) -> u32 {
        match self {
            Self::PyRadiomics(extractor) => extractor.parameters().settings().label,
            Self::Ibsi(_) => arguments.label.unwrap_or(1),
        }
    }

    /// The channel of the mask where a case names none.
    pub(super) fn label_channel(&self) -> usize {
        match self {
            Self::PyRadiomics(extractor) => extractor.parameters().settings().label_channel,
            Self::Ibsi(_) => 0,
        }
    }

    /// The columns after the input columns, for images with `dimension` axes, where the parameters tell them.
    pub(super) fn columns(&self, dimension: usize) -> Option<Vec<String>> {
        match self {
            Self::PyRadiomics(extractor) => {
                Some([extractor.diagnostic_columns(), extractor.feature_columns(dimension)].concat())
            }
            Self::Ibsi(_) => None,
        }
    }

    /// What a row has after the input columns and its own.
    pub(super) fn features(&self, arguments: &ExtractArgs, subject: &Subject<'_>, log: &Log) -> Result<Row> {
        let Subject { number, image, mask, label, .. } = *subject;
        match self {
            Self::PyRadiomics(extractor) if arguments.mode == Mode::Voxel => {
                feature_maps(arguments, extractor, subject, log)
            }
            Self::PyRadiomics(extractor) => {
                let extraction = extractor.execute(image, mask, label)?;
                warn(number, &extraction.warnings, log);
                let diagnostics =
                    extraction.diagnostics.into_iter().map(|entry| (entry.name, RowValue::Diagnostic(entry.value)));
                let features =
                    extraction.features.into_iter().map(|feature| (feature.id.name(), RowValue::Number(feature.value)));
                Ok(diagnostics.chain(features).collect())
            }
            Self::Ibsi(extractor) => {
                let extraction = with_volume!(image, image => extractor.extract(image, mask, label))?;
                let features = extraction.features.iter();
                Ok(features.map(|feature| (feature.column(), RowValue::Number(feature.value))).collect())
            }
        }
    }
}

/// Diagnostics, and the files into which the maps of a region are written.
fn feature_maps(arguments: &ExtractArgs, extractor: &Extractor, subject: &Subject<'_>, log: &Log) -> Result<Row> {
    let Subject { number, image, mask, label, columns } = *subject;
    let extraction = extractor.execute_voxel_based(image, mask, label)?;
    warn(number, &extraction.warnings, log);
    let diagnostics = extraction.diagnostics.into_iter();
    let mut row: Row = diagnostics.map(|entry| (entry.name, RowValue::Diagnostic(entry.value))).collect();
    let folder = arguments.out_dir.clone().unwrap_or_default();
    let part = file_part(columns);
    for feature in extraction.maps {
        let name = feature.id.name();
        let file = folder.join(format!("Case-{number}{part}_{name}.nrrd"));
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
fn parameters(arguments: &ExtractArgs, log: &Log) -> Result<Parameters> {
    let mut parameters = match &arguments.param {
        Some(path) => Parameters::from_file(path)?,
        None => Parameters::default(),
    };
    for setting in &arguments.setting {
        if let Err(reason) = override_setting(&mut parameters, setting) {
            log.warning(format_args!("--setting {setting} is left out: {}", reasons(&reason)));
        }
    }
    if let Some(label) = arguments.label {
        parameters.set("label", SettingValue::Integer(i64::from(label)))?;
    }
    Ok(parameters)
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
