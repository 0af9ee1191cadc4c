//! Phases of dynamic series, however they are told apart.

use std::path::Path;

use alnm_imaging::dicom::{DicomFolder, DynamicSeries, read_phases};
use alnm_imaging::{Geometry, Result};
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;

use crate::builder::{
    classic, dataset, decimals, file, identity, integer, multi_frame, pixel_format, pixels, plane_position, sequence,
    text,
};
use crate::oblique;

const PHASES: usize = 3;

fn grid() -> Geometry {
    oblique([4, 3, 2])
}

/// The pixels of a slice: all with the number of the phase.
fn plane(phase: usize) -> Vec<u8> {
    vec![10 * (phase as u8 + 1); 12]
}

/// Writes a classic file for each slice and phase, the last phase first, with elements that tell the phase.
fn write(folder: &Path, of_phase: impl Fn(usize, usize) -> Vec<InMemElement>) {
    for (phase, slice) in (0..PHASES).rev().flat_map(|phase| (0..2).map(move |slice| (phase, slice))) {
        let mut elements = classic(&grid(), slice, 8);
        elements.extend(of_phase(phase, slice));
        elements.push(pixels(&plane(phase)));
        let name = format!("{}-{slice}.dcm", PHASES - phase);
        std::fs::write(folder.join(name), file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    }
}

fn assert_phases(series: &DynamicSeries, times: &[f64]) {
    assert_eq!(series.images().len(), PHASES);
    for (phase, image) in series.images().iter().enumerate() {
        assert!(image.geometry().difference(&grid(), 1e-6).is_none());
        assert!(
            image.cast::<f64>().as_slice().iter().all(|&voxel| voxel == 10.0 * (phase + 1) as f64),
            "phase {phase}"
        );
    }
    if times.is_empty() {
        assert!(series.times().iter().all(|time| time.is_nan()));
    } else {
        assert!(
            series.times().iter().zip(times).all(|(time, expected)| (time - expected).abs() < 1e-6),
            "{:?}",
            series.times()
        );
    }
}

fn read(of_phase: impl Fn(usize, usize) -> Vec<InMemElement>) -> Result<DynamicSeries> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), of_phase);
    read_phases(folder.path())
}

#[test]
fn by_temporal_position() {
    let series = read(|phase, _| vec![integer(tags::TEMPORAL_POSITION_IDENTIFIER, phase as i64 + 1)]).unwrap();
    assert_phases(&series, &[]);
}

#[test]
fn by_trigger_time() {
    let series =
        read(|phase, slice| vec![decimals(tags::TRIGGER_TIME, &[1000.0 * (60 * phase + slice) as f64])]).unwrap();
    assert_phases(&series, &[0.0, 60.0, 120.0]);
}

#[test]
fn by_acquisition_time_of_slices_taken_one_after_the_other() {
    let time = |phase: usize, slice: usize| {
        vec![text(tags::ACQUISITION_TIME, VR::TM, &format!("10{:02}{:02}.5", phase, 7 * slice))]
    };
    assert_phases(&read(time).unwrap(), &[0.0, 60.0, 120.0]);
}

#[test]
fn a_day_ends_between_phases() {
    let time = |phase: usize, _| {
        vec![
            text(tags::ACQUISITION_DATE, VR::DA, &format!("2020022{}", 8 + phase / 2)),
            text(tags::ACQUISITION_TIME, VR::TM, ["235900", "235930", "000000"][phase]),
        ]
    };
    assert_phases(&read(time).unwrap(), &[0.0, 30.0, 60.0]);
}

#[test]
fn a_day_without_a_date_ends_between_or_within_phases() {
    let between = |phase: usize, _| vec![text(tags::ACQUISITION_TIME, VR::TM, ["235850", "000000", "000040"][phase])];
    assert_phases(&read(between).unwrap(), &[0.0, 70.0, 110.0]);
    let times = [["235910", "235915"], ["235958", "000003"], ["000046", "000051"]];
    let within = |phase: usize, slice: usize| vec![text(tags::ACQUISITION_TIME, VR::TM, times[phase][slice])];
    assert_phases(&read(within).unwrap(), &[0.0, 48.0, 96.0]);
}

