//! What is known of a plane of an image: a classic file, or a frame of a multi-frame file.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::acquisition::Acquisition;
use super::palette::Palette;
use super::pixels::PixelFormat;
use super::plane::axes_of;
use super::stored_file::StoredFile;
use super::uptake::PetScan;
use super::volume_kind::Making;

/// What identifies a series, the same for all its slices.
#[derive(Debug, Clone, Default)]
pub(super) struct SeriesIdentity {
    pub(super) uid: String,
    pub(super) description: String,
    pub(super) modality: String,
    pub(super) patient_id: String,
    pub(super) study_uid: String,
    pub(super) frame_of_reference: Option<String>,
    pub(super) study: StudyIdentity,
    pub(super) patient_position: String,
    pub(super) laterality: String,
    pub(super) body_part: String,
    pub(super) scanner: ScannerModel,
    pub(super) acquisition: Acquisition,
}

/// The scanner that made a series, as its files state it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ScannerModel {
    /// `Manufacturer` (0008,0070), empty when absent.
    pub manufacturer: String,
    /// `ManufacturerModelName` (0008,1090), empty when absent.
    pub model: String,
    /// `MagneticFieldStrength` (0018,0087) in tesla.
    pub field_strength: Option<f64>,
}

/// What all series of a study share, identifiers apart.
#[derive(Debug, Clone, Default)]
pub(super) struct StudyIdentity {
    pub(super) patient_name: String,
    pub(super) patient_sex: String,
    pub(super) patient_birth_date: String,
    pub(super) id: String,
    pub(super) accession_number: String,
    pub(super) description: String,
    pub(super) date: String,
    /// Seconds since midnight.
    pub(super) time: Option<f64>,
}

/// What the distances of pixels are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PixelSpacing {
    /// `PixelSpacing` and its like: distances in the patient.
    Patient,
    /// `ImagerPixelSpacing`: distances on the detector.
    Detector,
    /// Nothing.
    Unknown,
}

/// A rectangle of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// First row and column.
    pub(super) start: [usize; 2],
    /// Columns of the whole frame.
    pub(super) frame_columns: usize,
    /// Rows of the whole frame.
    pub(super) frame_rows: usize,
}

/// One plane: where it lies, when it was taken and how its pixels are stored.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    /// The file that holds it.
    pub(super) file: Arc<StoredFile>,
    /// Number of the frame in its file, from 0.
    pub(super) frame: u32,
    pub(super) sop_instance_uid: String,
    pub(super) sop_class_uid: String,
    /// `SliceThickness` in mm.
    pub(super) thickness: Option<f64>,
    /// `EchoTime` in ms.
    pub(super) echo_time: Option<f64>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Whether the file says where the plane lies; position and orientation mean nothing where it does not.
    pub(super) has_place: bool,
    /// Centre of the first pixel in mm.
    pub(super) position: [f64; 3],
    /// Direction cosines along a row, then along a column.
    pub(super) orientation: [f64; 6],
    /// Distance of rows, then of columns, in mm.
    pub(super) pixel_spacing: [f64; 2],
    pub(super) spacing_source: PixelSpacing,
    /// Distance to the next slice as the file states it, or else the slice's thickness.
    pub(super) stated_spacing: Option<f64>,
    pub(super) temporal_position: Option<i64>,
    /// Seconds after the trigger.
    pub(super) trigger_time: Option<f64>,
    /// Seconds since 1970, or since midnight where no date is given.
    pub(super) acquisition_time: Option<f64>,
    /// Seconds since 1970, or since midnight where no date is given.
    pub(super) content_time: Option<f64>,
    /// `DimensionIndexValues` of a frame without those of its place, or the like of older objects.
    pub(super) dimension_indices: Vec<i64>,
    /// `InstanceNumber`, and the number of the frame behind it.
    pub(super) instance_number: Option<i64>,
    /// `NumberOfTemporalPositions`.
    pub(super) stated_phases: Option<i64>,
    pub(super) making: Making,
    /// The part of the frame that the slice takes, where the frame is a mosaic.
    pub(super) tile: Option<Tile>,
    /// The private scale slope of Philips.
    pub(super) philips_scale: Option<f64>,
    /// What standardised uptake values are computed from; none of other modalities.
    pub(super) pet: Option<Arc<PetScan>>,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    pub(super) format: PixelFormat,
    /// The colours of which the pixels are indices.
    pub(super) palette: Option<Arc<Palette>>,
    /// Whether high values are shown dark (`MONOCHROME1`).
    pub(super) is_high_dark: bool,
    /// Whether the luminance of colours was asked for.
    pub(super) as_luminance: bool,
    /// Bytes of the file, shared out among its frames.
    pub(super) stored_bytes: u64,
}

impl Slice {
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Unit vectors along x (a row), along y (a column) and their normal.
    pub(super) fn axes(&self) -> [[f64; 3]; 3] {
        axes_of(self.orientation)
    }
}
