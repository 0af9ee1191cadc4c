//! Grey level size zone matrix: connected groups of voxels of one level.
//!
//! P(i, j) counts the zones of level i with j voxels, voxels being connected with all their 26 neighbours (8 in a slice).
//! Thibault et al. 2009; IBSI section "Grey level size zone". The formulas are those of [`SizeMatrix`].

use crate::error::Result;
use crate::feature::{ClassValue, Formula, Selection};
use crate::level_map::{LevelMap, neighbour_offsets};
use crate::size_matrix::{SizeCell, SizeMatrix};

/// The features.
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

/// Bit that marks a voxel whose zone is already counted.
const VISITED: u32 = 1 << 31;

/// The zones of a region; without steps along `fixed_axis` (0 = z, 1 = y, 2 = x).
///
/// # Errors
/// [`crate::RadiomicsError::NoNeighbours`] when the region is a single voxel wide along every other axis.
pub fn matrix(map: &LevelMap, fixed_axis: Option<usize>) -> Result<SizeMatrix> {
    let steps: Vec<isize> = neighbour_offsets(map.shape, &[1], fixed_axis)?.into_iter().map(|offset| map.step(offset)).collect();
    let mut cells = map.cells.clone();
    let mut zones: Vec<(u32, u32)> = Vec::new();
    let mut waiting: Vec<u32> = Vec::new();
    for &voxel in &map.voxels {
        let level = cells[voxel as usize];
        if level & VISITED != 0 {
            continue;
        }
        let mut size = 0u32;
        cells[voxel as usize] = level | VISITED;
        waiting.push(voxel);
        while let Some(member) = waiting.pop() {
            size += 1;
            for step in &steps {
                let neighbour = (member as isize + step) as usize;
                if cells[neighbour] == level {
                    cells[neighbour] = level | VISITED;
                    waiting.push(neighbour as u32);
                }
            }
        }
        zones.push((level, size));
    }
    zones.sort_unstable();
    Ok(SizeMatrix::new(zones.chunk_by(|a, b| a == b).map(|same| SizeCell {
        level: f64::from(map.gray_levels[same[0].0 as usize - 1]),
        size: f64::from(same[0].1),
        count: same.len() as f64,
    })))
}

/// The selected features of a region.
///
/// # Errors
/// As [`matrix`].
pub fn features(map: &LevelMap, fixed_axis: Option<usize>, selection: &Selection) -> Result<Vec<ClassValue>> {
    Ok(selection.evaluate(FORMULAS, &matrix(map, fixed_axis)?))
}
