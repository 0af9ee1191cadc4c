//! The image and the mask of a case, and the regions in them.

use alnm_imaging::file::Source;
use alnm_imaging::mask::MaskParams;
use alnm_imaging::{FileFormat, Image, LabelMap, region};
use anyhow::Result;

use super::arguments::{ExtractArgs, WantedRegions};
use super::batch::Case;
use super::engine::Engine;
use super::table::{Row, RowValue};
use crate::input::read_image;

/// An image and a mask with the regions that are extracted from them.
pub(super) struct Regions {
    pub(super) image: Image,
    pub(super) mask: LabelMap,
    pub(super) regions: Vec<CaseRegion>,
}

/// A region of a case: the voxels of one label.
pub(super) struct CaseRegion {
    pub(super) label: u32,
    /// What stands in the column Label, where `--labels` makes several rows of a case.
    pub(super) named: Option<String>,
}

impl CaseRegion {
    /// The input columns of the region's row.
    pub(super) fn columns(&self, case: &Case) -> Row {
        let mut columns = case.columns.clone();
        if let Some(label) = &self.named {
            columns.retain(|(name, _)| name != "Label");
            columns.push(("Label".to_owned(), RowValue::Text(label.clone())));
        }
        columns
    }
}

impl Regions {
    /// Reads a case and finds its regions.
    pub(super) fn read(arguments: &ExtractArgs, engine: &Engine, case: &Case) -> Result<Self> {
        let image = read_image(&case.image)?;
        let mask = read_mask(arguments, engine, case, &image)?;
        let named = |label: u32| CaseRegion { label, named: Some(label.to_string()) };
        Ok(match &arguments.labels {
            None => {
                let label = case.label.unwrap_or_else(|| engine.label());
                Self { image, mask, regions: vec![CaseRegion { label, named: None }] }
            }
            Some(WantedRegions::Union) => {
                let union = mask.map(|&voxel| u32::from(voxel != 0));
                Self { image, mask: union, regions: vec![CaseRegion { label: 1, named: Some("union".to_owned()) }] }
            }
            Some(WantedRegions::Listed(labels)) => {
                Self { image, mask, regions: labels.iter().copied().map(named).collect() }
            }
            Some(WantedRegions::EachLabel) => {
                let regions = region::labels(&mask, usize::MAX).into_iter().map(named).collect();
                Self { image, mask, regions }
            }
        })
    }
}

/// The mask of a case. Contours and segments are brought onto the image's grid; a label map keeps its own, which the
/// extraction checks.
fn read_mask(arguments: &ExtractArgs, engine: &Engine, case: &Case, image: &Image) -> Result<LabelMap> {
    let mut params = MaskParams::default();
    params.region = arguments.roi.as_deref().map(Into::into);
    let source = Source::open(&case.mask)?;
    if source.format() == FileFormat::Dicom {
        params.grid = Some(image.geometry().clone());
    } else {
        params.channel = Some(case.label_channel.unwrap_or_else(|| engine.label_channel()));
    }
    Ok(params.check()?.read_source(source)?)
}
