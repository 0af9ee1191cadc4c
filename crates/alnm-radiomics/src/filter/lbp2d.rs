//! Local binary patterns in slices, as scikit-image's `local_binary_pattern` codes them.
//!
//! P samples on a circle around a pixel, interpolated bilinearly between pixels (0 outside the slice), are 1 where they
//! are not below it. Ojala et al. 2002, doi 10.1109/TPAMI.2002.1017623. What is computed is that of scikit-image 0.22
//! to the last bit.

use std::f64::consts::PI;

use alnm_imaging::PixelType;
use serde::Serialize;

/// How a pattern of samples becomes a number (`lbp2DMethod`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum PatternMethod {
    /// `default`: the pattern as a number, the first sample (to the right of the pixel) being the lowest bit. The 32nd
    /// sample counts negatively and further ones not at all, since scikit-image keeps the bits' weights in 32 bits.
    Default,
    /// `ror`: the smallest number among the pattern's rotations.
    RotationInvariant,
    /// `uniform`: the number of set bits of patterns with at most two changes, P + 1 for all others.
    Uniform,
    /// `var`: the variance of the samples (divided by P), whatever the pattern; NaN where it is 0. An image of integers
    /// holds the variance as numpy casts it: cut to a whole number, of which 8- and 16-bit images keep the lowest bits.
    Variance,
}

/// The circle and the code.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// Samples (row, column) from the centre.
    samples: Vec<[f64; 2]>,
    method: PatternMethod,
}

impl Pattern {
    /// `samples` points at `radius` pixels.
    pub(crate) fn new(radius: f64, samples: usize, method: PatternMethod) -> Self {
        // scikit-image takes the radius in single precision and rounds positions to five decimals.
        let radius = f64::from(radius as f32);
        let rounded = |x: f64| (x * 1e5).round_ties_even() / 1e5;
        let sample = |i: usize| {
            let angle = 2.0 * PI * i as f64 / samples as f64;
            [rounded(-radius * angle.sin()), rounded(radius * angle.cos())]
        };
        Self { samples: (0..samples).map(sample).collect(), method }
    }

    /// The code of a pixel of a slice with `rows` × `columns` pixels. NaN where [`PatternMethod::Variance`] finds none.
    /// `texture` is memory for the samples.
    pub(crate) fn code(
        &self,
        texture: &mut Vec<f64>,
        slice: &[f64],
        [rows, columns]: [usize; 2],
        [row, column]: [usize; 2],
    ) -> f64 {
        let centre = slice[row * columns + column];
        let sample = |[dr, dc]: &[f64; 2]| bilinear(slice, rows, columns, row as f64 + dr, column as f64 + dc);
        texture.clear();
        texture.extend(self.samples.iter().map(sample));
        let bits = texture.iter().map(|sample| sample - centre >= 0.0);
        match self.method {
            PatternMethod::Default => number(bits),
            PatternMethod::RotationInvariant => smallest_rotation(number(bits) as i32, texture.len()),
            PatternMethod::Uniform => uniform(bits, texture.len()),
            PatternMethod::Variance => variance(texture),
        }
    }
}

/// The bits as a number, the first being the lowest.
fn number(bits: impl Iterator<Item = bool>) -> f64 {
    let weight = |place: u32| f64::from(1_i32.checked_shl(place).unwrap_or(0));
    (0..).zip(bits).filter(|(_, bit)| *bit).map(|(place, _)| weight(place)).sum()
}

/// The smallest of the numbers that `length` bits give when they are turned to the right bit by bit.
fn smallest_rotation(pattern: i32, length: usize) -> f64 {
    let turned = |pattern: &i32| Some((pattern >> 1) | (pattern & 1).wrapping_shl(length as u32 - 1));
    std::iter::successors(Some(pattern), turned).take(length).fold(f64::INFINITY, |least, next| least.min(next.into()))
}

/// The number of set bits of a pattern with at most two changes along the circle's open end, P + 1 for all others.
fn uniform(bits: impl Iterator<Item = bool> + Clone, length: usize) -> f64 {
    let changes = bits.clone().zip(bits.clone().skip(1)).filter(|(bit, next)| bit != next).count();
    if changes <= 2 { bits.filter(|bit| *bit).count() as f64 } else { (length + 1) as f64 }
}

/// The variance as the mean square less the squared mean, in one pass; NaN for 0.
fn variance(texture: &[f64]) -> f64 {
    let count = texture.len() as f64;
    let add = |(sum, squares): (f64, f64), sample: &f64| (sum + sample, squares + sample * sample);
    let (sum, squares) = texture.iter().fold((0.0, 0.0), add);
    let variance = (squares - sum * sum / count) / count;
    if variance == 0.0 { f64::NAN } else { variance }
}

fn bilinear(slice: &[f64], rows: usize, columns: usize, row: f64, column: f64) -> f64 {
    let pixel = |r: f64, c: f64| {
        let inside = r >= 0.0 && c >= 0.0 && (r as usize) < rows && (c as usize) < columns;
        if inside { slice[r as usize * columns + c as usize] } else { 0.0 }
    };
    let (top, bottom, left, right) = (row.floor(), row.ceil(), column.floor(), column.ceil());
    let (dr, dc) = (row - top, column - left);
    let upper = (1.0 - dc) * pixel(top, left) + dc * pixel(top, right);
    let lower = (1.0 - dc) * pixel(bottom, left) + dc * pixel(bottom, right);
    (1.0 - dr) * upper + dr * lower
}

