//! Writing volumes as DICOM series of single-frame images.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::io::Write;
use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::attributes::seconds_of_date;
use super::encoding::{DataSet, decimal_string, decimal_strings, put_meta, put_preamble};
use super::uid::{is_uid, uid_from};
use crate::atomic_file::{AtomicFile, sync_folder};
use crate::error::{FileProblem, ImagingError, Result};
use crate::geometry::Geometry;
use crate::volume::{PixelType, Volume};
use crate::voxel_data::{VoxelBytes, little_endian};

/// A voxel type that pixel data can hold.
#[allow(private_bounds)]
pub trait DicomVoxel: VoxelBytes {}

impl DicomVoxel for u8 {}
impl DicomVoxel for u16 {}
impl DicomVoxel for i16 {}

/// One phase of a series to write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Phase<T> {
    /// The volume.
    pub volume: Volume<T>,
    /// Seconds after the start of the study.
    pub time: f64,
}

impl<T> Phase<T> {
    /// A volume and the seconds after the start of the study at which it was taken.
    #[must_use]
    pub fn new(volume: Volume<T>, time: f64) -> Self {
        Self { volume, time }
    }
}

/// Who and what a series is. Identifiers that are left out are derived from all that is written, so that the same input
/// gives the same files and another input others. For images computed from a series see [`super::Series::attributes`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct SeriesAttributes {
    /// `PatientID`; may be empty.
    pub patient_id: String,
    /// `PatientName`; default the identifier.
    pub patient_name: String,
    /// `PatientSex`: M, F, O or empty.
    pub patient_sex: String,
    /// `PatientBirthDate`, YYYYMMDD or empty. Default empty.
    pub patient_birth_date: String,
    /// `StudyID`, at most 16 characters. Default empty.
    pub study_id: String,
    /// `AccessionNumber`, at most 16 characters. Default empty.
    pub accession_number: String,
    /// `StudyDescription`.
    pub study_description: String,
    /// `SeriesDescription`.
    pub series_description: String,
    /// `SeriesNumber`. Default 1.
    pub series_number: u32,
    /// `StudyDate`, YYYYMMDD. Default 20000101.
    pub date: String,
    /// Time at which the study starts in seconds since midnight. Default noon.
    pub start_time: f64,
    /// `Modality`: MR and CT give MR and CT images, anything else secondary captures. Default MR.
    pub modality: String,
    /// `PatientPosition` in the scanner, such as HFS or FFP; empty where it is not known. Default empty.
    pub patient_position: String,
    /// `Laterality` of a paired body part, R or L; empty where there is none. Default empty.
    pub laterality: String,
    /// `BodyPartExamined`. Default empty.
    pub body_part: String,
    /// `SliceThickness` in mm; default the distance of slices.
    pub slice_thickness: Option<f64>,
    /// `EchoTime` in ms, of MR images. Default unknown.
    pub echo_time: Option<f64>,
    /// `StudyInstanceUID`; when empty, derived from the patient's identifier, the date and the study's description, or
    /// from the voxels where the patient has no identifier.
    pub study_uid: String,
    /// `SeriesInstanceUID`; when empty, derived from the study, the series' number and description, and the voxels.
    pub series_uid: String,
    /// `FrameOfReferenceUID`; when empty, derived from the study.
    pub frame_of_reference_uid: String,
    /// `RescaleSlope`: a written voxel times this plus the intercept is its value. Default 1.
    pub rescale_slope: f64,
    /// `RescaleIntercept`. Default 0.
    pub rescale_intercept: f64,
    /// Whether the files say that the patient's identity was removed: see [`SeriesAttributes::deidentified`].
    pub is_deidentified: bool,
}

impl SeriesAttributes {
    /// A series of a patient; everything else by default.
    pub fn new(patient_id: &str, series_description: &str) -> Self {
        Self {
            patient_id: patient_id.to_owned(),
            patient_name: patient_id.to_owned(),
            patient_sex: String::new(),
            patient_birth_date: String::new(),
            study_id: String::new(),
            accession_number: String::new(),
            study_description: String::new(),
            series_description: series_description.to_owned(),
            series_number: 1,
            date: "20000101".to_owned(),
            start_time: 12.0 * 3600.0,
            modality: "MR".to_owned(),
            patient_position: String::new(),
            laterality: String::new(),
            body_part: String::new(),
            slice_thickness: None,
            echo_time: None,
            study_uid: String::new(),
            series_uid: String::new(),
            frame_of_reference_uid: String::new(),
            rescale_slope: 1.0,
            rescale_intercept: 0.0,
            is_deidentified: false,
        }
    }

