//! Compressed files: gzip and zlib streams whose parts are deflated and inflated in parallel.
//!
//! A stream that is written here is one ordinary gzip member or zlib stream. Behind its header stands an empty stored
//! block, and then data in blocks of [`BLOCK`] bytes that are deflated each by itself and end with another empty stored
//! block (the "sync flush" of zlib), so that each begins at a whole byte and needs nothing of what stands before it.
//! Where blocks are cut depends on the data alone: the same data give the same bytes at any number of threads.
//!
//! A stream that begins so is inflated in parallel from the empty blocks that are found in it; whatever turns out not to
//! be one, and every other stream, is inflated from front to back.

mod encoder;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::ops::Range;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use flate2::{Decompress, FlushDecompress, Status};
use rayon::prelude::*;
use zlib_rs::adler32::{adler32, adler32_combine};
use zlib_rs::crc32::{crc32, crc32_combine};

use crate::volume::Image;
use crate::voxel_data::{VoxelBytes, little_endian};
use encoder::Encoder;

pub(crate) use encoder::Effort;

/// Bytes of a block before it is deflated.
const BLOCK: usize = 1 << 19;

/// Blocks of each thread that are deflated before they are written.
const BLOCKS_OF_THREAD: usize = 32;

/// How an empty stored block that begins at a whole byte ends.
const EMPTY_BLOCK_END: [u8; 4] = [0, 0, 0xff, 0xff];

/// An empty stored block at the start of a stream.
const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// A last block without data.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Compressed bytes that one thread inflates at a time. Fuzzing tries short inputs, which have several parts too then.
#[allow(unexpected_cfgs, reason = "the flag of fuzzers")]
const PART: usize = if cfg!(fuzzing) { 1 << 7 } else { 1 << 18 };

/// Parts of each thread that are inflated before they are read: so many that threads seldom wait for each other, and so few
/// that the data are still in the processor's cache when they are read.
const PARTS_OF_THREAD: usize = 4;

/// How many times their compressed bytes most data need; memory that is not used costs nothing.
const USUAL_EXPANSION: usize = 4;

/// The most bytes to which a part may inflate, or it is inflated as it is read.
const LARGEST_PART: usize = 64 << 20;

/// What stands around deflated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    /// RFC 1952, with a CRC-32.
    Gzip,
    /// RFC 1950, with an Adler-32.
    Zlib,
}

impl Wrapper {
    /// Without a time or name, made by a fast algorithm on an unknown system.
    fn header(self) -> &'static [u8] {
        match self {
            Self::Gzip => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff],
            Self::Zlib => &[0x78, 0x5e],
        }
    }

    fn trailer_length(self) -> usize {
        match self {
            Self::Gzip => 8,
            Self::Zlib => 4,
        }
    }

    fn checksum_of(self, bytes: &[u8]) -> Checksum {
        let start = Checksum::new(self);
        let value = match self {
            Self::Gzip => crc32(start.value, bytes),
            Self::Zlib => adler32(start.value, bytes),
        };
        Checksum { value, length: bytes.len() as u64, ..start }
    }
}

/// The checksum of data, and their length.
#[derive(Debug, Clone, Copy)]
struct Checksum {
    wrapper: Wrapper,
    value: u32,
    length: u64,
}

impl Checksum {
    /// That of no data.
    fn new(wrapper: Wrapper) -> Self {
        Self { wrapper, value: if wrapper == Wrapper::Gzip { 0 } else { 1 }, length: 0 }
    }

    /// That of these data and of others behind them.
    fn followed_by(self, next: Self) -> Self {
        let value = match self.wrapper {
            Wrapper::Gzip => crc32_combine(self.value, next.value, next.length),
            Wrapper::Zlib => adler32_combine(self.value, next.value, next.length),
        };
        Self { value, length: self.length + next.length, ..self }
    }

    fn trailer(self) -> Vec<u8> {
        match self.wrapper {
            Wrapper::Gzip => [self.value, self.length as u32].iter().flat_map(|number| number.to_le_bytes()).collect(),
            Wrapper::Zlib => self.value.to_be_bytes().to_vec(),
        }
    }
}

