//! Grey level co-occurrence matrix: how often levels i and j are neighbours.
//!
//! For each direction δ, P_δ(i, j) counts the voxels of level i whose neighbour at δ has level j. Made symmetric and
//! normalised it is p(i, j); features are computed for each direction and averaged, or, with a weighting, on the sum of the
//! weighted matrices. Haralick et al. 1973, doi 10.1109/TSMC.1973.4309314; IBSI section "Grey level co-occurrence".
//!
//! Symbols: `p_x(i)`, `p_y(j)` the row and column sums, μ their means, `p_{x+y}(k)` and `p_{x-y}(k)` the distributions of
//! i + j and |i - j|, ε = 2⁻⁵², `N_g` the highest level.

use faer::Mat;
use rayon::prelude::*;
use serde::Serialize;

use crate::error::{RadiomicsError, Result};
use crate::feature::{ClassValue, Formula, Selection};
use crate::level_map::{LevelMap, LevelScale, Offset, directions};

/// Added inside logarithms, so that empty cells count 0.
pub(crate) const EPSILON: f64 = f64::EPSILON;

/// Levels beyond which one matrix would take more than 2 GiB.
const MAXIMUM_LEVELS: usize = 16_384;

/// How the matrices of several directions are weighted by the length of the step in mm before they are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightingNorm {
    /// Sum of the components.
    Manhattan,
    /// Euclidean length.
    Euclidean,
    /// Largest component.
    Infinity,
    /// All directions weigh the same.
    NoWeighting,
}

impl WeightingNorm {
    /// Length in mm of a step, `None` for [`WeightingNorm::NoWeighting`]. `spacing` is (z, y, x).
    pub(crate) fn length(self, offset: Offset, spacing: [f64; 3]) -> Option<f64> {
        let steps: [f64; 3] = std::array::from_fn(|axis| offset[axis].unsigned_abs() as f64 * spacing[axis]);
        match self {
            Self::Manhattan => Some(steps.iter().sum()),
            Self::Euclidean => Some(steps.iter().map(|step| step * step).sum::<f64>().sqrt()),
            Self::Infinity => Some(steps.iter().copied().fold(0.0, f64::max)),
            Self::NoWeighting => None,
        }
    }
}

/// What co-occurrences are counted over.
#[derive(Debug, Clone, PartialEq)]
pub struct GlcmSettings {
    /// Chebyshev distances between neighbours, in voxels.
    pub distances: Vec<u32>,
    /// The axis (0 = z, 1 = y, 2 = x) that neighbours do not step along, for features by slice.
    pub fixed_axis: Option<usize>,
    /// Whether each pair is counted in both orders.
    pub symmetrical: bool,
    /// Weights of the directions; without, features are averaged over directions.
    pub weighting: Option<WeightingNorm>,
    /// Voxel distances (z, y, x) in mm, for the weights.
    pub spacing: [f64; 3],
}

/// A normalised co-occurrence matrix with its marginal distributions.
#[derive(Debug, Clone)]
pub struct CooccurrenceMatrix {
    direction: Option<Offset>,
    levels: Vec<f64>,
    scale: LevelScale,
    symmetrical: bool,
    /// p(i, j), row by row over the levels that occur.
    p: Vec<f64>,
    px: Vec<f64>,
    py: Vec<f64>,
    mean_x: f64,
    mean_y: f64,
    /// p_{x+y}(k) at index k.
    sum: Vec<f64>,
    /// p_{x-y}(k) at index k.
    difference: Vec<f64>,
    /// H(X, Y) in bits.
    joint_entropy: f64,
}

impl CooccurrenceMatrix {
    /// A matrix from counts, row by row over the ascending `levels`; `None` when all counts are 0.
    fn from_counts(map: &LevelMap, counts: &[f64], symmetrical: bool, direction: Option<Offset>) -> Option<Self> {
        let gray_levels = map.gray_levels();
        let n = gray_levels.len();
        let levels: Vec<f64> = gray_levels.iter().map(|&level| f64::from(level)).collect();
        let pairs: f64 = counts.iter().sum();
        if pairs == 0.0 {
            return None;
        }
        let highest = gray_levels[n - 1] as usize;
        let p: Vec<f64> = if symmetrical {
            (0..n * n).map(|cell| (counts[cell] + counts[cell % n * n + cell / n]) / (2.0 * pairs)).collect()
        } else {
            counts.iter().map(|count| count / pairs).collect()
        };
        let mut matrix = Self {
            direction,
            scale: map.scale(),
            symmetrical,
            px: vec![0.0; n],
            py: vec![0.0; n],
            mean_x: 0.0,
            mean_y: 0.0,
            sum: vec![0.0; 2 * highest + 1],
            difference: vec![0.0; highest],
            joint_entropy: 0.0,
            levels,
            p,
        };
        matrix.fill_marginals(gray_levels);
        Some(matrix)
    }

