//! DICOM files that are cut off, overwritten or lie.

use alnm_imaging::dicom::{DicomFolder, MaskFile, Segmentation, StructureSet, decode, read_series};
use alnm_imaging::mask::MaskParams;
use alnm_imaging::read_image;
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::builder::{
    DrawnRoi, SegmentFrame, classic, dataset, decimals, file, fragments, pixels, segmentation, sequence, short,
    structure_set, text,
};
use crate::codec::{jpeg_baseline, jpeg_ls, rle};
use crate::oblique;

/// Small files of every kind, each with the way to read it.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let grid = oblique([6, 5, 1]);
    let native = |syntax: &str| {
        let mut elements = classic(&grid, 0, 16);
        elements.push(pixels(&[7; 60]));
        file(dataset(elements), syntax)
    };
    let compressed = |syntax: &str, frame: Vec<u8>| {
        let mut elements = classic(&grid, 0, 8);
        elements.push(fragments(vec![frame]));
        file(dataset(elements), syntax)
    };
    let square = [[0.5, 0.5], [4.5, 0.5], [4.5, 3.5]].map(|[x, y]| grid.index_to_point([x, y, 0.0])).to_vec();
    let structures = structure_set(&[DrawnRoi { number: 1, name: "GTV", contours: vec![("CLOSED_PLANAR", square)] }]);
    let segments =
        segmentation("BINARY", &grid, &[1], &[SegmentFrame { segment: Some(1), slice: 0.0, pixels: vec![1; 30] }]);
    vec![
        ("implicit", native(uids::IMPLICIT_VR_LITTLE_ENDIAN)),
        ("explicit", native(uids::EXPLICIT_VR_LITTLE_ENDIAN)),
        ("deflated", native(uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)),
        ("run lengths", compressed(uids::RLE_LOSSLESS, rle(&[vec![3; 30]]))),
        ("jpeg", compressed(uids::JPEG_BASELINE8_BIT, jpeg_baseline(&[9; 30], 6))),
        ("jpeg-ls", compressed(uids::JPEGLS_LOSSLESS, jpeg_ls(&[[9; 15], [200; 15]].concat(), 6))),
        ("structure set", file(structures, uids::EXPLICIT_VR_LITTLE_ENDIAN)),
        ("segmentation", file(segments, uids::EXPLICIT_VR_LITTLE_ENDIAN)),
    ]
}

/// Whether the bytes are read as anything; that they are dealt with is the point.
fn is_read(bytes: &[u8]) -> bool {
    let on_grid = MaskParams::default().with_grid(oblique([6, 5, 1])).check().unwrap();
    let structures = StructureSet::from_bytes(bytes).and_then(|set| Ok(set.mask(&on_grid)?)).is_ok();
    let segments = Segmentation::from_bytes(bytes).and_then(|file| Ok(file.mask(&on_grid)?)).is_ok();
    decode(bytes).is_ok() || structures || segments
}

#[test]
fn every_truncation_is_an_error() {
    for (name, bytes) in corpus() {
        assert!(is_read(&bytes), "{name}");
        // What is cut off at the very end may be padding or the mark of the end.
        for length in 0..bytes.len() - 16 {
            assert!(!is_read(&bytes[..length]), "{name} cut to {length} of {}", bytes.len());
        }
    }
}

#[test]
fn overwritten_bytes_never_panic() {
    let mut generator = ChaCha8Rng::seed_from_u64(20_260_101);
    for (_, bytes) in corpus() {
        for _ in 0..600 {
            let mut damaged = bytes.clone();
            for _ in 0..generator.random_range(1..6) {
                let position = generator.random_range(0..damaged.len());
                damaged[position] = generator.random();
            }
            is_read(&damaged);
        }
    }
}

#[test]
fn lengths_beyond_the_file_are_refused_before_anything_is_allocated() {
    let (_, bytes) = corpus().swap_remove(1);
    let mark = [0xe0, 0x7f, 0x10, 0x00, b'O', b'W', 0, 0];
    let at = bytes.windows(8).position(|window| window == mark).unwrap() + 8;
    let mut lie = bytes;
    lie[at..at + 4].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    let error = decode(&lie).unwrap_err().to_string();
    assert!(error.contains("announces 4294967280 bytes where 60 are left"), "{error}");
}

#[test]
fn lengths_that_hold_no_whole_numbers_are_refused() {
    // Found by fuzzing: the parser read the whole numbers, lost its place and took pixels for lengths.
    let (_, bytes) = corpus().swap_remove(1);
    let mark = [0x28, 0x00, 0x03, 0x01, b'U', b'S', 2, 0];
    let at = bytes.windows(8).position(|window| window == mark).unwrap() + 6;
    let mut lie = bytes;
    lie[at] = 35;
    let error = decode(&lie).unwrap_err().to_string();
    assert!(error.contains("35 bytes, which are no whole numbers of 2"), "{error}");
}

