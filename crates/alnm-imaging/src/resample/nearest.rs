//! Nearest neighbour.

use super::sampling::{Sampling, is_inside, sample_lines};
use crate::geometry::Geometry;
use crate::parallel::for_each_part;
use crate::progress::Tally;
use crate::volume::{Volume, Voxel};

/// ITK rounds half an index up. The last position inside an axis of `size` voxels rounds to one behind them: its half
/// is lost in the sum.
#[inline]
fn nearest(position: f64, size: usize) -> usize {
    ((position + 0.5).floor() as usize).min(size - 1)
}

pub(super) fn sample<T: Voxel>(
    volume: &Volume<T>,
    sampling: &Sampling<'_>,
    grid: &Geometry,
    outside: T,
    tally: &Tally<'_>,
) -> Volume<T> {
    let size = volume.geometry().size();
    let voxels = volume.as_slice();
    match sampling.axes() {
        None => sample_lines(size, sampling.lines(), grid, outside, tally, |position| {
            let [x, y, z] = [0, 1, 2].map(|axis| nearest(position[axis], size[axis]));
            voxels[(z * size[1] + y) * size[0] + x]
        }),
        Some(positions) => {
            let indices: [Vec<Option<usize>>; 3] = std::array::from_fn(|axis| {
                positions[axis].iter().map(|&p| is_inside(p, size[axis]).then(|| nearest(p, size[axis]))).collect()
            });
            let [width, height, _] = grid.size();
            // Positions ascend or descend, so those inside of the image are one run.
            let before = indices[0].iter().take_while(|x| x.is_none()).count();
            let xs: Vec<usize> = indices[0].iter().flatten().copied().collect();
            let copied = xs.first().filter(|_| xs.windows(2).all(|pair| pair[1] == pair[0] + 1));
            let mut result = Volume::filled(grid.clone(), outside);
            for_each_part(result.as_mut_slice(), width * height, &|z, slice| {
                let _done = tally.at_end(height);
                let Some(z) = indices[2][z] else { return };
                for (row, y) in slice.chunks_mut(width).zip(&indices[1]) {
                    let Some(y) = y else { continue };
                    let source = &voxels[(z * size[1] + y) * size[0]..][..size[0]];
                    let row = &mut row[before..before + xs.len()];
                    match copied {
                        Some(&first) => row.copy_from_slice(&source[first..first + xs.len()]),
                        None => row.iter_mut().zip(&xs).for_each(|(voxel, &x)| *voxel = source[x]),
                    }
                }
            });
            result
        }
    }
}
