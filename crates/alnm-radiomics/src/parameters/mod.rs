//! Parameter files and settings, with the keys, types and ranges of PyRadiomics.
//!
//! A parameter file has up to four parts, each optional: `setting`, `voxelSetting`, `imageType` and `featureClass`.
//! Without `imageType`, features are computed on the original image only. Without `featureClass`, all classes are on.
//! Both YAML and JSON are read.
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

mod document;
mod schema;

use std::fmt;
use std::path::Path;

use alnm_imaging::resample::Interpolator;
use serde::Serialize;

use crate::discretisation::Binning;
use crate::error::Result;
use crate::feature::{FeatureClass, Selection};
use crate::glcm::WeightingNorm;
use crate::image_type::ImageType;

pub use document::Node;
use document::{Entry, Located};
pub use schema::{Group, Key, SCHEMA};

/// A parameter that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// A file that cannot be read.
    #[error("parameter file {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Text that is not YAML or JSON.
    #[error("the parameters are not valid YAML: {0}")]
    Syntax(String),
    /// A key or name that does not exist.
    #[error("{}unknown {what} `{name}` in `{place}`{}", line_prefix(*.line), suggestion(.nearest))]
    Unknown {
        /// Line of the file, where there is one.
        line: Option<u64>,
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
        /// The part of the file that it stands in.
        place: String,
        /// The valid name that looks most like it.
        nearest: Option<String>,
    },
    /// A value that is not of the right type or out of range.
    #[error("{}`{key}` is {value}; it must be {expected}", line_prefix(*.line))]
    Value {
        /// Line of the file, where there is one.
        line: Option<u64>,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is allowed.
        expected: String,
    },
}

fn line_prefix(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// What the limits of resegmentation mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ResegmentMode {
    /// Grey values.
    Absolute,
    /// Parts of the largest grey value of the region.
    Relative,
    /// Standard deviations of the region from its mean.
    Sigma,
}

/// The codes of two-dimensional local binary patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PatternMethod {
    /// The pattern as a number.
    Default,
    /// The smallest number among the pattern's rotations.
    RotationInvariant,
    /// The number of set bits of patterns with at most two changes, one code for all others.
    Uniform,
    /// The variance of the samples.
    Variance,
}

/// A number that remembers whether it was written as an integer, since names of images are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A number with a decimal point.
    Float(f64),
}

impl Number {
    /// The value.
    pub fn value(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Float(value) => formatter.write_str(&crate::python_text::float(*value)),
        }
    }
}

