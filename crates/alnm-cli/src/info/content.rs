//! What is told of a path, read from its headers and voxels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{Acquisition, MaskFile, OtherObjects, ScannerModel, Segmentation, Series, SeriesVolume};
use alnm_imaging::file::{HeaderOutline, NamedSegment, Source};
use alnm_imaging::mask::{MaskParams, MaskRegion, RegionChoice};
use alnm_imaging::{FileFormat, Geometry, ImagingError};
use anyhow::Result;
use serde::Serialize;

use super::Extent;
use super::advice::Odd;
use super::statistics::{Label, Statistics, Values};
use crate::input::open;

/// What a path holds. What does not apply, or is not known, is none.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    #[serde(serialize_with = "lossy")]
    pub(super) path: PathBuf,
    /// Why nothing can be told.
    pub(super) error: Option<String>,
    pub(super) format: Option<String>,
    pub(super) voxels: Option<String>,
    /// What the header of a file says in the words of its format.
    pub(super) header: Option<HeaderOutline>,
    pub(super) volumes: Option<usize>,
    pub(super) geometry: Option<Geometry>,
    /// Where the index axes point to: L or R, P or A, S or I.
    pub(super) axes: Option<String>,
    pub(super) statistics: Option<Statistics>,
    /// Of a mask.
    pub(super) labels: Option<Vec<Label>>,
    pub(super) segments: Vec<NamedSegment>,
    pub(super) series: Vec<SeriesContent>,
    pub(super) masks: Vec<MaskContent>,
    /// DICOM files that are neither images nor masks.
    pub(super) others: Vec<OtherObjects>,
    pub(super) odd: Vec<Odd>,
    #[serde(skip)]
    pub(super) is_folder: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct SeriesContent {
    pub(super) uid: String,
    pub(super) number: Option<i64>,
    pub(super) modality: String,
    pub(super) description: String,
    pub(super) slices: usize,
    /// Why its slices form no volume.
    pub(super) problem: Option<String>,
    pub(super) voxels: Option<String>,
    pub(super) volumes: Vec<SeriesVolume>,
    pub(super) phases_by: Option<String>,
    pub(super) scanner: ScannerModel,
    pub(super) acquisition: Acquisition,
    pub(super) statistics: Option<Statistics>,
    pub(super) odd: Vec<Odd>,
}

#[derive(Debug, Serialize)]
pub(super) struct MaskContent {
    pub(super) kind: &'static str,
    #[serde(serialize_with = "lossy")]
    pub(super) path: PathBuf,
    pub(super) regions: Vec<MaskRegion>,
    /// Of a segmentation.
    pub(super) geometry: Option<Geometry>,
    pub(super) axes: Option<String>,
    /// Of a segmentation whose voxels are read: each of its regions.
    pub(super) labels: Option<Vec<Label>>,
    pub(super) odd: Vec<Odd>,
}

/// A path as text, in which what is no Unicode is replaced: JSON holds nothing else.
fn lossy<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

