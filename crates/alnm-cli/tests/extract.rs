//! The command `alnm extract` on files.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod small_batch;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alnm_imaging::write_mask;
use small_batch::{alnm, image_and_mask, write_batch};

fn table(folder: &Path, arguments: &[&str]) -> Vec<csv::StringRecord> {
    let output = alnm(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(output.stdout.as_slice());
    reader.records().map(Result::unwrap).collect()
}

#[test]
fn a_case_that_fails_keeps_its_row_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let rows = table(folder.path(), &["batch.csv", "-f", "csv", "--format-path", "basename", "--keep-going"]);
    assert_eq!(rows.len(), 5);
    assert_eq!(&rows[0][0], "ID");
    assert!(rows[0].iter().filter(|name| name.starts_with("original_")).count() == 107);
    for (case, row) in rows[1..].iter().enumerate() {
        let filled = row.iter().filter(|cell| !cell.is_empty()).count();
        assert_eq!(filled == row.len(), case != 2, "case {}", case + 1);
        assert_eq!(&row[1], format!("image{}.nrrd", case + 1));
    }
}

/// Writes masks of a second reader, who draws the region of label 1 shorter in case 1 and longer in the others, and a list
/// with both.
fn write_readers(folder: &Path) {
    write_batch(folder);
    let mut list = "ID,Image,Mask,Label,mask2\n".to_owned();
    for case in 1..=4 {
        let (_, mut mask) = image_and_mask(case);
        for (place, voxel) in mask.as_mut_slice().iter_mut().enumerate() {
            let x = place % 12;
            match (case, *voxel) {
                (1, 1) if x == 3 => *voxel = 0,
                (2.., 2) if x < 6 + case => *voxel = 1,
                _ => {}
            }
        }
        write_mask(folder.join(format!("second{case}.nrrd")), &mask).unwrap();
        let second = if case == 4 { String::new() } else { format!("second{case}.nrrd") };
        list += &format!("p{case},image{case}.nrrd,mask{case}.nrrd,1,{second}\n");
    }
    std::fs::write(folder.join("readers.csv"), list).unwrap();
}

/// ICC(2,1) of two readers by Shrout and Fleiss' mean squares.
fn icc(first: &[f64], second: &[f64]) -> f64 {
    let n = first.len() as f64;
    let mean = (first.iter().sum::<f64>() + second.iter().sum::<f64>()) / (2.0 * n);
    let of_reader = [first, second].map(|values| values.iter().sum::<f64>() / n);
    let square = |value: f64| value * value;
    let between: f64 = first.iter().zip(second).map(|(a, b)| 2.0 * square((a + b) / 2.0 - mean)).sum();
    let readers: f64 = of_reader.iter().map(|reader| n * square(reader - mean)).sum();
    let total: f64 = first.iter().chain(second).map(|value| square(value - mean)).sum();
    let (between, residual) = (between / (n - 1.0), (total - between - readers) / (n - 1.0));
    (between - residual) / (between + residual + 2.0 * (readers - residual) / n)
}

#[test]
fn readers_are_compared_feature_by_feature() {
    let folder = tempfile::tempdir().unwrap();
    write_readers(folder.path());
    let run = |out: &str| {
        let arguments = [
            "readers.csv",
            "-f",
            "csv",
            "--reader-masks",
            "Mask2",
            "--out-dir",
            "parts",
            "-v",
            "4",
            "--reliability",
            out,
        ];
        let output = alnm(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        (output, std::fs::read_to_string(folder.path().join(out)).unwrap())
    };
    let (output, reliability) = run("reliability.csv");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(messages.contains("line 5: the column mask2 is empty"), "{messages}");
    assert!(messages.contains("1 of 4 regions lack features by a reader"), "{messages}");

    let mut features = csv::Reader::from_reader(output.stdout.as_slice());
    let names = features.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = features.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 7);
    let column = |name: &str| names.iter().position(|column| column == name).unwrap();
    let of_reader = |reader: &str, feature: &str| -> Vec<f64> {
        let rows = rows.iter().filter(|row| &row[column("Reader")] == reader && &row[column("ID")] != "p4");
        rows.map(|row| row[column(feature)].parse().unwrap()).collect()
    };
    let mut table = csv::Reader::from_reader(reliability.as_bytes());
    assert_eq!(table.headers().unwrap(), vec!["feature", "form", "ICC", "lower", "upper", "reliable"]);
    let mut verdicts = [0, 0];
    for row in table.records().map(Result::unwrap) {
        assert_eq!(&row[1], "ICC(2,1)");
        let Ok(found) = row[2].parse::<f64>() else { continue };
        let expected = icc(&of_reader("Mask", &row[0]), &of_reader("mask2", &row[0]));
        if found.is_nan() {
            // A feature that is the same everywhere has no variance to divide by.
            assert!(expected.is_nan() && &row[5] == "no", "{row:?}: {expected}");
            continue;
        }
        assert!((found - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "{row:?}: {expected}");
        let interval: [f64; 2] = [row[3].parse().unwrap(), row[4].parse().unwrap()];
        // Without any difference between the readers, no error is left to build an interval from.
        let has_no_interval = found == 1.0 && interval.iter().all(|limit| limit.is_nan());
        assert!(has_no_interval || (interval[0] <= found && found <= interval[1]), "{row:?}");
        assert_eq!(&row[5], if found > 0.75 { "yes" } else { "no" });
        verdicts[usize::from(found > 0.75)] += 1;
    }
    assert!(verdicts.iter().all(|&count| count > 10), "{verdicts:?}");

    // What is there is not computed again, and gives the same table.
    let (again, same) = run("again.csv");
    assert!(String::from_utf8_lossy(&again.stderr).contains("case 3: already computed"));
    assert_eq!(reliability, same);
    let refused = alnm(folder.path(), &["readers.csv", "--reader-masks", "Mask3"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has no column Mask3"));
}

#[test]
fn an_interrupted_batch_ends_like_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let undisturbed = alnm(folder.path(), &["batch.csv", "-f", "csv", "-j", "2"]).stdout;
    // What an interruption leaves: some cases done, one half written. Of the first and the third the third fails.
    alnm(folder.path(), &["batch.csv", "-f", "csv", "--out-dir", "parts", "--shard", "1/2"]);
    std::fs::write(folder.path().join("parts/.unfinished-x1y2"), "ID,Ima").unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("parts")).unwrap().count(), 2);
    let resumed = alnm(folder.path(), &["batch.csv", "-f", "csv", "--out-dir", "parts", "-j", "2"]).stdout;
    assert_eq!(undisturbed, resumed);
}

