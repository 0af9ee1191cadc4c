//! Opening DICOM files whose headers may lie.
//!
//! The parser allocates what an element announces before it reads it. So the lengths of all elements are walked first,
//! without reading values: one that leaves the file, or items nested without end, are errors.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_object::{FileDicomObject, InMemDicomObject, OpenFileOptions};
use flate2::bufread::DeflateDecoder;

use super::malformed;
use super::slice::first_line;
use super::write::{put_meta, put_preamble};
use crate::error::FileProblem;
use crate::voxel_data::{ByteOrder, VoxelBytes};

pub(super) type DicomFile = FileDicomObject<InMemDicomObject>;

/// Bytes from the start of a file that show how it begins.
const START: u64 = 132;

/// The largest file without a preamble that is read: it is read as a whole.
const MAX_BARE_BYTES: u64 = 4 << 30;

/// The most bytes to which a deflated file may inflate: 4 GiB, the most that one element can hold.
const MAX_INFLATED_BYTES: u64 = 4 << 30;

const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);

/// Syntaxes whose data set is deflated as a whole.
const DEFLATED: [&str; 3] =
    [uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, uids::JPIP_REFERENCED_DEFLATE, uids::JPIPHTJ2K_REFERENCED_DEFLATE];

/// How deep sequences may be nested; those of the standard reach about ten.
const DEEPEST: usize = 64;

/// Reads a file up to the element `until`, or all of it.
pub(super) fn open(path: &Path, until: Option<Tag>) -> Result<DicomFile, FileProblem> {
    parse(BufReader::new(File::open(path)?), until)
}

/// Reads a file from its bytes.
pub(super) fn parse_bytes(bytes: &[u8], until: Option<Tag>) -> Result<DicomFile, FileProblem> {
    parse(Cursor::new(bytes), until)
}

fn parse(mut source: impl Read + Seek, until: Option<Tag>) -> Result<DicomFile, FileProblem> {
    let mut start = Vec::new();
    source.by_ref().take(START).read_to_end(&mut start)?;
    source.rewind()?;
    let Some(mut bytes) = missing_start(&start) else { return parse_complete(source, until) };
    source.take(MAX_BARE_BYTES).read_to_end(&mut bytes)?;
    parse_complete(Cursor::new(bytes), until)
}

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
        // The length of the meta group, or the version of the group.
        [2, 0, 0 | 1, 0, ..] => {}
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

fn parse_complete(mut source: impl Read + Seek, until: Option<Tag>) -> Result<DicomFile, FileProblem> {
    let syntax = check_meta(&mut source)?;
    if DEFLATED.contains(&syntax.as_str()) {
        let data_set = inflated(DeflateDecoder::new(BufReader::new(&mut source)))?;
        Walk::new(&mut Cursor::new(data_set), &syntax)?.elements(None, until, 0)?;
    } else {
        Walk::new(&mut source, &syntax)?.elements(None, until, 0)?;
    }
    source.rewind()?;
    let options = OpenFileOptions::new();
    let options = if let Some(tag) = until { options.read_until(tag) } else { options };
    options.from_reader(source).map_err(|error| malformed(first_line(&error)))
}

fn inflated(inflater: impl Read) -> Result<Vec<u8>, FileProblem> {
    let mut data_set = Vec::new();
    inflater
        .take(MAX_INFLATED_BYTES + 1)
        .read_to_end(&mut data_set)
        .map_err(|error| malformed(format!("the deflated data set is damaged: {error}")))?;
    if data_set.len() as u64 > MAX_INFLATED_BYTES {
        return Err(FileProblem::TooLarge { bytes: data_set.len() as u64, limit: MAX_INFLATED_BYTES });
    }
    Ok(data_set)
}

