//! Watersheds: the basins of an image's values, with the same results as ITK's morphological filters.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use alnm_imaging::region::Connectivity;
use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError, check_same_grid};
use crate::growing::neighbour_steps;

/// What becomes of voxels where basins meet, and which minima have a basin: ITK's `MorphologicalWatershedImageFilter`
/// and `MorphologicalWatershedFromMarkersImageFilter` (Beare and Lehmann, Insight Journal 2006).
///
/// The image is flooded from its lowest values on; of equal values those that were reached first come first.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`level`](Self::level) | 0 | depth of a minimum that has a basin of its own; shallower ones are none | at least 0 |
/// | [`line`](Self::line) | true | whether basins are parted by a line of voxels with the label 0 | |
/// | [`connectivity`](Self::connectivity) | faces | which voxels touch | |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::watershed::WatershedParams;
///
/// let heights = ndarray::array![[[1.0_f32, 0.0, 3.0, 5.0, 4.0, 2.0, 2.5]]];
/// let image = Volume::new(heights, Geometry::axis_aligned([7, 1, 1], [1.0; 3])?)?;
/// let basins = WatershedParams::default().check()?.basins(&image)?;
/// assert_eq!(basins.as_slice(), [1, 1, 1, 0, 2, 2, 2]);
/// let whole = WatershedParams::default().with_level(4.0).check()?.basins(&image)?;
/// assert_eq!(whole.as_slice(), [1; 7]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct WatershedParams {
    /// Depth of a minimum that has a basin of its own. Default 0; at least 0.
    pub level: f64,
    /// Whether basins are parted by a line of voxels with the label 0. Default true.
    pub line: bool,
    /// Which voxels touch. Default by their faces.
    pub connectivity: Connectivity,
}

impl Default for WatershedParams {
    fn default() -> Self {
        Self { level: 0.0, line: true, connectivity: Connectivity::Face }
    }
}

impl WatershedParams {
    /// Sets [`WatershedParams::level`].
    pub fn with_level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Sets [`WatershedParams::line`].
    pub fn with_line(self, line: bool) -> Self {
        Self { line, ..self }
    }

    /// Sets [`WatershedParams::connectivity`].
    pub fn with_connectivity(self, connectivity: Connectivity) -> Self {
        Self { connectivity, ..self }
    }

    /// The watershed with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a level that is negative or not finite.
    pub fn check(self) -> Result<Watershed> {
        if !(self.level >= 0.0 && self.level.is_finite()) {
            return Err(SegmentationError::parameter("level of the watershed", self.level, "finite and at least 0"));
        }
        Ok(Watershed { params: self })
    }
}

/// A watershed with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watershed {
    params: WatershedParams,
}

/// A value of an image that is known to be finite, in its order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Height(f32);

impl Eq for Height {}

impl PartialOrd for Height {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Height {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // 0 and −0 are one height.
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}

/// Voxels that wait, the lowest first and of equal ones the first that came.
#[derive(Default)]
struct Waiting {
    heap: BinaryHeap<Reverse<(Height, usize, usize)>>,
    count: usize,
}

impl Waiting {
    fn push(&mut self, height: Height, position: usize) {
        self.heap.push(Reverse((height, self.count, position)));
        self.count += 1;
    }

    fn pop(&mut self) -> Option<(Height, usize)> {
        self.heap.pop().map(|Reverse((height, _, position))| (height, position))
    }
}

/// The neighbours of voxels, in raster order.
struct Neighbours<'a> {
    grid: &'a Geometry,
    steps: Vec<[isize; 3]>,
}

impl Neighbours<'_> {
    fn of(&self, position: usize) -> impl Iterator<Item = usize> + '_ {
        let (index, size) = (self.grid.index_of(position), self.grid.size());
        self.steps.iter().filter_map(move |step| {
            let there: [usize; 3] = std::array::from_fn(|axis| index[axis].wrapping_add_signed(step[axis]));
            let is_inside = there.iter().zip(size).all(|(&index, count)| index < count);
            is_inside.then(|| (there[2] * size[1] + there[1]) * size[0] + there[0])
        })
    }
}

impl Watershed {
    /// The parameters.
    pub fn params(&self) -> WatershedParams {
        self.params
    }

    /// The basins of the minima that are at least as deep as the level, numbered from 1 in raster order of their
    /// minima.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when a voxel is not finite.
    pub fn basins(&self, image: &Volume<f32>) -> Result<LabelMap> {
        image.check_finite().map_err(|voxel| voxel.during("watershed"))?;
        let minima = if self.params.level == 0.0 { self.minima(image) } else { self.minima(&self.filled(image)) };
        Ok(self.flooded(image, &minima))
    }

    /// The basins that grow from markers: the labels of the map, but for 0.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when a voxel is not finite or the grids differ; [`SegmentationError::Parameter`]
    /// when there is no marker.
    pub fn from_markers(&self, image: &Volume<f32>, markers: &LabelMap) -> Result<LabelMap> {
        image.check_finite().map_err(|voxel| voxel.during("watershed"))?;
        check_same_grid("watershed", image.geometry(), markers.geometry())?;
        if markers.as_slice().iter().all(|&label| label == 0) {
            return Err(SegmentationError::parameter("number of markers", 0, "at least 1"));
        }
        Ok(self.flooded(image, markers))
    }

