//! When a front arrives that starts at seeds and moves with the speed of the image.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use alnm_imaging::{Geometry, Volume};

use crate::error::{Result, SegmentationError};

/// The time at which a front arrives at each voxel that starts from seeds (x, y, z) at 0 and moves with `speed` in mm
/// per unit of time: `|∇T| speed = 1` by fast marching (Sethian, PNAS 93:1591, 1996), as ITK's
/// `FastMarchingImageFilter` solves it.
///
/// Voxels that the front does not reach until `stop`, and those of speed 0, keep infinity, or a time after `stop` where
/// the front was about to reach them.
///
/// # Errors
/// [`SegmentationError::Imaging`] when a speed is not finite; [`SegmentationError::Parameter`] when there is no seed,
/// one lies outside of the image, a speed is negative, or the time is not above 0.
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::growing::arrival_times;
///
/// let speed = Volume::filled(Geometry::axis_aligned([5, 1, 1], [2.0, 1.0, 1.0])?, 4.0_f32);
/// assert_eq!(arrival_times(&speed, &[[1, 0, 0]], f64::INFINITY)?.as_slice(), [0.5, 0.0, 0.5, 1.0, 1.5]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn arrival_times(speed: &Volume<f32>, seeds: &[[usize; 3]], stop: f64) -> Result<Volume<f64>> {
    super::check(speed, seeds)?;
    if let Some(negative) = speed.as_slice().iter().find(|speed| **speed < 0.0) {
        return Err(SegmentationError::parameter("speed of a front", negative, "at least 0"));
    }
    if stop.is_nan() || stop <= 0.0 {
        return Err(SegmentationError::parameter("time at which the front stops", stop, "above 0"));
    }
    let grid = speed.geometry();
    let mut front = Front {
        speed,
        times: Volume::filled(grid.clone(), f64::INFINITY),
        arrived: vec![false; grid.voxel_count()],
        trial: BinaryHeap::new(),
    };
    for &seed in seeds {
        let position = position(grid, seed);
        front.times.as_mut_slice()[position] = 0.0;
        front.trial.push(Reverse(Arrival { time: 0.0, position }));
    }
    while let Some(Reverse(Arrival { time, position })) = front.trial.pop() {
        if front.arrived[position] || time > front.times.as_slice()[position] {
            continue;
        }
        if time > stop {
            break;
        }
        front.arrived[position] = true;
        front.look_around(position);
    }
    Ok(front.times)
}

fn position(grid: &Geometry, [x, y, z]: [usize; 3]) -> usize {
    let [width, height, _] = grid.size();
    (z * height + y) * width + x
}

struct Front<'a> {
    speed: &'a Volume<f32>,
    times: Volume<f64>,
    arrived: Vec<bool>,
    trial: BinaryHeap<Reverse<Arrival>>,
}

/// When the front may arrive at a voxel.
#[derive(Clone, Copy, PartialEq)]
struct Arrival {
    time: f64,
    position: usize,
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.time.total_cmp(&other.time).then(self.position.cmp(&other.position))
    }
}

impl Front<'_> {
    /// Finds new times for the neighbours of a voxel at which the front arrived.
    fn look_around(&mut self, position: usize) {
        let voxel = self.speed.geometry().index_of(position);
        for axis in 0..3 {
            for neighbour in self.neighbours(voxel, axis).into_iter().flatten() {
                if !self.arrived[neighbour] && self.times.as_slice()[neighbour] > 0.0 {
                    self.update(neighbour);
                }
            }
        }
    }

    /// The voxels before and behind one (x, y, z) on an axis.
    fn neighbours(&self, voxel: [usize; 3], axis: usize) -> [Option<usize>; 2] {
        let grid = self.speed.geometry();
        let at = |index: usize| {
            let mut there = voxel;
            there[axis] = index;
            position(grid, there)
        };
        [voxel[axis].checked_sub(1).map(at), Some(voxel[axis] + 1).filter(|&index| index < grid.size()[axis]).map(at)]
    }

    /// Solves the quadratic equation of a voxel's time by its neighbours at which the front arrived.
    fn update(&mut self, position: usize) {
        let grid = self.speed.geometry();
        let (voxel, spacing) = (grid.index_of(position), grid.spacing());
        let earliest = |axis: usize| {
            let arrived = self.neighbours(voxel, axis).into_iter().flatten().filter(|&there| self.arrived[there]);
            let time = arrived.map(|there| self.times.as_slice()[there]).fold(f64::INFINITY, f64::min);
            (time, (1.0 / spacing[axis]).powi(2))
        };
        let mut axes: [(f64, f64); 3] = std::array::from_fn(earliest);
        axes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let slowness = 1.0 / f64::from(self.speed.as_slice()[position]);
        let (mut a, mut b, mut c) = (0.0, 0.0, -slowness * slowness);
        let mut solution = f64::INFINITY;
        for (time, weight) in axes.into_iter().take_while(|(time, _)| time.is_finite()) {
            if solution < time {
                break;
            }
            a += weight;
            b += time * weight;
            c += time * time * weight;
            // Never negative, for the next time is no later than the solution so far, but for rounding.
            solution = ((b * b - a * c).max(0.0).sqrt() + b) / a;
        }
        if solution.is_finite() {
            self.times.as_mut_slice()[position] = solution;
            self.trial.push(Reverse(Arrival { time: solution, position }));
        }
    }
}
