//! Speed by clusters of values.

use alnm_imaging::{LabelMap, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::stored;
use crate::error::{Result, SegmentationError, check_same_grid};

/// Speed by a mixture of Gaussian classes of the image's values, fitted by expectation maximisation: ITK-SNAP's
/// pre-segmentation "clustering" for one image.
///
/// ITK-SNAP begins with random centres; here the classes begin at quantiles of the values, so that the same image gives
/// the same classes. At most [`samples`](Self::samples) voxels, evenly spread in raster order, are looked at.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`classes`](Self::classes) | 3 | number of classes | 2 to 20 |
/// | [`iterations`](Self::iterations) | 200 | iterations at most | at least 1 |
/// | [`tolerance`](Self::tolerance) | 10⁻⁶ | change of the mean log-likelihood at which the fit ends | above 0 |
/// | [`samples`](Self::samples) | 100 000 | voxels looked at, at most | at least 100 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::speed::MixtureParams;
///
/// // A bright block in a dark image, with a texture.
/// let voxels = ndarray::Array3::from_shape_fn((8, 12, 12), |(z, y, x)| {
///     let bright = (3..8).contains(&x) && (3..9).contains(&y);
///     (if bright { 200.0_f32 } else { 50.0 }) + ((7 * x + 3 * y + 5 * z) % 11) as f32
/// });
/// let image = Volume::new(voxels, Geometry::axis_aligned([12, 12, 8], [1.0; 3])?)?;
/// let mixture = MixtureParams::default().with_classes(2).check()?.fit(&image)?;
/// assert!((mixture.classes[1].mean - 205.0).abs() < 1.0);
/// let speed = mixture.speed(&image, &[1])?;
/// assert!(speed.data()[[4, 5, 5]] > 0.99 && speed.data()[[4, 0, 0]] < -0.99);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct MixtureParams {
    /// Number of classes. Default 3; 2 to 20.
    pub classes: usize,
    /// Iterations at most. Default 200; at least 1.
    pub iterations: usize,
    /// Change of the mean log-likelihood at which the fit ends. Default 10⁻⁶; above 0.
    pub tolerance: f64,
    /// Voxels looked at, at most. Default 100 000; at least 100.
    pub samples: usize,
}

impl Default for MixtureParams {
    fn default() -> Self {
        Self { classes: 3, iterations: 200, tolerance: 1e-6, samples: 100_000 }
    }
}

impl MixtureParams {
    /// Sets [`MixtureParams::classes`].
    pub fn with_classes(self, classes: usize) -> Self {
        Self { classes, ..self }
    }

    /// Sets [`MixtureParams::iterations`].
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Sets [`MixtureParams::tolerance`].
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Sets [`MixtureParams::samples`].
    pub fn with_samples(self, samples: usize) -> Self {
        Self { samples, ..self }
    }

    /// The fit with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<MixtureFit> {
        if !(2..=20).contains(&self.classes) {
            return Err(SegmentationError::parameter("number of classes", self.classes, "from 2 to 20"));
        }
        if self.iterations == 0 {
            return Err(SegmentationError::parameter("number of iterations", 0, "at least 1"));
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(SegmentationError::parameter("tolerance of the fit", self.tolerance, "finite and above 0"));
        }
        if self.samples < 100 {
            return Err(SegmentationError::parameter("number of samples", self.samples, "at least 100"));
        }
        Ok(MixtureFit { params: self })
    }
}

/// A fit of a mixture with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixtureFit {
    params: MixtureParams,
}

/// A class of values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MixtureClass {
    /// Share of the voxels.
    pub weight: f64,
    /// Mean of the values.
    pub mean: f64,
    /// Variance of the values.
    pub variance: f64,
}

/// Classes of an image's values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GaussianMixture {
    /// The classes, by ascending mean.
    pub classes: Vec<MixtureClass>,
    /// Mean log-likelihood of the voxels that were looked at.
    pub log_likelihood: f64,
    /// Iterations that were done.
    pub iterations: usize,
    /// Whether the fit had settled before the iterations were used up.
    pub converged: bool,
}

impl MixtureFit {
    /// The parameters.
    pub fn params(&self) -> MixtureParams {
        self.params
    }

    /// Fits the classes to an image.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when a voxel is not finite; [`SegmentationError::Parameter`] when the image has
    /// fewer different values than classes.
    pub fn fit(&self, image: &Volume<f32>) -> Result<GaussianMixture> {
        image.check_finite().map_err(|voxel| voxel.during("mixture of classes"))?;
        let stride = image.as_slice().len().div_ceil(self.params.samples);
        let mut values: Vec<f64> = image.as_slice().iter().step_by(stride).map(|&value| f64::from(value)).collect();
        values.sort_unstable_by(f64::total_cmp);
        let mut different = values.clone();
        different.dedup();
        if different.len() < self.params.classes {
            let requirement = "at least the number of classes";
            return Err(SegmentationError::parameter("number of different values", different.len(), requirement));
        }
        let mut found = self.first(&values, &different);
        let floor = smallest_variance(&values);
        while found.iterations < self.params.iterations && !found.converged {
            let next = found.improved(&values, floor);
            found.iterations += 1;
            found.converged = (next.log_likelihood - found.log_likelihood).abs() < self.params.tolerance;
            (found.classes, found.log_likelihood) = (next.classes, next.log_likelihood);
        }
        found.classes.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        Ok(found)
    }

