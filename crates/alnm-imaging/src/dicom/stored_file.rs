//! DICOM files whose header is parsed once. The pixels are read later, from the same handle where it was kept open.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::{TransferSyntaxIndex as _, TransferSyntaxRegistry};
use flate2::bufread::DeflateDecoder;

use super::attributes::integer;
use super::encoding::{put_meta, put_preamble};
use super::header_reader::HeaderReader;
use super::problem::{first_line, malformed, unsupported};
use super::walk::{
    ByteSource, ElementHeader, Encoding, ITEM, ITEM_END, SEQUENCE_END, Walk, check_length, check_whole, number_bytes,
};
use crate::error::FileProblem;
use crate::voxel_data::{ByteOrder, VoxelBytes};

/// The most bytes to which a deflated file may inflate: 4 GiB, the most that one element can hold.
const MAX_INFLATED_BYTES: u64 = 4 << 30;

/// The group of the pixels and of the tables before them.
const PIXEL_GROUP: Tag = Tag(0x7fe0, 0);

/// The elements that hold pixels.
const PIXELS: [Tag; 3] = [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA];

/// Syntaxes whose data set is deflated as a whole.
const DEFLATED: [&str; 3] =
    [uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, uids::JPIP_REFERENCED_DEFLATE, uids::JPIPHTJ2K_REFERENCED_DEFLATE];

/// Bytes of an item's tag and length, which offsets count.
const ITEM_HEADER: u64 = 8;

/// Whether these first bytes of a file are those of a DICOM file.
pub(crate) fn is_dicom(start: &[u8]) -> bool {
    has_preamble(start) || missing_start(start).is_some()
}

fn has_preamble(start: &[u8]) -> bool {
    start.get(128..132) == Some(b"DICM")
}

/// What belongs before a file that begins, as those of old exports, with the meta group or with the data set; none for
/// any other.
fn missing_start(start: &[u8]) -> Option<Vec<u8>> {
    let mut missing = Vec::new();
    put_preamble(&mut missing);
    match *start {
        _ if has_preamble(start) => return None,
        // The length of the meta group, the version of the group, or another of its elements with its representation.
        [2, 0, 0 | 1, 0, ..] => {}
        [2, 0, _, 0, a, b, ..] if VR::from_binary([a, b]).is_some() => {}
        // One of the first elements of group 0008 with its representation, or with a length that an element there may
        // have.
        [8, 0, 0..=0x18, 0, a, b, ..] if VR::from_binary([a, b]).is_some() => {
            put_meta(&mut missing, "", "", uids::EXPLICIT_VR_LITTLE_ENDIAN);
        }
        [8, 0, 0..=0x18, 0, _, 0..=3, 0, 0, ..] => put_meta(&mut missing, "", "", uids::IMPLICIT_VR_LITTLE_ENDIAN),
        _ => return None,
    }
    Some(missing)
}

/// A file whose header was parsed.
pub(crate) struct Opened {
    /// All elements before the pixels.
    pub(super) header: InMemDicomObject,
    pub(super) file: StoredFile,
}

/// Where the pixels of a file are read from.
#[derive(Debug)]
pub(super) struct StoredFile {
    path: PathBuf,
    /// Bytes of the file.
    bytes: u64,
    syntax: String,
    encoding: Encoding,
    storage: Storage,
    pixels: Option<PixelElement>,
    /// `NumberOfFrames`, at least 1.
    frames: usize,
    /// `Rows` and `Columns`.
    size: [usize; 2],
}

/// The element that holds the pixels, and where its value begins.
#[derive(Debug, Clone, Copy)]
struct PixelElement {
    header: ElementHeader,
    start: u64,
}

#[derive(Debug)]
enum Storage {
    /// A file on disk whose bytes lie `missing` bytes before the positions of the walk.
    Disk { handle: Option<KeptHandle>, missing: u64 },
    /// A file on disk whose data set, which begins at a place, is deflated.
    Deflated { data_set: u64 },
    /// A file in memory, with what was missing at its start.
    Memory(Vec<u8>),
}

