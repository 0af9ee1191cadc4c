//! The manners of all commands: help, wrong words, missing files, empty input, existing output, pipes, a closed pipe, a full
//! disk and Ctrl-C. Exit codes and messages stand in `manners.txt`; `ALNM_UPDATE_SNAPSHOTS=1` writes it anew.

#![cfg(target_os = "linux")]
// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use ndarray::Array3;

/// Command lines as a shell takes them, by the command that they are of.
const LINES: &[&str] = &[
    "alnm no-such-command",
    "alnm help exit-codes",
    "alnm help FORMATS | head -n 1",
    "alnm help columns | head -n 1",
    "alnm help configuration | head -n 1",
    "alnm --color sometimes info image.nrrd",
    "alnm info image.nrrd --quiet --verbose",
    "ALNM_CONFIG=text.nii alnm info image.nrrd",
    "ALNM_CONFIG=missing.toml alnm info image.nrrd",
    "ALNM_THREADS=none alnm info image.nrrd",
    // info
    "alnm info",
    "alnm info missing.nrrd",
    "alnm info missing.nrrd --json",
    "alnm info image.nrrd missing.nrrd --headers",
    "alnm info image.nrrd missing.nrrd --headers --quiet",
    "alnm info empty",
    "alnm info text.nii",
    "alnm info mask.nrrd",
    "alnm info image.nrrd --histogram=2",
    "alnm info - --headers < image.nrrd",
    "cat image.nrrd | alnm info /dev/stdin --headers",
    "alnm info - < empty",
    "alnm info image.nrrd | true",
    "alnm info image.nrrd > /dev/full",
    "alnm info --help > /dev/full",
    // convert
    "alnm convert image.nrrd",
    "alnm convert missing.nrrd out.nrrd",
    "alnm convert empty out.nrrd",
    "alnm convert image.nrrd there.nrrd",
    "alnm convert image.nrrd out.bmp",
    "alnm convert image.nrrd none/out.nrrd",
    "alnm convert image.nrrd - | alnm info - --headers",
    "alnm convert image.nrrd - --as nii.gz | alnm info - --headers | head -n 1",
    "alnm convert - - --as mha < image.nrrd | alnm info - --headers | head -n 1",
    "alnm convert image.nrrd - --as bmp",
    "alnm convert image.nrrd - --object seg",
    "alnm convert image.nrrd - | true",
    "alnm convert image.nrrd - > /dev/full",
    "alnm convert - out.nrrd --like - < image.nrrd",
    // n4
    "alnm n4 image.nrrd",
    "alnm n4 missing.nrrd out.nrrd",
    "alnm n4 empty out.nrrd",
    "alnm n4 image.nrrd there.nrrd",
    "alnm n4 image.nrrd out.nrrd --iterations 5,x",
    "alnm n4 image.nrrd out.nrrd --label 2",
    "alnm n4 image.nrrd - --bias-field -",
    "alnm n4 - - --iterations 2 < image.nrrd | alnm info - --headers | head -n 1",
    "alnm n4 image.nrrd - --iterations 2 > /dev/full",
    "alnm n4 image.nrrd - --iterations 2 | true",
    // resample
    "alnm resample image.nrrd out.nrrd",
    "alnm resample missing.nrrd out.nrrd --spacing 1",
    "alnm resample empty out.nrrd --spacing 1",
    "alnm resample image.nrrd there.nrrd --spacing 1",
    "alnm resample image.nrrd out.nrrd --spacing 1,1",
    "alnm resample image.nrrd out.nrrd --spacing 1,a,1",
    "alnm resample image.nrrd out.nrrd --spacing 1 --interpolator cubic",
    "alnm resample image.nrrd out.nrrd --spacing 1 --roi GTV",
    "alnm resample image.nrrd - --spacing 1x1x1mm | alnm info - --headers | grep spacing",
    "alnm resample image.nrrd - --spacing 2 --interpolator sitkLanczosWindowedSinc --quiet | alnm info - --headers | grep spacing",
    "alnm resample image.nrrd - --spacing 1 > /dev/full",
    "alnm resample image.nrrd - --spacing 1 | true",
    // extract
    "alnm extract",
    "alnm extract image.nrrd",
    "alnm extract image.nrrd missing.nrrd",
    "alnm extract image.nrrd empty",
    "alnm extract missing.csv",
    "alnm extract empty.csv",
    "alnm extract text.csv",
    "alnm extract image.nrrd mask.nrrd -o there.csv",
    "alnm extract image.nrrd mask.nrrd -f csv -o there.csv --append",
    "alnm extract image.nrrd mask.nrrd -s binWidht:10",
    "alnm extract image.nrrd mask.nrrd -s binWidht:10 --keep-going --quiet > table.txt",
    "alnm extract image.nrrd mask.nrrd -p missing.yaml",
    "alnm extract image.nrrd mask.nrrd -l 7 > row.txt",
    "alnm extract image.nrrd mask.nrrd -j 0",
    "alnm extract cases.csv -j 1 > rows.txt",
    "alnm extract cases.csv -j 1 --keep-going > rows.txt",
    "alnm extract cases.csv -j 1 --keep-going --quiet > rows.txt",
    "alnm extract semicolons.csv -f csv | cut -d , -f 1-4 | sed s,/.*/,,g",
    "alnm extract - -f csv < semicolons.csv | cut -d , -f 1-4 | sed s,/.*/,,g",
    "echo 'featureClass: {ngtdm: [Busyness]}' | alnm extract image.nrrd mask.nrrd -p - | grep Busy | cut -d : -f 1",
    "alnm extract - - < image.nrrd > row.txt",
    "cat image.nrrd | alnm extract - mask.nrrd --json | grep -c original_",
    "alnm extract image.nrrd mask.nrrd > /dev/full",
    "alnm extract image.nrrd mask.nrrd -o /dev/full",
    "alnm extract image.nrrd mask.nrrd | true",
    // segment, agreement
    "alnm segment image.nrrd",
    "alnm segment missing.nrrd -o out.nrrd --seed 5,5,5 --lower 10",
    "alnm segment empty -o out.nrrd --seed 5,5,5 --lower 10",
    "alnm segment image.nrrd -o there.nrrd --seed 5,5,5 --lower 10",
    "alnm segment image.nrrd -o out.nrrd --seed 5,5 --lower 10",
    "alnm agreement mask.nrrd",
    "alnm agreement mask.nrrd missing.nrrd",
    "alnm agreement mask.nrrd empty",
    "alnm agreement mask.nrrd mask.nrrd -o there.csv",
    "alnm agreement mask.nrrd mask.nrrd > /dev/full",
    "alnm agreement mask.nrrd mask.nrrd | true",
    "alnm agreement mask.nrrd mask.nrrd -o agreement.json && alnm agreement mask.nrrd mask.nrrd --json | cmp - agreement.json",
    // deep-features, grad-cam
    "alnm deep-features image.nrrd mask.nrrd",
    "alnm deep-features image.nrrd mask.nrrd --weights missing.safetensors -o out.csv",
    "alnm deep-features image.nrrd mask.nrrd --weights empty -o out.csv",
    "alnm deep-features image.nrrd mask.nrrd --weights empty -o there.csv",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd --weights missing.safetensors",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd --weights empty",
    "alnm grad-cam image.nrrd mask.nrrd there.nrrd --weights empty",
    // predict, calculator
    "alnm predict model.json",
    "alnm predict missing.json --patient patients.csv",
    "alnm predict empty --patient patients.csv",
    "alnm predict - --patient - < empty",
    "alnm predict empty --patient patients.csv -o there.csv",
    "alnm predict empty --patient patients.csv --format csv --json",
    "alnm calculator missing.json out.html",
    "alnm calculator empty out.html",
    "alnm calculator empty there.csv",
    // apply, validate
    "alnm apply missing.safetensors image.nrrd mask.nrrd",
    "alnm apply empty image.nrrd mask.nrrd",
    "alnm apply empty image.nrrd mask.nrrd -o there.csv",
    "alnm validate missing.safetensors cohort",
    "alnm validate empty cohort",
    "alnm validate empty cohort -o there.csv",
    // view
    "alnm view image.nrrd",
    "alnm view missing.nrrd out.png",
    "alnm view empty out.png",
    "alnm view image.nrrd there.png",
    "alnm view image.nrrd out.bmp",
    "alnm view image.nrrd -",
    "alnm view image.nrrd out.png --window 5",
    "alnm view - out.png < image.nrrd",
    "alnm view image.nrrd full.png",
];

