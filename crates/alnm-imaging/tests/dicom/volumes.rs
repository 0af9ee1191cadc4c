//! Series that hold several volumes: what tells these apart, and how one of them is chosen.

use std::path::Path;

use alnm_imaging::Geometry;
use alnm_imaging::dicom::{
    DicomFolder, PhaseKey, Series, SeriesProblem, SeriesValues, SeriesWarning, UptakeNorm, VolumeChoice,
};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use tempfile::TempDir;

use crate::builder::{
    classic, dataset, decimals, file, integer, multi_frame, pixel_format, pixels, plane_position, position, sequence,
    text,
};
use crate::oblique;

const SLICES: usize = 4;

fn grid() -> Geometry {
    oblique([4, 3, SLICES])
}

/// A folder of slices of one series.
struct Folder {
    folder: TempDir,
    files: usize,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), files: 0 }
    }

    /// A slice whose pixels all have one value, at a place in slices, with elements that replace others.
    fn add(&mut self, place: f64, value: u8, elements: Vec<InMemElement>) {
        let mut object = dataset(classic(&grid(), 0, 8));
        object.put(position(&grid(), place));
        object.put(text(tags::SOP_INSTANCE_UID, VR::UI, &format!("2.25.9{}", self.files)));
        elements.into_iter().for_each(|element| drop(object.put(element)));
        object.put(pixels(&[value; 12]));
        self.write(&format!("{:03}.dcm", self.files), &file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN));
    }

    /// All slices of a volume.
    fn add_volume(&mut self, value: u8, elements: impl Fn(usize) -> Vec<InMemElement>) {
        (0..SLICES).for_each(|slice| self.add(slice as f64, value, elements(slice)));
    }

    fn write(&mut self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).unwrap();
        self.files += 1;
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn series(&self) -> Series {
        DicomFolder::scan(self.path()).unwrap().only_series().unwrap().clone()
    }
}

/// The value that all voxels of each volume have, and what tells it apart.
fn volumes(series: &Series) -> Vec<(f64, String)> {
    let told = series.volumes().unwrap();
    (1..).zip(&told).map(|(number, volume)| (value(&series.volume(number).unwrap()), volume.kind.to_string())).collect()
}

fn value(image: &alnm_imaging::Image) -> f64 {
    let voxels = image.cast::<f64>();
    assert!(voxels.as_slice().iter().all(|voxel| *voxel == voxels.as_slice()[0]), "{:?}", voxels.as_slice());
    voxels.as_slice()[0]
}

fn values_of_phases(series: &Series) -> Vec<f64> {
    series.phases().unwrap().images().iter().map(value).collect()
}

fn problem(series: &Series) -> SeriesProblem {
    series.problem().unwrap().clone()
}

fn private(group: u16, creator: &str, element: u16, vr: VR, value: PrimitiveValue) -> Vec<InMemElement> {
    vec![text(Tag(group, 0x10), VR::LO, creator), DataElement::new(Tag(group, 0x1000 | element), vr, value)]
}

#[test]
fn phases_by_the_time_of_their_content() {
    let mut folder = Folder::new();
    for (value, time) in [(3, "103832.5"), (1, "102551.0"), (2, "103238.25")] {
        folder.add_volume(value, |slice| {
            vec![text(tags::CONTENT_TIME, VR::TM, time), integer(tags::INSTANCE_NUMBER, slice as i64 + 1)]
        });
    }
    let series = folder.series();
    assert_eq!(series.phases_by(), Some(PhaseKey::ContentTime));
    assert_eq!(values_of_phases(&series), [1.0, 2.0, 3.0]);
    assert_eq!(series.times().unwrap(), [0.0, 407.25, 761.5]);
}

