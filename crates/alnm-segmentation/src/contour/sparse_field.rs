//! A level set that is known near its zero alone: Whitaker's sparse field (Int. J. Comput. Vis. 29:203, 1998), as ITK's
//! `SparseFieldLevelSetImageFilter` moves it.
//!
//! The voxels through which the contour passes form the active layer. Three layers on either side, of voxels 1, 2 and 3
//! steps away, hold values that grow by a constant from layer to layer. Only these voxels are touched, in the order in which
//! ITK's lists hold them, for the order decides which of two neighbours gives way. What the order does not decide, the change
//! of each active voxel, is computed on all threads.

use alnm_imaging::region::VoxelBox;
use rayon::prelude::*;

use super::equation::{LargestChange, LevelSetEquation, Stencil};
use super::window::Window;
use crate::speed::SpeedSource;

/// The layer in which a voxel lies, or what else is known of it.
type Status = i8;

/// In no layer.
const FAR: Status = i8::MIN;
/// About to enter a layer.
const CHANGING: Status = -1;
/// Leaves the active layer outwards.
const RISING: Status = -2;
/// Leaves the active layer inwards.
const SINKING: Status = -3;
/// On the border of the image, where no layer goes.
const BORDER: Status = -4;
/// Not in the image, or not in the window.
const OUTSIDE: Status = -5;

/// The active layer.
const ACTIVE: Status = 0;
/// The first layer inside; layers inside have odd numbers.
const INSIDE: Status = 1;
/// The first layer outside; layers outside have even numbers.
const FIRST_OUTSIDE: Status = 2;

/// Voxels between the layers and the end of the window, and between the first region and the first window's end.
const MARGIN: usize = 4;
const FIRST_MARGIN: usize = 12;

/// Active voxels that one task computes.
const CHUNK: usize = 1024;

/// Voxels of another layer that one task computes, which takes less time.
const LAYER_CHUNK: usize = 8192;

/// Voxels of a layer. The last one is the front of ITK's list: it is pushed to and gone through from there.
type Layer = Vec<u32>;

