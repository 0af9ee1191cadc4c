//! The command `alnm info` on files, and the schema of what it says.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

mod command;

use std::path::Path;
use std::process::Command;

use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use ndarray::Array3;
use serde_json::Value;

use command::{fails, succeeds};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/info.schema.json")).unwrap()
}

/// What is told of paths, with the exit code.
fn told(folder: &Path, paths: &str) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
    command.current_dir(folder).args(["info", "--json", "--histogram=4"]).args(paths.split_whitespace());
    let output = command.output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    check(&schema(), &schema(), &told, "$").unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"P\""), "the patient is named");
    (output.status.code(), told)
}

/// Whether a value is one of a schema, of which the words that docs/info.schema.json uses are known; else where it is not.
fn check(schema: &Value, root: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let named = root.pointer(name.strip_prefix('#').unwrap()).ok_or_else(|| format!("no {name}"))?;
        return check(named, root, value, place);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return if allowed.contains(value) { Ok(()) } else { Err(format!("{place} is {value}; of {allowed:?}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let is_number = kind == "integer" && kinds.contains(&"number");
    if !is_number && !kinds.contains(&kind) {
        return Err(format!("{place} is {value}; of type {kinds:?}"));
    }
    if let Some(items) = value.as_array() {
        let outside = |limit: &str, beyond: fn(usize, usize) -> bool| {
            schema[limit].as_u64().is_some_and(|limit| beyond(items.len(), limit as usize))
        };
        if outside("minItems", |found, least| found < least) || outside("maxItems", |found, most| found > most) {
            return Err(format!("{place} has {} items", items.len()));
        }
        for (number, item) in items.iter().enumerate() {
            check(&schema["items"], root, item, &format!("{place}[{number}]"))?;
        }
    }
    if let Some(object) = value.as_object() {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(required) {
                return Err(format!("{place} lacks {required}"));
            }
        }
        for (name, member) in object {
            match schema["properties"].get(name) {
                Some(of_member) => check(of_member, root, member, &format!("{place}.{name}"))?,
                None if schema["additionalProperties"] == Value::Bool(false) => {
                    return Err(format!("{place} has {name}, which the schema does not know"));
                }
                None => {}
            }
        }
    }
    Ok(())
}

#[test]
fn json_of_info_is_as_its_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let geometry = Geometry::axis_aligned([12, 10, 8], [1.0, 1.0, 2.0]).unwrap();
    let voxels = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| ((x * 7 + y * 13 + z * 31) % 97) as i16 + 1);
    let image = Volume::new(voxels, geometry.clone()).unwrap();
    let inside = |(z, y, x): (usize, usize, usize)| u32::from((2..9).contains(&x) && (2..8).contains(&y) && z > 1);
    let mask = Volume::new(Array3::from_shape_fn(geometry.shape(), inside), geometry).unwrap();
    write_mask(path.join("mask.nrrd"), &mask).unwrap();
    std::fs::write(path.join("text.nii"), "no image").unwrap();
    let phases = [0.0, 60.0].map(|time| alnm_imaging::dicom::Phase::new(image.clone(), time));
    let attributes = alnm_imaging::dicom::SeriesAttributes::new("P", "dynamic");
    alnm_imaging::dicom::write_series(path.join("series"), &phases, &attributes).unwrap();
    write_image(path.join("image.nrrd"), &Image::I16(image)).unwrap();
    succeeds(path, "convert mask.nrrd region.seg.dcm --like series");
    succeeds(path, "extract series region.seg.dcm --phase 1 --sr report.sr.dcm --quiet");
    let (code, told) = told(path, "image.nrrd mask.nrrd missing.nrrd text.nii series region.seg.dcm report.sr.dcm");
    assert_eq!(code, Some(4));
    assert_eq!(told.as_array().map(Vec::len), Some(7));
    assert_eq!((&told[6]["others"][0]["modality"], &told[6]["others"][0]["files"]), (&"SR".into(), &1.into()));
    assert_eq!(told[0]["statistics"]["histogram"]["counts"].as_array().map(Vec::len), Some(4));
    assert_eq!((&told[1]["labels"][0]["voxels"], &told[1]["labels"][0]["parts"]), (&252.into(), &1.into()));
    assert!(told[2]["error"].as_str().unwrap().contains("No such file"), "{}", told[2]);
    assert_eq!(told[4]["series"][0]["statistics"]["volume"], 1);
    assert_eq!(told[5]["masks"][0]["kind"], "segmentation");
    let (segmented, geometry) = (&told[5]["masks"][0]["labels"][0], &told[5]["masks"][0]["geometry"]);
    for key in ["voxels", "volume_mm3", "parts", "largest_part"] {
        assert_eq!(segmented[key], told[1]["labels"][0][key], "{key}");
    }
    assert_eq!((&segmented["name"], &geometry["spacing"]), (&"Region 1".into(), &serde_json::json!([1.0, 1.0, 2.0])));
    let text = succeeds(path, "info region.seg.dcm").results;
    assert!(text.contains("  spacing    [1.0, 1.0, 2.0] mm\n"), "{text}");
    assert!(text.contains("  region 1 \"Region 1\": 252 voxels, 504 mm3, 1 part\n"), "{text}");
    assert!(succeeds(path, "info region.seg.dcm --headers").results.contains("  region 1 \"Region 1\"\n"));
    // The checker itself refuses what the schema does not allow.
    let mut wrong = told.clone();
    wrong[0]["volumes"] = "one".into();
    assert!(check(&schema(), &schema(), &wrong, "$").unwrap_err().contains("$[0].volumes"));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_unicode_is_told_all_the_same() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let geometry = Geometry::axis_aligned([2, 2, 2], [1.0; 3]).unwrap();
    write_mask(folder.path().join("mask.nrrd"), &Volume::filled(geometry, 1)).unwrap();
    let names = [&b"there\xff.nrrd"[..], b"absent\xff.nrrd"].map(std::ffi::OsStr::from_bytes);
    std::fs::rename(folder.path().join("mask.nrrd"), folder.path().join(names[0])).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
    let output = command.current_dir(folder.path()).args(["info", "--json"]).args(names).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    check(&schema(), &schema(), &told, "$").unwrap();
    assert_eq!((&told[0]["path"], &told[0]["voxels"]), (&"there\u{fffd}.nrrd".into(), &"U8".into()));
    assert_eq!(told[1]["path"], "absent\u{fffd}.nrrd");
    assert!(told[1]["error"].as_str().unwrap().contains("No such file"), "{told}");
}

