//! A level set that is known near its zero alone: Whitaker's sparse field (Int. J. Comput. Vis. 29:203, 1998), as ITK's
//! `SparseFieldLevelSetImageFilter` moves it.
//!
//! The voxels through which the contour passes form the active layer. Layers on either side, of voxels 1 and 2 steps
//! away, hold values that grow by a constant from layer to layer. Active voxels are moved in the order in which ITK's
//! list holds them, for the order decides which of two neighbours gives way; of the other layers the order means
//! nothing. What takes most of the time, the changes of the active voxels and the values of the other layers, is
//! computed on all threads where the layers are large.

use std::hint::select_unpredictable;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::vectorised;
use rayon::prelude::*;

use super::cells::{Cells, Neighbours, Status};
use super::equation::{LargestChange, LevelSetEquation, Workspace};
use super::layer::{Layer, SHARED_VOXELS};
use super::samples::Speeds;
use super::side::Side;
use super::stencils::{BLOCK, Views};
use super::window::Window;
use crate::error::Result;
use crate::speed::SpeedSource;

/// Voxels between the layers and the end of the window, and between the first region and the first window's end.
const MARGIN: usize = 4;
const FIRST_MARGIN: usize = 10;

/// When the window grows it grows on all axes on which there are fewer voxels between the layers and its end.
const SCARCE: usize = MARGIN + 4;

/// Active voxels that one task computes, where threads share them.
const CHUNK: usize = 16 * BLOCK;

/// A sparse field and the equation that moves it.
pub(super) struct SparseField<'a, S: ?Sized> {
    equation: LevelSetEquation,
    speeds: Speeds<'a, S>,
    cells: Cells,
    /// The voxels that the contour crosses. The last one is the front of ITK's list: it is pushed to and gone through
    /// from there.
    active: Layer,
    inside: Side,
    outside: Side,
    /// The values of the active voxels before an iteration and their changes in unit time.
    values: Vec<f64>,
    changes: Vec<f64>,
    /// The difference of neighbouring layers, which is the smallest spacing.
    step: f64,
    /// Voxels inside that are not active.
    core: usize,
    /// Whether the contour began beside the border of the image, to which no other comes.
    has_border: bool,
    /// Voxels on each axis between the layers and the end of the window, since that one has grown.
    room: [usize; 3],
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
    rising: Vec<u32>,
    sinking: Vec<u32>,
    rms_change: f64,
}

impl<'a, S: SpeedSource + ?Sized> SparseField<'a, S> {
    /// The field whose zero is the surface of a region with the bounding box `region`; `is_inside` tells its voxels.
    pub(super) fn new(
        source: &'a S,
        equation: LevelSetEquation,
        region: &VoxelBox,
        is_inside: impl Fn([usize; 3]) -> bool,
    ) -> Result<Self> {
        let image = source.geometry().size();
        let window = Window::new(region.grown(FIRST_MARGIN, image), image);
        let step = equation.smallest_spacing();
        let mut inside = vec![false; window.cell_count()];
        for (row, [x, y, z]) in window.rows_of(region) {
            for (i, inside) in inside[row..][..region.size()[0]].iter_mut().enumerate() {
                *inside = is_inside([x + i, y, z]);
            }
        }
        let mut field = Self {
            cells: Cells::far(&window, equation.dimension(), far(&equation)),
            equation,
            speeds: Speeds::read(source, window)?,
            active: Layer::new(Status::Active),
            inside: Side::inside(step),
            outside: Side::outside(step),
            values: Vec::new(),
            changes: Vec::new(),
            step,
            core: 0,
            has_border: false,
            room: [usize::MAX; 3],
        };
        field.find_layers(region, &inside);
        field.set_active_values(&inside);
        field.spread();
        field.fill_core(&inside);
        Ok(field)
    }

    fn window(&self) -> &Window {
        self.speeds.window()
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::new(self.window().strides())
    }

