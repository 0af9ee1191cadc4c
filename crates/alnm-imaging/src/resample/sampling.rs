//! Where the voxels of one grid lie in another.

use crate::geometry::Geometry;
use crate::parallel::for_each_part;
use crate::progress::Tally;
use crate::volume::{Volume, Voxel};

/// Continuous indices into an image for every voxel of a grid, with the bits that ITK gives them.
///
/// Where both grids have the same axes, a position on one axis depends on one index alone. On oblique grids that holds
/// but for rounding, and rounding decides which of two voxels is the nearest, or whether a position at the border lies
/// inside.
pub(super) struct Sampling<'a> {
    lines: LineSampling<'a>,
    /// The positions on each axis, where they depend on its own index alone but for rounding.
    axes: Option<[Vec<f64>; 3]>,
    /// How far they move, in voxels, with the other indices.
    drift: f64,
}

/// A map from points of a grid to points of an image, in mm.
pub type PointMap<'a> = dyn Fn([f64; 3]) -> [f64; 3] + Sync + 'a;

/// Without a map positions are linear along a line of x: ITK finds those of its first and one-past-last voxel and goes
/// in even steps. With one, each is found by itself.
pub(super) struct LineSampling<'a> {
    image: Geometry,
    grid: Geometry,
    map: Option<&'a PointMap<'a>>,
}

impl LineSampling<'_> {
    /// Continuous index into the image of a voxel of the grid.
    fn at(&self, voxel: [usize; 3]) -> [f64; 3] {
        let point = self.grid.voxel_to_point(voxel);
        self.image.point_to_index(self.map.map_or(point, |map| map(point)))
    }

    /// The positions of a line of x.
    pub(super) fn line(&self, y: usize, z: usize) -> impl Iterator<Item = [f64; 3]> {
        let length = self.grid.size()[0];
        let ends = self.map.is_none().then(|| [0, length].map(|x| self.at([x, y, z])));
        (0..length).map(move |x| match ends {
            Some([start, end]) => between(start, end, x, length),
            None => self.at([x, y, z]),
        })
    }

    /// The position of one voxel, the same as in its line.
    pub(super) fn position(&self, [x, y, z]: [usize; 3]) -> [f64; 3] {
        if self.map.is_some() {
            return self.at([x, y, z]);
        }
        let length = self.grid.size()[0];
        let [start, end] = [0, length].map(|x| self.at([x, y, z]));
        between(start, end, x, length)
    }

    /// Lowest and highest position on each axis, among the corners of the grid and one voxel beyond them; with a map,
    /// those of the whole image.
    pub(super) fn range(&self) -> [(f64, f64); 3] {
        if self.map.is_some() {
            return self.image.size().map(|size| (0.0, size as f64 - 1.0));
        }
        let size = self.grid.size();
        let corner = |corner: usize| self.at(std::array::from_fn(|axis| size[axis] * (corner >> axis & 1)));
        let corners: [[f64; 3]; 8] = std::array::from_fn(corner);
        std::array::from_fn(|axis| {
            let places = corners.iter().map(|corner| corner[axis]);
            places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)))
        })
    }
}

fn between(start: [f64; 3], end: [f64; 3], x: usize, length: usize) -> [f64; 3] {
    let alpha = x as f64 / length as f64;
    std::array::from_fn(|axis| start[axis] + alpha * (end[axis] - start[axis]))
}

impl<'a> Sampling<'a> {
    /// Positions of the points to which a map takes the voxels of a grid.
    pub(super) fn mapped(image: &Geometry, grid: &Geometry, map: &'a PointMap<'a>) -> Self {
        let lines = LineSampling { image: image.clone(), grid: grid.clone(), map: Some(map) };
        Self { lines, axes: None, drift: 0.0 }
    }