/// Writes cases that take a while, with the parameters that make them do.
fn write_long_batch(folder: &Path, cases: usize) {
    write_batch(folder);
    let rows: String = (0..cases).map(|case| format!("image{0}.nrrd,mask{0}.nrrd\n", case % 4 + 1)).collect();
    std::fs::write(folder.join("long.csv"), format!("Image,Mask\n{rows}")).unwrap();
    let parameters =
        "{setting: {binWidth: 2, resampledPixelSpacing: [0.4, 0.4, 0.4]}, imageType: {Original: {}, Wavelet: {}}}";
    std::fs::write(folder.join("long.yaml"), parameters).unwrap();
}

/// Starts a batch of 30 cases and waits until a few of them are done.
fn started(folder: &Path) -> (Child, usize) {
    let arguments =
        ["extract", "long.csv", "-p", "long.yaml", "-f", "csv", "-j", "2", "-od", "parts", "-o", "table.csv"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
    let mut process = command.current_dir(folder).args(arguments).stderr(Stdio::null()).spawn().unwrap();
    loop {
        let done = std::fs::read_dir(folder.join("parts")).map_or(0, |files| {
            files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".csv")).count()
        });
        if done >= 3 {
            return (process, done);
        }
        assert!(process.try_wait().unwrap().is_none(), "the batch ended before it could be interrupted");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a batch, resumes it, and compares with an undisturbed run.
fn resumes_to_the_same_file(format: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_long_batch(folder.path(), 30);
    let (mut process, done) = started(folder.path());
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(done < 30);
    assert!(!folder.path().join("table.csv").exists());
    let run = |extra: &[&str], out: &str| {
        let output = alnm(
            folder.path(),
            &[&["long.csv", "-p", "long.yaml", "-f", format, "-j", "2", "-o", out], extra].concat(),
        );
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(folder.path().join(out)).unwrap()
    };
    assert!(run(&["-od", "parts"], "resumed") == run(&[], "undisturbed"), "{format}");
}

#[test]
fn a_killed_batch_resumes_to_the_same_csv() {
    resumes_to_the_same_file("csv");
}

#[test]
fn a_killed_batch_resumes_to_the_same_json() {
    resumes_to_the_same_file("json");
}

#[cfg(feature = "parquet")]
#[test]
fn a_killed_batch_resumes_to_the_same_parquet() {
    resumes_to_the_same_file("parquet");
}

#[test]
fn every_shard_has_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    std::fs::write(
        folder.path().join("p.yaml"),
        "{imageType: {Original: {}, LoG: {sigma: [1.0, 50.0]}}, featureClass: {glcm: }}",
    )
    .unwrap();
    let shard = |shard: &str| {
        table(folder.path(), &["batch.csv", "-p", "p.yaml", "-f", "csv", "--keep-going", "--shard", shard])
    };
    // The third case, alone in its shard, fails; a sigma of 50 mm is skipped.
    let (first, failing) = (shard("1/4"), shard("3/4"));
    assert_eq!(first[0], failing[0]);
    assert_eq!(first[0].iter().filter(|name| name.contains("_glcm_")).count(), 3 * 24);
    assert_eq!(first[1].iter().filter(|cell| cell.is_empty()).count(), 24);
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_termination_have_exit_codes_of_their_own() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        write_long_batch(folder.path(), 30);
        let (mut process, _) = started(folder.path());
        assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap().success());
        assert_eq!(process.wait().unwrap().code(), Some(code));
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_among_many_files_leaves_none_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    write_long_batch(folder.path(), 60);
    let arguments = ["extract", "long.csv", "-p", "long.yaml", "-j", "4", "-m", "images", "-f", "csv", "-od"];
    let mut interrupted = 0;
    for (round, signal) in ["-INT", "-TERM", "-INT", "-TERM", "-INT", "-TERM"].into_iter().enumerate() {
        let out = format!("images{round}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
        command.current_dir(folder.path()).args(arguments).arg(&out).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let files = || std::fs::read_dir(folder.path().join(&out)).map_or(0, Iterator::count);
        while files() < 3 * (round + 1) && process.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap().success());
        let output = process.wait_with_output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let (code, how) = if signal == "-INT" { (130, "interrupted") } else { (143, "terminated") };
        interrupted += usize::from(output.status.code() == Some(code));
        let last = format!(
            "error: {how}; files that were written are whole and stay; the same command replaces them with --force"
        );
        assert_eq!(messages.lines().last(), Some(last.as_str()), "{messages}");
        for file in std::fs::read_dir(folder.path().join(&out)).unwrap() {
            let path = file.unwrap().path();
            assert!(alnm_imaging::read_image(&path).is_ok(), "{}", path.display());
        }
    }
    assert_eq!(interrupted, 6);
}

