//! Segmentations (SEG): regions drawn as voxels, a frame for each slice of each segment.

use std::collections::BTreeMap;
use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, item, items, number, text, vector};
use super::compressed;
use super::pixels::{PixelFormat, decode_frame};
use super::plane::{self, Sources, axes_of, side};
use super::problem::{malformed, unsupported};
use super::stored_file::{self, Frames, Opened, StoredFile};
use crate::error::{FileProblem, Result};
use crate::format::MAX_VOXEL_BYTES;
use crate::geometry::{Geometry, dot};
use crate::mask::note::ReadMask;
use crate::mask::on_grid::onto_grid;
use crate::mask::params::MaskReader;
use crate::mask::region::{MaskProblem, MaskRegion};
use crate::volume::{LabelMap, Volume};

/// How far a frame may lie from a slice of the segmentation's grid, in slices, and from the others in its plane, in
/// pixels.
const OFF_GRID: f64 = 0.05;

/// What a frame's pixels say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// One bit per pixel: inside or not.
    Binary,
    /// The part of the pixel that lies inside, of at most this number.
    Fractional { maximum: f64 },
    /// Numbers of segments.
    LabelMap,
}

/// One frame: a slice of a segment, or of all in a label map.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// `ReferencedSegmentNumber`; none in a label map.
    segment: Option<u32>,
    position: [f64; 3],
}

/// A DICOM segmentation.
///
/// A frame of a BINARY segmentation holds the voxels of one segment, one of a FRACTIONAL segmentation the part of each
/// voxel that lies inside (from a threshold on, 0.5 by default, it counts as inside), one of a LABELMAP segmentation
/// the numbers of the segments. Slices without a frame are empty.
#[derive(Debug)]
pub struct Segmentation {
    regions: Vec<MaskRegion>,
    /// `FrameOfReferenceUID`.
    frame_of_reference: Option<String>,
    kind: Kind,
    frames: Vec<Frame>,
    rows: usize,
    columns: usize,
    orientation: [f64; 6],
    pixel_spacing: [f64; 2],
    stated_spacing: Vec<f64>,
    header: InMemDicomObject,
    file: StoredFile,
}