/// The settings of an extraction. Keys, defaults and ranges are listed in [`SCHEMA`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Settings {
    /// `minimumROIDimensions`
    pub minimum_roi_dimensions: usize,
    /// `minimumROISize`
    pub minimum_roi_size: Option<usize>,
    /// `geometryTolerance`
    pub geometry_tolerance: Option<f64>,
    /// `correctMask`
    pub correct_mask: bool,
    /// `additionalInfo`
    pub additional_info: bool,
    /// `label`
    pub label: u32,
    /// `label_channel`
    pub label_channel: usize,
    /// `binWidth`
    pub bin_width: f64,
    /// `binCount`
    pub bin_count: Option<u32>,
    /// `normalize`
    pub normalize: bool,
    /// `normalizeScale`
    pub normalize_scale: f64,
    /// `removeOutliers`
    pub remove_outliers: Option<f64>,
    /// `resampledPixelSpacing`, (x, y, z) in mm
    pub resampled_pixel_spacing: Option<Vec<f64>>,
    /// `interpolator`
    pub interpolator: Option<Interpolator>,
    /// `padDistance`
    pub pad_distance: usize,
    /// `preCrop`
    pub pre_crop: bool,
    /// `distances`
    pub distances: Vec<u32>,
    /// `force2D`
    pub force_2d: bool,
    /// `force2Ddimension`
    pub force_2d_dimension: usize,
    /// `resegmentRange`
    pub resegment_range: Option<Vec<f64>>,
    /// `resegmentMode`
    pub resegment_mode: ResegmentMode,
    /// `resegmentShape`
    pub resegment_shape: bool,
    /// `sigma`
    pub sigma: Vec<Number>,
    /// `start_level`
    pub start_level: usize,
    /// `level`
    pub level: usize,
    /// `wavelet`
    pub wavelet: String,
    /// `gradientUseSpacing`
    pub gradient_use_spacing: bool,
    /// `lbp2DRadius`
    pub lbp_2d_radius: f64,
    /// `lbp2DSamples`
    pub lbp_2d_samples: usize,
    /// `lbp2DMethod`
    pub lbp_2d_method: PatternMethod,
    /// `lbp3DLevels`
    pub lbp_3d_levels: usize,
    /// `lbp3DIcosphereRadius`
    pub lbp_3d_icosphere_radius: f64,
    /// `lbp3DIcosphereSubdivision`
    pub lbp_3d_icosphere_subdivision: usize,
    /// `voxelArrayShift`
    pub voxel_array_shift: f64,
    /// `symmetricalGLCM`
    pub symmetrical_glcm: bool,
    /// `weightingNorm`
    pub weighting_norm: Option<WeightingNorm>,
    /// `gldm_a`
    pub gldm_a: u32,
    /// `kernelRadius`
    pub kernel_radius: usize,
    /// `maskedKernel`
    pub masked_kernel: bool,
    /// `initValue`
    pub init_value: f64,
    /// `voxelBatch`, accepted for the sake of parameter files: maps are computed without batches
    pub voxel_batch: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minimum_roi_dimensions: 2,
            minimum_roi_size: None,
            geometry_tolerance: None,
            correct_mask: false,
            additional_info: true,
            label: 1,
            label_channel: 0,
            bin_width: 25.0,
            bin_count: None,
            normalize: false,
            normalize_scale: 1.0,
            remove_outliers: None,
            resampled_pixel_spacing: None,
            interpolator: Some(Interpolator::BSpline),
            pad_distance: 5,
            pre_crop: false,
            distances: vec![1],
            force_2d: false,
            force_2d_dimension: 0,
            resegment_range: None,
            resegment_mode: ResegmentMode::Absolute,
            resegment_shape: false,
            sigma: Vec::new(),
            start_level: 0,
            level: 1,
            wavelet: "coif1".to_owned(),
            gradient_use_spacing: true,
            lbp_2d_radius: 1.0,
            lbp_2d_samples: 8,
            lbp_2d_method: PatternMethod::Uniform,
            lbp_3d_levels: 2,
            lbp_3d_icosphere_radius: 1.0,
            lbp_3d_icosphere_subdivision: 1,
            voxel_array_shift: 0.0,
            symmetrical_glcm: true,
            weighting_norm: None,
            gldm_a: 0,
            kernel_radius: 1,
            masked_kernel: true,
            init_value: 0.0,
            voxel_batch: None,
        }
    }
}

impl Settings {
    /// `binCount` where it is set, `binWidth` otherwise.
    pub fn binning(&self) -> Binning {
        self.bin_count.map_or(Binning::Width(self.bin_width), Binning::Count)
    }

    /// ITK's default of 1e-6 where `geometryTolerance` is not set.
    pub fn tolerance(&self) -> f64 {
        self.geometry_tolerance.unwrap_or(1e-6)
    }
}

/// An image type to extract from.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTypeParameters {
    /// The image type.
    pub image_type: ImageType,
    /// Settings that hold for this image type only, over the general ones.
    overrides: Vec<(String, Node)>,
}

/// Checked parameters of an extraction: settings, image types and features.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    settings: Settings,
    given: Vec<(String, Node)>,
    image_types: Vec<ImageTypeParameters>,
    feature_classes: Vec<(FeatureClass, Selection)>,
}

