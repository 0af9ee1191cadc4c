//! Palettes: pixels that are indices into a table of colours (PS3.3 C.7.9), of which the luminance is read.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{get, integer, text};
use super::pixels::{PixelFormat, decode_frame, luminance};
use super::problem::{malformed, unsupported};
use super::stored_file::Frames;
use crate::error::FileProblem;
use crate::voxel_data::VoxelBytes;

/// What `PhotometricInterpretation` says of an image with a palette.
pub(super) const PALETTE_COLOUR: &str = "PALETTE COLOR";

/// Entries of a table that counts them as 0.
const MOST_ENTRIES: usize = 1 << 16;

/// The luminance of each colour of a palette.
#[derive(Debug, PartialEq)]
pub(super) struct Palette {
    /// How indices are stored.
    indices: PixelFormat,
    /// The index of the first entry; smaller ones have its colour, and those beyond the last entry have that one's.
    first: i64,
    luminances: Vec<u16>,
}

impl Palette {
    /// The palette of a file; none where its pixels are no indices.
    pub(super) fn of(object: &InMemDicomObject) -> Result<Option<Self>, FileProblem> {
        if text(object, tags::PHOTOMETRIC_INTERPRETATION).as_deref() != Some(PALETTE_COLOUR) {
            return Ok(None);
        }
        let indices = PixelFormat::of_grey(object, integer(object, tags::BITS_ALLOCATED).unwrap_or(0))?;
        let [entries, first, _] = descriptor(object)
            .ok_or_else(|| malformed("a palette without RedPaletteColorLookupTableDescriptor of three numbers"))?;
        let entries = if entries == 0 { MOST_ENTRIES } else { usize::from(entries) };
        let is_signed = integer(object, tags::PIXEL_REPRESENTATION) == Some(1);
        let first = if is_signed { i64::from(first.cast_signed()) } else { i64::from(first) };
        let is_wide = Self::is_wide(object);
        let table = |data, segmented| table(object, data, segmented, entries, is_wide);
        let red =
            table(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA, tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
        let green =
            table(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA, tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
        let blue =
            table(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA, tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
        let luminances = (0..entries).map(|entry| luminance([red[entry], green[entry], blue[entry]])).collect();
        Ok(Some(Self { indices, first, luminances }))
    }

    /// Whether a palette's colours have two bytes for each sample.
    pub(super) fn is_wide(object: &InMemDicomObject) -> bool {
        const BYTE: u16 = 8;
        descriptor(object).is_some_and(|[_, _, bits]| bits > BYTE)
    }

    /// Writes the luminances of the pixels of one frame.
    pub(super) fn decode<T: VoxelBytes>(
        &self,
        frames: &Frames<'_>,
        frame: u32,
        voxels: &mut [T],
    ) -> Result<(), FileProblem> {
        let mut indices = vec![0_i32; voxels.len()];
        decode_frame(frames, frame, self.indices, [1.0, 0.0], &mut indices)?;
        let last = self.luminances.len() - 1;
        for (voxel, index) in voxels.iter_mut().zip(indices) {
            let entry = usize::try_from(i64::from(index) - self.first).unwrap_or(0).min(last);
            *voxel = T::from_f64(self.luminances[entry].into());
        }
        Ok(())
    }
}

/// Number of entries, first index and bits of each sample. The first is signed where indices are, and some files write
/// all three so.
fn descriptor(object: &InMemDicomObject) -> Option<[u16; 3]> {
    let numbers = get(object, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR)?.to_multi_int::<i64>().ok()?;
    let numbers: Vec<u16> = numbers.iter().map(|number| *number as u16).collect();
    numbers.try_into().ok()
}

/// The samples of one colour. Those of a byte may be stored in words, one or two in each.
fn table(
    object: &InMemDicomObject,
    data: Tag,
    segmented: Tag,
    entries: usize,
    is_wide: bool,
) -> Result<Vec<u16>, FileProblem> {
    if get(object, segmented).is_some() {
        return Err(unsupported("a palette in segments; palettes of whole tables are read"));
    }
    let bytes = get(object, data).and_then(|element| element.to_bytes().ok()).unwrap_or_default();
    if bytes.len() >= 2 * entries {
        let words = bytes.as_chunks().0.iter().take(entries).map(|word| u16::from_le_bytes(*word));
        let words: Vec<u16> = words.collect();
        // Some files fill the words of bytes from the top.
        let is_from_top = !is_wide && words.iter().any(|word| *word > u16::from(u8::MAX));
        return Ok(if is_from_top { words.iter().map(|word| word >> 8).collect() } else { words });
    }
    if is_wide || bytes.len() < entries {
        return Err(malformed(format!("a palette of {entries} colours with {} bytes of one sample", bytes.len())));
    }
    Ok(bytes.iter().take(entries).map(|byte| u16::from(*byte)).collect())
}