/// Commands that wait for input from a pipe that nobody writes to, and are interrupted.
const WAITING: &[&str] = &[
    "info pipe",
    "info -",
    "convert pipe out.nrrd",
    "n4 pipe out.nrrd",
    "resample pipe out.nrrd --spacing 1",
    "extract pipe mask.nrrd",
    "extract image.nrrd mask.nrrd -p pipe",
    "extract cases.csv -p pipe --out-dir parts",
    "segment pipe -o out.nrrd --seed 5,5,5 --lower 10",
    "agreement mask.nrrd pipe",
    "deep-features image.nrrd mask.nrrd --weights pipe -o out.csv",
    "grad-cam image.nrrd mask.nrrd out.nrrd --weights pipe",
    "predict pipe --patient patients.csv",
    "calculator pipe out.html",
    "apply pipe image.nrrd mask.nrrd",
    "validate pipe cohort",
    "view pipe out.png",
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let geometry = Geometry::axis_aligned([12, 10, 8], [1.0, 1.0, 2.0]).unwrap();
    let voxels = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| ((x * 7 + y * 13 + z * 31) % 97) as i16 + 1);
    write_image(path.join("image.nrrd"), &Image::I16(Volume::new(voxels, geometry.clone()).unwrap())).unwrap();
    let inside = |(z, y, x): (usize, usize, usize)| u32::from((2..9).contains(&x) && (2..8).contains(&y) && z > 1);
    let mask = Volume::new(Array3::from_shape_fn(geometry.shape(), inside), geometry).unwrap();
    write_mask(path.join("mask.nrrd"), &mask).unwrap();
    for name in ["empty", "empty.csv"] {
        std::fs::write(path.join(name), "").unwrap();
    }
    std::fs::write(path.join("text.nii"), "no image").unwrap();
    std::fs::write(path.join("text.csv"), "ID,Picture\na,image.nrrd\n").unwrap();
    for name in ["there.nrrd", "there.csv", "there.png"] {
        std::fs::write(path.join(name), "mine").unwrap();
    }
    let cases = "ID,Image,Mask,Label\na,image.nrrd,mask.nrrd,1\nb,image.nrrd,mask.nrrd,7\n";
    std::fs::write(path.join("cases.csv"), cases).unwrap();
    std::fs::write(path.join("semicolons.csv"), "id;image;MASK;Ward\na;image.nrrd;mask.nrrd;7\n").unwrap();
    std::fs::write(path.join("patients.csv"), "age\n50\n").unwrap();
    std::os::unix::fs::symlink("/dev/full", path.join("full.png")).unwrap();
    assert!(Command::new("mkfifo").arg(path.join("pipe")).status().unwrap().success());
    folder
}

