//! Bytes read as a DICOM file with an image.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = alnm_imaging::dicom::decode(bytes);
});
