//! Run lengths of windows.

use alnm_imaging::vectorised;

use super::matrices::WindowSizeFeatures;
use super::{Lanes, NOTHING, WINDOWS, WindowClass, WindowGrid, WindowMatrices, WindowValues, Windows, check_reach};
use crate::error::Result;
use crate::feature::Formula;
use crate::glcm::Definitions;
use crate::level_map::{Offset, WantedDirections, adjacent_offsets, directions};
use crate::size_matrix::{JointFactors, SizeFeature, SizeMatrix};

/// Features of run lengths, averaged over directions, of all directions together, or both in this order; see
/// [`crate::glrlm`].
pub(crate) struct RunWindows<'a> {
    formulas: Vec<&'static Formula<SizeMatrix>>,
    definitions: Definitions,
    fixed_axis: Option<usize>,
    wanted: WantedDirections,
    directions: Vec<WindowDirection>,
    lengths: Vec<Lanes<u32>>,
    numbers: Vec<Lanes<u32>>,
    /// The numbers of all directions, where they are wanted together.
    merged: Vec<Lanes<u32>>,
    matrices: WindowMatrices<'a>,
}

/// A direction in a window.
struct WindowDirection {
    /// Places with the one before them along the direction.
    pairs: Vec<(usize, usize)>,
    /// Places without one before them.
    first: Vec<usize>,
    /// Places that are farther apart along the direction.
    far: Vec<(usize, usize)>,
}

impl<'a> RunWindows<'a> {
    pub(crate) fn new(
        formulas: &[&'static Formula<SizeMatrix>],
        definitions: Definitions,
        fixed_axis: Option<usize>,
        wanted: WantedDirections,
        factors: &'a JointFactors,
    ) -> Self {
        Self {
            formulas: formulas.to_vec(),
            definitions,
            fixed_axis,
            wanted,
            directions: Vec::new(),
            lengths: Vec::new(),
            numbers: Vec::new(),
            merged: Vec::new(),
            matrices: WindowMatrices::new(factors, false),
        }
    }
}

impl WindowDirection {
    fn new(windows: &Windows, offset: Offset) -> Self {
        let pairs = windows.pairs(offset);
        let voxels = windows.levels.len();
        let first = (0..voxels).filter(|place| pairs.binary_search_by_key(place, |pair| pair.0).is_err()).collect();
        let longest = windows.size.into_iter().max().unwrap_or(1) as isize;
        let far = (2..longest).flat_map(|steps| windows.pairs(offset.map(|step| steps * step))).collect();
        Self { pairs, first, far }
    }

    /// Writes level × `sizes` + length of each run into `numbers`, at its last place. Returns by window whether two
    /// voxels that count are neighbours along the direction.
    #[inline(always)]
    fn count(
        &self,
        levels: &[Lanes<u32>],
        sizes: u32,
        lengths: &mut [Lanes<u32>],
        numbers: &mut [Lanes<u32>],
    ) -> Lanes<u32> {
        for &place in &self.first {
            for window in 0..WINDOWS {
                let level = levels[place][window];
                lengths[place][window] = 1;
                numbers[place][window] = level * sizes + 1;
            }
        }
        let mut touching = [0; WINDOWS];
        for &(place, before) in &self.pairs {
            // Copies, of which the compiler knows that they are apart.
            let (own, others, passed) = (levels[place], levels[before], lengths[before]);
            let (mut length, mut number, mut number_before) = (lengths[place], numbers[place], numbers[before]);
            for window in 0..WINDOWS {
                let (level, other) = (own[window], others[window]);
                let same = level == other;
                touching[window] |= u32::from((level > 0) & (other > 0));
                let run = if same { passed[window] + 1 } else { 1 };
                length[window] = run;
                number[window] = level * sizes + run;
                number_before[window] = if same { NOTHING } else { number_before[window] };
            }
            lengths[place] = length;
            numbers[place] = number;
            numbers[before] = number_before;
        }
        touching
    }
}

/// Lengths that a run may have, from 0.
fn sizes(windows: &Windows) -> u32 {
    windows.size.into_iter().max().unwrap_or(1) as u32 + 1
}

impl WindowClass for RunWindows<'_> {
    fn check(&self, shape: [usize; 3]) -> Result<()> {
        check_reach(self.definitions, shape, &[1], self.fixed_axis)
    }

