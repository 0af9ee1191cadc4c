//! Convolution along one axis after the other.

use std::ops::Range;

use rayon::prelude::*;

use super::{BoundaryCondition, Dimensions, Field, Pool, Pooling};
use crate::ibsi::region::box_values;

/// A box of values, (z, y, x).
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) bounds: [Range<usize>; 3],
    pub(super) values: Vec<f64>,
}

/// A kernel along one axis; its middle tap, rounded up, lies on the voxel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taps(Vec<f64>);

impl Taps {
    /// Taps of an odd number; a zero is added to an even one, so that rotating a kernel keeps its centre.
    pub(super) fn new(mut taps: Vec<f64>) -> Self {
        if taps.len().is_multiple_of(2) {
            taps.push(0.0);
        }
        Self(taps)
    }

    /// Voxels to either side.
    fn reach(&self) -> isize {
        (self.0.len() / 2) as isize
    }

    fn reversed(&self) -> Self {
        Self(self.0.iter().rev().copied().collect())
    }

    /// The taps with `2^level - 1` zeros between them.
    fn dilated(&self, level: usize) -> Self {
        let stride = 1 << level;
        let mut taps = vec![0.0; (self.0.len() - 1) * stride + 1];
        for (k, tap) in self.0.iter().enumerate() {
            taps[k * stride] = *tap;
        }
        Self(taps)
    }
}

/// A kernel that is a product of kernels along the axes, (z, y, x); none leaves an axis alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeparableKernel(pub(super) [Option<Taps>; 3]);

impl SeparableKernel {
    /// The box of the image that the response in `bounds` depends on.
    pub(super) fn support(
        &self,
        bounds: &[Range<usize>; 3],
        shape: [usize; 3],
        boundary: BoundaryCondition,
    ) -> [Range<usize>; 3] {
        std::array::from_fn(|axis| match &self.0[axis] {
            None => bounds[axis].clone(),
            Some(taps) => {
                let positions = bounds[axis].start as isize - taps.reach()..bounds[axis].end as isize + taps.reach();
                let indices = positions.filter_map(|position| boundary.index(position, shape[axis]));
                indices.fold(bounds[axis].clone(), |range, index| range.start.min(index)..range.end.max(index + 1))
            }
        })
    }

    /// The response in `bounds` to a block that covers its support.
    pub(super) fn apply(
        &self,
        block: &Block,
        bounds: &[Range<usize>; 3],
        shape: [usize; 3],
        boundary: BoundaryCondition,
    ) -> Block {
        let mut result: Option<Block> = None;
        for axis in 0..3 {
            let source = result.as_ref().unwrap_or(block);
            result = Some(match &self.0[axis] {
                None => narrowed(source, axis, bounds[axis].clone()),
                Some(taps) => convolve(source, axis, taps, bounds[axis].clone(), shape[axis], boundary),
            });
        }
        result.expect("there are three axes")
    }

    /// The kernel under one rotation.
    pub(super) fn rotated(&self, rotation: Rotation) -> Self {
        Self(
            rotation.map(|(from, flips)| {
                self.0[from].as_ref().map(|taps| if flips { taps.reversed() } else { taps.clone() })
            }),
        )
    }

    /// The kernel with `2^level - 1` zeros between its taps.
    pub(super) fn dilated(&self, level: usize) -> Self {
        Self(self.0.each_ref().map(|taps| taps.as_ref().map(|taps| taps.dilated(level))))
    }

    /// The kernel under all rotations by right angles about the axes of the filter, each once.
    pub(super) fn rotations(&self, dimensions: Dimensions) -> Vec<Self> {
        let mut rotations: Vec<Self> = Vec::new();
        for rotation in right_angled_rotations(dimensions) {
            let turned = self.rotated(rotation);
            if !rotations.contains(&turned) {
                rotations.push(turned);
            }
        }
        rotations
    }
}

/// For each axis of the rotated kernel, the axis that it comes from and whether it is reversed.
pub(super) type Rotation = [(usize, bool); 3];

/// The 24 rotations of a cube, or the 4 that keep its slices, the identity first.
pub(super) fn right_angled_rotations(dimensions: Dimensions) -> Vec<Rotation> {
    const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 2, 0], [1, 0, 2], [2, 0, 1], [2, 1, 0]];
    let is_odd = |permutation: [usize; 3]| (permutation[1] + 3 - permutation[0]) % 3 == 2;
    let mut rotations = Vec::new();
    for permutation in PERMUTATIONS {
        for flips in 0..8u32 {
            let rotation: Rotation = std::array::from_fn(|axis| (permutation[axis], flips >> axis & 1 == 1));
            // A rotation's determinant is 1: as many sign changes as the permutation needs.
            let keeps_handedness = flips.count_ones() % 2 == u32::from(is_odd(permutation));
            if keeps_handedness && (dimensions == Dimensions::Three || rotation[0] == (0, false)) {
                rotations.push(rotation);
            }
        }
    }
    rotations
}

/// The part of a block in a range along one axis.
fn narrowed(block: &Block, axis: usize, range: Range<usize>) -> Block {
    let shape = block.bounds.each_ref().map(ExactSizeIterator::len);
    let mut local = shape.map(|n| 0..n);
    local[axis] = range.start - block.bounds[axis].start..range.end - block.bounds[axis].start;
    let mut bounds = block.bounds.clone();
    bounds[axis] = range;
    Block { values: box_values(&block.values, shape, &local), bounds }
}

