//! What the run length, size zone and dependence matrices have in common: counts by grey level and size.
//!
//! Symbols: P(i, j) the count of level i and size j, N = Σ P the number of runs, zones or voxels, p_g(i) and p_s(j) the
//! sums over sizes and levels.

use crate::entropy::information;

/// A count matrix of grey level × size, kept as its cells that are not 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeMatrix {
    /// Level, size and count, ascending by level, then by size.
    cells: Vec<SizeCell>,
    by_level: Vec<Marginal>,
    by_size: Vec<Marginal>,
    total: f64,
}

/// One cell of a [`SizeMatrix`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SizeCell {
    /// Grey level i.
    pub level: f64,
    /// Size j: length of a run, voxels of a zone, dependent neighbours + 1.
    pub size: f64,
    /// P(i, j).
    pub count: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Marginal {
    value: f64,
    count: f64,
}

impl SizeMatrix {
    /// A matrix from its cells in ascending order of level, then size. Cells with count 0 are left out.
    pub(crate) fn new(cells: impl IntoIterator<Item = SizeCell>) -> Self {
        let cells: Vec<SizeCell> = cells.into_iter().filter(|cell| cell.count > 0.0).collect();
        let by_level = marginal(cells.iter().map(|cell| Marginal { value: cell.level, count: cell.count }));
        let mut sizes: Vec<Marginal> =
            cells.iter().map(|cell| Marginal { value: cell.size, count: cell.count }).collect();
        sizes.sort_by(|a, b| a.value.total_cmp(&b.value));
        let by_size = marginal(sizes.into_iter());
        let total = by_level.iter().map(|level| level.count).sum();
        Self { cells, by_level, by_size, total }
    }

    /// The cells that are not 0, ascending by level, then by size.
    #[must_use]
    pub fn cells(&self) -> &[SizeCell] {
        &self.cells
    }

    /// N: the number of runs, zones or voxels.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Σ_j p_s(j) / j² / N.
    pub(crate) fn small_emphasis(&self) -> f64 {
        self.mean_by_size(|j| 1.0 / (j * j))
    }

    /// Σ_j p_s(j) j² / N.
    pub(crate) fn large_emphasis(&self) -> f64 {
        self.mean_by_size(|j| j * j)
    }

    /// Σ_i p_g(i) / i² / N.
    pub(crate) fn low_level_emphasis(&self) -> f64 {
        self.mean_by_level(|i| 1.0 / (i * i))
    }

    /// Σ_i p_g(i) i² / N.
    pub(crate) fn high_level_emphasis(&self) -> f64 {
        self.mean_by_level(|i| i * i)
    }

    /// Σ P(i, j) / (i² j²) / N.
    pub(crate) fn small_low_emphasis(&self) -> f64 {
        self.mean_by_cell(|i, j| 1.0 / (i * i * j * j))
    }

    /// Σ P(i, j) i² / j² / N.
    pub(crate) fn small_high_emphasis(&self) -> f64 {
        self.mean_by_cell(|i, j| i * i / (j * j))
    }

    /// Σ P(i, j) j² / i² / N.
    pub(crate) fn large_low_emphasis(&self) -> f64 {
        self.mean_by_cell(|i, j| j * j / (i * i))
    }

    /// Σ P(i, j) i² j² / N.
    pub(crate) fn large_high_emphasis(&self) -> f64 {
        self.mean_by_cell(|i, j| i * i * j * j)
    }

    /// Σ_i p_g(i)² / N.
    pub(crate) fn level_non_uniformity(&self) -> f64 {
        squares(&self.by_level) / self.total
    }

    /// Σ_i p_g(i)² / N².
    pub(crate) fn level_non_uniformity_normalised(&self) -> f64 {
        squares(&self.by_level) / (self.total * self.total)
    }

    /// Σ_j p_s(j)² / N.
    pub(crate) fn size_non_uniformity(&self) -> f64 {
        squares(&self.by_size) / self.total
    }

    /// Σ_j p_s(j)² / N².
    pub(crate) fn size_non_uniformity_normalised(&self) -> f64 {
        squares(&self.by_size) / (self.total * self.total)
    }

    /// N / Σ_j p_s(j) j: runs or zones for each voxel.
    pub(crate) fn percentage(&self) -> f64 {
        self.total / self.by_size.iter().map(|size| size.count * size.value).sum::<f64>()
    }

    /// Variance of the level.
    pub(crate) fn level_variance(&self) -> f64 {
        let mean = self.mean_by_level(|i| i);
        self.mean_by_level(|i| (i - mean) * (i - mean))
    }

    /// Variance of the size.
    pub(crate) fn size_variance(&self) -> f64 {
        let mean = self.mean_by_size(|j| j);
        self.mean_by_size(|j| (j - mean) * (j - mean))
    }

    /// -Σ (P / N) log₂(P / N + ε).
    pub(crate) fn entropy(&self) -> f64 {
        let term = |cell: &SizeCell| {
            let p = cell.count / self.total;
            information(p)
        };
        let sum: f64 = self.cells.iter().map(term).sum();
        if self.cells.is_empty() { f64::NAN } else { -sum }
    }

    /// Σ (P / N)².
    pub(crate) fn energy(&self) -> f64 {
        self.cells.iter().map(|cell| (cell.count / self.total).powi(2)).sum()
    }

    fn mean_by_size(&self, term: impl Fn(f64) -> f64) -> f64 {
        self.by_size.iter().map(|size| size.count * term(size.value)).sum::<f64>() / self.total
    }

    fn mean_by_level(&self, term: impl Fn(f64) -> f64) -> f64 {
        self.by_level.iter().map(|level| level.count * term(level.value)).sum::<f64>() / self.total
    }

    fn mean_by_cell(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        self.cells.iter().map(|cell| cell.count * term(cell.level, cell.size)).sum::<f64>() / self.total
    }
}

/// Sums the counts of equal neighbouring values.
fn marginal(sorted: impl Iterator<Item = Marginal>) -> Vec<Marginal> {
    let mut sums: Vec<Marginal> = Vec::new();
    for entry in sorted {
        match sums.last_mut() {
            Some(last) if last.value == entry.value => last.count += entry.count,
            _ => sums.push(entry),
        }
    }
    sums
}

fn squares(marginal: &[Marginal]) -> f64 {
    marginal.iter().map(|entry| entry.count * entry.count).sum()
}

/// Cells of a dense matrix: one row for each level, the size of column j being j + 1.
pub(crate) fn dense_cells(gray_levels: &[u32], counts: &[f64]) -> impl Iterator<Item = SizeCell> {
    let columns = counts.len() / gray_levels.len();
    gray_levels.iter().zip(counts.chunks_exact(columns)).flat_map(|(&level, row)| {
        row.iter().enumerate().map(move |(column, &count)| SizeCell {
            level: f64::from(level),
            size: (column + 1) as f64,
            count,
        })
    })
}