/// The most files that are kept open for their pixels at the same time, in all threads.
///
/// Linux gives a process a table of 64 open files and doubles it when it is full; with several threads each doubling
/// waits until every processor has passed through the kernel, some milliseconds. Opening a file again takes
/// microseconds.
const MOST_KEPT: usize = 32;

/// Files that are kept open, in all threads.
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// A handle that is kept for the pixels, which other files are opened again for.
#[derive(Debug)]
struct KeptHandle(Mutex<File>);

impl KeptHandle {
    fn keep(file: File) -> Option<Self> {
        if KEPT.fetch_add(1, Ordering::Relaxed) < MOST_KEPT {
            return Some(Self(Mutex::new(file)));
        }
        KEPT.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for KeptHandle {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Opens a file and parses its header; none when it does not begin as a DICOM file does.
pub(super) fn open(path: &Path) -> Result<Option<Opened>, FileProblem> {
    FileSource::of(File::open(path)?)?.map(|source| parse_file(path, source, PIXEL_GROUP)).transpose()
}

/// The elements of a file before the tag `until`; none when it does not begin as a DICOM file does.
pub(super) fn open_until(path: &Path, until: Tag) -> Result<Option<InMemDicomObject>, FileProblem> {
    let source = FileSource::of(File::open(path)?)?;
    source.map(|source| parse_file(path, source, until).map(|opened| opened.header)).transpose()
}

/// Opens a file that has to be a DICOM file and parses its header.
pub(super) fn open_dicom(path: &Path) -> Result<Opened, FileProblem> {
    parse_opened(path, File::open(path)?, &[])
}

/// Opens a file as [`open`] does and parses it whole when its first elements, those before `until`, are wanted.
pub(super) fn open_if(
    path: &Path,
    until: Tag,
    is_wanted: impl Fn(&InMemDicomObject) -> bool,
) -> Result<Option<Opened>, FileProblem> {
    let mut file = File::open(path)?;
    let Some(begin) = FileSource::of(file.try_clone()?)? else { return Ok(None) };
    if !is_wanted(&parse_file(path, begin, until)?.header) {
        return Ok(None);
    }
    file.rewind()?;
    parse_opened(path, file, &[]).map(Some)
}

/// Parses the header of an open file that has to be a DICOM file and of which `start` was read already.
pub(crate) fn parse_opened(path: &Path, file: File, start: &[u8]) -> Result<Opened, FileProblem> {
    parse_file(path, FileSource::behind(start, file)?, PIXEL_GROUP)
}

/// A DICOM file from its first byte on, with what is missing before that.
struct FileSource {
    /// What is missing and what of the file was read already.
    before: Vec<u8>,
    /// Bytes of `before` that were read.
    position: usize,
    file: HeaderReader,
    /// Bytes of the file.
    bytes: u64,
    /// Bytes that are missing before the file.
    missing: u64,
}

impl FileSource {
    /// A file of which nothing was read; none when it does not begin as a DICOM file does.
    fn of(file: File) -> Result<Option<Self>, FileProblem> {
        let source = Self::behind(&[], file)?;
        Ok((source.missing > 0 || has_preamble(source.file.held())).then_some(source))
    }

    /// A file of which `start` was read.
    fn behind(start: &[u8], file: File) -> Result<Self, FileProblem> {
        let bytes = file.metadata()?.len();
        let mut file = HeaderReader::new(file);
        if start.is_empty() {
            file.fill()?;
        }
        let missing = missing_start(if start.is_empty() { file.held() } else { start }).unwrap_or_default();
        let before = [missing.as_slice(), start].concat();
        Ok(Self { before, position: 0, file, bytes, missing: missing.len() as u64 })
    }
}

impl Read for FileSource {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut before = &self.before[self.position..];
        if before.is_empty() {
            return self.file.read(bytes);
        }
        let read = before.read(bytes)?;
        self.position += read;
        Ok(read)
    }

    fn read_exact(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while self.position < self.before.len() && !bytes.is_empty() {
            let read = self.read(bytes)?;
            bytes = &mut bytes[read..];
        }
        self.file.read_exact(bytes)
    }
}

impl ByteSource for FileSource {
    fn pass_over(&mut self, bytes: u64) -> io::Result<()> {
        let before = bytes.min((self.before.len() - self.position) as u64);
        self.position += before as usize;
        self.file.pass_over(bytes - before)
    }
}

fn parse_file(path: &Path, mut source: FileSource, until: Tag) -> Result<Opened, FileProblem> {
    let FileSource { bytes, missing, .. } = source;
    let parsed = Parsed::new(&mut source, missing + bytes, until)?;
    let storage = if parsed.inflated.is_some() {
        Storage::Deflated { data_set: parsed.data_set - missing }
    } else {
        Storage::Disk { handle: KeptHandle::keep(source.file.into_file()), missing }
    };
    Ok(parsed.into_opened(path, bytes, storage).0)
}

/// Parses the header of a file in memory.
pub(super) fn parse_bytes(bytes: &[u8]) -> Result<Opened, FileProblem> {
    let mut whole = missing_start(bytes).unwrap_or_default();
    whole.extend_from_slice(bytes);
    let parsed = Parsed::new(&mut whole.as_slice(), whole.len() as u64, PIXEL_GROUP)?;
    let (mut opened, inflated) = parsed.into_opened(Path::new(""), bytes.len() as u64, Storage::Memory(whole));
    if let Some(inflated) = inflated {
        opened.file.storage = Storage::Memory(inflated);
    }
    Ok(opened)
}

/// A parsed header.
struct Parsed {
    header: InMemDicomObject,
    syntax: String,
    pixels: Option<PixelElement>,
    /// Where the data set begins.
    data_set: u64,
    /// The data set of a file that is deflated as a whole.
    inflated: Option<Vec<u8>>,
}

impl Parsed {
    fn new(source: &mut dyn ByteSource, end: u64, until: Tag) -> Result<Self, FileProblem> {
        let mut walk = Walk::of_file(source, end);
        let syntax = walk.meta()?;
        let data_set = walk.position();
        if !DEFLATED.contains(&syntax.as_str()) {
            let pixels = walk_to(&mut walk, until)?;
            let header = parse(&walk.into_wanted_elements(), Encoding::of(&syntax))?;
            return Ok(Self { header, syntax, pixels, data_set, inflated: None });
        }
        let ahead = walk.bytes_ahead();
        let inflated = inflate(ahead.as_ref().map_or(&[][..], |ahead| ahead).chain(source))?;
        let mut data = inflated.as_slice();
        let mut walk = Walk::new(&mut data, inflated.len() as u64, Encoding::of(&syntax));
        let pixels = walk_to(&mut walk, until)?;
        let header = parse(&walk.into_wanted_elements(), Encoding::of(&syntax))?;
        Ok(Self { header, syntax, pixels, data_set, inflated: Some(inflated) })
    }

    /// The file, and its data set where that is deflated as a whole.
    fn into_opened(self, path: &Path, bytes: u64, storage: Storage) -> (Opened, Option<Vec<u8>>) {
        let Self { header, syntax, pixels, inflated, .. } = self;
        let count = |tag| integer(&header, tag).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let file = StoredFile {
            path: path.to_owned(),
            bytes,
            encoding: Encoding::of(&syntax),
            syntax,
            storage,
            pixels,
            frames: count(tags::NUMBER_OF_FRAMES).max(1),
            size: [tags::ROWS, tags::COLUMNS].map(count),
        };
        (Opened { header, file }, inflated)
    }
}

/// Walks the elements before `until`; the element of the pixels, where it is reached.
fn walk_to(walk: &mut Walk<'_>, until: Tag) -> Result<Option<PixelElement>, FileProblem> {
    let Some(header) = walk.data_set(until)? else { return Ok(None) };
    let pixels = if until == PIXEL_GROUP { walk.find(header, |tag| PIXELS.contains(&tag))? } else { None };
    Ok(pixels.map(|header| PixelElement { header, start: walk.position() }))
}

/// Parses a data set.
fn parse(data_set: &[u8], encoding: Encoding) -> Result<InMemDicomObject, FileProblem> {
    let syntax = TransferSyntaxRegistry.get(encoding.syntax());
    let syntax = syntax.ok_or_else(|| unsupported(format!("transfer syntax {}", encoding.syntax())))?;
    InMemDicomObject::read_dataset_with_ts(data_set, syntax).map_err(|error| malformed(first_line(&error)))
}

fn inflate(deflated: impl Read) -> Result<Vec<u8>, FileProblem> {
    let mut data_set = Vec::new();
    DeflateDecoder::new(BufReader::new(deflated))
        .take(MAX_INFLATED_BYTES + 1)
        .read_to_end(&mut data_set)
        .map_err(|error| malformed(format!("the deflated data set is damaged: {error}")))?;
    if data_set.len() as u64 > MAX_INFLATED_BYTES {
        return Err(FileProblem::TooLarge { bytes: data_set.len() as u64, limit: MAX_INFLATED_BYTES });
    }
    Ok(data_set)
}

impl StoredFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The transfer syntax.
    pub(super) fn syntax(&self) -> &str {
        &self.syntax
    }

    /// `Rows` and `Columns`, which each frame has.
    pub(super) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Its frames, ready to be read.
    pub(super) fn frames(&self) -> Result<Frames<'_>, FileProblem> {
        let PixelElement { header, start } = self.pixels.ok_or_else(|| malformed("the file has no pixel data"))?;
        if header.vr == VR::SQ {
            return Err(malformed("a sequence stands where the pixels belong"));
        }
        // A deflated data set is inflated once for all frames.
        let inflated = match &self.storage {
            Storage::Deflated { data_set } => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(*data_set))?;
                Some(inflate(file)?)
            }
            _ => None,
        };
        let opened = match &self.storage {
            Storage::Disk { handle: None, .. } => Some(Mutex::new(File::open(&self.path)?)),
            _ => None,
        };
        let mut frames = Frames { file: self, inflated, opened, layout: Layout::Packed(Fragments::default()) };
        frames.layout = match header.length {
            Some(length) => {
                check_length(header.tag, length, frames.end().saturating_sub(start))?;
                check_whole(header.tag, length, number_bytes(header.vr))?;
                Layout::Plain { start, length, vr: header.vr }
            }
            None if header.tag == tags::PIXEL_DATA => Layout::Packed(frames.fragments(start)?),
            None => return Err(malformed("pixels of undefined length")),
        };
        Ok(frames)
    }
}

