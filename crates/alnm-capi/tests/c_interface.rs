//! The interface as programs in C, C++ and R see it, and what it answers to arguments that are wrong.
#![allow(unsafe_code, clippy::print_stdout)]

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::ptr;

use alnm_capi::{
    AlnmFeatures, AlnmGeometry, AlnmImage, AlnmN4, AlnmParameters, AlnmStatus, AlnmVoxelType, alnm_extract,
    alnm_features_count, alnm_features_free, alnm_features_name, alnm_features_value, alnm_features_warning,
    alnm_image_copy, alnm_image_free, alnm_image_geometry, alnm_image_new, alnm_image_read, alnm_image_voxel_count,
    alnm_last_error, alnm_n4, alnm_n4_default, alnm_parameters_free, alnm_parameters_new, alnm_version,
};
use alnm_imaging::n4::N4Params;
use alnm_imaging::{Geometry, Image, Volume};
use alnm_radiomics::{Extractor, Parameters};
use ndarray::Array3;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// The folder of the shared library that belongs to this test.
fn library_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the path of this program");
    program.parent().expect("its folder").to_owned()
}

fn finish(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout
}

/// Whether a tool is installed; a line says so where it is not.
fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: there is no {tool}");
    }
    found
}

/// The image and the mask of the examples in C++ and R: a ball in tissue whose brightness rises along x.
fn ball() -> (Volume<f32>, Volume<u32>) {
    let geometry = Geometry::axis_aligned([32, 32, 24], [1.0, 1.0, 1.5]).expect("a grid");
    let is_inside = |z: usize, y: usize, x: usize| {
        let square = |index: usize, centre: i64| (index as i64 - centre).pow(2);
        square(x, 16) + square(y, 16) + square(z, 12) < 81
    };
    let brightness = |(z, y, x)| {
        let tissue = if is_inside(z, y, x) { 200 } else { 100 };
        (tissue + 2 * x + (7 * x + 5 * y + 3 * z) % 11) as f32
    };
    let image = Volume::new(Array3::from_shape_fn(geometry.shape(), brightness), geometry.clone()).expect("an image");
    let labels = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| u32::from(is_inside(z, y, x)));
    (image, Volume::new(labels, geometry).expect("a mask"))
}

/// Names and values, the values as their bits.
fn features_of(image: &Image, parameters: &str) -> Vec<(String, u64)> {
    let extractor = Extractor::new(Parameters::from_yaml(parameters).expect("parameters"));
    let extraction = extractor.execute(image, &ball().1, 1).expect("features");
    extraction.features.iter().map(|feature| (feature.id.name(), feature.value.to_bits())).collect()
}

/// Lines of a name and a number in C's hexadecimal notation, which loses no bit.
fn printed(lines: &str) -> Vec<(String, u64)> {
    let parse = |line: &str| {
        let (name, number) = line.split_once(' ').expect("a name and a number");
        (name.to_owned(), hexadecimal(number).to_bits())
    };
    lines.lines().map(parse).collect()
}

fn hexadecimal(text: &str) -> f64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let Some(digits) = digits.strip_prefix("0x") else { return text.parse().expect("a number") };
    let (mantissa, exponent) = digits.split_once('p').expect("an exponent");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let number = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("hexadecimal digits") as f64;
    let exponent: i32 = exponent.parse().expect("an exponent");
    sign * number * 2.0_f64.powi(exponent - 4 * fraction.len() as i32)
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_crate() {
    let config = cbindgen::Config::from_file(Path::new(CRATE).join("cbindgen.toml")).expect("the configuration");
    let bindings = cbindgen::Builder::new().with_crate(CRATE).with_config(config).generate().expect("a header");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let path = Path::new(CRATE).join("include/alnm.h");
    if std::env::var_os("ALNM_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("the header is written");
    }
    let kept = std::fs::read_to_string(&path).expect("the header");
    assert_eq!(String::from_utf8_lossy(&made), kept, "ALNM_WRITE_HEADER=1 cargo test -p alnm-capi writes it anew");
}

#[test]
fn the_header_is_strict_c() {
    if !has("cc") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("strict.c");
    std::fs::write(&source, "#include \"alnm.h\"\nint main(void) { return alnm_version()[0] == 0; }\n")
        .expect("written");
    finish(
        Command::new("cc")
            .args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
            .arg(Path::new(CRATE).join("include"))
            .arg(&source),
    );
}