/// Writes bytes, and behind them the voxels of an image in raster order and little endian, as one compressed stream.
pub(crate) fn write_compressed(
    sink: &mut (dyn Write + Send),
    wrapper: Wrapper,
    effort: Effort,
    before: &[u8],
    image: Option<&Image>,
) -> io::Result<()> {
    sink.write_all(wrapper.header())?;
    sink.write_all(&EMPTY_BLOCK)?;
    let checksum = write_blocks(sink, effort, Checksum::new(wrapper), &before)?;
    let checksum = match image {
        Some(image) => crate::with_volume!(image, volume => write_blocks(sink, effort, checksum, &volume.as_slice()))?,
        None => checksum,
    };
    sink.write_all(&LAST_BLOCK)?;
    sink.write_all(&checksum.trailer())
}

/// Numbers of some type, as bytes.
trait Numbers: Sync {
    fn count(&self) -> usize;

    /// Bytes of a number.
    fn width(&self) -> usize;

    /// The bytes of some of them, little endian.
    fn bytes(&self, numbers: Range<usize>) -> Cow<'_, [u8]>;
}

impl<T: VoxelBytes> Numbers for &[T] {
    fn count(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        T::BYTES
    }

    fn bytes(&self, numbers: Range<usize>) -> Cow<'_, [u8]> {
        little_endian(&self[numbers])
    }
}

/// A block of data, deflated.
struct Block {
    deflated: Vec<u8>,
    checksum: Checksum,
}

/// Deflates numbers block by block, and writes some blocks while the next are deflated; returns the checksum of all data
/// so far.
fn write_blocks(
    sink: &mut (dyn Write + Send),
    effort: Effort,
    mut checksum: Checksum,
    numbers: &dyn Numbers,
) -> io::Result<Checksum> {
    let wrapper = checksum.wrapper;
    // Larger numbers repeat as wholes, or not at all.
    let effort = if numbers.width() > 2 { Effort::Least } else { effort };
    let numbers_of_block = BLOCK / numbers.width();
    let deflate = |encoder: &mut Encoder, block: usize| {
        let start = block * numbers_of_block;
        let bytes = numbers.bytes(start..(start + numbers_of_block).min(numbers.count()));
        Block { deflated: encoder.deflate(&bytes), checksum: wrapper.checksum_of(&bytes) }
    };
    let deflate_some = |blocks: Range<usize>| -> Vec<Block> {
        blocks.into_par_iter().map_init(|| Encoder::new(effort, numbers.width()), deflate).collect()
    };
    let mut write = |blocks: &[Block]| -> io::Result<()> {
        for block in blocks {
            sink.write_all(&block.deflated)?;
            checksum = checksum.followed_by(block.checksum);
        }
        Ok(())
    };
    let count = numbers.count().div_ceil(numbers_of_block);
    let at_once = BLOCKS_OF_THREAD * rayon::current_num_threads();
    let mut waiting = Vec::new();
    for first in (0..count).step_by(at_once) {
        let next = first..(first + at_once).min(count);
        let (written, deflated) = rayon::join(|| write(&waiting), || deflate_some(next));
        written?;
        waiting = deflated;
    }
    write(&waiting)?;
    Ok(checksum)
}

/// Inflates a stream as it is read, from front to back.
pub(crate) fn inflate_as_read<'a>(reader: impl BufRead + 'a, wrapper: Wrapper) -> Box<dyn Read + 'a> {
    match wrapper {
        Wrapper::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Wrapper::Zlib => Box::new(ZlibDecoder::new(reader)),
    }
}

/// Inflates a stream that will be read whole, in parallel where it was written here.
pub(crate) fn inflate<'a>(mut reader: impl BufRead + Send + 'a, wrapper: Wrapper) -> io::Result<Box<dyn Read + 'a>> {
    let expected = [wrapper.header(), &EMPTY_BLOCK].concat();
    let mut start = Vec::with_capacity(expected.len());
    reader.by_ref().take(expected.len() as u64).read_to_end(&mut start)?;
    if start != expected {
        return Ok(inflate_as_read(Cursor::new(start).chain(reader), wrapper));
    }
    Ok(Box::new(PartReader {
        input: Input { source: Box::new(reader), bytes: Vec::new(), next: 0, has_ended: false },
        ready: Ready::default(),
        spare: Vec::new(),
        checksum: Checksum::new(wrapper),
        stage: Stage::Parts,
    }))
}

/// Where the inflating of a stream stands.
enum Stage<'a> {
    /// Parts follow that begin at empty blocks.
    Parts,
    /// What follows is inflated as it is read.
    FrontToBack(Box<Decompress>),
    /// The data have ended, and their checksum follows.
    Trailer,
    /// What stands behind: the further members of a gzip file, or nothing.
    Behind(Box<dyn Read + Send + 'a>),
}