/// Walks the meta group, leaves the source behind it and returns the transfer syntax.
fn check_meta(source: &mut (impl Read + Seek)) -> Result<String, FileProblem> {
    const PREAMBLE: u64 = 132;
    source.seek(SeekFrom::Start(PREAMBLE))?;
    let mut syntax = None;
    let mut walk = Walk::new(source, uids::EXPLICIT_VR_LITTLE_ENDIAN)?;
    let length = walk
        .header()?
        .filter(|header| header.tag == tags::FILE_META_INFORMATION_GROUP_LENGTH && header.length == Some(4));
    length.ok_or_else(|| malformed("the file does not begin with the length of its meta group"))?;
    let group_end = u64::from(walk.number::<u32>()?) + walk.position;
    while walk.position < group_end {
        let header = walk.header()?.ok_or_else(|| malformed("the file ends inside its meta group"))?;
        let length = header.length.ok_or_else(|| malformed("an element of undefined length in the meta group"))?;
        walk.check_length(header.tag, length)?;
        if header.tag == tags::TRANSFER_SYNTAX_UID {
            let mut text = vec![0; length as usize];
            walk.read(&mut text)?;
            syntax = Some(String::from_utf8_lossy(&text).trim_end_matches(['\0', ' ']).to_owned());
        } else {
            walk.skip(length)?;
        }
    }
    let syntax = syntax.ok_or_else(|| malformed("TransferSyntaxUID is missing"))?;
    // The parser has rules of its own for what it trims, so nothing that two could read in two ways is let through.
    let is_uid = syntax.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_uid { Ok(syntax) } else { Err(malformed(format!("TransferSyntaxUID is {syntax:?}"))) }
}

/// The header of an element or item; `None` for an undefined length.
struct ElementHeader {
    tag: Tag,
    vr: VR,
    length: Option<u64>,
}

/// A way through the elements of a data set that skips their values.
struct Walk<'a, R> {
    source: &'a mut R,
    position: u64,
    end: u64,
    order: ByteOrder,
    explicit: bool,
}

