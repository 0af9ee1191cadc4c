//! Zones: connected groups of voxels of one level, which two families of features count.

use super::texture::TexturePart;
use crate::level_map::neighbour_offsets;
use crate::size_matrix::{SizeCell, SizeMatrix};

/// A zone of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone {
    /// Its level.
    pub(crate) level: u32,
    /// Its number of voxels.
    pub(crate) size: u32,
    /// Least number of steps from one of its voxels to the border of the morphological mask.
    pub(crate) distance: u32,
}

/// Bit that marks a voxel whose zone is already found.
const VISITED: u32 = 1 << 31;

/// The zones of a part; voxels are connected with all their neighbours, but not along `fixed_axis`.
pub(crate) fn zones(part: &TexturePart, fixed_axis: Option<usize>) -> Vec<Zone> {
    let map = &part.map;
    let offsets = neighbour_offsets(map.shape, &[1], fixed_axis).unwrap_or_default();
    let steps: Vec<isize> = offsets.into_iter().map(|offset| map.step(offset)).collect();
    let mut cells = map.cells.clone();
    let mut zones = Vec::new();
    let mut waiting: Vec<usize> = Vec::new();
    for voxel in map.rows.iter().cloned().flatten() {
        let level = cells[voxel];
        if level & VISITED != 0 {
            continue;
        }
        let mut zone = Zone { level: map.gray_levels()[level as usize - 1], size: 0, distance: u32::MAX };
        cells[voxel] = level | VISITED;
        waiting.push(voxel);
        while let Some(member) = waiting.pop() {
            zone.size += 1;
            zone.distance = zone.distance.min(part.distances[member]);
            for step in &steps {
                let neighbour = (member as isize + step) as usize;
                if cells[neighbour] == level {
                    cells[neighbour] = level | VISITED;
                    waiting.push(neighbour);
                }
            }
        }
        zones.push(zone);
    }
    zones
}

/// How often each pair of level and extent occurs, with the number of voxels.
#[derive(Debug, Clone)]
pub(crate) struct ZoneMatrix {
    /// Zones by level and extent.
    pub counts: SizeMatrix,
    /// N_v.
    pub voxels: f64,
}

impl ZoneMatrix {
    /// The matrix of zones by what `extent` takes from them.
    pub(crate) fn new(zones: &[Zone], extent: fn(&Zone) -> u32) -> Self {
        let mut entries: Vec<(u32, u32)> = zones.iter().map(|zone| (zone.level, extent(zone))).collect();
        entries.sort_unstable();
        let cells = entries.chunk_by(|a, b| a == b).map(|same| SizeCell {
            level: f64::from(same[0].0),
            size: f64::from(same[0].1),
            count: same.len() as f64,
        });
        Self { counts: SizeMatrix::new(cells), voxels: zones.iter().map(|zone| f64::from(zone.size)).sum() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ibsi::feature::Aggregation;
    use crate::ibsi::region::Mask;
    use crate::ibsi::texture::Texture;

    proptest! {
        #[test]
        fn zones_agree_with_spreading_labels(levels in prop::collection::vec(0u32..4, 3 * 4 * 5), planar in any::<bool>()) {
            let intensity = Mask { shape: [3, 4, 5], voxels: levels.iter().map(|level| *level > 0).collect() };
            prop_assume!(intensity.count() > 0);
            let inside: Vec<u32> = levels.iter().copied().filter(|level| *level > 0).collect();
            let morphological = Mask { shape: [3, 4, 5], voxels: vec![true; 60] };
            let method = if planar { Aggregation::MergedSlices } else { Aggregation::Volume };
            let texture = Texture::new(&intensity, &inside, 3, &morphological, &[method]).unwrap();
            let scope = texture.scope(method);
            let mut found: Vec<_> = zones(&scope.parts[0], scope.fixed_axis).iter().map(|zone| (zone.level, zone.size, zone.distance)).collect();

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
            let distance = |index: usize| {
                let axes = if planar { 1..3 } else { 0..3 };
                axes.map(|axis| (place(index)[axis] + 1).min([3, 4, 5][axis] - place(index)[axis])).min().unwrap() as u32
            };
            let mut expected = Vec::new();
            for label in (0..60).filter(|label| labels[*label] == *label && levels[*label] > 0) {
                let members: Vec<usize> = (0..60).filter(|index| labels[*index] == label).collect();
                expected.push((levels[label], members.len() as u32, members.iter().map(|index| distance(*index)).min().unwrap()));
            }
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
