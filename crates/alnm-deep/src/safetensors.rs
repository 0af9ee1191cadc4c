//! Files in the format safetensors: the length of a header, the header as JSON, and then numbers.
//!
//! The header gives each tensor its type, its shape, and where its bytes lie among those behind the header; texts stand
//! under `__metadata__`. As the format asks, the tensors have to cover all bytes, one behind the other. What a header
//! announces is checked against the bytes that are there before anything is allocated for it.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::ops::Range;

use serde::Deserialize;

/// Bytes of the length of the header.
pub(crate) const LENGTH: usize = size_of::<u64>();

/// A file whose header fits its bytes.
#[derive(Debug)]
pub(crate) struct SafetensorsFile<'a> {
    /// Texts by their names.
    pub(crate) metadata: HashMap<String, String>,
    /// In the order of the names.
    pub(crate) tensors: Vec<(String, TensorBytes<'a>)>,
}

/// A tensor as it lies in a file.
#[derive(Debug, PartialEq)]
pub(crate) struct TensorBytes<'a> {
    pub(crate) kind: NumberKind,
    pub(crate) shape: Vec<usize>,
    /// As many as the numbers of the shape take, little endian.
    pub(crate) bytes: &'a [u8],
}

/// What the numbers of a tensor are; those of a size that is no whole byte are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the format")]
pub(crate) enum NumberKind {
    BOOL,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
}

impl NumberKind {
    /// Bytes of a number.
    fn bytes(self) -> usize {
        match self {
            Self::BOOL | Self::U8 | Self::I8 | Self::F8_E5M2 | Self::F8_E4M3 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Announced>,
}

/// What a header says of a tensor.
#[derive(Deserialize)]
struct Announced {
    dtype: NumberKind,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl Announced {
    /// Bytes that the numbers of the shape take, where a computer can hold as many.
    fn bytes(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.dtype.bytes(), |bytes, size| bytes.checked_mul(*size))
    }
}

/// The largest header that the format allows.
const LARGEST_HEADER: u64 = 100_000_000;

/// The texts of a header, where the file begins with one; its tensors are not looked at.
pub(crate) fn texts(mut file: impl Read) -> Option<HashMap<String, String>> {
    let mut length = [0; LENGTH];
    file.read_exact(&mut length).ok()?;
    let length = Some(u64::from_le_bytes(length)).filter(|length| *length <= LARGEST_HEADER)?;
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    serde_json::from_slice::<Header>(&header).ok()?.metadata
}

impl<'a> SafetensorsFile<'a> {
    /// Finds the tensors in the bytes of a file, or says what is wrong with it.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, String> {
        const CUT_OFF: &str = "the file is cut off within its header, or is no safetensors file";
        let (length, rest) = file.split_first_chunk().ok_or(CUT_OFF)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|length| *length <= rest.len());
        let (header, data) = rest.split_at(length.ok_or(CUT_OFF)?);
        let header: Header = serde_json::from_slice(header).map_err(|error| {
            format!("the header of the file is damaged, or the file is no safetensors file: {error}")
        })?;
        let ranges = ranges(&header.tensors, data.len())?;
        let tensors = header.tensors.into_iter().zip(ranges);
        Ok(Self {
            metadata: header.metadata.unwrap_or_default(),
            tensors: tensors
                .map(|((name, tensor), range)| {
                    (name, TensorBytes { kind: tensor.dtype, shape: tensor.shape, bytes: &data[range] })
                })
                .collect(),
        })
    }
}

/// Where the bytes of each tensor lie, if they follow each other from the first byte to the last.
fn ranges(tensors: &BTreeMap<String, Announced>, end: usize) -> Result<Vec<Range<usize>>, String> {
    let mut in_order: Vec<(&String, &Announced)> = tensors.iter().collect();
    in_order.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut next = 0;
    for (name, tensor) in in_order {
        let [start, stop] = tensor.data_offsets;
        if start != next || stop < start {
            return Err(format!("the file is damaged: {name} begins at byte {start}; it must begin at byte {next}"));
        }
        if tensor.bytes() != Some(stop - start) {
            return Err(format!(
                "the file is damaged: {name} has {} bytes, which are no numbers {:?} of the shape {:?}",
                stop - start,
                tensor.dtype,
                tensor.shape
            ));
        }
        next = stop;
    }
    if next != end {
        return Err(format!("the file is damaged or cut off: its tensors take {next} bytes; it has {end}"));
    }
    Ok(tensors.values().map(|tensor| tensor.data_offsets[0]..tensor.data_offsets[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn tensors_and_texts_are_found_where_the_header_says() {
        let header = r#"{"b":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"__metadata__":{"format":"pt"},
            "a":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},"empty":{"dtype":"F32","shape":[0,7],"data_offsets":[7,7]}}  "#;
        let bytes = file(header, &[1, 2, 3, 4, 5, 6, 7]);
        let parsed = SafetensorsFile::parse(&bytes).unwrap();
        assert_eq!(parsed.metadata, HashMap::from([("format".to_owned(), "pt".to_owned())]));
        let of = |kind, shape: &[usize], bytes| TensorBytes { kind, shape: shape.to_vec(), bytes };
        let expected = [
            ("a", of(NumberKind::U8, &[3], &[5, 6, 7])),
            ("b", of(NumberKind::F16, &[2, 1], &[1, 2, 3, 4])),
            ("empty", of(NumberKind::F32, &[0, 7], &[])),
        ];
        assert_eq!(parsed.tensors, expected.map(|(name, tensor)| (name.to_owned(), tensor)));
    }

    #[test]
    fn what_a_header_announces_has_to_be_there() {
        let tensor = |shape: &str, start: usize, stop: usize| {
            format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{stop}]}}}}"#)
        };
        for (header, data, words) in [
            (tensor("[1]", 0, 4), 3, "its tensors take 4 bytes; it has 3"),
            (tensor("[1]", 0, 4), 5, "its tensors take 4 bytes; it has 5"),
            (tensor("[1]", 1, 5), 5, "x begins at byte 1; it must begin at byte 0"),
            (tensor("[1]", 4, 0), 4, "x begins at byte 4"),
            (tensor("[2]", 0, 4), 4, "x has 4 bytes, which are no numbers F32 of the shape [2]"),
            (tensor("[18446744073709551615,9]", 0, 4), 4, "no numbers F32 of the shape"),
            (tensor("[-1]", 0, 4), 4, "the header of the file is damaged"),
            (r#"{"x":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}"#.to_owned(), 1, "unknown variant `F4`"),
            ("{".to_owned(), 0, "the header of the file is damaged"),
        ] {
            let error = SafetensorsFile::parse(&file(&header, &vec![0; data])).unwrap_err();
            assert!(error.contains(words), "{header}: {error}");
        }
        for bytes in [&b""[..], &[1, 0, 0], &[9, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'], &[0xff; 12]] {
            assert!(SafetensorsFile::parse(bytes).unwrap_err().contains("cut off within its header"));
        }
    }
}
