//! `alnm extract --out-dir` and `-o` over many runs: what is read back belongs to what is asked for, and what is written
//! is whole.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod small_batch;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use alnm_imaging::{read_image, write_image};
use small_batch::{alnm, command, image_and_mask, write_batch};

/// The table of the batch: computed without a folder, and by the folder `parts`. Both in one run's arguments.
fn fresh_and_resumed(folder: &Path, arguments: &[&str]) -> (String, Output) {
    let all = [arguments, &["-f", "csv", "--keep-going", "-v", "4"]].concat();
    let fresh = String::from_utf8(alnm(folder, &all).stdout).unwrap();
    (fresh, alnm(folder, &[&all[..], &["--out-dir", "parts"]].concat()))
}

/// Whether the folder gives what a run without it gives; how many cases it took from there.
fn taken(folder: &Path, arguments: &[&str]) -> usize {
    let (fresh, resumed) = fresh_and_resumed(folder, arguments);
    assert_eq!(String::from_utf8_lossy(&resumed.stdout), fresh);
    String::from_utf8_lossy(&resumed.stderr).matches("already computed").count()
}

fn stored_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("parts")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn rows_may_move_and_vanish() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    // The third case fails and is not stored.
    assert_eq!(taken(folder.path(), &["batch.csv"]), 0);
    assert_eq!(taken(folder.path(), &["batch.csv"]), 3);
    let batch = std::fs::read_to_string(folder.path().join("batch.csv")).unwrap();
    let [header, first, second, _, fourth] = batch.lines().collect::<Vec<_>>()[..] else { panic!("{batch}") };
    // Another order, the first twice, and a column of which the folder knows nothing.
    let moved = format!("{header},Age\n{fourth},61\n{first},47\n{second},55\n{first},48\n");
    std::fs::write(folder.path().join("moved.csv"), moved).unwrap();
    assert_eq!(taken(folder.path(), &["moved.csv"]), 4);
    assert_eq!(taken(folder.path(), &["moved.csv", "--roi", "1"]), 0);
}

#[test]
fn another_image_is_another_case_whatever_its_date() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    assert_eq!(taken(folder.path(), &["batch.csv"]), 0);
    let path = folder.path().join("image2.nrrd");
    let before = std::fs::metadata(&path).unwrap();
    // Uncompressed images of one type have equal sizes; here only the date of the old file is put on the new one.
    write_image(&path, &image_and_mask(5).0).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(taken(folder.path(), &["batch.csv"]), 2);
    assert_eq!(taken(folder.path(), &["batch.csv"]), 3);
}

#[test]
fn voxels_beside_their_header_count_too() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    for case in [1, 2] {
        for format in ["mhd", "nhdr", "hdr"] {
            write_image(folder.path().join(format!("{case}.{format}")), &image_and_mask(case).0).unwrap();
        }
    }
    for (format, voxels) in [("mhd", "zraw"), ("nhdr", "raw.gz"), ("hdr", "img")] {
        let image = format!("1.{format}");
        assert_eq!(taken(folder.path(), &[&image, "mask1.nrrd"]), 0);
        assert_eq!(taken(folder.path(), &[&image, "mask1.nrrd"]), 1);
        std::fs::copy(folder.path().join(format!("2.{voxels}")), folder.path().join(format!("1.{voxels}"))).unwrap();
        if format == "mhd" {
            // Its header says how long the voxels are.
            std::fs::write(
                folder.path().join(&image),
                std::fs::read_to_string(folder.path().join("2.mhd")).unwrap().replace("2.zraw", "1.zraw"),
            )
            .unwrap();
        }
        let read = read_image(folder.path().join(&image)).unwrap();
        assert_eq!(read.cast::<i16>().as_slice(), image_and_mask(2).0.cast::<i16>().as_slice());
        assert_eq!(taken(folder.path(), &[&image, "mask1.nrrd"]), 0, "{format}");
    }
}

