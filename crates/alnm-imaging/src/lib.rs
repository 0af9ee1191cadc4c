#![doc = include_str!("../README.md")]

mod atomic_file;
mod data_files;
pub mod dce;
mod deflate;
#[cfg(feature = "dicom")]
pub mod dicom;
pub mod distance;
mod dynamic_series;
mod error;
mod extremes;
pub mod file;
mod format;
pub mod fourier;
mod geometry;
mod geometry_difference;
pub mod habitat;
pub mod intensity;
pub mod kinetics;
mod large_pages;
pub mod mask;
mod matrix_inverse;
pub mod metaimage;
pub mod n4;
pub mod nifti;
pub mod nrrd;
pub mod otsu;
#[doc(hidden)]
pub mod parallel;
mod progress;
pub mod region;
pub mod resample;
pub mod standardisation;
#[doc(hidden)]
pub mod vector;
mod volume;
mod voxel_box;
mod voxel_data;

pub use error::{FileProblem, ImagingError, NonFiniteVoxel, Result};
#[doc(hidden)]
pub use extremes::Extremes;
pub use file::{file_format, read_image, write_image, write_mask, written_files};
pub use format::{FileFormat, MAX_VOXEL_BYTES};
pub use geometry::Geometry;
pub use geometry_difference::{GeometryDifference, GeometryField};
pub use mask::{read_mask, read_mask_channel, read_mask_with};
pub use progress::{PartsDone, ProgressObserver};
pub use volume::{Image, LabelMap, PixelType, Volume, Voxel};
