//! Parameters of an extraction, in types or as PyRadiomics' parameter files.
//!
//! In types:
//!
//! ```
//! use alnm_radiomics::parameters::{ImageTypeRequest, Settings};
//! use alnm_radiomics::{FeatureClass, ImageType, Parameters};
//!
//! let parameters = Parameters::builder()
//!     .settings(Settings::default().with_bin_width(10.0))
//!     .image_type(ImageType::Original)
//!     .image_type(ImageTypeRequest::log([3.0]))
//!     .feature(FeatureClass::Glcm, "Contrast")
//!     .check()?;
//! assert_eq!(parameters.settings().bin_width, 10.0);
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```
//!
//! As text, with the keys, types and ranges of PyRadiomics: a parameter file has up to four parts, each optional:
//! `setting`, `voxelSetting`, `imageType` and `featureClass`. Without `imageType`, features are computed on the
//! original image only. Without `featureClass`, all classes are on. Both YAML and JSON are read.
//!
//! ```
//! use alnm_radiomics::{FeatureClass, Parameters};
//! let parameters = Parameters::from_yaml("
//! setting:
//!   binWidth: 10
//! imageType:
//!   Original: {}
//!   LoG: {sigma: [3.0]}
//! featureClass:
//!   glcm: [Contrast, Idm]
//! ")?;
//! assert_eq!(parameters.feature_classes()[0].0, FeatureClass::Glcm);
//!
//! let error = Parameters::from_yaml("setting:\n  binWidht: 10\n").unwrap_err().to_string();
//! assert_eq!(error, "line 2: unknown key `binWidht` in `setting`; did you mean `binWidth`?");
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```
//!
#![doc = include_str!("../../docs/parameters.md")]

mod builder;
mod document;
mod image_type_request;
mod settings;
pub(crate) mod typed;

use std::path::Path;

use crate::error::Result;
use crate::feature::{FeatureClass, FeatureProfile, Selection};
use crate::ibsi::IbsiProfile;
use crate::image_type::ImageType;

pub use crate::filter::lbp2d::PatternMethod;
pub use crate::parameter_error::ParameterError;
pub use crate::weighting::WeightingNorm;
pub use builder::ParametersBuilder;
pub use document::SettingValue;
use document::{Entry, Located};
pub use image_type_request::ImageTypeRequest;
pub use settings::{ResegmentMode, SETTINGS, SettingGroup, SettingKey, Settings, Sigma, WaveletNames};

/// An image type to extract from, with the settings that hold for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTypeParameters {
    image_type: ImageType,
    /// Settings that hold for this image type only, in place of the general ones.
    overrides: Vec<(String, SettingValue)>,
    /// The general settings with the overrides on top.
    settings: Settings,
}

impl ImageTypeParameters {
    /// The image type.
    #[must_use]
    pub fn image_type(&self) -> ImageType {
        self.image_type
    }

    /// The settings that hold for the image type: its own, and the general ones where it has none.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts the overrides on top of the general settings.
    fn settle(&mut self, general: &Settings) -> Result<(), ParameterError> {
        self.settings = general.clone();
        for (name, value) in &self.overrides {
            let entry = Entry { name: name.clone(), line: None };
            settings::set(&mut self.settings, SettingGroup::Setting, &entry, value)?;
        }
        Ok(())
    }
}

/// Checked parameters of an extraction: settings, image types and features.
///
/// They come from types ([`Parameters::builder`]), from the text of a parameter file ([`Parameters::from_yaml`]) or
/// from a file ([`Parameters::from_file`]); every value is checked on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    settings: Settings,
    given: Vec<(String, SettingValue)>,
    image_types: Vec<ImageTypeParameters>,
    feature_classes: Vec<(FeatureClass, Selection)>,
    /// The profile of the IBSI, where its features are asked for; its settings are valid.
    ibsi: Option<Box<IbsiProfile>>,
    /// Whether features of PyRadiomics are asked for.
    pyradiomics: bool,
    /// Whether a mask may cover the whole image.
    full_masks: bool,
}

impl Default for Parameters {
    /// What PyRadiomics does without a parameter file: all features but shape2D, on the original image.
    fn default() -> Self {
        let classes = FeatureClass::ALL.into_iter().filter(|&class| class != FeatureClass::Shape2D);
        Self {
            settings: Settings::default(),
            given: Vec::new(),
            image_types: vec![ImageTypeParameters {
                image_type: ImageType::Original,
                overrides: Vec::new(),
                settings: Settings::default(),
            }],
            feature_classes: classes.map(|class| (class, Selection::Default)).collect(),
            ibsi: None,
            full_masks: false,
            pyradiomics: true,
        }
    }
}

impl Parameters {
    /// Parameters that ask for the features of the IBSI alone.
    pub(crate) fn ibsi_alone(profile: IbsiProfile) -> Result<Self> {
        Ok(Self { pyradiomics: false, ..Self::default().with_ibsi(profile)? })
    }

    /// The same parameters, which also ask for the features of a profile of the IBSI: from the image as it is given,
    /// with the profile's own settings alone.
    ///
    /// ```
    /// use alnm_radiomics::ibsi::{IbsiDiscretisation, IbsiProfile};
    /// use alnm_radiomics::{Parameters, FeatureProfile};
    ///
    /// let profile = IbsiProfile::default().with_discretisation(IbsiDiscretisation::FixedBinNumber(32));
    /// let parameters = Parameters::default().with_ibsi(profile)?;
    /// assert_eq!(parameters.profiles(), [FeatureProfile::PyRadiomics, FeatureProfile::Ibsi]);
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParameterError::Setting`] with the first setting that is out of range.
    pub fn with_ibsi(self, profile: IbsiProfile) -> Result<Self> {
        profile.check_settings()?;
        Ok(Self { ibsi: Some(Box::new(profile)), ..self })
    }

    /// The same parameters, with or without leave for masks that cover the whole image. PyRadiomics refuses such a
    /// mask, since it sets nothing apart, and so does an extraction by default. It is no setting of a parameter file.
    ///
    /// ```
    /// use alnm_radiomics::{Extractor, Geometry, Image, Parameters, Volume};
    /// use ndarray::Array3;
    /// let geometry = Geometry::axis_aligned([6, 6, 6], [1.0; 3])?;
    /// let image = Array3::from_shape_fn([6, 6, 6], |(z, y, x)| (40 * z + 15 * y + 7 * x) as i16);
    /// let image = Image::I16(Volume::new(image, geometry.clone())?);
    /// let mask = Volume::filled(geometry, 1_u32);
    /// assert!(Extractor::new(Parameters::default()).execute(&image, &mask, 1).is_err());
    /// let extraction = Extractor::new(Parameters::default().with_full_masks(true)).execute(&image, &mask, 1)?;
    /// assert_eq!(extraction.value("original_shape_VoxelVolume"), Some(216.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_full_masks(self, allowed: bool) -> Self {
        Self { full_masks: allowed, ..self }
    }

    /// Whether a mask may cover the whole image; see [`Parameters::with_full_masks`].
    #[must_use]
    pub fn allows_full_masks(&self) -> bool {
        self.full_masks
    }

    /// Whose features are asked for, in the order of the result.
    #[must_use]
    pub fn profiles(&self) -> Vec<FeatureProfile> {
        let pyradiomics = self.pyradiomics.then_some(FeatureProfile::PyRadiomics);
        pyradiomics.into_iter().chain(self.ibsi.as_ref().map(|_| FeatureProfile::Ibsi)).collect()
    }

    /// The profile of the IBSI, where its features are asked for.
    #[must_use]
    pub fn ibsi(&self) -> Option<&IbsiProfile> {
        self.ibsi.as_deref()
    }

    /// The parameters of shape alone, and those of all other features.
    pub(crate) fn parted_by_shape(self) -> (Self, Self) {
        let is_shape = |class: FeatureClass| matches!(class, FeatureClass::Shape | FeatureClass::Shape2D);
        let (shape, rest): (Vec<_>, Vec<_>) =
            self.feature_classes.iter().cloned().partition(|(class, _)| is_shape(*class));
        let of_shape = Self { feature_classes: shape, ibsi: None, ..self.clone() };
        (of_shape, Self { feature_classes: rest, ..self })
    }

    /// The same without diagnostics.
    pub(crate) fn without_diagnostics(mut self) -> Self {
        let of_images = self.image_types.iter_mut().map(|image| &mut image.settings);
        std::iter::once(&mut self.settings).chain(of_images).for_each(|settings| settings.additional_info = false);
        self
    }

    /// Whether features of PyRadiomics are asked for.
    pub(crate) fn asks_for_pyradiomics(&self) -> bool {
        self.pyradiomics
    }

    /// Parameters put together in types; see [`ParametersBuilder`].
    pub fn builder() -> ParametersBuilder {
        ParametersBuilder::default()
    }

    /// Parameters from a YAML or JSON file.
    ///
    /// # Errors
    /// [`ParameterError`] for a file that cannot be read, is no YAML, or has unknown keys or values that are not
    /// allowed.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| ParameterError::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        Self::from_yaml(&text)
    }

    /// Parameters from the text of a parameter file. JSON is YAML too.
    ///
    /// # Errors
    /// As [`Parameters::from_file`].
    pub fn from_yaml(text: &str) -> Result<Self> {
        let (parameters, faults) = Self::from_yaml_leaving_out(text)?;
        match faults.into_iter().next() {
            Some(fault) => Err(fault.into()),
            None => Ok(parameters),
        }
    }

    /// As [`Parameters::from_yaml`], but keys and names that do not exist and values that are not allowed are left out,
    /// as PyRadiomics leaves out unknown settings. They are returned in the order of the text.
    ///
    /// ```
    /// use alnm_radiomics::Parameters;
    /// let (parameters, left_out) = Parameters::from_yaml_leaving_out("setting: {binWidht: 3, binWidth: 10}")?;
    /// assert_eq!(parameters.settings().bin_width, 10.0);
    /// assert!(left_out[0].to_string().contains("unknown key `binWidht`"));
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParameterError::Syntax`] for a text that is no YAML, [`ParameterError::Value`] where it holds no map.
    pub fn from_yaml_leaving_out(text: &str) -> Result<(Self, Vec<ParameterError>)> {
        let document = document::parse(text)?;
        let feature_classes = FeatureClass::ALL.into_iter().map(|class| (class, Selection::Default)).collect();
        let mut parameters = Self { feature_classes, ..Self::default() };
        let mut faults = Vec::new();
        for (key, value) in document.entries("the parameters")? {
            let read = match key.name.as_str() {
                "setting" => parameters.read_settings(value, SettingGroup::Setting, &mut faults),
                "voxelSetting" => parameters.read_settings(value, SettingGroup::VoxelSetting, &mut faults),
                "imageType" => parameters.read_image_types(value, &mut faults),
                "featureClass" => parameters.read_feature_classes(value, &mut faults),
                _ => Err(ParameterError::unknown(
                    &key.name,
                    key.line,
                    "key",
                    "the parameters",
                    ["setting", "voxelSetting", "imageType", "featureClass"],
                )),
            };
            faults.extend(read.err());
        }
        parameters.settle()?;
        Ok((parameters, faults))
    }

    /// The parameters of PyRadiomics as the text of a parameter file. Read again, it gives equal parameters. A profile
    /// of the IBSI ([`Parameters::ibsi`]) has a file of its own and is not in the text.
    ///
    /// ```
    /// use alnm_radiomics::{FeatureClass, Parameters};
    /// let parameters = Parameters::builder().feature(FeatureClass::Ngtdm, "Strength").check()?;
    /// assert_eq!(parameters.to_yaml(), "imageType:\n  Original: {}\nfeatureClass:\n  ngtdm: [\"Strength\"]\n");
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for group in [SettingGroup::Setting, SettingGroup::VoxelSetting] {
            let of_group =
                |(name, _): &&(String, SettingValue)| is_voxel_setting(name) == (group == SettingGroup::VoxelSetting);
            for (position, (name, value)) in self.given.iter().filter(of_group).enumerate() {
                if position == 0 {
                    text += &format!("{}:\n", group.name());
                }
                text += &format!("  {name}: {}\n", value.to_yaml());
            }
        }
        text += "imageType:\n";
        for image in &self.image_types {
            let overrides: Vec<String> =
                image.overrides.iter().map(|(name, value)| format!("{name}: {}", value.to_yaml())).collect();
            text += &format!("  {}: {{{}}}\n", image.image_type.name(), overrides.join(", "));
        }
        text += "featureClass:\n";
        for (class, selection) in &self.feature_classes {
            text += &match selection {
                Selection::Default => format!("  {class}: null\n"),
                Selection::Named(names) => {
                    format!(
                        "  {class}: {}\n",
                        SettingValue::from(names.iter().map(String::as_str).collect::<Vec<_>>()).to_yaml()
                    )
                }
            };
        }
        text
    }

    /// The general settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The image types in the order of extraction.
    #[must_use]
    pub fn image_types(&self) -> &[ImageTypeParameters] {
        &self.image_types
    }

    /// The feature classes in the order of the columns.
    #[must_use]
    pub fn feature_classes(&self) -> &[(FeatureClass, Selection)] {
        &self.feature_classes
    }

    /// The general settings as a Python dictionary: PyRadiomics' defaults with those given on top.
    pub(crate) fn settings_text(&self) -> String {
        let mut settings = settings::reported_defaults();
        for (name, value) in &self.given {
            match settings.iter_mut().find(|(known, _)| known == name) {
                Some(setting) => setting.1 = value.clone(),
                None => settings.push((name.clone(), value.clone())),
            }
        }
        dictionary(settings.iter().map(|(name, value)| (name.as_str(), value.to_string())))
    }

    /// The image types with their settings as a Python dictionary.
    pub(crate) fn image_types_text(&self) -> String {
        let overrides = |image: &ImageTypeParameters| {
            dictionary(image.overrides.iter().map(|(name, value)| (name.as_str(), value.to_string())))
        };
        dictionary(self.image_types.iter().map(|image| (image.image_type.name(), overrides(image))))
    }

    /// Sets one setting, as the command line's `--setting` does.
    ///
    /// # Errors
    /// [`ParameterError::Unknown`] for a key that does not exist, [`ParameterError::Value`] for a value that is not
    /// allowed.
    ///
    /// ```
    /// use alnm_radiomics::parameters::{SettingValue, Parameters};
    /// let mut parameters = Parameters::default();
    /// parameters.set("binWidth", SettingValue::Integer(10))?;
    /// assert_eq!(parameters.settings().bin_width, 10.0);
    /// assert!(parameters.set("binWidth", SettingValue::Integer(0)).is_err());
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    pub fn set(&mut self, name: &str, value: SettingValue) -> Result<()> {
        self.set_checked(name, value)?;
        self.settle()?;
        Ok(())
    }

    /// Stores a value; [`Parameters::settle`] has to follow.
    fn assign(&mut self, group: SettingGroup, key: &Entry, value: SettingValue) -> Result<(), ParameterError> {
        settings::set(&mut self.settings, group, key, &value)?;
        self.given.retain(|(name, _)| *name != key.name);
        self.given.push((key.name.clone(), value));
        // PyRadiomics takes up the settings of maps last.
        self.given.sort_by_key(|(name, _)| is_voxel_setting(name));
        Ok(())
    }

    /// Brings the settings of the image types up to date.
    fn settle(&mut self) -> Result<(), ParameterError> {
        self.image_types.iter_mut().try_for_each(|image| image.settle(&self.settings))
    }

    fn read_settings(
        &mut self,
        part: Located,
        group: SettingGroup,
        faults: &mut Vec<ParameterError>,
    ) -> Result<(), ParameterError> {
        for (key, value) in part.entries(group.name())? {
            faults.extend(self.assign(group, &key, value.node).err());
        }
        Ok(())
    }

    fn read_image_types(&mut self, part: Located, faults: &mut Vec<ParameterError>) -> Result<(), ParameterError> {
        let mut image_types = Vec::new();
        for (key, value) in part.entries("imageType")? {
            let Some(image_type) = ImageType::from_name(&key.name) else {
                let known = ImageType::ALL.map(ImageType::name);
                faults.push(ParameterError::unknown(&key.name, key.line, "image type", "imageType", known));
                continue;
            };
            let mut overrides = Vec::new();
            let mut checked = Settings::default();
            let entries = value.entries(image_type.name()).unwrap_or_else(|fault| {
                faults.push(fault);
                Vec::new()
            });
            for (key, value) in entries {
                match settings::set(&mut checked, SettingGroup::Setting, &key, &value.node) {
                    Ok(()) => overrides.push((key.name, value.node)),
                    Err(fault) => faults.push(fault),
                }
            }
            image_types.push(ImageTypeParameters { image_type, overrides, settings: Settings::default() });
        }
        if !image_types.is_empty() {
            self.image_types = image_types;
        }
        Ok(())
    }

    fn read_feature_classes(&mut self, part: Located, faults: &mut Vec<ParameterError>) -> Result<(), ParameterError> {
        let mut classes = Vec::new();
        for (key, value) in part.entries("featureClass")? {
            let Some(class) = FeatureClass::from_name(&key.name) else {
                let known = FeatureClass::ALL.map(FeatureClass::name);
                faults.push(ParameterError::unknown(&key.name, key.line, "feature class", "featureClass", known));
                continue;
            };
            let line = value.line;
            let names = match feature_names(class, value) {
                Ok(names) => names,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let is_default = names.is_empty();
            let known = names.into_iter().filter(|name| match selection(class, vec![name.clone()], line) {
                Ok(_) => true,
                Err(fault) => {
                    faults.push(fault);
                    false
                }
            });
            let known: Vec<String> = known.collect();
            if is_default || !known.is_empty() {
                classes.push((class, selection(class, known, line)?));
            }
        }
        if !classes.is_empty() {
            self.feature_classes = classes;
        }
        Ok(())
    }
}

