//! Objects that are written for the images of a series, and read back.

use std::path::Path;

use alnm_imaging::dicom::{
    CodedConcept, ContourHoles, DerivedSeries, DicomFolder, FractionMeaning, MeasuredRegion, MeasuredValue,
    MeasurementReportParams, ParametricMapParams, Phase, Segment, SegmentAlgorithm, SegmentReference, Segmentation,
    SegmentationKind, SegmentationParams, SeriesAttributes, SourceImages, StructureSet, StructureSetParams, decode,
    write_series,
};
use alnm_imaging::mask::{MaskParams, MaskRegion};
use alnm_imaging::{Geometry, Image, ImagingError, LabelMap, Volume};
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, from_reader};
use proptest::prelude::*;

use crate::oblique;

fn attributes() -> SeriesAttributes {
    SeriesAttributes::new("P-7", "T1 nativ")
        .with_patient_name("Ärztin^Zoë")
        .with_patient_sex("F")
        .with_patient_birth_date("19700102")
        .with_study_id("S17")
        .with_accession_number("ACC-4")
        .with_study_description("Mamma")
        .with_date("20240305")
        .with_patient_position("HFP")
        .with_laterality("L")
        .with_body_part("BREAST")
        .with_slice_thickness(1.5)
        .with_echo_time(2.4)
}

/// A series on a grid in a folder.
fn series(folder: &Path, grid: &Geometry) -> SourceImages {
    let voxels = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| (z + y + x) as u16);
    let image = Phase::new(Volume::new(voxels, grid.clone()).unwrap(), 0.0);
    write_series(folder, &[image], &attributes()).unwrap();
    SourceImages::of(DicomFolder::scan(folder).unwrap().only_series().unwrap(), 1).unwrap()
}

/// A mask that holds some labels, with holes, islands and empty slices.
fn mask(grid: &Geometry, labels: &[u32]) -> LabelMap {
    let voxels = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
        let [dx, dy] = [x as f64 - 8.0, y as f64 - 7.0];
        let distance = dx.hypot(dy);
        let is_ring = distance < 6.2 && !(2.1..3.4).contains(&distance);
        match (z, is_ring) {
            (0 | 3, _) | (_, false) => 0,
            _ => labels[(z + x / 6) % labels.len()],
        }
    });
    Volume::new(voxels, grid.clone()).unwrap()
}

fn parsed(bytes: &[u8]) -> InMemDicomObject {
    from_reader(bytes).unwrap().into_inner()
}

fn text(object: &InMemDicomObject, tag: Tag) -> String {
    object.get(tag).unwrap_or_else(|| panic!("{tag} is missing")).to_str().unwrap().trim_matches([' ', '\0']).to_owned()
}

fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.get(tag).unwrap_or_else(|| panic!("{tag} is missing")).items().unwrap()
}

fn item(object: &InMemDicomObject, tag: Tag) -> &InMemDicomObject {
    &items(object, tag)[0]
}

fn on(grid: &Geometry) -> MaskParams {
    MaskParams::default().with_grid(grid.clone())
}

fn segmentation(bytes: &[u8], grid: &Geometry) -> LabelMap {
    Segmentation::from_bytes(bytes).unwrap().mask(&on(grid).check().unwrap()).unwrap()
}

#[test]
fn the_source_keeps_what_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = series(folder.path(), &oblique([16, 16, 6]));
    let read = source.attributes();
    let expected =
        attributes().with_study_uid(&*read.study_uid).with_frame_of_reference_uid(&*read.frame_of_reference_uid);
    assert_eq!(*read, expected);
    assert!(source.instances().iter().all(|instance| instance.sop_class_uid == uids::MR_IMAGE_STORAGE));
}

#[test]
fn every_kind_of_segmentation_gives_its_mask_back() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    for labels in [&[1][..], &[1, 2, 3]] {
        let mask = mask(&grid, labels);
        for kind in [SegmentationKind::Binary, SegmentationKind::Fractional, SegmentationKind::LabelMap] {
            let writer = SegmentationParams::default().with_kind(kind).check().unwrap();
            let bytes = writer.encode(&mask, &source).unwrap();
            assert_eq!(segmentation(&bytes, &grid), mask, "{kind:?} of {labels:?}");
            assert_eq!(writer.encode(&mask, &source).unwrap(), bytes);
        }
    }
    // Numbers of a label map are its labels, be there gaps between them; those of other kinds are counted.
    let sparse = mask(&grid, &[4, 700]);
    let encode =
        |kind| SegmentationParams::default().with_kind(kind).check().unwrap().encode(&sparse, &source).unwrap();
    assert_eq!(segmentation(&encode(SegmentationKind::LabelMap), &grid), sparse);
    let counted = sparse.map(|&label| match label {
        4 => 1,
        700 => 2,
        other => other,
    });
    assert_eq!(segmentation(&encode(SegmentationKind::Binary), &grid), counted);
}

