//! Where the voxels lie and how they are written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

use super::header::Header;
use super::{Result, malformed, unsupported};
use crate::data_files::{DataFiles, FileSequence};
use crate::volume::Image;
use crate::voxel_data::VoxelLayout;

/// How the bytes of the voxels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    Text,
    Hex,
    Gzip,
    Bzip2,
}

impl Encoding {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "raw" => Self::Raw,
            "txt" | "text" | "ascii" => Self::Text,
            "hex" => Self::Hex,
            "gz" | "gzip" => Self::Gzip,
            "bz2" | "bzip2" => Self::Bzip2,
            _ => return None,
        })
    }

    /// The bytes of the voxels, or their text, from those of a file.
    fn decoder<'a>(self, reader: impl BufRead + 'a) -> Box<dyn Read + 'a> {
        match self {
            Self::Raw | Self::Text => Box::new(reader),
            Self::Hex => Box::new(HexReader { reader }),
            Self::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(reader)),
        }
    }
}

impl Header {
    /// The voxels that follow the header.
    pub(super) fn decode(&self, layout: &VoxelLayout, mut reader: impl BufRead, channel: Option<usize>) -> Result<Image> {
        if self.byte_skip < 0 {
            return Err(unsupported("byte skip -1 with data in the same file"));
        }
        skip_forward(&mut reader, self.line_skip, self.byte_skip.unsigned_abs()).map_err(|error| malformed(error.to_string()))?;
        match self.encoding {
            Encoding::Text => layout.read_text(reader, channel),
            encoding => layout.read_binary(encoding.decoder(reader), channel),
        }
    }

    /// The voxels of detached files, which lie in `folder` where their names are relative.
    pub(super) fn decode_files(&self, layout: &VoxelLayout, files: &DataFiles, folder: &Path, channel: Option<usize>) -> Result<Image> {
        let paths = files.paths(folder).map_err(malformed)?;
        let (total, count) = (layout.byte_count() as u64, paths.len() as u64);
        if total % count != 0 {
            return Err(malformed(format!("{count} data files for {total} bytes of voxels, which are no even parts")));
        }
        let part = total / count;
        let (encoding, line_skip, byte_skip) = (self.encoding, self.line_skip, self.byte_skip);
        let open = move |path: &Path| {
            let mut file = BufReader::new(File::open(path)?);
            if byte_skip < 0 {
                file.seek(SeekFrom::End(-i64::try_from(part).map_err(io::Error::other)?))?;
            } else {
                skip_forward(&mut file, line_skip, byte_skip.unsigned_abs())?;
            }
            Ok(encoding.decoder(file))
        };
        match self.encoding {
            Encoding::Text => layout.read_text(FileSequence::new(paths, None, open), channel),
            _ => layout.read_binary(FileSequence::new(paths, Some(part), open), channel),
        }
    }
}

/// Skips lines, then bytes. Before compressed data the bytes are those of the file, as ITK reads it.
fn skip_forward(reader: &mut impl BufRead, lines: usize, bytes: u64) -> io::Result<()> {
    for _ in 0..lines {
        if reader.skip_until(b'\n')? == 0 {
            return Err(io::Error::other(format!("line skip {lines} leaves the file")));
        }
    }
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
            return digit.map(|digit| Some(digit as u8)).ok_or_else(|| io::Error::other("hex data hold another character than 0 to f"));
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
