//! Bytes read as a JPEG 2000 codestream: of the size that it announces, in a DICOM file, grey and in colours.
#![no_main]

use std::panic;

use alnm_imaging::dicom;
use libfuzzer_sys::fuzz_target;

/// The most pixels that are decoded here; larger images take longer, and show nothing else.
const MOST: u32 = 1 << 20;

fn element(group: u16, number: u16, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = [group.to_le_bytes(), number.to_le_bytes()].concat();
    bytes.extend_from_slice(vr);
    if vr == b"OB" {
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    bytes.extend_from_slice(value);
    bytes
}

/// Panics of the decoder's counters, which the reader catches and turns into an error of the frame, do not end the process; all
/// others do.
fn let_caught_panics_pass() {
    let end_process = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let is_the_decoders = panic.location().is_some_and(|place| place.file().contains("openjp2"));
        if !is_the_decoders {
            end_process(panic);
        }
    }));
}

fuzz_target!(init: let_caught_panics_pass(), |stream: &[u8]| {
    let number = |at: usize| stream.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes")));
    let [columns, rows] = [number(8).wrapping_sub(number(16)), number(12).wrapping_sub(number(20))];
    let is_sensible = (1..=0xffff).contains(&columns) && (1..=0xffff).contains(&rows);
    if !is_sensible || columns * rows > MOST {
        return;
    }
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    file.extend(element(2, 0x10, b"UI", b"1.2.840.10008.1.2.4.90"));
    file.extend(element(8, 0x60, b"CS", b"OT"));
    file.extend(element(0x20, 0xe, b"UI", b"2.25.1"));
    file.extend(element(0x28, 2, b"US", &[1, 0]));
    file.extend(element(0x28, 4, b"CS", b"MONOCHROME2 "));
    file.extend(element(0x28, 0x10, b"US", &(rows as u16).to_le_bytes()));
    file.extend(element(0x28, 0x11, b"US", &(columns as u16).to_le_bytes()));
    file.extend(element(0x28, 0x100, b"US", &[16, 0]));
    file.extend(element(0x28, 0x101, b"US", &[16, 0]));
    file.extend(element(0x28, 0x102, b"US", &[15, 0]));
    file.extend(element(0x28, 0x103, b"US", &[0, 0]));
    file.extend_from_slice(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0");
    let padded = stream.len().next_multiple_of(2);
    file.extend_from_slice(&(padded as u32).to_le_bytes());
    file.extend_from_slice(stream);
    file.resize(file.len() + padded - stream.len(), 0);
    file.extend_from_slice(b"\xfe\xff\xdd\xe0\0\0\0\0");
    let _ = dicom::decode(&file);
});
