//! A layer of voxels around a contour.

use std::hint::select_unpredictable;

use rayon::prelude::*;

use super::cells::{Cells, Neighbours, Status};

/// Voxels of a layer from which on threads share them: to hand work to another thread takes as long as to compute some
/// thousand voxels.
pub(super) const SHARED_VOXELS: usize = 4096;

/// Voxels of one status.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) name: Status,
    /// Their positions. Layers beside the active one also hold some that have left since their values were set.
    pub(super) voxels: Vec<u32>,
}

impl Layer {
    pub(super) fn new(name: Status) -> Self {
        Self { name, voxels: Vec::new() }
    }

    pub(super) fn add(&mut self, position: u32, cells: &mut Cells) {
        cells.statuses[position as usize] = self.name;
        self.voxels.push(position);
    }

    /// Adds voxels, the last one first, and returns those of their neighbours that have the status `search`, which are
    /// about to enter another layer.
    pub(super) fn enter(
        &mut self,
        voxels: Vec<u32>,
        search: Status,
        cells: &mut Cells,
        neighbours: Neighbours,
    ) -> Vec<u32> {
        let mut found = vec![0; Neighbours::COUNT * voxels.len()];
        let mut count = 0;
        for position in voxels.into_iter().rev() {
            self.add(position, cells);
            for neighbour in neighbours.of(position) {
                // Without a branch, as the layers of neighbours follow no pattern.
                let status = &mut cells.statuses[neighbour];
                let is_found = *status == search;
                *status = select_unpredictable(is_found, Status::Changing, *status);
                found[count] = neighbour as u32;
                count += usize::from(is_found);
            }
        }
        found.truncate(count);
        found
    }

    /// Sets the values of the voxels a step from the nearest that a neighbour shows, drops the voxels that have left the
    /// layer, and takes out and returns those beside which nothing is shown. A step inwards is negative.
    pub(super) fn set_values(&mut self, step: f64, cells: &mut Cells, strides: [usize; 3]) -> Vec<u32> {
        if step < 0.0 {
            self.set_values_of::<true>(step, cells, strides)
        } else {
            self.set_values_of::<false>(step, cells, strides)
        }
    }

    /// [`Layer::set_values`] on a side. The nearest value is the largest inside and the smallest outside.
    fn set_values_of<const INSIDE: bool>(&mut self, step: f64, cells: &mut Cells, strides: [usize; 3]) -> Vec<u32> {
        // With the sign of the step. Of comparisons with an infinity that it knows the compiler makes branches.
        let none = step * f64::INFINITY;
        // It sees that these are small and in order, so that what is around a voxel holds all its neighbours.
        let [row, slice] = [strides[1], strides[2]].map(|stride| stride as u32 as usize);
        assert!(1 <= row && row <= slice, "strides grow from axis to axis");
        if self.voxels.len() < SHARED_VOXELS {
            let nearest_of =
                move |shown: &[f64], _, position| nearest_around::<INSIDE>(shown, position, [row, slice], none);
            return self.set_values_by(step, cells, nearest_of);
        }
        let shown = &cells.shown;
        let nearest_of = |&position: &u32| nearest_around::<INSIDE>(shown, position, [row, slice], none);
        let found: Vec<f64> = self.voxels.par_iter().map(nearest_of).collect();
        self.set_values_by(step, cells, |_, i, _| found[i])
    }

    /// [`Layer::set_values`] with a function that gives the nearest value from all that is shown, the number of a voxel
    /// and its position.
    #[inline(always)]
    fn set_values_by(
        &mut self,
        step: f64,
        cells: &mut Cells,
        nearest_of: impl Fn(&[f64], usize, u32) -> f64,
    ) -> Vec<u32> {
        let none = step * f64::INFINITY;
        let (name, voxels) = (self.name, &mut self.voxels[..]);
        let (values, statuses, shown) = (&mut cells.values[..], &cells.statuses[..], &cells.shown[..]);
        let (mut kept, mut lost) = (0, Vec::new());
        for i in 0..voxels.len() {
            let position = voxels[i];
            let nearest = nearest_of(shown, i, position);
            let stays = statuses[position as usize] == name;
            voxels[kept] = position;
            if nearest == none {
                if stays {
                    lost.push(position);
                }
                continue;
            }
            // Without a branch, as those that have left follow no pattern.
            let value = &mut values[position as usize];
            let new = (nearest + step).to_bits();
            *value = f64::from_bits(select_unpredictable(stays, new, value.to_bits()));
            kept += usize::from(stays);
        }
        self.voxels.truncate(kept);
        lost
    }
}

/// The nearest value that a neighbour of a voxel shows, or `none`.
#[inline(always)]
fn nearest_around<const INSIDE: bool>(shown: &[f64], position: u32, [row, slice]: [usize; 2], none: f64) -> f64 {
    let around = &shown[position as usize - slice..][..2 * slice + 1];
    let nearer = nearer::<INSIDE>;
    let before = nearer(around[slice - 1], nearer(around[slice - row], nearer(around[0], none)));
    let behind = nearer(around[slice + 1], nearer(around[slice + row], nearer(around[2 * slice], none)));
    nearer(before, behind)
}

/// The shown value if it is nearer than the other, which NaN is not: one instruction.
#[inline(always)]
fn nearer<const INSIDE: bool>(shown: f64, other: f64) -> f64 {
    let is_nearer = if INSIDE { shown > other } else { shown < other };
    if is_nearer { shown } else { other }
}
