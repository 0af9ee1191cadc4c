//! Discrete Fourier transforms of lines of complex values, in double precision.
//!
//! The one place where transforms are planned: the planner knows every kind of processor and is by far the largest
//! piece of code behind a transform, so that it is compiled once for all crates.

use std::fmt;
use std::sync::Arc;

use rustfft::{Fft, FftPlanner};

/// The transforms of lines of one length, without scaling: forward and inverse one after the other multiply by the
/// length.
#[derive(Clone)]
#[non_exhaustive]
pub struct LineTransforms {
    /// Values to their spectrum.
    pub forward: Arc<dyn Fft<f64>>,
    /// A spectrum to its values.
    pub inverse: Arc<dyn Fft<f64>>,
}

impl fmt::Debug for LineTransforms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LineTransforms").field("length", &self.forward.len()).finish_non_exhaustive()
    }
}

/// The transforms for lines of each of the lengths, in their order.
///
/// ```
/// use alnm_imaging::fourier::line_transforms;
/// use rustfft::num_complex::Complex;
///
/// let transforms = &line_transforms(&[4])[0];
/// let mut line = [1.0, 2.0, 3.0, 4.0].map(|value| Complex::new(value, 0.0));
/// transforms.forward.process(&mut line);
/// assert_eq!(line[0], Complex::new(10.0, 0.0)); // the sum
/// transforms.inverse.process(&mut line);
/// assert_eq!(line[3], Complex::new(16.0, 0.0)); // four times the value
/// ```
#[must_use]
pub fn line_transforms(lengths: &[usize]) -> Vec<LineTransforms> {
    let mut planner = FftPlanner::new();
    let of_length = |&length: &usize| LineTransforms {
        forward: planner.plan_fft_forward(length),
        inverse: planner.plan_fft_inverse(length),
    };
    lengths.iter().map(of_length).collect()
}