    /// The same series without what identifies the patient, by the Basic Application Level Confidentiality Profile
    /// (PS3.15, table E.1-1), as far as it concerns what is written here: name, birth date, sex, accession number,
    /// study identifier and descriptions are emptied, the dates and times become those of a dummy (noon of 1 January
    /// 2000, from which the phases of a dynamic series count on), and all identifiers become others. The patient's new
    /// identifier and those of study and frame of reference are derived from the old ones and from a key, so that the
    /// series of a patient stay together and nobody can find out the old ones without the key.
    ///
    /// Files then say `PatientIdentityRemoved` and how. Nothing looks at the voxels: a face or a name that is burnt
    /// into them stays.
    ///
    /// ```
    /// use alnm_imaging::dicom::SeriesAttributes;
    ///
    /// let attributes = SeriesAttributes::new("P001", "T1").with_patient_name("Doe^Jane").with_date("20240305");
    /// let removed = attributes.deidentified("a secret");
    /// assert!(removed.patient_name.is_empty() && removed.patient_id != "P001" && removed.date == "20000101");
    /// assert_eq!(removed.patient_id, attributes.deidentified("a secret").patient_id);
    /// assert_ne!(removed.patient_id, attributes.deidentified("another").patient_id);
    /// ```
    pub fn deidentified(&self, key: &str) -> Self {
        let other_uid = |uid: &str| if uid.is_empty() { String::new() } else { uid_from(&["deidentified", key, uid]) };
        let pseudonym = uid_from(&["deidentified", key, "patient", &self.patient_id]);
        let Self { modality, patient_position, laterality, body_part, .. } = self;
        Self {
            series_number: self.series_number,
            modality: modality.clone(),
            patient_position: patient_position.clone(),
            laterality: laterality.clone(),
            body_part: body_part.clone(),
            slice_thickness: self.slice_thickness,
            echo_time: self.echo_time,
            // Without a study identifier it would be derived from the patient's pseudonym and the dummy date.
            study_uid: if self.study_uid.is_empty() {
                uid_from(&["deidentified", key, "study", &self.patient_id, &self.date, &self.study_description])
            } else {
                other_uid(&self.study_uid)
            },
            series_uid: other_uid(&self.series_uid),
            frame_of_reference_uid: other_uid(&self.frame_of_reference_uid),
            rescale_slope: self.rescale_slope,
            rescale_intercept: self.rescale_intercept,
            is_deidentified: true,
            patient_name: String::new(),
            ..Self::new(&pseudonym, "")
        }
    }

    /// Sets [`SeriesAttributes::patient_name`].
    pub fn with_patient_name(self, patient_name: impl Into<String>) -> Self {
        Self { patient_name: patient_name.into(), ..self }
    }

    /// Sets [`SeriesAttributes::patient_sex`].
    pub fn with_patient_sex(self, patient_sex: impl Into<String>) -> Self {
        Self { patient_sex: patient_sex.into(), ..self }
    }

    /// Sets [`SeriesAttributes::patient_birth_date`].
    pub fn with_patient_birth_date(self, patient_birth_date: impl Into<String>) -> Self {
        Self { patient_birth_date: patient_birth_date.into(), ..self }
    }

    /// Sets [`SeriesAttributes::study_id`].
    pub fn with_study_id(self, study_id: impl Into<String>) -> Self {
        Self { study_id: study_id.into(), ..self }
    }

    /// Sets [`SeriesAttributes::accession_number`].
    pub fn with_accession_number(self, accession_number: impl Into<String>) -> Self {
        Self { accession_number: accession_number.into(), ..self }
    }

    /// Sets [`SeriesAttributes::study_description`].
    pub fn with_study_description(self, study_description: impl Into<String>) -> Self {
        Self { study_description: study_description.into(), ..self }
    }

