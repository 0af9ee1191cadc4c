//! Files of every format: round trips, and headers and data that are cut off, overwritten or lie.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

#[cfg(feature = "dicom")]
use alnm_imaging::dicom::{DicomFolder, Phase, SeriesAttributes, read_series, write_series};
use alnm_imaging::file::Source;
use alnm_imaging::mask::{MaskNote, MaskParams, MaskProblem};
use alnm_imaging::{
    FileProblem, Geometry, Image, ImagingError, Volume, metaimage, nifti, nrrd, read_image, read_mask, write_image,
    write_mask, written_files,
};
use ndarray::Array3;
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const NAMES: [&str; 8] = ["a.nrrd", "a.nhdr", "a.nii", "a.nii.gz", "a.hdr", "a.mha", "a.mhd", "a.img.gz"];

fn oblique(size: [usize; 3], angle: f64) -> Geometry {
    let (s, c) = angle.sin_cos();
    let direction = [[c, -s * 0.6, s * 0.8], [s, c * 0.6, -c * 0.8], [0.0, 0.8, 0.6]];
    Geometry::new(size, [0.7, 1.3, 2.1], [-12.25, 4.5, 99.0], direction).unwrap()
}

fn ramp(geometry: &Geometry) -> Volume<i16> {
    let data = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| (1000 * z + 50 * y + x) as i16 - 300);
    Volume::new(data, geometry.clone()).unwrap()
}

fn bytes_of(image: &Image, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_image(&path, image).unwrap();
    std::fs::read(path).unwrap()
}

/// NIfTI keeps a geometry in single precision.
fn assert_same(read: &Image, written: &Image) {
    assert!(
        read.geometry().difference(written.geometry(), 1e-5).is_none(),
        "{:?}",
        read.geometry().difference(written.geometry(), 1e-5)
    );
    assert_eq!(read.pixel_type(), written.pixel_type());
    assert_eq!(read.cast::<f64>().data(), written.cast::<f64>().data());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_format_keeps_voxels_and_geometry(angle in -3.0f64..3.0, x in 1usize..9, y in 1usize..9, z in 1usize..9) {
        let folder = tempfile::tempdir().unwrap();
        let volume = ramp(&oblique([x, y, z], angle));
        for name in NAMES {
            let path = folder.path().join(name);
            for image in [Image::from(volume.clone()), volume.cast::<f32>().into(), volume.cast::<u8>().into(), volume.cast::<i64>().into()] {
                write_image(&path, &image).unwrap();
                assert_same(&read_image(&path).unwrap(), &image);
            }
        }
    }

    #[cfg(feature = "dicom")]
    #[test]
    fn dicom_keeps_voxels_and_geometry(angle in -3.0f64..3.0, z in 1usize..9) {
        let folder = tempfile::tempdir().unwrap();
        let volume = ramp(&oblique([6, 5, z], angle));
        write_series(folder.path(), &[Phase::new(volume.clone(), 0.0)], &SeriesAttributes::new("P", "S")).unwrap();
        assert_same(&read_series(folder.path()).unwrap(), &volume.into());
    }

    #[test]
    fn chains_of_formats_keep_voxels_and_geometry(angle in -3.0f64..3.0, chain in prop::collection::vec(0usize..NAMES.len() + usize::from(cfg!(feature = "dicom")), 2..5)) {
        let folder = tempfile::tempdir().unwrap();
        let written = Image::from(ramp(&oblique([7, 6, 5], angle)));
        let mut image = written.clone();
        for (step, format) in chain.into_iter().enumerate() {
            let folder = folder.path().join(step.to_string());
            image = if let Some(name) = NAMES.get(format) {
                std::fs::create_dir(&folder).unwrap();
                write_image(folder.join(name), &image).unwrap();
                read_image(folder.join(name)).unwrap()
            } else {
                through_dicom(&folder, &image)
            };
        }
        assert_same(&image, &written);
    }

    #[test]
    fn any_bytes_are_dealt_with(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(nrrd::decode(&bytes).is_err());
        prop_assert!(nifti::decode(&bytes).is_err());
        prop_assert!(metaimage::decode(&bytes).is_err());
    }
}

