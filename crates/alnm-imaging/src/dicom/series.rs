//! Slices sorted into series, phases and places.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::dynamic::DynamicSeries;
use super::malformed;
use super::object::{self, DicomFile};
use super::pixels::{PixelFormat, decode_frame};
use super::slice::Slice;
use crate::error::{FileProblem, ImagingError, Result};
use crate::file::MAX_VOXEL_BYTES;
use crate::geometry::Geometry;
use crate::volume::{Image, PixelType, Volume, Voxel};
use crate::voxel_data::{VoxelBytes, with_type};

/// Positions that differ by less, in mm, are one position.
const SAME_POSITION: f64 = 1e-3;

/// How far a distance between slices may differ from the mean, relative to it: positions are written with few digits.
const EVEN_SPACING: f64 = 0.01;

/// How many times their compressed size voxels may take up, beyond [`ALWAYS_ALLOWED`]: the most that deflate can reach.
const MAX_EXPANSION: u64 = 1100;

/// Bytes of voxels that are read whatever the size of the files.
const ALWAYS_ALLOWED: u64 = 64 << 20;

/// Direction cosines and pixel spacings that differ by less are equal.
const SAME_COSINE: f64 = 1e-4;

/// Why the slices of a series are no volume.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesProblem {
    /// A folder with several series where one is asked for.
    #[error("{} series where one is asked for; choose one by its UID: {}", series.len(), series.join("; "))]
    SeveralSeries {
        /// Identifier, description and size of each.
        series: Vec<String>,
    },
    /// No series has the identifier asked for.
    #[error("no series {uid} here")]
    NoSuchSeries {
        /// The `SeriesInstanceUID`.
        uid: String,
    },
    /// Slices that differ in what all slices of a volume share.
    #[error("{attribute} differs within the series: {left} in {} and {right} in {}", left_file.display(), right_file.display())]
    Mixed {
        /// The attribute.
        attribute: &'static str,
        /// Its value in one file.
        left: String,
        /// That file.
        left_file: PathBuf,
        /// Its value in another.
        right: String,
        /// The other file.
        right_file: PathBuf,
    },
    /// Two slices at one position that no attribute of time tells apart.
    #[error("two slices at {location} mm along the normal: {} and {}; remove one", first.display(), second.display())]
    DuplicateSlice {
        /// Position along the normal in mm.
        location: f64,
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A phase that lacks a slice which other phases have.
    #[error("phase {phase} has no slice at {location} mm along the normal")]
    MissingInPhase {
        /// Number of the phase, from 1.
        phase: usize,
        /// Position along the normal in mm.
        location: f64,
    },
    /// A gap as wide as several slices.
    #[error("{count} slices are missing between {after} and {before} mm along the normal (slices lie {spacing} mm apart)")]
    MissingSlices {
        /// How many.
        count: usize,
        /// Position of the last slice before the gap in mm.
        after: f64,
        /// Position of the first slice behind it in mm.
        before: f64,
        /// Distance of the other slices in mm.
        spacing: f64,
    },
    /// Slices at uneven distances.
    #[error("uneven distances of slices: {distance} mm between {after} and {before} mm along the normal, {spacing} mm elsewhere")]
    UnevenSpacing {
        /// The distance that differs.
        distance: f64,
        /// Position of the slice before it in mm.
        after: f64,
        /// Position of the slice behind it in mm.
        before: f64,
        /// Distance of the other slices in mm.
        spacing: f64,
    },
    /// Slices shifted against each other in their plane (a tilted gantry), which no orthogonal grid holds.
    #[error("the slices are shifted by {shift} mm in their plane from first to last; resample the series to orthogonal axes")]
    Sheared {
        /// The shift in mm.
        shift: f64,
    },
    /// Spacings or cosines that describe no grid.
    #[error("{}: {reason}", file.display())]
    ImpossibleGrid {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A dynamic series where a single volume is asked for.
    #[error("the series has {phases} phases; choose one by its number")]
    SeveralPhases {
        /// Number of phases.
        phases: usize,
    },
    /// Series that are not the phases of one examination.
    #[error("the series {first} and {second} are not phases of one dynamic series: {reason}")]
    NotPhases {
        /// Identifier of one.
        first: String,
        /// Identifier of the other.
        second: String,
        /// In what they differ.
        reason: String,
    },
    /// A phase that the series does not have.
    #[error("phase {number} asked for; the series has phases 1 to {phases}")]
    NoSuchPhase {
        /// The number asked for.
        number: usize,
        /// Number of phases.
        phases: usize,
    },
}

/// A series of slices, as its files' headers describe it. Sorting and checking happen when an image is asked for, so that
/// a folder with one faulty series still gives the others.
#[derive(Debug, Clone)]
pub struct Series {
    /// `SeriesInstanceUID`.
    pub uid: String,
    /// `SeriesNumber`.
    pub number: Option<i64>,
    /// `SeriesDescription`, empty when absent.
    pub description: String,
    /// `Modality`.
    pub modality: String,
    /// `PatientID`.
    pub patient_id: String,
    /// `StudyInstanceUID`.
    pub study_uid: String,
    /// `FrameOfReferenceUID`: images that share it share their coordinates.
    pub frame_of_reference: Option<String>,
    slices: Vec<Slice>,
    sorted: std::result::Result<Sorted, SeriesProblem>,
}

/// The slices of each phase in order of position, as indices, and the grid they fill.
#[derive(Debug, Clone)]
struct Sorted {
    phases: Vec<Vec<usize>>,
    geometry: Geometry,
}

/// Slices by series, ordered by series number, then identifier.
pub(super) fn group(slices: Vec<Slice>) -> Vec<Series> {
    let mut groups: BTreeMap<(Option<i64>, String), Vec<Slice>> = BTreeMap::new();
    for slice in slices {
        groups.entry((slice.series.number, slice.series.uid.clone())).or_default().push(slice);
    }
    groups.into_values().filter_map(Series::new).collect()
}

impl Series {
    fn new(mut slices: Vec<Slice>) -> Option<Self> {
        slices.sort_by(|a, b| a.path.cmp(&b.path).then(a.frame.cmp(&b.frame)));
        let identity = slices.first()?.series.as_ref().clone();
        let sorted = Sorted::new(&slices);
        Some(Self {
            uid: identity.uid,
            number: identity.number,
            description: identity.description,
            modality: identity.modality,
            patient_id: identity.patient_id,
            study_uid: identity.study_uid,
            frame_of_reference: identity.frame_of_reference,
            slices,
            sorted,
        })
    }

    /// Number of planes in all phases.
    pub fn slice_count(&self) -> usize {
        self.slices.len()
    }

    /// Number of phases; 1 for a series that is not dynamic, 0 for one that forms no volume.
    pub fn phase_count(&self) -> usize {
        self.sorted.as_ref().map_or(0, |sorted| sorted.phases.len())
    }

    /// Why the slices form no volume, if they do not.
    pub fn problem(&self) -> Option<&SeriesProblem> {
        self.sorted.as_ref().err()
    }

    /// The grid of each phase.
    ///
    /// # Errors
    /// [`ImagingError::File`] with a [`SeriesProblem`] when the slices form no volume.
    pub fn geometry(&self) -> Result<&Geometry> {
        self.sorted().map(|sorted| &sorted.geometry)
    }

    /// The `SOPInstanceUID` and frame number, from 1, of the slices of a phase (counted from 1), in order of position.
    ///
    /// # Errors
    /// As [`Series::phase`].
    pub fn instances(&self, phase: usize) -> Result<Vec<(String, u32)>> {
        let slices = self.phase_slices(phase)?;
        Ok(slices.iter().map(|&i| (self.slices[i].sop_instance_uid.clone(), self.slices[i].frame + 1)).collect())
    }

    /// The image of a series of one phase.
    ///
    /// # Errors
    /// [`ImagingError::File`] when the slices form no volume, there are several phases, or pixels cannot be decoded.
    pub fn image(&self) -> Result<Image> {
        match self.sorted()?.phases.len() {
            1 => self.phase(1),
            phases => Err(self.fail(SeriesProblem::SeveralPhases { phases })),
        }
    }

    /// One phase, counted from 1.
    ///
    /// # Errors
    /// As [`Series::image`], and when the series has fewer phases.
    pub fn phase(&self, number: usize) -> Result<Image> {
        let slices = self.phase_slices(number)?;
        let pixel_type = self.pixel_type();
        let files = Files::open(slices.iter().map(|&i| &self.slices[i]))?;
        with_type!(pixel_type, T => self.read::<T>(slices, &files).map(T::into_image))
    }

    /// The image of one object in memory.
    pub(super) fn image_of(object: DicomFile, bytes: u64) -> Result<Image> {
        let in_memory = |problem: FileProblem| problem.at("");
        let slices = Slice::of_object(&object, Path::new(""), bytes).map_err(in_memory)?;
        let series = Self::new(slices).ok_or_else(|| in_memory(malformed("the file holds no image")))?;
        let slices = &series.sorted()?.phases;
        let [slices] = slices.as_slice() else { return Err(series.fail(SeriesProblem::SeveralPhases { phases: slices.len() })) };
        let files = Files::holding(object);
        with_type!(series.pixel_type(), T => series.read::<T>(slices, &files).map(T::into_image))
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
        let phases = &self.sorted()?.phases;
        let images = (1..=phases.len()).map(|number| self.phase(number)).collect::<Result<_>>()?;
        Ok(DynamicSeries { images, times: self.times()? })
    }

    /// Seconds from the first phase to each: from the earliest acquisition time of its slices, else the trigger time; NaN
    /// where the files state neither.
    ///
    /// # Errors
    /// As [`Series::geometry`].
    pub fn times(&self) -> Result<Vec<f64>> {
        const DAY: f64 = 86_400.0;
        let earliest = |phase: &Vec<usize>, time: fn(&Slice) -> Option<f64>| {
            phase.iter().map(|&i| time(&self.slices[i])).try_fold(f64::INFINITY, |least, time| time.map(|time| least.min(time)))
        };
        let phases = &self.sorted()?.phases;
        let by = |time: fn(&Slice) -> Option<f64>| phases.iter().map(|phase| earliest(phase, time)).collect::<Option<Vec<f64>>>();
        let distinct = |times: &Vec<f64>| times.len() < 2 || times.windows(2).any(|pair| pair[0] != pair[1]);
        let times = by(|slice| slice.acquisition_time).filter(distinct).or_else(|| by(|slice| slice.trigger_time));
        let Some(times) = times else { return Ok(vec![f64::NAN; phases.len()]) };
        let first = times[0];
        // Times without a date start again at midnight.
        Ok(times.iter().map(|time| if *time < first { time + DAY - first } else { time - first }).collect())
    }

    fn sorted(&self) -> Result<&Sorted> {
        self.sorted.as_ref().map_err(|problem| self.fail(problem.clone()))
    }

    fn phase_slices(&self, number: usize) -> Result<&[usize]> {
        let phases = &self.sorted()?.phases;
        let found = number.checked_sub(1).and_then(|index| phases.get(index));
        found.map(Vec::as_slice).ok_or_else(|| self.fail(SeriesProblem::NoSuchPhase { number, phases: phases.len() }))
    }

    fn fail(&self, problem: SeriesProblem) -> ImagingError {
        let folder = self.slices.first().and_then(|slice| slice.path.parent()).map(PathBuf::from).unwrap_or_default();
        FileProblem::from(problem).at(folder)
    }

    fn pixel_type(&self) -> PixelType {
        PixelFormat::rescaled_type(self.slices.iter().map(|slice| (slice.format, slice.slope, slice.intercept)))
    }

    fn read<T: VoxelBytes + Default>(&self, slices: &[usize], files: &Files) -> Result<Volume<T>> {
        let geometry = self.geometry()?.clone();
        let bytes = (geometry.voxel_count() as u64).saturating_mul(T::BYTES as u64);
        let stored: u64 = slices.iter().map(|&i| self.slices[i].stored_bytes).sum();
        let limit = MAX_VOXEL_BYTES.min(stored.saturating_mul(MAX_EXPANSION).saturating_add(ALWAYS_ALLOWED));
        if bytes > limit {
            return Err(FileProblem::TooLarge { bytes, limit }.at(&self.slices[slices[0]].path));
        }
        let plane = geometry.size()[0] * geometry.size()[1];
        let mut volume = Volume::filled(geometry, T::default());
        let planes = volume.as_mut_slice().par_chunks_mut(plane).zip(slices);
        planes.try_for_each(|(voxels, &i)| {
            let slice = &self.slices[i];
            files.decode(slice, voxels).map_err(|problem| problem.at(&slice.path))
        })?;
        Ok(volume)
    }
}

/// Multi-frame files are opened once, classic files when their slice is decoded.
struct Files {
    multi_frame: BTreeMap<PathBuf, DicomFile>,
}

impl Files {
    fn open<'a>(slices: impl Iterator<Item = &'a Slice>) -> Result<Self> {
        let mut multi_frame = BTreeMap::new();
        for slice in slices {
            if slice.frame > 0 && !multi_frame.contains_key(&slice.path) {
                let object = read_object(slice).map_err(|problem| problem.at(&slice.path))?;
                multi_frame.insert(slice.path.clone(), object);
            }
        }
        Ok(Self { multi_frame })
    }

    /// An object that was read already, in place of the file with its path.
    fn holding(object: DicomFile) -> Self {
        Self { multi_frame: BTreeMap::from([(PathBuf::new(), object)]) }
    }

    fn decode<T: VoxelBytes>(&self, slice: &Slice, voxels: &mut [T]) -> Result<(), FileProblem> {
        let rescale = [slice.slope, slice.intercept];
        match self.multi_frame.get(&slice.path) {
            Some(object) => decode_frame(object, slice.frame, slice.format, rescale, voxels),
            None => decode_frame(&read_object(slice)?, slice.frame, slice.format, rescale, voxels),
        }
    }
}