    /// Sets [`SeriesAttributes::series_number`].
    pub fn with_series_number(self, series_number: u32) -> Self {
        Self { series_number, ..self }
    }

    /// Sets [`SeriesAttributes::date`].
    pub fn with_date(self, date: impl Into<String>) -> Self {
        Self { date: date.into(), ..self }
    }

    /// Sets [`SeriesAttributes::start_time`].
    pub fn with_start_time(self, start_time: f64) -> Self {
        Self { start_time, ..self }
    }

    /// Sets [`SeriesAttributes::modality`].
    pub fn with_modality(self, modality: impl Into<String>) -> Self {
        Self { modality: modality.into(), ..self }
    }

    /// Sets [`SeriesAttributes::patient_position`].
    pub fn with_patient_position(self, patient_position: impl Into<String>) -> Self {
        Self { patient_position: patient_position.into(), ..self }
    }

    /// Sets [`SeriesAttributes::laterality`].
    pub fn with_laterality(self, laterality: impl Into<String>) -> Self {
        Self { laterality: laterality.into(), ..self }
    }

    /// Sets [`SeriesAttributes::body_part`].
    pub fn with_body_part(self, body_part: impl Into<String>) -> Self {
        Self { body_part: body_part.into(), ..self }
    }

    /// Sets [`SeriesAttributes::slice_thickness`].
    pub fn with_slice_thickness(self, slice_thickness: f64) -> Self {
        Self { slice_thickness: Some(slice_thickness), ..self }
    }

    /// Sets [`SeriesAttributes::echo_time`].
    pub fn with_echo_time(self, echo_time: f64) -> Self {
        Self { echo_time: Some(echo_time), ..self }
    }

    /// Sets [`SeriesAttributes::study_uid`].
    pub fn with_study_uid(self, study_uid: impl Into<String>) -> Self {
        Self { study_uid: study_uid.into(), ..self }
    }

    /// Sets [`SeriesAttributes::series_uid`].
    pub fn with_series_uid(self, series_uid: impl Into<String>) -> Self {
        Self { series_uid: series_uid.into(), ..self }
    }

    /// Sets [`SeriesAttributes::frame_of_reference_uid`].
    pub fn with_frame_of_reference_uid(self, frame_of_reference_uid: impl Into<String>) -> Self {
        Self { frame_of_reference_uid: frame_of_reference_uid.into(), ..self }
    }

    /// Sets [`SeriesAttributes::rescale_slope`].
    pub fn with_rescale_slope(self, rescale_slope: f64) -> Self {
        Self { rescale_slope, ..self }
    }

    /// Sets [`SeriesAttributes::rescale_intercept`].
    pub fn with_rescale_intercept(self, rescale_intercept: f64) -> Self {
        Self { rescale_intercept, ..self }
    }