    fn fill_marginals(&mut self, gray_levels: &[u32]) {
        let n = gray_levels.len();
        for (row, &i) in gray_levels.iter().enumerate() {
            for (column, &j) in gray_levels.iter().enumerate() {
                let p = self.p[row * n + column];
                if p > 0.0 {
                    self.px[row] += p;
                    self.py[column] += p;
                    self.mean_x += f64::from(i) * p;
                    self.mean_y += f64::from(j) * p;
                    self.sum[(i + j) as usize] += p;
                    self.difference[i.abs_diff(j) as usize] += p;
                    self.joint_entropy -= p * (p + EPSILON).log2();
                }
            }
        }
    }

    /// The direction that pairs were counted in; `None` for a weighted sum.
    pub fn direction(&self) -> Option<Offset> {
        self.direction
    }

    /// p(i, j), row by row over the levels that occur.
    pub fn probabilities(&self) -> &[f64] {
        &self.p
    }

    /// N_g, the highest level of the region.
    fn highest_level(&self) -> f64 {
        f64::from(self.scale.highest)
    }

    /// Σ p(i, j) · term(i, j, p) over the cells that are not empty.
    fn over_cells(&self, term: impl Fn(usize, usize, f64) -> f64) -> f64 {
        let n = self.levels.len();
        let mut total = 0.0;
        for (row, cells) in self.p.chunks_exact(n).enumerate() {
            for (column, &p) in cells.iter().enumerate() {
                if p > 0.0 {
                    total += p * term(row, column, p);
                }
            }
        }
        total
    }

    /// Σ_k p_{x+y}(k) · (k - μ_x - μ_y)^power.
    fn cluster(&self, power: i32) -> f64 {
        weighted(&self.sum, |k| (k - self.mean_x - self.mean_y).powi(power))
    }

    /// Σ_k p_{x-y}(k) · term(k).
    fn over_differences(&self, term: impl Fn(f64) -> f64) -> f64 {
        weighted(&self.difference, term)
    }

    fn correlation(&self) -> f64 {
        let spread = |levels: &[f64], p: &[f64], mean: f64| {
            levels.iter().zip(p).map(|(level, p)| p * (level - mean) * (level - mean)).sum::<f64>().sqrt()
        };
        let deviations = spread(&self.levels, &self.px, self.mean_x) * spread(&self.levels, &self.py, self.mean_y);
        if deviations == 0.0 {
            return 1.0;
        }
        let covariance = self.over_cells(|i, j, _| (self.levels[i] - self.mean_x) * (self.levels[j] - self.mean_y));
        covariance / (deviations + EPSILON)
    }

    /// IMC1 = (HXY - HXY1) / max(HX, HY), 0 where both marginals are certain.
    fn first_information_measure(&self) -> f64 {
        let larger = entropy(&self.px).max(entropy(&self.py));
        let hxy1 = -self.over_cells(|i, j, _| (self.px[i] * self.py[j] + EPSILON).log2());
        if larger == 0.0 { 0.0 } else { (self.joint_entropy - hxy1) / larger }
    }

    /// IMC2 = √(1 - exp(-2 (HXY2 - HXY))); undefined where rounding makes HXY2 smaller than HXY.
    fn second_information_measure(&self) -> f64 {
        let hxy2 = self.entropy_if_independent();
        if hxy2 == self.joint_entropy { 0.0 } else { (1.0 - (-2.0 * (hxy2 - self.joint_entropy)).exp()).sqrt() }
    }

