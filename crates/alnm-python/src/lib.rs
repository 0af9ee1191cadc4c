//! The native module `alnm._native` of the Python package `alnm`.
//!
//! It has no logic of its own: it converts arguments to the types of the crates, runs the work on a pool of threads
//! while the global interpreter lock is released, and converts results and errors back. The interface for users is the
//! Python code in `python/alnm`.

mod arrow;
mod error;
mod fields;
mod image;
mod imaging;
mod kinetics;
mod matrices;
mod observer;
mod parameters;
mod radiomics;
mod regions;
mod registration;
mod segmentation;
mod statistics;
mod threads;
mod words;

/// The functions and classes that the Python code of the package calls. They are no interface for users.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::arrow::arrow_columns;
    #[pymodule_export]
    use crate::error::AlnmError;
    #[pymodule_export]
    use crate::imaging::{file_geometry, n4, otsu_mask, read_image, read_mask, resample, write_image, write_mask};
    #[pymodule_export]
    use crate::kinetics::{ArterialInput, kinetic_map_names, kinetic_maps, region_curve, region_kinetics, tofts_maps};
    #[pymodule_export]
    use crate::matrices::{dependences, neighbour_differences, pairs, runs, zones};
    #[pymodule_export]
    use crate::parameters::{parse_parameters, setting_names};
    #[pymodule_export]
    use crate::radiomics::{extract, feature_classes, feature_maps, filtered_images, image_types};
    #[pymodule_export]
    use crate::regions::{
        FittedHabitats, FittedScale, connected_components, largest_cross_section, rings, shells, signed_distance,
    };
    #[pymodule_export]
    use crate::registration::{FoundTransform, register, register_series};
    #[pymodule_export]
    use crate::segmentation::{
        active_contour, arrival_times, bubbles, changed_mask, compare_outlines, confidence_connected,
        connected_threshold, edge_speed, majority_vote, markup_points, mixture_speed, neighbourhood_connected, staple,
        threshold_speed,
    };
    #[pymodule_export]
    use crate::statistics::{
        FittedCombat, auc, calibration_curve, calibration_of, cross_validated_path, decision_curve, elastic_net_path,
        firth, icc, icc_features, mrmr, net_benefit_difference, paired_auc_test, paired_auc_tests, unpaired_auc_test,
    };
    #[pymodule_export]
    use crate::threads::{set_threads, threads};

    /// The version number of the crates.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