/// A number as an array of that type holds it once numpy has cast it there (on x86-64): cut towards zero; types of 8
/// and 16 bits keep the lowest bits of 32; what has no place in 32 or 64 bits becomes the lowest number, as on the
/// processor.
pub(crate) fn cast_by_numpy(pixel_type: PixelType, value: f64) -> f64 {
    match pixel_type {
        PixelType::U8 => f64::from(cut_to_32_bits(value) as u8),
        PixelType::I8 => f64::from(cut_to_32_bits(value) as i8),
        PixelType::U16 => f64::from(cut_to_32_bits(value) as u16),
        PixelType::I16 => f64::from(cut_to_32_bits(value) as i16),
        PixelType::I32 => f64::from(cut_to_32_bits(value)),
        PixelType::U32 => {
            const HALF: f64 = 2_147_483_648.0;
            let upper = |value: f64| cut_to_32_bits(value - HALF) as u32 ^ (1 << 31);
            f64::from(if value >= HALF { upper(value) } else { cut_to_32_bits(value) as u32 })
        }
        PixelType::I64 => cut_to_64_bits(value) as f64,
        PixelType::U64 => {
            const HALF: f64 = 9_223_372_036_854_775_808.0;
            let upper = |value: f64| cut_to_64_bits(value - HALF) as u64 ^ (1 << 63);
            (if value >= HALF { upper(value) } else { cut_to_64_bits(value) as u64 }) as f64
        }
        PixelType::F32 => f64::from(value as f32),
        _ => value,
    }
}

fn cut_to_32_bits(value: f64) -> i32 {
    if value.is_nan() || value >= 2_147_483_648.0 { i32::MIN } else { value as i32 }
}

fn cut_to_64_bits(value: f64) -> i64 {
    if value.is_nan() || value >= 9_223_372_036_854_775_808.0 { i64::MIN } else { value as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(slice: &[f64; 9], samples: usize, method: PatternMethod) -> f64 {
        Pattern::new(1.0, samples, method).code(&mut Vec::new(), slice, [3, 3], [1, 1])
    }

    #[test]
    fn codes_of_a_corner() {
        // Below, right and on the diagonal between them the slice is not darker than the centre.
        let slice = [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 0.0, 7.0, 9.0];
        // Samples run from the right over the top; right is bit 0, below bit 6, below right bit 7.
        assert_eq!(code(&slice, 8, PatternMethod::Default), 1.0 + 64.0 + 128.0);
        assert_eq!(code(&slice, 8, PatternMethod::RotationInvariant), 7.0);
        assert_eq!(code(&slice, 8, PatternMethod::Uniform), 3.0);
        // Right 6, above 0, left 0, below 7.
        assert_eq!(code(&slice, 4, PatternMethod::Variance), (85.0 - 169.0 / 4.0) / 4.0);
        assert!(code(&[2.0; 9], 4, PatternMethod::Variance).is_nan());
    }

    #[test]
    fn weights_end_with_32_bits() {
        let bright = [1.0; 9];
        assert_eq!(code(&bright, 31, PatternMethod::Default), 2_147_483_647.0);
        assert_eq!(code(&bright, 32, PatternMethod::Default), -1.0);
        assert_eq!(code(&bright, 40, PatternMethod::Default), -1.0);
        assert_eq!(code(&bright, 40, PatternMethod::Uniform), 40.0);
    }

    /// `numpy.zeros(1, type)[...] = value` of numpy 1.26.4 on x86-64.
    #[test]
    fn numbers_are_cast_as_by_numpy() {
        let values = [f64::NAN, 1e3, 40_000.0, -70_000.0, 3e9, 5e9, 1e19, -3e9, 1.7, -1.7, f64::INFINITY];
        let lowest = f64::from(i32::MIN);
        let expected: [(PixelType, [f64; 11]); 6] = [
            (PixelType::U8, [0.0, 232.0, 64.0, 144.0, 0.0, 0.0, 0.0, 0.0, 1.0, 255.0, 0.0]),
            (PixelType::I8, [0.0, -24.0, 64.0, -112.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0]),
            (PixelType::U16, [0.0, 1e3, 40_000.0, 61_072.0, 0.0, 0.0, 0.0, 0.0, 1.0, 65_535.0, 0.0]),
            (PixelType::I16, [0.0, 1e3, -25_536.0, -4464.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0]),
            (
                PixelType::U32,
                [-lowest, 1e3, 40_000.0, 4_294_897_296.0, 3e9, 0.0, 0.0, -lowest, 1.0, 4_294_967_295.0, 0.0],
            ),
            (PixelType::I32, [lowest, 1e3, 40_000.0, -70_000.0, lowest, lowest, lowest, lowest, 1.0, -1.0, lowest]),
        ];
        for (pixel_type, expected) in expected {
            assert_eq!(values.map(|value| cast_by_numpy(pixel_type, value)), expected, "{pixel_type:?}");
        }
    }
}
