//! Region growing from seeds while the values of the image lie within limits, with the same results as ITK's filters,
//! and arrival times of a front.

mod fast_marching;

use std::collections::VecDeque;

use alnm_imaging::region::Connectivity;
use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError};

pub use fast_marching::arrival_times;

/// The voxels from `lower` to `upper` that are connected with a seed (x, y, z) among them: ITK's
/// `ConnectedThresholdImageFilter`.
///
/// # Errors
/// [`SegmentationError::Imaging`] when a voxel is not finite; [`SegmentationError::Parameter`] when there is no seed,
/// one lies outside of the image, or a limit is not a number.
///
/// ```
/// use alnm_imaging::region::Connectivity;
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::growing::connected_threshold;
///
/// let image = Volume::new(ndarray::array![[[5.0_f32, 6.0, 1.0, 7.0]]], Geometry::axis_aligned([4, 1, 1], [1.0; 3])?)?;
/// let grown = connected_threshold(&image, &[[0, 0, 0]], 4.0, 9.0, Connectivity::Face)?;
/// assert_eq!(grown.as_slice(), [1, 1, 0, 0]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn connected_threshold(
    image: &Volume<f32>,
    seeds: &[[usize; 3]],
    lower: f64,
    upper: f64,
    connectivity: Connectivity,
) -> Result<LabelMap> {
    check(image, seeds)?;
    check_limits(lower, upper)?;
    let limits = [lower as f32, upper as f32];
    Ok(flooded(image.geometry(), seeds, connectivity, |position| is_within(image.as_slice()[position], limits)))
}

/// The connected voxels, by their faces, around each of which all voxels of a box of `radius` (x, y, z) lie from
/// `lower` to `upper`: ITK's `NeighborhoodConnectedImageFilter`. Beyond its border the image goes on as there.
///
/// # Errors
/// As [`connected_threshold`].
pub fn neighbourhood_connected(
    image: &Volume<f32>,
    seeds: &[[usize; 3]],
    lower: f64,
    upper: f64,
    radius: [usize; 3],
) -> Result<LabelMap> {
    check(image, seeds)?;
    check_limits(lower, upper)?;
    let limits = [lower as f32, upper as f32];
    let is_included = |position| {
        let index = image.geometry().index_of(position);
        box_values(image, index, radius).all(|value| is_within(value, limits))
    };
    Ok(flooded(image.geometry(), seeds, Connectivity::Face, is_included))
}

/// Region growing by the confidence of the region's own values: ITK's `ConfidenceConnectedImageFilter` with SimpleITK's
/// defaults.
///
/// The limits are the mean ± [`multiplier`](Self::multiplier) standard deviations, first of the boxes around the seeds,
/// then [`iterations`](Self::iterations) times of the region that they gave; the values of the seeds always lie within
/// them.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`multiplier`](Self::multiplier) | 4.5 | standard deviations on either side of the mean | above 0 |
/// | [`iterations`](Self::iterations) | 4 | how often the limits are found anew | |
/// | [`initial_radius`](Self::initial_radius) | 1 | radius of the boxes around the seeds in voxels | at most 100 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::growing::ConfidenceConnectedParams;
///
/// let bright = ndarray::Array3::from_shape_fn((6, 6, 9), |(z, y, x)| if x < 5 { 100.0 + ((x + y + z) % 3) as f32 } else { 20.0 });
/// let image = Volume::new(bright, Geometry::axis_aligned([9, 6, 6], [1.0; 3])?)?;
/// let grown = ConfidenceConnectedParams::default().check()?.grow(&image, &[[2, 3, 3]])?;
/// assert_eq!(grown.mask.as_slice().iter().sum::<u32>(), 180);
/// assert!((grown.mean - 101.0).abs() < 0.1);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ConfidenceConnectedParams {
    /// Standard deviations on either side of the mean. Default 4.5; finite, above 0.
    pub multiplier: f64,
    /// How often the limits are found anew. Default 4.
    pub iterations: usize,
    /// Radius of the boxes around the seeds in voxels. Default 1; at most 100.
    pub initial_radius: usize,
}

impl Default for ConfidenceConnectedParams {
    fn default() -> Self {
        Self { multiplier: 4.5, iterations: 4, initial_radius: 1 }
    }
}