fn read_object(slice: &Slice) -> Result<DicomFile, FileProblem> {
    object::open(&slice.path, None)
}

impl Sorted {
    fn new(slices: &[Slice]) -> std::result::Result<Self, SeriesProblem> {
        check_uniform(slices)?;
        let [_, _, normal] = slices[0].axes();
        let location = |slice: &Slice| (0..3).map(|axis| slice.position[axis] * normal[axis]).sum::<f64>();
        let places = Places::new(slices, location);
        let phases = places.phases(slices)?;
        let geometry = grid(slices, &phases[0], &places.locations)?;
        Ok(Self { phases, geometry })
    }
}

/// Whether all slices have one size, orientation and pixel spacing.
fn check_uniform(slices: &[Slice]) -> std::result::Result<(), SeriesProblem> {
    let first = &slices[0];
    for slice in &slices[1..] {
        let mixed = |attribute: &'static str, left: String, right: String| {
            Err(SeriesProblem::Mixed { attribute, left, left_file: first.path.clone(), right, right_file: slice.path.clone() })
        };
        let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > SAME_COSINE);
        if (slice.rows, slice.columns) != (first.rows, first.columns) {
            let size = |slice: &Slice| format!("{} × {}", slice.rows, slice.columns);
            return mixed("Rows × Columns", size(first), size(slice));
        }
        if apart(&slice.orientation, &first.orientation) {
            return mixed("ImageOrientationPatient", format!("{:?}", first.orientation), format!("{:?}", slice.orientation));
        }
        if apart(&slice.pixel_spacing, &first.pixel_spacing) {
            return mixed("PixelSpacing", format!("{:?}", first.pixel_spacing), format!("{:?}", slice.pixel_spacing));
        }
    }
    Ok(())
}

