//! Families, aggregation methods and the tables of definitions that features come from.

use serde::{Deserialize, Serialize};

/// A family of features of the reference manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IbsiFamily {
    /// Morphological features (HCUG).
    Morphology,
    /// Local intensity features (9ST6).
    LocalIntensity,
    /// Intensity-based statistical features (UHIW).
    Statistics,
    /// Intensity histogram features (ZVCW).
    IntensityHistogram,
    /// Intensity-volume histogram features (P88C).
    IntensityVolumeHistogram,
    /// Grey level co-occurrence based features (LFYI).
    Glcm,
    /// Grey level run length based features (TP0I).
    Glrlm,
    /// Grey level size zone based features (9SAK).
    Glszm,
    /// Grey level distance zone based features (VMDZ).
    Gldzm,
    /// Neighbourhood grey tone difference based features (IPET).
    Ngtdm,
    /// Neighbouring grey level dependence based features (REK0).
    Ngldm,
}

impl IbsiFamily {
    /// All families in the order of the reference manual.
    pub const ALL: [Self; 11] = [
        Self::Morphology,
        Self::LocalIntensity,
        Self::Statistics,
        Self::IntensityHistogram,
        Self::IntensityVolumeHistogram,
        Self::Glcm,
        Self::Glrlm,
        Self::Glszm,
        Self::Gldzm,
        Self::Ngtdm,
        Self::Ngldm,
    ];

    /// The family's identifier in the reference manual.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Morphology => "HCUG",
            Self::LocalIntensity => "9ST6",
            Self::Statistics => "UHIW",
            Self::IntensityHistogram => "ZVCW",
            Self::IntensityVolumeHistogram => "P88C",
            Self::Glcm => "LFYI",
            Self::Glrlm => "TP0I",
            Self::Glszm => "9SAK",
            Self::Gldzm => "VMDZ",
            Self::Ngtdm => "IPET",
            Self::Ngldm => "REK0",
        }
    }
}

/// How matrices of slices and directions are combined into one value.
///
/// Matrices with directions (co-occurrences, runs) know the six methods that average or merge directions; matrices
/// without (zones, neighbourhoods) know [`Aggregation::Slices`], [`Aggregation::MergedSlices`] and
/// [`Aggregation::Volume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Aggregation {
    /// 2D: features of each slice and direction, averaged (BTW3).
    #[serde(rename = "2D_avg")]
    SlicesAveraged,
    /// 2D: directions merged within each slice, features averaged over slices (SUJT).
    #[serde(rename = "2D_comb")]
    SlicesMergedDirections,
    /// 2.5D: slices merged for each direction, features averaged over directions (JJUI).
    #[serde(rename = "2_5D_avg")]
    MergedSlicesAveraged,
    /// 2.5D: all slices and directions merged (ZW7Z).
    #[serde(rename = "2_5D_comb")]
    MergedSlicesMergedDirections,
    /// 3D: features of each direction, averaged (ITBB).
    #[serde(rename = "3D_avg")]
    VolumeAveraged,
    /// 3D: all directions merged (IAZD).
    #[serde(rename = "3D_comb")]
    VolumeMergedDirections,
    /// 2D: features of each slice, averaged (8QNN).
    #[serde(rename = "2D")]
    Slices,
    /// 2.5D: slices merged (62GR).
    #[serde(rename = "2_5D")]
    MergedSlices,
    /// 3D (KOBO).
    #[serde(rename = "3D")]
    Volume,
}

impl Aggregation {
    /// The methods that work within slices.
    pub const PLANAR: [Self; 6] = [
        Self::SlicesAveraged,
        Self::SlicesMergedDirections,
        Self::MergedSlicesAveraged,
        Self::MergedSlicesMergedDirections,
        Self::Slices,
        Self::MergedSlices,
    ];
    /// The methods that work in three dimensions.
    pub const VOLUMETRIC: [Self; 3] = [Self::VolumeAveraged, Self::VolumeMergedDirections, Self::Volume];