impl ConfidenceConnectedParams {
    /// Sets [`ConfidenceConnectedParams::multiplier`].
    pub fn with_multiplier(self, multiplier: f64) -> Self {
        Self { multiplier, ..self }
    }

    /// Sets [`ConfidenceConnectedParams::iterations`].
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Sets [`ConfidenceConnectedParams::initial_radius`].
    pub fn with_initial_radius(self, initial_radius: usize) -> Self {
        Self { initial_radius, ..self }
    }

    /// The growth with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<ConfidenceConnected> {
        if !(self.multiplier > 0.0 && self.multiplier.is_finite()) {
            return Err(SegmentationError::parameter("multiplier", self.multiplier, "finite and above 0"));
        }
        if self.initial_radius > 100 {
            return Err(SegmentationError::parameter("initial radius", self.initial_radius, "at most 100 voxels"));
        }
        Ok(ConfidenceConnected { params: self })
    }
}

/// Region growing by confidence with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceConnected {
    params: ConfidenceConnectedParams,
}

/// A region that grew by the confidence of its own values.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConfidentRegion {
    /// The region, as 1.
    pub mask: LabelMap,
    /// Mean of the values from which the last limits came.
    pub mean: f64,
    /// Variance of the values from which the last limits came.
    pub variance: f64,
    /// The last limits.
    pub limits: [f64; 2],
}

/// Mean and variance of values.
#[derive(Clone, Copy)]
struct Spread {
    mean: f64,
    variance: f64,
}

impl Spread {
    /// Of `count` values with this sum and sum of squares.
    fn of(count: usize, sum: f64, squares: f64) -> Self {
        let n = count as f64;
        Self { mean: sum / n, variance: (squares - sum * sum / n) / (n - 1.0) }
    }
}

impl ConfidenceConnected {
    /// The parameters.
    pub fn params(&self) -> ConfidenceConnectedParams {
        self.params
    }

    /// Grows a region from seeds (x, y, z).
    ///
    /// # Errors
    /// As [`connected_threshold`].
    pub fn grow(&self, image: &Volume<f32>, seeds: &[[usize; 3]]) -> Result<ConfidentRegion> {
        check(image, seeds)?;
        let geometry = image.geometry();
        let at = |seed: &[usize; 3]| f64::from(image.data()[[seed[2], seed[1], seed[0]]]);
        let of_seeds = [
            seeds.iter().map(at).fold(f64::INFINITY, f64::min),
            seeds.iter().map(at).fold(f64::NEG_INFINITY, f64::max),
        ];
        let mut spread = self.first_spread(image, seeds);
        let mut limits = self.limits(spread, of_seeds);
        let grown = |limits: [f64; 2]| {
            let limits = limits.map(|limit| limit as f32);
            flooded(geometry, seeds, Connectivity::Face, |position| is_within(image.as_slice()[position], limits))
        };
        let mut mask = grown(limits);
        for _ in 0..self.params.iterations {
            let voxels = image.as_slice().iter().zip(mask.as_slice()).filter(|(_, label)| **label == 1);
            let (mut count, mut sum, mut squares) = (0, 0.0, 0.0);
            for (&value, _) in voxels {
                let value = f64::from(value);
                count += 1;
                sum += value;
                squares += value * value;
            }
            spread = Spread::of(count, sum, squares);
            if spread.variance.abs() < f64::EPSILON {
                break;
            }
            limits = self.limits(spread, of_seeds);
            mask = grown(limits);
        }
        Ok(ConfidentRegion { mask, mean: spread.mean, variance: spread.variance, limits })
    }

    /// The spread of the boxes around the seeds.
    fn first_spread(&self, image: &Volume<f32>, seeds: &[[usize; 3]]) -> Spread {
        let radius = self.params.initial_radius;
        let radius = [radius, radius, if image.geometry().dimension() == 2 { 0 } else { radius }];
        let (mut count, mut sum, mut squares) = (0, 0.0, 0.0);
        for &seed in seeds {
            for value in box_values(image, seed, radius).map(f64::from) {
                count += 1;
                sum += value;
                squares += value * value;
            }
        }
        Spread::of(count, sum, squares)
    }

