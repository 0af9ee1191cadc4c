//! Functional groups and dimensions of multi-frame images that are written.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::coded_concept::CodedConcept;
use super::item::Item;
use super::source_images::SourceImages;
use super::uid::uid_from;
use crate::geometry::Geometry;

/// A grid whose slices become frames.
pub(super) struct FrameGrid<'a> {
    grid: &'a Geometry,
    source: &'a SourceImages,
    /// Whether the slices are those of the source.
    is_of_source: bool,
    /// What was done to the source's slices.
    derivation: CodedConcept,
}

/// An index of frames: the attribute that it counts, and the functional group that holds it.
pub(super) struct Dimension {
    pub(super) attribute: Tag,
    pub(super) group: Tag,
    pub(super) label: &'static str,
}

/// Frames by position.
pub(super) const POSITIONS: Dimension = Dimension {
    attribute: tags::IMAGE_POSITION_PATIENT,
    group: tags::PLANE_POSITION_SEQUENCE,
    label: "Image Position (Patient)",
};

impl<'a> FrameGrid<'a> {
    pub(super) fn new(grid: &'a Geometry, source: &'a SourceImages, derivation: CodedConcept) -> Self {
        Self { grid, source, is_of_source: source.has_grid(grid), derivation }
    }

    /// What all frames share: the distances of voxels and how the slices lie.
    pub(super) fn shared_groups(&self) -> Item {
        let [column_distance, row_distance, distance] = self.grid.spacing();
        let stated = self.source.attributes().slice_thickness.filter(|_| self.is_of_source);
        let direction = self.grid.direction();
        let cosines: Vec<f64> = (0..2).flat_map(|axis| direction.map(|row| row[axis])).collect();
        let measures = Item::new()
            .decimals(tags::SLICE_THICKNESS, &[stated.unwrap_or(distance)])
            .decimals(tags::SPACING_BETWEEN_SLICES, &[distance])
            .decimals(tags::PIXEL_SPACING, &[row_distance, column_distance]);
        Item::new()
            .item(tags::PIXEL_MEASURES_SEQUENCE, measures)
            .item(tags::PLANE_ORIENTATION_SEQUENCE, Item::new().decimals(tags::IMAGE_ORIENTATION_PATIENT, &cosines))
    }

    /// What places a frame: its index in each dimension, its position, and the slice from which it was derived.
    pub(super) fn frame_groups(&self, slice: usize, indices: &[u32]) -> Item {
        let position = self.grid.index_to_point([0.0, 0.0, slice as f64]);
        Item::new()
            .item(tags::FRAME_CONTENT_SEQUENCE, Item::new().longs(tags::DIMENSION_INDEX_VALUES, indices))
            .item(tags::PLANE_POSITION_SEQUENCE, Item::new().decimals(tags::IMAGE_POSITION_PATIENT, &position))
            .items(tags::DERIVATION_IMAGE_SEQUENCE, self.is_of_source.then(|| self.derived_from(slice)))
    }

    fn derived_from(&self, slice: usize) -> Item {
        let purpose = CodedConcept::dcm("121322", "Source image for image processing operation");
        let image = self
            .source
            .slice_reference(slice)
            .code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, &purpose)
            .text(tags::SPATIAL_LOCATIONS_PRESERVED, "YES");
        Item::new().code(tags::DERIVATION_CODE_SEQUENCE, &self.derivation).item(tags::SOURCE_IMAGE_SEQUENCE, image)
    }

    /// The indices of the frames.
    pub(super) fn put_dimensions(&self, object: Item, dimensions: &[Dimension]) -> Item {
        let uid = uid_from(&["dimensions", self.source.series_uid(), &format!("{:?}", self.grid)]);
        let indices = dimensions.iter().map(|dimension| {
            Item::new()
                .text(tags::DIMENSION_ORGANIZATION_UID, &uid)
                .pointer(tags::DIMENSION_INDEX_POINTER, dimension.attribute)
                .pointer(tags::FUNCTIONAL_GROUP_POINTER, dimension.group)
                .text(tags::DIMENSION_DESCRIPTION_LABEL, dimension.label)
        });
        object
            .item(tags::DIMENSION_ORGANIZATION_SEQUENCE, Item::new().text(tags::DIMENSION_ORGANIZATION_UID, &uid))
            .items(tags::DIMENSION_INDEX_SEQUENCE, indices)
    }
}
