//! A co-occurrence matrix of a region.

use super::statistics::{
    Definitions, Distributions, Entropies, Statistics, WeightedValues, entropy, entropy_if_independent,
};
use crate::entropy::KnownInformation;
use crate::level_map::{LevelScale, Offset};
use crate::singular_value::ScaledMatrix;

/// A normalised co-occurrence matrix with its marginal distributions. Only the cells that are not 0 are kept: at many
/// grey levels they are few.
#[derive(Debug, Clone)]
pub struct CooccurrenceMatrix {
    /// Whose definitions its features follow.
    definitions: Definitions,
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
    /// p_{x+y}
    sum: Occurring,
    /// p_{x-y}
    difference: Occurring,
    /// H(X, Y) in bits.
    joint_entropy: f64,
    /// Σ p(i, j)²
    energy: f64,
    maximum: f64,
}

/// Whole numbers with their probabilities, those of probability 0 left out.
#[derive(Debug, Clone, Default)]
struct Occurring {
    values: Vec<f64>,
    p: Vec<f64>,
}

impl Occurring {
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

    fn view(&self) -> WeightedValues<'_> {
        WeightedValues { values: &self.values, p: &self.p }
    }
}

/// A cell of a count matrix: row, column and count.
pub(crate) type CountCell = (u32, u32, f64);

impl CooccurrenceMatrix {
    /// A matrix over `gray_levels` (ascending) from its cells in ascending order, with PyRadiomics' definitions of the
    /// features; `None` when there are no cells.
    pub(super) fn new(
        gray_levels: &[u32],
        scale: LevelScale,
        cells: &[CountCell],
        direction: Option<Offset>,
    ) -> Option<Self> {
        Self::by(Definitions::PyRadiomics, gray_levels, scale, cells, direction)
    }