impl Default for Parameters {
    /// What PyRadiomics does without a parameter file: all features but shape2D, on the original image.
    fn default() -> Self {
        let classes = FeatureClass::ALL.into_iter().filter(|&class| class != FeatureClass::Shape2D);
        Self {
            settings: Settings::default(),
            given: Vec::new(),
            image_types: vec![ImageTypeParameters { image_type: ImageType::Original, overrides: Vec::new() }],
            feature_classes: classes.map(|class| (class, Selection::Default)).collect(),
        }
    }
}

impl Parameters {
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
        let document = document::parse(text)?;
        let feature_classes = FeatureClass::ALL.into_iter().map(|class| (class, Selection::Default)).collect();
        let mut parameters = Self { feature_classes, ..Self::default() };
        for (key, value) in document.entries("the parameters")? {
            match key.name.as_str() {
                "setting" => parameters.read_settings(value, Group::Setting)?,
                "voxelSetting" => parameters.read_settings(value, Group::VoxelSetting)?,
                "imageType" => parameters.read_image_types(value)?,
                "featureClass" => parameters.read_feature_classes(value)?,
                _ => {
                    return Err(unknown(
                        key,
                        "key",
                        "the parameters",
                        ["setting", "voxelSetting", "imageType", "featureClass"],
                    )
                    .into());
                }
            }
        }
        Ok(parameters)
    }

    /// The general settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The image types in the order of extraction.
    pub fn image_types(&self) -> &[ImageTypeParameters] {
        &self.image_types
    }

    /// The feature classes in the order of the columns.
    pub fn feature_classes(&self) -> &[(FeatureClass, Selection)] {
        &self.feature_classes
    }

    /// Settings of an image type: the general ones with its own on top.
    pub(crate) fn settings_of(&self, image: &ImageTypeParameters) -> Result<Settings> {
        let mut settings = self.settings.clone();
        for (name, value) in &image.overrides {
            schema::set(&mut settings, Group::Setting, &Entry { name: name.clone(), line: None }, value)?;
        }
        Ok(settings)
    }

    /// The general settings as a Python dictionary: PyRadiomics' defaults with those given on top.
    pub(crate) fn settings_text(&self) -> String {
        let text = |text: &str| Node::Text(text.to_owned());
        let defaults = [
            ("minimumROIDimensions", Node::Integer(2)),
            ("minimumROISize", Node::Null),
            ("normalize", Node::Bool(false)),
            ("normalizeScale", Node::Integer(1)),
            ("removeOutliers", Node::Null),
            ("resampledPixelSpacing", Node::Null),
            ("interpolator", text("sitkBSpline")),
            ("preCrop", Node::Bool(false)),
            ("padDistance", Node::Integer(5)),
            ("distances", Node::List(vec![Node::Integer(1)])),
            ("force2D", Node::Bool(false)),
            ("force2Ddimension", Node::Integer(0)),
            ("resegmentRange", Node::Null),
            ("label", Node::Integer(1)),
            ("additionalInfo", Node::Bool(true)),
        ];
        let mut settings: Vec<(String, Node)> =
            defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
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
    /// use alnm_radiomics::parameters::{Node, Parameters};
    /// let mut parameters = Parameters::default();
    /// parameters.set("binWidth", Node::Integer(10))?;
    /// assert_eq!(parameters.settings().bin_width, 10.0);
    /// assert!(parameters.set("binWidth", Node::Integer(0)).is_err());
    /// # Ok::<(), alnm_radiomics::RadiomicsError>(())
    /// ```
    pub fn set(&mut self, name: &str, value: Node) -> Result<()> {
        let group = SCHEMA.iter().find(|key| key.name == name).map_or(Group::Setting, |key| key.group);
        self.assign(group, &Entry { name: name.to_owned(), line: None }, value)
    }

    fn assign(&mut self, group: Group, key: &Entry, value: Node) -> Result<()> {
        schema::set(&mut self.settings, group, key, &value)?;
        self.given.retain(|(name, _)| *name != key.name);
        self.given.push((key.name.clone(), value));
        Ok(())
    }

    fn read_settings(&mut self, part: Located, group: Group) -> Result<()> {
        for (key, value) in part.entries(group.name())? {
            self.assign(group, &key, value.node)?;
        }
        Ok(())
    }

    fn read_image_types(&mut self, part: Located) -> Result<()> {
        let mut image_types = Vec::new();
        for (key, value) in part.entries("imageType")? {
            let image_type = ImageType::from_name(&key.name)
                .ok_or_else(|| unknown(key, "image type", "imageType", ImageType::ALL.map(ImageType::name)))?;
            let mut overrides = Vec::new();
            let mut checked = Settings::default();
            for (key, value) in value.entries(image_type.name())? {
                schema::set(&mut checked, Group::Setting, &key, &value.node)?;
                overrides.push((key.name, value.node));
            }
            image_types.push(ImageTypeParameters { image_type, overrides });
        }
        if !image_types.is_empty() {
            self.image_types = image_types;
        }
        Ok(())
    }

    fn read_feature_classes(&mut self, part: Located) -> Result<()> {
        let mut classes = Vec::new();
        for (key, value) in part.entries("featureClass")? {
            let class = FeatureClass::from_name(&key.name).ok_or_else(|| {
                unknown(key, "feature class", "featureClass", FeatureClass::ALL.map(FeatureClass::name))
            })?;
            classes.push((class, selection(class, value)?));
        }
        if !classes.is_empty() {
            self.feature_classes = classes;
        }
        Ok(())
    }
}

