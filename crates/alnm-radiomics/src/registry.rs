//! Which features each class and each family has: the one place that knows every table of formulas.

use crate::feature::{FeatureClass, FeatureDescription, Formula, Selection};

impl FeatureClass {
    /// The features of the class, in the order of its columns.
    #[must_use]
    pub fn features(self) -> Vec<FeatureDescription> {
        fn described<M>(formulas: &[Formula<M>]) -> Vec<FeatureDescription> {
            formulas.iter().filter_map(Formula::description).collect()
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::feature::Compliance;
    use crate::ibsi::definition::{IbsiDefinition, IbsiFamily};
    use crate::ibsi::{intensity_histogram, intensity_volume_histogram, local_intensity, morphology};

    /// The definitions that a table has the reference manual's formula of.
    fn defined<M>(formulas: &[Formula<M>]) -> Vec<IbsiDefinition> {
        formulas.iter().filter(|formula| formula.compliance == Compliance::Compliant).filter_map(|f| f.ibsi).collect()
    }

    #[test]
    fn every_feature_of_the_manual_has_one_formula() {
        let tables = [
            (IbsiFamily::Morphology, defined(morphology::FORMULAS)),
            (IbsiFamily::LocalIntensity, defined(local_intensity::FORMULAS)),
            (IbsiFamily::Statistics, defined(crate::first_order::FORMULAS)),
            (IbsiFamily::IntensityHistogram, defined(intensity_histogram::FORMULAS)),
            (IbsiFamily::IntensityVolumeHistogram, defined(intensity_volume_histogram::FORMULAS)),
            (IbsiFamily::Glcm, defined(crate::glcm::FORMULAS)),
            (IbsiFamily::Glrlm, defined(crate::glrlm::FORMULAS)),
            (IbsiFamily::Glszm, defined(crate::glszm::FORMULAS)),
            (IbsiFamily::Gldzm, defined(crate::gldzm::FORMULAS)),
            (IbsiFamily::Ngtdm, defined(crate::ngtdm::FORMULAS)),
            (IbsiFamily::Ngldm, defined(crate::gldm::FORMULAS)),
        ];
        assert_eq!(tables.each_ref().map(|(family, _)| *family), IbsiFamily::ALL);
        for (family, defined) in tables {
            for definition in family.definitions() {
                let formulas = defined.iter().filter(|other| *other == definition).count();
                assert_eq!(formulas, 1, "formulas of {definition:?}");
            }
        }
    }

    #[test]
    fn codes_and_tags_are_unique() {
        let all: Vec<&IbsiDefinition> = IbsiFamily::ALL.iter().flat_map(|family| family.definitions()).collect();
        let distinct = |of: fn(&IbsiDefinition) -> &'static str| all.iter().map(|d| of(d)).collect::<BTreeSet<_>>();
        assert_eq!((all.len(), distinct(|d| d.code).len(), distinct(|d| d.tag).len()), (174, 174, 174));
        assert!(all.iter().all(|definition| definition.code.len() == 4));
    }

    #[test]
    fn names_are_unique_within_a_class_and_definitions_across_them() {
        let mut definitions = Vec::new();
        for class in FeatureClass::ALL {
            let features = class.features();
            let names: BTreeSet<_> = features.iter().map(|feature| feature.name).collect();
            assert_eq!(names.len(), features.len(), "{class}");
            definitions.extend(features.iter().filter_map(|feature| feature.ibsi));
        }
        assert_eq!(definitions.iter().collect::<BTreeSet<_>>().len(), definitions.len());
    }
}