#[test]
fn phases_by_acquisition_and_by_instance() {
    let mut folder = Folder::new();
    for (value, acquisition) in [(2, 2), (1, 1)] {
        folder.add_volume(value, |_| vec![integer(tags::ACQUISITION_NUMBER, acquisition)]);
    }
    let series = folder.series();
    assert_eq!((series.phases_by(), values_of_phases(&series)), (Some(PhaseKey::AcquisitionNumber), vec![1.0, 2.0]));
    assert!(series.times().unwrap().iter().all(|time| time.is_nan()));

    let mut folder = Folder::new();
    for phase in 0..3_u8 {
        folder.add_volume(phase + 1, |slice| {
            vec![
                integer(tags::INSTANCE_NUMBER, i64::from(phase) * SLICES as i64 + slice as i64 + 1),
                integer(tags::NUMBER_OF_TEMPORAL_POSITIONS, 3),
            ]
        });
    }
    let series = folder.series();
    assert_eq!((series.phases_by(), values_of_phases(&series)), (Some(PhaseKey::InstanceNumber), vec![1.0, 2.0, 3.0]));
    assert_eq!(series.warnings(), []);
    let wrong = series.choose(&VolumeChoice::default().with_phases_by(PhaseKey::ContentTime)).unwrap_err().to_string();
    assert!(wrong.contains("ContentTime"), "{wrong}");
}

#[test]
fn a_key_that_is_asked_for_is_taken() {
    let mut folder = Folder::new();
    for (value, number, time) in [(1, 2, "100000"), (2, 1, "100100")] {
        folder.add_volume(value, |_| {
            vec![integer(tags::TEMPORAL_POSITION_IDENTIFIER, number), text(tags::ACQUISITION_TIME, VR::TM, time)]
        });
    }
    let series = folder.series();
    assert_eq!(values_of_phases(&series), [2.0, 1.0]);
    let by_time = series.choose(&VolumeChoice::default().with_phases_by(PhaseKey::AcquisitionTime)).unwrap();
    assert_eq!(values_of_phases(&by_time), [1.0, 2.0]);
}

#[test]
fn echoes_weightings_and_parts_are_named_and_chosen() {
    let mut folder = Folder::new();
    for (value, echo) in [(9, "90"), (2, "20")] {
        folder.add_volume(value, |_| vec![text(tags::ECHO_TIME, VR::DS, echo)]);
    }
    let series = folder.series();
    let told = volumes(&series);
    assert_eq!(told, [(2.0, "echo time 20 ms".to_owned()), (9.0, "echo time 90 ms".to_owned())]);
    assert_eq!(series.phase_count(), 0);
    let error = series.image().unwrap_err().to_string();
    assert!(error.contains("2 volumes") && error.contains("1 echo time 20 ms; 2 echo time 90 ms"), "{error}");
    assert_eq!(value(&series.choose(&VolumeChoice::default().with_echo_time(90.0)).unwrap().image().unwrap()), 9.0);
    let error = series.choose(&VolumeChoice::default().with_echo_time(30.0)).unwrap_err().to_string();
    assert!(error.contains("echo time 30 ms") && error.contains("echo time 20 ms"), "{error}");

    let mut folder = Folder::new();
    let weighted = [(1, 0.0, None), (2, 800.0, Some([1.0, 0.0, 0.0])), (3, 800.0, Some([0.0, 1.0, 0.0]))];
    for (instance, (value, b_value, direction)) in weighted.into_iter().enumerate() {
        folder.add_volume(value, |_| {
            let mut elements = vec![
                DataElement::new(tags::DIFFUSION_B_VALUE, VR::FD, PrimitiveValue::from(b_value)),
                integer(tags::INSTANCE_NUMBER, 30 - 10 * instance as i64),
            ];
            elements.extend(direction.map(|direction: [f64; 3]| {
                let value = PrimitiveValue::F64(direction.into_iter().collect());
                DataElement::new(tags::DIFFUSION_GRADIENT_ORIENTATION, VR::FD, value)
            }));
            elements
        });
    }
    let series = folder.series();
    // As they were taken: by their instances.
    assert_eq!(
        volumes(&series),
        [
            (3.0, "b-value 800 s/mm², gradient (0.000, 1.000, 0.000)".to_owned()),
            (2.0, "b-value 800 s/mm², gradient (1.000, 0.000, 0.000)".to_owned()),
            (1.0, "b-value 0 s/mm²".to_owned()),
        ]
    );
    assert_eq!(value(&series.choose(&VolumeChoice::default().with_b_value(0.0)).unwrap().image().unwrap()), 1.0);
    assert_eq!(series.choose(&VolumeChoice::default().with_b_value(800.0)).unwrap().volumes().unwrap().len(), 2);
    let second = VolumeChoice::default().with_b_value(800.0).with_volume(2);
    assert_eq!(value(&series.choose(&second).unwrap().image().unwrap()), 2.0);
    assert!(series.choose(&VolumeChoice::default().with_volume(4)).is_err());

    let mut folder = Folder::new();
    for (value, kind) in [(5, "ORIGINAL\\PRIMARY\\PHASE MAP\\P\\FFE"), (4, "ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE")] {
        folder.add_volume(value, |_| vec![text(tags::IMAGE_TYPE, VR::CS, kind)]);
    }
    let series = folder.series();
    assert_eq!(volumes(&series), [(4.0, "magnitude".to_owned()), (5.0, "phase".to_owned())]);
    for name in ["phase", "P", "phase map"] {
        assert_eq!(value(&series.choose(&VolumeChoice::default().with_part(name)).unwrap().image().unwrap()), 5.0);
    }

    let mut folder = Folder::new();
    for (value, kind) in [(1, "WATER"), (2, "FAT"), (3, "IN_PHASE"), (4, "OUT_PHASE")] {
        folder.add_volume(value, |_| {
            vec![text(tags::IMAGE_TYPE, VR::CS, &format!("DERIVED\\PRIMARY\\M\\DIXON\\{kind}"))]
        });
    }
    let names: Vec<String> = volumes(&folder.series()).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["fat", "in phase", "opposed phase", "water"]);
}

