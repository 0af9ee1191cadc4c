//! Writing masks as DICOM structure sets.

use std::path::Path;

use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use super::derived_object::{
    CONTENT_LABEL, DerivedSeries, INTENDED_USE, ObjectKind, in_frame_of_reference, invalid, write_object,
};
use super::item::Item;
use super::outline::Outlines;
use super::source_images::SourceImages;
use super::write::{fitting_text, time_string};
use crate::error::{ImagingError, Result};
use crate::geometry::Geometry;
use crate::mask::MaskRegion;
use crate::volume::LabelMap;

const OPERATION: &str = "writing a DICOM structure set";

const STRUCTURE_SET: ObjectKind =
    ObjectKind { sop_class: uids::RT_STRUCTURE_SET_STORAGE, modality: "RTSTRUCT", description: "Structure set" };

/// The class under which structure sets refer to studies; retired, and still what every program writes.
const STUDY_REFERENCE_CLASS: &str = "1.2.840.10008.3.1.2.3.1";

/// Colours that tell neighbouring regions apart: red, green, blue.
const COLOURS: [[u8; 3]; 8] = [
    [230, 25, 75],
    [60, 180, 75],
    [0, 130, 200],
    [245, 130, 48],
    [145, 30, 180],
    [70, 240, 240],
    [240, 50, 230],
    [210, 245, 60],
];

/// How contours leave out holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ContourHoles {
    /// The outer contour goes to the hole, around it and back the same way (PS3.3 C.8.8.6.3). Every program reads it.
    Keyhole,
    /// The hole has a contour of its own, and both have the type `CLOSEDPLANAR_XOR`, by which areas are combined by
    /// exclusive or.
    ExclusiveOr,
}

/// How a mask becomes a structure set.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`regions`](Self::regions) | all labels, as "Region 1" and so on | the labels that are written, with number and name | each label and number once |
/// | [`holes`](Self::holes) | keyhole | how contours leave out holes | |
/// | [`series`](Self::series) | number 1000 | the series that the object makes up | |
///
/// ```
/// use alnm_imaging::dicom::{
///     DicomFolder, Phase, SeriesAttributes, SourceImages, StructureSet, StructureSetParams, write_series,
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
/// mask.as_mut_slice()[300..303].fill(1);
/// let path = folder.path().join("lesion.rtstruct.dcm");
/// StructureSetParams::default().check()?.write(&path, &mask, &source)?;
///
/// let read = StructureSet::read(&path)?.mask(&MaskParams::default().with_grid(grid).check()?)?;
/// assert_eq!(read, mask);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct StructureSetParams {
    /// The regions; when there are none, every label of the mask is one, with its label as number. Labels of the mask
    /// that are no region are left out.
    pub regions: Vec<MaskRegion>,
    /// How contours leave out holes. Default keyhole.
    pub holes: ContourHoles,
    /// The series that the object makes up.
    pub series: DerivedSeries,
}

impl Default for StructureSetParams {
    fn default() -> Self {
        Self { regions: Vec::new(), holes: ContourHoles::Keyhole, series: DerivedSeries::default() }
    }
}

impl StructureSetParams {
    /// Sets [`StructureSetParams::regions`].
    pub fn with_regions(self, regions: impl IntoIterator<Item = MaskRegion>) -> Self {
        Self { regions: regions.into_iter().collect(), ..self }
    }

    /// Sets [`StructureSetParams::holes`].
    pub fn with_holes(self, holes: ContourHoles) -> Self {
        Self { holes, ..self }
    }

    /// Sets [`StructureSetParams::series`].
    pub fn with_series(self, series: DerivedSeries) -> Self {
        Self { series, ..self }
    }

    /// The parameters when all are in range.
    ///
    /// # Errors
    /// [`ImagingError::InvalidParameter`] when a label or number stands twice, a label is 0, or a name is too long.
    pub fn check(self) -> Result<StructureSetWriter> {
        for (place, region) in self.regions.iter().enumerate() {
            let before = &self.regions[..place];
            if region.label == 0 || before.iter().any(|r| r.label == region.label || r.number == region.number) {
                return Err(invalid(
                    OPERATION,
                    "region",
                    region.to_string(),
                    "label and number must be its own, and the label above 0",
                ));
            }
            if fitting_text(&region.name) != region.name {
                return Err(invalid(
                    OPERATION,
                    "name",
                    format!("{:?}", region.name),
                    "it must have at most 64 characters, none of them a backslash or a control",
                ));
            }
        }
        Ok(StructureSetWriter { params: self })
    }
}

