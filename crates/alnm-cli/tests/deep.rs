//! The commands `alnm deep-features` and `alnm grad-cam` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod small_network;

use std::path::Path;
use std::process::Command;

use alnm_deep::{
    Backbone, FeatureExtractor, Head, Initialisation, LesionCrop, Network, OcclusionOptions, Predictor, network_input,
    occlusion_map,
};
use alnm_imaging::{Geometry, Image, Volume, read_image, write_image, write_mask};
use ndarray::Array3;

use small_network::mean_network;

fn alnm(folder: &Path, arguments: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_alnm"))
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A folder with an image, its mask and a network.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let geometry = Geometry::axis_aligned([32, 28, 6], [1.0, 1.0, 2.0]).unwrap();
    let image = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| ((x * 7 + y * 13 + z * 29) % 101) as f32);
    let inside = |z: usize, y: usize, x: usize| (2..5).contains(&z) && (8..20).contains(&y) && (10..22).contains(&x);
    let mask = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| u32::from(inside(z, y, x)));
    write_image(folder.path().join("a_image.nrrd"), &Image::F32(Volume::new(image, geometry.clone()).unwrap()))
        .unwrap();
    write_mask(folder.path().join("a_mask.nrrd"), &Volume::new(mask, geometry).unwrap()).unwrap();
    std::fs::write(folder.path().join("cases.csv"), "Image,Mask\na_image.nrrd,a_mask.nrrd\n").unwrap();
    let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(3));
    network.save(folder.path().join("network.safetensors")).unwrap();
    folder
}

fn table(path: &Path) -> (Vec<String>, Vec<Vec<f32>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader
        .records()
        .map(|record| record.unwrap().iter().skip(2).map(|text| text.parse().unwrap()).collect())
        .collect();
    (names, rows)
}

#[test]
fn a_file_a_table_and_a_folder_give_what_the_library_computes() {
    let folder = folder();
    let path = folder.path();
    let image = read_image(path.join("a_image.nrrd")).unwrap();
    let mask = alnm_imaging::read_mask(path.join("a_mask.nrrd")).unwrap();
    let crop = LesionCrop::of_largest_section(&image, &mask, 1, 64).unwrap();
    let network = Network::load(path.join("network.safetensors")).unwrap();
    let expected = Predictor::new(&network).vectors(&[network_input(crop.pixels())], "fc", 1).unwrap();
    for (name, input) in [("one", "a_image.nrrd a_mask.nrrd"), ("many", "cases.csv"), ("folder", ".")] {
        let command =
            format!("deep-features {input} --weights network.safetensors --side 64 --threads 2 --out {name}.csv");
        assert_eq!(alnm(path, &command), (Some(0), String::new()));
        let (names, rows) = table(&path.join(format!("{name}.csv")));
        assert_eq!((names.len(), names[2].as_str(), names[1001].as_str()), (1002, "deep_0", "deep_999"));
        assert_eq!(rows, expected);
    }
}

#[test]
fn an_onnx_network_gives_the_values_that_are_named() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("mean.onnx"), mean_network()).unwrap();
    let image = read_image(path.join("a_image.nrrd")).unwrap();
    let mask = alnm_imaging::read_mask(path.join("a_mask.nrrd")).unwrap();
    let crop = LesionCrop::of_largest_section(&image, &mask, 1, 48).unwrap();
    let mean = crop.pixels().mean().unwrap();
    for (name, options, expected) in [("a.csv", "", -mean), ("b.csv", "--output mean --average-flips", mean)] {
        let command = format!("deep-features a_image.nrrd a_mask.nrrd --onnx mean.onnx {options} --out {name}");
        assert_eq!(alnm(path, &command), (Some(0), String::new()));
        let (names, rows) = table(&path.join(name));
        assert_eq!((names.len(), rows.len(), rows[0].len()), (3, 1, 1));
        assert!((rows[0][0] - expected).abs() < 1e-6, "{} {expected}", rows[0][0]);
    }
    for (options, words) in [
        ("--onnx mean.onnx --side 64", "48 pixels"),
        ("--onnx mean.onnx --output middle", "middle"),
        ("--onnx a_mask.nrrd", "ONNX"),
    ] {
        let (code, message) = alnm(path, &format!("deep-features cases.csv {options} --out o.csv"));
        assert_eq!(code, Some(1), "{options}: {message}");
        assert!(message.contains(words), "{options}: {message}");
    }
}