    /// [`CooccurrenceMatrix::new`] with either definitions.
    pub(super) fn by(
        definitions: Definitions,
        gray_levels: &[u32],
        scale: LevelScale,
        cells: &[CountCell],
        direction: Option<Offset>,
    ) -> Option<Self> {
        let n = gray_levels.len();
        let pairs: f64 = cells.iter().map(|(_, _, count)| count).sum();
        if pairs == 0.0 {
            return None;
        }
        let (lowest, highest) = (gray_levels[0], gray_levels[n - 1]);
        let mut information = KnownInformation::new(cells.len(), pairs, definitions.epsilon());
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
            joint_entropy -= information.of(count);
            energy += p * p;
            maximum = f64::max(maximum, p);
        }
        for row in 0..n {
            rows[row + 1] += rows[row];
        }
        Some(Self {
            definitions,
            direction,
            scale,
            rows,
            columns,
            p: probabilities,
            px,
            py,
            sum: Occurring::new(2 * lowest, &sum),
            difference: Occurring::new(0, &difference),
            joint_entropy,
            energy,
            maximum,
            levels: gray_levels.iter().map(|&level| f64::from(level)).collect(),
        })
    }

    /// The direction that pairs were counted in; `None` for a weighted sum.
    #[must_use]
    pub fn direction(&self) -> Option<Offset> {
        self.direction
    }

    /// p(i, j), row by row over the levels that occur.
    #[must_use]
    pub fn probabilities(&self) -> Vec<f64> {
        let n = self.levels.len();
        let mut dense = vec![0.0; n * n];
        for (row, column, p) in self.cells() {
            dense[row * n + column] = p;
        }
        dense
    }

    /// The values of the features, with the maximal correlation where it is asked for.
    #[must_use]
    pub fn statistics(&self, with_correlation: bool) -> Statistics {
        let epsilon = self.definitions.epsilon();
        let entropies = Entropies {
            x: entropy(&self.px, epsilon),
            y: entropy(&self.py, epsilon),
            joint: self.joint_entropy,
            sum: entropy(&self.sum.p, epsilon),
            difference: entropy(&self.difference.p, epsilon),
        };
        let distributions = Distributions {
            x: WeightedValues { values: &self.levels, p: &self.px },
            y: WeightedValues { values: &self.levels, p: &self.py },
            sum: self.sum.view(),
            difference: self.difference.view(),
            entropies,
            energy: self.energy,
            maximum: self.maximum,
            inverse_shares: self.inverse_shares(),
            highest_level: f64::from(self.scale.highest),
            levels: self.levels.len(),
        };
        let mut statistics = Statistics::by(self.definitions, &distributions, || {
            (entropy_if_independent(&self.px, &self.py), self.joint_entropy)
        });
        if with_correlation {
            statistics.maximal_correlation = self.maximal_correlation();
        }
        statistics
    }

    /// Row, column and p(i, j) of the cells that are not 0.
    fn cells(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        (0..self.levels.len()).flat_map(move |row| {
            let cells = self.rows[row]..self.rows[row + 1];
            cells.map(move |cell| (row, self.columns[cell] as usize, self.p[cell]))
        })
    }

    /// Σ p(i, j) / (p_x(i) p_y(j)) over the cells.
    fn inverse_shares(&self) -> f64 {
        let inverse: Vec<f64> = self.py.iter().map(|p| 1.0 / p).collect();
        let of_row = |row: usize| {
            let cells = self.rows[row]..self.rows[row + 1];
            let scaled: f64 = cells.map(|cell| self.p[cell] * inverse[self.columns[cell] as usize]).sum();
            if scaled > 0.0 { scaled / self.px[row] } else { 0.0 }
        };
        (0..self.levels.len()).map(of_row).sum()
    }

    /// MCC, see [`Statistics::maximal_correlation`].
    ///
    /// Q is similar to A·Aᵀ with A(i, k) = p(i, k) / √(p_x(i) p_y(k)), so its eigenvalues are the squared singular
    /// values of A; the largest is 1 and belongs to √p_x.
    pub(super) fn maximal_correlation(&self) -> f64 {
        let occurring = self.px.iter().filter(|p| **p > 0.0).count();
        if occurring < 2 || self.py.iter().filter(|p| **p > 0.0).count() < 2 {
            // Levels that occur elsewhere in the region add eigenvalues of 0.
            return if self.scale.count < 2 { 1.0 } else { 0.0 };
        }
        if self.falls_apart() {
            return 1.0;
        }
        let inverse_roots = |p: &[f64]| -> Vec<f64> { p.iter().map(|p| 1.0 / p.sqrt()).collect() };
        let (of_row, of_column) = (inverse_roots(&self.px), inverse_roots(&self.py));
        let mut values = self.p.clone();
        for row in 0..self.levels.len() {
            let cells = self.rows[row]..self.rows[row + 1];
            for (value, &column) in values[cells.clone()].iter_mut().zip(&self.columns[cells]) {
                *value *= of_row[row] * of_column[column as usize];
            }
        }
        let scaled = ScaledMatrix { rows: &self.rows, columns: &self.columns, values };
        let root: Vec<f64> = self.px.iter().map(|p| p.sqrt()).collect();
        // Neighbours have similar levels, so the level itself is close to the vector sought. What is added to it keeps
        // the start from lying in a part of the space that the iteration does not leave.
        let mean: f64 = self.levels.iter().zip(&self.px).map(|(level, p)| level * p).sum();
        let deviation = self.levels.iter().map(|level| (level - mean).abs()).fold(0.0, f64::max);
        let start = (0..root.len())
            .map(|i| root[i] * (self.levels[i] - mean + 0.05 * deviation * (1.7 * i as f64).sin()))
            .collect();
        scaled.second_squared_singular_value(&root, start, occurring - 1).sqrt()
    }

    /// Whether rows and columns fall into groups without a cell between them; then 1 is an eigenvalue of Q more than
    /// once.
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