#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_has_numbers_and_nan_for_the_case_that_failed() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;

    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    assert_eq!(alnm(folder.path(), &["batch.csv", "-f", "parquet", "-o", "table.parquet"]).status.code(), Some(4));
    let file = std::fs::File::open(folder.path().join("table.parquet")).unwrap();
    let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 16).unwrap();
    let table = reader.next().unwrap().unwrap();
    assert_eq!(table.num_rows(), 4);
    assert_eq!(table.column_by_name("ID").unwrap().as_string::<i32>().value(3), "p4");
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let features: Vec<&String> = names.iter().filter(|name| name.starts_with("original_")).collect();
    assert_eq!(features.len(), 107);
    for name in features {
        let column = table.column_by_name(name).unwrap().as_primitive::<Float64Type>();
        let undefined: Vec<bool> = column.values().iter().map(|value| value.is_nan()).collect();
        assert_eq!(undefined, [false, false, true, false], "{name}");
    }
}

#[test]
fn shards_of_several_processes_merge_to_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let whole = alnm(folder.path(), &["batch.csv", "-f", "csv"]).stdout;
    let start = |index: usize| {
        let shard = format!("{index}/3");
        let arguments = [
            "extract",
            "batch.csv",
            "-f",
            "csv",
            "-od",
            "parts",
            "--keep-going",
            "--shard",
            &shard,
            "-o",
            &format!("shard{index}.csv"),
        ];
        Command::new(env!("CARGO_BIN_EXE_alnm")).current_dir(folder.path()).args(arguments).spawn().unwrap()
    };
    for mut process in (1..=3).map(start).collect::<Vec<_>>() {
        assert!(process.wait().unwrap().success());
    }
    let merged = alnm(folder.path(), &["batch.csv", "-f", "csv", "-od", "parts"]).stdout;
    assert_eq!(whole, merged);
}

#[test]
fn every_label_gets_a_row_and_the_union_one() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let labels = |which: &str| table(folder.path(), &["image1.nrrd", "mask1.nrrd", "-f", "csv", "--labels", which]);
    let column = |rows: &[csv::StringRecord], name: &str| rows[0].iter().position(|header| header == name).unwrap();
    let all = labels("all");
    let volume = column(&all, "original_shape_VoxelVolume");
    let volumes: Vec<f64> = all[1..].iter().map(|row| row[volume].parse().unwrap()).collect();
    assert_eq!(all[1..].iter().map(|row| row[column(&all, "Label")].to_owned()).collect::<Vec<_>>(), ["1", "2"]);
    let union = labels("union");
    let together: f64 = union[1][column(&union, "original_shape_VoxelVolume")].parse().unwrap();
    assert!((volumes.iter().sum::<f64>() - together).abs() < 1e-9);
}

#[test]
fn maps_are_written_as_images() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    std::fs::write(folder.path().join("p.yaml"), "featureClass: {glcm: [Contrast], ngtdm: [Busyness]}").unwrap();
    let output = alnm(folder.path(), &["image1.nrrd", "mask1.nrrd", "-p", "p.yaml", "-m", "voxel", "-od", "maps"]);
    assert_eq!(output.status.code(), Some(0));
    for name in ["original_glcm_Contrast", "original_ngtdm_Busyness"] {
        let map = alnm_imaging::read_image(folder.path().join(format!("maps/Case-1_{name}.nrrd"))).unwrap();
        assert_eq!(map.geometry().size(), [6, 8, 6]);
    }
}

#[test]
fn the_images_that_features_are_computed_on_are_written() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let parameters = "{setting: {resampledPixelSpacing: [1.6, 1.6, 2.0]}, imageType: {Original: {}, Wavelet: {}}}";
    std::fs::write(folder.path().join("p.yaml"), parameters).unwrap();
    let arguments = ["image1.nrrd", "mask1.nrrd", "-p", "p.yaml", "-m", "images", "-od", "images", "--labels", "2"];
    let rows = table(folder.path(), &[&arguments[..], &["-f", "csv"]].concat());
    let file = |name: &str| {
        let column = rows[0].iter().position(|column| column == name).unwrap();
        assert_eq!(&rows[1][column], format!("images/Case-1_2_{name}.nrrd"));
        folder.path().join(&rows[1][column])
    };
    let (image, mask) = (file("image"), alnm_imaging::read_mask(file("mask")).unwrap());
    let image = alnm_imaging::read_image(image).unwrap();
    assert_eq!(image.geometry().spacing(), [1.6, 1.6, 2.0]);
    assert!(mask.as_slice().contains(&2));
    for name in ["original", "wavelet-LLH", "wavelet-LLL"] {
        let filtered = alnm_imaging::read_image(file(name)).unwrap();
        assert!(filtered.geometry().difference(image.geometry(), 1e-6).is_none());
        assert_eq!(filtered.geometry(), mask.geometry());
    }
    // What stands in the files is what the features are computed on.
    let values = alnm_imaging::read_image(file("wavelet-LLH")).unwrap().cast::<f64>();
    let inside = values.as_slice().iter().zip(mask.as_slice()).filter(|(_, label)| **label == 2);
    let (sum, count) = inside.fold((0.0, 0.0), |(sum, count), (value, _)| (sum + value, count + 1.0));
    let features = table(folder.path(), &["image1.nrrd", "mask1.nrrd", "-p", "p.yaml", "-l", "2", "-f", "csv"]);
    let column = features[0].iter().position(|name| name == "wavelet-LLH_firstorder_Mean").unwrap();
    let mean: f64 = features[1][column].parse().unwrap();
    assert!((sum / count - mean).abs() < 1e-9 * mean.abs().max(1.0), "{} and {mean}", sum / count);
    // Grey levels are 0 outside the region alone, and give the features of the histogram.
    let levels = alnm_imaging::read_mask(file("wavelet-LLH_levels")).unwrap();
    let mut voxels = std::collections::BTreeMap::new();
    for (&level, &label) in levels.as_slice().iter().zip(mask.as_slice()) {
        assert_eq!(level > 0, label == 2);
        *voxels.entry(level).or_insert(0.0) += 1.0;
    }
    let uniformity: f64 = voxels.iter().filter(|(level, _)| **level > 0).map(|(_, n)| (n / count) * (n / count)).sum();
    let column = features[0].iter().position(|name| name == "wavelet-LLH_firstorder_Uniformity").unwrap();
    assert!((features[1][column].parse::<f64>().unwrap() - uniformity).abs() < 1e-12);
}

