//! Bytes read as a NIfTI file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = alnm_imaging::nifti::decode(bytes);
});