/// A command without settings of whoever runs the tests.
fn bare(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let binary = Path::new(env!("CARGO_BIN_EXE_alnm")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    command.current_dir(folder).env_clear().env("PATH", path).env("HOME", folder).stdin(Stdio::null());
    command
}

fn shell(folder: &Path, line: &str) -> Output {
    bare("bash", folder).args(["-o", "pipefail", "-c", line]).output().unwrap()
}

/// The commands that this build has.
fn commands(folder: &Path) -> Vec<String> {
    let help = String::from_utf8(shell(folder, "alnm --help").stdout).unwrap();
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("    "));
    let names: Vec<String> = names.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    names.into_iter().filter(|name| name != "help").collect()
}

/// The command that a line is of; none where it is of the program as a whole.
fn command_of(line: &str) -> Option<&str> {
    let after = line.split("alnm ").nth(1)?;
    let first = after.split_whitespace().find(|word| !word.starts_with('-') && *word != "sometimes")?;
    Some(first).filter(|word| !["no-such-command", "help"].contains(word))
}

/// What a command said, in the form of the snapshots: its code, and lines of standard output and standard error. How long
/// something took is left out.
fn said(output: &Output) -> String {
    let lines = |mark: &str, bytes: &[u8]| -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().map(|line| format!("{mark} {}", without_times(line)).trim_end().to_owned() + "\n").collect()
    };
    let code = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    format!("code {code}\n{}{}", lines("1|", &output.stdout), lines("2|", &output.stderr))
}

