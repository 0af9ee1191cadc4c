//! Which features each class has: the one place that knows every table of formulas.

use crate::feature::{FeatureClass, FeatureDescription, Formula};

impl FeatureClass {
    /// The features of the class, in the order of its columns.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ibsi::{self, Definition, Family};

    /// Code, family and name of every feature of the IBSI profile.
    fn definitions() -> Vec<(&'static str, Family, &'static str)> {
        fn of<M>(family: Family, definitions: &[Definition<M>]) -> Vec<(&'static str, Family, &'static str)> {
            definitions.iter().map(|definition| (definition.code, family, definition.name)).collect()
        }
        [
            of(Family::Morphology, ibsi::morphology::DEFINITIONS),
            of(Family::LocalIntensity, ibsi::local_intensity::DEFINITIONS),
            of(Family::Statistics, ibsi::statistics::DEFINITIONS),
            of(Family::IntensityHistogram, ibsi::intensity_histogram::DEFINITIONS),
            of(Family::IntensityVolumeHistogram, ibsi::intensity_volume_histogram::DEFINITIONS),
            of(Family::Glcm, ibsi::glcm::DEFINITIONS),
            of(Family::Glrlm, ibsi::glrlm::DEFINITIONS),
            of(Family::Glszm, ibsi::glszm::DEFINITIONS),
            of(Family::Gldzm, ibsi::gldzm::DEFINITIONS),
            of(Family::Ngtdm, ibsi::ngtdm::DEFINITIONS),
            of(Family::Ngldm, ibsi::ngldm::DEFINITIONS),
        ]
        .concat()
    }