/// Slices, as indices, at each position along the normal, ascending.
struct Places {
    locations: Vec<f64>,
    slices: Vec<Vec<usize>>,
}

/// An attribute by which slices at one position are told apart.
type TimeKey = fn(&Slice) -> Option<f64>;

impl Places {
    fn new(slices: &[Slice], location: impl Fn(&Slice) -> f64) -> Self {
        let mut ordered: Vec<(f64, usize)> = slices.iter().map(location).zip(0..).collect();
        ordered.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut places = Self { locations: Vec::new(), slices: Vec::new() };
        for (location, slice) in ordered {
            match (places.locations.last(), places.slices.last_mut()) {
                (Some(last), Some(here)) if location - last < SAME_POSITION => here.push(slice),
                _ => {
                    places.locations.push(location);
                    places.slices.push(vec![slice]);
                }
            }
        }
        places
    }

    /// The slices of each phase in order of position.
    fn phases(&self, slices: &[Slice]) -> std::result::Result<Vec<Vec<usize>>, SeriesProblem> {
        if self.slices.iter().all(|here| here.len() == 1) {
            return Ok(vec![self.slices.iter().map(|here| here[0]).collect()]);
        }
        if let Some(phases) = self.phases_by_number(slices) {
            return phases;
        }
        let keys: [TimeKey; 2] = [|slice| slice.trigger_time, |slice| slice.acquisition_time];
        match keys.iter().find(|key| self.tells_apart(slices, **key)) {
            Some(key) => self.phases_by_rank(slices, *key),
            None => Err(self.duplicate(slices)),
        }
    }