#[test]
fn the_ibsi_profile_has_maps_and_images() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let profile = "{interpolation: {spacing: [1.6, 1.6, null]}, filter: {kernel: {mean: {support: 3}}, dimensions: 2, boundary: nearest}, \
         discretisation: {fixed_bin_number: 16}, families: [statistics, ngtdm], aggregations: [2_5D], \
         maps: {radius: [1, 1, 0], outside: -1}}";
    std::fs::write(folder.path().join("p.yaml"), profile).unwrap();
    let shared = ["image1.nrrd", "mask1.nrrd", "--profile", "ibsi", "-p", "p.yaml", "-od", "out", "-f", "csv", "-m"];
    let images = table(folder.path(), &[&shared[..], &["images"]].concat());
    let names = ["image", "mask", "ibsi", "ibsi_levels"];
    let read = |name: &str| alnm_imaging::read_image(folder.path().join(format!("out/Case-1_{name}.nrrd"))).unwrap();
    for name in names {
        assert!(images[0].iter().any(|column| column == name), "{name} in {:?}", images[0]);
        assert_eq!(read(name).geometry().spacing(), [1.6, 1.6, 2.0]);
    }
    let levels = read("ibsi_levels").cast::<f64>();
    assert_eq!(levels.as_slice().iter().copied().fold(0.0, f64::max), 16.0);
    let maps = table(folder.path(), &[&shared[..], &["voxel"]].concat());
    assert!(maps[0].iter().any(|column| column == "ngt_busyness_2_5D"), "{:?}", maps[0]);
    let (map, values) = (read("ngt_busyness_2_5D").cast::<f64>(), read("stat_max").cast::<f64>());
    assert_eq!(map.geometry(), values.geometry());
    let outside = values.as_slice().iter().filter(|value| **value == -1.0).count();
    let inside = read("mask").cast::<f64>().as_slice().iter().filter(|label| **label > 0.0).count();
    assert_eq!(values.as_slice().len() - outside, inside);
}

#[test]
fn several_wavelets_have_images_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let parameters = |wavelet: &str| {
        format!("{{imageType: {{Wavelet: {{wavelet: {wavelet}}}}}, featureClass: {{firstorder: [Mean, Energy]}}}}")
    };
    let rows = |wavelet: &str, settings: &[&str]| {
        std::fs::write(folder.path().join("p.yaml"), parameters(wavelet)).unwrap();
        table(folder.path(), &[&["image1.nrrd", "mask1.nrrd", "-p", "p.yaml", "-f", "csv"], settings].concat())
    };
    let value = |rows: &[csv::StringRecord], name: &str| {
        let column = rows[0].iter().position(|column| column == name);
        rows[1][column.unwrap_or_else(|| panic!("{name} in {:?}", rows[0]))].to_owned()
    };
    let both = rows("[haar, bior1.3]", &[]);
    for (wavelet, name) in [("haar", "haar"), ("bior1.3", "bior1-3")] {
        let alone = rows(wavelet, &[]);
        for band in ["LLH", "HHH", "LLL"] {
            let feature = |image: &str| format!("{image}-{band}_firstorder_Energy");
            assert_eq!(value(&alone, &feature("wavelet")), value(&both, &feature(&format!("wavelet-{name}"))));
        }
    }
    std::fs::write(folder.path().join("p.yaml"), "imageType: {Wavelet: {}}").unwrap();
    let by_setting = ["image1.nrrd", "mask1.nrrd", "-p", "p.yaml", "-f", "csv", "-s", "wavelet:haar,bior1.3"];
    assert_eq!(
        value(&table(folder.path(), &by_setting), "wavelet-bior1-3-HHH_firstorder_Energy"),
        value(&both, "wavelet-bior1-3-HHH_firstorder_Energy")
    );
}