    /// Classes around quantiles of the different values, of equal weight.
    fn first(&self, values: &[f64], different: &[f64]) -> GaussianMixture {
        let count = self.params.classes;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        let at = |class: usize| different[(2 * class + 1) * different.len() / (2 * count)];
        let class = |class| MixtureClass {
            weight: 1.0 / count as f64,
            mean: at(class),
            variance: variance / (count * count) as f64,
        };
        GaussianMixture {
            classes: (0..count).map(class).collect(),
            log_likelihood: f64::NEG_INFINITY,
            iterations: 0,
            converged: false,
        }
    }
}

/// The variance below which a class would be one value alone.
fn smallest_variance(values: &[f64]) -> f64 {
    let range = values.last().zip(values.first()).map_or(0.0, |(last, first)| last - first);
    (range * 1e-4).powi(2)
}

impl GaussianMixture {
    /// For each class the logarithm of its weight times its density at a value.
    fn log_densities(&self, value: f64, densities: &mut Vec<f64>) {
        densities.clear();
        densities.extend(self.classes.iter().map(|class| {
            let squared = (value - class.mean).powi(2) / class.variance;
            class.weight.ln() - 0.5 * (squared + (std::f64::consts::TAU * class.variance).ln())
        }));
    }

    /// One step of expectation maximisation.
    fn improved(&self, values: &[f64], floor: f64) -> Self {
        let mut sums = vec![[0.0; 3]; self.classes.len()];
        let (mut densities, mut likelihood) = (Vec::new(), 0.0);
        for &value in values {
            self.log_densities(value, &mut densities);
            let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = densities.iter().map(|density| (density - largest).exp()).sum();
            likelihood += largest + total.ln();
            for ((sum, density), class) in sums.iter_mut().zip(&densities).zip(&self.classes) {
                let share = (density - largest).exp() / total;
                // From the class's last mean, so that the variance is no difference of large numbers.
                let from_mean = value - class.mean;
                sum[0] += share;
                sum[1] += share * from_mean;
                sum[2] += share * from_mean * from_mean;
            }
        }
        let n = values.len() as f64;
        let class = |(old, [count, sum, squares]): (&MixtureClass, [f64; 3])| {
            if count < 1e-9 {
                return MixtureClass { weight: 1e-12, ..*old };
            }
            let moved = sum / count;
            let variance = (squares / count - moved * moved).max(floor);
            MixtureClass { weight: count / n, mean: old.mean + moved, variance }
        };
        let classes = self.classes.iter().zip(sums).map(class).collect();
        Self { classes, log_likelihood: likelihood / n, iterations: self.iterations, converged: false }
    }

    /// The probability that a value belongs to one of the classes of these numbers.
    #[must_use]
    pub fn probability(&self, value: f64, foreground: &[usize]) -> f64 {
        let mut densities = Vec::with_capacity(self.classes.len());
        self.log_densities(value, &mut densities);
        let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shares: Vec<f64> = densities.iter().map(|density| (density - largest).exp()).collect();
        let inside: f64 = foreground.iter().filter_map(|&class| shares.get(class)).sum();
        inside / shares.iter().sum::<f64>()
    }

    /// The speed image: the probability of the classes of the structure (numbers from 0, by ascending mean) minus that
    /// of all others.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] when no class is given or one is not there; [`SegmentationError::Imaging`] when
    /// a voxel is not finite.
    pub fn speed(&self, image: &Volume<f32>, foreground: &[usize]) -> Result<Volume<f32>> {
        image.check_finite().map_err(|voxel| voxel.during("speed by classes"))?;
        if foreground.is_empty() {
            return Err(SegmentationError::parameter("classes of the structure", "none", "at least one"));
        }
        if let Some(class) = foreground.iter().find(|class| **class >= self.classes.len()) {
            let requirement = "below the number of classes, since classes are counted from 0";
            return Err(SegmentationError::parameter("class of the structure", class, requirement));
        }
        let mut classes = foreground.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let mut speed = Volume::filled(image.geometry().clone(), 0.0);
        let voxels = speed.as_mut_slice().par_iter_mut().zip(image.as_slice()).with_min_len(1 << 12);
        voxels.for_each(|(speed, &value)| {
            *speed = stored((2.0 * self.probability(f64::from(value), &classes) - 1.0) as f32);
        });
        Ok(speed)
    }

    /// The class to which most voxels of a seed belong.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when the grids differ; [`SegmentationError::Parameter`] when the seed has no
    /// voxel.
    pub fn class_of_seed(&self, image: &Volume<f32>, seed: &LabelMap) -> Result<usize> {
        check_same_grid("class of a seed", image.geometry(), seed.geometry())?;
        let mut counts = vec![0_usize; self.classes.len()];
        let mut densities = Vec::new();
        let inside = image.as_slice().iter().zip(seed.as_slice()).filter(|(_, label)| **label != 0);
        for (&value, _) in inside {
            self.log_densities(f64::from(value), &mut densities);
            let best = (0..densities.len()).max_by(|&a, &b| densities[a].total_cmp(&densities[b]));
            best.into_iter().for_each(|class| counts[class] += 1);
        }
        let most = (0..counts.len()).filter(|&class| counts[class] > 0).max_by_key(|&class| counts[class]);
        most.ok_or_else(|| SegmentationError::parameter("number of voxels of the seed", 0, "at least 1"))
    }
}
