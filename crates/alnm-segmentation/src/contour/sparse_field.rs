//! A level set that is known near its zero alone: Whitaker's sparse field (Int. J. Comput. Vis. 29:203, 1998), as ITK's
//! `SparseFieldLevelSetImageFilter` moves it.
//!
//! The voxels through which the contour passes form the active layer. Layers on either side, of voxels 1 and 2 steps
//! away, hold values that grow by a constant from layer to layer. Active voxels are moved in the order in which ITK's
//! list holds them, for the order decides which of two neighbours gives way; of the other layers the order means
//! nothing. What takes most of the time, the changes of the active voxels and the values of the other layers, is
//! computed on all threads.

use alnm_imaging::region::VoxelBox;
use alnm_imaging::vectorised;
use rayon::prelude::*;

use super::cells::{ACTIVE, BORDER, CHANGING, Cells, FAR, OUTSIDE, RISING, SINKING, Status};
use super::equation::{LargestChange, LevelSetEquation, Workspace};
use super::samples::Speeds;
use super::side::{Layer, Side};
use super::stencils::BLOCK;
use super::window::Window;
use crate::speed::SpeedSource;

/// Voxels between the layers and the end of the window, and between the first region and the first window's end.
const MARGIN: usize = 4;
const FIRST_MARGIN: usize = 12;

/// Active voxels that one task computes, where there are so many that threads share them: to hand work to another
/// thread takes as long as to compute some thousand voxels.
const CHUNK: usize = 8 * BLOCK;
const SHARED_ACTIVE: usize = 4096;

/// Voxels of both sides from which on they are set at the same time.
const SHARED_VOXELS: usize = 12288;

/// A sparse field and the equation that moves it.
pub(super) struct SparseField<'a, S: ?Sized> {
    equation: LevelSetEquation,
    speeds: Speeds<'a, S>,
    /// The level set, negative inside, and the layers.
    cells: Cells,
    /// The voxels that the contour crosses. The last one is the front of ITK's list: it is pushed to and gone through
    /// from there.
    active: Layer,
    inside: Side,
    outside: Side,
    /// Changes of the active voxels in unit time.
    changes: Vec<f64>,
    /// The difference of neighbouring layers, which is the smallest spacing.
    step: f64,
    /// Voxels inside that are not active.
    core: usize,
    /// Whether the contour began beside the border of the image, to which no other comes.
    has_border: bool,
    must_grow: bool,
}

/// What an iteration did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    /// Root of the mean squared change of the active voxels.
    pub(super) rms_change: f64,
    /// Voxels inside that are not active.
    pub(super) core: usize,
    pub(super) active: usize,
}

/// Active voxels that leave their layer.
#[derive(Debug, Default)]
struct Leaving {
    rising: Layer,
    sinking: Layer,
    rms_change: f64,
}

/// Steps to the neighbours that share a face, in ITK's order: backwards from the last axis, then forwards. Those beyond
/// an image of one slice are outside.
#[derive(Debug, Clone, Copy)]
struct Neighbours([isize; 6]);

impl Neighbours {
    fn new(strides: [usize; 3]) -> Self {
        let [x, y, z] = strides.map(|stride| stride as isize);
        Self([-z, -y, -x, x, y, z])
    }

    fn of(self, position: u32) -> impl Iterator<Item = usize> {
        self.0.into_iter().map(move |step| (position as usize).wrapping_add_signed(step))
    }
}

