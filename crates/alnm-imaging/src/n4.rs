//! N4 bias field correction (Tustison et al., IEEE Trans. Med. Imaging 29:1310, 2010) with ITK's results.
//!
//! The logarithm of the image is sharpened by deconvolving its histogram with a Gaussian, what was taken away is
//! smoothed by a B-spline fitted to it, and both steps are repeated, with finer splines from level to level, until the
//! field changes little.
//!
//! The result is that of ITK 5.4 (SimpleITK 2.5), including what decides it: the convergence is measured by a running
//! mean and deviation in single precision, in raster order. The field is fitted by separable sums, not voxel by voxel,
//! so that a volume of 256 × 256 × 96 voxels takes about a second. The result does not depend on the number of threads.
//!
//! | Parameter | Default | Purpose | Range |
//! |---|---|---|---|
//! | [`iterations`](N4Params::iterations) | `[50, 50, 50, 50]` | most iterations on each level | one to ten levels |
//! | [`convergence_threshold`](N4Params::convergence_threshold) | 0.001 | a level ends when the change of the field is at most this | at least 0 |
//! | [`control_grid`](N4Params::control_grid) | 4 points per axis | stiffness of the field on the first level | more points than the spline's order |
//! | [`spline_order`](N4Params::spline_order) | 3 | order of the B-spline | 1 to 5 |
//! | [`bias_fwhm`](N4Params::bias_fwhm) | 0.15 | full width at half maximum of the field's histogram | above 0 |
//! | [`wiener_noise`](N4Params::wiener_noise) | 0.01 | noise term of the deconvolution (Z² in Sled et al. 1998) | above 0 |
//! | [`histogram_bins`](N4Params::histogram_bins) | 200 | bins of the histogram | 3 to 65536 |
//! | [`mask_label`](N4Params::mask_label) | 1 | label of the mask's voxels; none takes every voxel that is not 0 | |
//! | [`shrink`](N4Params::shrink) | 1 | the field is found on every n-th voxel, and applied to all | at least 1 |
//!
//! ```
//! use alnm_imaging::n4::N4Params;
//! use alnm_imaging::otsu::otsu_mask;
//! use alnm_imaging::{Geometry, Volume};
//! use ndarray::Array3;
//!
//! // Two tissues under a field that rises along x.
//! let voxels = Array3::from_shape_fn((8, 32, 32), |(_, y, x)| if y % 16 < 8 { 100.0 } else { 200.0 } * (1.0 + 0.02 * x as f32));
//! let image = Volume::new(voxels, Geometry::axis_aligned([32, 32, 8], [1.0, 1.0, 2.0])?)?;
//! let mask = otsu_mask(&image, 200)?;
//!
//! let result = N4Params::default().with_iterations([10, 10]).check()?.correct(&image, Some(&mask))?;
//! assert!(result.levels()[0].convergence.len() <= 10);
//! assert_eq!(result.corrected().geometry(), image.geometry());
//! # Ok::<(), alnm_imaging::ImagingError>(())
//! ```
//!
//! [`N4::correct`] runs to its end. To show progress or to stop, fit with an observer and correct by the field found:
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use alnm_imaging::n4::{Foreground, N4Iteration, N4Params};
//! use alnm_imaging::{Geometry, ImagingError, Volume};
//! # use ndarray::Array3;
//! # let voxels = Array3::from_shape_fn((8, 16, 16), |(_, y, x)| if y < 8 { 100.0 } else { 200.0 } * (1.0 + 0.02 * x as f32));
//! # let image = Volume::new(voxels, Geometry::axis_aligned([16, 16, 8], [1.0, 1.0, 2.0])?)?;
//!
//! let n4 = N4Params::default().with_iterations([5]).check()?;
//! let mut told = 0;
//! let field = n4.fit(&image, Foreground::All, None, &mut |step: &N4Iteration| {
//!     told = step.iteration;
//!     ControlFlow::Continue(())
//! })?;
//! let corrected = field.correct(image.clone()).into_corrected();
//! assert!((1..=5).contains(&told));
//! assert_eq!(corrected.geometry(), image.geometry());
//!
//! let stopped = n4.fit(&image, Foreground::All, None, &mut |_| ControlFlow::Break(()));
//! assert!(matches!(stopped, Err(ImagingError::Cancelled { .. })));
//! # Ok::<(), ImagingError>(())
//! ```

mod bias_field;
mod convergence;
mod exponential;
mod lattice;
mod region;
mod result;
mod sharpening;
mod spline;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::resample::{shrink, shrink_offset};
use crate::volume::{Image, ImageRef, LabelMap, Volume, Voxel, with_volume_ref};
pub use bias_field::BiasField;
use lattice::Lattice;
pub use region::Foreground;
use region::Region;
pub use result::{N4Iteration, N4Level, N4Result};
use sharpening::Sharpening;