#[test]
fn a_program_in_cpp_gets_the_same_bits() {
    if !has("c++") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("host");
    let libraries = library_folder();
    finish(
        Command::new("c++")
            .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(Path::new(CRATE).join("include"))
            .arg(Path::new(CRATE).join("examples/host.cpp"))
            .arg("-L")
            .arg(&libraries)
            .arg("-lalnm_capi")
            .arg(format!("-Wl,-rpath,{}", libraries.display()))
            .arg("-o")
            .arg(&program),
    );
    let corrected = N4Params::default().check().expect("parameters").correct(&ball().0, None).expect("a field");
    let expected = features_of(
        &corrected.into_corrected().into(),
        "{setting: {binWidth: 10}, imageType: {Original: {}, Wavelet: {}}}",
    );
    let made = printed(&finish(&mut Command::new(&program)));
    assert!(made.len() > 500, "{} features", made.len());
    assert_eq!(made, expected);
}

#[test]
fn r_gets_the_same_bits() {
    if !has("R") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["alnm_r.c", "alnm.R"] {
        std::fs::copy(Path::new(CRATE).join("examples").join(file), folder.path().join(file)).expect("copied");
    }
    let libraries = library_folder();
    finish(
        Command::new("R")
            .args(["CMD", "SHLIB", "alnm_r.c"])
            .env("PKG_CPPFLAGS", format!("-I{}", Path::new(CRATE).join("include").display()))
            .env("PKG_LIBS", format!("-L{0} -lalnm_capi -Wl,-rpath,{0}", libraries.display()))
            .current_dir(folder.path()),
    );
    let made = finish(Command::new("Rscript").args(["alnm.R", "./alnm_r.so"]).current_dir(folder.path()));
    let image: Volume<f64> = ball().0.cast();
    assert_eq!(printed(&made), features_of(&image.into(), "{setting: {binWidth: 10}}"));
}

/// What the last call of this thread complained of.
fn complaint() -> String {
    // SAFETY: the text lives until the next call.
    unsafe { CStr::from_ptr(alnm_last_error()) }.to_str().expect("UTF-8").to_owned()
}

const GRID: AlnmGeometry = AlnmGeometry {
    size: [4, 3, 2],
    spacing: [1.0, 1.0, 2.0],
    origin: [0.0; 3],
    direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    dimension: 3,
};

fn image_of<T>(grid: &AlnmGeometry, voxel_type: AlnmVoxelType, voxels: &[T]) -> *mut AlnmImage {
    assert_eq!(voxels.len(), grid.size.iter().product::<usize>());
    let mut image = ptr::null_mut();
    // SAFETY: all pointers are valid, and there are as many voxels as the grid has.
    let status = unsafe { alnm_image_new(grid, voxel_type as u32, voxels.as_ptr().cast(), &raw mut image) };
    assert_eq!(status, AlnmStatus::Ok, "{}", complaint());
    image
}

#[test]
fn an_image_comes_back_as_it_went_in() {
    let voxels: Vec<i16> = (0..24).map(|value| value * 1000 - 12000).collect();
    let image = image_of(&GRID, AlnmVoxelType::I16, &voxels);
    let mut grid = AlnmGeometry { size: [0; 3], ..GRID };
    let mut copy = vec![0.0; 24];
    // SAFETY: the handle is live, and the memory suffices.
    unsafe {
        assert_eq!(alnm_image_geometry(image, &raw mut grid), AlnmStatus::Ok);
        assert_eq!(alnm_image_voxel_count(image), 24);
        assert_eq!(alnm_image_copy(image, copy.as_mut_ptr(), 24), AlnmStatus::Ok);
        assert_eq!(alnm_image_copy(image, copy.as_mut_ptr(), 23), AlnmStatus::Failed);
        alnm_image_free(image);
    }
    assert_eq!(complaint(), "count is 23; it must be the number of voxels, 24");
    assert_eq!(grid, GRID);
    assert_eq!(copy, voxels.iter().map(|&voxel| f64::from(voxel)).collect::<Vec<_>>());
}

#[test]
fn a_plane_is_an_image() {
    let grid = AlnmGeometry { size: [3, 2, 1], dimension: 2, ..GRID };
    let image = image_of(&grid, AlnmVoxelType::U8, &[1_u8, 2, 3, 4, 5, 6]);
    let mut read = GRID;
    // SAFETY: the handle is live.
    unsafe {
        assert_eq!(alnm_image_geometry(image, &raw mut read), AlnmStatus::Ok);
        alnm_image_free(image);
    }
    assert_eq!((read.dimension, read.size), (2, [3, 2, 1]));
}

