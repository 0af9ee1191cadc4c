//! Grey level size zone matrix: connected groups of voxels of one level.
//!
//! P(i, j) counts the zones of level i with j voxels, voxels being connected with all their 26 neighbours (8 in a
//! slice). Thibault et al. 2009; IBSI section "Grey level size zone". The formulas are those of [`SizeMatrix`].
//!
//! The example of PyRadiomics' manual, one slice:
//!
//! ```
//! use alnm_radiomics::LevelMap;
//! use alnm_radiomics::glszm::matrix;
//! use ndarray::array;
//!
//! let levels = array![[[5_u32, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]]];
//! let map = LevelMap::new(levels.view(), 1)?;
//! // Level, size and number of zones.
//! let zones: Vec<[f64; 3]> = matrix(&map, None)?.cells().iter().map(|cell| [cell.level, cell.size, cell.count]).collect();
//! assert_eq!(zones, [
//!     [1.0, 4.0, 1.0],
//!     [2.0, 1.0, 1.0], [2.0, 5.0, 1.0],
//!     [3.0, 1.0, 1.0], [3.0, 3.0, 1.0], [3.0, 5.0, 1.0],
//!     [4.0, 1.0, 1.0], [4.0, 2.0, 1.0],
//!     [5.0, 1.0, 3.0],
//! ]);
//! # Ok::<(), alnm_radiomics::RadiomicsError>(())
//! ```

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use alnm_imaging::vectorised;

use crate::error::Result;
use crate::feature::{ClassValue, FeatureClass, Formula, Selection};
use crate::level_map::{LevelMap, Offset, neighbour_offsets};
use crate::size_matrix::{SizeCell, SizeMatrix};

/// The features of the class in the order of PyRadiomics' columns: name, IBSI code where the definition is the same, and
/// the formula over a [`SizeMatrix`].
pub const FORMULAS: &[Formula<SizeMatrix>] = &[
    Formula::new("GrayLevelNonUniformity", Some("JNSA"), SizeMatrix::level_non_uniformity),
    Formula::new("GrayLevelNonUniformityNormalized", Some("Y1RO"), SizeMatrix::level_non_uniformity_normalised),
    Formula::new("GrayLevelVariance", Some("BYLV"), SizeMatrix::level_variance),
    Formula::new("HighGrayLevelZoneEmphasis", Some("5GN9"), SizeMatrix::high_level_emphasis),
    Formula::new("LargeAreaEmphasis", Some("48P8"), SizeMatrix::large_emphasis),
    Formula::new("LargeAreaHighGrayLevelEmphasis", Some("J17V"), SizeMatrix::large_high_emphasis),
    Formula::new("LargeAreaLowGrayLevelEmphasis", Some("YH51"), SizeMatrix::large_low_emphasis),
    Formula::new("LowGrayLevelZoneEmphasis", Some("XMSY"), SizeMatrix::low_level_emphasis),
    Formula::new("SizeZoneNonUniformity", Some("4JP3"), SizeMatrix::size_non_uniformity),
    Formula::new("SizeZoneNonUniformityNormalized", Some("VB3A"), SizeMatrix::size_non_uniformity_normalised),
    Formula::new("SmallAreaEmphasis", Some("5QRC"), SizeMatrix::small_emphasis),
    Formula::new("SmallAreaHighGrayLevelEmphasis", Some("HW1V"), SizeMatrix::small_high_emphasis),
    Formula::new("SmallAreaLowGrayLevelEmphasis", Some("5RAI"), SizeMatrix::small_low_emphasis),
    Formula::new("ZoneEntropy", Some("GU8N"), SizeMatrix::entropy),
    Formula::new("ZonePercentage", Some("P30P"), SizeMatrix::percentage),
    Formula::new("ZoneVariance", Some("3NSA"), SizeMatrix::size_variance),
];

/// Zones up to this size are counted in a table.
const SMALL: usize = 64;

/// The zones of a region; without steps along `fixed_axis` (0 = z, 1 = y, 2 = x).
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is a single voxel wide along every other axis.
pub fn matrix(map: &LevelMap, fixed_axis: Option<usize>) -> Result<SizeMatrix> {
    let zones = zones(map, &Predecessors::new(map, fixed_axis)?);
    let mut sizes = vec![0u32; map.cells.len()];
    for voxel in map.rows.iter().cloned().flatten() {
        sizes[zones[voxel] as usize] += 1;
    }
    let mut small = vec![0u32; map.gray_levels.len() * SMALL];
    let mut large: Vec<(u32, u32)> = Vec::new();
    for first in map.rows.iter().cloned().flatten().filter(|&voxel| sizes[voxel] > 0) {
        let (level, size) = (map.cells[first] - 1, sizes[first]);
        if size as usize <= SMALL {
            small[level as usize * SMALL + size as usize - 1] += 1;
        } else {
            large.push((level, size));
        }
    }
    large.sort_unstable();
    let mut cells = Vec::new();
    for (level, small) in small.chunks_exact(SMALL).enumerate() {
        let cell = |size: usize, count: usize| SizeCell {
            level: f64::from(map.gray_levels[level]),
            size: size as f64,
            count: count as f64,
        };
        cells.extend(small.iter().enumerate().map(|(size, &count)| cell(size + 1, count as usize)));
        let of_level = large.partition_point(|zone| (zone.0 as usize) < level)
            ..large.partition_point(|zone| zone.0 as usize <= level);
        cells.extend(large[of_level].chunk_by(|a, b| a == b).map(|same| cell(same[0].1 as usize, same.len())));
    }
    Ok(SizeMatrix::new(cells))
}