#[test]
fn extreme_settings_end_in_values_or_in_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let most = i64::MAX;
    let (values, refused) = (0, 1);
    for (parameters, code) in [
        (format!("setting: {{padDistance: {most}, resampledPixelSpacing: [1, 1, 1]}}"), values),
        (format!("setting: {{padDistance: {most}, preCrop: true}}"), values),
        (format!("setting: {{minimumROISize: {most}}}"), refused),
        ("setting: {geometryTolerance: 1e300}".to_owned(), values),
        ("setting: {normalize: true, normalizeScale: 1e308}".to_owned(), refused),
        ("setting: {normalize: true, removeOutliers: 1e-300}".to_owned(), values),
        ("setting: {binWidth: 1e-320}".to_owned(), refused),
        ("setting: {binWidth: 1e308}".to_owned(), refused),
        ("setting: {binCount: 65536}".to_owned(), values),
        ("setting: {distances: [32]}".to_owned(), refused),
        (format!("setting: {{voxelArrayShift: {}}}", i64::MIN), values),
        ("setting: {gldm_a: 4294967295}".to_owned(), values),
        ("setting: {resegmentRange: [-1e308, 1e308]}".to_owned(), values),
        ("setting: {resampledPixelSpacing: [1e300, 1e300, 1e300]}".to_owned(), refused),
        ("imageType: {LoG: {sigma: [1e-300]}}".to_owned(), refused),
        ("imageType: {LoG: {sigma: [1e300]}}".to_owned(), values),
        ("imageType: {Wavelet: {level: 16, start_level: 16, wavelet: db38}}".to_owned(), refused),
        ("imageType: {LBP2D: {lbp2DRadius: 1024, lbp2DSamples: 52, lbp2DMethod: default}}".to_owned(), values),
        ("imageType: {LBP3D: {lbp3DIcosphereRadius: 1e-300}}".to_owned(), refused),
        (format!("setting: {{label_channel: {most}}}"), refused),
        ("setting: {label: 4294967295}".to_owned(), refused),
    ] {
        std::fs::write(folder.path().join("p.yaml"), &parameters).unwrap();
        let output = alnm(folder.path(), &["image1.nrrd", "mask1.nrrd", "-p", "p.yaml"]);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{parameters}: {messages}");
        assert!(!messages.contains("the program has a fault"), "{parameters}: {messages}");
        let longest = messages.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        assert!(longest < Some(30), "{parameters}: {messages}");
    }
}

#[test]
fn exit_codes_are_those_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let code = |arguments: &[&str]| alnm(folder.path(), arguments).status.code();
    assert_eq!(code(&["image1.nrrd", "mask1.nrrd"]), Some(0));
    assert_eq!(code(&["image1.nrrd"]), Some(2));
    assert_eq!(code(&["image1.nrrd", "mask1.nrrd", "-s", "binWidht:10"]), Some(2));
    assert_eq!(code(&["image1.nrrd", "mask1.nrrd", "-s", "binWidht:10", "--keep-going"]), Some(0));
    assert_eq!(code(&["image1.nrrd", "mask1.nrrd", "--label", "7", "--keep-going"]), Some(0));
    assert_eq!(code(&["--no-such-option"]), Some(2));
    std::fs::write(folder.path().join("bad.yaml"), "setting: {binWidht: 3}").unwrap();
    assert_eq!(code(&["image1.nrrd", "mask1.nrrd", "-p", "bad.yaml"]), Some(2));
    assert_eq!(code(&["image1.nrrd", "mask1.nrrd", "-p", "missing.yaml"]), Some(1));
}

/// The exit code of a run, and what it said on standard error.
fn ended(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = alnm(folder, arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn mistyped_settings_of_files_are_wrong_use_and_told_in_one_line_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let case = ["image1.nrrd", "mask1.nrrd"];
    for (name, content, options, words) in [
        ("key.yaml", "setting:\n  binWidht: 3\n", &[][..], "key.yaml: line 2: unknown key `binWidht`"),
        ("value.yaml", "setting: {force2D: maybe}\n", &[], "value.yaml: line 1: `force2D` is 'maybe'; it must be"),
        ("text.yaml", "setting:\n  - [1\n", &[], "text.yaml: the parameters are not valid YAML: line 2"),
        ("list.yaml", "- 1\n", &[], "list.yaml: "),
        (
            "other.yaml",
            "featureClass: {glcm: }\n",
            &["--profile", "ibsi"],
            "other.yaml: the IBSI profile cannot be read",
        ),
        ("range.yaml", "discretisation: {fixed_bin_number: 0}\n", &["--profile", "ibsi"], "range.yaml: discretisation"),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
        let (code, messages) = ended(folder.path(), &[&case, &["-p", name], options].concat());
        assert_eq!((code, messages.lines().count()), (Some(2), 1), "{name}: {messages}");
        assert!(messages.starts_with(&format!("error: {words}")), "{name}: {messages}");
    }
    // What only the image tells is wrong use as well.
    for options in [&["-s", "resampledPixelSpacing:1,1"][..], &["--phase", "1"], &["--phase", "2"], &["--all-phases"]] {
        let (code, messages) = ended(folder.path(), &[&case, options].concat());
        assert_eq!((code, messages.lines().count()), (Some(2), 1), "{options:?}: {messages}");
    }
    // Options that clap does not miss, since a third one conflicts with the one that they need.
    for (options, words) in [
        (&["--reliability", "r.csv"][..], "--reader-masks"),
        (&["--maps", "maps", "--out-dir", "parts"], "--one-row"),
        (&["--deltas", "slope", "--out-dir", "parts"], "--one-row"),
    ] {
        let (code, messages) = ended(folder.path(), &[&case, options].concat());
        assert_eq!(code, Some(2), "{options:?}: {messages}");
        assert!(messages.contains(words), "{options:?}: {messages}");
        assert!(!folder.path().join("parts").exists());
    }
}

#[test]
fn going_on_leaves_out_what_makes_no_sense_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let wrong = "setting: {binWidht: 3, binWidth: 10, force2D: maybe}\nfeatureClass: {firstorder: [Mean, Medain], glmc: }\n\
                 imageType: {Original: {}, Wavlet: {}}\nseting: {}\n";
    std::fs::write(folder.path().join("wrong.yaml"), wrong).unwrap();
    let right = "setting: {binWidth: 10}\nfeatureClass: {firstorder: [Mean]}\nimageType: {Original: {}}\n";
    std::fs::write(folder.path().join("right.yaml"), right).unwrap();
    let run = |file: &str| alnm(folder.path(), &["image1.nrrd", "mask1.nrrd", "-p", file, "-f", "csv", "--keep-going"]);
    let (kept, expected) = (run("wrong.yaml"), run("right.yaml"));
    let messages = String::from_utf8_lossy(&kept.stderr).into_owned();
    assert_eq!(kept.status.code(), Some(0), "{messages}");
    for word in ["binWidht", "force2D", "Medain", "glmc", "Wavlet", "seting"] {
        let lines = messages.lines().filter(|line| line.starts_with("warning: wrong.yaml: ") && line.contains(word));
        assert_eq!(lines.count(), 1, "{word}: {messages}");
    }
    assert_eq!(String::from_utf8_lossy(&kept.stdout), String::from_utf8_lossy(&expected.stdout));
}

