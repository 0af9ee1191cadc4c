//! Speed by edges.

use alnm_imaging::{Geometry, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::stored;
use crate::error::{Result, SegmentationError};

/// Speed that vanishes at edges: ITK-SNAP's pre-segmentation "edge attraction".
///
/// `g = 1 / (1 + (|∇(G v)| / (m κ))^λ)`, cut to multiples of 1 / 32767: G is ITK's discrete Gaussian kernel of the
/// deviation [`sigma`](Self::sigma) in voxels, the gradient is per mm, and m is the range of the image's values.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`sigma`](Self::sigma) | 1 | deviation of the smoothing in voxels | above 0, at most 10 |
/// | [`kappa`](Self::kappa) | 0.04 | gradient, as a share of the image's range, at which the speed is a half | above 0 |
/// | [`exponent`](Self::exponent) | 3 | how steeply the speed falls | above 0 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::speed::EdgeSpeedParams;
///
/// let step = ndarray::Array3::from_shape_fn((5, 5, 12), |(_, _, x)| if x < 6 { 0.0_f32 } else { 100.0 });
/// let image = Volume::new(step, Geometry::axis_aligned([12, 5, 5], [1.0; 3])?)?;
/// let speed = EdgeSpeedParams::default().check()?.speed(&image)?;
/// assert!(speed.data()[[2, 2, 0]] > 0.99 && speed.data()[[2, 2, 6]] < 0.01);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct EdgeSpeedParams {
    /// Standard deviation of the smoothing in voxels. Default 1; above 0, at most 10.
    pub sigma: f64,
    /// The gradient, as a share of the image's range, at which the speed is a half. Default 0.04; above 0.
    pub kappa: f64,
    /// How steeply the speed falls with the gradient. Default 3; above 0.
    pub exponent: f64,
}

impl Default for EdgeSpeedParams {
    fn default() -> Self {
        Self { sigma: 1.0, kappa: 0.04, exponent: 3.0 }
    }
}

impl EdgeSpeedParams {
    /// Sets [`EdgeSpeedParams::sigma`].
    pub fn with_sigma(self, sigma: f64) -> Self {
        Self { sigma, ..self }
    }

    /// Sets [`EdgeSpeedParams::kappa`].
    pub fn with_kappa(self, kappa: f64) -> Self {
        Self { kappa, ..self }
    }

    /// Sets [`EdgeSpeedParams::exponent`].
    pub fn with_exponent(self, exponent: f64) -> Self {
        Self { exponent, ..self }
    }

    /// The rule with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<EdgeSpeed> {
        if !(self.sigma > 0.0 && self.sigma <= 10.0) {
            let value = format!("{} voxels", self.sigma);
            return Err(SegmentationError::parameter(
                "deviation of the smoothing",
                value,
                "above 0 and at most 10 voxels",
            ));
        }
        for (name, value) in [("kappa", self.kappa), ("exponent of the edge", self.exponent)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(SegmentationError::parameter(name, value, "finite and above 0"));
            }
        }
        Ok(EdgeSpeed { params: self })
    }
}

/// Speed by edges with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeSpeed {
    params: EdgeSpeedParams,
}

impl EdgeSpeed {
    /// The parameters.
    pub fn params(&self) -> EdgeSpeedParams {
        self.params
    }

    /// The speed image.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when a voxel is not finite; [`SegmentationError::Parameter`] when all voxels are
    /// equal, so that there is no edge.
    pub fn speed(&self, image: &Volume<f32>) -> Result<Volume<f32>> {
        image.check_finite().map_err(|voxel| voxel.during("speed by edges"))?;
        let [low, high] = super::threshold::extremes(image);
        if low >= high {
            let requirement = "different in at least two voxels, so that there is an edge";
            return Err(SegmentationError::parameter("value of all voxels", low, requirement));
        }
        let EdgeSpeedParams { sigma, kappa, exponent } = self.params;
        let magnitudes = gradient_magnitude(&smoothed(image, sigma));
        let (per_range, per_kappa) = (1.0 / (high - low), 1.0 / kappa as f32);
        Ok(magnitudes.map(|&magnitude| {
            let relative = f64::from(magnitude * per_range * per_kappa);
            stored((1.0 / (1.0 + relative.powf(exponent))) as f32)
        }))
    }
}

/// The kernel of ITK's `GaussianOperator` for a variance in voxels and a cut of a tenth of its area: from the middle
/// on.
fn kernel(variance: f64) -> Vec<f64> {
    const CUT: f64 = 0.1;
    const WIDEST: usize = 32;
    let scale = (-variance).exp();
    let mut half = vec![scale * bessel_0(variance), scale * bessel_1(variance)];
    let mut sum = half[0] + 2.0 * half[1];
    while sum < 1.0 - CUT {
        let next = scale * bessel(half.len(), variance);
        half.push(next);
        sum += 2.0 * next;
        if next <= 0.0 || half.len() > WIDEST {
            break;
        }
    }
    half.iter_mut().for_each(|weight| *weight /= sum);
    half
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| coefficient + x * sum)
}

