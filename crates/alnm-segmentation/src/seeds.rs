//! Seeds of a contour: bubbles around points, and the points that 3D Slicer and ITK-SNAP save.

mod landmarks;
mod markups;

use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError};

pub use landmarks::landmark_voxels;
pub use markups::markup_points;

/// A ball from which a contour grows, as in ITK-SNAP.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bubble {
    /// Its centre in mm (LPS).
    pub centre: [f64; 3],
    /// Its radius in mm.
    pub radius: f64,
}

impl Bubble {
    /// A ball around a point in mm (LPS).
    #[must_use]
    pub fn new(centre: [f64; 3], radius: f64) -> Self {
        Self { centre, radius }
    }

    /// A ball around the centre of a voxel (x, y, z), as ITK-SNAP places it.
    #[must_use]
    pub fn at_voxel(grid: &Geometry, voxel: [usize; 3], radius: f64) -> Self {
        Self::new(grid.index_to_point(voxel.map(|index| index as f64)), radius)
    }
}

/// The voxels whose centres lie in a bubble, as 1. The voxel nearest to a bubble's centre belongs to it even where the
/// radius reaches no centre.
///
/// # Errors
/// [`SegmentationError::Parameter`] when there is no bubble, a radius is not finite and at least 0, or a centre lies
/// outside of the image.
///
/// ```
/// use alnm_imaging::Geometry;
/// use alnm_segmentation::seeds::{Bubble, bubble_mask};
///
/// let grid = Geometry::axis_aligned([5, 1, 1], [2.0; 3])?;
/// assert_eq!(bubble_mask(&grid, &[Bubble::new([4.5, 0.0, 0.0], 2.0)])?.as_slice(), [0, 0, 1, 1, 0]);
/// let refused = bubble_mask(&grid, &[Bubble::new([40.0, 0.0, 0.0], 2.0)]).unwrap_err();
/// assert!(refused.to_string().starts_with("centre of a bubble is [40.0, 0.0, 0.0] mm, voxel [20.0, 0.0, 0.0]"));
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn bubble_mask(grid: &Geometry, bubbles: &[Bubble]) -> Result<LabelMap> {
    if bubbles.is_empty() {
        return Err(SegmentationError::parameter("number of bubbles", 0, "at least 1"));
    }
    let mut mask = Volume::filled(grid.clone(), 0_u32);
    for (number, bubble) in (1..).zip(bubbles) {
        fill(&mut mask, grid, number, bubble)?;
    }
    Ok(mask)
}

fn fill(mask: &mut LabelMap, grid: &Geometry, number: usize, bubble: &Bubble) -> Result<()> {
    let Bubble { centre, radius } = *bubble;
    if !(radius.is_finite() && radius >= 0.0) {
        let value = format!("{radius} mm for bubble {number}");
        return Err(SegmentationError::parameter("radius", value, "finite and at least 0 mm"));
    }
    let place = grid.point_to_index(centre);
    let size = grid.size();
    if !place.iter().zip(size).all(|(&place, n)| place >= -0.5 && place < n as f64 - 0.5) {
        let name = "centre of a bubble";
        let value = format!("{centre:?} mm, voxel {place:?}, in bubble {number}");
        return Err(SegmentationError::Parameter { name, value, requirement: "inside of the image" });
    }
    let reach: [f64; 3] = grid.spacing().map(|spacing| radius / spacing);
    let range = |axis: usize| {
        let low = (place[axis] - reach[axis]).ceil().max(0.0) as usize;
        let high = ((place[axis] + reach[axis]).floor().max(0.0) as usize).min(size[axis] - 1);
        low..high + 1
    };
    let labels = mask.as_mut_slice();
    let position = |x: usize, y: usize, z: usize| (z * size[1] + y) * size[0] + x;
    for z in range(2) {
        for y in range(1) {
            for x in range(0) {
                let point = grid.index_to_point([x as f64, y as f64, z as f64]);
                let squared: f64 = point.iter().zip(centre).map(|(a, b)| (a - b).powi(2)).sum();
                if squared <= radius * radius {
                    labels[position(x, y, z)] = 1;
                }
            }
        }
    }
    let [x, y, z] = std::array::from_fn(|axis| (place[axis].round().max(0.0) as usize).min(size[axis] - 1));
    labels[position(x, y, z)] = 1;
    Ok(())
}
