//! Zones of windows.

use alnm_imaging::vectorised;

use super::{Lanes, NOTHING, WINDOWS, WindowClass, WindowGrid, WindowMatrix, Windows, check_reach};
use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::size_matrix::{JointFactors, SizeMatrix};

/// Features of zones; see [`crate::glszm`].
pub(crate) struct ZoneWindows<'a> {
    formulas: Vec<&'static Formula<SizeMatrix>>,
    definitions: Definitions,
    fixed_axis: Option<usize>,
    /// Neighbouring places of a window.
    pairs: Vec<(usize, usize)>,
    /// By place, the first place of its zone.
    zones: Vec<Lanes<u32>>,
    /// By place, the voxels of the zone that begins there.
    sizes: Vec<Lanes<u32>>,
    matrix: WindowMatrix<'a>,
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
            pairs: Vec::new(),
            zones: Vec::new(),
            sizes: Vec::new(),
            matrix: WindowMatrix::new(factors),
        }
    }
}

/// Finds the first place of the zone of each place: neighbours of one level take the smaller of theirs until none
/// changes.
#[inline(always)]
fn find_zones(levels: &[Lanes<u32>], pairs: &[(usize, usize)], zones: &mut [Lanes<u32>]) {
    for (place, zones) in zones.iter_mut().enumerate() {
        *zones = [place as u32; WINDOWS];
    }
    loop {
        let forwards = join(levels, pairs.iter(), zones);
        if forwards == 0 || join(levels, pairs.iter().rev(), zones) == 0 {
            return;
        }
    }
}

/// Returns 0 when nothing changes.
#[inline(always)]
fn join<'a>(levels: &[Lanes<u32>], pairs: impl Iterator<Item = &'a (usize, usize)>, zones: &mut [Lanes<u32>]) -> u32 {
    let mut changed = [0; WINDOWS];
    for &(place, before) in pairs {
        // Copies, of which the compiler knows that they are apart.
        let (own, others) = (levels[place], levels[before]);
        let (mut zone, mut zone_before) = (zones[place], zones[before]);
        for window in 0..WINDOWS {
            let (a, b) = (zone[window], zone_before[window]);
            // Voxels that do not count have one level too; what becomes of their zones does not matter.
            let joined = if own[window] == others[window] { a.min(b) } else { a };
            let joined_before = if own[window] == others[window] { a.min(b) } else { b };
            changed[window] |= (joined ^ a) | (joined_before ^ b);
            zone[window] = joined;
            zone_before[window] = joined_before;
        }
        zones[place] = zone;
        zones[before] = zone_before;
    }
    changed.iter().fold(0, |any, &lane| any | lane)
}

impl WindowClass for ZoneWindows<'_> {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        check_reach(self.definitions, shape, &[1], self.fixed_axis)
    }

    fn value_count(&self) -> usize {
        self.formulas.len()
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        self.matrix.resize(highest, windows.levels.len() + 1);
        self.pairs = windows.neighbours(&[1], self.fixed_axis);
        self.zones.resize(windows.levels.len(), [0; WINDOWS]);
        self.sizes.resize(windows.levels.len(), [0; WINDOWS]);
    }

    fn add_values(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut Vec<f64>) {
        let Self { formulas, pairs, zones, sizes, matrix, .. } = self;
        let levels = windows.levels.as_slice();
        vectorised!(pulp::Arch::new(), find_zones(levels, pairs, zones));
        sizes.fill([0; WINDOWS]);
        for zones in zones.iter() {
            for (window, &zone) in zones.iter().enumerate() {
                sizes[zone as usize][window] += 1;
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
        for window in 0..windows.count {
            let matrix = matrix.of(sizes, window, columns);
            values.extend(formulas.iter().map(|formula| (formula.value)(matrix)));
        }
    }
}