    fn tells_apart(&self, slices: &[Slice], key: TimeKey) -> bool {
        self.slices.iter().all(|here| {
            let mut keys: Vec<f64> = here.iter().filter_map(|&i| key(&slices[i])).collect();
            keys.sort_by(f64::total_cmp);
            keys.len() == here.len() && keys.windows(2).all(|pair| pair[0] < pair[1])
        })
    }

    /// Phases by temporal position: slices of one number belong together, whenever they were taken.
    fn phases_by_number(&self, slices: &[Slice]) -> Option<std::result::Result<Vec<Vec<usize>>, SeriesProblem>> {
        let number: TimeKey = |slice| slice.temporal_position.map(|number| number as f64);
        if !self.tells_apart(slices, number) {
            return None;
        }
        let numbers: std::collections::BTreeSet<i64> = slices.iter().filter_map(|slice| slice.temporal_position).collect();
        let phase = |(index, number): (usize, i64)| {
            let at = |(here, location): (&Vec<usize>, &f64)| {
                let slice = here.iter().copied().find(|&i| slices[i].temporal_position == Some(number));
                slice.ok_or(SeriesProblem::MissingInPhase { phase: index + 1, location: *location })
            };
            self.slices.iter().zip(&self.locations).map(at).collect()
        };
        Some(numbers.into_iter().enumerate().map(phase).collect())
    }

