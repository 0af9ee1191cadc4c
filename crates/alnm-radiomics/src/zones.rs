//! Zones: connected groups of voxels of one level, which the size zone and the distance zone matrix count.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use alnm_imaging::vectorised;

use crate::level_map::{Cell, Cells, LevelMap, Offset, with_cells};
use crate::size_matrix::{SizeCell, SizeMatrix};

/// The zones of a region. A zone is found in pieces, each of which has a number; the zone's own is the lowest of them.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    /// The number of the piece that each voxel of the region belongs to, in the order of the map's cells; empty where
    /// places are not kept.
    pieces: Vec<u32>,
    /// By piece, the number of its zone.
    zone_of: Vec<u32>,
    /// By piece, the position of its level + 1.
    levels: Cells,
    /// By piece, its voxels; at the number of a zone, those of the zone.
    sizes: Vec<u32>,
    /// Zones that ended planes before, whose pieces have been forgotten.
    ended: ZoneCounts,
}

/// How many zones of each level have each extent.
#[derive(Debug, Clone)]
struct ZoneCounts {
    /// Of extents up to [`SMALL`], by level and extent.
    small: Vec<u32>,
    /// Level and extent of each of the others.
    large: Vec<(u32, u32)>,
}

impl ZoneCounts {
    fn new(levels: usize) -> Self {
        Self { small: vec![0; levels * SMALL], large: Vec::new() }
    }

    fn add(&mut self, level: u32, extent: u32) {
        if extent as usize <= SMALL {
            self.small[level as usize * SMALL + extent as usize - 1] += 1;
        } else {
            self.large.push((level, extent));
        }
    }
}

/// Whether it is kept which zone each voxel belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptPlaces {
    All,
    None,
}

impl Zones {
    /// The zones of voxels that are connected with their neighbours at `offsets`, which come in opposite pairs and
    /// reach no farther than the next plane. [`Zones::by_distance`] needs their places.
    pub(crate) fn new(map: &LevelMap, offsets: Vec<Offset>, places: KeptPlaces) -> Self {
        // A piece takes up to twelve bytes.
        const MOST_PIECES: usize = 1 << 20;
        Self::with_pieces(map, offsets, places, MOST_PIECES)
    }

    /// [`Zones::new`] that forgets zones which have ended, where places are not kept, after a plane that brings the
    /// pieces to `most_pieces`.
    fn with_pieces(map: &LevelMap, offsets: Vec<Offset>, places: KeptPlaces, most_pieces: usize) -> Self {
        let predecessors = Predecessors::new(map, offsets);
        let mut zones = with_cells!(&map.cells, cells => Self::pieces(map, cells, &predecessors, places, most_pieces));
        join_pieces(&mut zones.zone_of, &mut zones.sizes);
        zones
    }

    /// How many zones of each level have each number of voxels.
    pub(crate) fn by_size(&self, map: &LevelMap) -> SizeMatrix {
        self.by_extent(map, &self.sizes)
    }

    /// How many zones of each level have each distance: the least of the `distances` of their voxels, which are above 0
    /// in the region and given for the map's grid without its rim.
    pub(crate) fn by_distance(&self, map: &LevelMap, distances: &[u32]) -> SizeMatrix {
        let mut least = vec![u32::MAX; self.zone_of.len()];
        for row in &map.rows {
            let [z, y, x] = map.place(row.start);
            let in_grid = &distances[(z * map.shape[1] + y) * map.shape[2] + x..][..row.len()];
            for (&piece, &distance) in self.pieces[row.clone()].iter().zip(in_grid) {
                let least = &mut least[self.zone_of[piece as usize] as usize];
                *least = (*least).min(distance);
            }
        }
        self.by_extent(map, &least)
    }

