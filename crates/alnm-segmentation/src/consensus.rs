//! Consensus of several outlines: STAPLE and majority vote.

use std::collections::BTreeMap;

use alnm_imaging::{LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError, check_same_grid};

/// The most outlines that are combined: a voxel's decisions are the bits of one number.
const MOST_OUTLINES: usize = 64;

/// Simultaneous truth and performance level estimation (Warfield, Zou and Wells, IEEE Trans. Med. Imaging 23:903, 2004): for
/// each voxel the probability of belonging to a structure, and for each outline its sensitivity p and specificity q, by
/// expectation maximisation, with the start, the prior and the end of ITK's `STAPLEImageFilter`.
///
/// From the share of outlines that hold a voxel as first weights W, each iteration sets pⱼ = Σ W Dⱼ / Σ W and
/// qⱼ = Σ (1 − W)(1 − Dⱼ) / Σ (1 − W) over all voxels of the image, and
/// W = g a / (g a + (1 − g) b) with a = Π pⱼ or 1 − pⱼ and b = Π 1 − qⱼ or qⱼ by the decisions Dⱼ, until no p or q changes by
/// more than 10⁻⁷. The prior g is the mean of the first weights times the confidence weight. It counts the background of the
/// image, so that a larger image around the same outlines gives another answer.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`label`](Self::label) | 1 | label of the structure | not 0 |
/// | [`confidence_weight`](Self::confidence_weight) | 1 | factor on the prior | above 0, at most 1 |
/// | [`max_iterations`](Self::max_iterations) | 10 000 | iterations after which the search ends | at least 1 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::consensus::StapleParams;
///
/// let grid = Geometry::axis_aligned([6, 1, 1], [1.0; 3])?;
/// let outline = |labels: [u32; 6]| Volume::new(ndarray::Array3::from_shape_vec([1, 1, 6], labels.to_vec()).unwrap(), grid.clone());
/// let outlines = [outline([0, 1, 1, 0, 0, 0])?, outline([0, 1, 1, 1, 0, 0])?, outline([0, 1, 1, 0, 0, 0])?];
/// let consensus = StapleParams::default().check()?.estimate(&outlines.iter().collect::<Vec<_>>())?;
/// assert_eq!(consensus.mask(0.5).as_slice(), [0, 1, 1, 0, 0, 0]);
/// assert!(consensus.raters[1].specificity < consensus.raters[0].specificity);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct StapleParams {
    /// The label of the structure. Default 1; not 0.
    pub label: u32,
    /// Factor on the prior probability. Default 1; above 0, at most 1.
    pub confidence_weight: f64,
    /// Iterations after which the search ends. Default 10 000; at least 1.
    pub max_iterations: usize,
}

impl Default for StapleParams {
    fn default() -> Self {
        Self { label: 1, confidence_weight: 1.0, max_iterations: 10_000 }
    }
}

impl StapleParams {
    /// Sets [`StapleParams::label`].
    pub fn with_label(self, label: u32) -> Self {
        Self { label, ..self }
    }

    /// Sets [`StapleParams::confidence_weight`].
    pub fn with_confidence_weight(self, confidence_weight: f64) -> Self {
        Self { confidence_weight, ..self }
    }

    /// Sets [`StapleParams::max_iterations`].
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// The estimation with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<Staple> {
        if self.label == 0 {
            return Err(SegmentationError::parameter("label of the structure", 0, "above 0, which is no structure"));
        }
        if !(self.confidence_weight > 0.0 && self.confidence_weight <= 1.0) {
            let value = self.confidence_weight;
            return Err(SegmentationError::parameter("confidence weight", value, "above 0 and at most 1"));
        }
        if self.max_iterations == 0 {
            return Err(SegmentationError::parameter("number of iterations", 0, "at least 1"));
        }
        Ok(Staple { params: self })
    }
}

/// STAPLE with parameters that were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Staple {
    params: StapleParams,
}