#[test]
fn a_slice_with_another_series_number_belongs_to_its_series() {
    let folder = tempfile::tempdir().unwrap();
    let of_phase = |phase: usize, slice: usize| {
        let mut elements = vec![integer(tags::TEMPORAL_POSITION_IDENTIFIER, phase as i64 + 1)];
        elements.extend((slice == 1).then(|| integer(tags::SERIES_NUMBER, 7 + phase as i64)));
        elements
    };
    write(folder.path(), of_phase);
    let scanned = DicomFolder::scan(folder.path()).unwrap();
    let series = scanned.only_series().unwrap();
    assert_eq!(series.number(), Some(9), "the number of the first file that states one");
    assert_phases(&series.phases().unwrap(), &[]);
}

#[test]
fn phases_that_nothing_tells_apart_are_duplicates() {
    let error = read(|_, _| Vec::new()).unwrap_err().to_string();
    assert!(error.contains("2 of 2 places") && error.contains("remove the copies"), "{error}");
}

#[test]
fn a_phase_without_a_slice_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |phase, _| vec![integer(tags::TEMPORAL_POSITION_IDENTIFIER, phase as i64 + 1)]);
    std::fs::remove_file(folder.path().join("2-1.dcm")).unwrap();
    let error = read_phases(folder.path()).unwrap_err().to_string();
    assert!(error.contains("phase 2 has no slice"), "{error}");
}

#[test]
fn a_series_for_each_phase() {
    let folder = tempfile::tempdir().unwrap();
    let of_phase = |phase: usize, _| {
        let series = text(tags::SERIES_INSTANCE_UID, VR::UI, &format!("2.25.10{phase}"));
        vec![series, text(tags::ACQUISITION_TIME, VR::TM, &format!("10{phase:02}00"))]
    };
    write(folder.path(), of_phase);
    assert_phases(&DicomFolder::scan(folder.path()).unwrap().series_as_phases().unwrap(), &[0.0, 60.0, 120.0]);
    assert!(read_phases(folder.path()).unwrap_err().to_string().contains("3 series"));

    let before_and_after_midnight = |phase: usize, _| {
        let series = text(tags::SERIES_INSTANCE_UID, VR::UI, &format!("2.25.10{phase}"));
        vec![series, text(tags::ACQUISITION_TIME, VR::TM, ["235930", "000030", "000130"][phase])]
    };
    write(folder.path(), before_and_after_midnight);
    assert_phases(&DicomFolder::scan(folder.path()).unwrap().series_as_phases().unwrap(), &[0.0, 60.0, 120.0]);

    let same_time = |phase: usize, _| {
        vec![
            text(tags::SERIES_INSTANCE_UID, VR::UI, &format!("2.25.10{phase}")),
            text(tags::ACQUISITION_TIME, VR::TM, "100000"),
        ]
    };
    write(folder.path(), same_time);
    let error = DicomFolder::scan(folder.path()).unwrap().series_as_phases().unwrap_err().to_string();
    assert!(error.contains("at the same time"), "{error}");
}

#[test]
fn enhanced_files_hold_phases_positions_and_scales() {
    let grid = grid();
    let groups = |phase: usize, slice: usize| {
        let content = dataset(vec![
            dicom_core::DataElement::new(
                tags::TEMPORAL_POSITION_INDEX,
                VR::UL,
                dicom_core::PrimitiveValue::from(phase as u32 + 1),
            ),
            text(tags::FRAME_ACQUISITION_DATE_TIME, VR::DT, &format!("2020010110{phase:02}00")),
        ]);
        let scale = dataset(vec![
            decimals(tags::RESCALE_INTERCEPT, &[0.0]),
            decimals(tags::RESCALE_SLOPE, &[0.5 * (phase + 1) as f64]),
        ]);
        vec![
            sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]),
            plane_position(&grid, slice as f64),
            sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, vec![scale]),
        ]
    };
    let frames: Vec<Vec<InMemElement>> =
        (0..PHASES).flat_map(|phase| [1, 0].map(|slice| groups(phase, slice))).collect();
    let mut elements = identity("MR", "2.25.3");
    elements.extend(pixel_format(&grid, 8));
    let mut elements = multi_frame(elements, &grid, frames);
    elements.push(pixels(&[20_u8; 12 * 2 * PHASES]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enhanced.dcm");
    std::fs::write(&path, file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    assert_phases(&read_phases(folder.path()).unwrap(), &[0.0, 60.0, 120.0]);
    let folder = DicomFolder::scan(folder.path()).unwrap();
    // The upper slice is the first frame of the file.
    assert_eq!(
        folder.only_series().unwrap().instances(1).unwrap().iter().map(|instance| instance.frame).collect::<Vec<_>>(),
        [2, 1]
    );
}