    /// Texts that fit their value representation, and numbers that mean something.
    pub(super) fn check(&self) -> Result<()> {
        let texts: [(&'static str, &str); 4] = [
            ("patient_id", &self.patient_id),
            ("patient_name", &self.patient_name),
            ("study_description", &self.study_description),
            ("series_description", &self.series_description),
        ];
        for (parameter, text) in texts {
            if fitting_text(text) != text {
                return Err(invalid(
                    parameter,
                    format!("{text:?}"),
                    "it must have at most 64 characters, none of them a backslash or a control",
                ));
            }
        }
        for (parameter, text) in [("study_id", &self.study_id), ("accession_number", &self.accession_number)] {
            if fitting_short_text(text) != *text {
                return Err(invalid(
                    parameter,
                    format!("{text:?}"),
                    "it must have at most 16 characters, none of them a backslash or a control",
                ));
            }
        }
        let codes = [
            ("modality", &self.modality),
            ("patient_sex", &self.patient_sex),
            ("patient_position", &self.patient_position),
            ("laterality", &self.laterality),
            ("body_part", &self.body_part),
        ];
        for (parameter, code) in codes {
            if !is_code(code) {
                return Err(invalid(
                    parameter,
                    format!("{code:?}"),
                    "it must have at most 16 characters: A to Z, 0 to 9, space and _",
                ));
            }
        }
        let identifiers = [
            ("study_uid", &self.study_uid),
            ("series_uid", &self.series_uid),
            ("frame_of_reference_uid", &self.frame_of_reference_uid),
        ];
        for (parameter, uid) in identifiers {
            if !(uid.is_empty() || is_uid(uid)) {
                return Err(invalid(
                    parameter,
                    format!("{uid:?}"),
                    "it must have at most 64 characters: numbers joined by dots",
                ));
            }
        }
        if seconds_of_date(&self.date).is_none() {
            return Err(invalid("date", format!("{:?}", self.date), "it must be written YYYYMMDD"));
        }
        if !(self.patient_birth_date.is_empty() || seconds_of_date(&self.patient_birth_date).is_some()) {
            return Err(invalid(
                "patient_birth_date",
                format!("{:?}", self.patient_birth_date),
                "it must be written YYYYMMDD, or be empty",
            ));
        }
        for (parameter, number) in [("slice_thickness", self.slice_thickness), ("echo_time", self.echo_time)] {
            if number.is_some_and(|number| !(number.is_finite() && number > 0.0)) {
                return Err(invalid(parameter, format!("{number:?}"), "it must be finite and above 0"));
            }
        }
        if !(self.start_time.is_finite() && self.start_time >= 0.0) {
            return Err(invalid(
                "start_time",
                self.start_time.to_string(),
                "it must be a number of seconds since midnight",
            ));
        }
        let rescale = [self.rescale_slope, self.rescale_intercept];
        if rescale.iter().any(|x| !x.is_finite()) || self.rescale_slope == 0.0 {
            return Err(invalid(
                "rescale",
                format!("{rescale:?}"),
                "slope and intercept must be finite and the slope not 0",
            ));
        }
        Ok(())
    }
}

/// Most characters of a long string and of a group of a person's name (PS3.5 6.2).
const LONGEST_TEXT: usize = 64;

/// Most characters of a short string.
const LONGEST_SHORT_TEXT: usize = 16;

/// A text without what its value representation forbids.
pub(super) fn fitting_text(text: &str) -> String {
    fitting(text, LONGEST_TEXT)
}

/// A short text without what its value representation forbids.
pub(super) fn fitting_short_text(text: &str) -> String {
    fitting(text, LONGEST_SHORT_TEXT)
}

fn fitting(text: &str, longest: usize) -> String {
    text.chars().filter(|c| *c != '\\' && !c.is_control()).take(longest).collect()
}

/// Whether a text may be a code string (PS3.5 6.2).
pub(super) fn is_code(text: &str) -> bool {
    text.len() <= 16
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" _".contains(&byte))
}

/// Writes phases as a series of single-frame images (Explicit VR Little Endian), one file per slice, named
/// `<phase>-<slice>.dcm`. The folder is made when it is missing. Files are written in parallel.
///
/// Where there are several phases, `TemporalPositionIdentifier`, `NumberOfTemporalPositions` and `TemporalResolution`
/// are set; `AcquisitionTime` is the phase's time.
///
/// # Errors
/// [`ImagingError::InvalidParameter`] when there is no phase, a time is negative or not finite, or an image is
/// two-dimensional, sheared or larger than 65535 pixels; [`ImagingError::GeometryMismatch`] when the phases lie on
/// different grids; [`ImagingError::File`] when a file cannot be written.
pub fn write_series<T: DicomVoxel>(
    folder: impl AsRef<Path>,
    phases: &[Phase<T>],
    attributes: &SeriesAttributes,
) -> Result<()> {
    let folder = folder.as_ref();
    let geometry = check(phases)?;
    attributes.check()?;
    std::fs::create_dir_all(folder).map_err(|error| FileProblem::from(error).at(folder))?;
    let writer = SeriesWriter::new(geometry, phases, attributes);
    let [width, height, slices] = geometry.size();
    let write = |path: &Path, bytes: &[u8]| {
        let mut file = AtomicFile::create(path)?;
        file.write_all(bytes)?;
        file.commit_without_folder()
    };
    (0..phases.len() * slices).into_par_iter().try_for_each_init(Vec::new, |bytes, i| {
        let (phase, slice) = (i / slices, i % slices);
        let voxels = &phases[phase].volume.as_slice()[slice * width * height..][..width * height];
        writer.file(bytes, phase, slice, voxels);
        let path = folder.join(format!("{:02}-{:04}.dcm", phase + 1, slice + 1));
        write(&path, bytes).map_err(|error| FileProblem::from(error).at(path))
    })?;
    sync_folder(folder).map_err(|error| FileProblem::from(error).at(folder))
}