#[test]
fn vendors_state_the_weighting_in_elements_of_their_own() {
    let b_value = |number: f64| -> [Vec<InMemElement>; 4] {
        [
            private(0x0019, "SIEMENS MR HEADER", 0x0c, VR::IS, PrimitiveValue::from(number.to_string())),
            private(0x2001, "Philips Imaging DD 001", 0x03, VR::FL, PrimitiveValue::from(number as f32)),
            private(
                0x0043,
                "GEMS_PARM_01",
                0x39,
                VR::IS,
                PrimitiveValue::from(format!("{}\\8\\0\\0", 1_000_000_000 + number as i64)),
            ),
            // Implicit data sets leave the representation open.
            private(0x0065, "Image Private Header", 0x09, VR::UN, PrimitiveValue::from(number.to_le_bytes().to_vec())),
        ]
    };
    for vendor in 0..4 {
        let mut folder = Folder::new();
        for (value, number) in [(1, 50.0), (2, 1000.0)] {
            folder.add_volume(value, |_| b_value(number)[vendor].clone());
        }
        let told: Vec<Option<f64>> =
            folder.series().volumes().unwrap().iter().map(|volume| volume.kind.b_value).collect();
        assert_eq!(told, [Some(50.0), Some(1000.0)], "vendor {vendor}");
    }
}

#[test]
fn echoes_with_phases_keep_both() {
    let mut folder = Folder::new();
    for (value, echo, time) in [(1, 10, "100000"), (2, 20, "100001"), (3, 10, "100100"), (4, 20, "100101")] {
        folder.add_volume(value, |_| vec![integer(tags::ECHO_TIME, echo), text(tags::ACQUISITION_TIME, VR::TM, time)]);
    }
    let series = folder.series();
    let told: Vec<String> = series.volumes().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "1 echo time 10 ms, phase 1 of 2, 0 s",
            "2 echo time 10 ms, phase 2 of 2, 60 s",
            "3 echo time 20 ms, phase 1 of 2, 0 s",
            "4 echo time 20 ms, phase 2 of 2, 60 s",
        ]
    );
    let second = series.choose(&VolumeChoice::default().with_echo_time(20.0)).unwrap();
    assert_eq!(values_of_phases(&second), [2.0, 4.0]);
}

#[test]
fn acquisitions_of_computed_tomography_are_no_phases() {
    let mut folder = Folder::new();
    for (value, acquisition) in [(1, 4), (2, 5)] {
        folder.add_volume(value, |_| {
            vec![integer(tags::ACQUISITION_NUMBER, acquisition), text(tags::MODALITY, VR::CS, "CT")]
        });
    }
    assert_eq!(volumes(&folder.series()), [(1.0, "acquisition 4".to_owned()), (2.0, "acquisition 5".to_owned())]);
}

#[test]
fn a_scout_in_the_series_is_a_volume_of_its_own() {
    let mut folder = Folder::new();
    folder.add_volume(1, |_| Vec::new());
    folder.add(0.0, 2, vec![decimals(tags::IMAGE_ORIENTATION_PATIENT, &[0.0, 1.0, 0.0, 0.0, 0.0, -1.0])]);
    let series = folder.series();
    assert_eq!(volumes(&series), [(1.0, "grid 1".to_owned()), (2.0, "grid 2".to_owned())]);
    let chosen = series.choose(&VolumeChoice::default().with_volume(1)).unwrap().image().unwrap();
    assert!(chosen.geometry().difference(&grid(), 1e-6).is_none());
}