    /// The active voxels, whose neighbour behind them on an axis lies on the other side, and the layers around them.
    fn find_layers(&mut self, region: &VoxelBox, inside: &[bool]) {
        let neighbours = self.neighbours();
        let (window, dimension) = (self.speeds.window(), self.equation.dimension());
        let cells = &mut self.cells;
        let strides = window.strides();
        // A surface lies nowhere but in the region and a voxel before it.
        let around = region.grown(1, window.image());
        for (row, _) in window.rows_of(&around) {
            for position in row..row + around.size()[0] {
                let behind = strides[..dimension].iter().map(|&stride| position + stride);
                let mut existing = behind.filter(|&there| cells.statuses[there] != Status::Outside);
                if existing.any(|there| inside[there] != inside[position]) {
                    self.active.add(position as u32, cells);
                }
            }
        }
        for neighbour in self.active.voxels.iter().flat_map(|&position| neighbours.of(position)) {
            let side = if inside[neighbour] { &mut self.inside } else { &mut self.outside };
            if matches!(cells.statuses[neighbour], Status::Far | Status::Border) {
                side.near.add(neighbour as u32, cells);
            }
        }
        let sides = [&mut self.inside, &mut self.outside];
        let near = sides.iter().flat_map(|side| &side.near.voxels);
        let on_border = |&there: &u32| window.is_on_border(window.voxel(there as usize), dimension);
        self.has_border = self.active.voxels.iter().chain(near).any(on_border);
        for Side { near, second, .. } in sides {
            for neighbour in near.voxels.iter().flat_map(|&position| neighbours.of(position)) {
                if cells.statuses[neighbour] == Status::Far {
                    second.add(neighbour as u32, cells);
                }
            }
        }
    }

    /// The distance of the zero from the active voxels, as far as signs on either side tell it.
    fn set_active_values(&mut self, inside: &[bool]) {
        let sign = |position: usize| if inside[position] { -1.0 } else { 1.0 };
        let smallest_norm = 1e-6 * self.step;
        let half = self.step / 2.0;
        let (strides, scales) = (self.window().strides(), self.equation.scales());
        for &position in &self.active.voxels {
            let position = position as usize;
            let here: f64 = sign(position);
            let there = |neighbour: usize| {
                if self.cells.statuses[neighbour] == Status::Outside { here } else { sign(neighbour) }
            };
            let mut squared = 0.0;
            for axis in 0..self.equation.dimension() {
                let forward = (there(position + strides[axis]) - here) * scales[axis];
                let backward = (here - there(position - strides[axis])) * scales[axis];
                let larger = if forward.abs() > backward.abs() { forward } else { backward };
                squared += larger * larger;
            }
            let length = squared.sqrt() + smallest_norm;
            self.cells.values[position] = (here / length).clamp(-half, half);
        }
    }

    /// Counts the voxels inside that are not active, and sets the values of those in no layer.
    fn fill_core(&mut self, inside: &[bool]) {
        let far = far(&self.equation);
        for position in (0..inside.len()).filter(|&position| inside[position]) {
            let status = self.cells.statuses[position];
            self.core += usize::from(status != Status::Active);
            if matches!(status, Status::Far | Status::Border) {
                self.cells.values[position] = -far;
            }
        }
    }

    /// Whether threads share the work of an iteration.
    pub(super) fn is_shared(&self) -> bool {
        self.active.voxels.len() >= SHARED_VOXELS
    }

    /// One iteration. `time_step_factor` shortens the step that is stable.
    pub(super) fn advance(&mut self, time_step_factor: f64) -> Result<Moved> {
        let largest = self.find_changes();
        let time_step = time_step_factor * self.equation.time_step(largest);
        let leaving = self.move_active(time_step);
        let rms_change = leaving.rms_change;
        self.move_layers(leaving);
        self.spread();
        if self.room.iter().any(|&room| room < MARGIN) {
            self.grow()?;
        }
        Ok(Moved { rms_change, core: self.core, active: self.active.voxels.len() })
    }

