//! Writing masks as DICOM segmentations.

use std::collections::BTreeMap;
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use super::coded_concept::CodedConcept;
use super::derived_object::{
    CONTENT_LABEL, CREATOR, DerivedSeries, INTENDED_USE, ObjectKind, check_grid, invalid, write_object,
};
use super::item::Item;
use super::multi_frame::{Dimension, FrameGrid, POSITIONS};
use super::segment::Segment;
use super::source_images::SourceImages;
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::volume::{LabelMap, Volume};

const OPERATION: &str = "writing a DICOM segmentation";

/// What fractions are stored as multiples of.
const LARGEST_FRACTION: u16 = 255;

const SEGMENTATION: ObjectKind =
    ObjectKind { sop_class: uids::SEGMENTATION_STORAGE, modality: "SEG", description: "Segmentation" };

const LABEL_MAP: ObjectKind =
    ObjectKind { sop_class: uids::LABEL_MAP_SEGMENTATION_STORAGE, modality: "SEG", description: "Segmentation" };

/// Frames by segment.
const SEGMENTS: Dimension = Dimension {
    attribute: tags::REFERENCED_SEGMENT_NUMBER,
    group: tags::SEGMENT_IDENTIFICATION_SEQUENCE,
    label: "Segment Number",
};

/// How a segmentation stores its voxels (`SegmentationType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SegmentationKind {
    /// One bit for each voxel and segment. Every viewer that knows segmentations reads it.
    Binary,
    /// A number from 0 to 255 for each voxel and segment: the share of the voxel that the segment takes up, or its
    /// probability.
    Fractional,
    /// The number of its segment for each voxel (Label Map Segmentation Storage, in the standard since 2024), which is
    /// the smallest where there are many segments.
    LabelMap,
}

/// What the numbers of a fractional segmentation mean (`SegmentationFractionalType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FractionMeaning {
    /// The share of the voxel that the segment takes up.
    Occupancy,
    /// The probability that the voxel belongs to the segment.
    Probability,
}

/// How a mask becomes a segmentation.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`kind`](Self::kind) | binary | how voxels are stored | |
/// | [`segments`](Self::segments) | all labels, as "Region 1" and so on | the labels that are written, and their names | each label once |
/// | [`fractions`](Self::fractions) | occupancy | what fractions mean | |
/// | [`series`](Self::series) | number 1000 | the series that the object makes up | |
///
/// ```
/// use alnm_imaging::dicom::{
///     CodedConcept, DicomFolder, Phase, Segment, Segmentation, SegmentationParams, SeriesAttributes, SourceImages,
///     write_series,
/// };
/// use alnm_imaging::mask::MaskParams;
/// use alnm_imaging::{Geometry, Volume};
///
/// let folder = tempfile::tempdir()?;
/// let grid = Geometry::axis_aligned([16, 16, 4], [0.8, 0.8, 2.0])?;
/// let image = Phase::new(Volume::filled(grid.clone(), 100_u16), 0.0);
/// write_series(folder.path(), &[image], &SeriesAttributes::new("P001", "T1"))?;
/// let source = SourceImages::of(DicomFolder::scan(folder.path())?.only_series()?, 1)?;
///
/// let mut mask = Volume::filled(grid.clone(), 0_u32);
/// mask.as_mut_slice()[300] = 1;
/// let lesion = Segment::new(1, "Lesion").with_anatomic_region(CodedConcept::new("76752008", "SCT", "Breast"));
/// let writer = SegmentationParams::default().with_segments([lesion]).check()?;
/// let path = folder.path().join("lesion.seg.dcm");
/// writer.write(&path, &mask, &source)?;
///
/// let read = Segmentation::read(&path)?.mask(&MaskParams::default().with_grid(grid).check()?)?;
/// assert_eq!(read, mask);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct SegmentationParams {
    /// How voxels are stored. Default binary.
    pub kind: SegmentationKind,
    /// The segments; when there are none, every label of the mask is one.
    pub segments: Vec<Segment>,
    /// What fractions mean. Default occupancy.
    pub fractions: FractionMeaning,
    /// The series that the object makes up.
    pub series: DerivedSeries,
}