#[test]
fn a_scan_that_stopped_early_gives_its_whole_phases() {
    let by_number = |phase: u8, _: usize| vec![integer(tags::TEMPORAL_POSITION_IDENTIFIER, i64::from(phase))];
    let by_time =
        |phase: u8, slice: usize| vec![text(tags::ACQUISITION_TIME, VR::TM, &format!("10{phase:02}{:02}", 10 * slice))];
    let keys: [&dyn Fn(u8, usize) -> Vec<InMemElement>; 2] = [&by_number, &by_time];
    for key in keys {
        let mut folder = Folder::new();
        for phase in 1..=2 {
            folder.add_volume(phase, |slice| key(phase, slice));
        }
        (0..3).for_each(|slice| folder.add(slice as f64, 3, key(3, slice)));
        let series = folder.series();
        assert_eq!(values_of_phases(&series), [1.0, 2.0]);
        assert_eq!(series.warnings().len(), 1);
        let warning = series.warnings()[0].to_string();
        assert_eq!(warning, "the scan stopped early: phase 3 has 3 of 4 slices and is left out");
    }
    // A slice that is missing from a phase between others is no early stop.
    let mut folder = Folder::new();
    folder.add_volume(1, |slice| by_time(1, slice));
    (0..3).for_each(|slice| folder.add(slice as f64, 2, by_time(2, slice)));
    folder.add_volume(3, |slice| by_time(3, slice));
    assert!(matches!(problem(&folder.series()), SeriesProblem::MissingInPhase { .. }));
}

#[test]
fn advice_fits_what_is_wrong() {
    let mut folder = Folder::new();
    folder.add_volume(1, |_| Vec::new());
    folder.add(2.0, 2, Vec::new());
    assert!(matches!(problem(&folder.series()), SeriesProblem::DuplicateSlice { .. }));

    let mut folder = Folder::new();
    for value in 1..3 {
        folder.add_volume(value, |slice| vec![text(tags::SOP_INSTANCE_UID, VR::UI, &format!("2.25.{slice}"))]);
    }
    let copies = problem(&folder.series()).to_string();
    assert!(copies.contains("remove the copies") && copies.contains("4 of 4 places"), "{copies}");

    let mut folder = Folder::new();
    folder.add_volume(1, |slice| vec![integer(tags::INSTANCE_NUMBER, slice as i64)]);
    (0..2).for_each(|slice| folder.add(slice as f64, 2, vec![integer(tags::INSTANCE_NUMBER, 10 + slice)]));
    let mixed = problem(&folder.series()).to_string();
    assert!(mixed.contains("2 of 4 places") && !mixed.contains("remove"), "{mixed}");
}

#[test]
fn copies_of_files_are_read_once() {
    let mut folder = Folder::new();
    for _ in 0..3 {
        folder.add_volume(7, |slice| vec![text(tags::SOP_INSTANCE_UID, VR::UI, &format!("2.25.{slice}"))]);
    }
    let series = folder.series();
    assert_eq!((value(&series.image().unwrap()), series.slice_count()), (7.0, SLICES));
    let said = series.warnings()[0].to_string();
    assert!(said.starts_with("8 files are copies") && said.contains("004.dcm"), "{said}");
}

#[test]
fn a_place_may_lie_a_tenth_off_the_even_grid() {
    let mut folder = Folder::new();
    [0.0, 1.0, 1.95, 3.0].into_iter().for_each(|place| folder.add(place, 1, Vec::new()));
    let series = folder.series();
    assert!(series.image().unwrap().geometry().difference(&grid(), 1e-6).is_none());
    assert!(matches!(series.warnings(), [SeriesWarning::UnevenSlices { .. }]), "{:?}", series.warnings());
    let mut folder = Folder::new();
    [0.0, 1.0, 1.8, 3.0].into_iter().for_each(|place| folder.add(place, 1, Vec::new()));
    let uneven = problem(&folder.series()).to_string();
    // Places in mm with few digits.
    assert!(uneven.contains("uneven distances of slices: 1.68 mm") && uneven.contains("2.1 mm elsewhere"), "{uneven}");
}