    fn resize(&mut self, windows: &Windows, highest: u32) {
        self.matrices.resize(highest, sizes(windows) as usize);
        let offsets = match self.definitions {
            Definitions::PyRadiomics => directions(windows.size, &[1], self.fixed_axis).unwrap_or_default(),
            // Where a direction has no room, each voxel is a run.
            Definitions::Ibsi => {
                let offsets = adjacent_offsets(self.fixed_axis);
                offsets[..offsets.len() / 2].to_vec()
            }
        };
        self.directions = offsets.into_iter().map(|offset| WindowDirection::new(windows, offset)).collect();
        self.lengths.resize(windows.levels.len(), [0; WINDOWS]);
        self.numbers.resize(windows.levels.len(), [0; WINDOWS]);
        if self.wanted.merged {
            self.merged.resize(windows.levels.len() * self.directions.len(), [0; WINDOWS]);
        }
    }

    fn write(&mut self, _: &WindowGrid<'_>, windows: &Windows, values: &mut WindowValues<'_, '_>) {
        let Self { formulas, definitions, wanted, directions, lengths, numbers, merged, matrices, .. } = self;
        let levels = windows.levels.as_slice();
        let sizes = sizes(windows);
        let mut means = DirectionMeans::default();
        for (place, direction) in directions.iter().enumerate() {
            let touching = vectorised!(pulp::Arch::new(), direction.count(levels, sizes, lengths, numbers));
            if wanted.merged {
                merged[place * numbers.len()..][..numbers.len()].copy_from_slice(numbers);
            }
            if wanted.each {
                let features = matrices.features(numbers, sizes);
                // A window without two voxels on a line has no extent in the direction; PyRadiomics leaves it out.
                let extends = std::array::from_fn(|window| {
                    let both = |&(a, b): &(usize, usize)| levels[a][window] > 0 && levels[b][window] > 0;
                    *definitions == Definitions::Ibsi || touching[window] > 0 || direction.far.iter().any(both)
                });
                vectorised!(pulp::Arch::new(), means.add(features, &extends));
            }
        }
        let of_each = wanted.each.then(|| vectorised!(pulp::Arch::new(), means.features()));
        let of_all = wanted.merged.then(|| matrices.features(merged, sizes));
        let of_windows: Vec<&WindowSizeFeatures> = of_each.iter().chain(of_all).collect();
        WindowMatrices::write(&of_windows, formulas, windows.count, values);
    }
}

/// Sums of features over directions: of the values that are defined, and how many these are.
struct DirectionMeans {
    sums: WindowSizeFeatures,
    counts: WindowSizeFeatures,
}

impl Default for DirectionMeans {
    fn default() -> Self {
        let zero = [[0.0; WINDOWS]; SizeFeature::COUNT];
        Self { sums: zero, counts: zero }
    }
}

impl DirectionMeans {
    /// Adds the features of a direction in which windows `extend` or not.
    #[inline(always)]
    fn add(&mut self, features: &WindowSizeFeatures, extends: &Lanes<bool>) {
        let Self { sums, counts } = self;
        for ((sums, counts), features) in sums.iter_mut().zip(counts).zip(features) {
            for window in 0..WINDOWS {
                let defined = extends[window] & !features[window].is_nan();
                sums[window] += if defined { features[window] } else { 0.0 };
                counts[window] += if defined { 1.0 } else { 0.0 };
            }
        }
    }

    /// The mean of each feature; NaN where no direction defines it.
    #[inline(always)]
    fn features(&self) -> WindowSizeFeatures {
        let mean = |feature: usize, window: usize| self.sums[feature][window] / self.counts[feature][window];
        std::array::from_fn(|feature| std::array::from_fn(|window| mean(feature, window)))
    }
}
