//! A way through the elements of a data set whose lengths may lie.
//!
//! The parser allocates what an element announces before it reads it. So the lengths of all elements are walked first:
//! one that leaves the file, or items nested without end, are errors. The bytes of elements that are wanted are kept,
//! so that the parser need not read them again; elements that nothing here reads are passed over and not parsed at all.
//! The meta group is read here alone: of its values only the transfer syntax counts.

use std::io::{self, Read};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};

use super::problem::malformed;
use super::read_elements::is_read;
use crate::error::FileProblem;
use crate::voxel_data::{ByteOrder, VoxelBytes};

pub(super) const ITEM: Tag = Tag(0xfffe, 0xe000);
pub(super) const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
pub(super) const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);

/// How deep sequences may be nested; those of the standard reach about ten.
const DEEPEST: usize = 64;

/// Bytes of the preamble and of the letters behind it.
const PREAMBLE: u64 = 132;

/// The header of an element or item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ElementHeader {
    pub(super) tag: Tag,
    pub(super) vr: VR,
    /// Bytes of the value; none for an undefined length.
    pub(super) length: Option<u64>,
}

/// How numbers and elements are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Encoding {
    pub(super) order: ByteOrder,
    explicit: bool,
}

impl Encoding {
    const EXPLICIT_LITTLE: Self = Self { order: ByteOrder::Little, explicit: true };

    const IMPLICIT_LITTLE: Self = Self { order: ByteOrder::Little, explicit: false };

    /// A transfer syntax that is encoded so.
    pub(super) fn syntax(self) -> &'static str {
        #[allow(deprecated, reason = "retired syntaxes are read")]
        match (self.order, self.explicit) {
            (ByteOrder::Big, _) => uids::EXPLICIT_VR_BIG_ENDIAN,
            (ByteOrder::Little, true) => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            (ByteOrder::Little, false) => uids::IMPLICIT_VR_LITTLE_ENDIAN,
        }
    }

    /// The encoding of a data set in a transfer syntax.
    pub(super) fn of(syntax: &str) -> Self {
        #[allow(deprecated, reason = "retired syntaxes are read")]
        let order = if syntax == uids::EXPLICIT_VR_BIG_ENDIAN { ByteOrder::Big } else { ByteOrder::Little };
        Self { order, explicit: syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN }
    }
}

/// Bytes that are read in order, some of which are passed over.
pub(super) trait ByteSource: Read {
    /// Passes over bytes that are known to be there.
    fn pass_over(&mut self, bytes: u64) -> io::Result<()>;
}

impl ByteSource for &[u8] {
    fn pass_over(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        *self = self.get(bytes..).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }
}

