//! The breasts in an image: without air, and without the chest.

use alnm_imaging::otsu::otsu_threshold;
use alnm_imaging::{Geometry, LabelMap, Volume};
use serde::{Deserialize, Serialize};

use crate::error::{Result, SegmentationError};
use crate::morphology::{fill_holes, largest_part};
use crate::speed::smoothed;

/// Bins of the histogram in which air and tissue are told apart: ITK's default.
const BINS: usize = 128;

/// Parameters for finding the breasts in an image without contrast agent.
///
/// Tissue is the largest connected part above Otsu's threshold of log(1 + v / mean), smoothed by a voxel, with its
/// holes filled. The chest is what lies behind the notch between two breasts: in each slice the skin's depth has two
/// breasts and, between them, a notch; where half of the slices have one that is deeper than [`notch`](Self::notch),
/// everything behind its median depth and [`chest_margin`](Self::chest_margin) is left out. An image of one breast has
/// no notch, and nothing of it is left out.
///
/// The axes of the body are those of the image's grid that are nearest to them (LPS).
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`notch`](Self::notch) | 15 mm | depth of the notch between two breasts, at least | above 0 |
/// | [`chest_margin`](Self::chest_margin) | 10 mm | how far behind the notch the breasts reach | at least 0 |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::breast::BreastMaskParams;
///
/// // One breast in front (small y), air before it.
/// let voxels = ndarray::Array3::from_shape_fn((6, 20, 20), |(z, y, x)| {
///     let noise = ((7 * x + 3 * y + 5 * z) % 5) as f32;
///     if y > 4 + x.abs_diff(10) / 2 { 200.0 + noise } else { noise }
/// });
/// let image = Volume::new(voxels, Geometry::axis_aligned([20, 20, 6], [2.0; 3])?)?;
/// let breast = BreastMaskParams::default().check()?.of(&image)?;
/// assert!(breast.mask.data()[[3, 10, 10]] == 1 && breast.mask.data()[[3, 1, 10]] == 0 && breast.chest_begin.is_none());
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct BreastMaskParams {
    /// Depth in mm that the notch between two breasts has at least. Default 15; above 0.
    pub notch: f64,
    /// How far behind the notch the breasts reach, in mm. Default 10; at least 0.
    pub chest_margin: f64,
}

impl Default for BreastMaskParams {
    fn default() -> Self {
        Self { notch: 15.0, chest_margin: 10.0 }
    }
}

impl BreastMaskParams {
    /// Sets [`BreastMaskParams::notch`].
    pub fn with_notch(self, notch: f64) -> Self {
        Self { notch, ..self }
    }

    /// Sets [`BreastMaskParams::chest_margin`].
    pub fn with_chest_margin(self, chest_margin: f64) -> Self {
        Self { chest_margin, ..self }
    }

    /// The rule with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<BreastMasking> {
        if !(self.notch > 0.0 && self.notch.is_finite()) {
            let value = format!("{} mm", self.notch);
            return Err(SegmentationError::parameter("depth of the notch", value, "finite and above 0 mm"));
        }
        if !(self.chest_margin >= 0.0 && self.chest_margin.is_finite()) {
            let value = format!("{} mm", self.chest_margin);
            return Err(SegmentationError::parameter("margin of the chest", value, "finite and at least 0 mm"));
        }
        Ok(BreastMasking { params: self })
    }
}

/// The finding of breasts with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreastMasking {
    params: BreastMaskParams,
}

/// The breasts of an image.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BreastMask {
    /// The breasts, as 1.
    pub mask: LabelMap,
    /// The value above which voxels are tissue.
    pub threshold: f64,
    /// Depth in mm behind the front of the image from which on everything is chest; none where no notch was found.
    pub chest_begin: Option<f64>,
}

/// The axes of a grid by those of the body.
#[derive(Debug, Clone, Copy)]
struct BodyAxes {
    /// From right to left, front to back, and the third.
    axes: [usize; 3],
    /// Whether indices along the second rise towards the back.
    rises_to_back: bool,
}

impl BodyAxes {
    fn of(grid: &Geometry) -> Self {
        let direction = grid.direction();
        let share = |row: usize, axis: usize| direction[row][axis].abs();
        let nearest = |row: usize, taken: Option<usize>| {
            let free = (0..3).filter(|axis| Some(*axis) != taken);
            free.max_by(|&a, &b| share(row, a).total_cmp(&share(row, b)).then(b.cmp(&a))).unwrap_or(row)
        };
        let depth = nearest(1, None);
        let width = nearest(0, Some(depth));
        let rises_to_back = direction[1][depth] >= 0.0;
        Self { axes: [width, depth, 3 - width - depth], rises_to_back }
    }

