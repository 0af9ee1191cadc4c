//! What a feature is called, and the tables of formulas that the feature classes are made of.

use std::fmt;

use serde::Serialize;

/// One formula of a feature class over the class' matrix `M`.
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
pub struct FeatureDescription {
    /// Name of the feature in PyRadiomics.
    pub name: &'static str,
    /// IBSI identifier, where the definition is the same.
    pub ibsi: Option<&'static str>,
    /// Whether the feature is computed when no feature of the class is named.
    pub by_default: bool,
}

/// A family of features.
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
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether the class describes the mask alone and is computed once, on the original image.
    pub const fn is_shape(self) -> bool {
        matches!(self, Self::Shape | Self::Shape2D)
    }

    /// Features that PyRadiomics still knows by name but no longer computes, since another feature of the class has the
    /// same value. Asking for one gives a warning and no column.
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
pub struct FeatureValue {
    /// Which feature.
    pub id: FeatureId,
    /// Its value.
    pub value: f64,
}

/// The value of one formula.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassValue {
    /// Name of the feature in PyRadiomics.
    pub name: &'static str,
    /// IBSI identifier, where the definition is the same.
    pub ibsi: Option<&'static str>,
    /// The value.
    pub value: f64,
}

/// Which features of a class are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub enum Selection {
    /// All that are computed by default.
    #[default]
    Default,
    /// The features of these names, in this order.
    Named(Vec<String>),
}

impl Selection {
    /// The selected formulas of a table, in the order of the result.
    pub(crate) fn of<'a, M>(&self, formulas: &'a [Formula<M>]) -> Vec<&'a Formula<M>> {
        match self {
            Self::Default => formulas.iter().filter(|formula| formula.by_default).collect(),
            Self::Named(names) => {
                names.iter().filter_map(|name| formulas.iter().find(|formula| formula.name == name)).collect()
            }
        }
    }

    /// The selected features among those of a class, in the order of the result.
    pub(crate) fn described(&self, features: &[FeatureDescription]) -> Vec<FeatureDescription> {
        match self {
            Self::Default => features.iter().filter(|feature| feature.by_default).copied().collect(),
            Self::Named(names) => {
                names.iter().filter_map(|name| features.iter().find(|feature| feature.name == name)).copied().collect()
            }
        }
    }

    /// Whether the formula of that name is selected.
    pub(crate) fn wants<M>(&self, formulas: &[Formula<M>], name: &str) -> bool {
        self.of(formulas).iter().any(|formula| formula.name == name)
    }

    /// The values of the selected formulas for one matrix.
    pub(crate) fn evaluate<M>(&self, formulas: &'static [Formula<M>], matrix: &M) -> Vec<ClassValue> {
        self.of(formulas)
            .into_iter()
            .map(|f| ClassValue { name: f.name, ibsi: f.ibsi, value: (f.value)(matrix) })
            .collect()
    }

    /// The values of the selected formulas as means over matrices, one for each direction; values that a direction does
    /// not define are left out of the mean.
    pub(crate) fn evaluate_mean<M: Sync>(&self, formulas: &'static [Formula<M>], matrices: &[M]) -> Vec<ClassValue> {
        let mean = |f: &Formula<M>| crate::summation::mean_of_defined(matrices.iter().map(f.value));
        self.of(formulas).into_iter().map(|f| ClassValue { name: f.name, ibsi: f.ibsi, value: mean(f) }).collect()
    }
}
