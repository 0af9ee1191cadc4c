//! Text read as a transform file of ITK; what is read is written and read again.
#![no_main]

use alnm_registration::SpatialTransform;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(transform) = text.parse::<SpatialTransform>() {
        let written = transform.to_itk_text();
        let again = written.parse::<SpatialTransform>().expect("what was written is read");
        assert_eq!(again.to_itk_text(), written);
        let _ = (transform.displacement([1.0, 2.0, 3.0]), transform.jacobian_determinant([1.0, 2.0, 3.0]));
    }
});
