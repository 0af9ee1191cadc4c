//! Grey level co-occurrence matrix: how often levels i and j are neighbours.
//!
//! For each direction δ, P_δ(i, j) counts the voxels of level i whose neighbour at δ has level j. Made symmetric and
//! normalised it is p(i, j); features are computed for each direction and averaged, or, with a weighting, on the sum of the
//! weighted matrices. Haralick et al. 1973, doi 10.1109/TSMC.1973.4309314; IBSI section "Grey level co-occurrence".
//!
//! Symbols: `p_x(i)`, `p_y(j)` the row and column sums, μ their means, `p_{x+y}(k)` and `p_{x-y}(k)` the distributions of
//! i + j and |i - j|, ε = 2⁻⁵², `N_g` the highest level.

use std::f64::consts::LN_2;

use rayon::prelude::*;
use serde::Serialize;

use crate::error::Result;
use crate::feature::{ClassValue, Formula, Selection};
use crate::level_map::{LevelMap, LevelScale, Offset, directions};
use crate::singular_value::ScaledMatrix;

/// Added inside logarithms, so that empty cells count 0.
pub(crate) const EPSILON: f64 = f64::EPSILON;

/// Voxels from which on the directions are shared among threads.
const WORTH_SHARING: usize = 1024;

/// Levels up to which pairs are counted in a table, which then takes 16 MiB.
const MAXIMUM_LEVELS: usize = 2048;

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

/// A normalised co-occurrence matrix with its marginal distributions. Only the cells that are not 0 are kept: at many grey
/// levels they are few.
#[derive(Debug, Clone)]
pub struct CooccurrenceMatrix {
    direction: Option<Offset>,
    levels: Vec<f64>,
    scale: LevelScale,
    /// Where the cells of each row begin, and where the last ends.
    rows: Vec<usize>,
    columns: Vec<u32>,
    /// p(i, j) of the cells.
    p: Vec<f64>,
    px: Vec<f64>,
    py: Vec<f64>,
    mean_x: f64,
    mean_y: f64,
    /// p_{x+y}
    sum: Distribution,
    /// p_{x-y}
    difference: Distribution,
    /// H(X, Y) in bits.
    joint_entropy: f64,
    /// Σ p(i, j)²
    energy: f64,
    maximum: f64,
}

/// Whole numbers with their probabilities, those of probability 0 left out.
#[derive(Debug, Clone, Default)]
struct Distribution {
    values: Vec<f64>,
    p: Vec<f64>,
}

impl Distribution {
    /// From the probabilities of `first`, `first` + 1 and so on.
    fn new(first: u32, probabilities: &[f64]) -> Self {
        let occurring = probabilities.iter().filter(|p| **p > 0.0).count();
        let mut distribution = Self { values: Vec::with_capacity(occurring), p: Vec::with_capacity(occurring) };
        for (k, &p) in probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            distribution.values.push(f64::from(first) + k as f64);
            distribution.p.push(p);
        }
        distribution
    }

    /// Σ_k p(k) · term(k).
    fn mean(&self, term: impl Fn(f64) -> f64) -> f64 {
        self.values.iter().zip(&self.p).map(|(&k, p)| p * term(k)).sum()
    }
}

/// A cell of a count matrix: row, column and count.
type Cell = (u32, u32, f64);