/// out(p) = Σ_j taps(j) · in(p + reach - j) for p in `range` on an axis of `length` voxels.
fn convolve(
    block: &Block,
    axis: usize,
    taps: &Taps,
    range: Range<usize>,
    length: usize,
    boundary: BoundaryCondition,
) -> Block {
    let shape = block.bounds.each_ref().map(ExactSizeIterator::len);
    let inner: usize = shape[axis + 1..].iter().product();
    // Where in the block each position of the continued line comes from.
    let positions = range.start as isize - taps.reach()..range.end as isize + taps.reach();
    let sources: Vec<Option<usize>> = positions
        .map(|position| boundary.index(position, length).map(|index| index - block.bounds[axis].start))
        .collect();
    let last = taps.0.len() - 1;
    let weights: Vec<(usize, f64)> =
        taps.0.iter().enumerate().filter(|(_, tap)| **tap != 0.0).map(|(j, tap)| (last - j, *tap)).collect();
    let mut bounds = block.bounds.clone();
    bounds[axis] = range.clone();
    let mut values = vec![0.0; bounds.iter().map(ExactSizeIterator::len).product()];
    if values.is_empty() {
        return Block { bounds, values };
    }
    if inner == 1 {
        let rows = values.par_chunks_mut(range.len()).zip(block.values.par_chunks(shape[axis]));
        rows.for_each_init(
            || vec![0.0; sources.len()],
            |line, (row, values)| {
                line.iter_mut()
                    .zip(&sources)
                    .for_each(|(value, source)| *value = source.map_or(0.0, |source| values[source]));
                for &(offset, weight) in &weights {
                    row.iter_mut().zip(&line[offset..]).for_each(|(sum, value)| *sum += weight * value);
                }
            },
        );
    } else {
        values.par_chunks_mut(inner).enumerate().for_each(|(row, sums)| {
            let (outer, position) = (row / range.len(), row % range.len());
            let plane = &block.values[outer * shape[axis] * inner..];
            for &(offset, weight) in &weights {
                if let Some(source) = sources[position + offset] {
                    sums.iter_mut()
                        .zip(&plane[source * inner..][..inner])
                        .for_each(|(sum, value)| *sum += weight * value);
                }
            }
        });
    }
    Block { bounds, values }
}

/// The stages of a filter, each applied to the response of the one before.
pub(super) type Stages = Vec<SeparableKernel>;

/// The response of a filter in a box.
pub(super) fn response(
    stages: &[SeparableKernel],
    field: Field<'_>,
    part: &[Range<usize>; 3],
    boundary: BoundaryCondition,
) -> Vec<f64> {
    let mut boxes = vec![part.clone()];
    for stage in stages.iter().rev() {
        let bounds = stage.support(boxes.last().unwrap_or(part), field.shape, boundary);
        boxes.push(bounds);
    }
    let bounds = boxes.pop().unwrap_or_else(|| part.clone());
    let mut block = Block { values: box_values(field.values, field.shape, &bounds), bounds };
    for stage in stages {
        let bounds = boxes.pop().expect("every stage has a box");
        block = stage.apply(&block, &bounds, field.shape, boundary);
    }
    block.values
}

/// The pooled response of a filter under several orientations.
pub(super) fn pooled(
    orientations: &[Stages],
    pooling: Pooling,
    field: Field<'_>,
    part: &[Range<usize>; 3],
    boundary: BoundaryCondition,
) -> Vec<f64> {
    let mut pool = Pool::new(pooling);
    for stages in orientations {
        pool.add(response(stages, field, part, boundary));
    }
    pool.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cube_has_24_rotations_and_a_slice_4() {
        assert_eq!(right_angled_rotations(Dimensions::Three).len(), 24);
        assert_eq!(right_angled_rotations(Dimensions::Two).len(), 4);
        assert_eq!(right_angled_rotations(Dimensions::Two)[0], [(0, false), (1, false), (2, false)]);
    }

    proptest! {
        #[test]
        fn a_part_equals_the_part_of_the_whole_and_the_definition(
            values in prop::collection::vec(-10.0f64..10.0, 4 * 5 * 6),
            taps in prop::array::uniform3(prop::collection::vec(-2.0f64..2.0, 1..9)),
            kind in 0usize..4,
        ) {
            let boundary = [BoundaryCondition::Zero, BoundaryCondition::Nearest, BoundaryCondition::Periodic, BoundaryCondition::Mirror][kind];
            let field = Field { values: &values, shape: [4, 5, 6], spacing: [1.0; 3] };
            let kernel = SeparableKernel(taps.map(|taps| Some(Taps::new(taps))));
            let part = [1..3, 0..4, 2..6];
            let fast = response(std::slice::from_ref(&kernel), field, &part, boundary);
            let taps: [&Taps; 3] = kernel.0.each_ref().map(|taps| taps.as_ref().unwrap());
            let mut slow = Vec::new();
            for (z, y, x) in part[0].clone().flat_map(|z| (0..4).flat_map(move |y| (2..6).map(move |x| (z, y, x)))) {
                let mut sum = 0.0;
                for (k, tz) in taps[0].0.iter().enumerate() {
                    for (j, ty) in taps[1].0.iter().enumerate() {
                        for (i, tx) in taps[2].0.iter().enumerate() {
                            let at = |p: usize, axis: usize, tap: usize| {
                                boundary.index(p as isize + taps[axis].reach() - tap as isize, field.shape[axis])
                            };
                            if let (Some(z), Some(y), Some(x)) = (at(z, 0, k), at(y, 1, j), at(x, 2, i)) {
                                sum += tz * ty * tx * values[(z * 5 + y) * 6 + x];
                            }
                        }
                    }
                }
                slow.push(sum);
            }
            for (fast, slow) in fast.iter().zip(&slow) {
                prop_assert!((fast - slow).abs() < 1e-9, "{fast} {slow}");
            }
        }
    }
}
