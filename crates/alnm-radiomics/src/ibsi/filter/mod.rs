//! Convolutional filters of the reference manual's second part (arXiv 2006.05470).
//!
//! A filter works on slices or in three dimensions, continues the image beyond its edges by a boundary condition, and
//! gives a response map on the image's grid. Only what the asked part of the map needs is computed.
//!
//! ```
//! use alnm_imaging::{Geometry, Volume};
//! use alnm_radiomics::ibsi::filter::{BoundaryCondition, Dimensions, Filter, Kernel};
//!
//! let image = Volume::filled(Geometry::axis_aligned([8, 8, 8], [2.0; 3])?, 3.0);
//! let filter = Filter::new(Dimensions::Three, Kernel::Mean { support: 5 }).with_boundary(BoundaryCondition::Mirror);
//! assert!(filter.response(&image)?.as_slice().iter().all(|value| (value - 3.0).abs() < 1e-12));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod gabor;
mod laplacian_of_gaussian;
mod laws;
mod mean;
mod nonseparable_wavelet;
mod riesz;
mod separable;
mod separable_wavelet;
mod spectrum;

use std::ops::Range;

use alnm_imaging::Volume;
use alnm_imaging::region::VoxelBox;
use serde::{Deserialize, Serialize};

pub use laws::LawsKernel;

use crate::error::Result;
use crate::filter::wavelet::Filters;
use crate::parameter_error::ParameterError;
use riesz::Riesz;

/// How an image is continued beyond its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BoundaryCondition {
    /// With zeros.
    Zero,
    /// With the outermost voxel.
    Nearest,
    /// With the opposite side.
    Periodic,
    /// With its reflection, the outermost voxel repeated: c b a | a b c | c b a.
    #[default]
    Mirror,
}

impl BoundaryCondition {
    /// The voxel of a line of `length` that stands at `position`; `None` for a zero.
    pub(crate) fn index(self, position: isize, length: usize) -> Option<usize> {
        let n = length as isize;
        match self {
            _ if (0..n).contains(&position) => Some(position as usize),
            Self::Zero => None,
            Self::Nearest => Some(position.clamp(0, n - 1) as usize),
            Self::Periodic => Some(position.rem_euclid(n) as usize),
            Self::Mirror => {
                let within = position.rem_euclid(2 * n);
                Some(within.min(2 * n - 1 - within) as usize)
            }
        }
    }
}

/// How the responses of several orientations become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pooling {
    /// Their mean.
    Average,
    /// Their maximum.
    Maximum,
}

/// Response maps pooled one by one, in the order in which they are added.
struct Pool {
    pooling: Pooling,
    values: Vec<f64>,
    maps: usize,
}

impl Pool {
    const fn new(pooling: Pooling) -> Self {
        Self { pooling, values: Vec::new(), maps: 0 }
    }

    fn add(&mut self, map: Vec<f64>) {
        self.maps += 1;
        if self.maps == 1 {
            self.values = map;
            return;
        }
        let pairs = self.values.iter_mut().zip(map);
        match self.pooling {
            Pooling::Average => pairs.for_each(|(pooled, value)| *pooled += value),
            Pooling::Maximum => pairs.for_each(|(pooled, value)| *pooled = pooled.max(value)),
        }
    }

    fn finish(mut self) -> Vec<f64> {
        if self.pooling == Pooling::Average {
            let share = 1.0 / self.maps as f64;
            self.values.iter_mut().for_each(|value| *value *= share);
        }
        self.values
    }
}

/// Whether a filter works within slices or in space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Dimensions {
    /// Slice by slice.
    Two,
    /// In three dimensions.
    Three,
}

impl TryFrom<u8> for Dimensions {
    type Error = &'static str;

    fn try_from(dimensions: u8) -> Result<Self, Self::Error> {
        match dimensions {
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            _ => Err("a filter has 2 or 3 dimensions"),
        }
    }
}

impl From<Dimensions> for u8 {
    fn from(dimensions: Dimensions) -> Self {
        match dimensions {
            Dimensions::Two => 2,
            Dimensions::Three => 3,
        }
    }
}