    /// The value and the change in unit time of each active voxel.
    fn find_changes(&mut self) -> LargestChange {
        if self.has_border {
            self.cells.go_on_beyond_border(&self.active.voxels, &self.window().strides()[..self.equation.dimension()]);
        }
        let (mut values, mut changes) = (std::mem::take(&mut self.values), std::mem::take(&mut self.changes));
        values.resize(self.active.voxels.len(), 0.0);
        changes.resize(self.active.voxels.len(), 0.0);
        let of_chunk = |((voxels, values), changes): ((&[u32], &mut [f64]), &mut [f64])| match self.equation.dimension()
        {
            2 => self.find_changes_of::<2>(voxels, values, changes),
            _ => self.find_changes_of::<3>(voxels, values, changes),
        };
        let largest = if !self.is_shared() {
            of_chunk(((&self.active.voxels, &mut values), &mut changes))
        } else {
            let voxels = self.active.voxels.par_chunks(CHUNK).zip(values.par_chunks_mut(CHUNK));
            let chunks = voxels.zip(changes.par_chunks_mut(CHUNK));
            chunks.map(of_chunk).reduce(LargestChange::default, LargestChange::max)
        };
        (self.values, self.changes) = (values, changes);
        largest
    }

    /// The values and changes of voxels of an image of `D` dimensions.
    fn find_changes_of<const D: usize>(
        &self,
        voxels: &[u32],
        values: &mut [f64],
        changes: &mut [f64],
    ) -> LargestChange {
        let mut work = Workspace::new();
        let mut largest = LargestChange::default();
        let strides = self.window().strides();
        vectorised!(pulp::Arch::new(), {
            let views = Views::new::<D>(&self.cells.values, strides);
            let results = values.chunks_mut(BLOCK).zip(changes.chunks_mut(BLOCK));
            for (voxels, (values, changes)) in voxels.chunks(BLOCK).zip(results) {
                // A block that is not full is filled with a voxel that it has.
                let mut block = [voxels[0]; BLOCK];
                block[..voxels.len()].copy_from_slice(voxels);
                largest = largest.max(self.equation.changes::<D>(&block, &views, &self.speeds, &mut work));
                values.copy_from_slice(&work.centre[..voxels.len()]);
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
        let mut active = std::mem::take(&mut self.active.voxels);
        let mut kept = active.len();
        let mut leaving = Leaving::default();
        for (value, change) in self.values.iter_mut().zip(&mut self.changes) {
            let old = *value;
            *value += time_step * *change;
            *change = *value - old;
        }
        let mut moved = active.len();
        for i in (0..active.len()).rev() {
            let (position, value) = (active[i], self.values[i]);
            let leaves = value >= half || value < -half;
            if !leaves {
                self.cells.values[position as usize] = value;
                kept -= 1;
                active[kept] = position;
                continue;
            }
            let is_rising = value >= half;
            let opposite = if is_rising { Status::Sinking } else { Status::Rising };
            // A voxel that leaves between neighbours that leave to the other side would tear a hole; it stays as it is.
            if neighbours.of(position).any(|neighbour| self.cells.statuses[neighbour] == opposite) {
                self.changes[i] = 0.0;
                moved -= 1;
                kept -= 1;
                active[kept] = position;
            } else {
                self.leave(position, value, is_rising);
                (if is_rising { &mut leaving.rising } else { &mut leaving.sinking }).push(position);
            }
        }
        active.drain(..kept);
        self.active.voxels = active;
        let squared = self.changes.iter().rev().fold(0.0, |sum, change| sum + change * change);
        leaving.rms_change = if moved == 0 { 0.0 } else { (squared / moved as f64).sqrt() };
        leaving
    }

    /// Marks an active voxel that leaves its layer, and sets its neighbours that follow it into the layer.
    fn leave(&mut self, position: u32, value: f64, is_rising: bool) {
        let half = self.step / 2.0;
        let (follows, following) = if is_rising {
            (self.inside.near.name, value - self.step)
        } else {
            (self.outside.near.name, value + self.step)
        };
        for neighbour in self.neighbours().of(position) {
            let value = &mut self.cells.values[neighbour];
            let is_untouched = if is_rising { *value < -half } else { *value >= half };
            let is_nearer = is_untouched | (following.abs() < value.abs());
            // Without a branch, as the layers of neighbours follow no pattern.
            let moves = (self.cells.statuses[neighbour] == follows) & is_nearer;
            *value = f64::from_bits(select_unpredictable(moves, following.to_bits(), value.to_bits()));
        }
        self.cells.statuses[position as usize] = if is_rising { Status::Rising } else { Status::Sinking };
    }

    /// Moves the voxels that leave the active layer into those beside it, and the voxels behind them one layer on.
    fn move_layers(&mut self, leaving: Leaving) {
        let neighbours = self.neighbours();
        let Self { cells, active, inside, outside, .. } = self;
        let ([inner, inner_second], [outer, outer_second]) = (inside.names(), outside.names());
        let mut enter = |voxels, layer: &mut Layer, search| layer.enter(voxels, search, cells, neighbours);
        self.core += leaving.sinking.len();
        let rising = enter(leaving.rising, &mut outside.near, inner);
        let sinking = enter(leaving.sinking, &mut inside.near, outer);
        self.core -= rising.len();
        let rising = enter(rising, active, inner_second);
        let sinking = enter(sinking, active, outer_second);
        let rising = enter(rising, &mut inside.near, Status::Far);
        let sinking = enter(sinking, &mut outside.near, Status::Far);
        let window = self.speeds.window();
        for (voxels, side) in [(rising, inside), (sinking, outside)] {
            for position in voxels {
                side.second.add(position, cells);
                let room = window.room(window.voxel(position as usize));
                self.room = std::array::from_fn(|axis| self.room[axis].min(room[axis]));
            }
        }
    }

    /// Sets the values of the layers beside the active one.
    fn spread(&mut self) {
        let strides = self.window().strides();
        self.cells.show(&self.active.voxels);
        self.inside.find_nearest_active(&self.cells, strides);
        self.outside.find_nearest_active(&self.cells, strides);
        self.cells.hide(&self.active.voxels);
        self.inside.spread(&mut self.cells, strides);
        self.outside.spread(&mut self.cells, strides);
    }

    /// Makes the window larger where the layers come near its end.
    fn grow(&mut self) -> Result<()> {
        let old = self.window().clone();
        let window = old.grown(self.room.map(|room| room < SCARCE));
        let mut cells = Cells::far(&window, self.equation.dimension(), far(&self.equation));
        let width = old.part().size()[0];
        for (row, voxel) in old.rows_of(old.part()) {
            let new = window.position(voxel);
            cells.values[new..][..width].copy_from_slice(&self.cells.values[row..][..width]);
            cells.statuses[new..][..width].copy_from_slice(&self.cells.statuses[row..][..width]);
        }
        let [Side { near: inner, second: inner_second, .. }, Side { near: outer, second: outer_second, .. }] =
            [&mut self.inside, &mut self.outside];
        for layer in [&mut self.active, inner, inner_second, outer, outer_second] {
            for position in &mut layer.voxels {
                *position = window.position(old.voxel(*position as usize)) as u32;
            }
        }
        self.cells = cells;
        self.speeds = self.speeds.of_window(window)?;
        self.room = [usize::MAX; 3];
        Ok(())
    }

    /// Calls `visit` with the values of each row along x of the window and its first voxel (x, y, z).
    pub(super) fn for_each_row(&self, mut visit: impl FnMut([usize; 3], &[f64])) {
        let width = self.window().part().size()[0];
        for (row, voxel) in self.window().rows_of(self.window().part()) {
            visit(voxel, &self.cells.values[row..][..width]);
        }
    }
}

/// The value of voxels outside that are in no layer. Inside it is negative.
fn far(equation: &LevelSetEquation) -> f64 {
    (equation.dimension() as f64 + 1.0) * equation.smallest_spacing()
}