#[test]
fn a_segmentation_refers_to_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    let lesion = Segment::new(1, "Läsion")
        .with_category(CodedConcept::new("49755003", "SCT", "Morphologically Abnormal Structure"))
        .with_property(CodedConcept::new("4147007", "SCT", "Mass"))
        .with_anatomic_region(CodedConcept::new("76752008", "SCT", "Breast"))
        .with_algorithm(SegmentAlgorithm::Automatic)
        .with_algorithm_name("level set");
    let params = SegmentationParams::default().with_segments([lesion]).with_series(DerivedSeries::new("Lesions"));
    let object = parsed(&params.check().unwrap().encode(&mask(&grid, &[1]), &source).unwrap());
    for (tag, expected) in [
        (tags::PATIENT_NAME, "Ärztin^Zoë"),
        (tags::PATIENT_ID, "P-7"),
        (tags::PATIENT_BIRTH_DATE, "19700102"),
        (tags::STUDY_ID, "S17"),
        (tags::ACCESSION_NUMBER, "ACC-4"),
        (tags::PATIENT_POSITION, "HFP"),
        (tags::LATERALITY, "L"),
        (tags::CONTENT_LABEL, "RESEARCH"),
        (tags::SERIES_DESCRIPTION, "Lesions (research)"),
        (tags::NUMBER_OF_FRAMES, "4"),
    ] {
        assert_eq!(text(&object, tag), expected, "{tag}");
    }
    assert_eq!(text(&object, tags::STUDY_INSTANCE_UID), source.attributes().study_uid);
    assert_eq!(text(&object, tags::FRAME_OF_REFERENCE_UID), source.frame_of_reference_uid());
    let referenced = item(&object, tags::REFERENCED_SERIES_SEQUENCE);
    assert_eq!(text(referenced, tags::SERIES_INSTANCE_UID), source.series_uid());
    assert_eq!(items(referenced, tags::REFERENCED_INSTANCE_SEQUENCE).len(), 6);
    let second = &items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)[1];
    let from = item(item(second, tags::DERIVATION_IMAGE_SEQUENCE), tags::SOURCE_IMAGE_SEQUENCE);
    assert_eq!(text(from, tags::REFERENCED_SOP_INSTANCE_UID), source.instances()[2].sop_instance_uid);
    let segment = item(&object, tags::SEGMENT_SEQUENCE);
    assert_eq!(text(segment, tags::SEGMENT_LABEL), "Läsion");
    assert_eq!(text(item(segment, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE), tags::CODE_VALUE), "4147007");
    assert_eq!(text(item(segment, tags::ANATOMIC_REGION_SEQUENCE), tags::CODE_MEANING), "Breast");
}

#[test]
fn fractions_are_kept_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    let share = |scale: f32| {
        let voxels =
            ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| scale * ((z * y * x) % 100) as f32 / 100.0);
        Volume::new(voxels, grid.clone()).unwrap()
    };
    let writer = SegmentationParams::default()
        .with_kind(SegmentationKind::Fractional)
        .with_fractions(FractionMeaning::Probability)
        .with_segments([Segment::new(2, "high"), Segment::new(1, "low")])
        .check()
        .unwrap();
    let bytes = writer.encode_fractions(&[share(1.0), share(0.4)], &source).unwrap();
    let read = Segmentation::from_bytes(&bytes).unwrap();
    assert_eq!(read.regions().iter().map(|region| &*region.name).collect::<Vec<_>>(), ["low", "high"]);
    for (threshold, scale, name) in [(0.3, 1.0, "high"), (0.2, 0.4, "low")] {
        let mask = read.mask(&on(&grid).with_region(name).with_threshold(threshold).check().unwrap()).unwrap();
        let expected = share(scale).map(|&share| u32::from((share * 255.0).round() as f64 >= threshold * 255.0));
        assert_eq!(mask, expected, "{name}");
    }
    let wrong = share(1.0).map(|&share| share * 1.2);
    assert!(matches!(writer.encode_fractions(&[share(1.0), wrong], &source), Err(ImagingError::InvalidVoxel { .. })));
}