#[test]
fn the_end_of_an_item_outside_of_a_sequence_hides_nothing() {
    // Found by fuzzing: the length of such a mark is not skipped by the parser, so a lie behind it must be found.
    let (_, bytes) = corpus().swap_remove(1);
    let meta_length = u32::from_le_bytes(*bytes[140..].first_chunk().unwrap()) as usize;
    let end = [0xfe, 0xff, 0x0d, 0xe0, 20, 0, 0, 0];
    let lie = [0x08, 0x00, 0x08, 0x00, b'U', b'T', 0, 0, 0xf0, 0xff, 0xff, 0xff];
    let (meta, rest) = bytes.split_at(144 + meta_length);
    let error = decode(&[meta, &end, &lie, rest].concat()).unwrap_err().to_string();
    assert!(error.contains("announces 4294967280 bytes"), "{error}");
}

#[test]
fn the_end_of_an_item_that_is_not_open_is_refused() {
    // Found by fuzzing: the parser took it for the end of the fragments and read pixels as elements.
    let mut elements = classic(&oblique([6, 5, 1]), 0, 8);
    elements.push(fragments(vec![rle(&[vec![3; 30]])]));
    let mut lie = file(dataset(elements), uids::RLE_LOSSLESS);
    let end_of_sequence = lie.len() - 8;
    lie.splice(end_of_sequence..end_of_sequence, [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]);
    let error = decode(&lie).unwrap_err().to_string();
    assert!(error.contains("end of an item stands where none is open"), "{error}");
}

#[test]
fn a_transfer_syntax_that_can_be_read_in_two_ways_is_refused() {
    // Found by fuzzing: the parser trimmed the line end and took the syntax for another one than the check did.
    let (_, bytes) = corpus().swap_remove(0);
    let syntax = b"1.2.840.10008.1.2\0";
    let at = bytes.windows(syntax.len()).position(|window| window == syntax).unwrap() + syntax.len() - 1;
    let mut lie = bytes;
    lie[at] = b'\r';
    let error = decode(&lie).unwrap_err().to_string();
    assert!(error.contains("TransferSyntaxUID is"), "{error}");
}

