//! Answers of several parts, `multipart/related` (RFC 2387, RFC 2046), in which DICOMweb sends objects.
//!
//! Parts are read as they arrive, in memory that does not grow with them. A part is whole only when the boundary behind
//! it arrived: an answer that is cut short is an error, at whichever byte.

use std::io::{self, ErrorKind, Read};

use crate::media_type::MediaType;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// The most bytes of the headers of a part, and of what stands before the first.
const MOST_HEADER_BYTES: u64 = 1 << 14;

/// The most characters of a boundary (RFC 2046, section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// What two parts are separated by begins so.
const DELIMITER_START: &str = "\r\n--";

/// A body of several parts.
///
/// ```
/// use alnm_pacs::multipart::Multipart;
/// use std::io::Read;
///
/// let body = "--b\r\nContent-Type: application/dicom\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--";
/// let mut parts = Multipart::new(body.as_bytes(), "multipart/related; boundary=b")?;
/// let mut texts = Vec::new();
/// while let Some(mut part) = parts.next_part()? {
///     let mut text = String::new();
///     part.read_to_string(&mut text)?;
///     texts.push(text);
/// }
/// assert_eq!(texts, ["first", "second"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Multipart<R> {
    source: R,
    /// What stands before and between parts.
    delimiter: Vec<u8>,
    buffer: Box<[u8]>,
    /// The bytes of the buffer that were not given away yet.
    start: usize,
    end: usize,
    /// How many of them are known to belong to the part.
    known: usize,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// In what stands before the first boundary.
    Before,
    /// In a part.
    Inside,
    /// Right behind a boundary.
    BehindBoundary,
    /// Behind the last boundary.
    End,
}

/// A part, whose content is read from it.
#[derive(Debug)]
pub struct MessagePart<'a, R> {
    body: &'a mut Multipart<R>,
    content_type: Option<String>,
    /// Bytes that the part says it has.
    announced: Option<u64>,
    read: u64,
}

impl<R: Read> Multipart<R> {
    /// A body with the media type of its answer, which names the boundary.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when the type is no `multipart` or names no boundary.
    pub fn new(source: R, content_type: &str) -> io::Result<Self> {
        let media_type = MediaType::of(content_type);
        let boundary = media_type.parameter("boundary").filter(|_| media_type.name().starts_with("multipart/"));
        let boundary =
            boundary.ok_or_else(|| damaged(format!("is {content_type:?}, and no multipart with a boundary")))?;
        let is_printable = boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || !is_printable {
            return Err(damaged(format!("has a boundary of {} characters; 1 to 70 printable ones", boundary.len())));
        }
        let mut buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        // The first boundary may stand at the very beginning, without the end of a line before it.
        buffer[..2].copy_from_slice(b"\r\n");
        let delimiter = format!("{DELIMITER_START}{boundary}").into_bytes();
        Ok(Self { source, delimiter, buffer, start: 0, end: 2, known: 0, place: Place::Before })
    }