/// Deflated data and what stands behind them, as far as they have been read.
struct Input<'a> {
    source: Box<dyn BufRead + Send + 'a>,
    bytes: Vec<u8>,
    /// Where those begin that are inflated next.
    next: usize,
    /// Whether the source has no more.
    has_ended: bool,
}

impl<'a> Input<'a> {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.next..]
    }

    /// Reads on where fewer than so many bytes are there, at least a part's length where the source has as much.
    fn fill(&mut self, least: usize) -> io::Result<()> {
        if self.has_ended || self.rest().len() >= least {
            return Ok(());
        }
        self.bytes.drain(..self.next);
        self.next = 0;
        let missing = least.max(PART) - self.bytes.len();
        let read = self.source.by_ref().take(missing as u64).read_to_end(&mut self.bytes)?;
        self.has_ended = read < missing;
        Ok(())
    }

    /// All that follows.
    fn into_rest(self) -> impl BufRead + 'a {
        let mut rest = Cursor::new(self.bytes);
        rest.set_position(self.next as u64);
        rest.chain(self.source)
    }
}

/// Data that were inflated, at the start of memory that is used again.
#[derive(Default)]
struct Inflated {
    memory: Vec<u8>,
    length: usize,
}

impl Inflated {
    /// Of no data, with room for at least so many bytes.
    fn with_room(mut memory: Vec<u8>, bytes: usize) -> Self {
        if memory.len() < bytes {
            memory = bytemuck::allocation::zeroed_vec(bytes);
        }
        Self { memory, length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[..self.length]
    }

    /// Makes room where there is none; none where the data are more than a part may hold.
    fn grow(&mut self) -> Option<()> {
        if self.length > LARGEST_PART {
            return None;
        }
        if self.length == self.memory.len() {
            self.memory.resize(2 * self.length.max(BLOCK), 0);
        }
        Some(())
    }
}

/// Parts that are inflated and still to be read, with how many bytes of the first have been.
#[derive(Default)]
struct Ready {
    parts: VecDeque<Inflated>,
    taken: usize,
}

impl Ready {
    fn length(&self) -> usize {
        self.parts.iter().map(|part| part.length).sum::<usize>() - self.taken
    }

    /// Fills a buffer as far as there is data; returns how far, and adds the memory of parts that have been read to
    /// `spare`.
    fn read(&mut self, buffer: &mut [u8], spare: &mut Vec<Vec<u8>>) -> usize {
        let mut filled = 0;
        while let Some(part) = self.parts.front() {
            let count = (part.length - self.taken).min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&part.bytes()[self.taken..self.taken + count]);
            filled += count;
            self.taken += count;
            if self.taken < part.length {
                break;
            }
            spare.extend(self.parts.pop_front().map(|part| part.memory));
            self.taken = 0;
        }
        filled
    }
}

/// The data of a stream that was written here.
struct PartReader<'a> {
    input: Input<'a>,
    ready: Ready,
    /// Memory of parts that have been read.
    spare: Vec<Vec<u8>>,
    /// Of all data that were inflated.
    checksum: Checksum,
    stage: Stage<'a>,
}

/// A part of a stream, inflated.
struct Part {
    data: Inflated,
    /// Deflated bytes of the part that were read; all but at the end of the data.
    consumed: usize,
    is_last: bool,
    checksum: Checksum,
}

/// Inflates deflated bytes by themselves into memory that is given; none where that is not possible, or where the data
/// are more than a part may hold.
fn inflate_part(bytes: &[u8], wrapper: Wrapper, memory: Vec<u8>) -> Option<Part> {
    let mut data = Inflated::with_room(memory, (USUAL_EXPANSION * bytes.len()).min(LARGEST_PART));
    // The last part, which ends otherwise, is left to the inflater that tells where the data end.
    if bytes.ends_with(&EMPTY_BLOCK_END) && inflate_whole(bytes, &mut data).is_some() {
        let checksum = wrapper.checksum_of(data.bytes());
        return Some(Part { data, consumed: bytes.len(), is_last: false, checksum });
    }
    data.length = 0;
    let (consumed, is_last) = inflate_any(bytes, &mut data)?;
    let checksum = wrapper.checksum_of(data.bytes());
    Some(Part { data, consumed, is_last, checksum })
}

