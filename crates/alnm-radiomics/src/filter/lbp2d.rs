//! Local binary patterns in slices, as scikit-image's `local_binary_pattern` codes them.
//!
//! P samples on a circle around a pixel, interpolated bilinearly between pixels (0 outside the slice), are 1 where they
//! are not below it. Ojala et al. 2002, doi 10.1109/TPAMI.2002.1017623.

use std::f64::consts::PI;

use serde::Serialize;

/// How a pattern of samples becomes a number (`lbp2DMethod`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum PatternMethod {
    /// The pattern as a number.
    Default,
    /// The smallest number among the pattern's rotations.
    RotationInvariant,
    /// The number of set bits of patterns with at most two changes, one code for all others.
    Uniform,
    /// The variance of the samples.
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
    pub(crate) fn code(&self, slice: &[f64], rows: usize, columns: usize, row: usize, column: usize) -> f64 {
        let centre = slice[row * columns + column];
        let texture: Vec<f64> = self
            .samples
            .iter()
            .map(|[dr, dc]| bilinear(slice, rows, columns, row as f64 + dr, column as f64 + dc))
            .collect();
        let bits: Vec<bool> = texture.iter().map(|sample| sample - centre >= 0.0).collect();
        match self.method {
            PatternMethod::Default => number(bits.iter()),
            PatternMethod::RotationInvariant => {
                let rotated = |shift: usize| number(bits.iter().cycle().skip(shift).take(bits.len()));
                (0..bits.len()).map(rotated).fold(f64::INFINITY, f64::min)
            }
            PatternMethod::Uniform => uniform(&bits),
            PatternMethod::Variance => {
                let mean = texture.iter().sum::<f64>() / texture.len() as f64;
                let variance =
                    texture.iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f64>() / texture.len() as f64;
                if variance == 0.0 { f64::NAN } else { uniform(&bits) / variance }
            }
        }
    }
}

/// The bits as a number, the first being the lowest.
fn number<'a>(bits: impl Iterator<Item = &'a bool>) -> f64 {
    bits.enumerate().filter(|(_, bit)| **bit).map(|(place, _)| (place as f64).exp2()).sum()
}

/// The number of set bits of a pattern with at most two changes along the circle's open end, P + 1 for all others.
fn uniform(bits: &[bool]) -> f64 {
    let changes = bits.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if changes <= 2 { bits.iter().filter(|bit| **bit).count() as f64 } else { (bits.len() + 1) as f64 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_corner() {
        // Below, right and on the diagonal between them the slice is not darker than the centre.
        let slice = [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 0.0, 7.0, 9.0];
        let code = |method| Pattern::new(1.0, 8, method).code(&slice, 3, 3, 1, 1);
        // Samples run from the right over the top; right is bit 0, below bit 6, below right bit 7.
        assert_eq!(code(PatternMethod::Default), 1.0 + 64.0 + 128.0);
        assert_eq!(code(PatternMethod::RotationInvariant), 7.0);
        assert_eq!(code(PatternMethod::Uniform), 3.0);
    }
}
