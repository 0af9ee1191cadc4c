#![doc = include_str!("../README.md")]

mod atomic_file;
mod data_files;
pub mod dce;
pub mod dicom;
mod error;
mod extremes;
pub mod file;
mod format;
mod geometry;
pub mod intensity;
pub mod mask;
pub mod metaimage;
pub mod n4;
pub mod nifti;
pub mod nrrd;
pub mod otsu;
pub mod region;
pub mod resample;
pub mod vector;
mod volume;
mod voxel_box;
mod voxel_data;

pub use error::{FileProblem, ImagingError, NonFiniteVoxel, Result};
pub use extremes::Extremes;
pub use file::{file_format, read_geometry, read_image, write_image, write_mask, written_files};
pub use format::{FileFormat, MAX_VOXEL_BYTES};
pub use geometry::{Geometry, GeometryDifference, GeometryField};
pub use mask::{read_mask, read_mask_channel};
pub use volume::{Image, LabelMap, PixelType, Volume, Voxel};
