//! The image and the mask of a case, and the regions in them.

use alnm_imaging::file::Source;
use alnm_imaging::mask::MaskParams;
use alnm_imaging::{FileFormat, Image, LabelMap, region};
use anyhow::Result;

use super::arguments::{ExtractArgs, WantedRegions};
use super::batch::Case;
use super::engine::Engine;
use super::table::{Row, RowValue};
use crate::input::SeriesChoice;

/// The columns that say which region a row is of, where a case has several rows.
pub(super) const REGION_COLUMNS: [&str; 1] = ["Label"];

/// The files of a case, opened.
pub(super) struct CaseFiles {
    pub(super) image: Source,
    pub(super) mask: Source,
}

/// An image and a mask with the regions that are extracted from them.
pub(super) struct Regions {
    pub(super) image: Image,
    pub(super) mask: LabelMap,
    pub(super) regions: Vec<CaseRegion>,
}

/// A region of a case: the voxels of one label.
pub(super) struct CaseRegion {
    pub(super) label: u32,
    /// What tells the region from the others of its case, by the names of [`REGION_COLUMNS`].
    pub(super) columns: Row,
}

/// Everything on the command line that decides which regions a case has, as text.
pub(super) fn description(arguments: &ExtractArgs) -> String {
    let ExtractArgs { roi, labels, label, .. } = arguments;
    format!("{:?}", (roi, labels, label))
}

/// The columns of the batch that stand in front of each row of a case.
pub(super) fn inputs(arguments: &ExtractArgs, case: &Case) -> Row {
    let is_kept = |name: &str| arguments.labels.is_none() || !REGION_COLUMNS.contains(&name);
    case.columns.iter().filter(|(name, _)| is_kept(name)).cloned().collect()
}

impl CaseRegion {
    /// How messages name the region; empty where a case has only one.
    pub(super) fn name(&self) -> String {
        let parts: Vec<String> =
            self.columns.iter().map(|(column, value)| format!("{} {}", column.to_lowercase(), value.text())).collect();
        parts.join(", ")
    }
}

impl CaseFiles {
    /// Opens image and mask, each once.
    pub(super) fn open(case: &Case) -> Result<Self> {
        Ok(Self { image: Source::open(&case.image)?, mask: Source::open(&case.mask)? })
    }
}

impl Regions {
    /// Reads a case and finds its regions.
    pub(super) fn read(arguments: &ExtractArgs, engine: &Engine, case: &Case, files: CaseFiles) -> Result<Self> {
        let image = SeriesChoice::default().read_source(files.image)?;
        let mask = read_mask(arguments, engine, case, files.mask, &image)?;
        let named = |label: u32, name: String| CaseRegion {
            label,
            columns: vec![(REGION_COLUMNS[0].to_owned(), RowValue::Text(name))],
        };
        let by_number = |label: u32| named(label, label.to_string());
        Ok(match &arguments.labels {
            None => {
                let label = case.label.unwrap_or_else(|| engine.label(arguments));
                Self { image, mask, regions: vec![CaseRegion { label, columns: Row::new() }] }
            }
            Some(WantedRegions::Union) => {
                let union = mask.map(|&voxel| u32::from(voxel != 0));
                Self { image, mask: union, regions: vec![named(1, "union".to_owned())] }
            }
            Some(WantedRegions::Listed(labels)) => {
                Self { image, mask, regions: labels.iter().copied().map(by_number).collect() }
            }
            Some(WantedRegions::EachLabel) => {
                let regions = region::labels(&mask, usize::MAX).into_iter().map(by_number).collect();
                Self { image, mask, regions }
            }
        })
    }
}

/// The mask of a case. Contours and segments are brought onto the image's grid; a label map keeps its own, which the
/// extraction checks.
fn read_mask(arguments: &ExtractArgs, engine: &Engine, case: &Case, source: Source, image: &Image) -> Result<LabelMap> {
    let mut params = MaskParams::default();
    params.region = arguments.roi.as_deref().map(Into::into);
    if source.format() == FileFormat::Dicom {
        params.grid = Some(image.geometry().clone());
    } else {
        params.channel = Some(case.label_channel.unwrap_or_else(|| engine.label_channel()));
    }
    Ok(params.check()?.read_source(source)?)
}