#[test]
fn wrong_images_are_refused_in_words() {
    let voxels = [0.0_f64; 24];
    let cases = [
        (AlnmGeometry { dimension: 4, ..GRID }, 7, "dimension is 4; it must be 2 or 3"),
        (GRID, 8, "voxel_type is 8; it must be at most 7"),
        (AlnmGeometry { size: [4, 0, 2], ..GRID }, 7, "0"),
        (AlnmGeometry { spacing: [1.0, -1.0, 1.0], ..GRID }, 7, "-1"),
        (AlnmGeometry { spacing: [1.0, f64::NAN, 1.0], ..GRID }, 7, "NaN"),
        (AlnmGeometry { direction: [0.0; 9], ..GRID }, 7, "direction"),
        (AlnmGeometry { size: [1 << 20, 1 << 20, 1 << 20], ..GRID }, 7, "voxels"),
        (AlnmGeometry { size: [usize::MAX, 2, 2], ..GRID }, 7, "18446744073709551615"),
    ];
    for (grid, voxel_type, words) in cases {
        let mut image = ptr::dangling_mut();
        // SAFETY: the grids are refused before a voxel is read.
        let status = unsafe { alnm_image_new(&raw const grid, voxel_type, voxels.as_ptr().cast(), &raw mut image) };
        assert_eq!(status, AlnmStatus::Failed, "{grid:?}");
        assert!(complaint().contains(words), "{}", complaint());
        assert!(image.is_null());
    }
    let mut image = ptr::null_mut();
    let missing = CString::new("missing.nii").expect("no zero byte");
    // SAFETY: the pointers are valid or null, and null is refused; the address that is not aligned is never read.
    unsafe {
        assert_eq!(alnm_image_new(ptr::null(), 7, voxels.as_ptr().cast(), &raw mut image), AlnmStatus::NullPointer);
        assert_eq!(complaint(), "geometry is a null pointer; it must point to a value");
        assert_eq!(alnm_image_new(&GRID, 7, ptr::null(), &raw mut image), AlnmStatus::NullPointer);
        assert_eq!(alnm_image_new(&GRID, 7, voxels.as_ptr().cast(), ptr::null_mut()), AlnmStatus::NullPointer);
        let askew = voxels.as_ptr().cast::<u8>().add(1);
        assert_eq!(alnm_image_new(&GRID, 7, askew.cast(), &raw mut image), AlnmStatus::Failed);
        assert!(complaint().contains("aligned to 8 bytes"), "{}", complaint());
        assert_eq!(alnm_image_read(missing.as_ptr(), &raw mut image), AlnmStatus::Failed);
        assert!(complaint().contains("missing.nii"), "{}", complaint());
        assert_eq!(alnm_image_read(c"\xff".as_ptr(), &raw mut image), AlnmStatus::Failed);
        assert!(complaint().contains("UTF-8"), "{}", complaint());
        assert_eq!(alnm_image_voxel_count(ptr::null()), 0);
        alnm_image_free(ptr::null_mut());
    }
}

#[test]
fn wrong_extractions_are_refused_in_words() {
    let image = image_of(&GRID, AlnmVoxelType::F64, &[1.0_f64; 24]);
    let labels: Vec<u8> = (0..24).map(|voxel| voxel % 2).collect();
    let mask = image_of(&GRID, AlnmVoxelType::U8, &labels);
    let halves = image_of(&GRID, AlnmVoxelType::F32, &[0.5_f32; 24]);
    let moved = image_of(&AlnmGeometry { origin: [5.0; 3], ..GRID }, AlnmVoxelType::U8, &labels);
    let (mut parameters, mut features): (*mut AlnmParameters, *mut AlnmFeatures) = (ptr::null_mut(), ptr::null_mut());
    let wrong = CString::new("setting: {binWidth: -1}").expect("no zero byte");
    // SAFETY: the handles are live, the other pointers valid or null.
    unsafe {
        assert_eq!(alnm_parameters_new(wrong.as_ptr(), &raw mut parameters), AlnmStatus::Failed);
        assert!(complaint().contains("binWidth"), "{}", complaint());
        assert_eq!(alnm_parameters_new(ptr::null(), &raw mut parameters), AlnmStatus::Ok);
        let mut refused = |mask, label, threads, words: &str| {
            let status = alnm_extract(image, mask, label, parameters, threads, &raw mut features);
            assert_eq!(status, AlnmStatus::Failed);
            assert!(complaint().contains(words), "{}", complaint());
            assert!(features.is_null());
        };
        refused(mask, 3, 0, "3");
        refused(halves, 1, 0, "0.5");
        refused(moved, 1, 0, "origin");
        refused(mask, 1, 5000, "threads is 5000");
        let status = alnm_extract(image, ptr::null(), 1, parameters, 0, &raw mut features);
        assert_eq!(status, AlnmStatus::NullPointer);
        assert_eq!(alnm_features_count(ptr::null()), 0);
        assert!(alnm_features_name(ptr::null(), 0).is_null());
        alnm_parameters_free(parameters);
        for handle in [image, mask, halves, moved] {
            alnm_image_free(handle);
        }
    }
}

