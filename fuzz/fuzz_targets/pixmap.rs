//! Bytes read as the picture of a page.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = alnm_imaging::dicom::ColourPage::from_pixmap(bytes);
});