#[test]
fn advice_fits_what_is_wrong_with_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let nrrd = |name: &str, fields: &str| {
        let text = format!("NRRD0004\ndimension: 3\nencoding: raw\n{fields}\n\n");
        std::fs::write(path.join(name), text).unwrap();
    };
    nrrd("endian.nrrd", "type: short\nsizes: 1 1 1");
    nrrd("huge.nrrd", "type: uchar\nsizes: 1000000 1000000 1000000");
    nrrd("zero.nrrd", "type: uchar\nsizes: 0 1 1");
    let axes = "type: uchar\nsizes: 1 1 1\nspace: left-posterior-superior\nspace directions:";
    nrrd("sheared.nrrd", &format!("{axes} (1,0,0) (0.3,1,0) (0,0,1)"));
    nrrd("singular.nrrd", &format!("{axes} (1,0,0) (1,0,0) (0,0,1)"));
    let mut flat = nifti(2, 0, &[4, 3, 2], b"n+1\0", 24);
    flat[80..84].copy_from_slice(&0.0_f32.to_le_bytes());
    std::fs::write(path.join("flat.nii"), flat).unwrap();
    let mut nowhere = nifti(2, 0, &[4, 3, 2], b"n+1\0", 24);
    nowhere[254..256].copy_from_slice(&[0, 0]);
    std::fs::write(path.join("nowhere.nii"), nowhere).unwrap();
    let lone =
        "ObjectType = Image\nNDims = 3\nDimSize = 1 1 1\nElementType = MET_UCHAR\nElementDataFile = absent.raw\n";
    std::fs::write(path.join("lone.mhd"), lone).unwrap();
    std::fs::write(path.join("complex.nii"), nifti(32, 0, &[4, 3, 2], b"n+1\0", 192)).unwrap();
    let fitting = [
        ("endian.nrrd", "endian", "correct this field of the header"),
        ("huge.nrrd", "bytes of voxels", "correct the sizes in the header"),
        ("zero.nrrd", "size is [0, 1, 1]", "correct sizes, spacings and axes"),
        ("sheared.nrrd", "perpendicular", "perpendicular axes"),
        ("singular.nrrd", "invertible", "correct sizes, spacings and axes"),
        ("flat.nii", "pixdim[1] is 0", "correct this field of the header"),
        ("nowhere.nii", "neither qform nor sform", "do not rely on left and right"),
        ("lone.mhd", "cannot be read", "put the file of the voxels"),
        ("complex.nii", "no command reads the voxels", "the magnitude of complex numbers"),
    ];
    let (code, told) = told(path, &fitting.map(|(name, ..)| name).join(" "));
    assert_eq!(code, Some(0), "{told}");
    for (place, (name, what, advice)) in fitting.into_iter().enumerate() {
        let odd = &told[place]["odd"];
        let holds = |key: &str, words: &str| odd[0][key].as_str().unwrap_or_default().contains(words);
        assert!(holds("what", what) && holds("advice", advice) && odd[1].is_null(), "{name}: {odd}");
    }
}