#[test]
fn a_volume_and_a_region_are_chosen() {
    let folder = folder();
    let path = folder.path();
    let image = read_image(path.join("a_image.nrrd")).unwrap();
    let other = Image::F32(image.cast::<f32>().map(|value| 200.0 - value * value));
    alnm_imaging::file::write_volumes(path.join("b.nii.gz"), &[other, image], 1.0).unwrap();
    let header = "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 32 28 6\n\
         space directions: (1,0,0) (0,1,0) (0,0,2)\nencoding: raw\nspace origin: (0,0,0)\n\
         Segment0_LabelValue:=3\nSegment0_Layer:=0\nSegment0_Name:=GTV\n\n";
    let mask = alnm_imaging::read_mask(path.join("a_mask.nrrd")).unwrap();
    let voxels = mask.as_slice().iter().map(|&label| 3 * label as u8);
    std::fs::write(path.join("c.seg.nrrd"), header.bytes().chain(voxels).collect::<Vec<u8>>()).unwrap();
    let shared = "--weights network.safetensors --side 64 --out";
    for command in [
        format!("deep-features a_image.nrrd a_mask.nrrd {shared} a.csv"),
        format!("deep-features b.nii.gz c.seg.nrrd --volume 2 --roi GTV {shared} b.csv"),
    ] {
        assert_eq!(alnm(path, &command), (Some(0), String::new()), "{command}");
    }
    assert_eq!(table(&path.join("a.csv")).1, table(&path.join("b.csv")).1);
    let (code, message) = alnm(path, &format!("deep-features b.nii.gz a_mask.nrrd {shared} c.csv"));
    assert_eq!(code, Some(1));
    assert!(message.contains("2 volumes"), "{message}");
}

#[test]
fn a_map_lies_on_the_section_of_the_lesion() {
    let folder = folder();
    let path = folder.path();
    for (name, options) in [("a.nrrd", ""), ("b.nrrd", "--index 7 --method grad-cam-plus-plus --stage layer3")] {
        let command =
            format!("grad-cam a_image.nrrd a_mask.nrrd {name} --weights network.safetensors --side 64 {options}");
        assert_eq!(alnm(path, &command), (Some(0), String::new()));
        let map = read_image(path.join(name)).unwrap().cast::<f32>();
        assert_eq!(map.geometry().size(), [32, 28, 6]);
        assert!(map.as_slice().iter().all(|value| (0.0..=1.0).contains(value)));
    }
}

#[test]
fn an_occlusion_map_is_that_of_the_library_on_the_grid_of_the_image() {
    let folder = folder();
    let path = folder.path();
    let command = "grad-cam a_image.nrrd a_mask.nrrd c.nrrd --weights network.safetensors --side 64 --method occlusion --square 24 --stride 16";
    assert_eq!(alnm(path, command), (Some(0), String::new()));
    let image = read_image(path.join("a_image.nrrd")).unwrap();
    let mask = alnm_imaging::read_mask(path.join("a_mask.nrrd")).unwrap();
    let crop = LesionCrop::of_largest_section(&image, &mask, 1, 64).unwrap();
    let predictor = Predictor::new(&Network::load(path.join("network.safetensors")).unwrap());
    let map = occlusion_map(&predictor, crop.pixels(), &OcclusionOptions::default().with_square(24, 16)).unwrap();
    let expected = crop.map_to_volume(&map, image.geometry()).unwrap();
    assert_eq!(read_image(path.join("c.nrrd")).unwrap().cast::<f32>().as_slice(), expected.as_slice());
    assert!(expected.as_slice().iter().any(|value| *value != 0.0));
}

