//! Medical images in physical space: DICOM, NIfTI, NRRD, MetaImage; N4 bias correction; resampling as ITK; crops; time-intensity curves.

mod error;
mod geometry;
mod volume;

pub use error::{ImagingError, Result};
pub use geometry::{Geometry, GeometryDifference, GeometryField};
pub use volume::{Image, LabelMap, PixelType, Volume, Voxel};