/// The result of STAPLE.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StapleConsensus {
    /// The probability of each voxel of belonging to the structure.
    pub probability: Volume<f64>,
    /// The performance of each outline, in the order given.
    pub raters: Vec<RaterPerformance>,
    /// Iterations that were done, counted as ITK's `GetElapsedIterations`: the first is number 0.
    pub iterations: usize,
    /// Whether sensitivities and specificities had settled.
    pub converged: bool,
}

/// How an outline compares with the consensus.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RaterPerformance {
    /// Probability of a voxel of the structure of being outlined.
    pub sensitivity: f64,
    /// Probability of a voxel outside of the structure of not being outlined.
    pub specificity: f64,
}

impl StapleConsensus {
    /// The voxels whose probability is at least `threshold`, as 1.
    #[must_use]
    pub fn mask(&self, threshold: f64) -> LabelMap {
        self.probability.map(|&probability| u32::from(probability >= threshold))
    }
}

/// Voxels about which all outlines decide alike.
struct Pattern {
    /// Bit j: outline j holds the voxels.
    decisions: u64,
    voxels: f64,
    weight: f64,
}

impl Staple {
    /// The parameters.
    pub fn params(&self) -> &StapleParams {
        &self.params
    }

    /// Estimates the structure from the outlines.
    ///
    /// Voxels about which all outlines decide alike have the same weight, so that an iteration costs what there are different
    /// decisions, and not what there are voxels.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] when there is no outline or more than 64, or no voxel has the label;
    /// [`SegmentationError::Imaging`] when the grids differ.
    pub fn estimate(&self, outlines: &[&LabelMap]) -> Result<StapleConsensus> {
        let geometry = check_outlines("STAPLE", outlines)?;
        let decisions = decisions(outlines, self.params.label);
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for &pattern in &decisions {
            *counts.entry(pattern).or_default() += 1;
        }
        if counts.keys().all(|&pattern| pattern == 0) {
            let requirement = "a label that at least one outline holds";
            return Err(SegmentationError::parameter("label of the structure", self.params.label, requirement));
        }
        let share = |decisions: u64| f64::from(decisions.count_ones()) / outlines.len() as f64;
        let mut patterns: Vec<Pattern> = counts
            .iter()
            .map(|(&decisions, &voxels)| Pattern { decisions, voxels: voxels as f64, weight: share(decisions) })
            .collect();
        let first: f64 = patterns.iter().map(|pattern| pattern.voxels * pattern.weight).sum();
        let prior = first / decisions.len() as f64 * self.params.confidence_weight;

        let mut raters = vec![RaterPerformance { sensitivity: 1.0, specificity: 1.0 }; outlines.len()];
        let (mut iterations, mut converged) = (0, false);
        while iterations < self.params.max_iterations {
            let before = raters.clone();
            for (j, rater) in raters.iter_mut().enumerate() {
                *rater = performance(&patterns, j, *rater);
            }
            for pattern in &mut patterns {
                pattern.weight = posterior(pattern.decisions, &raters, prior);
            }
            converged = iterations > 0 && before.iter().zip(&raters).all(|(before, now)| before.is_near(now));
            if converged {
                break;
            }
            iterations += 1;
        }
        let weights: BTreeMap<u64, f64> = patterns.iter().map(|pattern| (pattern.decisions, pattern.weight)).collect();
        let mut probability = Volume::filled(geometry.clone(), 0.0);
        for (voxel, pattern) in probability.as_mut_slice().iter_mut().zip(&decisions) {
            *voxel = weights.get(pattern).copied().unwrap_or_default();
        }
        Ok(StapleConsensus { probability, raters, iterations, converged })
    }
}

impl RaterPerformance {
    /// Whether neither value differs by more than 10⁻⁷, the end of ITK's iterations.
    fn is_near(&self, other: &Self) -> bool {
        const SQUARED: f64 = 1e-14;
        (self.sensitivity - other.sensitivity).powi(2) <= SQUARED
            && (self.specificity - other.specificity).powi(2) <= SQUARED
    }
}