impl Default for SegmentationParams {
    fn default() -> Self {
        Self {
            kind: SegmentationKind::Binary,
            segments: Vec::new(),
            fractions: FractionMeaning::Occupancy,
            series: DerivedSeries::default(),
        }
    }
}

impl SegmentationParams {
    /// Sets [`SegmentationParams::kind`].
    pub fn with_kind(self, kind: SegmentationKind) -> Self {
        Self { kind, ..self }
    }

    /// Sets [`SegmentationParams::segments`].
    pub fn with_segments(self, segments: impl IntoIterator<Item = Segment>) -> Self {
        Self { segments: segments.into_iter().collect(), ..self }
    }

    /// Sets [`SegmentationParams::fractions`].
    pub fn with_fractions(self, fractions: FractionMeaning) -> Self {
        Self { fractions, ..self }
    }

    /// Sets [`SegmentationParams::series`].
    pub fn with_series(self, series: DerivedSeries) -> Self {
        Self { series, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when a label stands twice or is 0, a name or a code is empty or too long, or
    /// a label map has a label above 65535.
    pub fn check(self) -> Result<SegmentationWriter> {
        let mut labels: Vec<u32> = self.segments.iter().map(|segment| segment.label).collect();
        labels.sort_unstable();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(OPERATION, "label", format!("{} of two segments", pair[0]), "each must have its own"));
        }
        self.segments.iter().try_for_each(|segment| segment.check(OPERATION))?;
        check_label_map(self.kind, labels.last())?;
        Ok(SegmentationWriter { params: self })
    }
}

/// The largest label of a label map has to fit its voxels.
fn check_label_map(kind: SegmentationKind, largest: Option<&u32>) -> Result<()> {
    match largest {
        Some(&label) if kind == SegmentationKind::LabelMap && label > u32::from(u16::MAX) => Err(invalid(
            OPERATION,
            "label",
            label.to_string(),
            "the labels of a label map must be at most 65535; write a binary segmentation",
        )),
        _ => Ok(()),
    }
}

/// Checked parameters, by which segmentations are written: see [`SegmentationParams`].
///
/// The segments of binary and fractional segmentations are numbered from 1 in the order of their labels, as the
/// standard asks; those of a label map keep their labels as numbers. Slices without a voxel of a segment get no frame.
/// The same mask gives the same file.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentationWriter {
    params: SegmentationParams,
}

/// A segment with the number under which it is written.
struct Numbered<'a> {
    number: u16,
    segment: &'a Segment,
}

/// A frame: a slice of a segment, or of all in a label map.
struct Frame {
    /// Place among the segments.
    segment: Option<usize>,
    slice: usize,
}

impl SegmentationWriter {
    /// The parameters.
    pub fn params(&self) -> &SegmentationParams {
        &self.params
    }

    /// Writes the labels of a mask as a file; the mask lies in the space of the source, on its grid or on another one.
    ///
    /// # Errors
    /// [`ImagingError::EmptyRegion`] when the mask holds no voxel; [`ImagingError::InvalidParameter`] when a label is
    /// none of the segments, or the grid is sheared or too large; [`ImagingError::File`] when the file cannot be
    /// written.
    pub fn write(&self, path: impl AsRef<Path>, mask: &LabelMap, source: &SourceImages) -> Result<()> {
        write_object(path.as_ref(), &self.encode(mask, source)?)
    }

    /// The bytes of the file that [`SegmentationWriter::write`] writes.
    ///
    /// # Errors
    /// As [`SegmentationWriter::write`], but for the file.
    pub fn encode(&self, mask: &LabelMap, source: &SourceImages) -> Result<Vec<u8>> {
        check_grid(OPERATION, mask.geometry())?;
        let segments = self.segments_of(mask)?;
        let numbered = self.number(&segments)?;
        let plane = plane_of(mask.geometry());
        let slices: Vec<Vec<u32>> = mask.as_slice().chunks(plane).map(labels_of).collect();
        if self.params.kind == SegmentationKind::LabelMap {
            let frames: Vec<Frame> = slices
                .iter()
                .enumerate()
                .filter(|(_, labels)| !labels.is_empty())
                .map(|(slice, _)| Frame { segment: None, slice })
                .collect();
            let pixels = self.label_pixels(mask, &frames, &numbered);
            return self.object(mask.geometry(), source, &numbered, &frames, pixels);
        }
        let holds = |slice: usize, label: u32| slices[slice].binary_search(&label).is_ok();
        let frames = frames_of(&numbered, slices.len(), |segment, slice| holds(slice, numbered[segment].segment.label));
        let pixels = frames.iter().map(|frame| {
            let label = frame.segment.map(|segment| numbered[segment].segment.label);
            mask.as_slice()[frame.slice * plane..][..plane].iter().map(move |&voxel| Some(voxel) == label)
        });
        let pixels = match self.params.kind {
            SegmentationKind::Binary => packed_bits(pixels.flatten()),
            _ => pixels.flatten().map(|is_inside| if is_inside { LARGEST_FRACTION as u8 } else { 0 }).collect(),
        };
        self.object(mask.geometry(), source, &numbered, &frames, pixels)
    }

