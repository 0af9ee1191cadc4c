//! Pooling layers with gradients, which candle lacks where windows overlap.

use candle_core::{D, IndexOp, Tensor as Array};

use super::Failure;
use crate::kernel::pooling::Window;

/// The values at every place of a window, one array for each place.
fn places(input: &Array, window: Window) -> Result<Vec<Array>, Failure> {
    let padded =
        input.pad_with_zeros(2, window.padding, window.padding)?.pad_with_zeros(3, window.padding, window.padding)?;
    let of_axis = |axis: usize| -> Result<Vec<Array>, Failure> {
        let count = (padded.dim(axis)? - window.kernel) / window.stride + 1;
        let indices = |tap: usize| (0..count).map(|place| (place * window.stride + tap) as u32).collect::<Vec<_>>();
        (0..window.kernel).map(|tap| Ok(Array::from_vec(indices(tap), count, input.device())?)).collect()
    };
    let (rows, columns) = (of_axis(2)?, of_axis(3)?);
    let mut places = Vec::new();
    for row in &rows {
        let lines = padded.index_select(row, 2)?;
        for column in &columns {
            places.push(lines.index_select(column, 3)?);
        }
    }
    Ok(places)
}

/// The places of a window brought together two by two.
fn combined(
    input: &Array,
    window: Window,
    combine: impl Fn(&Array, &Array) -> candle_core::Result<Array>,
) -> Result<Array, Failure> {
    let mut result: Option<Array> = None;
    for place in places(input, window)? {
        result = Some(match result {
            Some(result) => combine(&result, &place)?,
            None => place,
        });
    }
    // A window without places leaves its input as it is.
    Ok(result.unwrap_or_else(|| input.clone()))
}

/// All windows of the backbones lie on rectified activations, where padding by zero never wins over a value.
pub(super) fn max_pool(input: &Array, window: Window) -> Result<Array, Failure> {
    combined(input, window, |largest, place| largest.maximum(place))
}

pub(super) fn average_pool(input: &Array, window: Window) -> Result<Array, Failure> {
    let sum = combined(input, window, |sum, place| sum + place)?;
    Ok(sum.affine(1.0 / (window.kernel * window.kernel) as f64, 0.0)?)
}

/// Averages over `side` × `side` parts, as PyTorch cuts them.
pub(super) fn adaptive_pool(input: &Array, side: usize) -> Result<Array, Failure> {
    let (_, _, height, width) = input.dims4()?;
    let span = |index: usize, length: usize| index * length / side..((index + 1) * length).div_ceil(side);
    let row = |y: usize| -> Result<Array, Failure> {
        let part = |x: usize| -> Result<Array, Failure> {
            Ok(input.i((.., .., span(y, height), span(x, width)))?.mean_keepdim((D::Minus1, D::Minus2))?)
        };
        Ok(Array::cat(&(0..side).map(part).collect::<Result<Vec<_>, _>>()?, 3)?)
    };
    Ok(Array::cat(&(0..side).map(row).collect::<Result<Vec<_>, _>>()?, 2)?)
}
