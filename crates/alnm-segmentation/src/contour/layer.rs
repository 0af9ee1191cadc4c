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
    /// The nearest value that a neighbour of each shows.
    nearest: Vec<f64>,
    /// Voxels beside which nothing was shown.
    lost: Vec<u32>,
}

impl Layer {
    pub(super) fn new(name: Status) -> Self {
        Self { name, voxels: Vec::new(), nearest: Vec::new(), lost: Vec::new() }
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

    /// Finds for each voxel the nearest value that a neighbour shows, which needs nothing but what is shown, so that threads
    /// can share it. A step inwards is negative; the nearest value is the largest inside and the smallest outside.
    pub(super) fn find_nearest(&mut self, step: f64, cells: &Cells, strides: [usize; 3]) {
        self.nearest.resize(self.voxels.len(), 0.0);
        // With the sign of the step. Of comparisons with an infinity that it knows the compiler makes branches.
        let none = step * f64::INFINITY;
        let of_chunk = |(voxels, nearest): (&[u32], &mut [f64])| {
            if step < 0.0 {
                nearest_around::<true>(&cells.shown, strides, voxels, none, nearest);
            } else {
                nearest_around::<false>(&cells.shown, strides, voxels, none, nearest);
            }
        };
        if self.voxels.len() < SHARED_VOXELS {
            of_chunk((&self.voxels, &mut self.nearest));
        } else {
            let chunk = SHARED_VOXELS / 4;
            self.voxels.par_chunks(chunk).zip(self.nearest.par_chunks_mut(chunk)).for_each(of_chunk);
        }
    }

    /// Sets the values of the voxels a step from the nearest ones that were found, and shows them if `SHOWS`. Drops the
    /// voxels that have left the layer, and takes out and returns those beside which nothing was shown.
    pub(super) fn settle<const SHOWS: bool>(&mut self, step: f64, cells: &mut Cells) -> &[u32] {
        let (name, count) = (self.name, self.voxels.len());
        self.lost.resize(count, 0);
        let (voxels, nearest, lost) = (&mut self.voxels[..count], &self.nearest[..count], &mut self.lost[..count]);
        // Of one length, so that one check of a place serves all of them.
        let values = &mut cells.values[..];
        let (statuses, shown) = (&cells.statuses[..values.len()], &mut cells.shown[..values.len()]);
        let none = step * f64::INFINITY;
        let (mut kept, mut lost_count) = (0, 0);
        for i in 0..count {
            let (position, nearest) = (voxels[i], nearest[i]);
            let cell = position as usize;
            if statuses[cell] != name {
                continue;
            }
            if nearest == none {
                lost[lost_count] = position;
                lost_count += 1;
                continue;
            }
            values[cell] = nearest + step;
            if SHOWS {
                shown[cell] = nearest + step;
            }
            voxels[kept] = position;
            kept += 1;
        }
        self.voxels.truncate(kept);
        &self.lost[..lost_count]
    }
}

/// The nearest value that a neighbour of each voxel shows, or `none`.
fn nearest_around<const INSIDE: bool>(
    shown: &[f64],
    [_, row, slice]: [usize; 3],
    voxels: &[u32],
    none: f64,
    nearest: &mut [f64],
) {
    let nearer = nearer::<INSIDE>;
    // Views of one length that each begin at another neighbour of a voxel: one check of a place serves all of them.
    let count = shown.len() - 2 * slice;
    let view = |start: usize| &shown[start..][..count];
    let [below, back, left] = [view(0), view(slice - row), view(slice - 1)];
    let [right, front, above] = [view(slice + 1), view(slice + row), view(2 * slice)];
    for (nearest, &position) in nearest.iter_mut().zip(voxels) {
        let i = position as usize - slice;
        let before = nearer(left[i], nearer(back[i], nearer(below[i], none)));
        let behind = nearer(right[i], nearer(front[i], nearer(above[i], none)));
        *nearest = nearer(before, behind);
    }
}

/// The shown value if it is nearer than the other, which NaN is not: one instruction.
#[inline(always)]
fn nearer<const INSIDE: bool>(shown: f64, other: f64) -> f64 {
    let is_nearer = if INSIDE { shown > other } else { shown < other };
    if is_nearer { shown } else { other }
}