fn is_voxel_setting(name: &str) -> bool {
    SettingKey::named(name).is_some_and(|key| key.group == SettingGroup::VoxelSetting)
}

fn dictionary<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries.map(|(name, value)| format!("'{name}': {value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// The names of features that a class' entry holds; none where it has no value.
fn feature_names(class: FeatureClass, value: Located) -> Result<Vec<String>, ParameterError> {
    let items = match value.node {
        SettingValue::Null => Vec::new(),
        SettingValue::List(items) => items,
        other => {
            return Err(ParameterError::Value {
                line: value.line,
                key: class.name().to_owned(),
                value: other.to_string(),
                expected: "a list of feature names".to_owned(),
            });
        }
    };
    let name = |item| match item {
        SettingValue::Text(text) => text,
        other => other.to_string(),
    };
    Ok(items.into_iter().map(name).collect())
}

/// The selection of the features of these names, each once; all where there is no name.
fn selection(class: FeatureClass, named: Vec<String>, line: Option<u64>) -> Result<Selection, ParameterError> {
    let known: Vec<&str> =
        class.features().iter().map(|feature| feature.name).chain(class.withdrawn().iter().copied()).collect();
    let mut names: Vec<String> = Vec::new();
    for name in named {
        if !known.contains(&name.as_str()) {
            return Err(ParameterError::unknown(&name, line, "feature", class.name(), known));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(if names.is_empty() { Selection::Default } else { Selection::Named(names) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_shape2d_is_off_and_with_one_it_is_on() {
        assert_eq!(Parameters::default().feature_classes().len(), 7);
        assert_eq!(Parameters::from_yaml("setting: {binWidth: 5}").unwrap().feature_classes().len(), 8);
    }

    #[test]
    fn json_is_read_as_well() {
        let parameters =
            Parameters::from_yaml("{\n\t\"setting\": {\"binWidth\": 2.5},\n\t\"featureClass\": {\"glcm\": null}\n}")
                .unwrap();
        assert_eq!(parameters.settings().bin_width, 2.5);
        assert_eq!(parameters.feature_classes(), [(FeatureClass::Glcm, Selection::Default)]);
    }

    #[test]
    fn wrong_names_are_named_with_their_line_and_the_nearest() {
        for (text, message) in [
            ("settings: {}", "line 1: unknown key `settings` in `the parameters`; did you mean `setting`?"),
            (
                "setting: {}\nimageType:\n  Wavlet: {}",
                "line 3: unknown image type `Wavlet` in `imageType`; did you mean `Wavelet`?",
            ),
            (
                "featureClass:\n  glcm: [Contrst, Idm]",
                "line 2: unknown feature `Contrst` in `glcm`; did you mean `Contrast`?",
            ),
            ("setting: {dynamicBinning: true}", "line 1: unknown key `dynamicBinning` in `setting`"),
            ("setting:\n  binWidth: 0", "line 2: `binWidth` is 0; it must be a number above 0"),
            ("setting:\n  label: 1.5", "line 2: `label` is 1.5; it must be a whole number above 0"),
            ("setting:\n  binWidth: .inf", "line 2: `binWidth` is inf; it must be a number above 0"),
            (
                "imageType:\n  LoG: {sigma: [1.0, -2.0]}",
                "line 2: `sigma` is [1.0, -2.0]; it must be a list of numbers above 0",
            ),
        ] {
            assert_eq!(Parameters::from_yaml(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn parameters_in_types_survive_being_written_and_read() {
        let settings = Settings::default()
            .with_bin_width(12.5)
            .with_resampled_pixel_spacing(vec![1.0, 1.0, 0.0])
            .with_interpolator(None)
            .with_voxel_array_shift(-300)
            .with_geometry_tolerance(1e-5)
            .with_wavelet("bior1.1")
            .with_init_value(f64::NEG_INFINITY)
            .with_kernel_radius(2);
        let built = Parameters::builder()
            .settings(settings.clone())
            .image_type(ImageType::Wavelet)
            .image_type(ImageTypeRequest::log([3.0, 1e-7]).with_bin_count(Some(16)).with("binWidth", 3))
            .image_type(ImageTypeRequest::new(ImageType::LBP2D).with_lbp_2d_method(PatternMethod::Variance))
            .feature(FeatureClass::Shape, "MeshVolume")
            .feature_class(FeatureClass::Glcm)
            .feature(FeatureClass::Shape, "Sphericity")
            .check()
            .unwrap();
        assert_eq!(built.settings(), &settings);
        assert_eq!(built.image_types()[1].settings().bin_count, Some(16));
        assert_eq!(built.image_types()[1].settings().bin_width, 3.0);
        assert_eq!(built.image_types()[0].settings(), &settings);
        assert_eq!(Parameters::from_yaml(&built.to_yaml()).unwrap(), built, "{}", built.to_yaml());
        assert_eq!(Parameters::from_yaml(&Parameters::default().to_yaml()).unwrap(), Parameters::default());
    }

    #[test]
    fn parameters_in_types_are_checked() {
        let refused = |builder: ParametersBuilder| builder.check().unwrap_err().to_string();
        let with = |settings: Settings| Parameters::builder().settings(settings);
        let settings = Settings::default;
        for (builder, message) in [
            (with(settings().with_bin_width(0.0)), "`binWidth` is 0.0; it must be a number above 0"),
            (with(settings().with_bin_width(f64::NAN)), "`binWidth` is nan; it must be a number above 0"),
            (with(settings().with_distances([])), "`distances` is []; it must be a list of whole numbers from 1 to 32"),
            (
                with(settings().with_wavelet("coif99")),
                "`wavelet` is 'coif99'; it must be a discrete wavelet of PyWavelets, such as coif1, or a list of different ones",
            ),
            (
                with(settings().with_wavelet(["haar", "coif1", "haar"])),
                "`wavelet` is ['haar', 'coif1', 'haar']; it must be a discrete wavelet of PyWavelets, such as coif1, or a list of different ones",
            ),
            (
                Parameters::builder().image_type(ImageTypeRequest::log([-1.0])),
                "`sigma` is [-1.0]; it must be a list of numbers above 0",
            ),
            (
                Parameters::builder().image_type(ImageTypeRequest::new(ImageType::Original).with("binWidht", 1)),
                "unknown key `binWidht` in `setting`; did you mean `binWidth`?",
            ),
            (
                Parameters::builder().image_type(ImageType::LoG).image_type(ImageType::LoG),
                "`imageType` is LoG twice; it must be a list in which each image type stands once",
            ),
        ] {
            assert_eq!(refused(builder), message);
        }
    }

    #[test]
    fn what_would_take_all_memory_is_refused_with_its_limit() {
        for (key, value, range) in [
            ("binCount", "2000000000", "a whole number from 1 to 65536"),
            ("level", "1000000", "a whole number from 1 to 16"),
            ("start_level", "17", "a whole number from 0 to 16"),
            ("distances", "[1, 33]", "a list of whole numbers from 1 to 32"),
            ("lbp2DRadius", "1e300", "a number above 0, at most 1024"),
            ("lbp2DSamples", "1000000000000", "a whole number from 1 to 52"),
            ("lbp3DLevels", "100000", "a whole number from 1 to 32"),
            ("lbp3DIcosphereRadius", "1025", "a number above 0, at most 1024"),
            ("lbp3DIcosphereSubdivision", "30", "a whole number from 0 to 5"),
        ] {
            let of = |text: String| Parameters::from_yaml(&text).unwrap_err().to_string();
            for text in [format!("setting: {{{key}: {value}}}"), format!("imageType: {{Original: {{{key}: {value}}}}}")]
            {
                let refused = of(text);
                assert!(refused.starts_with(&format!("line 1: `{key}` is ")), "{refused}");
                assert!(refused.ends_with(&format!("it must be {range}")), "{refused}");
            }
        }
        assert!(Parameters::from_yaml("voxelSetting: {kernelRadius: 9223372036854775807}").is_err());
        assert!(Parameters::builder().settings(Settings::default().with_bin_count(Some(65_537))).check().is_err());
        let mut parameters = Parameters::default();
        assert!(parameters.set("binCount", SettingValue::Integer(2_000_000_000)).is_err());
        parameters.set("binCount", SettingValue::Integer(65_536)).unwrap();
    }

    #[test]
    fn text_that_is_no_map_is_refused() {
        for text in ["- 1", "setting: [1]", "a: b: c", "featureClass: {glcm: 3}", "\u{0}"] {
            assert!(Parameters::from_yaml(text).is_err(), "{text:?}");
        }
    }
}
