//! Features as the Image Biomarker Standardisation Initiative defines them (reference manual: arXiv 1612.07003;
//! filters: arXiv 2006.05470), apart from the PyRadiomics profile of the rest of the crate and independent of its
//! settings.
//!
//! An [`IbsiProfile`] says what to do; [`IbsiProfile::check`] makes [`Parameters`](crate::Parameters) of it, with which
//! an [`Extractor`](crate::Extractor) does it, alone or beside PyRadiomics' features
//! ([`Parameters::with_ibsi`](crate::Parameters::with_ibsi)). Each feature carries its [`IbsiDefinition`] and, where
//! matrices are combined, its [`Aggregation`].
//!
//! ```
//! use alnm_radiomics::ibsi::{IbsiDiscretisation, IbsiProfile};
//! use alnm_radiomics::{Extractor, Geometry, Image, Volume};
//! use ndarray::Array3;
//!
//! let geometry = Geometry::axis_aligned([16, 16, 8], [1.0, 1.0, 2.0])?;
//! let image = Array3::from_shape_fn([8, 16, 16], |(z, y, x)| (40 * z + 7 * y + 3 * x) as i16);
//! let image = Image::I16(Volume::new(image, geometry.clone())?);
//! let mask = Volume::new(Array3::from_shape_fn([8, 16, 16], |(z, y, x)| u32::from(z > 1 && y > 3 && x > 5)), geometry)?;
//!
//! let profile = IbsiProfile::default().with_discretisation(IbsiDiscretisation::FixedBinNumber(16));
//! let extraction = Extractor::new(profile.check()?).execute(&image, &mask, 1)?;
//! let contrast = extraction.features.iter().find(|f| f.id.name() == "cm_contrast_3D_comb").ok_or("no such feature")?;
//! assert_eq!(contrast.id.ibsi().map(|feature| feature.code), Some("ACUI"));
//! assert!(contrast.value > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Small and flat regions
//!
//! An empty region, a voxel that is not finite, and levels that intensities cannot have are errors. A single voxel and
//! a flat region have features: skewness and kurtosis are 0, correlation is 1, information correlations are 0,
//! coarseness is 10⁶. What has no value is NaN: Moran's I and Geary's C of a flat region, co-occurrences without any
//! pair of neighbours, tone differences without neighbours, densities by an ellipsoid without volume.

pub(crate) mod definition;
pub(crate) mod diagnostics;
mod discretisation;
mod evaluation;
mod extraction;
pub mod filter;
mod fourier;
pub(crate) mod intensity_histogram;
pub(crate) mod intensity_volume_histogram;
mod interpolation;
pub(crate) mod local_intensity;
mod maps;
pub(crate) mod morphology;
mod profile;
mod region;
mod texture;

pub use definition::{Aggregation, IbsiDefinition, IbsiFamily};
pub use discretisation::IbsiDiscretisation;
pub(crate) use extraction::{IBSI_IMAGE, PreparedRegion};
pub use interpolation::Interpolation;
pub(crate) use maps::IbsiMap;
pub use profile::{FeatureMapSettings, IbsiProfile, InterpolationSettings, ReferenceConfiguration, Resegmentation};
