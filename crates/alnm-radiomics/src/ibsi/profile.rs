//! What an extraction does, as data.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::definition::{Aggregation, IbsiFamily};
use super::discretisation::{IbsiDiscretisation, MAXIMUM_LEVELS};
use super::filter::Filter;
use super::interpolation::Interpolation;
use crate::error::Result;
use crate::parameter_error::ParameterError;
use crate::parameters::Parameters;
use crate::parameters::typed::from_text;

/// The settings of an extraction by the IBSI reference manual; [`IbsiProfile::check`] makes parameters of them. In the
/// order in which they are applied: interpolation, rounding, resegmentation, filter, discretisation, features.
///
/// | key | default | purpose | range |
/// |---|---|---|---|
/// | `interpolation` | none | the grid that image and mask are brought to | see [`InterpolationSettings`] |
/// | `round_intensities` | `false` | whether intensities are rounded to whole numbers after interpolation | |
/// | `resegmentation` | none | which voxels belong to the intensity mask | see [`Resegmentation`] |
/// | `filter` | none | the filter whose response takes the image's place | see [`Filter`] |
/// | `discretisation` | `none` | grey levels of histogram and texture | see [`IbsiDiscretisation`] |
/// | `ivh_discretisation` | `none` | intensities of the intensity-volume histogram | see [`IbsiDiscretisation`] |
/// | `families` | all | families of features | see [`IbsiFamily`] |
/// | `aggregations` | the three of 3D | aggregation methods of texture | see [`Aggregation`] |
/// | `maps` | 1 voxel | neighbourhoods of feature maps | see [`FeatureMapSettings`] |
///
/// ```
/// use alnm_radiomics::ibsi::IbsiProfile;
/// let profile = IbsiProfile::from_yaml("
/// interpolation: {spacing: [2.0, 2.0, 2.0], image: cubic, mask: linear}
/// round_intensities: true
/// resegmentation: {range: [-1000, 400], outliers: 3.0}
/// discretisation: {fixed_bin_number: 32}
/// families: [statistics, glcm]
/// aggregations: [3D_comb]
/// ")?;
/// assert_eq!(profile.families.len(), 2);
/// assert!(IbsiProfile::from_yaml("discretization: none").is_err());
/// # Ok::<(), alnm_radiomics::RadiomicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct IbsiProfile {
    /// The grid that image and mask are brought to.
    pub interpolation: Option<InterpolationSettings>,
    /// Whether intensities are rounded to whole numbers after interpolation.
    pub round_intensities: bool,
    /// Which voxels belong to the intensity mask.
    pub resegmentation: Resegmentation,
    /// The filter whose response takes the image's place in every feature. Resegmentation still looks at the image
    /// itself, and its range then says nothing about the response, so that bins start at the response's minimum.
    pub filter: Option<Filter>,
    /// Grey levels of histogram and texture.
    pub discretisation: IbsiDiscretisation,
    /// Intensities of the intensity-volume histogram.
    pub ivh_discretisation: IbsiDiscretisation,
    /// Families of features, in the order of the result.
    pub families: Vec<IbsiFamily>,
    /// Aggregation methods of texture; each family takes those that it knows.
    pub aggregations: Vec<Aggregation>,
    /// Neighbourhoods of feature maps; extractions of a region do without.
    pub maps: FeatureMapSettings,
}

impl Default for IbsiProfile {
    fn default() -> Self {
        Self {
            interpolation: None,
            round_intensities: false,
            resegmentation: Resegmentation::default(),
            filter: None,
            discretisation: IbsiDiscretisation::None,
            ivh_discretisation: IbsiDiscretisation::None,
            families: IbsiFamily::ALL.to_vec(),
            aggregations: Aggregation::VOLUMETRIC.to_vec(),
            maps: FeatureMapSettings::default(),
        }
    }
}

/// The neighbourhoods whose features [`Extractor::execute_voxel_based`](crate::Extractor::execute_voxel_based) maps.
///
/// | key | default | purpose | range |
/// |---|---|---|---|
/// | `radius` | `[1, 1, 1]` | voxels to each side along x, y and z | from 0 to 64 |
/// | `outside` | 0 | value outside the intensity mask | a number |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct FeatureMapSettings {
    /// How far the neighbourhood of a voxel reaches to each side along x, y and z, in voxels.
    pub radius: [usize; 3],
    /// The value of voxels outside the intensity mask.
    pub outside: f64,
}

