//! The moving image at the places where a motion takes the voxels of the fixed image.

use alnm_imaging::{Geometry, vectorised};
use rayon::prelude::*;

use crate::pyramid::Level;

/// Voxels beyond the outer centres of the moving image that count with the value of the border. Were they left out at
/// once, the measure would change by leaps when the border of the fixed image moves.
const MARGIN: f32 = 3.0;

/// The moving image at one resolution, ready to be sampled. An axis of one voxel is doubled, so that each place lies
/// between two.
#[derive(Debug)]
pub(crate) struct MovingImage {
    pub(crate) grid: Geometry,
    voxels: Vec<f32>,
    mask: Option<Vec<u8>>,
    size: [usize; 3],
    /// How far the neighbour on y and on z lies.
    strides: [usize; 2],
}

impl MovingImage {
    pub(crate) fn new(level: Level) -> Self {
        let size = level.grid.size();
        let [width, height, depth] = size;
        let doubled = size.map(|voxels| voxels.max(2));
        let voxels = if doubled == size {
            level.voxels
        } else {
            let mut voxels = Vec::with_capacity(doubled.iter().product());
            for z in 0..doubled[2] {
                for y in 0..doubled[1] {
                    let row = &level.voxels[(z.min(depth - 1) * height + y.min(height - 1)) * width..][..width];
                    voxels.extend((0..doubled[0]).map(|x| row[x.min(width - 1)]));
                }
            }
            voxels
        };
        let strides = [doubled[0], doubled[0] * doubled[1]];
        Self { grid: level.grid, voxels, mask: level.mask, size, strides }
    }

    /// The value at a place inside and its derivatives by the place, both of the trilinear interpolation; beyond the
    /// outer centres the border goes on.
    #[inline(always)]
    fn at(&self, place: [f32; 3]) -> (f32, [f32; 3]) {
        let mut cell = [0_usize; 3];
        let mut part = [0.0_f32; 3];
        let mut slope = [1.0_f32; 3];
        for axis in 0..3 {
            let last = self.size[axis] - 1;
            let bounded = place[axis].max(0.0).min(last as f32);
            slope[axis] = f32::from(u8::from(bounded == place[axis]));
            let low = (bounded as usize).min(last.saturating_sub(1));
            cell[axis] = low;
            part[axis] = bounded - low as f32;
        }
        let [row, plane] = self.strides;
        let corner = &self.voxels[cell[2] * plane + cell[1] * row + cell[0]..][..plane + row + 2];
        let [u, v, w] = part;
        let (d00, d10) = (corner[1] - corner[0], corner[row + 1] - corner[row]);
        let (d01, d11) = (corner[plane + 1] - corner[plane], corner[plane + row + 1] - corner[plane + row]);
        let (a00, a10) = (corner[0] + u * d00, corner[row] + u * d10);
        let (a01, a11) = (corner[plane] + u * d01, corner[plane + row] + u * d11);
        let (near, far) = (a10 - a00, a11 - a01);
        let (low, high) = (a00 + v * near, a01 + v * far);
        let (dx0, dx1) = (d00 + v * (d10 - d00), d01 + v * (d11 - d01));
        let derivatives = [dx0 + w * (dx1 - dx0), near + w * (far - near), high - low];
        (low + w * (high - low), std::array::from_fn(|axis| slope[axis] * derivatives[axis]))
    }

    /// Whether a place lies in the image or close to it and counts there.
    #[inline(always)]
    fn counts(&self, place: [f32; 3]) -> bool {
        let inside = (0..3).all(|axis| place[axis] >= -MARGIN && place[axis] <= (self.size[axis] - 1) as f32 + MARGIN);
        inside
            && self.mask.as_ref().is_none_or(|mask| {
                let nearest: [usize; 3] =
                    std::array::from_fn(|axis| ((place[axis] + 0.5).max(0.0) as usize).min(self.size[axis] - 1));
                mask[(nearest[2] * self.size[1] + nearest[1]) * self.size[0] + nearest[0]] != 0
            })
    }
}

/// Where a motion takes the voxels of the fixed image, as continuous indices of the moving image.
pub(crate) trait Places: Sync {
    /// What all rows of a slice share.
    type Slice;

    /// What all rows of slice z share.
    fn slice(&self, z: usize) -> Self::Slice;

    /// The places of the voxels of row y.
    fn row(&self, slice: &Self::Slice, y: usize, places: &mut [Vec<f32>; 3]);
}

/// The moving image at each voxel of the fixed image, with its derivatives by the place.
#[derive(Debug)]
pub(crate) struct Samples {
    size: [usize; 3],
    pub(crate) values: Vec<f32>,
    pub(crate) derivatives: [Vec<f32>; 3],
    /// 1 where a voxel of the fixed image counts and its place lies in the moving image and counts there.
    pub(crate) inside: Vec<u8>,
}

impl Samples {
    pub(crate) fn new(size: [usize; 3]) -> Self {
        let count = size.iter().product();
        let zeros = || vec![0.0_f32; count];
        Self { size, values: zeros(), derivatives: [zeros(), zeros(), zeros()], inside: vec![0; count] }
    }

    /// Samples the moving image; returns how many voxels count.
    pub(crate) fn fill<P: Places>(&mut self, moving: &MovingImage, mask: Option<&[u8]>, motion: &P) -> usize {
        let [width, height, _] = self.size;
        let plane = width * height;
        let [along_x, along_y, along_z] = &mut self.derivatives;
        let slices = self
            .values
            .par_chunks_mut(plane)
            .zip(along_x.par_chunks_mut(plane))
            .zip(along_y.par_chunks_mut(plane))
            .zip(along_z.par_chunks_mut(plane))
            .zip(self.inside.par_chunks_mut(plane));
        slices
            .enumerate()
            .map(|(z, ((((values, along_x), along_y), along_z), inside))| {
                let slice = motion.slice(z);
                let mut places = [vec![0.0_f32; width], vec![0.0_f32; width], vec![0.0_f32; width]];
                let mut count = 0;
                for y in 0..height {
                    motion.row(&slice, y, &mut places);
                    let row = y * width..(y + 1) * width;
                    let mask = mask.map(|mask| &mask[z * plane..][row.clone()]);
                    let [px, py, pz] = &places;
                    let (values, inside) = (&mut values[row.clone()], &mut inside[row.clone()]);
                    let (dx, dy) = (&mut along_x[row.clone()], &mut along_y[row.clone()]);
                    let dz = &mut along_z[row];
                    vectorised!(pulp::Arch::new(), {
                        for x in 0..width {
                            let place = [px[x], py[x], pz[x]];
                            let counts = mask.is_none_or(|mask| mask[x] != 0) && moving.counts(place);
                            let (value, derivatives) = moving.at(place);
                            values[x] = value;
                            [dx[x], dy[x], dz[x]] = derivatives;
                            inside[x] = u8::from(counts);
                            count += usize::from(counts);
                        }
                    });
                }
                count
            })
            .collect::<Vec<usize>>()
            .into_iter()
            .sum()
    }
}
