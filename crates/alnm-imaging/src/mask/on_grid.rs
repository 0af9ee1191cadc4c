//! Masks that are brought onto the grid of an image, and what of them is lost there.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::narrow::{Label, Mask, MaskRef};
use super::note::{MaskNote, ReadMask};
use super::region::MaskProblem;
use crate::error::{FileProblem, Result};
use crate::geometry::Geometry;
use crate::volume::Volume;
use crate::with_labels;

/// The voxels of a label.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    all: u64,
    /// Those whose centres lie outside of the grid.
    outside: u64,
}

/// A mask on a grid by the nearest voxel, with notes on the regions of which a part or all is lost. `name` gives the
/// words for the region of a label.
///
/// # Errors
/// [`crate::ImagingError::File`] with the path of the mask: with [`MaskProblem::OffGrid`] when no voxel of any region
/// is left, and as [`resample`].
pub(crate) fn onto_grid(
    mask: MaskRef<'_>,
    grid: &Geometry,
    path: &Path,
    name: impl Fn(u32) -> String,
) -> Result<ReadMask<Mask>> {
    let moved = mask.resampled(grid).map_err(|error| FileProblem::from(error).at(path))?;
    let before = with_labels!(mask, labels => counted(labels, grid));
    let left = moved.borrowed().labels(usize::MAX);
    if left.is_empty() && !before.is_empty() {
        let regions = before.keys().map(|&label| name(label)).collect();
        return Err(FileProblem::from(MaskProblem::OffGrid { regions }).at(path));
    }
    let note = |(&label, found): (&u32, &Counted)| match (left.binary_search(&label), found.outside) {
        (Err(_), _) => Some(MaskNote::Lost { region: name(label) }),
        (Ok(_), 0) => None,
        (Ok(_), outside) => {
            Some(MaskNote::LeavesGrid { region: name(label), share: outside as f64 / found.all as f64 })
        }
    };
    let notes = before.iter().filter_map(note).collect();
    Ok(ReadMask { mask: moved, notes })
}

/// The voxels of each label, and those of them outside of a grid.
fn counted<L: Label>(mask: &Volume<L>, grid: &Geometry) -> BTreeMap<u32, Counted> {
    let [width, height, _] = mask.geometry().size();
    let of_slice = |(slice, voxels): (usize, &[L])| {
        let mut found: BTreeMap<u32, Counted> = BTreeMap::new();
        let labels = voxels.iter().map(|&voxel| -> u32 { voxel.into() });
        for (place, label) in labels.enumerate().filter(|(_, label)| *label != 0) {
            let index = mask.geometry().index_of(slice * width * height + place);
            let counted = found.entry(label).or_default();
            counted.all += 1;
            counted.outside += u64::from(!grid.contains(mask.geometry().voxel_to_point(index)));
        }
        found
    };
    let slices = mask.as_slice().par_chunks(width * height).enumerate().map(of_slice);
    slices.reduce(BTreeMap::new, |mut sum, slice| {
        for (label, found) in slice {
            let counted = sum.entry(label).or_default();
            counted.all += found.all;
            counted.outside += found.outside;
        }
        sum
    })
}