#[test]
fn mistakes_are_told() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("text.pth"), "no weights").unwrap();
    for (command, words) in [
        ("deep-features a_image.nrrd --weights network.safetensors --out o.csv", "no mask is given"),
        ("deep-features cases.csv --weights text.pth --out o.csv", "saved by alnm-deep"),
        ("deep-features cases.csv --weights text.pth --backbone resnet18 --out o.csv", "text.pth"),
        ("deep-features cases.csv --weights network.safetensors --label 9 --out o.csv", "a_mask.nrrd"),
        ("deep-features cases.csv --weights network.safetensors --out cases.csv", "already there"),
        ("grad-cam a_image.nrrd a_mask.nrrd m.nrrd --weights network.safetensors --stage layer9", "layer9"),
        ("grad-cam a_image.nrrd a_mask.nrrd m.nrrd --weights network.safetensors --index 1000", "1000"),
        (
            "grad-cam a_image.nrrd a_mask.nrrd m.nrrd --weights network.safetensors --method occlusion --stage layer3",
            "--stage",
        ),
    ] {
        let (code, message) = alnm(path, command);
        let expected = if ["no mask is given", "--stage"].contains(&words) { 2 } else { 1 };
        assert_eq!(code, Some(expected), "{command}: {message}");
        assert!(message.contains(words), "{command}: {message}");
    }
}

#[test]
fn a_mask_on_another_grid_is_brought_onto_that_of_the_image_with_a_word() {
    let folder = folder();
    let path = folder.path();
    let mask_at = |name: &str, x: f64| {
        let grid = Geometry::new(
            [12, 12, 6],
            [1.0, 1.0, 2.0],
            [x, 8.0, 0.0],
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        );
        write_mask(path.join(name), &Volume::filled(grid.unwrap(), 1)).unwrap();
    };
    mask_at("beside.nrrd", 26.0);
    mask_at("away.nrrd", 500.0);
    let command = |mask: &str| format!("deep-features a_image.nrrd {mask} --onnx mean.onnx --out {mask}.csv");
    std::fs::write(path.join("mean.onnx"), mean_network()).unwrap();
    let (code, message) = alnm(path, &command("beside.nrrd"));
    assert_eq!(code, Some(0), "{message}");
    assert!(message.contains("warning: label 1 leaves the image: 50.0 % of it lies outside and is lost"), "{message}");
    let (code, message) = alnm(path, &command("away.nrrd"));
    assert_eq!(code, Some(1));
    assert!(message.contains("away.nrrd: no voxel of label 1 is left on the grid of the image"), "{message}");
    for option in ["--weights", "--onnx"] {
        let (code, message) = alnm(path, &format!("deep-features a_image.nrrd a_mask.nrrd {option} - --out o.csv"));
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains("standard input (-) is not read as "), "{message}");
    }
}

/// A list of six lesions, bright or dark at their rim, with an outcome.
fn cohort(path: &Path) {
    let geometry = Geometry::axis_aligned([32, 28, 6], [1.0, 1.0, 2.0]).unwrap();
    let mut list = "Image,Mask,Event\n".to_owned();
    for patient in 0..6usize {
        let image = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| {
            let wave = if patient % 2 == 0 { x } else { y };
            ((wave * 31 + z * 7 + patient * 5) % 97) as f32
        });
        write_image(path.join(format!("{patient}.nrrd")), &Image::F32(Volume::new(image, geometry.clone()).unwrap()))
            .unwrap();
        list += &format!("{patient}.nrrd,a_mask.nrrd,{}\n", ["no", "1"][patient % 2]);
    }
    std::fs::write(path.join("cohort.csv"), list).unwrap();
}

