//! DICOM series as volumes: reading folders, dynamic (DCE) series phase by phase, and writing.
//!
//! Files are grouped by `SeriesInstanceUID`, whatever their names. Slices are sorted by their position along the normal
//! of the slices; a slice that is missing or stands twice, uneven distances and mixed orientations are errors that name
//! the place. Where a position occurs more than once, the series is dynamic and its phases are separated by
//! `TemporalPositionIdentifier` (`TemporalPositionIndex` in enhanced files), else `TriggerTime`, else the time of
//! acquisition. Classic files and enhanced multi-frame files are read alike, and so are files that begin without the
//! preamble or without the meta group, as old exports do.
//!
//! Voxels carry `RescaleSlope` and `RescaleIntercept`. The pixel type is the smallest that GDCM would choose: the
//! stored type where there is nothing to rescale, the smallest integer type that holds all rescaled values where slope
//! and intercept are whole numbers, double precision otherwise.
//!
//! ```
//! use alnm_imaging::dicom::{DicomFolder, Phase, SeriesAttributes, write_series};
//! use alnm_imaging::{Geometry, Volume};
//!
//! let folder = tempfile::tempdir()?;
//! let grid = Geometry::axis_aligned([16, 16, 4], [0.8, 0.8, 2.0])?;
//! let phases: Vec<Phase<u16>> =
//!     (0..3).map(|i| Phase::new(Volume::filled(grid.clone(), 100 * i as u16), 30.0 * f64::from(i))).collect();
//! write_series(folder.path(), &phases, &SeriesAttributes::new("P001", "DCE"))?;
//!
//! let scanned = DicomFolder::scan(folder.path())?;
//! let series = scanned.only_series()?;
//! assert_eq!(series.phase_count(), 3);
//! let dynamic = series.phases()?;
//! assert_eq!(dynamic.times(), [0.0, 30.0, 60.0]);
//! assert_eq!(series.phase(2)?.cast::<f64>().as_slice()[0], 100.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acquisition;
mod attributes;
mod coded_concept;
mod compressed;
mod contour;
mod copies;
mod derived_object;
mod encoding;
mod folder;
mod frame_place;
mod header_reader;
mod image_file;
mod item;
mod jpeg;
#[cfg(feature = "jpeg2000")]
mod jpeg_2000;
mod jpeg_ls;
#[cfg(feature = "jpegxl")]
mod jpeg_xl;
pub(crate) mod listing;
mod mask_file;
mod measurement_report;
mod mosaic;
mod multi_frame;
mod object_identity;
mod outline;
mod palette;
mod parametric_map;
mod phase_key;
mod phases_of_series;
mod pixels;
mod plane;
mod problem;
mod read_elements;
mod rle;
mod secondary_capture;
mod segment;
mod segmentation;
mod segmentation_writer;
mod series;
pub(crate) mod series_problem;
mod series_warning;
mod slice;
mod sorting;
mod source_images;
pub(crate) mod stored_file;
mod structure_set;
mod structure_set_writer;
mod tiling;
mod uid;
mod united_imaging;
mod uptake;
mod volume_choice;
mod volume_kind;
mod walk;
mod write;

use crate::error::FileProblem;
use crate::volume::Image;

pub use crate::dynamic_series::DynamicSeries;
pub use acquisition::Acquisition;
pub use coded_concept::CodedConcept;
pub use contour::{Contour, ContourKind};
pub use derived_object::DerivedSeries;
pub use folder::{DicomFolder, OtherObjects, read_phase, read_phases, read_series};
pub use mask_file::MaskFile;
pub use measurement_report::{
    MeasuredRegion, MeasuredValue, MeasurementReportParams, MeasurementReportWriter, SegmentReference,
};
pub use object_identity::ObjectIdentity;
pub use parametric_map::{ParametricMapParams, ParametricMapWriter};
pub use phase_key::PhaseKey;
pub use secondary_capture::ColourPage;
pub use segment::{Segment, SegmentAlgorithm};
pub use segmentation::Segmentation;
pub use segmentation_writer::{FractionMeaning, SegmentationKind, SegmentationParams, SegmentationWriter};
pub use series::{Instance, Series, SeriesVolume};
pub use series_problem::SeriesProblem;
pub use series_warning::SeriesWarning;
pub use slice::ScannerModel;
pub use source_images::SourceImages;
pub use structure_set::{StructureSet, StructureSetRoi};
pub use structure_set_writer::{ContourHoles, StructureSetParams, StructureSetWriter};
pub use uid::{is_uid, uid_from};
pub use uptake::{DecayCorrection, UptakeNorm};
pub use volume_choice::{SeriesValues, VolumeChoice};
pub use volume_kind::VolumeKind;
pub use write::{DicomVoxel, Phase, SeriesAttributes, write_series};

/// Reads an image whose slices all lie in one file, from its bytes.
///
/// # Errors
/// [`FileProblem`] when the bytes are no DICOM file, or one without an image that is a volume by itself.
pub fn decode(bytes: &[u8]) -> Result<Image, FileProblem> {
    Ok(Series::image_of(stored_file::parse_bytes(bytes)?)?)
}