/// Inflates bytes that end between two blocks before the last, by an inflater that takes several literals at a time; none
/// where they do not.
fn inflate_whole(bytes: &[u8], data: &mut Inflated) -> Option<()> {
    /// A checksum that is not looked at.
    const CHECKSUM: [u8; 4] = [0; 4];
    let mut inflater = fdeflate::Decompressor::new();
    inflater.ignore_adler32();
    let mut read = |mut bytes: &[u8], data: &mut Inflated| -> Option<bool> {
        loop {
            let (read, written) = inflater.read(bytes, &mut data.memory, data.length, false).ok()?;
            bytes = &bytes[read..];
            data.length += written;
            if data.length < data.memory.len() {
                return Some(inflater.is_done());
            }
            data.grow()?;
        }
    };
    if read(Wrapper::Zlib.header(), data)? || read(bytes, data)? {
        return None;
    }
    // Between blocks, and nowhere else, a last block can stand. Elsewhere the bytes ended at what only looked like an
    // empty block.
    let length = data.length;
    let is_done = read(&[LAST_BLOCK.as_slice(), &CHECKSUM].concat(), data)?;
    (is_done && data.length == length).then_some(())
}

/// Inflates bytes that end between two blocks, or behind the last; returns how many were read and whether the last block
/// was among them.
fn inflate_any(bytes: &[u8], data: &mut Inflated) -> Option<(usize, bool)> {
    let mut inflater = Decompress::new(false);
    let mut read = |bytes: &[u8], data: &mut Inflated| -> Option<(usize, Status)> {
        let (consumed, written) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(bytes, &mut data.memory[data.length..], FlushDecompress::None).ok()?;
        data.length += (inflater.total_out() - written) as usize;
        Some(((inflater.total_in() - consumed) as usize, status))
    };
    let mut consumed = 0;
    loop {
        let before = (consumed, data.length);
        let (count, status) = read(&bytes[consumed..], data)?;
        consumed += count;
        let has_room = data.length < data.memory.len();
        if status == Status::StreamEnd {
            return Some((consumed, true));
        }
        if consumed == bytes.len() && has_room {
            // As above.
            let length = data.length;
            let (_, status) = read(&LAST_BLOCK, data)?;
            return (status == Status::StreamEnd && data.length == length).then_some((consumed, false));
        }
        if has_room && (consumed, data.length) == before {
            return None;
        }
        data.grow()?;
    }
}

/// The place behind the first empty block that ends at least [`EMPTY_BLOCK_END`] behind `from`, if there is one.
fn behind_empty_block(bytes: &[u8], from: usize) -> Option<usize> {
    let length = EMPTY_BLOCK_END.len();
    let mut at = from;
    while let Some(window) = bytes.get(at..at + length) {
        // Where the last byte is none of the block's, no block ends within reach.
        at += match window[length - 1] {
            0xff if *window == EMPTY_BLOCK_END => return Some(at + length),
            0 | 0xff => 1,
            _ => length,
        };
    }
    None
}

/// Where parts of deflated bytes begin: at 0 and at the first empty block behind each step of a part's length. The last
/// place is the end of the last part: that of all bytes if nothing follows them, and no part otherwise.
fn part_starts(bytes: &[u8], nothing_follows: bool, most: usize) -> Vec<usize> {
    let count = most.min(bytes.len().div_ceil(PART));
    let found: Vec<Option<usize>> = (1..=count).into_par_iter().map(|i| behind_empty_block(bytes, i * PART)).collect();
    let end = nothing_follows.then_some(bytes.len());
    let mut starts: Vec<usize> =
        std::iter::once(0).chain(found.into_iter().filter_map(|start| start.or(end))).collect();
    starts.dedup();
    starts
}

/// Reads and inflates the next parts, whose data go to the end of `ready`.
fn inflate_parts<'a>(
    input: &mut Input<'a>,
    checksum: &mut Checksum,
    ready: &mut Ready,
    mut spare: Vec<Vec<u8>>,
) -> io::Result<Stage<'a>> {
    let most = PARTS_OF_THREAD * rayon::current_num_threads();
    // Behind the last part an empty block is looked for within the length of another.
    input.fill((most + 1) * PART)?;
    let starts = part_starts(input.rest(), input.has_ended, most);
    spare.resize_with(starts.len() - 1, Vec::new);
    let (deflated, wrapper) = (input.rest(), checksum.wrapper);
    let inflate = |(ends, memory): (&[usize], Vec<u8>)| inflate_part(&deflated[ends[0]..ends[1]], wrapper, memory);
    let parts: Vec<Option<Part>> = starts.par_windows(2).zip(spare).map(inflate).collect();
    let mut consumed = 0;
    for (part, ends) in parts.into_iter().zip(starts.windows(2)) {
        // The last part has to end the data.
        let is_cut = |part: &Part| !part.is_last && input.has_ended && ends[1] == deflated.len();
        let Some(part) = part.filter(|part| !is_cut(part)) else { break };
        *checksum = checksum.followed_by(part.checksum);
        consumed = ends[0] + part.consumed;
        ready.parts.push_back(part.data);
        if part.is_last {
            input.next += consumed;
            return Ok(Stage::Trailer);
        }
    }
    input.next += consumed;
    Ok(if consumed > 0 { Stage::Parts } else { Stage::FrontToBack(Box::new(Decompress::new(false))) })
}

