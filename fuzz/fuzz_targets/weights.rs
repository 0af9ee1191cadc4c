//! Bytes read as a file of weights: safetensors, the zip archive and pickle of PyTorch, and a saved network.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use alnm_deep::{Network, read_state_dict};
use libfuzzer_sys::fuzz_target;

/// The readers take a path. A file of each process, in memory where the system has a place for that.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("alnm-fuzz-weights-{}", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).expect("a file can be written");
    let _ = read_state_dict(&FILE);
    let _ = Network::load(&*FILE);
});