impl Default for FeatureMapSettings {
    fn default() -> Self {
        Self { radius: [1; 3], outside: 0.0 }
    }
}

impl FeatureMapSettings {
    /// Sets [`FeatureMapSettings::radius`].
    pub fn with_radius(self, radius: [usize; 3]) -> Self {
        Self { radius, ..self }
    }

    /// Sets [`FeatureMapSettings::outside`].
    pub fn with_outside(self, outside: f64) -> Self {
        Self { outside, ..self }
    }
}

/// Voxels that a neighbourhood may reach to each side, as with PyRadiomics' `kernelRadius`.
const MOST_REACHED: usize = 64;

/// How image and mask are brought to another grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct InterpolationSettings {
    /// Spacing along x, y and z in mm, above 0; an axis without one stays as it is.
    pub spacing: [Option<f64>; 3],
    /// How intensities are interpolated; cubic by default.
    #[serde(default = "cubic")]
    pub image: Interpolation,
    /// How the mask is interpolated; linear by default.
    #[serde(default = "linear")]
    pub mask: Interpolation,
    /// The part of a voxel that has to belong to the mask, above 0 and at most 1; 0.5 by default.
    #[serde(default = "half")]
    pub mask_threshold: f64,
}

impl InterpolationSettings {
    /// A grid of this spacing (x, y, z) in mm, with cubic interpolation of intensities and linear of the mask.
    pub fn new(spacing: [Option<f64>; 3]) -> Self {
        Self { spacing, image: cubic(), mask: linear(), mask_threshold: half() }
    }

    /// Sets [`InterpolationSettings::image`].
    pub fn with_image(self, image: Interpolation) -> Self {
        Self { image, ..self }
    }

    /// Sets [`InterpolationSettings::mask`].
    pub fn with_mask(self, mask: Interpolation) -> Self {
        Self { mask, ..self }
    }

    /// Sets [`InterpolationSettings::mask_threshold`].
    pub fn with_mask_threshold(self, mask_threshold: f64) -> Self {
        Self { mask_threshold, ..self }
    }
}

const fn cubic() -> Interpolation {
    Interpolation::Cubic
}

const fn linear() -> Interpolation {
    Interpolation::Linear
}

const fn half() -> f64 {
    0.5
}

/// The voxels of the region that belong to the intensity mask. The morphological mask keeps all voxels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct Resegmentation {
    /// Smallest and largest intensity; either may be missing.
    pub range: Option<[Option<f64>; 2]>,
    /// How many standard deviations from the mean a voxel may lie, above 0.
    pub outliers: Option<f64>,
}

impl Resegmentation {
    /// Sets [`Resegmentation::range`].
    pub fn with_range(self, lower: impl Into<Option<f64>>, upper: impl Into<Option<f64>>) -> Self {
        Self { range: Some([lower.into(), upper.into()]), ..self }
    }

    /// Sets [`Resegmentation::outliers`].
    pub fn with_outliers(self, outliers: impl Into<Option<f64>>) -> Self {
        Self { outliers: outliers.into(), ..self }
    }
}

/// The configurations that the reference values were found with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ReferenceConfiguration {
    /// The digital phantom, without any processing.
    DigitalPhantom,
    /// Slices as they are; [-500, 400]; bins of 25.
    A,
    /// Slices at 2 mm, bilinear; [-500, 400]; 32 bins.
    B,
    /// 2 mm, trilinear; [-1000, 400]; bins of 25.
    C,
    /// 2 mm, trilinear; outliers beyond 3 standard deviations; 32 bins.
    D,
    /// 2 mm, tricubic spline; [-1000, 400] and outliers beyond 3 standard deviations; 32 bins.
    E,
}

impl IbsiProfile {
    /// Sets [`IbsiProfile::interpolation`].
    pub fn with_interpolation(self, interpolation: impl Into<Option<InterpolationSettings>>) -> Self {
        Self { interpolation: interpolation.into(), ..self }
    }

    /// Sets [`IbsiProfile::round_intensities`].
    pub fn with_round_intensities(self, round_intensities: bool) -> Self {
        Self { round_intensities, ..self }
    }

    /// Sets [`IbsiProfile::resegmentation`].
    pub fn with_resegmentation(self, resegmentation: Resegmentation) -> Self {
        Self { resegmentation, ..self }
    }

