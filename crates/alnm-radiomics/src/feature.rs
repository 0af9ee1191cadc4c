//! Names of features, and the tables of formulas that the feature classes consist of.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ibsi::definition::{Aggregation, IbsiDefinition};
use crate::parameter_error::ParameterError;
use crate::summation::mean_of_defined;

/// One entry of the registry: what a feature is called by PyRadiomics and by the IBSI, and its formula over the matrix
/// `M` of its class.
///
/// One formula serves both profiles where their definitions are the same; where they differ in how `M` comes about,
/// such as in the bins, `M` is made by the definitions of one profile.
#[derive(Debug)]
#[non_exhaustive]
pub struct Formula<M> {
    /// Name of the feature in PyRadiomics; `None` for a feature that PyRadiomics does not have.
    pub name: Option<&'static str>,
    /// The feature in the reference manual of the IBSI; `None` for a feature that the manual does not have.
    pub ibsi: Option<IbsiDefinition>,
    /// Whether the formula is that of the reference manual.
    pub compliance: Compliance,
    /// Whether PyRadiomics computes the feature when no feature of the class is named.
    pub by_default: bool,
    /// The value.
    pub value: fn(&M) -> f64,
}

/// Whether a formula is that of the reference manual of the IBSI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compliance {
    /// It is the formula of the manual.
    Compliant,
    /// It is another formula for the same quantity, as PyRadiomics has it.
    Deviating,
    /// The manual does not have the feature.
    Undefined,
}

impl<M> Formula<M> {
    /// A feature that both have, with one formula.
    pub(crate) const fn compliant(name: &'static str, ibsi: IbsiDefinition, value: fn(&M) -> f64) -> Self {
        Self { name: Some(name), ibsi: Some(ibsi), compliance: Compliance::Compliant, by_default: true, value }
    }

    /// A feature that both have, with PyRadiomics' formula, which is not that of the reference manual.
    pub(crate) const fn deviating(name: &'static str, ibsi: IbsiDefinition, value: fn(&M) -> f64) -> Self {
        Self { name: Some(name), ibsi: Some(ibsi), compliance: Compliance::Deviating, by_default: true, value }
    }

    /// A feature that the reference manual does not have.
    pub(crate) const fn pyradiomics_only(name: &'static str, value: fn(&M) -> f64) -> Self {
        Self { name: Some(name), ibsi: None, compliance: Compliance::Undefined, by_default: true, value }
    }

    /// The reference manual's formula for a feature that PyRadiomics does not have, or computes otherwise.
    pub(crate) const fn ibsi_only(ibsi: IbsiDefinition, value: fn(&M) -> f64) -> Self {
        Self { name: None, ibsi: Some(ibsi), compliance: Compliance::Compliant, by_default: false, value }
    }

    /// The same, computed by PyRadiomics only when it is asked for by name.
    pub(crate) const fn only_by_name(self) -> Self {
        Self { by_default: false, ..self }
    }

    /// The feature in PyRadiomics; `None` where it has none.
    pub(crate) fn description(&self) -> Option<FeatureDescription> {
        let Self { name, ibsi, compliance, by_default, .. } = *self;
        name.map(|name| FeatureDescription { name, ibsi, compliance, by_default })
    }

    /// Whether this is the reference manual's formula for a feature.
    pub(crate) fn defines(&self, definition: &IbsiDefinition) -> bool {
        self.compliance == Compliance::Compliant && self.ibsi.as_ref() == Some(definition)
    }
}

/// A feature of a class of PyRadiomics, without its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct FeatureDescription {
    /// Name of the feature in PyRadiomics.
    pub name: &'static str,
    /// The feature in the reference manual of the IBSI; `None` for a feature that the manual does not have.
    pub ibsi: Option<IbsiDefinition>,
    /// Whether PyRadiomics' formula is that of the reference manual.
    pub compliance: Compliance,
    /// Whether the feature is computed when no feature of the class is named.
    pub by_default: bool,
}

