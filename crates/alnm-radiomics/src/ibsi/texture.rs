//! What the matrices of texture are counted on, and which part of it each aggregation method looks at.

use ndarray::{Array3, ArrayView3, s};
use rayon::prelude::*;

use super::error::Result;
use super::feature::Aggregation;
use super::region::Mask;
use crate::error::RadiomicsError;
use crate::level_map::LevelMap;

/// Grey levels of a region or of one slice of it, with the distances of its voxels to the region's border.
#[derive(Debug)]
pub(crate) struct TexturePart {
    /// Grey levels, with one voxel of rim in each direction that neighbours are looked for.
    pub(crate) map: LevelMap,
    /// Steps across faces to the nearest voxel outside of the morphological mask, in the order of the map's cells.
    pub(crate) distances: Vec<u32>,
}

impl TexturePart {
    /// `None` when no voxel of the part has a level.
    fn new(levels: ArrayView3<'_, u32>, distances: ArrayView3<'_, u32>) -> Result<Option<Self>> {
        let map = match LevelMap::new(levels, RIM) {
            Ok(map) => map,
            Err(RadiomicsError::EmptyRegion) => return Ok(None),
            Err(_) => {
                let [z, y, x]: [usize; 3] = levels.dim().into();
                let requirement = "a bounding box of fewer than 2³² voxels around the region";
                return Err(super::IbsiError::ImageSize { operation: "texture", size: [x, y, z], requirement });
            }
        };
        // Both go through the region's voxels in raster order.
        let mut in_cells = vec![0; map.cells.len()];
        let inside = levels.iter().zip(distances).filter(|(level, _)| **level > 0);
        for (voxel, (_, &distance)) in map.rows.iter().cloned().flatten().zip(inside) {
            in_cells[voxel] = distance;
        }
        Ok(Some(Self { map, distances: in_cells }))
    }
}

/// The parts of a region that matrices are counted on, one by one.
pub(crate) struct Scope<'a> {
    pub(crate) parts: &'a [TexturePart],
    /// The axis that neighbours do not step along.
    pub(crate) fixed_axis: Option<usize>,
    /// Whether the matrices of all directions are added up.
    pub(crate) merges_directions: bool,
}

impl Scope<'_> {
    /// The sets of values that matrices of each part give, in the order of the parts. Not generic, so that all families
    /// share one copy of the loop over threads.
    pub(crate) fn sets(&self, of_part: &(dyn Fn(&TexturePart) -> Vec<Vec<f64>> + Sync)) -> Vec<Vec<f64>> {
        self.parts.par_iter().map(of_part).collect::<Vec<_>>().concat()
    }
}

/// A discretised region.
#[derive(Debug)]
pub(crate) struct Texture {
    /// The whole region, with distances within slices.
    planar: Vec<TexturePart>,
    /// The whole region, with distances in three dimensions.
    volume: Vec<TexturePart>,
    /// The slices that hold a voxel.
    slices: Vec<TexturePart>,
    /// N_g.
    pub(crate) level_count: u32,
}

/// Regions with more levels than this are refused: a co-occurrence matrix of more would take over 128 MiB.
const MAXIMUM_DISTINCT_LEVELS: usize = 4096;

/// Voxels of rim, so that the step to a neighbour always stays on the grid.
const RIM: usize = 1;

