//! Features slice by slice, averaged over the slices of the region.

use std::collections::BTreeMap;

use alnm_imaging::mask::{Label, Mask, MaskRef};
use alnm_imaging::{Volume, with_labels};
use alnm_radiomics::{Extractor, RadiomicsError};
use anyhow::{Result, ensure};

use super::log::Log;
use super::regions::Subject;
use super::table::{Row, RowValue};

/// The column with the number of slices that the means are taken over.
pub(super) const SLICES: &str = "Slices";

/// The mean of each feature over the axial slices of a region: each slice is extracted as a region of its own, with the
/// same parameters. Slices in which the region is too small for an extraction are left out, and so are values that are
/// not defined in a slice.
pub(super) fn slice_means(extractor: &Extractor, subject: &Subject<'_>, log: &Log) -> Result<Row> {
    let Subject { number, image, mask, label, .. } = *subject;
    let region = mask.bounding_box(label)?;
    let (mut names, mut means) = (Vec::new(), BTreeMap::<String, Mean>::new());
    let (mut slices, mut left_out) = (0u32, 0u32);
    for z in region.ranges_zyx()[0].clone() {
        let extraction = match extractor.execute(image, &slice_of(mask, label, z), label) {
            Ok(extraction) => extraction,
            Err(error) if is_too_small(&error) => {
                left_out += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        slices += 1;
        for feature in extraction.features {
            let name = feature.id.name();
            if !means.contains_key(&name) {
                names.push(name.clone());
            }
            means.entry(name).or_default().add(feature.value);
        }
    }
    ensure!(slices > 0, "the region is too small for an extraction in each of its {left_out} slices");
    if left_out > 0 {
        log.warning(format_args!(
            "case {number}: the region is too small for an extraction in {left_out} of {} slices, which the means leave out",
            slices + left_out
        ));
    }
    let slices = (SLICES.to_owned(), RowValue::Number(f64::from(slices)));
    let mean = |name: String| {
        let mean = means.get(&name).map_or(f64::NAN, Mean::value);
        (name, RowValue::Number(mean))
    };
    Ok(std::iter::once(slices).chain(names.into_iter().map(mean)).collect())
}

/// The mask with the label in one slice only.
fn slice_of(mask: MaskRef<'_>, label: u32, z: usize) -> Mask {
    fn only<L: Label>(mask: &Volume<L>, label: u32, z: usize) -> Volume<L> {
        let mut slice = Volume::filled(mask.geometry().clone(), L::default());
        let [_, rows, columns] = mask.geometry().shape();
        let voxels = z * rows * columns..(z + 1) * rows * columns;
        for (to, &voxel) in slice.as_mut_slice()[voxels.clone()].iter_mut().zip(&mask.as_slice()[voxels]) {
            *to = if voxel.into() == label { voxel } else { L::default() };
        }
        slice
    }
    with_labels!(mask, labels => only(labels, label, z).into())
}

/// Whether a slice holds too little of the region.
fn is_too_small(error: &RadiomicsError) -> bool {
    matches!(
        error,
        RadiomicsError::TooFewDimensions { .. }
            | RadiomicsError::TooFewVoxels { .. }
            | RadiomicsError::NoNeighbours { .. }
            | RadiomicsError::LabelAbsent { .. }
            | RadiomicsError::NoLabels { .. }
            | RadiomicsError::Resegmented { .. }
    )
}

/// The mean of the defined values.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        if !value.is_nan() {
            self.sum += value;
            self.count += 1;
        }
    }

    fn value(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.sum / f64::from(self.count) }
    }
}
