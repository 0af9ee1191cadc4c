#![doc = include_str!("../README.md")]
// Every function here is a foreign interface: callers in C own the promises that Rust cannot check.
#![allow(unsafe_code)]

mod border;
mod features;
mod image;
mod n4;

pub use border::{AlnmStatus, alnm_last_error, alnm_version};
pub use features::{
    AlnmFeatures, AlnmParameters, alnm_extract, alnm_features_count, alnm_features_free, alnm_features_name,
    alnm_features_value, alnm_features_warning, alnm_features_warning_count, alnm_parameters_free, alnm_parameters_new,
};
pub use image::{
    AlnmGeometry, AlnmImage, AlnmVoxelType, alnm_image_copy, alnm_image_free, alnm_image_geometry, alnm_image_new,
    alnm_image_read, alnm_image_voxel_count,
};
pub use n4::{AlnmN4, alnm_n4, alnm_n4_default};
