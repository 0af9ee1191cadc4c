//! Reading the headers of files with images.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dicom_core::Tag;
use dicom_core::header::HasLength;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::acquisition::Acquisition;
use super::attributes::{
    get, integer, item, items, number, numbers, private, private_numbers, seconds_of_time, singles, text, vector,
};
use super::frame_place::{self, Placed};
use super::mosaic;
use super::palette::Palette;
use super::pixels::PixelFormat;
use super::plane::{Sources, side};
use super::problem::malformed;
use super::slice::{PixelSpacing, ScannerModel, SeriesIdentity, Slice, StudyIdentity};
use super::stored_file::{Opened, StoredFile};
use super::united_imaging;
use super::uptake::PetScan;
use super::volume_kind::Making;
use crate::error::FileProblem;

/// A file with an image: its planes, or why it has none that can be read.
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    /// `SeriesInstanceUID`; empty where none is stated.
    pub(super) series: String,
    pub(super) series_number: Option<i64>,
    /// What the file says of its series; none of a file that is not the first of its series.
    pub(super) identity: Option<Box<SeriesIdentity>>,
    pub(super) slices: Result<Vec<Slice>, FileProblem>,
}

/// The first file of each series by its path, as far as files were seen. What is said of a series is taken from that
/// file, and not read from the hundreds of others.
#[derive(Default)]
pub(super) struct FirstFiles(Mutex<HashMap<String, PathBuf>>);

impl FirstFiles {
    /// Whether no file of a series was seen whose path comes before this one.
    fn are_led_by(&self, path: &Path, series: &str) -> bool {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.get(series).is_some_and(|known| known.as_path() <= path) {
            return false;
        }
        first.insert(series.to_owned(), path.to_owned());
        true
    }
}

impl ImageFile {
    /// Whether a header is that of a file with an image. Structure sets and the like have no rows, private objects of
    /// vendors say nothing of pixels, and files whose frames are labels are read as masks.
    pub(super) fn is_image(header: &InMemDicomObject) -> bool {
        let has = |tag: Tag| get(header, tag).is_some();
        let says_of_pixels = [tags::BITS_ALLOCATED, tags::SAMPLES_PER_PIXEL, tags::PHOTOMETRIC_INTERPRETATION];
        let has_image = has(tags::ROWS) && has(tags::COLUMNS) && says_of_pixels.into_iter().any(has);
        has_image && text(header, tags::MODALITY).as_deref() != Some("SEG")
    }

    /// The image of a file, one of those that are read together.
    pub(super) fn of(opened: Opened, together: &FirstFiles) -> Self {
        let Opened { header, file } = opened;
        let series = text(&header, tags::SERIES_INSTANCE_UID).unwrap_or_default();
        let is_first = together.are_led_by(file.path(), &series);
        Self {
            path: file.path().to_owned(),
            series_number: integer(&header, tags::SERIES_NUMBER),
            identity: is_first.then(|| Box::new(SeriesIdentity::of(&header))),
            series,
            slices: slices(&header, &Arc::new(file)),
        }
    }
}

/// The planes of a file.
fn slices(object: &InMemDicomObject, file: &Arc<StoredFile>) -> Result<Vec<Slice>, FileProblem> {
    let groups = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let count = integer(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if !groups.is_empty() && groups.len() as i64 != count {
        return Err(malformed(format!("{count} frames, but functional groups for {}", groups.len())));
    }
    let frames = Frames::of(object, file, groups, usize::try_from(count.max(1)).unwrap_or(1))?;
    let slices: Vec<Slice> = (0..frames.count).map(|frame| frames.slice(frame)).collect::<Result<_, _>>()?;
    match (slices.as_slice(), united_imaging::grid(object)) {
        ([frame], Some(grid)) => united_imaging::unpacked(object, grid, frame),
        ([frame], None) if mosaic::is_mosaic(&frame.making) && frame.has_place => mosaic::unpacked(object, frame),
        _ => Ok(slices),
    }
}

/// What the planes of a file are made from.
struct Frames<'a> {
    object: &'a InMemDicomObject,
    file: &'a Arc<StoredFile>,
    /// Functional groups of each frame; none in classic files.
    groups: &'a [InMemDicomObject],
    shared: Option<&'a InMemDicomObject>,
    count: usize,
    /// Places of the frames of a classic file.
    places: Vec<Option<Placed>>,
    /// Which of the indices of a frame are not those of its place.
    is_dimension_of_content: Vec<bool>,
    /// Indices of the frames of objects of nuclear medicine, those of their place left aside.
    vectors: Vec<Vec<i64>>,
    /// Seconds from the first frame to each, where the frames of a film state them.
    film: Option<Vec<f64>>,
    pet: Option<Arc<PetScan>>,
    palette: Option<Arc<Palette>>,
}