    fn limits(&self, spread: Spread, of_seeds: [f64; 2]) -> [f64; 2] {
        let reach = self.params.multiplier * spread.variance.max(0.0).sqrt();
        // One voxel alone has no variance, and no limits but its own value.
        let reach = if reach.is_finite() { reach } else { 0.0 };
        [(spread.mean - reach).min(of_seeds[0]), (spread.mean + reach).max(of_seeds[1])]
    }
}

fn is_within(value: f32, [lower, upper]: [f32; 2]) -> bool {
    lower <= value && value <= upper
}

/// The values of a box around a voxel (x, y, z); beyond its border the image goes on as there.
fn box_values(image: &Volume<f32>, index: [usize; 3], radius: [usize; 3]) -> impl Iterator<Item = f32> {
    let size = image.geometry().size();
    let range = move |axis: usize| {
        let [at, reach, last] = [index[axis], radius[axis], size[axis] - 1];
        (0..=2 * reach).map(move |step| (at + step).saturating_sub(reach).min(last))
    };
    let voxels = image.as_slice();
    range(2)
        .flat_map(move |z| range(1).flat_map(move |y| range(0).map(move |x| voxels[(z * size[1] + y) * size[0] + x])))
}

fn check(image: &Volume<f32>, seeds: &[[usize; 3]]) -> Result<()> {
    image.check_finite().map_err(|voxel| voxel.during("region growing"))?;
    if seeds.is_empty() {
        return Err(SegmentationError::parameter("number of seeds", 0, "at least 1"));
    }
    let size = image.geometry().size();
    let is_outside = |seed: &&[usize; 3]| seed.iter().zip(size).any(|(&index, n)| index >= n);
    match seeds.iter().find(is_outside) {
        Some(seed) => Err(SegmentationError::parameter("seed", format!("voxel {seed:?}"), "inside of the image")),
        None => Ok(()),
    }
}

fn check_limits(lower: f64, upper: f64) -> Result<()> {
    match [lower, upper].iter().find(|limit| limit.is_nan()) {
        Some(limit) => Err(SegmentationError::parameter("limit of the values", limit, "a number")),
        None => Ok(()),
    }
}

/// The voxels that satisfy a condition and are connected with a seed that does.
fn flooded(
    grid: &Geometry,
    seeds: &[[usize; 3]],
    connectivity: Connectivity,
    is_included: impl Fn(usize) -> bool,
) -> LabelMap {
    let mut mask = Volume::filled(grid.clone(), 0_u32);
    let size = grid.size();
    let position = |[x, y, z]: [usize; 3]| (z * size[1] + y) * size[0] + x;
    let steps = neighbour_steps(connectivity);
    let mut queue = VecDeque::new();
    let labels = mask.as_mut_slice();
    // 2: looked at and left out.
    let mut visit = |voxel: [usize; 3], queue: &mut VecDeque<[usize; 3]>| {
        let label = &mut labels[position(voxel)];
        if *label != 0 {
            return;
        }
        if is_included(position(voxel)) {
            *label = 1;
            queue.push_back(voxel);
        } else {
            *label = 2;
        }
    };
    seeds.iter().for_each(|&seed| visit(seed, &mut queue));
    while let Some(voxel) = queue.pop_front() {
        for step in &steps {
            let neighbour: [usize; 3] = std::array::from_fn(|axis| voxel[axis].wrapping_add_signed(step[axis]));
            if neighbour.iter().zip(size).all(|(&index, n)| index < n) {
                visit(neighbour, &mut queue);
            }
        }
    }
    labels.iter_mut().for_each(|label| *label &= 1);
    mask
}

/// Steps (x, y, z) to the voxels that touch one.
pub(crate) fn neighbour_steps(connectivity: Connectivity) -> Vec<[isize; 3]> {
    let all = (-1..=1).flat_map(|z| (-1..=1).flat_map(move |y| (-1..=1).map(move |x| [x, y, z])));
    let touches = |step: &[isize; 3]| match connectivity {
        Connectivity::Corner => *step != [0; 3],
        _ => step.iter().map(|axis| axis.abs()).sum::<isize>() == 1,
    };
    all.filter(touches).collect()
}