impl PartReader<'_> {
    /// Fills a buffer with data that are ready. Where it has room for all of them, the next parts are inflated while
    /// these are copied.
    fn read_ready(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { input, ready, spare, checksum, stage } = self;
        if !matches!(stage, Stage::Parts) || buffer.len() < ready.length() {
            return Ok(ready.read(buffer, spare));
        }
        let (memory, mut next) = (std::mem::take(spare), Ready::default());
        let (filled, inflated) =
            rayon::join(|| ready.read(buffer, spare), || inflate_parts(input, checksum, &mut next, memory));
        *ready = next;
        *stage = inflated?;
        Ok(filled)
    }

    /// Inflates into a buffer; returns how far it is filled.
    fn read_front_to_back(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Stage::FrontToBack(inflater) = &mut self.stage else { return Ok(0) };
        self.input.fill(1)?;
        let (consumed, written) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(self.input.rest(), buffer, FlushDecompress::None)?;
        let consumed = (inflater.total_in() - consumed) as usize;
        let written = (inflater.total_out() - written) as usize;
        self.input.next += consumed;
        self.checksum = self.checksum.followed_by(self.checksum.wrapper.checksum_of(&buffer[..written]));
        match status {
            Status::StreamEnd => self.stage = Stage::Trailer,
            _ if consumed == 0 && written == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
        Ok(written)
    }

    /// Checks the data against what stands behind them.
    fn end(&mut self) -> io::Result<()> {
        let wrapper = self.checksum.wrapper;
        let length = wrapper.trailer_length();
        self.input.fill(length)?;
        let stored = self.input.rest().get(..length).ok_or(io::ErrorKind::UnexpectedEof)?;
        if stored != self.checksum.trailer() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of the compressed data is wrong"));
        }
        self.input.next += length;
        self.input.fill(1)?;
        let nothing = Input { source: Box::new(io::empty()), bytes: Vec::new(), next: 0, has_ended: true };
        let behind = std::mem::replace(&mut self.input, nothing);
        self.stage = Stage::Behind(match wrapper {
            Wrapper::Gzip if !behind.rest().is_empty() => Box::new(MultiGzDecoder::new(behind.into_rest())),
            _ => Box::new(io::empty()),
        });
        Ok(())
    }
}