    pub(super) fn new(image: &Geometry, grid: &Geometry) -> Self {
        /// In voxels over the whole grid; far above rounding, far below what can be seen.
        const ROUNDING: f64 = 1e-9;
        let lines = LineSampling { image: image.clone(), grid: grid.clone(), map: None };
        let size = grid.size();
        let origin = lines.at([0; 3]);
        // How far the position on one axis moves when the index runs along another.
        let drift = (0..3).fold(0.0_f64, |largest, along| {
            let end = lines.at(std::array::from_fn(|axis| if axis == along { size[axis] } else { 0 }));
            let others = (0..3).filter(|&axis| axis != along);
            others.fold(largest, |largest, axis| largest.max((end[axis] - origin[axis]).abs()))
        });
        let axes = (drift <= ROUNDING).then(|| {
            [
                lines.line(0, 0).map(|position| position[0]).collect(),
                (0..size[1]).map(|y| lines.at([0, y, 0])[1]).collect(),
                (0..size[2]).map(|z| lines.at([0, 0, z])[2]).collect(),
            ]
        });
        Self { lines, axes, drift }
    }

    /// Every position, line by line.
    pub(super) fn lines(&self) -> &LineSampling<'a> {
        &self.lines
    }

    /// How far the lists of [`Sampling::rounded_axes`] may be from the positions of the lines, in voxels.
    pub(super) fn drift(&self) -> f64 {
        self.drift
    }

    /// The positions on each axis, where they are those of the lines to the last bit.
    pub(super) fn axes(&self) -> Option<&[Vec<f64>; 3]> {
        self.axes.as_ref().filter(|_| self.drift == 0.0)
    }

    /// The positions on each axis, where they are those of the lines but for rounding and rounding does not decide
    /// whether one lies inside an image of `size` voxels.
    pub(super) fn rounded_axes(&self, size: [usize; 3]) -> Option<&[Vec<f64>; 3]> {
        const DOUBT: f64 = 1e-6;
        let is_doubtful = |position: f64, size: usize| {
            (position + 0.5).abs() < DOUBT || (position - (size as f64 - 0.5)).abs() < DOUBT
        };
        let is_certain = |axes: &[Vec<f64>; 3]| {
            axes.iter().zip(size).all(|(axis, size)| axis.iter().all(|&position| !is_doubtful(position, size)))
        };
        self.axes.as_ref().filter(|axes| self.drift == 0.0 || is_certain(axes))
    }
}

/// Whether ITK counts a continuous index as inside an axis of `size` voxels.
#[inline]
pub(super) fn is_inside(position: f64, size: usize) -> bool {
    position >= -0.5 && position < size as f64 - 0.5
}

/// A volume whose voxels are found one by one, for grids that share no axes.
pub(super) fn sample_lines<T: Voxel>(
    image_size: [usize; 3],
    lines: &LineSampling<'_>,
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
    evaluate: impl Fn([f64; 3]) -> T + Sync,
) -> Volume<T> {
    let [width, height, _] = grid.size();
    let mut result = Volume::filled(grid.clone(), outside);
    for_each_part(result.as_mut_slice(), width, &|line, voxels| {
        for (voxel, position) in voxels.iter_mut().zip(lines.line(line % height, line / height)) {
            if (0..3).all(|axis| is_inside(position[axis], image_size[axis])) {
                *voxel = evaluate(position);
            }
        }
        tally.advance(1);
    });
    result
}

/// A volume whose voxels are found from what the `axes` hold for their indices; where one holds nothing, the voxel is
/// `outside`.
pub(super) fn sample_separable<T: Voxel, A: Sync>(
    axes: &[Vec<Option<A>>; 3],
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
    evaluate: impl Fn([&A; 3]) -> T + Sync,
) -> Volume<T> {
    let [width, height, _] = grid.size();
    let mut result = Volume::filled(grid.clone(), outside);
    for_each_part(result.as_mut_slice(), width, &|line, voxels| {
        let _done = tally.at_end(1);
        let (Some(y), Some(z)) = (&axes[1][line % height], &axes[2][line / height]) else { return };
        for (voxel, x) in voxels.iter_mut().zip(&axes[0]) {
            if let Some(x) = x {
                *voxel = evaluate([x, y, z]);
            }
        }
    });
    result
}