#[test]
fn phases_on_slightly_shifted_grids_are_on_one() {
    let mut folder = Folder::new();
    for phase in 0..3_u8 {
        for slice in 0..SLICES {
            let shift = if phase == 2 { 0.0009 } else { 0.0 };
            let number = integer(tags::TEMPORAL_POSITION_IDENTIFIER, i64::from(phase));
            folder.add(slice as f64 + shift, phase + 1, vec![number]);
        }
    }
    assert_eq!(values_of_phases(&folder.series()), [1.0, 2.0, 3.0]);
}

#[test]
fn enhanced_files_are_told_apart_by_their_dimensions() {
    let grid = grid();
    let groups = |phase: u32, slice: usize| {
        let indices = PrimitiveValue::U32([1, slice as u32 + 1, phase].into_iter().collect());
        let content = dataset(vec![DataElement::new(tags::DIMENSION_INDEX_VALUES, VR::UL, indices)]);
        vec![sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]), plane_position(&grid, slice as f64)]
    };
    let order: Vec<(u32, usize)> = (0..SLICES).flat_map(|slice| [(2, slice), (1, slice)]).collect();
    let pointer = |tag: Tag| {
        let value = PrimitiveValue::Tags([tag].into_iter().collect());
        dataset(vec![DataElement::new(tags::DIMENSION_INDEX_POINTER, VR::AT, value)])
    };
    let mut elements = crate::builder::identity("MR", "2.25.3");
    elements.extend(pixel_format(&grid, 8));
    elements.push(sequence(
        tags::DIMENSION_INDEX_SEQUENCE,
        [tags::STACK_ID, tags::IN_STACK_POSITION_NUMBER, Tag(0x2005, 0x1429)].map(pointer).to_vec(),
    ));
    let mut elements = multi_frame(elements, &grid, order.iter().map(|&(phase, slice)| groups(phase, slice)).collect());
    elements.push(pixels(&order.iter().flat_map(|&(phase, _)| [phase as u8; 12]).collect::<Vec<u8>>()));
    let mut folder = Folder::new();
    folder.write("enhanced.dcm", &file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN));
    let series = folder.series();
    assert_eq!((series.phases_by(), values_of_phases(&series)), (Some(PhaseKey::DimensionIndex), vec![1.0, 2.0]));
}

/// A Siemens header of the second version with texts.
fn csa(tags: &[(&str, &[&str])]) -> Vec<u8> {
    let mut bytes = b"SV10\x04\x03\x02\x01".to_vec();
    let integer = |bytes: &mut Vec<u8>, value: u32| bytes.extend_from_slice(&value.to_le_bytes());
    integer(&mut bytes, tags.len() as u32);
    integer(&mut bytes, 77);
    for (name, values) in tags {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(64, 0);
        bytes.extend_from_slice(&padded);
        integer(&mut bytes, values.len() as u32);
        bytes.extend_from_slice(b"FD\0\0");
        integer(&mut bytes, 4);
        integer(&mut bytes, values.len() as u32);
        integer(&mut bytes, 77);
        for value in *values {
            let mut text = value.as_bytes().to_vec();
            let length = text.len() as u32;
            [length, length, 77, length].iter().for_each(|value| integer(&mut bytes, *value));
            text.resize(text.len().next_multiple_of(4), 0);
            bytes.extend_from_slice(&text);
        }
    }
    bytes
}