impl Described {
    /// A path of which nothing can be told.
    pub(super) fn failed(path: &Path, error: String) -> Self {
        Self { error: Some(error), ..Self::empty(path) }
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            error: None,
            format: None,
            voxels: None,
            header: None,
            volumes: None,
            geometry: None,
            axes: None,
            statistics: None,
            labels: None,
            segments: Vec::new(),
            series: Vec::new(),
            masks: Vec::new(),
            others: Vec::new(),
            odd: Vec::new(),
            is_folder: false,
        }
    }

    pub(super) fn read(path: &Path, extent: Extent) -> Result<Self> {
        let source = open(path)?;
        let described =
            Self { format: Some(source.format().to_string()), is_folder: source.is_folder(), ..Self::empty(path) };
        if source.format() == FileFormat::Dicom {
            described.with_dicom(source, extent)
        } else {
            described.with_image(source, extent)
        }
    }

    fn with_image(mut self, source: Source, extent: Extent) -> Result<Self> {
        let outline = source.try_clone()?.read_outline()?;
        let components = outline.components;
        self.geometry.clone_from(&outline.geometry);
        self.axes = outline.geometry.as_ref().map(axes);
        self.header = Some(outline);
        let header = match source.try_clone()?.read_header() {
            Ok(header) => header,
            Err(error) => {
                self.odd.extend(self.header.as_ref().map(|header| Odd::of_header(&error, header)));
                return Ok(self);
            }
        };
        self.segments = source.segments()?;
        if let Some(conflict) = source.form_conflict()? {
            self.odd.push(Odd::new(conflict, "choose the one that is right by --form"));
        }
        if !source.is_placed()? {
            self.odd.push(Odd::new(
                "the header has neither qform nor sform: where the image lies and which side is left is unknown",
                "do not rely on left and right; where the orientation is known, write it into the header",
            ));
        }
        self.voxels = Some(format!("{:?}", header.pixel_type));
        self.volumes = Some((header.volumes / components.max(1)).max(1));
        self.axes = Some(axes(&header.geometry));
        self.geometry = Some(header.geometry);
        if !extent.voxels {
            return Ok(self);
        }
        if header.volumes > 1 && !self.segments.is_empty() {
            self.labels = labels_of_segments(&source, &self.segments).ok();
        }
        let first = if header.volumes > 1 { source.read_volume(1) } else { source.read_image() };
        match first {
            Ok(image) => {
                let values = Values::of(&image);
                self.statistics = values.statistics(1, extent.bins);
                if header.volumes == 1 {
                    let named = |label| self.segments.iter().find(|segment| segment.label == label);
                    self.labels = values.labels(&image, |label| named(label).map(|segment| segment.name.clone()));
                }
                let not_finite = self.statistics.as_ref().map_or(1, |found| found.not_finite);
                if not_finite > 0 {
                    self.odd.push(Odd::new(
                        "some voxels are NaN or infinite",
                        "most commands refuse such voxels; replace them, for instance by 0",
                    ));
                }
            }
            Err(error) => self.odd.push(Odd::of_voxels(&error)),
        }
        Ok(self)
    }

    fn with_dicom(mut self, source: Source, extent: Extent) -> Result<Self> {
        let folder = source.dicom_folder()?;
        // A mask is read as one of another format is; of a folder, which may hold many, only on request.
        let reads_masks = extent.voxels_of_dicom || (extent.voxels && !self.is_folder);
        self.masks = folder.masks().iter().map(|mask| MaskContent::of(mask, reads_masks)).collect();
        let left_out = folder.mask_problems().iter().chain(folder.file_problems());
        self.odd.extend(left_out.map(|problem| {
            Odd::new(
                format_args!("left out {problem}"),
                "export the file again, or take it out of the folder; the others are read",
            )
        }));
        self.others = folder.others().to_vec();
        if folder.series().is_empty() && folder.masks().is_empty() && self.odd.is_empty() {
            self.odd.push(Odd::new(
                "no image and no mask is here",
                "nothing, where none is looked for; no command reads reports, plans and presentation states",
            ));
        }
        self.series = folder.series().iter().map(|series| SeriesContent::of(series, extent)).collect();
        Ok(self)
    }
}

impl SeriesContent {
    fn of(series: &Series, extent: Extent) -> Self {
        let mut odd = Odd::of_series(series);
        let statistics = if extent.voxels_of_dicom && series.problem().is_none() {
            match series.volume(1) {
                Ok(image) => Values::of(&image).statistics(1, extent.bins),
                Err(error) => {
                    odd.push(Odd::new(
                        format_args!("the voxels cannot be read: {error}"),
                        "export the series again, uncompressed if its compression is not known here",
                    ));
                    None
                }
            }
        } else {
            None
        };
        Self {
            uid: series.uid().to_owned(),
            number: series.number(),
            modality: series.modality().to_owned(),
            description: series.description().to_owned(),
            slices: series.slice_count(),
            problem: series.problem().map(ToString::to_string),
            voxels: series.pixel_type().ok().filter(|_| series.phase_count() > 0).map(|kind| format!("{kind:?}")),
            volumes: series.volumes().unwrap_or_default(),
            phases_by: series.phases_by().map(|by| by.to_string()),
            scanner: series.scanner().clone(),
            acquisition: series.acquisition().clone(),
            statistics,
            odd,
        }
    }
}

