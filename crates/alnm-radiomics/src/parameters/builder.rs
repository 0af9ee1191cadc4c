//! Parameters put together in types instead of text.

use super::document::{Entry, SettingValue};
use super::image_type_request::ImageTypeRequest;
use super::settings::{self, SettingGroup, SettingKey};
use super::settings::{Settings, Sigma, WaveletNames};
use super::{ImageTypeParameters, Parameters, selection};
use crate::feature::{FeatureClass, Selection};
use crate::image_type::ImageType;
use crate::parameter_error::ParameterError;

impl ImageTypeRequest {
    /// Laplacians of Gaussian, one for each σ in mm.
    pub fn log(sigmas: impl IntoIterator<Item = impl Into<Sigma>>) -> Self {
        Self::new(ImageType::LoG).with_sigma(sigmas.into_iter().map(Into::into).collect::<Vec<Sigma>>())
    }

    /// The sub-bands of a stationary wavelet transform, with a wavelet by its name in PyWavelets, or with each of
    /// several.
    pub fn wavelet(names: impl Into<WaveletNames>) -> Self {
        Self::new(ImageType::Wavelet).with_wavelet(names)
    }
}

/// Parameters that are put together in types; [`ParametersBuilder::check`] makes valid ones of them.
///
/// | method | default | meaning | range |
/// |---|---|---|---|
/// | [`settings`](Self::settings) | [`Settings::default`] | the general settings | see [`Settings`] |
/// | [`image_type`](Self::image_type) | the original image | the images that features are computed on, in the order of the columns | each once |
/// | [`feature_class`](Self::feature_class) | all classes but `shape2D` | classes with all the features that are on by default | |
/// | [`feature`](Self::feature) | | single features | names of PyRadiomics, see [`FeatureClass::features`] |
///
/// ```
/// use alnm_radiomics::parameters::{ImageTypeRequest, Settings};
/// use alnm_radiomics::{FeatureClass, ImageType, Parameters};
///
/// let parameters = Parameters::builder()
///     .settings(Settings::default().with_bin_width(10.0))
///     .image_type(ImageType::Original)
///     .image_type(ImageTypeRequest::log([1.0, 2.0]).with_bin_width(5.0))
///     .feature_class(FeatureClass::FirstOrder)
///     .feature(FeatureClass::Glcm, "Contrast")
///     .feature(FeatureClass::Glcm, "Idm")
///     .check()?;
///
/// // The same as text, which other tools read as well.
/// assert_eq!(Parameters::from_yaml(&parameters.to_yaml())?, parameters);
///
/// let error = Parameters::builder().feature(FeatureClass::Glcm, "Contrst").check().unwrap_err().to_string();
/// assert_eq!(error, "unknown feature `Contrst` in `glcm`; did you mean `Contrast`?");
/// # Ok::<(), alnm_radiomics::RadiomicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use]
pub struct ParametersBuilder {
    settings: Settings,
    image_types: Vec<ImageTypeRequest>,
    /// Classes in the order in which they were first named, with the names of features; without a name, all.
    features: Vec<(FeatureClass, Option<String>)>,
}

impl ParametersBuilder {
    /// The general settings.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Adds an image type. Without any, features are computed on the original image.
    pub fn image_type(mut self, image_type: impl Into<ImageTypeRequest>) -> Self {
        self.image_types.push(image_type.into());
        self
    }

    /// Adds the features of a class that are computed by default. Without any class or feature, all classes but
    /// `shape2D` are on.
    pub fn feature_class(mut self, class: FeatureClass) -> Self {
        self.features.push((class, None));
        self
    }

    /// Adds one feature by PyRadiomics' name. Where its class is added as a whole too, the whole class is computed.
    pub fn feature(mut self, class: FeatureClass, name: impl Into<String>) -> Self {
        self.features.push((class, Some(name.into())));
        self
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ParameterError::Value`] for a value that is out of its range and for an image type that is named twice,
    /// [`ParameterError::Unknown`] for a key or a feature that does not exist.
    pub fn check(self) -> Result<Parameters, ParameterError> {
        let given = self.settings.given();
        let mut parameters = Parameters::default();
        for (name, value) in given {
            parameters.set_checked(&name, value)?;
        }
        if !self.image_types.is_empty() {
            parameters.image_types.clear();
        }
        for request in self.image_types {
            if parameters.image_types.iter().any(|other| other.image_type == request.image_type) {
                return Err(ParameterError::Value {
                    line: None,
                    key: "imageType".to_owned(),
                    value: format!("{} twice", request.image_type.name()),
                    expected: "a list in which each image type stands once".to_owned(),
                });
            }
            let mut checked = Settings::default();
            for (name, value) in &request.overrides {
                let entry = Entry { name: name.clone(), line: None };
                settings::set(&mut checked, SettingGroup::Setting, &entry, value)?;
            }
            parameters.image_types.push(ImageTypeParameters {
                image_type: request.image_type,
                overrides: request.overrides,
                settings: Settings::default(),
            });
        }
        if !self.features.is_empty() {
            parameters.feature_classes = selections(self.features)?;
        }
        parameters.settle()?;
        Ok(parameters)
    }
}

/// Each class once, in the order in which the classes were first named.
fn selections(requests: Vec<(FeatureClass, Option<String>)>) -> Result<Vec<(FeatureClass, Selection)>, ParameterError> {
    let mut classes: Vec<(FeatureClass, Option<Vec<String>>)> = Vec::new();
    for (class, name) in requests {
        let known = classes.iter().position(|(other, _)| *other == class);
        match (known, name) {
            (None, name) => classes.push((class, name.map(|name| vec![name]))),
            (Some(place), None) => classes[place].1 = None,
            (Some(place), Some(name)) => {
                if let Some(names) = &mut classes[place].1 {
                    names.push(name);
                }
            }
        }
    }
    let checked =
        classes.into_iter().map(|(class, names)| Ok((class, selection(class, names.unwrap_or_default(), None)?)));
    checked.collect()
}

impl Parameters {
    /// Sets one setting by PyRadiomics' key.
    pub(super) fn set_checked(&mut self, name: &str, value: SettingValue) -> Result<(), ParameterError> {
        let group = SettingKey::named(name).map_or(SettingGroup::Setting, |key| key.group);
        self.assign(group, &Entry { name: name.to_owned(), line: None }, value)
    }
}