    /// The next part; none behind the last. What was not read of the part before is passed over.
    ///
    /// # Errors
    /// Those of the source, [`ErrorKind::UnexpectedEof`] when it ends before the last boundary, and
    /// [`ErrorKind::InvalidData`] when headers are malformed or longer than 16 KiB.
    pub fn next_part(&mut self) -> io::Result<Option<MessagePart<'_, R>>> {
        let mut left = MOST_HEADER_BYTES;
        while matches!(self.place, Place::Before | Place::Inside) {
            let mut unwanted = [0; 4096];
            let passed = self.read_content(&mut unwanted)? as u64;
            if self.place == Place::Before {
                left = left.checked_sub(passed).ok_or_else(|| damaged("has no boundary in its first 16 KiB"))?;
            }
        }
        if self.place == Place::End {
            return Ok(None);
        }
        let behind = self.line(&mut left)?;
        if behind.starts_with(b"--") {
            self.place = Place::End;
            return Ok(None);
        }
        if !behind.trim_ascii().is_empty() {
            return Err(damaged(format!("has {:?} behind a boundary", String::from_utf8_lossy(&behind))));
        }
        let (mut content_type, mut announced) = (None, None);
        loop {
            let line = self.line(&mut left)?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&line);
            let (name, value) = line.split_once(':').ok_or_else(|| damaged(format!("has {line:?} for a header")))?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-type") {
                content_type = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("content-length") {
                let length = value.parse().map_err(|_| damaged(format!("has a part of the length {value:?}")))?;
                announced = Some(length);
            }
        }
        self.place = Place::Inside;
        Ok(Some(MessagePart { body: self, content_type, announced, read: 0 }))
    }

    /// Content up to the next boundary; nothing where it is reached.
    fn read_content(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || matches!(self.place, Place::BehindBoundary | Place::End) {
            return Ok(0);
        }
        while self.known == 0 {
            match boundary_in(&self.buffer[self.start..self.end], &self.delimiter) {
                Found { at: 0, is_whole: true } => {
                    self.start += self.delimiter.len();
                    self.place = Place::BehindBoundary;
                    return Ok(0);
                }
                Found { at: 0, is_whole: false } => self.fill()?,
                Found { at, .. } => self.known = at,
            }
        }
        let count = self.known.min(into.len());
        into[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        self.known -= count;
        Ok(count)
    }

    /// A line without its end, which `left` bytes may make up.
    fn line(&mut self, left: &mut u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            if self.start == self.end {
                match self.fill() {
                    // Nothing need stand behind the last boundary, not even the end of its line.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof && line == b"--" => return Ok(line),
                    filled => filled?,
                }
            }
            *left = left.checked_sub(1).ok_or_else(|| damaged("has a part with headers longer than 16 KiB"))?;
            line.push(self.buffer[self.start]);
            self.start += 1;
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                return Ok(line);
            }
        }
    }

    /// Reads more into the buffer; the end of the source is an error.
    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let count = loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                count => break count?,
            }
        };
        if count == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "ends before its last boundary"));
        }
        self.end += count;
        Ok(())
    }
}

impl<R> MessagePart<'_, R> {
    /// The media type that the part states.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Bytes that the part says it has. The content is read to the boundary all the same, and is an error where it has
    /// another length.
    #[must_use]
    pub fn announced_bytes(&self) -> Option<u64> {
        self.announced
    }
}

impl<R: Read> Read for MessagePart<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read_content(into)?;
        self.read += count as u64;
        let is_end = count == 0 && !into.is_empty();
        match self.announced {
            Some(length) if self.read > length || is_end && self.read != length => Err(damaged(format!(
                "has a part that announces {length} bytes and has {}{}",
                if is_end { "" } else { "more than " },
                if is_end { self.read } else { length }
            ))),
            _ => Ok(count),
        }
    }
}

/// Where a boundary begins, or may begin with bytes that have not come yet.
struct Found {
    at: usize,
    is_whole: bool,
}