impl Dimensions {
    const fn count(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// What an image is convolved with. Lengths are in mm, unless they say voxels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Kernel {
    /// Mean over a cube (or square) of voxels (code S60F).
    Mean {
        /// Its edge in voxels, odd.
        support: usize,
    },
    /// Laplacian of a Gaussian (code L6PA), a sampled kernel without scale normalisation.
    LaplacianOfGaussian {
        /// σ* of the Gaussian.
        sigma: f64,
        /// Where the kernel is cut off, in σ.
        #[serde(default = "default_truncation")]
        truncation: f64,
        /// Orders of a Riesz transform of the response along x, y (and z); none without.
        #[serde(default)]
        riesz_order: Option<Vec<u32>>,
    },
    /// Laws kernels (code JTXT), one for each of x, y (and z).
    Laws {
        /// The kernels, such as L5, E5, E5.
        kernels: Vec<LawsKernel>,
        /// Pooling over all right-angled rotations; none without.
        #[serde(default)]
        rotation_invariance: Option<Pooling>,
        /// δ in voxels of the texture energy, the mean of absolute responses over a cube with edge 2δ + 1; none
        /// without.
        #[serde(default)]
        energy_distance: Option<usize>,
    },
    /// Modulus of the Gabor filter (code Q88H), which works within planes.
    Gabor {
        /// σ* of the envelope.
        sigma: f64,
        /// γ: how much shorter the envelope is across the wave.
        gamma: f64,
        /// λ*.
        wavelength: f64,
        /// θ in degrees, clockwise.
        theta: f64,
        /// Step of θ in degrees, for an average over all orientations.
        #[serde(default)]
        theta_step: Option<f64>,
    },
    /// Undecimated separable wavelet (code 25BO) by the à trous algorithm.
    SeparableWavelet {
        /// Name, such as `db3`, `haar`, `coif1`.
        wavelet: String,
        /// The sub-band, such as `LLH`: one letter for each of x, y (and z).
        band: String,
        /// Decomposition level, from 1.
        #[serde(default = "default_level")]
        level: usize,
        /// Pooling over all right-angled rotations; none without.
        #[serde(default)]
        rotation_invariance: Option<Pooling>,
    },
    /// Band-pass of the non-separable Simoncelli wavelet (code LODD). Defined by its spectrum, it is periodic whatever
    /// the boundary condition.
    Simoncelli {
        /// Level, from 1; each halves the frequencies of the one before.
        #[serde(default = "default_level")]
        level: usize,
        /// Orders of a Riesz transform of the response along x, y (and z); none without.
        #[serde(default)]
        riesz_order: Option<Vec<u32>>,
    },
}

const fn default_truncation() -> f64 {
    4.0
}

const fn default_level() -> usize {
    1
}

/// A filter with its setting.
///
/// ```
/// use alnm_radiomics::ibsi::IbsiProfile;
/// let profile = IbsiProfile::from_yaml("
/// filter:
///   dimensions: 3
///   boundary: mirror
///   kernel: {separable_wavelet: {wavelet: db3, band: LLH, rotation_invariance: average}}
/// families: [statistics]
/// ")?;
/// assert!(profile.filter.is_some());
/// # Ok::<(), alnm_radiomics::RadiomicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct Filter {
    /// Slices or space. A Gabor filter in three dimensions averages over the three orthogonal planes.
    pub dimensions: Dimensions,
    /// How the image goes on beyond its edges.
    #[serde(default)]
    pub boundary: BoundaryCondition,
    /// The kernel.
    pub kernel: Kernel,
}

/// A grid of voxels to be filtered: shape and spacing in mm, (z, y, x).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) shape: [usize; 3],
    pub(crate) spacing: [f64; 3],
}

/// Longest reach of a kernel, in voxels; longer ones come from a unit error.
const MAXIMUM_REACH: f64 = 1024.0;

/// Most values of an image that is continued beyond its edges for a Fourier transform, or of kernels of that size.
const MAXIMUM_PADDED: f64 = 536_870_912.0;

/// The filters of a wavelet by its name in PyWavelets.
fn named_wavelet(name: &str) -> Result<Filters> {
    let unknown = || ParameterError::Setting {
        setting: "wavelet",
        value: name.to_owned(),
        requirement: "it must be a wavelet of PyWavelets, such as db3 or haar",
    };
    Ok(Filters::named(name).ok_or_else(unknown)?)
}

