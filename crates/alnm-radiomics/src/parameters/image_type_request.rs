//! The image types that are asked for, with settings of their own.

use super::document::SettingValue;
use crate::image_type::ImageType;

/// An image type to extract from, with settings of its own.
///
/// Any setting of [`Settings`](crate::parameters::Settings) may be set for one image type only; it then holds in place
/// of the general one.
///
/// ```
/// use alnm_radiomics::ImageType;
/// use alnm_radiomics::parameters::ImageTypeRequest;
///
/// let fine = ImageTypeRequest::log([1.0, 2.0]).with_bin_width(5.0);
/// let haar = ImageTypeRequest::wavelet("haar").with_level(2);
/// let plain = ImageTypeRequest::from(ImageType::Square);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct ImageTypeRequest {
    pub(super) image_type: ImageType,
    pub(super) overrides: Vec<(String, SettingValue)>,
}

impl From<ImageType> for ImageTypeRequest {
    fn from(image_type: ImageType) -> Self {
        Self { image_type, overrides: Vec::new() }
    }
}

impl ImageTypeRequest {
    /// The image type with the general settings.
    pub fn new(image_type: ImageType) -> Self {
        image_type.into()
    }

    /// Sets any setting by PyRadiomics' key. Key and value are checked by
    /// [`ParametersBuilder::check`](crate::parameters::ParametersBuilder::check).
    pub fn with(mut self, key: &str, value: impl Into<SettingValue>) -> Self {
        self.overrides.retain(|(name, _)| name != key);
        self.overrides.push((key.to_owned(), value.into()));
        self
    }
}