const OPERATION: &str = "N4 bias field correction";

/// Parameters of N4. The defaults are those of SimpleITK.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct N4Params {
    /// Most iterations on each level; as many levels as there are numbers. Default `[50, 50, 50, 50]`.
    pub iterations: Vec<usize>,
    /// A level ends when the coefficient of variation of the change of the field is not above this. Default 0.001.
    pub convergence_threshold: f64,
    /// The spline's control points on the first level; every further level doubles the number of spans. Default 4 an
    /// axis.
    pub control_grid: ControlGrid,
    /// Order of the spline, 1 to 5. Default 3.
    pub spline_order: usize,
    /// Full width at half maximum of the Gaussian with which the histogram is deconvolved, in units of the logarithm of
    /// the intensity. Default 0.15.
    pub bias_fwhm: f64,
    /// Noise term of the Wiener filter. Default 0.01.
    pub wiener_noise: f64,
    /// Bins of the histogram. Default 200.
    pub histogram_bins: usize,
    /// The label of the mask's voxels; `None` takes all that are not 0. Default 1.
    pub mask_label: Option<u32>,
    /// The field is found on every n-th voxel of each axis and evaluated on all of them. Default 1.
    pub shrink: usize,
}

impl Default for N4Params {
    fn default() -> Self {
        Self {
            iterations: vec![50; 4],
            convergence_threshold: 0.001,
            control_grid: ControlGrid::Points([4; 3]),
            spline_order: 3,
            bias_fwhm: 0.15,
            wiener_noise: 0.01,
            histogram_bins: 200,
            mask_label: Some(1),
            shrink: 1,
        }
    }
}

/// The stiffness of the field on the first level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ControlGrid {
    /// Number of control points along x, y and z.
    Points([usize; 3]),
    /// Largest distance of the spline's knots in mm; the image is cut into as many equal spans as that takes.
    KnotSpacing(f64),
}

impl N4Params {
    /// Sets [`N4Params::iterations`].
    pub fn with_iterations(self, iterations: impl Into<Vec<usize>>) -> Self {
        Self { iterations: iterations.into(), ..self }
    }

    /// Sets [`N4Params::convergence_threshold`].
    pub fn with_convergence_threshold(self, convergence_threshold: f64) -> Self {
        Self { convergence_threshold, ..self }
    }

    /// Sets [`N4Params::control_grid`].
    pub fn with_control_grid(self, control_grid: ControlGrid) -> Self {
        Self { control_grid, ..self }
    }

    /// Sets [`N4Params::spline_order`].
    pub fn with_spline_order(self, spline_order: usize) -> Self {
        Self { spline_order, ..self }
    }

    /// Sets [`N4Params::bias_fwhm`].
    pub fn with_bias_fwhm(self, bias_fwhm: f64) -> Self {
        Self { bias_fwhm, ..self }
    }

    /// Sets [`N4Params::wiener_noise`].
    pub fn with_wiener_noise(self, wiener_noise: f64) -> Self {
        Self { wiener_noise, ..self }
    }

    /// Sets [`N4Params::histogram_bins`].
    pub fn with_histogram_bins(self, histogram_bins: usize) -> Self {
        Self { histogram_bins, ..self }
    }

    /// Sets [`N4Params::mask_label`].
    pub fn with_mask_label(self, mask_label: Option<u32>) -> Self {
        Self { mask_label, ..self }
    }

