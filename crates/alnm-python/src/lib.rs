//! The native module `alnm._native` of the Python package `alnm`.
//!
//! It holds no logic of its own: arguments are turned into the types of the crates, the work runs without Python's lock
//! on a pool of threads, and results and errors are turned back. The interface that users see is the Python code in
//! `python/alnm`.

mod arrow;
mod error;
mod image;
mod imaging;
mod matrices;
mod parameters;
mod radiomics;
mod statistics;
mod threads;

/// What the Python code calls.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::arrow::arrow_columns;
    #[pymodule_export]
    use crate::error::AlnmError;
    #[pymodule_export]
    use crate::imaging::{file_geometry, n4, otsu_mask, read_image, read_mask, resample, write_image, write_mask};
    #[pymodule_export]
    use crate::matrices::{dependences, neighbour_differences, pairs, runs, zones};
    #[pymodule_export]
    use crate::parameters::{parse_parameters, setting_names};
    #[pymodule_export]
    use crate::radiomics::{extract, feature_classes, feature_maps, filtered_images, image_types};
    #[pymodule_export]
    use crate::statistics::{
        FittedCombat, auc, calibration_curve, calibration_of, cross_validated_path, decision_curve, elastic_net_path,
        firth, icc, icc_features, mrmr, net_benefit_difference, paired_auc_test, paired_auc_tests, unpaired_auc_test,
    };
    #[pymodule_export]
    use crate::threads::{set_threads, threads};

    /// The version of the crates.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
