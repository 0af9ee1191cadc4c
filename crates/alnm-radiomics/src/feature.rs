//! What a feature is called, and the tables of formulas that the feature classes are made of.

use std::fmt;

use serde::Serialize;

use crate::error::Result;
use crate::parameter_error::ParameterError;
use crate::summation::mean_of_defined;

/// One formula of a feature class over the class' matrix `M`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Formula<M> {
    /// Name of the feature in PyRadiomics.
    pub name: &'static str,
    /// Identifier in the reference manual of the Image Biomarker Standardisation Initiative, where the definition is
    /// the same.
    pub ibsi: Option<&'static str>,
    /// Whether the feature is computed when no feature of the class is named.
    pub by_default: bool,
    /// The value.
    pub value: fn(&M) -> f64,
}

impl<M> Formula<M> {
    /// A formula that is computed by default.
    pub(crate) const fn new(name: &'static str, ibsi: Option<&'static str>, value: fn(&M) -> f64) -> Self {
        Self { name, ibsi, by_default: true, value }
    }

    /// A formula that is computed only when it is asked for by name.
    pub(crate) const fn deprecated(name: &'static str, ibsi: Option<&'static str>, value: fn(&M) -> f64) -> Self {
        Self { name, ibsi, by_default: false, value }
    }

    pub(crate) const fn description(&self) -> FeatureDescription {
        FeatureDescription { name: self.name, ibsi: self.ibsi, by_default: self.by_default }
    }
}

/// A feature of a class without its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FeatureDescription {
    /// Name of the feature in PyRadiomics.
    pub name: &'static str,
    /// IBSI identifier, where the definition is the same.
    pub ibsi: Option<&'static str>,
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

/// Which feature a value belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct FeatureId {
    /// The image that the feature was computed on: `original`, `log-sigma-3-0-mm-3D`, `wavelet-LLH` and so on.
    pub image: String,
    /// The feature class.
    pub class: FeatureClass,
    /// The feature.
    pub feature: &'static str,
    /// IBSI identifier, where the definition is the same.
    pub ibsi: Option<&'static str>,
}

impl FeatureId {
    /// The column name of PyRadiomics, such as `wavelet-LLH_glcm_Idn`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}_{}_{}", self.image, self.class, self.feature)
    }
}

impl fmt::Display for FeatureId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_{}_{}", self.image, self.class, self.feature)
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

/// The value of one formula.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassValue {
    /// Name of the feature in PyRadiomics.
    pub name: &'static str,
    /// IBSI identifier, where the definition is the same.
    pub ibsi: Option<&'static str>,
    /// The value.
    pub value: f64,
}

/// Which features of a class are computed.
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
        for name in names {
            match formulas.iter().find(|formula| formula.name == name) {
                Some(formula) => selected.push(formula),
                None if class.withdrawn().contains(&name.as_str()) => {}
                None => {
                    let known = formulas.iter().map(|formula| formula.name);
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
        let selected = self.of(class, formulas)?;
        Ok(selected.into_iter().map(|f| ClassValue { name: f.name, ibsi: f.ibsi, value: (f.value)(matrix) }).collect())
    }

    /// The values of the selected formulas as means over matrices, one for each direction; values that a direction does
    /// not define are left out of the mean.
    pub(crate) fn evaluate_mean<M>(
        &self,
        class: FeatureClass,
        formulas: &'static [Formula<M>],
        matrices: &[M],
    ) -> Result<Vec<ClassValue>> {
        let mean = |f: &Formula<M>| mean_of_defined(matrices.iter().map(f.value));
        let selected = self.of(class, formulas)?;
        Ok(selected.into_iter().map(|f| ClassValue { name: f.name, ibsi: f.ibsi, value: mean(f) }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_and_withdrawn_ones_have_no_value() {
        let formulas = [Formula::new("Mean", None, |value: &f64| *value)];
        let named = |name: &str| Selection::Named(vec![name.to_owned()]);
        assert_eq!(named("Mean").of(FeatureClass::Glcm, &formulas).unwrap().len(), 1);
        assert_eq!(named("Dissimilarity").of(FeatureClass::Glcm, &formulas).unwrap().len(), 0);
        let error = named("Maen").of(FeatureClass::Glcm, &formulas).unwrap_err().to_string();
        assert_eq!(error, "unknown feature `Maen` in `glcm`; did you mean `Mean`?");
    }
}