/// A sparse field and the equation that moves it.
pub(super) struct SparseField<'a, S: ?Sized> {
    source: &'a S,
    equation: LevelSetEquation,
    window: Window,
    /// The level set; negative inside.
    values: Vec<f64>,
    status: Vec<Status>,
    speed: Vec<f32>,
    layers: Vec<Layer>,
    /// The difference of neighbouring layers, which is the smallest spacing.
    step: f64,
    /// Voxels inside that are not active.
    core: usize,
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
        let cells = window.cell_count();
        let step = equation.smallest_spacing();
        let mut field = Self {
            source,
            layers: vec![Layer::new(); 2 * equation.dimension() + 1],
            equation,
            values: vec![0.0; cells],
            status: vec![OUTSIDE; cells],
            speed: Vec::new(),
            window,
            step,
            core: 0,
            must_grow: false,
        };
        field.read_speed();
        let mut sign = vec![1.0; cells];
        for (row, [x, y, z]) in field.window.rows() {
            for i in 0..field.window.part().size()[0] {
                let voxel = [x + i, y, z];
                let is_border = field.window.is_on_border(voxel, field.equation.dimension());
                field.status[row + i] = if is_border { BORDER } else { FAR };
                sign[row + i] = if is_inside(voxel) { -1.0 } else { 1.0 };
            }
        }
        field.find_active_layer(&sign);
        for layer in INSIDE..field.layers.len() as Status - 2 {
            field.find_layer(layer, layer + 2);
        }
        field.set_active_values(&sign);
        field.spread_values();
        let far = field.far();
        for (position, status) in field.status.iter().enumerate() {
            if matches!(*status, FAR | BORDER) {
                field.values[position] = far * sign[position];
            }
        }
        let inside = sign.iter().zip(&field.status).filter(|(sign, status)| **sign < 0.0 && **status != ACTIVE);
        field.core = inside.count();
        field
    }

    /// The value of voxels in no layer.
    fn far(&self) -> f64 {
        (self.equation.dimension() as f64 + 1.0) * self.step
    }

    fn read_speed(&mut self) {
        let width = self.window.part().size()[0];
        let mut speed = vec![0.0; self.window.cell_count()];
        let rows: Vec<(usize, [usize; 3])> = self.window.rows().collect();
        // Rows lie one after the other, each in its own line of cells.
        let mut lines: Vec<(&mut [f32], [usize; 3])> = Vec::with_capacity(rows.len());
        let mut rest = &mut speed[..];
        let mut passed = 0;
        for (row, voxel) in rows {
            let (_, from_row) = std::mem::take(&mut rest).split_at_mut(row - passed);
            let (line, behind) = from_row.split_at_mut(width);
            lines.push((line, voxel));
            rest = behind;
            passed = row + width;
        }
        let source = self.source;
        lines.into_par_iter().for_each(|(line, voxel)| source.fill_row(voxel, line));
        self.speed = speed;
    }

    /// Steps to the neighbours that share a face, in ITK's order: backwards from the last axis, then forwards.
    fn neighbours(&self) -> ([isize; 6], usize) {
        let dimension = self.equation.dimension();
        let strides = self.window.strides().map(|stride| stride as isize);
        let mut steps = [0; 6];
        for axis in 0..dimension {
            steps[dimension - 1 - axis] = -strides[axis];
            steps[dimension + axis] = strides[axis];
        }
        (steps, 2 * dimension)
    }

    /// The voxels whose neighbour behind them on an axis lies on the other side, and the first layers around them.
    fn find_active_layer(&mut self, sign: &[f64]) {
        let (steps, count) = self.neighbours();
        let (dimension, strides) = (self.equation.dimension(), self.window.strides());
        let rows: Vec<(usize, [usize; 3])> = self.window.rows().collect();
        let width = self.window.part().size()[0];
        let exists = |status: &[Status], position: usize| status[position] != OUTSIDE;
        let is_crossing = |status: &[Status], position: usize| {
            strides[..dimension]
                .iter()
                .any(|&stride| exists(status, position + stride) && sign[position] * sign[position + stride] < 0.0)
        };
        let crossings: Vec<bool> = (0..sign.len())
            .map(|position| exists(&self.status, position) && is_crossing(&self.status, position))
            .collect();
        for position in rows.iter().flat_map(|(row, _)| *row..row + width).filter(|&position| crossings[position]) {
            self.layers[ACTIVE as usize].push(position as u32);
            self.status[position] = ACTIVE;
            for step in &steps[..count] {
                let neighbour = position.wrapping_add_signed(*step);
                if exists(&self.status, neighbour) && !crossings[neighbour] {
                    let layer = if sign[neighbour] < 0.0 { INSIDE } else { FIRST_OUTSIDE };
                    self.status[neighbour] = layer;
                    self.layers[layer as usize].push(neighbour as u32);
                }
            }
        }
    }

    /// The neighbours of a layer that are in none yet.
    fn find_layer(&mut self, from: Status, to: Status) {
        let (steps, count) = self.neighbours();
        let [from, to_layer] = self.layers.get_disjoint_mut([from as usize, to as usize]).expect("two layers");
        for &position in from.iter().rev() {
            for step in &steps[..count] {
                let neighbour = (position as usize).wrapping_add_signed(*step);
                if self.status[neighbour] == FAR {
                    self.status[neighbour] = to;
                    to_layer.push(neighbour as u32);
                }
            }
        }
    }

    /// The distance of the zero from the active voxels, as far as signs on either side tell it.
    fn set_active_values(&mut self, sign: &[f64]) {
        let smallest_norm = 1e-6 * self.step;
        let half = self.step / 2.0;
        let (strides, scales) = (self.window.strides(), self.equation.scales());
        for &position in &self.layers[ACTIVE as usize] {
            let position = position as usize;
            let here = sign[position];
            let there = |neighbour: usize| if self.status[neighbour] == OUTSIDE { here } else { sign[neighbour] };
            let mut squared = 0.0;
            for axis in 0..self.equation.dimension() {
                let forward = (there(position + strides[axis]) - here) * scales[axis];
                let backward = (here - there(position - strides[axis])) * scales[axis];
                let larger = if forward.abs() > backward.abs() { forward } else { backward };
                squared += larger * larger;
            }
            let length = squared.sqrt() + smallest_norm;
            self.values[position] = (here / length).clamp(-half, half);
        }
    }

    /// One iteration. `time_step_factor` shortens the step that is stable.
    pub(super) fn advance(&mut self, time_step_factor: f64) -> Moved {
        let (changes, largest) = self.changes();
        let time_step = time_step_factor * self.equation.time_step(largest);
        let rms_change = self.apply(&changes, time_step);
        if self.must_grow {
            self.grow();
        }
        Moved { rms_change, core: self.core, active: self.layers[ACTIVE as usize].len() }
    }

    /// The change of each active voxel in unit time.
    fn changes(&self) -> (Vec<f64>, LargestChange) {
        let layer = &self.layers[ACTIVE as usize];
        let change_of = |&position: &u32| self.equation.change(&self.stencil(position as usize), self);
        let of_chunk = |(voxels, changes): (&[u32], &mut [f64])| {
            let mut largest = LargestChange::default();
            for (voxel, change) in voxels.iter().zip(changes) {
                let (value, terms) = change_of(voxel);
                *change = value;
                largest = largest.max(terms);
            }
            largest
        };
        let mut changes = vec![0.0; layer.len()];
        let largest = if layer.len() <= CHUNK {
            of_chunk((layer, &mut changes))
        } else {
            let chunks = layer.par_chunks(CHUNK).zip(changes.par_chunks_mut(CHUNK));
            chunks.map(of_chunk).reduce(LargestChange::default, LargestChange::max)
        };
        (changes, largest)
    }

    /// The values around an active voxel.
    fn stencil(&self, position: usize) -> Stencil {
        let [x, y, z] = self.window.strides().map(|stride| stride as isize);
        let is_planar = self.equation.dimension() == 2;
        let is_missing = |step: isize| self.status[position.wrapping_add_signed(step)] == OUTSIDE;
        // Beyond the border of the image values go on as they are there.
        let clamp = |low: isize, high: isize| {
            [if is_missing(low) { 0 } else { low }, 0, if is_missing(high) { 0 } else { high }]
        };
        let (xs, ys) = (clamp(-x, x), clamp(-y, y));
        let zs = if is_planar { [0; 3] } else { clamp(-z, z) };
        Stencil {
            position,
            values: zs.map(|z| ys.map(|y| xs.map(|x| self.values[position.wrapping_add_signed(z + y + x)]))),
        }
    }

    /// Moves the active voxels, and the layers after them.
    fn apply(&mut self, changes: &[f64], time_step: f64) -> f64 {
        let (mut rising, mut sinking) = (Layer::new(), Layer::new());
        let rms_change = self.move_active(changes, time_step, &mut rising, &mut sinking);
        self.core += sinking.len();
        let mut rising = self.enter(rising, FIRST_OUTSIDE, INSIDE);
        let mut sinking = self.enter(sinking, INSIDE, FIRST_OUTSIDE);
        self.core -= rising.len();
        let layers = self.layers.len() as Status;
        let (mut inner, mut outer) = (ACTIVE, ACTIVE);
        let (mut next_inner, mut next_outer) = (INSIDE + 2, FIRST_OUTSIDE + 2);
        while next_outer < layers {
            rising = self.enter(rising, inner, next_inner);
            sinking = self.enter(sinking, outer, next_outer);
            inner = if inner == ACTIVE { INSIDE } else { inner + 2 };
            outer += 2;
            next_inner += 2;
            next_outer += 2;
        }
        let rising = self.enter(rising, inner, FAR);
        let sinking = self.enter(sinking, outer, FAR);
        self.enter_last(rising, layers - 2);
        self.enter_last(sinking, layers - 1);
        self.spread_values();
        rms_change
    }

    /// Adds the changes to the active voxels; those that leave the layer go to the lists, and the values of their
    /// neighbours that follow them are set.
    fn move_active(&mut self, changes: &[f64], time_step: f64, rising: &mut Layer, sinking: &mut Layer) -> f64 {
        let (steps, count) = self.neighbours();
        let half = self.step / 2.0;
        let mut layer = std::mem::take(&mut self.layers[ACTIVE as usize]);
        let mut kept = layer.len();
        let (mut squared, mut moved) = (0.0, 0_usize);
        for i in (0..layer.len()).rev() {
            let position = layer[i] as usize;
            let value = self.values[position] + time_step * changes[i];
            let neighbours = steps[..count].iter().map(|step| position.wrapping_add_signed(*step));
            // A voxel that leaves between neighbours that leave to the other side would tear a hole; it stays as it is.
            let (leaves, opposite, follows) = if value >= half {
                (Some(RISING), SINKING, INSIDE)
            } else if value < -half {
                (Some(SINKING), RISING, FIRST_OUTSIDE)
            } else {
                (None, FAR, FAR)
            };
            let Some(leaves) = leaves else {
                squared += (value - self.values[position]).powi(2);
                moved += 1;
                self.values[position] = value;
                kept -= 1;
                layer[kept] = position as u32;
                continue;
            };
            if neighbours.clone().any(|neighbour| self.status[neighbour] == opposite) {
                kept -= 1;
                layer[kept] = position as u32;
                continue;
            }
            squared += (value - self.values[position]).powi(2);
            moved += 1;
            let following = if leaves == RISING { value - self.step } else { value + self.step };
            for neighbour in neighbours.filter(|&neighbour| self.status[neighbour] == follows) {
                let old = self.values[neighbour];
                let is_untouched = if leaves == RISING { old < -half } else { old >= half };
                if is_untouched || following.abs() < old.abs() {
                    self.values[neighbour] = following;
                }
            }
            self.status[position] = leaves;
            (if leaves == RISING { &mut *rising } else { &mut *sinking }).push(position as u32);
        }
        layer.drain(..kept);
        self.layers[ACTIVE as usize] = layer;
        if moved == 0 { 0.0 } else { (squared / moved as f64).sqrt() }
    }

    /// Puts voxels into a layer; their neighbours of the status `search` are returned and marked.
    fn enter(&mut self, voxels: Layer, layer: Status, search: Status) -> Layer {
        let (steps, count) = self.neighbours();
        let mut found = Layer::new();
        for position in voxels.into_iter().rev() {
            self.status[position as usize] = layer;
            self.layers[layer as usize].push(position);
            for step in &steps[..count] {
                let neighbour = (position as usize).wrapping_add_signed(*step);
                if self.status[neighbour] == search {
                    self.status[neighbour] = CHANGING;
                    found.push(neighbour as u32);
                }
            }
        }
        found
    }

    /// Puts voxels that were far into an outermost layer.
    fn enter_last(&mut self, voxels: Layer, layer: Status) {
        for position in voxels.into_iter().rev() {
            self.status[position as usize] = layer;
            self.layers[layer as usize].push(position);
            self.must_grow |= self.window.is_near_end(self.window.voxel(position as usize), MARGIN);
        }
    }

    /// Sets the values of all layers from the active one outwards.
    fn spread_values(&mut self) {
        self.spread(ACTIVE, INSIDE);
        self.spread(ACTIVE, FIRST_OUTSIDE);
        for layer in INSIDE..self.layers.len() as Status - 2 {
            self.spread(layer, layer + 2);
        }
    }

    /// Sets the values of a layer from those of the one before. Voxels without a neighbour there go one layer further.
    fn spread(&mut self, from: Status, to: Status) {
        let further = to + 2;
        let has_further = (further as usize) < self.layers.len();
        let mut layer = std::mem::take(&mut self.layers[to as usize]);
        let values = self.next_values(&layer, from, to);
        let mut kept = layer.len();
        for i in (0..layer.len()).rev() {
            let position = layer[i] as usize;
            if self.status[position] != to {
                continue;
            }
            if let Some(value) = values[i] {
                self.values[position] = value;
                kept -= 1;
                layer[kept] = position as u32;
            } else if has_further {
                self.layers[further as usize].push(position as u32);
                self.status[position] = further;
            } else {
                self.status[position] = FAR;
            }
        }
        layer.drain(..kept);
        self.layers[to as usize] = layer;
    }

    /// The values of the voxels of a layer by their neighbours in the one before; none for voxels without such a neighbour.
    /// They hang on that layer alone, and so not on the order in which they are found.
    fn next_values(&self, layer: &Layer, from: Status, to: Status) -> Vec<Option<f64>> {
        let (steps, count) = self.neighbours();
        let is_inside = to % 2 == 1;
        let step = if is_inside { -self.step } else { self.step };
        let value_of = |&position: &u32| {
            let neighbours = steps[..count].iter().map(|step| (position as usize).wrapping_add_signed(*step));
            let values = neighbours.filter(|&there| self.status[there] == from).map(|there| self.values[there]);
            let nearest = if is_inside { values.reduce(f64::max) } else { values.reduce(f64::min) };
            nearest.map(|nearest| nearest + step)
        };
        if layer.len() <= LAYER_CHUNK {
            return layer.iter().map(value_of).collect();
        }
        layer.par_iter().with_min_len(LAYER_CHUNK).map(value_of).collect()
    }

    pub(super) fn source(&self) -> &S {
        self.source
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// The speed at a position of the window.
    pub(super) fn speed_in_window(&self, position: usize) -> f64 {
        f64::from(self.speed[position])
    }

    /// The speed at a voxel of the image, in the window or not.
    pub(super) fn speed_at(&self, voxel: [usize; 3]) -> f64 {
        if self.window.part().contains(voxel) {
            return self.speed_in_window(self.window.position(voxel));
        }
        let mut speed = [0.0];
        self.source.fill_row(voxel, &mut speed);
        f64::from(speed[0])
    }

    /// Makes the window larger.
    fn grow(&mut self) {
        let old = self.window.clone();
        self.window = old.grown();
        let cells = self.window.cell_count();
        let dimension = self.equation.dimension();
        let (mut values, mut status) = (vec![self.far(); cells], vec![OUTSIDE; cells]);
        let width = self.window.part().size()[0];
        for (row, [x, y, z]) in self.window.rows() {
            for i in 0..width {
                let is_border = self.window.is_on_border([x + i, y, z], dimension);
                status[row + i] = if is_border { BORDER } else { FAR };
            }
        }
        let old_width = old.part().size()[0];
        for (row, voxel) in old.rows() {
            let new = self.window.position(voxel);
            values[new..new + old_width].copy_from_slice(&self.values[row..row + old_width]);
            status[new..new + old_width].copy_from_slice(&self.status[row..row + old_width]);
        }
        for position in self.layers.iter_mut().flatten() {
            *position = self.window.position(old.voxel(*position as usize)) as u32;
        }
        (self.values, self.status) = (values, status);
        self.read_speed();
        self.must_grow = false;
    }

    /// Calls `mark` with each row of voxels of the window, (x, y, z), and the values of the level set there.
    pub(super) fn for_each_row(&self, mut mark: impl FnMut([usize; 3], &[f64])) {
        let width = self.window.part().size()[0];
        for (row, voxel) in self.window.rows() {
            mark(voxel, &self.values[row..row + width]);
        }
    }
}