    /// HXY2 = -Σ_ij p_x(i) p_y(j) log₂(p_x(i) p_y(j) + ε), added up row by row. Probabilities are ratios of counts, of which
    /// few differ, so the logarithm is taken once for each pair of distinct ones.
    fn entropy_if_independent(&self) -> f64 {
        let (rows, columns) = (Distinct::of(&self.px), Distinct::of(&self.py));
        let term = |p: f64| p * (p + EPSILON).log2();
        let terms: Vec<f64> = rows.values.iter().flat_map(|x| columns.values.iter().map(move |y| term(x * y))).collect();
        let mut total = 0.0;
        for &row in &rows.places {
            let terms = &terms[row * columns.values.len()..];
            for &column in &columns.places {
                total += terms[column];
            }
        }
        -total
    }

    /// MCC = √(second largest eigenvalue of Q), Q(i, j) = Σ_k p(i, k) p(j, k) / (p_x(i) p_y(k)); 1 for a flat region.
    ///
    /// Q is similar to A·Aᵀ with A(i, k) = p(i, k) / √(p_x(i) p_y(k)), so its eigenvalues are the squared singular values of
    /// A; the largest is 1 and belongs to √p_x.
    fn maximal_correlation(&self) -> f64 {
        let n = self.levels.len();
        if n < 2 {
            // Levels that occur elsewhere in the region add eigenvalues of 0.
            return if self.scale.count < 2 { 1.0 } else { 0.0 };
        }
        let scaled = Mat::from_fn(n, n, |i, k| {
            let p = self.p[i * n + k];
            if p > 0.0 { p / (self.px[i] * self.py[k] + EPSILON).sqrt() } else { 0.0 }
        });
        let singular = if self.symmetrical {
            scaled.self_adjoint_eigenvalues(faer::Side::Lower).map(|values| {
                let mut sizes: Vec<f64> = values.into_iter().map(f64::abs).collect();
                sizes.sort_by(|a, b| b.total_cmp(a));
                sizes
            })
        } else {
            scaled.singular_values().map_err(|_| faer::linalg::evd::EvdError::NoConvergence)
        };
        singular.map_or(f64::NAN, |values| values[1])
    }
}

/// Σ_k p(k) · term(k).
fn weighted(p: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    p.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(k, p)| p * term(k as f64)).sum()
}

/// -Σ p log₂(p + ε).
fn entropy(p: &[f64]) -> f64 {
    -p.iter().filter(|p| **p > 0.0).map(|p| p * (p + EPSILON).log2()).sum::<f64>()
}

/// The distinct values of a list, and which of them each element is.
struct Distinct {
    values: Vec<f64>,
    places: Vec<usize>,
}

impl Distinct {
    fn of(list: &[f64]) -> Self {
        let mut values = list.to_vec();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let places = list.iter().map(|value| values.partition_point(|other| other < value)).collect();
        Self { values, places }
    }
}

/// The features.
pub const FORMULAS: &[Formula<CooccurrenceMatrix>] = &[
    // Σ p(i, j) i j
    Formula::new("Autocorrelation", Some("QWB0"), |m| m.over_cells(|i, j, _| m.levels[i] * m.levels[j])),
    // Σ_k p_{x+y}(k) (k - μ_x - μ_y)^4
    Formula::new("ClusterProminence", Some("AE86"), |m| m.cluster(4)),
    Formula::new("ClusterShade", Some("7NFM"), |m| m.cluster(3)),
    Formula::new("ClusterTendency", Some("DG8W"), |m| m.cluster(2)),
    // Σ_k p_{x-y}(k) k²
    Formula::new("Contrast", Some("ACUI"), |m| m.over_differences(|k| k * k)),
    Formula::new("Correlation", Some("NI2N"), CooccurrenceMatrix::correlation),
    Formula::new("DifferenceAverage", Some("TF7R"), |m| m.over_differences(|k| k)),
    Formula::new("DifferenceEntropy", Some("NTRS"), |m| entropy(&m.difference)),
    Formula::new("DifferenceVariance", Some("D3YU"), |m| {
        let mean = m.over_differences(|k| k);
        m.over_differences(|k| (k - mean) * (k - mean))
    }),
    Formula::new("Id", Some("IB1Z"), |m| m.over_differences(|k| 1.0 / (1.0 + k))),
    Formula::new("Idm", Some("WF0Z"), |m| m.over_differences(|k| 1.0 / (1.0 + k * k))),
    Formula::new("Idmn", Some("1QCO"), |m| m.over_differences(|k| 1.0 / (1.0 + k * k / (m.highest_level() * m.highest_level())))),
    Formula::new("Idn", Some("NDRX"), |m| m.over_differences(|k| 1.0 / (1.0 + k / m.highest_level()))),
    Formula::new("Imc1", Some("R8DG"), CooccurrenceMatrix::first_information_measure),
    Formula::new("Imc2", Some("JN9H"), CooccurrenceMatrix::second_information_measure),
    // Σ_{k > 0} p_{x-y}(k) / k²
    Formula::new("InverseVariance", Some("E8JP"), |m| m.over_differences(|k| if k > 0.0 { 1.0 / (k * k) } else { 0.0 })),
    Formula::new("JointAverage", Some("60VM"), |m| m.mean_x),
    Formula::new("JointEnergy", Some("8ZQL"), |m| m.over_cells(|_, _, p| p)),
    Formula::new("JointEntropy", Some("TU9B"), |m| m.joint_entropy),
    Formula::new("MCC", None, CooccurrenceMatrix::maximal_correlation),
    Formula::new("MaximumProbability", Some("GYBY"), |m| m.p.iter().copied().fold(0.0, f64::max)),
    Formula::new("SumAverage", Some("ZGXS"), |m| weighted(&m.sum, |k| k)),
    Formula::new("SumEntropy", Some("P6QZ"), |m| entropy(&m.sum)),
    // Σ_i p_x(i) (i - μ_x)²
    Formula::new("SumSquares", Some("UR99"), |m| {
        m.levels.iter().zip(&m.px).map(|(level, p)| p * (level - m.mean_x) * (level - m.mean_x)).sum()
    }),
];