#[test]
fn other_parameters_are_other_cases() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    std::fs::write(folder.path().join("p.yaml"), "imageType: {Original: {binWidth: 7}}\n").unwrap();
    let variants: [&[&str]; 6] = [
        &["batch.csv"],
        &["batch.csv", "-s", "binWidth:5"],
        &["batch.csv", "-p", "p.yaml"],
        &["batch.csv", "--labels", "all"],
        &["batch.csv", "--labels", "union"],
        &["batch.csv", "--profile", "ibsi"],
    ];
    for arguments in variants {
        assert_eq!(taken(folder.path(), arguments), 0, "{arguments:?}");
    }
    for arguments in variants {
        // The third case has no label 7, but labels.
        let finished = if arguments.contains(&"--labels") { 4 } else { 3 };
        assert_eq!(taken(folder.path(), arguments), finished, "{arguments:?}");
    }
}

#[test]
fn a_damaged_file_is_computed_again_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    assert_eq!(taken(folder.path(), &["batch.csv"]), 0);
    let files = stored_files(folder.path());
    let whole: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let text = String::from_utf8(whole[2].clone()).unwrap();
    let value = text.split(',').rev().nth(3).unwrap();
    let damages: [(usize, Vec<u8>); 5] = [
        (0, whole[0][..whole[0].len() / 2].to_vec()),
        (0, Vec::new()),
        (1, vec![0; whole[1].len()]),
        (1, whole[0].clone()),
        (2, text.replacen(value, "0.5", 1).into_bytes()),
    ];
    for (file, damaged) in damages {
        std::fs::write(&files[file], damaged).unwrap();
        let (fresh, resumed) = fresh_and_resumed(folder.path(), &["batch.csv"]);
        assert_eq!(String::from_utf8_lossy(&resumed.stdout), fresh);
        let messages = String::from_utf8_lossy(&resumed.stderr).into_owned();
        assert_eq!(messages.matches("is damaged").count(), 1, "{messages}");
        assert_eq!(messages.matches("already computed").count(), 2, "{messages}");
        assert!(messages.contains(files[file].file_name().unwrap().to_str().unwrap()), "{messages}");
        assert_eq!(std::fs::read(&files[file]).unwrap(), whole[file]);
    }
}

#[test]
fn several_processes_share_a_folder_and_a_table() {
    const CASES: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let rows: String = (0..CASES).map(|case| format!("c{case},image{0}.nrrd,mask{0}.nrrd\n", case % 4 + 1)).collect();
    std::fs::write(folder.path().join("shared.csv"), format!("ID,Image,Mask\n{rows}")).unwrap();
    let alone = String::from_utf8(alnm(folder.path(), &["shared.csv", "-f", "csv"]).stdout).unwrap();
    let (header, rows) = alone.split_once('\n').unwrap();
    for pair in 0..12 {
        let (table, parts) = (format!("table{pair}.csv"), format!("parts{pair}"));
        let arguments = ["shared.csv", "-f", "csv", "-j", "2", "-o", &table, "-od", &parts, "--append"];
        let start = || command(folder.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
        for process in [start(), start()] {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success());
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
        let written = std::fs::read_to_string(folder.path().join(&table)).unwrap();
        assert!(written == format!("{header}\n{rows}{rows}"), "pair {pair}: the table is torn");
        let stored = std::fs::read_dir(folder.path().join(&parts)).unwrap();
        assert_eq!(stored.count(), 4, "pair {pair}");
    }
}

/// Runs a batch whose files may not grow beyond some bytes, which is how a full disk looks to a program.
#[cfg(target_os = "linux")]
fn with_little_room(folder: &Path, kibibytes: usize, arguments: &[&str]) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$@\"");
    let mut shell = std::process::Command::new("bash");
    shell.current_dir(folder).args(["-c", &script, "bash", env!("CARGO_BIN_EXE_alnm"), "extract"]).args(arguments);
    shell.output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_leaves_nothing_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let arguments = ["batch.csv", "-f", "csv", "-od", "parts", "-o", "table.csv"];
    let undisturbed = alnm(folder.path(), &["batch.csv", "-f", "csv"]).stdout;
    let failed = with_little_room(folder.path(), 2, &arguments);
    let messages = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{messages}");
    assert_eq!(messages.matches("not stored: cannot write parts/features_").count(), 3, "{messages}");
    assert_eq!(messages.matches("cannot write table.csv: File too large").count(), 1, "{messages}");
    assert!(stored_files(folder.path()).is_empty());
    assert!(!folder.path().join("table.csv").exists());
    // Room for the cases, but not for the table.
    let half = with_little_room(folder.path(), (undisturbed.len() - 1) / 1024, &arguments);
    assert_eq!(half.status.code(), Some(1));
    assert_eq!(stored_files(folder.path()).len(), 3);
    assert!(!folder.path().join("table.csv").exists());
    assert_eq!(alnm(folder.path(), &arguments).status.code(), Some(4));
    assert!(std::fs::read(folder.path().join("table.csv")).unwrap() == undisturbed);
    // A table that cannot be added leaves the file as it was.
    let whole = std::fs::metadata(folder.path().join("table.csv")).unwrap().len().div_ceil(1024) as usize;
    let appending = [&arguments[..], &["--append"]].concat();
    assert_eq!(with_little_room(folder.path(), whole, &appending).status.code(), Some(1));
    assert!(std::fs::read(folder.path().join("table.csv")).unwrap() == undisturbed);
}

