//! Neighbouring grey tone difference matrix: how far voxels differ from the mean of their neighbours.
//!
//! For each level i: n_i the number of its voxels, p_i = n_i / N, and s_i the sum of |i - Ā| over them, Ā being the
//! mean level of a voxel's neighbours in the region. As in PyRadiomics, a voxel without neighbours counts in n_i with
//! difference 0. Amadasun and King 1989, doi 10.1109/21.44046; IBSI section "Neighbourhood grey tone difference".
//!
//! The example of PyRadiomics' manual, one slice:
//!
//! ```
//! use alnm_radiomics::LevelMap;
//! use alnm_radiomics::ngtdm::matrix;
//! use ndarray::array;
//!
//! let levels = array![[[1_u32, 2, 5, 2], [3, 5, 1, 3], [1, 3, 5, 5], [3, 1, 1, 1]]];
//! let matrix = matrix(&LevelMap::new(levels.view(), 1)?, &[1], None)?;
//! let expected = [(1.0, 6.0, 13.35), (2.0, 2.0, 2.0), (3.0, 4.0, 3.03), (5.0, 4.0, 10.075)];
//! for (row, (level, voxels, difference)) in matrix.rows().iter().zip(expected) {
//!     assert_eq!((row.level, row.voxels), (level, voxels));
//!     assert!((row.difference - difference).abs() < 0.01);
//! }
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use alnm_imaging::vectorised;

use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::ibsi::definition::ngtdm;
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::neighbourhood::{Counting, Neighbourhoods};

/// The matrix: one row for each level that occurs.
#[derive(Debug, Clone, PartialEq)]
pub struct ToneDifferenceMatrix {
    rows: Vec<ToneRow>,
    voxels: f64,
}

/// A row of the matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ToneRow {
    /// Grey level i.
    pub level: f64,
    /// n_i: voxels of the level.
    pub voxels: f64,
    /// s_i: summed difference to the mean of the neighbours.
    pub difference: f64,
    /// p_i.
    pub probability: f64,
}

impl ToneDifferenceMatrix {
    /// The rows, ascending by level.
    #[must_use]
    pub fn rows(&self) -> &[ToneRow] {
        &self.rows
    }

    /// A matrix without rows.
    pub(crate) fn empty() -> Self {
        Self { rows: Vec::new(), voxels: 0.0 }
    }

    /// Makes this the matrix of other sums, ascending by level, in the memory that it has.
    pub(crate) fn refill(&mut self, sums: &[ToneSums]) {
        self.voxels = f64::from(sums.iter().map(|sums| sums.voxels).sum::<u32>());
        self.rows.clear();
        self.rows.extend(sums.iter().map(|sums| ToneRow {
            level: f64::from(sums.level),
            voxels: f64::from(sums.voxels),
            difference: sums.difference,
            probability: f64::from(sums.voxels) / self.voxels,
        }));
    }

    /// Σ_ij term(i, j) over all pairs of levels that occur.
    fn over_pairs(&self, term: impl Fn(&ToneRow, &ToneRow) -> f64) -> f64 {
        vectorised!(pulp::Arch::new(), sum_over_pairs(&self.rows, term))
    }

    fn summed_difference(&self) -> f64 {
        self.rows.iter().map(|row| row.difference).sum()
    }

    fn weighted_difference(&self) -> f64 {
        self.rows.iter().map(|row| row.probability * row.difference).sum()
    }

    /// 1 / Σ p_i s_i, 10⁶ where that sum is 0.
    fn coarseness(&self) -> f64 {
        let sum = self.weighted_difference();
        if sum == 0.0 { 1e6 } else { 1.0 / sum }
    }

    /// Σ_ij p_i p_j (i - j)² / (N_gp (N_gp - 1)) · Σ s_i / N, 0 for one level.
    fn contrast(&self) -> f64 {
        let levels = self.rows.len() as f64;
        if levels == 1.0 {
            return 0.0;
        }
        let spread = self.over_pairs(|i, j| i.probability * j.probability * (i.level - j.level).powi(2));
        spread * self.summed_difference() / self.voxels / (levels * (levels - 1.0))
    }

    /// Σ p_i s_i / Σ_ij |i p_i - j p_j|, 0 where the divisor is 0.
    fn busyness(&self) -> f64 {
        let divisor = self.over_pairs(|i, j| (i.level * i.probability - j.level * j.probability).abs());
        if divisor == 0.0 { 0.0 } else { self.weighted_difference() / divisor }
    }

    /// Σ_ij |i - j| (p_i s_i + p_j s_j) / (p_i + p_j) / N.
    fn complexity(&self) -> f64 {
        let term = |i: &ToneRow, j: &ToneRow| {
            (i.level - j.level).abs() * (i.probability * i.difference + j.probability * j.difference)
                / (i.probability + j.probability)
        };
        self.over_pairs(term) / self.voxels
    }