impl<'a, S: SpeedSource + ?Sized> SparseField<'a, S> {
    /// The field whose zero is the surface of a region with the bounding box `region`; `is_inside` tells its voxels.
    pub(super) fn new(
        source: &'a S,
        equation: LevelSetEquation,
        region: &VoxelBox,
        is_inside: impl Fn([usize; 3]) -> bool,
    ) -> Self {
        let image = source.geometry().size();
        let window = Window::new(region.grown(FIRST_MARGIN, image), image);
        let (step, dimension) = (equation.smallest_spacing(), equation.dimension());
        let cells = Cells::outside(window.cell_count(), 0.0);
        let mut sign = vec![1.0; window.cell_count()];
        for (row, [x, y, z]) in window.rows() {
            for i in 0..window.part().size()[0] {
                let voxel = [x + i, y, z];
                cells.set_status(row + i, if window.is_on_border(voxel, dimension) { BORDER } else { FAR });
                sign[row + i] = if is_inside(voxel) { -1.0 } else { 1.0 };
            }
        }
        let mut field = Self {
            equation,
            speeds: Speeds::read(source, window),
            cells,
            active: Layer::new(),
            inside: Side::inside(step),
            outside: Side::outside(step),
            changes: Vec::new(),
            step,
            core: 0,
            has_border: false,
            must_grow: false,
        };
        field.find_layers(&sign);
        field.set_active_values(&sign);
        field.spread();
        let far = field.far();
        for position in (0..sign.len()).filter(|&position| matches!(field.cells.status(position), FAR | BORDER)) {
            field.cells.set_value(position, far * sign[position]);
        }
        let is_core = |position: &usize| sign[*position] < 0.0 && field.cells.status(*position) != ACTIVE;
        field.core = (0..sign.len()).filter(is_core).count();
        field
    }

    /// The value of voxels in no layer.
    fn far(&self) -> f64 {
        (self.equation.dimension() as f64 + 1.0) * self.step
    }

    fn window(&self) -> &Window {
        self.speeds.window()
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::new(self.window().strides())
    }

    /// The active voxels, whose neighbour behind them on an axis lies on the other side, and the layers around them.
    fn find_layers(&mut self, sign: &[f64]) {
        let neighbours = self.neighbours();
        let (cells, window, dimension) = (&self.cells, self.speeds.window(), self.equation.dimension());
        let strides = window.strides();
        let exists = |position: usize| cells.status(position) != OUTSIDE;
        let is_crossing = |position: usize| {
            let mut behind = strides[..dimension].iter().map(|&stride| position + stride);
            behind.any(|there| exists(there) && sign[position] * sign[there] < 0.0)
        };
        let crossings: Vec<bool> = (0..sign.len()).map(|position| exists(position) && is_crossing(position)).collect();
        for (row, _) in window.rows() {
            for i in (0..window.part().size()[0]).filter(|i| crossings[row + i]) {
                let position = (row + i) as u32;
                self.active.push(position);
                cells.set_status(row + i, ACTIVE);
                for neighbour in neighbours.of(position).filter(|&there| exists(there) && !crossings[there]) {
                    let side = if sign[neighbour] < 0.0 { &mut self.inside } else { &mut self.outside };
                    if cells.status(neighbour) != side.names[0] {
                        cells.set_status(neighbour, side.names[0]);
                        side.layers[0].push(neighbour as u32);
                    }
                }
            }
        }
        let mut near = self.active.iter().chain(&self.inside.layers[0]).chain(&self.outside.layers[0]);
        self.has_border = near.any(|&there| window.is_on_border(window.voxel(there as usize), dimension));
        for side in [&mut self.inside, &mut self.outside] {
            let [near, second] = &mut side.layers;
            for neighbour in near.iter().flat_map(|&position| neighbours.of(position)) {
                if cells.status(neighbour) == FAR {
                    cells.set_status(neighbour, side.names[1]);
                    second.push(neighbour as u32);
                }
            }
        }
    }

    /// The distance of the zero from the active voxels, as far as signs on either side tell it.
    fn set_active_values(&mut self, sign: &[f64]) {
        let smallest_norm = 1e-6 * self.step;
        let half = self.step / 2.0;
        let (strides, scales) = (self.window().strides(), self.equation.scales());
        for &position in &self.active {
            let position = position as usize;
            let here = sign[position];
            let there = |neighbour: usize| if self.cells.status(neighbour) == OUTSIDE { here } else { sign[neighbour] };
            let mut squared = 0.0;
            for axis in 0..self.equation.dimension() {
                let forward = (there(position + strides[axis]) - here) * scales[axis];
                let backward = (here - there(position - strides[axis])) * scales[axis];
                let larger = if forward.abs() > backward.abs() { forward } else { backward };
                squared += larger * larger;
            }
            let length = squared.sqrt() + smallest_norm;
            self.cells.set_value(position, (here / length).clamp(-half, half));
        }
    }