impl MaskContent {
    fn of(mask: &MaskFile, reads_voxels: bool) -> Self {
        let kind = match mask {
            MaskFile::StructureSet(_) => "structure set",
            MaskFile::Segmentation(_) => "segmentation",
            _ => "mask",
        };
        let (path, regions) = (mask.path().to_owned(), mask.regions());
        let mut content = Self { kind, path, regions, geometry: None, axes: None, labels: None, odd: Vec::new() };
        if let MaskFile::Segmentation(segmentation) = mask
            && let Err(error) = content.add_voxels(segmentation, reads_voxels)
        {
            content.odd.push(Odd::new(
                format_args!("the segments cannot be read: {}", reason(&error)),
                "export the segmentation again, uncompressed if its compression is not known here",
            ));
        }
        content
    }

    /// The grid of a segmentation and, where its voxels are read, what each of its regions holds.
    fn add_voxels(&mut self, file: &Segmentation, reads_voxels: bool) -> Result<(), ImagingError> {
        let geometry = file.grid()?;
        self.axes = Some(axes(&geometry));
        self.geometry = Some(geometry);
        if !reads_voxels {
            return Ok(());
        }
        // One by one, since segments may overlap.
        let of_region = |region: &MaskRegion| -> Result<Label, ImagingError> {
            let params = MaskParams::default().with_region(RegionChoice::Number(region.number));
            let voxels = file.mask(&params.check()?)?;
            Ok(Label::of(&voxels, 1, region.label, Some(region.name.clone())))
        };
        self.labels = Some(self.regions.iter().map(of_region).collect::<Result<_, _>>()?);
        Ok(())
    }
}

/// What each segment of a file holds that names its segments, in whatever layer it lies.
fn labels_of_segments(source: &Source, segments: &[NamedSegment]) -> Result<Vec<Label>, ImagingError> {
    let layers: BTreeSet<usize> = segments.iter().map(|segment| segment.layer).collect();
    let mut labels = Vec::new();
    for layer in layers {
        let mask = MaskParams::default().with_channel(layer).check()?.read_source(source.try_clone()?)?;
        for (place, segment) in segments.iter().enumerate().filter(|(_, segment)| segment.layer == layer) {
            labels.push((place, Label::of(&mask, segment.label, segment.label, Some(segment.name.clone()))));
        }
    }
    labels.sort_by_key(|(place, _)| *place);
    Ok(labels.into_iter().map(|(_, label)| label).collect())
}

/// What is wrong with a file, without its name.
pub(super) fn reason(error: &ImagingError) -> String {
    match error {
        ImagingError::File { problem, .. } => problem.to_string(),
        other => other.to_string(),
    }
}

/// Where the index axes point to, by the letters of the nearest axes of the patient.
pub(super) fn axes(grid: &Geometry) -> String {
    const LETTERS: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['S', 'I']];
    let letter = |axis: usize| {
        let along = [0, 1, 2].map(|of_patient| grid.direction()[of_patient][axis]);
        let nearest = (0..3).max_by(|&a, &b| along[a].abs().total_cmp(&along[b].abs())).unwrap_or(0);
        LETTERS[nearest][usize::from(along[nearest] < 0.0)]
    };
    (0..grid.dimension()).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_letters() {
        let grid = Geometry::axis_aligned([4, 4, 4], [1.0; 3]).unwrap();
        assert_eq!(axes(&grid), "LPS");
        let turned = [[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]];
        let grid = Geometry::new([4, 4, 4], [1.0; 3], [0.0; 3], turned).unwrap();
        assert_eq!(axes(&grid), "SRA");
    }
}