/// A NIfTI header of a type with the lengths of its axes, 1 mm apart, and its voxels.
fn nifti(datatype: i16, intent: i16, dim: &[i16], magic: &[u8; 4], bytes: usize) -> Vec<u8> {
    let mut header = vec![0; 352];
    let mut put = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, &348_i32.to_le_bytes());
    put(40, &(dim.len() as i16).to_le_bytes());
    for (axis, length) in dim.iter().enumerate() {
        put(42 + 2 * axis, &length.to_le_bytes());
        put(80 + 4 * axis, &1.0_f32.to_le_bytes());
    }
    put(68, &intent.to_le_bytes());
    put(70, &datatype.to_le_bytes());
    put(108, &352.0_f32.to_le_bytes());
    put(254, &1_i16.to_le_bytes());
    for row in 0..3 {
        put(280 + 20 * row, &1.0_f32.to_le_bytes());
    }
    put(344, magic);
    header.resize(352 + bytes, 1);
    header
}

#[test]
fn what_no_command_reads_is_described_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, contents: &[u8]| std::fs::write(path.join(name), contents).unwrap();
    write("colours.nii", &nifti(128, 0, &[4, 3, 2], b"n+1\0", 72));
    write("complex.nii", &nifti(32, 0, &[4, 3, 2], b"n+1\0", 192));
    write("five.nii", &nifti(2, 0, &[4, 3, 2, 2, 3], b"n+1\0", 144));
    write("strange.nii", &nifti(7777, 0, &[4, 3, 2], b"n+1\0", 24));
    write("analyze.hdr", &nifti(4, 0, &[4, 3, 2], &[0; 4], 0));
    let nrrd = |sizes: &str, kinds: &str, voxels: usize| -> Vec<u8> {
        let dimension = sizes.split(' ').count();
        let header =
            format!("NRRD0004\ntype: uchar\ndimension: {dimension}\nsizes: {sizes}\nkinds: {kinds}\nencoding: raw\n\n");
        [header.as_bytes(), &vec![1; voxels]].concat()
    };
    write("colours.nrrd", &nrrd("3 4 3 2", "RGB-color domain domain domain", 72));
    write("matrices.nrrd", &nrrd("3 3 4 3 2", "vector vector domain domain domain", 216));
    let metaimage = |sizes: &str, channels: usize, voxels: usize| -> Vec<u8> {
        let dimensions = sizes.split(' ').count();
        let header = format!(
            "ObjectType = Image\nNDims = {dimensions}\nDimSize = {sizes}\nElementType = MET_UCHAR\nElementNumberOfChannels = \
             {channels}\nElementDataFile = LOCAL\n"
        );
        [header.as_bytes(), &vec![1; voxels]].concat()
    };
    write("colours.mha", &metaimage("4 3 2", 3, 72));
    write("five.mha", &metaimage("4 3 2 2 3", 1, 144));
    let files =
        "colours.nii complex.nii five.nii strange.nii analyze.hdr colours.nrrd matrices.nrrd colours.mha five.mha";
    let (code, told) = told(path, files);
    assert_eq!(code, Some(0), "{told}");
    let of = |name: &str| {
        let place = files.split(' ').position(|file| file == name).unwrap();
        assert_eq!(told[place]["path"], name);
        told[place].clone()
    };
    for (name, voxels, components, sizes) in [
        ("colours.nii", "RGB24", 3, vec![4, 3, 2]),
        ("complex.nii", "complex64", 2, vec![4, 3, 2]),
        ("five.nii", "uint8", 1, vec![4, 3, 2, 2, 3]),
        ("strange.nii", "datatype 7777", 1, vec![4, 3, 2]),
        ("analyze.hdr", "int16", 1, vec![4, 3, 2]),
        ("colours.nrrd", "uchar", 3, vec![4, 3, 2]),
        ("matrices.nrrd", "uchar", 9, vec![4, 3, 2]),
        ("colours.mha", "MET_UCHAR", 3, vec![4, 3, 2]),
        ("five.mha", "MET_UCHAR", 1, vec![4, 3, 2, 2, 3]),
    ] {
        let header = &of(name)["header"];
        assert_eq!((&header["voxels"], &header["components"]), (&voxels.into(), &components.into()), "{name}");
        assert_eq!(header["sizes"], serde_json::json!(sizes), "{name}");
        let has_grid = name != "analyze.hdr";
        assert_eq!(of(name)["geometry"]["size"] == serde_json::json!([4, 3, 2]), has_grid, "{name}");
        // Colours of NRRD and MetaImage are components that commands read one at a time.
        let is_read = ["colours.nrrd", "colours.mha"].contains(&name);
        assert_eq!(of(name)["voxels"].is_null(), !is_read, "{name}");
        let advice = of(name)["odd"].as_array().unwrap().len();
        assert_eq!(advice, usize::from(!is_read), "{name}: {}", of(name)["odd"]);
    }
    fails(path, "convert five.nii out.nrrd", 1, "more than four dimensions");
    let text = succeeds(path, "info five.nii colours.mha analyze.hdr").results;
    assert!(text.contains("all axes   [4, 3, 2, 2, 3]\n") && text.contains("voxels     U8, 3 components\n"), "{text}");
    assert!(
        text.contains("range      1 to 1, of component 1\n") && text.contains("spacing    [1.0, 1.0, 1.0] mm\n"),
        "{text}"
    );
}