impl Texture {
    /// A region whose voxels have the given levels (in raster order, each from 1 to `level_count`), with what the
    /// methods need.
    ///
    /// # Errors
    /// [`super::IbsiError::ImageSize`] when the region's bounding box has 2³² voxels or more,
    /// [`super::IbsiError::TooManyLevels`] when more than 4096 different levels occur.
    pub(crate) fn new(
        intensity: &Mask,
        levels: &[u32],
        level_count: u32,
        morphological: &Mask,
        methods: &[Aggregation],
    ) -> Result<Self> {
        let mut distinct = levels.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if let [lowest, .., highest] = distinct[..]
            && distinct.len() > MAXIMUM_DISTINCT_LEVELS
        {
            let (minimum, maximum, levels) = (f64::from(lowest), f64::from(highest), distinct.len() as f64);
            return Err(super::IbsiError::TooManyLevels {
                minimum,
                maximum,
                levels,
                limit: MAXIMUM_DISTINCT_LEVELS as u32,
            });
        }
        let bounds = morphological.bounding_box().unwrap_or([0..0, 0..0, 0..0]);
        let shape = bounds.each_ref().map(|range| range.len() + 2 * RIM);
        let place =
            |voxel: [usize; 3]| -> [usize; 3] { std::array::from_fn(|axis| voxel[axis] - bounds[axis].start + RIM) };
        let mut grid = Array3::<u32>::zeros(shape);
        for (voxel, &level) in intensity.indices().zip(levels) {
            grid[place(voxel)] = level;
        }
        let mut inside = Array3::from_elem(shape, false);
        for voxel in morphological.indices() {
            inside[place(voxel)] = true;
        }
        let asked = |wanted: &[Aggregation]| methods.iter().any(|method| wanted.contains(method));
        let whole = |fixed_axis| -> Result<Vec<TexturePart>> {
            Ok(TexturePart::new(grid.view(), border_distances(&inside, fixed_axis).view())?.into_iter().collect())
        };
        let mut texture = Self { planar: Vec::new(), volume: Vec::new(), slices: Vec::new(), level_count };
        if asked(&Aggregation::VOLUMETRIC) {
            texture.volume = whole(None)?;
        }
        if asked(&[
            Aggregation::MergedSlices,
            Aggregation::MergedSlicesAveraged,
            Aggregation::MergedSlicesMergedDirections,
        ]) {
            texture.planar = whole(Some(0))?;
        }
        if asked(&[Aggregation::Slices, Aggregation::SlicesAveraged, Aggregation::SlicesMergedDirections]) {
            let distances = border_distances(&inside, Some(0));
            for z in 0..shape[0] {
                let part = s![z..z + 1, .., ..];
                texture.slices.extend(TexturePart::new(grid.slice(part), distances.slice(part))?);
            }
        }
        Ok(texture)
    }

    /// What an aggregation method looks at.
    pub(crate) fn scope(&self, aggregation: Aggregation) -> Scope<'_> {
        let (parts, fixed_axis) = match aggregation {
            Aggregation::Slices | Aggregation::SlicesAveraged | Aggregation::SlicesMergedDirections => {
                (&self.slices, Some(0))
            }
            Aggregation::MergedSlices
            | Aggregation::MergedSlicesAveraged
            | Aggregation::MergedSlicesMergedDirections => (&self.planar, Some(0)),
            Aggregation::Volume | Aggregation::VolumeAveraged | Aggregation::VolumeMergedDirections => {
                (&self.volume, None)
            }
        };
        let merges_directions = matches!(
            aggregation,
            Aggregation::SlicesMergedDirections
                | Aggregation::MergedSlicesMergedDirections
                | Aggregation::VolumeMergedDirections
        );
        Scope { parts, fixed_axis, merges_directions }
    }
}

/// Steps across faces from each voxel to the nearest one outside; without steps along `fixed_axis`. The outermost layer
/// of the grid is outside. One pass forward and one backward find city-block distances.
fn border_distances(inside: &Array3<bool>, fixed_axis: Option<usize>) -> Array3<u32> {
    let shape: [usize; 3] = inside.dim().into();
    let mut distances = inside.map(|&inside| if inside { u32::MAX - 1 } else { 0 });
    let axes: Vec<usize> = (0..3).filter(|axis| Some(*axis) != fixed_axis).collect();
    let visit = |distances: &mut Array3<u32>, voxel: [usize; 3], towards: isize| {
        for &axis in &axes {
            let mut neighbour = voxel;
            if let Some(index) = voxel[axis].checked_add_signed(towards).filter(|index| *index < shape[axis]) {
                neighbour[axis] = index;
                distances[voxel] = distances[voxel].min(distances[neighbour] + 1);
            }
        }
    };
    let [depth, height, width] = shape;
    let voxels = (0..depth).flat_map(|z| (0..height).flat_map(move |y| (0..width).map(move |x| [z, y, x])));
    for voxel in voxels.clone() {
        visit(&mut distances, voxel, -1);
    }
    for voxel in voxels.rev() {
        visit(&mut distances, voxel, 1);
    }
    distances
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distances_agree_with_looking_at_every_voxel(voxels in prop::collection::vec(any::<bool>(), 3 * 4 * 5), planar in any::<bool>()) {
            let mut inside = Array3::from_elem([5, 6, 7], false);
            inside.slice_mut(s![1..4, 1..5, 1..6]).iter_mut().zip(voxels).for_each(|(to, from)| *to = from);
            let distances = border_distances(&inside, planar.then_some(0));
            for (voxel, _) in inside.indexed_iter() {
                let steps = |other: (usize, usize, usize)| {
                    (voxel.0.abs_diff(other.0) + voxel.1.abs_diff(other.1) + voxel.2.abs_diff(other.2)) as u32
                };
                let reachable = |other: (usize, usize, usize)| !planar || other.0 == voxel.0;
                let outside = inside.indexed_iter().filter(|(other, inside)| !**inside && reachable(*other));
                prop_assert_eq!(distances[voxel], outside.map(|(other, _)| steps(other)).min().unwrap());
            }
        }
    }
}