    /// Sets [`IbsiProfile::filter`].
    pub fn with_filter(self, filter: impl Into<Option<Filter>>) -> Self {
        Self { filter: filter.into(), ..self }
    }

    /// Sets [`IbsiProfile::discretisation`].
    pub fn with_discretisation(self, discretisation: IbsiDiscretisation) -> Self {
        Self { discretisation, ..self }
    }

    /// Sets [`IbsiProfile::ivh_discretisation`].
    pub fn with_ivh_discretisation(self, ivh_discretisation: IbsiDiscretisation) -> Self {
        Self { ivh_discretisation, ..self }
    }

    /// Sets [`IbsiProfile::families`].
    pub fn with_families(self, families: impl Into<Vec<IbsiFamily>>) -> Self {
        Self { families: families.into(), ..self }
    }

    /// Sets [`IbsiProfile::aggregations`].
    pub fn with_aggregations(self, aggregations: impl Into<Vec<Aggregation>>) -> Self {
        Self { aggregations: aggregations.into(), ..self }
    }

    /// Sets [`IbsiProfile::maps`].
    pub fn with_maps(self, maps: FeatureMapSettings) -> Self {
        Self { maps, ..self }
    }

    /// The settings of one of the configurations that the reference values were found with.
    pub fn reference(configuration: ReferenceConfiguration) -> Self {
        let two_millimetres = |z, image| {
            let spacing = [Some(2.0), Some(2.0), z];
            Some(InterpolationSettings { spacing, image, mask: Interpolation::Linear, mask_threshold: 0.5 })
        };
        let range = |lower, upper| Some([Some(lower), Some(upper)]);
        let planar = Self { aggregations: Aggregation::PLANAR.to_vec(), ..Self::default() };
        match configuration {
            ReferenceConfiguration::DigitalPhantom => {
                Self { aggregations: [&Aggregation::PLANAR[..], &Aggregation::VOLUMETRIC].concat(), ..Self::default() }
            }
            ReferenceConfiguration::A => Self {
                resegmentation: Resegmentation { range: range(-500.0, 400.0), outliers: None },
                discretisation: IbsiDiscretisation::FixedBinSize(25.0),
                ..planar
            },
            ReferenceConfiguration::B => Self {
                interpolation: two_millimetres(None, Interpolation::Linear),
                round_intensities: true,
                resegmentation: Resegmentation { range: range(-500.0, 400.0), outliers: None },
                discretisation: IbsiDiscretisation::FixedBinNumber(32),
                ..planar
            },
            ReferenceConfiguration::C => Self {
                interpolation: two_millimetres(Some(2.0), Interpolation::Linear),
                round_intensities: true,
                resegmentation: Resegmentation { range: range(-1000.0, 400.0), outliers: None },
                discretisation: IbsiDiscretisation::FixedBinSize(25.0),
                ivh_discretisation: IbsiDiscretisation::FixedBinSize(2.5),
                ..Self::default()
            },
            ReferenceConfiguration::D => Self {
                interpolation: two_millimetres(Some(2.0), Interpolation::Linear),
                round_intensities: true,
                resegmentation: Resegmentation { range: None, outliers: Some(3.0) },
                discretisation: IbsiDiscretisation::FixedBinNumber(32),
                ..Self::default()
            },
            ReferenceConfiguration::E => Self {
                interpolation: two_millimetres(Some(2.0), Interpolation::Cubic),
                round_intensities: true,
                resegmentation: Resegmentation { range: range(-1000.0, 400.0), outliers: Some(3.0) },
                discretisation: IbsiDiscretisation::FixedBinNumber(32),
                ivh_discretisation: IbsiDiscretisation::FixedBinNumber(1000),
                ..Self::default()
            },
        }
    }

    /// A profile from YAML or JSON, of which YAML is a superset. Unknown keys are refused.
    ///
    /// # Errors
    /// [`ParameterError::Profile`] with the place and what is wrong there.
    pub fn from_yaml(text: &str) -> Result<Self> {
        from_text(text).map_err(|reason| ParameterError::Profile(reason).into())
    }

