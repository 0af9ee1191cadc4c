//! Which features each class has: the one place that knows every table of formulas.

use crate::feature::{FeatureClass, FeatureDescription, Formula, Selection};

impl FeatureClass {
    /// The features of the class, in the order of its columns.
    #[must_use]
    pub fn features(self) -> Vec<FeatureDescription> {
        fn described<M>(formulas: &[Formula<M>]) -> Vec<FeatureDescription> {
            formulas.iter().map(Formula::description).collect()
        }
        match self {
            Self::FirstOrder => described(crate::first_order::FORMULAS),
            Self::Glcm => described(crate::glcm::FORMULAS),
            Self::Gldm => described(crate::gldm::FORMULAS),
            Self::Glrlm => described(crate::glrlm::FORMULAS),
            Self::Glszm => described(crate::glszm::FORMULAS),
            Self::Ngtdm => described(crate::ngtdm::FORMULAS),
            Self::Shape => described(crate::shape::FORMULAS),
            Self::Shape2D => described(crate::shape2d::FORMULAS),
        }
    }
}

impl Selection {
    /// The selected features of a class, in the order of the result.
    pub(crate) fn described(&self, class: FeatureClass) -> Vec<FeatureDescription> {
        let features = class.features();
        match self {
            Self::Default => features.into_iter().filter(|feature| feature.by_default).collect(),
            Self::Named(names) => {
                names.iter().filter_map(|name| features.iter().find(|feature| feature.name == name)).copied().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ibsi::feature::Definition;
    use crate::ibsi::{self, IbsiFamily};

    /// Code, family and name of every feature of the IBSI profile.
    fn definitions() -> Vec<(&'static str, IbsiFamily, &'static str)> {
        fn of<M>(family: IbsiFamily, definitions: &[Definition<M>]) -> Vec<(&'static str, IbsiFamily, &'static str)> {
            definitions.iter().map(|definition| (definition.code, family, definition.name)).collect()
        }
        [
            of(IbsiFamily::Morphology, ibsi::morphology::DEFINITIONS),
            of(IbsiFamily::LocalIntensity, ibsi::local_intensity::DEFINITIONS),
            of(IbsiFamily::Statistics, ibsi::statistics::DEFINITIONS),
            of(IbsiFamily::IntensityHistogram, ibsi::intensity_histogram::DEFINITIONS),
            of(IbsiFamily::IntensityVolumeHistogram, ibsi::intensity_volume_histogram::DEFINITIONS),
            of(IbsiFamily::Glcm, ibsi::glcm::DEFINITIONS),
            of(IbsiFamily::Glrlm, ibsi::glrlm::DEFINITIONS),
            of(IbsiFamily::Glszm, ibsi::glszm::DEFINITIONS),
            of(IbsiFamily::Gldzm, ibsi::gldzm::DEFINITIONS),
            of(IbsiFamily::Ngtdm, ibsi::ngtdm::DEFINITIONS),
            of(IbsiFamily::Ngldm, ibsi::ngldm::DEFINITIONS),
        ]
        .concat()
    }

    /// What the IBSI reference manual calls a feature of PyRadiomics, and in which family, by the two manuals' texts.
    #[rustfmt::skip]
    const MEANINGS: &[(FeatureClass, &str, IbsiFamily, &str)] = &[
        (FeatureClass::FirstOrder, "10Percentile", IbsiFamily::Statistics, "10th intensity percentile"),
        (FeatureClass::FirstOrder, "90Percentile", IbsiFamily::Statistics, "90th intensity percentile"),
        (FeatureClass::FirstOrder, "Energy", IbsiFamily::Statistics, "Intensity-based energy"),
        (FeatureClass::FirstOrder, "Entropy", IbsiFamily::IntensityHistogram, "Discretised intensity entropy"),
        (FeatureClass::FirstOrder, "InterquartileRange", IbsiFamily::Statistics, "Intensity interquartile range"),
        (FeatureClass::FirstOrder, "Maximum", IbsiFamily::Statistics, "Maximum intensity"),
        (FeatureClass::FirstOrder, "MeanAbsoluteDeviation", IbsiFamily::Statistics, "Intensity-based mean absolute deviation"),
        (FeatureClass::FirstOrder, "Mean", IbsiFamily::Statistics, "Mean intensity"),
        (FeatureClass::FirstOrder, "Median", IbsiFamily::Statistics, "Median intensity"),
        (FeatureClass::FirstOrder, "Minimum", IbsiFamily::Statistics, "Minimum intensity"),
        (FeatureClass::FirstOrder, "Range", IbsiFamily::Statistics, "Intensity range"),
        (FeatureClass::FirstOrder, "RobustMeanAbsoluteDeviation", IbsiFamily::Statistics, "Intensity-based robust mean absolute deviation"),
        (FeatureClass::FirstOrder, "RootMeanSquared", IbsiFamily::Statistics, "Root mean square intensity"),
        (FeatureClass::FirstOrder, "Skewness", IbsiFamily::Statistics, "Intensity skewness"),
        (FeatureClass::FirstOrder, "Uniformity", IbsiFamily::IntensityHistogram, "Discretised intensity uniformity"),
        (FeatureClass::FirstOrder, "Variance", IbsiFamily::Statistics, "Intensity variance"),
        (FeatureClass::Glcm, "Autocorrelation", IbsiFamily::Glcm, "Autocorrelation"),
        (FeatureClass::Glcm, "ClusterProminence", IbsiFamily::Glcm, "Cluster prominence"),
        (FeatureClass::Glcm, "ClusterShade", IbsiFamily::Glcm, "Cluster shade"),
        (FeatureClass::Glcm, "ClusterTendency", IbsiFamily::Glcm, "Cluster tendency"),
        (FeatureClass::Glcm, "Contrast", IbsiFamily::Glcm, "Contrast"),
        (FeatureClass::Glcm, "Correlation", IbsiFamily::Glcm, "Correlation"),
        (FeatureClass::Glcm, "DifferenceAverage", IbsiFamily::Glcm, "Difference average"),
        (FeatureClass::Glcm, "DifferenceEntropy", IbsiFamily::Glcm, "Difference entropy"),
        (FeatureClass::Glcm, "DifferenceVariance", IbsiFamily::Glcm, "Difference variance"),
        (FeatureClass::Glcm, "Id", IbsiFamily::Glcm, "Inverse difference"),
        (FeatureClass::Glcm, "Idm", IbsiFamily::Glcm, "Inverse difference moment"),
        (FeatureClass::Glcm, "Idmn", IbsiFamily::Glcm, "Normalised inverse difference moment"),
        (FeatureClass::Glcm, "Idn", IbsiFamily::Glcm, "Normalised inverse difference"),
        (FeatureClass::Glcm, "Imc1", IbsiFamily::Glcm, "Information correlation 1"),
        (FeatureClass::Glcm, "Imc2", IbsiFamily::Glcm, "Information correlation 2"),
        (FeatureClass::Glcm, "InverseVariance", IbsiFamily::Glcm, "Inverse variance"),
        (FeatureClass::Glcm, "JointAverage", IbsiFamily::Glcm, "Joint average"),
        (FeatureClass::Glcm, "JointEnergy", IbsiFamily::Glcm, "Angular second moment"),
        (FeatureClass::Glcm, "JointEntropy", IbsiFamily::Glcm, "Joint entropy"),
        (FeatureClass::Glcm, "MaximumProbability", IbsiFamily::Glcm, "Joint maximum"),
        (FeatureClass::Glcm, "SumAverage", IbsiFamily::Glcm, "Sum average"),
        (FeatureClass::Glcm, "SumEntropy", IbsiFamily::Glcm, "Sum entropy"),
        (FeatureClass::Glcm, "SumSquares", IbsiFamily::Glcm, "Joint variance"),
        (FeatureClass::Gldm, "DependenceEntropy", IbsiFamily::Ngldm, "Dependence count entropy"),
        (FeatureClass::Gldm, "DependenceNonUniformity", IbsiFamily::Ngldm, "Dependence count non-uniformity"),
        (FeatureClass::Gldm, "DependenceNonUniformityNormalized", IbsiFamily::Ngldm, "Normalised dependence count non-uniformity"),
        (FeatureClass::Gldm, "DependenceVariance", IbsiFamily::Ngldm, "Dependence count variance"),
        (FeatureClass::Gldm, "GrayLevelNonUniformity", IbsiFamily::Ngldm, "Grey level non-uniformity"),
        (FeatureClass::Gldm, "GrayLevelVariance", IbsiFamily::Ngldm, "Grey level variance"),
        (FeatureClass::Gldm, "HighGrayLevelEmphasis", IbsiFamily::Ngldm, "High grey level count emphasis"),
        (FeatureClass::Gldm, "LargeDependenceEmphasis", IbsiFamily::Ngldm, "High dependence emphasis"),
        (FeatureClass::Gldm, "LargeDependenceHighGrayLevelEmphasis", IbsiFamily::Ngldm, "High dependence high grey level emphasis"),
        (FeatureClass::Gldm, "LargeDependenceLowGrayLevelEmphasis", IbsiFamily::Ngldm, "High dependence low grey level emphasis"),
        (FeatureClass::Gldm, "LowGrayLevelEmphasis", IbsiFamily::Ngldm, "Low grey level count emphasis"),
        (FeatureClass::Gldm, "SmallDependenceEmphasis", IbsiFamily::Ngldm, "Low dependence emphasis"),
        (FeatureClass::Gldm, "SmallDependenceHighGrayLevelEmphasis", IbsiFamily::Ngldm, "Low dependence high grey level emphasis"),
        (FeatureClass::Gldm, "SmallDependenceLowGrayLevelEmphasis", IbsiFamily::Ngldm, "Low dependence low grey level emphasis"),
        (FeatureClass::Glrlm, "GrayLevelNonUniformity", IbsiFamily::Glrlm, "Grey level non-uniformity"),
        (FeatureClass::Glrlm, "GrayLevelNonUniformityNormalized", IbsiFamily::Glrlm, "Normalised grey level non-uniformity"),
        (FeatureClass::Glrlm, "GrayLevelVariance", IbsiFamily::Glrlm, "Grey level variance"),
        (FeatureClass::Glrlm, "HighGrayLevelRunEmphasis", IbsiFamily::Glrlm, "High grey level run emphasis"),
        (FeatureClass::Glrlm, "LongRunEmphasis", IbsiFamily::Glrlm, "Long runs emphasis"),
        (FeatureClass::Glrlm, "LongRunHighGrayLevelEmphasis", IbsiFamily::Glrlm, "Long run high grey level emphasis"),
        (FeatureClass::Glrlm, "LongRunLowGrayLevelEmphasis", IbsiFamily::Glrlm, "Long run low grey level emphasis"),
        (FeatureClass::Glrlm, "LowGrayLevelRunEmphasis", IbsiFamily::Glrlm, "Low grey level run emphasis"),
        (FeatureClass::Glrlm, "RunEntropy", IbsiFamily::Glrlm, "Run entropy"),
        (FeatureClass::Glrlm, "RunLengthNonUniformity", IbsiFamily::Glrlm, "Run length non-uniformity"),
        (FeatureClass::Glrlm, "RunLengthNonUniformityNormalized", IbsiFamily::Glrlm, "Normalised run length non-uniformity"),
        (FeatureClass::Glrlm, "RunPercentage", IbsiFamily::Glrlm, "Run percentage"),
        (FeatureClass::Glrlm, "RunVariance", IbsiFamily::Glrlm, "Run length variance"),
        (FeatureClass::Glrlm, "ShortRunEmphasis", IbsiFamily::Glrlm, "Short runs emphasis"),
        (FeatureClass::Glrlm, "ShortRunHighGrayLevelEmphasis", IbsiFamily::Glrlm, "Short run high grey level emphasis"),
        (FeatureClass::Glrlm, "ShortRunLowGrayLevelEmphasis", IbsiFamily::Glrlm, "Short run low grey level emphasis"),
        (FeatureClass::Glszm, "GrayLevelNonUniformity", IbsiFamily::Glszm, "Grey level non-uniformity"),
        (FeatureClass::Glszm, "GrayLevelNonUniformityNormalized", IbsiFamily::Glszm, "Normalised grey level non-uniformity"),
        (FeatureClass::Glszm, "GrayLevelVariance", IbsiFamily::Glszm, "Grey level variance"),
        (FeatureClass::Glszm, "HighGrayLevelZoneEmphasis", IbsiFamily::Glszm, "High grey level zone emphasis"),
        (FeatureClass::Glszm, "LargeAreaEmphasis", IbsiFamily::Glszm, "Large zone emphasis"),
        (FeatureClass::Glszm, "LargeAreaHighGrayLevelEmphasis", IbsiFamily::Glszm, "Large zone high grey level emphasis"),
        (FeatureClass::Glszm, "LargeAreaLowGrayLevelEmphasis", IbsiFamily::Glszm, "Large zone low grey level emphasis"),
        (FeatureClass::Glszm, "LowGrayLevelZoneEmphasis", IbsiFamily::Glszm, "Low grey level zone emphasis"),
        (FeatureClass::Glszm, "SizeZoneNonUniformity", IbsiFamily::Glszm, "Zone size non-uniformity"),
        (FeatureClass::Glszm, "SizeZoneNonUniformityNormalized", IbsiFamily::Glszm, "Normalised zone size non-uniformity"),
        (FeatureClass::Glszm, "SmallAreaEmphasis", IbsiFamily::Glszm, "Small zone emphasis"),
        (FeatureClass::Glszm, "SmallAreaHighGrayLevelEmphasis", IbsiFamily::Glszm, "Small zone high grey level emphasis"),
        (FeatureClass::Glszm, "SmallAreaLowGrayLevelEmphasis", IbsiFamily::Glszm, "Small zone low grey level emphasis"),
        (FeatureClass::Glszm, "ZoneEntropy", IbsiFamily::Glszm, "Zone size entropy"),
        (FeatureClass::Glszm, "ZonePercentage", IbsiFamily::Glszm, "Zone percentage"),
        (FeatureClass::Glszm, "ZoneVariance", IbsiFamily::Glszm, "Zone size variance"),
        (FeatureClass::Ngtdm, "Busyness", IbsiFamily::Ngtdm, "Busyness"),
        (FeatureClass::Ngtdm, "Coarseness", IbsiFamily::Ngtdm, "Coarseness"),
        (FeatureClass::Ngtdm, "Complexity", IbsiFamily::Ngtdm, "Complexity"),
        (FeatureClass::Ngtdm, "Contrast", IbsiFamily::Ngtdm, "Contrast"),
        (FeatureClass::Ngtdm, "Strength", IbsiFamily::Ngtdm, "Strength"),
        (FeatureClass::Shape, "Compactness1", IbsiFamily::Morphology, "Compactness 1"),
        (FeatureClass::Shape, "Compactness2", IbsiFamily::Morphology, "Compactness 2"),
        (FeatureClass::Shape, "Elongation", IbsiFamily::Morphology, "Elongation"),
        (FeatureClass::Shape, "Flatness", IbsiFamily::Morphology, "Flatness"),
        (FeatureClass::Shape, "LeastAxisLength", IbsiFamily::Morphology, "Least axis length"),
        (FeatureClass::Shape, "MajorAxisLength", IbsiFamily::Morphology, "Major axis length"),
        (FeatureClass::Shape, "Maximum3DDiameter", IbsiFamily::Morphology, "Maximum 3D diameter"),
        (FeatureClass::Shape, "MeshVolume", IbsiFamily::Morphology, "Volume (mesh)"),
        (FeatureClass::Shape, "MinorAxisLength", IbsiFamily::Morphology, "Minor axis length"),
        (FeatureClass::Shape, "SphericalDisproportion", IbsiFamily::Morphology, "Spherical disproportion"),
        (FeatureClass::Shape, "Sphericity", IbsiFamily::Morphology, "Sphericity"),
        (FeatureClass::Shape, "SurfaceArea", IbsiFamily::Morphology, "Surface area (mesh)"),
        (FeatureClass::Shape, "SurfaceVolumeRatio", IbsiFamily::Morphology, "Surface to volume ratio"),
        (FeatureClass::Shape, "VoxelVolume", IbsiFamily::Morphology, "Volume (voxel counting)"),
    ];

    #[test]
    fn a_code_means_the_same_in_both_profiles() {
        let definitions = definitions();
        let mut compared = 0;
        for class in FeatureClass::ALL {
            for feature in class.features() {
                let meaning = MEANINGS.iter().find(|meaning| (meaning.0, meaning.1) == (class, feature.name));
                let named = feature.ibsi.map(|code| {
                    let of_code: Vec<_> = definitions.iter().filter(|definition| definition.0 == code).collect();
                    assert_eq!(of_code.len(), 1, "{class} {}: definitions of {code}", feature.name);
                    (of_code[0].1, of_code[0].2)
                });
                assert_eq!(named, meaning.map(|meaning| (meaning.2, meaning.3)), "{class} {}", feature.name);
                compared += usize::from(named.is_some());
            }
        }
        assert_eq!(compared, MEANINGS.len(), "every meaning belongs to a feature");
    }

    #[test]
    fn names_are_unique_within_a_class_and_codes_across_them() {
        let mut codes = Vec::new();
        for class in FeatureClass::ALL {
            let features = class.features();
            for (position, feature) in features.iter().enumerate() {
                let earlier = &features[..position];
                assert!(earlier.iter().all(|other| other.name != feature.name), "{class} {}", feature.name);
                codes.extend(feature.ibsi);
            }
        }
        let unique: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(unique.len(), codes.len());
    }
}