    /// The method's identifier in the reference manual.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SlicesAveraged => "BTW3",
            Self::SlicesMergedDirections => "SUJT",
            Self::MergedSlicesAveraged => "JJUI",
            Self::MergedSlicesMergedDirections => "ZW7Z",
            Self::VolumeAveraged => "ITBB",
            Self::VolumeMergedDirections => "IAZD",
            Self::Slices => "8QNN",
            Self::MergedSlices => "62GR",
            Self::Volume => "KOBO",
        }
    }

    /// The method's suffix in the tags of the reference values, such as `2_5D_comb`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::SlicesAveraged => "2D_avg",
            Self::SlicesMergedDirections => "2D_comb",
            Self::MergedSlicesAveraged => "2_5D_avg",
            Self::MergedSlicesMergedDirections => "2_5D_comb",
            Self::VolumeAveraged => "3D_avg",
            Self::VolumeMergedDirections => "3D_comb",
            Self::Slices => "2D",
            Self::MergedSlices => "2_5D",
            Self::Volume => "3D",
        }
    }

    /// Whether the method applies to matrices that have directions.
    pub(crate) const fn has_directions(self) -> bool {
        !matches!(self, Self::Slices | Self::MergedSlices | Self::Volume)
    }
}

/// One feature of a family over the family's data `M`.
#[derive(Debug)]
pub(crate) struct Definition<M> {
    /// The feature's identifier in the reference manual.
    pub code: &'static str,
    /// Its short name in the tables of reference values.
    pub tag: &'static str,
    /// Its name in the reference manual.
    pub name: &'static str,
    /// The value.
    pub value: fn(&M) -> f64,
}

impl<M> Definition<M> {
    /// A row of a table of definitions.
    pub(crate) const fn new(code: &'static str, tag: &'static str, name: &'static str, value: fn(&M) -> f64) -> Self {
        Self { code, tag, name, value }
    }

    fn with_value(&self, family: IbsiFamily, aggregation: Option<Aggregation>, value: f64) -> IbsiFeature {
        IbsiFeature { code: self.code, family, aggregation, tag: self.tag, name: self.name, value }
    }
}

/// A feature with its value; NaN where it is not defined for the region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IbsiFeature {
    /// The feature's identifier in the reference manual, four characters.
    pub code: &'static str,
    /// Its family.
    pub family: IbsiFamily,
    /// How matrices were combined; `None` for families without matrices.
    pub aggregation: Option<Aggregation>,
    /// Short name in the tables of reference values, without the aggregation.
    pub tag: &'static str,
    /// Name in the reference manual.
    pub name: &'static str,
    /// The value.
    pub value: f64,
}

impl IbsiFeature {
    /// A name that is unique in an extraction: the tag of the reference tables with its aggregation, such as
    /// `cm_contrast_3D_avg`.
    #[must_use]
    pub fn column(&self) -> String {
        match self.aggregation {
            Some(aggregation) => format!("{}_{}", self.tag, aggregation.tag()),
            None => self.tag.to_owned(),
        }
    }
}

/// The features of a table for one set of data.
pub(crate) fn evaluate<M>(
    definitions: &[Definition<M>],
    family: IbsiFamily,
    aggregation: Option<Aggregation>,
    data: &M,
) -> Vec<IbsiFeature> {
    definitions.iter().map(|definition| definition.with_value(family, aggregation, (definition.value)(data))).collect()
}

/// The values of a table for one set of data.
pub(crate) fn values<M>(definitions: &[Definition<M>], data: &M) -> Vec<f64> {
    definitions.iter().map(|definition| (definition.value)(data)).collect()
}

/// The features of a table as means over several sets of [`values`]. What a set does not define is left out; NaN when
/// none does.
pub(crate) fn means<M>(
    definitions: &[Definition<M>],
    family: IbsiFamily,
    aggregation: Aggregation,
    sets: &[Vec<f64>],
) -> Vec<IbsiFeature> {
    let mean = |index: usize| crate::summation::mean_of_defined(sets.iter().map(|values| values[index]));
    definitions
        .iter()
        .enumerate()
        .map(|(index, definition)| definition.with_value(family, Some(aggregation), mean(index)))
        .collect()
}