#[test]
fn what_came_out_in_part_is_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let labels = ["image1.nrrd", "mask1.nrrd", "--labels", "1,7", "-f", "csv"];
    let output = alnm(folder.path(), &labels);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
    assert_eq!(ended(folder.path(), &[&labels[..], &["--one-row"]].concat()).0, Some(4));
    assert_eq!(ended(folder.path(), &[&labels[..], &["--keep-going"]].concat()).0, Some(0));
    let (code, messages) = ended(folder.path(), &["batch.csv", "--labels", "1,7"]);
    assert_eq!((code, messages.lines().last()), (Some(4), Some("error: 4 of 4 cases failed, 4 of them in part")));
}

#[test]
fn a_case_of_which_nothing_came_out_leaves_no_table() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let case = ["image1.nrrd", "missing.nrrd", "-f", "csv", "-o", "table.csv"];
    assert_eq!(ended(folder.path(), &case).0, Some(1));
    assert!(!folder.path().join("table.csv").exists());
    std::fs::copy(folder.path().join("mask1.nrrd"), folder.path().join("missing.nrrd")).unwrap();
    assert_eq!(ended(folder.path(), &case).0, Some(0));
    // With --keep-going the row of a case that failed is written, as PyRadiomics does.
    let kept = ["image1.nrrd", "mask1.nrrd", "-l", "7", "-f", "csv", "-o", "kept.csv", "--keep-going"];
    assert_eq!(ended(folder.path(), &kept).0, Some(0));
    assert_eq!(std::fs::read_to_string(folder.path().join("kept.csv")).unwrap().lines().count(), 2);
    std::fs::write(folder.path().join("failing.csv"), "Image,Mask\nno.nrrd,mask1.nrrd\nnone.nrrd,mask1.nrrd\n")
        .unwrap();
    let (code, messages) = ended(folder.path(), &["failing.csv", "-o", "failing.txt"]);
    assert_eq!((code, messages.lines().last()), (Some(1), Some("error: all 2 cases failed")));
    assert!(!folder.path().join("failing.txt").exists());
}

#[test]
fn maps_and_images_of_an_earlier_run_are_refused_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    std::fs::write(folder.path().join("p.yaml"), "featureClass: {ngtdm: [Busyness], firstorder: [Mean]}").unwrap();
    for (mode, out, written) in [
        ("voxel", &["-od", "maps"][..], "maps/Case-1_original_ngtdm_Busyness.nrrd"),
        ("images", &["-od", "maps"], "maps/Case-1_image.nrrd"),
        ("images", &["-od", "maps", "--labels", "2"], "maps/Case-1_2_mask.nrrd"),
        ("voxel", &[], "Case-1_original_firstorder_Mean.nrrd"),
    ] {
        let run = |case: usize, more: &[&str]| {
            let (image, mask) = (format!("image{case}.nrrd"), format!("mask{case}.nrrd"));
            ended(folder.path(), &[&[image.as_str(), &mask, "-p", "p.yaml", "-m", mode], out, more].concat())
        };
        let bytes = || std::fs::read(folder.path().join(written)).unwrap();
        // What the other mode wrote is not replaced by this one.
        assert_eq!(run(1, &[]).0, Some(0), "{mode} {out:?}");
        let before = bytes();
        let (code, messages) = run(2, &[]);
        assert_eq!((code, messages.lines().count()), (Some(1), 1), "{messages}");
        assert!(messages.contains("is already there; name another file, or replace it with --force"), "{messages}");
        assert!(bytes() == before);
        assert_eq!(run(2, &["--force"]).0, Some(0));
        assert_eq!(bytes() == before, written.contains("mask"), "{mode} {out:?}");
    }
}