    /// Sets [`N4Params::shrink`].
    pub fn with_shrink(self, shrink: usize) -> Self {
        Self { shrink, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] with the first that is not.
    pub fn check(self) -> Result<N4> {
        const MOST_LEVELS: usize = 10;
        let invalid = |parameter, value: String, requirement| {
            Err(ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement })
        };
        if self.iterations.is_empty() || self.iterations.len() > MOST_LEVELS {
            return invalid(
                "iterations",
                format!("{:?}", self.iterations),
                "it must hold one number for each of 1 to 10 levels",
            );
        }
        if !(self.convergence_threshold.is_finite() && self.convergence_threshold >= 0.0) {
            return invalid(
                "convergence_threshold",
                self.convergence_threshold.to_string(),
                "it must be finite and at least 0",
            );
        }
        if !(1..=spline::HIGHEST_ORDER).contains(&self.spline_order) {
            return invalid("spline_order", self.spline_order.to_string(), "it must be from 1 to 5");
        }
        match self.control_grid {
            ControlGrid::Points(points) if points.iter().any(|&n| n <= self.spline_order || n > LARGEST_LATTICE) => {
                return invalid(
                    "control_grid",
                    format!("{points:?}"),
                    "each axis needs more points than the spline's order, at most 1024",
                );
            }
            ControlGrid::KnotSpacing(distance) if !(distance.is_finite() && distance > 0.0) => {
                return invalid(
                    "control_grid",
                    format!("{distance} mm"),
                    "the distance of knots must be finite and above 0",
                );
            }
            _ => {}
        }
        if !(self.bias_fwhm.is_finite() && self.bias_fwhm > 0.0) {
            return invalid("bias_fwhm", self.bias_fwhm.to_string(), "it must be finite and above 0");
        }
        if !(self.wiener_noise.is_finite() && self.wiener_noise > 0.0) {
            return invalid("wiener_noise", self.wiener_noise.to_string(), "it must be finite and above 0");
        }
        if !(3..=65_536).contains(&self.histogram_bins) {
            return invalid("histogram_bins", self.histogram_bins.to_string(), "it must be from 3 to 65536");
        }
        if self.shrink == 0 {
            return invalid("shrink", "0".to_owned(), "it must be at least 1");
        }
        Ok(N4 { params: self })
    }
}

/// The most control points of an axis on the last level.
const LARGEST_LATTICE: usize = 1024;
/// Most control points in all; the fit holds several numbers for each.
const MOST_POINTS: usize = 1 << 24;

/// N4 with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct N4 {
    params: N4Params,
}

impl N4 {
    /// The parameters.
    pub fn params(&self) -> &N4Params {
        &self.params
    }

    /// Corrects an image. Without a mask every voxel is used. With an observer, weights or a threshold instead of a
    /// mask: [`N4::fit`], then [`BiasField::correct`].
    ///
    /// # Errors
    /// As [`N4::fit`].
    pub fn correct<T: Voxel>(&self, image: &Volume<T>, mask: Option<&LabelMap>) -> Result<N4Result> {
        let foreground = mask.map_or(Foreground::All, Foreground::Mask);
        let field = self.fit(image, foreground, None, &mut |_| ControlFlow::Continue(()))?;
        Ok(field.correct(image.cast()))
    }

    /// Finds the field of an image's foreground, with a weight for each voxel's part in the fit and an observer that is
    /// told of each iteration and may stop the work. Voxels whose weight is not above 0 are left out.
    ///
    /// Voxels of the foreground that are not above 0 have no logarithm; as in ITK their own value stands for it.
    ///
    /// # Errors
    /// [`ImagingError::GeometryMismatch`] when mask or weights lie on another grid, [`ImagingError::EmptyRegion`] when
    /// no voxel belongs to the foreground, [`ImagingError::InvalidVoxel`] when a voxel of the image is not finite,
    /// [`ImagingError::InvalidParameter`] when the image is too small to be shrunk so, and [`ImagingError::Cancelled`]
    /// when the observer breaks off.
    pub fn fit<T: Voxel>(
        &self,
        image: &Volume<T>,
        foreground: Foreground<'_>,
        weights: Option<&Volume<f32>>,
        observer: &mut dyn FnMut(&N4Iteration) -> ControlFlow<()>,
    ) -> Result<BiasField> {
        self.fit_image(T::image_ref(image), foreground, weights, observer)
    }

    fn fit_image(
        &self,
        image: ImageRef<'_>,
        foreground: Foreground<'_>,
        weights: Option<&Volume<f32>>,
        observer: &mut dyn FnMut(&N4Iteration) -> ControlFlow<()>,
    ) -> Result<BiasField> {
        let grids = [foreground.mask().map(Volume::geometry), weights.map(Volume::geometry)];
        if let Some(difference) = grids.into_iter().flatten().find_map(|grid| image.geometry().difference(grid, 1e-6)) {
            return Err(ImagingError::GeometryMismatch { operation: OPERATION, difference });
        }
        with_volume_ref!(image, volume => volume.check_finite()).map_err(|voxel| voxel.during(OPERATION))?;
        let factor = self.params.shrink;
        if factor == 1 {
            let region = self.region(image, foreground, weights)?;
            return self.fit_region(region, image.geometry(), observer);
        }
        let offset = shrink_offset(image.geometry(), factor)?;
        let image = with_volume_ref!(image, volume => Image::from(shrink(volume, factor, offset)?));
        let mask = foreground.mask().map(|mask| shrink(mask, factor, offset)).transpose()?;
        let foreground = mask.as_ref().map_or(foreground, Foreground::Mask);
        let weights = weights.map(|weights| shrink(weights, factor, offset)).transpose()?;
        let region = self.region(image.borrowed(), foreground, weights.as_ref())?;
        self.fit_region(region, image.geometry(), observer)
    }