impl CooccurrenceMatrix {
    /// A matrix from its cells in ascending order; `None` when there are none.
    fn from_cells(map: &LevelMap, cells: &[Cell], direction: Option<Offset>) -> Option<Self> {
        let gray_levels = map.gray_levels();
        let n = gray_levels.len();
        let pairs: f64 = cells.iter().map(|(_, _, count)| count).sum();
        if pairs == 0.0 {
            return None;
        }
        let (lowest, highest) = (gray_levels[0], gray_levels[n - 1]);
        let mut rows = vec![0; n + 1];
        let mut columns = Vec::with_capacity(cells.len());
        let mut probabilities = Vec::with_capacity(cells.len());
        let (mut px, mut py) = (vec![0.0; n], vec![0.0; n]);
        let mut sum = vec![0.0; 2 * (highest - lowest) as usize + 1];
        let mut difference = vec![0.0; (highest - lowest) as usize + 1];
        let (mut joint_entropy, mut energy, mut maximum) = (0.0, 0.0, 0.0);
        for &(row, column, count) in cells {
            let p = count / pairs;
            let (i, j) = (gray_levels[row as usize], gray_levels[column as usize]);
            rows[row as usize + 1] += 1;
            columns.push(column);
            probabilities.push(p);
            px[row as usize] += p;
            py[column as usize] += p;
            sum[(i - lowest + j - lowest) as usize] += p;
            difference[i.abs_diff(j) as usize] += p;
            joint_entropy -= p * (p + EPSILON).log2();
            energy += p * p;
            maximum = f64::max(maximum, p);
        }
        for row in 0..n {
            rows[row + 1] += rows[row];
        }
        let levels: Vec<f64> = gray_levels.iter().map(|&level| f64::from(level)).collect();
        let mean = |marginal: &[f64]| levels.iter().zip(marginal).map(|(level, p)| level * p).sum();
        Some(Self {
            direction,
            scale: map.scale(),
            rows,
            columns,
            p: probabilities,
            mean_x: mean(&px),
            mean_y: mean(&py),
            px,
            py,
            sum: Distribution::new(2 * lowest, &sum),
            difference: Distribution::new(0, &difference),
            joint_entropy,
            energy,
            maximum,
            levels,
        })
    }

    /// The direction that pairs were counted in; `None` for a weighted sum.
    pub fn direction(&self) -> Option<Offset> {
        self.direction
    }

    /// p(i, j), row by row over the levels that occur.
    pub fn probabilities(&self) -> Vec<f64> {
        let n = self.levels.len();
        let mut dense = vec![0.0; n * n];
        for (row, column, p) in self.cells() {
            dense[row * n + column] = p;
        }
        dense
    }

    /// Row, column and p(i, j) of the cells that are not 0.
    fn cells(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        (0..self.levels.len()).flat_map(move |row| {
            let cells = self.rows[row]..self.rows[row + 1];
            cells.map(move |cell| (row, self.columns[cell] as usize, self.p[cell]))
        })
    }

    /// N_g, the highest level of the region.
    fn highest_level(&self) -> f64 {
        f64::from(self.scale.highest)
    }

    /// Σ_k p_{x+y}(k) · (k - μ_x - μ_y)^power.
    fn cluster(&self, power: i32) -> f64 {
        self.sum.mean(|k| (k - self.mean_x - self.mean_y).powi(power))
    }

    /// Σ p(i, j) i j = (E(X + Y)² - E(X - Y)²) / 4.
    fn autocorrelation(&self) -> f64 {
        (self.sum.mean(|k| k * k) - self.difference.mean(|k| k * k)) / 4.0
    }

    /// Cov(X, Y) / (σ_x σ_y + ε), 1 where a deviation is 0; 4 Cov(X, Y) = Var(X + Y) - Var(X - Y).
    fn correlation(&self) -> f64 {
        let variance =
            |p: &[f64], mean: f64| -> f64 { self.levels.iter().zip(p).map(|(level, p)| p * (level - mean) * (level - mean)).sum() };
        let deviations = variance(&self.px, self.mean_x).sqrt() * variance(&self.py, self.mean_y).sqrt();
        if deviations == 0.0 {
            return 1.0;
        }
        let between_means = self.mean_x - self.mean_y;
        let covariance = (self.cluster(2) - (self.difference.mean(|k| k * k) - between_means * between_means)) / 4.0;
        covariance / (deviations + EPSILON)
    }