impl<'a> Frames<'a> {
    fn of(
        object: &'a InMemDicomObject,
        file: &'a Arc<StoredFile>,
        groups: &'a [InMemDicomObject],
        count: usize,
    ) -> Result<Self, FileProblem> {
        let is_classic = groups.is_empty();
        let places = if is_classic { frame_place::of_classic(object, count)? } else { Vec::new() };
        let vectors = if is_classic { frame_place::content_vectors(object, count) } else { Vec::new() };
        Ok(Self {
            object,
            file,
            groups,
            shared: item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE),
            count,
            places,
            is_dimension_of_content: frame_place::dimensions_of_content(object),
            vectors,
            film: if is_classic && count > 1 { frame_place::film_times(object, count) } else { None },
            pet: PetScan::of(object).map(Arc::new),
            palette: Palette::of(object)?.map(Arc::new),
        })
    }

    fn slice(&self, frame: usize) -> Result<Slice, FileProblem> {
        let object = self.object;
        let sources = Sources { frame: self.groups.get(frame), shared: self.shared, object };
        let measures = sources.group(tags::PIXEL_MEASURES_SEQUENCE);
        let positive = |spacing: &f64| *spacing > 0.0;
        let place = match self.places.get(frame) {
            Some(place) => *place,
            None => Placed::of(
                sources.group(tags::PLANE_POSITION_SEQUENCE),
                sources.group(tags::PLANE_ORIENTATION_SEQUENCE),
            )?,
        };
        let (pixel_spacing, spacing_source) = pixel_spacing(measures, object, place.is_some())?;
        let [slope, intercept] = scale(&sources);
        let Placed { position, orientation } = place.unwrap_or_default();
        let content = sources.group(tags::FRAME_CONTENT_SEQUENCE);
        Ok(Slice {
            file: Arc::clone(self.file),
            frame: frame as u32,
            sop_instance_uid: text(object, tags::SOP_INSTANCE_UID).unwrap_or_default(),
            sop_class_uid: text(object, tags::SOP_CLASS_UID).unwrap_or_default(),
            thickness: number(measures, tags::SLICE_THICKNESS).filter(positive),
            echo_time: sources.echo_time(),
            rows: side(object, tags::ROWS, "Rows")?,
            columns: side(object, tags::COLUMNS, "Columns")?,
            has_place: place.is_some(),
            position,
            orientation,
            pixel_spacing,
            spacing_source,
            stated_spacing: number(measures, tags::SPACING_BETWEEN_SLICES)
                .filter(positive)
                .or_else(|| number(measures, tags::SLICE_THICKNESS).filter(positive)),
            temporal_position: sources.temporal_position(),
            trigger_time: self
                .film
                .as_ref()
                .and_then(|times| times.get(frame).copied())
                .or_else(|| sources.trigger_time()),
            acquisition_time: sources.acquisition_time(),
            content_time: sources.content_time(),
            dimension_indices: self.dimension_indices(content, frame),
            instance_number: self.instance_number(frame),
            stated_phases: integer(object, tags::NUMBER_OF_TEMPORAL_POSITIONS),
            making: Making::of(&sources),
            tile: None,
            philips_scale: philips_scale(&sources),
            pet: self.pet.clone(),
            slope,
            intercept,
            format: PixelFormat::of(object)?,
            palette: self.palette.clone(),
            is_high_dark: text(object, tags::PHOTOMETRIC_INTERPRETATION).as_deref() == Some("MONOCHROME1"),
            as_luminance: false,
            stored_bytes: self.file.bytes() / self.count as u64,
        })
    }

    fn dimension_indices(&self, content: &InMemDicomObject, frame: usize) -> Vec<i64> {
        if let Some(indices) = self.vectors.get(frame) {
            return indices.clone();
        }
        let indices = numbers(content, tags::DIMENSION_INDEX_VALUES).unwrap_or_default();
        let of_content = indices.iter().zip(&self.is_dimension_of_content).filter(|(_, is_content)| **is_content);
        of_content.map(|(index, _)| *index as i64).collect()
    }

    /// `InstanceNumber`, and behind it the number of the frame.
    fn instance_number(&self, frame: usize) -> Option<i64> {
        /// More frames than a file has.
        const FRAMES: i64 = 1 << 32;
        let instance = integer(self.object, tags::INSTANCE_NUMBER).filter(|number| number.abs() < FRAMES / 4);
        if self.count == 1 {
            instance.map(|instance| instance * FRAMES)
        } else {
            Some(instance.unwrap_or(0) * FRAMES + frame as i64)
        }
    }
}