    /// One iteration. `time_step_factor` shortens the step that is stable.
    pub(super) fn advance(&mut self, time_step_factor: f64) -> Moved {
        let largest = self.find_changes();
        let time_step = time_step_factor * self.equation.time_step(largest);
        let leaving = self.move_active(time_step);
        let rms_change = leaving.rms_change;
        self.move_layers(leaving);
        self.spread();
        if self.must_grow {
            self.grow();
        }
        Moved { rms_change, core: self.core, active: self.active.len() }
    }

    /// The change of each active voxel in unit time.
    fn find_changes(&mut self) -> LargestChange {
        let mut changes = std::mem::take(&mut self.changes);
        changes.resize(self.active.len(), 0.0);
        let of_chunk = |(voxels, changes): (&[u32], &mut [f64])| match self.equation.dimension() {
            2 => self.find_changes_of::<2>(voxels, changes),
            _ => self.find_changes_of::<3>(voxels, changes),
        };
        let largest = if self.active.len() < SHARED_ACTIVE {
            of_chunk((&self.active, &mut changes))
        } else {
            let chunks = self.active.par_chunks(CHUNK).zip(changes.par_chunks_mut(CHUNK));
            chunks.map(of_chunk).reduce(LargestChange::default, LargestChange::max)
        };
        self.changes = changes;
        largest
    }

    /// The changes of voxels of an image of `D` dimensions.
    fn find_changes_of<const D: usize>(&self, voxels: &[u32], changes: &mut [f64]) -> LargestChange {
        let mut work = Workspace::new();
        let mut largest = LargestChange::default();
        let strides = self.window().strides();
        vectorised!(pulp::Arch::new(), {
            for (voxels, changes) in voxels.chunks(BLOCK).zip(changes.chunks_mut(BLOCK)) {
                // A block that is not full is filled with a voxel that it has.
                let mut block = [voxels[0]; BLOCK];
                block[..voxels.len()].copy_from_slice(voxels);
                work.stencils.read::<D>(&self.cells, strides, &block, self.has_border);
                largest = largest.max(self.equation.changes::<D>(&block, &self.speeds, &mut work));
                changes.copy_from_slice(&work.changes[..voxels.len()]);
            }
        });
        largest
    }

    /// Adds the changes to the active voxels. Those that leave the layer are taken out of it, and the values of their
    /// neighbours that follow them are set.
    fn move_active(&mut self, time_step: f64) -> Leaving {
        let neighbours = self.neighbours();
        let half = self.step / 2.0;
        let mut active = std::mem::take(&mut self.active);
        let mut kept = active.len();
        let (mut squared, mut moved) = (0.0, 0_usize);
        let mut leaving = Leaving::default();
        for i in (0..active.len()).rev() {
            let position = active[i];
            let old = self.cells.value(position as usize);
            let value = old + time_step * self.changes[i];
            let leaves = value >= half || value < -half;
            let (status, opposite) = if value >= half { (RISING, SINKING) } else { (SINKING, RISING) };
            // A voxel that leaves between neighbours that leave to the other side would tear a hole; it stays as it is.
            if leaves && neighbours.of(position).any(|neighbour| self.cells.status(neighbour) == opposite) {
                kept -= 1;
                active[kept] = position;
                continue;
            }
            squared += (value - old).powi(2);
            moved += 1;
            if leaves {
                self.leave(position, value, status);
                (if status == RISING { &mut leaving.rising } else { &mut leaving.sinking }).push(position);
            } else {
                self.cells.set_value(position as usize, value);
                kept -= 1;
                active[kept] = position;
            }
        }
        active.drain(..kept);
        self.active = active;
        leaving.rms_change = if moved == 0 { 0.0 } else { (squared / moved as f64).sqrt() };
        leaving
    }