    /// What the IBSI reference manual calls a feature of PyRadiomics, and in which family, by the two manuals' texts.
    #[rustfmt::skip]
    const MEANINGS: &[(FeatureClass, &str, Family, &str)] = &[
        (FeatureClass::FirstOrder, "10Percentile", Family::Statistics, "10th intensity percentile"),
        (FeatureClass::FirstOrder, "90Percentile", Family::Statistics, "90th intensity percentile"),
        (FeatureClass::FirstOrder, "Energy", Family::Statistics, "Intensity-based energy"),
        (FeatureClass::FirstOrder, "Entropy", Family::IntensityHistogram, "Discretised intensity entropy"),
        (FeatureClass::FirstOrder, "InterquartileRange", Family::Statistics, "Intensity interquartile range"),
        (FeatureClass::FirstOrder, "Maximum", Family::Statistics, "Maximum intensity"),
        (FeatureClass::FirstOrder, "MeanAbsoluteDeviation", Family::Statistics, "Intensity-based mean absolute deviation"),
        (FeatureClass::FirstOrder, "Mean", Family::Statistics, "Mean intensity"),
        (FeatureClass::FirstOrder, "Median", Family::Statistics, "Median intensity"),
        (FeatureClass::FirstOrder, "Minimum", Family::Statistics, "Minimum intensity"),
        (FeatureClass::FirstOrder, "Range", Family::Statistics, "Intensity range"),
        (FeatureClass::FirstOrder, "RobustMeanAbsoluteDeviation", Family::Statistics, "Intensity-based robust mean absolute deviation"),
        (FeatureClass::FirstOrder, "RootMeanSquared", Family::Statistics, "Root mean square intensity"),
        (FeatureClass::FirstOrder, "Skewness", Family::Statistics, "Intensity skewness"),
        (FeatureClass::FirstOrder, "Uniformity", Family::IntensityHistogram, "Discretised intensity uniformity"),
        (FeatureClass::FirstOrder, "Variance", Family::Statistics, "Intensity variance"),
        (FeatureClass::Glcm, "Autocorrelation", Family::Glcm, "Autocorrelation"),
        (FeatureClass::Glcm, "ClusterProminence", Family::Glcm, "Cluster prominence"),
        (FeatureClass::Glcm, "ClusterShade", Family::Glcm, "Cluster shade"),
        (FeatureClass::Glcm, "ClusterTendency", Family::Glcm, "Cluster tendency"),
        (FeatureClass::Glcm, "Contrast", Family::Glcm, "Contrast"),
        (FeatureClass::Glcm, "Correlation", Family::Glcm, "Correlation"),
        (FeatureClass::Glcm, "DifferenceAverage", Family::Glcm, "Difference average"),
        (FeatureClass::Glcm, "DifferenceEntropy", Family::Glcm, "Difference entropy"),
        (FeatureClass::Glcm, "DifferenceVariance", Family::Glcm, "Difference variance"),
        (FeatureClass::Glcm, "Id", Family::Glcm, "Inverse difference"),
        (FeatureClass::Glcm, "Idm", Family::Glcm, "Inverse difference moment"),
        (FeatureClass::Glcm, "Idmn", Family::Glcm, "Normalised inverse difference moment"),
        (FeatureClass::Glcm, "Idn", Family::Glcm, "Normalised inverse difference"),
        (FeatureClass::Glcm, "Imc1", Family::Glcm, "Information correlation 1"),
        (FeatureClass::Glcm, "Imc2", Family::Glcm, "Information correlation 2"),
        (FeatureClass::Glcm, "InverseVariance", Family::Glcm, "Inverse variance"),
        (FeatureClass::Glcm, "JointAverage", Family::Glcm, "Joint average"),
        (FeatureClass::Glcm, "JointEnergy", Family::Glcm, "Angular second moment"),
        (FeatureClass::Glcm, "JointEntropy", Family::Glcm, "Joint entropy"),
        (FeatureClass::Glcm, "MaximumProbability", Family::Glcm, "Joint maximum"),
        (FeatureClass::Glcm, "SumAverage", Family::Glcm, "Sum average"),
        (FeatureClass::Glcm, "SumEntropy", Family::Glcm, "Sum entropy"),
        (FeatureClass::Glcm, "SumSquares", Family::Glcm, "Joint variance"),
        (FeatureClass::Gldm, "DependenceEntropy", Family::Ngldm, "Dependence count entropy"),
        (FeatureClass::Gldm, "DependenceNonUniformity", Family::Ngldm, "Dependence count non-uniformity"),
        (FeatureClass::Gldm, "DependenceNonUniformityNormalized", Family::Ngldm, "Normalised dependence count non-uniformity"),
        (FeatureClass::Gldm, "DependenceVariance", Family::Ngldm, "Dependence count variance"),
        (FeatureClass::Gldm, "GrayLevelNonUniformity", Family::Ngldm, "Grey level non-uniformity"),
        (FeatureClass::Gldm, "GrayLevelVariance", Family::Ngldm, "Grey level variance"),
        (FeatureClass::Gldm, "HighGrayLevelEmphasis", Family::Ngldm, "High grey level count emphasis"),
        (FeatureClass::Gldm, "LargeDependenceEmphasis", Family::Ngldm, "High dependence emphasis"),
        (FeatureClass::Gldm, "LargeDependenceHighGrayLevelEmphasis", Family::Ngldm, "High dependence high grey level emphasis"),
        (FeatureClass::Gldm, "LargeDependenceLowGrayLevelEmphasis", Family::Ngldm, "High dependence low grey level emphasis"),
        (FeatureClass::Gldm, "LowGrayLevelEmphasis", Family::Ngldm, "Low grey level count emphasis"),
        (FeatureClass::Gldm, "SmallDependenceEmphasis", Family::Ngldm, "Low dependence emphasis"),
        (FeatureClass::Gldm, "SmallDependenceHighGrayLevelEmphasis", Family::Ngldm, "Low dependence high grey level emphasis"),
        (FeatureClass::Gldm, "SmallDependenceLowGrayLevelEmphasis", Family::Ngldm, "Low dependence low grey level emphasis"),
        (FeatureClass::Glrlm, "GrayLevelNonUniformity", Family::Glrlm, "Grey level non-uniformity"),
        (FeatureClass::Glrlm, "GrayLevelNonUniformityNormalized", Family::Glrlm, "Normalised grey level non-uniformity"),
        (FeatureClass::Glrlm, "GrayLevelVariance", Family::Glrlm, "Grey level variance"),
        (FeatureClass::Glrlm, "HighGrayLevelRunEmphasis", Family::Glrlm, "High grey level run emphasis"),
        (FeatureClass::Glrlm, "LongRunEmphasis", Family::Glrlm, "Long runs emphasis"),
        (FeatureClass::Glrlm, "LongRunHighGrayLevelEmphasis", Family::Glrlm, "Long run high grey level emphasis"),
        (FeatureClass::Glrlm, "LongRunLowGrayLevelEmphasis", Family::Glrlm, "Long run low grey level emphasis"),
        (FeatureClass::Glrlm, "LowGrayLevelRunEmphasis", Family::Glrlm, "Low grey level run emphasis"),
        (FeatureClass::Glrlm, "RunEntropy", Family::Glrlm, "Run entropy"),
        (FeatureClass::Glrlm, "RunLengthNonUniformity", Family::Glrlm, "Run length non-uniformity"),
        (FeatureClass::Glrlm, "RunLengthNonUniformityNormalized", Family::Glrlm, "Normalised run length non-uniformity"),
        (FeatureClass::Glrlm, "RunPercentage", Family::Glrlm, "Run percentage"),
        (FeatureClass::Glrlm, "RunVariance", Family::Glrlm, "Run length variance"),
        (FeatureClass::Glrlm, "ShortRunEmphasis", Family::Glrlm, "Short runs emphasis"),
        (FeatureClass::Glrlm, "ShortRunHighGrayLevelEmphasis", Family::Glrlm, "Short run high grey level emphasis"),
        (FeatureClass::Glrlm, "ShortRunLowGrayLevelEmphasis", Family::Glrlm, "Short run low grey level emphasis"),
        (FeatureClass::Glszm, "GrayLevelNonUniformity", Family::Glszm, "Grey level non-uniformity"),
        (FeatureClass::Glszm, "GrayLevelNonUniformityNormalized", Family::Glszm, "Normalised grey level non-uniformity"),
        (FeatureClass::Glszm, "GrayLevelVariance", Family::Glszm, "Grey level variance"),
        (FeatureClass::Glszm, "HighGrayLevelZoneEmphasis", Family::Glszm, "High grey level zone emphasis"),
        (FeatureClass::Glszm, "LargeAreaEmphasis", Family::Glszm, "Large zone emphasis"),
        (FeatureClass::Glszm, "LargeAreaHighGrayLevelEmphasis", Family::Glszm, "Large zone high grey level emphasis"),
        (FeatureClass::Glszm, "LargeAreaLowGrayLevelEmphasis", Family::Glszm, "Large zone low grey level emphasis"),
        (FeatureClass::Glszm, "LowGrayLevelZoneEmphasis", Family::Glszm, "Low grey level zone emphasis"),
        (FeatureClass::Glszm, "SizeZoneNonUniformity", Family::Glszm, "Zone size non-uniformity"),
        (FeatureClass::Glszm, "SizeZoneNonUniformityNormalized", Family::Glszm, "Normalised zone size non-uniformity"),
        (FeatureClass::Glszm, "SmallAreaEmphasis", Family::Glszm, "Small zone emphasis"),
        (FeatureClass::Glszm, "SmallAreaHighGrayLevelEmphasis", Family::Glszm, "Small zone high grey level emphasis"),
        (FeatureClass::Glszm, "SmallAreaLowGrayLevelEmphasis", Family::Glszm, "Small zone low grey level emphasis"),
        (FeatureClass::Glszm, "ZoneEntropy", Family::Glszm, "Zone size entropy"),
        (FeatureClass::Glszm, "ZonePercentage", Family::Glszm, "Zone percentage"),
        (FeatureClass::Glszm, "ZoneVariance", Family::Glszm, "Zone size variance"),
        (FeatureClass::Ngtdm, "Busyness", Family::Ngtdm, "Busyness"),
        (FeatureClass::Ngtdm, "Coarseness", Family::Ngtdm, "Coarseness"),
        (FeatureClass::Ngtdm, "Complexity", Family::Ngtdm, "Complexity"),
        (FeatureClass::Ngtdm, "Contrast", Family::Ngtdm, "Contrast"),
        (FeatureClass::Ngtdm, "Strength", Family::Ngtdm, "Strength"),
        (FeatureClass::Shape, "Compactness1", Family::Morphology, "Compactness 1"),
        (FeatureClass::Shape, "Compactness2", Family::Morphology, "Compactness 2"),
        (FeatureClass::Shape, "Elongation", Family::Morphology, "Elongation"),
        (FeatureClass::Shape, "Flatness", Family::Morphology, "Flatness"),
        (FeatureClass::Shape, "LeastAxisLength", Family::Morphology, "Least axis length"),
        (FeatureClass::Shape, "MajorAxisLength", Family::Morphology, "Major axis length"),
        (FeatureClass::Shape, "Maximum3DDiameter", Family::Morphology, "Maximum 3D diameter"),
        (FeatureClass::Shape, "MeshVolume", Family::Morphology, "Volume (mesh)"),
        (FeatureClass::Shape, "MinorAxisLength", Family::Morphology, "Minor axis length"),
        (FeatureClass::Shape, "SphericalDisproportion", Family::Morphology, "Spherical disproportion"),
        (FeatureClass::Shape, "Sphericity", Family::Morphology, "Sphericity"),
        (FeatureClass::Shape, "SurfaceArea", Family::Morphology, "Surface area (mesh)"),
        (FeatureClass::Shape, "SurfaceVolumeRatio", Family::Morphology, "Surface to volume ratio"),
        (FeatureClass::Shape, "VoxelVolume", Family::Morphology, "Volume (voxel counting)"),
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
