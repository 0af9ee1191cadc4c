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

use lines::{LINES, WAITING, WRITING, folder};

#[path = "manners/lines.rs"]
mod lines;
mod small_network;

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
fn command_of(line: &'static str) -> Option<&'static str> {
    let after = line.split("alnm ").nth(1)?;
    let first = after.split_whitespace().find(|word| !word.starts_with('-') && *word != "sometimes")?;
    Some(first).filter(|word| !["no-such-command", "help"].contains(word))
}

/// What a command said, in the form of the snapshots: its code, and lines of standard output and standard error. How long
/// something took is left out.
fn said(output: &Output) -> String {
    let lines = |mark: &str, bytes: &[u8]| -> String {
        let text = String::from_utf8_lossy(bytes);
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

/// The files of a folder, those of its folders too.
fn files(folder: &Path) -> Vec<String> {
    let listed = shell(folder, "find . -mindepth 1 -not -type d").stdout;
    String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect()
}

fn assert_nothing_unfinished(folder: &Path, line: &str) {
    let left: Vec<String> = files(folder).into_iter().filter(|name| name.contains(".unfinished")).collect();
    assert!(left.is_empty(), "{line} leaves {left:?}");
}

/// The lines of commands that this build has.
fn of_this_build(lines: &[&'static str], command: impl Fn(&'static str) -> Option<&'static str>) -> Vec<&'static str> {
    let available = commands(folder().path());
    let is_known = |line: &&'static str| command(line).is_none_or(|name| available.iter().any(|known| known == name));
    lines.iter().copied().filter(is_known).collect()
}

#[test]
fn codes_and_messages_are_those_of_the_snapshots() {
    let lines = of_this_build(LINES, command_of);
    // Each line has a folder of its own, so that none sees what another wrote.
    let said = side_by_side(&lines, |line| {
        let folder = folder();
        let output = shell(folder.path(), line);
        for name in ["there.nrrd", "there.png"] {
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"mine", "{line}");
        }
        assert_nothing_unfinished(folder.path(), line);
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
    let lines = of_this_build(WAITING, |line| line.split(' ').next());
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
        assert!(!folder.path().join("out.nrrd").exists(), "{line}");
        assert_nothing_unfinished(folder.path(), line);
        said(&output)
    });
    compare(lines.iter().map(|line| format!("alnm {line} (Ctrl-C)")).zip(said).collect());
}

#[test]
fn a_disk_that_is_full_ends_every_command_with_1_and_nothing_half_written() {
    let lines = of_this_build(WRITING, |line| line.split(' ').next());
    let said = side_by_side(&lines, |line| {
        let folder = folder();
        let before = files(folder.path());
        // No file may grow, as on a disk without room; the signal for it is not what ends programs there.
        let output = shell(folder.path(), &format!("trap '' XFSZ; ulimit -f 0; alnm {line}"));
        let mut after = files(folder.path());
        after.retain(|name| !before.contains(name));
        assert!(after.is_empty(), "{line} leaves {after:?}");
        // The template of a study keeps the folder that it was to fill.
        let leaves_folder = folder.path().join("out").exists() && !line.starts_with("study");
        assert!(!leaves_folder, "{line} leaves an empty folder");
        said(&output).replace(&format!("{}/", folder.path().display()), "")
    });
    compare(lines.iter().map(|line| format!("alnm {line} (full disk)")).zip(said).collect());
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
fn a_terminal_shows_a_bar_with_the_time_that_is_left() {
    let folder = folder();
    if !shell(folder.path(), "command -v script && command -v timeout").status.success() {
        return;
    }
    let line = "stty cols 120; timeout --foreground -s INT 1 \
                alnm segment image.nrrd -o out.nrrd --seed 5,5,5 --lower 10 --iterations 1000000000";
    let shown = shell(folder.path(), &format!("TERM=xterm NO_COLOR=1 script -qec '{line}' /dev/null"));
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("/1000000000 iterations [") && text.contains(" left] "), "{text:?}");
    assert!(
        text.trim_end().ends_with("error: interrupted; nothing is kept; the same command begins again"),
        "{text:?}"
    );
}

#[test]
fn the_documents_have_the_table_of_exit_codes() {
    let table = String::from_utf8(shell(folder().path(), "alnm help exit-codes").stdout).unwrap();
    let document = include_str!("../../../docs/command.md");
    assert!(document.contains(&table), "docs/command.md lacks this table:\n{table}");
}