fn without_times(line: &str) -> String {
    let is_time = |word: &str| {
        word.split_once('.').is_some_and(|(whole, rest)| {
            rest.len() == 3 && (whole.to_owned() + rest).bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let words: Vec<&str> = line.split(' ').collect();
    let told = words
        .iter()
        .enumerate()
        .map(|(place, word)| if words.get(place + 1) == Some(&"s") && is_time(word) { "..." } else { word });
    told.collect::<Vec<_>>().join(" ")
}

/// The results of work on items, by several threads.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let place = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        *next - 1
                    };
                    let Some(item) = items.get(place) else { break };
                    let result = work(item);
                    results.lock().unwrap().insert(place, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manners.txt");

/// Compares what lines said with the snapshots, those of commands that this build has.
fn compare(said: BTreeMap<String, String>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap();
    let text = "\n".to_owned() + &std::fs::read_to_string(SNAPSHOTS).unwrap_or_default();
    let entries = text.split("\n$ ").skip(1).map(|entry| entry.split_once('\n').unwrap());
    let mut stored: BTreeMap<String, String> =
        entries.map(|(line, said)| (line.to_owned(), said.trim_end().to_owned() + "\n")).collect();
    if std::env::var_os("ALNM_UPDATE_SNAPSHOTS").is_some() {
        stored.extend(said);
        let text: String = stored.iter().map(|(line, said)| format!("$ {line}\n{said}\n")).collect();
        std::fs::write(SNAPSHOTS, text).unwrap();
        return;
    }
    drop(alone);
    let differing: Vec<String> = said
        .into_iter()
        .filter_map(|(line, now)| {
            let before = stored.get(&line).map_or("no snapshot\n", String::as_str);
            (before != now).then(|| format!("$ {line}\n--- before\n{before}--- now\n{now}"))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn codes_and_messages_are_those_of_the_snapshots() {
    let available = commands(folder().path());
    let lines: Vec<&str> = LINES
        .iter()
        .copied()
        .filter(|line| command_of(line).is_none_or(|command| available.iter().any(|known| known == command)))
        .collect();
    // Each line has a folder of its own, so that none sees what another wrote.
    let said = side_by_side(&lines, |line| {
        let folder = folder();
        let output = shell(folder.path(), line);
        for name in ["there.nrrd", "there.png"] {
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"mine", "{line}");
        }
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with(".unfinished"), "{line} leaves {name}");
        }
        said(&output).replace(&format!("{}/", folder.path().display()), "")
    });
    compare(lines.iter().map(|line| (*line).to_owned()).zip(said).collect());
}

#[test]
fn every_command_has_help_with_exit_codes_and_refuses_wrong_words() {
    let folder = folder();
    let names = commands(folder.path());
    assert!(names.len() > 8, "{names:?}");
    assert_eq!(shell(folder.path(), "alnm").status.code(), Some(2));
    side_by_side(&names, |name| {
        let help = shell(folder.path(), &format!("alnm {name} --help"));
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0), "{name}");
        assert!(text.contains(&format!("Usage: alnm {name}")), "{name}: {text}");
        assert!(text.contains("--quiet") && text.contains("--color <WHEN>"), "{name}: {text}");
        let last = text.trim_end().lines().last().unwrap();
        assert!(last.starts_with("Exit codes: 0 done, 1 failed, 2 "), "{name}: {last}");
        let wrong = shell(folder.path(), &format!("alnm {name} --no-such-option"));
        let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0), "{name}: {message}");
        assert!(message.starts_with("error: unexpected argument '--no-such-option' found"), "{name}: {message}");
        let closed = shell(folder.path(), &format!("alnm {name} --help | true"));
        assert_eq!((closed.status.code(), closed.stderr.len()), (Some(0), 0), "{name}");
        let version = shell(folder.path(), &format!("alnm {name} --version"));
        assert!(String::from_utf8_lossy(&version.stdout).contains(env!("CARGO_PKG_VERSION")), "{name}");
    });
}

