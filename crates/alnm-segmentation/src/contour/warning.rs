//! What should be looked at before an outline is used.

use std::fmt;

use alnm_imaging::Geometry;
use alnm_imaging::region::VoxelBox;
use serde::Serialize;

/// Why an outline should be looked at before it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub enum ContourWarning {
    /// The outline has no voxel: the contour shrank away.
    Vanished,
    /// The outline reaches the border of the image, where the structure may go on or the contour leaked.
    TouchesBorder {
        /// The axes on whose border it lies: x, y, z.
        axes: Vec<char>,
    },
    /// The contour had slowed down and then grew fast again, as one does that leaks through a gap.
    VolumeJump {
        /// The iteration at which the growth rose.
        iteration: usize,
        /// Voxels before.
        before: usize,
        /// Voxels at the end of the iterations looked at.
        after: usize,
    },
}

impl fmt::Display for ContourWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanished => write!(formatter, "the contour vanished; the seed lies where the speed is negative"),
            Self::TouchesBorder { axes } => {
                let axes: Vec<String> = axes.iter().map(ToString::to_string).collect();
                write!(
                    formatter,
                    "the contour reaches the border of the image along {}; it may have leaked",
                    axes.join(", ")
                )
            }
            Self::VolumeJump { iteration, before, after } => write!(
                formatter,
                "the contour slowed down and then grew from {before} to {after} voxels from iteration {iteration} on; it may have leaked"
            ),
        }
    }
}

/// Iterations between two looks at the growth.
const STRIDE: usize = 10;

/// Looks of which the slowest growth is remembered before a jump can be told.
const FIRST_LOOKS: usize = 3;

/// How many times the slowest growth is a jump.
const JUMP: f64 = 3.0;

/// Growth of the volume, as a share, below which no jump is told.
const SMALLEST_SHARE: f64 = 0.05;

/// Watches the growth of a contour.
#[derive(Debug, Clone, Default)]
pub(super) struct GrowthWatch {
    /// Voxels at each look.
    seen: Vec<usize>,
    jump: Option<ContourWarning>,
}

impl GrowthWatch {
    pub(super) fn see(&mut self, iteration: usize, voxels: usize) {
        if !iteration.is_multiple_of(STRIDE) {
            return;
        }
        if let (Some(&before), None) = (self.seen.last(), &self.jump) {
            // Of the radius: the volume of a ball that grows evenly grows ever faster.
            let growth = |before: usize, after: usize| (after as f64).cbrt() - (before as f64).cbrt();
            let slowest = self.seen.windows(2).map(|pair| growth(pair[0], pair[1])).fold(f64::INFINITY, f64::min);
            let rises = growth(before, voxels) > JUMP * slowest.max(0.0);
            let is_large = voxels as f64 > (1.0 + SMALLEST_SHARE) * before as f64;
            if self.seen.len() > FIRST_LOOKS && rises && is_large {
                self.jump = Some(ContourWarning::VolumeJump { iteration: iteration - STRIDE, before, after: voxels });
            }
        }
        self.seen.push(voxels);
    }

    /// What to tell of an outline in this box of an image.
    pub(super) fn warnings(self, found: Option<&VoxelBox>, grid: &Geometry) -> Vec<ContourWarning> {
        let Some(found) = found else { return vec![ContourWarning::Vanished] };
        let size = grid.size();
        // A contour stops one voxel before the border.
        let touches =
            |axis: &usize| size[*axis] > 1 && (found.start()[*axis] <= 1 || found.end()[*axis] + 1 >= size[*axis]);
        let axes: Vec<char> = (0..3).filter(touches).map(|axis| ['x', 'y', 'z'][axis]).collect();
        let border = (!axes.is_empty()).then_some(ContourWarning::TouchesBorder { axes });
        border.into_iter().chain(self.jump).collect()
    }
}