    /// Marks an active voxel that leaves its layer, and sets its neighbours that follow it into the layer.
    fn leave(&self, position: u32, value: f64, status: Status) {
        let half = self.step / 2.0;
        let is_rising = status == RISING;
        let (follows, following) = if is_rising {
            (self.inside.names[0], value - self.step)
        } else {
            (self.outside.names[0], value + self.step)
        };
        for neighbour in self.neighbours().of(position).filter(|&there| self.cells.status(there) == follows) {
            let old = self.cells.value(neighbour);
            let is_untouched = if is_rising { old < -half } else { old >= half };
            if is_untouched || following.abs() < old.abs() {
                self.cells.set_value(neighbour, following);
            }
        }
        self.cells.set_status(position as usize, status);
    }

    /// Moves the voxels that leave the active layer into those beside it, and the voxels behind them one layer on.
    fn move_layers(&mut self, leaving: Leaving) {
        let neighbours = self.neighbours();
        let Self { cells, active, inside, outside, .. } = self;
        let ([inner, inner_second], [outer, outer_second]) = (inside.names, outside.names);
        let enter = |voxels: Layer, layer: &mut Layer, name: Status, search: Status| {
            let mut found = Layer::new();
            for position in voxels.into_iter().rev() {
                cells.set_status(position as usize, name);
                layer.push(position);
                for neighbour in neighbours.of(position).filter(|&there| cells.status(there) == search) {
                    cells.set_status(neighbour, CHANGING);
                    found.push(neighbour as u32);
                }
            }
            found
        };
        self.core += leaving.sinking.len();
        let rising = enter(leaving.rising, &mut outside.layers[0], outer, inner);
        let sinking = enter(leaving.sinking, &mut inside.layers[0], inner, outer);
        self.core -= rising.len();
        let rising = enter(rising, active, ACTIVE, inner_second);
        let sinking = enter(sinking, active, ACTIVE, outer_second);
        let rising = enter(rising, &mut inside.layers[0], inner, FAR);
        let sinking = enter(sinking, &mut outside.layers[0], outer, FAR);
        let window = self.speeds.window();
        for (voxels, side) in [(rising, inside), (sinking, outside)] {
            for position in voxels {
                cells.set_status(position as usize, side.names[1]);
                side.layers[1].push(position);
                self.must_grow |= window.is_near_end(window.voxel(position as usize), MARGIN);
            }
        }
    }

    /// Sets the values of the layers beside the active one.
    fn spread(&mut self) {
        let neighbours = self.neighbours();
        let Self { cells, inside, outside, .. } = self;
        let (cells, Neighbours(steps)) = (&*cells, &neighbours);
        if inside.voxel_count() + outside.voxel_count() < SHARED_VOXELS {
            inside.spread(cells, steps);
            outside.spread(cells, steps);
        } else {
            rayon::join(|| inside.spread(cells, steps), || outside.spread(cells, steps));
        }
    }

    /// Makes the window larger.
    fn grow(&mut self) {
        let old = self.window().clone();
        let window = old.grown();
        let cells = Cells::outside(window.cell_count(), self.far());
        for (row, [x, y, z]) in window.rows() {
            for i in 0..window.part().size()[0] {
                let is_border = window.is_on_border([x + i, y, z], self.equation.dimension());
                cells.set_status(row + i, if is_border { BORDER } else { FAR });
            }
        }
        for (row, voxel) in old.rows() {
            let new = window.position(voxel);
            for i in 0..old.part().size()[0] {
                cells.set_value(new + i, self.cells.value(row + i));
                cells.set_status(new + i, self.cells.status(row + i));
            }
        }
        let sides = self.inside.layers.iter_mut().chain(&mut self.outside.layers);
        for position in sides.chain([&mut self.active]).flatten() {
            *position = window.position(old.voxel(*position as usize)) as u32;
        }
        self.cells = cells;
        self.speeds = self.speeds.of_window(window);
        self.must_grow = false;
    }

    /// Calls `visit` with each voxel (x, y, z) of the image whose value is 0 or less.
    pub(super) fn for_each_inside(&self, mut visit: impl FnMut([usize; 3])) {
        for (row, [x, y, z]) in self.window().rows() {
            for i in (0..self.window().part().size()[0]).filter(|i| self.cells.value(row + i) <= 0.0) {
                visit([x + i, y, z]);
            }
        }
    }
}
