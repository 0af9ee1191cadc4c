//! What computes the features of a region: PyRadiomics' definitions, or those of the IBSI.

use std::fmt::Display;
use std::path::Path;

use alnm_imaging::Image;
use alnm_radiomics::ibsi::{IbsiDiscretisation, IbsiProfile};
use alnm_radiomics::parameters::SettingValue;
use alnm_radiomics::{Compliance, Extractor, FeatureId, FeatureValue, Parameters, Warning};
use anyhow::{Context, Error, Result, anyhow};

use super::arguments::{ExtractArgs, Mode, Profile};
use super::log::Log;
use super::regions::Subject;
use super::slice_means::{SLICES, slice_means};
use super::table::{Row, RowValue};
use super::volumes::{self, VolumeFiles};
use crate::exit::{require, wrong_use};
use crate::input::{STANDARD_INPUT, read_text};
use crate::messages::reasons;
use crate::output::is_standard_stream;

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
        Ok(Self { extractor: Extractor::new(parameters.with_full_masks(arguments.whole_image)) })
    }

    /// The parameters.
    pub(super) fn parameters(&self) -> &Parameters {
        self.extractor.parameters()
    }

    /// The parameters with whose definitions they follow, as text: equal texts give equal values.
    pub(super) fn description(&self) -> Result<String> {
        Ok(match self.parameters().ibsi() {
            None => format!("PyRadiomics\n{}", self.parameters().to_yaml()),
            Some(profile) => format!("IBSI\n{}", serde_json::to_string(profile)?),
        })
    }

    /// The label of the region where a case names none.
    pub(super) fn label(&self) -> u32 {
        self.parameters().settings().label
    }

    /// The channel of the mask where a case names none.
    pub(super) fn label_channel(&self) -> usize {
        self.parameters().settings().label_channel
    }

    /// The names of features of images with `dimension` axes.
    pub(super) fn feature_columns(&self, dimension: usize) -> Vec<String> {
        self.extractor.feature_columns(dimension)
    }

    /// The columns after the input columns, for images with `dimension` axes.
    pub(super) fn columns(&self, dimension: usize) -> Vec<String> {
        [self.extractor.diagnostic_columns(), self.extractor.feature_columns(dimension)].concat()
    }

    /// The columns of means over slices, in which shape in three dimensions is that of each slice.
    pub(super) fn columns_of_means(&self, dimension: usize) -> Vec<String> {
        std::iter::once(SLICES.to_owned()).chain(self.extractor.feature_columns(dimension)).collect()
    }

    /// What a row has after the input columns and its own, and the features in it.
    pub(super) fn features(&self, arguments: &ExtractArgs, subject: &Subject<'_>, log: &Log) -> Result<RegionFeatures> {
        let Subject { number, image, mask, label, .. } = *subject;
        match arguments.mode {
            Mode::Voxel => feature_maps(arguments, &self.extractor, subject, log).map(RegionFeatures::of_row),
            Mode::Images => derived_images(arguments, &self.extractor, subject).map(RegionFeatures::of_row),
            _ if arguments.slice_means => slice_means(&self.extractor, subject, log).map(RegionFeatures::of_row),
            _ => {
                let extraction = self.extractor.execute(image, mask, label)?;
                warn(number, &extraction.warnings, log);
                let diagnostics =
                    extraction.diagnostics.into_iter().map(|entry| (entry.name, RowValue::Diagnostic(entry.value)));
                let features: Vec<ComputedFeature> = extraction.features.iter().map(ComputedFeature::of).collect();
                Ok(RegionFeatures {
                    row: diagnostics.chain(features.iter().map(ComputedFeature::cell)).collect(),
                    features,
                })
            }
        }
    }
}

/// What a region gives.
pub(super) struct RegionFeatures {
    /// What its row has after the input columns.
    pub(super) row: Row,
    /// The features in the row.
    pub(super) features: Vec<ComputedFeature>,
}