#[test]
fn overwritten_bytes_never_panic() {
    const MUTATIONS: usize = 1500;
    let image = Image::from(ramp(&oblique([5, 4, 3], 0.3)));
    let mut corpus: Vec<Vec<u8>> = ["a.nrrd", "a.nii", "a.nii.gz", "a.mha"].map(|name| bytes_of(&image, name)).to_vec();
    corpus.push(
        b"NRRD0005\ntype: int\ndimension: 2\nsizes: 2 2\nencoding: text\nspacings: 1 2\nline skip: 1\n\nx\n1 2 3 -4"
            .to_vec(),
    );
    corpus.push(
        b"NDims = 2\nDimSize = 2 1\nBinaryData = False\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n1.5 -2\n"
            .to_vec(),
    );
    let mut generator = ChaCha8Rng::seed_from_u64(20_260_101);
    for bytes in corpus {
        for _ in 0..MUTATIONS {
            let mut damaged = bytes.clone();
            for _ in 0..generator.random_range(1..12) {
                let position = generator.random_range(0..damaged.len());
                damaged[position] = generator.random();
            }
            // Whether these bytes still are an image does not matter; that they are dealt with does.
            let _ = nrrd::decode(&damaged);
            let _ = nifti::decode(&damaged);
            let _ = metaimage::decode(&damaged);
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    let image = Image::from(ramp(&oblique([5, 4, 3], 0.3)));
    for name in ["a.nrrd", "a.nii", "a.nii.gz", "a.mha"] {
        let bytes = bytes_of(&image, name);
        // The last eight bytes of compressed data are a checksum that is of no use once all voxels are there.
        for length in 0..bytes.len() - 16 {
            let cut = &bytes[..length];
            assert!(
                nrrd::decode(cut).is_err() && nifti::decode(cut).is_err() && metaimage::decode(cut).is_err(),
                "{name} cut to {length}"
            );
        }
    }
}

#[test]
fn what_is_written_is_what_was_announced() {
    let image = Image::from(ramp(&oblique([6, 5, 3], 0.3)));
    for name in ["a.nrrd", "a.b.NHDR", "a.mha", "a.mhd", "a.nii", "a.nii.gz", "a.hdr", "a.img", "a.hdr.gz", "a.IMG.gz"]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        write_image(&path, &image).unwrap();
        let mut announced = written_files(&path).unwrap();
        // The suffixes of a NIfTI pair are lower-case whatever the name says: the header is what a reader has to be
        // given.
        assert_same(&read_image(&announced[0]).unwrap(), &image);
        let mut there: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        announced.sort_unstable();
        there.sort_unstable();
        assert_eq!(there, announced, "{name}");
    }
    assert!(written_files("a.txt").unwrap_err().to_string().contains("a.txt"));
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::from(ramp(&oblique([6, 5, 3], 0.3)));
    let path = folder.path().join("a.nhdr");
    // A folder stands where the voxels belong.
    std::fs::create_dir_all(folder.path().join("a.raw.gz").join("inside")).unwrap();
    std::fs::write(&path, "old").unwrap();
    write_image(&path, &image).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    write_image(folder.path().join("none").join("a.nii"), &image).unwrap_err();
}

#[test]
fn planes_keep_their_dimension() {
    let folder = tempfile::tempdir().unwrap();
    let geometry = Geometry::planar([4, 3], [0.5, 0.75], [1.0, -2.0], [[0.0, -1.0], [1.0, 0.0]]).unwrap();
    let image = Image::from(ramp(&geometry));
    for name in NAMES {
        let path = folder.path().join(name);
        write_image(&path, &image).unwrap();
        let read = read_image(&path).unwrap();
        assert_eq!(read.geometry().dimension(), 2, "{name}");
        assert_same(&read, &image);
    }
}

fn problem_of(path: &Path) -> FileProblem {
    match read_image(path) {
        Err(ImagingError::File { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lie");
    let nrrd = |sizes: &str, rest: &str| {
        std::fs::write(
            &path,
            format!("NRRD0004\ntype: short\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n{rest}\n\0\0"),
        )
        .unwrap();
        problem_of(&path)
    };
    assert!(matches!(nrrd("99999 99999 99999", ""), FileProblem::TooLarge { .. }));
    assert!(matches!(nrrd("18446744073709551615 2 2", ""), FileProblem::Geometry(_)));
    assert!(matches!(nrrd("100 100 100", ""), FileProblem::Malformed { .. }));
    assert!(matches!(nrrd("0 1 1", ""), FileProblem::Geometry(_)));
    assert!(matches!(nrrd("1 1 1", "spacings: -1 1 1\n"), FileProblem::Geometry(_)));
    assert!(matches!(nrrd("1 1 1", "space directions: (1,0,0) (1,0,0) (0,0,1)\n"), FileProblem::Geometry(_)));
    assert!(matches!(nrrd("1 1 -1", ""), FileProblem::Malformed { .. }));
    std::fs::write(&path, b"neither").unwrap();
    assert!(matches!(problem_of(&path), FileProblem::UnknownFormat { .. }));
    assert!(matches!(problem_of(&folder.path().join("absent")), FileProblem::Io(_)));
}

#[test]
fn masks_hold_labels_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nii.gz");
    let geometry = Geometry::axis_aligned([3, 2, 2], [1.0; 3]).unwrap();
    let mut mask = Volume::filled(geometry.clone(), 0_u32);
    mask.as_mut_slice()[4] = 70_000;
    write_mask(&path, &mask).unwrap();
    assert_eq!(read_mask(&path).unwrap(), mask);
    let mut signed = mask.map(|&voxel| voxel as i32);
    write_image(&path, &signed.clone().into()).unwrap();
    assert_eq!(read_mask(&path).unwrap(), mask);
    signed.as_mut_slice()[5] = -1;
    write_image(&path, &signed.into()).unwrap();
    assert!(read_mask(&path).unwrap_err().to_string().contains("the voxel [2, 1, 0] (x, y, z) is -1"));
    let mut values = Volume::filled(geometry, 0.0_f32);
    values.as_mut_slice()[7] = 0.5;
    write_image(&path, &values.into()).unwrap();
    let refused = read_mask(&path).unwrap_err();
    let ImagingError::File { problem: FileProblem::Geometry(error), .. } = &refused else { panic!("{refused}") };
    assert!(matches!(**error, ImagingError::InvalidVoxel { index: [1, 0, 1], .. }));
    assert!(refused.to_string().contains("mask.nii.gz: reading a mask: the voxel [1, 0, 1]"), "{refused}");
}

#[test]
fn what_a_mask_loses_on_another_grid_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nrrd");
    let geometry = oblique([8, 6, 4], 0.3);
    let mut mask = Volume::filled(geometry.clone(), 0_u32);
    // Label 1 on columns 2 to 5, label 7 in one corner.
    for position in 0..geometry.voxel_count() {
        let [x, y, z] = geometry.index_of(position);
        mask.as_mut_slice()[position] = if (2..6).contains(&x) { 1 } else { 7 * u32::from([x, y, z] == [7, 5, 3]) };
    }
    write_mask(&path, &mask).unwrap();
    let read = |grid: &Geometry, region: Option<u32>| {
        let mut params = MaskParams::default().with_grid(grid.clone());
        params.region = region.map(Into::into);
        params.check().unwrap().read_with_notes(Source::open(&path).unwrap())
    };
    let part = |size: [usize; 3], first: f64| {
        geometry.with_grid(size, geometry.spacing(), geometry.index_to_point([first, 0.0, 0.0])).unwrap()
    };
    // A shift of a hundredth of a voxel loses nothing.
    assert_eq!(read(&part([8, 6, 4], 0.01), None).unwrap().notes, []);
    let told = |notes: Vec<MaskNote>| notes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let cut = read(&part([5, 6, 4], 0.0), None).unwrap();
    assert_eq!(cut.mask.as_slice().iter().filter(|label| **label == 1).count(), 3 * 6 * 4);
    assert_eq!(
        told(cut.notes),
        [
            "label 1 leaves the image: 25.0 % of it lies outside and is lost",
            "label 7 is lost: it lies outside of the image, or is smaller than its voxels"
        ]
    );
    for (grid, region) in [(part([5, 6, 4], 0.0), Some(7)), (part([8, 6, 4], 500.0), None)] {
        let refused = read(&grid, region).unwrap_err();
        let ImagingError::File { problem: FileProblem::Mask(problem), .. } = &refused else { panic!("{refused}") };
        assert!(matches!(**problem, MaskProblem::OffGrid { .. }), "{refused}");
        assert!(refused.to_string().contains(": no voxel of label "), "{refused}");
    }
    // A mask that is empty loses nothing.
    write_mask(&path, &Volume::filled(geometry.clone(), 0)).unwrap();
    assert_eq!(read(&part([8, 6, 4], 500.0), None).unwrap().notes, []);
}

/// The image, written as a series and read again.
#[cfg(feature = "dicom")]
fn through_dicom(folder: &Path, image: &Image) -> Image {
    let phase = Phase::new(image.cast::<i16>(), 0.0);
    write_series(folder, &[phase], &SeriesAttributes::new("P", "S")).unwrap();
    read_image(folder).unwrap()
}

#[cfg(not(feature = "dicom"))]
fn through_dicom(_: &Path, _: &Image) -> Image {
    unreachable!("no chain asks for DICOM here")
}

#[cfg(not(feature = "dicom"))]
#[test]
fn without_its_feature_dicom_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.dcm");
    let mut bytes = vec![0; 128];
    bytes.extend_from_slice(b"DICM");
    std::fs::write(&path, bytes).unwrap();
    for path in [path.as_path(), folder.path()] {
        assert!(read_image(path).unwrap_err().to_string().contains("the feature `dicom`"));
    }
}

/// What was opened is not looked up by its name again.
#[cfg(all(feature = "dicom", unix))]
#[test]
fn pixels_are_read_from_the_files_that_were_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (folder.path().join("here"), folder.path().join("elsewhere"));
    let volume = ramp(&oblique([6, 5, 4], 0.2));
    write_series(&here, &[Phase::new(volume.clone(), 0.0)], &SeriesAttributes::new("P", "S")).unwrap();
    let scanned = DicomFolder::scan(&here).unwrap();
    let source = Source::open(here.join("01-0002.dcm")).unwrap();
    std::fs::rename(&here, &elsewhere).unwrap();
    assert_same(&scanned.only_series().unwrap().image().unwrap(), &volume.into());
    assert_eq!(source.read_image().unwrap().geometry().size(), [6, 5, 1]);

    let nifti = folder.path().join("a.nii.gz");
    write_image(&nifti, &read_series(&elsewhere).unwrap()).unwrap();
    let source = Source::open(&nifti).unwrap();
    std::fs::remove_file(&nifti).unwrap();
    assert_same(&source.read_image().unwrap(), &read_series(&elsewhere).unwrap());
}

#[cfg(feature = "dicom")]
#[test]
fn faulty_series_name_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let volume = ramp(&oblique([6, 5, 6], 0.2));
    let write = |folder: &Path, patient: &str| {
        write_series(folder, &[Phase::new(volume.clone(), 0.0)], &SeriesAttributes::new(patient, "S")).unwrap();
    };
    let message = || read_series(folder.path()).unwrap_err().to_string();
    write(folder.path(), "P");
    let mut other = std::fs::read(folder.path().join("01-0002.dcm")).unwrap();
    std::fs::write(folder.path().join("copy.dcm"), &other).unwrap();
    let once = read_series(folder.path()).unwrap().cast::<i16>();
    assert_eq!(once.as_slice(), volume.as_slice(), "copies are read once");
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join("copy.dcm"), &other).unwrap();
    assert!(message().contains("two slices"), "{}", message());
    std::fs::remove_file(folder.path().join("copy.dcm")).unwrap();
    std::fs::remove_file(folder.path().join("01-0003.dcm")).unwrap();
    assert!(message().contains("1 slice is missing"), "{}", message());
    write(folder.path(), "P");
    write(&folder.path().join("below"), "Q");
    assert!(message().contains("2 series"), "{}", message());
}