/// A class of features: those that are computed from one matrix, from the grey values or from the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub enum FeatureClass {
    /// Intensity statistics and histogram; see [`crate::first_order`].
    #[serde(rename = "firstorder")]
    FirstOrder,
    /// Grey level co-occurrence matrix; see [`crate::glcm`].
    #[serde(rename = "glcm")]
    Glcm,
    /// Grey level dependence matrix; see [`crate::gldm`].
    #[serde(rename = "gldm")]
    Gldm,
    /// Grey level run length matrix; see [`crate::glrlm`].
    #[serde(rename = "glrlm")]
    Glrlm,
    /// Grey level size zone matrix; see [`crate::glszm`].
    #[serde(rename = "glszm")]
    Glszm,
    /// Neighbouring grey tone difference matrix; see [`crate::ngtdm`].
    #[serde(rename = "ngtdm")]
    Ngtdm,
    /// Shape in three dimensions; see [`crate::shape`].
    #[serde(rename = "shape")]
    Shape,
    /// Shape of one slice; see [`crate::shape2d`].
    #[serde(rename = "shape2D")]
    Shape2D,
}

impl FeatureClass {
    /// All classes in the order in which PyRadiomics lists them.
    pub const ALL: [Self; 8] =
        [Self::FirstOrder, Self::Glcm, Self::Gldm, Self::Glrlm, Self::Glszm, Self::Ngtdm, Self::Shape, Self::Shape2D];

    /// The class' name in parameter files and column names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstOrder => "firstorder",
            Self::Glcm => "glcm",
            Self::Gldm => "gldm",
            Self::Glrlm => "glrlm",
            Self::Glszm => "glszm",
            Self::Ngtdm => "ngtdm",
            Self::Shape => "shape",
            Self::Shape2D => "shape2D",
        }
    }

    /// The class of that name.
    ///
    /// ```
    /// use alnm_radiomics::FeatureClass;
    /// assert_eq!(FeatureClass::from_name("glcm"), Some(FeatureClass::Glcm));
    /// assert_eq!(FeatureClass::from_name("glcn"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether the class describes the mask alone and is computed once, on the original image.
    #[must_use]
    pub const fn is_shape(self) -> bool {
        matches!(self, Self::Shape | Self::Shape2D)
    }

    /// Features that PyRadiomics still knows by name but no longer computes, since another feature of the class has the
    /// same value. Asking for one gives a warning and no column.
    #[must_use]
    pub const fn withdrawn(self) -> &'static [&'static str] {
        match self {
            Self::Glcm => &["Dissimilarity", "Homogeneity1", "Homogeneity2", "SumVariance"],
            Self::Gldm => &["DependencePercentage", "GrayLevelNonUniformityNormalized"],
            _ => &[],
        }
    }
}

impl fmt::Display for FeatureClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The definitions that a value follows, PyRadiomics' or the IBSI's; a value never follows both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeatureProfile {
    /// PyRadiomics 3.0.1, quirk for quirk.
    PyRadiomics,
    /// The reference manuals of the Image Biomarker Standardisation Initiative.
    Ibsi,
}

/// Which feature a value belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeatureId {
    /// A feature by the definitions of PyRadiomics.
    PyRadiomics {
        /// The image that the feature was computed on: `original`, `log-sigma-3-0-mm-3D`, `wavelet-LLH` and so on.
        image: String,
        /// The feature class.
        class: FeatureClass,
        /// The feature.
        feature: FeatureDescription,
    },
    /// A feature by the definitions of the IBSI.
    Ibsi {
        /// The feature.
        feature: IbsiDefinition,
        /// How matrices were combined; `None` for families without matrices.
        aggregation: Option<Aggregation>,
    },
}

impl FeatureId {
    /// A name that is unique in an extraction. In the profile of PyRadiomics its column name, such as
    /// `wavelet-LLH_glcm_Idn`; in that of the IBSI the tag of the reference tables with the aggregation, such as
    /// `cm_contrast_3D_avg`.
    #[must_use]
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// Whose definitions the value follows.
    #[must_use]
    pub const fn profile(&self) -> FeatureProfile {
        match self {
            Self::PyRadiomics { .. } => FeatureProfile::PyRadiomics,
            Self::Ibsi { .. } => FeatureProfile::Ibsi,
        }
    }

    /// The feature in the reference manual of the IBSI; `None` for a feature that the manual does not have.
    #[must_use]
    pub const fn ibsi(&self) -> Option<IbsiDefinition> {
        match self {
            Self::PyRadiomics { feature, .. } => feature.ibsi,
            Self::Ibsi { feature, .. } => Some(*feature),
        }
    }

