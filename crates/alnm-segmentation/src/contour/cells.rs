//! The level set and the layers of the cells of a window.

use super::window::Window;

/// The layer in which a voxel lies, or what else is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// In the active layer.
    Active,
    /// One step inside of the active layer.
    Inner,
    /// Two steps inside of it.
    InnerSecond,
    /// One step outside of it.
    Outer,
    /// Two steps outside of it.
    OuterSecond,
    /// In no layer.
    Far,
    /// About to enter a layer.
    Changing,
    /// Leaves the active layer outwards.
    Rising,
    /// Leaves the active layer inwards.
    Sinking,
    /// On the border of the image, where no layer goes.
    Border,
    /// Not in the image, or not in the window.
    Outside,
}

/// The level set and the layers.
#[derive(Debug)]
pub(super) struct Cells {
    /// The level set, negative inside.
    pub(super) values: Vec<f64>,
    pub(super) statuses: Vec<Status>,
    /// The values of one layer while the layer behind it is set by them, and NaN elsewhere. What compares values passes
    /// over NaN, so that nobody need look at the statuses of neighbours, which follow no pattern.
    pub(super) shown: Vec<f64>,
}

impl Cells {
    /// The cells of a window of an image of that dimension, in no layer, with one value.
    pub(super) fn far(window: &Window, dimension: usize, value: f64) -> Self {
        let count = window.cell_count();
        let mut cells =
            Self { values: vec![value; count], statuses: vec![Status::Outside; count], shown: vec![f64::NAN; count] };
        let last = window.part().size()[0] - 1;
        for (row, [x, y, z]) in window.rows_of(window.part()) {
            let status = |i: usize| {
                if window.is_on_border([x + i, y, z], dimension) { Status::Border } else { Status::Far }
            };
            // Of a row on no border only the ends may lie on one.
            let statuses = &mut cells.statuses[row..=row + last];
            statuses.fill(status(last / 2));
            (statuses[0], statuses[last]) = (status(0), status(last));
        }
        cells
    }

    /// Shows the values of voxels.
    pub(super) fn show(&mut self, voxels: &[u32]) {
        for &position in voxels {
            self.shown[position as usize] = self.values[position as usize];
        }
    }

    /// Beyond the border of the image values go on as they are there: sets the values of the cells beyond it around voxels.
    /// `strides` has the steps along the axes of the image.
    pub(super) fn go_on_beyond_border(&mut self, voxels: &[u32], strides: &[usize]) {
        let steps = |stride: usize| [-(stride as isize), stride as isize];
        for position in voxels.iter().map(|&position| position as usize) {
            for &stride in strides {
                for there in steps(stride).map(|step| position.wrapping_add_signed(step)) {
                    if self.statuses[there] != Status::Outside {
                        continue;
                    }
                    self.values[there] = self.values[position];
                    for step in strides.iter().filter(|&&other| other != stride).flat_map(|&other| steps(other)) {
                        let beside = position.wrapping_add_signed(step);
                        let last = if self.statuses[beside] == Status::Outside { position } else { beside };
                        self.values[there.wrapping_add_signed(step)] = self.values[last];
                    }
                }
            }
        }
    }

    /// Hides the values of voxels.
    pub(super) fn hide(&mut self, voxels: &[u32]) {
        for &position in voxels {
            self.shown[position as usize] = f64::NAN;
        }
    }
}

/// Steps to the neighbours that share a face, in ITK's order: backwards from the last axis, then forwards. Those beyond
/// an image of one slice are outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbours([isize; Self::COUNT]);

impl Neighbours {
    pub(super) const COUNT: usize = 6;

    pub(super) fn new(strides: [usize; 3]) -> Self {
        let [x, y, z] = strides.map(|stride| stride as isize);
        Self([-z, -y, -x, x, y, z])
    }

    pub(super) fn of(self, position: u32) -> impl Iterator<Item = usize> {
        self.0.into_iter().map(move |step| (position as usize).wrapping_add_signed(step))
    }
}
