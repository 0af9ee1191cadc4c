//! Magnitude of the gradient as ITK's `GradientMagnitudeImageFilter` computes it.

use alnm_imaging::Voxel;

use super::Part;

/// √Σ ((x₊ - x₋) / (2 · spacing))² over `axes`, with the last voxel repeated beyond each end, in the box `part` of an
/// image of `shape` (z, y, x). Differences are summed in double precision and stored in single precision.
pub fn magnitude<T: Voxel>(image: &[T], shape: [usize; 3], spacing: [f64; 3], axes: &[usize], part: Part) -> Vec<f32> {
    let strides = [shape[1] * shape[2], shape[2], 1];
    let mut magnitudes = Vec::with_capacity(part.voxel_count());
    for z in part.start[0]..part.start[0] + part.size[0] {
        for y in part.start[1]..part.start[1] + part.size[1] {
            for x in part.start[2]..part.start[2] + part.size[2] {
                let place = [z, y, x];
                let here = z * strides[0] + y * strides[1] + x;
                let slope = |&axis: &usize| {
                    let after = if place[axis] + 1 < shape[axis] { here + strides[axis] } else { here };
                    let before = if place[axis] > 0 { here - strides[axis] } else { here };
                    let weight = 0.5 * (1.0 / spacing[axis]);
                    image[before].to_f64() * -weight + image[after].to_f64() * weight
                };
                // ITK's first axis is x.
                let squares: f64 = axes.iter().rev().map(slope).map(|slope| slope * slope).sum();
                magnitudes.push(squares.sqrt() as f32);
            }
        }
    }
    magnitudes
}