    /// The depth of an index behind the front, in voxels.
    fn depth(&self, index: usize, count: usize) -> usize {
        if self.rises_to_back { index } else { count - 1 - index }
    }
}

impl BreastMasking {
    /// The parameters.
    pub fn params(&self) -> BreastMaskParams {
        self.params
    }

    /// The breasts in an image without contrast agent.
    ///
    /// # Errors
    /// [`SegmentationError::Imaging`] when a voxel is not finite or all are equal; [`SegmentationError::Parameter`]
    /// when the mean of the image is not above 0.
    pub fn of(&self, image: &Volume<f32>) -> Result<BreastMask> {
        image.check_finite().map_err(|voxel| voxel.during("breast mask"))?;
        let smooth = smoothed(image, 1.0);
        let mean =
            smooth.as_slice().iter().map(|&value| f64::from(value)).sum::<f64>() / smooth.as_slice().len() as f64;
        if mean <= 0.0 {
            return Err(SegmentationError::parameter("mean of the image", mean, "above 0"));
        }
        let levels = smooth.map(|&value| (f64::from(value).max(0.0) / mean).ln_1p());
        let level = otsu_threshold(&levels, BINS)?;
        let tissue = fill_holes(&largest_part(&levels.map(|&value| u32::from(value > level)), 1), 1);
        let grid = image.geometry();
        let axes = BodyAxes::of(grid);
        let chest_begin = self.chest_begin(&tissue, axes);
        let mut mask = tissue;
        if let Some(begin) = chest_begin {
            let (count, step) = (grid.size()[axes.axes[1]], grid.spacing()[axes.axes[1]]);
            for (position, voxel) in mask.as_mut_slice().iter_mut().enumerate() {
                let depth = axes.depth(grid.index_of(position)[axes.axes[1]], count);
                *voxel &= u32::from(depth as f64 * step < begin);
            }
        }
        Ok(BreastMask { mask, threshold: level.exp_m1() * mean, chest_begin })
    }

    /// The depth at which the chest begins.
    fn chest_begin(&self, tissue: &LabelMap, axes: BodyAxes) -> Option<f64> {
        let [width, depth, slices] = axes.axes;
        let (grid, step) = (tissue.geometry(), tissue.geometry().spacing()[depth]);
        let size = grid.size();
        // The depth of the skin, slice by slice from side to side.
        let mut skin = vec![vec![None; size[width]]; size[slices]];
        for (position, _) in tissue.as_slice().iter().enumerate().filter(|(_, voxel)| **voxel == 1) {
            let index = grid.index_of(position);
            let here = axes.depth(index[depth], size[depth]);
            let found: &mut Option<usize> = &mut skin[index[slices]][index[width]];
            *found = Some(found.map_or(here, |nearest| nearest.min(here)));
        }
        let with_tissue = skin.iter().filter(|slice| slice.iter().any(Option::is_some)).count();
        let enough = self.params.notch / step;
        let mut notches: Vec<usize> = skin.iter().filter_map(|slice| notch(slice, enough)).collect();
        if notches.is_empty() || 2 * notches.len() < with_tissue {
            return None;
        }
        notches.sort_unstable();
        Some(notches[notches.len() / 2] as f64 * step + self.params.chest_margin)
    }
}

/// The depth of the notch between two breasts: the deepest skin that has skin on both sides which is less deep by
/// `enough`.
fn notch(skin: &[Option<usize>], enough: f64) -> Option<usize> {
    let skin: Vec<usize> = skin.iter().flatten().copied().collect();
    let nearest = |depths: &mut dyn Iterator<Item = &usize>| -> Vec<usize> {
        depths
            .scan(usize::MAX, |least, &depth| {
                *least = depth.min(*least);
                Some(*least)
            })
            .collect()
    };
    let left = nearest(&mut skin.iter());
    let mut right = nearest(&mut skin.iter().rev());
    right.reverse();
    let is_notch = |place: &usize| {
        let flank = left[*place].max(right[*place]);
        (skin[*place] - flank) as f64 >= enough
    };
    (0..skin.len()).filter(is_notch).map(|place| skin[place]).max()
}