    /// The matrix of an extent that is given by the number of the zone.
    fn by_extent(&self, map: &LevelMap, extents: &[u32]) -> SizeMatrix {
        let mut counts = self.ended.clone();
        for zone in (0..self.zone_of.len()).filter(|&piece| self.zone_of[piece] as usize == piece) {
            counts.add(self.levels.at(zone) - 1, extents[zone]);
        }
        let ZoneCounts { small, mut large } = counts;
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

    /// The pieces that a pass over the voxels in raster order finds, each with the one that it goes on from: a voxel
    /// belongs to the piece of a predecessor with its level, and joins those of others.
    fn pieces<C: Cell>(
        map: &LevelMap,
        cells: &[C],
        predecessors: &Predecessors,
        places: KeptPlaces,
        most_pieces: usize,
    ) -> Self {
        let plane = map.plane();
        // Of the plane before and of the one that is looked at, where all predecessors lie.
        let mut near = vec![0u32; 2 * plane];
        let mut near_start = 0;
        let mut pieces = vec![0u32; if places == KeptPlaces::All { cells.len() } else { 0 }];
        let (mut zone_of, mut levels, mut sizes) = (Vec::new(), Vec::<C>::new(), Vec::new());
        let mut count = 0u32;
        let mut ended = ZoneCounts::new(map.gray_levels.len());
        let mut rows_of_plane = 0..0;
        let arch = pulp::Arch::new();
        for (place, row) in map.rows.iter().enumerate() {
            let start_of_plane = row.start / plane * plane;
            if start_of_plane != near_start {
                if places == KeptPlaces::None && count as usize >= most_pieces {
                    zone_of.truncate(count as usize);
                    let rows = map.rows[rows_of_plane.clone()].iter();
                    let last = rows.map(|row| plane + row.start - near_start..plane + row.end - near_start);
                    forget_ended(&mut near, last, &mut zone_of, &mut levels, &mut sizes, &mut ended);
                    count = zone_of.len() as u32;
                }
                rows_of_plane = place..place;
                // What lies in a plane without voxels of the region is not looked at.
                near.copy_within(plane.., 0);
                near_start = start_of_plane;
            }
            rows_of_plane.end = place + 1;
            let in_near = |voxel: usize| plane + voxel - start_of_plane;
            // Room for as many pieces as may begin in the row, and the next one.
            let room = count as usize + row.len() + 1;
            zone_of.extend(zone_of.len() as u32..room as u32);
            levels.resize(zone_of.len(), C::default());
            sizes.resize(zone_of.len(), 0);
            for start in row.clone().step_by(TOGETHER) {
                let same = vectorised!(arch, compare_levels(cells, start, &predecessors.steps));
                for (voxel, &same) in (start..row.end).zip(&same) {
                    let apart = predecessors.apart[usize::from(same)];
                    let own = in_near(voxel);
                    let piece_of = |near: &[u32], apart: u16| {
                        near[(own as isize + predecessors.step_of_first[apart.trailing_zeros() as usize]) as usize]
                    };
                    // Whether a piece begins is guessed wrongly too often for a branch, so the next is always written.
                    let begins = 0u32.wrapping_sub(u32::from(apart == 0));
                    let mut piece = (piece_of(&near, apart) & !begins) | (count & begins);
                    levels[count as usize] = cells[voxel];
                    count += begins & 1;
                    let mut others = apart & apart.wrapping_sub(1);
                    if others > 0 {
                        piece = lowest(&mut zone_of, piece);
                        while others > 0 {
                            let other = lowest(&mut zone_of, piece_of(&near, others));
                            zone_of[piece.max(other) as usize] = piece.min(other);
                            piece = piece.min(other);
                            others &= others - 1;
                        }
                    }
                    near[own] = piece;
                    sizes[piece as usize] += 1;
                }
            }
            if places == KeptPlaces::All {
                pieces[row.clone()].copy_from_slice(&near[in_near(row.start)..][..row.len()]);
            }
        }
        zone_of.truncate(count as usize);
        levels.truncate(count as usize);
        sizes.truncate(count as usize);
        Self { pieces, zone_of, levels: C::cells(levels), sizes, ended }
    }
}

/// Gives each piece the number of its zone, and the zones the voxels of their pieces.
fn join_pieces(zone_of: &mut [u32], sizes: &mut [u32]) {
    // A piece goes on from one with a lower number, so one pass leads to the lowest.
    for piece in 0..zone_of.len() {
        let zone = zone_of[zone_of[piece] as usize] as usize;
        zone_of[piece] = zone as u32;
        if zone != piece {
            sizes[zone] += sizes[piece];
        }
    }
}

/// Counts the zones that no voxel of the last plane belongs to, which is where others may go on, and forgets their
/// pieces. The voxels of that plane lie in `near` at `last`; the zones that are left keep their order.
fn forget_ended<C: Cell>(
    near: &mut [u32],
    last: impl Iterator<Item = Range<usize>> + Clone,
    zone_of: &mut Vec<u32>,
    levels: &mut Vec<C>,
    sizes: &mut Vec<u32>,
    ended: &mut ZoneCounts,
) {
    join_pieces(zone_of, sizes);
    let mut goes_on = vec![false; zone_of.len()];
    for run in last.clone() {
        for piece in &mut near[run] {
            *piece = zone_of[*piece as usize];
            goes_on[*piece as usize] = true;
        }
    }
    let mut kept = 0;
    for zone in 0..zone_of.len() {
        if zone_of[zone] as usize != zone {
            continue;
        }
        if goes_on[zone] {
            (levels[kept], sizes[kept]) = (levels[zone], sizes[zone]);
            zone_of[zone] = kept as u32;
            kept += 1;
        } else {
            ended.add(levels[zone].into() - 1, sizes[zone]);
        }
    }
    for run in last {
        for zone in &mut near[run] {
            *zone = zone_of[*zone as usize];
        }
    }
    zone_of.clear();
    zone_of.extend(0..kept as u32);
    levels.truncate(kept);
    sizes.truncate(kept);
}

/// Extents up to this are counted in a table.
const SMALL: usize = 64;

/// The neighbours that come before a voxel in raster order.
struct Predecessors {
    /// How far before the voxel they are.
    steps: Vec<isize>,
    /// The same, with steps of 0 after them: that of the first of a set of bits is at the number of zeros below it, of
    /// which an empty set has 16.
    step_of_first: [isize; 17],
    /// By the predecessors that have the voxel's level, as bits: one of each group of them that are connected with each
    /// other, since the others of the group are in its zone already.
    apart: Cow<'static, [u16]>,
}

impl Predecessors {
    fn new(map: &LevelMap, mut offsets: Vec<Offset>) -> Self {
        offsets.retain(|&offset| map.step(offset) < 0);
        let steps: Vec<isize> = offsets.iter().map(|&offset| map.step(offset)).collect();
        let step_of_first = std::array::from_fn(|place| steps.get(place).copied().unwrap_or(0));
        Self { steps, step_of_first, apart: groups(&offsets) }
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

/// The lowest of each group of bits of `set` that are connected; `beside` holds for each bit itself and those next to
/// it.
fn firsts_of_groups(set: u16, beside: &[u16]) -> u16 {
    let (mut remaining, mut firsts) = (set, 0);
    while remaining != 0 {
        let first = remaining & remaining.wrapping_neg();
        firsts |= first;
        let mut group = first;
        loop {
            let reached =
                (0..beside.len()).filter(|place| group >> place & 1 > 0).fold(0, |all, place| all | beside[place]);
            if reached & remaining == group {
                break;
            }
            group = reached & remaining;
        }
        remaining &= !group;
    }
    firsts
}

/// Voxels whose levels are compared together.
const TOGETHER: usize = 16;

/// Finds for each of the voxels from `start` on which of its predecessors have its level, as bits.
#[inline(always)]
fn compare_levels<C: Cell>(cells: &[C], start: usize, steps: &[isize]) -> [u16; TOGETHER] {
    let own: &[C; TOGETHER] = LevelMap::together(cells, start, 0);
    let mut same = [0; TOGETHER];
    for (place, &step) in steps.iter().enumerate() {
        let neighbours: &[C; TOGETHER] = LevelMap::together(cells, start, step);
        for voxel in 0..TOGETHER {
            same[voxel] |= u16::from(own[voxel] == neighbours[voxel]) << place;
        }
    }
    same
}

/// The lowest of the pieces that a piece is known to be joined with.
fn lowest(zone_of: &mut [u32], mut piece: u32) -> u32 {
    while zone_of[piece as usize] != piece {
        zone_of[piece as usize] = zone_of[zone_of[piece as usize] as usize];
        piece = zone_of[piece as usize];
    }
    piece
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
            let zones = Zones::new(&map, adjacent_offsets(planar.then_some(0)), KeptPlaces::All);

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
            let without_places = Zones::new(&map, adjacent_offsets(planar.then_some(0)), KeptPlaces::None);
            prop_assert_eq!(without_places.by_size(&map), zones.by_size(&map));
            let forgetful = Zones::with_pieces(&map, adjacent_offsets(planar.then_some(0)), KeptPlaces::None, 1);
            prop_assert_eq!(forgetful.by_size(&map), zones.by_size(&map));
            let least = |label: usize| members(label).into_iter().map(|index| distances[index]).min().unwrap();
            let nearest = firsts().map(|label| (levels[label], least(label))).collect();
            prop_assert_eq!(cells(&zones.by_distance(&map, &distances)), counted(nearest));
        }
    }
}