/// Checked parameters, by which structure sets are written: see [`StructureSetParams`].
///
/// Each slice of a region becomes a closed contour for each part that hangs together by pixels' edges. Contours run as
/// marching squares draw them, 0.45 of a pixel from the centres of the pixels inside, so that every pixel's centre lies
/// on its side of the contour and reading the contours gives the mask back, voxel by voxel. Coordinates are written to
/// 10⁻⁶ mm. Files are in Implicit VR Little Endian, since only there a contour may have more than some 1300 points. The
/// same mask gives the same file.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureSetWriter {
    params: StructureSetParams,
}

/// A contour: its slice and its points in mm.
struct WrittenContour {
    slice: usize,
    points: Vec<[f64; 3]>,
}

impl StructureSetWriter {
    /// The parameters.
    pub fn params(&self) -> &StructureSetParams {
        &self.params
    }

    /// Writes the regions of a mask as a file; the mask lies in the space of the source, on its grid or on another one.
    ///
    /// # Errors
    /// [`ImagingError::EmptyRegion`] when a region has no voxel; [`ImagingError::InvalidParameter`] for a mask that is
    /// not three-dimensional; [`ImagingError::File`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, mask: &LabelMap, source: &SourceImages) -> Result<()> {
        write_object(path.as_ref(), &self.encode(mask, source)?)
    }

    /// The bytes of the file that [`StructureSetWriter::write`] writes.
    ///
    /// # Errors
    /// As [`StructureSetWriter::write`], but for the file.
    pub fn encode(&self, mask: &LabelMap, source: &SourceImages) -> Result<Vec<u8>> {
        if mask.geometry().dimension() != 3 {
            let dimension = mask.geometry().dimension().to_string();
            return Err(invalid(OPERATION, "dimension", dimension, "contours are drawn in a three-dimensional mask"));
        }
        let present = crate::region::labels(mask, usize::MAX);
        let regions = if self.params.regions.is_empty() {
            let of_label =
                |&label: &u32| MaskRegion { label, number: i64::from(label), name: format!("Region {label}") };
            present.iter().map(of_label).collect()
        } else {
            self.params.regions.clone()
        };
        let missing = regions.iter().find(|region| !present.contains(&region.label)).map(|region| region.label);
        if let Some(label) = missing.or(regions.is_empty().then_some(1)) {
            return Err(ImagingError::EmptyRegion {
                operation: OPERATION,
                label,
                present: present.into_iter().take(8).collect(),
            });
        }
        let study_references = Item::new()
            .text(tags::REFERENCED_SOP_CLASS_UID, STUDY_REFERENCE_CLASS)
            .text(tags::REFERENCED_SOP_INSTANCE_UID, &source.attributes().study_uid)
            .item(
                tags::RT_REFERENCED_SERIES_SEQUENCE,
                Item::new()
                    .text(tags::SERIES_INSTANCE_UID, source.series_uid())
                    .items(tags::CONTOUR_IMAGE_SEQUENCE, source.file_references()),
            );
        let frame_of_reference = Item::new()
            .text(tags::FRAME_OF_REFERENCE_UID, source.frame_of_reference_uid())
            .item(tags::RT_REFERENCED_STUDY_SEQUENCE, study_references);
        let attributes = source.attributes();
        let object = STRUCTURE_SET
            .object(source, &self.params.series)
            .text(tags::OPERATORS_NAME, "")
            .text(tags::STRUCTURE_SET_LABEL, CONTENT_LABEL)
            .text(tags::STRUCTURE_SET_DESCRIPTION, INTENDED_USE)
            .text(tags::STRUCTURE_SET_DATE, &attributes.date)
            .text(tags::STRUCTURE_SET_TIME, time_string(attributes.start_time))
            .text(tags::APPROVAL_STATUS, "UNAPPROVED")
            .item(tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE, frame_of_reference)
            .items(tags::STRUCTURE_SET_ROI_SEQUENCE, regions.iter().map(|region| definition(region, source)))
            .items(tags::ROI_CONTOUR_SEQUENCE, regions.iter().zip(0..).map(|(r, i)| self.contours(r, i, mask, source)))
            .items(tags::RTROI_OBSERVATIONS_SEQUENCE, regions.iter().zip(1..).map(|(r, i)| observation(r, i)));
        let file = in_frame_of_reference(object, source).into_file(uids::IMPLICIT_VR_LITTLE_ENDIAN);
        file.map_err(|problem| problem.at(""))
    }

    /// The contours of a region, the `place`-th of the file.
    fn contours(&self, region: &MaskRegion, place: usize, mask: &LabelMap, source: &SourceImages) -> Item {
        let grid = mask.geometry();
        let [columns, rows, _] = grid.size();
        let slices = mask.as_slice().chunks(columns * rows);
        let outlines: Vec<(usize, Outlines)> = slices
            .enumerate()
            .filter(|(_, pixels)| pixels.contains(&region.label))
            .map(|(slice, pixels)| (slice, Outlines::of(pixels, columns, region.label)))
            .collect();
        // If one contour of a region is combined by exclusive or, all have to be.
        let by_exclusive_or = self.params.holes == ContourHoles::ExclusiveOr
            && outlines.iter().any(|(_, outlines)| outlines.have_holes());
        let kind = if by_exclusive_or { "CLOSEDPLANAR_XOR" } else { "CLOSED_PLANAR" };
        let contours = outlines.iter().flat_map(|(slice, outlines)| {
            let polygons = if by_exclusive_or { outlines.polygons() } else { outlines.keyhole_polygons() };
            polygons.into_iter().map(|polygon| WrittenContour::new(grid, *slice, &polygon))
        });
        let is_of_source = source.has_grid(grid);
        let items = contours.zip(1..).map(|(contour, number)| contour.item(number, kind, source, is_of_source));
        let [red, green, blue] = COLOURS[place % COLOURS.len()];
        Item::new()
            .text(tags::ROI_DISPLAY_COLOR, format!("{red}\\{green}\\{blue}"))
            .items(tags::CONTOUR_SEQUENCE, items)
            .text(tags::REFERENCED_ROI_NUMBER, region.number.to_string())
    }
}