/// The modified Bessel function of order 0, by the polynomials of Abramowitz and Stegun 9.8.1 and 9.8.2.
fn bessel_0(x: f64) -> f64 {
    if x < 3.75 {
        const SMALL: [f64; 7] = [1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813];
        return polynomial(&SMALL, (x / 3.75).powi(2));
    }
    const LARGE: [f64; 9] =
        [0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377];
    x.exp() / x.sqrt() * polynomial(&LARGE, 3.75 / x)
}

/// The modified Bessel function of order 1, by the polynomials of Abramowitz and Stegun 9.8.3 and 9.8.4.
fn bessel_1(x: f64) -> f64 {
    if x < 3.75 {
        const SMALL: [f64; 7] = [0.5, 0.87890594, 0.51498869, 0.15084934, 0.02658733, 0.00301532, 0.00032411];
        return x * polynomial(&SMALL, (x / 3.75).powi(2));
    }
    const LARGE: [f64; 9] = [
        0.39894228,
        -0.03988024,
        -0.00362018,
        0.00163801,
        -0.01031555,
        0.02282967,
        -0.02895312,
        0.01787654,
        -0.00420059,
    ];
    x.exp() / x.sqrt() * polynomial(&LARGE, 3.75 / x)
}

/// The modified Bessel function of an order of at least 2, by downward recurrence.
fn bessel(order: usize, x: f64) -> f64 {
    const ACCURACY: f64 = 40.0;
    let (mut after, mut current, mut found) = (0.0, 1.0, 0.0);
    for j in (1..=2 * (order + (ACCURACY * order as f64).sqrt() as usize)).rev() {
        let before = after + j as f64 * 2.0 / x * current;
        after = current;
        current = before;
        if current.abs() > 1e10 {
            (after, current, found) = (after * 1e-10, current * 1e-10, found * 1e-10);
        }
        if j == order {
            found = after;
        }
    }
    found * bessel_0(x) / current
}

/// An image smoothed along z, y and x in turn; beyond its border it goes on as there.
pub(crate) fn smoothed(image: &Volume<f32>, sigma: f64) -> Volume<f32> {
    let kernel = kernel(sigma * sigma);
    let size = image.geometry().size();
    let mut values: Vec<f64> = image.as_slice().iter().map(|&value| f64::from(value)).collect();
    for axis in [2, 1, 0] {
        let filtered: Vec<f64> = (0..values.len())
            .into_par_iter()
            .with_min_len(1 << 12)
            .map(|position| convolved(&values, image.geometry(), position, axis, size[axis], &kernel))
            .collect();
        values = filtered;
    }
    let mut smoothed = Volume::filled(image.geometry().clone(), 0.0);
    smoothed.as_mut_slice().iter_mut().zip(values).for_each(|(voxel, value)| *voxel = value as f32);
    smoothed
}

fn convolved(values: &[f64], grid: &Geometry, position: usize, axis: usize, length: usize, kernel: &[f64]) -> f64 {
    let (index, stride) = (grid.index_of(position)[axis], stride(grid, axis));
    let first = position - index * stride;
    let at = |index: usize| values[first + index.min(length - 1) * stride];
    let pairs = (1..kernel.len()).map(|k| kernel[k] * (at(index.saturating_sub(k)) + at(index + k)));
    kernel[0] * values[position] + pairs.sum::<f64>()
}

fn stride(grid: &Geometry, axis: usize) -> usize {
    grid.size()[..axis].iter().product()
}

/// The length of the gradient per mm by differences of neighbours, as ITK's `GradientMagnitudeImageFilter`.
fn gradient_magnitude(image: &Volume<f32>) -> Volume<f32> {
    let (grid, voxels) = (image.geometry(), image.as_slice());
    let (size, spacing) = (grid.size(), grid.spacing());
    let length = |position: usize| {
        let index = grid.index_of(position);
        let squared = |axis: usize| {
            let (stride, at) = (stride(grid, axis), index[axis]);
            let before = if at == 0 { position } else { position - stride };
            let behind = if at + 1 == size[axis] { position } else { position + stride };
            ((f64::from(voxels[behind]) - f64::from(voxels[before])) * 0.5 / spacing[axis]).powi(2)
        };
        (0..grid.dimension()).map(squared).sum::<f64>().sqrt() as f32
    };
    let mut magnitude = Volume::filled(grid.clone(), 0.0);
    magnitude.as_mut_slice().par_iter_mut().enumerate().for_each(|(position, voxel)| *voxel = length(position));
    magnitude
}