const OPERATION: &str = "writing a DICOM series";

fn invalid(parameter: &'static str, value: String, requirement: &'static str) -> ImagingError {
    ImagingError::InvalidParameter { operation: OPERATION, parameter, value, requirement }
}

fn check<T>(phases: &[Phase<T>]) -> Result<&Geometry> {
    let Some(first) = phases.first() else {
        return Err(invalid("phases", "empty".to_owned(), "there must be at least one"));
    };
    let geometry = first.volume.geometry();
    for phase in phases {
        if let Some(difference) = geometry.difference(phase.volume.geometry(), 1e-6) {
            return Err(ImagingError::GeometryMismatch { operation: OPERATION, difference });
        }
        if !(phase.time.is_finite() && phase.time >= 0.0) {
            return Err(invalid("time", phase.time.to_string(), "it must be finite and at least 0 s"));
        }
    }
    if geometry.dimension() != 3 {
        return Err(invalid(
            "dimension",
            geometry.dimension().to_string(),
            "a series must be made of three-dimensional volumes",
        ));
    }
    if !geometry.is_orthonormal() {
        let direction = format!("{:?}", geometry.direction());
        return Err(invalid(
            "direction",
            direction,
            "rows, columns and slices must be perpendicular; NRRD and MetaImage hold others",
        ));
    }
    if geometry.size()[..2].iter().any(|&side| side > usize::from(u16::MAX)) {
        return Err(invalid(
            "size",
            format!("{:?}", geometry.size()),
            "a slice must have at most 65535 rows and columns",
        ));
    }
    Ok(geometry)
}

/// The kind of object that images of a modality are, and what it asks for beyond what all images have.
struct ObjectClass {
    sop_class: &'static str,
    image_type: &'static str,
    rescale_type: &'static str,
    equipment: &'static [(Tag, VR, &'static str)],
    acquisition: &'static [(Tag, VR, &'static str)],
}

const MR: ObjectClass = ObjectClass {
    sop_class: uids::MR_IMAGE_STORAGE,
    image_type: "DERIVED\\SECONDARY\\OTHER",
    rescale_type: "US",
    equipment: &[],
    acquisition: &[
        (tags::SCANNING_SEQUENCE, VR::CS, "RM"),
        (tags::SEQUENCE_VARIANT, VR::CS, "NONE"),
        (tags::SCAN_OPTIONS, VR::CS, ""),
        (tags::MR_ACQUISITION_TYPE, VR::CS, "3D"),
        (tags::REPETITION_TIME, VR::DS, ""),
        (tags::ECHO_TIME, VR::DS, ""),
        (tags::ECHO_TRAIN_LENGTH, VR::IS, ""),
    ],
};

const CT: ObjectClass = ObjectClass {
    sop_class: uids::CT_IMAGE_STORAGE,
    image_type: "DERIVED\\SECONDARY\\AXIAL",
    rescale_type: "HU",
    equipment: &[],
    acquisition: &[(tags::KVP, VR::DS, ""), (tags::ACQUISITION_NUMBER, VR::IS, "")],
};

const SECONDARY_CAPTURE: ObjectClass = ObjectClass {
    sop_class: uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
    image_type: "DERIVED\\SECONDARY",
    rescale_type: "US",
    equipment: &[(tags::CONVERSION_TYPE, VR::CS, "WSD")],
    acquisition: &[],
};

impl ObjectClass {
    fn of(modality: &str) -> &'static Self {
        match modality {
            "MR" => &MR,
            "CT" => &CT,
            _ => &SECONDARY_CAPTURE,
        }
    }
}