    /// Σ_ij (p_i + p_j) (i - j)² / Σ s_i, 0 where the divisor is 0.
    fn strength(&self) -> f64 {
        let divisor = self.summed_difference();
        let sum = self.over_pairs(|i, j| (i.probability + j.probability) * (i.level - j.level).powi(2));
        if divisor == 0.0 { 0.0 } else { sum / divisor }
    }
}

/// What is added up by level.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ToneSums {
    pub(crate) level: u32,
    /// n_i
    pub(crate) voxels: u32,
    /// s_i
    pub(crate) difference: f64,
}

/// Rows i whose sums over j are added up side by side.
const LANES: usize = 8;

/// Σ_i (Σ_j term(i, j)), each sum in the order of the rows.
#[inline(always)]
fn sum_over_pairs(rows: &[ToneRow], term: impl Fn(&ToneRow, &ToneRow) -> f64) -> f64 {
    let mut total = 0.0;
    for block in rows.chunks(LANES) {
        let of_block = |field: fn(&ToneRow) -> f64| -> [f64; LANES] {
            std::array::from_fn(|lane| block.get(lane).map_or(1.0, field))
        };
        let (levels, voxels) = (of_block(|row| row.level), of_block(|row| row.voxels));
        let (differences, probabilities) = (of_block(|row| row.difference), of_block(|row| row.probability));
        let mut sums = [0.0; LANES];
        for j in rows {
            for lane in 0..LANES {
                let i = ToneRow {
                    level: levels[lane],
                    voxels: voxels[lane],
                    difference: differences[lane],
                    probability: probabilities[lane],
                };
                sums[lane] += term(&i, j);
            }
        }
        for sum in &sums[..block.len()] {
            total += sum;
        }
    }
    total
}

/// The features of the class in the order of PyRadiomics' columns: the
/// feature of the IBSI with the same definition, and the formula over a [`ToneDifferenceMatrix`].
pub const FORMULAS: &[Formula<ToneDifferenceMatrix>] = &[
    Formula::compliant("Busyness", ngtdm::BUSYNESS, ToneDifferenceMatrix::busyness),
    Formula::compliant("Coarseness", ngtdm::COARSENESS, ToneDifferenceMatrix::coarseness),
    Formula::compliant("Complexity", ngtdm::COMPLEXITY, ToneDifferenceMatrix::complexity),
    Formula::compliant("Contrast", ngtdm::CONTRAST, ToneDifferenceMatrix::contrast),
    Formula::compliant("Strength", ngtdm::STRENGTH, ToneDifferenceMatrix::strength),
];

/// Differences of a region's voxels to their neighbours at the given Chebyshev distances, without steps along
/// `fixed_axis` (0 = z, 1 = y, 2 = x).
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is smaller than every distance.
pub fn matrix(map: &LevelMap, distances: &[u32], fixed_axis: Option<usize>) -> Result<ToneDifferenceMatrix> {
    let offsets = neighbour_offsets(map.shape, distances, fixed_axis)?;
    Ok(of_neighbourhoods(map, &Neighbourhoods::count(map, &offsets, Counting::Tones)))
}

/// The matrix of counts that hold tones.
pub(crate) fn of_neighbourhoods(map: &LevelMap, counts: &Neighbourhoods) -> ToneDifferenceMatrix {
    of_levels(map, &map.level_voxels, &counts.differences)
}

/// The matrix of counts that hold tones, as the reference manual of the IBSI defines it: voxels without neighbours are
/// left out, and levels without other voxels with them. `None` where no voxel has a neighbour.
pub(crate) fn without_isolated(map: &LevelMap, counts: &Neighbourhoods) -> Option<ToneDifferenceMatrix> {
    let voxels: Vec<u32> =
        map.level_voxels.iter().zip(&counts.isolated).map(|(voxels, isolated)| voxels - isolated).collect();
    let mut matrix = of_levels(map, &voxels, &counts.differences);
    matrix.rows.retain(|row| row.voxels > 0.0);
    (!matrix.rows.is_empty()).then_some(matrix)
}

/// The matrix of the voxels and the summed differences of each level.
fn of_levels(map: &LevelMap, voxels: &[u32], differences: &[f64]) -> ToneDifferenceMatrix {
    let of_level = |((&level, &voxels), &difference): ((&u32, &u32), &f64)| ToneSums { level, voxels, difference };
    let sums: Vec<ToneSums> = map.gray_levels.iter().zip(voxels).zip(differences).map(of_level).collect();
    let mut matrix = ToneDifferenceMatrix::empty();
    matrix.refill(&sums);
    matrix
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrix`].
pub fn features(
    map: &LevelMap,
    distances: &[u32],
    fixed_axis: Option<usize>,
    selection: &Selection,
) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::Ngtdm, FORMULAS, &matrix(map, distances, fixed_axis)?)
}
