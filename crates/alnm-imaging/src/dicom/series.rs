//! Series of slices and their images.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::acquisition::Acquisition;
use super::attributes::seconds_of_date;
use super::copies::Distinct;
use super::image_file::{FirstFiles, ImageFile};
use super::phase_key::PhaseKey;
use super::pixels::{PixelFormat, colours_unasked, decode_frame};
use super::problem::malformed;
use super::series_problem::SeriesProblem;
use super::series_warning::SeriesWarning;
use super::slice::{ScannerModel, SeriesIdentity, Slice, Tile};
use super::sorting::{Sorted, SortedKind, Sorting};
use super::stored_file::{Frames, Opened};
use super::uid::is_uid;
use super::volume_choice::VolumeChoice;
use super::volume_kind::VolumeKind;
use super::write::{SeriesAttributes, fitting_short_text, fitting_text, is_code};
use crate::dynamic_series::DynamicSeries;
use crate::error::{FileProblem, ImagingError, Result};
use crate::format::MAX_VOXEL_BYTES;
use crate::geometry::Geometry;
use crate::geometry_difference::SAME_GRID;
use crate::parallel::try_for_each_part;
use crate::volume::{Image, PixelType, Volume};
use crate::voxel_data::VoxelBytes;

/// How many times their compressed size voxels may take up, beyond [`ALWAYS_ALLOWED`]: the most that deflate can reach.
const MAX_EXPANSION: u64 = 1100;

/// Bytes of voxels that are read whatever the size of the files.
const ALWAYS_ALLOWED: u64 = 64 << 20;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// The file and frame in which a slice is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Instance {
    /// `SOPInstanceUID` of the file, empty when absent.
    pub sop_instance_uid: String,
    /// `SOPClassUID` of the file, empty when absent.
    pub sop_class_uid: String,
    /// Number of the frame in the file, from 1.
    pub frame: u32,
}

/// One volume of a series: what tells it apart from the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SeriesVolume {
    /// Its number in the series, from 1.
    pub number: usize,
    /// In what it differs from volumes that are no other phases of it.
    pub kind: VolumeKind,
    /// Which phase it is, from 1, of those of its kind.
    pub phase: usize,
    /// How many phases there are of its kind.
    pub phases: usize,
    /// Seconds from the first phase of its kind, to microseconds; NaN where the files state no time.
    pub time: f64,
    /// Its grid.
    pub geometry: Geometry,
}

impl fmt::Display for SeriesVolume {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = Some(self.kind.to_string()).filter(|kind| !kind.is_empty());
        let phase = (self.phases > 1).then(|| format!("phase {} of {}", self.phase, self.phases));
        let time = (self.phases > 1 && !self.time.is_nan()).then(|| format!("{} s", self.time));
        let told: Vec<String> = [kind, phase, time].into_iter().flatten().collect();
        write!(
            formatter,
            "{} {}",
            self.number,
            if told.is_empty() { "the only one".to_owned() } else { told.join(", ") }
        )
    }
}

/// A series of slices, as its files' headers describe it. Sorting and checking happen when an image is asked for, so
/// that a folder with one faulty series still gives the others.
#[derive(Debug, Clone)]
pub struct Series {
    identity: SeriesIdentity,
    /// The first number that a file states.
    number: Option<i64>,
    /// The first of its files.
    path: PathBuf,
    slices: Vec<Slice>,
    sorted: std::result::Result<Sorted, SeriesProblem>,
}

/// Slices by the identifier of their series, ordered by series number, then identifier. The number does not separate
/// series: a slice that lacks it or states another still belongs to its series.
pub(super) fn group(files: impl Iterator<Item = ImageFile>) -> Vec<Series> {
    let mut groups: BTreeMap<String, Vec<ImageFile>> = BTreeMap::new();
    for file in files {
        groups.entry(file.series.clone()).or_default().push(file);
    }
    let mut series: Vec<Series> = groups.into_values().filter_map(Series::new).collect();
    series.sort_by_key(|series| series.number);
    series
}

/// Times without a date start again at midnight. Where more than half a day lies between two successive ones, the day
/// ended after the later: those before the gap are of the next day and count on.
pub(super) fn continue_after_midnight(mut times: Vec<&mut f64>) {
    if times.iter().any(|time| !(0.0..DAY).contains(*time)) {
        return;
    }
    times.sort_by(|a, b| a.total_cmp(b));
    let of_next_day = times.windows(2).position(|pair| *pair[1] - *pair[0] > DAY / 2.0).map_or(0, |last| last + 1);
    times.into_iter().take(of_next_day).for_each(|time| *time += DAY);
}