#[test]
fn sequences_nested_without_end_are_refused() {
    let mut inner = dataset(vec![short(tags::ROWS, 1)]);
    for _ in 0..200 {
        inner = dataset(vec![sequence(tags::REFERENCED_STUDY_SEQUENCE, vec![inner])]);
    }
    let error = decode(&file(inner, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap_err().to_string();
    assert!(error.contains("nested"), "{error}");
}

#[test]
fn sizes_that_no_data_stand_behind_are_refused() {
    let mut object = dataset(classic(&oblique([6, 5, 1]), 0, 16));
    object.put(short(tags::ROWS, 65_535));
    object.put(short(tags::COLUMNS, 65_535));
    object.put(pixels(&[7; 60]));
    let error = decode(&file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap_err().to_string();
    assert!(error.contains("8589672450 bytes of voxels"), "{error}");
}

#[test]
fn impossible_attributes_are_named() {
    let grid = oblique([6, 5, 1]);
    let faults = [
        (decimals(tags::PIXEL_SPACING, &[0.0, 1.0]), "spacing"),
        (decimals(tags::PIXEL_SPACING, &[-1.0, 1.0]), "spacing"),
        (decimals(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]), "perpendicular"),
        (decimals(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.1, 1.0, 0.0]), "perpendicular"),
        (decimals(tags::IMAGE_ORIENTATION_PATIENT, &[0.0; 6]), "ImageOrientationPatient"),
        (text(tags::IMAGE_POSITION_PATIENT, VR::DS, "1\\nan\\0"), "ImagePositionPatient"),
        (short(tags::ROWS, 0), "Rows"),
        (short(tags::BITS_STORED, 17), "BitsStored"),
        (short(tags::BITS_ALLOCATED, 12), "BitsAllocated"),
        (short(tags::SAMPLES_PER_PIXEL, 3), "samples per pixel"),
    ];
    for (fault, name) in faults {
        let mut object = dataset(classic(&grid, 0, 16));
        object.put(fault);
        object.put(pixels(&[7; 60]));
        let error = decode(&file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn directions_of_few_digits_are_perpendicular_unit_vectors() {
    let mut object = dataset(classic(&oblique([6, 5, 1]), 0, 16));
    object.put(decimals(tags::IMAGE_ORIENTATION_PATIENT, &[0.71, 0.7, 0.0, -0.71, 0.71, 0.05]));
    object.put(pixels(&[7; 60]));
    let image = decode(&file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    let direction = image.geometry().direction();
    for a in 0..3 {
        for b in 0..3 {
            let product: f64 = direction.iter().map(|row| row[a] * row[b]).sum();
            assert!((product - f64::from(u8::from(a == b))).abs() < 1e-12, "{direction:?}");
        }
    }
    // As ITK does, the columns keep their direction.
    let length = (2.0_f64 * 0.71 * 0.71 + 0.05 * 0.05).sqrt();
    for (row, cosine) in direction.iter().zip([-0.71, 0.71, 0.05]) {
        assert!((row[1] - cosine / length).abs() < 1e-12, "{direction:?}");
    }
}

#[test]
fn unknown_delimiters_are_refused() {
    // Implicit data sets in which (FFFE,0000) is followed by what another reading takes for a length of gigabytes.
    let first =
        [8, 0, 2, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0, 0, 1, 0, 0, 0, 0xfe, 0xff, 8, 0, 2, 0, 0, 0xc5];
    let second = [
        8, 0, 16, 0, 0, 0, 0, 0, 0xfe, 0xff, 0, 0, 3, 0, 0, 0, 0xf7, 0, 0xfb, 0, 0x13, 0x3b, 0xff, 0xff, 0xff, 0xff,
        0xff,
    ];
    for bytes in [&first[..], &second] {
        let error = decode(bytes).unwrap_err().to_string();
        assert!(error.contains("(FFFE,0000) stands where an element belongs"), "{error}");
    }
}

#[test]
fn files_without_preamble_or_meta_group_are_read() {
    const PREAMBLE: usize = 132;
    const GROUP_LENGTH: usize = 12;
    for syntax in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN] {
        let mut object = dataset(classic(&oblique([6, 5, 1]), 0, 16));
        object.put(pixels(&[7; 60]));
        let complete = file(object, syntax);
        let length = u32::from_le_bytes(complete[PREAMBLE + GROUP_LENGTH - 4..][..4].try_into().unwrap()) as usize;
        let image = decode(&complete).unwrap();
        for start in [PREAMBLE, PREAMBLE + GROUP_LENGTH + length] {
            let bare = &complete[start..];
            assert_eq!(decode(bare).unwrap(), image);
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("IM0001"), bare).unwrap();
            assert_eq!(read_image(folder.path()).unwrap(), image);
            assert_eq!(read_image(folder.path().join("IM0001")).unwrap(), image);
            for length in 0..bare.len() {
                decode(&bare[..length]).unwrap_err();
            }
        }
    }
}

#[test]
fn faulty_series_name_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([6, 5, 8]);
    let write = |slices: &[f64], columns: usize| {
        std::fs::read_dir(folder.path())
            .unwrap()
            .for_each(|entry| std::fs::remove_file(entry.unwrap().path()).unwrap());
        for (i, &slice) in slices.iter().enumerate() {
            let size = if i == 0 { columns } else { 6 };
            let mut object = dataset(classic(&oblique([size, 5, 8]), 0, 8));
            object.put(crate::builder::position(&grid, slice));
            // Copies of a file would be read once.
            object.put(pixels(&vec![i as u8; size * 5 + size * 5 % 2]));
            std::fs::write(folder.path().join(i.to_string()), file(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
        }
        read_series(folder.path()).map_err(|error| error.to_string())
    };
    assert!(write(&[0.0, 1.0, 2.0, 3.0], 6).is_ok());
    assert!(write(&[0.0, 1.0, 3.0, 4.0], 6).unwrap_err().contains("1 slice is missing between"));
    assert!(write(&[0.0, 1.0, 2.0, 2.0], 6).unwrap_err().contains("two slices at"));
    assert!(write(&[0.0, 1.0, 2.5, 3.5], 6).unwrap_err().contains("uneven distances"));
    assert!(write(&[0.0, 1.0, 2.0, 3.0], 8).unwrap_err().contains("2 volumes where one is asked for"));
    // A slice of another size in the middle leaves a gap: the size is what is wrong, not the gap.
    assert!(write(&[1.0, 0.0, 2.0, 3.0], 8).unwrap_err().contains("Rows × Columns differs within the series"));
}

#[test]
fn a_screenshot_spoils_its_series_only() {
    let folder = tempfile::tempdir().unwrap();
    for slice in 0..3 {
        let mut elements = classic(&oblique([6, 5, 3]), slice, 8);
        elements.push(pixels(&[1; 30]));
        std::fs::write(folder.path().join(slice.to_string()), file(dataset(elements), uids::EXPLICIT_VR_LITTLE_ENDIAN))
            .unwrap();
    }
    let mut screenshot = dataset(classic(&oblique([6, 5, 1]), 0, 8));
    screenshot.put(text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.99"));
    screenshot.put(short(tags::SAMPLES_PER_PIXEL, 3));
    screenshot.remove_element(tags::IMAGE_POSITION_PATIENT);
    std::fs::write(folder.path().join("screen"), file(screenshot, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    let scanned = DicomFolder::scan(folder.path()).unwrap();
    assert!(scanned.series_with_uid("2.25.3").unwrap().image().is_ok());
    let problem = scanned.series_with_uid("2.25.99").unwrap().image().unwrap_err().to_string();
    assert!(problem.contains("screen"), "{problem}");
}

#[test]
fn several_masks_in_one_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let structures =
        file(structure_set(&[DrawnRoi { number: 1, name: "GTV", contours: vec![] }]), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    for name in ["a", "b"] {
        std::fs::write(folder.path().join(name), &structures).unwrap();
    }
    assert!(MaskFile::find(folder.path()).unwrap_err().to_string().contains("several masks"));
}
