//! Zones of windows.

use alnm_imaging::vectorised;

use super::{Lanes, NOTHING, WINDOWS, WindowClass, WindowGrid, WindowMatrices, WindowValues, Windows, check_reach};
use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::size_matrix::{JointFactors, SizeMatrix};

/// Features of zones; see [`crate::glszm`].
pub(crate) struct ZoneWindows<'a> {
    formulas: Vec<&'static Formula<SizeMatrix>>,
    definitions: Definitions,
    fixed_axis: Option<usize>,
    /// By place, the neighbours before it, and those after it.
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// The levels, in as few bytes as zones have.
    levels: Vec<Lanes<u16>>,
    /// By place, the first place of its zone.
    zones: Vec<Lanes<u16>>,
    /// By place, the voxels of the zone that begins there.
    sizes: Vec<Lanes<u32>>,
    matrices: WindowMatrices<'a>,
}

impl<'a> ZoneWindows<'a> {
    pub(crate) fn new(
        formulas: &[&'static Formula<SizeMatrix>],
        definitions: Definitions,
        fixed_axis: Option<usize>,
        factors: &'a JointFactors,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            definitions,
            fixed_axis,
            before: Vec::new(),
            after: Vec::new(),
            levels: Vec::new(),
            zones: Vec::new(),
            sizes: Vec::new(),
            matrices: WindowMatrices::new(factors, false),
        }
    }
}

/// Finds the first place of the zone of each place: each takes the smallest of its own and those of neighbours with its
/// level, from front to back and from back to front in turn, until none changes.
#[inline(always)]
fn find_zones(levels: &[Lanes<u16>], before: &[Vec<usize>], after: &[Vec<usize>], zones: &mut [Lanes<u16>]) {
    for (place, zones) in zones.iter_mut().enumerate() {
        *zones = [place as u16; WINDOWS];
    }
    loop {
        let forwards = spread(levels, before.iter().enumerate(), zones);
        if forwards == 0 || spread(levels, after.iter().enumerate().rev(), zones) == 0 {
            return;
        }
    }
}

/// Returns 0 when nothing changes.
#[inline(always)]
fn spread<'a>(
    levels: &[Lanes<u16>],
    neighbours: impl Iterator<Item = (usize, &'a Vec<usize>)>,
    zones: &mut [Lanes<u16>],
) -> u16 {
    let mut changed = [0; WINDOWS];
    for (place, neighbours) in neighbours {
        let (own, known) = (levels[place], zones[place]);
        let mut zone = known;
        for &neighbour in neighbours {
            let (level, other) = (levels[neighbour], zones[neighbour]);
            for window in 0..WINDOWS {
                // Voxels that do not count have one level too; what becomes of their zones does not matter.
                let apart = if own[window] == level[window] { 0 } else { u16::MAX };
                zone[window] = zone[window].min(other[window] | apart);
            }
        }
        for window in 0..WINDOWS {
            changed[window] |= zone[window] ^ known[window];
        }
        zones[place] = zone;
    }
    changed.iter().fold(0, |any, &lane| any | lane)
}

impl WindowClass for ZoneWindows<'_> {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        check_reach(self.definitions, shape, &[1], self.fixed_axis)
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        self.matrices.resize(highest, windows.levels.len() + 1);
        let voxels = windows.levels.len();
        for neighbours in [&mut self.before, &mut self.after] {
            neighbours.clear();
            neighbours.resize(voxels, Vec::new());
        }
        for (place, before) in windows.neighbours(&[1], self.fixed_axis) {
            self.before[place].push(before);
            self.after[before].push(place);
        }
        self.levels.resize(voxels, [0; WINDOWS]);
        self.zones.resize(voxels, [0; WINDOWS]);
        self.sizes.resize(voxels, [0; WINDOWS]);
    }

    fn write(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut WindowValues<'_, '_>) {
        let Self { formulas, before, after, levels: narrow, zones, sizes, matrices, .. } = self;
        let levels = windows.levels.as_slice();
        vectorised!(pulp::Arch::new(), {
            for (narrow, levels) in narrow.iter_mut().zip(levels) {
                for window in 0..WINDOWS {
                    narrow[window] = levels[window] as u16;
                }
            }
            find_zones(narrow, before, after, zones);
        });
        sizes.fill([0; WINDOWS]);
        for zones in zones.iter() {
            for (window, &zone) in zones.iter().enumerate() {
                sizes[usize::from(zone)][window] += 1;
            }
        }
        let columns = levels.len() as u32 + 1;
        vectorised!(pulp::Arch::new(), {
            for (numbers, levels) in sizes.iter_mut().zip(levels) {
                for window in 0..WINDOWS {
                    let (size, level) = (numbers[window], levels[window]);
                    numbers[window] = if size > 0 { level * columns + size } else { NOTHING };
                }
            }
        });
        WindowMatrices::write(&[matrices.features(sizes, columns)], formulas, windows.count, values);
    }
}
