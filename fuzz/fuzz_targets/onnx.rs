//! Bytes read as an ONNX network, which is made ready to run.
#![no_main]

use alnm_deep::OnnxNetwork;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = OnnxNetwork::from_bytes(bytes, &[]);
});