#[test]
fn segmentations_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    let twice = SegmentationParams::default().with_segments([Segment::new(1, "a"), Segment::new(1, "b")]);
    assert!(twice.check().unwrap_err().to_string().contains("two segments"));
    let unnamed = SegmentationParams::default().with_segments([Segment::new(1, " ")]);
    assert!(unnamed.check().unwrap_err().to_string().contains("name"));
    let uncoded = Segment::new(1, "a").with_property(CodedConcept::new("", "SCT", "Mass"));
    assert!(SegmentationParams::default().with_segments([uncoded]).check().is_err());
    let one = SegmentationParams::default().with_segments([Segment::new(1, "a")]).check().unwrap();
    assert!(one.encode(&mask(&grid, &[1, 2]), &source).unwrap_err().to_string().contains("label is 2"));
    let empty = Volume::filled(grid, 0_u32);
    assert!(matches!(one.encode(&empty, &source), Err(ImagingError::EmptyRegion { .. })));
}

#[test]
fn structure_sets_give_their_masks_back() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    let mask = mask(&grid, &[1, 2]);
    for holes in [ContourHoles::Keyhole, ContourHoles::ExclusiveOr] {
        let bytes = StructureSetParams::default().with_holes(holes).check().unwrap().encode(&mask, &source).unwrap();
        let read = StructureSet::from_bytes(&bytes).unwrap();
        assert_eq!(read.mask(&on(&grid).check().unwrap()).unwrap(), mask, "{holes:?}");
        let ring = crate::objects::mask(&grid, &[1]);
        let object = StructureSetParams::default().with_holes(holes).check().unwrap().encode(&ring, &source).unwrap();
        assert_eq!(StructureSet::from_bytes(&object).unwrap().mask(&on(&grid).check().unwrap()).unwrap(), ring);
        let object = parsed(&object);
        let contour = item(item(&object, tags::ROI_CONTOUR_SEQUENCE), tags::CONTOUR_SEQUENCE);
        let image = item(contour, tags::CONTOUR_IMAGE_SEQUENCE);
        assert_eq!(text(image, tags::REFERENCED_SOP_INSTANCE_UID), source.instances()[1].sop_instance_uid);
        let kind = if holes == ContourHoles::Keyhole { "CLOSED_PLANAR" } else { "CLOSEDPLANAR_XOR" };
        assert_eq!(text(contour, tags::CONTOUR_GEOMETRIC_TYPE), kind);
        assert_eq!(text(&object, tags::STRUCTURE_SET_LABEL), "RESEARCH");
    }
    let named = StructureSetParams::default().with_regions([MaskRegion::new(2, 9, "GTV")]).check().unwrap();
    let read = StructureSet::from_bytes(&named.encode(&mask, &source).unwrap()).unwrap();
    assert_eq!((read.rois()[0].number, &*read.rois()[0].name), (9, "GTV"));
    let absent = StructureSetParams::default().with_regions([MaskRegion::new(5, 1, "GTV")]).check().unwrap();
    assert!(matches!(absent.encode(&mask, &source), Err(ImagingError::EmptyRegion { label: 5, .. })));
}

#[test]
fn contours_of_thousands_of_points_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([120, 120, 3]);
    let source = series(folder.path(), &grid);
    // A comb: its outline has more points than an explicit element can hold.
    let voxels =
        ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| u32::from(z == 1 && (y % 2 == 0 || x % 20 == 0)));
    let comb = Volume::new(voxels, grid.clone()).unwrap();
    let bytes = StructureSetParams::default().check().unwrap().encode(&comb, &source).unwrap();
    let read = StructureSet::from_bytes(&bytes).unwrap();
    assert!(read.rois()[0].contours[0].points.len() > 2000);
    assert_eq!(read.mask(&on(&grid).check().unwrap()).unwrap(), comb);
}