    /// Whether the value follows the formula of the reference manual.
    #[must_use]
    pub const fn compliance(&self) -> Compliance {
        match self {
            Self::PyRadiomics { feature, .. } => feature.compliance,
            Self::Ibsi { .. } => Compliance::Compliant,
        }
    }
}

impl fmt::Display for FeatureId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PyRadiomics { image, class, feature } => write!(formatter, "{image}_{class}_{}", feature.name),
            Self::Ibsi { feature, aggregation: Some(aggregation) } => {
                write!(formatter, "{}_{}", feature.tag, aggregation.tag())
            }
            Self::Ibsi { feature, aggregation: None } => formatter.write_str(feature.tag),
        }
    }
}

/// A feature with its value. NaN where the feature is not defined for the region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FeatureValue {
    /// The feature that the value belongs to.
    pub id: FeatureId,
    /// Its value.
    pub value: f64,
}

/// The value of one feature of a class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassValue {
    /// The feature.
    pub feature: FeatureDescription,
    /// The value.
    pub value: f64,
}

/// The features of a class that are computed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub enum Selection {
    /// All that are computed by default.
    #[default]
    Default,
    /// The features of these names, in this order.
    Named(Vec<String>),
}

impl Selection {
    /// The selected formulas of a class' table, in the order of the result. Withdrawn features have no formula and are
    /// passed over.
    ///
    /// # Errors
    /// [`ParameterError::Unknown`] for a name that the class does not have.
    pub(crate) fn of<'a, M>(&self, class: FeatureClass, formulas: &'a [Formula<M>]) -> Result<Vec<&'a Formula<M>>> {
        let Self::Named(names) = self else {
            return Ok(formulas.iter().filter(|formula| formula.by_default).collect());
        };
        let mut selected = Vec::with_capacity(names.len());
        for name in names.iter().map(String::as_str) {
            match formulas.iter().find(|formula| formula.name == Some(name)) {
                Some(formula) => selected.push(formula),
                None if class.withdrawn().contains(&name) => {}
                None => {
                    let known = formulas.iter().filter_map(|formula| formula.name);
                    return Err(ParameterError::unknown(name, None, "feature", class.name(), known).into());
                }
            }
        }
        Ok(selected)
    }

    /// Whether the feature of that name is selected; `by_default` says whether it is without a selection.
    pub(crate) fn wants(&self, name: &str, by_default: bool) -> bool {
        match self {
            Self::Default => by_default,
            Self::Named(names) => names.iter().any(|wanted| wanted == name),
        }
    }

    /// The values of the selected formulas for one matrix.
    pub(crate) fn evaluate<M>(
        &self,
        class: FeatureClass,
        formulas: &'static [Formula<M>],
        matrix: &M,
    ) -> Result<Vec<ClassValue>> {
        let value = |f: &Formula<M>| Some(ClassValue { feature: f.description()?, value: (f.value)(matrix) });
        Ok(self.of(class, formulas)?.into_iter().filter_map(value).collect())
    }

    /// The values of the selected formulas as means over matrices, one for each direction; values that a direction does
    /// not define are left out of the mean.
    pub(crate) fn evaluate_mean<M>(
        &self,
        class: FeatureClass,
        formulas: &'static [Formula<M>],
        matrices: &[M],
    ) -> Result<Vec<ClassValue>> {
        let mean = |f: &Formula<M>| {
            Some(ClassValue { feature: f.description()?, value: mean_of_defined(matrices.iter().map(f.value)) })
        };
        Ok(self.of(class, formulas)?.into_iter().filter_map(mean).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_and_withdrawn_ones_have_no_value() {
        let formulas = [Formula::pyradiomics_only("Mean", |value: &f64| *value)];
        let named = |name: &str| Selection::Named(vec![name.to_owned()]);
        assert_eq!(named("Mean").of(FeatureClass::Glcm, &formulas).unwrap().len(), 1);
        assert_eq!(named("Dissimilarity").of(FeatureClass::Glcm, &formulas).unwrap().len(), 0);
        let error = named("Maen").of(FeatureClass::Glcm, &formulas).unwrap_err().to_string();
        assert_eq!(error, "unknown feature `Maen` in `glcm`; did you mean `Mean`?");
    }
}
