//! Bytes read as an answer of several parts: the first line is its media type, the byte behind it how many bytes come at
//! a time.
#![no_main]

use std::io::{self, Read};

use alnm_pacs::multipart::Multipart;
use libfuzzer_sys::fuzz_target;

struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(into.len()).min(self.0.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let line = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (content_type, rest) = bytes.split_at(line);
    let Some((&step, body)) = rest.get(1..).and_then(<[u8]>::split_first) else { return };
    let Ok(content_type) = std::str::from_utf8(content_type) else { return };
    let source = Dripping(body, usize::from(step).max(1));
    let Ok(mut parts) = Multipart::new(source, content_type) else { return };
    let mut total = 0;
    while let Ok(Some(mut part)) = parts.next_part() {
        total += io::copy(&mut part, &mut io::sink()).unwrap_or(0);
    }
    assert!(total <= body.len() as u64);
});