    /// A profile from a file; see [`IbsiProfile::from_yaml`].
    ///
    /// # Errors
    /// [`ParameterError::Profile`] when the file cannot be read or is not a profile.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ParameterError::Profile(format!("{}: {error}", path.display())))?;
        Self::from_yaml(&text)
    }

    /// Parameters of an extraction of this profile's features alone, with every setting checked;
    /// [`Parameters::with_ibsi`] asks for them beside those of PyRadiomics.
    ///
    /// # Errors
    /// [`ParameterError::Setting`] with the first setting that is out of range.
    pub fn check(self) -> Result<Parameters> {
        Parameters::ibsi_alone(self)
    }

    /// Checks every setting.
    pub(crate) fn check_settings(&self) -> Result<()> {
        let positive =
            |setting, value: f64| require(setting, value.is_finite() && value > 0.0, value, "it must be above 0");
        if let Some(interpolation) = &self.interpolation {
            for spacing in interpolation.spacing.into_iter().flatten() {
                positive("interpolation.spacing", spacing)?;
            }
            let threshold = interpolation.mask_threshold;
            require(
                "interpolation.mask_threshold",
                threshold > 0.0 && threshold <= 1.0,
                threshold,
                "it must be above 0 and at most 1",
            )?;
        }
        if let Some([lower, upper]) = self.resegmentation.range {
            for limit in [lower, upper].into_iter().flatten() {
                require("resegmentation.range", !limit.is_nan(), limit, "limits must be numbers")?;
            }
            let ordered = lower.zip(upper).is_none_or(|(lower, upper)| lower <= upper);
            require("resegmentation.range", ordered, format_args!("{lower:?} to {upper:?}"), "the limits must ascend")?;
        }
        if let Some(outliers) = self.resegmentation.outliers {
            positive("resegmentation.outliers", outliers)?;
        }
        for (setting, discretisation) in
            [("discretisation", self.discretisation), ("ivh_discretisation", self.ivh_discretisation)]
        {
            match discretisation {
                IbsiDiscretisation::None => {}
                IbsiDiscretisation::FixedBinSize(width) => positive(setting, width)?,
                IbsiDiscretisation::FixedBinNumber(bins) => {
                    require(
                        setting,
                        (1..=MAXIMUM_LEVELS).contains(&bins),
                        bins,
                        "a number of bins must be from 1 to 16384",
                    )?;
                }
            }
        }
        for radius in self.maps.radius {
            require("maps.radius", radius <= MOST_REACHED, radius, "it must be from 0 to 64")?;
        }
        require("maps.outside", !self.maps.outside.is_nan(), self.maps.outside, "it must be a number")?;
        self.filter.as_ref().map_or(Ok(()), Filter::check)
    }
}

fn require(setting: &'static str, holds: bool, value: impl std::fmt::Debug, requirement: &'static str) -> Result<()> {
    // Of extreme numbers, the form for debugging has few digits.
    if holds {
        Ok(())
    } else {
        Err(ParameterError::Setting { setting, value: format!("{value:?}"), requirement }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATIONS: [ReferenceConfiguration; 6] = [
        ReferenceConfiguration::DigitalPhantom,
        ReferenceConfiguration::A,
        ReferenceConfiguration::B,
        ReferenceConfiguration::C,
        ReferenceConfiguration::D,
        ReferenceConfiguration::E,
    ];

    #[test]
    fn profiles_survive_being_written_and_read() {
        for configuration in CONFIGURATIONS {
            let profile = IbsiProfile::reference(configuration);
            profile.check_settings().unwrap();
            let text = serde_json::to_string(&profile).unwrap();
            assert_eq!(IbsiProfile::from_yaml(&text).unwrap(), profile, "{configuration:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let refused = |text: &str| IbsiProfile::from_yaml(text).and_then(IbsiProfile::check).unwrap_err().to_string();
        assert!(refused("bin_width: 25").contains("bin_width"));
        assert!(refused("interpolation: {spacing: [2, 2, 2], order: 3}").contains("order"));
        assert!(refused("interpolation: {spacing: [2, -2, 2]}").contains("interpolation.spacing is -2"));
        assert!(refused("resegmentation: {range: [400, -500]}").contains("ascend"));
        assert!(refused("discretisation: {fixed_bin_number: 0}").contains("16384"));
        assert!(refused("filter: {dimensions: 4, kernel: {mean: {support: 5}}}").contains("2 or 3"));
        assert!(refused("filter: {dimensions: 3, kernel: {mean: {support: 4}}}").contains("odd"));
        assert!(refused("filter: {dimensions: 2, kernel: {laws: {kernels: [L5, E5, E5]}}}").contains("kernels is 3"));
    }
}
