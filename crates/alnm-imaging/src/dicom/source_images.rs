//! The images for which an object is written.

use dicom_dictionary_std::tags;

use super::item::Item;
use super::series::{Instance, Series};
use super::uid::{is_uid, uid_from};
use super::write::SeriesAttributes;
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;

/// The images for which a segmentation, structure set, report or map is written: its patient, study and frame of
/// reference are theirs, and it refers to each of them.
///
/// ```
/// use alnm_imaging::dicom::{DicomFolder, Phase, SeriesAttributes, SourceImages, write_series};
/// use alnm_imaging::{Geometry, Volume};
///
/// let folder = tempfile::tempdir()?;
/// let grid = Geometry::axis_aligned([16, 16, 4], [0.8, 0.8, 2.0])?;
/// let image = Phase::new(Volume::filled(grid.clone(), 100_u16), 0.0);
/// write_series(folder.path(), &[image], &SeriesAttributes::new("P001", "T1"))?;
///
/// let source = SourceImages::of(DicomFolder::scan(folder.path())?.only_series()?, 1)?;
/// assert_eq!(source.geometry(), &grid);
/// assert_eq!(source.instances().len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SourceImages {
    attributes: SeriesAttributes,
    series_uid: String,
    frame_of_reference_uid: String,
    instances: Vec<Instance>,
    geometry: Geometry,
}

impl SourceImages {
    /// One phase, counted from 1, of a series.
    ///
    /// # Errors
    /// As [`Series::phase`] where the slices form no volume; [`ImagingError::InvalidParameter`] when an identifier by
    /// which others refer to the images is missing or malformed.
    pub fn of(series: &Series, phase: usize) -> Result<Self> {
        let attributes = series.attributes();
        let series_uid = series.uid().to_owned();
        let instances = series.instances(phase)?;
        check_uid("StudyInstanceUID", &attributes.study_uid)?;
        check_uid("SeriesInstanceUID", &series_uid)?;
        for instance in &instances {
            check_uid("SOPInstanceUID", &instance.sop_instance_uid)?;
            check_uid("SOPClassUID", &instance.sop_class_uid)?;
        }
        let frame_of_reference_uid = match attributes.frame_of_reference_uid.as_str() {
            "" => uid_from(&["frame of reference", &series_uid]),
            uid => uid.to_owned(),
        };
        Ok(Self { attributes, series_uid, frame_of_reference_uid, instances, geometry: series.geometry()?.clone() })
    }

    /// Patient, study and series.
    pub fn attributes(&self) -> &SeriesAttributes {
        &self.attributes
    }

    /// `SeriesInstanceUID`.
    #[must_use]
    pub fn series_uid(&self) -> &str {
        &self.series_uid
    }

    /// `FrameOfReferenceUID`; derived from the series where the images state none.
    #[must_use]
    pub fn frame_of_reference_uid(&self) -> &str {
        &self.frame_of_reference_uid
    }

    /// The slices in order of position.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The grid of the images.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Whether a grid is that of the images, so that its slices are theirs.
    pub(super) fn has_grid(&self, grid: &Geometry) -> bool {
        const TOLERANCE: f64 = 1e-4;
        self.geometry.difference(grid, TOLERANCE).is_none()
    }

    /// Whether slices are frames of one file.
    fn is_multi_frame(&self) -> bool {
        let first = self.instances.first().map(|instance| &instance.sop_instance_uid);
        self.instances.len() > 1 && self.instances.iter().all(|instance| Some(&instance.sop_instance_uid) == first)
    }

    /// The files, each once.
    fn files(&self) -> &[Instance] {
        if self.is_multi_frame() { &self.instances[..1] } else { &self.instances }
    }

    /// References to all files.
    pub(super) fn file_references(&self) -> impl Iterator<Item = Item> {
        self.files().iter().map(file_reference)
    }

    /// A reference to the file of a slice, and to its frame where the file has several.
    pub(super) fn slice_reference(&self, slice: usize) -> Item {
        let instance = &self.instances[slice];
        let reference = file_reference(instance);
        if self.is_multi_frame() {
            reference.text(tags::REFERENCED_FRAME_NUMBER, instance.frame.to_string())
        } else {
            reference
        }
    }

    /// `ReferencedSeriesSequence`, by which viewers find the images (PS3.3 C.12.2).
    pub(super) fn put_references(&self, object: Item) -> Item {
        let series = Item::new()
            .items(tags::REFERENCED_INSTANCE_SEQUENCE, self.file_references())
            .text(tags::SERIES_INSTANCE_UID, &self.series_uid);
        object.item(tags::REFERENCED_SERIES_SEQUENCE, series)
    }
}

/// A reference to a file.
fn file_reference(instance: &Instance) -> Item {
    Item::new()
        .text(tags::REFERENCED_SOP_CLASS_UID, &instance.sop_class_uid)
        .text(tags::REFERENCED_SOP_INSTANCE_UID, &instance.sop_instance_uid)
}

fn check_uid(parameter: &'static str, uid: &str) -> Result<()> {
    if is_uid(uid) {
        return Ok(());
    }
    Err(ImagingError::InvalidParameter {
        operation: "referring to a DICOM series",
        parameter,
        value: format!("{uid:?}"),
        requirement: "it must be a unique identifier, since objects refer to images by it",
    })
}
