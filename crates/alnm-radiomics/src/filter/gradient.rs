//! Magnitude of the gradient as ITK's `GradientMagnitudeImageFilter` computes it.

use alnm_imaging::Image;
use alnm_imaging::region::VoxelBox;

use super::box_values;

/// √Σ ((x₊ - x₋) / (2 · spacing))² over the axes of the image, with the last voxel repeated beyond each end, in the box
/// `part`. `spacing` is (z, y, x). Differences are summed in double precision and stored in single precision.
pub(crate) fn magnitude(image: &Image, spacing: [f64; 3], part: VoxelBox) -> Vec<f32> {
    let geometry = image.geometry();
    // With one voxel more around the box, a neighbour is missing only where the image ends.
    let surrounded = part.grown(1, geometry.size());
    let values = box_values(image, surrounded);
    let shape = surrounded.shape();
    let strides = [shape[1] * shape[2], shape[2], 1];
    // ITK's first axis is x.
    let axes = (3 - geometry.dimension()..3).rev();
    let first = surrounded.start_zyx();
    let mut magnitudes = Vec::with_capacity(part.voxel_count());
    let [zs, ys, xs] = part.ranges_zyx();
    for z in zs {
        for y in ys.clone() {
            for x in xs.clone() {
                let place = [z - first[0], y - first[1], x - first[2]];
                let here = place[0] * strides[0] + place[1] * strides[1] + place[2];
                let slope = |axis: usize| {
                    let after = if place[axis] + 1 < shape[axis] { here + strides[axis] } else { here };
                    let before = if place[axis] > 0 { here - strides[axis] } else { here };
                    let weight = 0.5 * (1.0 / spacing[axis]);
                    values[before] * -weight + values[after] * weight
                };
                let squares: f64 = axes.clone().map(slope).map(|slope| slope * slope).sum();
                magnitudes.push(squares.sqrt() as f32);
            }
        }
    }
    magnitudes
}