/// How often each pair of levels occurs at `offset`, row by row over the levels that occur.
pub fn pair_counts(map: &LevelMap, offset: Offset) -> Vec<u32> {
    let n = map.gray_levels.len();
    let step = map.step(offset);
    // Pairs with voxels outside the region are counted in column 0, which costs less than telling them apart.
    let mut counts = vec![0u32; (n + 1) * (n + 1)];
    for row in &map.rows {
        let neighbours = LevelMap::neighbours(&map.cells, row, step);
        for (&level, &neighbour) in map.cells[row.clone()].iter().zip(neighbours) {
            counts[level as usize * (n + 1) + neighbour as usize] += 1;
        }
    }
    counts.chunks_exact(n + 1).skip(1).flat_map(|row| row[1..].iter().copied()).collect()
}

/// The matrices that the features are averaged over: one for each direction in which the region has neighbours, or, with a
/// weighting, the one weighted sum.
///
/// # Errors
/// [`RadiomicsError::NoNeighbours`] when the region is smaller than every distance, [`RadiomicsError::TooManyLevels`] when a
/// matrix would not fit into memory.
pub fn matrices(map: &LevelMap, settings: &GlcmSettings) -> Result<Vec<CooccurrenceMatrix>> {
    let n = map.gray_levels.len();
    if n > MAXIMUM_LEVELS {
        return Err(RadiomicsError::TooManyLevels { levels: n, maximum: MAXIMUM_LEVELS });
    }
    let directions = directions(map.shape, &settings.distances, settings.fixed_axis)?;
    let Some(weighting) = settings.weighting else {
        let matrix = |&offset: &Offset| {
            let counts: Vec<f64> = pair_counts(map, offset).into_iter().map(f64::from).collect();
            CooccurrenceMatrix::from_counts(map, &counts, settings.symmetrical, Some(offset))
        };
        return Ok(directions.par_iter().map(matrix).collect::<Vec<_>>().into_iter().flatten().collect());
    };
    let mut total = vec![0.0; n * n];
    for offset in directions {
        // W = exp(-length²)
        let weight = weighting.length(offset, settings.spacing).map_or(1.0, |length| (-length * length).exp());
        for (cell, count) in total.iter_mut().zip(pair_counts(map, offset)) {
            *cell += weight * f64::from(count);
        }
    }
    Ok(CooccurrenceMatrix::from_counts(map, &total, settings.symmetrical, None).into_iter().collect())
}

/// The selected features of a region.
///
/// # Errors
/// As [`matrices`].
pub fn features(map: &LevelMap, settings: &GlcmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    Ok(selection.evaluate_mean(FORMULAS, &matrices(map, settings)?))
}