/// A way through a file or data set from its first byte on.
pub(super) struct Walk<'a> {
    source: &'a mut dyn ByteSource,
    /// Bytes walked over.
    position: u64,
    /// What was walked over and is wanted.
    bytes: Vec<u8>,
    /// Bytes that were read and not walked over yet.
    ahead: Option<[u8; 2]>,
    /// Bytes that there are in all.
    end: u64,
    encoding: Encoding,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: &'a mut dyn ByteSource, end: u64, encoding: Encoding) -> Self {
        /// Bytes of the wanted elements of most headers.
        const USUAL_BYTES: usize = 1 << 12;
        let bytes = Vec::with_capacity(USUAL_BYTES.min(usize::try_from(end).unwrap_or(USUAL_BYTES)));
        Self { source, position: 0, bytes, ahead: None, end, encoding }
    }

    /// A file, whose meta group is written as explicit little endian.
    pub(super) fn of_file(source: &'a mut dyn ByteSource, end: u64) -> Self {
        Self::new(source, end, Encoding::EXPLICIT_LITTLE)
    }

    /// Bytes walked over.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that were read and not walked over.
    pub(super) fn bytes_ahead(&self) -> Option<[u8; 2]> {
        self.ahead
    }

    /// The elements of the data set that were walked over, those left out that nothing here reads.
    pub(super) fn into_wanted_elements(self) -> Vec<u8> {
        self.bytes
    }

    /// Walks preamble and meta group and returns the transfer syntax, in which what follows is read. The group ends
    /// where another begins: its length is often absent or wrong, and none of its other values matters to an image.
    pub(super) fn meta(&mut self) -> Result<String, FileProblem> {
        const META_GROUP: u16 = 2;
        self.pass_over(PREAMBLE)?;
        let mut syntax = None;
        while self.next_group()? == Some(META_GROUP) {
            let header = self.header()?.ok_or_else(|| malformed("the file ends inside its meta group"))?;
            let length = header.length.ok_or_else(|| malformed("an element of undefined length in the meta group"))?;
            self.check_length(header.tag, length)?;
            let start = self.bytes.len();
            self.read(length)?;
            if header.tag == tags::TRANSFER_SYNTAX_UID {
                let text = String::from_utf8_lossy(&self.bytes[start..]);
                syntax = Some(text.trim_end_matches(['\0', ' ']).to_owned());
            }
        }
        self.bytes.clear();
        let syntax: String = syntax.ok_or_else(|| malformed("TransferSyntaxUID is missing"))?;
        // What is no identifier is not guessed at.
        let is_uid = syntax.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_uid {
            return Err(malformed(format!("TransferSyntaxUID is {syntax:?}")));
        }
        self.encoding = Encoding::of(&syntax);
        Ok(syntax)
    }

    /// The group of the next element, which is not walked over; none where the file ends.
    fn next_group(&mut self) -> Result<Option<u16>, FileProblem> {
        if self.end.saturating_sub(self.position()) < 2 {
            return Ok(None);
        }
        let mut group = [0; 2];
        self.source.read_exact(&mut group).map_err(|_| ends_early())?;
        self.ahead = Some(group);
        Ok(Some(u16::from_le_bytes(group)))
    }

    /// Walks elements up to the tag `until`, whose header it returns; none where the data set ends before.
    pub(super) fn data_set(&mut self, until: Tag) -> Result<Option<ElementHeader>, FileProblem> {
        self.elements(None, Some(until), 0)
    }

    /// Walks past elements to the first that `is_wanted`, whose value lies at the position then.
    pub(super) fn find(
        &mut self,
        mut header: ElementHeader,
        is_wanted: impl Fn(Tag) -> bool,
    ) -> Result<Option<ElementHeader>, FileProblem> {
        let wanted = self.bytes.len();
        while !is_wanted(header.tag) {
            let Some(length) = header.length.filter(|&length| self.check_length(header.tag, length).is_ok()) else {
                return Ok(None);
            };
            self.pass_over(length)?;
            let next = self.header()?;
            self.bytes.truncate(wanted);
            match next {
                Some(next) if next.tag > header.tag => header = next,
                _ => return Ok(None),
            }
        }
        Ok(Some(header))
    }

    /// Elements up to `stop`, to the end of their item where that is none, to the tag `until`, or to the end of the
    /// file.
    fn elements(
        &mut self,
        stop: Option<u64>,
        until: Option<Tag>,
        depth: usize,
    ) -> Result<Option<ElementHeader>, FileProblem> {
        if depth > DEEPEST {
            return Err(malformed(format!("sequences are nested more than {DEEPEST} deep")));
        }
        while stop.is_none_or(|stop| self.position() < stop) {
            let start = self.bytes.len();
            let Some(header) = self.header()? else { return Ok(None) };
            let is_wanted = depth > 0 || is_read(header.tag);
            if header.tag == ITEM_END {
                // Outside of a sequence the end of an item is passed over, whatever length it states.
                if depth > 0 {
                    return Ok(None);
                }
                self.bytes.truncate(start);
                continue;
            }
            let ends_nothing = header.tag == SEQUENCE_END && header.length == Some(0);
            if header.tag.group() == ITEM.group() && !ends_nothing {
                // The parser may take it for an element of another length.
                return Err(malformed(format!("{} stands where an element belongs", header.tag)));
            }
            if until.is_some_and(|until| header.tag >= until) {
                self.bytes.truncate(start);
                return Ok(Some(header));
            }
            match header.length {
                Some(length) => {
                    self.check_length(header.tag, length)?;
                    check_whole(header.tag, length, number_bytes(header.vr))?;
                    let end = self.position() + length;
                    match header.vr {
                        VR::SQ => self.items(Some(end), false, depth)?,
                        _ if is_wanted => self.read(length)?,
                        _ => self.pass_over(length)?,
                    }
                }
                None if header.vr == VR::UN && header.tag != tags::PIXEL_DATA => {
                    self.unknown_sequence(header.tag, depth)?;
                }
                None => self.items(None, header.tag == tags::PIXEL_DATA, depth)?,
            }
            if !is_wanted {
                self.bytes.truncate(start);
            }
        }
        Ok(None)
    }

    /// A sequence of unknown representation and undefined length, which is written implicitly, whatever the file is
    /// (PS3.5 6.2.2). The parser would take it to be written as the file is and lose its place, so that in explicit files
    /// its length is put into its header: it is bytes then, like one that states its length.
    fn unknown_sequence(&mut self, tag: Tag, depth: usize) -> Result<(), FileProblem> {
        const LENGTH_BYTES: usize = 4;
        let start = self.bytes.len();
        let outer = std::mem::replace(&mut self.encoding, Encoding::IMPLICIT_LITTLE);
        self.items(None, false, depth)?;
        self.encoding = outer;
        if outer.explicit {
            let length = self.bytes.len() - start;
            let length = u32::try_from(length).ok().filter(|&length| length != u32::MAX);
            let length = length.ok_or_else(|| malformed(format!("the sequence {tag} has more than 4 GB")))?;
            let bytes = match outer.order {
                ByteOrder::Little => length.to_le_bytes(),
                ByteOrder::Big => length.to_be_bytes(),
            };
            self.bytes[start - LENGTH_BYTES..start].copy_from_slice(&bytes);
        }
        Ok(())
    }

    /// Items of a sequence, or fragments of pixel data.
    fn items(&mut self, stop: Option<u64>, fragments: bool, depth: usize) -> Result<(), FileProblem> {
        const OFFSET_BYTES: u64 = 4;
        // The first fragment is a table of offsets.
        let mut unit = OFFSET_BYTES;
        while stop.is_none_or(|stop| self.position() < stop) {
            let Some(header) = self.header()? else { return Ok(()) };
            match (header.tag, header.length) {
                (ITEM, Some(length)) => {
                    self.check_length(header.tag, length)?;
                    let end = self.position() + length;
                    if fragments {
                        check_whole(header.tag, length, unit)?;
                        unit = 1;
                        self.read(length)?;
                    } else {
                        self.elements(Some(end), None, depth + 1)?;
                    }
                }
                (ITEM, None) if !fragments => drop(self.elements(None, None, depth + 1)?),
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
        /// Bytes of the shortest header.
        const SHORTEST: usize = 8;
        if self.end.saturating_sub(self.position()) < SHORTEST as u64 {
            return Ok(None);
        }
        let bytes = self.take::<SHORTEST>()?;
        let order = self.encoding.order;
        let tag = Tag(u16::from_bytes(&bytes, order), u16::from_bytes(&bytes[2..], order));
        let is_delimiter = tag.group() == ITEM.group();
        let (vr, length) = if is_delimiter {
            (VR::UN, u32::from_bytes(&bytes[4..], order))
        } else if self.encoding.explicit {
            let vr = VR::from_binary([bytes[4], bytes[5]]).unwrap_or(VR::UN);
            (vr, if has_long_header(vr) { self.number()? } else { u16::from_bytes(&bytes[6..], order).into() })
        } else {
            let virtual_vr = StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed());
            (virtual_vr.unwrap_or(VR::UN), u32::from_bytes(&bytes[4..], order))
        };
        Ok(Some(ElementHeader { tag, vr, length: (length != u32::MAX).then_some(u64::from(length)) }))
    }

    /// Whether the file holds as many bytes as a header announces.
    fn check_length(&self, tag: Tag, length: u64) -> Result<(), FileProblem> {
        check_length(tag, length, self.end.saturating_sub(self.position()))
    }

    fn number<T: VoxelBytes>(&mut self) -> Result<T, FileProblem> {
        let start = self.bytes.len();
        self.read(T::BYTES as u64)?;
        Ok(T::from_bytes(&self.bytes[start..], self.encoding.order))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FileProblem> {
        let start = self.bytes.len();
        self.read(N as u64)?;
        Ok(std::array::from_fn(|i| self.bytes[start + i]))
    }

    /// Walks over some bytes and keeps them; memory grows with those that are really there.
    fn read(&mut self, length: u64) -> Result<(), FileProblem> {
        const AT_ONCE: u64 = 1 << 12;
        self.position += length;
        let mut length = length;
        if let Some(ahead) = self.ahead.take() {
            // Each element has a tag, so that what is walked over next is no shorter.
            self.bytes.extend_from_slice(&ahead);
            length = length.saturating_sub(ahead.len() as u64);
        }
        if length <= AT_ONCE {
            let start = self.bytes.len();
            self.bytes.resize(start + length as usize, 0);
            return self.source.read_exact(&mut self.bytes[start..]).map_err(|_| ends_early());
        }
        let read = (&mut *self.source).take(length).read_to_end(&mut self.bytes)?;
        if read as u64 == length { Ok(()) } else { Err(ends_early()) }
    }

    /// Walks over some bytes that are there and that nothing wants.
    fn pass_over(&mut self, length: u64) -> Result<(), FileProblem> {
        self.position += length;
        self.source.pass_over(length).map_err(|_| ends_early())
    }
}

/// Whether the length of explicit elements of a representation has four bytes, and stands behind two that are reserved.
fn has_long_header(vr: VR) -> bool {
    matches!(
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
    )
}

fn ends_early() -> FileProblem {
    malformed("the file ends inside an element")
}

/// Whether so many bytes are left as an element announces.
pub(super) fn check_length(tag: Tag, length: u64, left: u64) -> Result<(), FileProblem> {
    if length <= left {
        return Ok(());
    }
    Err(malformed(format!("the element {tag} announces {length} bytes where {left} are left; the file is truncated")))
}

/// Bytes of one number of a value representation, 1 for texts and bytes.
pub(super) fn number_bytes(vr: VR) -> u64 {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::UL | VR::SL | VR::OL | VR::FL | VR::OF | VR::AT => 4,
        VR::UV | VR::SV | VR::OV | VR::FD | VR::OD => 8,
        _ => 1,
    }
}

/// Refuses a length that holds no whole number of numbers: the parser reads the whole ones and loses its place.
pub(super) fn check_whole(tag: Tag, length: u64, unit: u64) -> Result<(), FileProblem> {
    if length.is_multiple_of(unit) {
        Ok(())
    } else {
        Err(malformed(format!("the element {tag} has {length} bytes, which are no whole numbers of {unit}")))
    }
}