#[test]
fn features_are_asked_for_by_number() {
    let (volume, labels) = ball();
    let grid = AlnmGeometry { size: [32, 32, 24], spacing: [1.0, 1.0, 1.5], ..GRID };
    let image = image_of(&grid, AlnmVoxelType::F32, volume.as_slice());
    let mask = image_of(&grid, AlnmVoxelType::U32, labels.as_slice());
    let (mut parameters, mut features): (*mut AlnmParameters, *mut AlnmFeatures) = (ptr::null_mut(), ptr::null_mut());
    let mut value = 0.0;
    // SAFETY: the handles are live until they are freed, the other pointers valid.
    unsafe {
        assert_eq!(alnm_parameters_new(ptr::null(), &raw mut parameters), AlnmStatus::Ok);
        assert_eq!(alnm_extract(image, mask, 1, parameters, 1, &raw mut features), AlnmStatus::Ok, "{}", complaint());
        let count = alnm_features_count(features);
        assert_eq!(count, 107);
        let name = CStr::from_ptr(alnm_features_name(features, 0)).to_str().expect("UTF-8");
        assert_eq!(name, "original_shape_Elongation");
        assert!(alnm_features_name(features, count).is_null());
        assert!(alnm_features_warning(features, 1000).is_null());
        assert_eq!(alnm_features_value(features, 0, &raw mut value), AlnmStatus::Ok);
        // The ball is 18 mm wide along x and y, and 27 mm along z, whose voxels are half as long again.
        assert!((value - 2.0 / 3.0).abs() < 0.01, "{value}");
        assert_eq!(alnm_features_value(features, count, &raw mut value), AlnmStatus::Failed);
        assert_eq!(complaint(), "index is 107; it must be below 107");
        alnm_features_free(features);
        alnm_parameters_free(parameters);
        alnm_image_free(image);
        alnm_image_free(mask);
    }
}

#[test]
fn n4_takes_options_within_their_ranges() {
    let (volume, labels) = ball();
    let grid = AlnmGeometry { size: [32, 32, 24], spacing: [1.0, 1.0, 1.5], ..GRID };
    let image = image_of(&grid, AlnmVoxelType::F32, volume.as_slice());
    let mask = image_of(&grid, AlnmVoxelType::U32, labels.as_slice());
    let mut options = AlnmN4 {
        iterations: 0,
        levels: 0,
        convergence_threshold: 0.0,
        bias_fwhm: 0.0,
        control_points: 0,
        shrink: 0,
        mask_label: 0,
    };
    let mut corrected = ptr::null_mut();
    let mut voxels = vec![0.0; volume.as_slice().len()];
    // SAFETY: the handles are live until they are freed, the other pointers valid.
    unsafe {
        assert_eq!(alnm_n4(image, mask, &raw const options, 1, &raw mut corrected), AlnmStatus::Failed);
        assert_eq!(complaint(), "levels is 0; it must be from 1 to 10");
        assert_eq!(alnm_n4_default(&raw mut options), AlnmStatus::Ok);
        options.levels = 2;
        options.iterations = 10;
        let few = AlnmN4 { control_points: 2, ..options };
        assert_eq!(alnm_n4(image, mask, &raw const few, 1, &raw mut corrected), AlnmStatus::Failed);
        assert!(complaint().contains("control"), "{}", complaint());
        assert_eq!(alnm_n4(image, mask, &raw const options, 2, &raw mut corrected), AlnmStatus::Ok, "{}", complaint());
        assert_eq!(alnm_image_copy(corrected, voxels.as_mut_ptr(), voxels.len()), AlnmStatus::Ok);
        for handle in [image, mask, corrected] {
            alnm_image_free(handle);
        }
    }
    let n4 = N4Params::default().with_iterations([10, 10]).check().expect("parameters");
    let expected = n4.correct(&volume, Some(&labels)).expect("a field").into_corrected();
    assert!(voxels.iter().zip(expected.as_slice()).all(|(made, &expected)| *made == f64::from(expected)));
}

#[test]
fn the_version_is_the_package_s() {
    // SAFETY: the text lives as long as the program.
    let version = unsafe { CStr::from_ptr(alnm_version()) };
    assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
}