    fn region(&self, image: ImageRef<'_>, foreground: Foreground<'_>, weights: Option<&Volume<f32>>) -> Result<Region> {
        let label = self.params.mask_label;
        let region = Region::new(image, foreground, label, weights);
        if region.is_empty() {
            let present = foreground.mask().map(|mask| crate::region::labels(mask, 8)).unwrap_or_default();
            return Err(ImagingError::EmptyRegion { operation: OPERATION, label: label.unwrap_or(1), present });
        }
        Ok(region)
    }

    fn fit_region(
        &self,
        mut region: Region,
        grid: &Geometry,
        observer: &mut dyn FnMut(&N4Iteration) -> ControlFlow<()>,
    ) -> Result<BiasField> {
        let params = &self.params;
        let sharpening = Sharpening::new(params.histogram_bins, params.bias_fwhm, params.wiener_noise);
        let mut lattice = Lattice::zeros(self.control_points(grid)?, self.orders(grid));
        let mut levels = Vec::with_capacity(params.iterations.len());
        for (level, &max_iterations) in params.iterations.iter().enumerate() {
            if level > 0 {
                lattice = lattice.refined();
            }
            let splines = lattice.splines(grid);
            let mut report = |iteration, convergence| {
                let progress =
                    N4Iteration { level, levels: params.iterations.len(), iteration, max_iterations, convergence };
                observer(&progress)
            };
            let convergence =
                self.run_level(&mut region, &mut lattice, &splines, &sharpening, max_iterations, &mut report)?;
            let converged = convergence.last().is_some_and(|last| f64::from(*last) <= params.convergence_threshold);
            levels.push(N4Level { control_points: lattice.size(), convergence, converged });
        }
        Ok(BiasField { lattice, levels })
    }

    /// The iterations of one level; the convergence after each.
    ///
    /// Measuring the convergence is one long chain of roundings that no two threads can share. While one thread follows
    /// it, the others already find the next residual, which is thrown away when the level turns out to have converged.
    fn run_level(
        &self,
        region: &mut Region,
        lattice: &mut Lattice,
        splines: &spline::Splines,
        sharpening: &Sharpening,
        max_iterations: usize,
        report: &mut dyn FnMut(usize, f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>> {
        let mut measured = Vec::new();
        if max_iterations == 0 {
            return Ok(measured);
        }
        let omega = region.fit_weights(splines);
        let mut update = region.fit_residual(splines, sharpening, &omega);
        loop {
            lattice.add(&update);
            region.update_field(splines, lattice);
            let is_last = measured.len() + 1 == max_iterations;
            let (convergence, next) = rayon::join(
                || region.convergence(),
                || (!is_last).then(|| region.fit_residual(splines, sharpening, &omega)),
            );
            measured.push(convergence);
            if report(measured.len(), convergence).is_break() {
                return Err(ImagingError::Cancelled { operation: OPERATION });
            }
            match next {
                Some(next) if f64::from(convergence) > self.params.convergence_threshold => update = next,
                _ => return Ok(measured),
            }
        }
    }

    /// Order of the spline on each axis: an axis of one voxel carries a constant.
    fn orders(&self, grid: &Geometry) -> [usize; 3] {
        grid.size().map(|n| if n == 1 { 0 } else { self.params.spline_order })
    }

    fn control_points(&self, grid: &Geometry) -> Result<[usize; 3]> {
        let order = self.params.spline_order;
        let (size, spacing) = (grid.size(), grid.spacing());
        let points: [usize; 3] = std::array::from_fn(|axis| match self.params.control_grid {
            _ if size[axis] == 1 => 1,
            ControlGrid::Points(points) => points[axis],
            ControlGrid::KnotSpacing(distance) => {
                let extent = (size[axis] - 1) as f64 * spacing[axis];
                ((extent / distance).ceil().max(1.0) as usize).saturating_add(order)
            }
        });
        let doublings = self.params.iterations.len() as u32 - 1;
        let last_level =
            |n: usize| if n == 1 { 1 } else { (n - order).saturating_mul(1 << doublings).saturating_add(order) };
        let all = points.iter().fold(1_usize, |product, &n| product.saturating_mul(last_level(n)));
        if all > MOST_POINTS || points.iter().any(|&n| last_level(n) > LARGEST_LATTICE) {
            return Err(ImagingError::InvalidParameter {
                operation: OPERATION,
                parameter: "control_grid",
                value: format!("{points:?} points on {} levels", doublings + 1),
                requirement: "the last level has at most 1024 points per axis and 2^24 in all; use fewer levels or a stiffer grid",
            });
        }
        Ok(points)
    }
}