impl Segmentation {
    /// Reads the header of a SEG file; frames are read when a mask is drawn.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file cannot be read, is no segmentation, or the place of a frame is
    /// unknown.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        stored_file::open_dicom(path).and_then(Self::of).map_err(|problem| problem.at(path))
    }

    /// Reads a SEG file from its bytes.
    ///
    /// # Errors
    /// As [`Segmentation::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileProblem> {
        Self::of(stored_file::parse_bytes(bytes)?)
    }

    pub(super) fn of(Opened { header, file }: Opened) -> Result<Self, FileProblem> {
        let kind = match text(&header, tags::SEGMENTATION_TYPE).as_deref() {
            Some("BINARY") => Kind::Binary,
            Some("FRACTIONAL") => {
                let maximum = number(&header, tags::MAXIMUM_FRACTIONAL_VALUE).unwrap_or(255.0);
                Kind::Fractional {
                    maximum: if maximum > 0.0 {
                        maximum
                    } else {
                        return Err(malformed("MaximumFractionalValue is 0"));
                    },
                }
            }
            Some("LABELMAP") => Kind::LabelMap,
            other => {
                return Err(unsupported(format!(
                    "SegmentationType {other:?}; BINARY, FRACTIONAL and LABELMAP are read"
                )));
            }
        };
        let groups = items(&header, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        if groups.is_empty() {
            return Err(malformed(
                "a segmentation without functional groups; without them the places of its frames are unknown",
            ));
        }
        let shared = item(&header, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let sources: Vec<Sources<'_>> =
            groups.iter().map(|frame| Sources { frame: Some(frame), shared, object: &header }).collect();
        let frames = sources.iter().map(|source| Frame::of(source, kind)).collect::<Result<_, _>>()?;
        let first = &sources[0];
        let orientation = orientation(first)?;
        for source in &sources {
            let here = self::orientation(source)?;
            if here.iter().zip(&orientation).any(|(a, b)| (a - b).abs() > 1e-4) {
                return Err(unsupported("frames of several orientations in one segmentation"));
            }
        }
        let measures = first.group(tags::PIXEL_MEASURES_SEQUENCE);
        let stated = [tags::SPACING_BETWEEN_SLICES, tags::SLICE_THICKNESS];
        Ok(Self {
            regions: regions(&header, kind)?,
            frame_of_reference: text(&header, tags::FRAME_OF_REFERENCE_UID),
            kind,
            frames,
            rows: side(&header, tags::ROWS, "Rows")?,
            columns: side(&header, tags::COLUMNS, "Columns")?,
            orientation,
            pixel_spacing: vector(measures, tags::PIXEL_SPACING)
                .ok_or_else(|| malformed("PixelSpacing is missing or malformed"))?,
            stated_spacing: stated
                .iter()
                .filter_map(|&tag| number(measures, tag))
                .filter(|spacing| *spacing > 0.0)
                .collect(),
            header,
            file,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The text of an attribute of the file.
    pub(super) fn attribute(&self, tag: Tag) -> Option<String> {
        text(&self.header, tag)
    }

    /// The segments; the label of each is its number.
    pub fn regions(&self) -> &[MaskRegion] {
        &self.regions
    }

    /// `FrameOfReferenceUID`: images that share it share their coordinates.
    pub fn frame_of_reference(&self) -> Option<&str> {
        self.frame_of_reference.as_deref()
    }

    /// The grid of the frames, from the first slice that has one to the last.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the frames lie on no grid.
    pub fn grid(&self) -> Result<Geometry> {
        self.placed(None).map(|(grid, _)| grid).map_err(|problem| problem.at(self.path()))
    }

    /// The segments on the grid that the reader names, or on that of the frames: a chosen one with the label 1, all
    /// with their numbers without a choice. A voxel takes the label of the nearest voxel of the segmentation.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] with a [`MaskProblem`]: there is no such segment, it was drawn in another frame of
    /// reference, two segments overlap, or no voxel lies on the grid that the reader names; or when the frames lie on no
    /// grid or cannot be decoded.
    pub fn mask(&self, reader: &MaskReader) -> Result<LabelMap> {
        self.draw(reader).map(|drawn| drawn.mask)
    }

    /// As [`Segmentation::mask`], with what was odd: segments that leave the grid.
    ///
    /// # Errors
    /// As [`Segmentation::mask`].
    pub fn draw(&self, reader: &MaskReader) -> Result<ReadMask> {
        let mask = self.labels(reader).map_err(|problem| problem.at(self.path()))?;
        let chosen = MaskRegion::choose(&self.regions, reader.params().region.as_ref()).unwrap_or_default();
        let name = |label: u32| {
            let named = chosen.iter().find(|region| region.label == label || chosen.len() == 1);
            named.map_or_else(|| format!("segment {label}"), |region| format!("{:?}", region.name))
        };
        match &reader.params().grid {
            Some(grid) if *grid != *mask.geometry() => {
                onto_grid((&mask).into(), grid, self.path(), name).map(ReadMask::widened)
            }
            _ => Ok(mask.into()),
        }
    }

    fn labels(&self, reader: &MaskReader) -> Result<LabelMap, FileProblem> {
        let params = reader.params();
        let image_frame = params.frame_of_reference.as_deref();
        if let (Some(region), Some(image)) = (self.frame_of_reference(), image_frame)
            && region != image
        {
            return Err(MaskProblem::FrameOfReference { region: region.to_owned(), image: image.to_owned() }.into());
        }
        let chosen = MaskRegion::choose(&self.regions, params.region.as_ref())?;
        let label_of: BTreeMap<u32, u32> =
            chosen.iter().map(|region| (region.label, if chosen.len() == 1 { 1 } else { region.label })).collect();
        let (grid, slices) = self.placed(params.grid.as_ref())?;
        let frames = self.file.frames()?;
        let mut mask = Volume::filled(grid, 0_u32);
        let plane = self.rows * self.columns;
        let mut pixels = vec![0_u32; plane];
        for (index, (frame, slice)) in self.frames.iter().zip(slices).enumerate() {
            if frame.segment.is_some_and(|segment| !label_of.contains_key(&segment)) {
                continue;
            }
            self.decode(&frames, index, &mut pixels)?;
            let least = if let Kind::Fractional { maximum } = self.kind { params.threshold * maximum } else { 1.0 };
            for (voxel, &pixel) in mask.as_mut_slice()[slice * plane..][..plane].iter_mut().zip(&pixels) {
                let segment = if self.kind == Kind::LabelMap { pixel } else { frame.segment.unwrap_or(0) };
                let is_inside = self.kind == Kind::LabelMap || f64::from(pixel) >= least;
                let Some(&label) = label_of.get(&segment).filter(|_| is_inside) else { continue };
                if *voxel != 0 && *voxel != label {
                    return Err(self.overlap(*voxel, label));
                }
                *voxel = label;
            }
        }
        Ok(mask)
    }

    fn overlap(&self, first: u32, second: u32) -> FileProblem {
        let name = |label: u32| {
            self.regions.iter().find(|region| region.label == label).map_or(String::new(), |region| region.name.clone())
        };
        MaskProblem::Overlap { first: name(first), second: name(second) }.into()
    }

    /// The pixels of a frame.
    fn decode(&self, frames: &Frames<'_>, frame: usize, pixels: &mut [u32]) -> Result<(), FileProblem> {
        if integer(&self.header, tags::BITS_ALLOCATED) != Some(1) {
            let format = PixelFormat::of(&self.header)?;
            return decode_frame(frames, frame as u32, format, [1.0, 0.0], pixels);
        }
        let too_few = |all: u64| malformed(format!("{all} bytes of pixels end before frame {}", frame + 1));
        if frames.are_packed() {
            let bytes = compressed::decode_frame(frames, frame as u32, 1)?;
            if compressed::packs_bits(frames.file().syntax()) {
                return unpack_bits(&bytes, 0, pixels).ok_or_else(|| too_few(bytes.len() as u64));
            }
            if bytes.len() < pixels.len() {
                return Err(too_few(bytes.len() as u64));
            }
            pixels.iter_mut().zip(bytes).for_each(|(pixel, byte)| *pixel = u32::from(byte != 0));
            return Ok(());
        }
        // There is no gap between frames.
        let first = frame * pixels.len();
        let length = (first % 8 + pixels.len()).div_ceil(8);
        let bytes = frames.plain(first as u64 / 8, length as u64)?;
        unpack_bits(&bytes, first % 8, pixels).ok_or_else(|| too_few(frames.plain_bytes()))
    }

    /// The grid of the frames and the slice of each. The distance of slices is the first that fits all frames: that of
    /// `near` where it is parallel, those that the file states, the smallest distance of frames.
    fn placed(&self, near: Option<&Geometry>) -> Result<(Geometry, Vec<usize>), FileProblem> {
        let axes = axes_of(self.orientation);
        let along = |position: [f64; 3], axis: usize| dot(position, axes[axis]);
        let locations: Vec<f64> = self.frames.iter().map(|frame| along(frame.position, 2)).collect();
        let first = (0..locations.len()).min_by(|&a, &b| locations[a].total_cmp(&locations[b])).unwrap_or(0);
        let origin = self.frames[first].position;
        for frame in &self.frames {
            let shift = [0, 1].map(|axis| (along(frame.position, axis) - along(origin, axis)).abs());
            if shift[0] > OFF_GRID * self.pixel_spacing[1] || shift[1] > OFF_GRID * self.pixel_spacing[0] {
                return Err(unsupported("frames shifted against each other in their plane (a tiled segmentation)"));
            }
        }
        let offsets: Vec<f64> = locations.iter().map(|location| location - locations[first]).collect();
        let smallest = offsets.iter().copied().filter(|offset| *offset > 1e-3).fold(f64::INFINITY, f64::min);
        let parallel = near.filter(|grid| {
            let normal = grid.direction().map(|row| row[2]);
            (0..3).map(|i| normal[i] * axes[2][i]).sum::<f64>().abs() > 1.0 - 1e-4
        });
        let candidates = parallel
            .map(|grid| grid.spacing()[2])
            .into_iter()
            .chain(self.stated_spacing.iter().copied())
            .chain([smallest]);
        let fits = |spacing: &f64| {
            offsets.iter().all(|offset| (offset / spacing - (offset / spacing).round()).abs() <= OFF_GRID)
        };
        let spacing = candidates.filter(|spacing| spacing.is_finite()).find(fits);
        let spacing = spacing.or((offsets.iter().all(|offset| *offset <= 1e-3)).then_some(1.0));
        let spacing = spacing.ok_or_else(|| malformed("the frames lie at uneven distances"))?;
        let slices: Vec<usize> = offsets.iter().map(|offset| (offset / spacing).round() as usize).collect();
        let count = slices.iter().max().map_or(1, |last| last.saturating_add(1));
        let bytes = [self.rows, self.columns, 4]
            .iter()
            .fold(count as u64, |product, &factor| product.saturating_mul(factor as u64));
        if bytes > MAX_VOXEL_BYTES {
            return Err(FileProblem::TooLarge { bytes, limit: MAX_VOXEL_BYTES });
        }
        let direction = std::array::from_fn(|row| axes.map(|axis| axis[row]));
        let [row_distance, column_distance] = self.pixel_spacing;
        let grid = Geometry::new(
            [self.columns, self.rows, count],
            [column_distance, row_distance, spacing],
            origin,
            direction,
        )?;
        Ok((grid, slices))
    }
}

impl Frame {
    fn of(source: &Sources<'_>, kind: Kind) -> Result<Self, FileProblem> {
        let position = vector(source.group(tags::PLANE_POSITION_SEQUENCE), tags::IMAGE_POSITION_PATIENT)
            .ok_or_else(|| malformed("a frame without ImagePositionPatient"))?;
        if kind == Kind::LabelMap {
            return Ok(Self { segment: None, position });
        }
        let number = integer(source.group(tags::SEGMENT_IDENTIFICATION_SEQUENCE), tags::REFERENCED_SEGMENT_NUMBER);
        let segment = number.and_then(|number| u32::try_from(number).ok()).filter(|&number| number > 0);
        let segment =
            segment.ok_or_else(|| malformed(format!("a frame of segment {number:?}; segments are counted from 1")))?;
        Ok(Self { segment: Some(segment), position })
    }
}

fn orientation(source: &Sources<'_>) -> Result<[f64; 6], FileProblem> {
    plane::orientation(source.group(tags::PLANE_ORIENTATION_SEQUENCE))
}

/// The segments that the file describes; segment 0 of a label map is its background.
fn regions(file: &InMemDicomObject, kind: Kind) -> Result<Vec<MaskRegion>, FileProblem> {
    let mut regions = Vec::new();
    for segment in items(file, tags::SEGMENT_SEQUENCE) {
        let number =
            integer(segment, tags::SEGMENT_NUMBER).ok_or_else(|| malformed("a segment without SegmentNumber"))?;
        if number == 0 && kind == Kind::LabelMap {
            continue;
        }
        let label = u32::try_from(number).ok().filter(|&label| label > 0);
        let label =
            label.ok_or_else(|| malformed(format!("SegmentNumber is {number}; segments are counted from 1")))?;
        regions.push(MaskRegion { label, number, name: text(segment, tags::SEGMENT_LABEL).unwrap_or_default() });
    }
    if regions.is_empty() {
        return Err(malformed("no SegmentSequence; this is no segmentation, or an empty one"));
    }
    Ok(regions)
}

/// Bits from `start` on, the lowest of a byte first; none where there are too few.
fn unpack_bits(bytes: &[u8], start: usize, pixels: &mut [u32]) -> Option<()> {
    if bytes.len() * 8 < start + pixels.len() {
        return None;
    }
    for (pixel, bit) in pixels.iter_mut().zip(start..) {
        *pixel = u32::from(bytes[bit / 8] >> (bit % 8) & 1);
    }
    Some(())
}