#[test]
fn mosaics_are_unpacked() {
    // Five slices of 4 × 3 pixels in a mosaic of 3 × 3 tiles, counted against the normal.
    let tile = oblique([4, 3, 5]);
    let mosaic = oblique([12, 9, 1]);
    let direction = tile.direction();
    let normal = direction.map(|row| format!("{:.9}", -row[2]));
    let header = csa(&[
        ("EchoLinePosition", &["32"]),
        ("NumberOfImagesInMosaic", &["5"]),
        ("SliceNormalVector", &[&normal[0], &normal[1], &normal[2]]),
    ]);
    let make = |header: Option<Vec<u8>>| {
        let mut folder = Folder::new();
        for (phase, time) in [(1, "100100"), (0, "100000")] {
            let mut object = dataset(classic(&mosaic, 0, 8));
            // The file states where the frame would begin, were it centred on the slice: here the last of the grid.
            let corner = tile.index_to_point([-4.0, -3.0, 4.0]);
            object.put(decimals(tags::IMAGE_POSITION_PATIENT, &corner));
            object.put(text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"));
            object.put(text(tags::ACQUISITION_TIME, VR::TM, time));
            if let Some(header) = header.clone() {
                private(0x0029, "SIEMENS CSA HEADER", 0x10, VR::OB, PrimitiveValue::from(header))
                    .into_iter()
                    .for_each(|element| drop(object.put(element)));
            }
            let value = |row: usize, column: usize| (50 * phase + 10 * (row / 3 * 3 + column / 4) + row % 3) as u8;
            let frame: Vec<u8> = (0..108).map(|pixel| value(pixel / 12, pixel % 12)).collect();
            object.put(pixels(&frame));
            folder.write(&format!("{phase}.dcm"), &file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN));
        }
        folder
    };
    let folder = make(Some(header));
    let series = folder.series();
    let dynamic = series.phases().unwrap();
    assert_eq!(dynamic.times(), [0.0, 60.0]);
    let image = &dynamic.images()[1];
    assert!(image.geometry().difference(&tile, 1e-6).is_none(), "{:?}", image.geometry());
    // The first tile is the last slice.
    for z in 0..5 {
        let expected: Vec<f64> = (0..12).map(|pixel| (50 + 10 * (4 - z) + pixel / 4) as f64).collect();
        assert_eq!(image.cast::<f64>().as_slice()[12 * z..][..12], expected);
    }
    let refused = problem(&make(None).series()).to_string();
    assert!(refused.contains("mosaic"), "{refused}");
}

#[test]
fn values_in_units_that_are_asked_for() {
    let mut folder = Folder::new();
    folder.add_volume(100, |_| {
        let mut elements = private(0x2005, "Philips MR Imaging DD 001", 0x0e, VR::FL, PrimitiveValue::from(0.5_f32));
        elements.extend([decimals(tags::RESCALE_SLOPE, &[2.0]), decimals(tags::RESCALE_INTERCEPT, &[10.0])]);
        elements
    });
    let precise = VolumeChoice::default().with_values(SeriesValues::PhilipsPrecise);
    let series = folder.series();
    assert_eq!(value(&series.image().unwrap()), 210.0);
    // (100 · 2 + 10) / (2 · 0.5).
    assert_eq!(value(&series.choose(&precise).unwrap().image().unwrap()), 210.0);
    let mut folder = Folder::new();
    folder.add_volume(100, |_| Vec::new());
    let missing = folder.series().choose(&precise).unwrap_err().to_string();
    assert!(missing.contains("(2005,xx0E)"), "{missing}");
}

/// Seconds.
const HALF_LIFE: f64 = 6586.2;

/// A series of positron emission tomography an hour after the injection. What `scan` and `tracer` name replaces what is
/// there; `without` is left out.
fn pet_scan(without: Option<Tag>, scan: &[InMemElement], tracer: &[InMemElement]) -> Folder {
    let mut folder = Folder::new();
    let changed = |mut elements: Vec<InMemElement>, others: &[InMemElement]| {
        elements.retain(|element| others.iter().all(|other| other.header().tag != element.header().tag));
        elements.extend_from_slice(others);
        elements.retain(|element| Some(element.header().tag) != without);
        elements
    };
    folder.add_volume(100, |_| {
        let of_tracer = vec![
            decimals(tags::RADIONUCLIDE_TOTAL_DOSE, &[370e6]),
            decimals(tags::RADIONUCLIDE_HALF_LIFE, &[HALF_LIFE]),
            text(tags::RADIOPHARMACEUTICAL_START_TIME, VR::TM, "090000"),
        ];
        let elements = vec![
            text(tags::MODALITY, VR::CS, "PT"),
            text(tags::UNITS, VR::CS, "BQML"),
            text(tags::DECAY_CORRECTION, VR::CS, "START"),
            text(tags::SERIES_DATE, VR::DA, "20260105"),
            text(tags::SERIES_TIME, VR::TM, "100000"),
            text(tags::ACQUISITION_DATE, VR::DA, "20260105"),
            text(tags::ACQUISITION_TIME, VR::TM, "100130"),
            text(tags::PATIENT_SEX, VR::CS, "F"),
            decimals(tags::PATIENT_WEIGHT, &[70.0]),
            decimals(tags::PATIENT_SIZE, &[1.65]),
            decimals(tags::RESCALE_SLOPE, &[150.0]),
            sequence(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![dataset(changed(of_tracer, tracer))]),
        ];
        changed(elements, scan)
    });
    folder
}