/// The frames of a file.
pub(super) struct Frames<'a> {
    file: &'a StoredFile,
    /// The data set of a file that is deflated as a whole.
    inflated: Option<Vec<u8>>,
    /// A file that was not kept open.
    opened: Option<Mutex<File>>,
    layout: Layout,
}

enum Layout {
    /// All frames one after the other, `length` bytes from `start` on.
    Plain { start: u64, length: u64, vr: VR },
    /// Frames that are packed (encapsulated) one by one.
    Packed(Fragments),
}

/// Where the fragments of packed frames lie.
#[derive(Default)]
struct Fragments {
    /// The table of offsets; empty where the file has none.
    offsets: Vec<u32>,
    /// First byte and number of bytes of each.
    places: Vec<(u64, u64)>,
    /// Numbers of the fragments that begin as a frame does, where the table leaves that open.
    starts: Vec<usize>,
}

impl Frames<'_> {
    pub(super) fn file(&self) -> &StoredFile {
        self.file
    }

    /// Whether frames are packed one by one.
    pub(super) fn are_packed(&self) -> bool {
        matches!(self.layout, Layout::Packed(_))
    }

    /// At most `length` bytes from byte `offset` of the pixels on, numbers in little endian; fewer where the pixels end
    /// before.
    pub(super) fn plain(&self, offset: u64, length: u64) -> Result<Cow<'_, [u8]>, FileProblem> {
        let Layout::Plain { start, length: all, vr } = self.layout else { return Ok(Cow::default()) };
        let (from, to) = (offset.min(all), offset.saturating_add(length).min(all));
        let unit = number_bytes(vr);
        if self.file.encoding.order == ByteOrder::Little || unit == 1 {
            return self.read(start + from, to - from);
        }
        // Whole numbers are turned, of which the first and last may reach beyond what is asked for.
        let (first, end) = (from - from % unit, to.next_multiple_of(unit));
        let mut bytes = self.read(start + first, end - first)?.into_owned();
        bytes.chunks_exact_mut(unit as usize).for_each(<[u8]>::reverse);
        bytes.truncate((to - first) as usize);
        bytes.drain(..(from - first) as usize);
        Ok(Cow::Owned(bytes))
    }

    /// Reads bytes of the pixels from byte `offset` on to where they are wanted; false, and nothing is read, where that
    /// cannot be done at once: frames are packed, numbers are in big endian, or the pixels end before.
    pub(super) fn plain_in_place(&self, offset: u64, bytes: &mut [u8]) -> Result<bool, FileProblem> {
        let Layout::Plain { start, length, vr } = self.layout else { return Ok(false) };
        let is_little = self.file.encoding.order == ByteOrder::Little || number_bytes(vr) == 1;
        if !is_little || offset.saturating_add(bytes.len() as u64) > length {
            return Ok(false);
        }
        self.read_to(start + offset, bytes)?;
        Ok(true)
    }

    /// Bytes of the pixels of frames that are not packed.
    pub(super) fn plain_bytes(&self) -> u64 {
        if let Layout::Plain { length, .. } = self.layout { length } else { 0 }
    }

    /// The bytes of a packed frame: all fragments where there is one frame, the one fragment where each frame has one,
    /// else the fragments between two entries of the offset table.
    pub(super) fn packed(&self, frame: usize) -> Result<Cow<'_, [u8]>, FileProblem> {
        let Layout::Packed(Fragments { offsets, places, starts }) = &self.layout else { return Ok(Cow::default()) };
        let frames = self.file.frames;
        if places.len() == frames {
            let &(start, length) = places.get(frame).ok_or_else(|| malformed("a frame beyond the last"))?;
            return self.read(start, length);
        }
        if frames > 1 && offsets.len() != frames {
            if starts.len() != frames || starts.first() != Some(&0) {
                return Err(unsupported(format!(
                    "{} fragments and an offset table of {} entries for {frames} frames, of which {} begin as a frame \
                     does",
                    places.len(),
                    offsets.len(),
                    starts.len()
                )));
            }
            let &start = starts.get(frame).ok_or_else(|| malformed("a frame beyond the last"))?;
            let end = starts.get(frame + 1).copied().unwrap_or(places.len());
            let fragments = places[start..end].iter().map(|&(start, length)| self.read(start, length));
            let fragments: Vec<Cow<'_, [u8]>> = fragments.collect::<Result<_, _>>()?;
            return Ok(Cow::Owned(fragments.concat()));
        }
        let offset = |frame: usize| offsets.get(frame).map_or(u64::MAX, |&offset| u64::from(offset));
        let range = if frames == 1 { 0..u64::MAX } else { offset(frame)..offset(frame + 1) };
        let (mut position, mut bytes) = (0, Vec::new());
        for &(start, length) in places {
            if range.contains(&position) {
                bytes.extend_from_slice(&self.read(start, length)?);
            }
            position += ITEM_HEADER + length;
        }
        Ok(Cow::Owned(bytes))
    }

    /// Numbers of the fragments that begin as a frame does, with the mark of the start of a JPEG image: the offset
    /// table may be empty (PS3.5 A.4), and then the marks alone tell frames apart.
    fn frame_starts(&self, places: &[(u64, u64)]) -> Result<Vec<usize>, FileProblem> {
        /// Start of image of JPEG and JPEG-LS; start of a code stream of JPEG 2000.
        const MARKS: [[u8; 2]; 2] = [[0xff, 0xd8], [0xff, 0x4f]];
        let mut starts = Vec::new();
        for (number, &(start, length)) in places.iter().enumerate() {
            let mark = self.read(start, length.min(2))?;
            if MARKS.iter().any(|known| mark.as_ref() == known) {
                starts.push(number);
            }
        }
        Ok(starts)
    }

    /// Finds the fragments of packed frames; the first item is the table of offsets.
    fn fragments(&self, start: u64) -> Result<Fragments, FileProblem> {
        let order = self.file.encoding.order;
        let mut fragments = Fragments::default();
        let mut position = start;
        let mut is_table = true;
        while self.end().saturating_sub(position) >= ITEM_HEADER {
            let Some(length) = item_length(&self.read(position, ITEM_HEADER)?, order)? else { break };
            position += ITEM_HEADER;
            check_length(ITEM, length, self.end() - position)?;
            if is_table {
                check_whole(ITEM, length, u32::BYTES as u64)?;
                let table = self.read(position, length)?;
                fragments.offsets = table.chunks_exact(u32::BYTES).map(|bytes| u32::from_bytes(bytes, order)).collect();
            } else {
                fragments.places.push((position, length));
            }
            is_table = false;
            position += length;
        }
        let frames = self.file.frames;
        if frames > 1 && fragments.places.len() != frames && fragments.offsets.len() != frames {
            fragments.starts = self.frame_starts(&fragments.places)?;
        }
        Ok(fragments)
    }

    /// Bytes of the file by their position; all of them have to be there.
    fn read(&self, start: u64, length: u64) -> Result<Cow<'_, [u8]>, FileProblem> {
        if let Some(bytes) = self.in_memory() {
            return within(bytes, start, length).map(Cow::Borrowed).ok_or_else(ends_inside);
        }
        if start.saturating_add(length) > self.end() {
            return Err(ends_inside());
        }
        let mut bytes = vec![0; length as usize];
        self.read_to(start, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// Fills `to` with the bytes from `start` on; all of them have to be there.
    fn read_to(&self, start: u64, to: &mut [u8]) -> Result<(), FileProblem> {
        if let Some(bytes) = self.in_memory() {
            to.copy_from_slice(within(bytes, start, to.len() as u64).ok_or_else(ends_inside)?);
            return Ok(());
        }
        let (Storage::Disk { handle, missing }, opened) = (&self.file.storage, &self.opened) else {
            return Err(ends_inside());
        };
        let Some(file) = handle.as_ref().map(|handle| &handle.0).or(opened.as_ref()) else { return Err(ends_inside()) };
        if start.saturating_add(to.len() as u64) > self.end() {
            return Err(ends_inside());
        }
        // A thread that panicked while it read left nothing behind that the next would miss: each goes to its place.
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start - missing))?;
        Ok(file.read_exact(to)?)
    }

    /// What is in memory as a whole.
    fn in_memory(&self) -> Option<&Vec<u8>> {
        self.inflated.as_ref().or(self.file.storage.memory())
    }

    /// The position behind the last byte.
    fn end(&self) -> u64 {
        match (&self.inflated, &self.file.storage) {
            (Some(inflated), _) => inflated.len() as u64,
            (None, Storage::Memory(bytes)) => bytes.len() as u64,
            (None, Storage::Disk { missing, .. }) => missing + self.file.bytes,
            (None, Storage::Deflated { .. }) => 0,
        }
    }
}

impl Storage {
    fn memory(&self) -> Option<&Vec<u8>> {
        if let Self::Memory(bytes) = self { Some(bytes) } else { None }
    }
}

fn ends_inside() -> FileProblem {
    malformed("the file ends inside its pixels")
}

/// So many bytes from a position on, where there are so many.
fn within(bytes: &[u8], start: u64, length: u64) -> Option<&[u8]> {
    let (from, to) = (usize::try_from(start).ok()?, usize::try_from(start.checked_add(length)?).ok()?);
    bytes.get(from..to)
}

/// The length that the header of a fragment states; none for the end of the sequence.
fn item_length(header: &[u8], order: ByteOrder) -> Result<Option<u64>, FileProblem> {
    let tag = Tag(u16::from_bytes(header, order), u16::from_bytes(&header[2..], order));
    match (tag, u32::from_bytes(&header[4..], order)) {
        (ITEM, length) if length != u32::MAX => Ok(Some(u64::from(length))),
        (SEQUENCE_END, _) => Ok(None),
        (ITEM_END, _) => Err(malformed("the end of an item stands where none is open")),
        (tag, _) => Err(malformed(format!("{tag} stands where an item of a sequence belongs"))),
    }
}