    fn neighbours<'a>(&self, grid: &'a Geometry) -> Neighbours<'a> {
        Neighbours { grid, steps: neighbour_steps(self.params.connectivity) }
    }

    /// The image with minima filled up to the level: its reconstruction by erosion from the image raised by the level,
    /// the lowest height over which water leaves a voxel (ITK's `HMinimaImageFilter`).
    fn filled(&self, image: &Volume<f32>) -> Volume<f32> {
        let neighbours = self.neighbours(image.geometry());
        let mut filled = image.map(|&value| (f64::from(value) + self.params.level) as f32);
        let mut waiting = Waiting::default();
        filled.as_slice().iter().enumerate().for_each(|(position, &value)| waiting.push(Height(value), position));
        while let Some((height, position)) = waiting.pop() {
            if height > Height(filled.as_slice()[position]) {
                continue;
            }
            for neighbour in neighbours.of(position) {
                let reached = height.0.max(image.as_slice()[neighbour]);
                if reached < filled.as_slice()[neighbour] {
                    filled.as_mut_slice()[neighbour] = reached;
                    waiting.push(Height(reached), neighbour);
                }
            }
        }
        filled
    }

    /// The regional minima: connected voxels of one value all neighbours of which are higher, numbered in raster order.
    fn minima(&self, image: &Volume<f32>) -> LabelMap {
        let neighbours = self.neighbours(image.geometry());
        let values = image.as_slice();
        let mut minima = Volume::filled(image.geometry().clone(), 0_u32);
        let mut is_seen = vec![false; values.len()];
        let mut count = 0;
        for first in 0..values.len() {
            if is_seen[first] {
                continue;
            }
            is_seen[first] = true;
            let mut flat = vec![first];
            let mut is_minimum = true;
            let mut next = 0;
            while let Some(&position) = flat.get(next) {
                next += 1;
                for neighbour in neighbours.of(position) {
                    is_minimum &= values[neighbour] >= values[first];
                    if values[neighbour] == values[first] && !is_seen[neighbour] {
                        is_seen[neighbour] = true;
                        flat.push(neighbour);
                    }
                }
            }
            if is_minimum {
                count += 1;
                flat.iter().for_each(|&position| minima.as_mut_slice()[position] = count);
            }
        }
        minima
    }

    fn flooded(&self, image: &Volume<f32>, markers: &LabelMap) -> LabelMap {
        if self.params.line { self.flooded_with_line(image, markers) } else { self.flooded_wholly(image, markers) }
    }

    /// Voxels that are reached by one basin join it; those that two reach at once stay the line.
    fn flooded_with_line(&self, image: &Volume<f32>, markers: &LabelMap) -> LabelMap {
        let neighbours = self.neighbours(image.geometry());
        let values = image.as_slice();
        let mut basins = markers.clone();
        let labels = basins.as_mut_slice();
        let mut is_seen: Vec<bool> = labels.iter().map(|&label| label != 0).collect();
        let mut waiting = Waiting::default();
        for position in (0..labels.len()).filter(|&position| labels[position] != 0) {
            for neighbour in neighbours.of(position) {
                if !is_seen[neighbour] {
                    is_seen[neighbour] = true;
                    waiting.push(Height(values[neighbour]), neighbour);
                }
            }
        }
        while let Some((level, position)) = waiting.pop() {
            let mut around = neighbours.of(position).map(|neighbour| labels[neighbour]).filter(|&label| label != 0);
            let first = around.next().unwrap_or_default();
            if around.any(|label| label != first) {
                continue;
            }
            labels[position] = first;
            for neighbour in neighbours.of(position) {
                if !is_seen[neighbour] {
                    is_seen[neighbour] = true;
                    waiting.push(Height(values[neighbour]).max(level), neighbour);
                }
            }
        }
        basins
    }

    /// Voxels join the basin that reaches them first.
    fn flooded_wholly(&self, image: &Volume<f32>, markers: &LabelMap) -> LabelMap {
        let neighbours = self.neighbours(image.geometry());
        let values = image.as_slice();
        let mut basins = markers.clone();
        let labels = basins.as_mut_slice();
        let mut waiting = Waiting::default();
        for position in (0..labels.len()).filter(|&position| labels[position] != 0) {
            if neighbours.of(position).any(|neighbour| labels[neighbour] == 0) {
                waiting.push(Height(values[position]), position);
            }
        }
        while let Some((level, position)) = waiting.pop() {
            let label = labels[position];
            for neighbour in neighbours.of(position) {
                if labels[neighbour] == 0 {
                    labels[neighbour] = label;
                    waiting.push(Height(values[neighbour]).max(level), neighbour);
                }
            }
        }
        basins
    }
}
