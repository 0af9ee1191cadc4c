//! Features as the Image Biomarker Standardisation Initiative defines them (reference manual: arXiv 1612.07003;
//! filters: arXiv 2006.05470), apart from the PyRadiomics profile of the rest of the crate and independent of its settings.
//!
//! An [`IbsiProfile`] says what to do; [`IbsiProfile::check`] makes an [`IbsiExtractor`] of it, which does it. Each [`IbsiFeature`] carries its identifier in the
//! reference manual, its family and, where matrices are combined, its aggregation method.
//!
//! ```
//! use alnm_imaging::{Geometry, Volume};
//! use alnm_radiomics::ibsi::{Aggregation, IbsiDiscretisation, IbsiProfile};
//! use ndarray::Array3;
//!
//! let geometry = Geometry::axis_aligned([16, 16, 8], [1.0, 1.0, 2.0])?;
//! let image = Volume::new(Array3::from_shape_fn([8, 16, 16], |(z, y, x)| (40 * z + 7 * y + 3 * x) as i16), geometry.clone())?;
//! let mask = Volume::new(Array3::from_shape_fn([8, 16, 16], |(z, y, x)| u32::from(z > 1 && y > 3 && x > 5)), geometry)?;
//!
//! let profile = IbsiProfile::default().with_discretisation(IbsiDiscretisation::FixedBinNumber(16));
//! let extraction = profile.check()?.extract(&image, &mask, 1)?;
//! let contrast = extraction.features.iter().find(|f| f.code == "ACUI" && f.aggregation == Some(Aggregation::VolumeMergedDirections));
//! assert!(contrast.is_some_and(|contrast| contrast.value > 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Small and flat regions
//!
//! An empty region, a voxel that is not finite, and levels that intensities cannot have are errors. A single voxel and
//! a flat region have features: skewness and kurtosis are 0, correlation is 1, information correlations are 0,
//! coarseness is 10⁶. What has no value is NaN: Moran's I and Geary's C of a flat region, co-occurrences without any
//! pair of neighbours, tone differences without neighbours, densities by an ellipsoid without volume.

mod diagnostics;
mod discretisation;
mod error;
mod extraction;
pub(crate) mod feature;
pub mod filter;
mod fourier;
pub(crate) mod glcm;
pub(crate) mod gldzm;
pub(crate) mod glrlm;
pub(crate) mod glszm;
pub(crate) mod intensity_histogram;
pub(crate) mod intensity_volume_histogram;
mod interpolation;
pub(crate) mod local_intensity;
pub(crate) mod morphology;
pub(crate) mod ngldm;
pub(crate) mod ngtdm;
mod profile;
mod region;
pub(crate) mod statistics;
mod texture;
mod zones;

pub use diagnostics::{IbsiDiagnostics, ImageSummary, RegionSummary};
pub use discretisation::IbsiDiscretisation;
pub use error::{IbsiError, Result};
pub use extraction::{IbsiExtraction, IbsiExtractor};
pub use feature::{Aggregation, IbsiFamily, IbsiFeature};
pub use interpolation::Interpolation;
pub use profile::{IbsiProfile, InterpolationSettings, ReferenceConfiguration, Resegmentation};