impl Filter {
    /// A filter with [`BoundaryCondition::Mirror`].
    pub fn new(dimensions: Dimensions, kernel: Kernel) -> Self {
        Self { dimensions, boundary: BoundaryCondition::default(), kernel }
    }

    /// Sets [`Filter::boundary`].
    pub fn with_boundary(self, boundary: BoundaryCondition) -> Self {
        Self { boundary, ..self }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`ParameterError::Setting`] with the first that is out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let positive =
            |setting, value: f64| check(setting, value.is_finite() && value > 0.0, value, "it must be above 0");
        let letters = |setting, found: usize| {
            check(
                setting,
                found == self.dimensions.count(),
                found,
                "it must have one entry for each dimension of the filter",
            )
        };
        let whole = |setting, value: usize| check(setting, (1..=8).contains(&value), value, "it must be from 1 to 8");
        let orders = |orders: &[u32]| {
            letters("riesz_order", orders.len())?;
            let total = orders.iter().fold(0, |total: u32, &order| total.saturating_add(order));
            check("riesz_order", (1..=16).contains(&total), total, "the orders must add up to 1 to 16")
        };
        match &self.kernel {
            Kernel::Mean { support } => check(
                "support",
                support % 2 == 1 && *support <= MAXIMUM_REACH as usize,
                support,
                "it must be odd and below 1024 voxels",
            ),
            Kernel::LaplacianOfGaussian { sigma, truncation, riesz_order } => {
                positive("sigma", *sigma)?;
                positive("truncation", *truncation)?;
                riesz_order.as_deref().map_or(Ok(()), orders)
            }
            Kernel::Laws { kernels, energy_distance, .. } => {
                letters("kernels", kernels.len())?;
                let distance = energy_distance.unwrap_or(0);
                check("energy_distance", distance <= MAXIMUM_REACH as usize, distance, "it must be at most 1024 voxels")
            }
            Kernel::Gabor { sigma, gamma, wavelength, theta, theta_step } => {
                positive("sigma", *sigma)?;
                positive("gamma", *gamma)?;
                positive("wavelength", *wavelength)?;
                check("theta", theta.is_finite(), theta, "it must be finite")?;
                let step = theta_step.unwrap_or(360.0);
                check("theta_step", (0.1..=360.0).contains(&step), step, "it must be from 0.1 to 360 degrees")
            }
            Kernel::SeparableWavelet { wavelet, band, level, .. } => {
                named_wavelet(wavelet)?;
                check(
                    "band",
                    band.chars().all(|letter| matches!(letter, 'L' | 'H')),
                    band,
                    "it must consist of L and H",
                )?;
                letters("band", band.len())?;
                whole("level", *level)
            }
            Kernel::Simoncelli { level, riesz_order } => {
                whole("level", *level)?;
                riesz_order.as_deref().map_or(Ok(()), orders)
            }
        }
    }

    /// The response map of an image.
    ///
    /// # Errors
    /// [`ParameterError::Setting`] for a parameter that is out of its range, and for a kernel that reaches over more
    /// than 1024 voxels.
    pub fn response(&self, image: &Volume<f64>) -> Result<Volume<f64>> {
        let values = self.response_in(image, VoxelBox::of_shape(image.geometry().shape()))?;
        let mut map = image.clone();
        map.as_mut_slice().copy_from_slice(&values);
        Ok(map)
    }

    /// The values of the response map in a box, in raster order.
    ///
    /// # Errors
    /// As [`Filter::response`], and [`ParameterError::Setting`] for a box that is empty or reaches beyond the image.
    pub fn response_in(&self, image: &Volume<f64>, part: VoxelBox) -> Result<Vec<f64>> {
        self.check()?;
        let shape = image.geometry().shape();
        let is_inside = !part.is_empty() && VoxelBox::of_shape(shape).contains_box(&part);
        let part = &part.ranges_zyx();
        check("part", is_inside, format!("{part:?}"), "it must be a box of voxels of the image")?;
        let [x, y, z] = image.geometry().spacing();
        let field = Field { values: image.as_slice(), shape, spacing: [z, y, x] };
        match &self.kernel {
            Kernel::Mean { support } => Ok(mean::response(self, field, part, *support)),
            Kernel::LaplacianOfGaussian { sigma, truncation, riesz_order } => {
                self.check_reach(field, sigma * truncation)?;
                Ok(match riesz_order {
                    None => laplacian_of_gaussian::response(self, field, part, *sigma, *truncation),
                    Some(orders) => {
                        self.check_padded(field, sigma * truncation)?;
                        laplacian_of_gaussian::riesz_response(
                            self,
                            field,
                            part,
                            *sigma,
                            *truncation,
                            Riesz::new(orders),
                        )
                    }
                })
            }
            Kernel::Laws { kernels, rotation_invariance, energy_distance } => {
                Ok(laws::response(self, field, part, kernels, *rotation_invariance, *energy_distance))
            }
            Kernel::Gabor { sigma, gamma, wavelength, theta, theta_step } => {
                let wave = gabor::Wave { sigma: *sigma, gamma: *gamma, wavelength: *wavelength };
                let orientations = gabor::orientations(*theta, *theta_step);
                self.check_reach(field, wave.reach())?;
                check_spectra(field, wave.reach(), orientations.len())?;
                Ok(gabor::response(self, field, part, wave, &orientations))
            }
            Kernel::SeparableWavelet { wavelet, band, level, rotation_invariance } => {
                let filters = named_wavelet(wavelet)?;
                let (level, rotation_invariance) = (*level, *rotation_invariance);
                let sub_band = separable_wavelet::WaveletBand { filters, band, level, rotation_invariance };
                Ok(sub_band.response(self, field, part))
            }
            Kernel::Simoncelli { level, riesz_order } => {
                Ok(nonseparable_wavelet::response(self, field, part, *level, riesz_order.as_deref().map(Riesz::new)))
            }
        }
    }

    fn check_reach(&self, field: Field<'_>, reach: f64) -> Result<()> {
        let voxels = reach / field.spacing.into_iter().fold(f64::INFINITY, f64::min);
        check("sigma", voxels <= MAXIMUM_REACH, voxels, "the kernel may reach over at most 1024 voxels; sigma is in mm")
    }

    fn check_padded(&self, field: Field<'_>, reach: f64) -> Result<()> {
        let padded = |axis: usize| field.shape[axis] as f64 + 2.0 * reach / field.spacing[axis];
        let voxels: f64 = (0..3)
            .map(|axis| if self.axes().contains(&axis) { padded(axis) } else { field.shape[axis] as f64 })
            .product();
        check(
            "sigma",
            voxels <= MAXIMUM_PADDED,
            voxels,
            "the image and the reach of the kernel may have at most 2^29 voxels together",
        )
    }

    /// The axes (0 = z) that the filter works along.
    fn axes(&self) -> Range<usize> {
        3 - self.dimensions.count()..3
    }
}