    /// IMC1 = (HXY - HXY1) / max(HX, HY), 0 where both marginals are certain; HXY1 = -Σ p(i, j) log₂(p_x(i) p_y(j) + ε).
    fn first_information_measure(&self) -> f64 {
        let larger = entropy(&self.px).max(entropy(&self.py));
        if larger == 0.0 {
            return 0.0;
        }
        // The logarithm of the product is a sum over each marginal; ε adds ε / (p_x p_y ln 2), which matters for rare levels.
        let within = |marginal: &[f64]| -> f64 { marginal.iter().filter(|p| **p > 0.0).map(|p| p * p.log2()).sum() };
        let inverse: Vec<f64> = self.py.iter().map(|p| 1.0 / p).collect();
        let shift: f64 = (0..self.levels.len())
            .map(|row| {
                let cells = self.rows[row]..self.rows[row + 1];
                let scaled: f64 = cells.map(|cell| self.p[cell] * inverse[self.columns[cell] as usize]).sum();
                if scaled > 0.0 { scaled / self.px[row] } else { 0.0 }
            })
            .sum();
        let hxy1 = -(within(&self.px) + within(&self.py) + shift * EPSILON / LN_2);
        (self.joint_entropy - hxy1) / larger
    }

    /// IMC2 = √(1 - exp(-2 (HXY2 - HXY))); undefined where rounding makes HXY2 smaller than HXY.
    fn second_information_measure(&self) -> f64 {
        // HXY2 is HX + HY but for ε. Where it comes close to HXY, their order hangs on the rounding of the long sum.
        const CLOSE: f64 = 1e-5;
        let mut hxy2 = entropy(&self.px) + entropy(&self.py);
        if hxy2 - self.joint_entropy < CLOSE {
            hxy2 = self.entropy_if_independent();
        }
        if hxy2 == self.joint_entropy { 0.0 } else { (1.0 - (-2.0 * (hxy2 - self.joint_entropy)).exp()).sqrt() }
    }

    /// HXY2 = -Σ_ij p_x(i) p_y(j) log₂(p_x(i) p_y(j) + ε), added up row by row.
    fn entropy_if_independent(&self) -> f64 {
        let mut total = 0.0;
        for x in &self.px {
            for y in &self.py {
                let p = x * y;
                total += p * (p + EPSILON).log2();
            }
        }
        -total
    }

    /// MCC = √(second largest eigenvalue of Q), Q(i, j) = Σ_k p(i, k) p(j, k) / (p_x(i) p_y(k)); 1 for a flat region.
    ///
    /// Q is similar to A·Aᵀ with A(i, k) = p(i, k) / √(p_x(i) p_y(k)), so its eigenvalues are the squared singular values of
    /// A; the largest is 1 and belongs to √p_x.
    fn maximal_correlation(&self) -> f64 {
        let occurring = self.px.iter().filter(|p| **p > 0.0).count();
        if occurring < 2 || self.py.iter().filter(|p| **p > 0.0).count() < 2 {
            // Levels that occur elsewhere in the region add eigenvalues of 0.
            return if self.scale.count < 2 { 1.0 } else { 0.0 };
        }
        if self.falls_apart() {
            return 1.0;
        }
        let values = self.cells().map(|(row, column, p)| p / (self.px[row] * self.py[column]).sqrt()).collect();
        let scaled = ScaledMatrix { rows: &self.rows, columns: &self.columns, values };
        let root: Vec<f64> = self.px.iter().map(|p| p.sqrt()).collect();
        // Neighbours have similar levels, so the level itself is close to the vector sought. What is added to it keeps the
        // start from lying in a part of the space that the iteration does not leave.
        let deviation = self.levels.iter().map(|level| (level - self.mean_x).abs()).fold(0.0, f64::max);
        let start = (0..root.len()).map(|i| root[i] * (self.levels[i] - self.mean_x + 0.05 * deviation * (1.7 * i as f64).sin())).collect();
        scaled.second_squared_singular_value(&root, start, occurring - 1).sqrt()
    }