/// Distance of rows and of columns in mm. Planes in space have to state it.
fn pixel_spacing(
    measures: &InMemDicomObject,
    object: &InMemDicomObject,
    has_place: bool,
) -> Result<([f64; 2], PixelSpacing), FileProblem> {
    let is_possible = |spacing: &[f64; 2]| spacing.iter().all(|distance| *distance > 0.0);
    let stated: Option<[f64; 2]> = vector(measures, tags::PIXEL_SPACING);
    if let Some(spacing) = stated.filter(|spacing| has_place || is_possible(spacing)) {
        return Ok((spacing, PixelSpacing::Patient));
    }
    // Some projections state a distance of 0, which is none.
    let is_malformed =
        get(measures, tags::PIXEL_SPACING).is_some_and(|element| !element.is_empty()) && stated.is_none();
    if has_place || is_malformed {
        return Err(malformed("PixelSpacing is missing or malformed"));
    }
    if let Some(spacing) =
        vector(object, tags::NOMINAL_SCANNED_PIXEL_SPACING).or_else(|| ultrasound_spacing(object)).filter(is_possible)
    {
        return Ok((spacing, PixelSpacing::Patient));
    }
    let detector = vector(object, tags::IMAGER_PIXEL_SPACING).filter(is_possible);
    Ok(detector.map_or(([1.0; 2], PixelSpacing::Unknown), |spacing| (spacing, PixelSpacing::Detector)))
}

/// The calibration of an ultrasound image of one region, which is in cm.
fn ultrasound_spacing(object: &InMemDicomObject) -> Option<[f64; 2]> {
    const CENTIMETRES: i64 = 3;
    let [region] = items(object, tags::SEQUENCE_OF_ULTRASOUND_REGIONS) else { return None };
    let units = [tags::PHYSICAL_UNITS_Y_DIRECTION, tags::PHYSICAL_UNITS_X_DIRECTION];
    let is_length = units.iter().all(|&unit| integer(region, unit) == Some(CENTIMETRES));
    let [y, x] = [tags::PHYSICAL_DELTA_Y, tags::PHYSICAL_DELTA_X].map(|tag| number(region, tag));
    is_length.then_some([10.0 * y?.abs(), 10.0 * x?.abs()])
}

/// The scale slope of Philips, which stands in the data set or, in enhanced files, in a private item of the frame.
fn philips_scale(sources: &Sources<'_>) -> Option<f64> {
    const CREATORS: [&str; 2] = ["Philips MR Imaging DD 001", "Philips MR Imaging DD 005"];
    let scale_in = |object: &InMemDicomObject| {
        let element = private(object, 0x2005, CREATORS[0], 0x0e)?;
        private_numbers(element, singles)?.first().copied().filter(|scale| *scale > 0.0)
    };
    let of_frame = || {
        let groups = [sources.frame, sources.shared].into_iter().flatten();
        groups.filter_map(|group| private(group, 0x2005, CREATORS[1], 0x0f)?.items()?.first()).find_map(scale_in)
    };
    scale_in(sources.object).or_else(of_frame)
}

/// Slope and intercept of the stored values. Those of a dose are scaled by the grid's own factor.
fn scale(sources: &Sources<'_>) -> [f64; 2] {
    let transformation = sources.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    let slope = number(transformation, tags::RESCALE_SLOPE).filter(|slope| *slope != 0.0);
    let dose = number(sources.object, tags::DOSE_GRID_SCALING).filter(|scaling| *scaling > 0.0);
    [slope.or(dose).unwrap_or(1.0), number(transformation, tags::RESCALE_INTERCEPT).unwrap_or(0.0)]
}

impl SeriesIdentity {
    fn of(object: &InMemDicomObject) -> Self {
        let or_empty = |tag: Tag| text(object, tag).unwrap_or_default();
        Self {
            uid: or_empty(tags::SERIES_INSTANCE_UID),
            description: or_empty(tags::SERIES_DESCRIPTION),
            modality: or_empty(tags::MODALITY),
            patient_id: or_empty(tags::PATIENT_ID),
            study_uid: or_empty(tags::STUDY_INSTANCE_UID),
            frame_of_reference: text(object, tags::FRAME_OF_REFERENCE_UID),
            study: StudyIdentity {
                patient_name: or_empty(tags::PATIENT_NAME),
                patient_sex: or_empty(tags::PATIENT_SEX),
                patient_birth_date: or_empty(tags::PATIENT_BIRTH_DATE),
                id: or_empty(tags::STUDY_ID),
                accession_number: or_empty(tags::ACCESSION_NUMBER),
                description: or_empty(tags::STUDY_DESCRIPTION),
                date: or_empty(tags::STUDY_DATE),
                time: text(object, tags::STUDY_TIME).and_then(|time| seconds_of_time(&time)),
            },
            patient_position: or_empty(tags::PATIENT_POSITION),
            laterality: or_empty(tags::LATERALITY),
            body_part: or_empty(tags::BODY_PART_EXAMINED),
            scanner: ScannerModel {
                manufacturer: or_empty(tags::MANUFACTURER),
                model: or_empty(tags::MANUFACTURER_MODEL_NAME),
                field_strength: number(object, tags::MAGNETIC_FIELD_STRENGTH).filter(|field| *field > 0.0),
            },
            acquisition: Acquisition::of(object),
        }
    }
}
