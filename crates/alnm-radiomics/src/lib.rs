#![doc = include_str!("../README.md")]

mod border_distance;
mod derived_image;
mod diagnostics;
mod diameter;
pub mod discretisation;
mod entropy;
mod error;
mod extraction;
mod feature;
pub mod filter;
pub mod first_order;
pub mod glcm;
pub mod gldm;
mod gldzm;
pub mod glrlm;
pub mod glszm;
mod grey_values;
pub mod ibsi;
mod image_features;
mod image_type;
mod level_map;
mod map_progress;
mod map_rows;
mod marching_cubes;
mod neighbourhood;
pub mod ngtdm;
mod normalisation;
mod pairs_and_runs;
mod parameter_error;
pub mod parameters;
#[cfg(feature = "perturbation")]
pub mod perturbation;
mod preparation;
mod principal_axes;
mod python_text;
mod region;
mod registry;
mod series_table;
pub mod shape;
pub mod shape2d;
mod shape_features;
mod singular_value;
mod size_matrix;
mod summation;
mod tally;
mod voxel_hash;
mod voxel_maps;
mod warning;
mod weighting;
mod windows;
mod zones;

pub use alnm_imaging::mask::{Mask, MaskRef};
pub use alnm_imaging::{Geometry, Image, LabelMap, Volume};

pub use diagnostics::{Diagnostic, DiagnosticValue};
pub use error::{RadiomicsError, Result};
pub use extraction::{Extraction, Extractor, FilteredImages, ImageProgress};
pub use feature::{
    ClassValue, Compliance, FeatureClass, FeatureDescription, FeatureId, FeatureProfile, FeatureValue, Formula,
    Selection,
};
pub use image_type::ImageType;
pub use level_map::{LevelMap, Offset};
pub use map_progress::MapProgress;
pub use parameters::Parameters;
pub use python_text::float as python_float;
pub use series_table::{
    DeltaKind, KnownFeatures, MissingFeatures, NamedImage, NamedRegion, SeriesExtractor, SeriesRow,
};
pub use size_matrix::{SizeCell, SizeMatrix};
pub use voxel_maps::{FeatureMap, MapExtraction};
pub use warning::Warning;