/// Sensitivity and specificity of the outline of number `j`; those from before where the weights say nothing about them.
fn performance(patterns: &[Pattern], j: usize, before: RaterPerformance) -> RaterPerformance {
    let mut sums = [0.0; 4];
    for Pattern { decisions, voxels, weight } in patterns {
        let (inside, outside) = (voxels * weight, voxels * (1.0 - weight));
        sums[if decisions >> j & 1 == 1 { 0 } else { 1 }] += if decisions >> j & 1 == 1 { inside } else { outside };
        sums[2] += inside;
        sums[3] += outside;
    }
    let [held, left_out, inside, outside] = sums;
    RaterPerformance {
        sensitivity: if inside == 0.0 { before.sensitivity } else { held / inside },
        specificity: if outside == 0.0 { before.specificity } else { left_out / outside },
    }
}

/// The probability of a voxel with these decisions of belonging to the structure.
fn posterior(decisions: u64, raters: &[RaterPerformance], prior: f64) -> f64 {
    let (mut inside, mut outside) = (1.0, 1.0);
    for (j, RaterPerformance { sensitivity, specificity }) in raters.iter().enumerate() {
        if decisions >> j & 1 == 1 {
            inside *= sensitivity;
            outside *= 1.0 - specificity;
        } else {
            inside *= 1.0 - sensitivity;
            outside *= specificity;
        }
    }
    prior * inside / (prior * inside + (1.0 - prior) * outside)
}

/// For each voxel, bit j where outline j holds it.
fn decisions(outlines: &[&LabelMap], label: u32) -> Vec<u64> {
    let voxels = outlines.first().map_or(0, |outline| outline.as_slice().len());
    let mut decisions = vec![0; voxels];
    for (j, outline) in outlines.iter().enumerate() {
        for (pattern, &voxel) in decisions.iter_mut().zip(outline.as_slice()) {
            *pattern |= u64::from(voxel == label) << j;
        }
    }
    decisions
}

/// The common grid of at least one and at most 64 outlines.
fn check_outlines<'a>(operation: &'static str, outlines: &[&'a LabelMap]) -> Result<&'a alnm_imaging::Geometry> {
    let count = outlines.len();
    let first = outlines.first().filter(|_| count <= MOST_OUTLINES);
    let first =
        first.ok_or_else(|| SegmentationError::parameter("number of outlines", count, "from 1 to 64"))?.geometry();
    outlines.iter().try_for_each(|outline| check_same_grid(operation, first, outline.geometry()))?;
    Ok(first)
}

/// The label that most outlines give each voxel, 0 among them; `undecided` where two or more labels are given by equally many,
/// as ITK's `LabelVotingImageFilter`.
///
/// # Errors
/// [`SegmentationError::Parameter`] when there is no outline or more than 64; [`SegmentationError::Imaging`] when the grids
/// differ.
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::consensus::majority_vote;
///
/// let grid = Geometry::axis_aligned([3, 1, 1], [1.0; 3])?;
/// let outlines = [[[[1_u32, 1, 0]]], [[[1, 2, 0]]], [[[1, 0, 2]]]].map(|labels| {
///     Volume::new(ndarray::Array3::from(labels.to_vec()), grid.clone())
/// });
/// let outlines = outlines.into_iter().collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(majority_vote(&outlines.iter().collect::<Vec<_>>(), 9)?.as_slice(), [1, 9, 0]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn majority_vote(outlines: &[&LabelMap], undecided: u32) -> Result<LabelMap> {
    let geometry = check_outlines("majority vote", outlines)?;
    let mut consensus = Volume::filled(geometry.clone(), undecided);
    let mut votes: Vec<u32> = Vec::with_capacity(outlines.len());
    for (position, voxel) in consensus.as_mut_slice().iter_mut().enumerate() {
        votes.clear();
        votes.extend(outlines.iter().map(|outline| outline.as_slice()[position]));
        votes.sort_unstable();
        let counts = votes.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0]));
        let most = counts.clone().map(|(count, _)| count).max();
        let mut winners = counts.filter(|(count, _)| Some(*count) == most);
        if let (Some((_, label)), None) = (winners.next(), winners.next()) {
            *voxel = label;
        }
    }
    Ok(consensus)
}
