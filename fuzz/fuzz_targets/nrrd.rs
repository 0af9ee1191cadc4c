//! Bytes read as an NRRD file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = alnm_imaging::nrrd::decode(bytes);
});