/// The value of a voxel in standardised uptake values, and what is said of them.
fn uptake(folder: &Folder, norm: UptakeNorm) -> alnm_imaging::Result<(f64, String)> {
    let choice = VolumeChoice::default().with_values(SeriesValues::Uptake(norm));
    let series = folder.series().choose(&choice)?;
    Ok((value(&series.image().unwrap()), series.warnings()[0].to_string()))
}

#[test]
fn doubtful_uptake_values_are_refused() {
    let refused = |folder: Folder| uptake(&folder, UptakeNorm::BodyWeight).unwrap_err().to_string();
    // Dates of injection and series that are not of one calendar, as after de-identification.
    let early = [text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20251206090000")];
    let error = refused(pet_scan(None, &[], &early));
    assert!(error.contains("RadiopharmaceuticalStartDateTime is 2595600 s before the scan"), "{error}");
    // A long-lived tracer is imaged days later.
    let zirconium = [early[0].clone(), decimals(tags::RADIONUCLIDE_HALF_LIFE, &[282_240.0])];
    assert!(uptake(&pet_scan(None, &[], &zirconium), UptakeNorm::BodyWeight).is_ok());
    // Values that are normalised otherwise already.
    let in_grams =
        |norm: &str| pet_scan(None, &[text(tags::UNITS, VR::CS, "GML"), text(tags::SUV_TYPE, VR::CS, norm)], &[]);
    let error = refused(in_grams("IBW"));
    assert!(error.contains("SUVType is IBW"), "{error}");
    assert_eq!(uptake(&in_grams("BW"), UptakeNorm::BodyWeight).unwrap().0, 15_000.0);
    assert_eq!(uptake(&in_grams("LBMJAMES128"), UptakeNorm::LeanBodyMass).unwrap().0, 15_000.0);
    let by_weight = uptake(&in_grams("LBMJAMES128"), UptakeNorm::BodyWeight).unwrap().0;
    let lean = 1.07 * 70.0 - 148.0 * (70.0_f64 / 165.0).powi(2);
    assert!((by_weight / (15_000.0 * 70.0 / lean) - 1.0).abs() < 1e-12, "{by_weight}");
}

/// A series that was made two hours later and lacks its first bed position, 150 s of the scan.
#[test]
fn the_start_of_a_scan_follows_from_the_time_of_reference() {
    let duration: f64 = 150.0;
    let decay = std::f64::consts::LN_2 / HALF_LIFE * duration;
    let mean_of_counts = duration * (decay / (1.0 - (-decay).exp())).ln() / decay;
    let later = [
        text(tags::SERIES_TIME, VR::TM, "120000"),
        text(tags::ACQUISITION_TIME, VR::TM, "100230"),
        decimals(tags::ACTUAL_FRAME_DURATION, &[150_000.0]),
        decimals(tags::FRAME_REFERENCE_TIME, &[150_000.0 + mean_of_counts * 1000.0]),
    ];
    let (found, _) = uptake(&pet_scan(None, &later, &[]), UptakeNorm::BodyWeight).unwrap();
    let expected = 15_000.0 * 70_000.0 / (370e6 * (-3600.0 / HALF_LIFE).exp2());
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    // Without it the first acquisition is all that is known.
    let (found, _) = uptake(&pet_scan(None, &later[..3], &[]), UptakeNorm::BodyWeight).unwrap();
    assert!((found / expected / (150.0 / HALF_LIFE).exp2() - 1.0).abs() < 1e-9, "{found} {expected}");
}

#[test]
fn uptake_values_are_standardised() {
    let scan = |without: Option<Tag>, correction: &str| {
        pet_scan(without, &[text(tags::DECAY_CORRECTION, VR::CS, correction)], &[])
    };
    let suv = uptake;
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    let folder = scan(None, "START");
    let activity = 370e6 * (-3600.0 / HALF_LIFE).exp2();
    let (found, said) = suv(&folder, UptakeNorm::BodyWeight).unwrap();
    near(found, 15_000.0 * 70_000.0 / activity);
    assert!(said.contains("DecayCorrection START") && said.contains("3600 s"), "{said}");
    // W = 70 kg, H = 165 cm, a woman: 1.07 W − 148 (W/H)² = 48.2632 kg.
    near(
        suv(&folder, UptakeNorm::LeanBodyMass).unwrap().0,
        15_000.0 * 1000.0 * (1.07 * 70.0 - 148.0 * (70.0_f64 / 165.0).powi(2)) / activity,
    );
    let index = 70.0 / (1.65 * 1.65);
    near(
        suv(&folder, UptakeNorm::LeanBodyMassJanmahasatian).unwrap().0,
        15_000.0 * 1000.0 * 9270.0 * 70.0 / (8780.0 + 244.0 * index) / activity,
    );
    near(
        suv(&folder, UptakeNorm::BodySurface).unwrap().0,
        15_000.0 * 1e4 * 0.007184 * 70.0_f64.powf(0.425) * 165.0_f64.powf(0.725) / activity,
    );
    near(suv(&scan(None, "ADMIN"), UptakeNorm::BodyWeight).unwrap().0, 15_000.0 * 70_000.0 / 370e6);
    for (tag, name) in [
        (tags::PATIENT_WEIGHT, "PatientWeight"),
        (tags::RADIONUCLIDE_TOTAL_DOSE, "RadionuclideTotalDose"),
        (tags::RADIONUCLIDE_HALF_LIFE, "RadionuclideHalfLife"),
        (tags::RADIOPHARMACEUTICAL_START_TIME, "RadiopharmaceuticalStartTime"),
        (tags::UNITS, "Units"),
        (tags::DECAY_CORRECTION, "DecayCorrection"),
    ] {
        let error = suv(&scan(Some(tag), "START"), UptakeNorm::BodyWeight).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert!(suv(&scan(Some(tags::PATIENT_SIZE), "START"), UptakeNorm::LeanBodyMass).is_err());
}

#[test]
fn grids_of_united_imaging_are_unpacked() {
    // Five slices of 4 × 3 pixels in two rows of three tiles, the last of which is empty.
    let tile = oblique([4, 3, 5]);
    let frame = oblique([12, 6, 1]);
    let make = |sequence_of: fn(Vec<InMemDicomObject>) -> InMemElement| {
        let mut folder = Folder::new();
        for (phase, second) in [(1, 30), (0, 0)] {
            let mut object = dataset(classic(&frame, 0, 8));
            object.remove_element(tags::IMAGE_POSITION_PATIENT);
            object.put(text(Tag(0x0065, 0x10), VR::LO, "Image Private Header"));
            let place = |slice: usize| {
                let taken = format!("20250301100{phase}{:02}.5", second + slice);
                dataset(vec![position(&tile, slice as f64), text(tags::ACQUISITION_DATE_TIME, VR::DT, &taken)])
            };
            object.put(sequence_of((0..5).map(place).collect()));
            let value = |row: usize, column: usize| (50 * phase + 10 * (row / 3 * 3 + column / 4) + row % 3) as u8;
            object.put(pixels(&(0..72).map(|pixel| value(pixel / 12, pixel % 12)).collect::<Vec<u8>>()));
            folder.write(&format!("{phase}.dcm"), &file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN));
        }
        folder
    };
    // Files are opened again when they are read, so the folder stays.
    let folder = make(|items| sequence(Tag(0x0065, 0x1051), items));
    let series = folder.series();
    assert_eq!(series.phases_by(), Some(PhaseKey::AcquisitionTime));
    let dynamic = series.phases().unwrap();
    assert_eq!(dynamic.times(), [0.0, 90.0]);
    let image = &dynamic.images()[1];
    assert!(image.geometry().difference(&tile, 1e-6).is_none(), "{:?}", image.geometry());
    for z in 0..5 {
        let expected: Vec<f64> = (0..12).map(|pixel| (50 + 10 * z + pixel / 4) as f64).collect();
        assert_eq!(image.cast::<f64>().as_slice()[12 * z..][..12], expected);
    }

    let of_unknown = |_| DataElement::new(Tag(0x0065, 0x1051), VR::UN, PrimitiveValue::from(vec![0_u8; 4]));
    let refused = problem(&make(of_unknown).series()).to_string();
    assert!(refused.contains("grid of United Imaging"), "{refused}");
    let too_many =
        |items: Vec<InMemDicomObject>| sequence(Tag(0x0065, 0x1051), [items.clone(), items.clone(), items].concat());
    let refused = problem(&make(too_many).series()).to_string();
    assert!(refused.contains("no 4 × 4 tiles"), "{refused}");
}