/// Checks that the spectra of a kernel in every orientation fit into memory, in the largest of the planes.
fn check_spectra(field: Field<'_>, reach: f64, orientations: usize) -> Result<()> {
    let mut lengths: [f64; 3] =
        std::array::from_fn(|axis| field.shape[axis] as f64 + 2.0 * reach / field.spacing[axis]);
    lengths.sort_by(f64::total_cmp);
    let values = lengths[1] * lengths[2] * orientations as f64;
    check(
        "theta_step",
        values <= MAXIMUM_PADDED,
        values,
        "all orientations may have at most 2^29 pixels together; use fewer or a smaller sigma",
    )
}

fn check(setting: &'static str, holds: bool, value: impl std::fmt::Debug, requirement: &'static str) -> Result<()> {
    // Of extreme numbers, the form for debugging has few digits.
    if holds {
        Ok(())
    } else {
        Err(ParameterError::Setting { setting, value: format!("{value:?}"), requirement }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_continue_a_line() {
        let line =
            |boundary: BoundaryCondition| (-4..7).map(|position| boundary.index(position, 3)).collect::<Vec<_>>();
        let some = |indices: [usize; 11]| indices.map(Some).to_vec();
        assert_eq!(line(BoundaryCondition::Nearest), some([0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]));
        assert_eq!(line(BoundaryCondition::Periodic), some([2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]));
        assert_eq!(line(BoundaryCondition::Mirror), some([2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]));
        assert_eq!(line(BoundaryCondition::Zero)[..5], [None, None, None, None, Some(0)]);
    }
}