impl Series {
    fn new(mut files: Vec<ImageFile>) -> Option<Self> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let path = files.first()?.path.clone();
        let identity = *files.iter_mut().find_map(|file| file.identity.take())?;
        let Distinct { files, warning } = Distinct::of(files);
        let number = files.iter().find_map(|file| file.series_number);
        let mut slices = Vec::new();
        let mut fault = None;
        for file in files {
            match file.slices {
                Ok(of_file) => slices.extend(of_file),
                Err(problem) => drop(
                    fault.get_or_insert(SeriesProblem::Unreadable { file: file.path, reason: problem.to_string() }),
                ),
            }
        }
        continue_after_midnight(slices.iter_mut().filter_map(|slice| slice.acquisition_time.as_mut()).collect());
        continue_after_midnight(slices.iter_mut().filter_map(|slice| slice.content_time.as_mut()).collect());
        let sorting = Sorting { modality: &identity.modality, phases_by: None };
        let mut sorted = fault.map_or_else(|| Sorted::new(&slices, sorting), Err);
        if let Ok(sorted) = &mut sorted {
            sorted.warnings.extend(warning);
        }
        Some(Self { identity, number, path, slices, sorted })
    }

    /// The series without the slices that a choice leaves out: see [`VolumeChoice`]. What remains may hold several
    /// volumes still.
    ///
    /// # Errors
    /// [`ImagingError::File`] with a [`SeriesProblem`] when no slice is of the kind asked for, what remains forms no
    /// volume, or a scale that was asked for is not stated.
    pub fn choose(&self, choice: &VolumeChoice) -> Result<Self> {
        choice.apply(self).map_err(|problem| self.fail(problem))
    }

    /// The same series with other slices, sorted anew.
    pub(super) fn with_slices(
        &self,
        slices: Vec<Slice>,
        phases_by: Option<PhaseKey>,
    ) -> std::result::Result<Self, SeriesProblem> {
        let sorting = Sorting { modality: &self.identity.modality, phases_by };
        let sorted = Ok(Sorted::new(&slices, sorting)?);
        Ok(Self { identity: self.identity.clone(), number: self.number, path: self.path.clone(), slices, sorted })
    }

    /// The same series with another slope and intercept of each slice, and what is to be said of them.
    pub(super) fn rescaled(
        mut self,
        said: Vec<SeriesWarning>,
        scale: impl Fn(&Slice) -> std::result::Result<[f64; 2], SeriesProblem>,
    ) -> std::result::Result<Self, SeriesProblem> {
        for slice in &mut self.slices {
            [slice.slope, slice.intercept] = scale(slice)?;
        }
        if let Ok(sorted) = &mut self.sorted {
            sorted.warnings.extend(said);
        }
        Ok(self)
    }

    /// The same series with the luminance of colours.
    pub(super) fn into_luminance(mut self) -> Self {
        self.slices.iter_mut().for_each(|slice| slice.as_luminance = true);
        self
    }

    /// The slices of one volume.
    pub(super) fn slices_of_volume(&self, number: usize) -> std::result::Result<Vec<Slice>, SeriesProblem> {
        let sorted = self.sorted.as_ref().map_err(Clone::clone)?;
        let volumes = sorted.volumes(&self.slices);
        let found = number.checked_sub(1).and_then(|index| volumes.get(index));
        let &(kind, phase) = found.ok_or(SeriesProblem::NoSuchVolume { number, volumes: volumes.len() })?;
        Ok(sorted.kinds[kind].phases[phase].iter().map(|&slice| self.slices[slice].clone()).collect())
    }

    pub(super) fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// `SeriesInstanceUID`.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.identity.uid
    }

    /// `SeriesNumber`, the first that a file states.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.number
    }

    /// `SeriesDescription`, empty when absent.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.identity.description
    }

    /// `Modality`, empty when absent.
    #[must_use]
    pub fn modality(&self) -> &str {
        &self.identity.modality
    }

    /// `PatientID`, empty when absent.
    #[must_use]
    pub fn patient_id(&self) -> &str {
        &self.identity.patient_id
    }

    /// `StudyInstanceUID`, empty when absent.
    #[must_use]
    pub fn study_uid(&self) -> &str {
        &self.identity.study_uid
    }

    /// `StudyDate` as it is written (YYYYMMDD), empty when absent.
    #[must_use]
    pub fn study_date(&self) -> &str {
        &self.identity.study.date
    }

    /// The scanner that made the series.
    #[must_use]
    pub fn scanner(&self) -> &ScannerModel {
        &self.identity.scanner
    }

    /// Whether its slices have slopes or intercepts of their own, by which their voxels are rescaled.
    #[must_use]
    pub fn has_several_scales(&self) -> bool {
        self.slices.windows(2).any(|pair| [pair[0].slope, pair[0].intercept] != [pair[1].slope, pair[1].intercept])
    }

    /// How it was acquired.
    #[must_use]
    pub fn acquisition(&self) -> &Acquisition {
        &self.identity.acquisition
    }

    /// `FrameOfReferenceUID`: images that share it share their coordinates.
    #[must_use]
    pub fn frame_of_reference(&self) -> Option<&str> {
        self.identity.frame_of_reference.as_deref()
    }

    /// Attributes for writing images that were computed from this series: patient, study, modality, frame of reference,
    /// description, the patient's position and the body part are its own, and so are slice thickness and echo time
    /// where all its slices state the same. The identifier of the series is left to be derived. Texts that the standard
    /// forbids are mended.
    pub fn attributes(&self) -> SeriesAttributes {
        let study = &self.identity.study;
        let uid = |uid: &str| if is_uid(uid) { uid.to_owned() } else { String::new() };
        let code = |code: &str, default: &str| if is_code(code) { code.to_owned() } else { default.to_owned() };
        let defaults = SeriesAttributes::new(&fitting_text(self.patient_id()), &fitting_text(self.description()));
        SeriesAttributes {
            patient_name: fitting_text(&study.patient_name),
            patient_sex: code(&study.patient_sex, ""),
            patient_birth_date: seconds_of_date(&study.patient_birth_date)
                .map_or_else(String::new, |_| study.patient_birth_date.replace('.', "")),
            study_id: fitting_short_text(&study.id),
            accession_number: fitting_short_text(&study.accession_number),
            patient_position: code(&self.identity.patient_position, ""),
            laterality: code(&self.identity.laterality, ""),
            body_part: code(&self.identity.body_part, ""),
            slice_thickness: self.common(|slice| slice.thickness),
            echo_time: self.common(|slice| slice.echo_time),
            study_description: fitting_text(&study.description),
            series_number: self.number.and_then(|number| number.try_into().ok()).unwrap_or(defaults.series_number),
            date: seconds_of_date(&study.date).map_or(defaults.date, |_| study.date.replace('.', "")),
            start_time: study.time.unwrap_or(defaults.start_time),
            modality: code(self.modality(), "OT"),
            study_uid: uid(self.study_uid()),
            frame_of_reference_uid: self.frame_of_reference().map_or_else(String::new, uid),
            ..defaults
        }
    }

    /// A number that all slices state alike.
    fn common(&self, number: fn(&Slice) -> Option<f64>) -> Option<f64> {
        let first = self.slices.first().and_then(number);
        first.filter(|_| self.slices.iter().all(|slice| number(slice) == first))
    }

    /// Seconds from the start of the study to the first phase; 0 where the files do not say both.
    #[must_use]
    pub fn time_in_study(&self) -> f64 {
        let times = self.start().zip(self.identity.study.time);
        times.map_or(0.0, |(start, study)| (start - study).rem_euclid(DAY))
    }

    /// Number of planes in all phases.
    #[must_use]
    pub fn slice_count(&self) -> usize {
        self.slices.len()
    }

    /// Number of phases; 1 for a series that is not dynamic, 0 for one that forms no volume, or whose volumes differ in
    /// more than time.
    #[must_use]
    pub fn phase_count(&self) -> usize {
        self.only_kind().map_or(0, |kind| kind.phases.len())
    }

    /// All volumes, in the order in which they are numbered.
    ///
    /// # Errors
    /// [`ImagingError::File`] with a [`SeriesProblem`] when the slices form no volume.
    pub fn volumes(&self) -> Result<Vec<SeriesVolume>> {
        let sorted = self.sorted()?;
        let times: Vec<Vec<f64>> = sorted.kinds.iter().map(|kind| self.times_of(kind)).collect();
        let volume = |(number, (kind, phase)): (usize, (usize, usize))| {
            let SortedKind { kind: told, phases, geometry, .. } = &sorted.kinds[kind];
            SeriesVolume {
                number,
                kind: told.clone(),
                phase: phase + 1,
                phases: phases.len(),
                time: times[kind][phase],
                geometry: geometry.clone(),
            }
        };
        Ok((1..).zip(sorted.volumes(&self.slices)).map(volume).collect())
    }

    /// The attribute by which phases are separated, if there are several of one kind.
    #[must_use]
    pub fn phases_by(&self) -> Option<PhaseKey> {
        self.sorted.as_ref().ok().and_then(|sorted| sorted.kinds.iter().find_map(|kind| kind.phases_by))
    }

    /// What is unusual about the series, which is read all the same.
    #[must_use]
    pub fn warnings(&self) -> &[SeriesWarning] {
        self.sorted.as_ref().map_or(&[], |sorted| &sorted.warnings)
    }

    /// Why the slices form no volume, if they do not.
    #[must_use]
    pub fn problem(&self) -> Option<&SeriesProblem> {
        self.sorted.as_ref().err()
    }

    /// The grid that all volumes share.
    ///
    /// # Errors
    /// [`ImagingError::File`] with a [`SeriesProblem`] when the slices form no volume, or volumes on several grids.
    pub fn geometry(&self) -> Result<&Geometry> {
        let kinds = &self.sorted()?.kinds;
        let first = &kinds[0].geometry;
        let is_shared = kinds.iter().all(|kind| first.difference(&kind.geometry, SAME_GRID).is_none());
        if is_shared { Ok(first) } else { self.only_kind().map(|kind| &kind.geometry) }
    }

    /// Where the slices of a phase (counted from 1) are stored, in order of position.
    ///
    /// # Errors
    /// As [`Series::phase`].
    pub fn instances(&self, phase: usize) -> Result<Vec<Instance>> {
        let kind = self.only_kind()?;
        let slices = self.phase_slices(kind, phase)?;
        let instance = |slice: &Slice| Instance {
            sop_instance_uid: slice.sop_instance_uid.clone(),
            sop_class_uid: slice.sop_class_uid.clone(),
            frame: slice.frame + 1,
        };
        Ok(slices.iter().map(|&i| instance(&self.slices[i])).collect())
    }

    /// The image of a series of one volume.
    ///
    /// # Errors
    /// [`ImagingError::File`] when the slices form no volume, there are several, or pixels cannot be decoded.
    pub fn image(&self) -> Result<Image> {
        match self.only_kind()?.phases.len() {
            1 => self.phase(1),
            phases => Err(self.fail(SeriesProblem::SeveralPhases { phases })),
        }
    }

    /// One volume, by its number in [`Series::volumes`].
    ///
    /// # Errors
    /// As [`Series::image`], and when the series has fewer volumes.
    pub fn volume(&self, number: usize) -> Result<Image> {
        let sorted = self.sorted()?;
        let volumes = sorted.volumes(&self.slices);
        let found = number.checked_sub(1).and_then(|index| volumes.get(index));
        let &(kind, phase) =
            found.ok_or_else(|| self.fail(SeriesProblem::NoSuchVolume { number, volumes: volumes.len() }))?;
        self.read_phase(&sorted.kinds[kind], phase + 1)
    }

    /// One phase, counted from 1.
    ///
    /// # Errors
    /// As [`Series::image`], and when the series has fewer phases.
    pub fn phase(&self, number: usize) -> Result<Image> {
        self.read_phase(self.only_kind()?, number)
    }

    fn read_phase(&self, kind: &SortedKind, number: usize) -> Result<Image> {
        let slices = self.phase_slices(kind, number)?;
        let grid = &kind.geometry;
        match self.type_of(kind) {
            PixelType::U8 => self.read::<u8>(slices, grid).map(Image::from),
            PixelType::I8 => self.read::<i8>(slices, grid).map(Image::from),
            PixelType::U16 => self.read::<u16>(slices, grid).map(Image::from),
            PixelType::I16 => self.read::<i16>(slices, grid).map(Image::from),
            PixelType::U32 => self.read::<u32>(slices, grid).map(Image::from),
            PixelType::I32 => self.read::<i32>(slices, grid).map(Image::from),
            PixelType::F32 => self.read::<f32>(slices, grid).map(Image::from),
            // No pixels of 64 bits are stored, and none come of rescaling.
            PixelType::F64 | PixelType::U64 | PixelType::I64 => self.read::<f64>(slices, grid).map(Image::from),
        }
    }

    /// The image of one file in memory.
    pub(super) fn image_of(opened: Opened) -> Result<Image> {
        let in_memory = |problem: FileProblem| problem.at("");
        let no_image = || in_memory(malformed("the file holds no image"));
        if !ImageFile::is_image(&opened.header) {
            return Err(no_image());
        }
        let file = ImageFile::of(opened, &FirstFiles::default());
        let slices = file.slices.map_err(in_memory)?;
        Self::new(vec![ImageFile { slices: Ok(slices), ..file }]).ok_or_else(no_image)?.image()
    }

    /// Seconds at which the series began, since 1970 or midnight: the earliest acquisition time of its slices.
    pub(super) fn start(&self) -> Option<f64> {
        self.slices.iter().filter_map(|slice| slice.acquisition_time).reduce(f64::min)
    }

    /// All phases with their times.
    ///
    /// # Errors
    /// As [`Series::phase`].
    pub fn phases(&self) -> Result<DynamicSeries> {
        let kind = self.only_kind()?;
        let images = (1..=kind.phases.len()).map(|number| self.read_phase(kind, number)).collect::<Result<_>>()?;
        DynamicSeries::new(images, self.times_of(kind))
    }

    /// Seconds from the first phase to each, to microseconds: from the earliest acquisition time of its slices, else
    /// the trigger time, else the time of the content; NaN where the files state none of them.
    ///
    /// # Errors
    /// As [`Series::phase`].
    pub fn times(&self) -> Result<Vec<f64>> {
        self.only_kind().map(|kind| self.times_of(kind))
    }

    fn times_of(&self, kind: &SortedKind) -> Vec<f64> {
        let earliest = |phase: &Vec<usize>, time: fn(&Slice) -> Option<f64>| {
            phase
                .iter()
                .map(|&i| time(&self.slices[i]))
                .try_fold(f64::INFINITY, |least, time| time.map(|time| least.min(time)))
        };
        let phases = &kind.phases;
        let by = |time: fn(&Slice) -> Option<f64>| {
            phases.iter().map(|phase| earliest(phase, time)).collect::<Option<Vec<f64>>>()
        };
        let distinct = |times: &Vec<f64>| times.len() < 2 || times.windows(2).any(|pair| pair[0] != pair[1]);
        let times = by(|slice| slice.acquisition_time)
            .filter(distinct)
            .or_else(|| by(|slice| slice.trigger_time))
            .or_else(|| by(|slice| slice.content_time).filter(distinct));
        let Some(times) = times else { return vec![f64::NAN; phases.len()] };
        // Seconds since 1970 hold no more than microseconds, the unit of DICOM times.
        let microseconds = |time: f64| (time * 1e6).round() / 1e6;
        times.iter().map(|time| microseconds(time - times[0])).collect()
    }

    fn sorted(&self) -> Result<&Sorted> {
        self.sorted.as_ref().map_err(|problem| self.fail(problem.clone()))
    }

    /// The volumes of a series that differ in time alone.
    fn only_kind(&self) -> Result<&SortedKind> {
        match self.sorted()?.kinds.as_slice() {
            [kind] => Ok(kind),
            _ => {
                let volumes = self.volumes()?.iter().map(SeriesVolume::to_string).collect();
                Err(self.fail(SeriesProblem::SeveralVolumes { volumes }))
            }
        }
    }

    fn phase_slices<'a>(&self, kind: &'a SortedKind, number: usize) -> Result<&'a [usize]> {
        let phases = &kind.phases;
        let found = number.checked_sub(1).and_then(|index| phases.get(index));
        found.map(Vec::as_slice).ok_or_else(|| self.fail(SeriesProblem::NoSuchPhase { number, phases: phases.len() }))
    }

    /// The problem at the file that holds the whole series, or at the folder of its files.
    fn fail(&self, problem: SeriesProblem) -> ImagingError {
        let first = self.slices.first().map(Slice::path);
        let is_one_file = first.is_some() && self.slices.iter().all(|slice| Some(slice.path()) == first);
        let place = if is_one_file { Some(self.path.as_path()) } else { self.path.parent() };
        FileProblem::from(problem).at(place.unwrap_or(Path::new("")))
    }

    /// The type of the voxels, which all phases share.
    ///
    /// # Errors
    /// As [`Series::phase`].
    pub fn pixel_type(&self) -> Result<PixelType> {
        self.only_kind().map(|kind| self.type_of(kind))
    }

    /// The type that holds the values of all phases of a kind.
    fn type_of(&self, kind: &SortedKind) -> PixelType {
        let slices: Vec<&Slice> = kind.phases.iter().flatten().map(|&slice| &self.slices[slice]).collect();
        PixelFormat::rescaled_type(slices.iter().map(|slice| (slice.format, slice.slope, slice.intercept)))
    }

    fn read<T: VoxelBytes + Default>(&self, slices: &[usize], grid: &Geometry) -> Result<Volume<T>> {
        let geometry = grid.clone();
        let bytes = (geometry.voxel_count() as u64).saturating_mul(T::BYTES as u64);
        let stored: u64 = slices.iter().map(|&i| self.slices[i].stored_bytes).sum();
        let limit = MAX_VOXEL_BYTES.min(stored.saturating_mul(MAX_EXPANSION).saturating_add(ALWAYS_ALLOWED));
        if bytes > limit {
            return Err(FileProblem::TooLarge { bytes, limit }.at(self.slices[slices[0]].path()));
        }
        if let Some(colour) = slices.iter().map(|&i| &self.slices[i]).find(|s| s.format.is_colour() && !s.as_luminance)
        {
            return Err(colours_unasked().at(colour.path()));
        }
        let files = MultiFrameFiles::new(slices.iter().map(|&i| &self.slices[i]))?;
        let plane = geometry.size()[0] * geometry.size()[1];
        let mut volume = Volume::filled(geometry, T::default());
        let mosaics = Mosaics::new(slices.iter().map(|&i| &self.slices[i]), &files)?;
        try_for_each_part(volume.as_mut_slice(), plane, &|number, voxels| -> Result<()> {
            let slice = &self.slices[slices[number]];
            match &slice.tile {
                Some(tile) => mosaics.copy(slice, *tile, voxels),
                None => files.decode(slice, voxels).map_err(|problem| problem.at(slice.path()))?,
            }
            Ok(())
        })?;
        Ok(volume)
    }
}

