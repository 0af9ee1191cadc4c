#![doc = include_str!("../README.md")]

pub mod derived_image;
mod diagnostics;
mod diameter;
pub mod discretisation;
mod error;
mod extraction;
mod feature;
pub mod filter;
pub mod first_order;
pub mod glcm;
pub mod gldm;
pub mod glrlm;
pub mod glszm;
pub mod ibsi;
mod image_type;
pub mod level_map;
mod marching_cubes;
pub mod ngtdm;
mod normalisation;
pub mod parameters;
mod principal_axes;
pub mod python_text;
mod region;
pub mod shape;
pub mod shape2d;
mod singular_value;
pub mod size_matrix;
mod summation;
mod voxel_maps;

pub use diagnostics::{Diagnostic, DiagnosticValue};
pub use error::{RadiomicsError, Result};
pub use extraction::{Extraction, Extractor, FilteredImages, ImageProgress, Warning};
pub use feature::{ClassValue, FeatureClass, FeatureDescription, FeatureId, FeatureValue, Formula, Selection};
pub use image_type::ImageType;
pub use parameters::Parameters;
pub use voxel_maps::{FeatureMap, MapExtraction};