    /// Writes shares of voxels, or probabilities, from 0 to 1: a volume for each segment, in their order. Segments may
    /// overlap. They are stored in steps of 1/255.
    ///
    /// # Errors
    /// As [`SegmentationWriter::write`]; [`ImagingError::InvalidParameter`] when the kind is not fractional or there is
    /// not one volume for each segment; [`ImagingError::GeometryMismatch`] when they lie on different grids;
    /// [`ImagingError::InvalidVoxel`] for one that is not from 0 to 1.
    pub fn write_fractions(
        &self,
        path: impl AsRef<Path>,
        fractions: &[Volume<f32>],
        source: &SourceImages,
    ) -> Result<()> {
        write_object(path.as_ref(), &self.encode_fractions(fractions, source)?)
    }

    /// The bytes of the file that [`SegmentationWriter::write_fractions`] writes.
    ///
    /// # Errors
    /// As [`SegmentationWriter::write_fractions`], but for the file.
    pub fn encode_fractions(&self, fractions: &[Volume<f32>], source: &SourceImages) -> Result<Vec<u8>> {
        let segments = &self.params.segments;
        if self.params.kind != SegmentationKind::Fractional {
            let kind = format!("{:?}", self.params.kind);
            return Err(invalid(OPERATION, "kind", kind, "it must be Fractional to hold fractions"));
        }
        let first = fractions.first().filter(|_| fractions.len() == segments.len()).ok_or_else(|| {
            let counts = format!("{} for {} segments", fractions.len(), segments.len());
            invalid(OPERATION, "fractions", counts, "there must be one volume for each segment")
        })?;
        let grid = first.geometry();
        check_grid(OPERATION, grid)?;
        fractions.iter().try_for_each(|volume| check_fractions(volume, grid))?;
        let numbered = self.number(segments)?;
        let plane = plane_of(grid);
        let stored = |segment: usize, slice: usize| {
            let voxels = &fractions[segment].as_slice()[slice * plane..][..plane];
            voxels.iter().map(|&share| (share * f32::from(LARGEST_FRACTION)).round() as u8)
        };
        // Segments are numbered in the order of their labels, volumes are given in the order of the segments.
        let place = |numbered: &Numbered<'_>| segments.iter().position(|s| s.label == numbered.segment.label);
        let places: Vec<usize> = numbered.iter().filter_map(place).collect();
        let frames = frames_of(&numbered, grid.size()[2], |segment, slice| {
            stored(places[segment], slice).any(|share| share != 0)
        });
        let pixels =
            frames.iter().flat_map(|frame| frame.segment.map(|segment| stored(places[segment], frame.slice))).flatten();
        self.object(grid, source, &numbered, &frames, pixels.collect())
    }

    /// The segments given, or one for each label of the mask.
    fn segments_of(&self, mask: &LabelMap) -> Result<Vec<Segment>> {
        let labels = crate::region::labels(mask, usize::MAX);
        if self.params.segments.is_empty() {
            check_label_map(self.params.kind, labels.last())?;
            return Ok(labels.into_iter().map(|label| Segment::new(label, format!("Region {label}"))).collect());
        }
        let known = |label: &u32| self.params.segments.iter().any(|segment| segment.label == *label);
        match labels.iter().find(|label| !known(label)) {
            Some(label) => Err(invalid(
                OPERATION,
                "label",
                label.to_string(),
                "it stands in the mask, and each label there must be a segment",
            )),
            None => Ok(self.params.segments.clone()),
        }
    }