impl RegionFeatures {
    /// A row that holds no features of a region as a whole.
    fn of_row(row: Row) -> Self {
        Self { row, features: Vec::new() }
    }
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

/// The files into which the images that features are computed on are written.
fn derived_images(arguments: &ExtractArgs, extractor: &Extractor, subject: &Subject<'_>) -> Result<Row> {
    let images = extractor.filtered_images(subject.image, subject.mask, subject.label)?;
    let files = VolumeFiles::of(arguments, subject);
    let mut row = vec![
        (volumes::IMAGE.to_owned(), files.write_image(volumes::IMAGE, &images.image)?),
        (volumes::MASK.to_owned(), files.write_mask(volumes::MASK, &images.mask)?),
    ];
    for (name, values) in images.filtered {
        let file = files.write_image(&name, &Image::F64(values))?;
        row.push((name, file));
    }
    for (name, levels) in images.discretised {
        let name = format!("{name}_levels");
        let file = files.write_mask(&name, &levels)?;
        row.push((name, file));
    }
    Ok(row)
}

/// Diagnostics, and the files into which the maps of a region are written.
fn feature_maps(arguments: &ExtractArgs, extractor: &Extractor, subject: &Subject<'_>, log: &Log) -> Result<Row> {
    let Subject { number, image, mask, label, .. } = *subject;
    let extraction = extractor.execute_voxel_based(image, mask, label)?;
    warn(number, &extraction.warnings, log);
    let diagnostics = extraction.diagnostics.into_iter();
    let mut row: Row = diagnostics.map(|entry| (entry.name, RowValue::Diagnostic(entry.value))).collect();
    let files = VolumeFiles::of(arguments, subject);
    for feature in extraction.maps {
        let name = feature.id.name();
        let file = files.write_image(&name, &Image::F64(feature.map))?;
        row.push((name, file));
    }
    Ok(row)
}

/// Tells warnings, those about the number of bins of several images in one line, and those about images without
/// contrast in another.
fn warn(number: usize, warnings: &[Warning], log: &Log) {
    let (constant, contrasted): (Vec<&Warning>, Vec<&Warning>) = warnings
        .iter()
        .filter(|warning| matches!(warning, Warning::UnusualBinNumber { .. }))
        .partition(|warning| matches!(warning, Warning::UnusualBinNumber { suggested_width: Some(0.0), .. }));
    let bins: Vec<usize> = contrasted
        .iter()
        .skip(1)
        .filter_map(|warning| if let Warning::UnusualBinNumber { bins, .. } = warning { Some(*bins) } else { None })
        .collect();
    // The first of each kind is told by its own words.
    let and_others = match (bins.iter().min(), bins.iter().max()) {
        (Some(fewest), Some(most)) if fewest == most => format!("; so {} more images, {most} bins", bins.len()),
        (Some(fewest), Some(most)) => format!("; so {} more images, {fewest} to {most} bins", bins.len()),
        _ => String::new(),
    };
    let and_other_constant = match constant.len() {
        0 | 1 => String::new(),
        images => format!("; so {} more images", images - 1),
    };
    for warning in warnings {
        let is_first_of = |kind: &[&Warning]| kind.first().is_some_and(|first| std::ptr::eq(*first, warning));
        if !matches!(warning, Warning::UnusualBinNumber { .. }) {
            log.warning(format_args!("case {number}: {warning}"));
        } else if is_first_of(&contrasted) {
            log.warning(format_args!("case {number}: {warning}{and_others}"));
        } else if is_first_of(&constant) {
            log.warning(format_args!("case {number}: {warning}{and_other_constant}"));
        }
    }
}

/// The parameter file with the overrides of the command line.
fn pyradiomics_parameters(arguments: &ExtractArgs, log: &Log) -> Result<Parameters> {
    let mut parameters = match &arguments.param {
        Some(path) => parameters_of_file(path, arguments.keep_going, log)?,
        None => Parameters::default(),
    };
    for setting in &arguments.setting {
        match override_setting(&mut parameters, setting) {
            Ok(()) => {}
            Err(reason) if arguments.keep_going => {
                log.warning(format_args!("--setting {setting} is left out: {}", reasons(&reason)));
            }
            Err(reason) => return Err(wrong_use(format!("--setting {setting}: {}", reasons(&reason)))),
        }
    }
    Ok(parameters)
}

/// The parameters of a file. What makes no sense in it is refused, or left out with a warning.
fn parameters_of_file(path: &Path, leaves_out: bool, log: &Log) -> Result<Parameters> {
    let text = read_text(path)?;
    let read = Parameters::from_yaml_leaving_out(&text);
    let (parameters, faults) = read.map_err(|fault| refused_file(path, &fault))?;
    match faults.first() {
        Some(fault) if !leaves_out => return Err(refused_file(path, fault)),
        _ => {}
    }
    for fault in faults {
        log.warning(format_args!("{}: what makes no sense is left out: {fault}", path.display()));
    }
    Ok(parameters)
}

/// The refusal of a parameter file. Of a fault of its text the first line is told, which names the place.
fn refused_file(path: &Path, fault: &dyn Display) -> Error {
    let told = fault.to_string();
    let first = told.lines().next().unwrap_or_default();
    let name = if is_standard_stream(path) { Path::new(STANDARD_INPUT) } else { path };
    wrong_use(format!("{}: {}", name.display(), first.replace("YAML: error: ", "YAML: ")))
}

/// The profile in the parameter file.
fn ibsi_parameters(arguments: &ExtractArgs) -> Result<Parameters> {
    if !arguments.setting.is_empty() {
        return Err(wrong_use(
            "--setting changes PyRadiomics' settings; write those of the IBSI profile to a file for --param",
        ));
    }
    require(
        !arguments.slice_means,
        "the IBSI profile averages over slices by itself; name aggregations such as 2D_avg in the file for --param",
    )?;
    let Some(path) = &arguments.param else {
        return Ok(IbsiProfile::default().with_discretisation(DEFAULT_DISCRETISATION).check()?);
    };
    let profile = IbsiProfile::from_yaml(&read_text(path)?);
    profile.and_then(IbsiProfile::check).map_err(|fault| refused_file(path, &fault))
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
        truth(value).map(SettingValue::Bool),
        numbers.map(SettingValue::List),
        integers.map(SettingValue::List),
        Some(SettingValue::List(value.split(',').map(|item| SettingValue::Text(item.trim().to_owned())).collect())),
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

/// True or false as a setting of the command line has it; none of any other word.
fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_true_or_false_or_refused() {
        for (value, expected) in [("true", true), ("True", true), ("1", true), ("FALSE", false), ("0", false)] {
            let mut parameters = Parameters::default();
            override_setting(&mut parameters, &format!("force2D:{value}")).unwrap();
            assert_eq!(parameters.settings().force_2d, expected, "{value}");
        }
        for wrong in ["yes", "on", "maybe", "t", "2", "", "true,false"] {
            let refused = override_setting(&mut Parameters::default(), &format!("force2D:{wrong}")).unwrap_err();
            assert!(refused.to_string().contains("it must be true or false"), "{wrong}: {refused}");
        }
    }
}