/// Mosaics that were decoded once for all their slices.
struct Mosaics<T> {
    frames: BTreeMap<PathBuf, Vec<T>>,
}

impl<T: VoxelBytes + Default> Mosaics<T> {
    fn new<'a>(slices: impl Iterator<Item = &'a Slice>, files: &MultiFrameFiles<'_>) -> Result<Self> {
        let mut frames = BTreeMap::new();
        for (slice, tile) in slices.filter_map(|slice| slice.tile.map(|tile| (slice, tile))) {
            if !frames.contains_key(slice.path()) {
                let mut voxels = vec![T::default(); tile.frame_rows * tile.frame_columns];
                files.decode(slice, &mut voxels).map_err(|problem| problem.at(slice.path()))?;
                frames.insert(slice.path().to_owned(), voxels);
            }
        }
        Ok(Self { frames })
    }

    fn copy(&self, slice: &Slice, tile: Tile, voxels: &mut [T]) {
        let Some(frame) = self.frames.get(slice.path()) else { return };
        let [first_row, first_column] = tile.start;
        for (row, voxels) in voxels.chunks_exact_mut(slice.columns).enumerate() {
            let start = (first_row + row) * tile.frame_columns + first_column;
            voxels.copy_from_slice(&frame[start..start + slice.columns]);
        }
    }
}

/// Multi-frame files with the places of their frames, which are found once for all slices.
struct MultiFrameFiles<'a> {
    frames: BTreeMap<&'a Path, Frames<'a>>,
}

impl<'a> MultiFrameFiles<'a> {
    fn new(slices: impl Iterator<Item = &'a Slice>) -> Result<Self> {
        let mut frames = BTreeMap::new();
        for slice in slices.filter(|slice| slice.frame > 0) {
            if !frames.contains_key(slice.path()) {
                frames.insert(slice.path(), slice.file.frames().map_err(|problem| problem.at(slice.path()))?);
            }
        }
        Ok(Self { frames })
    }

    fn decode<T: VoxelBytes>(&self, slice: &Slice, voxels: &mut [T]) -> Result<(), FileProblem> {
        let of_one_frame;
        let frames = match self.frames.get(slice.path()) {
            Some(frames) => frames,
            None => {
                of_one_frame = slice.file.frames()?;
                &of_one_frame
            }
        };
        match &slice.palette {
            Some(palette) => palette.decode(frames, slice.frame, voxels),
            None => decode_frame(frames, slice.frame, slice.format, [slice.slope, slice.intercept], voxels),
        }
    }
}