fn dictionary<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries.map(|(name, value)| format!("'{name}': {value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// The features that a class' entry names; all where it names none.
fn selection(class: FeatureClass, value: Located) -> Result<Selection, ParameterError> {
    let known: Vec<&str> =
        class.features().iter().map(|feature| feature.name).chain(class.withdrawn().iter().copied()).collect();
    let line = value.line;
    let named = match value.node {
        Node::Null => Vec::new(),
        Node::List(items) => items,
        other => {
            let expected = "a list of feature names".to_owned();
            return Err(ParameterError::Value {
                line,
                key: class.name().to_owned(),
                value: other.to_string(),
                expected,
            });
        }
    };
    let mut names: Vec<String> = Vec::new();
    for item in named {
        let name = match item {
            Node::Text(text) => text,
            other => other.to_string(),
        };
        if !known.contains(&name.as_str()) {
            return Err(unknown(Entry { name, line }, "feature", class.name(), known));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(if names.is_empty() { Selection::Default } else { Selection::Named(names) })
}

/// The error for a name that does not exist, with the valid name that looks most like it.
fn unknown<'a>(
    entry: Entry,
    what: &'static str,
    place: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> ParameterError {
    let nearest = known.into_iter().map(|name| (edit_distance(&entry.name, name), name)).min();
    // A name that would have to be rewritten for the most part was not meant.
    let nearest = nearest.filter(|(distance, name)| 2 * distance <= name.len()).map(|(_, name)| name.to_owned());
    ParameterError::Unknown { line: entry.line, what, name: entry.name, place: place.to_owned(), nearest }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other, case aside.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swap)
            };
        }
    }
    rows[a.len()][b.len()]
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
            (
                "imageType:\n  LoG: {sigma: [1.0, -2.0]}",
                "line 2: `sigma` is [1.0, -2.0]; it must be a list of numbers above 0",
            ),
        ] {
            assert_eq!(Parameters::from_yaml(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn text_that_is_no_map_is_refused() {
        for text in ["- 1", "setting: [1]", "a: b: c", "featureClass: {glcm: 3}", "\u{0}"] {
            assert!(Parameters::from_yaml(text).is_err(), "{text:?}");
        }
    }
}
