//! Zones: connected groups of voxels of one level, which the size zone and the distance zone matrix count.

use std::ops::Range;

use alnm_imaging::vectorised;

use crate::level_map::{LevelMap, Offset};
use crate::size_matrix::{SizeCell, SizeMatrix};

/// The zones of a region: for each of its voxels the first voxel of its zone, in the order of the map's cells.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    first: Vec<u32>,
}

impl Zones {
    /// The zones of voxels that are connected with their neighbours at `offsets`, which come in opposite pairs.
    pub(crate) fn new(map: &LevelMap, offsets: Vec<Offset>) -> Self {
        Self { first: first_voxels(map, &Predecessor::all(map, offsets)) }
    }

    /// How many zones of each level have each number of voxels.
    pub(crate) fn by_size(&self, map: &LevelMap) -> SizeMatrix {
        let mut sizes = vec![0u32; map.cells.len()];
        for voxel in map.rows.iter().cloned().flatten() {
            sizes[self.first[voxel] as usize] += 1;
        }
        self.by_extent(map, &sizes)
    }

    /// How many zones of each level have each distance: the least of the `distances` of their voxels, which are above 0
    /// in the region and given for the map's grid without its rim.
    pub(crate) fn by_distance(&self, map: &LevelMap, distances: &[u32]) -> SizeMatrix {
        let mut least = vec![u32::MAX; map.cells.len()];
        for row in &map.rows {
            let [z, y, x] = map.place(row.start);
            let in_grid = &distances[(z * map.shape[1] + y) * map.shape[2] + x..][..row.len()];
            for (&first, &distance) in self.first[row.clone()].iter().zip(in_grid) {
                let least = &mut least[first as usize];
                *least = (*least).min(distance);
            }
        }
        self.by_extent(map, &least)
    }