    /// Whether rows and columns fall into groups without a cell between them; then 1 is an eigenvalue of Q more than once.
    fn falls_apart(&self) -> bool {
        let n = self.levels.len();
        let mut group: Vec<usize> = (0..2 * n).collect();
        let mut groups = self.px.iter().chain(&self.py).filter(|p| **p > 0.0).count();
        for (row, column, _) in self.cells() {
            let (a, b) = (representative(&mut group, row), representative(&mut group, n + column));
            if a != b {
                group[a] = b;
                groups -= 1;
                if groups == 1 {
                    return false;
                }
            }
        }
        true
    }
}

/// The representative of an element's group.
fn representative(group: &mut [usize], mut element: usize) -> usize {
    while group[element] != element {
        group[element] = group[group[element]];
        element = group[element];
    }
    element
}

/// -Σ p log₂(p + ε).
fn entropy(p: &[f64]) -> f64 {
    -p.iter().filter(|p| **p > 0.0).map(|p| p * (p + EPSILON).log2()).sum::<f64>()
}

/// The features.
pub const FORMULAS: &[Formula<CooccurrenceMatrix>] = &[
    // Σ p(i, j) i j
    Formula::new("Autocorrelation", Some("QWB0"), CooccurrenceMatrix::autocorrelation),
    // Σ_k p_{x+y}(k) (k - μ_x - μ_y)^4
    Formula::new("ClusterProminence", Some("AE86"), |m| m.cluster(4)),
    Formula::new("ClusterShade", Some("7NFM"), |m| m.cluster(3)),
    Formula::new("ClusterTendency", Some("DG8W"), |m| m.cluster(2)),
    // Σ_k p_{x-y}(k) k²
    Formula::new("Contrast", Some("ACUI"), |m| m.difference.mean(|k| k * k)),
    Formula::new("Correlation", Some("NI2N"), CooccurrenceMatrix::correlation),
    Formula::new("DifferenceAverage", Some("TF7R"), |m| m.difference.mean(|k| k)),
    Formula::new("DifferenceEntropy", Some("NTRS"), |m| entropy(&m.difference.p)),
    Formula::new("DifferenceVariance", Some("D3YU"), |m| {
        let mean = m.difference.mean(|k| k);
        m.difference.mean(|k| (k - mean) * (k - mean))
    }),
    Formula::new("Id", Some("IB1Z"), |m| m.difference.mean(|k| 1.0 / (1.0 + k))),
    Formula::new("Idm", Some("WF0Z"), |m| m.difference.mean(|k| 1.0 / (1.0 + k * k))),
    Formula::new("Idmn", Some("1QCO"), |m| m.difference.mean(|k| 1.0 / (1.0 + k * k / (m.highest_level() * m.highest_level())))),
    Formula::new("Idn", Some("NDRX"), |m| m.difference.mean(|k| 1.0 / (1.0 + k / m.highest_level()))),
    Formula::new("Imc1", Some("R8DG"), CooccurrenceMatrix::first_information_measure),
    Formula::new("Imc2", Some("JN9H"), CooccurrenceMatrix::second_information_measure),
    // Σ_{k > 0} p_{x-y}(k) / k²
    Formula::new("InverseVariance", Some("E8JP"), |m| m.difference.mean(|k| if k > 0.0 { 1.0 / (k * k) } else { 0.0 })),
    Formula::new("JointAverage", Some("60VM"), |m| m.mean_x),
    Formula::new("JointEnergy", Some("8ZQL"), |m| m.energy),
    Formula::new("JointEntropy", Some("TU9B"), |m| m.joint_entropy),
    Formula::new("MCC", None, CooccurrenceMatrix::maximal_correlation),
    Formula::new("MaximumProbability", Some("GYBY"), |m| m.maximum),
    Formula::new("SumAverage", Some("ZGXS"), |m| m.sum.mean(|k| k)),
    Formula::new("SumEntropy", Some("P6QZ"), |m| entropy(&m.sum.p)),
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

/// The cells that are not 0 of the counts at `offset`, in ascending order, each pair in both orders when `symmetrical`.
fn pair_cells(map: &LevelMap, offset: Offset, symmetrical: bool) -> Vec<Cell> {
    let n = map.gray_levels.len();
    // A table with few entries takes longer to read than its entries take to sort.
    const SPARSE: usize = 16;
    if n > MAXIMUM_LEVELS || map.voxel_count() * SPARSE < n * n {
        return sorted_pair_cells(map, offset, symmetrical);
    }
    let counts = pair_counts(map, offset);
    let mut cells = Vec::new();
    for i in 0..n {
        for j in 0..n {
            let count = counts[i * n + j] + if symmetrical { counts[j * n + i] } else { 0 };
            if count > 0 {
                cells.push((i as u32, j as u32, f64::from(count)));
            }
        }
    }
    cells
}

/// [`pair_cells`] without a table.
fn sorted_pair_cells(map: &LevelMap, offset: Offset, symmetrical: bool) -> Vec<Cell> {
    let step = map.step(offset);
    let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(2 * map.voxel_count());
    for row in &map.rows {
        let neighbours = LevelMap::neighbours(&map.cells, row, step);
        for (&level, &neighbour) in map.cells[row.clone()].iter().zip(neighbours).filter(|(_, neighbour)| **neighbour > 0) {
            pairs.push((level - 1, neighbour - 1));
            if symmetrical {
                pairs.push((neighbour - 1, level - 1));
            }
        }
    }
    pairs.sort_unstable();
    let mut cells = Vec::with_capacity(pairs.len());
    cells.extend(pairs.chunk_by(|a, b| a == b).map(|same| (same[0].0, same[0].1, same.len() as f64)));
    cells
}

/// The matrices that the features are averaged over: one for each direction in which the region has neighbours, or, with a
/// weighting, the one weighted sum.
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is smaller than every distance.
pub fn matrices(map: &LevelMap, settings: &GlcmSettings) -> Result<Vec<CooccurrenceMatrix>> {
    let directions = directions(map.shape, &settings.distances, settings.fixed_axis)?;
    let Some(weighting) = settings.weighting else {
        let matrix = |&offset: &Offset| CooccurrenceMatrix::from_cells(map, &pair_cells(map, offset, settings.symmetrical), Some(offset));
        if map.voxel_count() < WORTH_SHARING {
            return Ok(directions.iter().filter_map(matrix).collect());
        }
        return Ok(directions.par_iter().map(matrix).collect::<Vec<_>>().into_iter().flatten().collect());
    };
    let mut cells: Vec<Cell> = Vec::new();
    for offset in directions {
        // W = exp(-length²)
        let weight = weighting.length(offset, settings.spacing).map_or(1.0, |length| (-length * length).exp());
        let weighted = pair_cells(map, offset, settings.symmetrical).into_iter().map(|(i, j, count)| (i, j, weight * count));
        cells.extend(weighted);
    }
    // A stable sort keeps the directions in their order, and with it the rounding of the sums.
    cells.sort_by_key(|&(i, j, _)| (i, j));
    let total = |same: &[Cell]| (same[0].0, same[0].1, same.iter().map(|(_, _, count)| count).sum());
    let summed: Vec<Cell> = cells.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(total).collect();
    Ok(CooccurrenceMatrix::from_cells(map, &summed, None).into_iter().collect())
}

/// The selected features of a region.
///
/// # Errors
/// As [`matrices`].
pub fn features(map: &LevelMap, settings: &GlcmSettings, selection: &Selection) -> Result<Vec<ClassValue>> {
    Ok(selection.evaluate_mean(FORMULAS, &matrices(map, settings)?))
}
