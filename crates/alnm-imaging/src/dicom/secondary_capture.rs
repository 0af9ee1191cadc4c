//! Writing a page in colour as a DICOM secondary capture.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::derived_object::{DerivedSeries, INTENDED_USE, ObjectKind, invalid, write_object};
use super::source_images::SourceImages;
use crate::error::Result;

const OPERATION: &str = "writing a DICOM secondary capture";

const SECONDARY_CAPTURE: ObjectKind =
    ObjectKind { sop_class: uids::SECONDARY_CAPTURE_IMAGE_STORAGE, modality: "OT", description: "Report page" };

/// A page in colour: the picture of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColourPage {
    columns: u16,
    rows: u16,
    pixels: Vec<u8>,
}

impl ColourPage {
    /// A page of pixels in raster order, each with its red, green and blue.
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidParameter`] when a side is 0, or there are not three bytes for each pixel.
    pub fn new(columns: u16, rows: u16, pixels: Vec<u8>) -> Result<Self> {
        let expected = 3 * usize::from(columns) * usize::from(rows);
        if expected == 0 || pixels.len() != expected {
            let sizes = format!("{} bytes for {columns} x {rows} pixels", pixels.len());
            return Err(invalid(
                OPERATION,
                "pixels",
                sizes,
                "there must be three bytes for each of at least one pixel",
            ));
        }
        Ok(Self { columns, rows, pixels })
    }

    /// A page from a portable pixmap of 8 bits (`P6`, as netpbm, ImageMagick and pdftoppm write it).
    ///
    /// # Errors
    /// [`crate::ImagingError::InvalidParameter`] when the bytes are none, or end early.
    pub fn from_pixmap(bytes: &[u8]) -> Result<Self> {
        let malformed = |value: &str| {
            invalid(OPERATION, "page", value, "it must be a portable pixmap: P6, columns, rows, 255 and the pixels")
        };
        let mut rest = bytes.strip_prefix(b"P6").ok_or_else(|| malformed("no pixmap"))?;
        let mut number = || -> Option<u16> {
            loop {
                let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
                rest = &rest[start..];
                if rest.first() != Some(&b'#') {
                    break;
                }
                let end = rest.iter().position(|&byte| byte == b'\n')?;
                rest = &rest[end..];
            }
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
            rest = &rest[digits..];
            Some(number)
        };
        let (columns, rows, largest) = (number(), number(), number());
        let (Some(columns), Some(rows), Some(255)) = (columns, rows, largest) else {
            return Err(malformed(&format!("{columns:?} x {rows:?} pixels from 0 to {largest:?}")));
        };
        // One space, and then the pixels.
        let length = 3 * usize::from(columns) * usize::from(rows);
        let pixels = rest.get(1..1 + length).ok_or_else(|| malformed("cut off"))?;
        Self::new(columns, rows, pixels.to_vec())
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> [u16; 2] {
        [self.columns, self.rows]
    }

    /// Writes the page as a file that belongs to the study of the source.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file cannot be written.
    ///
    /// ```
    /// use alnm_imaging::dicom::{
    ///     ColourPage, DerivedSeries, DicomFolder, Phase, SeriesAttributes, SourceImages, write_series,
    /// };
    /// use alnm_imaging::{Geometry, Volume};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let image = Phase::new(Volume::filled(Geometry::axis_aligned([16, 16, 4], [1.0; 3])?, 100_u16), 0.0);
    /// write_series(folder.path(), &[image], &SeriesAttributes::new("P001", "T1"))?;
    /// let source = SourceImages::of(DicomFolder::scan(folder.path())?.only_series()?, 1)?;
    ///
    /// let page = ColourPage::from_pixmap(b"P6 2 1 255 \x00\x00\x00\xff\xff\xff")?;
    /// page.write(folder.path().join("page.sc.dcm"), &source, &DerivedSeries::new("Report"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self, path: impl AsRef<Path>, source: &SourceImages, series: &DerivedSeries) -> Result<()> {
        write_object(path.as_ref(), &self.encode(source, series)?)
    }

    /// The bytes of the file that [`ColourPage::write`] writes.
    ///
    /// # Errors
    /// When the file is larger than DICOM allows.
    pub fn encode(&self, source: &SourceImages, series: &DerivedSeries) -> Result<Vec<u8>> {
        let object = SECONDARY_CAPTURE
            .object(source, series)
            .text(tags::CONVERSION_TYPE, "WSD")
            .text(tags::IMAGE_TYPE, "DERIVED\\SECONDARY")
            .text(tags::IMAGE_COMMENTS, INTENDED_USE)
            .text(tags::PATIENT_ORIENTATION, "")
            .text(tags::LATERALITY, &source.attributes().laterality)
            .text(tags::BURNED_IN_ANNOTATION, "YES")
            .text(tags::LOSSY_IMAGE_COMPRESSION, "00")
            .short(tags::SAMPLES_PER_PIXEL, 3)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "RGB")
            .short(tags::PLANAR_CONFIGURATION, 0)
            .short(tags::ROWS, self.rows)
            .short(tags::COLUMNS, self.columns)
            .short(tags::BITS_ALLOCATED, 8)
            .short(tags::BITS_STORED, 8)
            .short(tags::HIGH_BIT, 7)
            .short(tags::PIXEL_REPRESENTATION, 0)
            .bytes(tags::PIXEL_DATA, VR::OB, self.pixels.clone());
        object.into_file(uids::EXPLICIT_VR_LITTLE_ENDIAN).map_err(|problem| problem.at(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixmaps_are_read_and_damaged_ones_refused() {
        let page = ColourPage::from_pixmap(b"P6\n# by hand\n2 1\n255\n123456").unwrap();
        assert_eq!((page.size(), page.pixels.as_slice()), ([2, 1], b"123456".as_slice()));
        for damaged in
            [&b"P5 2 1 255\n123456"[..], b"P6 2 1 255\n12345", b"P6 2 1 65535\n123456", b"P6 0 1 255\n", b"P6 #"]
        {
            assert!(ColourPage::from_pixmap(damaged).is_err());
        }
    }
}