impl Read for PartReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.read_ready(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            match &mut self.stage {
                // The next parts are ready now, or the stage is another.
                Stage::Parts => {}
                Stage::FrontToBack(_) => match self.read_front_to_back(buffer)? {
                    0 => {}
                    written => return Ok(written),
                },
                Stage::Trailer => self.end()?,
                Stage::Behind(further) => return further.read(buffer),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::Geometry;
    use crate::volume::Volume;

    fn written(wrapper: Wrapper, before: &[u8], voxels: &[u8]) -> Vec<u8> {
        let grid = Geometry::axis_aligned([voxels.len(), 1, 1], [1.0; 3]).unwrap();
        let mut volume = Volume::filled(grid, 0_u8);
        volume.as_mut_slice().copy_from_slice(voxels);
        let mut bytes = Vec::new();
        write_compressed(&mut bytes, wrapper, Effort::Least, before, Some(&volume.into())).unwrap();
        bytes
    }

    fn read(reader: io::Result<Box<dyn Read + '_>>) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        reader?.read_to_end(&mut data)?;
        Ok(data)
    }

    /// Bytes that compress a little, so that several parts come of them.
    fn noise(length: usize) -> Vec<u8> {
        let step = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some((*state >> 57) as u8)
        };
        std::iter::successors(Some(7_u64), |state| Some(*state))
            .scan(7_u64, |state, _| step(state))
            .take(length)
            .collect()
    }

    #[test]
    fn streams_are_ordinary_and_are_read_in_parts() {
        let voxels = noise(5 * PART);
        let data = [b"header".as_slice(), &voxels].concat();
        for wrapper in [Wrapper::Gzip, Wrapper::Zlib] {
            let bytes = written(wrapper, b"header", &voxels);
            assert_eq!(read(Ok(inflate_as_read(bytes.as_slice(), wrapper))).unwrap(), data);
            assert_eq!(read(inflate(bytes.as_slice(), wrapper)).unwrap(), data);
            assert!(bytes.len() > 2 * PART, "{}", bytes.len());
        }
    }

    #[test]
    fn what_looks_like_an_empty_block_is_no_end() {
        // Voxels that do not compress are stored, and those that read 00 00 FF FF end no block.
        let mut voxels: Vec<u8> =
            noise(6 * PART).iter().zip(noise(7 * PART).iter().rev()).map(|(a, b)| a << 1 ^ b).collect();
        for place in (1000..voxels.len()).step_by(3001) {
            voxels[place..place + 4].copy_from_slice(&EMPTY_BLOCK_END);
        }
        let mut stored = [Wrapper::Gzip.header(), &EMPTY_BLOCK].concat();
        let chunks: Vec<&[u8]> = voxels.chunks(0xffff).collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let length = chunk.len() as u16;
            stored.push(u8::from(number + 1 == chunks.len()));
            stored.extend(length.to_le_bytes());
            stored.extend((!length).to_le_bytes());
            stored.extend_from_slice(chunk);
        }
        stored.extend(Wrapper::Gzip.checksum_of(&voxels).trailer());
        assert_eq!(read(inflate(stored.as_slice(), Wrapper::Gzip)).unwrap(), voxels);
    }

    #[test]
    fn members_behind_are_read() {
        let bytes = [written(Wrapper::Gzip, b"one", &[1; 40]), written(Wrapper::Gzip, b"two", &[2; 40])].concat();
        let data = [b"one".as_slice(), &[1; 40], b"two", &[2; 40]].concat();
        assert_eq!(read(inflate(bytes.as_slice(), Wrapper::Gzip)).unwrap(), data);
    }

    #[test]
    fn the_threads_do_not_show() {
        let voxels = noise(3 * BLOCK + 17);
        let by = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| written(Wrapper::Gzip, b"header", &voxels))
        };
        assert_eq!(by(1), by(3));
    }

    proptest! {
        #[test]
        fn both_inflaters_agree(place in 0_usize..PART, bit in 0_u32..8, cut in 0_usize..PART) {
            let bytes = written(Wrapper::Gzip, b"header", &noise(3 * PART));
            let deflated = &bytes[Wrapper::Gzip.header().len()..];
            let end = behind_empty_block(deflated, PART).unwrap();
            let mut part = deflated[..end].to_vec();
            let inflate_both = |bytes: &[u8]| {
                let [mut whole, mut any] = [BLOCK; 2].map(|room| Inflated::with_room(Vec::new(), room));
                let whole = inflate_whole(bytes, &mut whole).map(|()| whole.bytes().to_vec());
                let any = inflate_any(bytes, &mut any).filter(|(_, is_last)| !is_last).map(|_| any.bytes().to_vec());
                (whole, any)
            };
            let (whole, any) = inflate_both(&part);
            prop_assert!(whole.is_some());
            prop_assert_eq!(whole, any);
            let (whole, any) = inflate_both(&part[..cut]);
            prop_assert!(whole.is_none() || whole == any);
            part[place] ^= 1 << bit;
            let (whole, any) = inflate_both(&part);
            prop_assert!(whole.is_none() || whole == any);
        }

        #[test]
        fn damage_is_an_error_or_no_change(place in 0_usize..4000, bit in 0_u32..8, cut in 1_usize..2000) {
            let voxels = noise(4000);
            for wrapper in [Wrapper::Gzip, Wrapper::Zlib] {
                let bytes = written(wrapper, b"", &voxels);
                prop_assert!(read(inflate(&bytes[..bytes.len() - cut], wrapper)).is_err());
                let mut damaged = bytes.clone();
                let place = wrapper.header().len() + place % (bytes.len() - wrapper.header().len());
                damaged[place] ^= 1 << bit;
                if let Ok(data) = read(inflate(damaged.as_slice(), wrapper)) {
                    prop_assert_eq!(&data, &voxels);
                }
            }
        }
    }
}
