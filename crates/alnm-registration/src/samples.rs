//! The moving image at the places where a motion takes the voxels of the fixed image.

use alnm_imaging::vector::whole_part_single;
use alnm_imaging::{Geometry, vectorised};
use rayon::prelude::*;

use crate::pyramid::Level;

/// Voxels beyond the outer centres of the moving image that count with the value of the border. Were they left out at
/// once, the measure would change by leaps when the border of the fixed image moves.
const MARGIN: f32 = 3.0;

/// Voxels of a row that are sampled side by side.
const LANES: usize = 8;

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

    /// The values at places inside and their derivatives by the place, both of the trilinear interpolation; beyond the
    /// outer centres the border goes on.
    #[inline(always)]
    fn at<const N: usize>(&self, places: [&[f32; N]; 3]) -> ([f32; N], [[f32; N]; 3]) {
        let (mut cells, mut parts, mut slopes) = ([[0_i32; N]; 3], [[0.0_f32; N]; 3], [[0.0_f32; N]; 3]);
        for axis in 0..3 {
            let last = self.size[axis] - 1;
            let (last_cell, last) = (last.saturating_sub(1) as i32, last as f32);
            for i in 0..N {
                let place = places[axis][i];
                let bounded = place.max(0.0).min(last);
                slopes[axis][i] = f32::from(u8::from(bounded == place));
                let cell = whole_part_single(bounded).min(last_cell);
                cells[axis][i] = cell;
                parts[axis][i] = bounded - cell as f32;
            }
        }
        let [row, plane] = self.strides;
        let mut corners = [[0.0_f32; N]; 8];
        for i in 0..N {
            let [x, y, z] = [cells[0][i], cells[1][i], cells[2][i]].map(|cell| cell as usize);
            let corner = &self.voxels[z * plane + y * row + x..][..plane + row + 2];
            let places = [0, 1, row, row + 1, plane, plane + 1, plane + row, plane + row + 1];
            for (corners, place) in corners.iter_mut().zip(places) {
                corners[i] = corner[place];
            }
        }
        let [u, v, w] = parts;
        let (mut values, mut derivatives) = ([0.0_f32; N], [[0.0_f32; N]; 3]);
        for i in 0..N {
            let c = corners.each_ref().map(|corners| corners[i]);
            let [d00, d10, d01, d11] = [c[1] - c[0], c[3] - c[2], c[5] - c[4], c[7] - c[6]];
            let (a00, a10) = (c[0] + u[i] * d00, c[2] + u[i] * d10);
            let (a01, a11) = (c[4] + u[i] * d01, c[6] + u[i] * d11);
            let (near, far) = (a10 - a00, a11 - a01);
            let (low, high) = (a00 + v[i] * near, a01 + v[i] * far);
            let (dx0, dx1) = (d00 + v[i] * (d10 - d00), d01 + v[i] * (d11 - d01));
            values[i] = low + w[i] * (high - low);
            derivatives[0][i] = slopes[0][i] * (dx0 + w[i] * (dx1 - dx0));
            derivatives[1][i] = slopes[1][i] * (near + w[i] * (far - near));
            derivatives[2][i] = slopes[2][i] * (high - low);
        }
        (values, derivatives)
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

/// A row of [`Samples`].
struct SampledRow<'a> {
    values: &'a mut [f32],
    derivatives: [&'a mut [f32]; 3],
    inside: &'a mut [u8],
}

impl SampledRow<'_> {
    /// Samples the moving image at the places; returns how many voxels count.
    #[inline(always)]
    fn fill(&mut self, moving: &MovingImage, mask: Option<&[u8]>, places: &[Vec<f32>; 3]) -> usize {
        let width = self.values.len();
        let whole = width / LANES * LANES;
        for block in 0..width / LANES {
            self.sample::<LANES>(moving, places, block * LANES);
        }
        for start in whole..width {
            self.sample::<1>(moving, places, start);
        }
        let mut count = 0;
        for x in 0..width {
            let place = [places[0][x], places[1][x], places[2][x]];
            let counts = mask.is_none_or(|mask| mask[x] != 0) && moving.counts(place);
            self.inside[x] = u8::from(counts);
            count += usize::from(counts);
        }
        count
    }

    /// Samples `N` voxels side by side.
    #[inline(always)]
    fn sample<const N: usize>(&mut self, moving: &MovingImage, places: &[Vec<f32>; 3], start: usize) {
        let mut here = [[0.0_f32; N]; 3];
        for (here, places) in here.iter_mut().zip(places) {
            here.copy_from_slice(&places[start..start + N]);
        }
        let (values, derivatives) = moving.at::<N>(here.each_ref());
        self.values[start..start + N].copy_from_slice(&values);
        for (target, derivatives) in self.derivatives.iter_mut().zip(&derivatives) {
            target[start..start + N].copy_from_slice(derivatives);
        }
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
                    let mut sampled = SampledRow {
                        values: &mut values[row.clone()],
                        derivatives: [&mut along_x[row.clone()], &mut along_y[row.clone()], &mut along_z[row.clone()]],
                        inside: &mut inside[row],
                    };
                    vectorised!(pulp::Arch::new(), count += sampled.fill(moving, mask, &places));
                }
                count
            })
            .collect::<Vec<usize>>()
            .into_iter()
            .sum()
    }
}
