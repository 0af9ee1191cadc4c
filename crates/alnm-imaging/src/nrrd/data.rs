//! Where the voxels lie and how they are written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;

use super::header::{Encoding, Header};
use super::{Result, malformed};
use crate::data_files::{DataFiles, FileSequence, seek_voxels};
use crate::deflate::{Wrapper, inflate};
use crate::volume::Image;
use crate::voxel_data::{Part, VoxelLayout};

impl Encoding {
    /// The bytes of the voxels, or their text, from those of a file.
    fn decoder<'a>(self, reader: impl BufRead + Send + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Raw | Self::Text => Box::new(reader),
            Self::Hex => Box::new(HexReader { reader }),
            Self::Gzip => inflate(reader, Wrapper::Gzip)?,
            Self::Bzip2 => Box::new(MultiBzDecoder::new(reader)),
        })
    }
}

impl Header {
    /// The voxels that follow the header.
    pub(super) fn decode(&self, layout: &VoxelLayout, reader: impl BufRead + Seek + Send, part: Part) -> Result<Image> {
        let mut voxels =
            self.place().open(reader, layout.byte_count() as u64).map_err(|error| malformed(error.to_string()))?;
        match self.encoding {
            Encoding::Text => layout.read_text(&mut voxels, part),
            _ => layout.read_binary(&mut voxels, part),
        }
    }

    /// The voxels of detached files, which lie in `folder` where their names are relative.
    pub(super) fn decode_files(
        &self,
        layout: &VoxelLayout,
        files: &DataFiles,
        folder: &Path,
        part: Part,
    ) -> Result<Image> {
        let paths = files.paths(folder).map_err(malformed)?;
        let (total, count) = (layout.byte_count() as u64, paths.len() as u64);
        if total % count != 0 {
            return Err(malformed(format!("{count} data files for {total} bytes of voxels, which are no even parts")));
        }
        let (share, place) = (total / count, self.place());
        let open = move |path: &Path| place.open(BufReader::new(File::open(path)?), share);
        match self.encoding {
            Encoding::Text => layout.read_text(&mut FileSequence::new(paths, None, open), part),
            _ => layout.read_binary(&mut FileSequence::new(paths, Some(share), open), part),
        }
    }

    fn place(&self) -> Place {
        Place { encoding: self.encoding, line_skip: self.line_skip, byte_skip: self.byte_skip }
    }
}

/// The last so many bytes of what a reader gives. Memory grows with what is really there, to twice of what is kept.
fn last_bytes(reader: &mut dyn Read, count: u64) -> io::Result<Vec<u8>> {
    const AT_ONCE: u64 = 1 << 20;
    let kept = usize::try_from(count).map_err(|_| io::Error::other(format!("{count} bytes of voxels")))?;
    let mut bytes = Vec::new();
    while reader.take(AT_ONCE).read_to_end(&mut bytes)? > 0 {
        if bytes.len() / 2 > kept {
            bytes.drain(..bytes.len() - kept);
        }
    }
    let start = bytes.len().checked_sub(kept);
    let start = start.ok_or_else(|| io::Error::other(format!("{} bytes where {count} belong", bytes.len())))?;
    bytes.drain(..start);
    Ok(bytes)
}

/// Where the voxels begin in each file.
#[derive(Debug, Clone, Copy)]
struct Place {
    encoding: Encoding,
    line_skip: usize,
    byte_skip: i64,
}

impl Place {
    /// The decoded voxels of a file that holds so many bytes of them.
    fn open<'a>(self, mut reader: impl BufRead + Seek + Send + 'a, bytes: u64) -> io::Result<Box<dyn Read + 'a>> {
        for _ in 0..self.line_skip {
            if reader.skip_until(b'\n')? == 0 {
                return Err(io::Error::other(format!("line skip {} leaves the file", self.line_skip)));
            }
        }
        let Ok(skip) = u64::try_from(self.byte_skip) else {
            if matches!(self.encoding, Encoding::Gzip | Encoding::Bzip2) {
                let end =
                    last_bytes(&mut *self.encoding.decoder(reader)?, bytes.saturating_add(!self.byte_skip as u64))?;
                return Ok(Box::new(io::Cursor::new(end)));
            }
            seek_voxels(&mut reader, None, bytes.saturating_add(!self.byte_skip as u64))?;
            return self.encoding.decoder(reader);
        };
        // Lines are those of the file; of compressed voxels, the bytes are those of what they decompress to.
        if matches!(self.encoding, Encoding::Gzip | Encoding::Bzip2) {
            let mut voxels = self.encoding.decoder(reader)?;
            skip_bytes(&mut voxels, skip)?;
            return Ok(voxels);
        }
        skip_bytes(&mut reader, skip)?;
        self.encoding.decoder(reader)
    }
}

fn skip_bytes(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    if io::copy(&mut reader.by_ref().take(bytes), &mut io::sink())? != bytes {
        return Err(io::Error::other(format!("byte skip {bytes} leaves the file")));
    }
    Ok(())
}

/// Bytes written as pairs of hexadecimal digits, white space ignored.
struct HexReader<R> {
    reader: R,
}

impl<R: BufRead> HexReader<R> {
    fn next_digit(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(&byte) = self.reader.fill_buf()?.first() else { return Ok(None) };
            self.reader.consume(1);
            if byte.is_ascii_whitespace() {
                continue;
            }
            let digit = char::from(byte).to_digit(16);
            return digit
                .map(|digit| Some(digit as u8))
                .ok_or_else(|| io::Error::other("hex data hold another character than 0 to f"));
        }
    }
}

impl<R: BufRead> Read for HexReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for (filled, byte) in buffer.iter_mut().enumerate() {
            let Some(high) = self.next_digit()? else { return Ok(filled) };
            let Some(low) = self.next_digit()? else { return Ok(filled) };
            *byte = high << 4 | low;
        }
        Ok(buffer.len())
    }
}