/// What files say from which the patient's identity was removed.
const IDENTITY_REMOVED: &[(Tag, VR, &str)] = &[
    (tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"),
    (tags::DEIDENTIFICATION_METHOD, VR::LO, "alnm (research software), PS3.15 basic profile"),
];

/// Codes of the ways by which identities are removed (CID 7050).
const BASIC_PROFILE: [(Tag, VR, &str); 3] = code("113100", "Basic Application Confidentiality Profile");
const MODIFIED_DATES: [(Tag, VR, &str); 3] =
    code("113107", "Retain Longitudinal Temporal Information Modified Dates Option");

/// A code of DICOM's own scheme.
const fn code(value: &'static str, meaning: &'static str) -> [(Tag, VR, &'static str); 3] {
    [
        (tags::CODE_VALUE, VR::SH, value),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
        (tags::CODE_MEANING, VR::LO, meaning),
    ]
}

/// SHA-256 of the grid, the times and the voxels, as text.
fn fingerprint<T: VoxelBytes>(phases: &[Phase<T>]) -> String {
    let of_phase = |phase: &Phase<T>| {
        let volume = &phase.volume;
        let plane = volume.geometry().size()[0] * volume.geometry().size()[1];
        let of_slice = |voxels: &[T]| Sha256::digest(little_endian(voxels));
        let slices: Vec<_> = volume.as_slice().par_chunks(plane).map(of_slice).collect();
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {:?}", volume.geometry(), phase.time));
        slices.iter().for_each(|slice| hash.update(slice));
        hash.finalize()
    };
    let all = phases.iter().map(of_phase).fold(Sha256::new(), Sha256::chain_update);
    all.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What all files of a series share.
struct SeriesWriter<'a> {
    geometry: &'a Geometry,
    times: Vec<f64>,
    attributes: &'a SeriesAttributes,
    class: &'static ObjectClass,
    study_uid: Cow<'a, str>,
    series_uid: Cow<'a, str>,
    frame_of_reference_uid: Cow<'a, str>,
}

impl<'a> SeriesWriter<'a> {
    fn new<T: VoxelBytes>(geometry: &'a Geometry, phases: &[Phase<T>], attributes: &'a SeriesAttributes) -> Self {
        let SeriesAttributes { patient_id, date, study_description, series_description, .. } = attributes;
        let fingerprint = LazyCell::new(|| fingerprint(phases));
        let given_or = |given: &'a str, derived: &dyn Fn() -> String| match given {
            "" => Cow::Owned(derived()),
            uid => Cow::Borrowed(uid),
        };
        let study_uid = given_or(&attributes.study_uid, &|| match patient_id.as_str() {
            "" => uid_from(&["study", &fingerprint, date, study_description]),
            patient => uid_from(&["study", patient, date, study_description]),
        });
        let number = attributes.series_number.to_string();
        Self {
            geometry,
            times: phases.iter().map(|phase| phase.time).collect(),
            attributes,
            class: ObjectClass::of(&attributes.modality),
            series_uid: given_or(&attributes.series_uid, &|| {
                uid_from(&["series", &study_uid, &number, series_description, &fingerprint])
            }),
            frame_of_reference_uid: given_or(&attributes.frame_of_reference_uid, &|| {
                uid_from(&["frame of reference", &study_uid])
            }),
            study_uid,
        }
    }

    /// The bytes of one file.
    fn file<T: VoxelBytes>(&self, bytes: &mut Vec<u8>, phase: usize, slice: usize, voxels: &[T]) {
        let instance_uid = uid_from(&["instance", &self.series_uid, &phase.to_string(), &slice.to_string()]);
        bytes.clear();
        put_preamble(bytes);
        put_meta(bytes, self.class.sop_class, &instance_uid, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let mut data = DataSet { bytes };
        self.identity(&mut data, phase, &instance_uid);
        self.plane(&mut data, phase, slice);
        self.pixels(&mut data, voxels);
    }

    /// Elements of the groups 0008 and 0010.
    fn identity(&self, data: &mut DataSet<'_>, phase: usize, instance_uid: &str) {
        let attributes = self.attributes;
        let start = time_string(attributes.start_time);
        let time = time_string(attributes.start_time + self.times[phase]);
        let common = [
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
            (tags::IMAGE_TYPE, VR::CS, self.class.image_type),
            (tags::SOP_CLASS_UID, VR::UI, self.class.sop_class),
            (tags::SOP_INSTANCE_UID, VR::UI, instance_uid),
            (tags::STUDY_DATE, VR::DA, &attributes.date),
            (tags::SERIES_DATE, VR::DA, &attributes.date),
            (tags::ACQUISITION_DATE, VR::DA, &attributes.date),
            (tags::CONTENT_DATE, VR::DA, &attributes.date),
            (tags::STUDY_TIME, VR::TM, &start),
            (tags::SERIES_TIME, VR::TM, &start),
            (tags::ACQUISITION_TIME, VR::TM, &time),
            (tags::CONTENT_TIME, VR::TM, &time),
            (tags::ACCESSION_NUMBER, VR::SH, &attributes.accession_number),
            (tags::MODALITY, VR::CS, &attributes.modality),
            (tags::MANUFACTURER, VR::LO, ""),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN, ""),
            (tags::STUDY_DESCRIPTION, VR::LO, &attributes.study_description),
            (tags::SERIES_DESCRIPTION, VR::LO, &attributes.series_description),
            (tags::PATIENT_NAME, VR::PN, &attributes.patient_name),
            (tags::PATIENT_ID, VR::LO, &attributes.patient_id),
            (tags::PATIENT_BIRTH_DATE, VR::DA, &attributes.patient_birth_date),
            (tags::PATIENT_SEX, VR::CS, &attributes.patient_sex),
        ];
        let removed: &[(Tag, VR, &str)] = if attributes.is_deidentified { IDENTITY_REMOVED } else { &[] };
        data.texts(common.into_iter().chain(self.class.equipment.iter().copied()).chain(removed.iter().copied()));
        if attributes.is_deidentified {
            data.sequence(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, &[BASIC_PROFILE, MODIFIED_DATES]);
        }
    }

    /// Elements of the groups 0018 and 0020.
    fn plane(&self, data: &mut DataSet<'_>, phase: usize, slice: usize) {
        let (spacing, direction) = (self.geometry.spacing(), self.geometry.direction());
        let position = decimal_strings(&self.geometry.index_to_point([0.0, 0.0, slice as f64]));
        let cosines: Vec<f64> = (0..2).flat_map(|axis| direction.map(|row| row[axis])).collect();
        let cosines = decimal_strings(&cosines);
        let distance = decimal_string(spacing[2]);
        let thickness = self.attributes.slice_thickness.map_or_else(|| distance.clone(), decimal_string);
        let echo_time = self.attributes.echo_time.map_or_else(String::new, decimal_string);
        let series_number = self.attributes.series_number.to_string();
        let instance_number = (phase * self.geometry.size()[2] + slice + 1).to_string();
        let common = [
            (tags::SLICE_THICKNESS, VR::DS, thickness.as_str()),
            (tags::SPACING_BETWEEN_SLICES, VR::DS, &distance),
            (tags::STUDY_INSTANCE_UID, VR::UI, &self.study_uid),
            (tags::SERIES_INSTANCE_UID, VR::UI, &self.series_uid),
            (tags::STUDY_ID, VR::SH, &self.attributes.study_id),
            (tags::SERIES_NUMBER, VR::IS, &series_number),
            (tags::INSTANCE_NUMBER, VR::IS, &instance_number),
            (tags::IMAGE_POSITION_PATIENT, VR::DS, &position),
            (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &cosines),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, &self.frame_of_reference_uid),
            (tags::POSITION_REFERENCE_INDICATOR, VR::LO, ""),
        ];
        let dynamic = self.temporal_position(phase);
        let dynamic = dynamic.iter().flatten().map(|(tag, vr, text)| (*tag, *vr, text.as_str()));
        let acquisition = self.class.acquisition.iter().map(|&(tag, vr, text)| match tag {
            tags::ECHO_TIME => (tag, vr, echo_time.as_str()),
            _ => (tag, vr, text),
        });
        // Position and laterality have to stand there, known or not.
        let known = [
            (tags::BODY_PART_EXAMINED, VR::CS, self.attributes.body_part.as_str()),
            (tags::PATIENT_POSITION, VR::CS, &self.attributes.patient_position),
            (tags::LATERALITY, VR::CS, &self.attributes.laterality),
        ];
        let known = known.into_iter().filter(|(tag, _, text)| *tag != tags::BODY_PART_EXAMINED || !text.is_empty());
        data.texts(common.into_iter().chain(acquisition).chain(known).chain(dynamic));
    }

    /// The place of a phase in a dynamic series; none in a series of one phase.
    fn temporal_position(&self, phase: usize) -> Option<[(Tag, VR, String); 3]> {
        let phases = self.times.len();
        (phases > 1).then(|| {
            let mean_distance = (self.times[phases - 1] - self.times[0]) / (phases - 1) as f64;
            [
                (tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, (phase + 1).to_string()),
                (tags::NUMBER_OF_TEMPORAL_POSITIONS, VR::IS, phases.to_string()),
                (tags::TEMPORAL_RESOLUTION, VR::DS, decimal_string(1000.0 * mean_distance)),
            ]
        })
    }

    /// Elements of the groups 0028 and 7FE0.
    fn pixels<T: VoxelBytes>(&self, data: &mut DataSet<'_>, voxels: &[T]) {
        let [columns, rows, _] = self.geometry.size();
        let [column_distance, row_distance, _] = self.geometry.spacing();
        let bits = 8 * T::BYTES as u16;
        let is_signed = T::PIXEL_TYPE == PixelType::I16;
        data.short(tags::SAMPLES_PER_PIXEL, 1);
        data.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        data.short(tags::ROWS, rows as u16);
        data.short(tags::COLUMNS, columns as u16);
        data.decimals(tags::PIXEL_SPACING, &[row_distance, column_distance]);
        data.short(tags::BITS_ALLOCATED, bits);
        data.short(tags::BITS_STORED, bits);
        data.short(tags::HIGH_BIT, bits - 1);
        data.short(tags::PIXEL_REPRESENTATION, u16::from(is_signed));
        if self.attributes.is_deidentified {
            data.text(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, "MODIFIED");
        }
        data.decimals(tags::RESCALE_INTERCEPT, &[self.attributes.rescale_intercept]);
        data.decimals(tags::RESCALE_SLOPE, &[self.attributes.rescale_slope]);
        data.text(tags::RESCALE_TYPE, VR::LO, self.class.rescale_type);
        data.header(tags::PIXEL_DATA, VR::OW, (voxels.len() * T::BYTES).next_multiple_of(2));
        data.bytes.extend_from_slice(&little_endian(voxels));
        data.pad(0);
    }
}