/// One command in one go and on two threads, and the same with its checkpoints on one.
#[test]
fn a_network_and_an_ensemble_are_taught_and_applied() {
    let folder = folder();
    let path = folder.path();
    cohort(path);
    // On a slow machine lines of progress come, too.
    let words = "--quiet fine-tune cohort.csv --outcome Event --backbone resnet18 --side 32 --epochs 2 --batch-size 4 --frozen-norms \
                 --freeze-epochs 1 --mixup 0.3 --label-smoothing 0.1 --class-weights 1,2";
    let done = (Some(0), String::new());
    assert_eq!(alnm(path, &format!("{words} --threads 2 --out one.safetensors --curves one.csv")), done);
    assert_eq!(alnm(path, &format!("{words} --threads 1 --checkpoints work --out again.safetensors")), done);
    let bytes = |name: &str| std::fs::read(path.join(name)).unwrap();
    assert_eq!(bytes("one.safetensors"), bytes("again.safetensors"));
    assert_eq!(alnm(path, &format!("{words} --checkpoints work --out resumed.safetensors")), done);
    assert_eq!(bytes("one.safetensors"), bytes("resumed.safetensors"));
    assert_eq!(String::from_utf8(bytes("one.csv")).unwrap().lines().count(), 1 + 2);

    let (code, told) = alnm(
        path,
        &format!("{words} --inner-folds 2 --members 2 --seed 3 --out ensemble.safetensors --curves curves.csv"),
    );
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let curves = String::from_utf8(bytes("curves.csv")).unwrap();
    assert_eq!(curves.lines().filter(|line| line.starts_with("2,1,")).count(), 2, "{curves}");
    for (name, columns) in [("one", 1), ("ensemble", 3)] {
        let command = format!(
            "--quiet deep-predict cohort.csv --weights {name}.safetensors --side 32 --average-flips --out {name}_p.csv"
        );
        assert_eq!(alnm(path, &command), done);
        let table = String::from_utf8(bytes(&format!("{name}_p.csv"))).unwrap();
        for line in table.lines().skip(1) {
            let numbers: Vec<f64> = line.split(',').skip(3).map(|text| text.parse().unwrap()).collect();
            assert_eq!(numbers.len(), columns, "{table}");
            assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)), "{line}");
            if let [mean, first, second] = numbers[..] {
                assert!((mean - (first + second) / 2.0).abs() < 1e-12, "{line}");
            }
        }
    }
    let (code, told) =
        alnm(path, "--quiet deep-features cohort.csv --weights one.safetensors --side 32 --out features.csv");
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let (code, told) = alnm(path, "fine-tune cohort.csv --outcome Outcome --out new.safetensors");
    assert!(code == Some(1) && told.contains("cohort.csv has no column Outcome"), "{told}");
    let (code, told) = alnm(path, "fine-tune cohort.csv --outcome Image --out new.safetensors");
    assert!(code == Some(1) && told.contains("it must be 1 (true, yes) or 0 (false, no)"), "{told}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_goes_on_from_its_checkpoints() {
    let folder = folder();
    let path = folder.path();
    cohort(path);
    let words = "--quiet fine-tune cohort.csv --outcome Event --backbone resnet18 --side 32 --batch-size 4 --threads 1";
    for (signal, code, how) in [("-INT", 130, "interrupted"), ("-TERM", 143, "terminated")] {
        let work = format!("work{code}");
        let long = format!("{words} --epochs 2000 --checkpoints {work} --out long.safetensors");
        let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
        command.current_dir(path).args(long.split_whitespace()).stderr(std::process::Stdio::piped());
        let mut process = command.spawn().unwrap();
        let states = || path.join(&work).read_dir().map_or(0, Iterator::count);
        while states() == 0 && process.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap().success());
        let output = process.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        let last = format!("error: {how}; epochs that are done are kept in {work}; the same command goes on");
        assert_eq!(told.lines().last(), Some(last.as_str()), "{told}");
        assert!(!path.join("long.safetensors").exists());
        let names = path.join(&work).read_dir().unwrap().map(|file| file.unwrap().file_name());
        assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with('.')), "an unfinished file is left");
    }
}