/// The neighbours that come before a voxel in raster order.
struct Predecessors {
    /// How far before the voxel they are.
    steps: Vec<isize>,
    /// By the predecessors that have the voxel's level, as bits: one of each group of them that are connected with each
    /// other, since the others of the group are in its zone already.
    apart: Cow<'static, [u16]>,
}

impl Predecessors {
    fn new(map: &LevelMap, fixed_axis: Option<usize>) -> Result<Self> {
        let mut offsets: Vec<Offset> = neighbour_offsets(map.shape, &[1], fixed_axis)?;
        offsets.retain(|&offset| map.step(offset) < 0);
        let steps = offsets.iter().map(|&offset| map.step(offset)).collect();
        Ok(Self { steps, apart: groups(&offsets) })
    }
}

/// By the neighbours at `offsets` that are set, as bits: the first of each group of them that are neighbours of each
/// other.
fn groups(offsets: &[Offset]) -> Cow<'static, [u16]> {
    // All neighbours before a voxel in three dimensions, which is what most regions have.
    const ALL: usize = 13;
    static OF_ALL: OnceLock<Vec<u16>> = OnceLock::new();
    let table = || -> Vec<u16> {
        let adjacent = |a: &Offset, b: &Offset| (0..3).all(|axis| (a[axis] - b[axis]).abs() <= 1);
        let beside = |a: &Offset| {
            offsets.iter().enumerate().filter(|(_, b)| adjacent(a, b)).fold(0u16, |bits, (place, _)| bits | 1 << place)
        };
        let beside: Vec<u16> = offsets.iter().map(beside).collect();
        (0..1u16 << offsets.len()).map(|set| firsts_of_groups(set, &beside)).collect()
    };
    if offsets.len() == ALL { Cow::Borrowed(OF_ALL.get_or_init(table)) } else { Cow::Owned(table()) }
}

/// The lowest of each group of bits of `set` that are connected; `beside` holds for each bit itself and those next to it.
fn firsts_of_groups(set: u16, beside: &[u16]) -> u16 {
    let (mut remaining, mut firsts) = (set, 0);
    while remaining != 0 {
        let first = remaining & remaining.wrapping_neg();
        firsts |= first;
        let mut group = first;
        loop {
            let reached = (0..beside.len()).filter(|place| group >> place & 1 > 0).fold(0, |all, place| all | beside[place]);
            if reached & remaining == group {
                break;
            }
            group = reached & remaining;
        }
        remaining &= !group;
    }
    firsts
}

/// The first voxel of the zone that each voxel belongs to, for the voxels of the region.
fn zones(map: &LevelMap, predecessors: &Predecessors) -> Vec<u32> {
    let mut zones = vec![0u32; map.cells.len()];
    let mut same: Vec<u16> = Vec::new();
    let arch = pulp::Arch::new();
    for row in &map.rows {
        vectorised!(arch, compare_levels(map, row, &predecessors.steps, &mut same));
        for (voxel, &same) in row.clone().zip(&same) {
            let mut apart = predecessors.apart[usize::from(same)];
            let mut next = || {
                let step = predecessors.steps.get(apart.trailing_zeros() as usize)?;
                apart &= apart - 1;
                Some((voxel as isize + step) as u32)
            };
            let Some(first) = next() else {
                zones[voxel] = voxel as u32;
                continue;
            };
            let mut zone = first_voxel(&mut zones, first);
            while let Some(other) = next() {
                let other = first_voxel(&mut zones, other);
                zones[zone.max(other) as usize] = zone.min(other);
                zone = zone.min(other);
            }
            zones[voxel] = zone;
        }
    }
    // A voxel's zone comes before it in raster order, so one pass leads to the first voxels.
    for voxel in map.rows.iter().cloned().flatten() {
        zones[voxel] = zones[zones[voxel] as usize];
    }
    zones
}

/// Finds for each voxel of a row which of its predecessors have its level, as bits.
#[inline(always)]
fn compare_levels(map: &LevelMap, row: &Range<usize>, steps: &[isize], same: &mut Vec<u16>) {
    same.clear();
    same.resize(row.len(), 0);
    for (place, &step) in steps.iter().enumerate() {
        let neighbours = LevelMap::neighbours(&map.cells, row, step);
        for ((same, &level), &neighbour) in same.iter_mut().zip(&map.cells[row.clone()]).zip(neighbours) {
            *same |= u16::from(level == neighbour) << place;
        }
    }
}

/// The first voxel of a voxel's zone, so far.
fn first_voxel(zones: &mut [u32], mut voxel: u32) -> u32 {
    while zones[voxel as usize] != voxel {
        zones[voxel as usize] = zones[zones[voxel as usize] as usize];
        voxel = zones[voxel as usize];
    }
    voxel
}

/// The values of the selected features of a region, in the order of the selection.
///
/// # Errors
/// As [`matrix`].
pub fn features(map: &LevelMap, fixed_axis: Option<usize>, selection: &Selection) -> Result<Vec<ClassValue>> {
    selection.evaluate(FeatureClass::Glszm, FORMULAS, &matrix(map, fixed_axis)?)
}