#[test]
fn a_report_holds_every_bit_of_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    let bytes = SegmentationParams::default().check().unwrap().encode(&mask(&grid, &[1]), &source).unwrap();
    let segment = SegmentReference::of(&Segmentation::from_bytes(&bytes).unwrap(), 1).unwrap();
    assert!(SegmentReference::of(&Segmentation::from_bytes(&bytes).unwrap(), 2).is_err());
    let values = [std::f64::consts::PI * 1e-7, 12.0, f64::NAN, -1.0 / 3.0];
    let measurements: Vec<MeasuredValue> = values
        .iter()
        .zip(["Q4LE", "a-code-of-more-than-16-characters", "ECT3", "KE2A"])
        .map(|(&value, code)| {
            let concept = CodedConcept::new(code, "IBSI", code);
            MeasuredValue::new(concept, value, CodedConcept::new("1", "UCUM", "no units"), format!("column_{code}"))
        })
        .collect();
    let region = MeasuredRegion::new("Lesion", segment.clone(), measurements);
    let writer = MeasurementReportParams::default().with_parameters(["sha256:00ff"]).check().unwrap();
    let object = parsed(&writer.encode(&[region], &source).unwrap());
    let content = items(&object, tags::CONTENT_SEQUENCE);
    let group = item(content.last().unwrap(), tags::CONTENT_SEQUENCE);
    let numbers: Vec<&InMemDicomObject> =
        items(group, tags::CONTENT_SEQUENCE).iter().filter(|item| text(item, tags::VALUE_TYPE) == "NUM").collect();
    for (number, value) in numbers.iter().zip(values) {
        let measured = items(number, tags::MEASURED_VALUE_SEQUENCE);
        if value.is_nan() {
            assert!(measured.is_empty());
            assert_eq!(text(item(number, tags::NUMERIC_VALUE_QUALIFIER_CODE_SEQUENCE), tags::CODE_VALUE), "114000");
            continue;
        }
        let exact = measured[0].get(tags::FLOATING_POINT_VALUE).unwrap().to_float64().unwrap();
        assert_eq!(exact.to_bits(), value.to_bits());
        let short: f64 = text(&measured[0], tags::NUMERIC_VALUE).parse().unwrap();
        assert!((short - value).abs() <= 1e-8 * value.abs());
    }
    let referenced = items(group, tags::CONTENT_SEQUENCE).iter().find(|item| text(item, tags::VALUE_TYPE) == "IMAGE");
    let reference = item(referenced.unwrap(), tags::REFERENCED_SOP_SEQUENCE);
    assert_eq!(text(reference, tags::REFERENCED_SOP_INSTANCE_UID), segment.sop_instance_uid);
    let evidence = item(&object, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE);
    assert_eq!(items(evidence, tags::REFERENCED_SERIES_SEQUENCE).len(), 2);
    assert!(writer.encode(&[], &source).is_err());
}

#[test]
fn maps_give_their_voxels_back() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([17, 15, 6]);
    let source = series(folder.path(), &grid);
    let voxels = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| (z * 31 + y * 7 + x) as f32 / 3.0 - 20.0);
    let map = Volume::new(voxels, grid.clone()).unwrap();
    let writer = ParametricMapParams::new("Entropy").check().unwrap();
    let Image::F32(read) = decode(&writer.encode(&map, &source).unwrap()).unwrap() else {
        panic!("no single precision")
    };
    assert_eq!(read.as_slice(), map.as_slice());
    assert!(grid.difference(read.geometry(), 1e-6).is_none());
    let infinite = map.map(|_| f32::INFINITY);
    assert!(matches!(writer.encode(&infinite, &source), Err(ImagingError::InvalidVoxel { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_mask_comes_back(voxels in prop::collection::vec(0_u32..3, 9 * 8 * 4)) {
        prop_assume!(voxels.contains(&1) && voxels.contains(&2));
        let folder = tempfile::tempdir().unwrap();
        let grid = oblique([9, 8, 4]);
        let source = series(folder.path(), &grid);
        let mask = Volume::new(ndarray::Array3::from_shape_vec(grid.shape(), voxels).unwrap(), grid.clone()).unwrap();
        let bytes = SegmentationParams::default().check().unwrap().encode(&mask, &source).unwrap();
        prop_assert_eq!(&segmentation(&bytes, &grid), &mask);
        let bytes = StructureSetParams::default().check().unwrap().encode(&mask, &source).unwrap();
        let read = StructureSet::from_bytes(&bytes).unwrap().mask(&on(&grid).check().unwrap()).unwrap();
        prop_assert_eq!(&read, &mask);
    }
}