#[test]
fn lists_that_would_lose_cases_are_refused_by_all_commands_alike() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let write = |content: &[u8]| std::fs::write(folder.path().join("list.csv"), content).unwrap();
    let row = "image1.nrrd,mask1.nrrd";
    for (list, words) in [
        (
            format!("Image,Mask,Note\n{row},\"5 o clock\n{row},x\n{row},y\n"),
            "cannot read list.csv: line 2: a quotation mark",
        ),
        (
            format!("Image,Mask,Note\n{row},\"5 o clock\n{row},x\n{row},\"y\"\n"),
            "line 4: text follows the quotation mark",
        ),
        ("Image,Mask\n\"image1.nrrd,mask1.nrrd\n".to_owned(), "cannot read list.csv: line 2: a quotation mark"),
        ("Image,Mask\n".to_owned(), "list.csv holds no case; a row for each is needed"),
        ("Image,Mask\n,mask1.nrrd\n".to_owned(), "list.csv holds no complete case: line 2 lacks an image"),
        (format!("Image,Mask\n{row},extra,extra\n"), "cannot read list.csv: line 2 has 4 cells and the first line 2"),
    ] {
        write(list.as_bytes());
        for command in [
            &["extract", "list.csv"][..],
            &["deep-features", "list.csv", "--weights", "none", "-o", "out.csv"],
            &["standardise", "learn", "nyul", "out.json", "list.csv"],
        ] {
            let mut run = Command::new(env!("CARGO_BIN_EXE_alnm"));
            let output = run.current_dir(folder.path()).args(command).output().unwrap();
            let messages = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!((output.status.code(), messages.lines().count()), (Some(1), 1), "{command:?}: {messages}");
            assert!(messages.contains(words), "{command:?}: {messages}");
        }
    }
    // Text of other encodings.
    let utf16: Vec<u8> = "Image,Mask\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for other in [&[b"\xff\xfe".as_slice(), &utf16].concat(), &utf16, &b"Image,Mask,N\xe4me\n".to_vec()] {
        write(other);
        let (code, messages) = ended(folder.path(), &["list.csv"]);
        assert_eq!(
            (code, messages.as_str()),
            (
                Some(1),
                "error: list.csv is no text in UTF-8; save the table as UTF-8, which spreadsheet programs offer as \"CSV UTF-8\"\n"
            )
        );
    }
    // A column that the results have too.
    for (column, more) in [
        ("original_firstorder_Mean", &[][..]),
        ("diagnostics_Image-original_Hash", &[]),
        ("morph_volume", &["--profile", "ibsi"]),
        ("Slices", &["--slice-means"]),
        ("Reader", &["--reader-masks", "Mask"]),
    ] {
        write(format!("Image,Mask,{column},Site\n{row},99,A\n").as_bytes());
        let (code, messages) = ended(folder.path(), &[&["list.csv"], more].concat());
        assert_eq!((code, messages.lines().count()), (Some(1), 1), "{column}: {messages}");
        assert!(messages.contains(&format!("list.csv has the column {column}, which")), "{messages}");
    }
    // A second argument would be forgotten.
    write(format!("Image,Mask\n{row}\n").as_bytes());
    let (code, messages) = ended(folder.path(), &["list.csv", "mask2.nrrd"]);
    assert_eq!(code, Some(2), "{messages}");
    assert!(messages.contains("leave mask2.nrrd away"), "{messages}");
}

#[test]
fn a_label_that_is_no_number_ends_its_case_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let row = "image1.nrrd,mask1.nrrd";
    let list = format!("Image,Mask,Label\n{row},1.0\n{row},x\n{row},\n{row},-1\n{row},\"1,2\"\n{row},2\n");
    std::fs::write(folder.path().join("list.csv"), list).unwrap();
    for more in [&[][..], &["-od", "parts"]] {
        let output = alnm(folder.path(), &[&["list.csv", "-f", "csv", "--format-path", "basename"], more].concat());
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{messages}");
        for (case, text) in [(2, "x"), (4, "-1"), (5, "1,2")] {
            let message =
                format!("error: case {case}: the column Label is {text:?}; it has to be a whole number from 1");
            assert!(messages.contains(&message), "{messages}");
        }
        let mut rows = csv::Reader::from_reader(output.stdout.as_slice());
        let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        let features = |row: usize| rows[row].iter().skip(3).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(features(0), features(2));
        assert_ne!(features(0), features(5));
    }
}

#[test]
fn tables_and_messages_are_added_to_files_of_their_kind_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    let case = ["image1.nrrd", "mask1.nrrd"];
    let run = |arguments: &[&str]| ended(folder.path(), &[&case, arguments].concat());
    assert_eq!(run(&["-o", "table.txt"]).0, Some(0));
    let before = std::fs::read(folder.path().join("table.txt")).unwrap();
    let (code, messages) = run(&["-f", "csv", "-o", "table.txt", "--append"]);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("table.txt: the file holds no CSV table"), "{messages}");
    assert!(std::fs::read(folder.path().join("table.txt")).unwrap() == before);
    std::fs::write(folder.path().join("list.json"), "[]").unwrap();
    for rows in 1..=2 {
        assert_eq!(run(&["--json", "-o", "list.json", "--append"]).0, Some(0));
        let list = std::fs::read_to_string(folder.path().join("list.json")).unwrap();
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&list).unwrap().len(), rows);
    }
    let image = std::fs::read(folder.path().join("image1.nrrd")).unwrap();
    let (code, messages) = run(&["--log-file", "image1.nrrd"]);
    assert_eq!((code, messages.lines().count()), (Some(1), 1), "{messages}");
    assert!(messages.contains("image1.nrrd is no log"), "{messages}");
    assert!(std::fs::read(folder.path().join("image1.nrrd")).unwrap() == image);
}

