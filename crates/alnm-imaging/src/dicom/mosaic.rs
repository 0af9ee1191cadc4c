//! Mosaics: the slices of a volume laid out in one frame, as Siemens stores scans of diffusion and function.
//!
//! How many slices there are, and in which direction they follow each other, stands in a private header (`CSA`) of a
//! format of its own: <https://nipy.org/nibabel/dicom/siemens_csa.html>.

use dicom_object::InMemDicomObject;

use super::attributes::private;
use super::problem::{malformed, unsupported};
use super::slice::Slice;
use super::tiling::Tiling;
use super::volume_kind::Making;
use crate::error::FileProblem;
use crate::geometry::unit;

/// The most slices of a mosaic; those of scanners have up to some hundred.
const MOST_SLICES: usize = 4096;

/// The layout of a mosaic.
struct Mosaic {
    slices: usize,
    /// Unit vector from each slice to the next.
    normal: [f64; 3],
}

/// Whether the words of `ImageType` say that a frame is a mosaic.
pub(super) fn is_mosaic(making: &Making) -> bool {
    making.image_type.iter().any(|word| word == "MOSAIC")
}

/// The slices of a mosaic from the frame that holds them all.
pub(super) fn unpacked(object: &InMemDicomObject, frame: &Slice) -> Result<Vec<Slice>, FileProblem> {
    let header = private(object, 0x0029, "SIEMENS CSA HEADER", 0x10).and_then(|element| element.to_bytes().ok());
    let header = header.ok_or_else(|| {
        unsupported("a Siemens mosaic without its private CSA header, which alone says the order of its slices")
    })?;
    let Mosaic { slices, normal } = Mosaic::of(&header)?;
    let side = (1..).find(|side| side * side >= slices).unwrap_or(1);
    let tiling = Tiling::of(frame, side, side).ok_or_else(|| {
        malformed(format!(
            "a Siemens mosaic of {slices} slices in {} × {} pixels, which are no {side} × {side} tiles",
            frame.rows, frame.columns
        ))
    })?;
    let [rows, columns] = tiling.size();
    let [along_row, along_column, _] = frame.axes();
    let [row_distance, column_distance] = frame.pixel_spacing;
    let spacing = frame
        .stated_spacing
        .ok_or_else(|| malformed("a Siemens mosaic without SpacingBetweenSlices and SliceThickness"))?;
    // The position is that of the first pixel of the whole frame, were it centred where each slice is.
    let shift =
        [(frame.columns - columns) as f64 * column_distance / 2.0, (frame.rows - rows) as f64 * row_distance / 2.0];
    let position = |slice: usize| {
        std::array::from_fn(|axis| {
            frame.position[axis]
                + shift[0] * along_row[axis]
                + shift[1] * along_column[axis]
                + slice as f64 * spacing * normal[axis]
        })
    };
    let slice = |number: usize| Slice {
        position: position(number),
        stored_bytes: frame.stored_bytes / slices as u64,
        ..tiling.slice(frame, number)
    };
    Ok((0..slices).map(slice).collect())
}

impl Mosaic {
    fn of(header: &[u8]) -> Result<Self, FileProblem> {
        let values = |name: &str| csa_values(header, name).filter(|values| !values.is_empty());
        let number = |text: &String| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let missing = |name: &str| malformed(format!("a Siemens mosaic whose CSA header lacks {name}"));
        let slices = values("NumberOfImagesInMosaic").and_then(|values| number(&values[0]));
        let slices = slices
            .filter(|slices| *slices >= 1.0 && *slices <= MOST_SLICES as f64)
            .ok_or_else(|| missing("NumberOfImagesInMosaic"))? as usize;
        let normal: Option<Vec<f64>> =
            values("SliceNormalVector").and_then(|values| values.iter().take(3).map(number).collect());
        let normal: Option<[f64; 3]> = normal.and_then(|normal| normal.try_into().ok());
        let normal = normal.and_then(unit).ok_or_else(|| missing("SliceNormalVector"))?;
        Ok(Self { slices, normal })
    }
}

/// The texts of a tag in a CSA header of either version.
fn csa_values(header: &[u8], wanted: &str) -> Option<Vec<String>> {
    const NAME: usize = 64;
    let is_second = header.starts_with(b"SV10");
    let mut reader = Bytes { bytes: header.get(if is_second { 8 } else { 0 }..)? };
    let tags = reader.integer()?;
    reader.skip(4)?;
    // In the first version the length of an item is counted from that of the first tag's number of items.
    let mut first_items = None;
    for _ in 0..tags {
        let name = reader.take(NAME)?;
        let name = &name[..name.iter().position(|&byte| byte == 0).unwrap_or(NAME)];
        let multiplicity = reader.integer()?;
        reader.skip(8)?;
        let items = reader.integer()?;
        reader.skip(4)?;
        let first_items = *first_items.get_or_insert(items);
        let mut values = Vec::new();
        for item in 0..items {
            let lengths = [reader.integer()?, reader.integer()?, reader.integer()?, reader.integer()?];
            let length = if is_second { i64::from(lengths[1]) } else { i64::from(lengths[0]) - i64::from(first_items) };
            let Ok(length) = usize::try_from(length) else { break };
            let value = reader.take(length)?;
            let padding = length.next_multiple_of(4) - length;
            reader.skip(padding.min(reader.bytes.len()))?;
            if item < multiplicity {
                let text = String::from_utf8_lossy(value);
                values.push(text.trim_end_matches(['\0', ' ']).to_owned());
            }
        }
        if name == wanted.as_bytes() {
            values.retain(|value| !value.is_empty());
            return Some(values);
        }
    }
    None
}

/// Bytes that are read from the front.
struct Bytes<'a> {
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn integer(&mut self) -> Option<u32> {
        self.take(4).and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_headers_end_early() {
        assert_eq!(csa_values(b"SV10\x04\x03\x02\x01\xff\xff\xff\xff\x4d\0\0\0", "x"), None);
        assert_eq!(csa_values(&[0xff; 200], "x"), None);
        assert_eq!(csa_values(&[], "x"), None);
    }
}