    /// Phases by time: the n-th slice at every position belongs to phase n, since the slices of one phase may have been
    /// taken one after the other.
    fn phases_by_rank(&self, slices: &[Slice], key: TimeKey) -> std::result::Result<Vec<Vec<usize>>, SeriesProblem> {
        let count = self.slices.iter().map(Vec::len).max().unwrap_or(0);
        let mut phases = vec![Vec::with_capacity(self.slices.len()); count];
        for (here, location) in self.slices.iter().zip(&self.locations) {
            if here.len() < count {
                return Err(SeriesProblem::MissingInPhase { phase: here.len() + 1, location: *location });
            }
            let mut ordered = here.clone();
            ordered.sort_by(|&a, &b| key(&slices[a]).unwrap_or(0.0).total_cmp(&key(&slices[b]).unwrap_or(0.0)));
            for (phase, slice) in phases.iter_mut().zip(ordered) {
                phase.push(slice);
            }
        }
        Ok(phases)
    }

    fn duplicate(&self, slices: &[Slice]) -> SeriesProblem {
        let (here, location) =
            self.slices.iter().zip(&self.locations).find(|(here, _)| here.len() > 1).expect("called where a position has several slices");
        SeriesProblem::DuplicateSlice { location: *location, first: slices[here[0]].path.clone(), second: slices[here[1]].path.clone() }
    }
}

/// The grid that the slices of one phase fill.
fn grid(slices: &[Slice], phase: &[usize], locations: &[f64]) -> std::result::Result<Geometry, SeriesProblem> {
    let (first, last) = (&slices[phase[0]], &slices[phase[phase.len() - 1]]);
    let spacing = slice_spacing(locations)?.or(first.stated_spacing).unwrap_or(1.0);
    let axes = first.axes();
    let shift =
        (0..2).map(|axis| (0..3).map(|i| (last.position[i] - first.position[i]) * axes[axis][i]).sum::<f64>().abs()).fold(0.0, f64::max);
    let [row_distance, column_distance] = first.pixel_spacing;
    let size = [first.columns, first.rows, phase.len()];
    let direction = std::array::from_fn(|row| axes.map(|axis| axis[row]));
    let geometry = Geometry::new(size, [column_distance, row_distance, spacing], first.position, direction)
        .map_err(|error| SeriesProblem::ImpossibleGrid { file: first.path.clone(), reason: error.to_string() })?;
    if shift > 0.1 * row_distance.min(column_distance) { Err(SeriesProblem::Sheared { shift }) } else { Ok(geometry) }
}

/// The even distance of positions in mm, none for a single one.
fn slice_spacing(locations: &[f64]) -> std::result::Result<Option<f64>, SeriesProblem> {
    let gaps: Vec<f64> = locations.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut ordered = gaps.clone();
    ordered.sort_by(f64::total_cmp);
    let Some(&median) = ordered.get(ordered.len() / 2) else { return Ok(None) };
    for (gap, pair) in gaps.iter().zip(locations.windows(2)) {
        let (distance, after, before, spacing) = (*gap, pair[0], pair[1], median);
        if (gap - median).abs() <= EVEN_SPACING * median {
            continue;
        }
        let slices = (gap / median).round();
        if slices >= 2.0 && (gap - slices * median).abs() <= EVEN_SPACING * gap {
            return Err(SeriesProblem::MissingSlices { count: slices as usize - 1, after, before, spacing });
        }
        return Err(SeriesProblem::UnevenSpacing { distance, after, before, spacing });
    }
    Ok(Some((locations[locations.len() - 1] - locations[0]) / gaps.len() as f64))
}