    /// The matrix of an extent that is given at the first voxel of each zone.
    fn by_extent(&self, map: &LevelMap, extents: &[u32]) -> SizeMatrix {
        let mut small = vec![0u32; map.gray_levels.len() * SMALL];
        let mut large: Vec<(u32, u32)> = Vec::new();
        let zones = map.rows.iter().cloned().flatten().filter(|&voxel| self.first[voxel] as usize == voxel);
        for first in zones {
            let (level, extent) = (map.cells[first] - 1, extents[first]);
            if extent as usize <= SMALL {
                small[level as usize * SMALL + extent as usize - 1] += 1;
            } else {
                large.push((level, extent));
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
        SizeMatrix::new(cells)
    }
}

/// Extents up to this are counted in a table.
const SMALL: usize = 64;

/// A neighbour that comes before a voxel in raster order.
struct Predecessor {
    step: isize,
    /// Which later ones are not neighbours of it, as bits: the others of its level belong to its zone already.
    apart: u32,
}

impl Predecessor {
    /// All of them, those first that have most of the others as neighbours.
    fn all(map: &LevelMap, mut offsets: Vec<Offset>) -> Vec<Self> {
        offsets.retain(|&offset| map.step(offset) < 0);
        offsets.sort_by_key(|offset| offset.iter().map(|step| step.abs()).sum::<isize>());
        let adjacent = |a: &Offset, b: &Offset| (0..3).all(|axis| (a[axis] - b[axis]).abs() <= 1);
        let predecessor = |(place, offset): (usize, &Offset)| Self {
            step: map.step(*offset),
            apart: (place + 1..offsets.len())
                .filter(|&later| !adjacent(offset, &offsets[later]))
                .fold(0, |bits, later| bits | 1 << later),
        };
        offsets.iter().enumerate().map(predecessor).collect()
    }
}

/// The first voxel of the zone that each voxel belongs to, for the voxels of the region.
fn first_voxels(map: &LevelMap, predecessors: &[Predecessor]) -> Vec<u32> {
    let mut zones = vec![0u32; map.cells.len()];
    let mut same: Vec<u32> = Vec::new();
    let arch = pulp::Arch::new();
    for row in &map.rows {
        vectorised!(arch, compare_levels(map, row, predecessors, &mut same));
        for (voxel, &same) in row.clone().zip(&same) {
            let zone_of = |place: u32| (voxel as isize + predecessors[place as usize].step) as u32;
            if same == 0 {
                zones[voxel] = voxel as u32;
                continue;
            }
            let first = same.trailing_zeros();
            let mut zone = first_voxel(&mut zones, zone_of(first));
            let mut apart = same & predecessors[first as usize].apart;
            while apart != 0 {
                let other = first_voxel(&mut zones, zone_of(apart.trailing_zeros()));
                zones[zone.max(other) as usize] = zone.min(other);
                zone = zone.min(other);
                apart &= apart - 1;
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
fn compare_levels(map: &LevelMap, row: &Range<usize>, predecessors: &[Predecessor], same: &mut Vec<u32>) {
    same.clear();
    same.resize(row.len(), 0);
    for (place, predecessor) in predecessors.iter().enumerate() {
        let neighbours = LevelMap::neighbours(&map.cells, row, predecessor.step);
        for ((same, &level), &neighbour) in same.iter_mut().zip(&map.cells[row.clone()]).zip(neighbours) {
            *same |= u32::from(level == neighbour) << place;
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

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::level_map::adjacent_offsets;

    /// Level, extent and count of each cell.
    fn cells(matrix: &SizeMatrix) -> Vec<(u32, u32, u32)> {
        matrix.cells().iter().map(|cell| (cell.level as u32, cell.size as u32, cell.count as u32)).collect()
    }

    /// Level, extent and count of the zones of each level and extent.
    fn counted(mut zones: Vec<(u32, u32)>) -> Vec<(u32, u32, u32)> {
        zones.sort_unstable();
        zones.chunk_by(|a, b| a == b).map(|same| (same[0].0, same[0].1, same.len() as u32)).collect()
    }

    proptest! {
        #[test]
        fn zones_agree_with_spreading_labels(
            levels in prop::collection::vec(0u32..4, 3 * 4 * 5),
            distances in prop::collection::vec(1u32..90, 60),
            planar in any::<bool>(),
        ) {
            prop_assume!(levels.iter().any(|level| *level > 0));
            let grid = Array3::from_shape_vec([3, 4, 5], levels.clone()).unwrap();
            let map = LevelMap::new(grid.view(), 1).unwrap();
            let zones = Zones::new(&map, adjacent_offsets(planar.then_some(0)));

            // Every voxel takes the smallest label among its neighbours of the same level, until nothing changes.
            let place = |index: usize| [index / 20, index / 5 % 4, index % 5];
            let connected = |a: usize, b: usize| {
                let near = (0..3).all(|axis| place(a)[axis].abs_diff(place(b)[axis]) <= 1);
                near && levels[a] == levels[b] && (!planar || place(a)[0] == place(b)[0])
            };
            let mut labels: Vec<usize> = (0..60).collect();
            loop {
                let spread: Vec<usize> = (0..60).map(|a| (0..60).filter(|b| connected(a, *b)).map(|b| labels[b]).min().unwrap()).collect();
                if spread == labels {
                    break;
                }
                labels = spread;
            }
            let firsts = || (0..60).filter(|label| labels[*label] == *label && levels[*label] > 0);
            let members = |label: usize| (0..60).filter(|index| labels[*index] == label).collect::<Vec<usize>>();
            let sizes = firsts().map(|label| (levels[label], members(label).len() as u32)).collect();
            prop_assert_eq!(cells(&zones.by_size(&map)), counted(sizes));
            let least = |label: usize| members(label).into_iter().map(|index| distances[index]).min().unwrap();
            let nearest = firsts().map(|label| (levels[label], least(label))).collect();
            prop_assert_eq!(cells(&zones.by_distance(&map, &distances)), counted(nearest));
        }
    }
}