fn boundary_in(bytes: &[u8], delimiter: &[u8]) -> Found {
    let mut from = 0;
    while let Some(ahead) = bytes[from..].iter().position(|&byte| byte == b'\r') {
        let at = from + ahead;
        let rest = &bytes[at..];
        if rest.starts_with(delimiter) {
            return Found { at, is_whole: true };
        }
        if delimiter.starts_with(rest) {
            return Found { at, is_whole: false };
        }
        from = at + 1;
    }
    Found { at: bytes.len(), is_whole: false }
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/related; type=\"application/dicom\"; boundary=\"b 1\"";

    /// A source that gives few bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn parts_of(body: &[u8], step: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut multipart = Multipart::new(Dripping(body, step), TYPE)?;
        let mut parts = Vec::new();
        while let Some(mut part) = multipart.next_part()? {
            let mut content = Vec::new();
            part.read_to_end(&mut content)?;
            parts.push(content);
        }
        assert!(multipart.next_part()?.is_none());
        Ok(parts)
    }

    fn body_of(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(b"--b 1\r\nContent-Type: application/dicom\r\n");
            body.extend_from_slice(format!("Content-Length: {}\r\n\r\n", part.len()).as_bytes());
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b 1--\r\n");
        body
    }

    #[test]
    fn parts_come_back_whatever_looks_like_a_boundary_in_them() {
        let parts = [
            &b""[..],
            b"\r\n",
            b"\r\n--b",
            b"\r\r\n--b \r\n--c 1",
            b"--b 1\r\n",
            &[b'\r'; 70_000],
            &[0; BUFFER_BYTES * 2 + 1],
        ]
        .map(<[u8]>::to_vec);
        let body = body_of(&parts);
        for step in [1, 2, 7, 4096, usize::MAX] {
            assert!(parts_of(&body, step).unwrap() == parts, "{step}");
        }
        let with_preamble = [&b"This is a message\r\nof several parts.\r\n"[..], &body].concat();
        assert!(parts_of(&with_preamble, 5).unwrap() == parts);
        assert_eq!(parts_of(b"--b 1--", 3).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn every_cut_is_noticed() {
        let body = body_of(&[b"first".to_vec(), b"\r\n--b second".to_vec()]);
        // The end of the line behind the last boundary may be missing.
        for length in 0..body.len() - 2 {
            let error = parts_of(&body[..length], usize::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{length}: {error}");
        }
        assert!(parts_of(&body[..body.len() - 2], 3).is_ok());
    }

    #[test]
    fn malformed_bodies_are_refused_in_bounded_memory() {
        for (body, words) in [
            (&b"--b 1\r\nno header\r\n\r\n"[..], "\"no header\" for a header"),
            (b"--b 1x\r\n\r\n", "behind a boundary"),
            (b"--b 1\r\nContent-Length: -3\r\n\r\n", "of the length"),
            (b"--b 1\r\nContent-Length: 99999999999999999999\r\n\r\n", "of the length"),
            (
                b"--b 1\r\nContent-Length: 18446744073709551615\r\n\r\nx\r\n--b 1--",
                "announces 18446744073709551615 bytes and has 1",
            ),
            (b"--b 1\r\nContent-Length: 2\r\n\r\nabc\r\n--b 1--", "announces 2 bytes and has more than 2"),
        ] {
            let error = parts_of(body, usize::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.to_string().contains(words), "{error}");
        }
        let mut preamble = Multipart::new(io::repeat(b'x'), TYPE).unwrap();
        assert!(preamble.next_part().unwrap_err().to_string().contains("no boundary"));
        let endless = io::repeat(b'x');
        let mut headers = Multipart::new((&b"--b 1\r\n"[..]).chain(endless), TYPE).unwrap();
        assert!(headers.next_part().unwrap_err().to_string().contains("16 KiB"));
        for content_type in
            ["application/json", "multipart/related", "multipart/related; boundary=\"\"", "multipart/x; boundary=é"]
        {
            assert!(Multipart::new(&b""[..], content_type).is_err(), "{content_type}");
        }
        let long = format!("multipart/related; boundary={}", "b".repeat(71));
        assert!(Multipart::new(&b""[..], &long).is_err());
    }

    proptest! {
        #[test]
        fn any_parts_come_back(
            parts in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), any::<u8>()], 0..60), 0..5),
            step in 1_usize..80,
        ) {
            // A part that holds the boundary itself cannot be sent with it.
            prop_assume!(!parts.iter().any(|part| [b"\r\n", &part[..]].concat().windows(7).any(|w| w == b"\r\n--b 1")));
            prop_assert_eq!(parts_of(&body_of(&parts), step).unwrap(), parts);
        }

        #[test]
        fn damaged_bodies_give_parts_or_an_error(
            at in 0_usize..1000, byte in any::<u8>(), cut in 0_usize..1000, step in 1_usize..80,
        ) {
            let mut body = body_of(&[b"first".to_vec(), vec![b'\r'; 40], b"third\r\n--b".to_vec()]);
            let length = body.len();
            body[at % length] = byte;
            body.truncate(length - cut % 3);
            if let Ok(parts) = parts_of(&body, step) {
                prop_assert!(parts.iter().map(Vec::len).sum::<usize>() <= length);
            }
        }
    }
}