/// Waits until a process would not be ended by the signal of Ctrl-C itself, but handles it.
fn wait_for_handler(process: &Child) {
    let start = Instant::now();
    let status = format!("/proc/{}/status", process.id());
    let handles = || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0) & 0b10 != 0)
    };
    while !handles() {
        assert!(start.elapsed() < Duration::from_secs(60), "the process handles no Ctrl-C");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ctrl_c_ends_every_command_with_130_and_says_what_is_kept() {
    let available = commands(folder().path());
    let lines: Vec<&str> = WAITING
        .iter()
        .copied()
        .filter(|line| available.iter().any(|known| line.split(' ').next() == Some(known)))
        .collect();
    let said = side_by_side(&lines, |line| {
        let folder = folder();
        let mut command = bare("alnm", folder.path());
        command.args(line.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let kept_open = process.stdin.take();
        wait_for_handler(&process);
        // A moment for what comes before the input is waited for.
        std::thread::sleep(Duration::from_millis(200));
        assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
        let output = process.wait_with_output().unwrap();
        drop(kept_open);
        said(&output)
    });
    compare(lines.iter().map(|line| format!("alnm {line} (Ctrl-C)")).zip(said).collect());
}

#[test]
fn colours_follow_the_option_and_the_environment() {
    let folder = folder();
    let message = |line: &str| String::from_utf8(shell(folder.path(), line).stderr).unwrap();
    let plain = "error: missing.nrrd: No such file or directory (os error 2)\n";
    assert_eq!(message("alnm info missing.nrrd"), plain);
    let coloured = message("alnm info missing.nrrd --color always");
    assert!(coloured.starts_with("\x1b[1;31merror:\x1b[0m missing.nrrd"), "{coloured:?}");
    assert_eq!(message("ALNM_COLOR=always alnm info missing.nrrd"), coloured);
    assert_eq!(message("ALNM_COLOR=always alnm info missing.nrrd --color never"), plain);
    std::fs::write(folder.path().join("config.toml"), "color = \"always\"\n").unwrap();
    assert_eq!(message("ALNM_CONFIG=config.toml alnm info missing.nrrd"), coloured);
    // On a terminal, as script(1) makes one, NO_COLOR counts.
    let on_terminal = |line: &str| {
        let output = shell(folder.path(), &format!("TERM=xterm script -qec '{line}' /dev/null"));
        String::from_utf8(output.stdout).unwrap()
    };
    if shell(folder.path(), "command -v script").status.success() {
        assert!(on_terminal("alnm info missing.nrrd").contains("\x1b[1;31merror:"));
        assert!(!on_terminal("NO_COLOR=1 alnm info missing.nrrd").contains("\x1b[1;31m"));
    }
}

#[test]
fn the_documents_have_the_table_of_exit_codes() {
    let table = String::from_utf8(shell(folder().path(), "alnm help exit-codes").stdout).unwrap();
    let document = include_str!("../../../docs/command.md");
    assert!(document.contains(&table), "docs/command.md lacks this table:\n{table}");
}

/// Whether a value is one of a schema, of which the words that docs/info.schema.json uses are known; else where it is not.
fn check(
    schema: &serde_json::Value,
    root: &serde_json::Value,
    value: &serde_json::Value,
    place: &str,
) -> Result<(), String> {
    use serde_json::Value;
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
    let folder = folder();
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../docs/info.schema.json")).unwrap();
    let dynamic = alnm_imaging::read_image(folder.path().join("image.nrrd")).unwrap().cast::<i16>();
    let phases = [0.0, 60.0].map(|time| alnm_imaging::dicom::Phase::new(dynamic.clone(), time));
    let attributes = alnm_imaging::dicom::SeriesAttributes::new("P", "dynamic");
    alnm_imaging::dicom::write_series(folder.path().join("series"), &phases, &attributes).unwrap();
    let line = "alnm convert mask.nrrd region.seg.dcm --like series; \
                alnm info image.nrrd mask.nrrd missing.nrrd text.nii series region.seg.dcm --json --histogram=4";
    let output = shell(folder.path(), line);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    check(&schema, &schema, &told, "$").unwrap();
    assert_eq!(told.as_array().map(Vec::len), Some(6));
    assert_eq!(told[0]["statistics"]["histogram"]["counts"].as_array().map(Vec::len), Some(4));
    assert_eq!((&told[1]["labels"][0]["voxels"], &told[1]["labels"][0]["parts"]), (&252.into(), &1.into()));
    assert!(told[2]["error"].as_str().unwrap().contains("No such file"), "{}", told[2]);
    assert_eq!(told[4]["series"][0]["statistics"]["volume"], 1);
    assert_eq!(told[5]["masks"][0]["kind"], "segmentation");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"P\""), "the patient is named");
    // The checker itself refuses what the schema does not allow.
    let mut wrong = told.clone();
    wrong[0]["volumes"] = "one".into();
    assert!(check(&schema, &schema, &wrong, "$").unwrap_err().contains("$[0].volumes"));
}