impl WrittenContour {
    fn new(grid: &Geometry, slice: usize, polygon: &[[f64; 2]]) -> Self {
        let point = |&[x, y]: &[f64; 2]| grid.index_to_point([x, y, slice as f64]);
        Self { slice, points: polygon.iter().map(point).collect() }
    }

    fn item(&self, number: usize, kind: &str, source: &SourceImages, is_of_source: bool) -> Item {
        let coordinates: Vec<String> = self.points.iter().flatten().map(|&x| millimetres(x)).collect();
        let contour = Item::new()
            .text(tags::CONTOUR_NUMBER, number.to_string())
            .text(tags::CONTOUR_GEOMETRIC_TYPE, kind)
            .text(tags::NUMBER_OF_CONTOUR_POINTS, self.points.len().to_string())
            .text(tags::CONTOUR_DATA, coordinates.join("\\"));
        if is_of_source {
            contour.item(tags::CONTOUR_IMAGE_SEQUENCE, source.slice_reference(self.slice))
        } else {
            contour
        }
    }
}

/// A coordinate to 10⁻⁶ mm, without zeros at its end.
fn millimetres(coordinate: f64) -> String {
    let fixed = format!("{coordinate:.6}");
    let short = fixed.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

fn definition(region: &MaskRegion, source: &SourceImages) -> Item {
    Item::new()
        .text(tags::ROI_NUMBER, region.number.to_string())
        .text(tags::REFERENCED_FRAME_OF_REFERENCE_UID, source.frame_of_reference_uid())
        .text(tags::ROI_NAME, &region.name)
        .text(tags::ROI_DESCRIPTION, INTENDED_USE)
        .text(tags::ROI_GENERATION_ALGORITHM, "")
}

fn observation(region: &MaskRegion, number: usize) -> Item {
    Item::new()
        .text(tags::OBSERVATION_NUMBER, number.to_string())
        .text(tags::REFERENCED_ROI_NUMBER, region.number.to_string())
        .text(tags::RTROI_INTERPRETED_TYPE, "")
        .text(tags::ROI_INTERPRETER, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        assert_eq!(millimetres(-12.3500000001), "-12.35");
        assert_eq!(millimetres(-1e-9), "0");
        assert_eq!(millimetres(100.0), "100");
    }
}