    /// The segments in the order of their labels, with their numbers.
    fn number<'a>(&self, segments: &'a [Segment]) -> Result<Vec<Numbered<'a>>> {
        if segments.len() > usize::from(u16::MAX) {
            let count = segments.len().to_string();
            return Err(invalid(OPERATION, "segments", count, "there must be at most 65535"));
        }
        let by_label: BTreeMap<u32, &Segment> = segments.iter().map(|segment| (segment.label, segment)).collect();
        let number = |(segment, place): (&'a Segment, u16)| match self.params.kind {
            // At most 65535, which was checked.
            SegmentationKind::LabelMap => Numbered { number: segment.label as u16, segment },
            _ => Numbered { number: place, segment },
        };
        Ok(by_label.into_values().zip(1..).map(number).collect())
    }

    /// The voxels of a label map, of one or two bytes each.
    fn label_pixels(&self, mask: &LabelMap, frames: &[Frame], segments: &[Numbered<'_>]) -> Vec<u8> {
        let plane = plane_of(mask.geometry());
        let voxels = frames.iter().flat_map(|frame| &mask.as_slice()[frame.slice * plane..][..plane]);
        if label_bits(segments) == 8 {
            voxels.map(|&voxel| voxel as u8).collect()
        } else {
            voxels.flat_map(|&voxel| (voxel as u16).to_le_bytes()).collect()
        }
    }

    fn object(
        &self,
        grid: &Geometry,
        source: &SourceImages,
        segments: &[Numbered<'_>],
        frames: &[Frame],
        pixels: Vec<u8>,
    ) -> Result<Vec<u8>> {
        if frames.is_empty() {
            let label = segments.first().map_or(1, |numbered| numbered.segment.label);
            return Err(ImagingError::EmptyRegion { operation: OPERATION, label, present: Vec::new() });
        }
        let kind = self.params.kind;
        let is_label_map = kind == SegmentationKind::LabelMap;
        let object_kind = if is_label_map { LABEL_MAP } else { SEGMENTATION };
        let bits = match kind {
            SegmentationKind::Binary => 1,
            SegmentationKind::Fractional => 8,
            SegmentationKind::LabelMap => label_bits(segments),
        };
        let frame_grid = FrameGrid::new(grid, source, CodedConcept::dcm("113076", "Segmentation"));
        // Positions and segments that have frames, by which these are indexed.
        let positions: Vec<usize> = {
            let mut slices: Vec<usize> = frames.iter().map(|frame| frame.slice).collect();
            slices.sort_unstable();
            slices.dedup();
            slices
        };
        let groups = frames.iter().map(|frame| {
            let position = positions.partition_point(|&slice| slice < frame.slice) as u32 + 1;
            match frame.segment {
                None => frame_grid.frame_groups(frame.slice, &[position]),
                Some(segment) => {
                    let number = segments[segment].number;
                    let identification = Item::new().short(tags::REFERENCED_SEGMENT_NUMBER, number);
                    frame_grid
                        .frame_groups(frame.slice, &[u32::from(number), position])
                        .item(tags::SEGMENT_IDENTIFICATION_SEQUENCE, identification)
                }
            }
        });
        let descriptions = segments.iter().map(|numbered| numbered.segment.item(numbered.number));
        let background = is_label_map.then(Segment::background);
        let [columns, rows, _] = grid.size();
        let object = object_kind
            .image(source, &self.params.series)
            .text(tags::IMAGE_TYPE, "DERIVED\\PRIMARY")
            .text(tags::CONTENT_LABEL, CONTENT_LABEL)
            .text(tags::CONTENT_DESCRIPTION, INTENDED_USE)
            .text(tags::CONTENT_CREATOR_NAME, CREATOR)
            .text(tags::LOSSY_IMAGE_COMPRESSION, "00")
            .text(tags::BURNED_IN_ANNOTATION, "NO")
            .text(tags::SEGMENTATION_TYPE, segmentation_type(kind))
            .text(tags::SEGMENTS_OVERLAP, if kind == SegmentationKind::Fractional { "UNDEFINED" } else { "NO" })
            .items(tags::SEGMENT_SEQUENCE, background.into_iter().chain(descriptions))
            .item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, frame_grid.shared_groups())
            .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups)
            .text(tags::NUMBER_OF_FRAMES, frames.len().to_string())
            .short(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .short(tags::ROWS, rows as u16)
            .short(tags::COLUMNS, columns as u16)
            .short(tags::BITS_ALLOCATED, bits)
            .short(tags::BITS_STORED, bits)
            .short(tags::HIGH_BIT, bits - 1)
            .short(tags::PIXEL_REPRESENTATION, 0);
        let object = match kind {
            SegmentationKind::Binary => object,
            SegmentationKind::Fractional => object
                .text(tags::SEGMENTATION_FRACTIONAL_TYPE, fractional_type(self.params.fractions))
                .short(tags::MAXIMUM_FRACTIONAL_VALUE, LARGEST_FRACTION),
            SegmentationKind::LabelMap => object.short(tags::PIXEL_PADDING_VALUE, 0),
        };
        let dimensions = if is_label_map { &[POSITIONS][..] } else { &[SEGMENTS, POSITIONS] };
        let object = frame_grid.put_dimensions(source.put_references(object), dimensions);
        let vr = if bits == 16 { VR::OW } else { VR::OB };
        let file = object.bytes(tags::PIXEL_DATA, vr, pixels).into_file(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        file.map_err(|problem| problem.at(""))
    }
}

fn segmentation_type(kind: SegmentationKind) -> &'static str {
    match kind {
        SegmentationKind::Binary => "BINARY",
        SegmentationKind::Fractional => "FRACTIONAL",
        SegmentationKind::LabelMap => "LABELMAP",
    }
}