impl<'a, R: Read + Seek> Walk<'a, R> {
    fn new(source: &'a mut R, syntax: &str) -> Result<Self, FileProblem> {
        let position = source.stream_position()?;
        let end = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(position))?;
        #[allow(deprecated, reason = "retired syntaxes are read")]
        let order = if syntax == uids::EXPLICIT_VR_BIG_ENDIAN { ByteOrder::Big } else { ByteOrder::Little };
        Ok(Self { source, position, end, order, explicit: syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN })
    }

    /// Elements up to `stop`, to the end of their item where that is none, to the tag `until`, or to the end of the
    /// file.
    fn elements(&mut self, stop: Option<u64>, until: Option<Tag>, depth: usize) -> Result<(), FileProblem> {
        if depth > DEEPEST {
            return Err(malformed(format!("sequences are nested more than {DEEPEST} deep")));
        }
        while stop.is_none_or(|stop| self.position < stop) {
            let Some(header) = self.header()? else { return Ok(()) };
            if header.tag == ITEM_END {
                // Outside of a sequence the parser passes over the end of an item, whatever length it states.
                if depth == 0 { continue } else { return Ok(()) }
            }
            let ends_nothing = header.tag == SEQUENCE_END && header.length == Some(0);
            if header.tag.group() == ITEM.group() && !ends_nothing {
                // The parser may take it for an element of another length.
                return Err(malformed(format!("{} stands where an element belongs", header.tag)));
            }
            if until.is_some_and(|until| header.tag >= until) {
                return Ok(());
            }
            match header.length {
                Some(length) => {
                    self.check_length(header.tag, length)?;
                    check_whole(header.tag, length, number_bytes(header.vr))?;
                    let end = self.position + length;
                    if header.vr == VR::SQ { self.items(Some(end), false, depth)? } else { self.skip(length)? }
                }
                None => self.items(None, header.tag == tags::PIXEL_DATA, depth)?,
            }
        }
        Ok(())
    }

    /// Items of a sequence, or fragments of pixel data.
    fn items(&mut self, stop: Option<u64>, fragments: bool, depth: usize) -> Result<(), FileProblem> {
        const OFFSET_BYTES: u64 = 4;
        // The first fragment is a table of offsets.
        let mut unit = OFFSET_BYTES;
        while stop.is_none_or(|stop| self.position < stop) {
            let Some(header) = self.header()? else { return Ok(()) };
            match (header.tag, header.length) {
                (ITEM, Some(length)) => {
                    self.check_length(header.tag, length)?;
                    let end = self.position + length;
                    if fragments {
                        check_whole(header.tag, length, unit)?;
                        unit = 1;
                        self.skip(length)?;
                    } else {
                        self.elements(Some(end), None, depth + 1)?;
                    }
                }
                (ITEM, None) if !fragments => self.elements(None, None, depth + 1)?,
                (SEQUENCE_END, _) => return Ok(()),
                // The parser would take it for the end of the sequence.
                (ITEM_END, _) => return Err(malformed("the end of an item stands where none is open")),
                (tag, _) => return Err(malformed(format!("{tag} stands where an item of a sequence belongs"))),
            }
        }
        Ok(())
    }

    /// The next header; none where the file ends.
    fn header(&mut self) -> Result<Option<ElementHeader>, FileProblem> {
        if self.end.saturating_sub(self.position) < 8 {
            return Ok(None);
        }
        let tag = Tag(self.number()?, self.number()?);
        let is_delimiter = tag.group() == ITEM.group();
        let (vr, length) = if is_delimiter {
            (VR::UN, self.number()?)
        } else if self.explicit {
            self.explicit_length()?
        } else {
            let virtual_vr = StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed());
            (virtual_vr.unwrap_or(VR::UN), self.number()?)
        };
        Ok(Some(ElementHeader { tag, vr, length: (length != u32::MAX).then_some(u64::from(length)) }))
    }

    fn explicit_length(&mut self) -> Result<(VR, u32), FileProblem> {
        let mut code = [0; 2];
        self.read(&mut code)?;
        let vr = VR::from_binary(code).unwrap_or(VR::UN);
        let is_long = matches!(
            vr,
            VR::OB
                | VR::OD
                | VR::OF
                | VR::OL
                | VR::OV
                | VR::OW
                | VR::SQ
                | VR::SV
                | VR::UC
                | VR::UN
                | VR::UR
                | VR::UT
                | VR::UV
        );
        if !is_long {
            return Ok((vr, u32::from(self.number::<u16>()?)));
        }
        self.number::<u16>()?;
        Ok((vr, self.number()?))
    }

    /// Whether the file holds as many bytes as a header announces.
    fn check_length(&self, tag: Tag, length: u64) -> Result<(), FileProblem> {
        let left = self.end.saturating_sub(self.position);
        if length <= left {
            return Ok(());
        }
        Err(malformed(format!(
            "the element {tag} announces {length} bytes where {left} are left; the file is truncated"
        )))
    }

    fn number<T: VoxelBytes>(&mut self) -> Result<T, FileProblem> {
        let mut bytes = [0; 8];
        self.read(&mut bytes[..T::BYTES])?;
        Ok(T::from_bytes(&bytes, self.order))
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), FileProblem> {
        self.source.read_exact(bytes).map_err(|_| malformed("the file ends inside an element"))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), FileProblem> {
        self.position += length;
        self.source.seek_relative(i64::try_from(length).map_err(|_| malformed("an element longer than any file"))?)?;
        Ok(())
    }
}

/// Bytes of one number of a value representation, 1 for texts and bytes.
fn number_bytes(vr: VR) -> u64 {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::UL | VR::SL | VR::OL | VR::FL | VR::OF | VR::AT => 4,
        VR::UV | VR::SV | VR::OV | VR::FD | VR::OD => 8,
        _ => 1,
    }
}

/// Refuses a length that holds no whole number of numbers: the parser reads the whole ones and loses its place.
fn check_whole(tag: Tag, length: u64, unit: u64) -> Result<(), FileProblem> {
    if length.is_multiple_of(unit) {
        Ok(())
    } else {
        Err(malformed(format!("the element {tag} has {length} bytes, which are no whole numbers of {unit}")))
    }
}