/// Seconds since midnight as a DICOM time; a day later it starts again.
pub(super) fn time_string(seconds: f64) -> String {
    let microseconds = (seconds * 1e6).round() as u64 % 86_400_000_000;
    let (whole, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    format!("{:02}{:02}{:02}.{fraction:06}", whole / 3600, whole / 60 % 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dicom_times() {
        assert_eq!(time_string(3723.5), "010203.500000");
        assert_eq!(time_string(86_400.0), "000000.000000");
    }

    #[test]
    fn attributes_that_the_standard_forbids_are_refused() {
        let refused = |change: fn(&mut SeriesAttributes)| {
            let mut attributes = SeriesAttributes::new("P", "S");
            attributes.check().unwrap();
            change(&mut attributes);
            attributes.check().unwrap_err().to_string()
        };
        assert!(refused(|a| a.patient_name = "x".repeat(65)).contains("patient_name"));
        assert!(refused(|a| a.series_description = "a\\b".to_owned()).contains("series_description"));
        assert!(refused(|a| a.modality = "mr".to_owned()).contains("modality"));
        assert!(refused(|a| a.study_uid = "1..2".to_owned()).contains("study_uid"));
        assert!(refused(|a| a.frame_of_reference_uid = "x".to_owned()).contains("frame_of_reference_uid"));
        assert!(refused(|a| a.date = "20241301".to_owned()).contains("date"));
        assert!(refused(|a| a.rescale_slope = 0.0).contains("slope"));
        assert_eq!(fitting_text("a\\b\nc"), "abc");
        assert_eq!(fitting_text(&"ä".repeat(70)).chars().count(), 64);
    }
}
