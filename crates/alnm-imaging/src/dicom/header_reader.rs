//! A file whose header is read from front to back, with parts that are passed over.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::walk::ByteSource;

/// Bytes that are read at once from the start of a file on.
const AT_ONCE: usize = 1 << 13;

/// Bytes that are read at once behind a part that was passed over: what follows is often no more than the header of the
/// pixels. Where more of them are needed, twice as many are read each time.
const BEHIND_A_GAP: usize = 1 << 9;

/// A file of which some bytes are held that were read ahead.
pub(super) struct HeaderReader {
    file: File,
    memory: Box<[u8]>,
    /// Where in memory the bytes begin and end that are held.
    start: usize,
    end: usize,
    /// Bytes that are read next.
    next: usize,
}

impl HeaderReader {
    /// A file from its present place on.
    pub(super) fn new(file: File) -> Self {
        Self { file, memory: vec![0; AT_ONCE].into(), start: 0, end: 0, next: AT_ONCE }
    }

    /// The bytes that are held.
    pub(super) fn held(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Reads some bytes where none are held; there are none then where the file ends.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.start < self.end {
            return Ok(());
        }
        (self.start, self.end) = (0, 0);
        self.end = loop {
            match self.file.read(&mut self.memory[..self.next]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.next = (2 * self.next).min(AT_ONCE);
        Ok(())
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    fn take_held(&mut self, bytes: &mut [u8]) -> usize {
        let count = bytes.len().min(self.end - self.start);
        bytes[..count].copy_from_slice(&self.memory[self.start..self.start + count]);
        self.start += count;
        count
    }
}

impl Read for HeaderReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && bytes.len() >= AT_ONCE {
            return self.file.read(bytes);
        }
        self.fill()?;
        Ok(self.take_held(bytes))
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let mut taken = self.take_held(bytes);
        while taken < bytes.len() {
            match self.read(&mut bytes[taken..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => taken += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ByteSource for HeaderReader {
    fn pass_over(&mut self, bytes: u64) -> io::Result<()> {
        let held = (self.end - self.start) as u64;
        if bytes <= held {
            self.start += bytes as usize;
            return Ok(());
        }
        let beyond = i64::try_from(bytes - held).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        self.file.seek(SeekFrom::Current(beyond))?;
        (self.start, self.end, self.next) = (0, 0, BEHIND_A_GAP);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_byte_is_read_or_passed_over() {
        let content: Vec<u8> = (0..5 * AT_ONCE).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        for passed_over in [0, 1, 100, AT_ONCE - 100, AT_ONCE, 3 * AT_ONCE] {
            for count in [1, BEHIND_A_GAP + 1, AT_ONCE, AT_ONCE + 7] {
                file.rewind().unwrap();
                let mut reader = HeaderReader::new(file.try_clone().unwrap());
                let mut bytes = vec![0; 100];
                reader.read_exact(&mut bytes).unwrap();
                assert_eq!(bytes, content[..100]);
                reader.pass_over(passed_over as u64).unwrap();
                let mut bytes = vec![0; count];
                reader.read_exact(&mut bytes).unwrap();
                assert_eq!(bytes, content[100 + passed_over..][..count]);
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest).unwrap();
                assert_eq!(rest, content[100 + passed_over + count..]);
                assert!(reader.read_exact(&mut [0]).is_err());
            }
        }
    }
}