#[test]
fn the_ibsi_profile_has_features_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write_batch(folder.path());
    std::fs::write(folder.path().join("ibsi.yaml"), "discretisation: {fixed_bin_number: 16}\n").unwrap();
    let rows =
        table(folder.path(), &["image1.nrrd", "mask1.nrrd", "--profile", "ibsi", "-f", "csv", "-p", "ibsi.yaml"]);
    let value = |rows: &[csv::StringRecord], name: &str| -> f64 {
        let column = rows[0].iter().position(|column| column == name).unwrap();
        rows[1][column].parse().unwrap()
    };
    // 4 x 6 x 7 voxels of 0.8 x 0.8 x 2 mm, of which 4 x 6 x 4 have label 1.
    assert!((value(&rows, "morph_vol_approx") - 96.0 * 1.28).abs() < 1e-9);
    assert!(value(&rows, "cm_contrast_3D_comb") > 0.0);
    assert_eq!(value(&rows, "diagnostics_IBSI-IntensityMask-resegmented_VoxelNum"), 96.0);
    // The columns are the same when no case has a value.
    let absent = ["image1.nrrd", "mask1.nrrd", "--profile", "ibsi", "-f", "csv", "-p", "ibsi.yaml", "--label", "77"];
    let without_value = table(folder.path(), &[&absent[..], &["--keep-going"]].concat());
    assert_eq!(without_value[0], rows[0]);
    assert_eq!(without_value.len(), 2);
    let refused = alnm(folder.path(), &["image1.nrrd", "mask1.nrrd", "--profile", "ibsi", "-s", "binWidth:5"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--setting"));
}

/// Columns and exact values of the measurements in a report, region by region.
fn reported(path: &Path) -> Vec<Vec<(String, f64)>> {
    use dicom_dictionary_std::tags;
    use dicom_object::InMemDicomObject;

    fn content(item: &InMemDicomObject) -> &[InMemDicomObject] {
        item.element(tags::CONTENT_SEQUENCE).unwrap().items().unwrap()
    }
    let text = |item: &InMemDicomObject, tag| item.element(tag).unwrap().to_str().unwrap().trim().to_owned();
    let report = dicom_object::open_file(path).unwrap();
    let groups = content(content(&report).last().unwrap());
    let value = |number: &InMemDicomObject| {
        let measured = number.element(tags::MEASURED_VALUE_SEQUENCE).unwrap().items().unwrap().first();
        measured.map_or(f64::NAN, |item| item.element(tags::FLOATING_POINT_VALUE).unwrap().to_float64().unwrap())
    };
    let numbers = |group: &InMemDicomObject| {
        let numbers = content(group).iter().filter(|item| text(item, tags::VALUE_TYPE) == "NUM");
        numbers.map(|number| (text(&content(number)[0], tags::TEXT_VALUE), value(number))).collect()
    };
    groups.iter().map(numbers).collect()
}

#[test]
fn a_report_holds_the_numbers_of_the_table() {
    use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_batch(path);
    let alnm_imaging::Image::I16(image) = alnm_imaging::read_image(path.join("image1.nrrd")).unwrap() else {
        panic!("no i16")
    };
    write_series(path.join("ct"), &[Phase::new(image, 0.0)], &SeriesAttributes::new("P", "CT").with_modality("CT"))
        .unwrap();
    let shared = ["ct", "mask1.nrrd", "--labels", "all", "-f", "csv"];
    for (profile, report) in [("pyradiomics", "a.sr.dcm"), ("ibsi", "b.sr.dcm")] {
        let rows = table(path, &[&shared[..], &["--profile", profile, "--sr", report]].concat());
        let regions = reported(&path.join(report));
        assert_eq!(regions.len(), 2);
        for (region, row) in regions.iter().zip(&rows[1..]) {
            assert!(region.len() > 100, "{profile}: {}", region.len());
            for (column, value) in region {
                let place = rows[0].iter().position(|name| name == column).unwrap();
                let written: f64 = row[place].parse().unwrap();
                assert!(written.to_bits() == value.to_bits() || (written.is_nan() && value.is_nan()), "{column}");
            }
        }
    }
    // The report refers to the segmentation that was written beside it, and to one that is given.
    table(path, &["ct", "a.seg.dcm", "--labels", "1", "-f", "csv", "--sr", "c.sr.dcm"]);
    assert!(!path.join("c.seg.dcm").exists());
    assert_eq!(reported(&path.join("c.sr.dcm"))[0], reported(&path.join("a.sr.dcm"))[0]);
    for wrong in [
        &["ct", "mask1.nrrd", "--sr", "a.sr.dcm"][..],
        &["batch.csv", "--sr", "a.sr.dcm"],
        &["ct", "mask1.nrrd", "--mode", "voxel", "--sr", "d.sr.dcm"],
    ] {
        assert_eq!(alnm(path, wrong).status.code(), Some(1), "{wrong:?}");
    }
    assert_eq!(alnm(path, &["image1.nrrd", "mask1.nrrd", "--sr", "d.sr.dcm"]).status.code(), Some(1));
    assert!(!path.join("d.sr.dcm").exists());

    // A list of cases has a report for each; the third fails, and the fourth is a file of another format.
    let list =
        "Image,Mask,Label,Roi\nct,mask1.nrrd,1,\nct,a.seg.dcm,,Region 2\nct,mask1.nrrd,9,\nimage1.nrrd,mask1.nrrd,1,\n";
    std::fs::write(path.join("list.csv"), list).unwrap();
    let rows = table(path, &["list.csv", "-f", "csv", "--sr", "reports", "--keep-going"]);
    assert_eq!(rows.len(), 5);
    let mut files: Vec<String> = std::fs::read_dir(path.join("reports"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["Case-1.seg.dcm", "Case-1.sr.dcm", "Case-2.sr.dcm"]);
    let of_both = reported(&path.join("a.sr.dcm"));
    assert_eq!(reported(&path.join("reports/Case-1.sr.dcm"))[0], of_both[0]);
    assert_eq!(reported(&path.join("reports/Case-2.sr.dcm"))[0], of_both[1]);
    let again = alnm(path, &["list.csv", "-f", "csv", "--sr", "reports"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is already there"));
    table(path, &["ct", "mask1.nrrd", "-l", "1", "-f", "csv", "--sr", "a.sr.dcm", "--force"]);
    assert_eq!(reported(&path.join("a.sr.dcm")).as_slice(), &of_both[..1]);
}
