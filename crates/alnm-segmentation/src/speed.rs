//! Speed images: between −1 where a contour shrinks and 1 where it grows, by thresholds, by edges, by clusters of
//! values or by a forest that learned from scribbles, as ITK-SNAP makes them.

mod edge;
mod forest;
mod itk;
mod mixture;
mod threshold;

use alnm_imaging::{Geometry, Volume};

pub(crate) use edge::smoothed;
pub use edge::{EdgeSpeed, EdgeSpeedParams};
pub use forest::{ForestLearning, ForestParams, ScribbleForest};
pub use itk::{laplacian_speed, linear_threshold_speed};
pub use mixture::{GaussianMixture, MixtureClass, MixtureFit, MixtureParams};
pub use threshold::{ThresholdSpeed, ThresholdSpeedParams, ThresholdSpeedSource};

/// Where a contour gets its speed from: an image of speeds, or a rule that computes them where they are needed.
pub trait SpeedSource: Sync {
    /// The grid of the speed image.
    fn geometry(&self) -> &Geometry;

    /// Fills `speed` with the speeds of the voxels of a row along x that begins at `voxel` (x, y, z). A contour that comes
    /// near a speed that is not finite ends with an error.
    ///
    /// # Panics
    /// May panic when the row leaves the grid.
    fn fill_row(&self, voxel: [usize; 3], speed: &mut [f32]);
}

impl SpeedSource for Volume<f32> {
    fn geometry(&self) -> &Geometry {
        self.geometry()
    }

    fn fill_row(&self, [x, y, z]: [usize; 3], speed: &mut [f32]) {
        let [width, height, _] = self.geometry().size();
        let start = (z * height + y) * width + x;
        speed.copy_from_slice(&self.as_slice()[start..start + speed.len()]);
    }
}

/// ITK-SNAP keeps speeds as 16-bit integers.
const STEPS: f32 = 32767.0;

/// A speed as ITK-SNAP stores it: cut to a multiple of 1 / 32767.
fn stored(speed: f32) -> f32 {
    (speed * STEPS).trunc() / STEPS
}