#[test]
fn failures_are_told_once_and_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let run = |arguments: &[&str]| {
        let output = alnm(folder.path(), arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, messages) = run(&["batch.csv"]);
    assert_eq!(code, Some(4));
    assert_eq!(messages.matches("label 7 is not in the mask").count(), 1, "{messages}");
    assert_eq!(messages.lines().last(), Some("error: 1 of 4 cases failed"));
    let (code, messages) = run(&["batch.csv", "--keep-going"]);
    assert_eq!((code, messages.lines().last()), (Some(0), Some("warning: 1 of 4 cases failed")));
    let (code, messages) = run(&["image1.nrrd", "mask1.nrrd", "-l", "7"]);
    assert_eq!((code, messages.lines().count()), (Some(1), 1), "{messages}");
    assert_eq!(run(&["image1.nrrd", "mask1.nrrd", "-l", "7", "--keep-going"]).0, Some(0));
    // Each region that fails is named.
    let (code, messages) = run(&["image1.nrrd", "mask1.nrrd", "--labels", "1,7,8"]);
    assert_eq!(code, Some(4));
    assert_eq!(messages.lines().filter(|line| line.starts_with("error: case 1, label ")).count(), 2, "{messages}");
    let (code, messages) = run(&["image1.nrrd", "missing.nrrd", "--validate"]);
    assert_eq!((code, messages.lines().count()), (Some(1), 1), "{messages}");
}

#[test]
fn a_grid_beyond_all_memory_ends_its_case_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    for spacing in ["0.001,0.001,0.001", "1e-300,1e-300,1e-300"] {
        let setting = format!("resampledPixelSpacing:{spacing}");
        let output = alnm(folder.path(), &["image1.nrrd", "mask1.nrrd", "-s", &setting]);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{messages}");
        assert!(messages.starts_with("error: case 1: "), "{messages}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_grid_beyond_the_memory_that_is_left_ends_its_case_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    // 10⁹ voxels of 6 bytes in 3 GiB, in both profiles; then a spacing that the same memory holds.
    std::fs::write(folder.path().join("ibsi.yaml"), "interpolation: {spacing: [0.006, 0.006, 0.006]}\n").unwrap();
    for (arguments, code) in [
        (&["-s", "resampledPixelSpacing:0.006,0.006,0.006"][..], 1),
        (&["--profile", "ibsi", "-p", "ibsi.yaml"], 1),
        (&["-s", "resampledPixelSpacing:0.6,0.6,0.6"], 0),
    ] {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", "ulimit -v 3145728; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_alnm"), "extract"]);
        let output = shell.current_dir(folder.path()).args(["image1.nrrd", "mask1.nrrd"]).args(arguments).output();
        let output = output.unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{messages}");
        assert_eq!(messages.contains("GiB are free; choose a larger spacing"), code == 1, "{messages}");
    }
}