fn fractional_type(meaning: FractionMeaning) -> &'static str {
    match meaning {
        FractionMeaning::Occupancy => "OCCUPANCY",
        FractionMeaning::Probability => "PROBABILITY",
    }
}

/// Bits of the voxels of a label map.
fn label_bits(segments: &[Numbered<'_>]) -> u16 {
    let largest = segments.iter().map(|numbered| numbered.number).max().unwrap_or(0);
    if largest > u16::from(u8::MAX) { 16 } else { 8 }
}

/// The labels of a slice, in ascending order.
fn labels_of(voxels: &[u32]) -> Vec<u32> {
    let mut labels: Vec<u32> = Vec::new();
    let mut last = 0;
    for &voxel in voxels {
        if voxel != 0
            && voxel != last
            && let Err(at) = labels.binary_search(&voxel)
        {
            labels.insert(at, voxel);
        }
        last = voxel;
    }
    labels
}

/// The frames of all segments in order, each with its slices that hold a voxel.
fn frames_of(segments: &[Numbered<'_>], slices: usize, holds: impl Fn(usize, usize) -> bool) -> Vec<Frame> {
    (0..segments.len())
        .flat_map(|segment| (0..slices).map(move |slice| (segment, slice)))
        .filter(|&(segment, slice)| holds(segment, slice))
        .map(|(segment, slice)| Frame { segment: Some(segment), slice })
        .collect()
}

/// Bits packed into bytes, the first into the lowest; frames follow each other without a gap.
fn packed_bits(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, bit) in bits.enumerate() {
        if place % 8 == 0 {
            bytes.push(0);
        }
        if let Some(byte) = bytes.last_mut().filter(|_| bit) {
            *byte |= 1 << (place % 8);
        }
    }
    bytes
}

fn plane_of(grid: &Geometry) -> usize {
    grid.size()[0] * grid.size()[1]
}

fn check_fractions(volume: &Volume<f32>, grid: &Geometry) -> Result<()> {
    if let Some(difference) = grid.difference(volume.geometry(), 1e-6) {
        return Err(ImagingError::GeometryMismatch { operation: OPERATION, difference });
    }
    match volume.as_slice().iter().position(|share| !(0.0..=1.0).contains(share)) {
        None => Ok(()),
        Some(position) => Err(ImagingError::InvalidVoxel {
            operation: OPERATION,
            index: grid.index_of(position),
            value: f64::from(volume.as_slice()[position]),
            requirement: "a fraction is a number from 0 to 1",
        }),
    }
}
