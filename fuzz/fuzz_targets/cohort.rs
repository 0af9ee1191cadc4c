//! Text read as the description and the table of a cohort folder: what stands before a line of dashes is the first, and
//! what follows it the second.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use alnm_study::cohort;
use libfuzzer_sys::fuzz_target;

/// The reader takes a folder: one of each process, in memory where the system has a place for that.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = parent.join(format!("alnm-fuzz-cohort-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
});

fuzz_target!(|text: &str| {
    let (description, table) = text.split_once("\n---\n").unwrap_or((text, text));
    std::fs::write(FOLDER.join("cohort.toml"), description).expect("a file can be written");
    std::fs::write(FOLDER.join("patients.csv"), table).expect("a file can be written");
    match cohort::load(&FOLDER) {
        Ok(_) => {}
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
});
